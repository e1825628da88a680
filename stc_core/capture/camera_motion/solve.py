"""How the camera moved, from corners of the background followed through a take.

A camera that only rotates, one that also zooms and one that also goes somewhere are tried in turn, and the simplest
that explains the corners is taken. Where it went is known up to scale. Knows tracks and pinholes; not the person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.alignment import nearest_rotation
from ...geometry.intervals import interpolate
from ..layout import Array
from ..pose import BackgroundTracks, CameraMotion
from .adjustment import (
    Bundle,
    Freedom,
    Index,
    Sightings,
    adjust,
    estimate_focal_sigma,
    measure_loss,
    measure_residuals,
)

# Chosen on rendered clips of moving cameras. Pixels are of a picture whose longer side is 640.
_WIDTH_PX = 640.0
_KEYFRAME_S, _SHARED_FRACTION = 0.2, 0.5
_POINTS_PER_KEYFRAME = 80
_MIN_SHARED = 12  # corners in two keyframes in a row
_KABSCH_ROUNDS, _KABSCH_SIGMA_PX = 8, 3.0
# Cauchy's scale in pixels, from one at which every corner counts (Black and Rangarajan 1996), and the most steps
_COARSE_TO_FINE = ((30.0, 40), (10.0, 12), (3.0, 12), (1.0, 12))
_ROUNDS = 12  # of the cameras between keyframes
_MIN_RHO = 1e-3
_FEW_CAMERAS = 30
_GOOD_PX, _GOOD_FRACTION = 2.0, 0.55  # of the corners in every keyframe, explained this well
_EXPLAINED_PX = 0.4  # a median residual below which no further motion is looked for
_CORNERS_ERR_TOGETHER = 6.0  # the focal length errs by this much more than corners that err alone would make it
_MAX_FOCAL_SIGMA = 0.08  # of the focal length: what is less certain is not believed
_FOV_RANGE_DEG = (12.0, 125.0)  # across the longer side: other lenses are not believed
_SIMPLER_LOSS = 1.15  # a simpler motion is believed if its loss is no more than this many times as large


@dataclass(frozen=True, kw_only=True)
class Keyframes:
    """Sightings in C keyframes of a take, by cameras of which nothing is known yet."""

    frames: Index
    """(C,): which frames of the take"""
    seen: Sightings
    tracks: Index
    """(N,): which track each point is"""
    scale: float
    """of the picture in which residuals are measured"""


class NotFollowed(Exception):
    """Why the camera could not be followed: the end of a sentence."""


@dataclass(frozen=True, kw_only=True)
class FollowedCamera:
    """How a camera moved, and its lens in the first frame."""

    motion: CameraMotion
    focal_px: float
    focal_sigma: float | None
    """the focal length's standard error, as a fraction of it; None where it was not found but given"""


def solve_camera_motion(tracks: BackgroundTracks, focal_px: float, is_assumed: bool = False) -> FollowedCamera:
    """The camera's motion over the tracks' frames, and its focal length where the given one `is_assumed`.

    Raises NotFollowed where the background does not tell the motion; where it does not tell the lens the given one is
    kept.
    """
    keyframes = choose_keyframes(tracks)
    solution = solve_keyframes(keyframes, focal_px * keyframes.scale, is_assumed)
    check_explained(solution.bundle, keyframes.seen)
    bundle = _solve_all_frames(tracks, keyframes, solution.bundle, solution.free)
    motion = CameraMotion(
        R_first_camera=bundle.R.swapaxes(1, 2),
        t_first_camera=bundle.p,
        zoom=np.exp(bundle.log_zoom - bundle.log_zoom[0]),
        is_metric=not solution.free.positions,
    )
    found_px = focal_px if solution.focal_sigma is None else bundle.focal_px / keyframes.scale
    return FollowedCamera(motion=motion, focal_px=found_px, focal_sigma=solution.focal_sigma)


