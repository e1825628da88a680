"""How fast the network is: `python -m tests.benchmarks.network_speed [--steps 12]`.

On one thread, in one run and by turns: the network as it is; with the attention of before (STC Mocap 0.1); and in the
style of the public code, written from the paper. Lifting in float32 and bfloat16, how far half precision moves the
joints of the sample, and steps of teaching with all that belongs to them, and how far their losses are apart. Prints
processor time of the quietest round, which busy neighbours disturb least, and two ratios to the first row: of the
quietest rounds, and the median of all rounds' ratios.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stc_core.capture.layout import BODY27
from stc_core.capture.lift.config import LiftConfig
from stc_core.capture.lift.lift import lift
from stc_core.capture.pose import CameraIntrinsics, Pose2D
from stc_core.datasets import dataset_plan, shard_writer
from stc_core.datasets.ground_truth import read_ground_truth
from stc_core.model.checkpoint import load_checkpoint
from stc_core.model.stcformer import HEADS, CrissCross, Linear, STCFormer
from stc_core.training.batches import BODY_NETWORK, BodySource, BodySourceConfig
from stc_core.training.run import Run
from stc_core.training.train import PRESETS
from tests import synthetic

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.npz"
WEIGHTS = Path(__file__).parents[2] / "weights" / "body27.safetensors"


class PublicAttention(CrissCross):
    """Plain products and a softmax over q, k and v as the parameters interleave them."""

    def forward(self, x: Tensor) -> Tensor:
        spatial, temporal = self.qkv(self.layer_norm(x)).unflatten(-1, (2, HEADS, -1, 3)).unbind(3)
        over_landmarks = self.mix(spatial.permute(5, 0, 1, 3, 2, 4)).transpose(2, 3)
        over_frames = self.mix(temporal.permute(5, 0, 2, 3, 1, 4)).permute(0, 3, 1, 2, 4)
        table = self._part_table()
        branches = [
            over_landmarks + self.convolve(self.sep2_s, spatial[..., 2]) + self.part_scale[0] * table,
            over_frames + self.convolve(self.sep2_t, temporal[..., 2]) + self.part_scale[1] * table,
        ]
        output: Tensor = self.proj(torch.cat(branches, -1).flatten(3))
        return output

    def mix(self, qkv: Tensor) -> Tensor:
        """(3, B, outer, head, L, d) to (B, outer, head, L, d)."""
        q, k, v = qkv
        values: Tensor = (q * (HEADS * q.shape[-1]) ** -0.5 @ k.mT).softmax(-1).to(v.dtype) @ v
        return values

    @staticmethod
    def convolve(convolution: nn.Conv2d, v: Tensor) -> Tensor:
        maps: Tensor = convolution(v.flatten(3).permute(0, 3, 1, 2))
        return maps.permute(0, 2, 3, 1).reshape(v.shape)


class FormerAttention(PublicAttention):
    """As public, but with PyTorch's fused attention in float32."""

    def mix(self, qkv: Tensor) -> Tensor:
        if qkv.element_size() < 4:
            return super().mix(qkv)
        q, k, v = qkv.flatten(1, 2)
        scale = (HEADS * q.shape[-1]) ** -0.5
        mixed: Tensor = nn.functional.scaled_dot_product_attention(q, k, v, scale=scale)
        values: Tensor = mixed.unflatten(0, qkv.shape[1:3])
        return values


KINDS: dict[str, type[CrissCross]] = {"public style": PublicAttention, "before": FormerAttention, "now": CrissCross}


def turn_into(model: STCFormer, kind: type[CrissCross]) -> None:
    """Give the network another way to calculate, with the parameters it has."""
    if kind is CrissCross:
        return
    for module in model.modules():
        if isinstance(module, CrissCross):
            module.__class__ = kind
        if isinstance(module, Linear):
            module.__class__ = nn.Linear  # type: ignore[assignment]


