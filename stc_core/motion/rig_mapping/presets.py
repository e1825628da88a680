"""Presets: rigs whose bone names are known, as data. A long file, because it is a list.

A name stands as the vendor writes it; of a pair only the left one. Matching forgets capitals, separators, the way the
side is written, and what stands before and after every name (`mixamorig:`, `CC_Base_`, `_jnt`). A | stands between
names of the same bone in different versions. A joint's several bones run from head to tip; `spine` holds every bone
between the hips and the neck. Names are facts from the vendors' own rigs and documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, kw_only=True)
class RigPreset:
    """One rig's bone names."""

    name: str
    bones: Mapping[str, tuple[str, ...]]
    """joint -> its bones, from head to tip; of a pair only the left joint"""
    prefix: str | None = None
    """what must stand before every name, as parsed (None: anything, but the same before all)"""
    marks: tuple[str, ...] = ()
    """parts of names, one of which distinguishes this rig from others that use the same words"""
    controls: bool = False
    """whether animators key these bones: they are preferred to bones that follow them, and have no twist bones"""


def _preset(
    name: str,
    middle: str,
    left: str,
    prefix: str | None = None,
    marks: tuple[str, ...] = (),
    controls: bool = False,
) -> RigPreset:
    """Make a preset from lines `joint: bone, bone`, those of the left side without their side."""
    bones = {joint: chain for joint, chain in _parse_lines(middle)}
    bones |= {f"left_{joint}": chain for joint, chain in _parse_lines(left)}
    return RigPreset(name=name, bones=bones, prefix=prefix, marks=marks, controls=controls)


def _parse_lines(text: str) -> list[tuple[str, tuple[str, ...]]]:
    rows = [line.split(": ", 1) for line in text.strip().splitlines()]
    return [(joint.strip(), tuple(bone.strip() for bone in bones.split(","))) for joint, bones in rows]


_HUMAN_IK_MIDDLE = """
    hips: Hips
    spine: Spine, Spine1, Spine2, Spine3, Spine4, Spine5, Spine6, Spine7, Spine8, Spine9
    neck: Neck, Neck1, Neck2
    head: Head
"""
_HUMAN_IK_LEFT = """
    shoulder: LeftShoulder
    upper_arm: LeftArm
    lower_arm: LeftForeArm
    hand: LeftHand
    upper_leg: LeftUpLeg
    lower_leg: LeftLeg
    foot: LeftFoot
    toes: LeftToeBase
"""
_RIGIFY_LEFT = """
    shoulder: shoulder.L
    upper_arm: upper_arm.L
    lower_arm: forearm.L
    hand: hand.L
    upper_leg: thigh.L
    lower_leg: shin.L
    foot: foot.L
    toes: toe.L
"""
_RIGIFY_MIDDLE = """
    hips: spine
    spine: spine.001, spine.002, spine.003
    neck: spine.004, spine.005
    head: spine.006
"""

