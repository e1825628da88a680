# SPDX-License-Identifier: GPL-3.0-or-later
"""What a body wears, painted and drawn onto its skin in Blender. Knows Blender; not how the body moves."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.geometry.rotation import Array

from .clips import Colour, Person
from .rig_bones import bones_by_role, stretched, vertices


def regions(rig: bpy.types.Object, skin: bpy.types.Object, person: Person) -> Array:
    """For each vertex the role (str) whose bone, or whose bone's child, moves it most."""
    roles = {bone: role for role, bone in bones_by_role(person.rig).items()}
    fingers = {"index": "hand", "pinky": "hand", "toes": "foot"}

    def role(name: str) -> str:
        bone = rig.data.bones[name]
        while bone.name not in roles:
            if bone.parent is None:
                return "pelvis"
            bone = bone.parent
        found = roles[bone.name]
        return found.replace(found.split("_")[-1], fingers.get(found.split("_")[-1], found.split("_")[-1]))

    names = [role(group.name) for group in skin.vertex_groups]
    return np.array([names[max(v.groups, key=lambda g: g.weight).group] for v in skin.data.vertices])


def dress(rig: bpy.types.Object, skin: bpy.types.Object, person: Person, rest: Array) -> None:
    """Colour the skin, and lay shirt, trousers, shoes and hair over it. rest: vertices (V, 3) before stretching."""
    role = regions(rig, skin, person)
    limb = np.array([name.removeprefix("left_").removeprefix("right_") for name in role])
    x, y, z = rest.T
    head = (limb == "head") & (z > 1.42)
    arm = abs(x) > 0.1
    shirt = np.isin(limb, ["spine_1", "spine_2", "spine_3", "clavicle"]) | ((limb == "pelvis") & (z > 0.9))
    shirt |= (limb == "neck") & (z < 1.40)
    shirt |= (limb == "upper_arm") & ((abs(x) < 0.27) | person.long_sleeves)
    shirt |= (limb == "lower_arm") & person.long_sleeves & (abs(x) < 0.41)
    shirt &= ~((z > 1.36) & (y < -0.06) & (abs(x) < 0.06)) & (arm | (z < 1.415))
    trousers = np.isin(limb, ["pelvis", "thigh"]) & (z < 0.96)
    trousers |= (limb == "calf") & (z > 0.09) & (not person.shorts)
    shoes = (limb == "foot") | ((limb == "calf") & (z < 0.09))
    hair = head & ((z > 1.605) | ((y > -0.055) & (z > 1.49) & (abs(x) < 0.075)) | ((y > -0.08) & (z > 1.57)))
    colour = np.tile(person.skin, (len(rest), 1))
    for where, tint in ((trousers, person.trousers), (shirt, person.shirt), (shoes, person.shoes), (hair, person.hair)):
        colour[where] = tint
    colour = _paint_face(colour, rest, head, person)
    paint(skin.data, colour)
    _garment(skin, "trousers", trousers, 0.014 * person.loose * person.height, person.trousers)
    _garment(skin, "shirt", shirt, 0.018 * person.loose * person.height, person.shirt)
    _garment(skin, "hair", hair, 0.014 * person.height, person.hair)
    for side in (1.0, -1.0):
        _eye(rig, person, np.array([side * 0.031, -0.1255, 1.5455]))


def _paint_face(colour: Array, rest: Array, head: Array, person: Person) -> Array:
    x, y, z = rest.T
    front = head & (y < -0.1)
    mouth = front & (abs(x) < 0.027) & (z > 1.468) & (z < 1.486) & (y < -0.135)
    brows = front & (abs(x) > 0.012) & (abs(x) < 0.05) & (abs(z - 1.566 + 4.0 * (abs(x) - 0.03) ** 2) < 0.005)
    sockets = front & (abs(abs(x) - 0.031) < 0.019) & (abs(z - 1.5455) < 0.009)
    colour = colour.copy()
    colour[mouth] = (0.45, 0.12, 0.1)
    colour[brows] = person.hair
    colour[sockets] = np.array(person.skin) * 0.45
    return colour


def paint(mesh: bpy.types.Mesh, colour: Array, smooth: bool = True) -> None:
    """Give each vertex its colour (V, 3), linear."""
    layer = mesh.color_attributes.new("tint", "FLOAT_COLOR", "POINT")
    layer.data.foreach_set("color", np.hstack([colour, np.ones((len(colour), 1))]).astype(np.float32).ravel())
    mesh.color_attributes.active_color = layer
    mesh.polygons.foreach_set("use_smooth", np.full(len(mesh.polygons), smooth))


def _garment(skin: bpy.types.Object, name: str, where: Array, thickness: float, colour: Colour) -> None:
    """The part of the skin `where` (V,), pushed out by `thickness`, as a mesh of its own on the same bones."""
    cloth = skin.copy()
    cloth.name, cloth.data = name, skin.data.copy()
    skin.users_collection[0].objects.link(cloth)
    normals = np.array([v.normal for v in skin.data.vertices])
    cloth.data.vertices.foreach_set("co", (vertices(skin.data) + normals * thickness).astype(np.float32).ravel())
    cloth.data.attributes["tint"].data.foreach_set(
        "color", np.tile([*colour, 1.0], (len(where), 1)).astype(np.float32).ravel()
    )
    cloth.vertex_groups.new(name="keep").add(np.flatnonzero(where).tolist(), 1.0, "REPLACE")
    mask = cloth.modifiers.new("mask", "MASK")
    mask.vertex_group = "keep"


def _eye(rig: bpy.types.Object, person: Person, centre: Array) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=16, radius=0.0135 * person.height)
    eye = bpy.context.object
    ball = vertices(eye.data)
    iris = (ball[:, 1] < -0.86 * 0.0135 * person.height)[:, None]
    paint(eye.data, np.where(iris, (0.02, 0.015, 0.01), (0.8, 0.78, 0.75)))
    head = rig.data.bones[bones_by_role(person.rig)["head"]]
    eye.parent, eye.parent_type, eye.parent_bone = rig, "BONE", head.name
    eye.matrix_parent_inverse = (head.matrix_local @ Matrix.Translation((0, head.length, 0))).inverted()
    eye.location = stretched(centre, person)
