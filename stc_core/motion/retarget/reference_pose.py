"""A rig stood in the motion's own rest pose, so that rotations of one are rotations of the other.

Both are stood in standing axes (standing_body.py), so bone rolls, axes and facing do not matter; limbs are then swung
to where the motion's rest pose has them, feet stay as flat as the rig has them. Knows rest poses, not time. Everything
here is in metres in standing axes: z up, facing -y, left at +x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError
from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.rotation import Array
from ..fingers import FINGER_JOINTS, FINGERS, list_finger_joints
from ..rig_mapping.bone_map import BoneMap
from ..skeleton import Skeleton
from .finger_reference import Hand, align_fingers, align_palm
from .rest_pose import RestPose
from .soles import (
    ANKLE_PER_LEG,
    FEET,
    SOLE_PER_LEG,
    find_foot_direction,
    find_pivot,
    is_flat,
    measure_ankle_height,
    toe_joint_offset,
)
from .standing_body import LIMBS, SIDES, SPINE, Body, X, Y, Z, length, stand, stand_skeleton

# All limits below are chosen.
_BENT_RAD = np.radians([8.0, 20.0])  # a rest bend from where the plane of a limb counts, and counts fully
_MAX_PALM_TWIST_RAD, _MAX_FOOT_YAW_RAD = np.radians(75.0), np.radians(60.0)  # beyond it the rig's own is kept
_MAX_SHIN_LEAN_SINE = np.sin(np.radians(20.0))  # aside; a foot under a shin that leans more turns with it
_HAND_COSINE = 0.7  # a hand further from its forearm at rest does not show where it points
_MAX_PALM_ERROR_RAD = np.radians(135.0)  # a palm by its fingers' names further from the one without is not believed
_TIP_COSINE, _TIP_M = 0.4, 0.01  # a fingertip more aside than this is none; how long the last segment is then
_KNUCKLES_BREADTH = 0.15  # of a hand's length: knuckles closer together do not show its palm


# ---------------------------------------------------------------------------------------------- the rig


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A rig's mapped bones and how they stand in the reference pose, the rest pose of the motion's skeleton."""

    rest: RestPose
    bones: Mapping[str, tuple[int, ...]]
    """joint -> indices of its bones, from head to tip"""
    twists: Mapping[str, tuple[int, ...]]
    """joint -> indices of its twist bones, from head to tip"""
    body: Body
    """the rig at rest"""
    source: Body
    """the motion's skeleton at rest"""
    alignment: Mapping[str, Array]
    """joint -> the rotation (4,) that takes its bones from rest to the reference pose, in standing axes"""
    ankle_height_m: float
    """of a flat foot over its sole"""
    spine: tuple[int, ...]
    """indices of all bones between hips and neck"""
    unmapped: tuple[str, ...]
    """joints of the motion that the bone map does not name"""

    def q_reference(self, joint: str, bone: int) -> Array:
        """Return the orientation (4,) of a bone of this joint in the reference pose, in standing axes."""
        q_standing_bone = rotation.mul(self.body.q_standing_rest, self.rest.q_armature_bone[bone])
        return rotation.mul(self.alignment.get(joint, rotation.IDENTITY), q_standing_bone)

    def head(self, bone: int) -> Array:
        """Return where a bone's head (3,) is at rest, metres in standing axes."""
        return rotation.rotate(self.body.q_standing_rest, self.rest.heads[bone] * self.rest.unit_m)

    def tail(self, bone: int) -> Array:
        """Return where a bone's tail (3,) is at rest, metres in standing axes."""
        return rotation.rotate(self.body.q_standing_rest, self.rest.tails[bone] * self.rest.unit_m)

    def bones_and_twists(self, joint: str) -> tuple[int, ...]:
        """Return the indices of a joint's bones and twist bones."""
        return self.bones.get(joint, ()) + self.twists.get(joint, ())

    def ancestors(self, bone: int) -> set[int]:
        """Return the indices of the bones above this one."""
        above: set[int] = set()
        while (bone := self.rest.parents[bone]) >= 0:
            above.add(bone)
        return above

    def end_joint(self, joint: str) -> str | None:
        """Return the next joint of its limb that both the rig and the motion have."""
        for limb in LIMBS:
            if joint in limb:
                return next((name for name in limb[limb.index(joint) + 1 :] if name in self.bones), None)
        return None

    def end_position(self, joint: str) -> Array:
        """Return where the joint's segment ends at rest (3,): at the next mapped joint, or at its last bone's tail."""
        end = self.end_joint(joint)
        return self.body.joints[end] if end else self.body.ends[joint]

    def source_end_joint(self, joint: str) -> str | None:
        """Return the joint towards which the motion's segment points: the rig's own, else the motion's next."""
        below = next((limb[limb.index(joint) + 1 :] for limb in LIMBS if joint in limb), ())
        return self.end_joint(joint) or next((name for name in below if name in self.source.joints), None)


