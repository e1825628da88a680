"""A face as the CSV that Epic's app Live Link Face records, which engines and their plug-ins read.

A row is a frame: its time code, 61, ARKit's 52 coefficients in the app's order and with capitals, then head, left and
right eye as yaw, pitch and roll in radians. The angles are about the axes of ARKit's face (x to the person's left, y
up, z forward): yaw to the left, pitch down, roll up at the left are positive. The head's are against the upper chest,
so that a character whose body is animated too does not turn twice. Knows this format alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import write_bytes
from ..geometry import rotation
from ..geometry.axes import rotation_to_y_up
from ..geometry.euler import to_continuous_euler
from ..geometry.rotation import Array
from .face import FACE_COEFFICIENTS
from .gaze import find_eye_rotations
from .motion import Motion

_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
LIVE_LINK_COEFFICIENTS = tuple(_SWAPPED.get(name, name) for name in FACE_COEFFICIENTS)
"""ARKit's names in the app's order, in which the right comes before the left for jaw and mouth"""
_ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
COLUMNS = ("Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in LIVE_LINK_COEFFICIENTS), *_ANGLES)


def write_live_link_csv(motion: Motion, path: Path) -> None:
    """Write a motion's face as CSV; the file appears whole or not at all.

    Raises UserError where the motion has no face, or the file cannot be written.
    """
    if motion.face is None:
        raise UserError(f"{path} cannot be written: the motion has no face.", "Capture the video again with --face.")
    order = [FACE_COEFFICIENTS.index(name) for name in LIVE_LINK_COEFFICIENTS]
    angles = np.concatenate([_find_head_angles(motion), *_find_eye_angles(motion.face.coefficients)], 1)
    values = np.concatenate([motion.face.coefficients[:, order], angles], 1) + 0.0  # without negative zeros
    lines = [",".join(COLUMNS)]
    for frame, row in enumerate(values):
        time = format_timecode(motion.start_s + frame / motion.fps, motion.fps)
        lines.append(",".join([time, str(values.shape[1]), *(f"{value:.8f}" for value in row)]))
    write_bytes(Path(path), ("\n".join(lines) + "\n").encode("ascii"))


def format_timecode(seconds: float, fps: float) -> str:
    """A time as hours:minutes:seconds:frame.thousandths of a frame, frames counted at the nearest whole rate.

    A time before 0 is 0; a day begins anew after 24 hours.
    """
    rate = max(round(fps), 1)
    thousandths = max(round(seconds * rate * 1000.0), 0)
    frames, rest = divmod(thousandths, 1000)
    whole_s, frame = divmod(frames, rate)
    return f"{whole_s // 3600 % 24:02d}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d}:{frame:02d}.{rest:03d}"


def _find_head_angles(motion: Motion) -> Array:
    """Yaw, pitch and roll (T, 3) of the head against the upper chest, radians; 0 without these joints."""
    local = {name: motion.q_parent_joint[:, joint] for joint, name in enumerate(motion.skeleton.joint_names)}
    if not {"neck", "head"} <= local.keys():
        return np.zeros((len(motion.t_world_root), 3))
    return _to_yaw_pitch_roll(rotation.mul(local["neck"], local["head"]))


def _find_eye_angles(coefficients: Array) -> tuple[Array, Array]:
    """Yaw, pitch and roll (T, 3) of the left and the right eye, radians."""
    q = find_eye_rotations(coefficients)
    return _to_yaw_pitch_roll(q[:, 0]), _to_yaw_pitch_roll(q[:, 1])


def _to_yaw_pitch_roll(q: Array) -> Array:
    """Angles (T, 3) about y, x and z of ARKit's face, radians, of rotations q (T, 4) in our axes."""
    return to_continuous_euler(rotation_to_y_up(q)[:, None], "YXZ")[:, 0]
