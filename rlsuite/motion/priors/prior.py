"""A motion prior: a generative model of poses, next frames or windows, with what makes clips of its numbers and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.errors import CapabilityError, HyperparameterError, MotionError, RecordError, RlsuiteError
from rlsuite.generative import registry, storage
from rlsuite.generative.autoregressive.sequence import SequenceModel
from rlsuite.generative.capabilities import Bound, Density, capabilities
from rlsuite.generative.diffusion.diffusion import Diffusion
from rlsuite.generative.model import GenerativeModel
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.coordinates import PoseCoordinates
from rlsuite.motion.priors.data import FPS, Kind, Part, PriorData, blurred, checked_kind, motion_data
from rlsuite.motion.skeleton import Skeleton

ALIASES = {"flow": "realnvp"}
KIND: dict[str, Kind] = {  # what a model is of where the user does not say
    "var": "next", "motion-vae": "next", "wavenet": "window", "transformer": "window", "vq-vae": "window",
    "diffusion": "window",
}  # fmt: skip
STARTS = 32  # beginnings kept with a prior of next frames
PARTICLES = 64  # of an importance-weighted bound, in scores
COPIES = 16  # of every event that is blurred
_BATCH = 1024  # events scored at once


@dataclass(frozen=True)
class Score:
    """Negative log-likelihood of held-out frames.

    Attributes:
        nats: per frame, each number counted in units of its spread over the training frames.
        raw: per frame, in the coordinates' own units. frames: how many were scored.
        exact: whether this is the likelihood, or an upper bound of its negative logarithm.
    """

    nats: float
    raw: float
    frames: int
    exact: bool


@dataclass
class MotionPrior:
    """A fitted model of motion.

    Attributes:
        model: in the coordinates' units. coordinates: what its numbers mean.
        kind: ``pose``, ``next`` or ``window``. fps: rate of its frames. past, length: frames seen, and of a window.
        spread: ``(size,)`` of the training frames.
        starts: ``(m, past, size)`` beginnings that rollouts of next frames start from; ``m`` may be 0.
        about: JSON values: the clips, their licences, settings and scores.
    """

    model: GenerativeModel
    coordinates: PoseCoordinates
    kind: Kind
    fps: float
    past: int
    length: int
    spread: NDArray[np.float64]
    starts: NDArray[np.float32]
    about: dict[str, Any] = field(default_factory=dict)

    # -- fitting ----------------------------------------------------------------------------------------------------------

    @classmethod
    def fit(
        cls,
        name: str,
        data: PriorData,
        *,
        steps: int,
        seed: int = 0,
        patience: int | None = 10,
        learning_rate: float = 1e-3,
        cosine_decay: bool = False,
        batch_size: int = 128,
        blur: float = 0.0,
        device: str = "auto",
        progress: bool | Callable[[int, int, float], None] = False,
        log_dir: str | Path | None = None,
        **hyperparameters: Any,
    ) -> MotionPrior:
        """A model of that name fitted to ``data``, its best weights by the validation part.

        Args:
            blur: errors that the events it is fitted to get, in units of :attr:`PoseCoordinates.tolerances`; see
                :func:`~rlsuite.motion.priors.data.blurred`. Priors that judge what a simulated body does need 1.

        Raises:
            UnknownNameError: there is no such model.
            HyperparameterError: an argument is wrong, or the model does not take such data.
        """
        name = ALIASES.get(name, name)
        if not 0.0 <= blur < np.inf:
            raise HyperparameterError(f"blur is a number, 0 or more, not {blur!r}")
        model = registry.create(name, seed=seed, **shapes(name, data), **hyperparameters)
        train, validation = data.part("train"), data.part("validation")
        rng, blur_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)[2:])
        if blur:
            train, validation = (
                blurred(part, blur * data.coordinates.tolerances, COPIES, blur_rng) for part in (train, validation)
            )
        history = model.fit(
            train.events, train.condition, steps=steps, seed=seed, patience=patience, learning_rate=learning_rate,
            cosine_decay=cosine_decay, batch_size=batch_size, held_out=(validation.events, validation.condition),
            device=device, progress=progress, log_dir=log_dir,
        )  # fmt: skip
        model.cpu().eval()
        beginnings = _beginnings(data)
        chosen = rng.permutation(len(beginnings))[:STARTS]
        prior = cls(
            model, data.coordinates, data.kind, data.fps, data.past, data.length, data.spread, beginnings[chosen],
        )  # fmt: skip
        prior.about = {
            "clips": list(data.clips), "licences": list(data.licences), "seed": seed, "steps": steps, "blur": blur,
            "best_step": history.best_step, "seconds": round(history.seconds, 1),
        }  # fmt: skip
        if isinstance(model, Density | Bound):
            score = prior.score_part(data.part("test"))
            prior.about["test"] = {"nats_per_frame": score.nats, "frames": score.frames, "exact": score.exact}
        return prior

    # -- scores -----------------------------------------------------------------------------------------------------------

    def score_part(self, part: Part) -> Score:
        """Nats per frame of events as :class:`PriorData` makes them.

        Raises:
            CapabilityError: the model has no likelihood, nor a bound of it.
        """
        nats = -self.frame_log_probs(part.events, part.condition)
        raw = float(nats.mean())
        return Score(raw - float(np.log(self.spread).sum()), raw, nats.numel(), isinstance(self.model, Density))

    @torch.no_grad()
    def frame_log_probs(self, events: Tensor, condition: Tensor | None = None) -> Tensor:
        """``(n)``: of every event's last frame given those before it; where a window's model is no chain of frames, an
        even share of the whole window's.
        """
        model = self.model
        if not isinstance(model, Density | Bound):
            have = ", ".join(capabilities(model)) or "none"
            raise CapabilityError(f"{model.name} cannot score motion: it lacks Density and Bound (it has {have})")
        generator = torch.Generator().manual_seed(0)
        particles = 1 if isinstance(model, Diffusion) else PARTICLES  # whose bound is no tighter with more, and long
        found = []
        for first in range(0, len(events), _BATCH):
            x = events[first : first + _BATCH]
            c = None if condition is None else condition[first : first + _BATCH]
            if self.kind == "window" and isinstance(model, SequenceModel):
                found.append(model.frame_log_prob(x)[:, -1])
                continue
            if isinstance(model, Density):
                value = model.log_prob(x, c)
            else:
                value = model.bound(x, c, particles=particles, generator=generator)
            found.append(value / self.length if self.kind == "window" else value)
        return torch.cat(found)

    def score(self, clip: MotionClip) -> Score:
        """Nats per frame of a whole clip, resampled to the prior's rate.

        Raises:
            MotionError: it is of another skeleton, or too short.
            CapabilityError: the model has no likelihood, nor a bound of it.
        """
        from rlsuite.motion import sampling

        clip = clip if clip.fps == self.fps else sampling.resample(clip, self.fps)
        rows = self.coordinates.encode(clip).astype(np.float32)
        data = PriorData(
            self.kind, self.coordinates, self.fps, self.past, self.length, rows, {"test": [(0, len(rows), 0)]},
            (clip.name,), (),
        )  # fmt: skip
        return self.score_part(data.part("test"))

    # -- clips ------------------------------------------------------------------------------------------------------------

    def clip(self, coordinates: NDArray[Any], name: str, fps: float | None = None) -> MotionClip:
        """Coordinates ``(T, size)`` as a clip, angles brought into the ranges of their joints."""
        skeleton = self.coordinates.skeleton
        qpos = self.coordinates.decode(coordinates, fps or self.fps)
        for joint, at in zip(skeleton.joints, skeleton.qpos_address, strict=True):
            if joint.range is not None and joint.kind in ("hinge", "slide"):
                qpos[:, at] = np.clip(qpos[:, at], *joint.range)
        made = MotionClip(
            qpos, fps or self.fps, skeleton, name=name, licence="; ".join(self.about.get("licences", [])),
        )  # fmt: skip
        return made.with_step("sampled", model=self.model.name, clips=self.about.get("clips", []))

    def sample(self, n: int = 1, *, seconds: float = 4.0, seed: int = 0) -> list[MotionClip]:
        """``n`` clips of ``seconds`` each; a prior of poses gives one clip of ``n`` poses, one a second.

        Next frames begin with a past out of the training clips, and the clip begins after it. Chains of frames go on as
        long as wanted; windows of other models are joined where they can be completed, else ``length`` frames long.
        """
        from rlsuite.motion.priors.rollout import frames

        if n < 1 or not 0.0 < seconds <= 600.0:
            raise MotionError(f"a sample is of 1 clip or more and of 0 to 600 seconds, not {n!r} and {seconds!r}")
        generator = torch.Generator().manual_seed(seed)
        if self.kind == "pose":
            poses = self.model.sample(n, generator=generator).double().numpy()
            return [self.clip(_standing(poses, self.coordinates), f"{self.model.name}-poses", 1.0)]
        rows = frames(self, n, max(2, round(seconds * self.fps)), generator).double().numpy()
        return [self.clip(row, f"{self.model.name}-{i}") for i, row in enumerate(rows)]

    # -- files ------------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write model and all to one ``.safetensors`` file."""
        prior = {
            "kind": self.kind, "fps": self.fps, "past": self.past, "length": self.length,
            "root": self.coordinates.root, "skeleton": self.coordinates.skeleton.to_dict(),
            "spread": self.spread.tolist(), "starts": self.starts.tolist(), "about": self.about,
        }  # fmt: skip
        return storage.save(self.model, path, about={"motion_prior": prior})

    @classmethod
    def load(cls, path: str | Path) -> MotionPrior:
        """What :meth:`save` wrote.

        Raises:
            RecordError: there is no such file, or it is damaged, or holds no motion prior.
        """
        model, header = storage.load(path), storage.about(path)
        try:
            prior = header["about"]["motion_prior"]
        except (KeyError, TypeError):
            raise RecordError(
                f"{path}: a generative model, but not of motion; `rlsuite prior fit` makes those"
            ) from None
        try:
            coordinates = PoseCoordinates(Skeleton.from_dict(prior["skeleton"]), root=prior["root"] is True)
            spread = np.array(prior["spread"], np.float64)
            past, length, size = int(prior["past"]), int(prior["length"]), coordinates.size
            starts = np.array(prior["starts"], np.float32).reshape(-1, past, size)
            made = cls(
                model, coordinates, checked_kind(prior["kind"]), float(prior["fps"]), past, length, spread, starts,
                dict(prior["about"]),
            )  # fmt: skip
            if not (spread.shape == (size,) and (spread > 0.0).all() and 0.0 < made.fps < np.inf and 0 < past < length):
                raise ValueError("its numbers make no sense")
        except RlsuiteError as error:
            raise RecordError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RecordError(f"{path}: damaged motion prior ({type(error).__name__}: {error})") from None
        return made


