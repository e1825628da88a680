# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips whose truth is known.

    python -m tests.benchmarks.ground_truth.render --mocap DIR --out DIR [--clips NAME ...]

Needs the bpy module (5.0) and an OpenGL driver, which may be Mesa's software one: Workbench draws without a graphics
card (Debian: `apt-get install libegl1 libgl1 libgl1-mesa-dri`, and what bpy itself loads: `libxi6 libxxf86vm1
libxfixes3 libxrender1 libxkbcommon0 libsm6 libice6`). A clip of 6 s takes about two minutes on one core.

For each clip NAME.mp4 (H.264) and NAME.npz: `landmark_names`, `landmarks` (T, 27, 3) world metres, z up, floor at 0,
in the order of BODY27; camera `K`, `R`, `t`, `image_size` (OpenCV); `fps`; `contacts` (T, 2) left and right foot.
Joints (hip, knee, ankle, shoulder, elbow, wrist, knuckles) are heads of the evaluated rig's bones; nose, ears, head
(top of the skull), heel and toe (the big toe's tip) are vertices of its evaluated skin; pelvis and thorax are the
middles of hips and shoulders, spine the middle of the spine bones.
Knows Blender; the motion's maths is in pose_transfer.py, the list of clips in clips.py.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from stc_core.capture.layout import BODY27
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import Camera, Motion

from . import pose_transfer as acting
from .clips import CLIPS, NOISE_CLIPS, Colour, Person, RenderedClip, Room, View

FPS = 30
CONTACT_SPEED_M_S = 0.15
CONTACT_HEIGHT_M = 0.06
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
_JOINT_ROLES = {
    "hip": "thigh",
    "knee": "calf",
    "ankle": "foot",
    "shoulder": "upper_arm",
    "elbow": "lower_arm",
    "wrist": "hand",
    "index": "index",
    "pinky": "pinky",
}


def bones_by_role(rig: str) -> dict[str, str]:
    bones = dict(zip(_MIDDLE_ROLES, _MIDDLE_BONES[rig], strict=True))
    for side, pattern in _SIDE_PATTERNS[rig].items():
        named = zip(_SIDE_ROLES, _SIDE_BONES[rig].split(), strict=True)
        bones |= {f"{side}_{role}": pattern.format(bone) for role, bone in named}
    return bones


# --- the body ---------------------------------------------------------------------------------------------------------


def vertices(mesh: bpy.types.Mesh) -> Array:
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(float)


def skin_landmarks(rest: Array) -> dict[str, int]:
    """Vertices of the MakeHuman base mesh at rest, (V, 3) metres, facing -y, that stand for points of the skin."""

    def furthest(where: Array, axis: int, sign: float) -> int:
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


def open_body(person: Person, rigs: Path) -> tuple[bpy.types.Object, bpy.types.Object, dict[str, int], Array]:
    """The rig, its skin and the skin's landmarks in a fresh scene, in the person's proportions; the skin's vertices
    (V, 3) before they were stretched."""
    bpy.ops.wm.open_mainfile(filepath=str(rigs / f"{person.rig}.blend"))
    skin = bpy.data.objects["body"]
    rig = skin.parent
    rest = vertices(skin.data)
    landmarks = skin_landmarks(rest)
    skin.data.vertices.foreach_set("co", stretched(rest, person).astype(np.float32).ravel())
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in rig.data.edit_bones:
        bone.use_connect = False
    for bone in rig.data.edit_bones:
        bone.head, bone.tail = stretched(np.array([bone.head, bone.tail]), person)
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig, skin, landmarks, rest


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
    return np.stack([x * person.width, y * person.width, z], -1) * person.height


# --- the acting -------------------------------------------------------------------------------------------------------


def source_motion(path: Path, clip: RenderedClip) -> Motion:
    """The clip's stretch of the recording at FPS."""
    motion = read_bvh(path)
    first = round(clip.start_s * motion.fps)
    rows = first + np.round(np.arange(round(clip.seconds * FPS)) * motion.fps / FPS).astype(int)
    rows = rows[rows < len(motion.t_world_root)]
    taken = {name: getattr(motion, name)[rows] for name in ("t_world_root", "q_parent_joint", "contacts", "scores")}
    return replace(motion, fps=float(FPS), **taken)


def act(rig: bpy.types.Object, person: Person, motion: Motion) -> tuple[Array, float]:
    """Key the motion on the rig; returns the pelvis' path (T, 3) and the heading in radians. The floor is set later."""
    bones = bones_by_role(person.rig)
    roles = {bone: role for role, bone in bones.items()}
    heads = {role: np.array(rig.data.bones[bone].head_local) for role, bone in bones.items()}
    turns, to_t = acting.source_turns(motion), acting.to_t_pose(heads, motion)
    world = {role: rotation.mul(turn, to_t.get(role, rotation.IDENTITY)) for role, turn in turns.items()}
    path = root_path(motion, heads)
    key_bones(rig, roles, world)
    travel(rig, person, path)
    return path, acting.facing(world["pelvis"])


def key_bones(rig: bpy.types.Object, roles: dict[str, str], world: dict[str, Array]) -> None:
    """Key world rotations (T, 4) from rest, by role, on the bones of these roles; the others follow their parents."""
    frames = len(next(iter(world.values())))
    posed: dict[str, Array] = {}
    for bone in rig.data.bones:
        parent = posed[bone.parent.name] if bone.parent else np.tile(rotation.IDENTITY, (frames, 1))
        posed[bone.name] = world.get(roles.get(bone.name, ""), parent)
        if posed[bone.name] is not parent:
            rest = np.array(bone.matrix_local.to_quaternion())
            delta = rotation.mul(rotation.inv(parent), posed[bone.name])
            basis = rotation.mul(rotation.mul(rotation.inv(rest), delta), rest)
            _key(rig.pose.bones[bone.name], "rotation_quaternion", rotation.unroll(basis))


def travel(rig: bpy.types.Object, person: Person, path: Array) -> None:
    """Key the path (T, 3) of the pelvis, armature space."""
    pelvis = rig.pose.bones[bones_by_role(person.rig)["pelvis"]]
    rest = np.array(pelvis.bone.matrix_local.to_quaternion())
    _key(pelvis, "location", rotation.rotate(rotation.inv(rest), path - np.array(pelvis.bone.head_local)))


def plant_feet(
    rig: bpy.types.Object, skin: bpy.types.Object, person: Person, skin_points: dict[str, int], path: Array
) -> Array:
    """Travel again so that the feet that stand still stand on the floor; the middle of the path is over the origin.

    Returns the new path (T, 3).
    """
    landmarks, lowest = read_truth(rig, skin, person, skin_points, len(path))
    feet = [[BODY27.index(f"{side}_{name}") for name in ("heel", "toe")] for side in ("left", "right")]
    path = path + acting.planting(lowest, landmarks[:, feet], FPS)
    path = path - (path.min(0) + path.max(0)) / 2.0 * [1.0, 1.0, 0.0]
    travel(rig, person, path)
    return path


def root_path(motion: Motion, heads: dict[str, Array]) -> Array:
    """Where the rig's pelvis bone goes (T, 3): the source's hips, scaled by the legs, its middle over the origin."""
    places = dict(zip(motion.skeleton.joint_names, motion.skeleton.rest_positions(), strict=True))
    source = acting.leg_length(places["lThigh"], places["lShin"], places["lFoot"])
    target = acting.leg_length(heads["left_thigh"], heads["left_calf"], heads["left_foot"])
    hips = motion.t_world_root + rotation.rotate(motion.q_parent_joint[:, 0], places["lThigh"] * [0, 1, 1])
    below = (heads["left_thigh"] - heads["pelvis"]) * [0, 1, 1]
    path = hips * target / source - rotation.rotate(motion.q_parent_joint[:, 0], below)
    middle = (path.min(0) + path.max(0)) / 2.0
    return path - middle * [1.0, 1.0, 0.0]


def _key(bone: bpy.types.PoseBone, channel: str, values: Array) -> None:
    bone.rotation_mode = "QUATERNION"
    for frame, value in enumerate(values, 1):
        setattr(bone, channel, value)
        bone.keyframe_insert(channel, frame=frame)


# --- clothes and room -------------------------------------------------------------------------------------------------


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


def build_room(room: Room) -> None:
    """A floor of boards and four walls with panels, ten paces wide."""
    noise = np.random.default_rng(room.seed)
    lay_boards("floor", np.eye(3)[:2], np.zeros(3), room.floor, 0.10 * room.contrast, noise)
    for turn in range(4):
        c, s = np.cos(turn * np.pi / 2), np.sin(turn * np.pi / 2)
        across, out = np.array([-s, c, 0.0]), np.array([c, s, 0.0])
        wall = np.array([across, [0.0, 0.0, 1.0]])
        lay_boards(f"wall{turn}", wall, out * 8.0 + [0, 0, 4.0], room.walls[turn % 2], 0.05 * room.contrast, noise)


def lay_boards(
    name: str, axes: Array, centre: Array, tint: Colour, contrast: float, noise: np.random.Generator
) -> None:
    """A plane of 16 m by 16 m (walls: 8 m high) of tiles 0.5 m wide, each a little lighter or darker than `tint`."""
    half, tiles = np.array([8.0, 8.0 if axes[1, 2] == 0 else 4.0]), 32
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) / tiles * 2.0
    cells = np.stack(np.meshgrid(np.arange(tiles), np.arange(tiles)), -1).reshape(-1, 1, 2) / tiles * 2.0 - 1.0
    points = ((cells + corners) * half) @ axes + centre
    mesh = bpy.data.meshes.new(name)
    faces = np.arange(len(points) * 4).reshape(-1, 4)
    mesh.from_pydata(points.reshape(-1, 3).tolist(), [], faces.tolist())
    shade = np.array(tint) * (1.0 + contrast * noise.standard_normal((len(points), 1)))
    paint(mesh, np.repeat(np.clip(shade, 0.0, 1.0), 4, 0))
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


