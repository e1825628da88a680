"""The lifter alone on clips of known truth: `python -m stc_core.evaluation.network_only --clips DIR --weights FILE …`.

MediaPipe detects each clip once; its landmarks are cached in DIR/detections, so that a weights file costs seconds. Its
keypoints are lifted with the true lens, without smoothing or floor, and compared at 13 joints: pelvis, hips, knees,
ankles, shoulders, elbows and wrists. Knows known clips, the detector and the lifter; not the rest of the pipeline, nor
how weights are made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from ..assets import find_weights
from ..capture.config import WEIGHTS
from ..capture.detect.config import DetectConfig, Network
from ..capture.landmark_map import map_landmarks
from ..capture.layout import BODY27, LAYOUTS
from ..capture.lift.config import LiftConfig
from ..capture.lift.lift import lift
from ..capture.pose import CameraIntrinsics, Landmarks, Pose2D, resample_evenly
from ..datasets.body_height import body_height
from ..datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from ..errors import UserError
from ..model.checkpoint import load_checkpoint
from ..model.stcformer import STCFormer
from . import metrics
from .cached_detections import detect_cached
from .end_to_end import ANGLES, COMMON

Array = NDArray[np.float64]

# A limb counts as straight below this flexion: animators read 15 degrees as bent (chosen).
STRAIGHT_DEG = 15.0
# The camera sees the front where it stands within this azimuth of the body's own forward axis (chosen).
FRONT_DEG = 35.0
_KNEES, _ELBOWS = slice(0, 2), slice(2, 4)  # columns of ANGLES


@dataclass(frozen=True)
class NetworkErrors:
    """Means over the frames of a clip: lengths in millimetres, angles in degrees. None: nothing to measure.

    pa: each frame aligned by rotation, shift and scale. clip: one rotation and scale for the clip, pelvis at the
    origin. distance: no alignment, pelvis at the origin, the true body as tall as the network predicts it. knee, elbow:
    absolute errors of the angle. straight_knee, straight_elbow: predicted minus true flexion of limbs whose true
    flexion is below 15 degrees, seen from the front; the `_all` ones from anywhere. tilt: how far the predicted body
    leans against the true one, over the clip; lean: its part towards the camera (positive) or away from it.
    Of networks that predict up: up, the angle from their mean up to the true one in camera axes; upright_tilt, the
    tilt that is left once the predicted up is set upright.
    """

    pa_mm: float
    clip_mm: float
    distance_mm: float
    knee_deg: float
    elbow_deg: float
    straight_knee_deg: float | None
    straight_elbow_deg: float | None
    straight_knee_all_deg: float | None
    straight_elbow_all_deg: float | None
    tilt_deg: float
    lean_deg: float
    up_deg: float | None = None
    upright_tilt_deg: float | None = None


@dataclass(frozen=True)
class DetectedClip:
    """A known clip and its keypoints, evenly spaced."""

    clip: GroundTruthClip
    found: Landmarks

    def keypoints(self, model: STCFormer) -> Pose2D:
        """The keypoints in the network's layout."""
        layout, size = LAYOUTS[model.config.layout], self.clip.camera.image_size
        return resample_evenly(map_landmarks(self.found, size, self.clip.fps, layout))


def load_detected_clips(folder: Path, model: Network = "full", cache: Path | None = None) -> list[DetectedClip]:
    """The clips of a folder with MediaPipe's landmarks, detected now where the cache lacks them or is stale.

    Raises UserError where the folder holds no clip.
    """
    return [
        DetectedClip(clip, detect_cached(clip, DetectConfig(model=model), cache))
        for clip in read_ground_truth_clips(folder)
    ]


def evaluate_network(model: STCFormer, detected: DetectedClip, config: LiftConfig | None = None) -> NetworkErrors:
    """How far the network's prediction on a clip's detected keypoints is from the truth."""
    clip = detected.clip
    intrinsics = CameraIntrinsics(focal_px=float(clip.camera.K[0, 0]), image_size=clip.camera.image_size)
    lifted = lift(detected.keypoints(model), model, intrinsics, config)
    estimate = lifted.joints[:, [lifted.layout.index(name) for name in COMMON]]
    return measure_errors(estimate, clip, model.config.body_height_m, lifted.up)


