"""LocoMuJoCo's files: the published walk, against MuJoCo itself on a model in OpenSim's axes; and both layouts' faults."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import body
from rlsuite.motion.formats import detect, loco_mujoco, read
from rlsuite.motion.skeleton import Skeleton

WALK = "loco_mujoco/02-constspeed_reduced_humanoid.npz"
ROOT = ("pelvis_tx", "pelvis_tz", "pelvis_ty", "pelvis_tilt", "pelvis_list", "pelvis_rotation")


def opensim_model() -> mujoco.MjModel:
    """The same measures as a MuJoCo model in OpenSim's axes: three slides and three hinges under a pelvis turned up."""
    tree = loco_mujoco.human_skeleton()

    def y_up(vector: Any) -> str:
        x, y, z = vector
        return f"{x:.17g} {z:.17g} {-y:.17g}"

    def part(index: int) -> str:
        place = "0 0 0.975" if index == 0 else y_up(tree.body_pos[index])
        quat = 'quat="1 1 0 0"' if index == 0 else ""
        if index == 0:
            axes = dict(zip(ROOT, ("1 0 0", "0 0 1", "0 1 0", "0 0 1", "1 0 0", "0 1 0"), strict=True))
            joints = "".join(
                f'<joint name="{name}" type="{"slide" if i < 3 else "hinge"}" axis="{axis}"/>'
                for i, (name, axis) in enumerate(axes.items())
            )
        else:
            joints = "".join(
                f'<joint name="{tree.joints[j].name}" axis="{y_up(tree.joints[j].axis)}"/>'
                for j in tree.joints_of[index]
            )
        inside = "".join(part(child) for child in tree.children(index))
        name = tree.body_names[index]
        return f'<body name="{name}" pos="{place}" {quat}>{joints}<geom size=".01"/>{inside}</body>'

    return mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{part(0)}</worldbody></mujoco>")


def test_the_published_walk(mocap: Path) -> None:
    path = mocap / WALK
    arrays, clip, model = np.load(path), read(path), opensim_model()
    assert detect(path) == "loco_mujoco" and clip.n_frames == 500 and clip.fps == 500.0
    data = mujoco.MjData(model)
    for t in range(0, 500, 25):
        for name in arrays.files:
            if name.startswith("q_"):
                data.qpos[model.joint(name[2:]).qposadr[0]] = arrays[name][t]
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(clip.bodies[0][t], data.xpos[1:], rtol=0, atol=1e-9)


def test_the_published_walk_is_one(mocap: Path) -> None:
    """Forward at 1.35 m/s; the foot that stands is on the ground and stays there."""
    clip = read(mocap / WALK)
    assert (clip.qpos[-1, 0] - clip.qpos[0, 0]) / clip.duration == pytest.approx(1.35, abs=0.01)
    heel = clip.bodies[0][50:225, clip.skeleton.body("calcn_r")]
    assert np.abs(heel[:, 2]).max() < 0.05 and np.ptp(heel[:, 0]) < 0.05
    head = clip.bodies[0][:, clip.skeleton.body("humerus_r"), 2]
    assert head.min() > 1.2


def walk(n: int = 20, **changes: Any) -> dict[str, Any]:
    t = np.arange(n) / 100.0
    names = (*ROOT, "knee_angle_r", "hip_flexion_l")
    arrays = {f"q_{name}": np.sin(t + i) for i, name in enumerate(names)}
    arrays |= {f"dq_{name}": np.cos(t + i) for i, name in enumerate(names)}
    arrays |= changes
    return {name: value for name, value in arrays.items() if value is not None}


def test_joints_that_a_file_lacks_are_stiff_and_the_rate_is_measured(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **walk())
    clip = read(tmp_path / "a.npz")
    assert clip.fps == 100.0 and clip.provenance[0]["rate"] == "measured"
    assert [joint.name for joint in clip.skeleton.joints] == ["root", "knee_angle_r", "hip_flexion_l"]
    np.testing.assert_allclose(clip.qpos[:, 7], walk()["q_knee_angle_r"])
    assert read(tmp_path / "a.npz", fps=50.0).fps == 50.0
    np.savez(tmp_path / "b.npz", **{name: value for name, value in walk().items() if name.startswith("q_")})
    assert read(tmp_path / "b.npz").fps == 500.0


