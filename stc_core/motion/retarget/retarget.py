"""Retargeting: the rotations to key on each bone of an armature, whatever its roll, rest pose or size.

Limbs point exactly where the motion's point, twisted by the plane of elbow and knee; hips, trunk, clavicles, neck,
head, hands, feet and toes rotate in the world as the motion's do against a common reference pose (reference_pose.py).
Feet in contact are then held by foot_lock.py. Does not know Blender, files or bone names: these come in a BoneMap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..motion import Motion
from ..rig_mapping.bone_map import BoneMap
from ..skeleton import forward_kinematics
from . import foot_lock
from .bone_animation import BoneAnimation
from .bone_rotations import interpolate_rotations, rotate_bones, spine_arc_lengths
from .loose_bones import attach_loose_bones
from .placement import Placement, Start, fit_placement, rotate_motion
from .reference_pose import Rig, fit_rig, foot_pivot, hinge_axis, list_unmapped_parts
from .rest_pose import PosedBone, RestPose, follow_parent, inherited_rotation
from .root_path import anchor_joints, find_root_bone, find_root_motion_bone, rest_anchor, rig_anchor, source_anchor
from .source_motion import follow_source
from .standing_body import SIDES, SPINE, X, Y, Z

RootPath = Literal["hips", "in-place", "root-bone"]
"""what carries the path over the floor: the hips, nothing, or the bone above the hips that engines read as the root"""

_SCALE_TOLERANCE = 0.005  # a path scaled by less is not worth a note; chosen


@dataclass(frozen=True, kw_only=True)
class RetargetConfig:
    """How a motion is put on a rig."""

    lock_feet: bool = True
    """hold feet still on the floor while they are in contact, on the rig's own legs"""
    contact_ease_s: float = 0.1
    """how long a foot takes from its free path to where it is held, and back"""
    path_scale: float | None = None
    """metres of the rig's path over the floor for one of the motion's; None scales the path as the legs"""
    forearm_twist: float = 0.5
    """the fraction of the hand's twist, 0 to 1, that a forearm without twist bones takes"""
    start: Start = "world"
    """where the motion begins: "world", where it does in its own world; "character", where the rig stands and as it
    faces at rest"""
    path: RootPath = "hips"
    """what carries the path over the floor: "hips"; "in-place", nothing, the hips stay over where they begin;
    "root-bone", the topmost bone above the hips (or the bone map's root), while the hips keep their height over it"""


def retarget(motion: Motion, rest: RestPose, bone_map: BoneMap, config: RetargetConfig | None = None) -> BoneAnimation:
    """Put the motion on an armature, in the world where the motion is or where the armature stands (`config.start`).

    Keys the mapped bones and their twist bones only. Heights are scaled as the legs, so that feet meet the floor. Feet
    and other ends that hang elsewhere than on their limb are keyed to its end.
    Raises UserError where the map names a bone that the armature lacks, or none that the motion could move.
    """
    config = config or RetargetConfig()
    attached, loose = attach_loose_bones(rest, bone_map, motion.skeleton)
    rig = fit_rig(attached, bone_map, motion.skeleton)
    placement = fit_placement(rig, motion, config.start, config.path_scale)
    path = placement.apply(source_anchor(rig, motion.positions(), motion))
    motion = rotate_motion(motion, placement.q) if placement.yaw_rad else motion
    root, notes = find_root_bone(rig, replace(bone_map, root="") if config.path == "root-bone" else bone_map)
    rotations = rotate_bones(rig, follow_source(motion, rig), config.forearm_twist)
    posed = _pose_bones(attached, rotations, root)
    shift = path - rig_anchor(rig, posed)
    if config.lock_feet and motion.contacts.any():
        over_floor = shift - placement.floor_m * Z
        legs = [_find_leg(rig, side, rotations, posed, over_floor, motion) for side in SIDES if _has_leg(rig, side)]
        lock = foot_lock.lock_feet(legs, motion.fps, config.contact_ease_s)
        shift, notes = shift + lock.shift, (*notes, *lock.notes)
        rotations |= {
            bone: rotation.mul(q, rotations[bone])
            for joint, q in lock.rotations.items()
            for bone in rig.bones_and_twists(joint)
        }
        posed = _pose_bones(attached, rotations, root)
    anchor = rig_anchor(rig, posed) + shift
    if config.path == "in-place":
        shift = shift - (anchor - anchor[0]) * (X + Y)
    moved = {bone: posed[bone][0] + _to_armature(rest, shift) for bone in (root, *map(attached.index, loose))}
    carrier = find_root_motion_bone(rig, bone_map, root) if config.path == "root-bone" else root
    if carrier >= 0 and carrier != root:
        moved[carrier] = attached.heads[carrier] + _to_armature(rest, (anchor - rest_anchor(rig)) * (X + Y))
        root = carrier
    elif carrier < 0:
        notes = (*notes, f"No bone is above {attached.bones[root]} to carry the path; it carries the path itself.")
    if loose:
        notes = (
            *notes,
            f"{', '.join(loose)}: these bones do not hang on their limbs and are moved to the limbs' ends.",
        )
    notes = (*_describe_fit(rig, placement), *notes)
    turned = {bone: posed[bone][1] for bone in rotations}
    return _make_animation(rest, rig, turned, moved, attached.bones[root], motion.fps, notes)


