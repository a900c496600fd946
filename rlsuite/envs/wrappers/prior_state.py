"""What a wrapper that rewards by a prior keeps between steps: a part of a checkpoint, so that a resumed run goes on exactly.

Poses before the newest one, the wrapper's random numbers, which rows are about to begin anew, the model's reference once
it is known (of a model with conditions it depends on the first one met), and the sum that is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlsuite.errors import RecordError

if TYPE_CHECKING:
    from rlsuite.envs.wrappers.prior_reward import PriorReward, VectorPriorReward

Arrays = Mapping[str, NDArray[Any]]


class Tally:
    """The mean of a reward per step since it was last asked for."""

    def __init__(self) -> None:
        self.sums = np.zeros(2)  # of rewards, of steps

    def add(self, rewards: float, steps: int) -> None:
        self.sums += rewards, steps

    def mean(self) -> float:
        """And begin anew."""
        total, steps = self.sums
        self.sums = np.zeros(2)
        return float(total / max(steps, 1.0))


def arrays_of(wrapper: PriorReward | VectorPriorReward) -> dict[str, NDArray[Any]]:
    """Everything, by name."""
    features: Callable[[], Arrays] = getattr(wrapper.features, "state_arrays", dict)
    arrays = {f"features.{name}": array for name, array in features().items()}
    arrays |= {"luck": wrapper._luck.generator.get_state().numpy(), "tally": wrapper.tally.sums}
    if wrapper.prior._reference is not None:
        arrays["reference"] = wrapper.prior._reference.numpy()
    return arrays


def put_back(wrapper: PriorReward | VectorPriorReward, arrays: Arrays) -> None:
    """What :func:`arrays_of` gave.

    Raises:
        RecordError: it is of another wrapper, or damaged.
    """
    features = {name.removeprefix("features."): a for name, a in arrays.items() if name.startswith("features.")}
    if load := getattr(wrapper.features, "load_state", None):
        load(wrapper.env, features)
    if arrays["tally"].shape != (2,):
        raise RecordError("the state of a prior's reward needs a sum and a count")
    try:
        wrapper._luck.generator.set_state(torch.from_numpy(arrays["luck"].astype(np.uint8)))
    except RuntimeError as error:
        raise RecordError(f"the random numbers of a prior's reward cannot be put back: {error}") from None
    wrapper.tally.sums = np.array(arrays["tally"], np.float64)
    reference = arrays.get("reference")
    wrapper.prior._reference = None if reference is None else torch.from_numpy(np.array(reference))
