"""What is imitated, made ready for training: a clip on the humanoid, and the plan of a run that carries it along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.experiments import presets
from rlsuite.experiments.imitation import PLAIN
from rlsuite.experiments.run_files import PREFIX
from rlsuite.experiments.run_prior import PRIOR_FILE, RunPrior
from rlsuite.experiments.training_plan import TrainingPlan
from rlsuite.motion import body, catalogue, clip_files
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.importing import Imported, import_clip
from rlsuite.motion.quality.limits import DEFAULT

CLIP_FILE = "clip.npz"


def prepare(name: str | Path) -> tuple[MotionClip, MotionClip, Imported | None]:
    """The clip to imitate, the motion that was read, and how one became the other.

    A clip that is on the humanoid, and not beyond what the check of joint limits calls bad, is taken as it is: a simulated
    body cannot be where its limits throw it out. Any other motion goes the way of ``rlsuite motion import``.

    Raises:
        RlsuiteError: there is no such clip or file, it cannot be read, or it cannot be put onto the humanoid.
    """
    read = catalogue.find(name)
    ours = read.skeleton.shape is not None and read.skeleton.same_tree(body.skeleton(body.shape_of(read.skeleton)))
    if ours and beyond_limits(read) <= DEFAULT.joint_limit[1]:
        return read, read, None
    done = import_clip(read)
    return replace(done.clip, name=Path(name).stem), read, done


def beyond_limits(clip: MotionClip) -> float:
    """Radians by which any hinge of any frame leaves its range, as the angles are written (a simulation starts there)."""
    low, high = clip.skeleton.qpos_range.T
    return float(np.maximum(low - clip.qpos, clip.qpos - high).max(initial=0.0))


def plan_imitation(
    clip: MotionClip | Sequence[MotionClip],
    given: Mapping[str, Any],
    *,
    out: Path = Path("runs"),
    name: str | None = None,
    prior: RunPrior | None = None,
) -> TrainingPlan:
    """A run that trains on ``clip``, which lies in its folder as ``clip.npz``; several as ``clip-1.npz`` and so on.

    Args:
        given: settings as of ``config.yaml``, over the presets; the clip is added, and ``env`` where there is none.
        prior: that rewards besides; its file goes along, too.

    Raises:
        RlsuiteError: something unknown or out of range.
    """
    clips = [clip] if isinstance(clip, MotionClip) else list(clip)
    files = {
        CLIP_FILE if len(clips) == 1 else f"clip-{k}.npz": clip_files.encoded(one) for k, one in enumerate(clips, 1)
    }
    named = [f"{PREFIX}{file}" for file in files]
    env_kwargs = {**given.get("env_kwargs", {}), "clip": named[0] if len(clips) == 1 else named}
    settings = {"env": PLAIN, **given, "env_kwargs": env_kwargs}
    if prior is not None:
        prior.open()  # what is wrong with it is told before anything is made
        files[PRIOR_FILE] = Path(prior.file).read_bytes()
        settings["prior"] = replace(prior, file=f"{PREFIX}{PRIOR_FILE}").as_dict()
    plan = presets.make_plan(settings, out=out, name=name)
    return replace(plan, label=f"{'+'.join(one.name or 'clip' for one in clips)}-", files=files)
