"""Clips of known truth, for the scripts and tests beside this file."""

from stc_core.training.known import Array, Known, all_known, mediapipe, read_known

__all__ = ["Array", "Known", "all_known", "mediapipe", "read_known"]