def choose_keyframes(tracks: BackgroundTracks) -> Keyframes:
    """Frames a fifth of a second apart, less where corners pass quickly, and the corners that most of them see."""
    count = len(tracks.timestamps)
    if count < 2 or not len(tracks.track):
        raise NotFollowed("it shows nothing that could be followed")
    frames = _choose_frames(tracks)
    camera_of_frame = np.full(count, -1)
    camera_of_frame[frames] = np.arange(len(frames))
    rows = np.flatnonzero(camera_of_frame[tracks.frame] >= 0)
    camera = camera_of_frame[tracks.frame[rows]]
    chosen = _choose_tracks(camera, tracks.track[rows].astype(np.intp), len(frames))
    kept = np.isin(tracks.track[rows], chosen)
    rows, camera = rows[kept], camera[kept]
    scale = _WIDTH_PX / max(tracks.image_size)
    pixels = (tracks.points[rows] - np.divide(tracks.image_size, 2.0)) * scale
    point = np.searchsorted(chosen, tracks.track[rows])
    keyframes = Keyframes(
        frames=frames, seen=Sightings(camera=camera, point=point, pixels=pixels), tracks=chosen, scale=scale
    )
    shared = [len(_match(keyframes.seen, c)[0]) for c in range(len(frames) - 1)]
    if min(shared) < _MIN_SHARED:
        time_s = float(tracks.timestamps[frames[int(np.argmin(shared))]])
        raise NotFollowed(f"it shows too little that could be followed at {time_s:.2f} s")
    return keyframes


def _choose_frames(tracks: BackgroundTracks) -> Index:
    """The keyframes: each the last in reach that still sees half of the one before."""
    count, starts = len(tracks.timestamps), np.searchsorted(tracks.frame, np.arange(len(tracks.timestamps) + 1))
    seen = [tracks.track[a:b] for a, b in pairwise(starts)]
    chosen = [0]
    while chosen[-1] < count - 1:
        last = chosen[-1]
        reach = int(np.searchsorted(tracks.timestamps, tracks.timestamps[last] + _KEYFRAME_S + 1e-6, "right")) - 1
        following = max(last + 1, min(reach, count - 1))
        while following > last + 1 and np.isin(seen[last], seen[following]).sum() < _SHARED_FRACTION * len(seen[last]):
            following -= 1
        chosen.append(following)
    return np.array(chosen, np.intp)


def _choose_tracks(camera: Index, track: Index, cameras: int) -> Index:
    """The tracks that are seen longest, so many that every camera sees enough, in rising order."""
    order = np.argsort(track, kind="stable")
    ids, starts = np.unique(track[order], return_index=True)
    seen_by = np.split(camera[order], starts[1:])
    counts, chosen = np.zeros(cameras, int), []
    for row in sorted(range(len(ids)), key=lambda row: -len(seen_by[row])):
        if len(seen_by[row]) >= 2 and counts[seen_by[row]].min() < _POINTS_PER_KEYFRAME:
            counts[seen_by[row]] += 1
            chosen.append(ids[row])
    return np.sort(np.array(chosen, np.intp))


def _match(seen: Sightings, camera: int) -> tuple[Index, Index]:
    """The sightings of the points that a camera shares with the next: its own, and the next one's."""
    own, following = np.flatnonzero(seen.camera == camera), np.flatnonzero(seen.camera == camera + 1)
    _, a, b = np.intersect1d(seen.point[own], seen.point[following], return_indices=True)
    return own[a], following[b]


@dataclass(frozen=True, kw_only=True)
class _Solution:
    """Cameras and points, what had to move for it, and the standard error of a focal length that was found."""

    bundle: Bundle
    free: Freedom
    focal_sigma: float | None = None


