"""Small flows for the battery."""

from importlib.util import find_spec

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator, perturbed

PAIRS = torch.randn(300, 2, generator=generator(1)) @ torch.tensor([[1.0, 0.6], [0.0, 0.5]]) + 0.3
VECTORS = 0.5 * torch.randn(300, 5, generator=generator(2)).cumsum(1)
SINGLES = torch.randn(300, 1, generator=generator(3)).exp()
IMAGES = torch.rand(200, 1, 4, 4, generator=generator(4))
SEQUENCES = 0.3 * torch.randn(200, 4, 3, generator=generator(5)).cumsum(1)
CONDITIONS = torch.randn(300, 3, generator=generator(6))


def made(name, size=0.1, **arguments):
    """A flow whose weights are far from those of the identity."""
    return lambda: perturbed(create(name, seed=1, **arguments), size=size)


CASES = [
    Case("realnvp", made("realnvp", event_shape=2, layers=3, hidden=[8]), PAIRS, facts={"quadrature": 12.0}),
    Case(
        "realnvp-mixture", made("realnvp", event_shape=2, layers=2, hidden=[8], base="mixture", components=3), PAIRS,
        facts={"quadrature": 12.0},
    ),
    Case(
        "realnvp-uniform", made("realnvp", 0.03, event_shape=2, layers=2, hidden=[8], base="uniform"), PAIRS,
        facts={"quadrature": 25.0},
    ),
    Case(
        "realnvp-conditional", made("realnvp", event_shape=2, condition_shape=3, layers=3, hidden=[8]),
        PAIRS, CONDITIONS, facts={"quadrature": 12.0},
    ),
    Case(
        "realnvp-linear", made("realnvp", event_shape=[1, 2], condition_shape=[1, 3], layers=2, hidden=[8], linear=True),
        PAIRS[:, None], CONDITIONS[:, None], facts={"quadrature": 12.0},
    ),
    Case("realnvp-images", made("realnvp", event_shape=[1, 4, 4], layers=5, hidden=[8, 8]), IMAGES),
    Case("nice", made("nice", event_shape=2, layers=3, hidden=[8]), PAIRS, facts={"quadrature": 25.0}),
    Case("nice-conditional", made("nice", event_shape=5, condition_shape=3, layers=3, hidden=[8]), VECTORS, CONDITIONS),
    Case("glow", made("glow", event_shape=[1, 4, 4], levels=2, steps=2, hidden=[6, 5]), IMAGES),
    Case("glow-sequences", made("glow", event_shape=[4, 3], levels=2, steps=1, hidden=[6]), SEQUENCES),
    Case("glow-vectors", made("glow", event_shape=2, levels=1, steps=3, hidden=[8]), PAIRS, facts={"quadrature": 12.0}),
    Case(
        "glow-conditional", made("glow", event_shape=[4, 3], condition_shape=3, levels=1, steps=2, hidden=[6]),
        SEQUENCES, CONDITIONS[:200],
    ),
    Case("maf", made("maf", event_shape=2, layers=3, hidden=[8]), PAIRS, facts={"quadrature": 12.0}),
    Case("maf-1", made("maf", event_shape=1, layers=2, hidden=[8]), SINGLES, facts={"quadrature": 20.0}),
    Case("maf-conditional", made("maf", event_shape=5, condition_shape=3, layers=3, hidden=[9, 8]), VECTORS, CONDITIONS),
    Case("iaf", made("iaf", event_shape=2, layers=3, hidden=[8]), PAIRS, facts={"quadrature": 12.0}),
    Case("iaf-conditional", made("iaf", event_shape=5, condition_shape=3, layers=2, hidden=[9]), VECTORS, CONDITIONS),
    Case(
        "srflow", made("srflow", event_shape=[4, 3], condition_shape=[2, 3], levels=2, steps=1, hidden=[6], features=4),
        SEQUENCES, SEQUENCES[:, ::2],
    ),
    Case(
        "srflow-images",
        made("srflow", event_shape=[1, 4, 4], condition_shape=[1, 2, 2], levels=1, steps=2, hidden=[6], features=4),
        IMAGES, IMAGES[:, :, ::2, ::2],
    ),
    Case(
        "cflow", made("cflow", event_shape=2, condition_shape=3, layers=3, hidden=[8]), PAIRS, CONDITIONS,
        facts={"quadrature": 12.0},
    ),
    Case("cflow-shapes", made("cflow", event_shape=[4, 3], condition_shape=[2, 3], layers=3, hidden=[8]),
        SEQUENCES, SEQUENCES[:, ::2],
    ),
]  # fmt: skip

LACKING = [] if find_spec("zuko") else ["styleflow"]
if not LACKING:
    CASES += [
        Case(
            "styleflow", made("styleflow", event_shape=2, condition_shape=3, hidden=[8], tolerance=1e-6), PAIRS, CONDITIONS,
            facts={"quadrature": 12.0, "approximate": True},
        ),
        Case(
            "styleflow-plain", made("styleflow", event_shape=[3, 1], blocks=2, hidden=[6]), VECTORS[:, :3, None],
            facts={"approximate": True},
        ),
    ]  # fmt: skip
