"""A motion put on somebody else's armature: the turns to key on each bone, whatever its roll, rest pose or size.

Limbs point exactly where the motion's point, their twist by the plane of elbow and knee; hips, trunk, clavicles, neck,
head, hands, feet and toes turn in the world as the motion's do against a common reference pose (reference_pose.py).
Feet in contact are then held by foot_lock.py. Knows no Blender, no file and no bone's name: they come in a BoneMap.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError
from ...geometry import rotation
from ...geometry.rotation import Array
from ..motion import Motion
from ..skeleton import Skeleton, forward_kinematics
from . import foot_lock
from .reference_pose import LIMBS, SIDES, SPINE, Rig, ball, hinge_axis, ramp, rig_of, source_ankle_height
from .rest_pose import BoneMap, Clip, Posed, RestPose, base_turn, following, pose, to_world

__all__ = ["BoneMap", "Clip", "RestPose", "RetargetConfig", "motion_from", "placement", "pose", "retarget"]

_BEND = np.radians([10.0, 40.0])  # from where on the plane of elbow and knee tells a limb's twist, and tells it surely
_OFF = np.radians([45.0, 90.0])  # a plane this far from the joint's own twist is doubted, and not believed
_USUAL = 0.5  # what the joint's own twist weighs, in frames of a limb bent by 90 degrees
_TINY = 1e-9


@dataclass(frozen=True)
class RetargetConfig:
    """How a motion is put on a rig.

    lock_feet: hold feet still on the floor while they are in contact, on the rig's own legs. contact_ease_s: how long
    a foot takes from its free path to its hold and back. path_scale: metres of the rig's path over the floor for one
    of the motion's; None scales the path as the legs. forearm_twist: how much of the hand's twist a forearm without
    twist bones takes, 0 to 1.
    """

    lock_feet: bool = True
    contact_ease_s: float = 0.1
    path_scale: float | None = None
    forearm_twist: float = 0.5


def retarget(motion: Motion, rest: RestPose, bone_map: BoneMap, config: RetargetConfig | None = None) -> Clip:
    """The motion on an armature, in the world where the motion is, whatever the object's turn, scale and place.

    Keys the mapped bones and their twist bones only. Heights are scaled as the legs, so that feet meet the floor at 0.
    Raises UserError where the map names a bone that the armature lacks, or none that the motion could move.
    """
    config = config or RetargetConfig()
    rig = rig_of(rest, bone_map, motion.skeleton)
    carrier, notes = _carrier(rig, bone_map)
    wanted = _bone_turns(rig, _acting(motion, rig), config)
    posed = _posed(rest, wanted, carrier)
    shift = _to_rig(rig, _anchor(rig, motion.positions(), motion), config) - _rig_anchor(rig, posed)
    if config.lock_feet and motion.contacts.any():
        legs = [_leg(rig, side, wanted, posed, shift, motion) for side in SIDES if _has_leg(rig, side)]
        held = foot_lock.lock(legs, motion.fps, config.contact_ease_s)
        shift, notes = shift + held.shift, (*notes, *held.notes)
        wanted |= {
            bone: rotation.mul(turn, wanted[bone]) for joint, turn in held.turns.items() for bone in rig.all(joint)
        }
        posed = _posed(rest, wanted, carrier)
    return _clip(rig, wanted, posed, carrier, shift, motion.fps, (*_said(rig, config), *notes))


def motion_from(
    rest: RestPose,
    bone_map: BoneMap,
    q_world_bone: Array,
    heads_world: Array,
    like: Motion,
    config: RetargetConfig | None = None,
) -> Motion:
    """The motion that an armature shows, as an edit of `like`: the inverse of `retarget` with the same config.

    q_world_bone (T, B, 4) and heads_world (T, B, 3) metres: every bone of the rest, evaluated, at the frames of `like`.
    Each joint turns in the world as far from `like` as its bone is from where `like` puts it. So what a rig cannot show
    (unmapped joints, a trunk's turns shared by fewer bones, a limb's twist against its plane) stays as in `like`.
    """
    config = config or RetargetConfig()
    assert len(q_world_bone) == len(heads_world) == len(like.t_world_root)
    rig = rig_of(rest, bone_map, like.skeleton)
    wanted = _bone_turns(rig, _acting(like, rig), config)
    edits = {bone: rotation.mul(q_world_bone[:, bone], rotation.inv(turn)) for bone, turn in wanted.items()}
    local = _edited(rig, edits, like)
    still = forward_kinematics(like.skeleton, np.zeros_like(like.t_world_root), local)[0]
    heads = np.mean([heads_world[:, rig.bones[joint][0]] for joint in _anchors(rig)], axis=0)
    root = _from_rig(rig, heads, like, config) - _anchor(rig, still, like)
    return replace(like, t_world_root=root, q_parent_joint=local)


def placement(
    skeleton: Skeleton, rest: RestPose, bone_map: BoneMap, config: RetargetConfig | None = None
) -> tuple[Array, Array]:
    """How the motion's world lies in the rig's: a place x of the motion is at `scales * x + origin` (3,), metres."""
    rig = rig_of(rest, bone_map, skeleton)
    scales, (own, source) = _scales(rig, config or RetargetConfig()), _lifts(rig)
    return scales, own - source * scales


def _edited(rig: Rig, edits: Mapping[int, Array], like: Motion) -> Array:
    """Local turns (T, J, 4) of the joints of `like`, each turned in the world as its bone was."""
    skeleton, worlds = like.skeleton, forward_kinematics(like.skeleton, like.t_world_root, like.q_parent_joint)[1]
    local, edited = like.q_parent_joint.copy(), worlds.copy()
    for joint, (name, parent) in enumerate(zip(skeleton.joint_names, skeleton.parents, strict=True)):
        edit = _edit_of(rig, name, edits)
        q_world_parent = edited[:, parent] if parent >= 0 else rotation.IDENTITY
        if edit is None:
            edited[:, joint] = rotation.mul(q_world_parent, local[:, joint])
        else:
            edited[:, joint] = rotation.mul(edit, worlds[:, joint])
            local[:, joint] = rotation.mul(rotation.inv(q_world_parent), edited[:, joint])
    return rotation.unroll(local)


def _edit_of(rig: Rig, joint: str, edits: Mapping[int, Array]) -> Array | None:
    if joint in SPINE and rig.spine:
        at, knots = _spine_places(rig)
        own = at[[name for name in SPINE if name in rig.source.joints].index(joint)]
        return _in_between(knots, [edits[bone] for bone in rig.spine], own)
    if joint not in rig.bones:
        return None
    return edits[rig.bones[joint][0 if joint == "hips" else -1]]


# ---------------------------------------------------------------------------------------------- joints


@dataclass(frozen=True)
class _Acting:
    """A motion's joints in time: places (T, 3), world metres, and turns (T, 4) from the standing rest to the world."""

    places: Mapping[str, Array]
    turns: Mapping[str, Array]
    parents: Mapping[str, str]


