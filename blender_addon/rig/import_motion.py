# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports a motion file onto an armature: the smoothed action, the raw one on demand, and where both come from.

Knows the order of what happens to the armature, and what becomes of the action that a new one replaces; retargeting,
keyframes and confidence know how each step is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.motion.bvh import ignore_note
from stc_core.motion.bvh_text import ReportNote
from stc_core.motion.fingers import has_fingers
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.motion_file import read_motion_file
from stc_core.motion.retarget.retarget import place_motion
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import Skeleton

from ..edit import ik_keys
from ..map_properties import set_bone_map
from . import armature, confidence, constraints, keyframes, provenance
from .apply import ApplyOptions, ApplyResult, apply_motion
from .face_meshes import list_face_meshes
from .missing_fingers import complete_bone_map
from .parts import PARTS, Part, describe_parts
from .replace_action import keep_face_action, keep_joined_action, replace_former
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
    action: Any
    """an action, or None where parts were imported that the armature's own bones do not show"""
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()
    """the armatures of other people in the same capture"""
    parts: tuple[Part, ...] = PARTS

    @property
    def sentence(self) -> str:
        """The message for the panel."""
        if "body" not in self.parts:
            names, verb = ", ".join((self.armature.name, *self.others)), "is" if self.parts == ("face",) else "are"
            return " ".join([f"{describe_parts(self.parts).capitalize()} {verb} on {names}.", *self.notes])
        more = f" Other people: {', '.join(self.others)}." if self.others else ""
        return f"The armature {self.armature.name} has the new action {self.action.name}.{more}"


def make_source(path: Path) -> MotionSource:
    """Make the source of a file that the user chose; the raw motion beside it is imported too."""
    raw = path.with_name(f"{path.stem}_raw.npz")
    usable = path.suffix.lower() == ".npz" and raw.is_file()
    return MotionSource(motion=path, name=path.stem, raw=raw if usable else None, capture=str(path))


def import_source(
    source: MotionSource,
    scene: bpy.types.Scene,
    obj: bpy.types.Object | None,
    options: ApplyOptions | None = None,
    bone_map: BoneMap | None = None,
) -> ImportResult:
    """Put a motion file on the armature, or on a new one; by default by the scene's settings and the armature's map.

    An action of the same capture that the armature played is replaced, unless it was edited; where parts of a capture
    are imported alone, all else stays. Raises UserError where the motion cannot be imported; the file then is as it
    was.
    """
    read_notes: list[str] = []
    motion = _read_source(source, read_notes.append)
    former, is_new = provenance.find_captured_action(obj), obj is None
    with restore_on_error(scene, obj):
        obj = obj or create_mapped_armature(motion.skeleton, source.name, scene)
        options = options or scene.stc_mocap.apply_options(source.name, obj)
        options = replace(options, parts=PARTS) if is_new else _fit_parts(options, motion, source, obj)
        faces = {mesh.name: provenance.find_captured_action(mesh.data.shape_keys) for mesh in list_face_meshes(obj)}
        if bone_map is None:
            bone_map, note = complete_bone_map(obj)
            read_notes += [note] * bool(note)
        if "body" not in options.parts:
            result = _import_parts(source, motion, scene, obj, options, bone_map, faces)
            return replace(result, notes=(*read_notes, *result.notes))
        applied, record = _apply(source, "smoothed", motion, scene, obj, options, bone_map)
        applied.action.use_fake_user = True
        led = _lead_by_controls(obj, scene, bone_map, list(applied.notes))
        _play_action(obj, applied.action, scene)
        scene.stc_mocap.armature = obj
        face_notes = _keep_faces(applied, record, faces, scene)
    notes = [*source.notes, *read_notes, *led, *face_notes]
    if former:
        notes = [note for note in notes if f"The action {former.name} " not in note]
        notes.append(replace_former(former, applied.action))
    provenance.store_notes(applied.action, tuple(notes))
    provenance.store_keys(applied.action)
    if is_new:
        show_armature(obj, scene)
    return ImportResult(armature=obj, action=applied.action, notes=tuple(notes), parts=options.parts)


