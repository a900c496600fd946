"""Checkpoints of a run: the newest few are kept, ``last`` is the newest whole one, a damaged one is named."""

from __future__ import annotations

import pytest

import rlsuite
from rlsuite.errors import RecordError
from rlsuite.experiments.checkpoints import (
    checkpoint_file,
    checkpoint_names,
    choose_checkpoint,
    discard_after,
    prune,
    read_checkpoint,
    saved_steps,
    sweep_temporary,
)


def read(path):
    text = path.read_text()
    if text == "damaged":
        raise RecordError(f"{path} is damaged")
    return text


def fill(folder, **contents):
    (folder / "checkpoints").mkdir(exist_ok=True)
    for name, text in contents.items():
        checkpoint_file(folder, name.lstrip("x")).write_text(text)
    return folder


def test_last_is_the_newest_whole_one(tmp_path, caplog):
    fill(tmp_path, x9_steps="nine", x100_steps="hundred", x1000_steps="damaged", best="best")
    assert checkpoint_names(tmp_path) == ["best", "last", "9_steps", "100_steps", "1000_steps"]
    assert choose_checkpoint(tmp_path) == "last"
    assert read_checkpoint(tmp_path, "last", read) == ("100_steps", "hundred")
    assert "1000_steps.safetensors is damaged; taking 100_steps instead" in caplog.text
    with pytest.raises(RecordError, match="1000_steps"):
        read_checkpoint(tmp_path, "1000_steps", read)


def test_where_all_are_damaged_the_newest_is_named(tmp_path):
    fill(tmp_path, x1_steps="damaged", x2_steps="damaged")
    with pytest.raises(RecordError, match=r"2_steps\.safetensors is damaged"):
        read_checkpoint(tmp_path, "last", read)


def test_a_file_called_last_of_an_earlier_version_is_last(tmp_path):
    fill(tmp_path, last="old", best="b")
    assert read_checkpoint(tmp_path, choose_checkpoint(tmp_path), read) == ("last", "old")
    assert saved_steps(tmp_path) == []


def test_seeds_of_a_comparison_come_in_numerical_order(tmp_path):
    fill(tmp_path, s10="", s2="", s1="")
    assert checkpoint_names(tmp_path) == ["s1", "s2", "s10"]
    assert choose_checkpoint(tmp_path) == "s1"
    with pytest.raises(RecordError, match="no checkpoint 's3'; it has s1, s2, s10"):
        choose_checkpoint(tmp_path, "s3")


def test_the_newest_are_kept_and_best_too(tmp_path):
    fill(tmp_path, x5_steps="", x50_steps="", x500_steps="", best="")
    prune(tmp_path, 2)
    assert checkpoint_names(tmp_path) == ["best", "last", "50_steps", "500_steps"]
    discard_after(tmp_path, 50)
    assert saved_steps(tmp_path) == [50]


def test_what_a_killed_process_left_is_swept_and_never_read(tmp_path):
    fill(tmp_path, x5_steps="five")
    left = tmp_path / "checkpoints" / ".6_steps.safetensors.k3j2"
    left.write_text("half of it")
    assert saved_steps(tmp_path) == [5]
    sweep_temporary(tmp_path)
    assert not left.exists() and saved_steps(tmp_path) == [5]


def test_a_name_cannot_leave_the_folder(tmp_path):
    (tmp_path / "run").mkdir()
    fill(tmp_path / "run", x5_steps="")
    (tmp_path / "secret.safetensors").write_text("")
    with pytest.raises(RecordError, match="no checkpoint"):
        choose_checkpoint(tmp_path / "run", "../../secret")


@pytest.mark.parametrize("cut", [0, 1, 7, 100, -1])
def test_a_truncated_agent_is_a_typed_error(tmp_path, cut):
    path = rlsuite.agent("q-learning", "FrozenLake-v1", seed=0).learn(10).save(tmp_path / "1_steps")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RecordError, match="1_steps"):
        read_checkpoint(tmp_path, "1_steps", lambda _: rlsuite.agent("q-learning", "FrozenLake-v1").load(path))
