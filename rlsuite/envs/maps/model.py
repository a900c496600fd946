"""A generative model of maps: what it learned from, how starts and goals come in, sampling, scores, and its file.

Starts and goals come in one of three ways:

``learned``   they are kinds of cells like others; a sample without exactly one of each is no solvable map.
``fixed``     all training maps have them in the same two cells, and so have samples: a model that can complete events is
              given that these are free, and of another a sample with a wall there is no solvable map.
``farthest``  training maps lose theirs, and samples get them in the two cells whose shortest way is longest; a sample can
              then always be solved unless it has not two free cells side by side.

``learned`` and ``fixed`` say something about the model where they count solvable samples, ``farthest`` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.envs.maps.cells import (
    FREE,
    GOAL,
    LARGEST_SIDE,
    LEAST_SIDE,
    PIT,
    START,
    WALL,
    Cell,
    Chars,
    endpoints,
    farthest_endpoints,
    solution_length,
    with_endpoints,
    without_endpoints,
)
from rlsuite.envs.maps.suitability import (
    constructor_arguments,
    decided_by_maps,
    likelihood_name,
    representation,
)
from rlsuite.errors import ConvergenceError, HyperparameterError, InvalidEnvironmentError, RecordError
from rlsuite.generative import registry, storage
from rlsuite.generative.capabilities import Bound, Completion, Density, energy_of
from rlsuite.generative.model import GenerativeModel
from rlsuite.generative.training import History

Endpoints = Literal["learned", "fixed", "farthest"]
COPIES = 8  # of each training map, and draws in each bound, with noise of their own, where maps are dequantised
MOST_TRIES = 200  # samples drawn for each solvable one before giving up


@dataclass
class MapModel:
    """A fitted model and what is needed to turn its events into maps.

    Attributes:
        alphabet: the kinds of cells that an event's values 0, 1 … stand for.
        ends: how starts and goals come in.
        fixed: start and goal, where they are fixed.
        training: ``(n, rows, cols)`` the maps it was fitted to, for novelty; as they were, with starts and goals.
        held_out: ``(n, rows, cols)`` maps kept aside.
    """

    model: GenerativeModel
    alphabet: str
    ends: Endpoints
    fixed: tuple[Cell, Cell] | None
    training: Chars
    held_out: Chars

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a map."""
        return int(self.training.shape[1]), int(self.training.shape[2])

    @property
    def score_name(self) -> str:
        """What :meth:`scores` are."""
        return likelihood_name(self.model)

    def events(self, maps: Chars) -> Tensor:
        """Maps ``(n, rows, cols)`` as the model's events, not dequantised yet."""
        if self.ends != "learned":
            maps = without_endpoints(maps)
        codes = np.full(maps.shape, -1)
        for value, character in enumerate(self.alphabet):
            codes[maps == character] = value
        if (codes < 0).any():
            raise InvalidEnvironmentError(
                f"{self.model.name} was made for cells {' '.join(self.alphabet)}, not {maps[codes < 0][0]!r}"
            )
        return torch.from_numpy(codes).to(torch.get_default_dtype()).reshape(-1, *self.model.event_shape)

    def scores(self, maps: Chars, *, seed: int = 0) -> NDArray[np.float64]:
        """``(n)`` nats per cell: −log P exactly, an upper bound of it, or an energy, as :attr:`score_name` says."""
        x = self.events(maps).to(self.model.device)
        generator = torch.Generator(self.model.device).manual_seed(seed)
        energy = energy_of(self.model)
        if isinstance(self.model, Density | Bound) and self.score_name != "energy":
            energy = _nll(self.model)
        with torch.no_grad():
            if self.score_name == "bound (dequantised)":
                x = _dequantised(x.expand(COPIES, *x.shape), generator)
                values = energy(x, generator=generator).mean(0)
            else:
                values = energy(x, generator=generator)
        return values.double().cpu().numpy() / self.training[0].size

    def sample(self, n: int, seed: int | np.random.SeedSequence = 0, *, solvable: bool = False) -> tuple[Chars, int]:
        """``(n, rows, cols)`` maps, and how many were drawn for them.

        With ``solvable``, maps are drawn until ``n`` can be solved: the model's distribution, given that.

        Raises:
            ConvergenceError: far too few samples can be solved.
        """
        sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        generator = torch.Generator(self.model.device)
        generator.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        if not solvable:
            return self._draw(n, generator), n
        found: list[Chars] = []
        tried = 0
        while len(found) < n:
            if tried >= MOST_TRIES * n:
                raise ConvergenceError(
                    f"{len(found)} of {tried} maps of this {self.model.name} can be solved, {n} are wanted; fit it longer, "
                    "to more maps, or with other hyperparameters"
                )
            batch = self._draw(max(n, 8), generator)
            for cells in batch:
                tried += 1
                if solution_length(cells) is not None:
                    found.append(cells)
                    if len(found) == n:
                        break
        return np.stack(found), tried

    def _draw(self, n: int, generator: torch.Generator) -> Chars:
        known = mask = None
        if self.fixed is not None and isinstance(self.model, Completion) and self.model.support != "real":
            known = torch.full(self.model.event_shape, float(self.alphabet.index(FREE)))
            mask = torch.zeros(self.model.event_shape, dtype=torch.bool)
            for cell in self.fixed:
                mask[cell] = True
        drawn = self.model.sample(n, known=known, mask=mask, generator=generator).reshape(n, *self.shape)
        codes = drawn.floor().clamp(0, len(self.alphabet) - 1).long().cpu().numpy()
        maps = np.array(list(self.alphabet))[codes]
        if self.fixed is not None:
            maps = np.stack([with_endpoints(cells, *self.fixed) for cells in maps])
        elif self.ends == "farthest":
            maps = np.stack([farthest_endpoints(cells) for cells in maps])
        return maps

    def save(self, path: str | Path, about: dict[str, Any] | None = None) -> Path:
        """Write the model with its maps; returns the path."""
        maps = {
            "alphabet": self.alphabet,
            "endpoints": self.ends,
            "fixed": self.fixed,
            "training": _packed(self.training),
            "held_out": _packed(self.held_out),
            "shape": self.shape,
        }
        return storage.save(self.model, path, about={"maps": maps, **(about or {})})