def _acting(motion: Motion, rig: Rig) -> _Acting:
    """The motion's joints, those of limbs aimed where the rig's segments shall point and twisted with their plane."""
    skeleton = motion.skeleton
    positions, worlds = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    places = dict(zip(skeleton.joint_names, np.moveaxis(positions, 1, 0), strict=True))
    standing = rotation.mul(worlds, rotation.inv(rig.source.q_stand))
    turns = dict(zip(skeleton.joint_names, np.moveaxis(standing, 1, 0), strict=True))
    names = skeleton.joint_names
    parents = {name: names[parent] for name, parent in zip(names, skeleton.parents, strict=True) if parent >= 0}
    acting = _Acting(places, turns, parents)
    for upper, lower, end in LIMBS:
        for joint in {upper, lower} & set(rig.bones):
            turns[joint] = _aimed(rig, acting, joint)
        if {upper, lower} <= set(rig.bones) and end in places:
            turns[upper] = _in_plane(rig, acting, (upper, lower, end))
    return acting


def _aimed(rig: Rig, acting: _Acting, joint: str) -> Array:
    """A joint's turn, swung as little as brings its segment towards the next joint that the rig has."""
    end, turn = rig.source_end(joint), acting.turns[joint]
    if end is None or acting.parents.get(end) == joint:
        return turn
    seen = acting.places[end] - acting.places[joint]
    return rotation.mul(rotation.between(rotation.rotate(turn, rig.source.along(joint, end)), seen), turn)


