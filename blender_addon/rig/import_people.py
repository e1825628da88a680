# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports the motions of everybody else in a capture, each onto an armature of their own, beside the first one's.

Knows that all are in one world and at one time of the video; import_motion knows how one motion is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy

from stc_core.motion.motion import load_motion

from . import keyframes, provenance
from .import_motion import ImportResult, MotionSource, import_source, show_armature


def list_sources(folder: Path, motions: Sequence[str], video: str, notes: tuple[str, ...]) -> list[MotionSource]:
    """The sources of motions in a capture's folder, NAME_person2.npz, and of the raw ones beside them."""
    sources = []
    for motion in (folder / name for name in motions):
        raw = motion.with_name(f"{motion.stem}_raw.npz")
        sources.append(
            MotionSource(
                motion=motion,
                raw=raw if raw.is_file() else None,
                name=f"{Path(video).stem or folder.name} {motion.stem.rpartition('_')[2]}",
                capture=str(motion),
                video=video,
                notes=notes,
            )
        )
    return sources


def import_people(first: ImportResult, others: Sequence[MotionSource], scene: bpy.types.Scene) -> ImportResult:
    """Import the others onto the armatures that play an earlier import of theirs, else onto new ones; returns the first
    one's result with them.

    They begin in the world, and as much later than the first as they were seen later. Raises UserError where a motion
    cannot be imported; those before it then are.
    """
    if first.action is None or "body" not in first.parts:
        return first
    record = provenance.require_provenance(first.action)
    first_s = load_motion(Path(record.motion)).start_s
    names = []
    for source in others:
        delay_frames = (load_motion(source.motion).start_s - first_s) * keyframes.get_scene_fps(scene)
        obj = _find_armature(source, scene)
        options = replace(
            scene.stc_mocap.apply_options(source.name, obj),
            start_frame=record.start_frame + delay_frames,
            start="world",
            set_scene_rate=False,
            set_scene_range=False,
        )
        names.append(import_source(source, scene, obj, options).armature.name)
    scene.stc_mocap.armature = first.armature
    show_armature(first.armature, scene)
    return replace(first, others=tuple(names))


def _find_armature(source: MotionSource, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The armature that plays this motion already."""
    for obj in scene.objects:
        record = provenance.read_provenance(provenance.find_captured_action(obj))
        if record is not None and record.motion == str(source.motion):
            return obj
    return None