def fit(
    maps: Chars,
    model: str = "made",
    *,
    ends: Endpoints | None = None,
    held_out: float = 0.1,
    steps: int = 2000,
    seed: int = 0,
    hyperparameters: dict[str, Any] | None = None,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    patience: int | None = None,
    device: str = "auto",
    log_dir: str | Path | None = None,
    progress: Callable[[int, int, float], None] | bool = False,
) -> tuple[MapModel, History]:
    """Fit a model named ``model`` to ``maps (n, rows, cols)``, a share of which, drawn at random, is held out.

    Args:
        ends: how starts and goals come in; by default ``learned`` where model and maps have them as kinds of cells, else
            ``fixed`` where all maps have them in the same cells, else ``farthest``.
        hyperparameters: of the model.

    Raises:
        CapabilityError: the model does not suit maps.
        HyperparameterError: numbers or hyperparameters that make no sense, maps that do not fit ``ends``.
    """
    cls = registry.model_class(model)
    kind = representation(cls)
    given = dict(hyperparameters or {})
    for name in given:
        if decided_by_maps(name):
            raise HyperparameterError(f"{name} is decided by the maps; leave it out")
    if not 0.0 <= held_out < 1.0 or len(maps) - round(held_out * len(maps)) < 1:
        raise HyperparameterError(f"held_out leaves no maps to fit to: {held_out!r} of {len(maps)}")
    both = [endpoints(cells) for cells in maps]
    same = both[0] if both[0] is not None and all(pair == both[0] for pair in both) else None
    if ends is None:
        ends = "learned" if kind == "categorical" and None not in both else "fixed" if same else "farthest"
    _check_ends(ends, kind, None in both, same is not None, model)
    alphabet = FREE + WALL + (START + GOAL if ends == "learned" else "") + (PIT if (maps == PIT).any() else "")
    if kind != "categorical" and PIT in alphabet:
        raise HyperparameterError(f"{model} knows walls and nothing else, but these maps have pits (H)")
    order_seed, torch_seed, noise_seed = (
        int(child.generate_state(1, np.uint64)[0] >> np.uint64(1)) for child in np.random.SeedSequence(seed).spawn(3)
    )
    order = np.random.default_rng(order_seed).permutation(len(maps))
    n_out = round(held_out * len(maps))
    arguments = constructor_arguments(cls, (int(maps.shape[1]), int(maps.shape[2])), len(alphabet))
    fitted = MapModel(
        registry.create(model, seed=torch_seed, **arguments, **given),
        alphabet,
        ends,
        same if ends == "fixed" else None,
        maps[order[n_out:]],
        maps[order[:n_out]],
    )
    x, x_out = fitted.events(fitted.training), fitted.events(fitted.held_out)
    if kind == "dequantised":
        noise = torch.Generator().manual_seed(noise_seed)
        x, x_out = (_dequantised(part.repeat(COPIES, 1, 1, 1), noise) for part in (x, x_out))
    history = fitted.model.fit(
        x,
        steps=steps,
        seed=torch_seed,
        held_out=(x_out, None),
        batch_size=batch_size,
        learning_rate=learning_rate,
        patience=patience if n_out else None,
        device=device,
        log_dir=log_dir,
        progress=progress,
    )
    return fitted, history


