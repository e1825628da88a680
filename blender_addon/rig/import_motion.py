# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion file becomes actions on an armature: the smoothed one, the raw one beside it, and the record of both.

Knows the order of what happens to the rig; how each step is done is known by retargeting, keying and confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import motion_from, placement
from stc_core.motion.rig_mapping import bone_map_io as bone_maps
from stc_core.motion.skeleton import HUMANOID, Skeleton, forward_kinematics

from ..properties import get_map, set_map
from . import armature, confidence, keyframes
from . import provenance as take
from .apply import Applied, put_on_rig

HUMANOID_HEIGHT_M = 1.70
_LEAST_JOINTS = 8


@dataclass(frozen=True)
class Source:
    """What is brought: the motion file, the raw one if there is one, a name for the actions, and where it is from."""

    motion: Path
    name: str
    raw: Path | None = None
    capture: str = ""
    video: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Brought:
    armature: bpy.types.Object
    action: bpy.types.Action
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"The armature {self.armature.name} has the new action {self.action.name}."


def read(path: Path) -> Motion:
    """A motion from a motion file or any BVH of a body. Raises UserError."""
    if path.suffix.lower() != ".bvh":
        return load_motion(path)
    motion = read_bvh(path)
    return motion if set(motion.skeleton.joint_names) <= set(HUMANOID.joint_names) else _as_humanoid(motion, path)


def _as_humanoid(motion: Motion, path: Path) -> Motion:
    """The motion of a body with other joints on the humanoid: its skeleton is read as a rig would be."""
    skeleton, frames = motion.skeleton, len(motion.t_world_root)
    heads, turns = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    rest = _as_rest(skeleton)
    bone_map = bone_maps.guess(rest)
    if len(bone_map.bones) < _LEAST_JOINTS:
        raise UserError(f"No body was recognised in {path}.", "Import it by File, Import, Motion Capture (.bvh).")
    root = np.tile(HUMANOID.offsets[0], (frames, 1))
    still = np.tile(rotation.IDENTITY, (frames, len(HUMANOID.joint_names), 1))
    scores = np.ones((frames, len(HUMANOID.joint_names)))
    like = Motion(HUMANOID, root, still, motion.contacts, scores, motion.fps)
    return motion_from(rest, bone_map, turns, heads, like)


def _as_rest(skeleton: Skeleton) -> RestPose:
    """A skeleton as an armature at rest: each joint a bone to its first child, or its tip, with the world's axes."""
    heads = skeleton.rest_positions()
    tails = heads + skeleton.tips
    for joint in range(len(skeleton.parents) - 1, 0, -1):
        tails[skeleton.parents[joint]] = heads[joint]
    count = len(heads)
    axes = np.tile(rotation.IDENTITY, (count, 1))
    return RestPose(skeleton.joint_names, skeleton.parents, heads, tails, axes, np.ones(count, bool))


def source_of(path: Path) -> Source:
    """A file that the user chose; the raw motion beside it comes along."""
    raw = path.with_name(f"{path.stem}_raw.npz")
    usable = path.suffix.lower() == ".npz" and raw.is_file()
    return Source(path, path.stem, raw if usable else None, capture=str(path))


def bring(source: Source, scene: bpy.types.Scene, obj: bpy.types.Object | None) -> Brought:
    """Put a motion file on the armature, or on a new one, by the scene's settings.

    Raises UserError before anything is changed, or with what was changed undone.
    """
    motion = read(source.motion)
    raw, notes = _read_raw(source.raw)
    made = new_armature(motion.skeleton, source.name, scene) if obj is None else None
    obj = obj or made
    try:
        applied = _put(source, "smoothed", motion, scene, obj)
    except UserError:
        if made:
            bpy.data.armatures.remove(made.data)
        raise
    notes = (*source.notes, *notes, *applied.notes)
    actions = [applied.action]
    if source.raw and raw:
        actions.append(_put(replace(source, motion=source.raw), "raw", raw, scene, obj).action)
    for action in actions:
        action.use_fake_user = True
        take.note(action, notes)
    _play(obj, applied.action, scene)
    scene.stc_mocap.armature = obj
    return Brought(obj, applied.action, notes)


def new_armature(skeleton: Skeleton, name: str, scene: bpy.types.Scene) -> bpy.types.Object:
    """An armature of the skeleton's proportions with its map, in the scene."""
    unit_m = scene.unit_settings.scale_length
    obj = armature.create(skeleton, name, scene.collection, unit_m)
    set_map(obj, bone_maps.guess(armature.rest_pose(obj, unit_m)))
    return obj


def sized(skeleton: Skeleton, scale: float) -> Skeleton:
    return replace(skeleton, offsets=skeleton.offsets * scale, tips=skeleton.tips * scale)


def _read_raw(path: Path | None) -> tuple[Motion | None, tuple[str, ...]]:
    """The raw motion; where it cannot be read the smoothed one comes alone, and that is said."""
    if path is None:
        return None, ()
    try:
        return load_motion(path), ()
    except UserError as error:
        return None, (f"Only the smoothed motion was imported: {error.what}",)


def _put(source: Source, kind: str, motion: Motion, scene: bpy.types.Scene, obj: bpy.types.Object) -> Applied:
    """Key one motion, with its confidence and its record."""
    options = scene.stc_mocap.apply_options(source.name if kind == "smoothed" else f"{source.name} raw")
    bone_map = get_map(obj) or bone_maps.guess(armature.rest_pose(obj, scene.unit_settings.scale_length))
    applied = put_on_rig(obj, motion, bone_map, options, scene)
    fps = keyframes.scene_fps(scene)
    frames = options.start_frame + np.arange(len(motion.scores)) * (fps / motion.fps)
    confidence.write(obj, applied.action, motion, frames)
    scales, origin = placement(motion.skeleton, applied.target.rest, applied.target.bone_map)
    made = take.Take(
        motion=str(source.motion),
        capture=source.capture,
        kind=kind,
        video=source.video,
        fps=motion.fps,
        scene_fps=fps,
        start_frame=options.start_frame,
        scale=float(scales[2]),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        bones={joint: list(bones) for joint, bones in bone_map.bones.items()},
        twists={joint: list(bones) for joint, bones in bone_map.twists.items()},
        root=bone_map.root,
        lock_feet=options.lock_feet,
        rigify_controls=options.rigify_controls,
    )
    take.write(applied.action, made)
    return applied


def _play(obj: bpy.types.Object, action: bpy.types.Action, scene: bpy.types.Scene) -> None:
    """Let the armature play the action: on its own, or as a strip where the user wants one."""
    if scene.stc_mocap.nla_strip:
        keyframes.push(obj, action, action.frame_start)
    else:
        keyframes.put(obj, action)
