"""The square around a body: crops of pictures, with the camera and the key points that belong to them.

A crop is a picture of the same camera with another calibration, ``K' = diag(s, s, 1) (K - corner)``: exact, so nothing
that is learned or fitted on crops needs another camera model.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera

Array = NDArray[np.float64]
PAD = 0.12  # of the key points' greater extent, on every side: hands, feet and hair reach beyond them


class Square(NamedTuple):
    """A square of a picture: the pixel ``(u, v)`` in its middle, and its side in pixels."""

    u: float
    v: float
    side: float

    @classmethod
    def around(cls, points: ArrayLike, pad: float = PAD) -> Square:
        """The square about key points ``(K, 2)``, those that are NaN left out.

        Raises:
            MotionError: there is no point.
        """
        xy = np.asarray(points, np.float64)
        xy = xy[np.isfinite(xy).all(-1)]
        if len(xy) == 0:
            raise MotionError("no key point was found to put a square around")
        low, high = xy.min(axis=0), xy.max(axis=0)
        u, v = (low + high) / 2
        return cls(float(u), float(v), max(1.0, (1 + 2 * pad) * float((high - low).max())))

    def to_crop(self, points: ArrayLike, size: int) -> Array:
        """Pixels ``(..., 2)`` of the picture in a crop of ``size`` by ``size``."""
        return (np.asarray(points, np.float64) - (self.u, self.v)) * (size / self.side) + size / 2

    def from_crop(self, points: ArrayLike, size: int) -> Array:
        """Inverse of :meth:`to_crop`."""
        return (np.asarray(points, np.float64) - size / 2) * (self.side / size) + (self.u, self.v)

    def camera(self, camera: Camera, size: int) -> Camera:
        """The camera whose picture is the crop."""
        scale = size / self.side
        K = camera.K.copy()
        K[:2] *= scale
        K[0, 2] += size / 2 - scale * self.u
        K[1, 2] += size / 2 - scale * self.v
        return Camera(camera.R, camera.t, K, size, size)

    def cut(self, picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """``(size, size, 3)`` of a picture ``(H, W, 3)``, averaged where it grows smaller; beyond the edge, the edge."""
        import cv2

        finer = max(1, math.ceil(self.side / size))  # samples along a pixel of the crop
        step = self.side / (finer * size)
        corner = np.array([self.u, self.v]) - self.side / 2 + 0.5 * step - 0.5  # index of the first sample
        matrix = np.array([[step, 0.0, corner[0]], [0.0, step, corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        fine = cv2.warpAffine(picture, matrix, (finer * size,) * 2, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        cut = fine if finer == 1 else cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
        return np.asarray(cut, np.uint8)
