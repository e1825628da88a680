"""A hand that bends as hands do: 21 angles about the axes of its joints, and where its 21 points are then.

It is the left hand, in the axes of the humanoid's hand joint at rest: x along the straight fingers, y to the side of
the little one, z out of the back. A right hand is its mirror image. A finger's knuckle spreads about z, then bends
about y; its other two joints bend about y. The thumb's metacarpal bends across the palm, goes forward out of the palm's
plane and twists about its own length; its other joints bend. Knows anatomy; not how a hand is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...motion.fingers import FINGERS, HUMANOID_WITH_FINGERS, get_flexion_axis, list_finger_joints
from ...motion.hand_face_landmarks import HAND_POINTS
from ..layout import Array

MIRROR = np.array([-1.0, 1.0, 1.0])
"""of points, from the left hand to the right one"""
MIRROR_ROTATION = np.array([1.0, 1.0, -1.0, -1.0])
"""of quaternions, likewise"""
KNUCKLES = (5, 9, 13, 17)
"""among the points, those at which the four fingers begin"""
PALM = (0, 1, *KNUCKLES)
"""the points that move with the palm"""
_Y, _Z = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class HandShape:
    """The lengths of a hand, metres."""

    roots: Array
    """(5, 3): where each finger begins, from the wrist"""
    lengths: Array
    """(5, 3): each finger's bones, from the palm to the tip"""

    def scale(self, factor: float) -> HandShape:
        """The same hand, so many times as large."""
        return HandShape(roots=self.roots * factor, lengths=self.lengths * factor)

    @property
    def palm_m(self) -> float:
        """From the wrist to the middle finger's knuckle."""
        return float(np.linalg.norm(self.roots[2]))


def _read_rest_hand() -> tuple[HandShape, Array]:
    """The shape of the humanoid's left hand, and the direction (5, 3) of each finger at rest."""
    skeleton = HUMANOID_WITH_FINGERS
    chains = [[skeleton.index(joint) for joint in list_finger_joints("left", finger)] for finger in FINGERS]
    bones = np.array([[*skeleton.offsets[chain[1:]], skeleton.tips[chain[2]]] for chain in chains])
    roots = skeleton.offsets[[chain[0] for chain in chains]]
    return HandShape(roots=roots, lengths=np.linalg.norm(bones, axis=-1)), rotation.normalise(bones[:, 0])


REST_SHAPE, REST_DIRECTIONS = _read_rest_hand()

# The thumb bends towards a point in front of the little finger's knuckle, and goes forward at right angles to that.
_THUMB_TWIST = REST_DIRECTIONS[0]
_THUMB_BEND = get_flexion_axis("left", "thumb")
_THUMB_FORWARD = np.cross(_THUMB_BEND, _THUMB_TWIST)


@dataclass(frozen=True, kw_only=True)
class Angle:
    """One of the hand's angles; degrees."""

    finger: int
    """of FINGERS"""
    segment: int
    """of the finger's three joints"""
    axis: tuple[float, float, float]
    """unit, in the hand's axes at rest; a joint's angles are applied one in the axes of the other, in this order"""
    limits: tuple[float, float]
    """the least and the greatest: American Academy of Orthopaedic Surgeons' ranges, a little wider for soft joints"""
    natural: float
    """of a hand that hangs relaxed"""
    sigma: float
    """how far from natural it usually is; chosen"""


def _as_axis(axis: Array) -> tuple[float, float, float]:
    return float(axis[0]), float(axis[1]), float(axis[2])


def _list_finger_angles(finger: int, spread_deg: float, curl_deg: tuple[float, float, float]) -> list[Angle]:
    knuckle, middle, last = curl_deg
    y, z = _as_axis(_Y), _as_axis(_Z)
    return [
        Angle(finger=finger, segment=0, axis=z, limits=(-20.0, 20.0), natural=spread_deg, sigma=8.0),
        Angle(finger=finger, segment=0, axis=y, limits=(-20.0, 95.0), natural=knuckle, sigma=40.0),
        Angle(finger=finger, segment=1, axis=y, limits=(0.0, 110.0), natural=middle, sigma=45.0),
        Angle(finger=finger, segment=2, axis=y, limits=(0.0, 80.0), natural=last, sigma=40.0),
    ]


