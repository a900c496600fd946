"""Synthetic pictures: what they say about key points is what MuJoCo and closed forms say, and held-out parts stay out."""

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError, UnknownNameError
from rlsuite.motion import body, catalogue, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.synthetic import CropSource, Studio, camera_towards
from rlsuite.motion.pose.synthetic_appearance import STILL, Lens, occluders, paint, random_look
from rlsuite.motion.pose.synthetic_backgrounds import BACKGROUNDS, background
from rlsuite.motion.pose.synthetic_splits import HELD_OUT, SECTORS, SPLITS, TRAIN, split_of


@pytest.fixture(scope="module")
def source():
    return CropSource(TRAIN)


def seeds(k=0):
    return np.random.SeedSequence(k)


# -- splits --------------------------------------------------------------------------------------------------------


def test_splits_share_no_clip_no_direction_and_no_background():
    for part in ("clips", "sectors", "backgrounds"):
        assert not set(getattr(TRAIN, part)) & set(getattr(HELD_OUT, part))
    assert sorted(TRAIN.clips + HELD_OUT.clips) == sorted(catalogue.NAMES)
    assert sorted(TRAIN.sectors + HELD_OUT.sectors) == list(range(SECTORS))
    assert sorted(TRAIN.backgrounds + HELD_OUT.backgrounds) == sorted([*BACKGROUNDS, "floor"])
    assert split_of("held-out") is HELD_OUT
    with pytest.raises(UnknownNameError, match="train"):
        split_of("trian")


@pytest.mark.parametrize("split", SPLITS.values(), ids=lambda split: split.name)
def test_crops_keep_to_the_directions_of_their_split(split):
    crops = CropSource(split, size=16).batch(24, seeds())
    for camera, qpos, points in zip(crops.cameras, crops.qpos, crops.positions, strict=True):
        x, y, _ = camera.t - (points.min(axis=0) + points.max(axis=0)) / 2
        assert split.has_azimuth(np.arctan2(y, x) - rot.heading_angle(qpos[3:7]))


