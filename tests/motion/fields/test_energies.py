"""Gaps between limbs against MuJoCo's distances, heights against the quality check's, and energies that are nought
exactly where nothing penetrates."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
import torch

from rlsuite.envs.humanoid.starts import UniformStart
from rlsuite.errors import CapabilityError
from rlsuite.motion import body, catalogue
from rlsuite.motion.body import BodyShape
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.fields.energies import BodyEnergies
from rlsuite.motion.quality.solids import Solids
from tests.motion.fields.test_analytic import poses

KINDS = ["capsule capsule", "capsule box", "box box"]


@pytest.fixture(scope="module")
def energies():
    return BodyEnergies()


def mujocos_gaps(model, qpos, pairs):
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    return np.array([mujoco.mj_geomDistance(model, data, a, b, 10.0, None) for a, b in pairs])


@pytest.mark.parametrize("shape", [BodyShape(), BodyShape(height=1.1, legs=0.8, girth=1.4, feet=1.3)], ids=str)
def test_gaps_are_mujocos_distances_and_have_their_sign(shape):
    """Exactly for capsules, until axes cross; for a box where the axis is outside; of two boxes a lower bound apart."""
    energies = BodyEnergies(shape)
    qpos = poses(np.random.default_rng(0), 12, shape)
    mine = energies.gaps(torch.tensor(qpos)).numpy()
    ids = energies.geoms.geoms[energies.pairs]
    boxes = (energies.geoms.model.geom_type[ids] == mujoco.mjtGeom.mjGEOM_BOX).sum(axis=1)
    radii = energies.geoms.size.numpy()[energies.pairs][..., 0].sum(axis=1)
    deep = 0
    for row, pose in zip(mine, qpos, strict=True):
        theirs = mujocos_gaps(energies.geoms.model, pose, ids)
        decided = abs(theirs) > 1e-5
        assert ((row < 0) == (theirs < 0))[decided].all()
        round_ = (boxes == 0) & (row > -0.9 * radii)
        np.testing.assert_allclose(row[round_], theirs[round_], atol=2e-6)
        one = (boxes == 1) & (row > 0)
        np.testing.assert_allclose(row[one], theirs[one], atol=2e-6)
        assert (row <= theirs + 1e-6)[(boxes == 2) & (row > 0)].all()
        deep += (row < 0).sum()
    assert deep > 10


def two_geoms(first, second, place, quat):
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><body name="a"><freejoint/><geom {first}/></body>'
        f'<body name="b"><freejoint/><geom {second}/></body></worldbody></mujoco>'
    )
    qpos = np.array([0, 0, 0, 1, 0, 0, 0, *place, *quat], float)
    return model, qpos


@pytest.mark.parametrize("kinds", KINDS)
def test_gaps_of_any_two_geoms_anywhere(kinds):
    """Parallel axes, spheres, long and flat boxes among them. The model's rest pose is both geoms far apart."""
    rng = np.random.default_rng(1)
    overlapping = 0
    for k in range(40):
        texts = []
        for kind in kinds.split():
            size = rng.uniform(0.05, 0.4, 3 if kind == "box" else 2)
            texts.append(f'type="{kind}" size="{" ".join(map(repr, size.tolist()))}"')
        quat = [1, 0, 0, 0] if k % 5 == 0 else rng.normal(size=4)
        model, qpos = two_geoms(*texts, rng.normal(size=3) * 0.4, quat / np.linalg.norm(quat))
        model.body_pos[2] = model.qpos0[7:10] = (0, 0, 50)
        energies = BodyEnergies(model=model)
        (mine,) = energies.gaps(torch.tensor(qpos)).tolist()
        (theirs,) = mujocos_gaps(model, qpos, [(0, 1)])
        if abs(theirs) > 1e-5:
            assert (mine < 0) == (theirs < 0)
        if mine > 0 and kinds != "box box":
            assert mine == pytest.approx(theirs, abs=5e-6)
        if mine < 0 and kinds == "box box":
            assert mine == pytest.approx(theirs, abs=5e-6)
        overlapping += mine < 0
    assert 3 < overlapping < 37


def test_neighbours_do_not_collide_and_all_others_may(energies):
    owner, parents = energies.geoms.bodies.numpy(), energies.skeleton.parents
    for i, j in energies.pairs:
        assert owner[i] != owner[j] and parents[owner[i]] != owner[j] and parents[owner[j]] != owner[i]
    assert len(energies.pairs) == 15 * 14 // 2 - 14  # one solid geom in every body, all but the pelvis with a parent
    assert ("left_shin", "right_shin") in energies.pair_names or ("right_shin", "left_shin") in energies.pair_names


def test_heights_are_those_of_the_quality_check(energies):
    qpos = poses(np.random.default_rng(2), 20)
    solids = Solids(energies.geoms.model, MotionClip(qpos, 30.0, energies.skeleton))
    order = [list(solids.geoms).index(geom) for geom in energies.geoms.geoms]
    np.testing.assert_allclose(energies.heights(torch.tensor(qpos)), solids.lowest[:, order], atol=1e-12)
    shifted = BodyEnergies(ground=0.3)
    np.testing.assert_allclose(shifted.heights(torch.tensor(qpos)), solids.lowest[:, order] - 0.3, atol=1e-12)


