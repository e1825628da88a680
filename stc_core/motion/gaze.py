"""Where eyes look: ARKit's eyeLook coefficients as the eyes' rotations, and back.

ARKit defines no angles. Here a coefficient of 1 is 30 degrees to the side and 25 up or down, about as far as people
look before they turn their head (chosen). Angles are those of both eyes, (..., 2, 2) radians, the left eye first: how
far it is turned to the person's left, then down; they are rotations about the head's axes z (up) and x (to its left).
Knows coefficients and axes; neither rigs nor how a face is seen.
"""

from __future__ import annotations

import numpy as np

from ..geometry import rotation
from ..geometry.rotation import Array
from .face import FACE_COEFFICIENTS

SIDEWAYS_RAD = np.radians(30.0)
UPRIGHT_RAD = np.radians(25.0)
_COLUMNS = {
    name: FACE_COEFFICIENTS.index(f"eyeLook{name}")
    for name in (f"{d}{s}" for d in ("In", "Out", "Up", "Down") for s in ("Left", "Right"))
}
GAZE_COLUMNS = tuple(_COLUMNS.values())
"""which of the 52 coefficients tell the gaze"""


def find_eye_angles(coefficients: Array) -> Array:
    """The angles (..., 2, 2) of both eyes, radians, of coefficients (..., 52)."""
    value = {name: coefficients[..., column] for name, column in _COLUMNS.items()}
    left = np.stack([value["OutLeft"] - value["InLeft"], value["InRight"] - value["OutRight"]], -1)
    down = np.stack([value[f"Down{side}"] - value[f"Up{side}"] for side in ("Left", "Right")], -1)
    return np.stack([left * SIDEWAYS_RAD, down * UPRIGHT_RAD], -1)


def find_eye_rotations(coefficients: Array) -> Array:
    """The rotations (..., 2, 4) of the left and the right eye in the head's axes, of coefficients (..., 52)."""
    angles = find_eye_angles(coefficients)
    to_left = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), angles[..., 0])
    return rotation.mul(to_left, rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), angles[..., 1]))


def set_gaze(coefficients: Array, angles: Array) -> Array:
    """The coefficients (..., 52) of a face whose eyes look along angles (..., 2, 2), no further than they can."""
    turned = coefficients.copy()
    left, down = np.moveaxis(angles / (SIDEWAYS_RAD, UPRIGHT_RAD), -1, 0)
    for eye, (side, outward) in enumerate((("Left", 1.0), ("Right", -1.0))):
        for name, value in (("Out", outward * left), ("In", -outward * left), ("Down", down), ("Up", -down)):
            turned[..., _COLUMNS[name + side]] = np.clip(value[..., eye], 0.0, 1.0)
    return turned
