"""What hands and face cost beside the body: `python -m tests.benchmarks.hands_face_cost VIDEO… [--model full]`.

In one run, in turns: the body alone, with hands, with the face, with both. Prints the processors' time of each as a
multiple of the body's, and the wall's time where threads are free; how large hands are, and in how many frames they
and the face are found. The body's landmarks must be the same each time.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.crops import measure_scale
from stc_core.capture.detect.detect import detect_landmarks
from stc_core.capture.pose import Landmarks
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.events import ignore
from tests.benchmarks.detection_threads import count_processor_s

_HAND_M = 0.19
_WAYS = {"hands": {"hands": True}, "face": {"face": True}, "both": {"hands": True, "face": True}}


def detect(path: Path, config: DetectConfig, threads: int) -> tuple[Landmarks, float, float]:
    """What is found, and the seconds of the wall and of processors that it took."""
    video = open_video(path, VideoConfig())
    wall_s, processor_s = time.perf_counter(), count_processor_s()
    found = detect_landmarks(video, video.frames, config, ignore, threads=threads)
    return found, time.perf_counter() - wall_s, count_processor_s() - processor_s


def measure(path: Path, config: DetectConfig, threads: int, rounds: int) -> None:
    """Print a row of the table."""
    costs: dict[str, list[tuple[float, float]]] = {way: [] for way in ("body", *_WAYS)}
    for _ in range(rounds):
        body, *cost = detect(path, config, threads)
        costs["body"].append((cost[0], cost[1]))
        for way, wanted in _WAYS.items():
            found, *cost = detect(path, replace(config, **wanted), threads)  # type: ignore[arg-type]
            costs[way].append((cost[0], cost[1]))
            assert all(np.array_equal(array, found.arrays[name]) for name, array in body.arrays.items()), path
    walls, processors = ({way: np.min(cost, axis=0)[kind] for way, cost in costs.items()} for kind in (0, 1))
    assert found.hands is not None and found.face is not None
    rows = np.concatenate([body.image, body.world], -1)[body.found]
    hand_px = _HAND_M * float(np.median([measure_scale(row) for row in rows]))
    extra = " | ".join(f"{processors[way] / processors['body'] - 1.0:.2f}" for way in _WAYS)
    hands, face = (float((scores > 0.0).mean()) for scores in (found.hands.scores, found.face.scores))
    frame_ms = 1e3 * processors["body"] / len(body.timestamps)
    wall = walls["both"] / walls["body"] - 1.0
    print(
        f"| {path.stem} | {hand_px:.0f} | {frame_ms:.1f} | {extra} | {wall:.2f} | {hands:.0%} | {face:.0%} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--model", choices=["lite", "full", "heavy"], default="full")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    flags = parser.parse_args()
    print("| clip | hand px | body ms/frame | + hands | + face | + both | wall, both | hands found | face found |")
    print("|---|---|---|---|---|---|---|---|---|")
    for path in flags.videos:
        measure(path, DetectConfig(model=flags.model), flags.threads, flags.rounds)


if __name__ == "__main__":
    main()
