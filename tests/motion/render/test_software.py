"""The ray caster sees what MuJoCo's rays hit; silhouettes and normals are those of the closed form."""

import math

import mujoco
import numpy as np
import pytest

from rlsuite.motion import body
from rlsuite.motion.cameras import Camera
from rlsuite.motion.render.intersections import normal as normal_of
from rlsuite.motion.render.intersections import primitive
from rlsuite.motion.render.look import to_linear, to_srgb
from rlsuite.motion.render.scene import Actor, Mark, Scene
from rlsuite.motion.render.software import SoftwareBackend

KINDS = ["sphere", "capsule", "ellipsoid", "cylinder", "box"]
CODES = {"sphere": 2, "capsule": 3, "ellipsoid": 4, "cylinder": 5, "box": 6}
MESH = """<asset><mesh name="gem" vertex="{}"/></asset>"""


def model_of(geoms, assets=""):
    return mujoco.MjModel.from_xml_string(f"<mujoco>{assets}<worldbody>{geoms}</worldbody></mujoco>")


def words(values):
    return " ".join(f"{value:.9g}" for value in np.ravel(values))


def geom(rng, kind):
    extra = 'mesh="gem"' if kind == "mesh" else f'size="{words(rng.uniform(0.1, 0.5, 3))}"'
    place = rng.uniform((-1, -1, 0.2), (1, 1, 2.2))
    return f'<geom type="{kind}" {extra} pos="{words(place)}" quat="{words(rng.normal(size=4))}"/>'


