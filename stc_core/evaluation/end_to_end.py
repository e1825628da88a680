"""How far the whole way from a video to a motion is from a known truth, beside MediaPipe's own world landmarks.

Both are evaluated at the same 13 points: pelvis, hips, knees, ankles, shoulders, elbows, wrists. PA: each frame aligned
(rotation, shift, scale). Clip: one rotation and scale for the clip, pelvis at the origin. Angle: at elbows and knees.
Tilt: of up; MediaPipe's up is the picture's. Path: of the pelvis, after one rigid transform, in per cent of its length
(in mm where the person stays within a metre). Slide: of the feet (ankle, heel, toe) while the true foot stands. Jitter:
third derivative, pelvis at the origin. In brackets: the truth's own. MediaPipe has no path: for its slide it walks the
true one. "Skeleton" is ours at the joints of the solved skeleton. Knows the pipeline and ground truth; not how errors
are shown elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..capture.config import CaptureConfig, choose_detector, choose_weights
from ..capture.detect.config import DetectConfig
from ..capture.intrinsics import resolve_intrinsics
from ..capture.landmark_map import map_landmarks, map_world_landmarks
from ..capture.layout import BODY27, LAYOUTS
from ..capture.pose import Landmarks, Pose2D
from ..capture.reconstruct import reconstruct_motion
from ..datasets.ground_truth import GroundTruthClip
from ..geometry.rotation import Array
from ..model.checkpoint import load_checkpoint
from ..motion.motion import Motion
from ..motion.quality import foot_slide, jitter
from . import metrics
from .cached_detections import add_lines, detect_clip

_SIDES = ("left", "right")
LIMBS = tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in _SIDES)
COMMON = ("pelvis", *LIMBS)
FEET = tuple(f"{side}_{part}" for side in _SIDES for part in ("ankle", "heel", "toe"))
ANGLES = tuple(
    (COMMON.index(f"{side}_{a}"), COMMON.index(f"{side}_{b}"), COMMON.index(f"{side}_{c}"))
    for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
    for side in _SIDES
)
UP, CAMERA_UP = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
_HUMANOID = {"hip": "upper_leg", "knee": "lower_leg", "ankle": "foot", "shoulder": "upper_arm"}
_HUMANOID |= {"elbow": "lower_arm", "wrist": "hand", "toe": "toes"}
SHORT_PATH_M = 1.0


@dataclass(frozen=True)
class CaptureErrors:
    """Lengths in millimetres, angles in degrees, jitter in m/s^3. None: there is nothing to measure."""

    pa_mm: float
    clip_mm: float
    angle_deg: float
    tilt_deg: float
    jitter_m_s3: float
    slide_mm: float | None
    path_mm: float | None = None
    path_percent: float | None = None


@dataclass(frozen=True)
class EvaluatedPoints:
    """What is evaluated: the 13 points (T, 13, 3), metres; the feet (T, 2, P, 3) with them; which way up is."""

    common: Array
    feet: Array
    up: Array
    has_path: bool = True


@dataclass(frozen=True)
class CapturedClip:
    """A clip, what was observed in it, the motion it became, and MediaPipe's own 3D (T, 27, 3), metres, camera axes."""

    clip: GroundTruthClip
    seen: Pose2D
    motion: Motion
    own: Array


def measure_errors(estimate: EvaluatedPoints, clip: GroundTruthClip) -> CaptureErrors:
    """The figures of one estimate."""
    truth, contacts = clip.rows(COMMON), clip.contacts
    path, true_path = estimate.common[:, 0], truth[:, 0]
    own_path = estimate.has_path
    return CaptureErrors(
        pa_mm=metrics.MM * metrics.p_mpjpe(estimate.common, truth),
        clip_mm=metrics.MM * metrics.clip_mpjpe(estimate.common, truth),
        angle_deg=metrics.angle_error(estimate.common, truth, ANGLES),
        tilt_deg=metrics.tilt(estimate.common, truth, estimate.up, UP),
        jitter_m_s3=jitter(estimate.common - path[:, None], clip.fps),
        slide_mm=foot_slide(estimate.feet, contacts) if _has_stance(contacts) else None,
        path_mm=metrics.MM * metrics.path_error(path, true_path) if own_path else None,
        path_percent=metrics.path_error_percent(path, true_path) if own_path and _is_travelling(clip) else None,
    )


def _has_stance(contacts: NDArray[np.bool_]) -> bool:
    return bool((contacts[1:] & contacts[:-1]).any())


def _is_travelling(clip: GroundTruthClip) -> bool:
    return float(np.ptp(clip.rows(("pelvis",))[:, 0], axis=0).max()) > SHORT_PATH_M


def true_points(clip: GroundTruthClip) -> EvaluatedPoints:
    """The truth itself: it has its own slide and jitter."""
    return EvaluatedPoints(clip.rows(COMMON), _split_feet(clip.rows(FEET)), UP)


def mediapipe_points(own: Array, clip: GroundTruthClip) -> EvaluatedPoints:
    """MediaPipe's own 3D (T, 27, 3). It has no path: its feet are laid on the true one."""
    common, feet = (own[:, [BODY27.index(name) for name in names]] for names in (COMMON, FEET))
    truth = clip.rows(COMMON)
    laid = metrics.clip_alignment(common, truth).apply(feet - common[:, :1]) + truth[:, :1]
    return EvaluatedPoints(common, _split_feet(laid), CAMERA_UP, has_path=False)


