"""How fast training is fed: `python -m tests.benchmarks.training_throughput [--device cuda]`.

Windows a second from `RecordedSource` and `BodySource`, beside a plain re-enactment of how the published loop loads: a
data set that cuts one window at a time with numpy, and a loader that stacks them. All from made data, in one run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stc_core.capture.layout import BODY27, H36M17
from stc_core.datasets import dataset_plan, shard_writer
from stc_core.training.batches import BODY_NETWORK, BodySource, BodySourceConfig, RecordedSource, RecordedSourceConfig
from stc_core.training.train import PRESETS
from tests import synthetic

BATCH, CLIPS, FRAMES = 128, 8, 2000
K = np.array([[1000.0, 0.0, 500.0], [0.0, 1000.0, 500.0], [0.0, 0.0, 1.0]])


class OneAtATime(Dataset[tuple[Tensor, Tensor]]):
    """Windows as the published data set cuts them: by index, padded at the ends, mirrored half of the time."""

    def __init__(self, clips: list[dataset_plan.ShardClip], frames: int):
        self.clips, self.frames = clips, frames
        self.places = [(c, f) for c, clip in enumerate(clips) for f in range(len(clip.joints))]
        self.random = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        place, middle = self.places[number]
        clip, reach = self.clips[place], 3 * (self.frames // 2)
        low, high = max(0, middle - reach), min(len(clip.joints), middle + reach + 1)
        pad = (low - (middle - reach), middle + reach + 1 - high)
        assert clip.keypoints is not None and clip.image_size is not None
        width, height = clip.image_size
        seen = np.pad(clip.keypoints[low:high], (pad, (0, 0), (0, 0)), "edge")[::3]
        seen = seen / width * 2 - np.array([1, height / width])
        joints = np.pad(clip.joints[low:high], (pad, (0, 0), (0, 0)), "edge")[::3]
        joints = joints - joints[:, :1]
        if self.random.random() < 0.5:
            mirror = list(H36M17.mirror)
            seen, joints = seen[:, mirror] * [-1, 1], joints[:, mirror] * [-1, 1, 1]
        return torch.from_numpy(seen.astype("float32")), torch.from_numpy(joints.astype("float32"))


def recorded_clips() -> list[dataset_plan.ShardClip]:
    random, clips = np.random.default_rng(0), []
    for number in range(CLIPS):
        joints = (random.normal(size=(FRAMES, 17, 3)) * 0.3 + [0, 0, 5]).astype(np.float32)
        seen = joints @ K.T
        keypoints, scores = (seen[..., :2] / seen[..., 2:]).astype(np.float32), np.ones((FRAMES, 17), np.float32)
        subject, size = f"S{number}", (1000, 1000)
        clips.append(
            dataset_plan.ShardClip(
                f"{number}", subject, 50.0, joints, keypoints=keypoints, scores=scores, K=K, image_size=size
            )
        )
    return clips


def repeat_epochs(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[Sequence[Tensor]]:
    """Yield batches without end: a fast machine passes over all windows before its time is up."""
    while True:
        yield from loader


def rate(draw: Callable[[], tuple[Tensor, Tensor]], seconds: float = 6.0) -> float:
    """Windows a second."""
    draw()
    windows, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        x, _ = draw()
        windows += len(x)
        if x.is_cuda:
            torch.cuda.synchronize()
    return windows / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=27)
    flags = parser.parse_args()
    torch.set_num_threads(1)
    device, clips = torch.device(flags.device), recorded_clips()
    loader = repeat_epochs(DataLoader(OneAtATime(clips, flags.frames), BATCH, shuffle=True))
    with tempfile.TemporaryDirectory() as folder:
        shard_writer.write_clips(
            Path(folder) / "views", dataset_plan.DatasetInfo("views", "made", H36M17.name, "views"), clips
        )
        walk = synthetic.body27(synthetic.walk(fps=30.0, seconds=20.0)).astype(np.float32)
        bodies = [dataset_plan.ShardClip("a", "a", 30.0, walk), dataset_plan.ShardClip("b", "cmu_07", 30.0, walk)]
        shard_writer.write_clips(
            Path(folder) / "bodies", dataset_plan.DatasetInfo("bodies", "made", BODY27.name, "bodies"), bodies
        )
        recorded = RecordedSource(RecordedSourceConfig(), PRESETS["paper-27"][1].network, Path(folder), device, 1)
        seen = BodySource(BodySourceConfig(), BODY_NETWORK, Path(folder), device)
        rates = {
            "one window at a time, as published": rate(lambda: tuple(x.to(device) for x in next(loader))),  # type: ignore[arg-type,return-value]
            "recorded pairs, batched": rate(lambda: recorded.draw_batch(0, 0, 1, BATCH, flags.frames)),
            "bodies, cameras, detector's errors, batched": rate(lambda: seen.draw_batch(0, 0, 1, BATCH, flags.frames)),
        }
    for name, value in rates.items():
        print(f"{name:45s} {value:9.0f} windows of {flags.frames} frames a second")
    published, batched, _ = rates.values()
    print(f"batched / published: {batched / published:.1f}")


if __name__ == "__main__":
    main()