def mujocos_view(model, camera):
    """Depth and geom of every pixel by ``mj_multiRay``."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    origin, directions = camera.rays()
    n = directions.shape[0] * directions.shape[1]
    seen, far = np.empty(n, np.int32), np.empty(n)
    mujoco.mj_multiRay(model, data, origin, directions.ravel(), None, 1, -1, seen, far, None, n, 1e6)
    depth = np.where(seen >= 0, far * (directions.reshape(-1, 3) @ camera.forward), np.inf)
    return depth.reshape(directions.shape[:2]), seen.reshape(directions.shape[:2])


def assert_same_view(model, camera, tolerance=1e-5):
    picture = SoftwareBackend().draw(Scene([Actor(model, model.qpos0)], floor=False), camera)
    depth, seen = mujocos_view(model, camera)
    near = np.isfinite(depth) & (depth < 100)
    other = picture.geom_id != seen
    # a ray along an edge may see either side of it: only where both surfaces, or the gap, are one pixel away
    assert other.mean() < 5e-4, np.argwhere(other)[:5]
    same = near & ~other
    assert same.mean() > 0.1
    assert abs(picture.depth[same] - depth[same]).max() < tolerance
    assert np.isinf(picture.depth[(seen < 0) & ~other]).all()


@pytest.mark.parametrize("kind", [*KINDS, "mesh"])
@pytest.mark.parametrize("seed", range(4))
def test_what_mujocos_rays_hit(kind, seed):
    rng = np.random.default_rng([seed, len(kind), ord(kind[0])])
    gem = rng.normal(size=(40, 3)) * (0.3, 0.5, 0.2)
    assets = MESH.format(words(gem)) if kind == "mesh" else ""
    geoms = "".join(geom(rng, kind) for _ in range(6)) + '<geom type="plane" size="0 0 1"/>'
    position = rng.uniform(-1, 1, 3) * (2, 2, 0.5) + (0, -3.5, 2)
    assert_same_view(model_of(geoms, assets), Camera.look_at(position, (0, 0, 1), width=90, height=70, fovy=0.9))


@pytest.mark.parametrize("seed", range(3))
def test_from_within_surfaces_are_seen_too(seed):
    rng = np.random.default_rng(seed)
    for kind in KINDS:
        model = model_of(f'<geom type="{kind}" size="1 1.3 0.8" pos="0 0 3"/>' + geom(rng, "sphere"))
        camera = Camera.look_at(
            rng.uniform((-0.3, -0.3, 2.7), (0.3, 0.3, 3.3)), (2, 1, 3.3), width=40, height=30, fovy=1.5
        )
        assert_same_view(model, camera)


def test_planes_end_and_are_seen_from_above_only():
    model = model_of('<geom type="plane" size="1 2 1"/><geom type="plane" size="0 0 1" pos="0 0 -1" euler="0 10 0"/>')
    assert_same_view(model, Camera.look_at((3, 4, 2), (0, 0, 0), width=80, height=60))
    below = SoftwareBackend().draw(
        Scene([Actor(model, model.qpos0)], floor=False), Camera.look_at((3, 4, -2.9), (0, 0, -1), width=20, height=15)
    )
    assert (below.geom_id == -1).all()


def test_a_height_field_from_above():
    rng = np.random.default_rng(0)
    heights = words(rng.uniform(0, 1, 30))
    assets = f'<asset><hfield name="hills" nrow="5" ncol="6" size="2 1.5 0.6 0.1" elevation="{heights}"/></asset>'
    model = model_of('<geom type="hfield" hfield="hills" pos="0.1 0.2 0.3"/>', assets)
    assert_same_view(model, Camera.look_at((0.2, -0.3, 6), (0.1, 0.2, 0), width=60, height=60, fovy=0.3))


@pytest.mark.parametrize("offset", [0.0, 0.6])
def test_the_silhouette_of_a_sphere(offset):
    """A sphere of radius r at distance d is seen under the half angle asin(r / d), from the side as an ellipse."""
    model, d, r = model_of('<geom size="0.4"/>'), 3.0, 0.4
    camera = Camera.look_at((0, -d, 0), (math.tan(offset) * d / 2, 0, 0), width=400, height=300, fovy=1.2)
    picture = SoftwareBackend().draw(Scene([Actor(model, [])], floor=False), camera)
    _, directions = camera.rays()
    to_centre = -camera.t / np.linalg.norm(camera.t)
    angle = np.arccos(directions @ to_centre)
    limit, pixel = math.asin(r / d), 1 / camera.K[0, 0]
    assert (picture.mask[angle < limit - pixel] == 1).all()
    assert (picture.mask[angle > limit + pixel] == 0).all()
    assert ((picture.geom_id == 0) == (angle <= limit)).all()
    solid_angle = (picture.mask * pixel**2 * (directions @ camera.forward) ** 3).sum()
    assert solid_angle == pytest.approx(2 * math.pi * (1 - math.cos(limit)), rel=3e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_normals_by_finite_differences(kind):
    """Along the surface the depth changes by -(n . e) / (n . d) for a ray moved by e."""
    rng, code, step = np.random.default_rng(5), CODES[kind], 1e-6
    checked = 0
    for _ in range(60):
        size = tuple(rng.uniform(0.3, 0.8, 3))
        o = 3 * (v := rng.normal(size=3)) / np.linalg.norm(v)
        d = rng.uniform(-0.25, 0.25, 3) - o
        s = primitive(code, tuple(o), tuple(d), size)
        if s == math.inf:
            continue
        n = np.array(normal_of(code, tuple(o + s * d), size))
        assert np.linalg.norm(n) == pytest.approx(1)
        if -(n @ d) / np.linalg.norm(d) < 0.2:
            continue  # too slanting for differences
        steps = [primitive(code, tuple(o + step * e), tuple(d), size) - s for e in (*np.eye(3), *-np.eye(3))]
        slope = (np.array(steps[:3]) - steps[3:]) / (2 * step)
        assert slope == pytest.approx(-n / (n @ d), abs=1e-4)
        checked += 1
    assert checked > 20


def test_shadows_lie_where_the_sun_is_hidden():
    """The shadow of a sphere's centre on the floor: the centre moved against the sun until z = 0."""
    scene = Scene([Actor(model_of('<geom size="0.3" pos="0 0 1.5"/>'), [])])
    camera = Camera.look_at((0.2, 0, 6), (0, 0, 0), up=(0, 1, 0), width=200, height=200, fovy=1.0)
    rgb = SoftwareBackend().draw(scene, camera).rgb
    x, y, z = scene.look.sun
    shaded = np.array([-x / z * 1.5, -y / z * 1.5, 0.0])
    u, v = camera.project([shaded, np.add(shaded, (-0.6, 0, 0))])
    assert rgb[int(u[1]), int(u[0])].mean() < 0.75 * rgb[int(v[1]), int(v[0])].mean()


