"""The frames that are furthest from the truth, as a picture.

    python -m tests.benchmarks.worst_frames --clips DIR --out FILE

One frame of each of the worst clips: the picture, and beside it truth and result (aligned by turn, shift and scale)
from the camera and from its right. The result is the solved skeleton's joints, what a rig gets.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stc_core.capture.config import CaptureConfig
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth_clips
from stc_core.evaluation import metrics
from stc_core.evaluation.end_to_end import COMMON, capture_clip, skeleton_points
from stc_core.geometry import alignment
from stc_core.geometry.rotation import Array

_SIDES = ("left", "right")
BONES = tuple(
    (COMMON.index(a), COMMON.index(b))
    for s in _SIDES
    for a, b in (
        ("pelvis", f"{s}_hip"),
        (f"{s}_hip", f"{s}_knee"),
        (f"{s}_knee", f"{s}_ankle"),
        (f"{s}_hip", f"{s}_shoulder"),
        (f"{s}_shoulder", f"{s}_elbow"),
        (f"{s}_elbow", f"{s}_wrist"),
        ("left_shoulder", "right_shoulder"),
    )
)
_TRUTH, _OURS = "#000000", "#d55e00"
_MARGIN = 0.15


@dataclass(frozen=True)
class Failure:
    """A clip's worst frame. truth, ours (13, 3): metres, camera axes, pelvis of the truth at 0, ours aligned to it."""

    clip: GroundTruthClip
    frame: int
    pa_mm: float
    truth: Array
    ours: Array


def find_worst_frame(clip: GroundTruthClip, config: CaptureConfig) -> Failure:
    """The frame of a clip that is furthest off when aligned."""
    estimate, truth = skeleton_points(capture_clip(clip, config).motion).common, clip.rows(COMMON)
    errors = metrics.MM * metrics.p_mpjpe_each(estimate, truth)
    frame = int(errors.argmax())
    ours = alignment.align(estimate[frame], truth[frame]).apply(estimate[frame])
    seen = [(points - truth[frame, 0]) @ clip.camera.R.T for points in (truth[frame], ours)]
    return Failure(clip, frame, float(errors[frame]), *seen)


def draw(failures: list[Failure], path: Path) -> None:
    """A row for each: picture, view from the camera, view from its right."""
    figure = Figure((7.5, 2.6 * len(failures)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(failures), 3, squeeze=False)
    for failure, (picture, front, side) in zip(failures, axes, strict=True):
        picture.imshow(_crop(failure))
        picture.set_title(f"{failure.clip.name}, frame {failure.frame}: {failure.pa_mm:.0f} mm", fontsize=8)
        _skeletons(front, failure, 0)
        _skeletons(side, failure, 2)
    axes[0, 1].set_title("from the camera", fontsize=8)
    axes[0, 2].set_title("from the right, the camera on the left", fontsize=8)
    for one in axes.flat:
        one.set(xticks=[], yticks=[])
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    figure.savefig(path)


def _skeletons(axes: Axes, failure: Failure, across: int) -> None:
    for name, colour, points in (("truth", _TRUTH, failure.truth), ("STC Mocap", _OURS, failure.ours)):
        for number, bone in enumerate(BONES):
            part = points[list(bone)]
            label = None if number else name
            axes.plot(part[:, across], -part[:, 1], color=colour, linewidth=1.8, alpha=0.85, label=label)
    axes.set_aspect("equal", adjustable="datalim")


def _crop(failure: Failure) -> NDArray[np.uint8]:
    """The person in the picture, with a margin."""
    clip = failure.clip
    _, frame = next(islice(open_video(clip.video, VideoConfig()), failure.frame, None))
    pixels = clip.camera.project(clip.landmarks[failure.frame])
    low, high = pixels.min(0), pixels.max(0)
    half = (high - low).max() * (0.5 + _MARGIN)
    (x0, y0), (x1, y1) = np.maximum((low + high) / 2 - half, 0).astype(int), ((low + high) / 2 + half).astype(int)
    return frame[y0:y1, x0:x1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--clips", type=Path, default=Path("tests/truth"), help="folder of NAME.mp4 and NAME.npz")
    parser.add_argument("--out", type=Path, required=True, help="the PNG file to write")
    parser.add_argument("--weights", type=Path, help="the lifter's; those that came with STC Mocap where absent")
    parser.add_argument("--count", type=int, default=4, help="how many clips to show")
    flags = parser.parse_args()
    found = [
        find_worst_frame(clip, CaptureConfig(weights=flags.weights)) for clip in read_ground_truth_clips(flags.clips)
    ]
    draw(sorted(found, key=lambda failure: -failure.pa_mm)[: flags.count], flags.out)


if __name__ == "__main__":
    main()
