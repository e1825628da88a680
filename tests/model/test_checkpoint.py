"""Weights come back as they went, published ones load, and nothing but tensors is ever unpickled."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

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


def test_a_network_that_is_loaded_gets_no_first_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the device "meta" they take torch a second."""
    save_checkpoint(STCFormer(CONFIG), tmp_path / "a.safetensors", {})
    drawn: list[int] = []
    draw = torch.Tensor.normal_

    def count_and_draw(tensor: torch.Tensor, *args: Any, **named: Any) -> torch.Tensor:
        drawn.append(tensor.numel())
        return draw(tensor, *args, **named)

    monkeypatch.setattr(torch.Tensor, "normal_", count_and_draw)
    STCFormer(CONFIG)
    assert drawn
    drawn.clear()
    load_checkpoint(tmp_path / "a.safetensors")
    assert not drawn


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


def test_a_pickle_that_holds_more_than_tensors_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def write_weights(path: Path, config: Any, **changes: torch.Tensor) -> Path:
    """Weights of a small network with any configuration, JSON text or a value, in the header."""
    tensors = dict(STCFormer(CONFIG).state_dict()) | changes
    text = config if isinstance(config, str) else json.dumps(config)
    save_file(tensors, path, metadata={"stcformer_config": text})
    return path


GOOD: dict[str, Any] = json.loads(json.dumps(asdict(CONFIG)))
ODD: dict[str, Any] = {
    "blocks_1e9": GOOD | {"blocks": 10**9},
    "blocks_more": GOOD | {"blocks": 60, "width": 2048},
    "width_negative": GOOD | {"width": -256},
    "width_odd": GOOD | {"width": 33},
    "dropout_2": GOOD | {"dropout": 2.0},
    "frames_0": GOOD | {"frames": 0},
    "rate_nan": GOOD | {"rate_hz": float("nan")},
    "rate_0": GOOD | {"rate_hz": 0},
    "rate_negative": GOOD | {"rate_hz": -20.0},
    "height_negative": GOOD | {"body_height_m": -1.0},
    "another_layout": GOOD | {"layout": "body27"},
    "no_layout": GOOD | {"layout": "nobody"},
    "parts_9": GOOD | {"parts": [9] * 17},
    "unknown_view": GOOD | {"view": "sideways"},
    "unknown_field": GOOD | {"depth": 3},
    "a_list": [1],
    "deep": "[" * 100_000,
    "no_json": "{",
}


@pytest.mark.parametrize("name", ODD)
def test_a_configuration_that_cannot_be_is_refused_before_a_network_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write_weights(tmp_path / f"{name}.safetensors", ODD[name])
    made: list[int] = []
    reset = torch.nn.Linear.reset_parameters

    def count(layer: torch.nn.Linear) -> None:
        if layer.weight.device.type != "meta":
            made.append(layer.weight.numel())
        reset(layer)

    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", count)
    with pytest.raises(UserError, match=name):
        load_checkpoint(path)
    assert not made


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weight = STCFormer(CONFIG).regress_head.weight.detach().clone()
    weight[1, 2] = torch.nan
    with pytest.raises(UserError, match=r"a\.safetensors holds weights that are not finite"):
        load_checkpoint(write_weights(tmp_path / "a.safetensors", GOOD, **{"regress_head.weight": weight}))


@pytest.mark.parametrize(
    "tensors",
    [
        {"pose_emb.weight": torch.zeros(256)},
        {"pose_emb.weight": torch.zeros(256, 2), "stcformer.stc_block.999999999.x": torch.zeros(1)},
        {"pose_emb.weight": torch.zeros(256, 2), "stcformer.stc_block.abc": torch.zeros(1)},
        {"pose_emb.weight": torch.zeros(1).expand(10**9, 2)},
        {1: torch.zeros(1)},
    ],
)
def test_odd_state_dicts_are_refused(tmp_path: Path, tensors: Any) -> None:
    torch.save(tensors, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"a\.pth"):
        load_checkpoint(tmp_path / "a.pth")


def test_a_text_is_no_state_dict(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_text("hello world")
    with pytest.raises(UserError, match=r"a\.pth"):
        load_checkpoint(tmp_path / "a.pth")


_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
FUZZ = settings(
    max_examples=_EXAMPLES or 60,
    derandomize=not _EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""As many examples as FUZZ_EXAMPLES says, and others each time; where it is not set, so many, always the same."""

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@FUZZ
@given(changes=st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(max_size=5), _VALUES, max_size=3))
def test_fuzz_whatever_the_header_says_it_loads_or_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write_weights(tmp_path / "a.safetensors", GOOD | changes)
    try:
        model = load_checkpoint(path)
    except UserError:
        return
    assert model(torch.zeros(1, 3, 17, 3)).isfinite().all()


@FUZZ
@given(at=st.floats(0.0, 1.0), byte=st.integers(0, 255), cut=st.booleans())
def test_fuzz_whatever_bytes_are_damaged_it_loads_or_is_refused(
    tmp_path: Path, at: float, byte: int, cut: bool
) -> None:
    path = write_weights(tmp_path / "a.safetensors", GOOD)
    data = bytearray(path.read_bytes())
    position = int(at * 4000)  # of the header, which is where structure is
    data[position] = byte
    path.write_bytes(data[:position] if cut else data)
    try:
        load_checkpoint(path)
        read_metadata(path)
    except UserError:
        pass
