"""Files of deep agents: whatever is done to one, loading gives the agent or a RecordError, nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.tensor_files import digest, read_file, write_file
from tests.agents.deep.linear_q import LinearQ


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def lake(n_envs: int = 1) -> Any:
    makers = [lambda: gym.make("FrozenLake-v1", max_episode_steps=9)] * n_envs
    return makers[0]() if n_envs == 1 else gym.vector.SyncVectorEnv(makers)


class Contents(tuple[dict[str, Any], dict[str, np.ndarray]]):
    """Header and arrays, short to print."""

    def __repr__(self) -> str:
        return "Contents(…)"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LinearQ(lake(), seed=0).learn(60).save(tmp_path_factory.mktemp("agents") / "agent")


@pytest.fixture(scope="module")
def contents(saved: Path) -> Contents:
    return Contents(read_file(saved, "rlsuite-deep-1"))


def loads_or_refuses(path: Path, env: Any = None) -> bool:
    """Whether it loads; anything but an agent that can act and learn, or a RecordError, is a failure of the test."""
    try:
        agent = LinearQ.load(path, env)
    except RecordError:
        return False
    assert agent.action_space.contains(agent.predict(0)[0])
    return True


def test_what_was_saved_is_what_is_loaded(saved: Path, tmp_path: Path) -> None:
    again = LinearQ.load(saved).save(tmp_path / "again")
    assert again.read_bytes() == saved.read_bytes()


def test_a_missing_file_and_another_agents_file(tmp_path: Path, saved: Path) -> None:
    class Other(LinearQ):
        name = "other"

    with pytest.raises(RecordError, match="no saved agent"):
        LinearQ.load(tmp_path / "none.safetensors")
    with pytest.raises(RecordError, match="holds a 'linear-q' agent, not 'other'"):
        Other.load(saved)


def test_a_device_that_is_not_there_is_no_fault_of_the_file(saved: Path) -> None:
    with pytest.raises(HyperparameterError, match="there is no device 'cuda:77' here"):
        LinearQ.load(saved, device="cuda:77")


def test_an_agent_of_another_environment_is_refused(saved: Path) -> None:
    with pytest.raises(RecordError):
        LinearQ.load(saved, gym.make("FrozenLake8x8-v1"))
    with pytest.raises(RecordError):
        LinearQ.load(saved, gym.make("CliffWalking-v1"))


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_and_flipped_files_are_refused(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(saved.read_bytes())
    if data.draw(st.booleans(), label="truncate"):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1), label="length")]
    else:
        where = data.draw(st.integers(0, len(raw) - 1), label="where")
        raw[where] ^= data.draw(st.integers(1, 255), label="flip")
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(raw)
    assert not loads_or_refuses(path) or equal_to_the_last_entry(path, saved)


def equal_to_the_last_entry(path: Path, saved: Path) -> bool:
    """A flip can hit what carries no meaning (the padding of the header); then nothing may have changed."""
    return LinearQ.load(path).save(path.with_name("again")).read_bytes() == saved.read_bytes()


STRANGE: Any = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([2**31, 2**62, 2**64, -(2**63), 10**30]),
    st.floats(), st.text(max_size=4), st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["array", "dict", "list", "kind", "x"]), st.integers(0, 2), max_size=2),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every entry inside JSON."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [p for key, child in children for p in [(*path, key), *places(child, (*path, key))]]


@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_header_values_that_were_changed_with_intent(contents: Contents, tmp_path: Path, data: st.DataObject) -> None:
    """With a right digest: whoever changes a header can also compute one."""
    header, arrays = copy.deepcopy(contents[0]), contents[1]
    *parents, last = data.draw(st.sampled_from(places(header)), label="place")
    owner: Any = header
    for key in parents:
        owner = owner[key]
    if data.draw(st.booleans(), label="remove"):
        del owner[last]
    else:
        owner[last] = data.draw(STRANGE, label="value")
    path = tmp_path / "changed.safetensors"
    write_file(path, header, arrays)
    loads_or_refuses(path)
    loads_or_refuses(path, lake())


@given(data=st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arrays_that_were_changed_with_intent(contents: Contents, tmp_path: Path, data: st.DataObject) -> None:
    header, arrays = contents[0], dict(contents[1])
    name = data.draw(st.sampled_from(sorted(arrays)), label="array")
    old = arrays.pop(name)
    kind = data.draw(st.sampled_from(["removed", "type", "shape", "values", "renamed"]), label="kind")
    if kind == "type":
        arrays[name] = old.astype(data.draw(st.sampled_from(["float64", "float16", "int8", "bool", "uint64"])))
    elif kind == "shape":
        shape = data.draw(st.sampled_from([(), (0,), (1,), (3, 1), (2, 2, 2), (100_000,)]), label="shape")
        arrays[name] = np.resize(old, shape) if old.size else np.zeros(shape, old.dtype)
    elif kind == "values":
        value = data.draw(st.sampled_from([0, 1, -1, 127, np.nan, np.inf]), label="value")
        with np.errstate(invalid="ignore"):
            arrays[name] = np.full_like(old, np.asarray(value).astype(old.dtype))
    elif kind == "renamed":
        arrays[f"{name}x"] = old
    path = tmp_path / "changed.safetensors"
    write_file(path, header, arrays)
    loads_or_refuses(path)


def test_nonsense_in_place_of_a_header(tmp_path: Path, contents: Any) -> None:
    for i, text in enumerate(["", "null", "[]", "{", '{"format": 1}', '{"format": "rlsuite-deep-1"}', "[" * 20_000]):
        path = tmp_path / f"{i}.safetensors"
        path.write_bytes(safetensors.numpy.save(contents[1], {"rlsuite": text}))
        assert not loads_or_refuses(path)
    signed = {"format": "rlsuite-deep-1", "agent": "linear-q"}
    signed["sha256"] = digest(signed, {})
    path = tmp_path / "empty.safetensors"
    path.write_bytes(safetensors.numpy.save({}, {"rlsuite": json.dumps(signed)}))
    assert not loads_or_refuses(path)


def test_a_scalar_keeps_its_shape(tmp_path: Path) -> None:
    write_file(tmp_path / "a.safetensors", {"format": "f"}, {"x": np.float32(2.5), "y": np.array([1.0])})
    _, arrays = read_file(tmp_path / "a.safetensors", "f")
    assert arrays["x"].shape == () and arrays["x"].dtype == np.float32 and arrays["y"].shape == (1,)
