"""The live viewer: what it shows is the simulation, pushes push, and a fall is followed by a new beginning."""

import numpy as np
import pytest

from rlsuite.experiments.imitation.live import LYING, LiveViewer
from tests.experiments.imitation.conftest import limp, nothing

pytest.importorskip("viser")


@pytest.fixture
def stage():
    made = []

    def make(act, clip):
        made.append(LiveViewer(act, {"clip": clip, "threads": 1}, "test", port=0, running=False))
        return made[-1]

    yield make
    for viewer in made:
        viewer.close()


def test_the_bodies_on_the_stage_are_the_simulated_one_and_the_reference(stage):
    shown = stage(nothing, "idle")
    assert shown.url.startswith("http://127.0.0.1:")
    for _ in range(5):
        shown.advance()
    env = shown.env
    np.testing.assert_allclose([frame.position for frame in shown.body], env.physics.state.position[0], atol=1e-6)
    reference = env.reference.states(env.times, env.offsets)
    np.testing.assert_allclose([frame.position for frame in shown.ghost], reference.position[0], atol=1e-6)
    assert np.mean(shown.rewards) > 0.99 and shown.told.content
    shown.show_ghost.value = False
    shown._show()
    assert not any(part.visible for part in shown._ghost_parts)


@pytest.mark.parametrize(("direction", "axis", "sign"), [("forward", 0, 1), ("back", 0, -1), ("left", 1, 1),
                                                         ("right", 1, -1)])  # fmt: skip
def test_a_push_moves_the_body_its_way_and_ends(stage, direction, axis, sign):
    shown = stage(nothing, "idle")
    shown.newtons.value = 200
    shown.push_towards(direction)
    shown.advance()
    assert np.any(shown.pusher._force)
    for _ in range(5):
        shown.advance()
    assert not np.any(shown.pusher._force)
    assert sign * shown.env.physics.state.com_velocity[0, axis] > 0.3


def test_after_a_fall_it_begins_anew(stage):
    shown = stage(limp, "walk")
    steps = 0
    while not shown.fell_for:
        shown.advance()
        steps += 1
    assert steps < 200 and shown.rewards[-1] == 0.0
    for _ in range(round(LYING * 30) + 2):
        shown.advance()
    assert len(shown.rewards) < 3 and not shown.fell_for
    shown.advance()
    shown._anew = True
    shown.advance()
    assert shown.rewards == []


class Planner:
    """Hears where it acts."""

    def __init__(self):
        self.told = []

    def act_in(self, env):
        self.told.append(env.times.copy())

    def __call__(self, observations):
        return nothing(observations)


def test_who_plans_is_told_of_every_beginning(stage):
    planner = Planner()
    shown = stage(planner, "idle")
    assert len(planner.told) == 1
    shown._anew = True
    shown.advance()
    assert len(planner.told) == 2 and planner.told[1] == shown.env.times
