"""What TensorBoard reads back is what was written, also after a run was stopped and resumed."""

import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
import stable_baselines3
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util.tensor_util import make_ndarray

from rlsuite.errors import RlsuiteError
from rlsuite.experiments.tensorboard import NOT_SHOWN, TensorBoardWriter


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return events.Reload()


def series(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


ROW = {"rollout/ep_rew_mean": 21.5, "time/fps": 2130, "train/loss": np.float32(0.25), "eval/mean_reward": np.float64(9)}


def test_scalars_keep_their_names_steps_and_values(tmp_path):
    with TensorBoardWriter(tmp_path / "new" / "run") as writer:
        writer.scalars(ROW, 2048)
        writer.scalars({**ROW, "train/loss": float("nan")}, 4096)
    events = read(tmp_path / "new" / "run")
    assert sorted(events.Tags()["scalars"]) == sorted(ROW)
    for tag, value in ROW.items():
        steps, values = zip(*[(event.step, event.value) for event in events.Scalars(tag)], strict=True)
        assert steps == (2048, 4096)
        assert values[0] == value
    assert math.isnan(events.Scalars("train/loss")[1].value)


def test_what_stable_baselines3_keeps_out_is_kept_out(tmp_path):
    """The names of every ``exclude="tensorboard"`` in its sources."""
    sources = Path(stable_baselines3.__file__).parent.rglob("*.py")
    pattern = re.compile(r'record\("([\w/]+)",[^\n]*exclude="tensorboard"')
    excluded = {name for path in sources for name in pattern.findall(path.read_text())}
    assert len(excluded) >= 5
    assert excluded == NOT_SHOWN
    with TensorBoardWriter(tmp_path) as writer:
        writer.scalars({**dict.fromkeys(excluded, 1), "time/fps": 3, "train/std": None, "note": "text"}, 1)
    tags = read(tmp_path).Tags()
    assert tags["scalars"] == ["time/fps"]
    assert tags["tensors"] == ["note"]


def test_text_is_read_back(tmp_path):
    with TensorBoardWriter(tmp_path) as writer:
        writer.text("config", "| a | b |\nθ = 1", 3)
    events = read(tmp_path)
    (event,) = events.Tensors("config")
    assert (event.step, make_ndarray(event.tensor_proto)[0].decode()) == (3, "| a | b |\nθ = 1")
    assert events.SummaryMetadata("config").plugin_data.plugin_name == "text"


def test_hyperparameters_are_read_back(tmp_path):
    values = {"gamma": 0.99, "n_steps": 5, "double": True, "algo": "dqn", "net_arch": [64, 64], "seed": None}
    with TensorBoardWriter(tmp_path) as writer:
        writer.hparams({**values, "alpha": np.float64(0.5)})
    metadata = read(tmp_path).SummaryMetadata(hparams_metadata.SESSION_START_INFO_TAG)
    found = hparams_metadata.parse_session_start_info_plugin_data(metadata.plugin_data.content).hparams
    assert {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()} == {
        **values, "net_arch": "[64, 64]", "seed": "None", "alpha": 0.5,
    }  # fmt: skip


def test_a_film_is_an_animated_image(tmp_path):
    frames = [np.full((31, 42, 3), 40 * i, np.uint8) for i in range(5)]
    with TensorBoardWriter(tmp_path) as writer:
        writer.gif("eval/episode", frames, 25, 1000)
        with pytest.raises(RlsuiteError, match="at least one frame"):
            writer.gif("eval/episode", [], 25, 2000)
    (event,) = read(tmp_path).Images("eval/episode")
    assert (event.step, event.width, event.height) == (1000, 42, 31)
    with Image.open(io.BytesIO(event.encoded_image_string)) as film:
        assert (film.format, film.n_frames, film.size) == ("GIF", 5, (42, 31))


def test_a_resumed_run_hides_what_lies_past_its_checkpoint(tmp_path):
    frames = [np.zeros((8, 8, 3), np.uint8)]
    with TensorBoardWriter(tmp_path) as writer:
        for step in (100, 200, 300, 400):
            writer.scalars({"train/loss": float(step)}, step)
            writer.gif("eval/episode", frames, 25, step)
    with TensorBoardWriter(tmp_path, resume_step=200) as writer:
        assert series(tmp_path, "train/loss") == [(100, 100.0), (200, 200.0)]
        writer.scalars({"train/loss": -1.0}, 350)
    assert series(tmp_path, "train/loss") == [(100, 100.0), (200, 200.0), (350, -1.0)]
    assert [event.step for event in read(tmp_path).Images("eval/episode")] == [100, 200]


def test_a_file_cut_short_by_a_killed_process_does_not_hide_what_follows(tmp_path):
    with TensorBoardWriter(tmp_path) as writer:
        for step in (1, 2):
            writer.scalars({"train/loss": float(step)}, step)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    with TensorBoardWriter(tmp_path, resume_step=1) as writer:
        writer.scalars({"train/loss": 7.0}, 2)
    assert series(tmp_path, "train/loss") == [(1, 1.0), (2, 7.0)]


def test_files_are_read_in_the_order_in_which_they_were_begun(tmp_path):
    for step in range(12):  # by plain numbers the tenth would sort before the ninth
        with TensorBoardWriter(tmp_path, resume_step=step - 1 if step else None) as writer:
            writer.scalars({"train/loss": float(step)}, step)
            writer.scalars({"train/loss": -1.0}, step + 1)
    assert series(tmp_path, "train/loss") == [*((step, float(step)) for step in range(12)), (12, -1.0)]