def test_energies_are_squared_depths_and_nought_exactly_where_nothing_penetrates(energies):
    qpos = torch.tensor(poses(np.random.default_rng(3), 120))
    qpos[:, 2] = qpos[:, 2].abs()
    gap, height = energies.gaps(qpos), energies.heights(qpos)
    for energy, depths in ((energies.self_collision(qpos), gap), (energies.ground_penetration(qpos), height)):
        free = (depths >= 0).all(-1)
        assert ((energy == 0) == free).all() and 5 < free.sum() < 115
        torch.testing.assert_close(energy, (depths * (depths < 0)).square().sum(-1))
    torch.testing.assert_close(energies(qpos), energies.self_collision(qpos) + energies.ground_penetration(qpos))
    assert energies.self_collision(None) == 0 and energies.ground_penetration(None) < 1e-20


def test_gradients_are_those_of_finite_differences(energies):
    qpos = torch.tensor(poses(np.random.default_rng(4), 40))
    qpos[:, 2] = 0.3
    hard = qpos[(energies.self_collision(qpos) > 1e-5)][:1].requires_grad_()
    assert len(hard) == 1
    assert torch.autograd.gradcheck(energies.self_collision, hard, eps=1e-7, atol=1e-5)
    assert torch.autograd.gradcheck(energies.ground_penetration, hard, eps=1e-7, atol=1e-5)


def test_descending_the_energy_takes_one_leg_out_of_the_other(energies):
    """What it is for: a pose fitted to a picture, mended by its gradient alone."""
    qpos = torch.tensor(body.skeleton().rest_qpos)
    names = [joint.name for joint in body.skeleton().joints]
    at = body.skeleton().qpos_address
    qpos[at[names.index("right_hip_x")]], qpos[at[names.index("left_hip_x")]] = 0.15, -0.1
    qpos.requires_grad_()
    start = energies.self_collision(qpos).item()
    optimizer = torch.optim.Adam([qpos], 0.02)
    for _ in range(25):
        optimizer.zero_grad()
        energies.self_collision(qpos).backward()
        optimizer.step()
    assert start > 1e-4 and energies.self_collision(qpos).item() < 1e-7


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_simulations_may_start_from_every_frame_of_the_shipped_clips(energies, name):
    clip = catalogue.find(name)
    assert energies.may_start(clip.qpos).all()
    buried, folded = clip.qpos.copy(), clip.qpos.copy()
    buried[:, 2] -= 0.2
    thighs = [a for a, j in zip(clip.skeleton.qpos_address, clip.skeleton.joints, strict=True) if "hip_x" in j.name]
    folded[:, thighs] = (1.1, -1.1)  # each leg through the other
    assert not energies.may_start(buried).any() or name in ("jump", "cartwheel")
    assert not energies.may_start(folded).all()


def test_feet_that_touch_are_those_that_the_shipped_clips_say_stand(energies):
    """Labels come from speed too; a foot that is set down or lifted is where they differ."""
    for name in catalogue.NAMES:
        clip = catalogue.find(name)
        labels = clip.contacts[:, [clip.contact_names.index(foot) for foot in clip.skeleton.feet]]
        assert (energies.touching(clip.qpos) == labels).mean() > 0.88
    hands = energies.touching(catalogue.find("cartwheel").qpos, ("left_hand", "right_hand"))
    assert 0.1 < hands.mean() < 0.6 and not energies.touching(catalogue.find("walk").qpos, ("head",)).any()


def test_contact_labels_of_a_clip(energies):
    clip = catalogue.find("cartwheel")
    names = ("left_foot", "left_hand")
    labelled = energies.with_contacts(clip, names)
    assert labelled.contact_names == names and labelled.provenance[-1]["step"] == "contacts"
    assert np.array_equal(labelled.contacts, energies.touching(clip.qpos, names))
    assert energies.with_contacts(clip).contact_names == clip.skeleton.feet


def test_episodes_do_not_begin_in_rejected_frames(energies):
    clip = catalogue.find("walk")
    qpos = clip.qpos.copy()
    qpos[20:40, 2] -= 0.3
    spoilt = replace(clip, qpos=qpos, startable=np.arange(clip.n_frames) != 50)
    marked = energies.with_starts(spoilt)
    expected = np.ones(clip.n_frames, bool)
    expected[20:40] = expected[50] = False
    assert np.array_equal(marked.startable, expected)
    assert marked.provenance[-1]["rejected"] == 20
    start = UniformStart(marked)
    frames = np.array([start.time(u) for u in np.linspace(0, 1, 500, endpoint=False)]) * clip.fps
    assert not ((frames > 19) & (frames < 40)).any() and not ((frames > 49) & (frames < 51)).any()


def test_other_solids_are_refused_where_they_could_collide():
    model, _ = two_geoms(
        'type="capsule" size="0.1 0.1"', 'type="ellipsoid" size="0.1 0.2 0.3"', (0, 0, 1), (1, 0, 0, 0)
    )
    with pytest.raises(CapabilityError, match="not of capsule and ellipsoid"):
        BodyEnergies(model=model)
