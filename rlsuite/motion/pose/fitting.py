"""From key points in pictures to a motion: per-video fitting of all poses at once.

The objective is that of SMPLify-X (Pavlakos et al. 2019) and SFV (Peng et al. 2018) over the humanoid's ``qpos``: robust,
confidence-weighted reprojection, a pose prior, accelerations on the manifold, feet that stand do not slip and nothing sinks
into the ground, joint limits as bounds. It is lowered by damped Gauss-Newton steps over the whole motion
(:mod:`~rlsuite.motion.pose.fitting_descent`), in stages: first the pictures with a wide notion of an outlier, then a narrow
one, then with the ground, whose contacts are judged from the motion found so far.

A camera that is not known is taken to stand still and level, ``height`` metres above the ground, with a lens of ``fovy``;
where it really is follows from the feet. Scale follows from the body, whose size is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import body, contacts
from rlsuite.motion import rotations as rot
from rlsuite.motion.cameras import Camera
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose import fitting_start
from rlsuite.motion.pose.estimator import PoseSequence
from rlsuite.motion.pose.fitting_descent import descend
from rlsuite.motion.pose.fitting_prior import PriorTerm, default_prior
from rlsuite.motion.pose.fitting_system import Iterate, Points, Term
from rlsuite.motion.pose.fitting_terms import CameraPlace, Ground, Reprojection, Smoothness
from rlsuite.motion.pose.triangulation import triangulate
from rlsuite.motion.priors.prior import MotionPrior
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
MOST_FRAMES = 20_000  # whose normal equations stay below a few gigabytes
USUAL_ACCELERATION = {"shift": 4.0, "turn": 15.0, "hinge": 40.0}  # m/s^2, rad/s^2
# Soles that stand: by their speed alone, nearly, as long as their depth, and so their height, is uncertain; then by both.
FEET = tuple(
    contacts.Thresholds(height=h, leave_height=h + 0.03, speed=v, leave_speed=1.5 * v, shortest=0.1, gap=0.07)
    for h, v in ((0.15, 0.35), (0.05, 0.35))
)
LOW_CONFIDENCE = 0.3  # mean over the frames; below it the pictures do not say what the body does


@dataclass(frozen=True)
class FitSettings:
    """How a motion is fitted.

    Attributes:
        sigma: least usual error of a key point as a share of the body's size in the picture, and half a pixel; greater
            where the first stage of the fit leaves more.
        outlier: in units of that, the error whose pull has fallen to a quarter. prior: weight of the pose prior.
        smoothness: factor on usual accelerations: more is livelier. ground: whether there is one at z = 0.
        fovy: radians, height: metres, of a camera that is not known.
    """

    sigma: float = 0.004
    outlier: float = 6.0
    prior: float = 0.5
    smoothness: float = 0.7
    ground: bool = True
    fovy: float = 0.8727  # 50 degrees
    height: float = 1.2

    def __post_init__(self) -> None:
        for name in ("sigma", "outlier", "smoothness", "fovy", "height"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise MotionError(f"fitting: {name} must be a positive number, not {getattr(self, name)!r}")
        if not 0.0 <= self.prior < np.inf:
            raise MotionError(f"fitting: the weight of the prior is 0 or more, not {self.prior!r}")


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted motion.

    Attributes:
        clip: poses, with contacts and confidence. cameras: given or found.
        error: ``(C, T, K)`` pixels between the key points and where the fitted body has them; NaN where none was found.
        agreement: ``(C, T, K)`` robust weight of each key point, 0 where none was found.
    """

    clip: MotionClip
    cameras: tuple[Camera, ...]
    error: Array
    agreement: Array

    @property
    def confidence(self) -> float:
        """Mean over the frames."""
        return 0.0 if self.clip.confidence is None else float(self.clip.confidence.mean())

    @property
    def low(self) -> bool:
        """Whether the pictures do not say what the body does: nobody in them, or nothing like it."""
        return self.confidence < LOW_CONFIDENCE


