"""Run by ``test_storage``: learn with agents whose files were tampered with. A crash ends this process, not the tests."""

from __future__ import annotations

import faulthandler
import json
import sys
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from rlsuite.agents.hyperparameters import fields
from rlsuite.agents.registry import agent_class
from rlsuite.errors import RecordError
from rlsuite.tensor_files import digest

LAKE = "FrozenLake-v1"
NASTY = np.array([-(2**63), -2, -1, 0, 1, 2, 15, 16, 63, 64, 65, 1 << 20, 1 << 40, 2**63 - 1])


def parts(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Header and arrays, writable."""
    with safetensors.safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["rlsuite"])
    return header, {name: array.copy() for name, array in safetensors.numpy.load_file(path).items()}


def write(path: Path, header: dict, arrays: dict[str, np.ndarray]) -> Path:
    """A file with the right digest."""
    header = header | {"sha256": digest(header, arrays)}
    path.write_bytes(safetensors.numpy.save(arrays, {"rlsuite": json.dumps(header)}))
    return path


def mutate(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> str:
    """Change one array of integers or bytes; says which."""
    integers = [name for name, array in arrays.items() if array.dtype.kind in "iu" and array.size]
    anything = [name for name, array in arrays.items() if array.size]
    if rng.random() < 0.75:
        name = integers[rng.integers(len(integers))]
        cells = rng.random(arrays[name].shape) < rng.choice([0.02, 0.3, 1.0])
        cells.flat[rng.integers(cells.size)] = True
        small = rng.integers(0, 64, cells.sum())
        values = small if rng.random() < 0.5 else rng.choice(NASTY, cells.sum())
        arrays[name][cells] = values.astype(arrays[name].dtype)
    else:
        name = anything[rng.integers(len(anything))]
        raw = arrays[name].reshape(-1).view(np.uint8)
        raw[rng.integers(raw.size, size=8)] = rng.integers(0, 256, 8)
    return name


def learned(name: str):
    """An agent whose memory is full of things: values above what the lake gives keep all errors alive."""
    cls = agent_class(name)
    values = {"initial_value": 1.0} if "initial_value" in fields(cls.Hyperparameters) else {}
    return cls(LAKE, seed=1, **values).learn(203)


def main(folder: Path, names: list[str], n: int) -> None:
    faulthandler.enable()
    refused = survived = 0
    for k, name in enumerate(names):
        rng = np.random.default_rng(k)
        cls = agent_class(name)
        header, arrays = parts(learned(name).save(folder / "whole"))
        for _ in range(n):
            changed = {key: array.copy() for key, array in arrays.items()}
            what = mutate(changed, rng)
            path = write(folder / "mutant.safetensors", header, changed)
            try:
                agent = cls.load(path, LAKE)
            except RecordError:
                refused += 1
                continue
            print(name, what, file=sys.stderr, flush=True)
            agent.learn(10)
            agent.learn(200)
            survived += 1
    print(refused, survived)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[3:], int(sys.argv[2]))
