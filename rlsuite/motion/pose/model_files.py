"""A trained pose model: the network, its regression head and springs, names of its points, and a card, in one file.

Weights are kept in half precision: the rounding moves a point by less than a hundredth of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlsuite import tensor_files
from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.motion.pose.codec import Codec
from rlsuite.motion.pose.networks import PoseNetwork
from rlsuite.motion.pose.refinement import RefinementHead
from rlsuite.motion.pose.springs import SpringModel

FORMAT = "rlsuite-pose-network-1"
SHIPPED = Path(__file__).with_name("models") / "humanoid.safetensors"
_LIMITS = {
    "size": 512,
    "stages": 16,
    "refinements": 64,
    "hidden": 4096,
    "squeezed": 512,
}  # of what a header may ask for


@dataclass(eq=False)
class PoseModel:
    """Everything that reads key points from crops.

    Attributes:
        network, head: in evaluation mode after :meth:`load`. names: of the ``K`` points.
        springs: of the parts, in sides of the box around the body (pictorial structures).
        residual: the same about the regressed offsets. card: how it was trained and what it reached.
    """

    network: PoseNetwork
    head: RefinementHead
    names: tuple[str, ...]
    sigma: float = 1.0
    springs: SpringModel | None = None
    residual: SpringModel | None = None
    card: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def new(
        cls, names: tuple[str, ...], size: int, stages: int, channels: tuple[int, int, int], refinements: int
    ) -> PoseModel:
        network = PoseNetwork(len(names), size, stages, channels)
        return cls(network, RefinementHead(len(names), channels[2], network.grid // 4, refinements), names)

    @property
    def codec(self) -> Codec:
        return Codec(self.network.grid, self.sigma)

    def to(self, *args: Any, **kwargs: Any) -> PoseModel:
        """Moves network and head, as :meth:`torch.nn.Module.to`."""
        self.network.to(*args, **kwargs)
        self.head.to(*args, **kwargs)
        return self

    def state(self) -> dict[str, np.ndarray]:
        """Weights and buffers by name."""
        modules = {"network": self.network, "head": self.head}
        return {
            f"{prefix}.{name}": value.detach().cpu().numpy()
            for prefix, module in modules.items()
            for name, value in module.state_dict().items()
        }

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """The inverse of :meth:`state`.

        Raises:
            ValueError: a name is missing, of another shape, or not finite.
        """
        for prefix, module in (("network", self.network), ("head", self.head)):
            given = {}
            for name, value in module.state_dict().items():
                array = arrays[f"{prefix}.{name}"]
                if array.shape != tuple(value.shape) or not np.isfinite(array).all():
                    raise ValueError(f"{prefix}.{name} is not finite numbers of shape {tuple(value.shape)}")
                given[name] = torch.from_numpy(np.array(array)).to(value.dtype)
            module.load_state_dict(given)

    def save(self, path: str | Path) -> None:
        """Write the model to ``path`` in one step."""
        arrays = {
            name: value.astype(np.float16) if value.dtype == np.float32 else value
            for name, value in self.state().items()
        }
        for prefix, springs in (("springs", self.springs), ("residual", self.residual)):
            if springs is not None:
                arrays[f"{prefix}.mean"], arrays[f"{prefix}.deviation"] = springs.mean, springs.deviation
                arrays[f"{prefix}.share"] = springs.share
        header = {
            "format": FORMAT,
            "names": list(self.names),
            "size": self.network.size,
            "stages": self.network.stages,
            "channels": list(self.network.channels),
            "refinements": self.head.stages,
            "hidden": self.head.hidden,
            "squeezed": self.head.squeezed,
            "sigma": self.sigma,
            "parents": None if self.springs is None else list(self.springs.parents),
            "card": self.card,
        }
        tensor_files.write_file(Path(path), header, arrays)

    @classmethod
    def load(cls, path: str | Path | None = None) -> PoseModel:
        """The model of a file, or without one the shipped model, in evaluation mode.

        Raises:
            RecordError: the file is missing, truncated, damaged, or no pose model.
        """
        file = SHIPPED if path is None else Path(path)
        header, arrays = tensor_files.read_file(file, FORMAT, "pose model")
        try:
            return _built(header, arrays)
        except RlsuiteError as error:
            raise RecordError(f"{file} is not a saved pose model, or is damaged: {error}") from None
        except tensor_files.DAMAGE as error:
            raise tensor_files.damaged(file, error, "pose model") from None


def _built(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> PoseModel:
    names, channels = tuple(map(str, header["names"])), tuple(map(int, header["channels"]))
    numbers = {key: int(header[key]) for key in _LIMITS}
    if any(not 0 <= numbers[key] <= limit for key, limit in _LIMITS.items()):
        raise ValueError(f"sizes out of range: {numbers}")
    if not 1 <= len(names) <= 512 or len(channels) != 3 or not all(1 <= c <= 1024 for c in channels):
        raise ValueError(f"{len(names)} points and channels {channels}")
    sigma = float(header["sigma"])
    network = PoseNetwork(len(names), numbers["size"], numbers["stages"], (channels[0], channels[1], channels[2]))
    head = RefinementHead(
        len(names), channels[2], network.grid // 4, numbers["refinements"], numbers["hidden"], numbers["squeezed"]
    )
    model = PoseModel(network, head, names, sigma, card=dict(header["card"]))
    Codec(network.grid, sigma)  # refuses a sigma that makes no sense
    model.load_state(arrays)
    if header["parents"] is not None:
        parents = tuple(map(int, header["parents"]))
        model.springs, model.residual = (_springs(parents, arrays, prefix) for prefix in ("springs", "residual"))
    network.eval()
    head.eval()
    return model.to(memory_format=torch.channels_last)


def _springs(parents: tuple[int, ...], arrays: dict[str, np.ndarray], prefix: str) -> SpringModel:
    mean, deviation, share = (arrays[f"{prefix}.{name}"].astype(np.float64) for name in ("mean", "deviation", "share"))
    springs = SpringModel(parents, mean, deviation, share)
    if not (share > 0).all() or not (deviation > 0).all():
        raise ValueError("springs need deviations and shares above 0")
    springs.at(1.0)  # refuses shapes that do not fit
    return springs
