"""Weights between two sets of weights: `python -m stc_core.training.interpolate --first A --second B --out NEW`.

What fine-tuning gains mostly stays between the weights it started from and those it ended with, and what it lost mostly
comes back (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022). Knows weights files; not how they were
taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from ..errors import UserError
from ..model.checkpoint import load_checkpoint, save_checkpoint
from ..ranges import Range
from .checks import check_new_weights, check_settings, compute_digest


@dataclass(frozen=True)
class InterpolateConfig:
    """One interpolation."""

    first: Path
    """weights, such as those that fine-tuning started from"""
    second: Path
    """weights of the same network, such as those that it ended with"""
    out: Path
    """the new weights, a .safetensors file that is not there yet"""
    fraction: Annotated[float, Range(0.0, 1.0)] = 0.5
    """of the way from the first to the second"""


def interpolate(config: InterpolateConfig) -> None:
    """Write the new weights.

    Raises UserError where a setting is out of range, the two are of different networks, and where the file is there
    already or cannot be written.
    """
    check_settings(config)
    check_new_weights(config.out)
    first, second = load_checkpoint(config.first), load_checkpoint(config.second)
    if first.config != second.config:
        raise UserError(f"{config.second} is another network than {config.first}.", "Choose weights of one network.")
    with torch.no_grad():
        for value, other in zip(first.parameters(), second.parameters(), strict=True):
            value.lerp_(other, config.fraction)
    digests = [compute_digest(path) for path in (config.first, config.second)]
    save_checkpoint(first, config.out, {"interpolated": digests, "fraction": config.fraction})


def main() -> None:
    """The command: settings from the command line, errors in one line."""
    try:
        interpolate(tyro.cli(InterpolateConfig, description=__doc__))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
