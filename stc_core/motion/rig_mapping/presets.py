"""The rigs we know by name, as data: which of their bones is which joint.

A name stands as the vendor writes it; of a pair only the left one. Matching forgets capitals, separators, the way the
side is written, and what stands before and after every name (`mixamorig:`, `CC_Base_`, `_jnt`). A | stands between
names of the same bone in different versions. A joint's several bones run from head to tip; `spine` holds every bone
between the hips and the neck. Names are facts from the vendors' own rigs and documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class KnownRig:
    """One rig's names. prefix: what must stand before every name, as read (None: anything, but always the same).

    marks: parts of names, one of which tells this rig from others that use the same words.
    controls: whether these are what an animator keys, to be preferred to bones that follow them; no twist bones then.
    """

    name: str
    bones: Mapping[str, tuple[str, ...]]
    prefix: str | None = None
    marks: tuple[str, ...] = ()
    controls: bool = False


def _rig(name: str, middle: str, left: str, **more: object) -> KnownRig:
    """From lines `joint: bone, bone`; the joints of the left side without their side."""
    bones = {joint: chain for joint, chain in _lines(middle)}
    bones |= {f"left_{joint}": chain for joint, chain in _lines(left)}
    return KnownRig(name, bones, **more)  # type: ignore[arg-type]


def _lines(text: str) -> list[tuple[str, tuple[str, ...]]]:
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

KNOWN: tuple[KnownRig, ...] = (
    _rig(
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
    _rig("Rigify deform bones", _RIGIFY_MIDDLE, _RIGIFY_LEFT, prefix="def"),
    _rig(
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
    _rig("Rigify metarig", _RIGIFY_MIDDLE, _RIGIFY_LEFT, prefix=""),
    _rig("Mixamo", _HUMAN_IK_MIDDLE, _HUMAN_IK_LEFT, marks=("mixamo",)),
    _rig("Ready Player Me", _HUMAN_IK_MIDDLE, _HUMAN_IK_LEFT, prefix="", marks=("Wolf3D", "LeftEye")),
    _rig("Mixamo or MotionBuilder", _HUMAN_IK_MIDDLE, _HUMAN_IK_LEFT),
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
    _rig(
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
)
