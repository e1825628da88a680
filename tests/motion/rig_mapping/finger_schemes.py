"""How programs, studios and people name a hand's bones: facts, as data, and a body made with such hands.

One scheme a line: a scheme of `naming_schemes.py` for the body; words for thumb, index, middle, ring and little finger;
the name of a segment; the thumb's segments; the other fingers'; the bone of the palm before a finger; the bone behind its
tip. $ is the side, @ the finger's word, # the segment, % the finger's number from 0 and & from 1, both with the thumb,
* from 1 without it. A - stands where there is none.
"""

# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGERS, HUMANOID_WITH_FINGERS, list_finger_joints
from stc_core.motion.retarget.rest_pose import RestPose
from tests.motion.rig_mapping.naming_schemes import SCHEMES, Shape, make_body
from tests.motion.rig_mapping.rigs import make_armature

_TABLE = """
Mixamo | Thumb Index Middle Ring Pinky | mixamorig:$Hand@# | 1 2 3 | 1 2 3 | - | mixamorig:$Hand@4
Unreal 4 | thumb index middle ring pinky | @_#_$ | 01 02 03 | 01 02 03 | - | -
Unreal 5 | thumb index middle ring pinky | @_#_$ | 01 02 03 | 01 02 03 | @_metacarpal_$ | -
Unity humanoid | Thumb Index Middle Ring Little | $@# | Proximal Intermediate Distal | Proximal Intermediate Distal | - | -
VRM 1.0 | Thumb Index Middle Ring Little | $@# | Metacarpal Proximal Distal | Proximal Intermediate Distal | - | -
VRoid | Thumb Index Middle Ring Little | J_Bip_$_@# | 1 2 3 | 1 2 3 | - | J_Bip_$_@3_end
CATS | Thumb IndexFinger MiddleFinger RingFinger LittleFinger | @#_$ | 0 1 2 | 1 2 3 | - | -
MMD Japanese | 親指 人指 中指 薬指 小指 | $@# | ０ １ ２ | １ ２ ３ | - | $@先
MMD Japanese suffix | 親指 人差指 中指 薬指 小指 | @#.$ | ０ １ ２ | １ ２ ３ | - | -
MMD English | Thumb Fore Middle Third Little | @Finger#_$ | 0 1 2 | 1 2 3 | - | -
Daz Genesis 8 | Thumb Index Mid Ring Pinky | $@# | 1 2 3 | 1 2 3 | $Carpal* | -
Daz Genesis 9 | thumb index mid ring pinky | $_@# | 1 2 3 | 1 2 3 | $_@metacarpal | -
Poser | Thumb Index Mid Ring Pinky | $@# | 1 2 3 | 1 2 3 | - | -
Character Creator | Thumb Index Mid Ring Pinky | CC_Base_$_@# | 1 2 3 | 1 2 3 | - | -
iClone export | Thumb Index Mid Ring Pinky | $_@# | 1 2 3 | 1 2 3 | - | -
MakeHuman | thumb index middle ring pinky | finger&-#.$ | 1 2 3 | 1 2 3 | metacarpal*.$ | -
3ds Max Biped | - - - - - | Bip001 $ Finger%# | = 1 2 | = 1 2 | - | Bip001 $ Finger%Nub
3ds Max CAT | - - - - - | CATRig$ArmDigit&# | 1 2 3 | 1 2 3 | - | -
ValveBiped | - - - - - | ValveBiped.Bip01_$_Finger%# | = 1 2 | = 1 2 | - | -
Source 2 | thumb index middle ring pinky | finger_@_#_$ | 0 1 2 | 0 1 2 | finger_@_meta_$ | -
TF2 | thumb index middle ring pinky | bip_@_#_$ | 0 1 2 | 0 1 2 | - | -
Maya HumanIK | Thumb Index Middle Ring Pinky | Character1_$Hand@# | 1 2 3 | 1 2 3 | Character1_$InHand@ | Character1_$Hand@4
Advanced Skeleton | Thumb Index Middle Ring Pinky | @Finger#_$ | 1 2 3 | 1 2 3 | - | @Finger4_$
mGear | thumb_$0 finger_$0 finger_$1 finger_$2 finger_$3 | @_#_jnt | 0 1 2 | 0 1 2 | - | -
Xsens | First Second Third Fourth Fifth | $@# | MC PP DP | PP MP DP | $@MC | -
Rokoko | - - - - - | $Finger&# | Metacarpal Proximal Distal | Proximal Medial Distal | - | $Finger&Tip
Perception Neuron | Thumb Index Middle Ring Pinky | $Hand@# | 1 2 3 | 1 2 3 | $InHand@ | -
OptiTrack | Thumb Index Middle Ring Pinky | $@# | 1 2 3 | 1 2 3 | - | -
SMPL-X Blender | thumb index middle ring pinky | $_@# | 1 2 3 | 1 2 3 | - | -
Rigify metarig | thumb f_index f_middle f_ring f_pinky | @.#.$ | 01 02 03 | 01 02 03 | palm.0*.$ | -
Blender Rigify deform | thumb f_index f_middle f_ring f_pinky | DEF-@.#.$ | 01 02 03 | 01 02 03 | DEF-palm.0*.$ | -
Auto-Rig Pro | thumb index middle ring pinky | c_@#.$ | 1 2 3 | 1 2 3 | c_@1_base.$ | -
Auto-Rig Pro export | thumb index middle ring pinky | @_#_$ | 01 02 03 | 01 02 03 | - | -
AccuRig | Thumb Index Mid Ring Pinky | CC_Base_$_@# | 1 2 3 | 1 2 3 | - | -
XNALara | - - - - - | arm $ finger &# | a b c | a b c | - | -
Quaternius | Thumb Index Middle Ring Pinky | @#.$ | 1 2 3 | 1 2 3 | - | @4.$
Second Life | Thumb Index Middle Ring Pinky | mHand@#$ | 1 2 3 | 1 2 3 | - | -
Skyrim | - - - - - | NPC $ Finger%# [$F%#] | 0 1 2 | 0 1 2 | - | -
Fallout | - - - - - | $Arm_Finger&# | 1 2 3 | 1 2 3 | - | -
ARKit | Thumb Index Mid Ring Pinky | $_hand@#_joint | Start _1 _2 | _1 _2 _3 | $_hand@Start_joint | $_hand@End_joint
DeepMotion | Thumb Index Middle Ring Pinky | $_hand@#_JNT | 1 2 3 | 1 2 3 | - | -
Plask | Thumb Index Middle Ring Pinky | $Hand@# | 1 2 3 | 1 2 3 | - | -
CMU | Thumb Index Middle Ring Pinky | $Hand@# | 1 2 3 | 1 2 3 | - | -
hobby IK | Thumb Index Middle Ring Pinky | @.#.$ | 001 002 003 | 001 002 003 | - | -
leg and shin | thumb pointer mid ring pinkie | @#.$ | 1 2 3 | 1 2 3 | - | -
German | Daumen Zeigefinger Mittelfinger Ringfinger KleinerFinger | @#.$ | 1 2 3 | 1 2 3 | - | -
French | Pouce Index Majeur Annulaire Auriculaire | @#.$ | 1 2 3 | 1 2 3 | - | -
Spanish | pulgar indice medio anular menique | @#_$ | 1 2 3 | 1 2 3 | - | -
Italian | pollice indice medio anulare mignolo | @#_$ | 1 2 3 | 1 2 3 | - | -
Chinese | 拇指 食指 中指 无名指 小指 | $@# | 1 2 3 | 1 2 3 | - | -
Japanese plain | 親指 人差し指 中指 薬指 小指 | $@# | 1 2 3 | 1 2 3 | - | -
Korean | 엄지 검지 중지 약지 소지 | $@# | 1 2 3 | 1 2 3 | - | -
Russian | большой указательный средний безымянный мизинец | @#_$ | 1 2 3 | 1 2 3 | - | -
Polish | kciuk wskazujący środkowy serdeczny mały | @#_$ | 1 2 3 | 1 2 3 | - | -
"""


