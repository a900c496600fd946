"""Models as files: weights in ``.safetensors``, the class's name and the constructor's arguments as JSON in its header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rlsuite.devices import device_named
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.generative.model import GenerativeModel
from rlsuite.generative.registry import create
from rlsuite.tensor_files import DAMAGE, damaged, read_file, with_suffix, write_file

FORMAT = "rlsuite-generative-1"
_WHAT = "generative model"


def save(model: GenerativeModel, path: str | Path, *, about: dict[str, Any] | None = None) -> Path:
    """Write ``model``; ``about`` (JSON values: the data, the command, scores) goes into the header. Returns the path."""
    path = with_suffix(path)
    header = {
        "format": FORMAT,
        "model": model.name,
        "hyperparameters": model.hyperparameters,
        "fitted": model.fitted,
        "about": about or {},
    }
    # a copy each, since tied weights must not share memory in the file
    arrays = {name: tensor.detach().cpu().clone().numpy() for name, tensor in model.state_dict().items()}
    write_file(path, header, arrays)
    return path


def load(path: str | Path, *, device: str = "cpu") -> GenerativeModel:
    """The model that :func:`save` wrote, ready to use.

    Raises:
        RecordError: the file is missing, damaged, or of something else.
        HyperparameterError: there is no such device.
    """
    where = device_named(device)
    header, arrays = read_file(path, FORMAT, _WHAT)
    try:
        arguments: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in header["hyperparameters"].items()
        }
        with torch.random.fork_rng(devices=[]):
            model = create(header["model"], **arguments)
        model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
        model.fitted = header["fitted"] is True
    except RlsuiteError as error:
        raise RecordError(f"{path}: {error}") from None
    except DAMAGE as error:
        raise damaged(path, error, _WHAT) from None
    return model.to(where).eval()


def about(path: str | Path) -> dict[str, Any]:
    """What was written beside the weights: the header of the file.

    Raises:
        RecordError: the file is missing, damaged, or of something else.
    """
    return read_file(path, FORMAT, _WHAT)[0]
