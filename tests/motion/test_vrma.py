"""VRM animations: the structure that the specification asks for, and the motion in it."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import axes, rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID, Skeleton
from stc_core.motion.vrma import name_human_bone, write_vrma
from tests import synthetic
from tests.motion.test_bvh import make_smooth_motion

REQUIRED = (  # by VRMC_vrm 1.0, humanoid.md
    "hips spine head leftUpperLeg leftLowerLeg leftFoot rightUpperLeg rightLowerLeg rightFoot leftUpperArm "
    "leftLowerArm leftHand rightUpperArm rightLowerArm rightHand"
).split()
PRESETS = set(  # by VRMC_vrm_animation 1.0; those of looks are left to lookAt
    "happy angry sad relaxed surprised aa ih ou ee oh blink blinkLeft blinkRight neutral".split()
)


def read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    size, kind = struct.unpack_from("<I4s", content, 12)
    binary_size, binary_kind = struct.unpack_from("<I4s", content, 20 + size)
    assert (kind, binary_kind) == (b"JSON", b"BIN\0") and size % 4 == binary_size % 4 == 0
    assert 28 + size + binary_size == len(content)
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def read_accessor(document: dict[str, Any], binary: bytes, index: int) -> Array:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    columns = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    assert accessor["componentType"] == 5126 and view["byteLength"] == 4 * columns * accessor["count"]
    assert (
        view["byteOffset"] % 4 == 0 and view["byteOffset"] + view["byteLength"] <= document["buffers"][0]["byteLength"]
    )
    values = np.frombuffer(binary, "<f4", columns * accessor["count"], view["byteOffset"])
    return values.reshape(-1, columns).astype(float)


def play(document: dict[str, Any], binary: bytes) -> dict[str, Array]:
    """Where each human bone is (T, 3), y up, as a player of glTF would have it."""
    nodes, (animation,) = document["nodes"], document["animations"]
    tracks: dict[tuple[int, str], Array] = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        assert sampler["interpolation"] == "LINEAR"
        key = channel["target"]["node"], channel["target"]["path"]
        tracks[key] = read_accessor(document, binary, sampler["output"])
    parents = {child: node for node, one in enumerate(nodes) for child in one.get("children", ())}
    frames, places = len(next(iter(tracks.values()))), dict[int, tuple[Array, Array]]()
    for node, one in enumerate(nodes):  # parents come first
        assert "scale" not in one and (node, "scale") not in tracks
        t = tracks.get((node, "translation"), np.tile(one.get("translation", (0.0, 0.0, 0.0)), (frames, 1)))
        q = tracks[node, "rotation"][:, [3, 0, 1, 2]]
        t_parent, q_parent = places.get(parents.get(node, -1), (np.zeros(3), rotation.IDENTITY))
        places[node] = t_parent + rotation.rotate(q_parent, t), rotation.mul(q_parent, q)
    bones = document["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    return {name: places[bone["node"]][0] for name, bone in bones.items()}


@pytest.mark.parametrize("motion", [synthetic.walk(fps=29.97, seconds=1.0), make_smooth_motion(60.0)])
def test_it_is_what_the_specification_asks_for_and_plays_the_motion(motion: Motion, tmp_path: Path) -> None:
    write_vrma(motion, tmp_path / "walk.vrma")
    document, binary = read_glb(tmp_path / "walk.vrma")
    assert document["asset"]["version"] == "2.0" and document["extensionsUsed"] == ["VRMC_vrm_animation"]
    extension = document["extensions"]["VRMC_vrm_animation"]
    bones = extension["humanoid"]["humanBones"]
    assert extension["specVersion"] == "1.0" and set(REQUIRED) <= set(bones) and "leftEye" not in bones
    moved = [channel["target"] for channel in document["animations"][0]["channels"]]
    assert [target["node"] for target in moved if target["path"] == "translation"] == [bones["hips"]["node"]]
    times = read_accessor(document, binary, document["animations"][0]["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, np.arange(len(motion.t_world_root)) / motion.fps, atol=1e-5)
    accessor = document["accessors"][document["animations"][0]["samplers"][0]["input"]]
    assert (accessor["min"], accessor["max"]) == ([times[0]], [times[-1]])
    places, wanted = play(document, binary), axes.to_y_up(motion.positions())
    for joint, name in enumerate(motion.skeleton.joint_names):
        np.testing.assert_allclose(places[name_human_bone(name)], wanted[:, joint], atol=1e-4)


def test_at_rest_it_stands_in_a_t_pose_that_faces_plus_z(tmp_path: Path) -> None:
    write_vrma(synthetic.walk(seconds=0.2), tmp_path / "walk.vrma")
    nodes = read_glb(tmp_path / "walk.vrma")[0]["nodes"]
    steps = {node["name"]: node["translation"] for node in nodes}
    assert not any("rotation" in node for node in nodes)
    assert steps["hips"][1] > 0.8 and steps["leftLowerArm"][0] > 0.2 > abs(steps["leftLowerArm"][1])
    assert steps["rightLowerArm"][0] < -0.2 and steps["leftLowerLeg"][1] < -0.3 and steps["leftToes"][2] > 0.1


def test_a_face_becomes_vrms_expressions_and_gaze(tmp_path: Path) -> None:
    walk = synthetic.walk(seconds=0.2)
    frames = len(walk.t_world_root)
    coefficients = np.zeros((frames, len(FACE_COEFFICIENTS)))
    for name in ("jawOpen", "eyeBlinkLeft", "eyeLookOutLeft", "eyeLookInRight"):
        coefficients[:, FACE_COEFFICIENTS.index(name)] = np.linspace(0.0, 0.7, frames)
    write_vrma(replace(walk, face=Face(coefficients=coefficients, scores=np.ones(frames))), tmp_path / "talk.vrma")
    document, binary = read_glb(tmp_path / "talk.vrma")
    extension, (animation,) = document["extensions"]["VRMC_vrm_animation"], document["animations"]
    presets = {name: one["node"] for name, one in extension["expressions"]["preset"].items()}
    assert set(presets) <= PRESETS and {"aa", "blinkLeft", "blinkRight", "happy"} <= set(presets)
    assert sorted([0, *presets.values(), extension["lookAt"]["node"]]) == document["scenes"][0]["nodes"]
    tracks = {
        channel["target"]["node"]: (
            channel["target"]["path"],
            read_accessor(document, binary, animation["samplers"][channel["sampler"]]["output"]),
        )
        for channel in animation["channels"]
        if channel["target"]["node"] != 0
    }
    for name, last in (("blinkLeft", 0.7), ("blinkRight", 0.0), ("aa", 0.91), ("happy", 0.0)):
        path, values = tracks[presets[name]]
        assert path == "translation" and values[0, 0] == 0.0 and values[-1, 0] == pytest.approx(last, abs=1e-5)
        assert not values[:, 1:].any()
    path, q = tracks[extension["lookAt"]["node"]]
    sight = rotation.rotate(q[-1, [3, 0, 1, 2]], [0.0, 0.0, 1.0])
    assert path == "rotation" and np.degrees(np.arcsin(sight[0])) == pytest.approx(0.7 * 30.0, abs=1e-3)


def test_other_joints_are_a_sentence(tmp_path: Path) -> None:
    walk = synthetic.walk(seconds=0.2)
    names = tuple("pelvis" if name == "hips" else name for name in HUMANOID.joint_names)
    skeleton: Skeleton = replace(HUMANOID, joint_names=names)
    with pytest.raises(UserError, match="not hips"):
        write_vrma(replace(walk, skeleton=skeleton), tmp_path / "walk.vrma")
    assert not list(tmp_path.iterdir())
