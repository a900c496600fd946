"""Synthetic video: a motion before one or several cameras that stand still, with everything known about it.

Frames are drawn as they are asked for and never held. The body's colours and the light are the same for all cameras of
a video; what is behind it, what hides it, lens and noise are each camera's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.films import Frame, Mp4
from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.cameras import Camera, framing
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose.crops import Square
from rlsuite.motion.pose.estimator import PoseSequence
from rlsuite.motion.pose.synthetic import Studio, uncovered
from rlsuite.motion.pose.synthetic_appearance import Lens, Light, Mask, Variation, occluders, paint, random_look
from rlsuite.motion.pose.synthetic_backgrounds import background
from rlsuite.motion.pose.synthetic_splits import HELD_OUT, Split

Array = NDArray[np.float64]
FOVY = np.radians((25.0, 50.0))  # of the cameras


@dataclass(frozen=True, eq=False)
class View:
    """One camera of a synthetic video.

    Attributes:
        keypoints: ``(T, K, 2)`` pixels. seen: ``(T, K)``. background: its name.
        behind: light of the background, ``None`` for the floor. covered, front: where and what stands before the body.
    """

    camera: Camera
    keypoints: Array
    seen: NDArray[np.bool_]
    background: str
    behind: Light | None
    covered: Mask | None
    front: Light | None
    lens: Lens
    noise: np.random.SeedSequence


class SyntheticVideo:
    """A video of ``clip``, the same for the same seed.

    Args:
        seed: of everything that is random. split: whose directions and backgrounds are used; that the clip is of the same
            split is the caller's to see to. cameras: how many.
        variation: of its settings ``elevation`` (from level up), ``occluded``, ``blur`` and ``noise`` count.

    Attributes:
        views: one for each camera. positions: ``(T, K, 3)`` key points in the world. names: of the key points.

    Raises:
        MotionError: no camera, or a skeleton without key points.
    """

    def __init__(
        self,
        clip: MotionClip,
        seed: int | np.random.SeedSequence,
        *,
        split: Split = HELD_OUT,
        cameras: int = 1,
        width: int = 320,
        height: int = 240,
        variation: Variation | None = None,
    ) -> None:
        if cameras < 1:
            raise MotionError(f"a video has at least one camera, not {cameras}")
        self.clip, self.split, self.variation = clip, split, variation or Variation()
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        common, *own = root.spawn(1 + cameras)
        rng = np.random.Generator(np.random.PCG64(common))
        self._studio = Studio(clip.skeleton)
        paint(self._studio.model, rng)
        self._look = random_look(rng)
        self.names, self.fps = self._studio.names, clip.fps
        self.positions = kinematics.keypoints(clip.skeleton, clip.qpos)
        heading = float(rot.heading_angle(clip.qpos[0, 3:7])) if clip.skeleton.has_free_root else 0.0
        azimuths = split.azimuths(cameras, rng)
        self.views = tuple(
            self._view(heading + azimuth, child, width, height) for azimuth, child in zip(azimuths, own, strict=True)
        )

    @property
    def cameras(self) -> tuple[Camera, ...]:
        return tuple(view.camera for view in self.views)

    def _view(self, azimuth: float, seed: np.random.SeedSequence, width: int, height: int) -> View:
        place, noise = seed.spawn(2)
        rng = np.random.Generator(np.random.PCG64(place))
        low, high = self.variation.elevation
        camera = framing(
            self.positions, width, height, azimuth=azimuth, elevation=rng.uniform(max(0.0, low), max(0.0, high)),
            fovy=rng.uniform(*FOVY), pad=0.12,
        )  # fmt: skip
        pixels = camera.project(self.positions)
        seen = np.stack([self._studio.seen(qpos, camera) for qpos in self.clip.qpos])
        name = self.split.backgrounds[rng.integers(len(self.split.backgrounds))]
        behind = None if name == "floor" else background(name, rng, height, width)
        covered = front = None
        if rng.random() < self.variation.occluded:
            some = pixels[rng.integers(len(pixels))]  # the body in one frame
            covered, front = occluders(rng, height, width, (*some.min(axis=0), *some.max(axis=0)))
            seen &= np.stack([uncovered(frame, covered) for frame in pixels])
        side = float(np.median([Square.around(frame).side for frame in pixels]))
        lens = Lens.random(rng, self.variation, side / 64)
        return View(camera, pixels, seen, name, behind, covered, front, lens, noise)

    def frames(self, camera: int = 0) -> Iterator[Frame]:
        """Pictures ``(height, width, 3)`` of one camera in order, drawn one by one."""
        view = self.views[camera]
        # a copy: spawning counts in the sequence that it is asked of
        noise = np.random.SeedSequence(view.noise.entropy, spawn_key=view.noise.spawn_key)
        for qpos in self.clip.qpos:
            light, _ = self._studio.draw(qpos, view.camera, self._look, view.behind)
            if view.covered is not None and view.front is not None:
                light[view.covered] = view.front[view.covered]
            yield view.lens.develop(light, np.random.Generator(np.random.PCG64(noise.spawn(1)[0])))

    def truth(self, camera: int | None = 0) -> PoseSequence:
        """What a perfect estimator returns: key points of one camera, or those in the world (``None``), and the clip.

        The confidence is 1 for points that are seen (by any camera) and 0 for others, whose places are given all the same.
        """
        if camera is None:
            seen = np.any([view.seen for view in self.views], axis=0)
            return PoseSequence(self.positions, seen.astype(np.float64), self.names, self.fps, self.clip)
        view = self.views[camera]
        return PoseSequence(view.keypoints, view.seen.astype(np.float64), self.names, self.fps, self.clip)

    def write(self, path: str | Path, camera: int = 0, *, progress: Callable[[int, int], None] | None = None) -> Path:
        """Film one camera's pictures to an MP4, put in place when it is complete.

        Args:
            progress: called with the number of frames done and of all.
        """
        with Mp4(path, self.fps) as film:
            for done, frame in enumerate(self.frames(camera), start=1):
                film.add(frame)
                if progress is not None:
                    progress(done, self.clip.n_frames)
        return Path(path)
