# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's file opened in place of what is open: its body's armature, ready to be keyed, and its meshes.

Knows which files may hold a rig, and changes the scene freely, for nobody saves it: its unit becomes the metre, its own
animation goes. Knows nothing of motions and of what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
from mathutils import Matrix

from stc_core.errors import UserError
from stc_core.motion.rig_mapping import bone_map_io as bone_maps

from ..rig import armature

SUFFIXES = (".blend", ".fbx", ".glb", ".gltf", ".vrm")  # a .vrm is a .glb
_BODY = {"hips", *(f"{side}_{part}" for side in ("left", "right") for part in ("upper_arm", "upper_leg"))}


def open_rig(path: Path) -> bpy.types.Object:
    """The body's armature in a rig's file, opened in place of what was open, in metres and without its own animation.

    Raises UserError where the file cannot be read, or has no armature or several that may be meant.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} is no rig's file.", f"Choose one of these: {', '.join(SUFFIXES)}.")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    try:
        _load(path)
    except RuntimeError as error:
        raise UserError(f"{path} cannot be opened: {reason(error)}", "Open it in Blender and save it anew.") from None
    _drop_animation()
    _to_metres(bpy.context.scene)
    return _body(path)


def _load(path: Path) -> None:
    kind, where = path.suffix.lower(), str(path.resolve())
    if kind == ".blend":
        bpy.ops.wm.open_mainfile(filepath=where, load_ui=False, use_scripts=False)
    elif kind == ".fbx":
        bpy.ops.import_scene.fbx(filepath=where, use_anim=False)
    else:
        bpy.ops.import_scene.gltf(filepath=where)


def reason(error: RuntimeError) -> str:
    """The last line of what an operator says, which is its sentence; a traceback may stand before it."""
    line = str(error).strip().splitlines()[-1].removeprefix("Error: ").strip()
    return line if line.endswith(".") else f"{line}."


def _drop_animation() -> None:
    """The rig's own actions and strips would be exported too, or mix with the motion."""
    for data in [obj.animation_data for obj in bpy.data.objects if obj.animation_data]:
        data.use_tweak_mode = False
        data.action_blend_type, data.action_influence = "REPLACE", 1.0
        for track in list(data.nla_tracks):
            data.nla_tracks.remove(track)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)


def _to_metres(scene: bpy.types.Scene) -> None:
    """Not every exporter minds the scene's unit: let it be the metre, and what stands in the scene grow or shrink."""
    growth, scene.unit_settings.scale_length = scene.unit_settings.scale_length, 1.0
    if abs(growth - 1.0) > 1e-6:
        for obj in scene.objects:
            if obj.parent is None:
                obj.matrix_world = Matrix.Scale(growth, 4) @ obj.matrix_world
        bpy.context.view_layer.update()


def _body(path: Path) -> bpy.types.Object:
    """The one armature; of several the one with a whole body, then the one that moves a mesh."""
    found = [obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE" and obj.data.bones]
    if not found:
        raise UserError(f"{path} has no armature.", "Choose a file with a rigged character.")
    tests: tuple[Callable[[bpy.types.Object], object], ...] = (lambda _: True, _has_body, meshes)
    for wanted in tests:
        found = [obj for obj in found if wanted(obj)] or found
        if len(found) == 1:
            found[0].data.pose_position = "POSE"
            return found[0]
    names = ", ".join(sorted(obj.name for obj in found))
    raise UserError(f"{path} has several armatures ({names}).", "Save a copy of it with only the one to be moved.")


def _has_body(obj: bpy.types.Object) -> bool:
    return set(bone_maps.guess(armature.rest_pose(obj)).bones) >= _BODY


def meshes(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that an armature bends or carries and that are meant to be seen."""
    return [
        other
        for other in bpy.context.scene.objects
        if other.type == "MESH"
        and not other.hide_render
        and (obj in _above(other) or any(getattr(modifier, "object", None) == obj for modifier in other.modifiers))
    ]


def select(obj: bpy.types.Object) -> None:
    """Select the armature, its meshes and the empties they hang on, even where they were hidden, and nothing else."""
    chosen = {obj, *meshes(obj)}
    chosen |= {above for one in list(chosen) for above in _above(one) if above.type == "EMPTY"}
    layer, shown = bpy.context.view_layer, bpy.context.scene.collection.objects
    for other in layer.objects:
        other.select_set(False)
    for one in chosen:
        one.hide_viewport = one.hide_select = False
        if one.name not in shown:  # its own collection may be hidden
            shown.link(one)
        one.hide_set(False)
        one.select_set(True)
    layer.objects.active = obj


def _above(obj: bpy.types.Object) -> list[bpy.types.Object]:
    return [obj.parent, *_above(obj.parent)] if obj.parent else []
