"""Retargeting: the rotations to key on each bone of an armature, whatever its roll, rest pose or size.

Limbs point exactly where the motion's point, twisted by the plane of elbow and knee; hips, trunk, clavicles, neck,
head, hands, feet and toes rotate in the world as the motion's do against a common reference pose (reference_pose.py).
Feet in contact are then held by foot_lock.py. Does not know Blender, files or bone names: these come in a BoneMap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..motion import Motion
from ..rig_mapping.bone_map import BoneMap
from ..skeleton import Skeleton, forward_kinematics
from . import foot_lock
from .bone_animation import BoneAnimation
from .bone_rotations import interpolate_rotations, rotate_bones, spine_arc_lengths
from .reference_pose import Rig, fit_rig, hinge_axis, toe_joint_offset
from .rest_pose import PosedBone, RestPose, follow_parent, inherited_rotation
from .root_path import (
    anchor_joints,
    base_heights,
    find_root_bone,
    from_rig_path,
    path_scales,
    rig_anchor,
    source_anchor,
    to_rig_path,
)
from .source_motion import follow_source
from .standing_body import SIDES, SPINE

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


def retarget(motion: Motion, rest: RestPose, bone_map: BoneMap, config: RetargetConfig | None = None) -> BoneAnimation:
    """Put the motion on an armature, in the world where the motion is, whatever the object's transform.

    Keys the mapped bones and their twist bones only. Heights are scaled as the legs, so that feet meet the floor at 0.
    Raises UserError where the map names a bone that the armature lacks, or none that the motion could move.
    """
    config = config or RetargetConfig()
    rig = fit_rig(rest, bone_map, motion.skeleton)
    root, notes = find_root_bone(rig, bone_map)
    rotations = rotate_bones(rig, follow_source(motion, rig), config.forearm_twist)
    posed = _pose_bones(rest, rotations, root)
    path = to_rig_path(rig, source_anchor(rig, motion.positions(), motion), config.path_scale)
    shift = path - rig_anchor(rig, posed)
    if config.lock_feet and motion.contacts.any():
        legs = [_find_leg(rig, side, rotations, posed, shift, motion) for side in SIDES if _has_leg(rig, side)]
        lock = foot_lock.lock_feet(legs, motion.fps, config.contact_ease_s)
        shift, notes = shift + lock.shift, (*notes, *lock.notes)
        rotations |= {
            bone: rotation.mul(q, rotations[bone])
            for joint, q in lock.rotations.items()
            for bone in rig.bones_and_twists(joint)
        }
        posed = _pose_bones(rest, rotations, root)
    notes = (*_describe_fit(rig, config), *notes)
    return _make_animation(rig, sorted(rotations), posed, root, shift, motion.fps, notes)


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
    rig = fit_rig(rest, bone_map, original.skeleton)
    rotations = rotate_bones(rig, follow_source(original, rig), config.forearm_twist)
    edits = {bone: rotation.mul(q_world_bone[:, bone], rotation.inv(q)) for bone, q in rotations.items()}
    q_parent_joint = _edit_joints(rig, edits, original)
    rooted = forward_kinematics(original.skeleton, np.zeros_like(original.t_world_root), q_parent_joint)[0]
    heads = np.mean([heads_world[:, rig.bones[joint][0]] for joint in anchor_joints(rig)], axis=0)
    original_anchor = source_anchor(rig, original.positions(), original)
    t_world_root = from_rig_path(rig, heads, original_anchor, config.path_scale) - source_anchor(rig, rooted, original)
    return replace(original, t_world_root=t_world_root, q_parent_joint=q_parent_joint)


def motion_to_rig(
    skeleton: Skeleton, rest: RestPose, bone_map: BoneMap, config: RetargetConfig | None = None
) -> tuple[Array, Array]:
    """Return how the motion's world lies in the rig's: its point x is at `scales * x + origin` (3,), metres."""
    rig = fit_rig(rest, bone_map, skeleton)
    scales, (own, source) = path_scales(rig, (config or RetargetConfig()).path_scale), base_heights(rig)
    return scales, own - source * scales


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
    needed = {root, *rotations}
    for bone in range(len(rest.bones) - 1, -1, -1):
        if bone in needed and rest.parents[bone] >= 0:
            needed.add(rest.parents[bone])
    posed: dict[int, PosedBone] = {}
    for bone in sorted(needed):
        q_following, head = follow_parent(rest, bone, posed)
        if bone in rotations:
            posed[bone] = head, rotation.mul(q_armature_world, rotations[bone])
        else:
            posed[bone] = head, inherited_rotation(rest, bone, q_following)
    return posed


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
        toe_joint_offset=toe_joint_offset(rig, foot),
        ankle_height=rig.ankle_height_m,
        contact=motion.contacts[:, list(SIDES).index(side)],
    )


def _make_animation(
    rig: Rig,
    bones: list[int],
    posed: Mapping[int, PosedBone],
    root: int,
    shift: Array,
    fps: float,
    notes: tuple[str, ...],
) -> BoneAnimation:
    """Express posed bones in Blender's pose-bone basis, the root bone moved by `shift` (T, 3), world metres."""
    rest, keys = rig.rest, []
    for bone in bones:
        base = inherited_rotation(rest, bone, follow_parent(rest, bone, posed)[0])
        keys.append(rotation.mul(rotation.inv(base), posed[bone][1]))
    moved = rotation.rotate(rotation.inv(rest.q_world_armature), shift) / rest.unit_m
    return BoneAnimation(
        bones=tuple(rest.bones[bone] for bone in bones),
        rotations=rotation.unroll(rotation.normalise(np.stack(keys, 1))),
        root=rest.bones[root],
        root_locations=rotation.rotate(rotation.inv(follow_parent(rest, root, posed)[0]), moved),
        fps=fps,
        notes=notes,
    )


def _describe_fit(rig: Rig, config: RetargetConfig) -> list[str]:
    """Say in sentences by how much the path is scaled, and which joints the rig lacks."""
    across, _, up = path_scales(rig, config.path_scale)
    sentences = []
    if max(abs(across - 1.0), abs(up - 1.0)) >= _SCALE_TOLERANCE:
        heights = "" if across == up else f", heights by {up:.2f}"
        sentences.append(f"The path is scaled by {across:.2f}{heights}.")
    if rig.unmapped:
        sentences.append(f"The rig has no bones for: {', '.join(joint.replace('_', ' ') for joint in rig.unmapped)}.")
    return sentences
