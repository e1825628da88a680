"""What a camera and a detector would make of bodies: projections with errors and scores.

Knows random cameras, what they see of a body, and a guessed model of the detector's errors (the measured one is
detector_noise.py's); not where the bodies come from, nor the network. Batched on one device. Error sizes are lengths on
the body, so they do not depend on the person's size in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..capture.landmark_map import OUTSIDE_FADE_FRACTION, OUTSIDE_MIN_FACTOR
from ..capture.layout import BODY27
from .detector_noise import (
    HIDDEN,
    OUTSIDE,
    VISIBLE,
    DetectorErrors,
    apply_errors,
    draw_intervals,
    load_errors,
    set_midpoints,
)
from .occlusion import find_self_occlusion

EXTREMITIES = {
    f"{side}_{end}": f"{side}_{joint}" if joint != "head" else "head"
    for side in ("left", "right")
    for end, joint in (("heel", "ankle"), ("toe", "ankle"), ("pinky", "wrist"), ("index", "wrist"), ("ear", "head"))
}
"""landmarks that Human3.6M's 17 points lack, and what each hangs on"""
_TORSO = [BODY27.index(n) for n in ("pelvis", "spine", "thorax")]


@dataclass(frozen=True)
class CameraConfig:
    """The range of cameras. Angles are standard deviations or uniform ranges in degrees."""

    fov_deg: tuple[float, float] = (25.0, 90.0)
    """least and greatest field of view of the longer side"""
    fill: tuple[float, float] = (0.25, 1.15)
    """least and greatest height of the standing person, as a fraction of the picture's"""
    pitch_deg: tuple[float, float] = (6.0, 13.0)
    """mean and standard deviation, positive looks down"""
    roll_deg: float = 6.0
    """standard deviation"""
    nearest_m: float = 1.3
    """least distance of the camera from the person"""


@dataclass(frozen=True)
class NoiseConfig:
    """The detector's errors and how often it fails. Deviations are standard deviations, in metres on the body."""

    model: Literal["measured", "guessed"] = "measured"
    """errors as they were measured on MediaPipe (detector_noise.py), or of the guessed deviations"""
    rate_hz: float = 20.0
    """frame rate; the measured errors last as many seconds at any rate"""
    bias_m: float = 0.018
    """guessed model: constant through a window, each landmark its own"""
    drift_m: float = 0.014
    """guessed model: slow, correlated from frame to frame"""
    jitter_m: float = 0.006
    """guessed model: independent from frame to frame"""
    unsure_m: float = 0.07
    """guessed model: added where a point is hidden or out of the picture"""
    correlation: float = 0.85
    """guessed model: of drift between neighbouring frames"""
    hide: float = 0.25
    """probability that a limb is hidden for part of a window; guessed, since rendered clips have nothing in front"""
    gap: float = 0.06
    """probability that part of a window was not detected at all; guessed, since rendered clips have no cuts"""
    bare: float = 0.0
    """probability that a window has Human3.6M's points only: no feet, hands, ears"""
    swap: float = 0.02
    """guessed model: probability that left and right are exchanged for part of a window"""
    scale: float = 1.0
    """factor of all errors; 0 gives the true projection"""
    smaller: float = 0.0
    """probability that all errors of a window are smaller, down to none, as those of other detectors may be"""


@dataclass(frozen=True)
class Projections:
    """B windows as a detector gives them. keypoints (B, T, K, 2) in focal lengths from the centre; scores (B, T, K);
    joints (B, T, K, 3) true, in camera axes, pelvis at 0, metres; half (B, 2): half the picture's size in focal
    lengths; up (B, 3): the world's, in camera axes, unit length."""

    keypoints: Tensor
    scores: Tensor
    joints: Tensor
    half: Tensor
    up: Tensor


def project(landmarks: Tensor, camera: CameraConfig, noise: NoiseConfig) -> Projections:
    """Windows (B, T, 27, 3), metres z up, each seen by a random fixed camera through the detector's errors."""
    joints, half, up = _place_cameras(landmarks, camera)
    keypoints, scores = simulate_detector(joints, half, noise)
    return Projections(keypoints, scores, joints - joints[:, :, :1], half, up)


