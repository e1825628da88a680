"""What a preview draws, worked out for the whole motion at once, and the view that turns around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...motion.fingers import FINGER_JOINTS
from ...motion.motion import Camera, Motion
from ...motion.skeleton import forward_kinematics
from ..layout import LAYOUTS, SIDES, Array
from .config import PreviewConfig

Colour = tuple[int, int, int]  # red, green, blue of 255

LEFT, RIGHT, MIDDLE = (90, 170, 255), (255, 150, 60), (240, 240, 240)
BACKGROUND = (34, 36, 40)
_MIN_HEIGHT_M = 0.5  # chosen: a lower body is seen from as far as this one
_DISTANCE_HEIGHTS = 0.85  # of the view, as if the field of view were 45 degrees on each side; chosen


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A motion and what is drawn of it."""

    motion: Motion
    bones: Array
    """(T, B, 2, 3) world metres: both ends of each bone"""
    colours: tuple[Colour, ...]
    """(B,) by side"""
    guessed: NDArray[np.bool_]
    """(T, B): nothing was observed of it"""
    feet: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """(B,) each: which bones are the left, the right foot's"""
    fingers: NDArray[np.bool_]
    """(B,): which bones are fingers, or lead to them within the hand"""
    landmark_edges: NDArray[np.intp]
    """(E, 2): which landmarks a line joins"""
    aim: Array
    """(T, 3) world metres: where the turning view looks"""
    height_m: float
    """the body's"""
    azimuth_rad: float
    """about z: from where the turning view looks at first"""
    blank: NDArray[np.uint8]
    """its empty picture"""


def build_scene(motion: Motion, config: PreviewConfig) -> Scene:
    """Work out what is drawn of a motion."""
    skeleton = motion.skeleton
    positions, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    inner = [joint for joint, parent in enumerate(skeleton.parents) if parent >= 0]
    leaves = [joint for joint, tip in enumerate(skeleton.tips) if tip.any() or not inner]  # a lone root is drawn too
    tips = positions[:, leaves] + rotation.rotate(q_world_joint[:, leaves], skeleton.tips[leaves])
    starts = np.concatenate([positions[:, [skeleton.parents[joint] for joint in inner]], positions[:, leaves]], 1)
    ends = np.concatenate([positions[:, inner], tips], 1)
    owners = inner + leaves
    names = [skeleton.joint_names[joint] for joint in owners]
    bones = np.stack([starts, ends], 2)
    left, right = (np.array([name == f"{side}_toes" for name in names]) for side in SIDES)
    fingers = np.isin(names, FINGER_JOINTS)
    size = config.panel_height_px
    return Scene(
        motion=motion,
        bones=bones,
        colours=tuple(LEFT if n.startswith("left") else RIGHT if n.startswith("right") else MIDDLE for n in names),
        guessed=motion.scores[:, owners] <= 0.0,
        feet=(left, right),
        fingers=fingers,
        landmark_edges=_find_edges(motion.landmark_names),
        aim=_average_positions(bones[:, ~fingers], motion.fps),
        height_m=max(float(np.median(np.ptp(ends[..., 2], axis=1))), _MIN_HEIGHT_M),
        azimuth_rad=_camera_azimuth(motion.camera),
        blank=np.full((size, size, 3), BACKGROUND, np.uint8),
    )


def _find_edges(names: tuple[str, ...]) -> NDArray[np.intp]:
    """(E, 2): which landmarks a line joins, where they are of a layout that we know."""
    edges = [layout.edges for layout in LAYOUTS.values() if layout.names == names]
    pairs = [(names.index(a), names.index(b)) for a, b in edges[0]] if edges else []
    return np.array(pairs, np.intp).reshape(-1, 2)


def _average_positions(bones: Array, fps: float) -> Array:
    """Where the turning view looks, (T, 3): the body's position averaged over a second, at its median height."""
    middle = bones.mean((1, 2))
    half = max(1, round(fps / 2.0))
    padded = np.pad(middle, ((half, half), (0, 0)), mode="edge")
    sums = np.cumsum(np.concatenate([np.zeros((1, 3)), padded]), 0)
    average: Array = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    average[:, 2] = np.median(middle[:, 2])
    return average


def _camera_azimuth(camera: Camera | None) -> float:
    """The direction from which the video looks, radians about z, so that both panels begin alike."""
    if camera is None:
        return -math.pi / 2.0
    forward = camera.R[2]
    return math.atan2(-forward[1], -forward[0])


def turning_view(scene: Scene, index: int, config: PreviewConfig) -> Camera:
    """The camera of the panel at right at a frame."""
    angle = scene.azimuth_rad + 2.0 * math.pi * index / scene.motion.fps / config.turn_s
    pitch, size = math.radians(config.view_pitch_deg), config.panel_height_px
    away = np.array([math.cos(angle) * math.cos(pitch), math.sin(angle) * math.cos(pitch), math.sin(pitch)])
    right = np.array([-math.sin(angle), math.cos(angle), 0.0])
    R = np.stack([right, np.cross(-away, right), -away])
    focal = size / 2.0 / math.tan(math.radians(config.view_field_deg) / 2.0)
    distance = _DISTANCE_HEIGHTS * scene.height_m / math.tan(math.radians(config.view_field_deg) / 2.0)
    K = np.array([[focal, 0.0, size / 2.0], [0.0, focal, size / 2.0], [0.0, 0.0, 1.0]])
    return Camera(K=K, R=R, t=-R @ (scene.aim[index] + distance * away), image_size=(size, size))
