"""Put a body that floats in camera axes on a floor: camera, path, gravity, contacts, feet that stand still.

Knows pinhole geometry, gravity and feet; not what found the landmarks, nor rotations or skeletons. The camera stands
still and the floor is one level plane: a moving camera, stairs and slopes are not handled.

The way: (1) a focal length; (2) the root's path, by least squares of the 3D joints on the 2D ones, linear in the
translation once each ray is multiplied by its depth, over the whole clip with accelerations held down, more in depth
than across; (3) which foot points are still, mostly by the picture, where noise is least; (4) up, from standing people,
from the plane of the contacts and from the habit of holding cameras level; (5) the path again, with contacts that may
not move; (6) what still slides is pinned, and knees follow by two-bone inverse kinematics. Internally all is in camera
axes (x right, y down, z forward) until `_to_world`. Landmarks that a layout lacks are left out of every sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.optimize import least_squares

from ...errors import UserError
from ...events import Note, Report, ignore
from ...geometry.rotation import normalise
from ...motion.motion import Camera
from ..landmark_map import Array, Layout, Pose2D, Pose3D, WorldPose, runs

Mask = NDArray[np.bool_]

SIDES = ("left", "right")
_ROUNDS = 3  # of robust reweighting
_BODY_WORTH = 6.0  # landmarks err together: a whole body is worth this many independent ones
_INDEPENDENT_CONTACTS = 8.0  # contacts err together too: more of them than this tell no more of the floor's tilt
_LIFTED_M = 0.05  # a foot about this much higher than the other carries little weight
_FEW_CONTACTS = 0.1  # the share of frames below which something may be wrong
_NEAREST_M = 0.2  # no landmark comes closer to the camera
# ankle to hip and hip to shoulder, as a share of a standing person's height (Drillis and Contini 1966)
_HEIGHT_SHARE = (0.530 - 0.039) + (0.818 - 0.530)


@dataclass(frozen=True)
class GroundConfig:
    """How the world is found; the defaults suit one person filmed by a phone or a camera on a stand."""

    focal_px: float | None = None
    """focal length in pixels; none assumes a field of view"""
    assumed_fov_deg: float = 55.0
    """field of view assumed across the longer side of the picture"""
    height_m: float | None = None
    """the person's height; none keeps the size the network gave"""
    pitch_deg: float | None = None
    """how far the camera looks down; none finds it"""
    roll_deg: float | None = None
    """how far the picture's content is turned clockwise; none finds it"""
    feet: Literal["auto", "always", "never"] = "auto"
    """auto holds feet while they stand; always holds both all the time; never holds none"""
    contact_speed_m_s: float = 0.18
    """a heel or toe slower than this is still"""
    contact_release: float = 1.5
    """and stays so up to this many times the speed and the height over the floor"""
    contact_company: float = 2.0
    """or this many times the speed, if the foot's other end is still and it is low"""
    contact_height_m: float = 0.12
    """only what is lower than this over the floor can stand on it"""
    contact_min_s: float = 0.10
    """shorter contacts are none"""
    contact_gap_s: float = 0.07
    """shorter gaps in a contact are none"""
    speed_window_s: float = 0.20
    """speeds are slopes of lines fitted over this long"""
    drift_speed_m_s: float = 0.20
    """what moves faster than this for as long as drift_window_s slides, and is not held"""
    drift_window_s: float = 0.35
    depth_speed_trust: float = 0.2
    """the share of a speed towards or from the camera that counts: depth is what lifted poses know least"""
    ease_s: float = 0.15
    """how long before and after a contact the foot is led to and from its place"""
    lift_sigma_m: float = 0.06
    """error of a lifted joint"""
    across_acceleration_sigma_m_s2: float = 25.0
    """how a body accelerates across the picture"""
    depth_acceleration_sigma_m_s2: float = 4.0
    """and towards the camera, where size is all there is to see it by"""
    unseen_speed_sigma_m_s: float = 1.0
    """how fast someone walks whom nobody sees"""
    contact_place_sigma_m: float = 0.03
    """how far a still foot may be from its place before the path bends to it"""
    contact_place_depth_sigma_m: float = 0.10
    """likewise towards the camera: a leg lifted too short must not stop the body"""
    contact_depth_sigma_m: float = 0.15
    """error of a contact's distance, when the contacts' plane tells where up is"""
    pitch_prior_deg: float = 15.0
    """how far cameras look up or down"""
    roll_prior_deg: float = 4.0
    """how far cameras are turned"""
    upright_sigma_deg: float = 3.0
    """how far standing people lean"""
    upright_speed_m_s: float = 1.6
    """who moves faster than this may lean"""
    heel_height_m: float = 0.03
    """where the heel's landmark stands over the floor"""
    toe_height_m: float = 0.02
    """where the toe's landmark stands over the floor"""
    ankle_height_m: float = 0.085
    """where the ankle's landmark stands over the floor, for layouts without heel and toe"""