def shapes(name: str, data: PriorData) -> dict[str, Any]:
    """The arguments that a model of that name gets from the data."""
    import inspect

    takes = inspect.signature(registry.model_class(name).__init__).parameters
    size = data.coordinates.size
    event = {"pose": (size,), "next": (1, size), "window": (data.length, size)}[data.kind]
    found: dict[str, Any] = {"event_shape": event}
    if data.kind == "next":
        if "condition_shape" not in takes:
            raise MotionError(f"{name} takes no condition, so it cannot model next frames; try --kind pose")
        found["condition_shape"] = (data.past, size)
    if name == "var":
        found["order"] = data.past
    if "components" in takes and "n_values" in takes:
        found["n_values"] = 0  # real entries
    return found


def _beginnings(data: PriorData) -> NDArray[np.float32]:
    """``(n, past, size)`` from the training part."""
    first = [np.arange(a, b - data.past + 1) for a, b, _ in data.ranges["train"]]
    rows = np.concatenate(first)
    found: NDArray[np.float32] = data.rows[rows[:, None] + np.arange(data.past)]
    return found


def _standing(poses: NDArray[Any], coordinates: PoseCoordinates) -> NDArray[Any]:
    """Poses side by side rather than on their way: the root's velocities are no part of a still."""
    if coordinates.root:
        poses = poses.copy()
        poses[:, 3:6] = 0.0
    return poses


__all__ = ["FPS", "MotionPrior", "Score", "motion_data"]
