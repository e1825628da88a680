"""Weights between two sets of weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stc_core.errors import UserError
from stc_core.model.checkpoint import load_checkpoint, read_metadata, save_checkpoint
from stc_core.model.stcformer import STCFormer
from stc_core.training.batches import BODY_NETWORK
from stc_core.training.interpolate import InterpolateConfig, interpolate

SMALL = replace(BODY_NETWORK, width=16, blocks=1)


def save_network(path: Path, seed: int, width: int = 16) -> Path:
    torch.manual_seed(seed)
    save_checkpoint(STCFormer(replace(SMALL, width=width)), path, {}, torch.float32)
    return path


def test_weights_lie_between_the_two(tmp_path: Path) -> None:
    first, second = (save_network(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2))
    out = tmp_path / "between.safetensors"
    interpolate(InterpolateConfig(first, second, out, fraction=0.25))
    states = [load_checkpoint(path).state_dict() for path in (first, second, out)]
    for name, found in states[2].items():
        torch.testing.assert_close(found, 0.75 * states[0][name] + 0.25 * states[1][name], atol=2e-3, rtol=0.0)
    assert read_metadata(out)["fraction"] == 0.25


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    first, other = save_network(tmp_path / "a.safetensors", 1), save_network(tmp_path / "b.safetensors", 1, width=32)
    with pytest.raises(UserError, match="another network"):
        interpolate(InterpolateConfig(first, other, tmp_path / "out.safetensors"))
    with pytest.raises(UserError, match="there already"):
        interpolate(InterpolateConfig(first, first, other))
    with pytest.raises(UserError, match="fraction is 2"):
        interpolate(InterpolateConfig(first, first, tmp_path / "out.safetensors", fraction=2.0))
