# SPDX-License-Identifier: GPL-3.0-or-later
"""A VRM's own humanoid is read from its file and from the VRM add-on's properties, and wins over names."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from blender_addon.export import rig_file
from blender_addon.rig import armature, humanoid_table
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID

JOINTS = [joint for joint in HUMANOID.joint_names if not joint.endswith("eye")]


def name_of(joint: str) -> str:
    """Names that tell something else: each bone is called as the next joint."""
    return armature.bone_name(JOINTS[(JOINTS.index(joint) + 1) % len(JOINTS)])


def camel_case(joint: str) -> str:
    first, *others = joint.split("_")
    return first + "".join(word.capitalize() for word in others)


@pytest.fixture
def misnamed() -> bpy.types.Object:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = armature.create_armature(HUMANOID, "Person", bpy.context.scene.collection)
    bones = {joint: obj.data.bones[armature.bone_name(joint)] for joint in JOINTS}
    for joint, bone in bones.items():
        bone.name = f"{joint} x"
    for joint, bone in bones.items():
        bone.name = name_of(joint)
    return obj


def write_vrm(path: Path, version: str) -> None:
    """Export what is open as glTF, with a humanoid of this VRM version."""
    plain = path.with_suffix(".glb")
    bpy.ops.export_scene.gltf(filepath=str(plain), export_animations=False)
    data = plain.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    document, rest = json.loads(data[20 : 20 + length]), data[20 + length :]
    nodes = [node.get("name") for node in document["nodes"]]
    bones = {camel_case(joint): nodes.index(name_of(joint)) for joint in JOINTS}
    human_bones: Any = (
        {name: {"node": node} for name, node in bones.items()}
        if version == "1.0"
        else [{"bone": name, "node": node} for name, node in bones.items()]
    )
    document["extensions"] = {"VRMC_vrm" if version == "1.0" else "VRM": {"humanoid": {"humanBones": human_bones}}}
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest)) + struct.pack("<I4s", len(text), b"JSON")
    path.write_bytes(header + text + rest)


@pytest.mark.parametrize("version", ["0.x", "1.0"])
def test_a_vrm_files_own_table_wins_over_names(misnamed: bpy.types.Object, tmp_path: Path, version: str) -> None:
    write_vrm(tmp_path / "a.vrm", version)
    obj, _ = rig_file.open_rig(tmp_path / "a.vrm")
    bone_map = guess_bone_map(armature.read_rest_pose(obj))
    assert {joint: bones[0] for joint, bones in bone_map.bones.items()} == {joint: name_of(joint) for joint in JOINTS}


@pytest.mark.parametrize(
    "extension",
    [
        {"VRM": {"humanoid": {"humanBones": 3}}},
        {"VRM": {"humanoid": {"humanBones": [3, {"bone": [], "node": 1}, {"bone": "hips", "node": 999}]}}},
        {"VRMC_vrm": {"humanoid": []}},
        {"VRMC_vrm": {"humanoid": {"humanBones": {"hips": {"node": True}, "head": {"node": "a"}}}}},
        [],
    ],
)
def test_a_damaged_table_is_none(misnamed: bpy.types.Object, tmp_path: Path, extension: object) -> None:
    path = tmp_path / "a.gltf"
    path.write_text(json.dumps({"nodes": [{"name": 3}, {"name": "no bone"}], "extensions": extension}))
    humanoid_table.store_humanoid_table(misnamed, path)
    assert humanoid_table.read_humanoid_table(misnamed) == {}


@pytest.mark.parametrize("version", ["0.0", "1.0"])
def test_the_vrm_add_ons_properties_are_read(misnamed: bpy.types.Object, version: str) -> None:
    nodes = {joint: SimpleNamespace(node=SimpleNamespace(bone_name=name_of(joint))) for joint in JOINTS}
    rows = [SimpleNamespace(bone=camel_case(joint), node=nodes[joint].node) for joint in JOINTS]
    extension = SimpleNamespace(
        spec_version=version,
        vrm0=SimpleNamespace(humanoid=SimpleNamespace(human_bones=rows)),
        vrm1=SimpleNamespace(humanoid=SimpleNamespace(human_bones=SimpleNamespace(**nodes))),
    )
    data = SimpleNamespace(bones=misnamed.data.bones, vrm_addon_extension=extension, get=lambda key: None)
    table = humanoid_table.read_humanoid_table(SimpleNamespace(data=data))
    assert table == {joint: name_of(joint) for joint in JOINTS}
