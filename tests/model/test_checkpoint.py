"""Weights come back as they went, published ones load, and nothing but tensors is ever unpickled."""

import os
from pathlib import Path

import pytest
import torch

from stc_core.errors import UserError
from stc_core.model.checkpoint import load_checkpoint, read_metadata, save_checkpoint
from stc_core.model.stcformer import STCFormer, STCFormerConfig

CONFIG = STCFormerConfig(width=32, blocks=2, channels=3, part_scale=(0.5, 0.25), view="ray", rate_hz=20.0)


def test_our_files_bring_back_weights_configuration_and_what_was_said_of_them(tmp_path: Path) -> None:
    model = STCFormer(CONFIG).eval()
    save_checkpoint(model, tmp_path / "a.safetensors", {"steps": 7}, torch.float32)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.config == CONFIG and read_metadata(tmp_path / "a.safetensors") == {"steps": 7}
    x = torch.randn(1, 3, 17, 3)
    assert torch.equal(loaded(x), model(x))
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(("width", "blocks"), [(32, 3), (64, 1)])
def test_published_state_dicts_load_and_tell_their_size(tmp_path: Path, prefix: str, width: int, blocks: int) -> None:
    model = STCFormer(STCFormerConfig(width=width, blocks=blocks)).eval()
    path = tmp_path / "no_refine_6_4172.pth"
    torch.save({prefix + key: value for key, value in model.state_dict().items()}, path)
    loaded = load_checkpoint(path)
    assert (loaded.config.width, loaded.config.blocks) == (width, blocks)
    x = torch.randn(1, 3, 17, 2)
    assert torch.equal(loaded(x), model(x))


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trapped",)


def test_a_pickle_that_holds_more_than_tensors_is_refused_and_not_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"pose_emb.weight": Trap()}, "evil.pth")
    with pytest.raises(UserError, match=r"evil\.pth"):
        load_checkpoint(Path("evil.pth"))
    assert not Path("trapped").exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_damaged_and_missing_files_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(UserError, match=name):
        load_checkpoint(path)
    path.write_bytes(b"not weights at all")
    with pytest.raises(UserError, match=name):
        load_checkpoint(path)


def test_another_network_is_named(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(3, 3)}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="another network"):
        load_checkpoint(tmp_path / "a.pth")
    tensors = STCFormer(STCFormerConfig(width=32, blocks=2)).state_dict()
    tensors["stcformer.stc_block.0.extra"] = torch.zeros(1)
    torch.save(tensors, tmp_path / "b.pth")
    with pytest.raises(UserError, match="another network"):
        load_checkpoint(tmp_path / "b.pth")
