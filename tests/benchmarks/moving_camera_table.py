"""Clips of cameras that move, beside the same by cameras that stand still.

    python -m tests.benchmarks.moving_camera_table --clips DIR [--cached] [--true-focal]

DIR is what `python -m tests.benchmarks.ground_truth.render_moving` drew. Prints as Markdown, for each clip and for each
kind: the error of the path of the person, in per cent of its length (in mm where the person stays within a metre),
aligned joints' error as a multiple of that of the still camera, slide, the error of the camera's own path and how its
scale came out. `stc_core/evaluation/end_to_end.py` says what each figure is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stc_core.capture.camera_motion.background import BackgroundTracker
from stc_core.capture.camera_motion.tracks import track_background
from stc_core.capture.config import CaptureConfig, choose_detector, choose_weights
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.intrinsics import resolve_intrinsics
from stc_core.capture.landmark_map import map_landmarks
from stc_core.capture.layout import LAYOUTS
from stc_core.capture.pose import Landmarks
from stc_core.capture.reconstruct import reconstruct_motion
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from stc_core.evaluation import metrics
from stc_core.evaluation.cached_detections import detect_cached, detect_clip
from stc_core.evaluation.end_to_end import CaptureErrors, landmark_points, measure_errors
from stc_core.events import Event, Note
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.model.checkpoint import load_checkpoint
from stc_core.motion.motion import Camera, Motion

Detect = Callable[[GroundTruthClip, DetectConfig], Landmarks]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is printed of a clip."""

    kind: str
    errors: CaptureErrors
    still: CaptureErrors | None
    rotation_deg: float
    camera_path_m: float
    camera_percent: float
    scale: float
    focal_ratio: float
    notes: list[str]


def capture_moving(
    clip: GroundTruthClip, config: CaptureConfig, detect: Detect, true_focal: bool
) -> tuple[Motion, list[str]]:
    """The motion of a clip, and what was said of its camera."""
    model = load_checkpoint(choose_weights(config))
    found = detect(clip, choose_detector(config))
    background = BackgroundTracker(config.camera_motion)
    for _ in background.watch(open_video(clip.video, VideoConfig())):
        pass
    summary = background.describe_motion(found.timestamps, found.boxes)
    if summary and config.camera_motion.follow_camera:
        frames = open_video(clip.video, VideoConfig())
        found = replace(found, background=track_background(frames, found.boxes, found.others, summary))
    seen = map_landmarks(found, clip.camera.image_size, clip.fps, LAYOUTS[model.config.layout])
    if true_focal:
        config = replace(config, camera=replace(config.camera, focal_px=float(clip.camera.K[0, 0])))
    notes: list[str] = []

    def keep(event: Event) -> None:
        if isinstance(event, Note) and event.kind in ("camera", "guess"):
            notes.append(event.message)

    intrinsics = resolve_intrinsics(config.camera, clip.camera.image_size)
    return reconstruct_motion(seen, model, intrinsics, config, keep), notes


def compare_cameras(found: Camera, true: Camera) -> tuple[float, float, float, float]:
    """Mean rotation error in degrees, the true path's length in metres, the path's error in per cent of it after the
    scale is taken away, and that scale; all about the first frame."""
    if true.path is None or found.path is None:
        return np.nan, 0.0, np.nan, np.nan
    (R, p), (true_R, true_p) = (_relative_path(camera) for camera in (found, true))
    turns = np.degrees(rotation.angle(rotation.from_matrix(R @ true_R.swapaxes(1, 2))))
    length = metrics.path_length(true_p)
    if length < 1e-6:
        return float(turns.mean()), 0.0, np.nan, np.nan
    scale = float((p * true_p).sum() / max((p**2).sum(), 1e-12))
    error = float(np.linalg.norm(scale * p - true_p, axis=-1).mean())
    return float(turns.mean()), length, 100.0 * error / length, 1.0 / scale if scale else np.nan


def _relative_path(camera: Camera) -> tuple[Array, Array]:
    """Rotations (T, 3, 3) and positions (T, 3) of a camera in its first frame's axes."""
    assert camera.path is not None
    R, t = camera.path.R, camera.path.t
    eyes = -np.einsum("tji,tj->ti", R, t)
    return R[0] @ R.swapaxes(1, 2), (eyes - eyes[0]) @ R[0].T


def measure_clip(clip: GroundTruthClip, config: CaptureConfig, detect: Detect, true_focal: bool) -> Row:
    motion, notes = capture_moving(clip, config, detect, true_focal)
    assert motion.camera is not None
    rotation_deg, length, percent, scale = compare_cameras(motion.camera, clip.camera)
    return Row(
        kind=clip.action,
        errors=measure_errors(landmark_points(motion), clip),
        still=None,
        rotation_deg=rotation_deg,
        camera_path_m=length,
        camera_percent=percent,
        scale=scale,
        focal_ratio=float(motion.camera.K[0, 0] / clip.camera.K[0, 0]),
        notes=notes,
    )


_COLUMNS = (
    *("clip", "kind", "path", "PA mm", "of still", "clip mm", "of still", "tilt °", "slide mm/frame"),
    *("camera's rotation", "path", "its error", "scale", "focal"),
)


def format_row(name: str, row: Row) -> str:
    errors, still = row.errors, row.still
    path = f"{errors.path_percent:.1f} %" if errors.path_percent is not None else f"{errors.path_mm:.0f} mm"
    cells = [name, row.kind, path, f"{errors.pa_mm:.0f}", f"{errors.pa_mm / still.pa_mm:.2f}" if still else "–"]
    cells += [f"{errors.clip_mm:.0f}", f"{errors.clip_mm / still.clip_mm:.2f}" if still else "–"]
    cells += [f"{errors.tilt_deg:.1f}", "–" if errors.slide_mm is None else f"{errors.slide_mm:.1f}"]
    cells += [f"{row.rotation_deg:.2f}°" if np.isfinite(row.rotation_deg) else "–"]
    travels = row.camera_path_m > 0.0
    cells += [f"{row.camera_path_m:.1f} m", f"{row.camera_percent:.1f} %", f"{row.scale:.2f}"] if travels else ["–"] * 3
    return "| " + " | ".join([*cells, f"{row.focal_ratio:.2f}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--names", nargs="*", help="names of clips; all where absent")
    parser.add_argument(
        "--cached", action="store_true", help="keep MediaPipe's landmarks beside the clips, or take them"
    )
    parser.add_argument("--true-focal", action="store_true", help="tell us the camera's focal length")
    parser.add_argument("--still-world", action="store_true", help="take the cameras to stand still")
    flags = parser.parse_args()
    config = CaptureConfig()
    if flags.still_world:
        config = replace(config, camera_motion=replace(config.camera_motion, follow_camera=False))
    detect = detect_cached if flags.cached else detect_clip
    clips = [
        c
        for c in read_ground_truth_clips(flags.clips)
        if not flags.names or c.name.removesuffix("_still") in flags.names
    ]
    rows = {clip.name: measure_clip(clip, config, detect, flags.true_focal) for clip in clips}
    print("| " + " | ".join(_COLUMNS) + " |\n" + "|---" * len(_COLUMNS) + "|")
    for name, row in rows.items():
        still = rows.get(f"{name}_still")
        print(format_row(name, replace(row, still=still.errors if still else None)))
    for name, row in rows.items():
        print(f"\n{name}: " + " ".join(row.notes), end="")
    print()


if __name__ == "__main__":
    main()
