"""What is in a clip, in numbers and words."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlsuite.motion.clip import MotionClip


def describe(clip: MotionClip) -> dict[str, Any]:
    """Facts about ``clip`` in reading order; plain JSON values, lengths in metres, ``history`` as the provenance."""
    skeleton, positions = clip.skeleton, clip.bodies[0]
    root = positions[:, 0]
    path = float(np.linalg.norm(np.diff(root[:, :2], axis=0), axis=1).sum())
    kinds = [joint.kind for joint in skeleton.joints]
    counts = {kind: kinds.count(kind) for kind in ("free", "ball", "hinge", "slide") if kind in kinds}
    facts: dict[str, Any] = {
        "name": clip.name,
        "frames": f"{clip.n_frames} at {clip.fps:g} Hz",
        "duration": f"{clip.duration:.3f} s, {'repeats' if clip.loop == 'wrap' else 'plays once'}"
        + (", turning with every cycle" if clip.wrap_heading else ""),
        "skeleton": f"{skeleton.name}: {skeleton.nbody} bodies, nq {skeleton.nq}, nv {skeleton.nv}, joints "
        + ", ".join(f"{n} {kind}" for kind, n in counts.items()),
        "root": f"height {root[:, 2].min():.3f} to {root[:, 2].max():.3f} m, path {path:.2f} m",
        "mean speed": f"{path / clip.duration:.2f} m/s" if clip.duration else "",
        "lowest body": f"{positions[..., 2].min():.3f} m",
        "contacts": _shares(clip.contact_names, clip.contacts) if clip.contacts is not None else "not labelled",
        "confidence": f"mean {clip.confidence.mean():.2f}" if clip.confidence is not None else "",
        "startable": f"{clip.startable.mean():.0%} of the frames" if clip.startable is not None else "not checked",
        "licence": " ".join(clip.licence.split()),
        "history": [dict(step) for step in clip.provenance],
    }
    return facts


def _shares(names: tuple[str, ...], contacts: np.ndarray) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in zip(names, contacts.mean(axis=0), strict=True))
