"""Pinhole cameras: where a point of the world is seen, and along which ray a pixel looks.

Axes as MuJoCo's: the camera looks along its -Z, +X is right, +Y is up. Pixels ``(u, v)`` count from the upper left corner
of the picture, ``v`` downwards; the centre of the first is ``(0.5, 0.5)``. With ``x = R^T (X - t)`` a point's place in the
camera's axes, Hartley & Zisserman, Multiple View Geometry, equation 6.8, reads ``(u, v, 1) ~ K (x, -y, -z)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]

DEFAULT_FOVY = math.radians(35.0)  # of a lens that shows a body without bending it
AZIMUTH, ELEVATION = math.radians(-62.0), math.radians(11.0)  # of a camera beside a body that faces +X


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera in the world.

    Attributes:
        R: ``(3, 3)``, its axes as columns, in the world (camera to world, as MuJoCo's ``cam_xmat``).
        t: ``(3,)``, its place in the world, in metres (``cam_xpos``).
        K: ``(3, 3)``, the calibration matrix in pixels, last row ``(0, 0, 1)``.
        width, height: of the picture, in pixels.

    Raises:
        MotionError: the arrays are of another shape, not finite, or no rotation and no calibration.
    """

    R: Array
    t: Array
    K: Array
    width: int
    height: int

    def __post_init__(self) -> None:
        for name, shape in (("R", (3, 3)), ("t", (3,)), ("K", (3, 3))):
            value = np.array(getattr(self, name), np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise MotionError(f"a camera's {name} is finite, of shape {shape}; this one is {value.tolist()}")
            object.__setattr__(self, name, value)
        if not np.allclose(self.R.T @ self.R, np.eye(3), atol=1e-6) or np.linalg.det(self.R) < 0:
            raise MotionError(f"a camera's R is a rotation; this one is {self.R.tolist()}")
        if self.K[0, 0] <= 0 or self.K[1, 1] <= 0 or not np.array_equal(self.K[2], (0, 0, 1)):
            raise MotionError(f"a camera's K has focal lengths above 0 and last row (0, 0, 1), not {self.K.tolist()}")
        if self.width < 1 or self.height < 1:
            raise MotionError(f"a picture has at least one pixel, not {self.width} x {self.height}")

    @property
    def forward(self) -> Array:
        """``(3,)`` unit vector in the world along which the camera looks."""
        return -self.R[:, 2]

    def depth(self, points: ArrayLike) -> Array:
        """``(...)`` metres of world ``points (..., 3)`` in front of the camera, along its axis."""
        return (np.asarray(points, np.float64) - self.t) @ self.forward

    def project(self, points: ArrayLike) -> Array:
        """``(..., 2)`` pixels where world ``points (..., 3)`` are seen; NaN for those not in front of the camera."""
        x = (np.asarray(points, np.float64) - self.t) @ self.R * (1, -1, -1)  # (..., 3), depth last
        depth = np.where(x[..., 2:] > 0, x[..., 2:], np.nan)
        return (x / depth @ self.K.T)[..., :2]

    def rays(self, pixels: ArrayLike | None = None) -> tuple[Array, Array]:
        """Origin ``(3,)`` and unit directions ``(..., 3)`` of the rays through ``pixels (..., 2)``.

        Without ``pixels`` those through the centres of all, ``(height, width, 3)``.
        """
        if pixels is None:
            u, v = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
            pixels = np.stack([u, v], -1)
        uv = np.asarray(pixels, np.float64)
        x = np.concatenate([uv, np.ones_like(uv[..., :1])], -1) @ np.linalg.inv(self.K).T
        direction = x * (1, -1, -1) @ self.R.T
        return self.t, direction / np.linalg.norm(direction, axis=-1, keepdims=True)

    def resized(self, width: int, height: int) -> Camera:
        """The same camera with another number of pixels; the height of the view is kept, the width cut or grown."""
        scale = height / self.height
        K = np.diag([scale, scale, 1.0]) @ self.K
        K[0, 2] += (width - scale * self.width) / 2
        return Camera(self.R, self.t, K, width, height)

    @classmethod
    def from_mujoco(
        cls, model: mujoco.MjModel, data: mujoco.MjData, name: str, width: int = 640, height: int = 480
    ) -> Camera:
        """The perspective camera ``name`` of a model as ``data`` places it (after ``mj_kinematics`` and ``mj_camlight``).

        A camera with a sensor size keeps its focal lengths and principal point; it fills the height of the picture.

        Raises:
            MotionError: the model has no such camera, or it is orthographic.
        """
        import mujoco

        index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, name)
        if index < 0:
            names = [model.camera(i).name for i in range(model.ncam)]
            raise MotionError(f"the model has no camera {name!r}; its cameras: {', '.join(names) or 'none'}")
        if model.cam_projection[index] == mujoco.mjtProjection.mjPROJ_ORTHOGRAPHIC:
            raise MotionError(f"camera {name!r} is orthographic; a perspective camera is expected")
        if model.cam_sensorsize[index].any():
            fx, fy, px, py = model.cam_intrinsic[index].astype(np.float64)  # metres
            scale = height / float(model.cam_sensorsize[index, 1])  # pixels in a metre of the sensor
            K = calibration(fy * scale, width, height)
            K[0, 0], K[0, 2], K[1, 2] = fx * scale, K[0, 2] + px * scale, K[1, 2] - py * scale
        else:
            K = calibration(focal_length(math.radians(float(model.cam_fovy[index])), height), width, height)
        return cls(data.cam_xmat[index].reshape(3, 3), data.cam_xpos[index], K, width, height)

    @classmethod
    def look_at(
        cls,
        position: ArrayLike,
        target: ArrayLike,
        up: ArrayLike = (0.0, 0.0, 1.0),
        fovy: float = DEFAULT_FOVY,
        width: int = 640,
        height: int = 480,
    ) -> Camera:
        """A camera at ``position`` with ``target`` in the middle of its picture and ``up`` upwards.

        Args:
            fovy: angle between the upper and the lower edge of the picture, in radians.

        Raises:
            MotionError: position and target are one point, or the camera looks along ``up``.
        """
        eye, back = np.asarray(position, np.float64), np.subtract(position, target).astype(np.float64)
        right = np.cross(np.asarray(up, np.float64), back)
        if not np.linalg.norm(right) > 1e-9 * np.linalg.norm(back) * np.linalg.norm(up):
            raise MotionError(f"no picture has {list(np.asarray(up))} upwards and looks along {(-back).tolist()}")
        z, x = back / np.linalg.norm(back), right / np.linalg.norm(right)
        K = calibration(focal_length(fovy, height), width, height)
        return cls(np.stack([x, np.cross(z, x), z], axis=1), eye, K, width, height)


