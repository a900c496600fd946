"""Run records survive kills, refuse a second writer and keep exact numbers."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from rlsuite.errors import RecordError
from rlsuite.experiments.records import (
    CONFIG,
    METRICS,
    RunWriter,
    dump_yaml,
    find_records,
    plain,
    read_config,
    read_rows,
    run_folder,
    slug,
)


def test_rows_come_back_exactly(tmp_path):
    with RunWriter(tmp_path / "run", {"algo": "sarsa"}) as writer:
        writer.append(METRICS, {"x": np.float64(0.1), "n": np.int64(3), "returns": np.array([-13.0, -17.0])})
        writer.append(METRICS, {"x": 1e-300, "flags": (True, None), "mixed": np.array([0.5, np.nan])})
    rows = list(read_rows(tmp_path / "run" / METRICS))
    assert rows == [
        {"x": 0.1, "n": 3, "returns": [-13, -17]},
        {"x": 1e-300, "flags": [True, None], "mixed": [0.5, None]},
    ]
    assert read_config(tmp_path / "run") == {"algo": "sarsa"}
    assert find_records(tmp_path) == [tmp_path / "run"]


def test_a_cut_line_is_ignored_and_then_removed(tmp_path):
    folder = tmp_path / "run"
    with RunWriter(folder, {}) as writer:
        writer.append(METRICS, {"seed": 0})
    with (folder / METRICS).open("ab") as file:
        file.write(b'{"seed": 1, "retu')
    assert [row["seed"] for row in read_rows(folder / METRICS)] == [0]
    with RunWriter(folder, {}) as writer:
        writer.append(METRICS, {"seed": 2})
    assert [row["seed"] for row in read_rows(folder / METRICS)] == [0, 2]


def test_a_damaged_complete_line_is_an_error_with_its_number(tmp_path):
    path = tmp_path / METRICS
    path.write_text('{"seed": 0}\nnot json\n{"seed": 1}\n')
    with pytest.raises(RecordError, match="line 2"):
        list(read_rows(path))


def test_two_writers_do_not_meet(tmp_path):
    with RunWriter(tmp_path, {}), pytest.raises(RecordError, match="another process"):
        RunWriter(tmp_path, {})
    RunWriter(tmp_path, {}).close()


def test_kill_at_any_instant_leaves_a_readable_record(tmp_path):
    script = f"""
from rlsuite.experiments.records import RunWriter, METRICS
with RunWriter({str(tmp_path / "run")!r}, {{"algo": "sarsa"}}) as writer:
    print("ready", flush=True)
    for k in range(10**9):
        writer.append(METRICS, {{"k": k, "payload": list(range(500))}})
"""
    for delay in (0.0, 0.02, 0.05):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
        rows = list(read_rows(tmp_path / "run" / METRICS))
        assert read_config(tmp_path / "run") == {"algo": "sarsa"}
        assert all(row["payload"] == list(range(500)) for row in rows)
    assert len(rows) > 1


def test_full_disk_is_an_error_and_keeps_what_was_written(tmp_path):
    import resource

    folder = tmp_path / "run"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with RunWriter(folder, {}) as writer:
            writer.append(METRICS, {"seed": 0})
            resource.setrlimit(resource.RLIMIT_FSIZE, (40, before[1]))
            with pytest.raises(RecordError, match=r"metrics\.jsonl"):
                writer.append(METRICS, {"seed": 1, "payload": "x" * 100})
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)
    assert [row["seed"] for row in read_rows(folder / METRICS)] == [0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "a: [1,",
        "a: !!python/object/apply:os.system ['true']\n",
        "a: 2026-06-31\n",
        "a: " + "[" * 5000 + "]" * 5000,
        "{}: 1",
        "a: \x00",
    ],
)
def test_malformed_config_is_a_typed_error(tmp_path, text):
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(RecordError):
        read_config(tmp_path)


def test_yaml_keeps_floats_exactly(tmp_path):
    import yaml

    config = {"alpha": 1e-3, "tiny": 1e-300, "third": 1 / 3, "n": np.int64(5), "name": "1e-3", "list": (1, 2.5)}
    back = yaml.safe_load(dump_yaml(config))
    assert back == {"alpha": 1e-3, "tiny": 1e-300, "third": 1 / 3, "n": 5, "name": "1e-3", "list": [1, 2.5]}


def test_folder_names_are_safe(tmp_path):
    assert (
        run_folder(tmp_path, "my_module:My/Env-v0", "sb3:ppo", "a-s0") == tmp_path / "my_module-My-Env-v0/sb3-ppo/a-s0"
    )
    assert slug("../../etc") == "-..-etc"
    assert "/" not in slug("a/b") and slug("") == "_"


def test_plain_refuses_nothing_json_can_hold():
    assert json.dumps(plain({"a": np.array([1.5]), "b": [np.bool_(True)]})) == '{"a": [1.5], "b": [true]}'


def test_a_line_nested_too_deeply_is_an_error(tmp_path):
    path = tmp_path / METRICS
    path.write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(RecordError, match="line 1"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("failure", "error"),
    [(OSError(28, "No space left on device"), RecordError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_a_config_that_cannot_be_written_releases_the_record(tmp_path, monkeypatch, failure, error):
    def fail(*_arguments, **_more):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr("rlsuite.experiments.records.write_atomically", fail)
        with pytest.raises(error):
            RunWriter(tmp_path, {})
    RunWriter(tmp_path, {}).close()
