"""Figures of capsules: MuJoCo's own kinematics on them gives what the skeleton gives."""

from dataclasses import replace
from pathlib import Path

import gymnasium.envs.mujoco
import mujoco
import numpy as np
import pytest

from rlsuite.errors import SkeletonError
from rlsuite.motion import body, kinematics, models
from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Joint, Skeleton

ASSETS = Path(gymnasium.envs.mujoco.__file__).parent / "assets"
BALLS = Skeleton(
    name="balls",
    body_names=("hips", "spine <&>", "left_leg", "right_leg"),
    parents=(-1, 0, 0, 0),
    body_pos=np.array([[0, 0, 1], [0, 0, 0.5], [0, 0.1, -0.1], [0, -0.1, -0.1]]),
    body_quat=np.tile(rot.from_axis_angle((0.0, 0.6, 0.8), 0.4), (4, 1)),
    joints=(
        Joint("root", "free", 0), Joint("spine", "ball", 1), Joint("left", "ball", 2, range=(0.0, 1.0)),
        Joint("slide", "slide", 3, axis=(0.0, 0.0, 1.0)), Joint("hinge", "hinge", 3, anchor=(0.0, 0.1, 0.2), reference=0.3),
    ),
    keypoints={},
)  # fmt: skip


@pytest.mark.parametrize(
    "skeleton",
    [BALLS, body.skeleton(), replace(body.skeleton(), shape=None)]
    + [Skeleton.from_mjcf(str(ASSETS / f"{name}.xml")) for name in ("humanoid", "ant", "half_cheetah")],
    ids=lambda s: s.name,
)
def test_the_model_moves_as_the_skeleton(skeleton):
    model = models.model_of(skeleton)
    data = mujoco.MjData(model)
    assert [model.body(i).name for i in range(1, model.nbody)] == list(skeleton.body_names)
    np.testing.assert_allclose(model.qpos0, skeleton.rest_qpos, atol=1e-12)
    rng = np.random.default_rng(0)
    for qpos in skeleton.rest_qpos + 0.5 * rng.normal(size=(5, skeleton.nq)):
        for at in skeleton.quaternions:
            qpos[at : at + 4] = rot.normalize(qpos[at : at + 4])
        data.qpos = qpos
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(data.xpos[1:], kinematics.forward(skeleton, qpos)[0], atol=1e-12)


def test_sides_have_their_colours():
    model = models.model_of(BALLS)
    shown = {model.body(int(b)).name: model.geom_rgba[g].tolist() for g, b in enumerate(model.geom_bodyid) if b}
    left, right, middle = ([float(v) for v in c.split()] for c in (models.LEFT, models.RIGHT, models.MIDDLE))
    for name, colour in (("left_leg", left), ("right_leg", right), ("hips", middle)):
        np.testing.assert_allclose(shown[name], colour, atol=1e-6)


def test_the_caller_may_change_it():
    models.model_of(BALLS).geom_rgba[:] = 0.0
    assert models.model_of(BALLS).geom_rgba.max() > 0.0


def test_what_is_no_file_never_reaches_mujoco(tmp_path, monkeypatch):
    """It would leave a MUJOCO_LOG.TXT in the working folder."""
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, tmp_path / "none.xml"):
        for read in (models.from_mjcf, Skeleton.from_mjcf):
            with pytest.raises(SkeletonError, match="no such file; expected an MJCF file"):
                read(path)
    assert not list(tmp_path.iterdir())
