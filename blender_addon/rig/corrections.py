# SPDX-License-Identifier: GPL-3.0-or-later
"""What the animator mended, kept for the network to learn from: the captured motion beside the corrected one.

A correction is a folder: capture.npz as it was captured, corrected.npz with the same frames as the armature now moves,
meta.json. Knows how an armature is read back; not how the network learns from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import bpy
import numpy as np

import stc_core
from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion, save_motion
from stc_core.motion.retarget.rest_pose import BoneMap, RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, motion_from, pose, retarget
from stc_core.motion.rig_mapping import bone_map_io as bone_maps

from ..jobs import job as worker
from . import armature, rigify
from . import provenance as take
from .apply import target_of


def save(obj: bpy.types.Object, scene: bpy.types.Scene, folder: Path) -> Path:
    """Store the armature's captured action, as edited, as a new correction in `folder`; returns its own folder.

    The scene, its frame and the pose are left alone. Raises UserError where the capture is gone or nothing can be
    written.
    """
    action, made = take.played(obj)
    motion = made.load()
    corrected = _corrected(obj, scene, made, motion)
    kept = worker.new_folder(folder, action.name)
    try:
        shutil.copyfile(made.motion, kept / "capture.npz")
        (kept / "meta.json").write_text(json.dumps(_described(obj, action, made), indent=1), encoding="utf-8")
    except OSError as error:
        remedy = "Make room, or choose another corrections folder in the add-on's preferences."
        raise UserError(f"{kept} cannot be written ({error.strerror}).", remedy) from None
    save_motion(corrected, kept / "corrected.npz")
    return kept


def _corrected(obj: bpy.types.Object, scene: bpy.types.Scene, made: take.Take, motion: Motion) -> Motion:
    """The motion with what the armature shows otherwise than when it was imported: held feet are not an edit."""
    target = target_of(obj, made.bone_map(), scene, made.rigify_controls)
    clip = retarget(motion, target.rest, target.bone_map, RetargetConfig(lock_feet=made.lock_feet))
    heads, turns = pose(target.rest, clip)
    before = motion_from(target.rest, target.bone_map, turns, heads, motion)
    unit_m = scene.unit_settings.scale_length
    rest = armature.rest_pose(obj, unit_m)
    frames = made.start_frame + np.arange(len(motion.t_world_root)) * (made.scene_fps / motion.fps)
    heads, turns = sample(obj, rest, frames, unit_m)
    after = motion_from(rest, _shown(obj, rest, made.bone_map()), turns, heads, motion)
    edit = rotation.mul(after.q_parent_joint, rotation.inv(before.q_parent_joint))
    return replace(
        motion,
        t_world_root=motion.t_world_root + after.t_world_root - before.t_world_root,
        q_parent_joint=rotation.unroll(rotation.normalise(rotation.mul(edit, motion.q_parent_joint))),
    )


def _shown(obj: bpy.types.Object, rest: RestPose, bone_map: BoneMap) -> BoneMap:
    """The bones by which an edit is seen: of a Rigify character the deform bones, which follow FK and IK alike."""
    if not rigify.is_generated(obj):
        return bone_map
    maps = (bone_maps.match(rest, rig) for rig in bone_maps.KNOWN if rig.name.startswith("Rigify deform"))
    return max((*maps, bone_map), key=lambda found: len(found.bones))


def count(folder: Path) -> int:
    """How many corrections a folder holds."""
    return sum(1 for _ in folder.glob("*/corrected.npz"))


def sample(obj: bpy.types.Object, rest: RestPose, frames: Array, unit_m: float) -> tuple[Array, Array]:
    """Heads (T, B, 3), world metres, and q_world_bone (T, B, 4) of the rest's bones at the scene's `frames` (T,).

    As evaluated with all constraints and drivers, in a scene of its own: nothing of it comes back to the user's.
    """
    matrices, told = np.empty((len(frames), len(rest.bones), 4, 4)), bpy.context.window_manager
    told.progress_begin(0, len(frames))
    with _own_scene(obj) as stage:
        for number, (row, frame) in enumerate(zip(matrices, frames, strict=True)):
            told.progress_update(number)
            whole = int(np.floor(frame))
            stage.frame_set(whole, subframe=float(frame - whole))
            seen = obj.evaluated_get(stage.view_layers[0].depsgraph)
            world = np.array(seen.matrix_world)
            row[:] = world @ np.array([seen.pose.bones[name].matrix for name in rest.bones])
    told.progress_end()
    axes = matrices[..., :3, :3]
    axes = axes / np.linalg.norm(axes, axis=-2, keepdims=True)
    return matrices[..., :3, 3] * unit_m, rotation.unroll(rotation.from_matrix(axes))


@contextmanager
def _own_scene(obj: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """A scene with the armature and what it depends on: evaluating it does not touch the objects themselves."""
    stage = bpy.data.scenes.new("STC Mocap sampling")
    try:
        stage.collection.objects.link(obj)
        yield stage
    finally:
        bpy.data.scenes.remove(stage)


def _described(obj: bpy.types.Object, action: bpy.types.Action, made: take.Take) -> dict[str, Any]:
    """What else one may want to know of a correction."""
    return {
        "format": 1,
        "rig": obj.name,
        "action": action.name,
        "kind": made.kind,
        "video": Path(made.video).name,
        "map": asdict(made.bone_map()),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "stc_mocap": stc_core.__version__,
        "blender": bpy.app.version_string,
    }
