"""A rig stood in the motion's own rest pose: the common ground on which turns of one are turns of the other.

A figure's own axes are found from its geometry alone (left and right, hips and neck), so bone rolls, axes and facing do
not matter; limbs are then swung to where the motion's rest has them, feet stay as flat as the rig has them.
Knows rest poses only, no time. Everything here is in metres in axes that stand: z up, facing -y, left at +x.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError
from ...geometry import rotation
from ...geometry.rotation import Array
from ..skeleton import Skeleton
from .rest_pose import BoneMap, RestPose

SIDES = {"left": 1.0, "right": -1.0}
SPINE = ("spine", "chest", "upper_chest")
LIMBS = tuple(
    tuple(f"{side}_{part}" for part in parts)
    for side in SIDES
    for parts in (("upper_arm", "lower_arm", "hand"), ("upper_leg", "lower_leg", "foot"))
)  # upper, lower, end
X, Y, Z = np.eye(3)
_PAIRS = ("upper_leg", "upper_arm", "shoulder", "lower_leg", "foot", "hand")  # in the order they are trusted
_SNAP = np.cos(np.radians(15.0))  # a trunk this near to an axis of its space stands along it
_SOLE = 0.02 / 0.82  # the toes' joint over the floor, by leg length
_BENT = np.radians([8.0, 20.0])  # a rest bend between which the plane of a limb is believed
_TINY = 1e-6


@dataclass(frozen=True)
class Figure:
    """A figure at rest on its own axes: where its joints are, and where segments without a next joint end.

    q_stand (4,): the figure's given axes to standing ones. joints, ends: name -> place (3,), metres.
    """

    q_stand: Array
    joints: Mapping[str, Array]
    ends: Mapping[str, Array]

    def along(self, joint: str, end: str | None) -> Array:
        """The unit direction (3,) from a joint to another, or to its own end; zero where there is none."""
        return rotation.normalise(
            (self.joints[end] if end else self.ends.get(joint, self.joints[joint])) - self.joints[joint]
        )

    def leg(self) -> float | None:
        """The length of thigh and shin, the mean of the legs that are whole."""
        whole = [limb for limb in LIMBS if limb[0].endswith("leg") and all(joint in self.joints for joint in limb)]
        lengths = [_length(self.joints[a] - self.joints[b]) for limb in whole for a, b in itertools.pairwise(limb)]
        return sum(lengths) / len(whole) if whole else None


def figure_of(skeleton: Skeleton) -> Figure:
    """A skeleton at rest as a figure."""
    places = dict(zip(skeleton.joint_names, skeleton.rest_positions(), strict=True))
    q_stand = standing(places)
    ends = {name: places[name] + tip for name, tip in zip(skeleton.joint_names, skeleton.tips, strict=True)}
    for joint, parent in reversed(list(enumerate(skeleton.parents))):
        if parent >= 0 and skeleton.parents.count(parent) == 1:
            ends[skeleton.joint_names[parent]] = places[skeleton.joint_names[joint]]
    return Figure(q_stand, *({name: rotation.rotate(q_stand, v) for name, v in d.items()} for d in (places, ends)))


def standing(places: Mapping[str, Array]) -> Array:
    """The turn (4,) from the axes in which joints have these places to standing ones: z up, facing -y."""
    up = _up(places)
    left = _left(places, up)
    left = rotation.normalise(left - (left @ up) * up)
    return rotation.inv(rotation.from_axes(left, np.cross(up, left), up))


def _up(places: Mapping[str, Array]) -> Array:
    """Up along the trunk; where the trunk leans, the legs may tell better. An axis of the space wins if it is near."""
    low, high = (
        _middle(places, ("upper_leg", "hips", "spine")),
        _middle(places, ("neck", "head", "upper_arm", "shoulder")),
    )
    feet = _middle(places, ("foot", "lower_leg"))
    trunk = rotation.normalise(high - low) if low is not None and high is not None else None
    legs = rotation.normalise(low - feet) if low is not None and feet is not None else None
    for direction, most in ((trunk, -1.0), (legs, 0.6)):
        if direction is not None and np.abs(direction).max() > _SNAP:
            axis = np.where(np.abs(direction) == np.abs(direction).max(), np.sign(direction), 0.0)
            if trunk is None or axis @ trunk > most:
                return axis
    return next((direction for direction in (trunk, legs) if direction is not None), Z)


def _middle(places: Mapping[str, Array], parts: tuple[str, ...]) -> Array | None:
    for part in parts:
        names = (part,) if part in places else tuple(f"{side}_{part}" for side in SIDES)
        if all(name in places for name in names):
            return np.mean([places[name] for name in names], axis=0)
    return None


def _left(places: Mapping[str, Array], up: Array) -> Array:
    """The direction to the figure's left: between the first pair that there is, else from the toes' direction."""
    for part in _PAIRS:
        if f"left_{part}" in places and f"right_{part}" in places:
            across = places[f"left_{part}"] - places[f"right_{part}"]
            if _length(np.cross(across, up)) > _TINY:
                return across
    for side in SIDES:
        if f"{side}_toes" in places and f"{side}_foot" in places:
            ahead = places[f"{side}_toes"] - places[f"{side}_foot"]
            if _length(np.cross(ahead, up)) > _TINY:
                return np.cross(up, ahead) * 1.0
    return X if abs(up @ X) < 0.9 else Y


def _length(v: Array) -> float:
    return float(np.linalg.norm(v))


# ---------------------------------------------------------------------------------------------- the rig


@dataclass(frozen=True)
class Rig:
    """A rig's mapped bones and where they stand in the reference pose.

    bones, twists: joint -> indices of bones, head to tip. figure: the rig at rest. aligned: joint -> the turn (4,) that
    takes its bones from rest to the reference. ankle_height: of a flat foot over its sole, metres. source: the motion's
    figure. spine: all bones between hips and neck. missing: joints of the motion that the map does not name.
    """

    rest: RestPose
    bones: Mapping[str, tuple[int, ...]]
    twists: Mapping[str, tuple[int, ...]]
    figure: Figure
    source: Figure
    aligned: Mapping[str, Array]
    ankle_height: float
    spine: tuple[int, ...]
    missing: tuple[str, ...]

    def q_reference(self, joint: str, bone: int) -> Array:
        """The orientation (4,) of a bone of this joint in the reference pose, in standing axes."""
        q_stand_bone = rotation.mul(self.figure.q_stand, self.rest.q_armature_bone[bone])
        return rotation.mul(self.aligned.get(joint, rotation.IDENTITY), q_stand_bone)

    def head(self, bone: int) -> Array:
        """Where a bone's head is at rest, metres in standing axes (as `figure`)."""
        return rotation.rotate(self.figure.q_stand, self.rest.heads[bone] * self.rest.unit_m)

    def tail(self, bone: int) -> Array:
        """Where a bone's tail is at rest, metres in standing axes."""
        return rotation.rotate(self.figure.q_stand, self.rest.tails[bone] * self.rest.unit_m)

    def all(self, joint: str) -> tuple[int, ...]:
        """The joint's bones and twist bones."""
        return self.bones.get(joint, ()) + self.twists.get(joint, ())

    def ancestors(self, bone: int) -> set[int]:
        """The bones that carry this one."""
        found: set[int] = set()
        while (bone := self.rest.parents[bone]) >= 0:
            found.add(bone)
        return found

    def end_place(self, joint: str) -> Array:
        """Where the joint's segment ends at rest: at the next mapped joint, or its last bone's tail."""
        end = self.end(joint)
        return self.figure.joints[end] if end else self.figure.ends[joint]

    def end(self, joint: str) -> str | None:
        """The next joint of its limb that both the rig and the motion have."""
        for limb in LIMBS:
            if joint in limb:
                return next((name for name in limb[limb.index(joint) + 1 :] if name in self.bones), None)
        return None

    def source_end(self, joint: str) -> str | None:
        """The joint towards which the motion's segment is aimed: the rig's own, else the motion's next."""
        following = next((limb[limb.index(joint) + 1 :] for limb in LIMBS if joint in limb), ())
        return self.end(joint) or next((name for name in following if name in self.source.joints), None)


