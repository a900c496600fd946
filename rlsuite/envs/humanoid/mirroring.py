"""Left and right exchanged in observations and actions, so that one half of a gait teaches the other.

The reflection on the plane y = 0 maps a vector (x, y, z) to (x, -y, z), an axis of rotation, which is a pseudovector, to
(-x, y, -z), and each part to its partner. The two halves of a cycle change places, too. A policy that sees the second half
of every cycle in the mirror, and whose actions are mirrored back, has half as much to learn (Abdolhosseini et al. 2019,
*On Learning Symmetric Locomotion*, their method PHASE). Nothing is lost where the clip is not symmetric, as long as the
policy sees the reference ahead: it is then told which of the two it is to follow.

A jump has no such halves, but is its own mirror image at every moment. There the policy looks into the mirror where the body
leans to its right, so that it learns to keep its balance on one side only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import (
    Rows,
    difference,
    entry_kernel,
    heading,
    inverse,
    quaternion,
    rotate,
    vector,
)
from rlsuite.envs.humanoid.observations import Observation
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.errors import HyperparameterError
from rlsuite.motion import rotations as rot
from rlsuite.motion.body import END_EFFECTORS, FEET
from rlsuite.motion.skeleton import Skeleton

VECTOR, PSEUDOVECTOR = (1.0, -1.0, 1.0), (-1.0, 1.0, -1.0)
COLUMNS = (*VECTOR, -1.0, 1.0, -1.0)  # of a rotation's first two columns: S R S has S r_x and -S r_y

Signs = Sequence[float]
MIRRORS = ("halves", "lean")  # seen in the mirror: the second half of every cycle; a body that leans to its right
FALLING = 0.3  # seconds: sqrt(height of the centre of mass / gravity), the pace at which a standing body topples
ALIKE = 0.1  # metres by which parts of one half are off the other's mirror image, on average, at most


class Reflection:
    """``x -> sign * x[index]`` along the last axis; doing it twice changes nothing."""

    def __init__(self, index: NDArray[np.intp], sign: NDArray[np.float32]) -> None:
        self.index, self.sign = index, sign

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """``(n, m)`` mirrored."""
        return rows[:, self.index] * self.sign

    @classmethod
    def of(cls, *parts: tuple[Sequence[int], Signs]) -> Reflection:
        """From partners and signs of parts that lie side by side, each counted from its own beginning."""
        starts = np.cumsum([0, *(len(partners) for partners, _ in parts)])
        index = [np.asarray(partners, np.intp) + start for (partners, _), start in zip(parts, starts, strict=False)]
        return cls(np.concatenate(index), np.concatenate([np.asarray(sign, np.float32) for _, sign in parts]))


Part = tuple[Sequence[int], Signs]


def hinges(skeleton: Skeleton) -> Part:
    """Partners and signs of the hinges: turns about y stay, those about x and z change their sign."""
    partners: list[int] = []
    signs: list[float] = []
    found = [j for j, joint in enumerate(skeleton.joints) if joint.kind == "hinge"]
    for j in found:
        joint = skeleton.joints[j]
        other = skeleton.joints_of[skeleton.mirrored_bodies[joint.body]]
        partners.append(found.index(other[skeleton.joints_of[joint.body].index(j)]))
        signs.append(1.0 if abs(joint.axis[1]) > 0.5 else -1.0)
    return partners, signs


def plain(signs: Signs) -> Part:
    """Numbers that stay at their places."""
    return range(len(signs)), signs


def triples(partners: Sequence[int], signs: Signs) -> Part:
    """Blocks of ``len(signs)`` numbers that change places as ``partners`` says."""
    width = len(signs)
    return [width * p + k for p in partners for k in range(width)], np.tile(signs, len(partners)).tolist()


def of_actions(skeleton: Skeleton, size: int) -> Reflection:
    """Of actions: one number for each hinge, and with six more a force and a torque."""
    own = hinges(skeleton)
    return Reflection.of(own, plain((*VECTOR, *PSEUDOVECTOR)[: size - len(own[0])]))


def of_observations(
    skeleton: Skeleton, observation: Observation, frames: int, action: int, *, later: bool = True
) -> Reflection:
    """Of the pieces that an observation is made of; ``later``: as seen half a cycle later.

    Raises:
        HyperparameterError: one of them, ``share``, does not know which half of the cycle it is.
    """
    if later and "share" in observation.places:
        raise HyperparameterError("mirror takes the phase instead of the share of the cycle among its observations")
    bodies, own = skeleton.mirrored_bodies, hinges(skeleton)
    ends = [END_EFFECTORS.index(skeleton.body_names[bodies[skeleton.body(name)]]) for name in END_EFFECTORS]
    root = (*VECTOR, *PSEUDOVECTOR)
    acting = of_actions(skeleton, action)
    parts: dict[str, list[Part]] = {
        "height": [plain((1.0,))],
        "bodies": [triples([b - 1 for b in bodies[1:]], VECTOR)],
        "rotations": [triples(bodies, COLUMNS)],
        "velocities": [triples(bodies, root)],
        "joints": [plain((*COLUMNS, *root)), own, own],
        "errors": [plain((*root, *root)), own, own],
        "phase": [plain((-1.0, -1.0) if later else (1.0, 1.0))],
        "share": [plain((1.0,))],
        "reference": [plain((*VECTOR, *COLUMNS)), triples(ends, VECTOR), own] * frames,
        "contacts": [(bodies, [1.0] * len(bodies))],
        "previous_action": [(acting.index.tolist(), acting.sign.tolist())],
    }
    return Reflection.of(*(part for name in observation.places for part in parts[name]))


def asymmetry(reference: Reference, shift: float = 0.5) -> float:
    """Mean distance (m) of the parts from where they are, mirrored, ``shift`` of a cycle later; seen from the root."""
    first = np.linspace(0.0, 0.5 if shift else 1.0, 32, endpoint=False) * reference.duration
    now, later = (reference.states(times) for times in (first, first + shift * reference.duration))
    one, other = (
        rot.rotate(rot.conjugate(rot.heading(s.rotation[:, :1])), s.position - s.position[:, :1]) for s in (now, later)
    )
    mirrored = other[:, list(reference.skeleton.mirrored_bodies)] * VECTOR
    return float(np.linalg.norm(one - mirrored, axis=-1).mean())


def chosen(mirror: bool | str, reference: Reference, observation: Observation, others: int = 0) -> str | None:
    """What is seen in the mirror: one of ``MIRRORS``, or nothing.

    Args:
        mirror: which, true for ``"halves"``, or ``"auto"``: where it can be, ``"halves"`` that are alike, or ``"lean"`` of a
            clip that is its own mirror image.
        others: how many numbers are seen besides the observation, which nothing is known of.

    Raises:
        HyperparameterError: ``mirror`` is none of these, or cannot be.
    """
    if mirror == "auto":
        if others:
            return None
        if reference.wraps and "share" not in observation.places and asymmetry(reference) < ALIKE:
            return "halves"
        return "lean" if asymmetry(reference, 0.0) < ALIKE else None
    if isinstance(mirror, bool | np.bool_):
        mirror = "halves" if mirror else ""
    elif mirror not in MIRRORS:
        raise HyperparameterError(f'mirror must be true, false, "halves", "lean" or "auto", not {mirror!r}')
    if mirror == "halves" and not reference.wraps:
        raise HyperparameterError(f"mirrored halves are for cycles, and clip {reference.clip.name!r} is played once")
    if mirror and others:
        raise HyperparameterError("a goal that the policy sees is not mirrored: choose mirror=False")
    return mirror or None


class Lean:
    """Whether a body leans to its right: its extrapolated centre of mass (Hof et al. 2005), where a step would have to go
    for the body to come to rest, lies to the right of the middle of the feet.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._feet = np.array([skeleton.body(foot) for foot in FEET], np.intp)

    def __call__(self, rows: Rows, state: BodyState, out: NDArray[np.bool_]) -> None:
        """Write into ``out`` ``(n,)`` at ``rows``."""
        _leans(rows, state, self._feet, FALLING, out)


@entry_kernel
def _leans(rows: Rows, state: BodyState, feet: Rows, seconds: float, out: NDArray[np.bool_]) -> None:
    for i in rows:
        left, right = vector(state.position, i, feet[0]), vector(state.position, i, feet[1])
        middle = 0.5 * (left[0] + right[0]), 0.5 * (left[1] + right[1]), 0.0
        point = (
            state.com[i, 0] + seconds * state.com_velocity[i, 0],
            state.com[i, 1] + seconds * state.com_velocity[i, 1],
            0.0,
        )
        back = inverse(heading(quaternion(state.rotation, i, 0)))
        out[i] = rotate(back, difference(point, middle))[1] < 0.0