def recover_motion(
    rest: RestPose,
    bone_map: BoneMap,
    q_world_bone: Array,
    heads_world: Array,
    original: Motion,
    config: RetargetConfig | None = None,
) -> Motion:
    """Recover the motion that an armature shows, as an edit of `original`: the inverse of `retarget`, same config.

    q_world_bone (T, B, 4) and heads_world (T, B, 3) metres: every bone of the rest, evaluated, at the frames of
    `original`. Each joint rotates in the world as far from `original` as its bone is from where `original` puts it. So
    what a rig cannot show (unmapped joints, a trunk's rotations shared by fewer bones, a limb's twist against its
    plane) stays as in `original`.
    """
    config = config or RetargetConfig()
    assert len(q_world_bone) == len(heads_world) == len(original.t_world_root)
    attached, _ = attach_loose_bones(rest, bone_map, original.skeleton)
    order = [rest.index(name) for name in attached.bones]
    rig = fit_rig(attached, bone_map, original.skeleton)
    placement = fit_placement(rig, original, config.start, config.path_scale)
    placed = rotate_motion(original, placement.q) if placement.yaw_rad else original
    rotations = rotate_bones(rig, follow_source(placed, rig), config.forearm_twist)
    edits = {bone: rotation.mul(q_world_bone[:, order[bone]], rotation.inv(q)) for bone, q in rotations.items()}
    recovered = replace(placed, q_parent_joint=_edit_joints(rig, edits, placed))
    recovered = rotate_motion(recovered, rotation.inv(placement.q)) if placement.yaw_rad else recovered
    q_parent_joint = recovered.q_parent_joint
    rooted = forward_kinematics(original.skeleton, np.zeros_like(original.t_world_root), q_parent_joint)[0]
    heads = np.mean([heads_world[:, order[rig.bones[joint][0]]] for joint in anchor_joints(rig)], axis=0)
    original_anchor = source_anchor(rig, original.positions(), original)
    if config.path == "in-place":
        travel = placement.apply(original_anchor)
        heads = heads + (travel - travel[0]) * (X + Y)
    t_world_root = placement.invert(heads, original_anchor) - source_anchor(rig, rooted, original)
    return replace(original, t_world_root=t_world_root, q_parent_joint=q_parent_joint)


def place_motion(motion: Motion, rest: RestPose, bone_map: BoneMap, config: RetargetConfig | None = None) -> Placement:
    """Return how the motion's world lies in the rig's when it is retargeted with `config`."""
    config = config or RetargetConfig()
    rig = fit_rig(attach_loose_bones(rest, bone_map, motion.skeleton)[0], bone_map, motion.skeleton)
    return fit_placement(rig, motion, config.start, config.path_scale)


def _edit_joints(rig: Rig, edits: Mapping[int, Array], original: Motion) -> Array:
    """Rotate the joints of `original` in the world as their bones were: q_parent_joint (T, J, 4)."""
    skeleton = original.skeleton
    q_world_joint = forward_kinematics(skeleton, original.t_world_root, original.q_parent_joint)[1]
    local, edited = original.q_parent_joint.copy(), q_world_joint.copy()
    for joint, (name, parent) in enumerate(zip(skeleton.joint_names, skeleton.parents, strict=True)):
        edit = _find_edit(rig, name, edits)
        q_world_parent = edited[:, parent] if parent >= 0 else rotation.IDENTITY
        if edit is None:
            edited[:, joint] = rotation.mul(q_world_parent, local[:, joint])
        else:
            edited[:, joint] = rotation.mul(edit, q_world_joint[:, joint])
            local[:, joint] = rotation.mul(rotation.inv(q_world_parent), edited[:, joint])
    return rotation.unroll(local)


def _find_edit(rig: Rig, joint: str, edits: Mapping[int, Array]) -> Array | None:
    """Return the rotation (T, 4) by which a joint's bone was edited in the world; None of unmapped joints."""
    if joint in SPINE and rig.spine:
        at, knots = spine_arc_lengths(rig)
        arc_length = at[[name for name in SPINE if name in rig.source.joints].index(joint)]
        return interpolate_rotations(knots, [edits[bone] for bone in rig.spine], arc_length)
    if joint not in rig.bones:
        return None
    return edits[rig.bones[joint][0 if joint == "hips" else -1]]


