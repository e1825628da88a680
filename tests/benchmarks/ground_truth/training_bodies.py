# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of random people, dressed, as arrays: `python -m tests.benchmarks.ground_truth.training_bodies --out DIR`.

Each person_NNN.npz holds what skinned_body.py reads: a body at rest with its clothes, how its bones move it, and which
of its vertices are landmarks. render_training.py makes them move and draws them without Blender.
Knows Blender and how a body is dressed; not how it moves or is drawn.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from stc_core.geometry.rotation import Array

from .clips import Colour, Person, tint_grey
from .clothes import dress, regions
from .rig_body import open_body
from .rig_bones import bones_by_role, finger_bones, vertices
from .skinned_body import PARTS, SkinnedBody, save_body

_FIRST_SEED = 77_000
_INFLUENCES = 4  # bones that move a vertex; the rigs have at most six, the last two of next to no weight
_HAIR_COLOURS = ((0.02, 0.015, 0.01), (0.1, 0.05, 0.02), (0.35, 0.22, 0.08), (0.4, 0.4, 0.4), (0.2, 0.05, 0.02))
_SMOOTHING_ROUNDS = 40  # over how many edges thickness fades (chosen)
_SEAM_RINGS = 2  # edges inside a garment's seam under which skin is drawn all the same (chosen)
# what of the body grows thicker, by the role of its bone without the side
_TRUNK, _LIMBS = ("pelvis", "spine_1", "spine_2", "spine_3"), ("upper_arm", "lower_arm", "thigh", "calf", "clavicle")


def draw_person(lot: Random) -> Person:
    """A person by lot, of more various proportions than those of clips.py."""
    skin = lot.uniform(0.1, 0.85)
    tint = (skin, skin * lot.uniform(0.52, 0.7), skin * lot.uniform(0.33, 0.56))
    return Person(
        rig=lot.choice(("mpfb_game_engine", "mpfb_mixamo_unity")),
        height=lot.uniform(0.85, 1.12),
        width=lot.uniform(0.88, 1.18),
        legs=lot.uniform(0.88, 1.12),
        skin=tint,
        hair=tint if lot.random() < 0.08 else lot.choice(_HAIR_COLOURS),  # the first is bald
        shirt=_draw_colour(lot),
        trousers=_draw_colour(lot),
        shoes=_draw_colour(lot),
        long_sleeves=lot.random() < 0.5,
        shoulders=lot.uniform(0.86, 1.15),
        hips=lot.uniform(0.9, 1.2),
        belly=lot.uniform(0.9, 1.5),
        head=lot.uniform(0.93, 1.12),
        loose=lot.uniform(0.4, 2.6),
        shorts=lot.random() < 0.35,
    )


def _draw_colour(lot: Random) -> Colour:
    grey, tint = math.exp(lot.uniform(math.log(0.02), math.log(0.8))), lot.uniform(0.0, 0.7)
    return tint_grey(lot, grey, tint, 0.7, brightest=0.9)


def bake_body(number: int, rigs: Path) -> SkinnedBody:
    """The person of that number, dressed, at rest."""
    lot = Random(_FIRST_SEED + number)
    person = draw_person(lot)
    rig, skin, skin_points, rest = open_body(person, rigs)
    role = regions(rig, skin, person)
    _thicken(skin, role, limbs_m=lot.uniform(-0.008, 0.016), trunk_m=lot.uniform(-0.012, 0.035))
    role = regions(rig, skin, person)
    dress(rig, skin, person, rest)
    bpy.context.view_layer.update()
    roles, bones = bones_by_role(person.rig), rig.data.bones
    names = [bone.name for bone in bones]
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and "tint" in o.data.color_attributes]
    pieces = [_read_piece(mesh, names, names.index(roles["head"])) for mesh in meshes]
    pieces.sort(key=lambda piece: piece.part != "skin")  # whose vertices' numbers are the landmarks'
    pieces[0] = _hide_covered(pieces[0], skin)
    return SkinnedBody(
        rig=person.rig,
        **_join_pieces(pieces),
        bone_names=tuple(names),
        parents=tuple(names.index(bone.parent.name) if bone.parent else -1 for bone in bones),
        heads=np.array([bone.head_local for bone in bones]),
        roles=roles,
        fingers=finger_bones(person.rig),
        skin_points=skin_points,
        feet={side: np.flatnonzero(role == f"{side}_foot") for side in ("left", "right")},
    )


def _thicken(skin: bpy.types.Object, role: Array, limbs_m: float, trunk_m: float) -> None:
    """Push limbs and trunk out along the skin's normals, fading towards hands, feet and head.

    role (V,): the role of the bone that moves a vertex most.
    """
    limb = np.array([name.removeprefix("left_").removeprefix("right_") for name in role])
    amount = np.where(np.isin(limb, _TRUNK), trunk_m, np.where(np.isin(limb, _LIMBS), limbs_m, 0.0))
    edges = np.empty(len(skin.data.edges) * 2, np.int32)
    skin.data.edges.foreach_get("vertices", edges)
    first, second = edges.reshape(-1, 2).T
    degree = np.bincount(edges, minlength=len(amount)) + 1.0
    fixed = ~np.isin(limb, [*_TRUNK, *_LIMBS])
    for _ in range(_SMOOTHING_ROUNDS):
        along, against = (np.bincount(a, amount[b], len(amount)) for a, b in ((first, second), (second, first)))
        amount = np.where(fixed, 0.0, (amount + along + against) / degree)
    moved = vertices(skin.data) + amount[:, None] * _read_normals(skin.data)
    skin.data.vertices.foreach_set("co", moved.astype(np.float32).ravel())
    skin.data.update()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """A mesh at rest, in SkinnedBody's fields; its triangles are of its own V vertices."""

    part: str
    points: Array
    normals: Array
    colours: Array
    influences: NDArray[np.uint8]
    weights: Array
    triangles: NDArray[np.int64]


