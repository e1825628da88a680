"""What each ingredient of training is worth: `python -m tests.training.ablation --data SHARDS --out DIR`.

Trains one small network a row (or, with --start, teaches those weights further), all from one seed, each without one
ingredient, and measures it on people held out and, with --other, on a whole other source: exact projections, and with
the detector's measured errors. Stopped, it goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from stc_core.model.checkpoint import load_checkpoint
from stc_core.training.bodies import BodyConfig
from stc_core.training.cameras import CameraConfig, NoiseConfig
from stc_core.training.feeds import BODY_NETWORK, BodyFeed, BodyFeedConfig, measure
from stc_core.training.train import TrainConfig, train

FULL = BodyFeedConfig()
ARMS = {
    "all": FULL,
    "noise by guess": replace(FULL, noise=NoiseConfig(model="guessed")),
    "no noise": replace(FULL, noise=NoiseConfig(scale=0.0)),
    "no other arms": replace(FULL, body=replace(FULL.body, swap_arms=0.0)),
    "no other upper body": replace(FULL, body=replace(FULL.body, swap_upper=0.0)),
    "no bent joints": replace(FULL, body=replace(FULL.body, bend=0.0)),
    "no toppling": replace(FULL, body=replace(FULL.body, topple=0.0)),
    "no other proportions": replace(FULL, body=replace(FULL.body, stretch=0.0)),
    "no time warp": replace(FULL, body=replace(FULL.body, warp=0.0)),
    "bodies as recorded": replace(FULL, body=BodyConfig.plain()),
    "level cameras": replace(FULL, camera=CameraConfig(pitch_deg=(6.0, 0.0), roll_deg=0.0)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--other", type=Path, help="prepared data of a source that is not trained on")
    parser.add_argument("--start", type=Path, help="weights of the shipped network to teach further")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--windows", type=int, default=480, help="of each test")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    flags = parser.parse_args()
    network, device = BODY_NETWORK if flags.start else replace(BODY_NETWORK, width=64, blocks=2), torch.device("cpu")
    tests = BodyFeed(FULL, network, flags.data, device).tests(flags.windows)
    if flags.other:
        everyone = replace(FULL, held_out=())
        tests |= BodyFeed(everyone, network, flags.other, device).tests(flags.windows, held_out=False)
    print("| without | " + " | ".join(tests) + " |")
    print("|---" * (1 + len(tests)) + "|")
    for name in flags.arms:
        out = flags.out / name.replace(" ", "_")
        phases, rate = ((9, 24, flags.steps),), 5e-4 if flags.start else 1.5e-3
        config = TrainConfig(flags.data, out, ARMS[name], network, flags.start, phases, learning_rate=rate, threads=1)
        train(replace(config, measure_every=10**9))
        errors = measure(load_checkpoint(out / "weights.safetensors"), tests)
        print(f"| {name} | " + " | ".join(f"{error:.0f}" for error in errors.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
