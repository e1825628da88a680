"""The settings of lifting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ...ranges import Range


@dataclass(frozen=True, kw_only=True)
class LiftConfig:
    """How the network is run; what it is fed is decided by its checkpoint."""

    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    """where the network runs; auto takes CUDA, then MPS, then the processor"""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """the network's number format; auto: the fastest that moves joints by less than 0.2 mm, which is float32 so far;
    bfloat16 is twice as fast on processors that multiply it and moves them by 2 mm"""
    threads: Annotated[int, Range(0, 256)] = 0
    """processor threads for detection and for the network; 0 as many as there are processors"""
    flip: bool | None = None
    """average with the mirrored person: twice the work, a little steadier; None as the quality says: best only"""
    window_frames: Annotated[int, Range(0, 100000)] = 0
    """frames in a window, 0 as the checkpoint was trained"""
    overlap: Annotated[float, Range(0.0, 0.99)] = 0.33
    """the fraction of a window that the next one covers again"""
    batch: Annotated[int, Range(0, 4096)] = 0
    """windows at a time, 0 as suits the device: few keep memory flat on a processor, many keep a GPU busy"""