def race(title: str, runners: dict[str, Callable[[], object]], rounds: int, frames: int) -> None:
    """Run each in turn and print processor time, frames a second and the ratios to the first."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for run in runners.values():
        run()
    for _ in range(rounds):
        for name, run in runners.items():
            began = time.process_time()
            run()
            times[name].append(time.process_time() - began)
    first = next(iter(times.values()))
    print(title)
    for name, taken in times.items():
        median = statistics.median(a / b for a, b in zip(first, taken, strict=True))
        speeds = f"{min(taken) * 1e3:8.1f} ms {frames / min(taken):8.0f} frames/s"
        print(f"  {name:22s} {speeds}   {min(first) / min(taken):5.2f} x   median {median:5.2f} x")


def time_lifting(windows: int, frames: int, rounds: int) -> None:
    """One forward pass without the mirrored person."""
    torch.manual_seed(0)
    plain = STCFormer(BODY_NETWORK).eval()
    x = torch.randn(windows, frames, len(BODY_NETWORK.parts), BODY_NETWORK.channels)
    runners: dict[str, Callable[[], object]] = {}
    for dtype in (torch.float32, torch.bfloat16):
        for name, kind in KINDS.items():
            model, inputs = copy.deepcopy(plain).to(dtype), x.to(dtype)
            turn_into(model, kind)
            with torch.inference_mode():
                error = (model(inputs).float() - plain(x)).abs().max() / plain(x).abs().max()
            assert error < (1e-4 if dtype is torch.float32 else 0.05), (name, error)
            runners[f"{name}, {str(dtype)[6:]}"] = lambda model=model, inputs=inputs: model(inputs)  # type: ignore[misc]
    with torch.inference_mode():
        race(f"lifting, {windows} windows of {frames} frames", runners, rounds, windows * frames)


def measure_precision() -> None:
    """How far half precision moves the joints of the sample, whose landmarks are disturbed by 3 pixels."""
    known, random = read_ground_truth(SAMPLE), np.random.default_rng(0)
    pixels = known.camera.project(known.landmarks)
    keypoints, scores = pixels + random.normal(0.0, 3.0, pixels.shape), random.uniform(0.3, 1.0, pixels.shape[:2])
    width, height = (int(side) for side in known.camera.image_size)
    pose = Pose2D(
        layout=BODY27,
        keypoints=keypoints,
        scores=scores,
        timestamps=np.arange(len(pixels)) / known.fps,
        image_size=(width, height),
        fps=known.fps,
    )
    model = load_checkpoint(WEIGHTS)
    intrinsics = CameraIntrinsics(focal_px=float(known.camera.K[0, 0]), image_size=(width, height))
    joints = {
        precision: lift(pose, copy.deepcopy(model), intrinsics, LiftConfig(device="cpu", precision=precision)).joints
        for precision in ("float32", "bfloat16", "float16")
    }
    print("joints of the sample, moved from where float32 has them")
    for precision in ("bfloat16", "float16"):
        moved = np.linalg.norm(joints[precision] - joints["float32"], axis=-1) * 1000.0
        print(f"  {precision:22s} {moved.mean():6.2f} mm in the mean, {moved.max():.1f} at most")


def time_teaching(folder: Path, frames: int, windows: int, steps: int) -> None:
    """Steps of the shipped recipe on made walkers, all in the same order and with the same random numbers."""
    shipped = PRESETS["shipped"][1]
    config = replace(shipped, data=folder, out=folder, phases=((frames, windows, 10_000),), device="cpu", threads=1)
    source = BodySource(BodySourceConfig(), config.network, folder, torch.device("cpu"))
    losses: dict[str, list[float]] = {name: [] for name in KINDS}
    runners: dict[str, Callable[[], object]] = {}
    for name, kind in KINDS.items():
        torch.manual_seed(config.seed)
        run = Run(config, source, torch.device("cpu"))
        turn_into(run.model, kind)
        runners[name] = lambda run=run, name=name: losses[name].append(float(run.advance()))  # type: ignore[misc]
    spare = Run(config, source, torch.device("cpu"))
    spare.advance()
    parts = {
        "of which its batch": spare.draw_batch,
        "and its optimisers": lambda: [optimiser.step() for optimiser in spare.optimisers],
    }
    race(f"teaching, {windows} windows of {frames} frames", runners | parts, steps, frames * windows)
    first = np.array(losses["public style"])
    for name in list(KINDS)[1:]:
        apart = 100.0 * np.abs(np.array(losses[name]) / first - 1.0)
        print(
            f"  loss, {name}: apart from the first row's by {apart.mean():.2f} % in the mean, {apart.max():.2f} at most"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    steps: int = parser.parse_args().steps
    torch.set_num_threads(1)
    time_lifting(8, 27, steps)
    measure_precision()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        walk = synthetic.body27(synthetic.walk(fps=30.0, seconds=20.0)).astype(np.float32)
        shard_writer.write_clips(
            folder / "made",
            dataset_plan.DatasetInfo("made", "made", BODY27.name, "bodies"),
            [dataset_plan.ShardClip("a", "a", 30.0, walk)],
        )
        for frames, windows in ((3, 96), (9, 32), (27, 10)):
            time_teaching(folder, frames, windows, steps)


if __name__ == "__main__":
    main()
