"""Bodies that tests of motion share: ours, Gymnasium's, and one with every kind of joint."""

from pathlib import Path

import gymnasium
import mujoco
import numpy as np

from rlsuite.motion import body, sampling
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

ASSETS = Path(gymnasium.__file__).parent / "envs/mujoco/assets"
EVERY_JOINT = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body name="cart" pos="0.1 0.2 1" quat="0.9 0.1 0.3 -0.2">
      <joint name="along" type="slide" axis="1 2 0.5" ref="0.1"/>
      <joint name="spin" type="hinge" axis="0.2 0.3 1" pos="0.1 0 0.2" ref="0.3"/>
      <geom size="0.1" mass="1"/>
      <site name="tip" pos="0.1 0.2 0.3"/>
      <body name="arm" pos="0 0.3 0.2" quat="0.7 0.2 0 0.1">
        <joint name="shoulder" type="ball" pos="0 -0.1 0.05"/>
        <geom size="0.1" mass="1"/>
        <body name="plate" pos="0.3 0 0"><geom size="0.05" mass="1"/>
          <body name="left_wrist" pos="0 0.1 0" quat="0.5 0.5 0.5 -0.5">
            <joint name="z" axis="0 0 1" pos="0.02 0 0"/><joint name="y" axis="0 1 0"/><joint name="x" axis="1 0 0"/>
            <geom size="0.05" mass="1"/>
          </body>
          <body name="right_wrist" pos="0 -0.1 0">
            <joint name="a" axis="0 0 1"/><joint name="b" axis="0 1 0" range="-1 1" limited="true"/>
            <geom size="0.05" mass="1"/>
          </body>
        </body>
      </body>
    </body>
    <body name="ball" pos="1 0 0" quat="0 1 0 0"><freejoint/><geom size="0.1" mass="1"/></body>
  </worldbody>
</mujoco>
"""
NAMES = ("ours", "humanoid", "ant", "hopper", "every_joint")


def model_named(name: str) -> mujoco.MjModel:
    if name == "ours":
        return body.model()
    if name == "every_joint":
        return mujoco.MjModel.from_xml_string(EVERY_JOINT)
    return mujoco.MjModel.from_xml_path(str(ASSETS / f"{name}.xml"))


def skeleton_named(name: str) -> Skeleton:
    return body.skeleton() if name == "ours" else Skeleton.from_model(model_named(name), name)


def random_poses(skeleton: Skeleton, n: int, seed: int = 0, size: float = 1.0) -> np.ndarray:
    """Poses scattered on the manifold about the rest pose."""
    velocity = np.random.default_rng(seed).normal(size=(n, skeleton.nv)) * size
    return sampling.integrate(skeleton, np.tile(skeleton.rest_qpos, (n, 1)), velocity)


def swaying(
    skeleton: Skeleton, n: int = 60, fps: float = 30.0, seed: int = 0, size: float = 0.4, **kwargs
) -> MotionClip:
    """A smooth motion: every degree of freedom a sum of two sines, the root going forward."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None] / fps
    amplitude, phase = rng.normal(size=(2, skeleton.nv)) * size, rng.uniform(0, 6, size=(2, skeleton.nv))
    velocity = amplitude[0] * np.sin(2.0 * t + phase[0]) + 0.5 * amplitude[1] * np.sin(5.0 * t + phase[1])
    qpos = sampling.integrate(skeleton, np.tile(skeleton.rest_qpos, (n, 1)), velocity)
    if skeleton.has_free_root:
        qpos[:, 0] += 1.2 * t[:, 0]
    return MotionClip(skeleton.follow(qpos), fps, skeleton, **kwargs)
