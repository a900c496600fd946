"""Torch devices by name."""

from __future__ import annotations

import torch

from rlsuite.errors import HyperparameterError


def device_named(name: str) -> torch.device:
    """The torch device ``name``.

    Raises:
        HyperparameterError: there is no such device here.
    """
    right = "use auto, cpu, cuda or cuda:N (N counts from 0)"
    try:
        device = torch.device(name)
    except RuntimeError:  # which lists every kind of device that torch was ever built for
        raise HyperparameterError(f"{name!r} is not a device; {right}") from None
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise HyperparameterError(f"there is no device {name!r} here ({reason}); {right}") from None
    return device
