"""Pose estimators by name: which there are, and how a name or a file becomes one.

    load_estimator("heatmaps")            the network that is shipped
    load_estimator("pictorial")           the same network, its heatmaps joined by springs
    load_estimator("regression")          the same network, its head that regresses points directly
    load_estimator("run/pose.safetensors")               a network of one's own, as ``heatmaps``
    load_estimator("regression", "run/pose.safetensors") the same, another way of reading it

Networks are trained by :func:`rlsuite.motion.pose.heatmaps.train`, which writes such a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlsuite.errors import UnknownNameError
from rlsuite.motion.pose.estimator import PoseEstimator

# name -> module and function that is called with the network's file (None: the shipped one) and options
ESTIMATORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "heatmaps": ("rlsuite.motion.pose.heatmaps", "HeatmapEstimator"),
        "pictorial": ("rlsuite.motion.pose.pictorial", "PictorialEstimator"),
        "regression": ("rlsuite.motion.pose.regression", "RegressionEstimator"),
    }
)


def load_estimator(name_or_file: str | Path, file: str | Path | None = None, **options: Any) -> PoseEstimator:
    """The estimator of that name, or the heatmap estimator of a file.

    Args:
        name_or_file: one of :data:`ESTIMATORS`, or the path of a network's ``.safetensors`` file.
        file: a network's file for a named estimator; without one the shipped network.
        options: arguments of the estimator's constructor.

    Raises:
        UnknownNameError: neither a name nor a file that exists.
        RecordError: the file is truncated, damaged, or no pose network.
    """
    name = str(name_or_file)
    if name not in ESTIMATORS:
        if Path(name).suffix != ".safetensors" and not Path(name).exists():
            raise UnknownNameError("pose estimator", name, ESTIMATORS, f"{', '.join(ESTIMATORS)}, or a network's file")
        name, file = "heatmaps", name_or_file
    module, function = ESTIMATORS[name]
    estimator: PoseEstimator = getattr(import_module(module), function)(file, **options)
    return estimator
