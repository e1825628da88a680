# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports a motion file onto an armature: the smoothed action, the raw one beside it, and where both come from.

Knows the order of what happens to the armature; retargeting, keyframes and confidence know how each step is done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.motion_file import read_motion_file
from stc_core.motion.retarget.retarget import place_motion
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import Skeleton

from ..properties import get_bone_map, set_bone_map
from . import armature, confidence, keyframes, provenance
from .apply import ApplyResult, apply_motion
from .rollback import restore_on_error

HUMANOID_HEIGHT_M = 1.70
_MIN_SIZE_M = 0.01
"""a body whose longest bone is shorter is none; chosen"""


@dataclass(frozen=True, kw_only=True)
class MotionSource:
    """What is imported."""

    motion: Path
    name: str
    """of the actions"""
    raw: Path | None = None
    """the unsmoothed motion; None: there is none"""
    capture: str = ""
    """the same for both actions of the pair: the job's folder, or the file"""
    video: str = ""
    notes: tuple[str, ...] = ()
    """the engine's, for the report"""


@dataclass(frozen=True, kw_only=True)
class ImportResult:
    """What an import made. notes: the report, one sentence each."""

    armature: bpy.types.Object
    action: bpy.types.Action
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The message for the panel."""
        return f"The armature {self.armature.name} has the new action {self.action.name}."


def make_source(path: Path) -> MotionSource:
    """Make the source of a file that the user chose; the raw motion beside it is imported too."""
    raw = path.with_name(f"{path.stem}_raw.npz")
    usable = path.suffix.lower() == ".npz" and raw.is_file()
    return MotionSource(motion=path, name=path.stem, raw=raw if usable else None, capture=str(path))


def import_source(source: MotionSource, scene: bpy.types.Scene, obj: bpy.types.Object | None) -> ImportResult:
    """Put a motion file on the armature, or on a new one, by the scene's settings.

    Raises UserError where it cannot be; the file then is as it was.
    """
    motion = read_motion_file(source.motion)
    if np.abs(motion.skeleton.offsets[1:]).max(initial=0.0) < _MIN_SIZE_M:
        raise UserError(f"{source.motion} is damaged: its bones have no length.", "Capture the video again.")
    raw, notes = _read_raw(source.raw)
    with restore_on_error(scene, obj):
        obj = obj or create_mapped_armature(motion.skeleton, source.name, scene)
        applied = _apply_source(source, "smoothed", motion, scene, obj)
        notes = (*source.notes, *notes, *applied.notes)
        actions = [applied.action]
        if source.raw and raw:
            actions.append(_apply_source(replace(source, motion=source.raw), "raw", raw, scene, obj).action)
        for action in actions:
            action.use_fake_user = True
            provenance.store_notes(action, notes)
        _play_action(obj, applied.action, scene)
        scene.stc_mocap.armature = obj
    return ImportResult(armature=obj, action=applied.action, notes=notes)


def create_mapped_armature(skeleton: Skeleton, name: str, scene: bpy.types.Scene) -> bpy.types.Object:
    """Create an armature of the skeleton's proportions in the scene, with its bone map."""
    unit_m = scene.unit_settings.scale_length
    obj = armature.create_armature(skeleton, name, scene.collection, unit_m)
    set_bone_map(obj, guess_bone_map(armature.read_rest_pose(obj, unit_m)))
    return obj


def scale_skeleton(skeleton: Skeleton, scale: float) -> Skeleton:
    """Scale a skeleton's bones."""
    return replace(skeleton, offsets=skeleton.offsets * scale, tips=skeleton.tips * scale)


def _read_raw(path: Path | None) -> tuple[Motion | None, tuple[str, ...]]:
    """Read the raw motion; where it cannot be read the smoothed one is imported alone, with a note."""
    if path is None:
        return None, ()
    try:
        return load_motion(path), ()
    except UserError as error:
        return None, (f"Only the smoothed motion was imported: {error.what}",)


def _apply_source(
    source: MotionSource, kind: str, motion: Motion, scene: bpy.types.Scene, obj: bpy.types.Object
) -> ApplyResult:
    """Key one motion, with its confidence and its provenance."""
    options = scene.stc_mocap.apply_options(source.name if kind == "smoothed" else f"{source.name} raw")
    bone_map = get_bone_map(obj) or guess_bone_map(armature.read_rest_pose(obj, scene.unit_settings.scale_length))
    applied = apply_motion(obj, motion, bone_map, options, scene)
    fps = keyframes.get_scene_fps(scene)
    frames = options.start_frame + np.arange(len(motion.scores)) * (fps / motion.fps)
    confidence.write_confidence(obj, applied.action, motion, frames)
    placement = place_motion(motion, applied.target.rest, applied.target.bone_map)
    origin = placement.origin
    record = provenance.Provenance(
        motion=str(source.motion),
        capture=source.capture,
        kind=kind,
        video=source.video,
        fps=motion.fps,
        scene_fps=fps,
        start_frame=options.start_frame,
        scale=float(placement.scales[2]),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        bones={joint: list(bones) for joint, bones in bone_map.bones.items()},
        twists={joint: list(bones) for joint, bones in bone_map.twists.items()},
        root=bone_map.root,
        lock_feet=options.lock_feet,
        rigify_controls=options.rigify_controls,
    )
    provenance.write_provenance(applied.action, record)
    return applied


def _play_action(obj: bpy.types.Object, action: bpy.types.Action, scene: bpy.types.Scene) -> None:
    """Let the armature play the action: as its own, or as a strip where the user wants one."""
    if scene.stc_mocap.nla_strip:
        keyframes.push_strip(obj, action, action.frame_start)
    else:
        keyframes.assign_action(obj, action)