def ground(pose3d: Pose3D, pose2d: Pose2D, config: GroundConfig, report: Report = ignore) -> WorldPose:
    """The pose in the world: metres, z up, floor at 0, the first frame's pelvis over the origin, the camera facing +y.

    pose3d: camera axes, pelvis at 0, metres. pose2d: pixels, of the same frames at the same even rate. The camera of
    the result projects its joints on pose2d as far as pose3d agrees with it. Raises UserError for impossible settings.
    """
    assert pose3d.layout is pose2d.layout and pose3d.scores.shape == pose2d.scores.shape
    _check(config)
    fps, feet = pose3d.fps, _feet(pose3d.layout, config)
    focal = focal_px(config, pose2d.image_size, report)
    joints = pose3d.joints * _scale(pose3d.joints, pose3d.layout, config)
    rays = (pose2d.keypoints - np.divide(pose2d.image_size, 2.0)) / focal
    weights = np.clip(np.minimum(pose2d.scores, pose3d.scores), 0.0, 1.0)
    evidence = _fit(joints, rays, weights, fps, config)
    body = joints + evidence.root[:, None]
    up, floor, still = _find_floor(body, rays, weights, feet, pose3d.layout, fps, config, report)
    if config.feet != "never":
        root = _fit_still(evidence, joints, still, feet, up, floor, fps, config)
        body = joints + root[:, None]
        floor = _floor_height(body, up, still, feet)
    world, camera = _to_world(body, up, floor, focal, pose2d.image_size)
    held = still if config.feet != "never" else np.zeros_like(still)
    world = _settle_feet(world, held, feet, pose3d.layout, fps, config)
    contacts = np.stack([held[:, feet.side == side].any(1) for side in (0, 1)], 1)
    return WorldPose(pose3d.layout, world, pose3d.scores, contacts, camera, fps)


def _check(config: GroundConfig) -> None:
    for name, value in (("focal length", config.focal_px), ("height", config.height_m)):
        if value is not None and not 0.0 < value < np.inf:
            raise UserError(
                f"The {name} {value} is not positive.", "Give a positive number, or none to have it guessed."
            )
    if not 1.0 <= config.assumed_fov_deg <= 170.0:
        raise UserError(f"A field of view of {config.assumed_fov_deg} degrees is impossible.", "Give 1 to 170 degrees.")


# --- the layout's feet -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Feet:
    """The P landmarks that touch the floor: index, side (0 left, 1 right) and height over the floor in contact."""

    index: NDArray[np.int_]
    side: NDArray[np.int_]
    clearance: Array


def _feet(layout: Layout, config: GroundConfig) -> _Feet:
    """Heel and toe where the layout has them, else the ankle."""
    heights = {"heel": config.heel_height_m, "toe": config.toe_height_m, "ankle": config.ankle_height_m}
    rows = []
    for side, name in enumerate(SIDES):
        there = [part for part in heights if f"{name}_{part}" in layout.names]
        there = [part for part in there if part != "ankle"] or there
        rows += [(layout.index(f"{name}_{part}"), side, heights[part]) for part in there]
    assert rows, f"{layout.name} has no feet"
    index, side_of, clearance = zip(*rows, strict=True)
    return _Feet(np.array(index), np.array(side_of), np.array(clearance))


