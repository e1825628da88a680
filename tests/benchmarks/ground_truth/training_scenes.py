"""Random rooms, light, cloth and cameras of training clips, drawn by lot. Knows not how they are drawn or who moves."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np

from stc_core.capture.layout import BODY27
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

from .clips import Colour, tint_grey
from .moving_camera import look_at
from .opengl_scene import Fabric, Lighting, Quad, Scene
from .skinned_body import PARTS, SkinnedBody

# all figures here are chosen
SIZES = ((640, 360), (640, 360), (640, 480), (360, 640), (854, 480))
"""of pictures, pixels"""
_WALLS_M = (3.5, 9.0)  # from the origin
_CEILING_M = (2.5, 6.0)
NEAREST_M = 0.7
"""no landmark is nearer to the camera"""
_FURTHEST_M = 9.0  # and the camera itself no further away
VISIBLE_FRACTION = 0.85
"""of the frames that have the pelvis in the picture"""
_CLEAR_M = 0.3  # between the body and furniture
_HIDING_CHANCE = 0.12
_BODY_M = 1.7
_CLOSE_FRACTION = 0.85  # of the picture's height; bodies that are taller in it are likely cut off
_SEAT_CHANCE, _SITTING_FRACTION, _SEAT_BELOW_HIP_M = 0.8, 0.3, 0.1
# who sits has level thighs (the sine of their elevation), hips above the floor, and moves about less than this
_LEVEL_SINE, _HIPS_M, _STRAY_M = 0.55, 0.25, 0.35


def draw_scene(lot: Random, body: SkinnedBody, landmarks: Array, heading: float, size: tuple[int, int]) -> Scene:
    """A scene about a body whose landmarks (T, 27, 3), world metres, face `heading`, radians about z, in the mean."""
    camera = draw_camera(lot, landmarks, heading, size)
    lighting, fabric = draw_lighting(lot, camera), draw_fabric(lot)
    quads = draw_room(lot, camera, landmarks)
    return Scene(body=crumple(body, lot), quads=quads, camera=camera, lighting=lighting, fabric=fabric)


def draw_colour(lot: Random) -> Colour:
    """A linear colour, from nearly black to nearly white, grey or tinted."""
    grey, tint = math.exp(lot.uniform(math.log(0.015), math.log(0.85))), lot.uniform(0.0, 0.6) ** 1.5
    return tint_grey(lot, grey, tint, 0.7, brightest=0.95)


def draw_camera(lot: Random, landmarks: Array, heading: float, size: tuple[int, int]) -> Camera:
    """A still camera that looks at the middle of a body's path: as those of clips.NOISE_CLIPS, wider spread.

    landmarks (T, 27, 3), world metres; heading: where the body faces, radians about z.
    """
    width, height = size
    fov = math.radians(lot.uniform(32.0, 80.0)) * min(1.0, width / height)
    focal = width / 2.0 / math.tan(fov / 2.0)
    fill = math.exp(lot.uniform(math.log(0.4), math.log(1.5 if lot.random() < 0.35 else 0.95)))
    fill *= min(1.0, width / height * 1.1)
    distance = min(max(1.1, _BODY_M / fill * focal / height), 8.0)
    pitch = math.radians(min(max(lot.gauss(7.0, 12.0), -20.0), 40.0))
    bearing = heading + lot.uniform(-math.pi, math.pi)
    aside = lot.uniform(-0.15, 0.15) * width / focal
    middle = float(np.mean(landmarks[..., 2].min(1) + landmarks[..., 2].max(1))) / 2.0
    above = float(landmarks[:, BODY27.index("thorax"), 2].mean()) - middle
    cut_off = fill > _CLOSE_FRACTION and lot.random() < 0.85  # the legs, not the head
    raised = above * lot.uniform(0.0, 1.4) if cut_off else 0.0
    target = np.array([0.0, 0.0, middle + raised + lot.uniform(-0.12, 0.12)])
    roll = math.radians(lot.gauss(0.0, 7.0))
    K = np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
    while True:
        camera = _aim_camera(K, target, (bearing, pitch, roll), distance, aside, size)
        if distance >= _FURTHEST_M or _shows(camera, landmarks):
            return camera
        distance *= 1.08


def _aim_camera(
    K: Array, target: Array, angles: tuple[float, float, float], distance: float, aside: float, size: tuple[int, int]
) -> Camera:
    """A camera `distance` metres from the target (3,) that looks past it by `aside` of that.

    angles: its bearing and elevation as the target sees it, and its roll, radians.
    """
    bearing, pitch, roll = angles
    out: Array = np.array([math.cos(bearing) * math.cos(pitch), math.sin(bearing) * math.cos(pitch), math.sin(pitch)])
    right = np.array([-math.sin(bearing), math.cos(bearing), 0.0])
    eye = target + out * distance
    eye[2] = max(eye[2], 0.12)
    R = look_at(eye, target + right * aside * distance, roll)
    return Camera(K=K, R=R, t=-(R @ eye), image_size=size)


def _shows(camera: Camera, landmarks: Array) -> bool:
    """Whether no landmark is too near, and the pelvis is inside the picture nearly always."""
    if camera.to_camera_axes(landmarks)[..., 2].min() < NEAREST_M:
        return False
    pixels = camera.project(landmarks[:, 0])
    return bool(((pixels > 0) & (pixels < camera.image_size)).all(-1).mean() >= VISIBLE_FRACTION)


def draw_lighting(lot: Random, camera: Camera) -> Lighting:
    """One or two lamps and the ambient light; the first one rarely behind the person."""
    directions, colours = [], []
    to_eye = -camera.R.T @ camera.t
    bearing = math.atan2(to_eye[1], to_eye[0])
    for number in range(2):
        yaw, height = bearing + lot.gauss(0.0, 1.2 if number == 0 else 2.0), lot.uniform(0.15, 1.4)
        directions.append([math.cos(yaw) * math.cos(height), math.sin(yaw) * math.cos(height), math.sin(height)])
        strength = lot.uniform(0.35, 1.1) if number == 0 else max(0.0, lot.uniform(-0.3, 0.6))
        warm = lot.uniform(-0.15, 0.15)
        colours.append([strength * (1.0 + warm), strength, strength * (1.0 - warm)])
    sky, ground = lot.uniform(0.2, 0.6), lot.uniform(0.08, 0.4)
    cast = [lot.uniform(0.92, 1.08) for _ in range(3)]
    return Lighting(
        light_direction=np.array(directions),
        light_colour=np.array(colours),
        sky=np.array(cast) * sky,
        ground=np.array(cast) * ground,
        gain=2.0 ** lot.uniform(-0.5, 1.0),
    )


def draw_fabric(lot: Random) -> Fabric:
    """Patterns of trousers and shirt."""
    patterns = [
        [lot.choice((0, 0, 0, 1, 2, 3)) if number else lot.choice((0, 0, 0, 0, 2, 3))]
        + [lot.uniform(8.0, 40.0), lot.uniform(0.3, 0.8), 0.0]
        for number in range(2)
    ]
    return Fabric(second=np.array([draw_colour(lot) for _ in range(2)]), pattern=np.array(patterns))


def crumple(body: SkinnedBody, lot: Random) -> SkinnedBody:
    """The body with folds and uneven colours on its clothes, and strands in its hair."""
    noise = np.random.default_rng(lot.randrange(1 << 30))
    cloth = np.isin(body.parts, [PARTS.index("trousers"), PARTS.index("shirt")])
    folds = lot.uniform(0.0, 0.4) * _make_waves(body.points * [1.0, 1.0, 2.0], 3, lot.uniform(20.0, 60.0), noise)
    rate = lot.uniform(15.0, 50.0)
    blotches = lot.choice((0.0, 0.1, 0.3)) * _make_waves(body.points, 1, rate, noise)
    blotches = blotches + lot.choice((0.0, 0.0, 0.05, 0.3)) * _make_waves(body.points, 3, rate, noise)
    strands = 0.2 * noise.standard_normal((len(body.points), 1)) * (body.parts == PARTS.index("hair"))[:, None]
    normals = rotation.normalise(body.normals + folds * cloth[:, None])
    colours = np.clip(body.colours * np.exp(blotches * cloth[:, None] + strands), 0.0, 1.0)
    return replace(body, normals=normals, colours=colours)


def _make_waves(points: Array, channels: int, rate: float, noise: np.random.Generator) -> Array:
    """Smooth random fields (V, channels) at points (V, 3), of about deviation 1; `rate` is in radians a metre."""
    field = np.zeros((len(points), channels))
    for _ in range(6):
        wave = points @ (noise.standard_normal((3, channels)) * rate / 1.7)
        field += np.sin(wave + noise.uniform(0.0, 2.0 * np.pi, channels))
    scaled: Array = field / np.sqrt(3.0)
    return scaled


def draw_room(lot: Random, camera: Camera, landmarks: Array) -> list[Quad]:
    """Floor, walls, ceiling, furniture, and sometimes something that hides a part of the body."""
    quads = _draw_walls(lot)
    if lot.random() < _SEAT_CHANCE:
        quads += _draw_seat(lot, landmarks)
    for _ in range(lot.choice((0, 0, 1, 2, 3, 5))):
        quads += _draw_furniture(lot, camera, landmarks)
    if lot.random() < _HIDING_CHANCE:
        quads += _draw_screen(lot, camera, landmarks)
    return quads


def _draw_walls(lot: Random) -> list[Quad]:
    """A room about the origin, at any yaw; walls are seen from inside only, so the camera may stand behind one."""
    contrast = lot.choice((0.0, 0.05, 0.1, 0.2, 0.35))
    half = [lot.uniform(*_WALLS_M) for _ in range(4)]
    top, yaw = lot.uniform(*_CEILING_M), lot.uniform(-math.pi, math.pi)
    x, y = np.array([math.cos(yaw), math.sin(yaw), 0.0]), np.array([-math.sin(yaw), math.cos(yaw), 0.0])
    z = np.array([0.0, 0.0, 1.0])

    def tiles(scale: float) -> tuple[float, float, float, float]:
        gradient = lot.uniform(-0.2, 0.2) if lot.random() < 0.5 else 0.0
        return lot.uniform(0.1, 1.2) * scale, lot.uniform(0.1, 1.2) * scale, contrast * lot.uniform(0.3, 1.0), gradient

    corner = -x * half[0] - y * half[1]
    u, v = x * (half[0] + half[2]), y * (half[1] + half[3])
    walls, colours = tiles(1.0), (draw_colour(lot), draw_colour(lot))
    floor_tiles = tiles(0.7)[:3]
    return [
        Quad(corner=corner, u=u, v=v, colour=draw_colour(lot), tiles=(*floor_tiles, 0.0)),
        Quad(corner=corner + z * top, u=v, v=u, colour=(0.7, 0.7, 0.68), tiles=(1.0, 1.0, 0.03, 0.0)),
        Quad(corner=corner + v, u=u, v=z * top, colour=colours[0], tiles=walls),
        Quad(corner=corner + u, u=-u, v=z * top, colour=colours[0], tiles=walls),
        Quad(corner=corner, u=v, v=z * top, colour=colours[1], tiles=walls),
        Quad(corner=corner + u + v, u=-v, v=z * top, colour=colours[1], tiles=walls),
    ]


def make_box(centre: Array, half: tuple[float, float, float], yaw: float, colour: Colour) -> list[Quad]:
    """The six sides of a box; half: half its lengths, metres."""
    x: Array = np.array([math.cos(yaw), math.sin(yaw), 0.0]) * half[0]
    y: Array = np.array([-math.sin(yaw), math.cos(yaw), 0.0]) * half[1]
    z: Array = np.array([0.0, 0.0, half[2]])
    sides = []
    for a, b, c in ((x, y, z), (y, z, x), (z, x, y)):
        for offset, u, v in ((c, a, b), (-c, b, a)):
            corner = centre + offset - a - b
            sides.append(Quad(corner=corner, u=2.0 * u, v=2.0 * v, colour=colour, tiles=(0.3, 0.3, 0.04, 0.0)))
    return sides


def _draw_seat(lot: Random, landmarks: Array) -> list[Quad]:
    """A box under who sits in one place, sometimes with a back; nothing under who does not."""
    at = {name: landmarks[:, BODY27.index(name)] for name in ("left_hip", "right_hip", "left_knee", "right_knee")}
    thighs = [rotation.normalise(at[f"{side}_knee"] - at[f"{side}_hip"]) for side in ("left", "right")]
    hips = (at["left_hip"] + at["right_hip"]) / 2.0
    sits = (np.abs([thigh[:, 2] for thigh in thighs]).max(0) < _LEVEL_SINE) & (hips[:, 2] > _HIPS_M)
    if sits.mean() < _SITTING_FRACTION or np.ptp(hips[sits, :2], axis=0).max() > _STRAY_M:
        return []
    left = (at["left_hip"] - at["right_hip"])[sits].mean(0)
    yaw = math.atan2(left[1], left[0])
    back = -np.array([math.cos(yaw - math.pi / 2), math.sin(yaw - math.pi / 2), 0.0])
    if back @ (thighs[0] + thighs[1])[sits].mean(0) > 0.0:
        back = -back
    top, colour = float(hips[sits, 2].min()) - _SEAT_BELOW_HIP_M, draw_colour(lot)
    wide, deep = lot.uniform(0.18, 0.35), lot.uniform(0.17, 0.24)
    middle = hips[sits].mean(0) * [1.0, 1.0, 0.0] + back * (deep - 0.12)
    thick = top / 2.0 if lot.random() < 0.6 else 0.04
    seat = make_box(middle + [0.0, 0.0, top - thick], (wide, deep, thick), yaw, colour)
    if lot.random() < 0.5:
        high = lot.uniform(0.15, 0.3)
        centre = middle + back * (deep + 0.03) + [0.0, 0.0, top + high]
        seat += make_box(centre, (wide, 0.03, high), yaw, colour)
    return seat


def _draw_furniture(lot: Random, camera: Camera, landmarks: Array) -> list[Quad]:
    """A box on the floor that neither touches the body nor stands before it; none where the lot found no place."""
    half = (lot.uniform(0.1, 0.8), lot.uniform(0.1, 0.4), lot.uniform(0.15, 1.1))
    yaw, colour = lot.uniform(0.0, math.pi), draw_colour(lot)
    eye = -camera.R.T @ camera.t
    body = landmarks[::5].reshape(-1, 3)[:, :2]
    reach = math.hypot(half[0], half[1])
    for _ in range(8):
        at = np.array([lot.uniform(-4.0, 4.0), lot.uniform(-4.0, 4.0)])
        ray = at - eye[:2]
        length = float(np.linalg.norm(ray))
        clear = np.linalg.norm(body - at, axis=-1).min() > reach + _CLEAR_M
        furthest = (body - eye[:2]) @ (ray / length)
        if clear and length - reach > furthest.max() and length > reach + 1.0:
            return make_box(np.array([*at, half[2]]), half, yaw, colour)
    return []


def _draw_screen(lot: Random, camera: Camera, landmarks: Array) -> list[Quad]:
    """A table, a plank or a pillar between camera and body, that hides the legs or one side; none where too narrow."""
    eye = -camera.R.T @ camera.t
    towards = rotation.normalise(eye * [1.0, 1.0, 0.0])
    side = np.array([-towards[1], towards[0], 0.0])
    near = float((landmarks @ towards).max())
    thick = lot.uniform(0.02, 0.2)
    at = near + 0.12 + thick + lot.uniform(0.0, 0.4)
    if at > float(eye @ towards) - 0.5:
        return []
    yaw = math.atan2(towards[1], towards[0])
    across = landmarks @ side
    if lot.random() < 0.6:  # hides the legs
        hidden = lot.uniform(0.1, 0.5) * float(np.median(landmarks[..., 2].max(1)))
        fraction = at / float(eye @ towards)  # of the way from the body to the camera
        tall = (hidden + fraction * (eye[2] - hidden)) / 2.0
        middle, wide = lot.gauss(0.0, 0.3), lot.uniform(0.3, 1.2)
    else:  # hides one side
        tall, wide = lot.uniform(0.6, 1.2), lot.uniform(0.06, 0.25)
        middle = lot.choice((-1.0, 1.0)) * lot.uniform(0.1, 0.35)
    if tall < 0.05:
        return []
    middle += float(np.median(across))
    return make_box(towards * at + side * middle + [0.0, 0.0, tall], (thick, wide, tall), yaw, draw_colour(lot))
