"""Training a pose network on synthetic pictures: AdamW, a cosine schedule, weights averaged over time, and a checkpoint.

A run that is stopped and taken up again equals the run never stopped: batches are functions of seed and step, and the
checkpoint holds everything else.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from rlsuite import tensor_files
from rlsuite.errors import DivergenceError, HyperparameterError, MotionError, RecordError
from rlsuite.files import write_atomically
from rlsuite.motion import body
from rlsuite.motion.pose.crops import Square
from rlsuite.motion.pose.model_files import PoseModel
from rlsuite.motion.pose.networks import heatmap_loss
from rlsuite.motion.pose.refinement import regression_loss
from rlsuite.motion.pose.springs import SpringModel, tree
from rlsuite.motion.pose.synthetic_splits import HELD_OUT
from rlsuite.motion.pose.training_crops import DRAWN, Batch, Example, Examples, Pool
from rlsuite.seeding import checked_seed

Array = NDArray[np.float64]
CHECKPOINT = "rlsuite-pose-training-1"
PCK = 0.1  # of the greater side of the true points' box
Draw = Callable[[int], Example]


@dataclass(frozen=True)
class Settings:
    """How a pose network is made and trained.

    Attributes:
        steps: optimiser steps. batch_size: crops in each. learning_rate: at its highest, after ``warmup`` steps.
        size, stages, channels: of the network. refinements: of the regression head. regression_weight: of its loss.
        pool, fresh: pictures held, and drawn anew in each step. held_out: pictures that measure, never trained on.
        averaging: longest time in steps over which weights are averaged.
        bfloat16: whether convolutions round their inputs (faster on processors that can; weights stay float32).
        every: steps between checkpoints.
    """

    steps: int = 10_000
    batch_size: int = 32
    learning_rate: float = 2e-3
    warmup: int = 200
    size: int = 96
    stages: int = 2
    channels: tuple[int, int, int] = (32, 64, 64)
    refinements: int = 3
    regression_weight: float = 0.5
    pool: int = 1_500
    fresh: int = 2
    held_out: int = 200
    averaging: int = 500
    bfloat16: bool = False
    every: int = 500

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        least = {"fresh": 0, "refinements": 0, "warmup": 0}
        for name, value in asdict(self).items():
            if isinstance(value, int) and not isinstance(value, bool) and value < least.get(name, 1):
                raise HyperparameterError(f"{name} must be at least {least.get(name, 1)}, not {value}")
        if not self.learning_rate > 0 or not self.regression_weight >= 0:
            raise HyperparameterError("learning_rate must be above 0 and regression_weight not below 0")


def train(
    file: str | Path,
    *,
    seed: int = 0,
    resume: bool = True,
    log: Callable[[Mapping[str, Any]], None] | None = None,
    draw: Draw | None = None,
    draw_held_out: Draw | None = None,
    names: tuple[str, ...] | None = None,
    **settings: Any,
) -> PoseModel:
    """Train heatmaps and regression on synthetic pictures, and write the model to ``file``.

    Beside ``file`` a checkpoint ``NAME.checkpoint.safetensors`` and a log ``NAME.log.jsonl`` are kept. The estimators of
    :mod:`rlsuite.motion.pose.registry` read the file.

    Args:
        file: of the model (``.safetensors`` is added when missing).
        resume: go on from the checkpoint, where there is one.
        log: called with the entry of each checkpoint: step, losses, PCK on held-out pictures, seconds.
        draw, draw_held_out, names: pictures of one's own instead of the suite's, and the names of their points.
        settings: see :class:`Settings`.

    Raises:
        HyperparameterError: a setting that makes no sense or is unknown.
        RecordError: the checkpoint is damaged, or of other settings.
        DivergenceError: the loss is no longer a finite number.
    """
    try:
        chosen = Settings(**settings)
    except TypeError as error:
        raise HyperparameterError(f"unknown setting of pose training: {error}") from None
    return _Run(tensor_files.with_suffix(file), chosen, checked_seed(seed) or 0, draw, draw_held_out, names).go(
        resume, log
    )


class _Run:
    def __init__(
        self,
        file: Path,
        settings: Settings,
        seed: int,
        draw: Draw | None,
        draw_held_out: Draw | None,
        names: tuple[str, ...] | None,
    ) -> None:
        weights, drawn, batches, held_out = np.random.SeedSequence(seed).spawn(4)
        size = round(DRAWN * settings.size)
        if draw is None or draw_held_out is None or names is None:
            source = Examples(drawn, size)
            draw, draw_held_out, names = source, Examples(held_out, size, HELD_OUT), source.names
        self.file, self.settings, self.seed = file, settings, seed
        self.pool = Pool(draw, names, settings.size, size=settings.pool, fresh=settings.fresh, seed=batches)
        self.tests = [draw_held_out(i) for i in range(settings.held_out)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(weights.generate_state(1)[0]))
            make = (names, settings.size, settings.stages, settings.channels, settings.refinements)
            self.model, self.average = PoseModel.new(*make), PoseModel.new(*make)
        self.model.to(memory_format=torch.channels_last)
        self.average.to(memory_format=torch.channels_last)
        self.parameters = [*self.model.network.parameters(), *self.model.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, settings.learning_rate, weight_decay=1e-4)
        self.step, self.history, self.seconds = 0, list[dict[str, Any]](), 0.0

    @property
    def checkpoint(self) -> Path:
        return self.file.with_name(self.file.stem + ".checkpoint.safetensors")

    def go(self, resume: bool, log: Callable[[Mapping[str, Any]], None] | None) -> PoseModel:
        settings = self.settings
        if resume and self.checkpoint.exists():
            self._load()
        else:
            self._begin()
        sums, began, n = np.zeros(2), time.monotonic(), 0
        while self.step < settings.steps:
            batch = self.pool.batch(self.step, settings.batch_size)
            sums += self._update(batch)
            n += 1
            self.step += 1
            if self.step % settings.every == 0 or self.step == settings.steps:
                self.seconds += time.monotonic() - began
                heatmaps, regression = (sums / n).tolist()
                measured = evaluate(self._averaged(), self.tests)
                entry = {"step": self.step, "heatmap_loss": heatmaps, "regression_loss": regression, **measured}
                self.history.append(entry | {"seconds": round(self.seconds, 1)})
                self._save()
                if log is not None:
                    log(self.history[-1])
                sums, began, n = np.zeros(2), time.monotonic(), 0
        return self._finish()

    def _begin(self) -> None:
        """The mean pose, where regression begins."""
        seen = list(self.pool.held(0).values())[:500]
        points = torch.tensor(np.stack([_in_square(example) for example in seen]), dtype=torch.float32)
        relative = torch.tensor(np.stack([example.relative for example in seen]), dtype=torch.float32)
        self.model.head.fit_mean(points, relative)
        self.average.load_state(self.model.state())

    def _update(self, batch: Batch) -> Array:
        """One step of the optimiser; heatmap and regression loss."""
        settings, model = self.settings, self.model
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(self.step, settings.steps, settings.warmup)
        codec = model.codec
        model.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
            output = model.network(pictures(batch.images))
        target = torch.from_numpy(codec.encode(batch.keypoints * (codec.size / settings.size)))
        heatmaps = heatmap_loss(output.logits.float(), target, torch.from_numpy(batch.weight))
        wanted = model.head.standardised(
            torch.tensor(batch.keypoints / settings.size, dtype=torch.float32),
            torch.tensor(batch.relative, dtype=torch.float32),
        )
        regression = regression_loss(model.head(output.features.float()), wanted, torch.from_numpy(batch.bodies))
        loss = heatmaps + settings.regression_weight * regression
        if not torch.isfinite(loss):
            raise DivergenceError(f"the loss is {loss.item()} at step {self.step}; a lower learning_rate may help")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 2.0)
        self.optimizer.step()
        self._follow()
        return np.array([heatmaps.item(), regression.item()])

    @torch.no_grad()
    def _follow(self) -> None:
        """``average <- average + (weights - average) / min(step / 4 + 1, averaging)``: at first the weights themselves."""
        share = 1.0 / min(self.step / 4 + 1, self.settings.averaging)
        for theirs, ours in ((self.average.network, self.model.network), (self.average.head, self.model.head)):
            own = ours.state_dict()
            for name, value in theirs.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(own[name], share)
                else:
                    value.copy_(own[name])

    def _averaged(self) -> PoseModel:
        self.average.network.eval()
        self.average.head.eval()
        return self.average

    def _finish(self) -> PoseModel:
        model = self._averaged()
        fit_springs(model, list(self.pool.held(self.step).values())[:1000])
        model.card = {
            "settings": asdict(self.settings) | {"channels": list(self.settings.channels)},
            "seed": self.seed,
            "reached": self.history[-1] if self.history else {},
        }
        model.save(self.file)
        return PoseModel.load(self.file)

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        arrays = {f"model.{k}": v for k, v in self.model.state().items()}
        arrays |= {f"average.{k}": v for k, v in self.average.state().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            arrays |= {f"adam.{i}.{k}": v.numpy() for k, v in state.items()}
        header = {
            "format": CHECKPOINT, "settings": asdict(self.settings), "seed": self.seed, "step": self.step,
            "history": self.history, "seconds": self.seconds,
        }  # fmt: skip
        tensor_files.write_file(self.checkpoint, header, arrays)
        lines = "".join(json.dumps(entry) + "\n" for entry in self.history)
        write_atomically(self.file.with_name(self.file.stem + ".log.jsonl"), lines)

    def _load(self) -> None:
        header, arrays = tensor_files.read_file(self.checkpoint, CHECKPOINT, "pose training")
        try:
            theirs = Settings(**header["settings"])
            if (theirs, header["seed"]) != (self.settings, self.seed):
                raise RecordError(
                    f"{self.checkpoint} is of other settings or another seed; train without resuming, or to another file"
                )
            for prefix, model in (("model", self.model), ("average", self.average)):
                dot = prefix + "."
                model.load_state({k.removeprefix(dot): v for k, v in arrays.items() if k.startswith(dot)})
            state = {
                i: {k: torch.from_numpy(np.array(arrays[f"adam.{i}.{k}"])) for k in ("step", "exp_avg", "exp_avg_sq")}
                for i in range(len(self.parameters))
            }
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})
            self.step, self.seconds = int(header["step"]), float(header["seconds"])
            self.history = [dict(entry) for entry in header["history"]]
        except RecordError:
            raise
        except tensor_files.DAMAGE as error:
            raise tensor_files.damaged(self.checkpoint, error, "pose training") from None


def schedule(step: int, steps: int, warmup: int) -> float:
    """Share of the highest learning rate: up along a line, down along half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def pictures(images: ArrayLike) -> torch.Tensor:
    """``(B, S, S, 3)`` uint8 to ``(B, 3, S, S)`` of 0 to 1, channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div_(255)


def _in_square(example: Example) -> Array:
    """Points in shares of a crop a quarter larger than the body's square, the mean over all that are trained on."""
    square = Square.around(example.keypoints)
    return square._replace(side=1.25 * square.side).to_crop(example.keypoints, 1)


