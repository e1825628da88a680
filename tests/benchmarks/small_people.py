"""How many frames a small person is found in: `python -m tests.benchmarks.small_people [--clips DIR]`.

Clips of known truth (the tests' sample by default) are shrunk and set into pictures of 1920 by 1080, so that the
person's median height is as many pixels. A frame counts where the landmarks' middle lies in the box of the true ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.detect import detect_landmarks
from stc_core.capture.pose import TimedFrame
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth, read_ground_truth_clips
from stc_core.events import ignore
from stc_core.geometry.rotation import Array

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.npz"
SIZE = (1920, 1080)
ASIDE = (0.72, 0.6)  # where the clip's middle lies, fractions of the picture


@dataclass(frozen=True)
class SmallClip:
    """A clip set into a larger picture: pixels there are `scale` times the clip's, plus `corner`."""

    clip: GroundTruthClip
    scale: float
    corner: tuple[int, int]

    def true_boxes(self) -> Array:
        """(T, 4) left, top, right, bottom of the true landmarks, pixels."""
        pixels = self.clip.camera.project(self.clip.landmarks) * self.scale + self.corner
        return np.concatenate([pixels.min(1), pixels.max(1)], -1)

    def frames(self) -> Iterator[TimedFrame]:
        """The clip's frames in the larger picture, its border's colours drawn out."""
        for time_s, frame in open_video(self.clip.video, VideoConfig()):
            size = (round(frame.shape[1] * self.scale), round(frame.shape[0] * self.scale))
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            left, top = self.corner
            borders = (top, SIZE[1] - top - size[1], left, SIZE[0] - left - size[0])
            yield time_s, np.asarray(cv2.copyMakeBorder(small, *borders, cv2.BORDER_REPLICATE), np.uint8)


def shrink_clip(clip: GroundTruthClip, height_px: float) -> SmallClip:
    """The clip with a person of this median height."""
    own = np.median(np.ptp(clip.camera.project(clip.landmarks)[..., 1], axis=1))
    scale = height_px / float(own)
    size = np.round(np.array(clip.camera.image_size) * scale)
    corner = np.clip(np.array(ASIDE) * SIZE - size / 2.0, 0.0, np.array(SIZE) - size).astype(int)
    return SmallClip(clip, scale, (int(corner[0]), int(corner[1])))


def found_fraction(small: SmallClip) -> float:
    """The fraction of frames in which the right person is found."""
    boxes = small.true_boxes()
    found = detect_landmarks(small.frames(), len(boxes), DetectConfig(), ignore)
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2.0
    inside = (middle > boxes[: len(middle), :2]) & (middle < boxes[: len(middle), 2:])
    return float(inside.all(-1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="a folder of clips of known truth; the tests' sample by default")
    parser.add_argument("--only", nargs="*", help="names of clips")
    parser.add_argument("--heights", type=float, nargs="+", default=(100.0, 150.0, 200.0))
    flags = parser.parse_args()
    clips = read_ground_truth_clips(flags.clips) if flags.clips else [read_ground_truth(SAMPLE)]
    print("| clip | " + " | ".join(f"{height:g} px" for height in flags.heights) + " |")
    print("|---|" + "---|" * len(flags.heights))
    means: list[list[float]] = []
    for clip in clips:
        if not flags.only or clip.name in flags.only:
            means.append([])
            for height in flags.heights:
                means[-1].append(found_fraction(shrink_clip(clip, height)))
            print(f"| {clip.name} | " + " | ".join(f"{share:.0%}" for share in means[-1]) + " |", flush=True)
    print("| **mean** | " + " | ".join(f"{share:.0%}" for share in np.mean(means, 0)) + " |")


if __name__ == "__main__":
    main()