# --- camera and scale ------------------------------------------------------------------------------------------------


def focal_px(config: GroundConfig, image_size: tuple[int, int], report: Report) -> float:
    """The focal length in pixels: the known one, else that of the assumed field of view, which is then said."""
    if config.focal_px is not None:
        return config.focal_px
    report(
        Note(
            f"The camera's focal length is not known: a field of view of {config.assumed_fov_deg:g} degrees across the "
            "longer side is assumed. Distances and depth grow with its error.",
            "guess",
        )
    )
    return max(image_size) / 2.0 / float(np.tan(np.radians(config.assumed_fov_deg) / 2.0))


def _scale(joints: Array, layout: Layout, config: GroundConfig) -> float:
    return 1.0 if config.height_m is None else config.height_m / body_height_m(joints, layout)


def body_height_m(joints: Array, layout: Layout) -> float:
    """A person's height from joints (T, K, 3): the medians over time of ankle-knee and knee-hip (mean of both sides)
    and of hips' to shoulders' middle, summed, divided by their share of a standing body (Drillis and Contini)."""
    point = {name: joints[:, k] for k, name in enumerate(layout.names)}

    def median(a: Array, b: Array) -> float:
        return float(np.median(np.linalg.norm(a - b, axis=-1)))

    legs = [
        median(point[f"{s}_{a}"], point[f"{s}_{b}"]) for s in SIDES for a, b in (("ankle", "knee"), ("knee", "hip"))
    ]
    trunk = median(_middle(point, "hip"), _middle(point, "shoulder"))
    return (sum(legs) / 2.0 + trunk) / _HEIGHT_SHARE


def _middle(point: dict[str, Array], part: str) -> Array:
    return (point[f"left_{part}"] + point[f"right_{part}"]) / 2.0


# --- the root's path -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Evidence:
    """What the picture says of the root: per frame the quadratic x'Px/2 - p'x, and the path (T, 3) that it led to."""

    precision: Array
    pull: Array
    seen: Array
    root: Array


def _fit(joints: Array, rays: Array, weights: Array, fps: float, config: GroundConfig) -> _Evidence:
    """The smooth path (T, 3) that best projects joints (T, K, 3) on rays (T, K, 2); landmarks that disagree fade."""
    seen = np.clip(weights.mean(1) / 0.3, 0.0, 1.0)
    trust = weights
    for _ in range(_ROUNDS):
        precision, pull = _projection_term(joints, rays, trust, config)
        root = _track(precision, pull, seen, fps, config)
        x = joints + root[:, None]
        miss = np.linalg.norm(x[..., :2] - rays * x[..., 2:], axis=-1)
        trust = weights / (1.0 + (miss / (3.0 * config.lift_sigma_m)) ** 2) ** 2
    root[:, 2] = np.maximum(root[:, 2], _NEAREST_M - joints[..., 2].min(1))
    return _Evidence(precision, pull, seen, root)


