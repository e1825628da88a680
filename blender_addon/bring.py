# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion file becomes actions on an armature: the smoothed one, the raw one beside it, and the record of both.

Knows the order of what happens to the rig; how each step is done is known by retargeting, keying and confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.motion import bone_maps
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.retarget import placement
from stc_core.motion.rig import BoneMap
from stc_core.motion.skeleton import Skeleton

from . import armature, confidence, keyframes, take
from .properties import get_map, set_map

HUMANOID_HEIGHT_M = 1.70


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


def read(path: Path) -> Motion:
    """A motion from a motion file or a BVH with the humanoid's joint names. Raises UserError."""
    if path.suffix.lower() != ".bvh":
        return load_motion(path)
    motion = read_bvh(path)
    if "hips" not in motion.skeleton.joint_names:
        what = f"{path} has other joint names than STC Mocap's ({', '.join(motion.skeleton.joint_names[:3])}, …)."
        raise UserError(what, "Import it by File, Import, Motion Capture (.bvh).")
    return motion


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


def _put(source: Source, kind: str, motion: Motion, scene: bpy.types.Scene, obj: bpy.types.Object) -> Any:
    """Key one motion, with its confidence and its record."""
    from .apply import put_on_rig

    options = scene.stc_mocap.apply_options(source.name if kind == "smoothed" else f"{source.name} raw")
    bone_map = get_map(obj) or bone_maps.guess(armature.rest_pose(obj, scene.unit_settings.scale_length))
    applied = put_on_rig(obj, motion, bone_map, options, scene)
    fps = keyframes.scene_fps(scene)
    frames = options.start_frame + np.arange(len(motion.scores)) * (fps / motion.fps)
    confidence.write(obj, applied.action, motion, frames)
    _sign(applied.action, source, kind, motion, scene, obj, bone_map)
    return applied


def _sign(
    action: bpy.types.Action,
    source: Source,
    kind: str,
    motion: Motion,
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    bone_map: BoneMap,
) -> None:
    """Write down on the action where it comes from and how it lies in the scene."""
    rest = armature.rest_pose(obj, scene.unit_settings.scale_length)
    scales, origin = placement(motion.skeleton, rest, bone_map)
    made = take.Take(
        motion=str(source.motion),
        capture=source.capture,
        kind=kind,
        video=source.video,
        fps=motion.fps,
        scene_fps=keyframes.scene_fps(scene),
        start_frame=float(scene.stc_mocap.start_frame),
        scale=float(scales[2]),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        bones={joint: list(bones) for joint, bones in bone_map.bones.items()},
        twists={joint: list(bones) for joint, bones in bone_map.twists.items()},
        root=bone_map.root,
    )
    take.write(action, made)


def _play(obj: bpy.types.Object, action: bpy.types.Action, scene: bpy.types.Scene) -> None:
    """Let the armature play the action: on its own, or as a strip where the user wants one."""
    if scene.stc_mocap.nla_strip:
        keyframes.push(obj, action, action.frame_start)
    else:
        keyframes.put(obj, action)