# --- camera, picture, truth -------------------------------------------------------------------------------------------


def place_camera(view: View, heading: float, image_size: tuple[int, int]) -> Camera:
    """The view's camera, looking at the origin's column from `azimuth_deg` off the heading (radians)."""
    bearing = heading + np.radians(view.azimuth_deg)
    out = np.array([np.cos(bearing), np.sin(bearing), 0.0])
    right = np.array([-out[1], out[0], 0.0])
    eye = out * view.distance_m + [0.0, 0.0, view.height_m]
    forward = rotation.normalise(right * view.aside_m + [0.0, 0.0, view.aim_m] - eye)
    right = rotation.normalise(np.cross(forward, [0.0, 0.0, 1.0]))
    down = np.cross(forward, right)
    c, s = np.cos(np.radians(view.roll_deg)), np.sin(np.radians(view.roll_deg))
    turn = np.array([c * right + s * down, c * down - s * right, forward])
    width, height = image_size
    focal = width / 2.0 / np.tan(np.radians(view.fov_deg) / 2.0)
    lens = np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
    return Camera(K=lens, R=turn, t=-turn @ eye, image_size=image_size)


def add_camera(camera: Camera) -> None:
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.clip_start = "HORIZONTAL", 0.05
    data.angle = 2.0 * np.arctan(camera.image_size[0] / 2.0 / camera.K[0, 0])
    scene.camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(scene.camera)
    pose = np.eye(4)
    pose[:3, :3] = camera.R.T * [1.0, -1.0, -1.0]
    pose[:3, 3] = -camera.R.T @ camera.t
    scene.camera.matrix_world = Matrix(pose.tolist())