def _in_plane(rig: Rig, acting: _Acting, limb: tuple[str, str, str]) -> Array:
    """The upper bone's turn, twisted so that the limb folds about its hinge; where straight, by the joint's own twist.

    A usual difference between the two, over the whole clip, counts as the joint's own: rests differ in what they call
    no twist. A limb that folds backwards keeps its hinge.
    """
    upper, lower, end = (acting.places[joint] for joint in limb)
    turn = acting.turns[limb[0]]
    along = rotation.normalise(lower - upper)
    normal = np.cross(along, rotation.normalise(end - lower))
    bend = np.arctan2(np.linalg.norm(normal, axis=-1), (along * rotation.normalise(end - lower)).sum(-1))
    hinge = rotation.rotate(turn, hinge_axis(rig.source, limb[0], limb[1]))
    seen = (normal * hinge).sum(-1) + 1j * (normal * np.cross(along, hinge)).sum(-1)  # longer the more it is bent
    usual = np.angle((seen * np.abs(seen)).sum() + _USUAL)
    off = (np.angle(seen) - usual + np.pi / 2) % np.pi - np.pi / 2
    believed = ramp(bend, *_BEND) * (1.0 - ramp(np.abs(off), *_OFF))
    return rotation.mul(rotation.from_axis_angle(along, usual + believed * off), turn)


# ---------------------------------------------------------------------------------------------- bones


def _bone_turns(rig: Rig, acting: _Acting, config: RetargetConfig) -> dict[int, Array]:
    """q_world_bone (T, 4) of every keyed bone."""
    turns: dict[int, tuple[str, Array]] = {}
    for joint, chain in rig.bones.items():
        if joint == "neck":
            turns |= {bone: (joint, turn) for bone, turn in zip(chain, _neck(rig, acting), strict=True)}
        elif any(joint in limb[:2] for limb in LIMBS):
            turns |= {bone: (joint, turn) for bone, turn in _twisted(rig, acting, joint, config).items()}
        elif joint not in SPINE:
            turns |= {bone: (joint, acting.turns[joint]) for bone in rig.all(joint)}
    turns |= {bone: ("spine", turn) for bone, turn in _spine(rig, acting).items()}
    return {bone: rotation.mul(turn, rig.q_reference(joint, bone)) for bone, (joint, turn) in turns.items()}


def _neck(rig: Rig, acting: _Acting) -> list[Array]:
    """The turns of the neck's bones: from the trunk's to the neck's in even steps."""
    count = len(rig.bones["neck"])
    trunk = next((acting.turns[name] for name in (*SPINE[::-1], "hips") if name in acting.turns), acting.turns["neck"])
    return [rotation.slerp(trunk, acting.turns["neck"], np.array((i + 1) / count)) for i in range(count)]


def _spine(rig: Rig, acting: _Acting) -> dict[int, Array]:
    """The turns of the bones between hips and neck: as many as the motion's one by one, else by arc length.

    The lowest and the topmost turn as the motion's do; a single one points from its foot to the neck.
    """
    joints = [joint for joint in SPINE if joint in acting.turns]
    if not joints or not rig.spine:
        return {}
    turns = [acting.turns[joint] for joint in joints]
    if len(rig.spine) == 1 and len(joints) > 1 and "neck" in acting.places:
        seen = acting.places["neck"] - acting.places[joints[0]]
        chord = rotation.rotate(turns[-1], rig.source.along(joints[0], "neck"))
        return {rig.spine[0]: rotation.mul(rotation.between(chord, seen), turns[-1])}
    knots, at = _spine_places(rig)
    return {bone: _in_between(knots, turns, place) for bone, place in zip(rig.spine, at, strict=True)}


def _spine_places(rig: Rig) -> tuple[Array, Array]:
    """How far up the trunk, 0 to 1, the motion's spine joints and the rig's spine bones have their middles."""
    joints = [joint for joint in SPINE if joint in rig.source.joints]
    if len(joints) == len(rig.spine):
        return np.arange(len(joints)) * 1.0, np.arange(len(joints)) * 1.0
    source = [rig.source.joints[joint] for joint in joints]
    source.append(rig.source.joints.get("neck", rig.source.ends[joints[-1]]))
    bones = [rig.head(bone) for bone in rig.spine]
    bones.append(rig.figure.joints.get("neck", rig.tail(rig.spine[-1])))
    return _middles(np.array(source)), _middles(np.array(bones))


