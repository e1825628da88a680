# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports the motions of everybody in a capture, each onto an armature of their own.

Knows that all are in one world and at one time of the video; import_motion knows how one motion is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import bpy

from stc_core.errors import UserError
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


def import_people(
    sources: Sequence[MotionSource], scene: bpy.types.Scene, obj: bpy.types.Object | None
) -> ImportResult:
    """Import the first motion onto the armature (None: a new one), and the others onto the armatures that play an
    earlier import of theirs, else onto new ones; returns the first one's result with them.

    The others begin in the world, and as much later than the first as they were seen later. Where parts are applied
    without the body, they join what each person's own armature plays, and none is new. Raises UserError where a motion
    cannot be imported; those before it then are.
    """
    if obj is not None and "body" not in scene.stc_mocap.parts:
        return _join_parts(sources, scene, obj)
    first = import_source(sources[0], scene, obj)
    if len(sources) == 1:
        return first
    record = provenance.require_provenance(first.action)
    first_s = load_motion(Path(record.motion)).start_s
    names = []
    for source in sources[1:]:
        delay_frames = (load_motion(source.motion).start_s - first_s) * keyframes.get_scene_fps(scene)
        other = _find_armature(source, scene)
        options = replace(
            scene.stc_mocap.apply_options(source.name, other),
            start_frame=record.start_frame + delay_frames,
            start="world",
            set_scene_rate=False,
            set_scene_range=False,
            parts=first.parts,
        )
        names.append(import_source(source, scene, other, options).armature.name)
    scene.stc_mocap.armature = first.armature
    show_armature(first.armature, scene)
    return replace(first, others=tuple(names))


def _join_parts(sources: Sequence[MotionSource], scene: bpy.types.Scene, obj: bpy.types.Object) -> ImportResult:
    """Add everybody's parts to what the armatures play: the chosen one gets those of the person whose body it plays,
    of the first person where it plays nobody's.
    """
    own = next((source for source in sources if _plays(obj, source)), sources[0])
    result = import_source(own, scene, obj)
    names, notes, missing = [], list(result.notes), []
    for source in (source for source in sources if source is not own):
        other = _find_armature(source, scene)
        if other is None:
            missing.append(source.name)
            continue
        try:
            joined = import_source(source, scene, other)
        except UserError as error:  # as that nobody's face was seen: said, and the next person's turn
            notes.append(error.what)
            continue
        names.append(other.name)
        notes += joined.notes
    if missing:
        notes.append(f"No armature plays the body of {', '.join(missing)} yet: apply the capture with Body first.")
    scene.stc_mocap.armature = obj
    return replace(result, others=tuple(names), notes=tuple(dict.fromkeys(notes)))


def _find_armature(source: MotionSource, scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The armature that plays this motion already."""
    return next((obj for obj in scene.objects if _plays(obj, source)), None)


def _plays(obj: bpy.types.Object, source: MotionSource) -> bool:
    """Whether an object plays the body of this motion, however it was smoothed."""
    record = provenance.read_provenance(provenance.find_captured_action(obj))
    return record is not None and record.capture == source.capture
