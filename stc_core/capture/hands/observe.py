"""What was seen of the hands, in the form in which poses are fitted to it: every hand a left one, on the optical axis.

MediaPipe sees a hand in a crop, as if it were in the middle of the picture: its 3D points have the axes of the ray to
the hand. So each hand gets a camera of its own that looks along that ray. Knows cameras; not how hands bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...motion.hand_face_landmarks import HandLandmarks
from ...motion.motion import Camera
from ..layout import Array
from .hand_model import MIRROR, MIRROR_ROTATION

_AXIS = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class HandObservations:
    """N sightings of hands. Right ones are mirrored: in the picture, and in space, by x."""

    frames: NDArray[np.intp]
    """(N,): when"""
    sides: NDArray[np.intp]
    """(N,): 0 the left hand, 1 the right one"""
    q_camera_ray: Array
    """(N, 4): the axes of the ray to the hand, whose z is the ray, to those of the (mirrored) camera"""
    slopes: Array
    """(N, 21, 2): x and y of the points divided by their depth, in the ray's axes"""
    world: Array
    """(N, 21, 3) metres, in the ray's axes, around their middle: MediaPipe's own 3D"""
    depth_m: Array
    """(N,) along the ray: how far the wrist of the body is"""

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> HandObservations:
        """Some of the sightings."""
        return HandObservations(**{name: array[chosen] for name, array in vars(self).items()})


def observe_hands(hands: HandLandmarks, wrists_m: Array, camera: Camera) -> HandObservations:
    """The sightings among the landmarks.

    wrists_m (T, 2, 3): the body's wrists in the world.
    """
    frames, sides = np.nonzero(hands.scores > 0.0)
    focal_px = np.full(len(hands.scores), camera.K[0, 0]) if camera.path is None else camera.path.focal_px
    mirror = np.where(sides[:, None] > 0, MIRROR, 1.0)
    slopes = (hands.image[frames, sides] - camera.K[:2, 2]) / focal_px[frames, None, None] * mirror[:, None, :2]
    directions = np.concatenate([slopes, np.ones_like(slopes[..., :1])], -1)
    q_camera_ray = rotation.between(_AXIS, directions.mean(1))
    seen = rotation.rotate(rotation.inv(q_camera_ray)[:, None], directions)
    wrists = camera.to_camera_axes(wrists_m)[frames, sides] * mirror
    world = hands.world[frames, sides] * mirror[:, None]
    return HandObservations(
        frames=frames,
        sides=sides,
        q_camera_ray=q_camera_ray,
        slopes=seen[..., :2] / seen[..., 2:],
        world=world - world.mean(1, keepdims=True),
        depth_m=np.maximum((wrists * directions.mean(1)).sum(-1) / np.linalg.norm(directions.mean(1), axis=-1), 0.1),
    )


def to_camera(observed: HandObservations, q_ray_hand: Array) -> Array:
    """The rotations (N, 4) from the axes of left or right hands to those of the camera, of q_ray_hand (N, 4)."""
    q = rotation.mul(observed.q_camera_ray, q_ray_hand)
    return np.where(observed.sides[:, None] > 0, q * MIRROR_ROTATION, q)