def _import_parts(
    source: MotionSource,
    motion: Motion,
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    options: ApplyOptions,
    bone_map: BoneMap | None,
    faces: Mapping[str, bpy.types.Action | None],
) -> ImportResult:
    """Add hands or face to what the armature plays already: a copy of its action with their keyframes."""
    former = obj.animation_data.action if obj.animation_data else None
    was_edited = bool(provenance.read_provenance(former)) and provenance.is_edited(former)
    options = replace(options, name=former.name) if former else options
    applied, record = _apply(source, "smoothed", motion, scene, obj, options, bone_map)
    notes = list(applied.notes)
    if applied.action:
        _play_action(obj, applied.action, scene)
        kept = keep_joined_action(applied.action, former, was_edited)
        notes = [note for note in notes if not (former and f"The action {former.name} " in note)] if kept else notes
        notes += kept
    notes += _keep_faces(applied, record, faces, scene)
    scene.stc_mocap.armature = obj
    return ImportResult(armature=obj, action=applied.action, notes=tuple(notes), parts=options.parts)


def _fit_parts(options: ApplyOptions, motion: Motion, source: MotionSource, obj: bpy.types.Object) -> ApplyOptions:
    """The options where parts of a capture join what the armature plays: those that the motion has, at the frames of
    the same capture's body.

    Raises UserError where the motion has none of the parts.
    """
    there = {"body": True, "hands": has_fingers(motion.skeleton), "face": motion.face is not None}
    if not any(there[part] for part in options.parts):
        what = f"{source.motion.name} has no {describe_parts(options.parts) or 'part that is chosen'}."
        raise UserError(what, "Choose other parts, or capture the video again with Hands and Face.")
    if "body" in options.parts:
        return options
    options = replace(options, parts=tuple(part for part in options.parts if there[part]))
    record = provenance.read_provenance(provenance.find_captured_action(obj))
    if record and record.capture == source.capture:
        return replace(options, start_frame=record.start_frame)
    return options


def _keep_faces(
    applied: ApplyResult,
    record: provenance.Provenance,
    formers: Mapping[str, bpy.types.Action | None],
    scene: bpy.types.Scene,
) -> list[str]:
    """Let the shape keys play a face's actions, in the place of those of the same capture; returns notes."""
    notes = []
    for mesh, action in applied.face_actions.items():
        keys = bpy.data.objects[mesh].data.shape_keys
        provenance.write_provenance(action, replace(record, kind="face"))
        _play_action(keys, action, scene)
        notes += keep_face_action(keys, action, formers.get(mesh))
    return notes


def import_at_video_rate(obj: bpy.types.Object | None, scene: bpy.types.Scene) -> ImportResult:
    """Key the captured action that the armature plays anew, and give the scene the video's frame rate. Raises UserError
    where its motion cannot be read any more.
    """
    action, record = provenance.require_captured_action(obj)
    source = MotionSource(
        motion=Path(record.motion),
        name=action.name,
        raw=Path(record.raw) if record.raw else None,
        capture=record.capture,
        video=record.video,
        notes=record.engine_notes,
    )
    options = replace(_repeat_options(record, scene, action.name), set_scene_rate=True, keep_animated_rate=False)
    return import_source(source, scene, obj, options, record.bone_map())


def _repeat_options(record: provenance.Provenance, scene: bpy.types.Scene, name: str) -> ApplyOptions:
    """The scene's settings, but for those that an action was made with."""
    return replace(
        scene.stc_mocap.apply_options(name, None),
        start_frame=record.start_frame,
        start=record.start,
        path=record.path,
        lock_feet=record.lock_feet,
        rigify_controls=record.rigify_controls,
        parts=record.parts,
    )


def import_raw(obj: bpy.types.Object, action: bpy.types.Action, scene: bpy.types.Scene) -> bpy.types.Action:
    """Key the raw motion of a captured action as an action beside it, which no fake user keeps: the armature plays what
    it did before. Raises UserError where the raw motion cannot be read any more.
    """
    record = provenance.require_provenance(action)
    motion, own = load_motion(Path(record.raw)), obj.animation_data.action
    source = MotionSource(motion=Path(record.raw), name=action.name, capture=record.capture, video=record.video)
    options = replace(
        _repeat_options(record, scene, f"{action.name} raw"),
        set_scene_rate=False,
        set_scene_range=False,
        extend_scene_range=False,
        nla_strip=False,
        key_shapes=False,
    )
    with restore_on_error(scene, obj):
        raw = _apply(source, "raw", motion, scene, obj, options, record.bone_map())[0].action
        keyframes.assign_action(obj, own)
        raw.use_fake_user = False
        provenance.store_notes(raw, record.notes)
        provenance.link_counterpart(raw, action)
    return raw


def create_mapped_armature(skeleton: Skeleton, name: str, scene: bpy.types.Scene) -> bpy.types.Object:
    """Create an armature of the skeleton's proportions in the scene, with its bone map."""
    unit_m = scene.unit_settings.scale_length
    obj = armature.create_armature(skeleton, name, scene.collection, unit_m)
    set_bone_map(obj, guess_bone_map(armature.read_rest_pose(obj, unit_m)))
    return obj