def read_truth(
    rig: bpy.types.Object, skin: bpy.types.Object, person: Person, skin_points: dict[str, int], frames: int
) -> tuple[Array, Array]:
    """Landmarks (T, 27, 3) in the armature's space, and the height of each foot's lowest point (T, 2): left, right."""
    bones = bones_by_role(person.rig)
    region = regions(rig, skin, person)
    feet = [np.flatnonzero(region == f"{side}_foot") for side in ("left", "right")]
    landmarks, lowest = np.empty((frames, len(BODY27.names), 3)), np.empty((frames, 2))
    for frame in range(frames):
        bpy.context.scene.frame_set(frame + 1)
        evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        body = vertices(evaluated.data)
        heads = {role: np.array(rig.pose.bones[bone].head) for role, bone in bones.items()}
        landmarks[frame] = _landmarks(heads, body, skin_points)
        lowest[frame] = [body[foot, 2].min() for foot in feet]
    return landmarks, lowest


def _landmarks(heads: dict[str, Array], body: Array, skin_points: dict[str, int]) -> Array:
    at = {name: body[vertex] for name, vertex in skin_points.items()} | {"spine": heads["spine_3"]}
    for side in ("left", "right"):
        at |= {f"{side}_{name}": heads[f"{side}_{role}"] for name, role in _JOINT_ROLES.items()}
    at["pelvis"] = (at["left_hip"] + at["right_hip"]) / 2.0
    at["thorax"] = (at["left_shoulder"] + at["right_shoulder"]) / 2.0
    return np.array([at[name] for name in BODY27.names])


