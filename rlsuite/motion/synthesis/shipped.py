"""The clips that come with the package: how each is made, and writing them and their manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlsuite.files import write_atomically
from rlsuite.motion import clip_files
from rlsuite.motion.synthesis import make

MANIFEST = "manifest.json"
SHIPPED: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "walk": ("walk", {}),
        "walk_slow": ("walk", {"speed": 0.8}),
        "walk_fast": ("walk", {"speed": 1.5}),
        "run": ("run", {}),
        "turn_left": ("turn", {"rate": 0.6}),
        "turn_right": ("turn", {"rate": -0.6}),
        "sidestep_left": ("sidestep", {"side": "left"}),
        "sidestep_right": ("sidestep", {"side": "right"}),
        "squat": ("squat", {}),
        "jump": ("jump", {}),
        "kick": ("kick", {}),
        "wave": ("wave", {}),
        "bow": ("bow", {}),
        "idle": ("idle", {}),
        "cartwheel": ("cartwheel", {}),
    }
)


def write_shipped(folder: str | Path) -> list[Path]:
    """Make every shipped clip anew into ``folder``, and the manifest that names them; the files written."""
    folder = Path(folder)
    written, entries = [], {}
    for name, (motion, parameters) in SHIPPED.items():
        clip = replace(make(motion, **parameters), name=name)
        path = folder / f"{name}.npz"
        clip_files.save(clip, path)
        written.append(path)
        entries[name] = {
            "file": path.name,
            "motion": motion,
            "parameters": dict(parameters),
            "frames": clip.n_frames,
            "fps": round(clip.fps, 6),
            "duration": round(clip.duration, 6),
            "loop": clip.loop,
            "licence": clip.licence,
        }
    manifest = folder / MANIFEST
    write_atomically(manifest, json.dumps({"format": "rlsuite-clips", "clips": entries}, indent=1) + "\n")
    return [*written, manifest]
