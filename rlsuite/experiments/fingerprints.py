"""Fingerprints of environments and algorithms: they change when what a result depends on does."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path

from rlsuite.envs.finite.mdp import FiniteMDP


def mdp_digest(mdp: FiniteMDP) -> str:
    """Hash of all that an agent can learn from: sizes, outcomes, rewards, starts and observations."""
    digest = hashlib.sha256(f"{mdp.n_states} {mdp.n_actions}".encode())
    for array in (
        mdp.offset,
        mdp.probability,
        mdp.next_state,
        mdp.reward,
        mdp.terminated,
        mdp.initial,
        mdp.observation,
    ):
        digest.update(array.tobytes())
    return digest.hexdigest()


def source_digest(cls: type) -> str:
    """Hash of the file that defines ``cls``, so that an edited agent or environment is not taken for the old one."""
    try:
        return hashlib.sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()
    except (TypeError, OSError):
        return ""  # defined in a notebook or a shell: no file to watch
