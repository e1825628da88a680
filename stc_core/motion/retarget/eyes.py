"""A face's gaze on a rig's eyes: bones that are rotated, or controls that eyes look at, which are moved.

Knows where the rig faces by its body's geometry, so that bones' own axes do not matter; does not know how eyes are
found or files.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..face import Face
from ..gaze import find_eye_rotations
from ..rig_mapping.bone_map import BoneMap
from ..rig_mapping.eye_bones import find_eye_bones, find_eye_targets
from .bone_animation import BoneAnimation
from .rest_pose import RestPose
from .standing_body import fit_standing_axes

_EYES = ("left", "right")
"""in the order of a gaze"""


def list_eye_controls(rest: RestPose, bone_map: BoneMap) -> tuple[str, ...]:
    """The bones or controls that a gaze is keyed on; none where the rig has no eyes."""
    targets = find_eye_targets(rest)
    found = {side: pair[0] for side, pair in targets.items()} or find_eye_bones(rest, _get_head(bone_map))
    return tuple(found[side] for side in _EYES if side in found)


def add_gaze(animation: BoneAnimation, rest: RestPose, bone_map: BoneMap, face: Face) -> BoneAnimation:
    """The animation with the face's gaze on the rig's eyes, frame by frame; itself where the rig has none."""
    assert len(face.scores) == len(animation.rotations)
    q_armature = _compute_gaze_in(rest, bone_map, face)
    targets = find_eye_targets(rest)
    if targets:
        moved = {targets[side][0]: _move_target(rest, *targets[side], q_armature[:, k]) for k, side in enumerate(_EYES)}
        return replace(animation, locations={**animation.locations, **moved})
    eyes = find_eye_bones(rest, _get_head(bone_map))
    columns = {eyes[side]: _turn(rest, eyes[side], q_armature[:, k]) for k, side in enumerate(_EYES) if side in eyes}
    columns = {bone: q for bone, q in columns.items() if bone not in animation.bones}
    if not columns:
        return animation
    rotations = np.concatenate([animation.rotations, np.stack(list(columns.values()), 1)], 1)
    return replace(animation, bones=(*animation.bones, *columns), rotations=rotations)


def keep_bones(animation: BoneAnimation, bones: Collection[str]) -> BoneAnimation:
    """The animation of some bones only."""
    columns = [column for column, bone in enumerate(animation.bones) if bone in bones]
    return replace(
        animation,
        bones=tuple(animation.bones[column] for column in columns),
        rotations=animation.rotations[:, columns],
        root=animation.root if animation.root in bones else "",
        locations={bone: values for bone, values in animation.locations.items() if bone in bones},
    )


def _get_head(bone_map: BoneMap) -> str:
    return next(iter(bone_map.bones.get("head", ())), "")


def _compute_gaze_in(rest: RestPose, bone_map: BoneMap, face: Face) -> Array:
    """Each eye's rotation (T, 2, 4) in the armature's axes, the head at rest."""
    known = {bone: row for row, bone in enumerate(rest.bones)}
    joints = {joint: rest.heads[known[bones[0]]] for joint, bones in bone_map.bones.items() if bones[0] in known}
    q_standing_armature = fit_standing_axes(joints)
    return rotation.mul(
        rotation.inv(q_standing_armature), rotation.mul(find_eye_rotations(face.coefficients), q_standing_armature)
    )


def _turn(rest: RestPose, bone: str, q_armature: Array) -> Array:
    """A rotation (T, 4) in the armature's axes as one in the bone's own at rest."""
    q_armature_bone = rest.q_armature_bone[rest.index(bone)]
    return rotation.unroll(rotation.mul(rotation.inv(q_armature_bone), rotation.mul(q_armature, q_armature_bone)))


def _move_target(rest: RestPose, target: str, eye: str, q_armature: Array) -> Array:
    """How a control moves (T, 3), in its own axes at rest, for an eye that looks at it to rotate."""
    sight = rest.heads[rest.index(target)] - rest.heads[rest.index(eye)]
    moved = rotation.rotate(q_armature, sight) - sight
    return rotation.rotate(rotation.inv(rest.q_armature_bone[rest.index(target)]), moved)
