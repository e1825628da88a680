"""The settings of what becomes of exchanged sides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SidesConfig:
    """Whether left and right are put right where the detector exchanged them."""

    mend_sides: bool = True
    """undo exchanges of left and right, of the legs and of the arms, and say where"""
