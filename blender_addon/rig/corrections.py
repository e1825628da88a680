# SPDX-License-Identifier: GPL-3.0-or-later
"""The animator's corrections, kept for the network to learn from: the captured motion beside the corrected one.

A correction is a folder: capture.npz as it was captured, corrected.npz with the same frames as the armature moves now,
meta.json. Knows how an armature's pose is sampled; does not know how the network learns from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
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
from stc_core.motion.fingers import has_fingers
from stc_core.motion.motion import Motion, save_motion
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import recover_motion, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.guess_bone_map import match_preset
from stc_core.motion.rig_mapping.presets import PRESETS

from .. import paths
from . import armature, provenance, rigify
from .apply import resolve_target

_LEAST_EDIT_DEG = 1.0  # chosen: keys that are baked anew or reduced turn a bone by less


def save_correction(obj: bpy.types.Object, scene: bpy.types.Scene, folder: Path) -> Path:
    """Store the armature's captured action, as edited, as a new correction in `folder`; returns its own folder.

    The scene, its frame and the pose stay as they are. Raises UserError where the capture is missing, nothing was
    edited that the network could learn, or nothing can be written.
    """
    action, record = provenance.require_captured_action(obj)
    motion = record.load()
    corrected = _compute_corrected_motion(obj, scene, record, motion)
    _require_edit(action, motion, corrected)
    kept = paths.make_folder(folder, action.name)
    try:
        shutil.copyfile(record.motion, kept / "capture.npz")
        (kept / "meta.json").write_text(json.dumps(_make_metadata(obj, action, record), indent=1), encoding="utf-8")
    except OSError as error:
        remedy = "Make room, or choose another corrections folder in the add-on's preferences."
        raise UserError(f"{kept} cannot be written ({error.strerror}).", remedy) from None
    save_motion(corrected, kept / "corrected.npz")
    return kept


def _compute_corrected_motion(
    obj: bpy.types.Object, scene: bpy.types.Scene, record: provenance.Provenance, motion: Motion
) -> Motion:
    """The captured motion with what was edited since its import: what retargeting itself changed, as foot locking, is
    no edit.
    """
    fingers = has_fingers(motion.skeleton)
    target = resolve_target(obj, record.bone_map(), scene, record.rigify_controls, fingers)
    animation = retarget(motion, target.rest, target.bone_map, record.retarget_config())
    heads, rotations = evaluate_pose(target.rest, animation)
    before = recover_motion(target.rest, target.bone_map, rotations, heads, motion, record.retarget_config())
    unit_m = scene.unit_settings.scale_length
    rest = armature.read_rest_pose(obj, unit_m)
    frames = record.start_frame + np.arange(len(motion.t_world_root)) * (record.scene_fps / motion.fps)
    heads, rotations = sample_pose(obj, rest, frames, unit_m)
    after = recover_motion(
        rest,
        _choose_evaluated_bones(obj, rest, record.bone_map()),
        rotations,
        heads,
        motion,
        record.retarget_config(),
    )
    edit = rotation.mul(after.q_parent_joint, rotation.inv(before.q_parent_joint))
    return replace(
        motion,
        t_world_root=motion.t_world_root + after.t_world_root - before.t_world_root,
        q_parent_joint=rotation.unroll(rotation.normalise(rotation.mul(edit, motion.q_parent_joint))),
    )


def _require_edit(action: bpy.types.Action, motion: Motion, corrected: Motion) -> None:
    """Raises UserError where no bone was turned; the path through the room is no lesson for the network."""
    turned = rotation.angle(rotation.mul(rotation.inv(motion.q_parent_joint), corrected.q_parent_joint))
    if np.degrees(turned.max()) < _LEAST_EDIT_DEG:
        raise UserError(
            f"No bone of {action.name} is turned otherwise than it was captured, so there is nothing to learn.",
            "Turn bones where the action is wrong, key them, and save the correction then.",
        )


def _choose_evaluated_bones(obj: bpy.types.Object, rest: RestPose, bone_map: BoneMap) -> BoneMap:
    """The bones in which an edit shows: of a Rigify character the deform bones, which follow FK and IK alike."""
    if not rigify.is_generated(obj):
        return bone_map
    maps = (match_preset(rest, rig) for rig in PRESETS if rig.name.startswith("Rigify deform"))
    return max((*maps, bone_map.without_fingers()), key=lambda found: len(found.bones))


def count_corrections(folder: Path) -> int:
    """How many corrections a folder holds."""
    return sum(1 for _ in folder.glob("*/corrected.npz"))


def sample_pose(obj: bpy.types.Object, rest: RestPose, frames: Array, unit_m: float) -> tuple[Array, Array]:
    """Sample heads (T, B, 3), world metres, and q_world_bone (T, B, 4) of the rest's bones at the scene's `frames`
    (T,).
    """
    matrices = sample_matrices(obj, rest.bones, frames)
    axes = matrices[..., :3, :3]
    axes = axes / np.linalg.norm(axes, axis=-2, keepdims=True)
    return matrices[..., :3, 3] * unit_m, rotation.unroll(rotation.from_matrix(axes))


def sample_matrices(obj: bpy.types.Object, names: Sequence[str], frames: Array) -> Array:
    """Sample the matrices (T, B, 4, 4) of pose bones in the world at the scene's `frames` (T,).

    Evaluated with all constraints and drivers, in a scene of its own: the user's scene stays as it is.
    """
    matrices, window_manager = np.empty((len(frames), len(names), 4, 4)), bpy.context.window_manager
    window_manager.progress_begin(0, len(frames))
    with _make_temporary_scene(obj) as scene_copy:
        for number, (row, frame) in enumerate(zip(matrices, frames, strict=True)):
            window_manager.progress_update(number)
            whole = int(np.floor(frame))
            scene_copy.frame_set(whole, subframe=float(frame - whole))
            evaluated = obj.evaluated_get(scene_copy.view_layers[0].depsgraph)
            world = np.array(evaluated.matrix_world)
            row[:] = world @ np.array([evaluated.pose.bones[name].matrix for name in names])
    window_manager.progress_end()
    return matrices


@contextmanager
def _make_temporary_scene(obj: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """A scene with the armature and what it depends on: evaluating it does not touch the objects themselves."""
    scene_copy = bpy.data.scenes.new("STC Mocap sampling")
    try:
        scene_copy.collection.objects.link(obj)
        yield scene_copy
    finally:
        bpy.data.scenes.remove(scene_copy)


def _make_metadata(obj: bpy.types.Object, action: bpy.types.Action, record: provenance.Provenance) -> dict[str, Any]:
    """What meta.json holds: the rig, the action, the bone map, the versions."""
    return {
        "format": 1,
        "rig": obj.name,
        "action": action.name,
        "kind": record.kind,
        "video": Path(record.video).name,
        "map": asdict(record.bone_map()),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "stc_mocap": stc_core.__version__,
        "blender": bpy.app.version_string,
    }
