"""Data with known eigenvalues, and an optimiser that goes to the last digit."""

import torch

from tests.generative.battery import generator

D = 4
EIGENVALUES = torch.tensor([4.0, 2.0, 0.5, 0.25], dtype=torch.float64)
ROTATION = torch.linalg.qr(torch.randn(D, D, generator=generator(2), dtype=torch.float64))[0]


def events():
    """``(300, D)``, whose covariance has exactly EIGENVALUES along the columns of ROTATION."""
    x = torch.randn(300, D, generator=generator(1), dtype=torch.float64)
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.mT @ x / len(x)), x.mT, upper=False).mT
    return white * EIGENVALUES.sqrt() @ ROTATION.mT + 1.0


DATA = events()


def optimise(parameters, loss):
    """Minimise ``loss()`` by L-BFGS."""
    optimizer = torch.optim.LBFGS(
        [p for p in parameters if p.requires_grad],
        max_iter=2000,
        history_size=50,
        tolerance_grad=1e-11,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(3):
        optimizer.step(closure)
