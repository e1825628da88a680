"""Draws clips for training, fast: real detections of drawn people whose truth is known.

    python -m tests.benchmarks.ground_truth.training_bodies --rigs RIGS --out BODIES
    python -m tests.benchmarks.ground_truth.render_training --data SHARDS --bodies BODIES --out DIR --count 400

Needs moderngl and EGL, which may be Mesa's software one (see opengl_scene.py), but not Blender. The truth and the
pictures of clip N follow from N, the bodies, the shards, --seconds and --posture alone: several processes can share a
range, and clips that are there already are left. (So does the video's every byte where the width is 640; elsewhere the
macroblock tree of x264's preset veryfast reads memory that it has not set, and spends a few bits otherwise.) The files
are those of render.py; the motion is recombined from training subjects only, as training itself draws it.
stc_core.datasets.rendered makes shards of them. With --held-out the clips show what the held-out subjects did, as it
was recorded, each source in its turn: to judge by, with stc_core.evaluation.network_only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import av
import numpy as np
import torch
from numpy.typing import NDArray

from stc_core.augment.windows import BodyConfig, SourceMotion, draw_windows, load_motions
from stc_core.capture.layout import BODY27
from stc_core.datasets.held_out import HELD_OUT_SUBJECTS
from stc_core.errors import UserError
from stc_core.files import atomic_write
from stc_core.geometry.rotation import Array
from stc_core.training.batches import SOURCE_WEIGHTS

from .body_truth import FPS, describe_truth
from .opengl_scene import Renderer
from .skinned_body import Pose, find_landmarks, load_body
from .training_motion import move_body
from .training_scenes import SIZES, draw_scene

BODY = BodyConfig(bend=0.4, swap_arms=0.25, swap_upper=0.15, topple=0.05, warp=0.2, stretch=0.0, posture=0.35)
_SEED = 500_000
_DONORS = 4  # windows drawn at once, from which arms and trunks are swapped
# what follows is chosen
_RATE_FACTORS, _PRESETS = (20, 32), ("ultrafast", "veryfast")
_OVERSAMPLING = 1.3  # pictures are drawn that much larger, against jagged edges
# some clips are made smaller and enlarged, as soft as cheap cameras'; some have grain; some are blurred by motion
_SOFT_CHANCE, _SOFT_SCALE = 0.3, (0.45, 0.9)
_GRAIN_CHANCE, _GRAIN_LEVELS = 0.4, (1.0, 5.0)
_BLUR_CHANCE, _EXPOSURE_FRAMES, _EXPOSURES = 0.2, (0.2, 0.7), 3
# soft shadows: under what, and the height from which there is none
_SHADOW_NAMES = ("left_heel", "left_toe", "right_heel", "right_toe", "pelvis", "left_wrist", "right_wrist", "thorax")
_SHADOW_HEIGHT_M = 1.2


class ClipDrawer:
    """Draws clips by number; holds the motions, the list of bodies and the renderer."""

    def __init__(self, motions: list[SourceMotion], bodies: Path, out: Path, seconds: float, config: BodyConfig = BODY):
        """Raises UserError where the folder `bodies` has none."""
        self._motions, self._out, self._frames, self._config = motions, out, round(seconds * FPS), config
        self._bodies = sorted(bodies.glob("person_*.npz"))
        if not self._bodies:
            raise UserError(f"{bodies} holds no bodies.", "Make some with training_bodies.")
        self._renderer = Renderer()

    def write_clip(self, number: int, source: SourceMotion | None = None) -> str:
        """Write clip `number`, of all motions or only of `source`, whose name it then has.

        Returns a line to report about it, "" where it was there already.
        """
        video = self._out / f"{source.source if source else 'clip'}_{number:06d}.mp4"
        if (truth := video.with_suffix(".npz")).exists():
            return ""
        begin, lot = time.perf_counter(), Random(_SEED + number)
        torch.manual_seed(_SEED + number)
        motions = [source] if source else self._motions
        windows = draw_windows(motions, SOURCE_WEIGHTS, _DONORS, self._frames, float(FPS), self._config)
        body = load_body(lot.choice(self._bodies))
        pose, heading = move_body(body, windows[0].numpy().astype(float), lot)
        landmarks = find_landmarks(body, pose)
        size = lot.choice(SIZES)
        scene = draw_scene(lot, body, landmarks, heading, size)
        self._renderer.load_scene(scene, (round(size[0] * _OVERSAMPLING), round(size[1] * _OVERSAMPLING)))
        ready = time.perf_counter()
        _write_video(video, self._draw_frames(lot, pose, landmarks), size, lot)
        with atomic_write(truth) as partial:
            np.savez_compressed(partial, **describe_truth(landmarks, scene.camera))
        rate = len(pose) / (time.perf_counter() - ready)
        return f"{video.stem}: {len(pose)} frames of {size}, {ready - begin:.2f} s + {rate:.0f} frames/s"

    def _draw_frames(self, lot: Random, pose: Pose, landmarks: Array) -> Iterator[NDArray[np.uint8]]:
        """The clip's pictures (height, width, 4), perhaps blurred by motion."""
        bones, shadows = pose.matrices(), place_shadows(landmarks)
        exposure = lot.uniform(*_EXPOSURE_FRAMES) if lot.random() < _BLUR_CHANCE else 0.0
        steps = (np.arange(_EXPOSURES) - (_EXPOSURES - 1) / 2.0) / _EXPOSURES * exposure if exposure else np.zeros(1)
        for frame in range(len(pose)):
            pictures = []
            for step in steps:
                at = min(max(frame + step, 0.0), len(pose) - 1.0)
                low = min(int(at), len(pose) - 2)
                between = bones[low] + (at - low) * (bones[low + 1] - bones[low])
                pictures.append(self._renderer.draw(between, shadows[frame]))
            yield pictures[0] if len(pictures) == 1 else _average(pictures)