def test_azimuths_of_several_cameras_are_apart_and_within_the_split():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 4):
        found = HELD_OUT.azimuths(n, rng)
        assert all(HELD_OUT.has_azimuth(azimuth) for azimuth in found)
        assert len({int(a // (2 * np.pi / SECTORS)) for a in found}) == n


# -- crops ---------------------------------------------------------------------------------------------------------


def test_key_points_are_those_of_the_kinematics_through_the_crops_camera(source):
    crops = source.batch(8, seeds())
    skeleton = body.skeleton()
    assert source.names == tuple(skeleton.keypoints)
    np.testing.assert_allclose(crops.positions, kinematics.keypoints(skeleton, crops.qpos), atol=1e-12)
    for camera, points, pixels in zip(crops.cameras, crops.positions, crops.keypoints, strict=True):
        np.testing.assert_allclose(camera.project(points), pixels, atol=1e-9)
        assert (camera.width, camera.height) == (64, 64)
    low, high = skeleton.qpos_range.T
    assert (crops.qpos >= low).all() and (crops.qpos <= high).all()
    assert crops.positions[..., 2].min() > -1e-12  # no leg below the floor


def test_without_variation_the_body_fills_its_square():
    source = CropSource(TRAIN, variation=STILL)
    crops = source.batch(6, seeds())
    extent = (crops.keypoints.max(axis=1) - crops.keypoints.min(axis=1)).max(axis=1)
    np.testing.assert_allclose(extent, 64 / 1.24, rtol=1e-9)
    poses = np.concatenate([clip.qpos for clip in source.clips])
    for qpos in crops.qpos:
        nearest = poses[abs(poses - qpos).sum(axis=1).argmin()]
        assert np.array_equal(np.delete(nearest, 2), np.delete(qpos, 2))
        assert 0 <= qpos[2] - nearest[2] < 0.01  # lifted by what a sole is below the floor


def test_a_seed_gives_its_crops_again_whatever_came_before(source):
    first = source.batch(5, seeds(7))
    source.batch(3, seeds(8))
    root = seeds(7)
    head, tail = CropSource(TRAIN).batch(2, root), source.batch(3, root)
    for name in ("images", "keypoints", "seen", "positions", "qpos"):
        again = np.concatenate([getattr(head, name), getattr(tail, name)])
        assert np.array_equal(getattr(first, name), again)
    assert len({image.tobytes() for image in first.images}) == 5


def test_the_body_is_where_its_key_points_are():
    """Painted white before black, at nearly every key point that counts as seen there is light."""
    clip = catalogue.find("cartwheel")
    studio = Studio(clip.skeleton)
    studio.model.mat_rgba[:, :3] = 1.0
    look, black = random_look(np.random.default_rng(1)), np.zeros((96, 96, 3), np.float32)
    lit = total = 0
    for qpos in clip.qpos[::9]:
        points = studio.keypoints(qpos)
        camera = camera_towards(points, 0.7, 0.3, 6.0).resized(96, 96)
        light, picture = studio.draw(qpos, camera, look, black)
        pixels, seen = camera.project(points).astype(int), studio.seen(qpos, camera)
        total += seen.sum()
        lit += (light[pixels[seen, 1], pixels[seen, 0]].max(axis=-1) > 0.02).sum()
        assert (light[picture.mask == 0] == 0).all()
    assert lit >= 0.9 * total


# -- what is seen --------------------------------------------------------------------------------------------------


def test_what_the_body_hides_and_what_it_does_not():
    skeleton = body.skeleton()
    studio, pose = Studio(skeleton), skeleton.rest_qpos
    at = dict(zip(studio.names, range(len(studio.names)), strict=True))

    def seen(azimuth):
        return studio.seen(pose, camera_towards(studio.keypoints(pose), azimuth, 0.05, 5.0))

    front, back, left = seen(0.0), seen(np.pi), seen(np.pi / 2)
    assert front[[at["nose"], at["left_eye"], at["right_eye"]]].all()
    assert not back[[at["nose"], at["left_eye"], at["right_eye"]]].any()
    assert left[[at["left_wrist"], at["left_elbow"], at["left_ear"]]].all()
    assert not left[[at["right_wrist"], at["right_shoulder"], at["right_hip"], at["right_ear"]]].any()
    for view in (front, back, left):  # in the middle of their own bodies
        assert view[[at["pelvis"], at["head"]]].all() or view is left


def test_a_point_outside_the_picture_is_not_seen():
    studio, pose = Studio(body.skeleton()), body.skeleton().rest_qpos
    camera = Camera.look_at((3.0, 0.0, 1.5), (0.0, 0.0, 1.5), fovy=0.2, width=64, height=64)
    pixels = camera.project(studio.keypoints(pose))
    inside = ((pixels >= 0) & (pixels < 64)).all(axis=1)
    assert inside.any() and not inside.all()
    assert not studio.seen(pose, camera)[~inside].any()


def test_seen_agrees_with_the_depth_of_the_rendered_picture(source):
    """Away from silhouettes: a surface more than the slack in front hides, none in front shows."""
    rng = np.random.default_rng(5)
    checked = 0
    for clip in source.clips[:5]:
        qpos = clip.qpos[clip.n_frames // 3]
        studio = source.studio
        points = studio.keypoints(qpos)
        camera = camera_towards(points, rng.uniform(0, 6), 0.2, 4.0).resized(400, 400)
        _, picture = studio.draw(qpos, camera, random_look(rng), np.zeros((400, 400, 3), np.float32))
        column, row = camera.project(points).astype(int).T
        around = np.stack([picture.depth[row + dy, column + dx] for dy in (-2, 0, 2) for dx in (-2, 0, 2)])
        gap = camera.depth(points) - around  # (9, K), above 0: hidden
        seen = studio.seen(qpos, camera)
        hidden, free = (gap > 0.16).all(axis=0), (gap < 0.0).all(axis=0)
        assert not seen[hidden].any() and seen[free].all()
        checked += hidden.sum() + free.sum()
    assert checked > 10


# -- appearance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_backgrounds_are_light_of_their_seed_that_scales_with_the_picture(name):
    def make(k, h, w):
        return background(name, np.random.Generator(np.random.PCG64(k)), h, w)

    picture = make(3, 60, 80)
    assert picture.shape == (60, 80, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert np.array_equal(picture, make(3, 60, 80)) and not np.array_equal(picture, make(4, 60, 80))
    halved = make(3, 120, 160).reshape(60, 2, 80, 2, 3).mean(axis=(1, 3))
    assert abs(halved - picture).mean() < 0.05  # the same picture, finer


def test_paint_changes_colours_and_nothing_else():
    model, plain = body.model(), body.model()
    paint(model, np.random.default_rng(0))
    assert not np.array_equal(model.mat_rgba, plain.mat_rgba)
    assert (model.mat_rgba >= 0).all() and (model.mat_rgba <= 1).all()
    floor = model.material("floor").id
    assert np.array_equal(model.mat_rgba[floor], plain.mat_rgba[floor])
    model.mat_rgba[:] = plain.mat_rgba
    a, b = (np.empty(mujoco.mj_sizeModel(m), np.uint8) for m in (model, plain))
    mujoco.mj_saveModel(model, None, a)
    mujoco.mj_saveModel(plain, None, b)
    assert np.array_equal(a, b)


def test_occluders_lie_on_the_body_and_hide_no_more_than_their_size_allows():
    for k in range(30):
        mask, light = occluders(np.random.default_rng(k), 64, 48, (10.0, 12.0, 38.0, 60.0))
        assert 0 < mask.sum() <= 2 * (0.32 * 48) ** 2 * 1.2
        assert (light[~mask] == 0).all() and light.max() <= 1


def test_the_lens_blurs_as_a_gaussian_and_adds_noise_of_its_strength():
    spot = np.zeros((33, 33, 3), np.float32)
    spot[16, 16] = 1.0
    one = np.ones(3, np.float32)
    blurred = Lens(1.5, 12 * one, 0.0).develop(spot, np.random.default_rng(0)) / 255.0
    light = np.where(blurred <= 0.04045, blurred / 12.92, ((blurred + 0.055) / 1.055) ** 2.4)[..., 0] / 12
    x = np.arange(33) - 16
    assert light.sum() == pytest.approx(1.0, abs=0.05)
    assert (light * x**2).sum() / light.sum() == pytest.approx(1.5**2, rel=0.1)
    grey = np.full((200, 200, 3), 0.2, np.float32)
    noisy = Lens(0.0, one, 0.03).develop(grey, np.random.default_rng(0)).astype(float)
    assert noisy.std() == pytest.approx(0.03 * 255, rel=0.02)
    clean = Lens(0.0, one, 0.0).develop(grey, np.random.default_rng(0))
    assert (clean == clean[0, 0, 0]).all()


def test_crops_need_clips_of_one_skeleton_with_key_points():
    with pytest.raises(MotionError, match="at least one clip"):
        CropSource(TRAIN, clips=[])
