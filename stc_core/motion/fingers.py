"""The fingers of the canonical humanoid: the VRM 1.0 humanoid's 15 joints a hand, in snake case.

They stand behind the body's joints in a skeleton that has them, so that the body's indices stay what they are. At rest
the hands of the T-pose lie palm down: fingers point away from the body, thumbs forward and outward by 45°. Knows names
and lengths; not how a hand is seen, nor how it moves.
"""

from __future__ import annotations

import numpy as np

from ..geometry.rotation import Array
from .skeleton import HUMANOID, Skeleton

FINGERS = ("thumb", "index", "middle", "ring", "little")
_THUMB_PARTS, _FINGER_PARTS = ("metacarpal", "proximal", "distal"), ("proximal", "intermediate", "distal")

# Left hand of HUMANOID, metres from the wrist (x outward, y backward, z up): the first joint, and the lengths of the
# three bones; chosen after the mean proportions of adults' hands.
_THUMB_AXIS = (0.68, -0.68, -0.27)
_SHAPES = {
    "thumb": ((0.022, -0.022, -0.010), (0.043, 0.033, 0.028), _THUMB_AXIS),
    "index": ((0.090, -0.026, 0.000), (0.043, 0.025, 0.023), (1.0, 0.0, 0.0)),
    "middle": ((0.093, -0.003, 0.002), (0.047, 0.029, 0.024), (1.0, 0.0, 0.0)),
    "ring": ((0.087, 0.017, 0.000), (0.043, 0.027, 0.024), (1.0, 0.0, 0.0)),
    "little": ((0.080, 0.035, -0.004), (0.034, 0.020, 0.022), (1.0, 0.0, 0.0)),
}

THUMB_AIM_PER_PALM = 0.34
"""how far before the little finger's knuckle lies the point that the thumb bends towards, in lengths of the palm"""


def list_finger_joints(side: str, finger: str) -> tuple[str, str, str]:
    """The three joints of a finger, from the palm to the tip: `left_index_proximal`, …"""
    first, second, third = _THUMB_PARTS if finger == "thumb" else _FINGER_PARTS
    return f"{side}_{finger}_{first}", f"{side}_{finger}_{second}", f"{side}_{finger}_{third}"


FINGER_JOINTS = tuple(
    joint for side in ("left", "right") for finger in FINGERS for joint in list_finger_joints(side, finger)
)
"""the 30 joints, left hand first, from thumb to little finger"""


def get_flexion_axis(side: str, finger: str) -> Array:
    """The unit axis (3,) about which a finger of the humanoid flexes at rest, in the hand's axes: towards the palm.

    It lies across the palm; a thumb bends towards a point in front of the little finger's knuckle.
    """
    axis = np.array([0.0, 1.0, 0.0])
    if finger == "thumb":
        (root, _, along), (last, _, _) = _SHAPES["thumb"], _SHAPES["little"]
        palm = np.mean([_SHAPES[other][0] for other in FINGERS[1:]], axis=0)
        aim = np.array(last) - root - [0.0, 0.0, THUMB_AIM_PER_PALM * np.linalg.norm(palm)]
        axis = np.cross(along, aim)
        axis = axis / np.linalg.norm(axis)
    return axis if side == "left" else axis * [1.0, -1.0, -1.0]


def has_fingers(skeleton: Skeleton) -> bool:
    """Whether a skeleton has all 30 finger joints."""
    return set(FINGER_JOINTS) <= set(skeleton.joint_names)


def add_fingers(skeleton: Skeleton) -> Skeleton:
    """A humanoid skeleton without fingers, with fingers behind its joints, as long as its hands' tips demand."""
    assert not set(FINGER_JOINTS) & set(skeleton.joint_names)
    names, parents = list(skeleton.joint_names), list(skeleton.parents)
    offsets, tips = list(skeleton.offsets), list(skeleton.tips)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hand = skeleton.index(f"{side}_hand")
        scale = _measure_hand(skeleton, side) * np.array([sign, 1.0, 1.0])
        for finger, (knuckle, lengths, axis) in _SHAPES.items():
            along = np.array(axis) / np.linalg.norm(axis)
            steps = [np.array(knuckle), along * lengths[0], along * lengths[1]]
            parent = hand
            for joint, step in zip(list_finger_joints(side, finger), steps, strict=True):
                parents.append(parent)
                parent = len(names)
                names.append(joint)
                offsets.append(step * scale)
                tips.append(np.zeros(3))
            tips[parent] = along * lengths[2] * scale
        tips[hand] = np.zeros(3)
    return Skeleton(joint_names=tuple(names), parents=tuple(parents), offsets=np.array(offsets), tips=np.array(tips))


def _measure_hand(skeleton: Skeleton, side: str) -> float:
    """How many times as long as HUMANOID's the hand of a skeleton is."""
    tip, own = (np.linalg.norm(s.tips[s.index(f"{side}_hand")]) for s in (skeleton, HUMANOID))
    return float(tip / own) if tip > 0.0 else 1.0


def drop_fingers(skeleton: Skeleton, q_parent_joint: Array) -> tuple[Skeleton, Array]:
    """A skeleton and its rotations (T, J, 4) without the fingers' joints; the hands' tips are where the middle ends."""
    kept = [k for k, name in enumerate(skeleton.joint_names) if name not in FINGER_JOINTS]
    tips = skeleton.tips.copy()
    for side in ("left", "right"):
        joints = [joint for joint in list_finger_joints(side, "middle") if joint in skeleton.joint_names]
        if joints:
            chain = [skeleton.index(joint) for joint in joints]
            tips[skeleton.index(f"{side}_hand")] = skeleton.offsets[chain].sum(0) + skeleton.tips[chain[-1]]
    new_index = {old: new for new, old in enumerate(kept)}
    body = Skeleton(
        joint_names=tuple(skeleton.joint_names[k] for k in kept),
        parents=tuple(new_index.get(skeleton.parents[k], -1) for k in kept),
        offsets=skeleton.offsets[kept],
        tips=tips[kept],
    )
    return body, q_parent_joint[:, kept]


HUMANOID_WITH_FINGERS = add_fingers(HUMANOID)