ANGLES: tuple[Angle, ...] = (
    Angle(finger=0, segment=0, axis=_as_axis(_THUMB_BEND), limits=(-25.0, 55.0), natural=10.0, sigma=20.0),
    Angle(finger=0, segment=0, axis=_as_axis(_THUMB_FORWARD), limits=(-20.0, 50.0), natural=15.0, sigma=20.0),
    Angle(finger=0, segment=0, axis=_as_axis(_THUMB_TWIST), limits=(-30.0, 45.0), natural=10.0, sigma=12.0),
    Angle(finger=0, segment=1, axis=_as_axis(_THUMB_BEND), limits=(-10.0, 70.0), natural=15.0, sigma=25.0),
    Angle(finger=0, segment=2, axis=_as_axis(_THUMB_BEND), limits=(-15.0, 85.0), natural=15.0, sigma=30.0),
    *_list_finger_angles(1, -2.0, (15.0, 22.0, 12.0)),
    *_list_finger_angles(2, 0.0, (19.0, 26.0, 14.0)),
    *_list_finger_angles(3, 2.0, (23.0, 30.0, 16.0)),
    *_list_finger_angles(4, 5.0, (26.0, 35.0, 18.0)),
)
"""the hand's angles, thumb first, each finger's from the palm outward"""
NATURAL_RAD = np.radians([angle.natural for angle in ANGLES])
LIMITS_RAD = np.radians([angle.limits for angle in ANGLES])
SIGMAS_RAD = np.radians([angle.sigma for angle in ANGLES])
BENT_TOGETHER = tuple(
    (first, first + 1) for first, angle in enumerate(ANGLES) if angle.finger > 0 and angle.segment == 1
)
"""pairs of angles: a finger's middle joint, and its last, which one tendon bends with it"""
BEND_RATIO = 0.6
"""of the last joint's to the middle joint's flexion; Rijpkema and Girard (1991) have two thirds, measured hands less"""


@dataclass(frozen=True, kw_only=True)
class PosedHand:
    """N hands in a pose, in the axes of the hand."""

    points: Array
    """(N, 21, 3) metres from the wrist"""
    axes: Array
    """(N, A, 3): the unit axis of each angle as it lies now"""


def pose_hand(shape: HandShape, angles_rad: Array) -> PosedHand:
    """The points of a hand with angles (N, A)."""
    points, axes = np.zeros((len(angles_rad), HAND_POINTS, 3)), np.zeros((*angles_rad.shape, 3))
    for finger in range(len(FINGERS)):
        q = np.broadcast_to(rotation.IDENTITY, (len(angles_rad), 4))
        position = np.broadcast_to(shape.roots[finger], (len(angles_rad), 3))
        for segment in range(3):
            points[:, 1 + 4 * finger + segment] = position
            for index in indices_of(finger, segment):
                axis = np.array(ANGLES[index].axis)
                axes[:, index] = rotation.rotate(q, axis)
                q = rotation.mul(q, rotation.from_axis_angle(axis, angles_rad[:, index]))
            position = position + rotation.rotate(q, REST_DIRECTIONS[finger] * shape.lengths[finger, segment])
        points[:, 4 + 4 * finger] = position
    return PosedHand(points=points, axes=axes)


def differentiate_points(posed: PosedHand) -> Array:
    """How the points move with the angles: (N, 21, 3, A) metres per radian."""
    count = len(ANGLES)
    moved = np.zeros((*posed.points.shape, count))
    for index, angle in enumerate(ANGLES):
        joint, tip = 1 + 4 * angle.finger + angle.segment, 5 + 4 * angle.finger
        arms = posed.points[:, joint + 1 : tip] - posed.points[:, joint : joint + 1]
        moved[:, joint + 1 : tip, :, index] = np.cross(posed.axes[:, None, index], arms)
    return moved


def joint_rotations(angles_rad: Array) -> Array:
    """The rotations (N, 15, 4) of the left hand's finger joints, finger by finger, of angles (N, A)."""
    q = np.broadcast_to(rotation.IDENTITY, (len(angles_rad), 3 * len(FINGERS), 4)).copy()
    for index, angle in enumerate(ANGLES):
        joint = 3 * angle.finger + angle.segment
        q[:, joint] = rotation.mul(q[:, joint], rotation.from_axis_angle(angle.axis, angles_rad[:, index]))
    return q


def indices_of(finger: int, segment: int) -> NDArray[np.intp]:
    """Which of ANGLES a joint has, in their order."""
    flags = [angle.finger == finger and angle.segment == segment for angle in ANGLES]
    return np.flatnonzero(flags)