def _middles(points: Array) -> Array:
    """The middles of the segments between points (N + 1, 3) by arc length (N,), the first at 0 and the last at 1."""
    arc = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=-1))]
    middles = (arc[1:] + arc[:-1]) / 2
    return (middles - middles[0]) / max(middles[-1] - middles[0], _TINY) if len(middles) > 1 else np.array([0.5])


def _in_between(knots: Array, turns: list[Array], at: float) -> Array:
    """The turn (T, 4) at a place between knots (N,) in rising order that have these turns."""
    if len(turns) == 1:
        return turns[0]
    i = int(np.clip(np.searchsorted(knots, at, "right") - 1, 0, len(turns) - 2))
    amount = np.clip((at - knots[i]) / max(knots[i + 1] - knots[i], _TINY), 0.0, 1.0)
    return rotation.slerp(turns[i], turns[i + 1], np.array(amount))


# ---------------------------------------------------------------------------------------------- twist


@dataclass(frozen=True)
class _Twist:
    """How a segment is wrung over its length: `angle` (T,) radians about `axis` from its head to its end.

    turn (T, 4): its turn where `share` of the angle is reached. alone: the share of a lone bone.
    """

    turn: Array
    axis: Array
    angle: Array
    share: float
    alone: float

    def at(self, share: float, axis: Array) -> Array:
        return rotation.mul(self.turn, rotation.from_axis_angle(axis, (share - self.share) * self.angle))


def _twisted(rig: Rig, acting: _Acting, joint: str, config: RetargetConfig) -> dict[int, Array]:
    """The turns of a limb segment's bones and twist bones.

    Bones in line share the twist evenly from none to all, a side bone takes what its middle has.
    """
    twist = _lower_twist(rig, acting, joint, config) if "_lower_" in joint else _upper_twist(rig, acting, joint)
    path = _path_bones(rig, joint)
    steps = np.linspace(0.0, 1.0, len(path)) if len(path) > 1 else [twist.alone]
    places = [*(rig.head(bone) for bone in path), rig.end_place(joint)]
    turns = {}
    for i, bone in enumerate(path):
        own = rotation.rotate(rig.aligned[joint], rotation.normalise(places[i + 1] - places[i]))
        turns[bone] = twist.at(float(steps[i]), own if len(path) > 1 else twist.axis)
    aside = [bone for bone in rig.twists.get(joint, ()) if bone not in path]
    for bone, share in zip(aside, _shares(rig, joint, aside), strict=True):
        turns[bone] = twist.at(share, twist.axis)
    return turns


def _path_bones(rig: Rig, joint: str) -> list[int]:
    """The joint's bones and those of its twist bones that lie between it and the next joint, head to tip."""
    end = rig.end(joint)
    line = rig.ancestors(rig.bones[end][0]) if end else set()
    return sorted({*rig.bones[joint], *(line & set(rig.twists.get(joint, ())))})


def _shares(rig: Rig, joint: str, aside: list[int]) -> list[float]:
    """How far along the segment, 0 to 1, is the middle of what each side bone carries: from its head to the next."""
    start = rig.figure.joints[joint]
    length = rig.end_place(joint) - start
    heads = [float((rig.head(bone) - start) @ length / max(length @ length, _TINY)) for bone in aside]
    return [float(np.clip((head + after) / 2, 0.0, 1.0)) for head, after in itertools.pairwise([*heads, 1.0])]


def _upper_twist(rig: Rig, acting: _Acting, joint: str) -> _Twist:
    """An upper arm or thigh: wrung against the clavicle or the hips, all of it reached at elbow or knee."""
    axis = rig.source.along(joint, rig.source_end(joint))
    parent = acting.parents.get(joint, "")
    local = rotation.mul(rotation.inv(acting.turns[parent]), acting.turns[joint]) if parent else acting.turns[joint]
    return _Twist(acting.turns[joint], axis, _twist_angle(local, axis), 1.0, 1.0)


