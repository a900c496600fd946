"""Environments: finite MDPs, gridworlds and the textbook problems, registered as ``rlsuite/Name-v0``."""

from rlsuite.envs.registration import make_env, register_envs, registered_ids

__all__ = ["make_env", "register_envs", "registered_ids"]
