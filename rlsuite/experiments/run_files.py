"""Files that belong to a run: they lie in its folder, and ``env_kwargs`` name them ``run:NAME``, wherever the folder is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rlsuite.errors import RecordError
from rlsuite.experiments.records import CHECKPOINTS, CONFIG
from rlsuite.files import write_atomically

PREFIX = "run:"


def located(env_kwargs: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """``env_kwargs`` with the path of the file in place of every ``run:NAME``.

    Raises:
        RecordError: there is no such file in ``folder``, or it is named by a path.
    """
    return {key: _located(value, folder) for key, value in env_kwargs.items()}


def _located(value: Any, folder: Path) -> Any:
    if isinstance(value, list | tuple):
        return [_located(one, folder) for one in value]
    if not isinstance(value, str) or not value.startswith(PREFIX):
        return value
    name = value.removeprefix(PREFIX)
    if name != Path(name).name or not (folder / name).is_file():
        raise RecordError(f"{folder} needs the file {name!r} that its environment is made from, and does not hold it")
    return str(folder / name)


@contextmanager
def new_files(files: Mapping[str, bytes], folder: Path) -> Iterator[None]:
    """``files`` by name in the folder of a run that begins; they go again where it does not come to be one.

    Raises:
        RecordError: another run that is about to begin has such a file there.
    """
    outermost = folder
    while not outermost.parent.exists():
        outermost = outermost.parent
    made = []
    for name, data in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() != data:
            raise RecordError(f"{path} exists, of another run; choose another --name or remove it")
        if not path.exists():
            write_atomically(path, data)
            made.append(path)
    try:
        yield
    except BaseException:
        if made and not (folder / CONFIG).exists():
            for path in (*made, folder / ".lock"):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty: something of somebody else's is there
                for empty in (folder / CHECKPOINTS, folder, *folder.parents):
                    if empty.exists():
                        empty.rmdir()
                    if empty == outermost:
                        break
        raise
