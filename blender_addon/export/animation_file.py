# SPDX-License-Identifier: GPL-3.0-or-later
"""The animation in an FBX or glTF file, read as a motion of the humanoid.

Knows how Blender imports such files, which animation is meant and at which rate it was made; how another body is put on
the humanoid is known by recover_humanoid.py. Changes the scene freely, for nobody saves it.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh_text import ReportNote
from stc_core.motion.motion import Motion
from stc_core.motion.recorded_body import RecordedBody
from stc_core.motion.recover_humanoid import recover_humanoid

from ..rig import armature, keyframes
from . import rig_file
from .supervise import limit_resources

SUFFIXES = (".fbx", ".glb", ".gltf")
_COMMON_FPS = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 90.0, 100.0, 120.0, 240.0)
_SAME_RATE = 3e-4  # relative: a rate so near to a common one is that; chosen
_DEFAULT_FPS = 30.0  # where keyframes are too few or uneven to show a rate; chosen
_EVEN_FRACTION = 0.9  # of the steps between keyframes, of an animation that is keyed evenly; chosen
_MAX_FRAMES = 1_000_000


def read_animation(path: Path, report: ReportNote) -> Motion:
    """Read the animation of the body in a file. Raises UserError where there is none, or it cannot be read."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check the path.")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig_file.check_references(path)
    try:
        with limit_resources():
            rig_file.import_file(path, use_animation=True)
    except RuntimeError as error:
        raise rig_file.explain_unopened(path, error) from None
    for mesh in [obj for obj in bpy.data.objects if obj.type == "MESH"]:  # only cost time
        bpy.data.objects.remove(mesh)
    obj = rig_file.find_body_armature(path)
    action = _choose_action(obj, path, report)
    start, end = action.frame_range
    scene_fps = float(bpy.context.scene.render.fps)  # importers place keyframes by it, without the rate's base
    fps = _find_rate(_list_key_times(obj), scene_fps)
    frames = start + np.arange(int((end - start) / scene_fps * fps + 1e-3) + 1) * (scene_fps / fps)
    if len(frames) > _MAX_FRAMES:
        raise UserError(f"{path} has {len(frames)} frames, which is too many.", "Cut it into parts.")
    heads, q_world_bone = _sample_bones(obj, frames)
    rest = armature.read_rest_pose(obj)
    body = RecordedBody(rest=rest, heads_world=heads, q_world_bone=q_world_bone, fps=fps)
    return recover_humanoid(body, path, report, unit_m=1.0)


def _choose_action(obj: bpy.types.Object, path: Path, report: ReportNote) -> bpy.types.Action:
    """Let the armature play its longest animation alone; says so where there are several."""
    data = obj.animation_data
    if data is None:
        raise UserError(f"{path} has no animation.", "Choose a file with one; a character goes to --rig.")
    strips = [strip for track in data.nla_tracks for strip in track.strips]
    found = dict.fromkeys(action for action in (data.action, *(strip.action for strip in strips)) if action)
    candidates = [action for action in bpy.data.actions if action in found] or list(bpy.data.actions)
    moving = [action for action in candidates if action.frame_range[1] > action.frame_range[0]]
    if not moving:
        raise UserError(f"{path} has no animation.", "Choose a file with one; a character goes to --rig.")
    action = max(moving, key=lambda one: one.frame_range[1] - one.frame_range[0])
    if len(moving) > 1:
        report(f"The file has {len(moving)} animations; the longest, {action.name}, was read.")
    for track in list(data.nla_tracks):
        data.nla_tracks.remove(track)
    keyframes.assign_action(obj, action)
    return action


def _list_key_times(obj: bpy.types.Object) -> Array:
    """List the frames at which bones are keyed, rising, each once."""
    times = [
        point.co[0]
        for curve in keyframes.get_fcurves(obj)
        if "rotation" in curve.data_path
        for point in curve.keyframe_points
    ]
    return np.unique(np.round(np.array(times, float), 4))


def _find_rate(times: Array, scene_fps: float) -> float:
    """Find the rate, hertz, at which an animation was keyed: that of even steps, else a usual one."""
    steps = np.diff(times)
    if len(steps) < 2:
        return _DEFAULT_FPS
    step = float(np.median(steps))
    if (np.abs(steps - step) < 0.05 * step).mean() < _EVEN_FRACTION:
        return _DEFAULT_FPS
    fps = scene_fps / step
    nearest = min(_COMMON_FPS, key=lambda common: abs(np.log(fps / common)))
    return nearest if abs(fps / nearest - 1.0) < _SAME_RATE else fps


def _sample_bones(obj: bpy.types.Object, frames: Array) -> tuple[Array, Array]:
    """Sample heads (T, B, 3), metres, and rotations (T, B, 4) of all bones in the world."""
    names = [bone.name for bone in armature.get_bones(obj)]
    matrices = np.empty((len(frames), len(names), 4, 4))
    for at, frame in enumerate(frames):
        whole = int(np.floor(frame + 1e-6))
        bpy.context.scene.frame_set(whole, subframe=float(np.clip(frame - whole, 0.0, 0.999999)))
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        world = np.array(evaluated.matrix_world)
        matrices[at] = world @ np.array([evaluated.pose.bones[name].matrix for name in names])
    axes = matrices[..., :3, :3]
    return matrices[..., :3, 3].copy(), rotation.from_matrix(axes / np.linalg.norm(axes, axis=-2, keepdims=True))
