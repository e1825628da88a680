# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's file opened in place of what is open: its body's armature, ready to be keyed, and its meshes.

Knows which files may hold a rig, and changes the scene freely, for nobody saves it: its unit becomes the metre, its own
animation is removed. Does not know motions or what is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import bpy
from mathutils import Matrix

from stc_core.errors import UserError
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map

from ..rig import armature
from ..rig.face_meshes import list_meshes
from ..rig.humanoid_table import store_humanoid_table
from .bone_children import skin_bone_children
from .supervise import limit_resources

SUFFIXES = (".blend", ".fbx", ".glb", ".gltf", ".vrm")  # a .vrm is a .glb
_GLTF_SUFFIXES = (".glb", ".gltf", ".vrm")
_REASONS = {
    "RecursionError": "it is nested too deeply, or its parts refer to each other in a circle",
    "MemoryError": "it needs more memory than there is",
    "_ArrayMemoryError": "it needs more memory than there is",
    "KeyError": "it refers to a part that it does not have",
    "IndexError": "it refers to a part that it does not have",
    "AttributeError": "it refers to a part that it does not have",
    "UnicodeDecodeError": "its text is damaged",
    "error": "it is cut off or damaged",
}
"""what the exceptions at which Blender's importers stop mean for the user; `error` is struct's and zlib's"""
_EXTENSIONS = {
    "EXT_meshopt_compression": "meshopt compression",
    "KHR_meshopt_compression": "meshopt compression",
    "KHR_draco_mesh_compression": "Draco compression",
}
_BODY_JOINTS = {"hips", *(f"{side}_{part}" for side in ("left", "right") for part in ("upper_arm", "upper_leg"))}


def open_rig(path: Path) -> tuple[bpy.types.Object, tuple[str, ...]]:
    """Open a rig's file in place of what was open, in metres and without its own animation.

    Returns the body's armature and notes on what was left out: images that lie outside the rig's file and folder, which
    whoever gets the export may not be meant to see; and on meshes that hung on bones. Raises UserError where the file
    cannot be read, or has no armature or several that may be meant.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} is no rig's file.", f"Choose one of these: {', '.join(SUFFIXES)}.")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    check_references(path)
    try:
        with limit_resources():
            import_file(path)
    except RuntimeError as error:
        raise explain_unopened(path, error) from None
    _remove_animation()
    _convert_to_metres(bpy.context.scene)
    obj = find_body_armature(path)
    if path.suffix.lower() in _GLTF_SUFFIXES:
        store_humanoid_table(obj, path)
    return obj, (
        *_remove_outside_libraries(path.parent),
        *_remove_outside_images(path.parent),
        *skin_bone_children(obj),
    )


def import_file(path: Path, use_animation: bool = False) -> None:
    """Open a .blend, or import another file into what is open. Raises RuntimeError where its importer fails."""
    kind, where = path.suffix.lower(), str(path.resolve())
    if kind == ".blend":
        bpy.ops.wm.open_mainfile(filepath=where, load_ui=False, use_scripts=False)
    elif kind == ".fbx":
        bpy.ops.import_scene.fbx(filepath=where, use_anim=use_animation)
    else:
        bpy.ops.import_scene.gltf(filepath=where, import_pack_images=False)  # packed, an outside one looks like ours


def explain_unopened(path: Path, error: RuntimeError) -> UserError:
    """The error for a file that its importer could not open; where that lacks an extension, Blender cannot help."""
    reason = extract_reason(error)
    remedy = "Open it in Blender and save it anew."
    if extension := re.search(r"\b[A-Z]{2,6}_\w+", reason):
        remedy = f"Save it without {_EXTENSIONS.get(extension[0], extension[0])} in the program it comes from."
    return UserError(f"{path} cannot be opened: {reason}", remedy)


def extract_reason(error: RuntimeError) -> str:
    """Why an operator failed, in the words of the one who knows: its own sentence, or what its importer stopped at."""
    lines = [line.strip() for line in str(error).strip().splitlines() if not line.startswith("Location:")]
    last = lines[-1].removeprefix("Error: ").strip() if lines else "it cannot be read"
    kind, _, detail = last.partition(": ")
    name = kind.rpartition(".")[2]
    if name in _REASONS:
        last = _REASONS[name]
    elif len(lines) > 1 and name.endswith(("Error", "Exception", "error")):
        last = f"the importer stopped ({name}: {detail})" if detail else f"the importer stopped ({name})"
    return last if last.endswith(".") else f"{last}."


def check_references(path: Path) -> None:
    """Raises UserError where a glTF's data lies outside its folder, or is no file: it would be read into the export."""
    if path.suffix.lower() != ".gltf":
        return
    try:
        buffers = json.loads(path.read_text(encoding="utf-8"))["buffers"]
        uris = [buffer["uri"] for buffer in buffers if not buffer["uri"].startswith("data:")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # the importer says what is wrong with it
    for uri in uris:
        file = path.parent / unquote(uri)
        if not (_is_inside(file, path.parent) and file.is_file()):
            remedy = "Put it into the rig's folder, or save the rig as one file (.glb)."
            raise UserError(f"{path} needs the file {uri}, which is not in its folder.", remedy)


def _remove_outside_libraries(folder: Path) -> tuple[str, ...]:
    """Remove what a .blend links from files outside the rig's folder; returns the notes."""
    outside = [library for library in bpy.data.libraries if not _is_inside(_locate_library(library), folder)]
    names = ", ".join(sorted({library.name for library in outside}))
    for library in reversed(outside):  # those that another links come after it
        bpy.data.libraries.remove(library)
    remedy = "To export it, make it local, or put the files into the rig's folder."
    return (f"What the rig links from outside its folder was left out: {names}. {remedy}",) if outside else ()


def _locate_library(library: bpy.types.Library) -> Path:
    return Path(bpy.path.abspath(library.filepath, library=library.parent))


def _remove_outside_images(folder: Path) -> tuple[str, ...]:
    """Remove the images that lie neither in the rig's file nor in its folder; returns the notes."""
    outside = [image for image in bpy.data.images if not _is_own(image, folder)]
    names = ", ".join(sorted(image.name for image in outside))
    for image in outside:
        bpy.data.images.remove(image)
    remedy = "To export them, pack them into the rig's file or put them into its folder."
    return (f"Images outside the rig's folder were left out: {names}. {remedy}",) if outside else ()


def _is_own(image: bpy.types.Image, folder: Path) -> bool:
    """Whether an image is made by Blender, packed into the rig's file, or all its files lie in the rig's folder."""
    if image.source in ("GENERATED", "VIEWER") or image.packed_file or not image.filepath:
        return True
    where = bpy.path.abspath(image.filepath, library=image.library)
    numbers = [str(tile.number) for tile in image.tiles] if image.source == "TILED" else [""]
    return all(_is_inside(Path(where.replace("<UDIM>", number)), folder) for number in numbers)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in the folder, links followed."""
    return path.resolve().is_relative_to(folder.resolve())


def _remove_animation() -> None:
    """Remove the rig's own actions and strips: they would be exported too, or mix with the motion."""
    blocks = (*bpy.data.objects, *bpy.data.shape_keys)
    for data in [block.animation_data for block in blocks if block.animation_data]:
        data.use_tweak_mode = False
        data.action_blend_type, data.action_influence = "REPLACE", 1.0
        for track in list(data.nla_tracks):
            data.nla_tracks.remove(track)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)


