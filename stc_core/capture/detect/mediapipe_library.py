"""MediaPipe, loaded without what it draws with and listens with: half of its loading time.

Everything here that uses MediaPipe takes it from this module.
"""

from __future__ import annotations

from ...lean_imports import leave_out, pause_collector

with pause_collector(), leave_out("matplotlib", "matplotlib.pyplot", "sounddevice"):
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

__all__ = ["BaseOptions", "mediapipe", "vision"]
