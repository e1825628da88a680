# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of a rig has which role, and the vertices of its skin that are landmarks. Knows rig files."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from stc_core.geometry.rotation import Array

from .clips import Person
from .hand_poses import FINGERS, SEGMENTS

WAIST_M = 0.88


_SIDE_ROLES = ("clavicle", "upper_arm", "lower_arm", "hand", "thigh", "calf", "foot", "toes", "index", "pinky")


_MIDDLE_ROLES = ("pelvis", "spine_1", "spine_2", "spine_3", "neck", "head")


_SIDE_BONES = {
    "mpfb_game_engine": "clavicle upperarm lowerarm hand thigh calf foot ball index_01 pinky_01",
    "mpfb_mixamo_unity": "Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase HandIndex1 HandPinky1",
}


_MIDDLE_BONES = {
    "mpfb_game_engine": ("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
    "mpfb_mixamo_unity": tuple(f"mixamorig:{bone}" for bone in ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")),
}


_SIDE_PATTERNS = {
    "mpfb_game_engine": {"left": "{}_l", "right": "{}_r"},
    "mpfb_mixamo_unity": {"left": "mixamorig:Left{}", "right": "mixamorig:Right{}"},
}


def bones_by_role(rig: str) -> dict[str, str]:
    bones = dict(zip(_MIDDLE_ROLES, _MIDDLE_BONES[rig], strict=True))
    for side, pattern in _SIDE_PATTERNS[rig].items():
        named = zip(_SIDE_ROLES, _SIDE_BONES[rig].split(), strict=True)
        bones |= {f"{side}_{role}": pattern.format(bone) for role, bone in named}
    return bones


def finger_bones(rig: str) -> dict[str, str]:
    """The bones of the fingers by VRM's names, left_thumb_metacarpal and so on."""
    digits = {finger: finger for finger in FINGERS} | {"little": "pinky"}
    bones = {}
    for side, pattern in _SIDE_PATTERNS[rig].items():
        for finger in FINGERS:
            for number, segment in enumerate(SEGMENTS[finger], 1):
                unreal = rig == "mpfb_game_engine"
                bone = f"{digits[finger]}_0{number}" if unreal else f"Hand{digits[finger].capitalize()}{number}"
                bones[f"{side}_{finger}_{segment}"] = pattern.format(bone)
    return bones


def vertices(mesh: bpy.types.Mesh) -> Array:
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(float)


def skin_landmarks(rest: Array) -> dict[str, int]:
    """Vertices of the MakeHuman base mesh at rest, (V, 3) metres, facing -y, that stand for points of the skin."""

    def furthest(where: NDArray[np.bool_], axis: int, sign: float) -> int:
        return int(np.flatnonzero(where)[(sign * rest[where, axis]).argmax()])

    found = {
        "nose": furthest((abs(rest[:, 0]) < 0.01) & (rest[:, 2] > 1.45), 1, -1.0),
        "head": furthest(rest[:, 2] > 1.6, 2, 1.0),
    }
    for side, sign in (("left", 1.0), ("right", -1.0)):
        tragus = np.array([sign * 0.07, -0.058, 1.524])
        low = (sign * rest[:, 0] > 0.1) & (rest[:, 2] < 0.04)
        found[f"{side}_ear"] = int(np.linalg.norm(rest - tragus, axis=1).argmin())
        found[f"{side}_heel"] = furthest(low, 1, 1.0)
        found[f"{side}_toe"] = furthest(low & (sign * rest[:, 0] < 0.21), 1, -1.0)
    return found


def stretched(points: Array, person: Person) -> Array:
    """Points of the rest body (..., 3) in the person's proportions: parts, legs below the waist, then all of it."""
    x, y, z = np.moveaxis(points, -1, 0)
    upper, lower = np.clip((z - 1.0) / 0.25, 0.0, 1.0), np.clip((1.1 - z) / 0.2, 0.0, 1.0)
    trunk = np.clip(1.0 - abs(z - 1.08) / 0.3, 0.0, 1.0) * np.clip((0.25 - abs(x)) / 0.05, 0.0, 1.0)
    skull = np.clip((z - 1.4) / 0.06, 0.0, 1.0) * (person.head - 1.0)
    x = x * (1.0 + (person.shoulders - 1.0) * upper + (person.hips - 1.0) * lower) * (1.0 + skull)
    y = y * (1.0 + (person.belly - 1.0) * trunk) * (1.0 + skull)
    z = z + skull * (z - 1.4)
    z = np.where(z < WAIST_M, z * person.legs, z + WAIST_M * (person.legs - 1.0))
    places: Array = np.stack([x * person.width, y * person.width, z], -1) * person.height
    return places
