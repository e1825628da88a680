"""What each ingredient of training is worth: `python -m tests.benchmarks.training_ablation --data SHARDS --out DIR`.

Trains one small network a row (or, with --start, teaches those weights further), all from one seed, each without one
ingredient, and measures it on people held out, with exact projections and with the detector's measured errors; with
--other on a whole other source; and with --rendered on rendered clips as the real detector saw them. Stopped, it goes
on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stc_core.augment.virtual_camera import CameraConfig, NoiseConfig
from stc_core.augment.windows import BodyConfig
from stc_core.capture.layout import BODY27
from stc_core.model.checkpoint import load_checkpoint
from stc_core.model.stcformer import STCFormer, STCFormerConfig
from stc_core.training.batches import BODY_NETWORK, BodySource, BodySourceConfig, Pair, measure
from stc_core.training.config import TrainConfig
from stc_core.training.recordings import cut_windows, load_recordings
from stc_core.training.train import train

FULL = BodySourceConfig()


@dataclass(frozen=True)
class Arm:
    """What the network is shown, and what of the shipped network is otherwise."""

    source: BodySourceConfig = FULL
    network: tuple[tuple[str, Any], ...] = ()


def _body(**without: Any) -> Arm:
    return Arm(replace(FULL, body=replace(FULL.body, **without)))


ARMS = {
    "nothing": Arm(),
    "measured errors (guessed ones)": Arm(replace(FULL, noise=NoiseConfig(model="guessed"))),
    "errors": Arm(replace(FULL, noise=NoiseConfig(scale=0.0))),
    "recombination, bending, warps": Arm(replace(FULL, body=BodyConfig.identity())),
    "other people's arms and upper bodies": _body(swap_arms=0.0, swap_upper=0.0),
    "bent joints": _body(bend=0.0),
    "looking along the ray": Arm(network=(("view", "image"),)),
    "scores": Arm(network=(("channels", 2),)),
    "tilted cameras": Arm(replace(FULL, camera=CameraConfig(pitch_deg=(6.0, 0.0), roll_deg=0.0))),
    "other proportions": _body(stretch=0.0),
    "toppling": _body(topple=0.0),
    "time warp": _body(warp=0.0),
}


def tests_of(network: STCFormerConfig, flags: argparse.Namespace) -> dict[str, list[Pair]]:
    """The columns: each the mean of its tests."""
    device = torch.device("cpu")
    columns = {}
    for title, data, held_out in (("people held out", flags.data, True), ("another source", flags.other, False)):
        if data is None:
            continue
        config = FULL if held_out else replace(FULL, held_out=())
        tests = BodySource(config, network, data, device).make_tests(flags.windows, held_out=held_out)
        for kind in ("exact", "noisy"):
            columns[f"{title}, {kind}"] = [pair for name, pair in tests.items() if name.endswith(kind)]
    if flags.rendered:
        found = load_recordings(flags.rendered, BODY27.name, (), held_out=False)
        assert found is not None, f"{flags.rendered} holds no rendered clips"
        middles = found.middles[torch.linspace(0, len(found.middles) - 1, 2 * flags.windows).long()]
        seen = cut_windows(found, middles, network.frames, network, torch.zeros(len(middles)).bool())
        columns["rendered clips, detected"] = [seen]
    return columns


def row(model: STCFormer, columns: dict[str, list[Pair]]) -> list[float]:
    """Mean joint distance, mm, of each column."""
    errors = (measure(model, {str(i): pair for i, pair in enumerate(pairs)}) for pairs in columns.values())
    return [sum(each.values()) / len(each) for each in errors]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--other", type=Path, help="prepared data of a source that is not trained on")
    parser.add_argument("--rendered", type=Path, help="prepared rendered clips")
    parser.add_argument("--start", type=Path, help="weights of the shipped network to teach further")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--windows", type=int, default=128, help="of each test")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    flags = parser.parse_args()
    torch.set_num_threads(1)
    shape: dict[str, Any] = {} if flags.start else {"width": 64, "blocks": 3}
    for number, name in enumerate(flags.arms):
        arm = ARMS[name]
        network = replace(BODY_NETWORK, **shape, **dict(arm.network))
        columns = tests_of(network, flags)
        if not number:
            print("| without | " + " | ".join(columns) + " |")
            print("|---" * (1 + len(columns)) + "|")
        out = flags.out / name.replace(" ", "_")
        rate = 1e-3 if flags.start else 5e-3
        config = TrainConfig(flags.data, out, arm.source, network, flags.start, ((9, 24, flags.steps),), threads=1)
        train(replace(config, optimiser="muon", learning_rate=rate, measure_every=10**9))
        errors = row(load_checkpoint(out / "weights.safetensors"), columns)
        print(f"| {name} | " + " | ".join(f"{error:.1f}" for error in errors) + " |", flush=True)


if __name__ == "__main__":
    main()