def fit_rig(rest: RestPose, bone_map: BoneMap, skeleton: Skeleton) -> Rig:
    """Stand a rig in a skeleton's rest pose.

    Raises UserError where the map names a bone that the armature lacks, or no joint that the skeleton has.
    """
    source = stand_skeleton(skeleton)
    mapped = {joint: _find_bones(rest, bone_map, names) for joint, names in bone_map.bones.items() if names}
    bones = {joint: mapped[joint] for joint in source.joints if joint in mapped}
    if not bones:
        raise UserError(
            f"The bone map {bone_map.name} names no bone that the motion moves.", "Choose bones in the list."
        )
    twists = {joint: _find_bones(rest, bone_map, names) for joint, names in bone_map.twists.items() if joint in bones}
    spine = tuple(bone for joint in SPINE for bone in mapped.get(joint, ()))
    unmapped = tuple(joint for joint in source.joints if joint not in mapped and not (spine and joint in SPINE))
    rig = Rig(
        rest=rest, bones=bones, twists=twists, body=_stand_rig(rest, mapped), source=source, alignment={},
        ankle_height_m=0.0, spine=spine, unmapped=unmapped,
    )  # fmt: skip
    alignment = _align_limbs(rig)
    return replace(rig, alignment=alignment, ankle_height_m=measure_ankle_height(rest, rig.body, alignment))


def list_unmapped_parts(rig: Rig) -> list[str]:
    """List what the motion moves and the rig lacks, in words: joints, and fingers that have no bone at all."""
    parts = [joint.replace("_", " ") for joint in rig.unmapped if joint not in FINGER_JOINTS]
    lacking = [
        (side, finger)
        for side in SIDES
        for finger in FINGERS
        if set(joints := list_finger_joints(side, finger)) & set(rig.source.joints) and not set(joints) & set(rig.bones)
    ]
    if len(lacking) == len(SIDES) * len(FINGERS):
        return [*parts, "fingers"]
    return parts + [f"{side} {finger}{' finger' * (finger != 'thumb')}" for side, finger in lacking]


def _find_bones(rest: RestPose, bone_map: BoneMap, names: tuple[str, ...]) -> tuple[int, ...]:
    for name in names:
        if name not in rest.bones:
            raise UserError(
                f"The bone map {bone_map.name} names the bone {name}, which this armature lacks.",
                "Choose another bone in the list, or let the map be guessed again.",
            )
    return tuple(map(rest.index, names))


def _stand_rig(rest: RestPose, bones: Mapping[str, tuple[int, ...]]) -> Body:
    joints = {joint: rest.heads[chain[0]] * rest.unit_m for joint, chain in bones.items()}
    ends = {joint: rest.tails[chain[-1]] * rest.unit_m for joint, chain in bones.items()}
    return stand(joints, ends)


def _align_limbs(rig: Rig) -> dict[str, Array]:
    """Compute `Rig.alignment` of the joints of limbs, from the trunk outwards."""
    alignment: dict[str, Array] = {}
    for limb in LIMBS:
        upper, lower, end = limb
        if upper in rig.bones:
            alignment[upper] = _align_upper(rig, upper)
        if lower in rig.bones:
            alignment[lower] = _swing(rig, lower, alignment.get(upper, rotation.IDENTITY))
        if end in rig.bones:
            above = alignment.get(lower, alignment.get(upper, rotation.IDENTITY))
            alignment[end] = _align_foot(rig, end, above) if end.endswith("foot") else _align_hand(rig, end, above)
            if end.endswith("foot"):
                alignment[end.replace("foot", "toes")] = alignment[end]
            else:
                alignment |= _align_fingers(rig, end, alignment[end])
    return alignment


def _swing(rig: Rig, joint: str, above: Array) -> Array:
    """Apply `above` (4,), then the shortest swing that brings the segment along the motion's."""
    direction = rotation.rotate(above, rig.body.direction(joint, rig.end_joint(joint)))
    return rotation.mul(rotation.between(direction, rig.source.direction(joint, rig.source_end_joint(joint))), above)


