"""Imitation of a clip: preparing it for training, how well a policy performs it, films, a live viewer, shipped policies."""

from __future__ import annotations

ENVIRONMENTS = ("rlsuite/HumanoidImitate-v0",)  # whose policies are measured against the clip of ``env_kwargs``


def is_imitation(env_id: str) -> bool:
    """Whether policies of this environment are measured here; ``env_id`` may name a module, ``rlsuite:…``."""
    return env_id.rpartition(":")[2] in ENVIRONMENTS
