"""Landmarks of a skeleton of which only the joints' positions are known, not their rotations.

A bone's rotation is built from where its own and its neighbours' joints are: the twist of a limb from the bend at its
hinge, that of a hand from its knuckles or else from the elbow, that of a head from its eyes or else from the trunk.
Knows anatomy; not which data set has which skeleton.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..capture.layout import BODY27
from ..geometry import rotation
from ..geometry.rotation import Array, normalise
from .landmark_placement import Points, Vector, perpendicular, place_head_landmarks, stack_axes, stack_landmarks
from .position_file import UPRIGHT_COSINE


@dataclass(frozen=True)
class JointFigure:
    """From which joints of a skeleton without rotations the landmarks follow; {s} is the side's part of a name.

    limbs: the joints of hip, knee, ankle, shoulder, elbow, wrist. foot: the joint that the ankle points to; foot_slope:
    how far down that is while the sole is flat, degrees, 90 straight below. heel: from the ankle, in the level foot's
    axes (left, back, up). toe: from a joint, in the same. knuckles: the joints of index and pinky, or the hand's end
    alone. ears: their middle from the head's joint, in the level head's axes. crown: the joint that the head points to.
    eyes: both eyes' joints, and how far above the level they are seen from the head's joint, degrees. spine: between
    two joints at an amount from 0 to 1. The right side is the left's mirror image.
    """

    sides: tuple[str, str]
    limbs: dict[str, str]
    foot: str
    foot_slope: float
    heel: Vector
    toe: tuple[str, Vector]
    knuckles: tuple[str, ...]
    head: str
    crown: str
    ears: Vector
    spine: tuple[str, str, float]
    eyes: tuple[str, str, float] | None = None

    def joints(self) -> set[str]:
        """All joints that are needed."""
        each = [*self.limbs.values(), self.foot, self.toe[0], *self.knuckles, self.head, self.crown, *self.spine[:2]]
        return {name.format(s=side) for name in [*each, *(self.eyes or ())[:2]] for side in self.sides}


_PALM_M = 0.028  # half the breadth between the knuckles
_INDEX_ALONG_M, _PINKY_ALONG_M = 0.085, 0.078  # from the wrist along the hand
_SMOOTH_S = 0.15  # a hinge's direction does not change faster
_PRIOR = 0.1  # how much a limb's usual hinge counts against its own, which vanishes as the limb straightens


def estimate_landmarks(at: Points, figure: JointFigure, fps: float, pitch: float = 0.0) -> Array:
    """Landmarks (T, 27, 3) from a skeleton's joints (T, 3) each. pitch: how far a level head seems to look up, radians,
    where it has no eyes."""
    points: Points = {}
    for side, part in zip(("left", "right"), figure.sides, strict=True):
        points |= {f"{side}_{name}": at[joint.format(s=part)] for name, joint in figure.limbs.items()}
    hips, shoulders = (points[f"left_{name}"] + points[f"right_{name}"] for name in ("hip", "shoulder"))
    trunk_up = normalise(shoulders - hips)
    trunk = stack_axes(perpendicular(points["left_shoulder"] - points["right_shoulder"], trunk_up), trunk_up)
    hip_left = perpendicular(points["left_hip"] - points["right_hip"], trunk_up)
    pelvis = stack_axes(hip_left, trunk_up)
    below, above, fraction = figure.spine
    points["spine"] = (1 - fraction) * at[below] + fraction * at[above]
    for side, part, sign in zip(("left", "right"), figure.sides, (1.0, -1.0), strict=True):
        own = {name: points[f"{side}_{name}"] for name in figure.limbs}
        knee = _estimate_hinge(own["knee"] - own["hip"], own["ankle"] - own["knee"], pelvis, 1.0, fps)
        foot = _estimate_foot_axes(at[figure.foot.format(s=part)] - own["ankle"], knee, figure.foot_slope)
        mirror = np.array([sign, 1.0, 1.0])
        toe_joint, toe = figure.toe
        points[f"{side}_heel"] = own["ankle"] + foot @ (mirror * figure.heel)
        points[f"{side}_toe"] = at[toe_joint.format(s=part)] + foot @ (mirror * toe)
        knuckles = [at[name.format(s=part)] for name in figure.knuckles]
        if len(knuckles) == 1:
            elbow = _estimate_hinge(own["elbow"] - own["shoulder"], own["wrist"] - own["elbow"], trunk, -1.0, fps)
            knuckles = _guess_knuckles(own["wrist"], knuckles[0], own["wrist"] - own["elbow"], elbow)
        points[f"{side}_index"], points[f"{side}_pinky"] = knuckles
    head = _estimate_head_axes(at, figure, trunk, pitch)
    points |= place_head_landmarks(at[figure.head] + head @ np.array(figure.ears), head[..., 0], head[..., 2])
    return stack_landmarks(points)


def _estimate_hinge(upper: Array, lower: Array, parent: Array, usual: float, fps: float) -> Array:
    """The direction (T, 3) about which a limb bends, at right angles to its lower bone.

    Where it is nearly straight, that of the frames around; where it stays so, `usual` times the parent's left while it
    hangs, carried along by the least turn.
    """
    still = rotation.between(-parent[..., 2], upper)
    axes = np.stack([rotation.rotate(still, parent[..., i]) for i in range(3)], -1)
    bend = np.cross(normalise(upper), normalise(lower))
    local = np.einsum("tji,tj->ti", axes, bend) + _PRIOR * usual * np.array([1.0, 0.0, 0.0])
    local = gaussian_filter1d(local, _SMOOTH_S * fps, axis=0, mode="nearest")
    return perpendicular(np.einsum("tij,tj->ti", axes, local), normalise(lower))


def _estimate_foot_axes(along: Array, hinge: Array, slope_deg: float) -> Array:
    """The axes (T, 3, 3) of a foot, level and facing -y where the figure stands on a flat sole.

    along: from the ankle to a joint that then lies `slope_deg` below the level, or straight below it at 90.
    """
    bone = normalise(along)
    left = perpendicular(hinge, bone)
    slope = np.radians(slope_deg)
    forward = np.cos(slope) * bone + np.sin(slope) * np.cross(bone, left)
    return stack_axes(left, np.cross(forward, left))


def _guess_knuckles(wrist: Array, end: Array, forearm: Array, hinge: Array) -> list[Array]:
    """Index and pinky of a hand whose roll nobody measured: its thumb points to where the elbow bends."""
    along = normalise(end - wrist)
    thumb = perpendicular(np.cross(hinge, normalise(forearm)), along)
    return [wrist + _INDEX_ALONG_M * along + _PALM_M * thumb, wrist + _PINKY_ALONG_M * along - _PALM_M * thumb]


def _estimate_head_axes(at: Points, figure: JointFigure, trunk: Array, pitch: float) -> Array:
    """The axes (T, 3, 3) of a level head facing -y. Without eyes it follows the trunk, by the smallest rotation."""
    if figure.eyes:
        left_eye, right_eye, pitch_deg = figure.eyes
        forward = normalise((at[left_eye] + at[right_eye]) / 2 - at[figure.head])
        left = perpendicular(at[left_eye] - at[right_eye], forward)
        pitch = np.radians(pitch_deg)
    else:
        up = normalise(at[figure.crown] - at[figure.head])
        left = rotation.rotate(rotation.between(trunk[..., 2], up), trunk[..., 0])
        forward = np.cross(left, up)
    steep = np.cross(forward, left)
    level = np.cos(pitch) * forward - np.sin(pitch) * steep
    return stack_axes(left, np.cross(level, left))


def measure_head_rise(at: Points, figure: JointFigure) -> Array:
    """How far a head without eyes seems to look up (T,), radians; nan where the trunk leans."""
    hips, arms = ([at[figure.limbs[n].format(s=part)] for part in figure.sides] for n in ("hip", "shoulder"))
    up = normalise(arms[0] + arms[1] - hips[0] - hips[1])
    trunk = stack_axes(perpendicular(arms[0] - arms[1], up), up)
    forward = -_estimate_head_axes(at, figure, trunk, 0.0)[..., 1]
    return np.where(up[:, 2] > UPRIGHT_COSINE, np.arcsin(np.clip(forward[:, 2], -1.0, 1.0)), np.nan)


def measure_neck_lengths(landmarks: Array) -> Array:
    """Distances (T,) from the middle of the shoulders to that of the ears."""
    left, right, thorax = (landmarks[:, BODY27.index(name)] for name in ("left_ear", "right_ear", "thorax"))
    return np.asarray(np.linalg.norm((left + right) / 2 - thorax, axis=-1))
