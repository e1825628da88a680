"""The settings of previews."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PreviewConfig:
    """How a preview looks."""

    panel_height_px: int = 540
    """pixels, above 0: the height of both panels"""
    max_fps: float = 60.0
    """hertz, above 0: of faster motions every second frame is shown, or every third, ..."""
    turn_s: float = 12.0
    """seconds, above 0: one turn of the view at right"""
    view_field_deg: float = 35.0
    """degrees, 1 to 170: its field of view"""
    view_pitch_deg: float = 14.0
    """degrees, -90 to 90: how far it looks down"""
    trail_s: float = 3.0
    """seconds, 0 and up: how much of the path is drawn"""
    sheet_frames: int = 8
    """1 and up: pictures on the contact sheet"""
    sheet_columns: int = 2
    """1 and up: of the contact sheet"""
    sheet_width_px: int = 1600
    """pixels, above 0: of the contact sheet"""