def _convert_to_metres(scene: bpy.types.Scene) -> None:
    """Make the metre the scene's unit and scale what is in it: not every exporter minds the unit."""
    scale, scene.unit_settings.scale_length = scene.unit_settings.scale_length, 1.0
    if abs(scale - 1.0) > 1e-6:
        for obj in scene.objects:
            if obj.parent is None:
                obj.matrix_world = Matrix.Scale(scale, 4) @ obj.matrix_world
        bpy.context.view_layer.update()


def convert_to_centimetres(obj: bpy.types.Object) -> None:
    """Make the centimetre the scene's unit and apply the scales of the armature and its meshes: what an FBX then holds
    needs no object scale, which game engines handle badly.
    """
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    for other in scene.objects:
        if other.parent is None:
            other.matrix_world = Matrix.Scale(100.0, 4) @ other.matrix_world
    select_character(obj)
    for other in bpy.context.selected_objects:
        if other.data and other.data.users > 1:
            other.data = other.data.copy()
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    bpy.context.view_layer.update()


def find_body_armature(path: Path) -> bpy.types.Object:
    """The one armature; of several the one with a whole body, then the one that moves a mesh."""
    found = [obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE" and obj.data.bones]
    if not found:
        raise UserError(f"{path} has no armature.", "Choose a file with a rigged character.")
    tests: tuple[Callable[[bpy.types.Object], object], ...] = (lambda _: True, _has_body, find_meshes)
    for wanted in tests:
        found = [obj for obj in found if wanted(obj)] or found
        if len(found) == 1:
            found[0].data.pose_position = "POSE"
            return found[0]
    names = ", ".join(sorted(obj.name for obj in found))
    raise UserError(f"{path} has several armatures ({names}).", "Save a copy of it with only the one to be moved.")


def _has_body(obj: bpy.types.Object) -> bool:
    """Whether a body's bones are found by their names and positions."""
    return set(guess_bone_map(armature.read_rest_pose(obj)).bones) >= _BODY_JOINTS


def find_meshes(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The visible meshes that an armature deforms or is the parent of."""
    return [mesh for mesh in list_meshes(obj, bpy.context.scene.objects) if not mesh.hide_render]


def select_character(obj: bpy.types.Object) -> None:
    """Select the armature, its meshes and the empties they are parented to, even hidden ones, and nothing else."""
    chosen = {obj, *find_meshes(obj)}
    chosen |= {above for one in list(chosen) for above in _list_ancestors(one) if above.type == "EMPTY"}
    layer, root_objects = bpy.context.view_layer, bpy.context.scene.collection.objects
    for other in layer.objects:
        other.select_set(False)
    for one in chosen:
        one.hide_viewport = one.hide_select = False
        if one.name not in root_objects:  # its own collection may be hidden
            root_objects.link(one)
        one.hide_set(False)
        one.select_set(True)
    layer.objects.active = obj


def _list_ancestors(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """An object's parent, its parent and so on."""
    return [obj.parent, *_list_ancestors(obj.parent)] if obj.parent else []