def measure_errors(
    estimate: Array, clip: GroundTruthClip, body_height_m: float = 0.0, predicted_up: Array | None = None
) -> NetworkErrors:
    """Errors of joints (T, 13, 3), metres, in the axes of the clip's camera, pelvis at 0.

    body_height_m: how tall a body the estimate is meant to be; 0 where it is true to size. predicted_up (3,): unit
    vector in camera axes, where the network predicts up.
    """
    camera = clip.camera
    in_camera = camera.to_camera_axes(clip.rows(COMMON))
    truth = in_camera - in_camera[:, :1]
    true_up = camera.R @ np.array([0.0, 0.0, 1.0])
    up = metrics.clip_alignment(estimate, truth).R.T @ true_up  # where the upright body's up is in the estimate
    flexion, true_flexion = (180.0 - metrics.joint_angles(points, ANGLES) for points in (estimate, truth))
    from_front = np.abs(_azimuth(truth, in_camera[:, 0])) < FRONT_DEG
    excess = {
        f"straight_{name}{suffix}_deg": _mean_excess(flexion[:, part], true_flexion[:, part], seen)
        for name, part in (("knee", _KNEES), ("elbow", _ELBOWS))
        for suffix, seen in (("", from_front), ("_all", np.ones_like(from_front)))
    }
    errors = np.abs(flexion - true_flexion)
    return NetworkErrors(
        pa_mm=metrics.MM * metrics.p_mpjpe(estimate, truth),
        clip_mm=metrics.MM * metrics.clip_mpjpe(estimate, truth),
        distance_mm=metrics.MM * metrics.mpjpe(estimate, truth * _height_ratio(clip, body_height_m)),
        knee_deg=float(errors[:, _KNEES].mean()),
        elbow_deg=float(errors[:, _ELBOWS].mean()),
        tilt_deg=_angle_deg(up, true_up),
        lean_deg=_lean_towards_camera(up, true_up),
        up_deg=None if predicted_up is None else _angle_deg(predicted_up, true_up),
        upright_tilt_deg=None if predicted_up is None else _angle_deg(up, predicted_up),
        **excess,
    )


