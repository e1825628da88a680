"""Training learns, goes on as if never interrupted, and starts from weights and states that are there."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.errors import UserError
from stc_core.model.checkpoint import load_checkpoint, read_metadata
from stc_core.training.batches import BODY_NETWORK, BodySource, BodySourceConfig
from stc_core.training.config import Optimiser, TrainConfig
from stc_core.training.run import Run
from stc_core.training.state import load_state
from stc_core.training.train import train
from tests.training.tiny_runs import CPU, losses, tiny


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_it_learns_and_writes_weights_that_load(data: Path, tmp_path: Path, optimiser: Optimiser) -> None:
    train(replace(tiny(data, tmp_path), learning_rate=5e-3, optimiser=optimiser))
    first, last = losses(tmp_path)
    assert last < 0.8 * first
    model = load_checkpoint(tmp_path / "weights.safetensors")
    assert model.config.layout == "body27" and model.config.view == "ray" and model.config.frames == 5
    assert read_metadata(tmp_path / "weights.safetensors")["steps"] == 100
    assert list(tmp_path.glob("events.out.tfevents*")) and (tmp_path / "curves.png").stat().st_size > 5000


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_interrupted_it_goes_on_to_the_same_curve_and_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: Optimiser
) -> None:
    def config(out: str) -> TrainConfig:
        return replace(tiny(data, tmp_path / out), optimiser=optimiser)

    train(config("whole"))
    advance = Run.advance

    def stop(run: Run) -> torch.Tensor:
        if run.step == 60:
            raise Interrupted
        return advance(run)

    monkeypatch.setattr(Run, "advance", stop)
    with pytest.raises(Interrupted):
        train(config("broken"))
    monkeypatch.setattr(Run, "advance", advance)
    train(config("broken"))
    whole, broken = (load_checkpoint(tmp_path / name / "weights.safetensors") for name in ("whole", "broken"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, broken.state_dict()[key]), key
    steps = [json.loads(line)["step"] for line in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and steps.count(50) == 2  # a loss and a measurement, none of them twice


def test_two_processes_learn_what_one_does(data: Path, tmp_path: Path) -> None:
    """torchrun with gloo: the same seeds, half of the chunks each."""
    words = "shipped --network.width 16 --network.blocks 1 --phases 3 8 100 --chunks 2 --threads 1 --seed 3".split()
    words += ["--precision", "float32", "--device", "cpu", "--data", str(data)]
    module = ["-m", "stc_core.training.train", *words, "--out"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for command in ([sys.executable, *module, str(tmp_path / "one")], [*torchrun, *module, str(tmp_path / "two")]):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert np.allclose(losses(tmp_path / "one"), losses(tmp_path / "two"), rtol=1e-3)
    assert len(losses(tmp_path / "two")) == 2


def test_another_networks_state_is_refused(data: Path, tmp_path: Path) -> None:
    train(tiny(data, tmp_path))
    with pytest.raises(UserError, match="another network"):
        train(replace(tiny(data, tmp_path), network=BODY_NETWORK))


def test_it_can_start_from_weights(data: Path, tmp_path: Path) -> None:
    config = replace(tiny(data, tmp_path / "a"), phases=((3, 8, 10),))
    train(config)
    weights = tmp_path / "a" / "weights.safetensors"
    run = Run(replace(config, start=weights), BodySource(BodySourceConfig(), config.network, data, CPU), CPU)
    for key, value in load_checkpoint(weights).state_dict().items():
        assert torch.equal(value, run.model.state_dict()[key]) and torch.equal(value, run.averaged.state_dict()[key])
    with pytest.raises(UserError, match="another network"):
        train(replace(tiny(data, tmp_path / "b"), network=BODY_NETWORK, start=weights))


def test_a_deeper_network_starts_as_the_shallower_one_that_it_grows_from(data: Path, tmp_path: Path) -> None:
    config = tiny(data, tmp_path / "a")
    train(config)
    start = tmp_path / "a" / "weights.safetensors"
    deeper = replace(config, out=tmp_path / "b", start=start, network=replace(config.network, blocks=2))
    run = Run(deeper, BodySource(BodySourceConfig(), deeper.network, data, CPU), CPU)
    x = torch.randn(2, 5, 27, 3, generator=torch.Generator().manual_seed(1))
    assert len(run.model.blocks) == 2 * len(load_checkpoint(start).blocks)
    assert torch.equal(run.model.eval()(x), load_checkpoint(start).eval()(x))
    before = [parameter.clone() for parameter in run.model.blocks[1].parameters()]
    for _ in range(2):
        run.advance()
    assert all(not torch.equal(old, new) for old, new in zip(before, run.model.blocks[1].parameters(), strict=True))


def test_states_that_earlier_versions_saved_are_resumed(data: Path, tmp_path: Path) -> None:
    """The keys of the state, written by hand as they were, without a second state beside it."""
    config = tiny(data, tmp_path)
    source = BodySource(BodySourceConfig(), config.network, data, CPU)
    run = Run(config, source, CPU)
    for _ in range(3):
        run.advance()
    state = {"model": run.model.state_dict(), "averaged": run.averaged.state_dict(), "step": run.step}
    state["optimisers"] = [optimiser.state_dict() for optimiser in run.optimisers]
    torch.save(state, tmp_path / "state.pt")
    resumed, saved = Run(config, source, CPU), load_state(tmp_path, CPU)
    assert saved is not None
    resumed.resume(saved)
    assert resumed.step == 3 and torch.equal(run.advance(), resumed.advance())
