# SPDX-License-Identifier: GPL-3.0-or-later
"""A face on a character's meshes: its coefficients become keyframes of shape keys, an action for each set of keys.

What a mesh's own action keys besides stays. Knows sliders' limits and drivers; does not know bones, and nothing of the
meshes is changed but their actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from stc_core.geometry.rotation import Array
from stc_core.motion.face import Face
from stc_core.motion.shape_mapping.guess_shape_map import guess_shape_map
from stc_core.motion.shape_mapping.shape_map import ShapeMap, compute_shape_values, find_region
from stc_core.motion.shape_mapping.shape_map_io import fit_shape_map

from . import face_meshes, keyframes
from .constraints import format_names

_CUT = 0.02
"""by which a slider's limit must cut a value to be worth a note; chosen"""


@dataclass(frozen=True, kw_only=True)
class FaceTarget:
    """What a face is keyed on: meshes with shape keys, and the map that fits them. notes: on what cannot be keyed."""

    meshes: tuple[bpy.types.Object, ...]
    shape_map: ShapeMap
    notes: tuple[str, ...] = ()

    @property
    def gaze_keys(self) -> set[str]:
        """The shape keys by which the eyes look about."""
        return {key for key, weights in self.shape_map.keys.items() if find_region(weights) == "gaze"}


def resolve_face(obj: bpy.types.Object, shape_map: ShapeMap | None) -> FaceTarget:
    """Find the meshes whose shape keys a face is keyed on; without a map one is guessed. Raises UserError where the map
    names no shape key that they have.
    """
    meshes = face_meshes.list_face_meshes(obj)
    notes = [note for note in map(face_meshes.find_obstacle, meshes) if note]
    meshes = [mesh for mesh in meshes if not face_meshes.find_obstacle(mesh)]
    names = face_meshes.list_key_names(meshes)
    if not names:
        notes.append(f"The face is not shown by shape keys: no mesh of {obj.name} has any that can be keyed.")
        return FaceTarget(meshes=(), shape_map=ShapeMap(name="", keys={}), notes=tuple(notes))
    shape_map = fit_shape_map(shape_map, names) if shape_map else guess_shape_map(names)
    if not shape_map.keys:
        what = f"no shape key of {format_names([mesh.name for mesh in meshes])} has a known name"
        notes.append(f"The face is not shown by shape keys: {what}. Fill in the shape map.")
    return FaceTarget(meshes=tuple(meshes), shape_map=shape_map, notes=tuple(notes))


def write_face(
    target: FaceTarget, face: Face, fps: float, key_fps: float, name: str, start_frame: float, nla_strip: bool
) -> tuple[dict[str, bpy.types.Action], list[str]]:
    """Key a face of `fps` as new actions, `key_fps` keyframes a second; returns them by mesh, and notes."""
    values = compute_shape_values(face, target.shape_map)
    frames = int((len(face.scores) - 1) / fps * key_fps + 1e-6) + 1
    at = np.arange(frames) * (fps / key_fps)
    values = {key: np.interp(at, np.arange(len(face.scores)), one) for key, one in values.items()}
    actions, notes, driven = {}, [], dict[str, int]()
    for mesh in target.meshes:
        skipped = face_meshes.find_driven_keys(mesh) & set(values)
        if skipped:
            driven[mesh.name] = len(skipped)
        blocks = [block for block in face_meshes.iterate_keys(mesh) if block.name in set(values) - skipped]
        if blocks:
            times = start_frame + np.arange(frames)
            actions[mesh.name], cut = _write_keys(mesh, blocks, values, times, f"{name} {mesh.name}", nla_strip)
            notes += [f"The sliders of {format_names(cut)} on {mesh.name} end before the face does."] if cut else []
    for mesh_name, count in driven.items():
        notes.append(f"{count} shape keys of {mesh_name} have drivers, which move them, and are not keyed.")
    return actions, notes


def _write_keys(
    mesh: bpy.types.Object,
    blocks: Sequence[bpy.types.ShapeKey],
    values: dict[str, Array],
    frames: Array,
    name: str,
    nla_strip: bool,
) -> tuple[bpy.types.Action, list[str]]:
    """Key one mesh's shape keys; returns the action, and the keys whose sliders cut their values."""
    keys = mesh.data.shape_keys
    paths = {block.path_from_id("value"): block for block in blocks}
    action = keyframes.copy_action(keys, name, paths.__contains__)
    cut = []
    for path, block in paths.items():
        limited = np.clip(values[block.name], block.slider_min, block.slider_max)
        if np.abs(limited - values[block.name]).max() > _CUT:
            cut.append(block.name)
        keyframes.write_fcurve(keys, action, path, frames, limited, "Face")
    keyframes.finish_action(keys, action, frames, assign=not nla_strip)
    if nla_strip:
        keyframes.push_strip(keys, action, frames[0])
    return action, cut