def solve_keyframes(keyframes: Keyframes, focal_px: float, is_assumed: bool) -> _Solution:
    """The keyframes' cameras and points: the simplest motion that explains what they see."""
    seen, cameras = keyframes.seen, len(keyframes.frames)
    tried: list[_Solution] = []
    for free in (Freedom(), Freedom(zoom=True), Freedom(positions=True)):
        if free.positions:
            start = _solve_some(start_bundle(seen, cameras, focal_px), seen, free)
        else:
            start = start_bundle(seen, cameras, focal_px, free.zoom)
        solution = _Solution(bundle=_refine(start, seen, free), free=free)
        tried.append(_find_lens(solution, seen) if is_assumed else solution)
        if np.median(measure_residuals(tried[-1].bundle, seen)) < _EXPLAINED_PX:
            break
    losses = [measure_loss(one.bundle, seen, replace(one.free, positions=False)) for one in tried]
    return next(one for one, loss in zip(tried, losses, strict=True) if loss < _SIMPLER_LOSS * min(losses))


def _find_lens(solution: _Solution, seen: Sightings) -> _Solution:
    """The solution with its own focal length (self-calibration), where the corners tell it; else as it was.

    A camera that rotates shows its lens (Hartley 1994): how fast the picture's border passes against its middle.
    """
    free = replace(solution.free, focal=True)
    bundle = solution.bundle
    for cauchy_px, rounds in _COARSE_TO_FINE[-2:]:
        bundle = _normalise_unit(adjust(bundle, seen, replace(free, cauchy_px=cauchy_px), 2 * rounds))
    fov_deg = 2.0 * np.degrees(np.arctan(_WIDTH_PX / 2.0 / bundle.focal_px))
    if not _FOV_RANGE_DEG[0] < fov_deg < _FOV_RANGE_DEG[1]:
        return solution
    sigma = _CORNERS_ERR_TOGETHER * estimate_focal_sigma(bundle, seen, solution.free)
    return replace(solution, bundle=bundle, focal_sigma=sigma) if sigma < _MAX_FOCAL_SIGMA else solution


def _refine(bundle: Bundle, seen: Sightings, free: Freedom) -> Bundle:
    for cauchy_px, rounds in _COARSE_TO_FINE:
        bundle = _normalise_unit(adjust(bundle, seen, replace(free, cauchy_px=cauchy_px), rounds))
    return bundle


def _solve_some(bundle: Bundle, seen: Sightings, free: Freedom) -> Bundle:
    """The bundle solved for some of its cameras, where there are many, and the others put between them.

    Finding a path takes many steps from where the camera goes nowhere; they are made where they cost little.
    """
    cameras = len(bundle.p)
    if cameras < 2 * _FEW_CAMERAS:
        return bundle
    some = np.unique(np.linspace(0, cameras - 1, _FEW_CAMERAS).round().astype(np.intp))
    place = np.full(cameras, -1)
    place[some] = np.arange(len(some))
    rows = place[seen.camera] >= 0
    few = replace(bundle, R=bundle.R[some], p=bundle.p[some], log_zoom=bundle.log_zoom[some])
    few_seen = Sightings(camera=place[seen.camera[rows]], point=seen.point[rows], pixels=seen.pixels[rows])
    few = _refine(few, few_seen, free)
    at = np.arange(cameras, dtype=float)
    R = nearest_rotation(interpolate(few.R, some.astype(float), at))[0]
    between = replace(few, R=R, p=interpolate(few.p, some.astype(float), at), log_zoom=bundle.log_zoom)
    return adjust(between, seen, replace(free, points=False, cauchy_px=_COARSE_TO_FINE[0][0]), _ROUNDS)


def _normalise_unit(bundle: Bundle) -> Bundle:
    """The same with the points' median distance as the unit, before the camera and not behind it."""
    unit = float(np.median(bundle.rho))
    return replace(bundle, rho=bundle.rho / unit, p=bundle.p * unit) if abs(unit) > _MIN_RHO else bundle


