"""Reward presets: the constants of four publications, each named by what it is the formula of, and ``local``.

Paper and code of DeepMimic differ, so they are two. All of them lie in [0, 1] (``beyondmimic`` less its penalties), 1 for
a body that follows exactly, and are 0 in a step in which the body failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlsuite.envs.humanoid.rewards import Term, checked_terms
from rlsuite.errors import UnknownNameError

PRESETS: dict[str, dict[str, Term]] = {
    # Peng et al. (2018), DeepMimic, equations 5 to 10
    "deepmimic-paper": {
        "pose": Term("joint_rotation", 0.65, 2.0),
        "velocity": Term("joint_velocity", 0.1, 0.1),
        "end_effector": Term("end_effector", 0.15, 40.0),
        "com": Term("com_position", 0.1, 10.0),
    },
    # xbpeng/DeepMimic, SceneImitate.cpp, CalcRewardImitate (15 joints; com: scale 10 of 0.1 of the square)
    "deepmimic-code": {
        "pose": Term("weighted_joint_rotation", 0.5, 2.0),
        "velocity": Term("weighted_joint_velocity", 0.05, 0.1),
        "end_effector": Term("local_end_effector", 0.15, 10.0),
        "root": Term("root", 0.2, 5.0),
        "com": Term("com_velocity", 0.1, 1.0),
    },
    # ours: deepmimic-paper's terms made blind to where the body is and which way it faces, for goals that lead elsewhere
    "local": {
        "pose": Term("joint_rotation", 0.65, 2.0),
        "velocity": Term("joint_velocity", 0.1, 0.1),
        "end_effector": Term("local_end_effector", 0.25, 10.0),
    },
    # xbpeng/MimicKit, deepmimic_env.py, compute_reward with track_root, all joints of weight 1, and its humanoid's scales
    "mimickit": {
        "pose": Term("joint_rotation", 0.5, 0.25),
        "velocity": Term("joint_velocity", 0.1, 0.01),
        "root_pose": Term("root_pose", 0.15, 5.0),
        "root_velocity": Term("root_velocity", 0.1, 1.0),
        "key_position": Term("rooted_end_effector", 0.15, 10.0),
    },
    # Liao et al. (2025), BeyondMimic, table of rewards: exp(-error / sigma²), sigma 0.3, 0.4, 1 and 3.14; here all weights
    # are divided by 5, the sum of those of tracking, which their framework multiplies by the time step
    "beyondmimic": {
        "anchor_position": Term("anchor_position", 0.1, 1.0 / 0.3**2),
        "anchor_rotation": Term("anchor_rotation", 0.1, 1.0 / 0.4**2),
        "body_position": Term("body_position", 0.2, 1.0 / 0.3**2),
        "body_rotation": Term("body_rotation", 0.2, 1.0 / 0.4**2),
        "body_velocity": Term("body_velocity", 0.2, 1.0),
        "body_spin": Term("body_spin", 0.2, 1.0 / 3.14**2),
        "action_rate": Term("action_rate", 0.02, penalty=True),
        "joint_limits": Term("joint_limits", 2.0, penalty=True),
        "contacts": Term("undesired_contacts", 0.02, penalty=True),
    },
}


def reward_terms(reward: str | Mapping[str, Any]) -> dict[str, Term]:
    """The terms of a preset by its name, or of a configuration ``{name: {error, weight, scale, penalty}}``.

    Raises:
        UnknownNameError: there is no such preset. HyperparameterError: the configuration is not one.
    """
    if isinstance(reward, str):
        if reward not in PRESETS:
            raise UnknownNameError("reward", reward, PRESETS, f"presets: {', '.join(PRESETS)}")
        return dict(PRESETS[reward])
    return checked_terms(reward)