def rig_of(rest: RestPose, bone_map: BoneMap, skeleton: Skeleton) -> Rig:
    """The rig in the rest pose of a skeleton. Raises UserError where the map names a bone that the armature lacks."""
    source = figure_of(skeleton)
    named = {joint: _indices(rest, bone_map, names) for joint, names in bone_map.bones.items() if names}
    bones = {joint: named[joint] for joint in source.joints if joint in named}
    twists = {joint: _indices(rest, bone_map, names) for joint, names in bone_map.twists.items() if joint in bones}
    spine = tuple(bone for joint in SPINE for bone in named.get(joint, ()))
    missing = tuple(joint for joint in source.joints if joint not in named and not (spine and joint in SPINE))
    rig = Rig(rest, bones, twists, _figure(rest, named), source, {}, 0.0, spine, missing)
    aligned = _aligned(rig)
    return replace(rig, aligned=aligned, ankle_height=_ankle_height(rig, aligned))


def _indices(rest: RestPose, bone_map: BoneMap, names: tuple[str, ...]) -> tuple[int, ...]:
    for name in names:
        if name not in rest.bones:
            raise UserError(
                f"The bone map {bone_map.name} names the bone {name}, which this armature lacks.",
                "Choose another bone in the list, or let the map be guessed again.",
            )
    return tuple(map(rest.index, names))