def simulate_detector(
    joints: Tensor, half: Tensor, noise: NoiseConfig, errors: DetectorErrors | None = None
) -> tuple[Tensor, Tensor]:
    """What the detector makes of joints (B, T, K, 3), camera axes, in pictures of half size (B, 2) in focal lengths.

    Returns keypoints (B, T, K, 2) in focal lengths from the centre, and scores (B, T, K). errors: other figures than
    those that came with STC Mocap, for the measured model.
    """
    exact = joints[..., :2] / joints[..., 2:].clamp(min=0.3)
    outside = (exact.abs() > half[:, None, None]).any(-1)
    clean = set_midpoints(exact), _guess_scores(outside, torch.zeros_like(outside))
    if not noise.scale:
        return clean
    lost = _draw_spans(len(joints), joints.shape[1], noise.gap, joints.device)
    bare = torch.rand(len(joints), 1, 1, device=joints.device) < noise.bare
    if noise.model == "measured":
        errors = errors or load_errors(joints.device)
        keypoints, scores = _apply_measured_errors(joints, half, outside, noise, errors)
        lost |= draw_intervals(joints.shape[:2], *errors.gaps, noise.rate_hz, joints.device)
    else:
        keypoints, scores = _apply_guessed_errors(joints, outside, noise)
        keypoints = _exchange_sides(keypoints, noise.swap)
    if noise.smaller:
        size = _draw_sizes(len(joints), noise.smaller, joints.device)
        keypoints, scores = torch.lerp(clean[0], keypoints, size[..., None]), torch.lerp(clean[1], scores, size)
    return _lose_frames(*remove_extremities(keypoints, scores, bare), lost)


def _draw_sizes(count: int, probability: float, device: torch.device) -> Tensor:
    """Factors (B, 1, 1) of windows' errors: with that probability from 0 to 1, else 1."""
    smaller = torch.rand(count, 1, 1, device=device) < probability
    sizes = torch.rand(count, 1, 1, device=device)
    return torch.where(smaller, sizes, torch.ones_like(sizes))


def remove_extremities(keypoints: Tensor, scores: Tensor, bare: Tensor) -> tuple[Tensor, Tensor]:
    """Without feet, hands and ears where `bare` (B, 1, 1): score 0, and the point of the joint they hang on."""
    gone = bare & torch.tensor([name in EXTREMITIES for name in BODY27.names], device=bare.device)
    parents = [BODY27.index(EXTREMITIES.get(name, name)) for name in BODY27.names]
    return torch.where(gone[..., None], keypoints[:, :, parents], keypoints), scores * ~gone


def _apply_measured_errors(
    joints: Tensor, half: Tensor, outside: Tensor, noise: NoiseConfig, errors: DetectorErrors
) -> tuple[Tensor, Tensor]:
    hidden = find_self_occlusion(joints) | _hide_limbs(joints, noise.hide)
    states = (
        torch.full_like(hidden, VISIBLE, dtype=torch.long).masked_fill(hidden, HIDDEN).masked_fill(outside, OUTSIDE)
    )
    keypoints, visibility = apply_errors(joints, states, errors, noise.rate_hz, noise.scale)
    beyond = (keypoints.abs() - half[:, None, None]).amax(-1).clamp(min=0.0)
    fade = 1.0 - beyond / (OUTSIDE_FADE_FRACTION * 2.0 * half.amax(-1))[:, None, None]
    return keypoints, visibility * fade.clamp(OUTSIDE_MIN_FACTOR, 1.0)


def _apply_guessed_errors(joints: Tensor, outside: Tensor, noise: NoiseConfig) -> tuple[Tensor, Tensor]:
    depth = joints[..., 2:].clamp(min=0.3)
    hidden = _find_hidden_arms(joints) | _hide_limbs(joints, noise.hide)
    error = _draw_guessed_errors(joints, outside | hidden, noise) / depth.mean((1, 2, 3), keepdim=True)
    return set_midpoints(joints[..., :2] / depth + noise.scale * error), _guess_scores(outside, hidden)


def _draw_uniform(low: float, high: float, like: Tensor) -> Tensor:
    return low + (high - low) * torch.rand(len(like), device=like.device)


def _place_cameras(landmarks: Tensor, config: CameraConfig) -> tuple[Tensor, Tensor, Tensor]:
    """The landmarks in the axes of random cameras, half the picture's size (B, 2) in focal lengths, and up (B, 3)."""
    count, degree = len(landmarks), torch.pi / 180.0
    long_side = torch.tan(_draw_uniform(*config.fov_deg, landmarks) * degree / 2.0)
    aspect = torch.tensor([1.0, 9 / 16], device=landmarks.device)
    shapes = torch.stack([aspect, torch.tensor([1.0, 0.75], device=aspect.device), aspect.flip(0)])
    half = long_side[:, None] * shapes[torch.multinomial(torch.tensor([0.6, 0.2, 0.2]), count, True).to(aspect.device)]
    distance = (0.85 / (half[:, 1] * _draw_uniform(*config.fill, landmarks))).clamp(min=config.nearest_m)
    noise = torch.randn(count, 2, device=landmarks.device)
    pitch = (config.pitch_deg[0] + config.pitch_deg[1] * noise[:, 0]) * degree
    rotation = _rotate_about_axis(2, config.roll_deg * noise[:, 1] * degree) @ _rotate_about_axis(0, pitch)
    off_centre = torch.randn(count, 2, device=landmarks.device).clamp(-2, 2) * half * 0.25
    centre = landmarks[:, :, :1].mean(1, keepdim=True)
    axes = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]], device=landmarks.device)
    to_camera = rotation @ axes
    rotated = (landmarks - centre) @ to_camera.transpose(-1, -2)[:, None]
    position = torch.cat([off_centre * distance[:, None], distance[:, None]], -1)
    return rotated + position[:, None, None], half, to_camera[..., 2]


