"""Small bodies for tests, of simple shape: a person of tetrahedra, and a chain of two bones. No files are needed."""

from __future__ import annotations

import numpy as np

from stc_core.geometry.rotation import Array

from .skinned_body import SkinnedBody

# role: parent's role and the bone's head at rest, of the middle and of the left side; metres, facing -y
_MIDDLE = {
    "pelvis": ("", (0.0, 0.0, 0.95)),
    "spine_1": ("pelvis", (0.0, 0.0, 1.05)),
    "spine_2": ("spine_1", (0.0, 0.01, 1.15)),
    "spine_3": ("spine_2", (0.0, 0.01, 1.27)),
    "neck": ("spine_3", (0.0, 0.02, 1.45)),
    "head": ("neck", (0.0, 0.0, 1.52)),
}
_SIDE = {
    "clavicle": ("spine_3", (0.02, 0.0, 1.42)),
    "upper_arm": ("clavicle", (0.17, 0.01, 1.4)),
    "lower_arm": ("upper_arm", (0.35, 0.03, 1.2)),
    "hand": ("lower_arm", (0.5, -0.03, 1.03)),
    "index": ("hand", (0.55, -0.07, 0.96)),
    "pinky": ("hand", (0.56, -0.01, 0.95)),
    "thigh": ("pelvis", (0.09, 0.0, 0.92)),
    "calf": ("thigh", (0.1, 0.0, 0.5)),
    "foot": ("calf", (0.1, 0.03, 0.08)),
    "toes": ("foot", (0.1, -0.1, 0.02)),
}
# landmark of the skin: its bone's role and where it is
_SKIN = {
    "nose": ("head", (0.0, -0.11, 1.58)),
    "head": ("head", (0.0, 0.0, 1.75)),
    "left_ear": ("head", (0.075, 0.0, 1.57)),
    "right_ear": ("head", (-0.075, 0.0, 1.57)),
    "left_heel": ("left_foot", (0.1, 0.08, 0.0)),
    "right_heel": ("right_foot", (-0.1, 0.08, 0.0)),
    "left_toe": ("left_toes", (0.1, -0.17, 0.0)),
    "right_toe": ("right_toes", (-0.1, -0.17, 0.0)),
}
_TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3.0)
_SIDES_OF_IT = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])


def make_person(height: float = 1.0) -> SkinnedBody:
    """A person of tetrahedra, one about each bone's head, and a vertex for each landmark of the skin."""
    bones = dict(_MIDDLE)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for role, (parent, (x, y, z)) in _SIDE.items():
            bones[f"{side}_{role}"] = (f"{side}_{parent}" if parent in _SIDE else parent, (sign * x, y, z))
    names = tuple(bones)
    heads = np.array([head for _, head in bones.values()])
    skin = np.array([at for _, at in _SKIN.values()])
    solid = (heads[:, None] + 0.06 * _TETRAHEDRON).reshape(-1, 3)
    bone = [*(names.index(role) for role, _ in _SKIN.values()), *np.repeat(np.arange(len(names)), 4)]
    triangles = len(skin) + (4 * np.arange(len(names))[:, None, None] + _SIDES_OF_IT).reshape(-1, 3)
    return make_body(
        parents={name: parent for name, (parent, _) in bones.items()},
        heads=height * heads,
        points=height * np.concatenate([skin, solid]),
        influences=np.eye(1, 4, dtype=int) * np.array(bone)[:, None],
        weights=np.tile(np.eye(1, 4), (len(bone), 1)),
        triangles=triangles,
    )


def make_chain(points: Array, weights: Array, triangles: Array) -> SkinnedBody:
    """Two bones, the second a metre above the first, that move points (V, 3) by weights (V, 2)."""
    influences = np.tile([0, 1, 0, 0], (len(points), 1))
    padded = np.hstack([weights, np.zeros_like(weights)])
    heads = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    parents = {"pelvis": "", "tip": "pelvis"}
    return make_body(parents, heads, points, influences, padded, triangles)


def make_body(
    parents: dict[str, str], heads: Array, points: Array, influences: Array, weights: Array, triangles: Array
) -> SkinnedBody:
    """A red body whose bones have their roles for names; the landmarks of a person's skin are its first vertices."""
    names = tuple(parents)
    first = {name: number for number, name in enumerate(_SKIN)} if "head" in names else {}
    return SkinnedBody(
        rig="made",
        points=points,
        normals=np.tile([0.0, 0.0, 1.0], (len(points), 1)),
        colours=np.tile([1.0, 0.0, 0.0], (len(points), 1)),
        parts=np.zeros(len(points), np.uint8),
        influences=influences.astype(np.uint8),
        weights=weights,
        triangles=triangles.astype(np.int64),
        bone_names=names,
        parents=tuple(names.index(parent) if parent else -1 for parent in parents.values()),
        heads=heads,
        roles={name: name for name in names},
        fingers={"left_index_proximal": "left_index", "right_index_proximal": "right_index"},
        skin_points=first,
        feet={
            side: np.array(
                [number for name, number in first.items() if name in (f"{side}_heel", f"{side}_toe")], np.int64
            )
            for side in ("left", "right")
        },
    )
