"""Reads a motion from whatever file holds one: our motion.npz, or a BVH of a body with any joint names.

Knows which files may hold a motion and how another skeleton is put on the humanoid; the formats themselves are known by
motion.py and bvh.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UserError
from ..geometry import rotation
from .bvh import read_bvh
from .motion import Motion, load_motion
from .retarget.rest_pose import RestPose
from .retarget.retarget import recover_motion
from .rig_mapping.guess_bone_map import guess_bone_map
from .skeleton import HUMANOID, Skeleton, forward_kinematics

_MIN_JOINTS = 8
"""of the humanoid that a BVH must have to be a body: hips, spine, head and something of each limb; chosen"""


def read_motion_file(path: Path) -> Motion:
    """Read a motion.npz or a BVH. Raises UserError where the file is neither, or the BVH is not of a body."""
    if path.suffix.lower() != ".bvh":
        return load_motion(path)
    motion = read_bvh(path)
    is_ours = set(motion.skeleton.joint_names) <= set(HUMANOID.joint_names)
    return motion if is_ours else _retarget_to_humanoid(motion, path)


def _retarget_to_humanoid(motion: Motion, path: Path) -> Motion:
    """Put the motion of a body with other joints on the humanoid: its skeleton is read as a rig would be."""
    skeleton, frames = motion.skeleton, len(motion.t_world_root)
    heads, q_world_bone = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    rest = _make_rest_pose(skeleton)
    bone_map = guess_bone_map(rest)
    if len(bone_map.bones) < _MIN_JOINTS:
        raise UserError(f"No body was recognised in {path}.", "Import it by File, Import, Motion Capture (.bvh).")
    root = np.tile(HUMANOID.offsets[0], (frames, 1))
    at_rest = np.tile(rotation.IDENTITY, (frames, len(HUMANOID.joint_names), 1))
    scores = np.ones((frames, len(HUMANOID.joint_names)))
    standing = Motion(
        skeleton=HUMANOID,
        t_world_root=root,
        q_parent_joint=at_rest,
        contacts=motion.contacts,
        scores=scores,
        fps=motion.fps,
    )
    return recover_motion(rest, bone_map, q_world_bone, heads, standing)


def _make_rest_pose(skeleton: Skeleton) -> RestPose:
    """Make an armature's rest pose of a skeleton: each joint a bone to its first child, or its tip, with world axes."""
    heads = skeleton.rest_positions()
    tails = heads + skeleton.tips
    for joint in range(len(skeleton.parents) - 1, 0, -1):
        tails[skeleton.parents[joint]] = heads[joint]
    count = len(heads)
    axes = np.tile(rotation.IDENTITY, (count, 1))
    return RestPose(
        bones=skeleton.joint_names,
        parents=skeleton.parents,
        heads=heads,
        tails=tails,
        q_armature_bone=axes,
        inherits_rotation=np.ones(count, bool),
    )
