"""Fitting: mini-batches, Adam, held-out data, early stopping on the best weights; the same for every model."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rlsuite.devices import device_named
from rlsuite.errors import DivergenceError, HyperparameterError
from rlsuite.seeding import checked_seed

if TYPE_CHECKING:
    from rlsuite.generative.model import GenerativeModel


@dataclass
class History:
    """What happened while fitting: mean losses at ``steps`` on training batches and on held-out data."""

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best_step: int = 0
    seconds: float = 0.0
    stopped_early: bool = False


def train(
    model: GenerativeModel,
    data: Tensor,
    condition: Tensor | None = None,
    *,
    steps: int,
    seed: int = 0,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    cosine_decay: bool = False,
    weight_decay: float = 0.0,
    max_grad_norm: float | None = None,
    held_out: tuple[Tensor, Tensor | None] | float = 0.1,
    evaluate_every: int | None = None,
    patience: int | None = None,
    normalise: bool = True,
    device: str = "auto",
    log_dir: str | Path | None = None,
    progress: Callable[[int, int, float], None] | bool = False,
) -> History:
    """Fit ``model`` to ``data (n, *event)`` by minimising the mean of its loss.

    The weights kept are those of the best evaluation on held-out data. A second call goes on, its optimiser new.

    Args:
        condition: ``(n, *condition)``.
        steps: how many updates at most.
        cosine_decay: the learning rate falls along half a cosine, to 0 after ``steps`` (Loshchilov and Hutter, 2017).
        seed: of the batches, the noise and every random number while fitting.
        held_out: events (and conditions) to evaluate on, or the fraction of ``data`` to set aside at random (0: none, and
            the last weights are kept). Frames of one recording are alike: give them contiguous held-out events.
        evaluate_every: in steps; by default a fiftieth of ``steps``.
        patience: stop after so many evaluations without improvement.
        normalise: fit the normaliser, where events are real and it has not been fitted.
        device: ``auto`` is the GPU where there is one, else the CPU; the model stays there.
        log_dir: a TensorBoard folder.
        progress: true for a bar, or called with step, steps and loss.

    Raises:
        HyperparameterError: sizes or numbers that make no sense.
        DivergenceError: the loss is not finite.
    """
    checked_seed(seed)
    if steps < 1 or batch_size < 1:
        raise HyperparameterError(f"steps and batch_size are at least 1, not {steps!r} and {batch_size!r}")
    where = device_named("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device_named(device)
    model.to(where)
    x, c = _checked(model, data, condition)
    sequence, noise_sequence = np.random.SeedSequence(seed).spawn(2)
    order = np.random.default_rng(sequence)
    noise = int(noise_sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
    generator = torch.Generator(where).manual_seed(noise)
    if isinstance(held_out, tuple):
        x_out, c_out = _checked(model, *held_out)
    else:
        if not 0.0 <= held_out < 1.0:
            raise HyperparameterError(f"held_out is a fraction in [0, 1), not {held_out!r}")
        chosen = torch.from_numpy(order.permutation(len(x))).to(where)
        n_out = round(held_out * len(x))
        x_out, x = x[chosen[:n_out]], x[chosen[n_out:]]
        if c is None:
            c_out = None
        else:
            c_out, c = c[chosen[:n_out]], c[chosen[n_out:]]
    if not len(x):
        raise HyperparameterError("no events are left to fit to")
    history, began = History(), time.perf_counter()
    every = evaluate_every or max(1, steps // 50)
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(noise)  # dropout knows no generator
        if normalise and not model.fitted:
            if model.support == "real":
                model.normalizer.fit(x)
            if c is not None:
                model.condition_normalizer.fit(c)
        with torch.no_grad():
            model._prepare(model.normalizer(x), None if c is None else model.condition_normalizer(c), generator)
        model.fitted = True
        groups = model._regroup()
        optimizer = (
            torch.optim.Adam(groups, lr=learning_rate, weight_decay=weight_decay, foreach=True)
            if any(group["params"] for group in groups)
            else None
        )
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if optimizer and cosine_decay else None
        best, best_weights, bad, running, since = float("inf"), None, 0, 0.0, 0
        with _reporting(model.name, log_dir, progress) as report:
            for step in range(1, (steps if optimizer else 0) + 1):
                chosen = torch.from_numpy(order.integers(len(x), size=min(batch_size, len(x)))).to(where)
                model.train()
                loss = model.loss(x[chosen], None if c is None else c[chosen], generator=generator).mean()
                assert optimizer is not None
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                if max_grad_norm is not None:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                model._after_step()
                running, since = running + loss.detach().item(), since + 1
                if not np.isfinite(running):
                    raise DivergenceError(
                        f"{model.name}: the loss is not finite at step {step}; try a smaller learning_rate or max_grad_norm"
                    )
                if step % every and step != steps:
                    continue
                history.steps.append(step)
                history.loss.append(running / since)
                running, since = 0.0, 0
                if len(x_out):
                    value = evaluate(model, x_out, c_out, seed=noise)
                    history.held_out.append(value)
                    if value < best:
                        best, bad, history.best_step = value, 0, step
                        best_weights = copy.deepcopy(model.state_dict())
                    else:
                        bad += 1
                report(step, steps, history)
                if patience is not None and bad >= patience:
                    history.stopped_early = True
                    break
        if best_weights is not None:
            model.load_state_dict(best_weights)
        elif history.steps:
            history.best_step = history.steps[-1]
    model.eval()
    history.seconds = time.perf_counter() - began
    return history


@torch.no_grad()
def evaluate(
    model: GenerativeModel, x: Tensor, condition: Tensor | None = None, *, seed: int = 0, batch_size: int = 1024
) -> float:
    """Mean loss over ``x``, with noise of its own from ``seed``, so that two evaluations of one model agree."""
    model.eval()
    generator = torch.Generator(model.device).manual_seed(seed)
    total = 0.0
    for i in range(0, len(x), batch_size):
        c = None if condition is None else condition[i : i + batch_size]
        total += model.loss(x[i : i + batch_size], c, generator=generator).double().sum().item()
    return total / len(x)


def _checked(model: GenerativeModel, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Events and conditions on the model's device and in its type, their first axes equal."""
    like = model.normalizer.mean
    x = torch.as_tensor(x).to(like)
    if tuple(x.shape[1:]) != model.event_shape:
        raise HyperparameterError(f"data has shape (n, {', '.join(map(str, model.event_shape))}), not {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise HyperparameterError(f"data has {int((~torch.isfinite(x)).sum())} entries that are not finite")
    if (condition is None) != (model.condition_shape is None):
        raise HyperparameterError(
            f"{model.name} needs a condition with every event"
            if condition is None
            else f"{model.name} was made without condition_shape and takes no condition"
        )
    if condition is not None:
        condition = torch.as_tensor(condition).to(like)
        if tuple(condition.shape) != (len(x), *(model.condition_shape or ())):
            raise HyperparameterError(
                f"condition has shape ({len(x)}, {', '.join(map(str, model.condition_shape or ()))}), "
                f"not {tuple(condition.shape)}"
            )
    return x, condition


@contextmanager
def _reporting(
    name: str, log_dir: str | Path | None, progress: Callable[[int, int, float], None] | bool
) -> Iterator[Callable[[int, int, History], None]]:
    """Yields what to call at each evaluation: it feeds TensorBoard, a bar, or the caller's own function."""
    with ExitStack() as stack:
        writer = bar = task = None
        if log_dir is not None:
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(log_dir))
            stack.callback(writer.close)
        if progress is True:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            bar = stack.enter_context(Progress(*columns, transient=True))
            task = bar.add_task(name)

        def report(step: int, steps: int, history: History) -> None:
            value = history.held_out[-1] if history.held_out else history.loss[-1]
            if writer is not None:
                writer.add_scalar("train/loss", history.loss[-1], step)
                if history.held_out:
                    writer.add_scalar("held_out/loss", value, step)
            if bar is not None and task is not None:
                bar.update(task, completed=step, total=steps, description=f"{name}: {value:.4g}")
            if callable(progress):
                progress(step, steps, value)

        yield report