def focal_length(fovy: float, height: int) -> float:
    """Pixels, of a camera whose picture of ``height`` pixels spans the angle ``fovy``."""
    if not 0 < fovy < math.pi:
        raise MotionError(f"a field of view lies between 0 and 180 degrees, not at {math.degrees(fovy):g}")
    return height / 2 / math.tan(fovy / 2)


def calibration(focal: float, width: int, height: int) -> Array:
    """``(3, 3)`` of square pixels, the axis in the middle of the picture."""
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float64)


# -- where to put it ---------------------------------------------------------------------------------------------------


def framing(
    positions: ArrayLike,
    width: int = 640,
    height: int = 480,
    *,
    azimuth: float = AZIMUTH,
    elevation: float = ELEVATION,
    fovy: float = DEFAULT_FOVY,
    pad: float = 0.25,
    margin: float = 0.06,
) -> Camera:
    """The nearest camera of a given direction that has the whole motion in view.

    Args:
        positions: ``(..., 3)`` of bodies, in metres.
        azimuth, elevation: of the camera seen from the motion, in radians; azimuth 0 is +X, elevation 0 level.
        pad: metres around each position that belong to the body. margin: part of the picture left free at each edge.

    Raises:
        MotionError: no position, or one that is not finite.
    """
    points = _points(positions)
    axes = _axes(azimuth, elevation)
    centre = axes @ ((points @ axes).min(axis=0) + (points @ axes).max(axis=0)) / 2
    distance = _distance(points - centre, axes, width, height, fovy, pad, margin)
    return Camera.look_at(centre + distance * axes[:, 2], centre, axes[:, 1], fovy, width, height)


