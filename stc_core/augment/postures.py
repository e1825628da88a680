"""Postures that were hardly recorded: windows of people who sit, kneel, squat, crawl and lie, made of people who stand.

Knows the body's tree and how far which joint goes in which posture; not cameras, the detector's errors or networks.
The motion that was recorded goes on, smaller, about the posture. Everything is batched on one device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..capture.layout import BODY27
from .body_tree import SIDES, limit_flexion, measure_hinge, pelvis_axes, rotate_about_axis

Degrees = tuple[float, float]
# how much of the recorded motion of hips and knees is lost in a posture (chosen)
_DAMPING = 0.7
# least and greatest time that taking the posture lasts, and in how many windows it is taken in the window (chosen)
_ONSET_S = (0.8, 2.5)
_ONSET_PROBABILITY = 0.4
# part of the windows in which both legs do the same (chosen)
_ALIKE_PROBABILITY = 0.5
# how far supporting arms stray from straight down, as a deviation of the direction; what is left of their flexion
_SUPPORT_SPREAD, _SUPPORT_FLEXION = 0.35, 0.4


@dataclass(frozen=True)
class Posture:
    """Ranges of angles in degrees, of which each window draws its own (chosen to cover what people do).

    pitch: how far the trunk leans forward. thigh: elevation of the thigh in the world, 0 down, 90 forward. spread:
    outward rotation of the thigh. knee: flexion. Of the other leg too, where it does something else. turn: rotation
    about the body's own axis before it leans. arms_support: the arms reach down to the floor. weight: how often.
    """

    pitch: Degrees
    thigh: Degrees
    spread: Degrees
    knee: Degrees
    other_thigh: Degrees | None = None
    other_knee: Degrees | None = None
    turn: Degrees = (0.0, 0.0)
    arms_support: bool = False
    weight: float = 1.0


POSTURES = {
    "legs out": Posture((-30, 30), (75, 110), (-8, 35), (0, 60), weight=1.5),
    "knees up": Posture((-20, 30), (100, 140), (-5, 60), (70, 140)),
    "chair": Posture((-25, 40), (65, 105), (-8, 30), (30, 120), weight=1.5),
    "kneel": Posture((-10, 35), (-5, 60), (-5, 20), (80, 140)),
    "half kneel": Posture((-5, 40), (60, 105), (-5, 30), (60, 110), (-15, 30), (75, 130)),
    "squat": Posture((5, 55), (60, 130), (-5, 40), (80, 140)),
    "all fours": Posture((55, 105), (-25, 40), (-5, 20), (50, 120), arms_support=True, weight=1.5),
    "plank": Posture((40, 95), (-85, -30), (-5, 20), (0, 40), arms_support=True, weight=0.7),
    "on the back": Posture((-110, -45), (70, 150), (-5, 30), (0, 110), weight=0.7),
    "on the front": Posture((65, 110), (-110, -60), (-5, 20), (0, 60), weight=0.5),
    "on the side": Posture((-110, -60), (80, 160), (-5, 15), (0, 110), turn=(60, 120), weight=0.5),
}
_NAMES = ("pitch", "turn", "spread", "left_thigh", "right_thigh", "left_knee", "right_knee")


def take_postures(landmarks: Tensor, where: Tensor, rate_hz: float) -> Tensor:
    """Windows (B, T, 27, 3), metres z up, of which those of `where` (B,) take a posture, some in the course of it."""
    kind = torch.multinomial(_weights(landmarks), len(landmarks), replacement=True)
    angles = _draw_angles(kind, landmarks.device)
    weight = _draw_onsets(landmarks, rate_hz) * where[:, None]
    new = landmarks
    for side in SIDES:
        new = _bend_leg(new, landmarks, side, angles, weight)
    new = _lean(new, landmarks, angles, weight)
    support = torch.tensor([p.arms_support for p in POSTURES.values()], device=landmarks.device)[kind]
    for side in SIDES:
        new = _support_with_arm(new, side, weight * support[:, None])
    return _put_on_floor(new, landmarks, where)


def _weights(like: Tensor) -> Tensor:
    return torch.tensor([posture.weight for posture in POSTURES.values()], device=like.device)


def _draw_angles(kind: Tensor, device: torch.device) -> dict[str, Tensor]:
    """Radians (B, 1) by name, within the ranges of each window's posture."""
    table = torch.tensor(
        [
            [p.pitch, p.turn, p.spread, p.thigh, p.other_thigh or p.thigh, p.knee, p.other_knee or p.knee]
            for p in POSTURES.values()
        ],
        device=device,
    )
    low, high = torch.deg2rad(table[kind]).unbind(-1)
    own = torch.rand(len(kind), len(_NAMES), device=device)
    alike = torch.rand(len(kind), 1, device=device) < _ALIKE_PROBABILITY
    left, right = own[:, 3::2], own[:, 4::2]
    own[:, 4::2] = torch.where(alike, left, right)
    return dict(zip(_NAMES, (low + (high - low) * own).split(1, dim=1), strict=True))


