"""Fine-tuning on a case: `python -m tests.benchmarks.finetune_style --data SHARDS --out DIR`.

A style that the weights never saw (basketball referees' signals) is split: ten clips become "corrected captures", each
seen by a camera through the detector's measured errors, with its true 3D; the weights are fine-tuned on them, mixed
with base motion; then the error before and after is measured on other takes of the style and on the people held out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from stc_core.assets import find_weights
from stc_core.augment.virtual_camera import CameraConfig, NoiseConfig, project
from stc_core.capture.config import WEIGHTS
from stc_core.capture.layout import BODY27
from stc_core.datasets import dataset_plan, shard_writer, shards
from stc_core.datasets.body_height import BODY_HEIGHT_M, body_height
from stc_core.events import Event, Note, Progress
from stc_core.model.checkpoint import load_checkpoint
from stc_core.training.batches import BodySource, BodySourceConfig, measure
from stc_core.training.finetune import FinetuneConfig, finetune
from stc_core.training.recordings import cut_windows, load_recordings

FOCAL, SIZE, RATE, PIECE_S = 1000.0, (1280, 720), 20.0, 6.0
K = np.array([[FOCAL, 0.0, SIZE[0] / 2], [0.0, FOCAL, SIZE[1] / 2], [0.0, 0.0, 1.0]])
CAMERA = CameraConfig(fov_deg=(65.2, 65.2), fill=(0.5, 0.8))


def seen(clip: torch.Tensor, fps: float, name: str) -> dataset_plan.ShardClip:
    """A clip (T, 27, 3), metres z up, as a capture would give it, in one piece."""
    count = max(4, round(len(clip) * RATE / fps))
    at = torch.linspace(0, len(clip) - 1, count)
    low = at.floor().long().clamp(max=len(clip) - 2)
    body = (clip[low] + (clip[low + 1] - clip[low]) * (at - low)[:, None, None])[None]
    body = body * (BODY_HEIGHT_M / body_height(body))[:, None, None, None]
    views = project(body, CAMERA, NoiseConfig())
    pixels = views.keypoints[0].numpy() * FOCAL + np.array(SIZE) / 2
    joints = views.joints[0].numpy() + [0.0, 0.0, 4.0]  # its distance is not used
    scores = views.scores[0].numpy()
    return dataset_plan.ShardClip(name, name, RATE, joints, keypoints=pixels, scores=scores, K=K, image_size=SIZE)


def split(data: Path, subject: str, out: Path, count: int) -> None:
    """Write OUT/shown and OUT/others: the subject's takes in pieces of six seconds, the first `count` of them shown."""
    rows = [(source, row) for source in shards.open_shards(data) for row in source.clips if row.subject == subject]
    pieces = []
    for source, row in rows:
        length = round(PIECE_S * row.fps)
        for number, start in enumerate(range(0, row.frames - length + 1, length)):
            landmarks = np.array(source.joints[row.start + start : row.start + start + length])
            pieces.append(seen(torch.tensor(landmarks), row.fps, f"{row.name}_{number}"))
    info = dataset_plan.DatasetInfo("style", rows[0][0].licence, BODY27.name, "views")
    shard_writer.write_clips(out / "shown" / "style", info, pieces[:count])
    shard_writer.write_clips(out / "others" / "style", info, pieces[count:])


def say(event: Event) -> None:
    if isinstance(event, Note):
        print(event.message, flush=True)
    elif isinstance(event, Progress) and event.done % 50 == 0:
        print(f"{event.done} of {event.total}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--subject", default="cmu_expmap_basketball_signal")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, default=find_weights(WEIGHTS))
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--threads", type=int, default=2)
    flags = parser.parse_args()
    torch.manual_seed(5)
    torch.set_num_threads(flags.threads)
    split(flags.data, flags.subject, flags.out, 10)
    new = flags.out / "style.safetensors"
    finetune(
        FinetuneConfig(
            flags.out / "shown",
            new,
            flags.start,
            flags.data,
            steps=flags.steps,
            threads=flags.threads,
            held_out_fraction=0.1,
        ),
        say,
    )
    old, taught = load_checkpoint(flags.start), load_checkpoint(new)
    others = load_recordings(flags.out / "others", BODY27.name, (), held_out=False)
    assert others is not None
    frames = old.config.frames
    middles = others.middles[torch.linspace(0, len(others.middles) - 1, 480).long()]
    base = BodySource(BodySourceConfig(), old.config, flags.data, torch.device("cpu"))
    tests = {"other clips of the style": cut_windows(others, middles, frames, old.config, torch.zeros(480).bool())}
    tests |= {f"base {name}": pair for name, pair in base.make_tests(240).items()}
    before, after = measure(old, tests), measure(taught, tests)
    for name in tests:
        print(f"{name:30s} {before[name]:6.1f} mm -> {after[name]:6.1f} mm  ({after[name] / before[name] - 1:+.1%})")


if __name__ == "__main__":
    main()
