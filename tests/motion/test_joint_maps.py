"""Roles are found in the naming conventions of the common sources; what is missing is named."""

import json

import numpy as np
import pytest

from rlsuite.errors import MotionFormatError, SkeletonError, UnknownNameError
from rlsuite.motion import body, joint_maps
from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Joint, Skeleton

# role parts -> names of one side ("{S}": L or R, "{Side}": Left, "{s}": l, "{side}": left), and the trunk from root to head
RIGS = {
    "CMU BVH": (("Hips", "LowerBack", "Chest2", "Head"), "{S}HipJoint", "{Side}Collar",
                ("{Side}Hip", "{Side}Knee", "{Side}Ankle", "{Side}Toe"), ("{Side}Shoulder", "{Side}Elbow", "{Side}Wrist")),
    "Mixamo": (("mixamorig:Hips", "mixamorig:Spine", "mixamorig:Spine2", "mixamorig:Head"), None, "mixamorig:{Side}Shoulder",
               ("mixamorig:{Side}UpLeg", "mixamorig:{Side}Leg", "mixamorig:{Side}Foot", "mixamorig:{Side}ToeBase"),
               ("mixamorig:{Side}Arm", "mixamorig:{Side}ForeArm", "mixamorig:{Side}Hand")),
    "LAFAN1": (("Hips", "Spine", "Spine2", "Head"), None, "{Side}Shoulder",
               ("{Side}UpLeg", "{Side}Leg", "{Side}Foot", "{Side}Toe"), ("{Side}Arm", "{Side}ForeArm", "{Side}Hand")),
    "SMPL": (("pelvis", "spine1", "spine3", "head"), None, "{side}_collar",
             ("{side}_hip", "{side}_knee", "{side}_ankle", "{side}_foot"),
             ("{side}_shoulder", "{side}_elbow", "{side}_wrist")),
    "SMPL of poselib": (("Pelvis", "Torso", "Chest", "Head"), None, "{S}_Thorax",
                        ("{S}_Hip", "{S}_Knee", "{S}_Ankle", "{S}_Toe"), ("{S}_Shoulder", "{S}_Elbow", "{S}_Wrist")),
    "ASF": (("root", "lowerback", "thorax", "head"), "{s}hipjoint", "{s}clavicle",
            ("{s}femur", "{s}tibia", "{s}foot", "{s}toes"), ("{s}humerus", "{s}radius", "{s}wrist")),
    "loco-mujoco": (("pelvis", "lumbar", "torso", "head"), None, None,
                    ("femur_{s}", "tibia_{s}", "talus_{s}", "toes_{s}"), ("humerus_{s}", "ulna_{s}", "hand_{s}")),
    "AMP": (("pelvis", "abdomen", "torso", "head"), None, None,
            ("{side}_thigh", "{side}_shin", "{side}_foot", "{side}_toe"),
            ("{side}_upper_arm", "{side}_lower_arm", "{side}_hand")),
    "biped": (("Bip01", "Bip01 Spine", "Bip01 Spine1", "Bip01 Head"), None, "Bip01 {S} Clavicle",
              ("Bip01 {S} Thigh", "Bip01 {S} Calf", "Bip01 {S} Foot", "Bip01 {S} Toe0"),
              ("Bip01 {S} UpperArm", "Bip01 {S} Forearm", "Bip01 {S} Hand")),
    "robot": (("pelvis", "waist_yaw_link", "torso_link", "head_link"), "{side}_hip_pitch_link", "{side}_shoulder_pitch_link",
              ("{side}_hip_yaw_link", "{side}_knee_link", "{side}_ankle_roll_link", "{side}_toe_link"),
              ("{side}_shoulder_yaw_link", "{side}_elbow_link", "{side}_wrist_yaw_link")),
}  # fmt: skip