def _lower_twist(rig: Rig, acting: _Acting, joint: str, config: RetargetConfig) -> _Twist:
    """A forearm: from the elbow's plane, where it is not wrung, to the hand. A shin: from its own to the foot's."""
    axis, end, turn = rig.source.along(joint, rig.source_end(joint)), rig.end(joint), acting.turns[joint]
    upper = joint.replace("lower", "upper")
    if end is None:
        return _Twist(turn, axis, np.zeros(len(turn)), 0.0, 0.0)
    if joint.endswith("arm") and upper in acting.turns:
        elbow = acting.turns[upper]
        fold = rotation.between(rotation.rotate(elbow, axis), rotation.rotate(turn, axis))
        turn = rotation.mul(fold, elbow)
    angle = _twist_angle(rotation.mul(rotation.inv(turn), acting.turns[end]), axis)
    shared = joint.endswith("arm") and not rig.twists.get(joint)
    return _Twist(turn, axis, angle, 0.0, config.forearm_twist if shared else 0.0)


def _twist_angle(turn: Array, axis: Array) -> Array:
    """The angle (T,) of the twist about `axis` in turns (T, 4) taken as swing after twist; continuous, near zero."""
    angle = np.unwrap(2.0 * np.arctan2((turn[..., 1:] * axis).sum(-1), turn[..., 0]))
    return angle - 2.0 * np.pi * np.round(np.median(angle) / (2.0 * np.pi))


# ---------------------------------------------------------------------------------------------- path


def _carrier(rig: Rig, bone_map: BoneMap) -> tuple[int, tuple[str, ...]]:
    """The bone whose location moves everything that is mapped: the map's, the hips' or what both hang on."""
    mapped = {bone for chain in (*rig.bones.values(), rig.spine) for bone in chain}
    if not mapped:
        raise UserError(
            f"The bone map {bone_map.name} names no bone that the motion moves.", "Choose bones in the list."
        )
    rest = rig.rest
    if bone_map.root and bone_map.root not in rest.bones:
        raise UserError(
            f"The bone map {bone_map.name} names the root {bone_map.root}, which this armature lacks.",
            "Choose another root bone in the list.",
        )
    first = rest.index(bone_map.root) if bone_map.root else rig.bones.get("hips", (min(mapped),))[0]
    lines = [{bone, *rig.ancestors(bone)} for bone in mapped]
    common = set.intersection(*lines)
    if first in common:
        return first, ()
    if common:
        return max(common), (
            f"The path is on {rest.bones[max(common)]}: not all mapped bones hang on {rest.bones[first]}.",
        )
    return first, (f"Some mapped bones do not hang on {rest.bones[first]} and stay where they are.",)


def _posed(rest: RestPose, wanted: Mapping[int, Array], carrier: int) -> dict[int, Posed]:
    """The bones that matter, in armature space, their turns as wanted, the carrier not moved."""
    q_armature_world = rotation.inv(rest.q_world_armature)
    needed = {carrier, *wanted}
    for bone in range(len(rest.bones) - 1, -1, -1):
        if bone in needed and rest.parents[bone] >= 0:
            needed.add(rest.parents[bone])
    posed: dict[int, Posed] = {}
    for bone in sorted(needed):
        follow, place = following(rest, bone, posed)
        turn = rotation.mul(q_armature_world, wanted[bone]) if bone in wanted else base_turn(rest, bone, follow)
        posed[bone] = place, turn
    return posed


def _anchors(rig: Rig) -> tuple[str, ...]:
    """The joints whose middle is carried along the path: the leg's sockets, else the lowest of the trunk."""
    sockets = tuple(f"{side}_upper_leg" for side in SIDES)
    if all(socket in rig.bones for socket in sockets):
        return sockets
    return (next((joint for joint in ("hips", *SPINE) if joint in rig.bones), next(iter(rig.bones))),)


def _anchor(rig: Rig, positions: Array, motion: Motion) -> Array:
    return np.mean([positions[:, motion.skeleton.index(joint)] for joint in _anchors(rig)], axis=0)


def _rig_anchor(rig: Rig, posed: Mapping[int, Posed]) -> Array:
    return to_world(rig.rest, np.mean([posed[rig.bones[joint][0]][0] for joint in _anchors(rig)], axis=0))