# -- measuring ---------------------------------------------------------------------------------------------------------


def extent(points: ArrayLike) -> Array:
    """``(...)`` greater side of the box around points ``(..., K, 2)``."""
    xy = np.asarray(points, np.float64)
    return (xy.max(-2) - xy.min(-2)).max(-1)


def pck(points: ArrayLike, truth: ArrayLike, share: float = PCK) -> NDArray[np.bool_]:
    """``(..., K)`` which points ``(..., K, 2)`` lie within ``share`` of the greater side of the true points' box."""
    truth = np.asarray(truth, np.float64)
    return np.linalg.norm(np.asarray(points, np.float64) - truth, axis=-1) <= share * extent(truth)[..., None]


@torch.inference_mode()
def evaluate(model: PoseModel, examples: list[Example]) -> dict[str, float]:
    """Share of points found by heatmaps and by regression, mean error of heatmaps in shares of the box, in given squares.

    Raises:
        MotionError: no example.
    """
    if not examples:
        raise MotionError("nothing to evaluate on: no picture was given")
    found = [_read(model, examples[i : i + 32]) for i in range(0, len(examples), 32)]
    truth, heatmaps, regressed = (np.concatenate(parts) for parts in zip(*found, strict=True))
    error = np.linalg.norm(heatmaps - truth, axis=-1) / extent(truth)[:, None]
    return {
        "pck_heatmaps": float(pck(heatmaps, truth).mean()),
        "pck_regression": float(pck(regressed, truth).mean()),
        "median_error": float(np.median(error)),
    }