def trajectory(skeleton: Skeleton, n: int = 9, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    kinds = {"free": 0, "ball": 1, "slide": 2, "hinge": 3}
    qpos = skeleton.rest_qpos + 0.1 * rng.normal(size=(n, skeleton.nq))
    arrays = {
        "qpos": np.concatenate((qpos, rng.normal(size=(n, 1))), axis=1),
        "qvel": rng.normal(size=(n, skeleton.nv + 1)),
        "joint_names": [*(joint.name for joint in skeleton.joints), "an_extra_one"],
        "jnt_type": [*(kinds[joint.kind] for joint in skeleton.joints), 3],
        "frequency": 40.0,
        "split_points": [0, 4, n],
        "metadata": np.array(None, object),
    } | changes
    return {name: value for name, value in arrays.items() if value is not None}


def test_the_newer_layout_on_a_given_tree(tmp_path: Path) -> None:
    skeleton = body.skeleton()
    arrays = trajectory(skeleton)
    np.savez(tmp_path / "a.npz", **arrays)
    assert detect(tmp_path / "a.npz") == "loco_mujoco"
    first = read(tmp_path / "a.npz", skeleton=skeleton)
    second = read(tmp_path / "a.npz", skeleton=skeleton, trajectory=1)
    assert (first.n_frames, second.n_frames, first.fps) == (4, 5, 40.0)
    np.testing.assert_allclose(second.qpos[:, 7:], arrays["qpos"][4:, 7:-1])
    assert first.provenance[0]["notes"] == ["joints left out: an_extra_one"]


def test_joints_are_found_by_name(tmp_path: Path) -> None:
    skeleton = body.skeleton()
    arrays = trajectory(skeleton, split_points=None)
    order = [0, *reversed(range(1, len(arrays["joint_names"])))]
    columns = [*range(7), *reversed(range(7, arrays["qpos"].shape[1]))]
    turned = arrays | {
        "qpos": arrays["qpos"][:, columns],
        "joint_names": [arrays["joint_names"][i] for i in order],
        "jnt_type": [arrays["jnt_type"][i] for i in order],
    }
    np.savez(tmp_path / "a.npz", **arrays)
    np.savez(tmp_path / "b.npz", **turned)
    a, b = (read(tmp_path / name, skeleton=skeleton) for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(a.qpos, b.qpos)


def test_what_the_newer_layout_needs(tmp_path: Path) -> None:
    skeleton = body.skeleton()
    path = tmp_path / "a.npz"
    np.savez(path, **trajectory(skeleton))
    with pytest.raises(MotionError, match="give skeleton="):
        read(path)
    with pytest.raises(MotionError, match="has 2 trajectories"):
        read(path, skeleton=skeleton, trajectory=2)
    np.savez(path, **trajectory(skeleton, qpos=np.zeros((9, 1)), joint_names=["knee"], jnt_type=[3]))
    with pytest.raises(MotionError, match="free joint 'root'; the file has knee"):
        read(path, skeleton=skeleton)
    np.savez(path, **walk())
    with pytest.raises(MotionError, match="leave skeleton out"):
        read(path, skeleton=skeleton)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q_pelvis_tz": None}, "no array q_pelvis_tz"),
        ({"q_knee_angel_r": np.zeros(20)}, "no such coordinate; expected knee_angle_r"),
        ({"q_knee_angle_r": np.zeros(19)}, "q_knee_angle_r has shape"),
        ({"q_knee_angle_r": np.full(20, np.nan)}, "finite"),
        ({"q_pelvis_tx": np.zeros((20, 1))}, "q_pelvis_tx has shape"),
        ({"q_pelvis_tx": np.zeros(0)}, "q_pelvis_tx has shape"),
        ({"q_pelvis_tx": np.full(20, None)}, "pickled objects"),
        ({"dq_pelvis_tx": np.zeros(3)}, "dq_pelvis_tx has shape"),
    ],
)  # fmt: skip
def test_malformed_older_layout(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **walk(**changes))
    with pytest.raises(MotionFormatError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qpos": np.zeros((9, 3))}, "qpos has 3 columns; its joints need 36"),
        ({"jnt_type": [3]}, "jnt_type has shape"),
        ({"jnt_type": np.full(30, 7)}, "kinds of joints"),
        ({"frequency": None}, "no array frequency"),
        ({"frequency": 0.0}, "frame rate"),
        ({"split_points": [0, 4, 4, 9]}, "split_points"),
        ({"split_points": [0, 99]}, "split_points"),
        ({"split_points": [np.nan]}, "finite"),
        ({"joint_names": np.full(30, None)}, "pickled objects"),
    ],
)  # fmt: skip
def test_malformed_newer_layout(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **trajectory(body.skeleton(), **changes))
    with pytest.raises(MotionFormatError, match=message) as caught:
        read(path, skeleton=body.skeleton())
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