def _projection_term(joints: Array, rays: Array, trust: Array, config: GroundConfig) -> tuple[Array, Array]:
    """Normal equations (T, 3, 3), (T, 3) of (x + cx) = ray_x (z + cz), likewise y: linear in the translation c."""
    rows = np.zeros((*joints.shape[:2], 2, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -rays
    target = rays * joints[..., 2:] - joints[..., :2]
    scale = _BODY_WORTH / joints.shape[1] / config.lift_sigma_m**2
    weighted = rows * (scale * trust)[..., None, None]
    return np.einsum("tkri,tkrj->tij", weighted, rows), np.einsum("tkri,tkr->ti", weighted, target)


def _track(precision: Array, pull: Array, seen: Array, fps: float, config: GroundConfig) -> Array:
    """The path (T, 3) that obeys the evidence with small accelerations, and small speed where nothing is seen."""
    frames = len(pull)
    across, depth = config.across_acceleration_sigma_m_s2, config.depth_acceleration_sigma_m_s2
    stiffness = (fps**2 / np.array([across, across, depth])) ** 2
    bands = np.zeros((7, frames, 3))
    bands[0] = precision[:, range(3), range(3)] + 1e-9
    bands[1, :, 0], bands[1, :, 1], bands[2, :, 0] = precision[:, 1, 0], precision[:, 2, 1], precision[:, 2, 0]
    for a, first in enumerate((1.0, -2.0, 1.0)):
        for b, second in list(enumerate((1.0, -2.0, 1.0)))[a:]:
            bands[3 * (b - a), a : max(a, a + frames - 2)] += first * second * stiffness
    unseen = 1.0 - np.minimum(seen[1:], seen[:-1])
    springs = (unseen * (fps / config.unseen_speed_sigma_m_s) ** 2)[:, None]
    bands[0, 1:] += springs
    bands[0, :-1] += springs
    bands[3, :-1] -= springs
    return solveh_banded(bands.reshape(7, -1), pull.ravel(), lower=True).reshape(-1, 3)


def _fit_still(
    evidence: _Evidence,
    joints: Array,
    still: Mask,
    feet: _Feet,
    up: Array,
    floor: float,
    fps: float,
    config: GroundConfig,
) -> Array:
    """The path (T, 3) again, where still foot points (T, P) keep to the mean place of their contact, on the floor.

    Places and path are found in turn: the path bends to the places, each place is the mean over its contact. Now that
    up is known the stiff axis lies level, and jumps are as free under a camera that looks down as under a level one.
    """
    points, root, level = joints[:, feet.index], evidence.root, _level_axes(up)
    weight = still / np.maximum(still.sum(1, keepdims=True), 1)
    across, depth = config.contact_place_sigma_m, config.contact_place_depth_sigma_m
    stiffness = level.T @ np.diag(np.array([across, across, depth]) ** -2.0) @ level
    precision = level @ (evidence.precision + weight.sum(1)[:, None, None] * stiffness) @ level.T
    for _ in range(_ROUNDS):
        places = _places(points + root[:, None], still)
        places += (floor + feet.clearance - places @ up)[..., None] * up
        pull = evidence.pull + (weight[..., None] * (places - points)).sum(1) @ stiffness
        root = _track(precision, pull @ level.T, evidence.seen, fps, config) @ level
    return root


def _places(points: Array, still: Mask) -> Array:
    """Points (T, P, 3) with each run of `still` (T, P) at its mean."""
    places = points.copy()
    for p in range(still.shape[1]):
        for start, end in runs(still[:, p]):
            places[start:end, p] = points[start:end, p].mean(0)
    return places


# --- gravity, floor and contacts -------------------------------------------------------------------------------------


def _find_floor(
    body: Array,
    rays: Array,
    weights: Array,
    feet: _Feet,
    layout: Layout,
    fps: float,
    config: GroundConfig,
    report: Report,
) -> tuple[Array, float, Mask]:
    """Up (3,) in camera axes, the floor's height along it, and which foot points (T, P) stand still on it."""
    points = _along_rays(body[:, feet.index], rays[:, feet.index], weights[:, feet.index])
    speeds = _speeds(points, fps, config.speed_window_s, config.depth_speed_trust)
    places, clearances, up = np.zeros((0, 3)), np.zeros(0), np.array([0.0, -1.0, 0.0])
    for _ in range(_ROUNDS):
        axis, trust = _upright_axis(body, layout, weights, up, fps, config)
        up = _up(axis, trust, places, clearances, config)
        heights = points @ up - feet.clearance
        first = _first_floor(body, up, heights, speeds, config)
        still = _contacts(points, heights - first, feet, fps, config)
        places, clearances = _stances(points, still, feet)
    floor = _floor_height(body, up, still, feet)
    _tell(up, still, report)
    return up, floor, still


def _tell(up: Array, still: Mask, report: Report) -> None:
    pitch, roll = tilt_deg(up)
    what = f"The camera is taken to look down by {pitch:.1f} degrees and to be turned by {roll:.1f} degrees."
    report(Note(what, "guess"))
    if still.any(1).mean() < _FEW_CONTACTS:
        what = "Feet hardly stand still on the floor. If the camera moved, do not trust the path and the floor."
        report(Note(what, "camera"))


def _slope(values: Array, fps: float, window_s: float) -> Array:
    """Time derivative (T, ...) of values, by a straight line fitted over a window in seconds."""
    half = max(1, round(window_s * fps / 2.0))
    padded = np.pad(values, ((half, half),) + ((0, 0),) * (values.ndim - 1), "reflect", reflect_type="odd")
    lags = range(-half, half + 1)
    parts = [lag * padded[half + lag : half + lag + len(values)] for lag in lags]
    slope: Array = np.sum(parts, 0) * (fps / sum(lag * lag for lag in lags))
    return slope


def _along_rays(points: Array, rays: Array, scores: Array) -> Array:
    """Points (T, P, 3) moved, at their depth, to where the picture shows them (T, P, 2), as far as it is trusted."""
    depth = points[..., 2:]
    across = points[..., :2] + scores[..., None] * (rays * depth - points[..., :2])
    return np.concatenate([across, depth], -1)


def _speeds(points: Array, fps: float, window_s: float, depth_trust: float) -> Array:
    """Speeds (T, P) of points (T, P, 3), m/s: what the picture shows, and a share of the speed in depth."""
    depth = points[..., 2:]
    across = np.linalg.norm(_slope(points[..., :2] / depth, fps, window_s) * depth, axis=-1)
    receding: Array = depth_trust * _slope(depth[..., 0], fps, window_s)
    return np.hypot(across, receding)


def _first_floor(body: Array, up: Array, heights: Array, speeds: Array, config: GroundConfig) -> float:
    """A floor before contacts are known: the median of slow lowest foot points, else under the lowest landmarks."""
    lowest = (body @ up).min(1)
    lowest_foot = heights.min(1)
    slow = np.take_along_axis(speeds, heights.argmin(1)[:, None], 1)[:, 0] < config.contact_speed_m_s
    feet_down = slow & (lowest_foot < lowest + config.contact_height_m)
    if feet_down.any():
        return float(np.median(lowest_foot[feet_down]))
    return float(np.percentile(lowest, 10)) - config.toe_height_m


def _contacts(points: Array, heights: Array, feet: _Feet, fps: float, config: GroundConfig) -> Mask:
    """Which points (T, P) are still and low; the second point of a foot is believed sooner than the first."""
    if config.feet == "always":
        return np.ones(heights.shape, bool)
    limit, reach = config.contact_speed_m_s, config.contact_height_m
    speeds = _speeds(points, fps, config.speed_window_s, config.depth_speed_trust)
    drifts = _speeds(points, fps, config.drift_window_s, 0.0)
    sure = (speeds < limit) & (heights < reach)
    held = (speeds < limit * config.contact_release) & (heights < reach * config.contact_release)
    still = _each(_held, sure, held, drifts, fps, config)
    with_foot = np.stack([still[:, feet.side == side].any(1) for side in feet.side], 1)
    likely = with_foot & (speeds < limit * config.contact_company) & (heights < reach / 2.0)
    return _each(_held, sure, held | likely, drifts, fps, config)


def _each(of_point: Callable[..., Mask], sure: Mask, held: Mask, drifts: Array, *rest: Any) -> Mask:
    """The answers (T, P) of a function of one point's columns (T,)."""
    columns = zip(sure.T, held.T, drifts.T, strict=True)
    return np.stack([of_point(*column, *rest) for column in columns], 1)


def _held(sure: Mask, held: Mask, drifts: Array, fps: float, config: GroundConfig) -> Mask:
    """Runs of `held` (T,) that are `sure` somewhere: short gaps closed, what drifts and short runs dropped."""
    still = np.zeros(len(held), bool)
    stands = [run for run in runs(held) if sure[slice(*run)].any()]
    for (_, end), (start, _) in pairwise(stands):
        still[end:start] = (start - end) / fps <= config.contact_gap_s
    for start, end in stands:
        still[start:end] = True
    half = max(1, round(config.drift_window_s * fps / 2.0))
    for start, end in runs(still):
        if end - start > 2 * half:  # windows stay inside the run: what came before and after it is no drift
            inside = np.clip(np.arange(start, end), start + half, end - 1 - half)
            still[start:end] = drifts[inside] < config.drift_speed_m_s
    for start, end in runs(still):
        still[start:end] = (end - start) / fps >= min(config.contact_min_s, len(still) / fps)
    return still


def _stances(points: Array, still: Mask, feet: _Feet) -> tuple[Array, Array]:
    """The mean place (S, 3) of each contact of each foot point, and how high over the floor it should be (S,)."""
    rows = [(p, run) for p in range(still.shape[1]) for run in runs(still[:, p])]
    places = np.array([points[slice(*run), p].mean(0) for p, run in rows]).reshape(-1, 3)
    return places, feet.clearance[[p for p, _ in rows]]


def _floor_height(body: Array, up: Array, still: Mask, feet: _Feet) -> float:
    """The floor's height along `up`: the median over contacts, or just under the lowest landmarks."""
    places, clearances = _stances(body[:, feet.index], still, feet)
    if len(places):
        lengths = [end - start for p in range(still.shape[1]) for start, end in runs(still[:, p])]
        return float(np.median(np.repeat(places @ up - clearances, lengths)))
    return float(np.percentile((body @ up).min(1), 10)) - float(feet.clearance.min())


def _upright_axis(
    body: Array, layout: Layout, weights: Array, up: Array, fps: float, config: GroundConfig
) -> tuple[Array, float]:
    """Mean direction (3,) from ankles to shoulders over the frames where someone stands or walks upright, and how far
    it is to be trusted, 0 to 1: who stands for less than a second or a third of the time may lean.

    up: about where up is, to know which foot is lifted and who lies.
    """
    point = {name: body[:, k] for k, name in enumerate(layout.names)}
    hips, shoulders = _middle(point, "hip"), _middle(point, "shoulder")
    ankles = _bearing_ankle(point["left_ankle"], point["right_ankle"], up)
    stretch = np.max([_stretch(point, side) for side in SIDES], 0)
    axis, trunk, legs = normalise(shoulders - ankles), normalise(shoulders - hips), normalise(hips - ankles)
    straight = (stretch > 0.92) & ((trunk * legs).sum(-1) > np.cos(np.radians(25.0)))
    calm = np.linalg.norm(_slope(body[:, 0], fps, config.speed_window_s), axis=-1) < config.upright_speed_m_s
    standing = straight & calm & (axis @ up > np.cos(np.radians(50.0))) & (weights.mean(1) > 0.2)
    if not standing.any():
        return up, 0.0
    trust = min(1.0, standing.sum() / fps) * min(1.0, 3.0 * standing.mean())
    return normalise(np.median(axis[standing], 0)), float(trust)


def _bearing_ankle(left: Array, right: Array, up: Array) -> Array:
    """Where a stander's weight is (T, 3): the middle of the ankles, or the lower one if the other is lifted."""
    share = 1.0 / (1.0 + np.exp(((left - right) @ up)[:, None] / _LIFTED_M))
    return share * left + (1.0 - share) * right


def _stretch(point: dict[str, Array], side: str) -> Array:
    """Distance from hip to ankle as a share (T,) of thigh and shin."""
    hip, knee, ankle = (point[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    length = np.linalg.norm(hip - knee, axis=-1) + np.linalg.norm(knee - ankle, axis=-1)
    return np.linalg.norm(hip - ankle, axis=-1) / np.maximum(length, 1e-6)


def _up(axis: Array, trust: float, places: Array, clearances: Array, config: GroundConfig) -> Array:
    """Up (3,) in camera axes: from the upright axis, the plane of the contacts and level cameras; settings win.

    Contacts (S, 3) are compared with the plane along their rays: it is their depth that errs, and fitting a plane to
    points that err along the rays would tilt it towards the rays.
    """
    sigma = np.radians(config.upright_sigma_deg) / np.sqrt(trust + 1e-9)
    crowd = np.sqrt(max(1.0, len(places) / _INDEPENDENT_CONTACTS))
    rays = places / np.maximum(places[:, 2:], _NEAREST_M)

    def misses(unknown: Array) -> Array:
        pitch, roll, floor = unknown
        up = _direction(pitch, roll)
        tangents = (_direction(pitch + 1e-4, roll) - up) / 1e-4, (_direction(pitch, roll + 1e-4) - up) / 1e-4
        prior = np.array([pitch / np.radians(config.pitch_prior_deg), roll / np.radians(config.roll_prior_deg)])
        down = np.maximum(-rays @ up, 0.05)
        plane = (places[:, 2] + (floor + clearances) / down) / crowd
        plane = plane / np.hypot(config.contact_depth_sigma_m, config.contact_place_sigma_m / down)
        return np.concatenate([_fading(prior), [axis @ t / sigma for t in tangents], _fading(plane)])

    start = np.array([0.0, 0.0, np.median(places @ _direction(0.0, 0.0)) if len(places) else 0.0])
    pitch, roll, _ = least_squares(misses, start).x
    pitch = pitch if config.pitch_deg is None else np.radians(config.pitch_deg)
    roll = roll if config.roll_deg is None else np.radians(config.roll_deg)
    return _direction(pitch, roll)


def _fading(misses: Array) -> Array:
    """Residuals whose squares grow like a logarithm (Cauchy's): what is far off counts as odd, not as close."""
    return np.sign(misses) * np.sqrt(np.log1p(misses**2))


def _direction(pitch: float, roll: float) -> Array:
    """Up (3,) in the axes of a camera that looks down by `pitch` and whose picture is turned clockwise by `roll`."""
    return np.array([np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), -np.sin(pitch)])


def tilt_deg(up: Array) -> tuple[float, float]:
    """Pitch and roll of a camera, degrees, from up (3,) in its axes: the inverse of the settings' meaning."""
    return float(np.degrees(np.arcsin(-up[2]))), float(np.degrees(np.arctan2(up[0], -up[1])))


def _level_axes(up: Array) -> Array:
    """Rows right, up, ahead in camera axes: level, and ahead under or over the camera's own view."""
    ahead = normalise(np.array([0.0, 0.0, 1.0]) - up[2] * up)
    return np.stack([np.cross(ahead, up), up, ahead])


def _to_world(body: Array, up: Array, floor: float, focal: float, image_size: tuple[int, int]) -> tuple[Array, Camera]:
    """World joints (T, K, 3) of joints in camera axes, and the camera that sees them so."""
    axes = _level_axes(up)[[0, 2, 1]]  # rows: the world's x, y, z in camera axes
    pelvis = axes @ body[0, 0]
    origin = np.array([pelvis[0], pelvis[1], floor])
    width, height = image_size
    K = np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
    return body @ axes.T - origin, Camera(K, axes.T, axes.T @ origin, image_size)


# --- feet that stand still -------------------------------------------------------------------------------------------


def _settle_feet(world: Array, held: Mask, feet: _Feet, layout: Layout, fps: float, config: GroundConfig) -> Array:
    """World joints with held foot points in one place on the floor, no sole below it, and knees that follow."""
    world = world.copy()
    for side, name in enumerate(SIDES):
        own = np.flatnonzero(feet.side == side)
        if len(own) == 0:
            continue
        index, placed = _placed(world, held[:, own], feet.index[own], feet.clearance[own], name, layout, fps, config)
        _move_leg(world, layout, name, index, placed)
    return world


def _placed(
    world: Array,
    held: Mask,
    index: NDArray[np.int_],
    clearance: Array,
    name: str,
    layout: Layout,
    fps: float,
    config: GroundConfig,
) -> tuple[NDArray[np.int_], Array]:
    """All the foot's landmarks (F,) and where they should be (T, F, 3)."""
    ankle = layout.index(f"{name}_ankle")
    heights = clearance
    if ankle not in index:  # the ankle stands still while the whole sole does, at its own height
        index, heights = np.append(index, ankle), np.append(heights, np.nan)
        held = np.column_stack([held, held.all(1)])
    points = world[:, index]
    amounts, shifts = np.zeros(held.shape), np.zeros(points.shape)
    for p in range(len(index)):
        amounts[:, p], shifts[:, p] = _pin(points[:, p], held[:, p], heights[p], fps, config)
    total = np.maximum(amounts.sum(1), 1.0)[:, None]
    common = (amounts[..., None] * shifts).sum(1) / total
    placed = points + amounts[..., None] * shifts + (1.0 - amounts[..., None]) * common[:, None]
    sunk = np.maximum(0.0, np.nanmax(heights - placed[..., 2], axis=1))
    placed[..., 2] += sunk[:, None]
    return index, placed


def _pin(points: Array, held: Mask, height: float, fps: float, config: GroundConfig) -> tuple[Array, Array]:
    """How much (T,) and how far (T, 3) to move points (T, 3) so that each run of `held` stays where it was on average.

    height: where a run stands over the floor; NaN keeps its own. Between runs the last shift of the one before fades
    into the first shift of the next.
    """
    stands, frames = np.array(runs(held)), np.arange(len(points))
    if len(stands) == 0:
        return np.zeros(len(points)), np.zeros(points.shape)
    places = _places(points[:, None], held[:, None])[:, 0]
    places[held, 2] = places[held, 2] if np.isnan(height) else height
    shift = places - points
    after = np.searchsorted(stands[:, 0], frames, "right")  # how many stands have begun
    last, first = stands[np.maximum(after - 1, 0), 1] - 1, stands[np.minimum(after, len(stands) - 1), 0]
    ease = max(1.0, config.ease_s * fps)
    since = np.where(after > 0, np.maximum(frames - last, 0) / ease, np.inf)
    until = np.where(after < len(stands), (first - frames) / ease, np.inf)
    share = np.where(np.isinf(since), 0.0, 1.0 / (1.0 + since / np.maximum(until, 1e-9)))[:, None]
    led = _ramp(share) * shift[last] + (1.0 - _ramp(share)) * shift[first]
    amount = 1.0 - _ramp(np.clip(np.minimum(since, until), 0.0, 1.0))
    return np.where(held, 1.0, amount), np.where(held[:, None], shift, led)


def _ramp(x: Array) -> Array:
    """From 0 to 1 without a jerk, for x from 0 to 1."""
    return x * x * (3.0 - 2.0 * x)


def _move_leg(world: Array, layout: Layout, side: str, index: NDArray[np.int_], placed: Array) -> None:
    """Put a foot's landmarks in place; the knee keeps its bone lengths and its plane, in `world` itself.

    A leg that would have to be longer is stretched evenly: a still foot is seen before a longer shin.
    """
    hip, knee, ankle = (layout.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    a, k, old = world[:, hip], world[:, knee].copy(), world[:, ankle].copy()
    world[:, index] = placed
    new = world[:, ankle]
    thigh, shin = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (k - a, old - k))
    reach = np.maximum(np.linalg.norm(new - a, axis=-1, keepdims=True), 1e-6)
    stretch = np.maximum(1.0, reach / np.maximum(0.9995 * (thigh + shin), 1e-6))
    thigh, shin = thigh * stretch, shin * stretch
    along, before = (new - a) / reach, normalise(old - a)
    bend = (k - a) - ((k - a) * before).sum(-1, keepdims=True) * before
    bend = bend + 0.01 * _forward(world, layout)
    bend = normalise(bend - (bend * along).sum(-1, keepdims=True) * along)
    part = np.clip((thigh**2 - shin**2 + reach**2) / (2.0 * reach), -thigh, thigh)
    moved = np.linalg.norm(new - old, axis=-1, keepdims=True) > 1e-9
    world[:, knee] = np.where(moved, a + part * along + np.sqrt(thigh**2 - part**2) * bend, k)


def _forward(world: Array, layout: Layout) -> Array:
    """Where the hips face, level (T, 3)."""
    across = world[:, layout.index("left_hip")] - world[:, layout.index("right_hip")]
    return normalise(np.cross(across, [0.0, 0.0, 1.0]))
