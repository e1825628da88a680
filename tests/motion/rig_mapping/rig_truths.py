"""The real rigs of `rigs.py`: the preset that each matches, and the bones of every joint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stc_core.geometry import rotation
from stc_core.motion.retarget.rest_pose import RestPose
from tests.motion.rig_mapping.rigs import LIMBS, read_rig

RIGIFY = {
    "shoulder": "shoulder",
    "upper_arm": "upper_arm",
    "lower_arm": "forearm",
    "hand": "hand",
    "upper_leg": "thigh",
    "lower_leg": "shin",
    "foot": "foot",
    "toes": "toe",
}
HUMAN_IK = dict(zip(LIMBS, "Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase".split(), strict=True))
UNREAL = dict(zip(LIMBS, "clavicle upperarm lowerarm hand thigh calf foot ball".split(), strict=True))
KAYKIT = dict(zip(LIMBS[1:], "upperarm lowerarm wrist upperleg lowerleg foot toes".split(), strict=True))


def expect(limbs: dict[str, str], left: str, right: str, **middle: str) -> dict[str, tuple[str, ...]]:
    """Joint -> bones from a limb table and the way a side's name is made; middle joints as words."""
    rows = {joint: tuple(words.split()) for joint, words in middle.items()}
    for side, pattern in (("left", left), ("right", right)):
        rows |= {f"{side}_{joint}": (pattern % word,) for joint, word in limbs.items()}
    return rows


TRUTHS = {
    "mpfb_game_engine": (
        "Unreal mannequin",
        expect(UNREAL, "%s_l", "%s_r", hips="pelvis", spine="spine_01 spine_02 spine_03", neck="neck_01", head="head"),
    ),
    "mpfb_cmu_mb": (
        "CMU",
        expect(
            HUMAN_IK,
            "Left%s",
            "Right%s",
            hips="Hips",
            spine="LowerBack Spine Spine1",
            neck="Neck Neck1",
            head="Head",
        ),
    ),
    "mpfb_mixamo_unity": (
        "Mixamo",
        expect(
            HUMAN_IK,
            "mixamorig:Left%s",
            "mixamorig:Right%s",
            hips="mixamorig:Hips",
            spine="mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2",
            neck="mixamorig:Neck",
            head="mixamorig:Head",
        ),
    ),
    "m2m_skeleton_mecanim_full": (
        "Mixamo",
        expect(
            HUMAN_IK,
            "mixamorig_Left%s",
            "mixamorig_Right%s",
            hips="mixamorig_Hips",
            spine="mixamorig_Spine mixamorig_Spine1 mixamorig_Spine2",
            neck="mixamorig_Neck",
            head="mixamorig_Head",
        ),
    ),
    "m2m_human": (
        "Rigify deform bones, named spine",
        expect(
            RIGIFY,
            "DEF-%s.L",
            "DEF-%s.R",
            hips="DEF-hips",
            spine="DEF-spine.001 DEF-spine.002 DEF-spine.003",
            neck="DEF-neck",
            head="DEF-head",
        ),
    ),
    "kaykit": (
        "VRM humanoid",
        expect(KAYKIT, "%s.l", "%s.r", hips="hips", spine="spine chest", head="head"),
    ),
    "rigify_metarig": (
        "Rigify metarig",
        expect(
            RIGIFY,
            "%s.L",
            "%s.R",
            hips="spine",
            spine="spine.001 spine.002 spine.003",
            neck="spine.004 spine.005",
            head="spine.006",
        ),
    ),
    "rigify_generated": (
        "Rigify controls",
        expect(
            {joint: word + "_fk" * (joint != "shoulder") for joint, word in RIGIFY.items()},
            "%s.L",
            "%s.R",
            hips="torso spine_fk",
            spine="spine_fk.001 spine_fk.002 spine_fk.003",
            neck="neck",
            head="head",
        ),
    ),
}


def read_upright(name: str) -> RestPose:
    """A real rig as its object stands: KayKit's has y up inside."""
    turn = rotation.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2)
    return replace(read_rig(name), q_world_armature=turn) if name == "kaykit" else read_rig(name)
