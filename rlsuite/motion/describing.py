"""What is in a clip, in numbers (:func:`describe`) and in words (:func:`in_words`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlsuite.motion.clip import MotionClip


def describe(clip: MotionClip) -> dict[str, Any]:
    """Facts about ``clip``: plain JSON values in metres and seconds, shares from 0 to 1, ``None`` for what is not known."""
    skeleton, positions = clip.skeleton, clip.bodies[0]
    root = positions[:, 0]
    path = float(np.linalg.norm(np.diff(root[:, :2], axis=0), axis=1).sum())
    kinds = [joint.kind for joint in skeleton.joints]
    contacts = None
    if clip.contacts is not None:
        contacts = dict(zip(clip.contact_names, clip.contacts.mean(axis=0).tolist(), strict=True))
    return {
        "name": clip.name,
        "frames": clip.n_frames,
        "fps": clip.fps,
        "duration": clip.duration,
        "loop": clip.loop,
        "wrap_heading": clip.wrap_heading,
        "skeleton": skeleton.name,
        "bodies": skeleton.nbody,
        "nq": skeleton.nq,
        "nv": skeleton.nv,
        "joints": {kind: kinds.count(kind) for kind in ("free", "ball", "hinge", "slide") if kind in kinds},
        "root_height": [float(root[:, 2].min()), float(root[:, 2].max())],
        "path": path,
        "mean_speed": path / clip.duration if clip.duration else None,
        "lowest_body": float(positions[..., 2].min()),
        "contacts": contacts,
        "confidence": None if clip.confidence is None else float(clip.confidence.mean()),
        "startable": None if clip.startable is None else float(clip.startable.mean()),
        "licence": clip.licence,
        "history": [dict(step) for step in clip.provenance],
    }


def in_words(facts: dict[str, Any]) -> str:
    """What :func:`describe` found, a line a fact, for people."""
    speed, contacts, startable = facts["mean_speed"], facts["contacts"], facts["startable"]
    low, high = facts["root_height"]
    lines = {
        "name": facts["name"],
        "frames": f"{facts['frames']} at {facts['fps']:g} Hz",
        "duration": f"{facts['duration']:.3f} s, {'repeats' if facts['loop'] == 'wrap' else 'plays once'}"
        + (", turning with every cycle" if facts["wrap_heading"] else ""),
        "skeleton": f"{facts['skeleton']}: {facts['bodies']} bodies, nq {facts['nq']}, nv {facts['nv']}, joints "
        + ", ".join(f"{n} {kind}" for kind, n in facts["joints"].items()),
        "root": f"height {low:.3f} to {high:.3f} m, path {facts['path']:.2f} m",
        "mean speed": "" if speed is None else f"{speed:.2f} m/s",
        "lowest body": f"{facts['lowest_body']:.3f} m",
        "contacts": "not labelled" if contacts is None else _shares(contacts),
        "confidence": "" if facts["confidence"] is None else f"mean {facts['confidence']:.2f}",
        "startable": "not checked" if startable is None else f"{startable:.0%} of the frames",
        "licence": " ".join(facts["licence"].split()),
    }
    text = [f"{key:<14} {value}" for key, value in lines.items() if value]
    history = [f"  {step.get('step', '?')}{_details(step)}" for step in facts["history"]]
    return "\n".join([*text, *(["history", *history] if history else [])])


def _shares(contacts: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in contacts.items())


def _details(step: dict[str, Any]) -> str:
    """The step's plain values; of a list of changes, those that were made."""
    found = [f"{k} {_short(v)}" for k, v in step.items() if k != "step" and isinstance(v, str | int | float)]
    for value in step.values():
        if isinstance(value, list | tuple):
            found += [str(change["step"]) for change in value if isinstance(change, dict) and change.get("done")]
    return f": {', '.join(found)}" if found else ""


def _short(value: str | int | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
