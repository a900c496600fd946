"""Training on pictures of coloured discs: it learns, and a run taken up again equals the run never stopped."""

import cv2
import numpy as np
import pytest
import torch

from rlsuite.errors import HyperparameterError, MotionError, RecordError
from rlsuite.motion.pose import training
from rlsuite.motion.pose.training import evaluate, extent, pck, schedule, train
from rlsuite.motion.pose.training_crops import Augmentation, Example, Pool, rotation, warped

NAMES = ("pelvis", "left_hand", "right_hand")
COLOURS = ((255, 255, 255), (255, 30, 30), (30, 30, 255))
TINY = {"steps": 6, "batch_size": 4, "every": 3, "warmup": 2, "held_out": 6, "pool": 12, "fresh": 1}
TINY |= {"size": 32, "stages": 1, "channels": (8, 8, 8)}


def discs(i):
    """A disc of its own colour at each point, on a dark ground."""
    rng = np.random.default_rng(i)
    points = rng.uniform(14, 29, (3, 2))
    image = np.full((43, 43, 3), 25, np.uint8)
    for point, colour in zip(points, COLOURS, strict=True):
        cv2.circle(image, tuple(np.round(16 * (point - 0.5)).astype(int).tolist()), 16 * 2, colour, -1, cv2.LINE_AA, 4)
    relative = np.column_stack([points - points[0], np.zeros(3)]) * (0.1, -0.1, 1)
    return Example(image, points, np.ones(3, bool), relative)


def fit(file, **settings):
    with torch.random.fork_rng(devices=[]):
        return train(file, draw=discs, draw_held_out=discs, names=NAMES, **TINY | settings)


def weights(model):
    return np.concatenate([value.astype(np.float64).ravel() for value in model.state().values()])


def test_a_run_taken_up_again_equals_the_run_never_stopped(tmp_path, monkeypatch):
    whole = fit(tmp_path / "whole")
    update = training._Run._update

    def stops(run, batch):
        if run.step == 4:
            raise KeyboardInterrupt
        return update(run, batch)

    monkeypatch.setattr(training._Run, "_update", stops)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts")
    assert not (tmp_path / "parts.safetensors").exists()
    monkeypatch.setattr(training._Run, "_update", update)
    entries = []
    again = fit(tmp_path / "parts", log=entries.append)
    assert [entry["step"] for entry in entries] == [6]
    np.testing.assert_array_equal(weights(again), weights(whole))
    assert (tmp_path / "parts.log.jsonl").read_text().count("\n") == 2


def test_a_checkpoint_of_other_settings_or_damaged_is_refused(tmp_path):
    fit(tmp_path / "pose", steps=3)
    with pytest.raises(RecordError, match="other settings"):
        fit(tmp_path / "pose", steps=6)
    with pytest.raises(RecordError, match="another seed"):
        fit(tmp_path / "pose", steps=3, seed=1)
    checkpoint = tmp_path / "pose.checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(RecordError, match="damaged"):
        fit(tmp_path / "pose", steps=3)


def test_settings_that_make_no_sense(tmp_path):
    with pytest.raises(HyperparameterError, match="unknown setting"):
        train(tmp_path / "pose", stepps=3)
    with pytest.raises(HyperparameterError, match="batch_size must be at least 1"):
        train(tmp_path / "pose", batch_size=0)


@pytest.mark.slow
def test_it_learns_discs(tmp_path):
    names = ("root", "one", "other")  # no sides: a red disc stays red in a mirror
    settings = {"steps": 400, "batch_size": 16, "pool": 100, "every": 400, "learning_rate": 5e-3}
    model = train(tmp_path / "pose", draw=discs, draw_held_out=discs, names=names, **TINY | settings)
    measured = evaluate(model, [discs(i) for i in range(1000, 1100)])
    assert measured["pck_heatmaps"] > 0.9


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_points_go_with_the_picture():
    """The disc of every point is found where the warped point is, whatever the turn, size and mirror."""
    example = discs(3)
    for angle, side, mirror in ((0.0, 40.0, 1), (0.6, 30.0, 1), (-0.4, 36.0, -1)):
        turn = rotation(angle) @ np.diag([mirror, 1])
        image, points = warped(example.image, example.keypoints, turn, np.array([21.0, 22.0]), side, 64)
        for point, colour in zip(points, COLOURS, strict=True):
            like = np.exp(-(((image.astype(float) - colour) / 60) ** 2).sum(-1))
            v, u = np.mgrid[:64, :64] + 0.5
            found = np.array([(like * u).sum(), (like * v).sum()]) / like.sum()
            others = [np.linalg.norm(point - other) for other in points if (other != point).any()]
            if min(others) > 12 and ((point > 6) & (point < 58)).all():
                np.testing.assert_allclose(found, point, atol=1.0)


def test_relative_positions_turn_as_the_points_do():
    """Far away a picture is flat: points of the crop and the x and y of relative positions are one up to scale."""
    how = Augmentation(truncated=0, empty=0)
    pool = Pool(discs, NAMES, 32, size=20, fresh=0, seed=np.random.SeedSequence(0), augmentation=how)
    batch = pool.batch(0, 40)
    offsets = batch.keypoints - batch.keypoints[:, :1]
    lifted = batch.relative[..., :2] * (1, -1)
    scale = np.linalg.norm(offsets, axis=(1, 2)) / np.linalg.norm(lifted, axis=(1, 2))
    np.testing.assert_allclose(offsets, lifted * scale[:, None, None], atol=1e-9)


def test_the_pool_renews_itself_and_any_step_can_be_made_again():
    drawn = []
    pool = Pool(lambda i: drawn.append(i) or discs(i), NAMES, 32, size=5, fresh=2, seed=np.random.SeedSequence(0))
    pool.batch(0, 2)
    pool.batch(1, 2)
    third = pool.batch(2, 2)
    assert drawn == list(range(9))
    other = Pool(discs, NAMES, 32, size=5, fresh=2, seed=np.random.SeedSequence(0))
    np.testing.assert_array_equal(other.batch(2, 2).images, third.images)


# -- measures ----------------------------------------------------------------------------------------------------------


def test_pck_counts_points_within_a_tenth_of_the_box():
    truth = np.array([[0.0, 0.0], [10.0, 20.0]])
    assert extent(truth) == 20
    found = np.array([[2.0, 0.0], [10.0, 22.01]])
    np.testing.assert_array_equal(pck(found, truth), [True, False])


def test_the_schedule_rises_and_falls():
    rates = [schedule(step, 100, 10) for step in range(100)]
    assert rates[9] == 1.0 and rates[0] == 0.1 and np.argmax(rates) in (9, 10)
    assert np.all(np.diff(rates[10:]) < 0) and rates[-1] < 1e-3


def test_nothing_to_evaluate_on(tmp_path):
    with pytest.raises(MotionError, match="no picture"):
        evaluate(fit(tmp_path / "pose", steps=1, every=1), [])