def _align_upper(rig: Rig, joint: str) -> Array:
    """Swing an upper arm or thigh; where the limb is bent at rest, twist it too, so that it folds about its hinge."""
    q = _swing(rig, joint, rotation.IDENTITY)
    lower = rig.end_joint(joint)
    if lower is None or not lower.partition("_")[2].startswith("lower"):
        return q
    upper_direction, lower_direction = (
        rotation.rotate(q, rig.body.direction(name, rig.end_joint(name))) for name in (joint, lower)
    )
    normal = np.cross(upper_direction, lower_direction)
    bend = np.arctan2(length(normal), upper_direction @ lower_direction)
    hinge = hinge_axis(rig.source, joint, rig.source_end_joint(joint))
    angle = np.arctan2(np.cross(normal, hinge) @ upper_direction, normal @ hinge)
    return rotation.mul(rotation.from_axis_angle(upper_direction, np.array(angle * smoothstep(bend, *_BENT_RAD))), q)


def hinge_axis(source: Body, joint: str, end: str | None) -> Array:
    """Return the axis (3,) about which the elbow or knee below this joint folds at rest: upper x lower = axis."""
    sign = SIDES[joint.split("_")[0]]
    is_arm = joint.endswith("arm")
    straight, hinge = (sign * X, -sign * Z) if is_arm else (-Z, X)
    return rotation.rotate(rotation.between(straight, source.direction(joint, end)), hinge)


# ---------------------------------------------------------------------------------------------- hands and feet


def _align_hand(rig: Rig, hand: str, above: Array) -> Array:
    """Apply the forearm's rotation `above`, then lay the palm along the motion's and the knuckles across it.

    The hand keeps the forearm's rotation where its bones do not show where it points, its twist where its knuckles
    do not show the palm.
    """
    sign = SIDES[hand.split("_")[0]]
    along = rig.source.direction(hand, None)
    knuckles = rotation.rotate(above, _find_knuckles(rig, hand))
    lower_arm = hand.replace("hand", "lower_arm")
    forearm = rotation.rotate(above, rig.body.direction(lower_arm, hand)) if lower_arm in rig.bones else along
    ahead = knuckles.mean(0) if len(knuckles) else rotation.rotate(above, rig.body.direction(hand, None))
    if not along.any() or rotation.normalise(ahead) @ forearm < _HAND_COSINE:
        return above
    q = rotation.between(ahead, along)
    across = rotation.rotate(q, knuckles[0] - knuckles[-1]) if len(knuckles) > 1 else np.zeros(3)
    across = across - (across @ along) * along
    front = rotation.rotate(rotation.between(sign * X, along), -Y)
    across = across if across @ front > 0.0 else -across
    angle = np.arctan2(np.cross(across, front) @ along, across @ front)
    is_shown = length(across) > _KNUCKLES_BREADTH * length(ahead) and abs(angle) < _MAX_PALM_TWIST_RAD
    palm = rotation.from_axis_angle(along, np.array(angle if is_shown else 0.0))
    return rotation.mul(palm, rotation.mul(q, above))


def _align_fingers(rig: Rig, hand: str, q_hand: Array) -> dict[str, Array]:
    """Compute the alignment of the fingers that rig and motion have, and of the hand by its palm.

    q_hand (4,): the hand's, found without fingers' names; it stays where these show no palm or one that is far from it.
    """
    side = hand.split("_")[0]
    own, source = _read_hand(rig, side), _read_source_hand(rig.source, side)
    if not own.fingers or not source.fingers:
        return {}
    q_palm = align_palm(own, source)
    if q_palm is not None and rotation.angle(rotation.mul(q_palm, rotation.inv(q_hand))) < _MAX_PALM_ERROR_RAD:
        q_hand = q_palm
    return {hand: q_hand, **align_fingers(own, source, q_hand)}


def _read_hand(rig: Rig, side: str) -> Hand:
    """Read where the rig's mapped finger joints are, and where its fingers end."""
    fingers: dict[str, dict[str, Array]] = {}
    wrist = rig.body.joints[f"{side}_hand"]
    for finger in FINGERS:
        joints = [joint for joint in list_finger_joints(side, finger) if joint in rig.bones]
        if joints:
            points = {joint: rig.body.joints[joint] for joint in joints}
            before = points[joints[-2]] if len(joints) > 1 else wrist
            fingers[finger] = points | {"end": _find_finger_end(rig, rig.bones[joints[-1]][-1], before)}
    return Hand(side=side, wrist=wrist, fingers=fingers)


