"""Neural fields as files: weights in ``.safetensors``, with the codes of shapes where there are some, arguments as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.generative.implicit.neural_field import NeuralField
from rlsuite.tensor_files import DAMAGE, damaged, read_file, with_suffix, write_file

FORMAT = "rlsuite-field-1"
_WHAT, _CODES = "implicit field", "codes"


def save(
    field: NeuralField, path: str | Path, codes: Tensor | None = None, *, about: dict[str, Any] | None = None
) -> Path:
    """Write ``field`` and the ``codes (shapes, size)`` it knows; ``about`` (JSON values) goes beside. Returns the path."""
    path = with_suffix(path)
    arrays = {f"field.{name}": tensor.detach().cpu().numpy() for name, tensor in field.state_dict().items()}
    if codes is not None:
        arrays[_CODES] = codes.detach().cpu().numpy()
    write_file(path, {"format": FORMAT, "arguments": field.hyperparameters, "about": about or {}}, arrays)
    return path


def load(path: str | Path) -> tuple[NeuralField, Tensor | None]:
    """The field that :func:`save` wrote, and its codes.

    Raises:
        RecordError: the file is missing, damaged, or of something else.
    """
    header, arrays = read_file(path, FORMAT, _WHAT)
    try:
        weights = {name[6:]: torch.from_numpy(a.copy()) for name, a in arrays.items() if name.startswith("field.")}
        hidden = [len(weights[f"trunk.layers.{i}.weight"]) for i in range(len(header["arguments"]["hidden"]))]
        if hidden != list(header["arguments"]["hidden"]):  # before memory is asked for by sizes that a file names
            raise ValueError(f"its layers have {hidden} units, not {header['arguments']['hidden']}")
        field = NeuralField(**header["arguments"])
        field.load_state_dict(weights)
    except RlsuiteError as error:
        raise RecordError(f"{path}: {error}") from None
    except DAMAGE as error:
        raise damaged(path, error, _WHAT) from None
    return field.eval(), torch.from_numpy(arrays[_CODES].copy()) if _CODES in arrays else None
