"""Episodes of several clips: which one is wanted when, measured together and apart."""

import numpy as np
import pytest

from rlsuite.experiments.imitation.episodes import clip_names, evaluation_env, play
from rlsuite.experiments.imitation.evaluation import evaluate_each, led
from rlsuite.experiments.imitation.preparing import plan_imitation
from rlsuite.experiments.imitation.pushes import push_robustness
from rlsuite.experiments.run_files import located
from rlsuite.motion.catalogue import find
from tests.experiments.imitation.conftest import nothing

SELECTOR = {"clip": ["run", "idle"], "multi": "selector", "interval": None, "threads": 1}


def test_the_wanted_clips_share_the_time():
    """Idle is wanted from the first second on, begins when the run's cycle ends, and the run after idle's 4 s."""
    env = evaluation_env({**SELECTOR, "terminate": ()}, 2, seconds=6.0)
    env.terminations.limits.allowed[:] = True  # nobody falls
    episodes = play(nothing, env, 0, wanted=["run", "idle", "run", "idle", "run", "idle"])
    for episode in episodes:
        assert episode.possible == len(episode.rewards) == 180
        changes = np.flatnonzero(np.diff(episode.which)) + 1
        assert episode.which[0] == 0 and changes[0] in range(31, 31 + 21)
        np.testing.assert_allclose(np.diff(changes)[:1], 120, atol=1)  # idle to its end
        assert episode.reference.name == "run+idle"
        assert abs(episode.reference.qpos[changes[0], 0] - episode.performed.qpos[changes[0], 0]) < 1e-9
    shares = led(episodes, ["run", "idle"])
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["idle"] == pytest.approx(np.mean([episode.which[1:] == 1 for episode in episodes]))


def test_each_clip_apart():
    """Whoever does nothing stands as idle does, and does not run."""
    found = evaluate_each(nothing, SELECTOR, episodes=2, seconds=3.0)
    assert list(found) == ["run", "idle"]
    assert found["idle"]["normalised_return"] > 0.99 and found["idle"]["falls"] == 0
    assert found["run"]["normalised_return"] < 0.9


def test_names_are_all_different():
    walk, run = find("walk"), find("run")
    assert clip_names([walk, run, walk, walk]) == ["walk", "run", "walk-2", "walk-3"]


def test_pushes_of_several_clips():
    found = push_robustness(nothing, {**SELECTOR, "clip": ["idle", "bow"]}, 0, trials=1, bisections=1)
    assert set(found.newtons) == {"forward", "left"}


def test_the_plan_takes_all_clips_along(tmp_path):
    plan = plan_imitation([find("walk"), find("run")], {"algo": "ppo", "env_kwargs": {"multi": "selector"}})
    assert sorted(plan.files) == ["clip-1.npz", "clip-2.npz"]
    assert plan.label == "walk+run-"
    for name, data in plan.files.items():
        (tmp_path / name).write_bytes(data)
    env = evaluation_env(located(plan.env_kwargs, tmp_path), 1)
    assert [clip.name for clip in env.clips] == ["walk", "run"]
    assert plan_imitation(find("walk"), {"algo": "ppo"}).env_kwargs["clip"] == "run:clip.npz"


def test_in_the_browser_one_asks_for_a_clip_and_sees_who_acts():
    pytest.importorskip("viser")
    from rlsuite.experiments.imitation.live import LiveViewer

    shown = LiveViewer(nothing, {**SELECTOR, "clip": ["idle", "bow"]}, "two", port=0, running=False)
    try:
        assert list(shown.clip.options) == ["idle", "bow"]
        shown.env.reset(seed=0, options={"clip": "idle", "time": 3.9})
        shown.env.ask("bow")
        for _ in range(10):
            shown.advance()
        assert shown.env.clock.which.tolist() == [1]
        assert ", bow" in shown.told.content
    finally:
        shown.close()


def test_a_composite_in_the_browser():
    pytest.importorskip("viser")
    from rlsuite.experiments.imitation.composite import Composite, Member
    from rlsuite.experiments.imitation.composite import nothing as no_actions
    from rlsuite.experiments.imitation.live import LiveViewer

    of = [
        Member(name, nothing, lambda seen, v=value: np.full(len(seen), v), {"clip": name, "threads": 1})
        for name, value in (("run", 0.0), ("idle", 100.0))
    ]
    shown = LiveViewer(no_actions, {}, "both", port=0, running=False, env=Composite(of, 1))
    try:
        for _ in range(10):
            shown.advance()
        assert ", idle" in shown.told.content
        place = shown.env.clock.now.position[0]
        np.testing.assert_allclose([frame.position for frame in shown.ghost], place, atol=1e-6)
    finally:
        shown.close()