def _scales(rig: Rig, config: RetargetConfig) -> Array:
    """Metres of the rig for one of the motion (3,)."""
    legs = rig.figure.leg(), rig.source.leg()
    scale = (
        legs[0] / legs[1] if legs[0] and legs[1] else _spread(rig.figure.joints, rig) / _spread(rig.source.joints, rig)
    )
    across = scale if config.path_scale is None else config.path_scale
    return np.array([across, across, scale])


def _spread(joints: Mapping[str, Array], rig: Rig) -> float:
    places = np.array([joints[joint] for joint in rig.bones])
    return float(np.linalg.norm(places - places.mean(0))) if len(places) > 1 else 1.0


def _lifts(rig: Rig) -> tuple[Array, Array]:
    """The heights (3,) from which those of the rig and the motion are counted: their ankles', standing."""
    whole = rig.figure.leg() and rig.source.leg()
    own, source = (rig.ankle_height, source_ankle_height(rig.source)) if whole else (0.0, 0.0)
    return np.array([0.0, 0.0, own]), np.array([0.0, 0.0, source])


def _to_rig(rig: Rig, places: Array, config: RetargetConfig) -> Array:
    """Where on the rig's path a place (T, 3) of the motion's is."""
    own, source = _lifts(rig)
    return own + (places - source) * _scales(rig, config)


def _from_rig(rig: Rig, places: Array, like: Motion, config: RetargetConfig) -> Array:
    """The inverse of `_to_rig`; a path scaled to nothing stays that of `like`."""
    own, source = _lifts(rig)
    scales = _scales(rig, config)
    seen = source + (places - own) / np.where(scales == 0.0, 1.0, scales)
    return np.where(scales == 0.0, _anchor(rig, like.positions(), like), seen)


# ---------------------------------------------------------------------------------------------- feet and result


def _has_leg(rig: Rig, side: str) -> bool:
    return all(f"{side}_{part}" in rig.bones for part in ("upper_leg", "lower_leg", "foot"))


def _leg(
    rig: Rig, side: str, wanted: Mapping[int, Array], posed: Mapping[int, Posed], shift: Array, motion: Motion
) -> foot_lock.Leg:
    """The rig's leg as it would go unheld, in the world."""
    joints = [f"{side}_{part}" for part in ("upper_leg", "lower_leg", "foot", "toes")]
    socket, knee, ankle = (to_world(rig.rest, posed[rig.bones[joint][0]][0]) + shift for joint in joints[:3])

    def turn(joint: str) -> Array:
        bone = rig.bones[joint][-1]
        return rotation.mul(wanted[bone], rotation.inv(rig.q_reference(joint, bone)))

    hinge = rotation.rotate(turn(joints[0]), hinge_axis(rig.source, joints[0], joints[1]))
    foot = turn(joints[2])
    toes = turn(joints[3]) if joints[3] in rig.bones else foot
    contact = motion.contacts[:, list(SIDES).index(side)]
    return foot_lock.Leg(side, socket, knee, ankle, hinge, foot, toes, ball(rig, joints[2]), rig.ankle_height, contact)


def _clip(
    rig: Rig,
    wanted: Mapping[int, Array],
    posed: Mapping[int, Posed],
    carrier: int,
    shift: Array,
    fps: float,
    notes: tuple[str, ...],
) -> Clip:
    rest, bones = rig.rest, sorted(wanted)
    keys = []
    for bone in bones:
        base = base_turn(rest, bone, following(rest, bone, posed)[0])
        keys.append(rotation.mul(rotation.inv(base), posed[bone][1]))
    away = rotation.rotate(rotation.inv(rest.q_world_armature), shift) / rest.unit_m
    locations = rotation.rotate(rotation.inv(following(rest, carrier, posed)[0]), away)
    rotations = rotation.unroll(rotation.normalise(np.stack(keys, 1)))
    return Clip(tuple(rest.bones[b] for b in bones), rotations, rest.bones[carrier], locations, fps, notes)


def _said(rig: Rig, config: RetargetConfig) -> list[str]:
    across, _, up = _scales(rig, config)
    said = []
    if max(abs(across - 1.0), abs(up - 1.0)) >= 0.005:
        said.append(f"The path is scaled by {across:.2f}" + ("." if across == up else f", heights by {up:.2f}."))
    if rig.missing:
        said.append(f"The rig has no bones for: {', '.join(joint.replace('_', ' ') for joint in rig.missing)}.")
    return said