@dataclass(frozen=True, kw_only=True)
class FingerScheme:
    """How one program names a hand's bones."""

    words: tuple[str, ...]
    segment: str
    thumb: tuple[str, ...]
    others: tuple[str, ...]
    palm: str
    tip: str

    def list_names(self, n: int, side: str) -> tuple[str, tuple[str, ...], str]:
        """The names of the n-th finger's palm bone, its three segments and its tip; empty where there is none."""
        word = "" if self.words[n] == "-" else self.words[n]

        def fill(template: str, segment: str) -> str:
            filled = template.replace("@", word).replace("#", segment)
            for mark, number in (("%", n), ("&", n + 1), ("*", n)):
                filled = filled.replace(mark, str(number))
            return filled.replace("$", side)

        segments = self.others if n else self.thumb
        palm = "" if self.palm == "-" or n == 0 else fill(self.palm, "")
        names = tuple(fill(self.segment, "" if part == "=" else part) for part in segments)
        return palm, names, "" if self.tip == "-" else fill(self.tip, "")


def _parse(line: str) -> tuple[str, FingerScheme]:
    name, words, segment, thumb, others, palm, tip = (part.strip() for part in line.split("|"))
    return name, FingerScheme(
        words=tuple(words.split()),
        segment=segment,
        thumb=tuple(thumb.split()),
        others=tuple(others.split()),
        palm=palm,
        tip=tip,
    )