def load(path: str | Path, *, device: str = "cpu") -> MapModel:
    """The model that :meth:`MapModel.save` wrote.

    Raises:
        RecordError: the file is missing, damaged, or of a model that was not fitted to maps.
    """
    model = storage.load(path, device=device)
    written = storage.about(path)["about"]
    about = written.get("maps") if isinstance(written, dict) else None
    if not isinstance(about, dict):
        raise RecordError(f"{path} holds a generative model, but none of maps; `rlsuite maps fit` makes one")
    try:
        alphabet, ends, fixed, shape = about["alphabet"], about["endpoints"], about["fixed"], about["shape"]
        rows, cols = (int(side) for side in shape)
        sound = (
            isinstance(alphabet, str)
            and alphabet
            in (FREE + WALL, FREE + WALL + PIT, FREE + WALL + START + GOAL, FREE + WALL + START + GOAL + PIT)
            and ends in get_args(Endpoints)
            and (ends == "learned") == (START in alphabet)
            and (ends == "fixed") == (fixed is not None)
            and LEAST_SIDE <= min(rows, cols) <= max(rows, cols) <= LARGEST_SIDE
            and model.event_size == rows * cols
        )
        if not sound:
            raise ValueError("the description of its maps contradicts itself")
        pair = None
        if fixed is not None:
            (a, b), (c, d) = fixed
            pair = ((int(a), int(b)), (int(c), int(d)))
            if not all(0 <= r < rows and 0 <= col < cols for r, col in pair):
                raise ValueError("its start or goal lies off the map")
        training, held_out = (_unpacked(about[name], rows, cols) for name in ("training", "held_out"))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"{path} is no model of maps, or is damaged: {' '.join(str(error).split())}") from None
    if not len(training):
        raise RecordError(f"{path} lacks the maps that its model was fitted to")
    return MapModel(model, alphabet, ends, pair, training, held_out)


def _check_ends(ends: str, kind: str, some_lack_them: bool, same: bool, model: str) -> None:
    if ends not in get_args(Endpoints):
        raise HyperparameterError(f"endpoints are {', '.join(get_args(Endpoints))}, not {ends!r}")
    if ends == "learned" and kind != "categorical":
        raise HyperparameterError(f"{model} knows walls and nothing else; endpoints are fixed or farthest with it")
    if ends == "learned" and some_lack_them:
        raise HyperparameterError("endpoints cannot be learned: some maps lack a start or a goal; take farthest")
    if ends == "fixed" and not same:
        raise HyperparameterError("endpoints are not fixed: the maps have them in different cells; take farthest")


def _nll(model: GenerativeModel) -> Callable[..., Tensor]:
    """−log_prob, else −bound: what a probability says comes before what an energy says."""
    if isinstance(model, Density):
        density = model
        return lambda x, generator=None: -density.log_prob(x)
    assert isinstance(model, Bound)
    bounded = model
    return lambda x, generator=None: -bounded.bound(x, generator=generator)


def _dequantised(x: Tensor, generator: torch.Generator) -> Tensor:
    return x + torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _packed(maps: Chars) -> list[str]:
    return ["".join(cells.ravel()) for cells in maps]


def _unpacked(packed: Any, rows: int, cols: int) -> Chars:
    known = set(FREE + WALL + START + GOAL + PIT)
    if not isinstance(packed, list) or not all(
        isinstance(m, str) and len(m) == rows * cols and set(m) <= known for m in packed
    ):
        raise ValueError("its maps are none")
    return np.array([list(m) for m in packed], dtype="<U1").reshape(-1, rows, cols)
