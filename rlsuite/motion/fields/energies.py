"""Energies of poses that no body can take: limbs inside one another, and parts below the ground.

Both are sums of squared depths in square metres, differentiable in ``qpos``, and nought exactly where nothing penetrates.
They are terms for fitting and retargeting; the depths themselves label contacts and reject starts of simulations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import mujoco
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from rlsuite.errors import CapabilityError
from rlsuite.motion.body import BodyShape
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.fields.gaps import Geom, box_box, capsule_box, capsule_capsule, lowest
from rlsuite.motion.fields.geoms import BodyGeoms, Placed
from rlsuite.motion.skeleton import Skeleton

TOUCH = 0.01  # metres above the ground at which a body counts as touching it
ALLOWED = 0.02  # metres of depth with which a simulation may start: contacts push it out without a leap
Gap = Callable[[Geom, Geom], Tensor]
Rows = NDArray[np.intp]
_GAPS: dict[tuple[str, str], Gap] = {
    ("capsule", "capsule"): capsule_capsule,
    ("capsule", "box"): capsule_box,
    ("box", "box"): box_box,
}


class BodyEnergies(nn.Module):
    """Penetration of the solid parts of a body in poses ``qpos (..., nq)``; the ground is the plane z = ``ground``.

    Pairs of geoms are those of bodies that are not the same, nor parent and child, and that do not overlap in the rest
    pose.

    Args: as of :class:`.geoms.BodyGeoms`, whose errors are raised.

    Attributes:
        pairs: ``(P, 2)`` rows of :attr:`geoms` that may collide.

    Raises:
        CapabilityError: solid geoms that may collide are no spheres, capsules or boxes.
    """

    def __init__(
        self,
        shape: BodyShape | None = None,
        *,
        model: mujoco.MjModel | None = None,
        skeleton: Skeleton | None = None,
        ground: float = 0.0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.geoms = BodyGeoms(shape, solid=True, model=model, skeleton=skeleton, dtype=dtype)
        self.ground = ground
        self.skeleton = self.geoms.skeleton
        kind_of = [kind for kind, rows in self.geoms.kinds.items() for _ in range(rows.start, rows.stop)]
        parents, owner = self.skeleton.parents, self.geoms.bodies.tolist()
        candidates: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for i, j in combinations(range(len(owner)), 2):
            a, b = owner[i], owner[j]
            if a != b and parents[a] != b and parents[b] != a:
                candidates.setdefault((kind_of[i], kind_of[j]), []).append((i, j))
        resting = self.geoms.place()
        self._groups: list[tuple[Gap, Rows, Rows]] = []
        for kinds, pairs in candidates.items():
            if kinds not in _GAPS:
                raise CapabilityError(f"gaps are known of spheres, capsules and boxes, not of {' and '.join(kinds)}")
            i, j = np.array(pairs, np.intp).T
            apart = _GAPS[kinds](self._rows(resting, i), self._rows(resting, j)).numpy() >= 0
            self._groups.append((_GAPS[kinds], i[apart], j[apart]))

    @property
    def pairs(self) -> NDArray[np.intp]:
        return np.concatenate([np.empty((0, 2), np.intp), *(np.stack((i, j), -1) for _, i, j in self._groups)])

    @property
    def pair_names(self) -> tuple[tuple[str, str], ...]:
        names = self.geoms.names
        return tuple((names[i], names[j]) for i, j in self.pairs)

    def gaps(self, qpos: Tensor | None) -> Tensor:
        """``(..., P)`` metres between the geoms of each pair, below 0 by how deep one is in the other."""
        return self._gaps(self.geoms.place(qpos))

    def heights(self, qpos: Tensor | None) -> Tensor:
        """``(..., G)`` metres of the lowest point of each solid geom above the ground."""
        return self._heights(self.geoms.place(qpos))

    def self_collision(self, qpos: Tensor | None) -> Tensor:
        """``(...)`` sum of the squared depths of all pairs, in square metres."""
        return _squares(self.gaps(qpos))

    def ground_penetration(self, qpos: Tensor | None) -> Tensor:
        """``(...)`` sum of the squared depths of all solid geoms below the ground, in square metres."""
        return _squares(self.heights(qpos))

    def forward(self, qpos: Tensor | None) -> Tensor:
        """``(...)`` both together; the body is placed once."""
        placed = self.geoms.place(qpos)
        return _squares(self._gaps(placed)) + _squares(self._heights(placed))

    def touching(
        self, qpos: ArrayLike, bodies: Sequence[str] | None = None, *, tolerance: float = TOUCH
    ) -> NDArray[np.bool_]:
        """``(..., n)`` which ``bodies`` (default: the feet) have a solid part nearer to the ground than ``tolerance``."""
        names = self.skeleton.feet if bodies is None else bodies
        owner = self.geoms.bodies
        with torch.no_grad():
            heights = self.heights(_poses(qpos))
            low = [heights[..., owner == self.skeleton.body(name)].amin(-1) <= tolerance for name in names]
        return torch.stack(low, -1).numpy()

    def may_start(self, qpos: ArrayLike, *, depth: float = ALLOWED) -> NDArray[np.bool_]:
        """``(...)`` from which poses a simulation may start: no part is deeper than ``depth`` in another or the ground."""
        with torch.no_grad():
            placed = self.geoms.place(_poses(qpos))
            worst = torch.minimum(self._gaps(placed).amin(-1), self._heights(placed).amin(-1))
        return (worst >= -depth).numpy()

    def with_contacts(self, clip: MotionClip, bodies: Sequence[str] | None = None) -> MotionClip:
        """The clip with contact labels of ``bodies`` (default: the feet) by :meth:`touching`.

        They know no speed, unlike those of :func:`rlsuite.motion.contacts.detect`, and need no points named as soles.
        """
        names = tuple(self.skeleton.feet if bodies is None else bodies)
        labelled = replace(clip, contacts=self.touching(clip.qpos, names), contact_names=names)
        return labelled.with_step("contacts", by="distance of the body's geoms", tolerance=TOUCH)

    def with_starts(self, clip: MotionClip, *, depth: float = ALLOWED) -> MotionClip:
        """The clip, ``startable`` only in frames of :meth:`may_start` too; environments heed it."""
        fit = self.may_start(clip.qpos, depth=depth)
        marked = replace(clip, startable=fit if clip.startable is None else fit & clip.startable)
        return marked.with_step("starts", rejected=int((~fit).sum()), depth=depth)

    def _gaps(self, placed: Placed) -> Tensor:
        none = placed.position.new_zeros((*placed.position.shape[:-2], 0))
        found = [gap(self._rows(placed, i), self._rows(placed, j)) for gap, i, j in self._groups]
        return torch.cat([none, *found], -1)

    def _rows(self, placed: Placed, rows: Rows) -> Geom:
        return placed.position[..., rows, :], placed.quat[..., rows, :], self.geoms.size[rows]

    def _heights(self, placed: Placed) -> Tensor:
        found = [lowest(kind, self.geoms.of_kind(placed, kind)) for kind in self.geoms.kinds]
        return torch.cat(found, -1) - self.ground


def _squares(gap: Tensor) -> Tensor:
    return gap.clamp(max=0.0).square().sum(-1)


def _poses(qpos: ArrayLike) -> Tensor:
    return torch.tensor(np.array(qpos, np.float64))