def start_bundle(seen: Sightings, cameras: int, focal_px: float, zooms: bool = False) -> Bundle:
    """Cameras that only rotate, chained from each to the next, and points as far as they see them."""
    log_zoom = np.zeros(cameras)
    R = [np.eye(3)]
    for camera in range(cameras - 1):
        own, following = _match(seen, camera)
        if zooms:
            log_zoom[camera + 1] = log_zoom[camera] + _measure_log_scale(seen.pixels[own], seen.pixels[following])
        rays = [
            _cast_rays(seen.pixels[rows], focal_px * np.exp(log_zoom[camera + later]))
            for later, rows in enumerate((own, following))
        ]
        R.append(_fit_rotation(rays[0], rays[1], _KABSCH_SIGMA_PX / focal_px) @ R[-1])
    rays_seen = _cast_rays(seen.pixels, focal_px * np.exp(log_zoom[seen.camera])[:, None])
    in_first = np.einsum("mji,mj->mi", np.array(R)[seen.camera], rays_seen)
    sums = np.stack([np.bincount(seen.point, column) for column in in_first.T], -1)
    return Bundle(
        R=np.array(R),
        p=np.zeros((cameras, 3)),
        log_zoom=log_zoom,
        focal_px=focal_px,
        b=rotation.normalise(sums),
        rho=np.ones(len(sums)),
    )


def _cast_rays(pixels: Array, focal_px: float | Array) -> Array:
    return rotation.normalise(np.concatenate([pixels / focal_px, np.ones((len(pixels), 1))], -1))


def _fit_rotation(before: Array, after: Array, sigma: float) -> Array:
    """The rotation (3, 3) that takes rays (N, 3) to those after; rays that disagree lose weight (Cauchy)."""
    weight = np.ones(len(before))
    for _ in range(_KABSCH_ROUNDS):
        R = nearest_rotation((after * weight[:, None]).T @ before)[0]
        weight = 1.0 / (1.0 + (np.linalg.norm(after - before @ R.T, axis=-1) / sigma) ** 2)
    return R


def _measure_log_scale(before: Array, after: Array) -> float:
    """The logarithm of how much larger the picture became: the median over pairs of points (N, 2) far apart."""
    half = len(before) // 2
    order = np.argsort(before[:, 0])
    low, high = order[:half], order[-half:]
    lengths = [np.linalg.norm(points[high] - points[low], axis=-1) for points in (before, after)]
    return float(np.median(np.log(np.maximum(lengths[1], 1e-6) / np.maximum(lengths[0], 1e-6))))


def check_explained(bundle: Bundle, seen: Sightings) -> None:
    """Raise NotFollowed where too many corners of a keyframe are not where the motion puts them."""
    good = measure_residuals(bundle, seen) < _GOOD_PX
    cameras = len(bundle.p)
    fractions = np.bincount(seen.camera, good, cameras) / np.maximum(np.bincount(seen.camera, minlength=cameras), 1)
    if fractions.min() < _GOOD_FRACTION:
        raise NotFollowed("too much in it moves by itself")


def _solve_all_frames(tracks: BackgroundTracks, keyframes: Keyframes, bundle: Bundle, free: Freedom) -> Bundle:
    """The cameras of all frames, between those of keyframes, each moved to where the keyframes' points are seen."""
    times, key_times = tracks.timestamps, tracks.timestamps[keyframes.frames]
    start = replace(
        bundle,
        R=nearest_rotation(interpolate(bundle.R, key_times, times))[0],
        p=interpolate(bundle.p, key_times, times),
        log_zoom=interpolate(bundle.log_zoom, key_times, times),
    )
    good = measure_residuals(bundle, keyframes.seen) < _GOOD_PX
    reliable = np.bincount(keyframes.seen.point, good) > 0.5 * np.bincount(keyframes.seen.point)
    rows = np.flatnonzero(np.isin(tracks.track, keyframes.tracks[reliable]))
    seen = Sightings(
        camera=tracks.frame[rows].astype(np.intp),
        point=np.searchsorted(keyframes.tracks, tracks.track[rows]),
        pixels=(tracks.points[rows] - np.divide(tracks.image_size, 2.0)) * keyframes.scale,
    )
    is_first: NDArray[np.bool_] = np.arange(len(times)) == 0
    return adjust(start, seen, replace(free, points=False, focal=False), _ROUNDS, is_first)