FINGER_SCHEMES = dict(_parse(line) for line in _TABLE.strip().splitlines())


def make_handed_body(
    name: str, arms_down_deg: float = 45.0, fingers: tuple[str, ...] = FINGERS, segments: int = 3
) -> tuple[RestPose, dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """A body with a scheme's names and hands with some fingers, of so many segments; its bones, and its fingers'.

    A weapon of three bones hangs on the right hand.
    """
    scheme = SCHEMES[name]
    rest, truth = make_body(scheme, Shape(arms_down_deg=arms_down_deg))
    names, parents = list(rest.bones), list(rest.parents)
    heads, tails = list(rest.heads), list(rest.tails)
    found: dict[str, tuple[str, ...]] = {}

    def add(bone: str, parent: str, head: Array, tail: Array) -> str:
        names.append(bone)
        parents.append(names.index(parent))
        heads.append(head)
        tails.append(tail)
        return bone

    for which, side in enumerate(("left", "right")):
        hand = truth[f"{side}_hand"][0]
        q = _find_rotation(rest, truth, side)
        for n, finger in enumerate(FINGERS):
            if finger not in fingers:
                continue
            palm, bones, tip = FINGER_SCHEMES[name].list_names(n, scheme.sides[which])
            points = rest.heads[names.index(hand)] + rotation.rotate(q, _list_points(side, finger))
            parent = add(palm, hand, points[0] * 0.3 + rest.heads[names.index(hand)] * 0.7, points[0]) if palm else hand
            points = points if segments == 3 else points[[0, 1, 3]]
            for segment in range(segments):
                parent = add(bones[segment], parent, points[segment], points[segment + 1])
                found[list_finger_joints(side, finger)[segment]] = (bones[segment],)
            if tip:
                add(tip, parent, points[-1], points[-1] * 2.0 - points[-2])
    step = np.array([-0.05, 0.0, -0.05])
    for n, weapon in enumerate(("sword", "sword blade", "sword tip")):
        head = rest.heads[names.index(truth["right_hand"][0])] + step * (n + 1)
        add(weapon, truth["right_hand"][0] if n == 0 else names[-1], head, head + step)
    return make_armature(names, parents, np.array(heads), np.array(tails)), truth, found


def remove_humans_names(rest: RestPose) -> tuple[RestPose, dict[str, str]]:
    """The body with its bones numbered; what is a weapon stays one."""
    new = tuple(bone if "sword" in bone else f"Bone.{n:03d}" for n, bone in enumerate(rest.bones))
    return replace(rest, bones=new), dict(zip(new, rest.bones, strict=True))


def _find_rotation(rest: RestPose, truth: dict[str, tuple[str, ...]], side: str) -> Array:
    """The rotation (4,) from the humanoid's T-pose to how a forearm points."""
    at = [rest.heads[rest.bones.index(truth[f"{side}_{joint}"][0])] for joint in ("lower_arm", "hand")]
    return rotation.between(np.array([1.0 if side == "left" else -1.0, 0.0, 0.0]), at[1] - at[0])


def _list_points(side: str, finger: str) -> Array:
    """A finger's joints and tip (4, 3) from the wrist, in the T-pose."""
    skeleton, positions = HUMANOID_WITH_FINGERS, HUMANOID_WITH_FINGERS.rest_positions()
    joints = [skeleton.index(joint) for joint in list_finger_joints(side, finger)]
    points = np.array([*positions[joints], positions[joints[-1]] + skeleton.tips[joints[-1]]])
    return np.asarray(points - positions[skeleton.index(f"{side}_hand")])