def tracking(
    positions: ArrayLike,
    fps: float,
    width: int = 640,
    height: int = 480,
    *,
    root: int = 0,
    smoothing: float = 0.35,
    azimuth: float = AZIMUTH,
    elevation: float = ELEVATION,
    fovy: float = DEFAULT_FOVY,
    pad: float = 0.25,
    margin: float = 0.06,
) -> list[Camera]:
    """One camera per frame that goes along with the body and always has the whole of it in view.

    Direction and distance stay; the point looked at follows the middle of the body, smoothed by a Gaussian in time, so
    that steps do not shake the picture. The distance is the least at which every body position of every frame is seen.

    Args:
        positions: ``(T, nbody, 3)``. fps: frames a second. root: index of the body that is followed.
        smoothing: standard deviation in seconds; 0 follows at once, infinity stands still.
        Others as :func:`framing`.

    Raises:
        MotionError: no position, or one that is not finite.
    """
    from scipy.ndimage import gaussian_filter1d

    points = np.asarray(positions, np.float64)
    _points(points)
    followed = points[:, root]  # (T, 3)
    if math.isinf(smoothing):
        path = np.broadcast_to((followed.min(axis=0) + followed.max(axis=0)) / 2, followed.shape)
    else:
        path = gaussian_filter1d(followed, smoothing * fps, axis=0, mode="nearest") if smoothing > 0 else followed
    axes = _axes(azimuth, elevation)
    around = (points - path[:, None]).reshape(-1, 3)  # all frames, as seen by the camera that goes along
    middle = axes @ ((around @ axes).min(axis=0) + (around @ axes).max(axis=0)) / 2
    distance = _distance(around - middle, axes, width, height, fovy, pad, margin)
    return [
        Camera.look_at(p + middle + distance * axes[:, 2], p + middle, axes[:, 1], fovy, width, height) for p in path
    ]


def _points(positions: ArrayLike) -> Array:
    points = np.asarray(positions, np.float64)
    if points.size == 0 or points.shape[-1] != 3 or not np.isfinite(points).all():
        raise MotionError(f"a camera needs finite positions (..., 3) to look at, not an array of {points.shape}")
    return points.reshape(-1, 3)


def _axes(azimuth: float, elevation: float) -> Array:
    """``(3, 3)``, right, up and back as columns."""
    ca, sa, ce, se = math.cos(azimuth), math.sin(azimuth), math.cos(elevation), math.sin(elevation)
    return np.array([[-sa, ca, 0], [-ca * se, -sa * se, ce], [ca * ce, sa * ce, se]]).T


def _distance(points: Array, axes: Array, width: int, height: int, fovy: float, pad: float, margin: float) -> float:
    """Least distance from the origin at which spheres of radius ``pad`` about ``points (n, 3)`` are all in view.

    A sphere at ``(x, y, z)`` lies inside the pane of half angle ``a`` where ``x cos a + z sin a + pad <= d sin a``.
    """
    x, y, z = (points @ axes).T
    focal, free = focal_length(fovy, height), 1 - 2 * margin
    half = np.array([math.atan(free * width / 2 / focal), math.atan(free * height / 2 / focal)])
    needed: Sequence[Array] = [
        abs(side) / math.tan(angle) + z + pad / math.sin(angle) for side, angle in zip((x, y), half, strict=True)
    ]
    return max(float(np.max(needed)), float(z.max()) + pad + 0.05)
