"""Small autoregressive models for the battery."""

import math

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator, perturbed


def discrete(shape, n_values=2, n=300, seed=1):
    """Events with dependence between neighbours."""
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    g = generator(seed)
    x = torch.randint(n_values, (n, size), generator=g)
    copied = torch.rand(n, size, generator=g) < 0.6
    for i in range(1, size):
        x[:, i] = torch.where(copied[:, i], x[:, i - 1], x[:, i])
    return x.float().reshape(n, *(shape if isinstance(shape, tuple) else (shape,)))


def real(*shape, n=300, seed=2):
    """Random walks along the first axis of an event."""
    x = torch.randn(n, *shape, generator=generator(seed))
    return x.cumsum(1) * 0.7 + 0.3


def conditions(size=2, n=300, seed=3):
    return torch.randn(n, size, generator=generator(seed))


def small(name, seed=0, size=0.3, **hyperparameters):
    return lambda: perturbed(create(name, seed=seed, **hyperparameters), seed, size)


def causal(size, order=None, condition=None):
    return {
        "causal_order": list(range(size)) if order is None else order,
        "factors": lambda model, x: model.log_factors(x, condition),
    }


def causal_frames(length, features):
    """Each frame's factor once for each of its numbers: no order within a frame, so all of it is allowed to the last."""
    return {
        "causal_order": list(range(length * features)),
        "factors": lambda model, x: (
            torch.stack([torch.zeros(length), model.log_factors(x).reshape(-1)], 1)
            if features == 2
            else model.log_factors(x)
        ),
    }


def fitted_table():
    model = create("tabular", event_shape=(2, 3))
    model.fit(discrete((2, 3), seed=7), steps=1)
    return model


RANDOM_ORDER = create("made", event_shape=5, order="random", mask_seed=4, hidden=(4,)).causal_order()
C2 = conditions()

CASES = [
    Case("tabular", fitted_table, discrete((2, 3))),
    Case("fvsbn", small("fvsbn", event_shape=(2, 3), size=1.0), discrete((2, 3)), facts=causal(6)),
    Case(
        "fvsbn-categorical",
        small("fvsbn", event_shape=4, n_values=3, condition_shape=2),
        discrete(4, 3),
        C2,
    ),
    Case("nade", small("nade", event_shape=6, hidden=5, size=1.0), discrete(6), facts=causal(6)),
    Case("nade-categorical", small("nade", event_shape=(2, 2), n_values=3, condition_shape=2, hidden=5),
         discrete((2, 2), 3), C2),
    Case("rnade", small("rnade", event_shape=2, components=3, hidden=5), real(2), facts=causal(2) | {"quadrature": 25.0}),
    Case("rnade-conditional", small("rnade", event_shape=4, components=2, hidden=5, condition_shape=2), real(4), C2,
         facts=causal(4, condition=C2[0])),
    Case("made", small("made", event_shape=(2, 3), hidden=(16, 16)), discrete((2, 3)), facts=causal(6)),
    Case("made-order", small("made", event_shape=5, order="random", mask_seed=4, hidden=(16,), condition_shape=2),
         discrete(5), C2, facts=causal(5, RANDOM_ORDER, C2[0])),
    Case("made-masks", small("made", event_shape=4, n_values=3, order="random", masks=3, hidden=(16, 16)), discrete(4, 3)),
    Case("made-real", small("made", event_shape=2, n_values=0, components=3, hidden=(16,)), real(2),
         facts=causal(2) | {"quadrature": 25.0}),
    Case("wavenet", small("wavenet", event_shape=(5, 2), components=2, lags=2, channels=6, levels=2), real(5, 2),
         facts=causal_frames(5, 2)),
    Case("wavenet-one-frame", small("wavenet", event_shape=(1, 2), components=2, channels=4, levels=1), real(1, 2),
         facts={"quadrature": 12.0}),
    Case("wavenet-tokens", small("wavenet", event_shape=(3, 2), n_values=3, channels=6, levels=2, kernel=3, gated=False,
                                 condition_shape=2), discrete((3, 2), 3), C2),
    Case("wavenet-binary", small("wavenet", event_shape=(6,), n_values=2, channels=6, levels=2), discrete(6),
         facts=causal(6)),
    Case("transformer", small("transformer", event_shape=(5, 2), components=2, lags=2, width=8, heads=2, layers=2),
         real(5, 2), facts=causal_frames(5, 2)),
    Case("transformer-two-numbers", small("transformer", event_shape=(2, 1), lags=1, width=8, heads=2, layers=1),
         real(2, 1), facts={"quadrature": 25.0}),
    Case("transformer-tokens", small("transformer", event_shape=(3, 2), n_values=3, width=8, heads=2, layers=2,
                                     condition_shape=2), discrete((3, 2), 3), C2),
    Case("transformer-binary", small("transformer", size=0.2, event_shape=(6,), n_values=2, width=8, heads=2, layers=1),
         discrete(6), facts=causal(6)),
    Case("pixelcnn", small("pixelcnn", event_shape=(3, 3), channels=4, layers=1), discrete((3, 3)), facts=causal(9)),
    Case("pixelcnn-categorical", small("pixelcnn", event_shape=(2, 3), n_values=3, channels=4, layers=1,
                                       condition_shape=2), discrete((2, 3), 3), C2),
    Case("gated-pixelcnn", small("gated-pixelcnn", event_shape=(3, 3), channels=4, layers=1), discrete((3, 3)),
         facts=causal(9)),
    Case("gated-pixelcnn-colours", small("gated-pixelcnn", event_shape=(3, 2, 2), channels=6, layers=1), discrete((3, 2, 2)),
         facts=causal(12, torch.arange(12).reshape(3, 4).mT.flatten().tolist())),
    Case("gated-pixelcnn-categorical", small("gated-pixelcnn", event_shape=(2, 3), n_values=3, channels=4, layers=1,
                                             condition_shape=2), discrete((2, 3), 3), C2),
    Case("orderless-nade", small("orderless-nade", event_shape=5, hidden=(8,), condition_shape=2), discrete(5), C2,
         facts=causal(5, condition=C2[0]) | {"completion": "approximate"}),
    Case("orderless-nade-real", small("orderless-nade", event_shape=2, n_values=0, components=2, hidden=(8,)), real(2),
         facts=causal(2) | {"quadrature": 25.0}),
    Case("conv-nade", small("conv-nade", event_shape=(2, 2), n_values=3, channels=4, layers=2), discrete((2, 2), 3),
         facts={"completion": "approximate"}),
    Case("vq-vae", small("vq-vae", event_shape=3, tokens=2, codes=4, code_size=2, hidden=(8,), prior_width=8,
                         prior_layers=1, condition_shape=2), real(3), C2),
    Case("pixel-rnn-row", small("pixel-rnn", event_shape=(3, 3), variant="row", channels=4, layers=1), discrete((3, 3)),
         facts=causal(9)),
    Case("pixel-rnn-diagonal", small("pixel-rnn", event_shape=(3, 2, 2), channels=6, layers=1), discrete((3, 2, 2)),
         facts=causal(12, torch.arange(12).reshape(3, 4).mT.flatten().tolist())),
    Case("pixel-rnn-categorical", small("pixel-rnn", event_shape=(2, 3), n_values=3, channels=4, layers=1,
                                        condition_shape=2), discrete((2, 3), 3), C2),
]  # fmt: skip
