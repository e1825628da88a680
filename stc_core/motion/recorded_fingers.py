"""The fingers of a recorded body: whether they do anything, and a humanoid's fingers of their lengths.

Knows a rig stood in the humanoid's rest pose; does not know formats.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..geometry import rotation
from .fingers import FINGER_JOINTS, FINGERS, add_fingers, list_finger_joints
from .recorded_body import RecordedBody
from .retarget.reference_pose import Rig
from .retarget.standing_body import SIDES, length
from .rig_mapping.bone_map import BoneMap
from .skeleton import HUMANOID, Skeleton

_STILL_RAD = np.radians(0.5)  # fingers that never leave their rest by more were not recorded; chosen
_MIN_SEGMENT = 0.15  # of the humanoid's own: a segment is made no shorter; chosen


def has_moved_fingers(body: RecordedBody, bone_map: BoneMap) -> bool:
    """Whether any mapped finger of a body is ever away from its rest, against the bone that it hangs on."""
    rest = body.rest
    for joint in FINGER_JOINTS:
        for name in bone_map.bones.get(joint, ()):
            bone = rest.index(name)
            parent = rest.parents[bone]
            q_rest = rotation.mul(rotation.inv(rest.q_armature_bone[parent]), rest.q_armature_bone[bone])
            q = rotation.mul(rotation.inv(body.q_world_bone[:, parent]), body.q_world_bone[:, bone])
            if rotation.angle(rotation.mul(rotation.inv(q_rest), q)).max() > _STILL_RAD:
                return True
    return False


def fit_fingers(rig: Rig, skeleton: Skeleton) -> Skeleton:
    """A humanoid skeleton with fingers where the rig's begin and as long as the rig's; what it lacks in proportion."""
    tips = skeleton.tips.copy()
    for side in SIDES:
        hand = skeleton.index(f"{side}_hand")
        tips[hand] = HUMANOID.tips[HUMANOID.index(f"{side}_hand")] * _measure_palm(rig, side)
    fitted = add_fingers(replace(skeleton, tips=tips))
    offsets, tips = fitted.offsets.copy(), fitted.tips.copy()
    for side in SIDES:
        for finger in FINGERS:
            joints = list_finger_joints(side, finger)
            mapped = [joint for joint in joints if joint in rig.bones]
            if mapped and mapped[0] == joints[0]:
                reach = rig.body.joints[joints[0]] - rig.body.joints[f"{side}_hand"]
                q_hand = rig.alignment.get(f"{side}_hand", rotation.IDENTITY)
                offsets[fitted.index(joints[0])] = rotation.rotate(q_hand, reach)
            for joint, after in pairwise(joints):
                if joint in mapped and after in mapped:
                    own = length(rig.body.joints[after] - rig.body.joints[joint])
                    step = offsets[fitted.index(after)]
                    offsets[fitted.index(after)] = step * max(own / length(step), _MIN_SEGMENT)
    return replace(fitted, offsets=offsets, tips=tips)


def _measure_palm(rig: Rig, side: str) -> float:
    """Measure how many times as long as the humanoid's the rig's palm is; 1 where no knuckle is known."""
    knuckles = [list_finger_joints(side, finger)[0] for finger in FINGERS[1:]]
    mapped = [joint for joint in knuckles if joint in rig.bones]
    pairs = [
        [length(body.joints[joint] - body.joints[f"{side}_hand"]) for joint in mapped]
        for body in (rig.body, rig.source)
    ]
    return float(np.mean(pairs[0]) / np.mean(pairs[1])) if mapped else 1.0