def _angle_deg(a: Array, b: Array) -> float:
    """The angle between two unit vectors (3,)."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def _azimuth(truth: Array, ray: Array) -> Array:
    """From where the camera sees the body (T,), degrees: 0 from its front, 90 from its left."""
    sides = [(COMMON.index(f"{side}_hip"), COMMON.index(f"{side}_shoulder")) for side in ("left", "right")]
    return metrics.view_angles(truth, ray, sides[0], sides[1], 0)[0]


def _mean_excess(flexion: Array, true_flexion: Array, seen: NDArray[np.bool_]) -> float | None:
    """Mean of predicted minus true flexion (T, limbs) over the straight limbs of the frames `observed` (T,)."""
    straight = (true_flexion < STRAIGHT_DEG) & seen[:, None]
    return float((flexion - true_flexion)[straight].mean()) if straight.any() else None


def _height_ratio(clip: GroundTruthClip, body_height_m: float) -> float:
    if not body_height_m:
        return 1.0
    joints = torch.tensor(clip.rows(BODY27.names)[None])
    return body_height_m / float(body_height(joints))


def _lean_towards_camera(up: Array, true_up: Array) -> float:
    """How far, in degrees, an up (3,) in camera axes (z forward) leans towards the camera against the true one."""
    back = np.array([0.0, 0.0, -1.0])
    level = back - (back @ true_up) * true_up
    level /= max(float(np.linalg.norm(level)), 1e-9)
    return float(np.degrees(np.arctan2(up @ level, up @ true_up)))


_COLUMNS = (
    ("PA mm", "pa_mm"),
    ("clip mm", "clip_mm"),
    ("distance mm", "distance_mm"),
    ("knee °", "knee_deg"),
    ("elbow °", "elbow_deg"),
    ("straight knee °, front", "straight_knee_deg"),
    ("straight elbow °, front", "straight_elbow_deg"),
    ("straight knee °", "straight_knee_all_deg"),
    ("straight elbow °", "straight_elbow_all_deg"),
    ("tilt °", "tilt_deg"),
    ("lean °", "lean_deg"),
    ("up °", "up_deg"),
    ("upright tilt °", "upright_tilt_deg"),
)


def mean_errors(rows: Sequence[NetworkErrors]) -> NetworkErrors:
    """The mean over the clips that have the figure, each clip as heavy as another."""
    means: dict[str, Any] = {}
    for field in fields(NetworkErrors):
        known = [value for row in rows if (value := getattr(row, field.name)) is not None]
        means[field.name] = float(np.mean(known)) if known else None
    return NetworkErrors(**means)


def format_table(what: str, rows: Mapping[str, NetworkErrors]) -> str:
    """Markdown: a line for each name."""
    lines = [f"| {what} | " + " | ".join(title for title, _ in _COLUMNS) + " |", "|---|" + "---|" * len(_COLUMNS)]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(_format_cell(getattr(row, key)) for _, key in _COLUMNS) + " |")
    return "\n".join(lines)


def _format_cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


@dataclass(frozen=True)
class NetworkOnlyConfig:
    """Which networks are compared on which clips."""

    clips: tuple[Path, ...]
    """folders of rendered NAME.mp4 and NAME.npz"""
    weights: tuple[Path, ...] = ()
    """lifters; the one that came with STC Mocap by default"""
    model: Network = "full"
    """MediaPipe's network"""
    cache: Path | None = None
    """where MediaPipe's landmarks are kept; a folder `detections` within each folder of clips by default"""
    brief: bool = False
    """the means only, not every clip"""
    json: Path | None = None
    """also write all figures to this file"""
    threads: int = 1
    """processor threads"""


def evaluate(config: NetworkOnlyConfig) -> dict[str, dict[str, dict[str, NetworkErrors]]]:
    """The errors by weights file, folder and clip. Raises UserError for weights or folders that are not there."""
    folders = {folder.name: load_detected_clips(folder, config.model, config.cache) for folder in config.clips}
    how = LiftConfig(device="cpu", threads=config.threads)
    results = {}
    for path in config.weights or (find_weights(WEIGHTS),):
        model = load_checkpoint(path)
        results[str(path)] = {
            folder: {detected.clip.name: evaluate_network(model, detected, how) for detected in clips}
            for folder, clips in folders.items()
        }
    return results


def summarise(results: Mapping[str, Mapping[str, Mapping[str, NetworkErrors]]]) -> dict[str, NetworkErrors]:
    """The means by weights file and folder, and over all clips where there are several folders."""
    means: dict[str, NetworkErrors] = {}
    for weights, folders in results.items():
        means |= {f"{weights}, {folder}": mean_errors(list(rows.values())) for folder, rows in folders.items()}
        if len(folders) > 1:
            means[f"{weights}, all"] = mean_errors([row for rows in folders.values() for row in rows.values()])
    return means


def main() -> None:
    """The command; a mistake that its user can mend is one line."""
    try:
        config = tyro.cli(NetworkOnlyConfig, description=__doc__)
        results = evaluate(config)
    except UserError as error:
        sys.exit(f"error: {error}")
    for weights, folders in results.items() if not config.brief else ():
        for folder, rows in folders.items():
            print(f"### {weights}, {folder}\n\n{format_table('clip', rows)}\n")
    print(format_table("mean", summarise(results)))
    if config.json:
        plain = {
            weights: {folder: {name: asdict(row) for name, row in rows.items()} for folder, rows in folders.items()}
            for weights, folders in results.items()
        }
        config.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