def fit(
    views: PoseSequence | Sequence[PoseSequence],
    cameras: Camera | Sequence[Camera] | None = None,
    *,
    skeleton: Skeleton | None = None,
    prior: MotionPrior | None = None,
    settings: FitSettings | None = None,
    size: tuple[int, int] | None = None,
    name: str = "",
) -> Fit:
    """The motion that explains the key points of one video, or of several taken at the same instants.

    Args:
        views: key points in pixels, ``(T, K, 2)`` each. cameras: of each view; ``None`` for one view of a camera that is not
            known: then ``size``, its width and height in pixels, is needed.
        prior: of poses (:class:`~rlsuite.motion.pose.fitting_prior.PriorTerm`); default: a Gaussian of the shipped clips.

    Raises:
        MotionError: the numbers of views and cameras, or their sizes, do not fit; there are too many frames.
        CapabilityError: the prior cannot be used.
    """
    seen = [views] if isinstance(views, PoseSequence) else list(views)
    settings, skeleton = settings or FitSettings(), skeleton or body.skeleton()
    places = () if cameras is None else (cameras,) if isinstance(cameras, Camera) else tuple(cameras)
    _require(seen, places, size)
    finding = not places
    if finding:
        assert size is not None
        places = (assumed_camera(*size, settings),)
    judged = PriorTerm.of(prior or default_prior(), settings.prior)
    watched, names = _watched(skeleton, seen[0].names)
    pictures = [_pictures(view, k, names, settings) for k, view in enumerate(seen)]
    fps = seen[0].fps
    now = Iterate(skeleton, _start(skeleton, watched, pictures, judged, places, fps), fps, watched, places)
    smooth = Smoothness(settings.smoothness * _usual_accelerations(skeleton))
    shared: list[Term] = [judged, smooth]
    now = descend([*(replace(p, outlier=fitting_start.WIDE) for p in pictures), *shared], now, iterations=15, gain=1e-3)
    pictures = [p.rescaled(now) for p in pictures]
    now = descend([*pictures, *shared], now, iterations=25, gain=1e-3)
    standing = np.zeros((len(now.qpos), 0), np.bool_)
    if settings.ground and skeleton.feet:
        if finding:
            now = levelled(now)
        for thresholds in FEET:
            ground = _ground(now, thresholds)
            standing = ground.standing
            more: list[Term] = [ground]
            if finding:
                more.append(CameraPlace(now.cameras[0], np.array([0.2, 0.01, 0.05, 0.01, 0.01, 0.5])))
            looks = [replace(p, finding=finding) for p in pictures]
            now = descend([*looks, *shared, *more], now, iterations=25, gain=3e-4, find_camera=finding)
    return _result(now, pictures, seen, standing, name)


def assumed_camera(width: int, height: int, settings: FitSettings | None = None) -> Camera:
    """A level camera that looks along +X, for pictures of which nothing is known."""
    settings = settings or FitSettings()
    eye = np.array([0.0, 0.0, settings.height])
    return Camera.look_at(eye, eye + np.array([1.0, 0.0, 0.0]), fovy=settings.fovy, width=width, height=height)


def levelled(now: Iterate) -> Iterate:
    """Poses and the camera turned and shifted together, so that the soles' lowest places lie in z = 0.

    The plane is fitted to soles that move little, and held level where they say little: each of its slopes has a usual
    value of 0.15 before anything is seen.
    """
    feet = len(contacts.sole_points(now.skeleton))
    soles = now.points[:, -feet:]
    speed = contacts.speeds(soles, now.fps)
    slow = speed <= np.maximum(np.quantile(speed, 0.4), 0.2)
    lowest = soles[..., 2] <= np.quantile(soles[..., 2], 0.7)
    chosen = soles[slow & lowest] if (slow & lowest).any() else soles.reshape(-1, 3)
    middle = np.median(chosen, axis=0)
    slopes = np.zeros(2)
    for _ in range(10):  # Geman and McClure's weights: a foot in the air is none of the ground
        rest = (chosen - middle)[:, 2] - (chosen - middle)[:, :2] @ slopes
        weight = (1.0 + (rest / 0.05) ** 2) ** -2.0
        middle = (weight[:, None] * chosen).sum(axis=0) / weight.sum()
        flat, up = (chosen - middle)[:, :2], (chosen - middle)[:, 2]
        normal = (flat * weight[:, None]).T @ flat / 0.03**2 + np.eye(2) / 0.15**2
        slopes = np.linalg.solve(normal, (flat * weight[:, None]).T @ up / 0.03**2)
    z = np.array([-slopes[0], -slopes[1], 1.0]) / np.sqrt(1.0 + slopes @ slopes)
    across = np.cross(z, (0.0, 0.0, 1.0))
    sine = float(np.linalg.norm(across))
    turn = rot.exp(across * (np.arcsin(min(sine, 1.0)) / max(sine, 1e-12)))
    shift = np.array([0.0, 0.0, -rot.rotate(turn, middle)[2]])
    qpos = now.qpos.copy()
    qpos[:, :3] = rot.rotate(turn, qpos[:, :3]) + shift
    qpos[:, 3:7] = rot.multiply(turn, qpos[:, 3:7])
    camera = now.cameras[0]
    moved = replace(camera, R=rot.to_matrix(turn) @ camera.R, t=rot.rotate(turn, camera.t) + shift)
    return replace(now, qpos=qpos, cameras=(moved,))


# -- what the stages are made of ---------------------------------------------------------------------------------------


def _require(seen: Sequence[PoseSequence], places: Sequence[Camera], size: tuple[int, int] | None) -> None:
    if not seen or any(view.keypoints.shape[2] != 2 for view in seen):
        raise MotionError("fitting takes key points in pictures, (T, K, 2), of one camera or more")
    if places and len(places) != len(seen):
        raise MotionError(f"{len(seen)} views need as many cameras, not {len(places)}")
    if not places and (len(seen) > 1 or size is None):
        raise MotionError("cameras that are not known are found for one view alone, whose picture's size is given")
    first = seen[0]
    if any(
        (view.names, len(view.keypoints), view.fps) != (first.names, len(first.keypoints), first.fps) for view in seen
    ):
        raise MotionError("several views must have the same key points at the same instants")
    if not 1 <= len(first.keypoints) <= MOST_FRAMES:
        raise MotionError(f"fitting takes 1 to {MOST_FRAMES} frames, not {len(first.keypoints)}; cut the video")