def _join_pieces(pieces: list[_Piece]) -> dict[str, Any]:
    """SkinnedBody's fields of vertices and triangles; the first piece's triangles come last."""
    counts = [len(piece.points) for piece in pieces]
    starts = np.cumsum([0, *counts[:-1]])
    triangles = [piece.triangles + start for piece, start in zip(pieces, starts, strict=True)]
    columns = ("points", "normals", "colours", "influences", "weights")
    return {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in columns} | {
        "parts": np.repeat(np.array([PARTS.index(piece.part) for piece in pieces], np.uint8), counts),
        "triangles": np.concatenate([*triangles[1:], triangles[0]]),
    }


def _hide_covered(piece: _Piece, skin: bpy.types.Object) -> _Piece:
    """The skin without the triangles that are covered by clothes."""
    covered = _find_covered(skin)
    return replace(piece, triangles=piece.triangles[~covered[piece.triangles].all(-1)])


def _find_covered(skin: bpy.types.Object) -> NDArray[np.bool_]:
    """The skin's vertices (V,) that clothes cover, and not near a seam."""
    covered = np.zeros(len(skin.data.vertices), bool)
    for name in ("trousers", "shirt"):
        cloth = bpy.data.objects[name]
        group = cloth.vertex_groups["keep"].index
        inside = np.array([any(g.group == group for g in v.groups) for v in cloth.data.vertices])
        for _ in range(_SEAM_RINGS):
            first, second = np.array([edge.vertices for edge in skin.data.edges]).T
            seam = inside[first] != inside[second]
            inside[first[seam]] = inside[second[seam]] = False
        covered |= inside
    return covered


def _read_piece(thing: bpy.types.Object, names: list[str], head_bone: int) -> _Piece:
    """A mesh at rest; one that hangs on a bone, as eyes do, moves with head_bone. names: of the bones."""
    mesh = thing.data
    points, normals = vertices(mesh), _read_normals(mesh)
    flat = np.empty(len(points) * 4, np.float32)
    mesh.color_attributes["tint"].data.foreach_get("color", flat)
    mesh.calc_loop_triangles()
    triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    triangles = triangles.reshape(-1, 3).astype(np.int64)
    if thing.parent_type == "BONE":
        matrix = np.array(thing.matrix_world)
        points, normals = points @ matrix[:3, :3].T + matrix[:3, 3], normals @ matrix[:3, :3].T
        influences = np.full((len(points), _INFLUENCES), head_bone, np.uint8)
        weights = np.repeat(np.eye(1, _INFLUENCES), len(points), 0)
    else:
        influences, weights, kept = _read_weights(thing, names)
        triangles = triangles[kept[triangles].all(-1)]
    used = np.unique(triangles) if thing.name != "body" else np.arange(len(points))
    renumber = np.zeros(len(points), np.int64)
    renumber[used] = np.arange(len(used))
    return _Piece(
        part={"body": "skin"}.get(thing.name, thing.name if thing.name in PARTS else "eye"),
        points=points[used],
        normals=normals[used],
        colours=flat.reshape(-1, 4)[used, :3].astype(float),
        influences=influences[used],
        weights=weights[used],
        triangles=renumber[triangles],
    )


def _read_weights(thing: bpy.types.Object, names: list[str]) -> tuple[NDArray[np.uint8], Array, NDArray[np.bool_]]:
    """The strongest bones of each vertex (V, 4) and their weights (V, 4); whether a mask keeps it (V,)."""
    table = np.zeros((len(thing.data.vertices), len(names)))
    keep = thing.vertex_groups.get("keep")
    kept = np.full(len(table), keep is None)
    column = {group.index: names.index(group.name) for group in thing.vertex_groups if group.name in names}
    for vertex in thing.data.vertices:
        for group in vertex.groups:
            if group.group in column:
                table[vertex.index, column[group.group]] = group.weight
            elif keep is not None and group.group == keep.index:
                kept[vertex.index] = True
    order = np.argsort(-table, axis=1)[:, :_INFLUENCES]
    weights = np.take_along_axis(table, order, 1)
    return order.astype(np.uint8), weights / weights.sum(1, keepdims=True), kept


def _read_normals(mesh: bpy.types.Mesh) -> Array:
    """The vertices' normals (V, 3)."""
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("normal", flat)
    return flat.reshape(-1, 3).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="the first person's number")
    parser.add_argument("--count", type=int, default=96)
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for number in range(flags.first, flags.first + flags.count):
        path = flags.out / f"person_{number:03d}.npz"
        if not path.exists():
            save_body(bake_body(number, flags.rigs), path)


if __name__ == "__main__":
    main()
