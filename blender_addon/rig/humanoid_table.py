# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's own table of which bone is which joint: VRM's humanoid, from the VRM add-on or from the file itself.

Knows how VRM 0.x and 1.0 write it. Does not guess: what the table lacks is left out.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy

from stc_core.motion.fingers import FINGER_JOINTS
from stc_core.motion.skeleton import HUMANOID

_KEY = "stc_mocap_humanoid"
"""of the armature's custom property with the table of the file that it came from"""
_JOINTS = (*HUMANOID.joint_names, *FINGER_JOINTS)
_VRM_0_THUMB = {"thumb_proximal": "thumb_metacarpal", "thumb_intermediate": "thumb_proximal"}
_GLB_MAGIC, _JSON_CHUNK = b"glTF", b"JSON"


def read_humanoid_table(obj: bpy.types.Object) -> dict[str, str]:
    """Read which bones an armature's own table names: joint -> bone; empty where it has none."""
    stored = obj.data.get(_KEY)
    pairs: Iterator[tuple[str, str]] = iter(stored.items()) if hasattr(stored, "items") else _read_addon_table(obj.data)
    names = {bone.name for bone in obj.data.bones}
    return {joint: bone for joint, bone in pairs if joint in _JOINTS and bone in names}


def store_humanoid_table(obj: bpy.types.Object, path: Path) -> None:
    """Store the humanoid table of the glTF or VRM file that an armature was imported from on the armature, if any."""
    table = dict(_read_file_table(path))
    if table:
        obj.data[_KEY] = table


def _read_addon_table(data: bpy.types.Armature) -> Iterator[tuple[str, str]]:
    """Yield joints and bones of the VRM add-on's properties, where that is enabled."""
    extension = getattr(data, "vrm_addon_extension", None)
    if extension is None:
        return
    if str(getattr(extension, "spec_version", "1.0")).startswith("0"):
        for human_bone in extension.vrm0.humanoid.human_bones:
            yield _name_joint(human_bone.bone, is_vrm_0=True), human_bone.node.bone_name
        return
    human_bones = extension.vrm1.humanoid.human_bones
    for joint in _JOINTS:
        human_bone = getattr(human_bones, joint, None)
        if human_bone is not None:
            yield joint, human_bone.node.bone_name


def _read_file_table(path: Path) -> Iterator[tuple[str, str]]:
    """Yield joints and names of nodes of a file's VRM extension; nothing of a file without or with a damaged one."""
    document = _read_gltf(path)
    nodes, extensions = document.get("nodes"), document.get("extensions")
    if not isinstance(nodes, list) or not isinstance(extensions, dict):
        return
    for extension in ("VRMC_vrm", "VRM"):
        humanoid = _get(_get(extensions, extension), "humanoid")
        bones = _get(humanoid, "humanBones")
        rows = list(bones.items()) if isinstance(bones, dict) else []
        rows += [(_get(bone, "bone"), bone) for bone in bones] if isinstance(bones, list) else []
        for name, bone in rows:
            node = _get(bone, "node")
            if isinstance(name, str) and isinstance(node, int) and 0 <= node < len(nodes):
                bone_name = _get(nodes[node], "name")
                if isinstance(bone_name, str):
                    yield _name_joint(name, is_vrm_0=extension == "VRM"), bone_name


def _get(holder: object, key: str) -> Any:
    return holder.get(key) if isinstance(holder, dict) else None


def _name_joint(name: str, is_vrm_0: bool) -> str:
    """VRM's leftUpperArm is our left_upper_arm; VRM 0 called a thumb's three joints otherwise."""
    joint = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    side, _, part = joint.partition("_")
    return f"{side}_{_VRM_0_THUMB[part]}" if is_vrm_0 and part in _VRM_0_THUMB else joint


def _read_gltf(path: Path) -> Mapping[str, Any]:
    """Read a glTF's JSON, of a .gltf or from the first chunk of a .glb or .vrm; empty where it is damaged."""
    data = path.read_bytes()
    if data[:4] == _GLB_MAGIC:
        length, kind = struct.unpack("<I4s", data[12:20]) if len(data) >= 20 else (0, b"")
        data = data[20 : 20 + length] if kind == _JSON_CHUNK else b"{}"
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}  # the importer says what is wrong with it
    return document if isinstance(document, dict) else {}
