"""The path of a motion on a rig: which bone moves along it, and how positions of one scale to the other.

Knows rest poses and the middle of the hip joints over time; does not know rotations of joints.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import UserError
from ...geometry.rotation import Array
from ..motion import Motion
from ..rig_mapping.bone_map import BoneMap
from .reference_pose import Rig, source_ankle_height
from .rest_pose import PosedBone
from .standing_body import SIDES, SPINE

_MIN_SIZE_M = 1e-6  # of a body: one whose joints all coincide has no size to compare; chosen


def find_root_bone(rig: Rig, bone_map: BoneMap) -> tuple[int, tuple[str, ...]]:
    """Find the bone whose location moves all mapped bones: the map's root, the hips' or what both hang on.

    A bone that is connected to its parent leaves the path to that. Also returns sentences for the report. Raises
    UserError where the map names a root that the armature lacks.
    """
    mapped = {bone for chain in (*rig.bones.values(), rig.spine) for bone in chain}
    rest = rig.rest
    if bone_map.root and bone_map.root not in rest.bones:
        raise UserError(
            f"The bone map {bone_map.name} names the root {bone_map.root}, which this armature lacks.",
            "Choose another root bone in the list.",
        )
    preferred = rest.index(bone_map.root) if bone_map.root else rig.bones.get("hips", (min(mapped),))[0]
    common = set.intersection(*({bone, *rig.ancestors(bone)} for bone in mapped))
    root = preferred
    notes: tuple[str, ...] = ()
    if common and preferred not in common:
        root = max(common)
        notes = (f"The path is on {rest.bones[root]}: not all mapped bones hang on {rest.bones[preferred]}.",)
    elif not common:
        notes = (f"Some mapped bones do not hang on {rest.bones[preferred]} and stay where they are.",)
    while rest.bones[root] in rest.connected and rest.parents[root] >= 0:
        root = rest.parents[root]
    return root, notes


def find_root_motion_bone(rig: Rig, bone_map: BoneMap, path_bone: int) -> int:
    """Find the bone above the one that carries the path which an engine reads as the root: the map's, else the topmost.

    Returns -1 where none is above.
    """
    above = rig.ancestors(path_bone)
    if bone_map.root in rig.rest.bones and rig.rest.index(bone_map.root) in above:
        return rig.rest.index(bone_map.root)
    return min(above, default=-1)


def anchor_joints(rig: Rig) -> tuple[str, ...]:
    """Return the joints whose middle follows the path: the hip joints, else the lowest of the trunk."""
    hips = tuple(f"{side}_upper_leg" for side in SIDES)
    if all(joint in rig.bones for joint in hips):
        return hips
    return (next((joint for joint in ("hips", *SPINE) if joint in rig.bones), next(iter(rig.bones))),)


def source_anchor(rig: Rig, positions: Array, motion: Motion) -> Array:
    """Return the middle (T, 3) of the anchor joints of a motion's joint positions (T, J, 3)."""
    anchor: Array = np.mean([positions[:, motion.skeleton.index(joint)] for joint in anchor_joints(rig)], axis=0)
    return anchor


def rig_anchor(rig: Rig, posed: Mapping[int, PosedBone]) -> Array:
    """Return the middle (T, 3) of the rig's posed anchor joints, world metres."""
    return rig.rest.to_world(np.mean([posed[rig.bones[joint][0]][0] for joint in anchor_joints(rig)], axis=0))


def rest_anchor(rig: Rig) -> Array:
    """Return the middle (3,) of the rig's anchor joints at rest, world metres."""
    return rig.rest.to_world(np.mean([rig.rest.heads[rig.bones[joint][0]] for joint in anchor_joints(rig)], axis=0))


def path_scales(rig: Rig, path_scale: float | None) -> Array:
    """Return metres of the rig per metre of the motion (3,): as the legs, but over the floor `path_scale` if given."""
    own, source = rig.body.leg_length(), rig.source.leg_length()
    if not own or not source:
        own, source = _measure_spread(rig.body.joints, rig), _measure_spread(rig.source.joints, rig)
    scale = own / source if min(own, source) > _MIN_SIZE_M else 1.0
    across = scale if path_scale is None else path_scale
    return np.array([across, across, scale])


def _measure_spread(joints: Mapping[str, Array], rig: Rig) -> float:
    """Measure how far apart the mapped joints lie; 1 for a single one."""
    points = np.array([joints[joint] for joint in rig.bones])
    return float(np.linalg.norm(points - points.mean(0))) if len(points) > 1 else 1.0


def base_heights(rig: Rig) -> tuple[Array, Array]:
    """Return the heights (3,) from which those of the rig and of the motion are counted: of their ankles, standing."""
    has_legs = rig.body.leg_length() and rig.source.leg_length()
    own, source = (rig.ankle_height_m, source_ankle_height(rig.source)) if has_legs else (0.0, 0.0)
    return np.array([0.0, 0.0, own]), np.array([0.0, 0.0, source])
