# SPDX-License-Identifier: GPL-3.0-or-later
"""A BVH with our joint names or another's is imported onto an armature."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.skeleton import Skeleton

from ..workspace import Workspace


def bone_directions(settings: bpy.types.PropertyGroup, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Directions (N, 3) of the armature's bones in the world, now."""
    bones = settings.armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    return rotation.normalise([bones[b].head - bones[a].head for a, b in pairs])


BONES = [("upper_arm.L", "lower_arm.L"), ("lower_arm.R", "hand.R"), ("upper_leg.R", "lower_leg.R"), ("spine", "chest")]
JOINTS = [("left_upper_arm", "left_lower_arm"), ("right_lower_arm", "right_hand")]
JOINTS += [("right_upper_leg", "right_lower_leg"), ("spine", "chest")]


@pytest.mark.parametrize("names", ["ours", "others"])
def test_a_bvh_comes_in_by_our_joint_names_or_anothers(
    workspace: Workspace, settings: bpy.types.PropertyGroup, names: str
) -> None:
    motion, path = workspace.motion, workspace.folder / "walk.bvh"
    foreign = {"upper_leg": "UpLeg", "lower_leg": "Leg", "foot": "Foot", "toes": "ToeBase", "shoulder": "Shoulder"}
    foreign |= {"upper_arm": "Arm", "lower_arm": "ForeArm", "hand": "Hand"}
    middle = {
        "hips": "Hips",
        "spine": "Spine",
        "chest": "Spine1",
        "upper_chest": "Spine2",
        "neck": "Neck",
        "head": "Head",
    }

    def name(joint: str) -> str:
        side, _, part = joint.partition("_")
        return middle[joint] if joint in middle else f"{side.capitalize()}{foreign[part]}"

    own = motion.skeleton
    if names == "others":
        renamed = Skeleton(
            joint_names=tuple(map(name, own.joint_names)),
            parents=own.parents,
            offsets=own.offsets * 1.3,
            tips=own.tips * 1.3,
        )
        object.__setattr__(motion, "skeleton", renamed)
        object.__setattr__(motion, "t_world_root", motion.t_world_root * 1.3)
    write_bvh(motion, path)
    bpy.ops.stc_mocap.import_motion(filepath=str(path))
    places = workspace.motion.positions()
    for frame in (1, 25, 60):
        bpy.context.scene.frame_set(frame)
        wanted = [places[frame - 1, own.index(b)] - places[frame - 1, own.index(a)] for a, b in JOINTS]
        cosines = (bone_directions(settings, BONES) * rotation.normalise(wanted)).sum(-1)
        assert np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).max() < 0.5
    with pytest.raises(RuntimeError, match="is a BVH"):
        bpy.ops.stc_mocap.match_camera()
