"""Run records on disk: readable after a kill at any instant, and never written by two processes at once.

A record is a folder with

``config.yaml``
    what was run: ids, hyperparameters, seed or budget, versions, commit; written once, atomically;
``metrics.jsonl``, ``evaluations.jsonl``
    one JSON object a line, each appended by a single ``write``; a line that a crash cut short is ignored by readers
    and removed by the next writer;
``checkpoints/``
    ``.safetensors`` files, written under another name and renamed.

Deep runs have one folder per seed; the seeds of a compiled tabular algorithm share one, a line of ``metrics.jsonl``
each. :func:`find_records` finds both.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from rlsuite.errors import RecordError
from rlsuite.files import write_atomically

CONFIG, METRICS, EVALUATIONS, CHECKPOINTS = "config.yaml", "metrics.jsonl", "evaluations.jsonl", "checkpoints"


def slug(name: str) -> str:
    """``name`` as a folder name: ``/`` and ``:`` become ``-``, anything else unusual ``_``."""
    return re.sub(r"[^A-Za-z0-9._=,+-]", "_", re.sub(r"[/:]", "-", name)).lstrip(".") or "_"


def run_folder(root: str | Path, env_id: str, algo: str, name: str) -> Path:
    """``root/ENV/ALGO/NAME``, every part made safe."""
    return Path(root) / slug(env_id) / slug(algo) / slug(name)


class RunWriter:
    """The one writer of a record; use as a context manager.

    Args:
        folder: the record's folder, created with its parents.
        config: written to ``config.yaml`` when the record is new.
        new: refuse a record that exists.

    Raises:
        RecordError: another process is writing this record, or the folder cannot be written.
    """

    def __init__(self, folder: str | Path, config: dict[str, Any], *, new: bool = False) -> None:
        self.folder = Path(folder)
        try:
            (self.folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RecordError(f"cannot write the record {self.folder}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise RecordError(
                f"another process is writing {self.folder}; wait for it, or write a new run elsewhere (--out)"
            ) from None
        self._files: dict[str, int] = {}
        if new and (self.folder / CONFIG).exists():  # somebody was faster
            self.close()
            raise RecordError(f"{self.folder} exists; choose another name")
        try:
            if not (self.folder / CONFIG).exists():
                write_atomically(self.folder / CONFIG, dump_yaml(config))
        except OSError as error:
            raise RecordError(f"cannot write {self.folder / CONFIG}: {error.strerror}") from None
        finally:
            if not (self.folder / CONFIG).exists():  # whatever went wrong: the record is another's to write
                self.close()

    def append(self, name: str, row: dict[str, Any]) -> None:
        """Append ``row`` to the JSON-lines file ``name`` in one write.

        Raises:
            RecordError: the disk is full or fails; what was written before stays readable.
        """
        if name not in self._files:
            path = self.folder / name
            _drop_partial_line(path)
            self._files[name] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        line = (json.dumps(plain(row), allow_nan=False, separators=(",", ":")) + "\n").encode()
        try:
            written = os.write(self._files[name], line)
        except OSError as error:
            raise RecordError(f"cannot append to {self.folder / name}: {error.strerror}") from None
        if written != len(line):
            os.close(self._files.pop(name))
            _drop_partial_line(self.folder / name)
            raise RecordError(f"cannot append to {self.folder / name}: the disk is full")

    def checkpoint_path(self, name: str) -> Path:
        """Where the checkpoint called ``name`` belongs."""
        return self.folder / CHECKPOINTS / f"{slug(name)}.safetensors"

    def close(self) -> None:
        """Release the record."""
        for descriptor in self._files.values():
            os.fsync(descriptor)
            os.close(descriptor)
        self._files.clear()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration of a record.

    Raises:
        RecordError: there is none, or it is malformed.
    """
    import yaml

    path = Path(folder) / CONFIG
    try:
        config = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise RecordError(f"{folder} is not a run: it has no {CONFIG}") from None
    except RecursionError:
        raise RecordError(f"cannot read {path}: it is nested too deeply") from None
    except (OSError, ValueError, TypeError, OverflowError, yaml.YAMLError) as error:  # a date may have a 31st of June
        raise RecordError(f"cannot read {path}: {error}") from None
    if not isinstance(config, dict):
        raise RecordError(f"{path} must hold a mapping")
    return config


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file, oldest first; nothing where there is no file.

    A last line without its newline is what a kill leaves behind, and is skipped.

    Raises:
        RecordError: a complete line is not a JSON object.
    """
    path = Path(path)
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise RecordError(f"{path}, line {number}: not a JSON object")
            yield row


def find_records(root: str | Path) -> list[Path]:
    """All record folders at or below ``root``, sorted."""
    return sorted(path.parent for path in Path(root).rglob(CONFIG))


def plain(value: Any) -> Any:
    """``value`` with numpy types turned into Python's, whole numbers into ``int``, and non-finite ones into ``null``."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def _plain_array(array: np.ndarray) -> list[Any]:
    if array.dtype.kind != "f":
        return list(array.tolist())
    if not np.isfinite(array).all():
        return [plain(item) for item in array.tolist()]
    if (array == np.round(array)).all() and np.abs(array).max(initial=0.0) < 2**53:
        array = array.astype(np.int64)  # "-13" instead of "-13.0": shorter, and the same number
    return list(array.tolist())


def dump_yaml(config: dict[str, Any]) -> str:
    """``config`` as YAML that ``safe_load`` reads back; every float keeps its exact value."""
    import yaml

    return yaml.safe_dump(_yaml_plain(config), sort_keys=False, allow_unicode=True, width=120)


def _yaml_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _yaml_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_yaml_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _drop_partial_line(path: Path) -> None:
    """Cut what follows the last newline."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        data = file.read()
        if data and not data.endswith(b"\n"):
            file.truncate(data.rfind(b"\n") + 1)
