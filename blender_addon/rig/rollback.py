# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves the .blend file as it was where an import fails half way: no half action, no new armature.

Knows what an import may change in the file; does not know how it imports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy

from .face_meshes import list_face_meshes

_COLLECTIONS = ("actions", "objects", "armatures")
"""of bpy.data: what an import adds"""


@dataclass(frozen=True, kw_only=True)
class _SceneState:
    """What an import may change in a scene."""

    fps: int
    fps_base: float
    frame_start: int
    frame_end: int
    armature: bpy.types.Object | None


@dataclass(frozen=True, kw_only=True)
class _AnimationState:
    """What an import may change of the animation of an armature or of shape keys."""

    has_animation: bool
    action: bpy.types.Action | None
    slot: Any
    has_fake_user: bool
    tracks: int


@dataclass(frozen=True, kw_only=True)
class _ObjectState:
    """What an import may change on an armature: its animation, rotation modes, custom properties and bone map."""

    animation: _AnimationState
    shape_keys: dict[str, tuple[_AnimationState, list[float]]]
    """by the name of the armature's meshes' shape keys: their animation and values"""
    rotation_modes: dict[str, str]
    properties: dict[str, float]
    joints: int
    """rows of its bone map; an import adds some behind them"""


@contextmanager
def restore_on_error(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> Iterator[None]:
    """Where the block raises, remove what it added to the file and restore the scene and the armature `obj`."""
    known = {kind: {block.as_pointer() for block in getattr(bpy.data, kind)} for kind in _COLLECTIONS}
    scene_state, object_state = _read_scene(scene), _read_object(obj) if obj else None
    try:
        yield
    except BaseException:
        if obj and object_state:
            _restore_object(obj, object_state)
        _restore_scene(scene, scene_state)
        for kind in _COLLECTIONS:
            blocks = getattr(bpy.data, kind)
            for block in [block for block in blocks if block.as_pointer() not in known[kind]]:
                blocks.remove(block)
        raise


def _read_scene(scene: bpy.types.Scene) -> _SceneState:
    return _SceneState(
        fps=scene.render.fps,
        fps_base=scene.render.fps_base,
        frame_start=scene.frame_start,
        frame_end=scene.frame_end,
        armature=scene.stc_mocap.armature,
    )


def _restore_scene(scene: bpy.types.Scene, state: _SceneState) -> None:
    scene.render.fps, scene.render.fps_base = state.fps, state.fps_base
    scene.frame_start, scene.frame_end = state.frame_start, state.frame_end
    if scene.stc_mocap.armature != state.armature:  # choosing fills in maps
        scene.stc_mocap.armature = state.armature


def _read_object(obj: bpy.types.Object) -> _ObjectState:
    keys = [mesh.data.shape_keys for mesh in list_face_meshes(obj)]
    return _ObjectState(
        animation=_read_animation(obj),
        shape_keys={one.name: (_read_animation(one), [block.value for block in one.key_blocks]) for one in keys},
        rotation_modes={bone.name: bone.rotation_mode for bone in obj.pose.bones},
        properties={key: value for key, value in obj.items() if isinstance(value, float)},
        joints=len(obj.stc_mocap.joints),
    )


def _read_animation(block: bpy.types.ID) -> _AnimationState:
    data = block.animation_data
    action = data.action if data else None
    return _AnimationState(
        has_animation=data is not None,
        action=action,
        slot=getattr(data, "action_slot", None),
        has_fake_user=bool(action and action.use_fake_user),
        tracks=len(data.nla_tracks) if data else 0,
    )


def _restore_object(obj: bpy.types.Object, state: _ObjectState) -> None:
    for key in [key for key, value in obj.items() if isinstance(value, float) and key not in state.properties]:
        del obj[key]
    for key, value in state.properties.items():
        obj[key] = value
    for row in reversed(range(state.joints, len(obj.stc_mocap.joints))):
        obj.stc_mocap.joints.remove(row)
    for bone in obj.pose.bones:
        if bone.rotation_mode != state.rotation_modes[bone.name]:
            bone.rotation_mode = state.rotation_modes[bone.name]
    _restore_animation(obj, state.animation)
    for name, (animation, values) in state.shape_keys.items():
        _restore_animation(bpy.data.shape_keys[name], animation)
        for block, value in zip(bpy.data.shape_keys[name].key_blocks, values, strict=True):
            block.value = value


def _restore_animation(block: bpy.types.ID, state: _AnimationState) -> None:
    data = block.animation_data
    if data is None:
        return
    if not state.has_animation:
        block.animation_data_clear()
        return
    for track in list(data.nla_tracks)[state.tracks :]:
        data.nla_tracks.remove(track)
    data.action = state.action
    if state.action:
        state.action.use_fake_user = state.has_fake_user
        if state.slot is not None:
            data.action_slot = state.slot
