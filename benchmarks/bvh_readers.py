"""The BVH readers of the package index, each doing the least that gives the hierarchy and the numbers.

Run by ``motion_bvh.py`` in an environment of its own. Says first which readers it has, as a line of JSON, then answers
lines: ``time READER PATH`` by the seconds of the processor that reading took, ``save READER PATH NPY`` likewise, when it
has saved what was read: the numbers as the file has them, ``(T, C)``, or the rotations as quaternions ``(T, joints, 4)``
(``bvhio`` keeps nothing else; ``pybvh`` keeps angles, and is also timed with its own conversion).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray


def _joint_columns(root: Array, rotations: Array) -> Array:
    """Positions of the root ``(T, 3)``, then rotations of all joints ``(T, joints, 3)``, as CMU's files have them."""
    return np.concatenate((root, rotations.reshape(len(rotations), -1)), axis=1)


def _bvhio_joints(joint: Any) -> list[Any]:
    return [joint, *(inner for child in joint.Children for inner in _bvhio_joints(child))]


def _bvhsdk_numbers(animation: Any) -> Array:
    joints = animation.getlistofjoints()
    turned = [joint.rotation[:, ["XYZ".index(letter) for letter in joint.order]] for joint in joints]
    return _joint_columns(joints[0].translation, np.stack(turned, axis=1))


def _bvhio_quaternions(container: Any) -> Array:
    turns = [[tuple(pose.Rotation) for pose in joint.Keyframes] for joint in _bvhio_joints(container.Root)]
    return np.moveaxis(np.array(turns), 0, 1)  # glm gives w, x, y, z


def _strings(tree: Any) -> Array:
    return np.array(tree.frames, np.float64)  # bvh and bvhtoolbox leave the numbers as they were written


# package and, after a comma, what is made: module, reading, what was read as an array (not timed)
READERS: dict[str, tuple[str, Callable[[Any, str], Any], Callable[[Any], Array]]] = {
    "pybvh": (
        "pybvh",
        lambda module, path: module.read_bvh_file(path),
        lambda read: _joint_columns(read.root_pos, np.degrees(read.joint_angles)),
    ),
    "pybvh, quaternions": (  # the fastest of them, and what a clip holds: read, then converted by its own means
        "pybvh",
        lambda module, path: module.read_bvh_file(path).to_quat()[1],
        lambda read: read,
    ),
    "upc-pymotion": (
        "pymotion.io.bvh",
        lambda module, path: _loaded(module.BVH(), path),
        lambda read: _joint_columns(read["positions"][:, 0], read["rotations"]),
    ),
    "bvh-converter": (
        "bvh_converter.bvhplayer_skeleton",
        lambda module, path: module.process_bvhfile(path),
        lambda read: np.array(read.keyframes),
    ),
    "bvhsdk": ("bvhsdk.bvh", lambda module, path: module.ReadFile(path), _bvhsdk_numbers),
    "bvhtoolbox": ("bvhtoolbox", lambda module, path: module.BvhTree(Path(path).read_text()), _strings),
    "bvh": ("bvh", lambda module, path: module.Bvh(Path(path).read_text()), _strings),
    "bvhio": ("bvhio", lambda module, path: module.readAsBvh(path), _bvhio_quaternions),
}


def _loaded(reader: Any, path: str) -> Any:
    reader.load(path)
    return reader.data


def main() -> None:
    answers = sys.stdout
    modules: dict[str, Any] = {}
    missing: dict[str, str] = {}
    with open(os.devnull, "w") as silence, contextlib.redirect_stdout(silence):  # some readers print
        for name, (module, _, _) in READERS.items():
            try:
                modules[name] = importlib.import_module(module)
            except ImportError as error:
                missing[name] = str(error)
        versions = {name: metadata.version(name.partition(",")[0]) for name in modules}
        print(json.dumps({"versions": versions, "missing": missing}), file=answers, flush=True)
        for line in sys.stdin:
            task, name, path, *out = line.rstrip("\n").split("\t")
            _, read, numbers = READERS[name]
            gc.collect()
            began = time.process_time()
            result = read(modules[name], path)
            seconds = time.process_time() - began
            if task == "save":
                np.save(out[0], numbers(result))
            del result  # here, or the next reader would be charged for freeing it
            print(seconds, file=answers, flush=True)


if __name__ == "__main__":
    main()