def _figure(rest: RestPose, bones: Mapping[str, tuple[int, ...]]) -> Figure:
    joints = {joint: rest.heads[chain[0]] * rest.unit_m for joint, chain in bones.items()}
    ends = {joint: rest.tails[chain[-1]] * rest.unit_m for joint, chain in bones.items()}
    q_stand = standing(joints)
    return Figure(q_stand, *({name: rotation.rotate(q_stand, v) for name, v in d.items()} for d in (joints, ends)))


def _aligned(rig: Rig) -> dict[str, Array]:
    aligned: dict[str, Array] = {}
    for limb in LIMBS:
        upper, lower, end = limb
        if upper in rig.bones:
            aligned[upper] = _swung_upper(rig, upper)
        if lower in rig.bones:
            aligned[lower] = _swung(rig, lower, aligned.get(upper, rotation.IDENTITY))
        if end in rig.bones:
            above = aligned.get(lower, aligned.get(upper, rotation.IDENTITY))
            aligned[end] = _foot(rig, end, above) if end.endswith("foot") else _hand(rig, end, above)
            if end.endswith("foot"):
                aligned[end.replace("foot", "toes")] = aligned[end]
    return aligned


def _swung(rig: Rig, joint: str, above: Array) -> Array:
    """`above`, then the shortest swing that brings the segment along the motion's."""
    seen = rotation.rotate(above, rig.figure.along(joint, rig.end(joint)))
    return rotation.mul(rotation.between(seen, rig.source.along(joint, rig.source_end(joint))), above)


def _swung_upper(rig: Rig, joint: str) -> Array:
    """The swing of an upper arm or thigh; where the limb is bent at rest, twisted so that it folds about its hinge."""
    swung = _swung(rig, joint, rotation.IDENTITY)
    lower = rig.end(joint)
    if lower is None or not lower.partition("_")[2].startswith("lower"):
        return swung
    upper_seen, lower_seen = (rotation.rotate(swung, rig.figure.along(name, rig.end(name))) for name in (joint, lower))
    normal = np.cross(upper_seen, lower_seen)
    bend = np.arctan2(_length(normal), upper_seen @ lower_seen)
    hinge = hinge_axis(rig.source, joint, rig.source_end(joint))
    angle = np.arctan2(np.cross(normal, hinge) @ upper_seen, normal @ hinge)
    return rotation.mul(rotation.from_axis_angle(upper_seen, np.array(angle * ramp(bend, *_BENT))), swung)


def hinge_axis(source: Figure, joint: str, end: str | None) -> Array:
    """The axis (3,) about which the elbow or knee below this joint folds, for the figure at rest: up x low = axis."""
    sign = SIDES[joint.split("_")[0]]
    is_arm = joint.endswith("arm")
    straight, hinge = (sign * X, -sign * Z) if is_arm else (-Z, X)
    return rotation.rotate(rotation.between(straight, source.along(joint, end)), hinge)


