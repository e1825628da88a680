"""What detection gains from threads: `python -m tests.benchmarks.detection_threads [VIDEO] [--threads 1 2]`.

In one run, in turns: one pass by one detector, as for a short video, and segments by so many threads. Prints the wall's
and the processors' seconds, and how far the segments' points are from the one pass's, in per cent of the body's height.
The sample is repeated, forwards and backwards, until it is long enough.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.detect import detect_landmarks
from stc_core.capture.detect.landmarker import ImageLandmarkers
from stc_core.capture.detect.person_detector import PersonDetector
from stc_core.capture.detect.read_ahead import read_ahead
from stc_core.capture.layout import Array
from stc_core.capture.person_request import PersonRequest
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.events import ignore
from tests.benchmarks.capture_speed import SAMPLE, repeated


def detect_in_one_pass(path: Path) -> Array:
    """The points (T, 33, 2) that one detector finds in the whole video."""
    with contextlib.ExitStack() as stack:
        landmarkers = stack.enter_context(contextlib.closing(ImageLandmarkers(DetectConfig())))
        detector = stack.enter_context(contextlib.closing(PersonDetector(DetectConfig(), PersonRequest(), landmarkers)))
        frames = stack.enter_context(contextlib.closing(read_ahead(open_video(path, VideoConfig()))))
        return np.array([detector.detect(*frame) for frame in frames], float)[..., :2]


def detect_by_threads(path: Path, threads: int) -> Array:
    """The points (T, 33, 2) as a capture finds them."""
    video = open_video(path, VideoConfig())
    return detect_landmarks(video, video.frames, DetectConfig(), ignore, threads=threads).image


def count_processor_s() -> float:
    """Seconds of all processors so far, of this process and of its decoders that ended."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("video", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the video is repeated")
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = repeated(flags.video, flags.seconds, Path(folder))
        ways: dict[str, Callable[[], Array]] = {"one pass": lambda: detect_in_one_pass(path)}
        ways |= {f"{n} threads": lambda n=n: detect_by_threads(path, n) for n in flags.threads}  # type: ignore[misc]
        points: dict[str, Array] = {}
        costs: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(flags.rounds):
            for way, detect in ways.items():
                wall_s, processor_s = time.perf_counter(), count_processor_s()
                points[way] = detect()
                costs[way].append((time.perf_counter() - wall_s, count_processor_s() - processor_s))
    alone = points["one pass"]
    height = np.ptp(alone[..., 1], axis=1)
    for way, cost in costs.items():
        wall_s, processor_s = np.min(cost, axis=0)
        apart = 100.0 * np.linalg.norm(points[way] - alone, axis=-1).mean(-1) / np.maximum(height, 1.0)
        print(
            f"{way:12} {wall_s:6.2f} s, of processors {processor_s:6.2f} s, {len(alone) / wall_s:6.1f} frames/s, ",
            end="",
        )
        print(f"points apart {apart.mean():.3f} % of the height, at most {apart.max():.2f} %")


if __name__ == "__main__":
    main()
