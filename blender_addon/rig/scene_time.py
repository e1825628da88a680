# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's frame rate and range where a motion comes in: set, left as they are, or widened.

Knows what else in a scene is timed by its rate; does not know armatures or motions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from stc_core.motion.retarget.bone_animation import BoneAnimation

from . import keyframes, provenance

_SAME_RATE = 1e-5
"""relative; rates this near are one: Blender stores single precision"""


def match_rate(
    animation: BoneAnimation, scene: bpy.types.Scene, set_scene_rate: bool, keep_rate: bool
) -> tuple[BoneAnimation, str]:
    """Bring the animation and the scene to one frame rate; returns the animation and a note, or an empty one.

    keep_rate: the scene has animation of its own, so its rate is not set, even where `set_scene_rate`.
    """
    fps = keyframes.get_scene_fps(scene)
    if is_same_rate(fps, animation.fps):
        return replace(animation, fps=fps), ""
    if set_scene_rate and not keep_rate:
        keyframes.set_scene_fps(scene, animation.fps)
        note = f"The scene's frame rate was set from {fps:.6g} to the video's {animation.fps:.6g} frames a second."
        return animation, note
    what = f"resampled from {animation.fps:.6g} to the scene's {fps:.6g} frames a second"
    note = f"The motion was {what}; its speed is the same."
    if set_scene_rate:
        note += " The scene has animation of its own, so its frame rate was not changed."
    return keyframes.resample(animation, fps), note


def is_same_rate(one_fps: float, other_fps: float) -> bool:
    return abs(one_fps / other_fps - 1.0) < _SAME_RATE


def has_animation(scene: bpy.types.Scene, but: bpy.types.Object) -> bool:
    """Whether something in the scene is timed by its rate, beside captured actions that `but` or shape keys play:
    actions and strips of its objects and of itself, or sound and pictures in its sequencer.
    """
    if len(_get_sequencer_strips(scene)):
        return True
    for block in _iterate_blocks(scene):
        data = getattr(block, "animation_data", None)
        if data is None:
            continue
        played = [data.action, *(strip.action for track in data.nla_tracks for strip in track.strips)]
        may_be_ours = block == but or isinstance(block, bpy.types.Key)
        own = [action for action in played if action and not (may_be_ours and provenance.read_provenance(action))]
        if any(action.frame_range[1] > action.frame_range[0] for action in own):
            return True
    return False


def _get_sequencer_strips(scene: bpy.types.Scene) -> Sequence[Any]:
    """The strips of the sequencer, which Blender 4.4 renamed."""
    editor: Any = scene.sequence_editor
    if editor is None:
        return ()
    strips: Sequence[Any] = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    return strips


def _iterate_blocks(scene: bpy.types.Scene) -> Iterator[Any]:
    """The scene, its world, its objects, their data and their shape keys."""
    yield scene
    yield scene.world
    for obj in scene.objects:
        yield obj
        yield obj.data
        yield getattr(obj.data, "shape_keys", None)


def fit_range(scene: bpy.types.Scene, action: bpy.types.Action, extend: bool) -> None:
    """Give the scene the action's frame range; where `extend`, only widen the range that it has."""
    start, end = int(np.floor(action.frame_start)), int(np.ceil(action.frame_end))
    if extend:
        start, end = min(start, scene.frame_start), max(end, scene.frame_end)
    scene.frame_start, scene.frame_end = start, end