def ramp(x: Array | float, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


# ---------------------------------------------------------------------------------------------- hands and feet


def _hand(rig: Rig, hand: str, above: Array) -> Array:
    """The forearm's turn, then the palm laid along the motion's and the knuckles across it, as far as they tell."""
    sign = SIDES[hand.split("_")[0]]
    along = rig.source.along(hand, None)
    knuckles = rotation.rotate(above, _knuckles(rig, hand))
    forearm = (
        rotation.rotate(above, rig.figure.along(hand.replace("hand", "lower_arm"), hand))
        if (hand.replace("hand", "lower_arm") in rig.bones)
        else along
    )
    ahead = knuckles.mean(0) if len(knuckles) else rotation.rotate(above, rig.figure.along(hand, None))
    if not along.any() or rotation.normalise(ahead) @ forearm < 0.7:
        return above
    turn = rotation.between(ahead, along)
    across = rotation.rotate(turn, knuckles[0] - knuckles[-1]) if len(knuckles) > 1 else np.zeros(3)
    across = across - (across @ along) * along
    front = rotation.rotate(rotation.between(sign * X, along), -Y)
    across = across if across @ front > 0.0 else -across
    angle = np.arctan2(np.cross(across, front) @ along, across @ front)
    sure = _length(across) > 0.15 * _length(ahead) and abs(angle) < np.radians(75.0)
    palm = rotation.from_axis_angle(along, np.array(angle if sure else 0.0))
    return rotation.mul(palm, rotation.mul(turn, above))


def _knuckles(rig: Rig, hand: str) -> Array:
    """Where the fingers but the thumb leave the hand (N, 3), from its head; the outermost two first and last."""
    rest, hand_bone = rig.rest, rig.bones[hand][-1]
    children = [[c for c, parent in enumerate(rest.parents) if parent == bone] for bone in range(len(rest.bones))]
    fingers = [children[child][0] for child in children[hand_bone] if children[child]]
    places = np.array([rig.head(bone) - rig.head(hand_bone) for bone in fingers]).reshape(-1, 3)
    if len(places) < 4:
        return places[:0]
    unit = rotation.normalise(places)
    places = np.delete(places, int((unit @ unit.sum(0)).argmin()), axis=0)  # the thumb stands apart
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    first, last = divmod(int(apart.argmax()), len(apart))
    middle = [i for i in range(len(places)) if i not in (first, last)]
    return places[[first, *middle, last]]


def _foot(rig: Rig, foot: str, above: Array) -> Array:
    """As flat as at rest, turned to point where the motion's foot points; with the shin where that cannot be flat."""
    shin = rotation.rotate(rotation.inv(above), -Z)
    ahead, wanted = _ball(rig.figure, foot), _ball(rig.source, foot)
    flat = not _points_down_oddly(ahead) and abs(shin[0]) < np.sin(np.radians(20.0))
    base = rotation.IDENTITY if flat or _points_down_oddly(rotation.rotate(above, ahead)) else above
    ahead = rotation.rotate(base, ahead)
    angle = float(np.arctan2(ahead[0] * wanted[1] - ahead[1] * wanted[0], ahead[:2] @ wanted[:2]))
    angle = angle if abs(angle) < np.radians(60.0) else 0.0
    return rotation.mul(rotation.from_axis_angle(Z, np.array(angle)), base)


def _points_down_oddly(ahead: Array) -> bool:
    """Whether a foot that points this way does not lie flat: it should fall gently from the ankle to the toes."""
    return not 0.0 <= -ahead[2] / max(_length(ahead), _TINY) <= 0.87


def _ball(figure: Figure, foot: str) -> Array:
    """From the ankle to the toes' joint (3,), metres; to the foot's end where there are no toes."""
    toes = foot.replace("foot", "toes")
    end = figure.joints.get(toes, figure.ends.get(foot, figure.joints[foot]))
    return end - figure.joints[foot]


def ball(rig: Rig, foot: str) -> Array:
    """From the rig's ankle to its toes' joint (3,) in the reference pose; a foot's usual one where bones tell none."""
    place = rotation.rotate(rig.aligned[foot], _ball(rig.figure, foot))
    usual = np.array([0.0, -0.16, 0.0]) * (rig.figure.leg() or 1.0) - (rig.ankle_height or 0.07) * 0.75 * Z
    return place if place[1] < 0.5 * usual[1] else usual


def _ankle_height(rig: Rig, aligned: Mapping[str, Array]) -> float:
    """Of the rig's ankles over the floor: that through the origin if the feet stand on it, else just under the toes."""
    feet = [foot for foot in ("left_foot", "right_foot") if foot in rig.bones]
    leg = rig.figure.leg()
    if not feet or leg is None:
        return 0.0
    drops = [-rotation.rotate(aligned[foot], _ball(rig.figure, foot))[2] for foot in feet]
    toes = min(float((rig.figure.joints[foot] + _ball(rig.figure, foot))[2]) for foot in feet)
    on_origin = 0.0 <= toes <= 0.09 * leg
    return float(np.mean(drops)) + (toes if on_origin else _SOLE * leg)


def source_ankle_height(figure: Figure) -> float:
    """Of a motion's ankles over the floor, where its feet have toes; else of a usual body of its size."""
    leg = figure.leg()
    if leg is None:
        return 0.0
    feet = [foot for foot in ("left_foot", "right_foot") if foot.replace("foot", "toes") in figure.joints]
    drops = [-_ball(figure, foot)[2] for foot in feet] or [0.075 * leg]
    return float(np.mean(drops)) + _SOLE * leg