PRESETS: tuple[RigPreset, ...] = (
    _preset(
        "Rigify controls",
        """
        hips: torso, spine_fk
        spine: spine_fk.001, spine_fk.002, spine_fk.003
        neck: neck
        head: head
        """,
        """
        shoulder: shoulder.L
        upper_arm: upper_arm_fk.L
        lower_arm: forearm_fk.L
        hand: hand_fk.L
        upper_leg: thigh_fk.L
        lower_leg: shin_fk.L
        foot: foot_fk.L
        toes: toe_fk.L|toe.L
        """,
        prefix="",
        controls=True,
    ),
    _preset("Rigify deform bones", _RIGIFY_MIDDLE, _RIGIFY_LEFT, prefix="def"),
    _preset(
        "Rigify deform bones, named spine",
        """
        hips: hips|spine
        spine: spine.001, spine.002, spine.003
        neck: neck
        head: head
        """,
        _RIGIFY_LEFT,
        prefix="def",
    ),
    _preset("Rigify metarig", _RIGIFY_MIDDLE, _RIGIFY_LEFT, prefix=""),
    _preset("Mixamo", _HUMAN_IK_MIDDLE, _HUMAN_IK_LEFT, marks=("mixamo",)),
    _preset("Ready Player Me", _HUMAN_IK_MIDDLE, _HUMAN_IK_LEFT, prefix="", marks=("Wolf3D", "LeftEye")),
    _preset("Mixamo or MotionBuilder", _HUMAN_IK_MIDDLE, _HUMAN_IK_LEFT),
    _preset(
        "CMU",
        """
        hips: Hips
        spine: LowerBack, Spine, Spine1
        neck: Neck, Neck1
        head: Head
        """,
        _HUMAN_IK_LEFT,
        marks=("LHipJoint",),
    ),
    _preset(
        "Unreal mannequin",
        """
        hips: pelvis
        spine: spine_01, spine_02, spine_03, spine_04, spine_05
        neck: neck_01, neck_02
        head: head
        """,
        """
        shoulder: clavicle_l
        upper_arm: upperarm_l
        lower_arm: lowerarm_l
        hand: hand_l
        upper_leg: thigh_l
        lower_leg: calf_l
        foot: foot_l
        toes: ball_l
        """,
    ),
    _preset(
        "VRoid",
        """
        hips: C_Hips
        spine: C_Spine, C_Chest, C_UpperChest
        neck: C_Neck
        head: C_Head
        """,
        """
        shoulder: L_Shoulder
        upper_arm: L_UpperArm
        lower_arm: L_LowerArm
        hand: L_Hand
        upper_leg: L_UpperLeg
        lower_leg: L_LowerLeg
        foot: L_Foot
        toes: L_ToeBase
        """,
        prefix=None,
        marks=("J_Bip",),
    ),
    _preset(
        "VRM humanoid",
        """
        hips: Hips
        spine: Spine, Chest, UpperChest
        neck: Neck
        head: Head
        """,
        """
        shoulder: LeftShoulder
        upper_arm: LeftUpperArm
        lower_arm: LeftLowerArm
        hand: LeftHand
        upper_leg: LeftUpperLeg
        lower_leg: LeftLowerLeg
        foot: LeftFoot
        toes: LeftToes|LeftToe|LeftToeBase
        """,
    ),
    _preset(
        "MakeHuman",
        """
        hips: root
        spine: spine05, spine04, spine03, spine02, spine01
        neck: neck01, neck02, neck03
        head: head
        """,
        """
        shoulder: clavicle.L, shoulder01.L
        upper_arm: upperarm01.L
        lower_arm: lowerarm01.L
        hand: wrist.L
        upper_leg: upperleg01.L
        lower_leg: lowerleg01.L
        foot: foot.L
        """,
    ),
    _preset(
        "BVH joints",
        """
        hips: Hips
        spine: lowerback, Chest, Chest2, Chest3, Chest4
        neck: lowerneck, Neck
        head: Head
        """,
        """
        shoulder: LeftCollar
        upper_arm: LeftShoulder
        lower_arm: LeftElbow
        hand: LeftWrist
        upper_leg: LeftHip
        lower_leg: LeftKnee
        foot: LeftAnkle
        toes: LeftToe
        """,
    ),
    _preset(
        "Daz Genesis 3 and 8",
        """
        hips: hip
        spine: abdomenLower, abdomenUpper, chestLower, chestUpper
        neck: neckLower, neckUpper
        head: head
        """,
        """
        shoulder: lCollar
        upper_arm: lShldrBend
        lower_arm: lForearmBend
        hand: lHand
        upper_leg: lThighBend
        lower_leg: lShin
        foot: lFoot
        toes: lToe
        """,
    ),
    _preset(
        "Daz Genesis 9",
        """
        hips: hip
        spine: spine1, spine2, spine3, spine4
        neck: neck1, neck2
        head: head
        """,
        """
        shoulder: l_shoulder
        upper_arm: l_upperarm
        lower_arm: l_forearm
        hand: l_hand
        upper_leg: l_thigh
        lower_leg: l_shin
        foot: l_foot
        toes: l_toes
        """,
    ),
    _preset(
        "Daz Genesis 2 or Poser",
        """
        hips: hip
        spine: abdomen, abdomen2, chest
        neck: neck
        head: head
        """,
        """
        shoulder: lCollar
        upper_arm: lShldr
        lower_arm: lForeArm
        hand: lHand
        upper_leg: lThigh
        lower_leg: lShin
        foot: lFoot
        toes: lToe
        """,
    ),
    _preset(
        "Auto-Rig Pro controls",
        """
        hips: c_root_master.x
        spine: c_spine_01.x, c_spine_02.x, c_spine_03.x, c_spine_04.x, c_spine_05.x
        neck: c_neck.x
        head: c_head.x
        """,
        """
        shoulder: c_shoulder.l
        upper_arm: c_arm_fk.l
        lower_arm: c_forearm_fk.l
        hand: c_hand_fk.l
        upper_leg: c_thigh_fk.l
        lower_leg: c_leg_fk.l
        foot: c_foot_fk.l
        toes: c_toes_fk.l
        """,
        prefix="",
        controls=True,
    ),
    _preset(
        "Auto-Rig Pro",
        """
        hips: root.x
        spine: spine_01.x, spine_02.x, spine_03.x, spine_04.x, spine_05.x
        neck: neck.x
        head: head.x
        """,
        """
        shoulder: shoulder.l
        upper_arm: arm_stretch.l
        lower_arm: forearm_stretch.l
        hand: hand.l
        upper_leg: thigh_stretch.l
        lower_leg: leg_stretch.l
        foot: foot.l
        toes: toes_01.l
        """,
    ),
    _preset(
        "Character Creator",
        """
        hips: Hip
        spine: Waist, Spine01, Spine02
        neck: NeckTwist01, NeckTwist02
        head: Head
        """,
        """
        shoulder: L_Clavicle
        upper_arm: L_Upperarm
        lower_arm: L_Forearm
        hand: L_Hand
        upper_leg: L_Thigh
        lower_leg: L_Calf
        foot: L_Foot
        toes: L_ToeBase
        """,
        marks=("CC_Base",),
    ),
    _preset(
        "3ds Max Biped",
        """
        hips: Pelvis
        spine: Spine, Spine1, Spine2, Spine3, Spine4
        neck: Neck, Neck1
        head: Head|Head1
        """,
        """
        shoulder: L Clavicle
        upper_arm: L UpperArm
        lower_arm: L Forearm
        hand: L Hand
        upper_leg: L Thigh
        lower_leg: L Calf
        foot: L Foot
        toes: L Toe0
        """,
    ),
    _preset(
        "Synty",
        """
        hips: Hips
        spine: Spine_01, Spine_02, Spine_03
        neck: Neck
        head: Head
        """,
        """
        shoulder: Clavicle_L
        upper_arm: Shoulder_L
        lower_arm: Elbow_L
        hand: Hand_L
        upper_leg: UpperLeg_L
        lower_leg: LowerLeg_L
        foot: Ankle_L
        toes: Ball_L
        """,
    ),
    _preset(
        "Xsens",
        """
        hips: Pelvis
        spine: L5, L3, T12, T8
        neck: Neck
        head: Head
        """,
        """
        shoulder: LeftShoulder
        upper_arm: LeftUpperArm
        lower_arm: LeftForeArm
        hand: LeftHand
        upper_leg: LeftUpperLeg
        lower_leg: LeftLowerLeg
        foot: LeftFoot
        toes: LeftToe
        """,
    ),
    _preset(
        "MikuMikuDance",
        """
        hips: 腰|グルーブ|センター
        spine: 上半身, 上半身2, 上半身3
        neck: 首
        head: 頭
        """,
        """
        shoulder: 左肩
        upper_arm: 左腕
        lower_arm: 左ひじ
        hand: 左手首
        upper_leg: 左足
        lower_leg: 左ひざ
        foot: 左足首
        toes: 左つま先|左足先EX
        """,
        prefix="",
    ),
    _preset(
        "VRChat, named by CATS",
        """
        hips: Hips
        spine: Spine, Chest, Upper Chest
        neck: Neck
        head: Head
        """,
        """
        shoulder: Left shoulder
        upper_arm: Left arm
        lower_arm: Left elbow
        hand: Left wrist
        upper_leg: Left leg
        lower_leg: Left knee
        foot: Left ankle
        toes: Left toe
        """,
        prefix="",
    ),
    _preset(
        "MikuMikuDance, English names",
        """
        hips: Waist|Groove|Center
        spine: UpperBody, UpperBody2, UpperBody3
        neck: Neck
        head: Head
        """,
        """
        shoulder: Shoulder_L
        upper_arm: Arm_L
        lower_arm: Elbow_L
        hand: Wrist_L
        upper_leg: Leg_L
        lower_leg: Knee_L
        foot: Ankle_L
        toes: ToeTip_L|Toe_L
        """,
        prefix="",
        marks=("UpperBody", "upper body"),
    ),
    _preset(
        "OptiTrack Motive",
        """
        hips: Hip
        spine: Ab, Chest
        neck: Neck, Neck2
        head: Head
        """,
        """
        shoulder: Shoulder.L
        upper_arm: UArm.L
        lower_arm: FArm.L
        hand: Hand.L
        upper_leg: Thigh.L
        lower_leg: Shin.L
        foot: Foot.L
        toes: Toe.L
        """,
        marks=("FArm",),
    ),
    _preset(
        "Rokoko",
        """
        hips: Hips
        spine: Spine1, Spine2, Spine3, Spine4
        neck: Neck
        head: Head
        """,
        """
        shoulder: LeftShoulder
        upper_arm: LeftArm
        lower_arm: LeftForeArm
        hand: LeftHand
        upper_leg: LeftThigh
        lower_leg: LeftShin
        foot: LeftFoot
        toes: LeftToe
        """,
    ),
    _preset(
        "SMPL",
        """
        hips: pelvis
        spine: spine1, spine2, spine3
        neck: neck
        head: head
        """,
        """
        shoulder: left_collar
        upper_arm: left_shoulder
        lower_arm: left_elbow
        hand: left_wrist
        upper_leg: left_hip
        lower_leg: left_knee
        foot: left_ankle
        toes: left_foot
        """,
    ),
    _preset(
        "XNALara",
        """
        hips: root hips
        spine: spine lower, spine middle, spine upper
        neck: head neck lower
        head: head neck upper
        """,
        """
        shoulder: arm left shoulder 1
        upper_arm: arm left shoulder 2
        lower_arm: arm left elbow
        hand: arm left wrist
        upper_leg: leg left thigh
        lower_leg: leg left knee
        foot: leg left ankle
        toes: leg left toes
        """,
        prefix="",
    ),
    _preset(
        "Roblox R15",
        """
        hips: LowerTorso
        spine: UpperTorso
        head: Head
        """,
        """
        upper_arm: LeftUpperArm
        lower_arm: LeftLowerArm
        hand: LeftHand
        upper_leg: LeftUpperLeg
        lower_leg: LeftLowerLeg
        foot: LeftFoot
        """,
        marks=("LowerTorso",),
    ),
    _preset(
        "Advanced Skeleton",
        """
        hips: Root_M
        spine: Spine1_M, Spine2_M, Spine3_M, Chest_M
        neck: Neck_M
        head: Head_M
        """,
        """
        shoulder: Scapula_L
        upper_arm: Shoulder_L
        lower_arm: Elbow_L
        hand: Wrist_L
        upper_leg: Hip_L
        lower_leg: Knee_L
        foot: Ankle_L
        toes: Toes_L
        """,
        prefix="",
    ),
    _preset(
        "mGear",
        """
        hips: spine_C0_pelvis_jnt
        spine: spine_C0_01_jnt, spine_C0_02_jnt, spine_C0_03_jnt, spine_C0_04_jnt
        neck: neck_C0_0_jnt, neck_C0_1_jnt
        head: neck_C0_head_jnt
        """,
        """
        shoulder: shoulder_L0_shoulder_jnt
        upper_arm: arm_L0_0_jnt
        lower_arm: arm_L0_1_jnt
        hand: arm_L0_end_jnt
        upper_leg: leg_L0_0_jnt
        lower_leg: leg_L0_1_jnt
        foot: leg_L0_end_jnt
        toes: foot_L0_0_jnt
        """,
        prefix="",
    ),
    _preset(
        "Second Life",
        """
        hips: mPelvis
        spine: mTorso, mChest
        neck: mNeck
        head: mHead
        """,
        """
        shoulder: mCollarLeft
        upper_arm: mShoulderLeft
        lower_arm: mElbowLeft
        hand: mWristLeft
        upper_leg: mHipLeft
        lower_leg: mKneeLeft
        foot: mAnkleLeft
        toes: mFootLeft
        """,
        prefix="",
    ),
    _preset(
        "Source 2",
        """
        hips: pelvis
        spine: spine_0, spine_1, spine_2, spine_3
        neck: neck_0
        head: head
        """,
        """
        shoulder: clavicle_L
        upper_arm: arm_upper_L
        lower_arm: arm_lower_L
        hand: hand_L
        upper_leg: leg_upper_L
        lower_leg: leg_lower_L
        foot: ankle_L
        toes: ball_L
        """,
        prefix="",
    ),
)
