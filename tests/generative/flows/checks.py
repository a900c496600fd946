"""What the tests of flows share: the log-determinant of a Jacobian by automatic differentiation."""

import torch


def jacobian_log_det(transform, x, condition=None):
    """log |det ∂z/∂x| ``(n)`` of ``x (n, *event)`` by autograd and an LU decomposition, event by event."""
    found = []
    for i in range(len(x)):
        c = None if condition is None else condition[i : i + 1]
        jacobian = torch.autograd.functional.jacobian(lambda v, c=c: transform(v, c)[0], x[i : i + 1])
        found.append(torch.linalg.slogdet(jacobian.reshape(x[0].numel(), x[0].numel()))[1])
    return torch.stack(found)