# ---------------------------------------------------------------------------------------------- bones over time


def _pose_bones(rest: RestPose, rotations: Mapping[int, Array], root: int) -> dict[int, PosedBone]:
    """Pose the keyed bones and all above them in armature space, the root bone not moved."""
    q_armature_world = rotation.inv(rest.q_world_armature)
    posed: dict[int, PosedBone] = {}
    for bone in _list_with_ancestors(rest, {root, *rotations}):
        q_following, head = follow_parent(rest, bone, posed)
        if bone in rotations:
            posed[bone] = head, rotation.mul(q_armature_world, rotations[bone])
        else:
            posed[bone] = head, inherited_rotation(rest, bone, q_following)
    return posed


def _list_with_ancestors(rest: RestPose, bones: set[int]) -> list[int]:
    """Return bones and all above them, parents before children."""
    needed = set(bones)
    for bone in range(len(rest.bones) - 1, -1, -1):
        if bone in needed and rest.parents[bone] >= 0:
            needed.add(rest.parents[bone])
    return sorted(needed)


def _has_leg(rig: Rig, side: str) -> bool:
    return all(f"{side}_{part}" in rig.bones for part in ("upper_leg", "lower_leg", "foot"))


def _find_leg(
    rig: Rig, side: str, rotations: Mapping[int, Array], posed: Mapping[int, PosedBone], shift: Array, motion: Motion
) -> foot_lock.Leg:
    """Return the rig's leg as it moves without the lock, in the world."""
    thigh, shin, foot, toes = (f"{side}_{part}" for part in ("upper_leg", "lower_leg", "foot", "toes"))
    hip, knee, ankle = (rig.rest.to_world(posed[rig.bones[j][0]][0]) + shift for j in (thigh, shin, foot))

    def q_world_standing(joint: str) -> Array:
        bone = rig.bones[joint][-1]
        return rotation.mul(rotations[bone], rotation.inv(rig.q_reference(joint, bone)))

    q_foot = q_world_standing(foot)
    return foot_lock.Leg(
        side=side,
        hip=hip,
        knee=knee,
        ankle=ankle,
        hinge=rotation.rotate(q_world_standing(thigh), hinge_axis(rig.source, thigh, shin)),
        foot=q_foot,
        toes=q_world_standing(toes) if toes in rig.bones else q_foot,
        toe_joint_offset=foot_pivot(rig, foot),
        ankle_height=rig.ankle_height_m,
        contact=motion.contacts[:, list(SIDES).index(side)],
    )


def _to_armature(rest: RestPose, moved: Array) -> Array:
    """Take displacements (T, 3) from the world's metres to the armature's axes and units."""
    return rotation.rotate(rotation.inv(rest.q_world_armature), moved) / rest.unit_m


def _make_animation(
    rest: RestPose,
    rig: Rig,
    rotations: Mapping[int, Array],
    heads: Mapping[int, Array],
    root: str,
    fps: float,
    notes: tuple[str, ...],
) -> BoneAnimation:
    """Express bones' rotations (T, 4) and the heads (T, 3) of those that move in Blender's pose-bone basis.

    Both are in armature space, by the bones' indices in `rig.rest`; `rest` is the armature itself.
    """
    solved = {name: bone for bone, name in enumerate(rig.rest.bones)}
    keys: dict[str, Array] = {}
    locations: dict[str, Array] = {}
    posed: dict[int, PosedBone] = {}
    for bone in _list_with_ancestors(rest, {rest.index(rig.rest.bones[b]) for b in (*rotations, *heads)}):
        name = rest.bones[bone]
        q_following, head = follow_parent(rest, bone, posed)
        q = base = inherited_rotation(rest, bone, q_following)
        if solved[name] in rotations:
            q = rotations[solved[name]]
            keys[name] = rotation.mul(rotation.inv(base), q)
        if solved[name] in heads:
            locations[name] = rotation.rotate(rotation.inv(q_following), heads[solved[name]] - head)
            head = heads[solved[name]]
        posed[bone] = head, q
    return BoneAnimation(
        bones=tuple(keys),
        rotations=rotation.unroll(rotation.normalise(np.stack(list(keys.values()), 1))),
        root=root,
        locations=locations,
        fps=fps,
        notes=notes,
    )


def _describe_fit(rig: Rig, placement: Placement) -> list[str]:
    """Say in sentences by how much the path is scaled, and which joints the rig lacks."""
    across, _, up = placement.scales
    sentences = []
    if max(abs(across - 1.0), abs(up - 1.0)) >= _SCALE_TOLERANCE:
        heights = "" if across == up else f", heights by {up:.2f}"
        sentences.append(f"The path is scaled by {across:.2f}{heights}.")
    if unmapped := list_unmapped_parts(rig):
        sentences.append(f"The rig has no bones for: {', '.join(unmapped)}.")
    return sentences