def scale_skeleton(skeleton: Skeleton, scale: float) -> Skeleton:
    """Scale a skeleton's bones."""
    return replace(skeleton, offsets=skeleton.offsets * scale, tips=skeleton.tips * scale)


def show_armature(obj: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Select a new armature alone and frame it in the 3D views, unless the user is in the middle of something."""
    layer = next((layer for layer in scene.view_layers if obj.name in layer.objects), None)
    active = layer.objects.active if layer else None
    if layer is None or (active and active.mode != "OBJECT"):
        return
    for other in layer.objects:
        other.select_set(other == obj, view_layer=layer)
    layer.objects.active = obj
    for window in bpy.context.window_manager.windows:
        if window.scene == scene and window.view_layer == layer and not bpy.app.background:
            _frame_selected(window)


def _frame_selected(window: bpy.types.Window) -> None:
    """Let the window's 3D views show what is selected; one that looks through a camera keeps its view."""
    for area in window.screen.areas:
        region = next((region for region in area.regions if region.type == "WINDOW"), None)
        if area.type != "VIEW_3D" or area.spaces.active.region_3d.view_perspective == "CAMERA" or region is None:
            continue
        with bpy.context.temp_override(window=window, area=area, region=region):
            bpy.ops.view3d.view_selected()


def _read_source(source: MotionSource, report: ReportNote = ignore_note) -> Motion:
    """Read the motion; what had to be assumed about its file is reported. Raises UserError where there is none, or its
    bones have no length.
    """
    motion = read_motion_file(source.motion, report)
    if np.abs(motion.skeleton.offsets[1:]).max(initial=0.0) < _MIN_SIZE_M:
        raise UserError(f"{source.motion} is damaged: its bones have no length.", "Capture the video again.")
    return motion


def _lead_by_controls(
    obj: bpy.types.Object, scene: bpy.types.Scene, bone_map: BoneMap | None, notes: list[str]
) -> list[str]:
    """Key the IK controls of the action that was just made where the user wants them to lead; returns the report."""
    if scene.stc_mocap.constraints != "FOLLOW":
        return notes
    try:
        keyed = ik_keys.key_ik_controls(obj, scene, bone_map)
    except UserError as error:
        return [*notes, error.what]
    what = f"IK leads {', '.join(keyed.limbs)}: the controls follow the motion within {keyed.error_m * 1000.0:.1f} mm."
    return [*(note for note in notes if constraints.SWITCHED_OFF not in note), what]


def _apply(
    source: MotionSource,
    kind: str,
    motion: Motion,
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    options: ApplyOptions,
    bone_map: BoneMap | None,
) -> tuple[ApplyResult, provenance.Provenance]:
    """Key one motion, with its confidence and its provenance, which is returned, too."""
    bone_map = bone_map or guess_bone_map(armature.read_rest_pose(obj, scene.unit_settings.scale_length))
    applied = apply_motion(obj, motion, bone_map, options, scene)
    fps = keyframes.get_scene_fps(scene)
    frames = options.start_frame + np.arange(len(motion.scores)) * (fps / motion.fps)
    if applied.action and "body" in options.parts:
        confidence.write_confidence(obj, applied.action, motion, frames)
    placement = place_motion(motion, applied.target.rest, applied.target.bone_map, options.retarget_config())
    origin = placement.origin
    record = provenance.Provenance(
        motion=str(source.motion),
        raw=str(source.raw or ""),
        capture=source.capture,
        kind=kind,
        video=source.video,
        fps=motion.fps,
        scene_fps=fps,
        start_frame=options.start_frame,
        scale=float(placement.scales[2]),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        yaw_rad=placement.yaw_rad,
        start=options.start,
        path=options.path,
        bones={joint: list(bones) for joint, bones in bone_map.bones.items()},
        twists={joint: list(bones) for joint, bones in bone_map.twists.items()},
        root=bone_map.root,
        lock_feet=options.lock_feet,
        rigify_controls=options.rigify_controls,
        engine_notes=source.notes,
        parts=options.parts,
    )
    if applied.action and "body" in options.parts:
        provenance.write_provenance(applied.action, record)
    return applied, record


def _play_action(obj: bpy.types.ID, action: bpy.types.Action, scene: bpy.types.Scene) -> None:
    """Let the armature, or shape keys, play the action: as its own, or as a strip where the user wants one."""
    if scene.stc_mocap.nla_strip:
        keyframes.push_strip(obj, action, action.frame_start)
    else:
        keyframes.assign_action(obj, action)
