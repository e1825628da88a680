"""Faces with known coefficients: how each coefficient goes over time, and what it moves on the face.

Knows the form of MakeHuman's target files; neither Blender nor which clip shows what.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stc_core.geometry import easing, rotation
from stc_core.geometry.rotation import Array

BASE_VERTICES, BODY_VERTICES = 19158, 13380  # of MakeHuman's base mesh, of which the rigs' skin is the first
BASE_UNIT_M = 0.1
GAZE_DEG = {"Up": 10.0, "Down": 11.0, "In": 15.0, "Out": 15.0}  # how the face units turn the base mesh's eyes


@dataclass(frozen=True)
class Pulse:
    """A coefficient rises to its peak, stays and falls again, smoothly; times in seconds."""

    name: str
    start_s: float
    rise_s: float
    hold_s: float
    fall_s: float
    peak: float = 1.0

    def values(self, time_s: Array) -> Array:
        since = time_s - self.start_s
        up = easing.smoothstep(since, 0.0, self.rise_s)
        down = easing.smoothstep(since - self.rise_s - self.hold_s, 0.0, self.fall_s)
        shape: Array = self.peak * (up - down)
        return shape


def sum_pulses(pulses: Iterable[Pulse], names: tuple[str, ...], time_s: Array) -> Array:
    """Coefficients (T, len(names)) in [0, 1]."""
    coefficients = np.zeros((len(time_s), len(names)))
    for pulse in pulses:
        coefficients[:, names.index(pulse.name)] += pulse.values(time_s)
    return np.clip(coefficients, 0.0, 1.0)


def list_face_units(folder: Path) -> tuple[str, ...]:
    """The coefficients whose targets lie in the folder."""
    return tuple(sorted(path.stem for path in folder.glob("*.target")))


def read_target(path: Path) -> Array:
    """How far a target moves the base mesh's vertices (19158, 3): metres, z up, the face to -y."""
    rows = np.loadtxt(path, comments="#", ndmin=2)
    moved = np.zeros((BASE_VERTICES, 3))
    moved[rows[:, 0].astype(int)] = rows[:, [1, 3, 2]] * [1.0, -1.0, 1.0] * BASE_UNIT_M
    return moved


def read_base_mesh(path: Path) -> tuple[Array, dict[str, list[list[int]]]]:
    """The base mesh's vertices (19158, 3), as read_target's, and its faces by group."""
    vertices: list[list[float]] = []
    faces: dict[str, list[list[int]]] = {}
    group = ""
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words])
        elif kind == "g":
            group = words[0]
        elif kind == "f":
            faces.setdefault(group, []).append([int(word.split("/")[0]) - 1 for word in words])
    return np.array(vertices)[:, [0, 2, 1]] * [1.0, -1.0, 1.0] * BASE_UNIT_M, faces


def gaze_angles(coefficients: Array, names: tuple[str, ...], left: bool) -> Array:
    """How an eye looks, (T, 2) radians: down, and to the person's left."""

    def degrees(way: str) -> Array:
        turned: Array = GAZE_DEG[way] * coefficients[:, names.index(f"eyeLook{way}{'Left' if left else 'Right'}")]
        return turned

    aside = (degrees("Out") - degrees("In")) * (1.0 if left else -1.0)
    angles: Array = np.radians(np.stack([degrees("Down") - degrees("Up"), aside], -1))
    return angles


def turn_head(yaw_pitch_roll_deg: Array) -> Array:
    """World rotations (T, 4) of a head that faces -y, for angles (T, 3): to its left, down, to its left shoulder."""
    yaw, pitch, roll = np.radians(yaw_pitch_roll_deg).T
    turned = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), yaw)
    nodded = rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), pitch)
    return rotation.mul(rotation.mul(turned, nodded), rotation.from_axis_angle(np.array([0.0, 1.0, 0.0]), roll))