def _watched(skeleton: Skeleton, names: Sequence[str]) -> tuple[Points, list[int]]:
    """Key points of the skeleton that the views have, then its soles; and which of the views' points they are."""
    chosen = [k for k, point in enumerate(names) if point in skeleton.keypoints]
    if len(chosen) < 6:
        raise MotionError(
            f"fitting needs six key points or more of skeleton {skeleton.name!r}; these are {', '.join(names) or 'none'}"
        )
    places = [skeleton.keypoints[names[k]] for k in chosen]
    soles = contacts.sole_points(skeleton) if skeleton.feet else ()
    bodies = (*(at for at, _ in places), *(point.body for point in soles))
    offsets = np.array([*(offset for _, offset in places), *(point.offset for point in soles)])
    return Points(bodies, offsets), chosen


def _pictures(view: PoseSequence, number: int, names: list[int], settings: FitSettings) -> Reprojection:
    pixels, confidence = view.keypoints[:, names], view.confidence[:, names]
    found = np.isfinite(pixels).all(-1) & (confidence > 0)
    sizes = [np.ptp(points[sure], axis=0).max() for points, sure in zip(pixels, found, strict=True) if sure.sum() > 3]
    sigma = max(0.5, settings.sigma * float(np.median(sizes))) if sizes else 0.5
    pixels = np.where(found[..., None], pixels, 0.0)
    return Reprojection(pixels, np.where(found, confidence, 0.0), number, sigma, settings.outlier)


def _start(
    skeleton: Skeleton,
    watched: Points,
    pictures: Sequence[Reprojection],
    prior: PriorTerm,
    cameras: tuple[Camera, ...],
    fps: float,
) -> Array:
    if len(cameras) > 1:
        points, confidence = triangulate(
            np.stack([p.pixels for p in pictures]), np.stack([p.confidence for p in pictures]), cameras,
            sigma=max(p.sigma for p in pictures),
        )  # fmt: skip
        if ((confidence > 0.05).sum(axis=1) >= 6).any():
            return fitting_start.from_points(skeleton, watched, points, confidence, prior.mean_pose)
    return fitting_start.from_pictures(skeleton, watched, pictures, prior, cameras, fps)


def _usual_accelerations(skeleton: Skeleton) -> Array:
    out = np.full(skeleton.nv, USUAL_ACCELERATION["hinge"])
    for joint, at in zip(skeleton.joints, skeleton.dof_address, strict=True):
        if joint.kind == "free":
            out[at : at + 3], out[at + 3 : at + 6] = USUAL_ACCELERATION["shift"], USUAL_ACCELERATION["turn"]
    return out


def _ground(now: Iterate, thresholds: contacts.Thresholds) -> Ground:
    """Contacts of the soles as the motion is now."""
    points = contacts.sole_points(now.skeleton)
    clearance = np.array([point.clearance for point in points])
    soles = now.points[:, -len(points) :]
    standing = contacts.label(soles[..., 2] - clearance, contacts.speeds(soles, now.fps), now.fps, thresholds)
    return Ground(len(now.watched.bodies) - len(points), clearance, standing)


def _result(
    now: Iterate, pictures: Sequence[Reprojection], seen: Sequence[PoseSequence], standing: NDArray[np.bool_], name: str
) -> Fit:
    found = [p.confidence > 0 for p in pictures]
    shown = [
        camera.project(now.points[:, : p.pixels.shape[1]]) for camera, p in zip(now.cameras, pictures, strict=True)
    ]
    error = [
        np.where(there, np.linalg.norm(at - p.pixels, axis=-1), np.nan)
        for at, p, there in zip(shown, pictures, found, strict=True)
    ]
    agreement = np.stack([p.confidence * p.agreement(now) for p in pictures])
    skeleton = now.skeleton
    labels: NDArray[np.bool_] | None = None
    if standing.shape[1]:
        points = contacts.sole_points(skeleton)
        feet = [np.array([point.foot == foot for point in points]) for foot in skeleton.feet]
        labels = np.stack([standing[:, own].any(axis=1) for own in feet], axis=1)
    clip = MotionClip(
        skeleton.follow(now.qpos), now.fps, skeleton, name, contacts=labels,
        contact_names=() if labels is None else skeleton.feet, confidence=agreement.max(axis=0).mean(axis=1),
    )  # fmt: skip
    details = {"views": len(seen), "error_px": float(np.nanmean(np.stack(error))) if np.stack(found).any() else None}
    return Fit(clip.with_step("fit", **details), now.cameras, np.stack(error), agreement)
