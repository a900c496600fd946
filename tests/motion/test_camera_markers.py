"""The humanoid's key points are projected to the pixels where MuJoCo itself sees markers fixed there: by ``mj_multiRay``
everywhere, and in its segmented picture where OpenGL works. Cameras stand in the world or go along with the body."""

import re
from importlib import import_module

import mujoco
import numpy as np
import pytest

from rlsuite.motion import body, catalogue, kinematics
from rlsuite.motion.cameras import Camera
from rlsuite.motion.render.opengl import working_platform

WIDTH, HEIGHT, RADIUS = 480, 360, 0.02
MARKERS = np.array([0, 0, 0, 1, 0, 0], np.uint8)  # geom groups that are shown: markers alone


@pytest.fixture(scope="module")
def marked():
    """The body with a sphere at every key point, and two cameras; the model, its data in a pose, and that pose."""
    sphere = f'<geom name="marker_\\1" type="sphere" size="{RADIUS}" pos="\\2" group="3" mass="0" contype="0"/>'
    text = re.sub(r'<site name="(\w+)" pos="([^"]+)"/>', sphere, body.mjcf())
    standing = '<camera name="standing" pos="3.1 -2.2 1.9" xyaxes="0.58 0.815 0 -0.28 0.2 0.94" fovy="40"/>'
    going = '<camera name="going" pos="-2.6 1.1 0.4" xyaxes="-0.42 -0.91 0 0.12 -0.05 0.99" fovy="55"/>'
    text = text.replace('<freejoint name="root"/>', f'<freejoint name="root"/>{going}')
    model = mujoco.MjModel.from_xml_string(text.replace("<worldbody>", f"<worldbody>{standing}"))
    model.vis.global_.offwidth, model.vis.global_.offheight = WIDTH, HEIGHT
    data, clip = mujoco.MjData(model), catalogue.find("kick")
    data.qpos[:] = clip.qpos[clip.n_frames // 2]
    mujoco.mj_forward(model, data)
    return model, data


def by_rays(model, data, camera):
    """``(height, width)`` geom that the ray through each pixel's centre meets, -1 for none."""
    origin, directions = camera.rays()
    n = WIDTH * HEIGHT
    seen, far = np.empty(n, np.int32), np.empty(n)
    mujoco.mj_multiRay(model, data, origin, directions.reshape(-1), MARKERS, True, -1, seen, far, None, n, 100.0)
    return seen.reshape(HEIGHT, WIDTH)


def by_segmentation(model, data, name):
    """The same by OpenGL, through MuJoCo's own use of the camera called ``name``."""
    platform, reason = working_platform()
    if platform is None:
        pytest.skip(f"no MuJoCo segmentation here: {reason}")
    gl = import_module(f"mujoco.{platform}").GLContext(WIDTH, HEIGHT)
    gl.make_current()
    try:
        scene, context = mujoco.MjvScene(model, 1000), mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        option, camera = mujoco.MjvOption(), mujoco.MjvCamera()
        option.geomgroup[:], option.sitegroup[:] = MARKERS, 0
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, model.camera(name).id
        mujoco.mjv_updateScene(model, data, option, None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = True
        picture, view = np.empty((HEIGHT, WIDTH, 3), np.uint8), mujoco.MjrRect(0, 0, WIDTH, HEIGHT)
        mujoco.mjr_render(view, scene, context)
        mujoco.mjr_readPixels(picture, None, view, context)
        ids = np.full(scene.ngeom + 1, -1)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                ids[geom.segid + 1] = geom.objid
        context.free()
    finally:
        gl.free()
    return ids[picture[::-1].astype(np.int64) @ (1, 1 << 8, 1 << 16)]


@pytest.mark.parametrize("way", ["rays", "segmentation"])
@pytest.mark.parametrize("name", ["standing", "going"])
def test_key_points_are_projected_to_where_mujoco_sees_markers(marked, name, way):
    model, data = marked
    camera = Camera.from_mujoco(model, data, name, WIDTH, HEIGHT)
    skeleton = body.skeleton()
    points = kinematics.keypoints(skeleton, data.qpos)
    pixels, depth = camera.project(points), camera.depth(points)
    seen = by_rays(model, data, camera) if way == "rays" else by_segmentation(model, data, name)
    compared = 0
    for key, (u, v), z in zip(skeleton.keypoints, pixels, depth, strict=True):
        row, column = np.nonzero(seen == model.geom(f"marker_{key}").id)
        disc = np.pi * (RADIUS * camera.K[1, 1] / z) ** 2  # pixels of the whole marker
        if len(row) > 0.9 * disc:  # nothing stands in front, and it does not leave the picture
            centre = column.mean() + 0.5, row.mean() + 0.5
            assert np.hypot(centre[0] - u, centre[1] - v) < 0.5, key
            compared += 1
    assert compared >= 15