def landmark_points(motion: Motion) -> EvaluatedPoints:
    """Our landmarks in the world, before they became rotations."""
    at = motion.landmarks["landmarks_3d"]
    common = at[:, [motion.landmark_names.index(name) for name in COMMON]]
    feet = [name for name in FEET if name in motion.landmark_names]
    return EvaluatedPoints(common, _split_feet(at[:, [motion.landmark_names.index(name) for name in feet]]), UP)


def skeleton_points(motion: Motion) -> EvaluatedPoints:
    """Our skeleton's joints: what a rig gets."""
    positions, index = motion.positions(), motion.skeleton.index
    at = {f"{s}_{name}": positions[:, index(f"{s}_{joint}")] for name, joint in _HUMANOID.items() for s in _SIDES}
    at["pelvis"] = (at["left_hip"] + at["right_hip"]) / 2.0
    feet = [at[f"{side}_{name}"] for side in _SIDES for name in ("ankle", "toe")]
    return EvaluatedPoints(np.stack([at[name] for name in COMMON], 1), _split_feet(np.stack(feet, 1)), UP)


def _split_feet(points: Array) -> Array:
    """Points (T, 2 P, 3), the left foot's first, as (T, 2, P, 3)."""
    return points.reshape(len(points), 2, -1, 3)


def contact_f1(estimate: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall of standing feet (T, 2)."""
    right = float((estimate & truth).sum())
    return 2.0 * right / max(float(estimate.sum() + truth.sum()), 1.0)


def capture_clip(
    clip: GroundTruthClip,
    config: CaptureConfig,
    true_focal: bool = False,
    detect: Callable[[GroundTruthClip, DetectConfig], Landmarks] = detect_clip,
) -> CapturedClip:
    """Detect (by `detect`), lift, smooth, ground and solve one clip of a camera that stands still.

    true_focal: with its camera's focal length.
    """
    model = load_checkpoint(choose_weights(config))
    detector = choose_detector(config)
    found = detect(clip, detector)
    if not true_focal and config.camera.focal_px is None:
        found = add_lines(clip, found)
    seen = map_landmarks(found, clip.camera.image_size, clip.fps, LAYOUTS[model.config.layout])
    if true_focal:
        config = replace(config, camera=replace(config.camera, focal_px=float(clip.camera.K[0, 0])))
    intrinsics = resolve_intrinsics(config.camera, clip.camera.image_size)
    as_it_comes = detect(clip, replace(detector, time_stretch=1.0))
    return CapturedClip(
        clip, seen, reconstruct_motion(seen, model, intrinsics, config), map_world_landmarks(as_it_comes, BODY27)
    )


def evaluate_capture(walked: CapturedClip) -> dict[str, Any]:
    """All rows of one clip, by who made the estimate."""
    clip, motion, seen = walked.clip, walked.motion, walked.seen
    pixels = clip.camera.project(clip.rows(COMMON))
    keypoints = seen.keypoints[:, [seen.layout.index(name) for name in COMMON]]
    points = {
        "ours": landmark_points(motion),
        "ours, skeleton": skeleton_points(motion),
        "MediaPipe": mediapipe_points(walked.own, clip),
        "truth": true_points(clip),
    }
    return {
        "frames": len(clip.landmarks),
        "median_2d_px": float(np.median(np.linalg.norm(keypoints - pixels, axis=-1))),
        "contact_f1": contact_f1(motion.contacts, clip.contacts),
        "path_m": metrics.path_length(clip.rows(("pelvis",))[:, 0]),
        "figures": {who: asdict(measure_errors(estimate, clip)) for who, estimate in points.items()},
    }


_COLUMNS = (
    ("PA mm", "pa_mm", 0),
    ("clip mm", "clip_mm", 0),
    ("angle °", "angle_deg", 1),
    ("tilt °", "tilt_deg", 1),
    ("path", "path", 1),
    ("slide mm/frame", "slide_mm", 1),
    ("jitter m/s³", "jitter_m_s3", 0),
)


def format_table(rows: Mapping[str, Any]) -> str:
    """The table: for each clip a line for ours, our skeleton, MediaPipe; the truth's own slide and jitter behind."""
    lines = [
        "| clip | who | " + " | ".join(title for title, _, _ in _COLUMNS) + " |",
        "|---|---|" + "---|" * len(_COLUMNS),
    ]
    for name, row in [*rows.items(), ("**mean**", average_rows(rows))]:
        for who in ("ours", "ours, skeleton", "MediaPipe"):
            cells = [_format_cell(row["figures"][who], key, digits) for _, key, digits in _COLUMNS]
            for column, key in ((5, "slide_mm"), (6, "jitter_m_s3")):
                true = row["figures"]["truth"][key]
                cells[column] += f" ({true:.{_COLUMNS[column][2]}f})" if true is not None else ""
            lines.append(f"| {name if who == 'ours' else ''} | {who} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _format_cell(values: dict[str, float | None], key: str, digits: int) -> str:
    if key == "path":
        percent, mm = values["path_percent"], values["path_mm"]
        return f"{percent:.1f} %" if percent is not None else f"{mm:.0f} mm" if mm is not None else "–"
    value = values[key]
    return "–" if value is None else f"{value:.{digits}f}"


def average_rows(rows: Mapping[str, Any]) -> dict[str, Any]:
    """The mean over the clips that have the figure; the path in per cent over those that travel."""
    means: dict[str, dict[str, float | None]] = {}
    for who in next(iter(rows.values()))["figures"]:
        values = {
            key: [row["figures"][who][key] for row in rows.values()] for key in CaptureErrors.__dataclass_fields__
        }
        known = {key: [v for v in column if v is not None] for key, column in values.items()}
        means[who] = {key: float(np.mean(column)) if column else None for key, column in known.items()}
    return {"figures": means}