def _rotate_about_axis(axis: int, angle: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) about a coordinate axis."""
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {0: [i, o, o, o, c, -s, o, s, c], 2: [c, -s, o, s, c, o, o, o, i]}[axis]
    return torch.stack(rows, -1).view(-1, 3, 3)


def _find_hidden_arms(joints: Tensor) -> Tensor:
    """Arms and hands (B, T, K) that lie behind the trunk as the camera sees it."""
    trunk = joints[:, :, _TORSO].mean(2, keepdim=True)
    away = joints - trunk
    arms = torch.tensor([part >= 3 for part in BODY27.parts], device=joints.device)
    return arms & (away[..., 2] > 0.06) & (away[..., 0].abs() < 0.17) & (away[..., 1].abs() < 0.32)


def _draw_spans(count: int, frames: int, probability: float, device: torch.device) -> Tensor:
    """For `count` rows a random stretch of frames (count, frames) with the given probability, else none."""
    ends = (torch.rand(count, 2, device=device) * 1.6 - 0.3).sort(-1).values * frames
    at = torch.arange(frames, device=device)
    chosen = torch.rand(count, 1, device=device) < probability
    return chosen & (at >= ends[:, :1]) & (at <= ends[:, 1:])


def _hide_limbs(joints: Tensor, probability: float) -> Tensor:
    """For some windows one body part (B, T, K) hidden for a while."""
    spans = _draw_spans(len(joints), joints.shape[1], probability, joints.device)
    parts = torch.tensor(BODY27.parts, device=joints.device)
    limb = torch.randint(1, 5, (len(joints), 1), device=joints.device)
    return spans[..., None] & (parts == limb)[:, None]


def _guess_scores(outside: Tensor, hidden: Tensor) -> Tensor:
    """Scores: high where visible; lower, and unsteady, where hidden; low out of the picture."""
    steady = torch.rand(outside.shape[0], 1, outside.shape[2], device=outside.device)
    visible, uncertain = 1.0 - 0.12 * steady**2, 0.15 + 0.65 * steady
    return torch.where(outside, 0.4 * steady, torch.where(hidden, uncertain, visible))


def _draw_guessed_errors(joints: Tensor, unsure: Tensor, config: NoiseConfig) -> Tensor:
    """DetectorErrors (B, T, K, 2) in metres on the body: constant, slow, quick, and more where unsure."""
    batch, frames, landmarks, _ = joints.shape
    device = joints.device
    level = torch.exp(0.4 * torch.randn(batch, 1, 1, 1, device=device))
    bias = torch.randn(batch, 1, landmarks, 2, device=device) * config.bias_m
    quick = torch.randn(batch, frames, landmarks, 2, device=device) * config.jitter_m
    distance = (torch.arange(frames)[:, None] - torch.arange(frames)).abs()
    root = torch.linalg.cholesky(config.correlation ** distance.double() + 1e-6 * torch.eye(frames)).float().to(device)
    slow = torch.einsum("tu,bukc->btkc", root, torch.randn(batch, frames, landmarks, 2, device=device))
    return level * (bias + quick + slow * (config.drift_m + config.unsure_m * unsure[..., None]))


def _exchange_sides(keypoints: Tensor, probability: float) -> Tensor:
    spans = _draw_spans(len(keypoints), keypoints.shape[1], probability, keypoints.device)
    return torch.where(spans[..., None, None], keypoints[:, :, list(BODY27.mirror)], keypoints)


def _lose_frames(keypoints: Tensor, scores: Tensor, lost: Tensor) -> tuple[Tensor, Tensor]:
    """Without detection in the frames lost (B, T): score 0, and points interpolated across; never all frames."""
    lost = lost & ~lost.all(-1, keepdim=True)
    at = torch.arange(lost.shape[1], device=lost.device).expand(lost.shape)
    before = torch.where(lost, -1, at).cummax(1).values
    after = torch.where(lost, lost.shape[1], at).flip(1).cummin(1).values.flip(1)
    before, after = torch.where(before < 0, after, before), torch.where(after >= lost.shape[1], before, after)
    fraction = ((at - before) / (after - before).clamp(min=1))[..., None, None]
    rows = torch.arange(len(lost), device=lost.device)[:, None]
    interpolated = keypoints[rows, before] * (1 - fraction) + keypoints[rows, after] * fraction
    return interpolated, scores * ~lost[..., None]