def test_ghosts_are_one_silhouette_without_depth_and_marks_belong_to_nobody():
    solid = model_of('<geom size="0.3" pos="0 0 1"/>')
    double = model_of('<geom size="0.3" pos="0 -1 1"/><geom size="0.3" pos="0.1 -1 1"/>')
    camera = Camera.look_at((0, -5, 1), (0, 0, 1), width=121, height=91)
    draw = SoftwareBackend().draw
    alone = draw(Scene([Actor(solid, [])]), camera)
    veiled = draw(Scene([Actor(solid, []), Actor.ghost(double, [])]), camera)
    marked = draw(Scene([Actor(solid, [])], marks=[Mark((0, -1, 1), 0.2)]), camera)
    assert (veiled.depth == alone.depth).all() and (veiled.geom_id == alone.geom_id).all()
    assert (veiled.mask == alone.mask).all() and (veiled.rgb != alone.rgb).any()
    assert marked.actor[45, 60] == marked.geom_id[45, 60] == -1 and marked.mask[45, 60] == 0
    assert marked.depth[45, 60] == pytest.approx(3.8, abs=1e-4)


def test_pictures_repeat_bit_for_bit_and_tiles_leave_no_trace():
    rng = np.random.default_rng(1)
    model = model_of("".join(geom(rng, kind) for kind in KINDS for _ in range(3)))
    camera = Camera.look_at((0, -4, 2), (0, 0, 1), width=97, height=61)  # no multiple of the tile
    scene = Scene([Actor(model, []), Actor(model, [], offset=(0.5, 1, 0), tint=(1, 0.2, 0.1))])
    first, again = SoftwareBackend().draw(scene, camera), SoftwareBackend().draw(scene, camera)
    for name in ("rgb", "depth", "mask", "geom_id", "actor"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    wide = Camera(camera.R, camera.t, np.add(camera.K, [[0, 0, 7], [0, 0, 5], [0, 0, 0]]), 97 + 14, 61 + 10)
    assert np.array_equal(SoftwareBackend().draw(scene, wide).geom_id[5:-5, 7:-7], first.geom_id)


def test_srgb_is_inverted():
    values = np.linspace(0, 1, 257)
    assert to_srgb(to_linear(values)) == pytest.approx(values, abs=1e-7)
    assert to_linear(np.array([0.5])) == pytest.approx([0.21404114], abs=1e-8)


def test_body_ids_are_those_of_the_geoms_of_each_actor():
    model, other = body.model(), model_of(geom(np.random.default_rng(0), "box"))
    scene = Scene([Actor(model, model.qpos0), Actor(other, other.qpos0, (0.0, 1.0, 0.0))])
    camera = Camera.look_at((4.0, 1.5, 1.5), (0.0, 0.5, 0.8), width=96, height=72)
    picture = SoftwareBackend().draw(scene, camera)
    found = picture.body_id(scene)
    sky, first, second = picture.actor < 0, picture.actor == 0, picture.actor == 1
    assert (found[sky] == -1).all() and (found[second] == 0).all() and sky.any() and second.any()
    assert np.array_equal(found[first], model.geom_bodyid[picture.geom_id[first]])
    assert {model.body(name).id for name in ("head", "torso", "left_foot")} <= set(found[first])
    assert (found[first & (picture.mask == 0)] == 0).any()  # the floor
