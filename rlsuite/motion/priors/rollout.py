"""Motion of any length out of a prior: next frames one after another, chains of frames, windows joined end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rlsuite.errors import CapabilityError, MotionError
from rlsuite.generative.capabilities import Completion, Streaming, capabilities

if TYPE_CHECKING:
    from rlsuite.motion.priors.prior import MotionPrior


def frames(prior: MotionPrior, n: int, length: int, generator: torch.Generator, past: Tensor | None = None) -> Tensor:
    """``(n, length, size)`` frames drawn from a prior of next frames or windows.

    Args:
        past: ``(n, past, size)`` frames that came before (default: nothing for windows; for next frames, drawn from those
            that the prior keeps).

    Raises:
        CapabilityError: it gives poses only. MotionError: it keeps no beginnings.
    """
    if prior.kind == "pose":
        raise CapabilityError(f"{prior.model.name} was fitted to poses; motion needs a prior of next frames or windows")
    if prior.kind == "next":
        return _next_frames(prior, _pasts(prior, n, generator) if past is None else past, length, generator)
    if isinstance(prior.model, Streaming):
        return _stream(prior.model, n, length, generator, past)
    return _windows(prior, n, length, generator, past)


def _pasts(prior: MotionPrior, n: int, generator: torch.Generator) -> Tensor:
    if not len(prior.starts):
        raise MotionError("the prior keeps no beginnings to start from; fit it again")
    chosen = torch.randint(len(prior.starts), (n,), generator=generator)
    return torch.from_numpy(prior.starts)[chosen]


def _next_frames(prior: MotionPrior, past: Tensor, length: int, generator: torch.Generator) -> Tensor:
    drawn = []
    for _ in range(length):
        frame = prior.model.sample(condition=past, generator=generator)  # (n, 1, size)
        drawn.append(frame)
        past = torch.cat([past[:, 1:], frame], 1)
    return torch.cat(drawn, 1)


def _stream(model: Streaming, n: int, length: int, generator: torch.Generator, past: Tensor | None) -> Tensor:
    state = model.start(n)
    if past is not None:
        observe = getattr(model, "observe", None)
        if observe is None:
            raise CapabilityError(f"{model.name} cannot be shown what came before: it has no observe")
        for frame in past.unbind(1):
            state = observe(state, frame)
    drawn = []
    for _ in range(length):
        frame, state = model.step(state, generator=generator)
        drawn.append(frame)
    return torch.stack(drawn, 1)


def _windows(prior: MotionPrior, n: int, length: int, generator: torch.Generator, past: Tensor | None) -> Tensor:
    """The second half of each window is the first half of the next, which is then completed."""
    model, whole = prior.model, prior.length
    seen = 0 if past is None else past.shape[1]
    if past is None and length <= whole:
        return model.sample(n, generator=generator)[:, :length]
    if not isinstance(model, Completion):
        have = ", ".join(capabilities(model)) or "none"
        raise CapabilityError(
            f"{model.name} gives windows of {whole} frames ({whole / prior.fps:.2f} s) and no more: "
            f"it lacks Completion (it has {have})"
        )
    done = model.sample(n, generator=generator) if past is None else past
    while done.shape[1] - seen < length:
        overlap = min(whole // 2, done.shape[1])
        known = torch.zeros(n, whole, done.shape[2])
        known[:, :overlap] = done[:, -overlap:]
        mask = torch.zeros(whole, 1, dtype=torch.bool)
        mask[:overlap] = True
        done = torch.cat([done, model.sample(known=known, mask=mask, generator=generator)[:, overlap:]], 1)
    return done[:, seen : seen + length]
