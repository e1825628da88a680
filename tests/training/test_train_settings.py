"""Settings of training: presets, flags, optimisers, phases; what cannot be is refused by name."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stc_core.errors import UserError
from stc_core.model.stcformer import STCFormer
from stc_core.training.batches import BodySourceConfig
from stc_core.training.config import find_phase
from stc_core.training.optimisers import make_optimisers
from stc_core.training.train import PRESETS, parse_args, train
from tests.training.tiny_runs import tiny


def test_chunks_must_go_into_the_processes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="--chunks 2"):
        train(tiny(data, tmp_path))


def test_phases_follow_one_another(data: Path, tmp_path: Path) -> None:
    phases = tiny(data, tmp_path).resolve_phases(0)
    assert [find_phase(phases, step)[:2] for step in (0, 49, 50, 99)] == [(3, 8), (3, 8), (5, 4), (5, 4)]


@pytest.mark.parametrize(
    ("name", "millions"),
    [("shipped", 0.8), ("medium", 1.2), ("large", 4.8), ("paper-27", 4.7), ("paper-243-large", 18.9)],
)
def test_every_preset_has_the_network_that_it_names(name: str, millions: float) -> None:
    config = PRESETS[name][1]
    model = STCFormer(config.network)
    assert sum(value.numel() for value in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    make_optimisers(config, model)


@pytest.mark.parametrize("word", ["muom", "sgd", ""])
def test_an_optimiser_that_there_is_not_is_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        parse_args(["shipped", "--data", str(tmp_path), "--out", str(tmp_path), "--optimiser", word])
    assert refused.value.code == 2


def test_amsgrad_is_not_adam(tmp_path: Path) -> None:
    config = PRESETS["paper-27"][1]
    model = STCFormer(replace(config.network, width=16, blocks=1))
    for name, wanted in (("adam", False), ("amsgrad", True)):
        parsed = parse_args(["shipped", "--data", str(tmp_path), "--out", str(tmp_path), "--optimiser", name])
        (optimiser,) = make_optimisers(parsed, model)
        assert isinstance(optimiser, torch.optim.Adam) and optimiser.param_groups[0]["amsgrad"] is wanted
    assert config.optimiser == "amsgrad"


def test_flags_by_their_old_names_still_work(tmp_path: Path) -> None:
    words = "--decay 0.9 --clip 2 --calm-share 0.3 --average 0.9 --feed.body.stretch 0.2 --feed.recorded 0.25".split()
    parsed = parse_args(["shipped", "--data", str(tmp_path), "--out", str(tmp_path), *words])
    assert (parsed.learning_rate_decay, parsed.gradient_clip, parsed.calm_fraction, parsed.ema_decay) == (
        0.9,
        2,
        0.3,
        0.9,
    )
    assert isinstance(parsed.source, BodySourceConfig)
    assert (parsed.source.body.stretch, parsed.source.recorded) == (0.2, 0.25)


def test_a_setting_out_of_range_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ema_decay is 1\.5"):
        train(replace(tiny(data, tmp_path), ema_decay=1.5))


def test_where_it_writes_is_tried_before_it_works(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        train(tiny(data, tmp_path / "file" / "run"))
