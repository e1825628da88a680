"""Eyes are found among a rig's bones by their names, and turn by geometry whatever their own axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.retarget.bone_animation import BoneAnimation
from stc_core.motion.retarget.eyes import add_gaze, keep_bones, list_eye_controls
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.eye_bones import find_eye_bones
from stc_core.motion.skeleton import HUMANOID

NAMES = {  # the left eye, the right eye, and bones around them that are none
    "Mixamo": ("mixamorig:LeftEye", "mixamorig:RightEye", ("mixamorig:HeadTop_End",)),
    "Ready Player Me": ("LeftEye", "RightEye", ("HeadTop_End",)),
    "VRM 1": ("leftEye", "rightEye", ("jaw",)),
    "VRoid": ("J_Adj_L_FaceEye", "J_Adj_R_FaceEye", ("J_Sec_Hair1_01",)),
    "Character Creator": ("CC_Base_L_Eye", "CC_Base_R_Eye", ("CC_Base_FacialBone", "CC_Base_JawRoot")),
    "Daz Genesis 8": ("lEye", "rEye", ("lEyelidUpper", "rEyelidUpper", "lEyelidLower", "rEyelidLower")),
    "Daz Genesis 9": ("l_eye", "r_eye", ("l_eyelidupper", "r_eyelidupper", "l_eyecorner", "r_eyecorner")),
    "MMD": ("左目", "右目", ("両目", "左目戻", "右目戻")),
    "MMD suffixes": ("目.L", "目.R", ("両目",)),
    "MetaHuman": ("FACIAL_L_Eye", "FACIAL_R_Eye", ("FACIAL_L_EyelidUpperA", "FACIAL_R_EyelidUpperA")),
    "Rigify metarig": ("eye.L", "eye.R", ("lid.T.L", "lid.T.R", "brow.B.L", "brow.B.R")),
    "MakeHuman": ("eye.L", "eye.R", ("orbicularis03.L", "orbicularis03.R", "special03")),
    "Auto-Rig Pro": ("c_eye.l", "c_eye.r", ("c_eye_target.l", "c_eye_target.r", "c_eyelid_top.l", "c_eyelid_top.r")),
    "Valve": ("ValveBiped.Eye_L", "ValveBiped.Eye_R", ("ValveBiped.Bip01_Head1",)),
}


def make_face(**values: float) -> Face:
    """Two frames: a neutral face, then one with these coefficients."""
    coefficients = np.zeros((2, len(FACE_COEFFICIENTS)))
    for name, value in values.items():
        coefficients[1, FACE_COEFFICIENTS.index(name)] = value
    return Face(coefficients=coefficients, scores=np.ones(2))


def make_rig(left: str, right: str, more: tuple[str, ...] = ()) -> tuple[RestPose, BoneMap]:
    """The humanoid with bones on its head."""
    places = dict(zip(HUMANOID.joint_names, HUMANOID.rest_positions(), strict=True))
    parents = [HUMANOID.joint_names[parent] if parent >= 0 else "" for parent in HUMANOID.parents]
    rows = [(name, parent, places[name]) for name, parent in zip(HUMANOID.joint_names, parents, strict=True)]
    for bone, x in ((left, 0.03), (right, -0.03), *((bone, 0.0) for bone in more)):
        rows.append((bone, "head", places["head"] + [x, -0.08, 0.08]))
    index = {row[0]: k for k, row in enumerate(rows)}
    noise = np.random.default_rng(0)
    heads = np.array([row[2] for row in rows])
    rest = RestPose(
        bones=tuple(index),
        parents=tuple(index.get(row[1], -1) for row in rows),
        heads=heads,
        tails=heads + [0.0, 0.0, 0.05],
        q_armature_bone=rotation.normalise(noise.standard_normal((len(rows), 4))),
        inherits_rotation=np.ones(len(rows), bool),
    )
    return rest, BoneMap(name="test", bones={joint: (joint,) for joint in HUMANOID.joint_names})


@pytest.mark.parametrize("vendor", NAMES)
def test_eyes_are_found_by_their_names(vendor: str) -> None:
    left, right, more = NAMES[vendor]
    assert find_eye_bones(make_rig(left, right, more)[0], "head") == {"left": left, "right": right}


@pytest.mark.parametrize(
    ("left", "right"), [("eyelid_L", "eyelid_R"), ("eyebrow.L", "eyebrow.R"), ("eye_ik_L", "eye_ik_R")]
)
def test_what_is_no_eye_is_left_alone(left: str, right: str) -> None:
    rest, bone_map = make_rig(left, right)
    assert find_eye_bones(rest, "head") == {} and list_eye_controls(rest, bone_map) == ()


@pytest.mark.parametrize("axis", range(3))
def test_eyes_turn_to_the_persons_left_on_a_rig_that_faces_anywhere(axis: int) -> None:
    rest, bone_map = make_rig("eye.L", "eye.R")
    q = rotation.exp(np.eye(3)[axis] * 1.3)
    turned = replace(
        rest,
        heads=rotation.rotate(q, rest.heads),
        tails=rotation.rotate(q, rest.tails),
        q_armature_bone=rotation.mul(q, rest.q_armature_bone),
    )
    face = make_face(eyeLookOutLeft=1.0, eyeLookInRight=1.0)
    still = BoneAnimation(bones=(), rotations=np.zeros((2, 0, 4)), root="", locations={}, fps=30.0)
    animation = add_gaze(still, turned, bone_map, face)
    assert animation.bones == ("eye.L", "eye.R") == list_eye_controls(turned, bone_map)
    for column, bone in enumerate(animation.bones):
        q_bone = turned.q_armature_bone[turned.index(bone)]
        q_moved = rotation.mul(rotation.mul(q_bone, animation.rotations[1, column]), rotation.inv(q_bone))
        sight = rotation.rotate(rotation.inv(q), rotation.rotate(q_moved, rotation.rotate(q, [0.0, -1.0, 0.0])))
        assert np.degrees(np.arcsin(sight[0])) == pytest.approx(30.0, abs=0.01)
    assert keep_bones(animation, {"eye.R"}).bones == ("eye.R",)


def test_a_control_moves_where_the_eye_looks() -> None:
    rest, bone_map = make_rig("ORG-eye.L", "ORG-eye.R", ("eye.L", "eye.R"))
    heads = rest.heads.copy()
    for letter in "LR":
        heads[rest.index(f"eye.{letter}")] = heads[rest.index(f"ORG-eye.{letter}")] + [0.0, -0.3, 0.0]
    rest = replace(rest, heads=heads)
    still = BoneAnimation(bones=(), rotations=np.zeros((2, 0, 4)), root="", locations={}, fps=30.0)
    animation = add_gaze(still, rest, bone_map, make_face(eyeLookUpLeft=1.0, eyeLookUpRight=1.0))
    assert set(animation.locations) == {"eye.L", "eye.R"} and animation.bones == ()
    target = rest.index("eye.L")
    moved = rest.heads[target] + rotation.rotate(rest.q_armature_bone[target], animation.locations["eye.L"][1])
    sight = rotation.normalise(moved - rest.heads[rest.index("ORG-eye.L")])
    assert np.degrees(np.arcsin(sight[2])) == pytest.approx(25.0, abs=0.01)
