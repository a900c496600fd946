"""Left and right exchanged in observations and actions, so that one half of a gait teaches the other.

The reflection on the plane y = 0 maps a vector (x, y, z) to (x, -y, z), an axis of rotation, which is a pseudovector, to
(-x, y, -z), and each part to its partner. The two halves of a cycle change places, too. A policy that sees the second half
of every cycle in the mirror, and whose actions are mirrored back, has half as much to learn (Abdolhosseini et al. 2019,
*On Learning Symmetric Locomotion*, their method PHASE). Nothing is lost where the clip is not symmetric, as long as the
policy sees the reference ahead: it is then told which of the two it is to follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.observations import Observation
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.errors import HyperparameterError
from rlsuite.motion import rotations as rot
from rlsuite.motion.body import END_EFFECTORS
from rlsuite.motion.skeleton import Skeleton

VECTOR, PSEUDOVECTOR = (1.0, -1.0, 1.0), (-1.0, 1.0, -1.0)
COLUMNS = (*VECTOR, -1.0, 1.0, -1.0)  # of a rotation's first two columns: S R S has S r_x and -S r_y

Signs = Sequence[float]
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


def of_observations(skeleton: Skeleton, observation: Observation, frames: int, action: int) -> Reflection:
    """Of the pieces that an observation is made of.

    Raises:
        HyperparameterError: one of them, ``share``, does not know which half of the cycle it is.
    """
    if "share" in observation.places:
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
        "phase": [plain((-1.0, -1.0))],
        "reference": [plain((*VECTOR, *COLUMNS)), triples(ends, VECTOR), own] * frames,
        "contacts": [(bodies, [1.0] * len(bodies))],
        "previous_action": [(acting.index.tolist(), acting.sign.tolist())],
    }
    return Reflection.of(*(part for name in observation.places for part in parts[name]))


def asymmetry(reference: Reference) -> float:
    """Mean distance (m) of the parts from where they are, mirrored, half a cycle later; seen from the root."""
    half = np.linspace(0.0, 0.5, 32, endpoint=False) * reference.duration
    now, later = (reference.states(times) for times in (half, half + 0.5 * reference.duration))
    one, other = (
        rot.rotate(rot.conjugate(rot.heading(s.rotation[:, :1])), s.position - s.position[:, :1]) for s in (now, later)
    )
    mirrored = other[:, list(reference.skeleton.mirrored_bodies)] * VECTOR
    return float(np.linalg.norm(one - mirrored, axis=-1).mean())


def is_mirrored(mirror: bool | str, reference: Reference, observation: Observation, others: int = 0) -> bool:
    """Whether the second half of the cycle is seen in the mirror.

    Args:
        mirror: whether, or ``"auto"``: where it can be, and the halves of the cycle are alike.
        others: how many numbers are seen besides the observation, which nothing is known of.

    Raises:
        HyperparameterError: ``mirror`` is neither.
    """
    if mirror == "auto":
        possible = reference.wraps and "share" not in observation.places and not others
        return possible and asymmetry(reference) < ALIKE
    if not isinstance(mirror, bool | np.bool_):
        raise HyperparameterError(f'mirror must be true, false or "auto", not {mirror!r}')
    return bool(mirror)
