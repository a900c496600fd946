"""A motion: poses of a skeleton at a fixed rate, and what is known about them.

The currency of the suite: readers return clips, pose estimators and priors make them, rollouts of policies are recorded
as them, the viewer plays them, the metrics compare two of them, and the imitation environment takes them.

In a ``wrap`` clip the last frame is the first one of the next cycle, shifted by the root's displacement on the ground
(DeepMimic's convention), so its period is ``(n_frames - 1) / fps``; with ``wrap_heading`` the next cycle is also turned
by the change of heading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import kinematics, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton
from rlsuite.motion.tracks import Slopes, Tracks

Array = NDArray[np.float64]
Loop = Literal["once", "wrap"]
_BLOCK = 1 << 9  # frames, which stay in the processor's cache


@dataclass(frozen=True, eq=False)
class MotionClip:
    """Poses over time.

    Attributes:
        qpos: ``(T, nq)`` in the skeleton's layout (metres, radians, unit quaternions ``w, x, y, z``). It is copied, unless
            nobody else can change it: an array that is read-only and not a view of another is kept as it is.
        fps: frames per second.
        skeleton: the tree that the poses are of.
        name: what lists and pictures call it.
        loop: ``once`` or ``wrap``. wrap_heading: whether a wrapped clip also accumulates its change of heading.
        contacts: ``(T, len(contact_names))`` whether these bodies stand on the ground, or ``None`` where unknown.
        confidence: ``(T,)`` from 0 (guessed) to 1 (measured), or ``None`` where unknown.
        startable: ``(T,)`` frames fit for starting a simulation, or ``None`` where not checked.
        provenance: what was done, in order: ``{"step": "read", "file": …}``; plain JSON values.
        licence: terms of the recording, as text.
    """

    qpos: Array
    fps: float
    skeleton: Skeleton
    name: str = ""
    loop: Loop = "once"
    wrap_heading: bool = False
    contacts: NDArray[np.bool_] | None = None
    contact_names: tuple[str, ...] = ()
    confidence: Array | None = None
    startable: NDArray[np.bool_] | None = None
    provenance: tuple[Mapping[str, Any], ...] = field(default=())
    licence: str = ""

    def __post_init__(self) -> None:
        qpos = np.asarray(self.qpos, np.float64)
        if qpos.ndim != 2 or len(qpos) == 0 or qpos.shape[1] != self.skeleton.nq:
            raise MotionError(
                f"clip {self.name!r}: qpos must be (T, {self.skeleton.nq}) for skeleton {self.skeleton.name!r}, "
                f"with T at least 1, not {qpos.shape}"
            )
        if not np.isfinite(qpos).all():
            t, column = np.argwhere(~np.isfinite(qpos))[0]
            raise MotionError(f"clip {self.name!r}: qpos must be finite numbers; frame {t}, column {column} is not")
        if not (np.isfinite(self.fps) and self.fps > 0.0):
            raise MotionError(f"clip {self.name!r}: fps must be a positive number, not {self.fps!r}")
        if self.loop not in ("once", "wrap"):
            raise MotionError(f"clip {self.name!r}: loop must be 'once' or 'wrap', not {self.loop!r}")
        if self.loop == "wrap" and len(qpos) < 2:
            raise MotionError(f"clip {self.name!r}: a cycle needs at least 2 frames")
        addresses = np.array(self.skeleton.quaternions, np.intp)
        unit = _are_unit(qpos, addresses)
        if not unit or qpos.flags.writeable or not qpos.flags.owndata:
            qpos = qpos.copy()
        if not unit:
            quaternions = np.add.outer(addresses, np.arange(4))
            for first in range(0, len(qpos), _BLOCK):  # a million frames at once would be held three times more
                rows = slice(first, first + _BLOCK)
                qpos[rows, quaternions] = rot.normalize(qpos[rows, quaternions])
        sizes = {
            "contacts": (len(qpos), len(self.contact_names)),
            "confidence": (len(qpos),),
            "startable": (len(qpos),),
        }
        for name, size in sizes.items():
            value = getattr(self, name)
            if value is not None:
                value = np.array(value, np.float64 if name == "confidence" else np.bool_)
                if value.shape != size:
                    raise MotionError(f"clip {self.name!r}: {name} must be {size}, not {value.shape}")
                value.setflags(write=False)
                object.__setattr__(self, name, value)
        if self.confidence is not None and not ((self.confidence >= 0.0) & (self.confidence <= 1.0)).all():
            raise MotionError(f"clip {self.name!r}: confidence must be numbers from 0 to 1")
        qpos.setflags(write=False)
        object.__setattr__(self, "qpos", qpos)
        object.__setattr__(self, "fps", float(self.fps))

    def __repr__(self) -> str:
        return (
            f"MotionClip({self.name!r}, {self.n_frames} frames at {self.fps:g} Hz, {self.duration:.2f} s, {self.loop}, "
            f"skeleton {self.skeleton.name!r})"
        )

    @property
    def n_frames(self) -> int:
        return len(self.qpos)

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last: the period of a wrapped clip."""
        return (self.n_frames - 1) / self.fps

    @property
    def times(self) -> Array:
        """``(T,)`` seconds."""
        return np.arange(self.n_frames) / self.fps

    @cached_property
    def tracks(self) -> Tracks:
        """The frames, made ready for poses between them."""
        return Tracks(self.skeleton, self.qpos)

    @cached_property
    def slopes(self) -> Slopes:
        """What a spline through the frames has for velocities there, in a cycle across the seam."""
        return sampling.slopes(self)

    @cached_property
    def qvel(self) -> Array:
        """``(T, nv)`` velocities in MuJoCo's convention, by differences on the manifold."""
        return sampling.velocities(self)

    @cached_property
    def bodies(self) -> tuple[Array, Array]:
        """Positions ``(T, nbody, 3)`` and rotations ``(T, nbody, 4)`` of all bodies in the world."""
        return kinematics.forward(self.skeleton, self.qpos)

    def sample(self, times: ArrayLike) -> Array:
        """``(..., nq)`` poses at any ``times`` ``(...)``; beyond its ends a cycle goes on and other clips hold."""
        return sampling.sample(self, times)

    def sample_velocity(self, times: ArrayLike) -> Array:
        """``(..., nv)`` velocities at any ``times`` ``(...)``."""
        return sampling.sample_velocity(self, times)

    def with_step(self, step: str, **details: Any) -> MotionClip:
        """The clip with one more entry of provenance."""
        return replace(self, provenance=(*self.provenance, {"step": step, **details}))


def _are_unit(qpos: Array, addresses: NDArray[np.intp]) -> bool:
    """Whether all quaternions, from ``addresses`` on, are what :func:`rlsuite.motion.rotations.normalize` leaves alone."""
    for first in range(0, len(qpos) if len(addresses) else 0, _BLOCK):
        rows = qpos[first : first + _BLOCK]
        square = sum(rows[:, addresses + part] ** 2 for part in range(4))
        if not np.abs(square - 1.0).max() < 1e-14:
            return False
    return True