def _draw_onsets(windows: Tensor, rate_hz: float) -> Tensor:
    """How far the posture is taken (B, T), 0 to 1: all the time, or from some moment on, or until then."""
    count, frames, device = *windows.shape[:2], windows.device
    time = torch.arange(frames, device=device) / rate_hz
    low, high = _ONSET_S
    duration = low + (high - low) * torch.rand(count, 1, device=device)
    begin = torch.rand(count, 1, device=device) * (time[-1] + duration) - duration
    ramp = ((time - begin) / duration).clamp(0.0, 1.0)
    ramp = torch.where(torch.rand(count, 1, device=device) < 0.5, ramp, 1.0 - ramp)
    ramp = ramp * ramp * (3.0 - 2.0 * ramp)
    changing = torch.rand(count, 1, device=device) < _ONSET_PROBABILITY
    return torch.where(changing, ramp, torch.ones_like(ramp))


def _bend_leg(new: Tensor, recorded: Tensor, side: str, angles: dict[str, Tensor], weight: Tensor) -> Tensor:
    """The knee flexed and the thigh raised towards the posture's; `recorded` has the pelvis and the motion."""
    left, forward, up = pelvis_axes(recorded).unbind(-1)
    axis, flexion = measure_hinge(recorded, f"{side}_knee", f"{side}_ankle")
    axis = axis - 0.1 * left  # a straight knee has no axis of its own
    further = limit_flexion(flexion, _approach(flexion, angles[f"{side}_knee"], weight))
    new = rotate_about_axis(new, f"{side}_knee", normalize(axis, dim=-1), further)
    hip, knee = (recorded[:, :, BODY27.index(f"{side}_{name}")] for name in ("hip", "knee"))
    thigh = normalize(knee - hip, dim=-1)
    elevation = torch.atan2((thigh * forward).sum(-1), -(thigh * up).sum(-1))
    raised = _approach(elevation, angles[f"{side}_thigh"] + angles["pitch"], weight)
    new = rotate_about_axis(new, f"{side}_hip", left, raised)
    return rotate_about_axis(new, f"{side}_hip", up, weight * angles["spread"] * (-1.0 if side == "left" else 1.0))


def _approach(angle: Tensor, goal: Tensor, weight: Tensor) -> Tensor:
    """By how much angles (B, T) change so that their mean is at the goal (B, 1) and their motion is smaller."""
    mean = angle.mean(1, keepdim=True)
    return weight * (goal - mean - _DAMPING * (angle - mean))


def _lean(new: Tensor, recorded: Tensor, angles: dict[str, Tensor], weight: Tensor) -> Tensor:
    """The whole body turned about its own axis, then leaning forward."""
    left, _, up = pelvis_axes(recorded).unbind(-1)
    turned = rotate_about_axis(new, "pelvis", up, weight * angles["turn"])
    return rotate_about_axis(turned, "pelvis", left, -weight * angles["pitch"])


def _support_with_arm(landmarks: Tensor, side: str, weight: Tensor) -> Tensor:
    """An arm that reaches down."""
    axis, flexion = measure_hinge(landmarks, f"{side}_elbow", f"{side}_wrist")
    lost = (1.0 - _SUPPORT_FLEXION) * flexion * weight
    straighter = rotate_about_axis(landmarks, f"{side}_elbow", normalize(axis, dim=-1), -lost)
    shoulder, wrist = (straighter[:, :, BODY27.index(f"{side}_{name}")] for name in ("shoulder", "wrist"))
    reach = normalize((wrist - shoulder).mean(1), dim=-1)
    down = torch.tensor([0.0, 0.0, -1.0], device=landmarks.device)
    goal = normalize(down + _SUPPORT_SPREAD * torch.randn_like(reach), dim=-1)
    axis = torch.cross(reach, goal, dim=-1)
    angle = torch.atan2(axis.norm(dim=-1), (reach * goal).sum(-1))
    return rotate_about_axis(straighter, f"{side}_shoulder", normalize(axis, dim=-1)[:, None], angle[:, None] * weight)


def _put_on_floor(new: Tensor, recorded: Tensor, where: Tensor) -> Tensor:
    """The lowest landmark of each frame as high as it was before."""
    shift = recorded[..., 2].amin(2) - new[..., 2].amin(2)
    moved = new.clone()
    moved[..., 2] += torch.where(where[:, None], shift, torch.zeros_like(shift))[..., None]
    return moved
