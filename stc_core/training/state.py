"""A run's saved states and its log, as files. Knows how they are damaged and mended; not what is in them.

OUT/state.pt is the last state and OUT/state.previous.pt the one before it. Both are archives with checksums: a
damaged one is reported, and the other used.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..files import atomic_write, write_text

STATE, PREVIOUS, LOG = "state.pt", "state.previous.pt", "log.jsonl"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state, whole or not at all, and keep the one before it. Raises UserError where that cannot be."""
    with atomic_write(folder / STATE) as partial:
        with open(partial, "wb") as file:
            torch.save(state, file)
        if (folder / STATE).is_file():
            os.replace(folder / STATE, folder / PREVIOUS)


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The last state that is whole; None where none was saved. Raises UserError where all are damaged."""
    damaged = []
    for path in (folder / STATE, folder / PREVIOUS):
        if not path.is_file():
            continue
        try:
            state = _read_state(path, device)
        except ValueError:
            damaged.append(path)
            continue
        for bad in damaged:
            print(f"note: {bad} is damaged: resuming from {path.name}, step {state['step']}.", file=sys.stderr)
        return state
    if damaged:
        raise UserError(f"{damaged[0]} is damaged.", "Choose another --out folder, or delete it to begin anew.")
    return None


def _read_state(path: Path, device: torch.device) -> dict[str, Any]:
    """Raises ValueError where the file is damaged: checked by the archive's checksums, which torch.load ignores."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise ValueError("checksum")
        state = torch.load(path, map_location=device, weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(str(error)) from error
    if not (isinstance(state, dict) and {"model", "averaged", "optimisers", "step"} <= state.keys()):
        raise ValueError("not a state")
    return state


class Log:
    """OUT/log.jsonl and TensorBoard's files."""

    def __init__(self, folder: Path, step: int):
        """Continue after a step: later lines are dropped, and lines that are torn (a full disk, a power cut)."""
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / LOG
        kept = [line for line in _read_lines(self._path) if _step_of(line) <= step]
        write_text(self._path, "".join(line + "\n" for line in kept))
        self._board = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, **values: float) -> None:
        """Append a line of values, also for TensorBoard."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name.replace(" ", "/"), value, step)
        self._board.flush()


def _read_lines(path: Path) -> list[str]:
    """The lines of a log that are whole."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    whole = [line for line in lines if _step_of(line) >= 0]
    if len(whole) < len(lines):
        print(f"note: {len(lines) - len(whole)} torn lines of {path} are cut off.", file=sys.stderr)
    return whole


def _step_of(line: str) -> int:
    """The step that a line is of; -1 where it is none."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return -1
    return step if isinstance(step, int) else -1