def _write_video(path: Path, pictures: Iterator[NDArray[np.uint8]], size: tuple[int, int], lot: Random) -> None:
    """Encode pictures (any height, any width, 4) at size (width, height), as well or badly as the lot will have it."""
    options = {"crf": str(lot.randint(*_RATE_FACTORS)), "preset": lot.choice(_PRESETS), "threads": "1"}
    scale = lot.uniform(*_SOFT_SCALE) if lot.random() < _SOFT_CHANCE else 1.0
    smaller = round(size[0] * scale), round(size[1] * scale)
    grain = lot.uniform(*_GRAIN_LEVELS) if lot.random() < _GRAIN_CHANCE else 0.0
    noise = np.random.default_rng(lot.randrange(1 << 30))
    table = np.rint(noise.normal(0.0, grain, size[0] * size[1] * 2)).astype(np.int16)
    with atomic_write(path) as partial, av.open(str(partial), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, "rgba").reformat(*smaller, "yuv420p", interpolation="AREA")
            if smaller != size:
                frame = frame.reformat(*size, "yuv420p", interpolation="BICUBIC")
            file.mux(stream.encode(_add_grain(frame, table, noise) if grain else frame))
        file.mux(stream.encode())


def _add_grain(frame: av.VideoFrame, table: NDArray[np.int16], noise: np.random.Generator) -> av.VideoFrame:
    """The frame with noise on its luma: a run of the table, which is twice as long, from a random place in it."""
    planes, (width, height) = frame.to_ndarray(), (frame.width, frame.height)
    start = int(noise.integers(width * height))
    grain = table[start : start + width * height].reshape(height, width)
    planes[:height] = np.clip(planes[:height] + grain, 16, 235)
    return av.VideoFrame.from_ndarray(planes, "yuv420p")


def _average(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The mean of pictures of one shape, rounded down."""
    total = np.zeros(pictures[0].shape, np.uint16)
    for picture in pictures:
        total += picture
    return (total // len(pictures)).astype(np.uint8)


def place_shadows(landmarks: Array) -> Array:
    """Soft shadows (T, N, 4) under a body's landmarks (T, 27, 3): x, y, radius, metres, darkness of 1."""
    at = landmarks[:, [BODY27.index(name) for name in _SHADOW_NAMES]]
    radius = 0.08 + 0.3 * at[..., 2:]
    darkness = 0.45 * np.clip(1.0 - at[..., 2:] / _SHADOW_HEIGHT_M, 0.0, 1.0)
    return np.concatenate([at[..., :2], radius, darkness], -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--data", type=Path, required=True, help="the shards that `prepare` made of the archives")
    parser.add_argument("--bodies", type=Path, required=True, help="what training_bodies.py made")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="the first clip's number")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=8.0, help="the clips' length")
    parser.add_argument("--posture", type=float, default=BODY.posture, help="probability of sitting, crawling, lying")
    parser.add_argument("--held-out", action="store_true", help="recorded motion of the held-out subjects, unchanged")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    motions = load_motions(flags.data, HELD_OUT_SUBJECTS, held_out=flags.held_out)
    config = BodyConfig.identity() if flags.held_out else replace(BODY, posture=flags.posture)
    drawer = ClipDrawer(motions, flags.bodies, flags.out, flags.seconds, config)
    for number in range(flags.first, flags.first + flags.count):
        source = motions[number % len(motions)] if flags.held_out else None
        if report := drawer.write_clip(number, source):
            print(report, flush=True)


if __name__ == "__main__":
    main()
