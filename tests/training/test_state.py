"""Saved states and logs: what is damaged is reported and left out, and what was saved before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from stc_core.errors import UserError
from stc_core.training.state import LOG, PREVIOUS, STATE, Log, load_state, save_state

CPU = torch.device("cpu")


def make_state(step: int) -> dict[str, Any]:
    weights = {"weight": torch.full((64, 64), float(step))}
    return {"model": weights, "averaged": weights, "optimisers": [], "step": step}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that saved its state at steps 10 and 20."""
    for step in (10, 20):
        save_state(tmp_path, make_state(step))
    return tmp_path


def test_the_last_state_comes_back_and_the_one_before_it_is_kept(folder: Path) -> None:
    state = load_state(folder, CPU)
    assert (
        state is not None and state["step"] == 20 and torch.equal(state["model"]["weight"], torch.full((64, 64), 20.0))
    )
    assert sorted(path.name for path in folder.iterdir()) == [PREVIOUS, STATE]


def test_where_nothing_was_saved_there_is_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path, CPU) is None


def cut(data: bytes) -> bytes:
    return data[:1000]


def flip_a_bit(data: bytes) -> bytes:
    """In the middle of the weights, where nothing but a checksum can see it."""
    at = data.index(torch.full((64,), 20.0).numpy().tobytes()) + 33
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


@pytest.mark.parametrize("damage", [cut, flip_a_bit, lambda data: b"", lambda data: b"hello world"])
def test_a_damaged_state_is_reported_and_the_one_before_it_used(
    folder: Path, capsys: pytest.CaptureFixture[str], damage: Any
) -> None:
    (folder / STATE).write_bytes(damage((folder / STATE).read_bytes()))
    state = load_state(folder, CPU)
    assert state is not None and state["step"] == 10
    assert STATE in capsys.readouterr().err


def test_a_kill_between_the_two_renames_loses_nothing(folder: Path) -> None:
    (folder / STATE).unlink()
    state = load_state(folder, CPU)
    assert state is not None and state["step"] == 10


def test_where_all_are_damaged_it_says_what_to_do(folder: Path) -> None:
    for name in (STATE, PREVIOUS):
        (folder / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"state\.pt is damaged.*--out"):
        load_state(folder, CPU)


def test_a_torn_line_of_the_log_is_cut_off_with_those_after_the_step(tmp_path: Path) -> None:
    whole = [{"step": step, "loss_mm": 1.0} for step in (10, 20, 30)]
    (tmp_path / LOG).write_text("".join(json.dumps(line) + "\n" for line in whole) + '{"step": 15, "lo')
    Log(tmp_path, 20).write(25, loss_mm=2.0)
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines == [*whole[:2], {"step": 25, "loss_mm": 2.0}]