def rig(name):
    """A skeleton in a convention, and the roles that its bodies play."""
    trunk, hip, collar, leg, arm = RIGS[name]
    bodies, parents = list(trunk), [-1, 0, 1, 2]
    roles = {"pelvis": trunk[0], "torso": trunk[2], "head": trunk[3]}
    for side in ("right", "left"):
        words = {"S": side[0].upper(), "Side": side.capitalize(), "s": side[0], "side": side}
        for start, extra, chain, parts in ((0, hip, leg, joint_maps.LEG), (2, collar, arm, joint_maps.ARM)):
            parent = start
            for text, part in zip(
                (*([extra] if extra else []), *chain), (*([None] if extra else []), *parts), strict=True
            ):
                bodies.append(text.format(**words))
                parents.append(parent)
                parent = len(bodies) - 1
                if part:
                    roles[f"{side}_{part}"] = bodies[-1]
    n = len(bodies)
    skeleton = Skeleton(
        name, tuple(bodies), tuple(parents), np.zeros((n, 3)), np.tile(rot.IDENTITY, (n, 1)),
        tuple(Joint(b, "ball" if i else "free", i) for i, b in enumerate(bodies)), {},
    )  # fmt: skip
    return skeleton, roles


@pytest.mark.parametrize("name", RIGS)
def test_every_role_is_found(name):
    skeleton, roles = rig(name)
    assert {r: skeleton.body_names[b] for r, b in joint_maps.match(skeleton).items()} == roles


def test_our_body_plays_its_own_roles():
    skeleton = body.skeleton()
    assert {r: skeleton.body_names[b] for r, b in joint_maps.match(skeleton).items()} == {
        role: role for role in joint_maps.ROLES if not role.endswith("toe")
    }


@pytest.mark.parametrize(
    ("name", "side", "part"),
    [
        ("mixamorig:LeftUpLeg", "left", "upleg"), ("L_UpLeg", "left", "upleg"), ("upleg_r", "right", "upleg"),
        ("LThumb", "left", "thumb"), ("right_upper_arm", "right", "upperarm"), ("Bip01 R Calf", "right", "calf"),
        ("left_knee_link", "left", "knee"), ("lowerback", None, "lowerback"), ("RightHandThumb1", "right", "handthumb1"),
    ],
)  # fmt: skip
def test_sides_and_parts(name, side, part):
    assert joint_maps.side_and_part(name) == (side, part)


def test_missing_roles_are_named_with_what_there_is():
    skeleton = body.skeleton()
    names = tuple(n.replace("left_shin", "stick").replace("right_foot", "stone") for n in skeleton.body_names)
    with pytest.raises(SkeletonError, match=r"no body found for right_foot, left_shin; .*stone.*stick"):
        joint_maps.match(_renamed(skeleton, names))
    found = joint_maps.match(_renamed(skeleton, names), {"left_shin": "stick", "right_foot": "stone"})
    assert found == joint_maps.match(skeleton)


def _renamed(skeleton, names):
    return Skeleton(
        "x", names, skeleton.parents, skeleton.body_pos, skeleton.body_quat, skeleton.joints, {}
    )  # fmt: skip


def test_a_mapping_can_take_a_role_away():
    found = joint_maps.match(body.skeleton(), {"head": None, "left_hand": None})
    assert set(joint_maps.match(body.skeleton())) - set(found) == {"head", "left_hand"}


def test_mapping_from_a_file(tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"left_hand": "left_lower_arm", "left_lower_arm": "left_hand"}))
    skeleton = body.skeleton()
    found = joint_maps.match(skeleton, path)
    assert found["left_hand"] == skeleton.body("left_lower_arm")


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}', "{", "\x00\xff", "[" * 100_000])
def test_files_that_are_no_mapping(tmp_path, text):
    path = tmp_path / "map.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(MotionFormatError, match=r"map\.json"):
        joint_maps.match(body.skeleton(), path)
    with pytest.raises(MotionFormatError, match="nowhere"):
        joint_maps.match(body.skeleton(), "nowhere.json")


def test_unknown_roles_and_bodies():
    with pytest.raises(UnknownNameError, match="did you mean 'left_thigh'"):
        joint_maps.match(body.skeleton(), {"left_thig": "left_thigh"})
    with pytest.raises(SkeletonError, match="has no body 'wing'"):
        joint_maps.match(body.skeleton(), {"left_thigh": "wing"})
