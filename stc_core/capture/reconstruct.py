"""From landmarks observed in the image to a motion: the network, and the order of the stages after detection.

Loads the libraries of the network, which takes seconds: the pipeline imports it while the first frames are detected.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import UserError
from ..events import Note, Report, ignore
from ..model.checkpoint import load_checkpoint
from ..model.stcformer import STCFormer
from ..motion.motion import Motion
from .camera_motion.follow import follow_camera
from .config import CaptureConfig, choose_lift, choose_weights
from .layout import LAYOUTS
from .lens.find import find_lens
from .lift.lift import lift
from .pose import CameraIntrinsics, Pose2D, Pose3D, resample_evenly
from .sides.mend import mend_sides
from .solve_lifted import solve_lifted


def load_lifter(config: CaptureConfig) -> STCFormer:
    """The network of the settings. Raises UserError where its file is missing, damaged, or of unknown landmarks."""
    model = load_checkpoint(choose_weights(config))
    if model.config.layout not in LAYOUTS:
        raise UserError(f"{config.weights} was trained for the landmarks “{model.config.layout}”.", "Choose others.")
    return model


def reconstruct_motion(
    pose: Pose2D, model: STCFormer, intrinsics: CameraIntrinsics, config: CaptureConfig, report: Report = ignore
) -> Motion:
    """The motion of landmarks observed in the image: every stage after detection."""

    def lift_reading(reading: Pose2D) -> Pose3D:
        return lift(resample_evenly(reading), model, intrinsics, replace(config.lift, flip=False))

    mended = mend_sides(pose, lift_reading, config.sides, report)
    followed, lens = follow_camera(mended, intrinsics, report)
    lens = find_lens(followed, lens, report)
    even = resample_evenly(followed)
    if even is not followed:
        report(Note(f"The video's frames are not evenly spaced; the motion is, at {even.fps:.3f} frames a second."))
    raw = lift(even, model, lens, choose_lift(config), report)
    return solve_lifted(even, raw, lens, config, report)
