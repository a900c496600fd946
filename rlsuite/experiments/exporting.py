"""Export: the deterministic policy of an agent as an ONNX graph, normalisation and action scaling included.

The graph takes a batch of any size. Before it is written it runs under onnxruntime and must answer as the agent does.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlsuite.errors import InvalidEnvironmentError, RlsuiteError
from rlsuite.files import write_atomically

OBSERVATION, ACTION = "observation", "action"  # names of input and output; Dict observations: an input for each key
SAMPLES = 256
TOLERANCE = 1e-4  # of continuous actions, relative to their range or to 1


def export_onnx(agent: Any, path: Path, *, run: str = "") -> Path:
    """Write the policy of a deep agent to ``path``.

    Metadata of the file: ``env``, ``algo``, ``run``, ``observation_space`` and ``action_space`` (as JSON).

    Raises:
        InvalidEnvironmentError: ONNX or onnxruntime is not installed.
        HyperparameterError: the agent's algorithm does not give its policy as a module.
        RlsuiteError: the agent has no network, or the graph does not answer as the agent does.
    """
    require_onnx()
    if not hasattr(agent, "policy_module"):
        raise RlsuiteError(f"{agent.name} is a tabular algorithm: it has no network to export")
    env = agent.env
    metadata = {
        "env": env.spec.id if env is not None and env.spec is not None else "",
        "algo": agent.name,
        "run": run,
        "observation_space": json.dumps(describe(agent.observation_space)),
        "action_space": json.dumps(describe(agent.action_space)),
    }
    members = getattr(env, "envs", None)
    if not metadata["env"] and members and members[0].spec is not None:
        metadata["env"] = members[0].spec.id
    data = _graph(agent, metadata)
    check(agent, data)
    write_atomically(path, data)
    return path


def require_onnx() -> None:
    """Raise where what export needs is not installed.

    Raises:
        InvalidEnvironmentError: naming the extra.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # type: ignore[import-untyped]  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InvalidEnvironmentError(f"export needs {error.name}: pip install 'rlsuite[onnx]'") from None


def _graph(agent: Any, metadata: dict[str, str]) -> bytes:
    import onnx
    import torch

    from rlsuite.agents.deep.observations import as_tensors, stack

    space = agent.observation_space
    module = agent.policy_module()
    names = list(space.spaces) if isinstance(space, spaces.Dict) else [OBSERVATION]

    class Inputs(torch.nn.Module):
        """One positional input for every entry of a Dict."""

        def __init__(self) -> None:
            super().__init__()
            self.policy = module

        def forward(self, *tensors: Any) -> Any:
            if isinstance(space, spaces.Dict):
                return self.policy(dict(zip(names, tensors, strict=True)))
            return self.policy(tensors[0])

    batch = as_tensors(stack(_observations(space, 2), space), torch.device("cpu"))
    inputs = tuple(batch[name] for name in names) if isinstance(space, spaces.Dict) else (batch,)
    dimension = torch.export.Dim("batch")
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            Inputs().eval(), inputs, dynamo=True, verbose=False, input_names=names, output_names=[ACTION],
            dynamic_shapes=(tuple({0: dimension} for _ in inputs),),
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells its own developers much: warnings, log lines and prints that no user can act on."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def check(agent: Any, data: bytes, n: int = SAMPLES) -> None:
    """Compare the graph with ``agent.predict`` on ``n`` observations, as one batch and one by one.

    Raises:
        RlsuiteError: they differ.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    rows = _observations(agent.observation_space, n)
    expected = np.stack([agent.predict(row, deterministic=True)[0] for row in rows])
    for size in (n, 1):
        got = np.concatenate([run(session, agent.observation_space, rows[i : i + size]) for i in range(0, n, size)])
        if not _agree(got, expected, agent.action_space):
            worst = int(np.abs(got.astype(float) - expected).reshape(n, -1).max(axis=1).argmax())
            raise RlsuiteError(
                f"the exported graph answers {got[worst]} where {agent.name} answers {expected[worst]}, on the "
                f"observation {rows[worst]!r}; nothing was written"
            )


def run(session: Any, space: gym.Space[Any], observations: list[Any]) -> np.ndarray:
    """``(batch, …)`` actions of a graph for a list of observations."""
    from rlsuite.agents.deep.observations import stack

    batch = stack(observations, space)
    feed = batch if isinstance(space, spaces.Dict) else {OBSERVATION: batch}
    wanted = {given.name for given in session.get_inputs()}  # what the policy does not look at is no input
    return np.asarray(session.run([ACTION], {name: feed[name] for name in wanted})[0])


def _agree(got: np.ndarray, expected: np.ndarray, space: gym.Space[Any]) -> bool:
    if got.shape != expected.shape:
        return False
    if not isinstance(space, spaces.Box):
        return bool((got == expected).all())
    width = np.where(np.isfinite(space.high - space.low), space.high - space.low, 1.0)
    return bool((np.abs(got - expected) <= TOLERANCE * np.maximum(width, np.abs(expected))).all())


def _observations(space: gym.Space[Any], n: int) -> list[Any]:
    """Drawn from the space; always the same."""
    space = copy.deepcopy(space)  # the generator of the environment's own space is part of its state
    space.seed(0)
    return [space.sample() for _ in range(n)]


def describe(space: gym.Space[Any]) -> dict[str, Any]:
    """A space as JSON; bounds that are the same everywhere as one number, infinite ones as ``null``."""
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": {key: describe(leaf) for key, leaf in space.spaces.items()}}
    told: dict[str, Any] = {"type": type(space).__name__, "shape": list(space.shape or ()), "dtype": str(space.dtype)}
    if isinstance(space, spaces.Box):
        return told | {"low": _bounds(space.low), "high": _bounds(space.high)}
    if isinstance(space, spaces.Discrete):
        return told | {"n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return told | {"nvec": space.nvec.tolist(), "start": space.start.tolist()}
    return told


def _bounds(bounds: np.ndarray) -> Any:
    if bounds.size and (bounds == bounds.flat[0]).all():
        return float(bounds.flat[0]) if np.isfinite(bounds.flat[0]) else None
    return [_bounds(row) if row.ndim else (float(row) if np.isfinite(row) else None) for row in bounds]