def foot_contacts(landmarks: Array) -> Array:
    """Contacts (T, 2): the middle of ankle, heel and toe is slower than 0.15 m/s, and heel or toe near the floor."""
    contacts = []
    for side in ("left", "right"):
        foot = landmarks[:, [BODY27.index(f"{side}_{name}") for name in ("ankle", "heel", "toe")]]
        speed = np.linalg.norm(np.gradient(foot.mean(1), axis=0), axis=-1) * FPS
        contacts.append((speed < CONTACT_SPEED_M_S) & (foot[:, 1:, 2].min(1) < CONTACT_HEIGHT_M))
    return np.stack(contacts, -1)


def set_up_drawing(image_size: tuple[int, int], room: Room) -> None:
    """How the scene is lit and drawn."""
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.render_aa = "FXAA"
    shading = scene.display.shading
    shading.light, shading.studio_light, shading.color_type = "STUDIO", room.light, "VERTEX"
    shading.use_world_space_lighting = room.light_turn_deg != 0.0
    shading.studiolight_rotate_z = np.radians(room.light_turn_deg)
    shading.show_shadows = shading.show_cavity = False
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", room.exposure
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    scene.render.resolution_x, scene.render.resolution_y = image_size
    scene.render.resolution_percentage = 100


def draw(path: Path, frames: int, image_size: tuple[int, int], room: Room) -> None:
    set_up_drawing(image_size, room)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.image_settings.media_type = "VIDEO"
    scene.render.image_settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = room.quality
    scene.render.use_file_extension = False
    scene.render.filepath = str(path.resolve())
    bpy.ops.render.render(animation=True)


def make(clip: RenderedClip, rigs: Path, mocap: Path, out: Path, picture: bool = True) -> None:
    """Write clip.mp4 and clip.npz into `out`."""
    motion = source_motion(mocap / f"{clip.motion}.bvh", clip)
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    landmarks = film(clip, motion, rig, skin, skin_points, rest, out if picture else None)
    np.savez_compressed(out / f"{clip.name}.npz", **landmarks)


def film(
    clip: RenderedClip,
    motion: Motion,
    rig: bpy.types.Object,
    skin: bpy.types.Object,
    skin_points: dict[str, int],
    rest: Array,
    out: Path | None,
) -> dict[str, Array]:
    """Act, dress, draw (unless `out` is None); returns the truth's arrays."""
    frames = len(motion.t_world_root)
    path, heading = act(rig, clip.person, motion)
    plant_feet(rig, skin, clip.person, skin_points, path)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, frames)
    landmarks[..., 2] -= lowest.min()
    camera = place_camera(clip.view, heading, clip.image_size)
    if out:
        dress(rig, skin, clip.person, rest)
        rig.location.z = -lowest.min()
        build_room(clip.room)
        add_camera(camera)
        draw(out / f"{clip.name}.mp4", frames, clip.image_size, clip.room)
    return {
        "landmark_names": np.array(BODY27.names),
        "landmarks": landmarks.astype(np.float32),
        "K": camera.K,
        "R": camera.R,
        "t": camera.t,
        "image_size": np.array(clip.image_size),
        "fps": np.array(float(FPS)),
        "contacts": foot_contacts(landmarks),
    }


def report(clip: RenderedClip, out: Path) -> None:
    truth = np.load(out / f"{clip.name}.npz")
    points = truth["landmarks"].astype(float)
    size = tuple(int(n) for n in truth["image_size"])
    pixels = Camera(K=truth["K"], R=truth["R"], t=truth["t"], image_size=(size[0], size[1])).project(points)
    inside = ((pixels > 0) & (pixels < size)).all(-1)
    tall = np.ptp(pixels[..., 1], axis=1)
    print(
        f"{clip.name}: {len(points)} frames, in the picture {inside.mean():.1%}, {tall.min():.0f}-{tall.max():.0f} px, "
        f"path {np.ptp(points[:, 0, :2], axis=0).round(1)} m, contact {truth['contacts'].mean(0).round(2)}, "
        f"highest toe {points[:, [BODY27.index('left_toe'), BODY27.index('right_toe')], 2].min(1).max():.2f} m"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--mocap", type=Path, default=Path("../shared/mocap/cmu_daz"), help="the unpacked BVH files")
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--noise", action="store_true", help="the clips to measure the detector's errors on")
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    parser.add_argument("--truth-only", action="store_true", help="do not draw")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for clip in NOISE_CLIPS if flags.noise else CLIPS:
        if not flags.clips or clip.name in flags.clips:
            make(clip, flags.rigs, flags.mocap, flags.out, not flags.truth_only)
            report(clip, flags.out)


if __name__ == "__main__":
    main()
