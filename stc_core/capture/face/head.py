"""The head's rotation as the face shows it, where the face is seen well; else it stays the body's.

MediaPipe finds the face's rotation as if the camera looked straight at it, so the ray to the face turns it into the
camera's axes. It finds less pitch than there is; the gains are measured, on 1,100 crops of rendered bodies, whose faces
are 20 to 80 pixels high: there the median error falls from 12 degrees of the body's landmarks to 6 without gains and 5
with them (docs/accuracy.md). From about 60 degrees to the side on a face is no better than the body. A face
that disagrees with the body by far is the back of a head. Knows rotations; not the landmarks the body was solved from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...geometry.euler import from_euler, to_euler
from ...geometry.intervals import fill_gaps
from ...motion.hand_face_landmarks import FaceLandmarks
from ...motion.motion import Camera, Motion
from ...motion.skeleton import forward_kinematics
from ..layout import Array
from ..lowpass import apply_lowpass
from .config import FaceConfig
from .gaps import find_slips, weigh_gaps

_PITCH_GAIN, _YAW_GAIN = 1.25, 1.05  # measured; see above
_ASIDE_RAD = np.radians([50.0, 70.0])  # of the face's yaw from the ray: weight 1 up to the first, 0 from the second on
_DISAGREE_RAD = np.radians([60.0, 80.0])  # of face and body; measured: bodies' heads err by up to 57, backs by over 80
_NECK_RAD = np.radians([85.0, 110.0])  # of the face's head against the chest; the second is the body's own limit
_FULL_SCORE = 0.5  # of the face, from which on it is weighed fully; chosen
_EASE_S = 0.5  # from the body's to the face's rotation and back, and what gap is bridged; chosen
_UNSEEN_WEIGHT = 0.02  # chosen
_FACING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""the head's axes (x left, y backward, z up) in those of a camera (x right, y down, z forward) that it faces"""


def find_head_rotations(landmarks: FaceLandmarks, camera: Camera) -> tuple[Array, Array]:
    """The head's world rotation (T, 4) in each frame, and its yaw (T,) from the ray to it, radians.

    In frames without a face, whose scores are 0, neither has a meaning.
    """
    R_world_camera, focal_px = _list_cameras(camera, len(landmarks.scores))
    middle = (landmarks.box[:, :2] + landmarks.box[:, 2:]) / 2.0
    rays = np.concatenate([(middle - camera.K[:2, 2]) / focal_px[:, None], np.ones((len(middle), 1))], 1)
    q_camera_ray = rotation.between(np.array([0.0, 0.0, 1.0]), rays)
    seen = landmarks.scores > 0.0
    R_ray_head = np.where(seen[:, None, None], landmarks.R_camera_head, _FACING)
    angles = to_euler(rotation.from_matrix(R_ray_head @ _FACING.T), "YXZ") * (_YAW_GAIN, _PITCH_GAIN, 1.0)
    q_ray_head = rotation.mul(from_euler(angles, "YXZ"), rotation.from_matrix(_FACING))
    q_world_ray = rotation.mul(rotation.from_matrix(R_world_camera), q_camera_ray)
    return rotation.mul(q_world_ray, q_ray_head), angles[:, 0]


def _list_cameras(camera: Camera, frames: int) -> tuple[Array, Array]:
    """The camera's axes in the world (T, 3, 3) and its focal length (T,) in pixels in each frame."""
    if camera.path is None:
        return np.broadcast_to(camera.R.T, (frames, 3, 3)), np.full(frames, camera.K[0, 0])
    return camera.path.R.swapaxes(1, 2), camera.path.focal_px


def turn_head(motion: Motion, landmarks: FaceLandmarks, strength: float, config: FaceConfig) -> Motion:
    """The motion whose neck and head rotate as the face shows, where it shows it better than the body."""
    names = motion.skeleton.joint_names
    if motion.camera is None or not {"upper_chest", "neck", "head"} <= set(names):
        return motion
    chest, neck, head = (names.index(name) for name in ("upper_chest", "neck", "head"))
    q_world = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    q_face, yaw = find_head_rotations(landmarks, motion.camera)
    weights = _weigh_faces(landmarks, motion.fps, q_world[:, chest], q_world[:, head], q_face, yaw)
    if not weights.any():
        return motion
    change = _steady_change(q_world[:, head], q_face, weights, motion.fps, strength, config)
    q_world_head = rotation.mul(rotation.exp(change), q_world[:, head])
    q_world_neck = rotation.mul(rotation.exp(change / 2.0), q_world[:, neck])
    q_parent_joint = motion.q_parent_joint.copy()
    q_parent_joint[:, neck] = rotation.mul(rotation.inv(q_world[:, chest]), q_world_neck)
    q_parent_joint[:, head] = rotation.mul(rotation.inv(q_world_neck), q_world_head)
    return replace(motion, q_parent_joint=rotation.unroll(rotation.normalise(q_parent_joint)))


def _weigh_faces(
    landmarks: FaceLandmarks, fps: float, q_chest: Array, q_head: Array, q_face: Array, yaw: Array
) -> Array:
    """How far (T,) the face is believed rather than the body, from world rotations (T, 4) and its yaw (T,)."""
    seen = landmarks.scores > 0.0
    seen &= ~find_slips(landmarks.R_camera_head, seen, fps)
    apart = rotation.angle(rotation.mul(rotation.inv(q_head), q_face))
    bend = rotation.angle(rotation.mul(rotation.inv(q_chest), q_face))
    doubts = ((np.abs(yaw), _ASIDE_RAD), (apart, _DISAGREE_RAD), (bend, _NECK_RAD))
    weights = np.where(seen, np.minimum(landmarks.scores / _FULL_SCORE, 1.0), 0.0)
    for angle, (low, high) in doubts:
        weights = weights * (1.0 - smoothstep(angle, low, high))
    return weights


def _steady_change(
    q_head: Array, q_face: Array, weights: Array, fps: float, strength: float, config: FaceConfig
) -> Array:
    """The rotation vectors (T, 3), world axes, that take the body's head towards the face's by its weight (T,)."""
    from scipy.ndimage import gaussian_filter1d  # not where only the settings are read

    usable = weights > 0.0
    change = fill_gaps(rotation.log(rotation.mul(q_face, rotation.inv(q_head))), usable)
    if strength > 0.0:
        trust = np.maximum(weights, _UNSEEN_WEIGHT)
        change = apply_lowpass(change, trust, config.face_head_cutoff_hz / strength, fps)
    amount = fill_gaps(weights, usable) * weigh_gaps(usable, fps, _EASE_S, _EASE_S)
    amount = gaussian_filter1d(amount, _EASE_S * fps / 4.0, mode="nearest")
    steady: Array = amount[:, None] * change
    return steady
