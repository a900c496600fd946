"""A motion prior that rewards a run besides its environment, or alone: the setting ``prior`` of ``config.yaml``.

The prior's file lies in the run's folder. It rewards training only: evaluations, films and policies in files are of the
environment without it, so that runs with different priors are judged alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gymnasium.vector import VectorEnv

from rlsuite.errors import HyperparameterError
from rlsuite.experiments.run_files import located

PRIOR_FILE = "prior.safetensors"
LIKELIHOOD_SCALE = 1.0  # so that a likelihood's reward, too, is a number from 0 to 1; diffusion has a scale of its own


@dataclass(frozen=True)
class RunPrior:
    """Fields of the setting.

    Attributes:
        file: a motion prior, as `rlsuite prior fit` writes it; ``run:NAME`` in a run's folder.
        weights: of the environment's own reward and of the prior's.
        scale: of :class:`~rlsuite.envs.wrappers.prior_reward.Naturalness`; none: the kind's own.
    """

    file: str
    weights: tuple[float, float] = (0.5, 0.5)
    scale: float | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "settings") -> RunPrior:
        """As ``config.yaml`` holds it.

        Raises:
            HyperparameterError: a field is missing, unknown, or of the wrong type.
        """
        unknown = set(values) - {"file", "weights", "scale"}
        if unknown or not isinstance(values.get("file"), str):
            raise HyperparameterError(f"{where}: prior has file, weights and scale, not {dict(values)!r}")
        weights, scale = values.get("weights", [0.5, 0.5]), values.get("scale")
        numbers = [*weights, 1.0 if scale is None else scale] if isinstance(weights, list | tuple) else []
        if len(numbers) != 3 or not all(type(x) in (int, float) and 0.0 <= x < float("inf") for x in numbers):
            raise HyperparameterError(
                f"{where}: prior has two weights, of the environment's reward and its own, and a scale, all finite and not "
                f"negative; not {weights!r} and {scale!r}"
            )
        return cls(values["file"], (float(weights[0]), float(weights[1])), None if scale is None else float(scale))

    def as_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` takes."""
        scale = {} if self.scale is None else {"scale": self.scale}
        return {"file": self.file, "weights": list(self.weights), **scale}

    def located(self, folder: Path) -> RunPrior:
        """With the path of the file in ``folder``.

        Raises:
            RecordError: it is not there.
        """
        return RunPrior(located({"file": self.file}, folder)["file"], self.weights, self.scale)

    def wrap(self, env: Any) -> Any:
        """The environment or vector environment, rewarded by the prior as well.

        Raises:
            RlsuiteError: the file holds no motion prior, its model cannot reward, or the environment is no humanoid.
        """
        from rlsuite.envs.wrappers.humanoid import check_fit, core_of
        from rlsuite.envs.wrappers.prior_reward import PriorReward, VectorPriorReward

        prior, scale = self.open()
        check_fit(prior, core_of(env))
        wrapper = VectorPriorReward if isinstance(env, VectorEnv) else PriorReward
        return wrapper(env, prior, weights=self.weights, scale=scale)

    def open(self) -> tuple[Any, float | None]:
        """The motion prior, and the scale of its reward.

        Raises:
            RecordError: the file holds none. CapabilityError: its model cannot reward.
        """
        from rlsuite.envs.wrappers.prior_reward import Naturalness
        from rlsuite.motion.priors.prior import MotionPrior

        prior = MotionPrior.load(self.file)
        kind = Naturalness(prior.model).kind
        return prior, LIKELIHOOD_SCALE if self.scale is None and kind != "score" else self.scale
