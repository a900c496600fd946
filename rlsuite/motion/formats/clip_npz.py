"""The suite's own clips (``.npz``): see :mod:`rlsuite.motion.clip_files`."""

from __future__ import annotations

from pathlib import Path

from rlsuite.motion import clip_files
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats.detection import zip_members
from rlsuite.motion.formats.registry import Format


def sniff(head: bytes, path: Path) -> bool:
    return {"header", "qpos"} <= zip_members(head, path)


def read(path: Path) -> MotionClip:
    return clip_files.load(path)


def write(clip: MotionClip, path: Path) -> None:
    clip_files.save(clip, path)


FORMAT = Format("rlsuite", (".npz",), "clips of this suite: poses, skeleton, provenance", sniff, read, write)