def _find_finger_end(rig: Rig, bone: int, before: Array) -> Array:
    """Find where a finger ends: at the one bone below its last, else at its tail, else straight on from `before`."""
    head = rig.head(bone)
    straight = rotation.normalise(head - before)
    below = [rig.head(child) for child, parent in enumerate(rig.rest.parents) if parent == bone]
    ends: list[Array] = [*(below if len(below) == 1 else ()), rig.tail(bone)]
    for found in ends:
        if rotation.normalise(found - head) @ straight > _TIP_COSINE:
            return found
    end: Array = head + straight * max(length(rig.tail(bone) - head), _TIP_M)
    return end


def _read_source_hand(source: Body, side: str) -> Hand:
    """Read where the motion's finger joints are at rest, and where its fingers end."""
    fingers: dict[str, dict[str, Array]] = {}
    for finger in FINGERS:
        joints = [joint for joint in list_finger_joints(side, finger) if joint in source.joints]
        if joints:
            fingers[finger] = {joint: source.joints[joint] for joint in joints} | {"end": source.ends[joints[-1]]}
    return Hand(side=side, wrist=source.joints[f"{side}_hand"], fingers=fingers)


def _find_knuckles(rig: Rig, hand: str) -> Array:
    """Find where the fingers except the thumb leave the hand (N, 3), from its head, the outermost two first and last.

    N is 0 for hands of fewer than four fingers.
    """
    rest, hand_bone = rig.rest, rig.bones[hand][-1]
    children = [[c for c, parent in enumerate(rest.parents) if parent == bone] for bone in range(len(rest.bones))]
    fingers = [children[child][0] for child in children[hand_bone] if children[child]]
    points = np.array([rig.head(bone) - rig.head(hand_bone) for bone in fingers]).reshape(-1, 3)
    if len(points) < 4:
        return points[:0]
    unit = rotation.normalise(points)
    points = np.delete(points, int((unit @ unit.sum(0)).argmin()), axis=0)  # the thumb stands apart
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    first, last = divmod(int(apart.argmax()), len(apart))
    middle = [i for i in range(len(points)) if i not in (first, last)]
    return points[[first, *middle, last]]


def _align_foot(rig: Rig, foot: str, above: Array) -> Array:
    """Keep a foot as flat as at rest and turn it to point where the motion's does.

    above (4,): the shin's alignment, which the foot takes where it cannot be flat.
    """
    shin = rotation.rotate(rotation.inv(above), -Z)
    ahead = find_foot_direction(rig.rest, rig.body, foot)
    if ahead is None:
        return rotation.IDENTITY if abs(shin[0]) < _MAX_SHIN_LEAN_SINE else above
    source_ahead = toe_joint_offset(rig.source, foot)
    stays_flat = is_flat(ahead) and abs(shin[0]) < _MAX_SHIN_LEAN_SINE
    base = rotation.IDENTITY if stays_flat or not is_flat(rotation.rotate(above, ahead)) else above
    ahead = rotation.rotate(base, ahead)
    yaw = float(np.arctan2(ahead[0] * source_ahead[1] - ahead[1] * source_ahead[0], ahead[:2] @ source_ahead[:2]))
    yaw = yaw if abs(yaw) < _MAX_FOOT_YAW_RAD else 0.0
    return rotation.mul(rotation.from_axis_angle(Z, np.array(yaw)), base)


def foot_pivot(rig: Rig, foot: str) -> Array:
    """Return over what the rig's foot rolls, from the ankle (3,), metres, in the reference pose."""
    return find_pivot(rig.rest, rig.body, foot, rig.alignment[foot], rig.ankle_height_m)


def source_ankle_height(source: Body) -> float:
    """Return how high a motion's ankles are over the floor, metres; of feet without toes a usual height."""
    leg = source.leg_length()
    if leg is None:
        return 0.0
    feet = [foot for foot in FEET if foot.replace("foot", "toes") in source.joints]
    drops = [-toe_joint_offset(source, foot)[2] for foot in feet] or [ANKLE_PER_LEG * leg]
    return float(np.mean(drops)) + SOLE_PER_LEG * leg