def _read(model: PoseModel, examples: list[Example]) -> tuple[Array, Array, Array]:
    """True points, those of heatmaps and of regression, ``(n, K, 2)`` pixels of the crops."""
    size, codec = model.network.size, model.codec
    images, truth = [], []
    for example in examples:
        square = Square.around(example.keypoints)
        square = square._replace(side=1.2 * square.side)
        images.append(square.cut(example.image, size))
        truth.append(square.to_crop(example.keypoints, size))
    output = model.network(pictures(np.stack(images)))
    decoded = codec.decode(output.heatmaps().numpy())
    regressed = model.head.read(model.head(output.features)[-1]).points.numpy() * size
    return np.stack(truth), decoded.points * (size / codec.size), regressed.astype(np.float64)


@torch.inference_mode()
def fit_springs(model: PoseModel, examples: list[Example]) -> None:
    """The springs of pictorial structures: about the mean pose, and about what is regressed; units are boxes' sides."""
    skeleton = body.skeleton()
    parents = tree(skeleton) if tuple(skeleton.keypoints) == model.names else _star(len(model.names))
    found = [_read(model, examples[i : i + 32]) for i in range(0, len(examples), 32)]
    truth, _, regressed = (np.concatenate(parts) for parts in zip(*found, strict=True))
    unit = extent(truth)
    model.springs = SpringModel.fit(parents, truth, unit)
    model.residual = SpringModel.fit(parents, truth - regressed, unit)


def _star(n: int) -> tuple[int, ...]:
    """A tree for points of which nothing is known: a star, all on the first."""
    return (-1, *[0] * (n - 1))
