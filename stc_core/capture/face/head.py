"""The head's rotation as the face shows it, where the face is seen well; else it stays the body's.

MediaPipe finds the face's rotation as if the camera looked straight at it, so the ray to the face turns it into the
camera's axes. It finds less pitch than there is; the gains are measured, on 1,100 crops of rendered bodies whose faces
are 20 to 80 pixels high. What changes, the face shows better than the body's landmarks; a constant error both have. The
face's grows with the angle of the ray, because the lens is seldom known. So what both differ by throughout is shared
by their variances. From about 60 degrees to the side on a face is no better than the body, and one that disagrees with
the body by far is the back of a head. Knows rotations; not the landmarks the body was solved from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep, weigh_gaps
from ...geometry.euler import from_euler, to_euler
from ...geometry.intervals import fill_gaps
from ...motion.hand_face_landmarks import FaceLandmarks
from ...motion.motion import Camera, Motion
from ...motion.skeleton import forward_kinematics
from ..layout import Array
from ..lowpass import apply_lowpass
from .config import FaceConfig
from .slips import find_slips

_PITCH_GAIN, _YAW_GAIN = 1.25, 1.05  # measured; see above
_Q_FACE_HEAD = rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(-7.0))
"""MediaPipe's axes of a face lean forward against a head that looks straight on, by 4 to 8 degrees; measured too"""
_ASIDE_RAD = np.radians([45.0, 65.0])  # of the face's yaw from the ray: weight 1 up to the first, 0 from the second on
_AWAY_RAD = np.radians([75.0, 100.0])  # of the body's head, likewise: what is a face then is none; chosen
_STEADY_S, _STEADY = 0.5, (0.3, 0.8)  # in what part of this time a face must be seen: a single one is none; chosen
_DISAGREE_RAD = np.radians([60.0, 80.0])  # of face and body; measured: bodies' heads err by up to 57, backs by over 80
_NECK_RAD = np.radians([85.0, 110.0])  # of the face's head against the chest; the second is the body's own limit
_BODY_ERROR_RAD, _FACE_ERROR_RAD = np.radians([8.0, 4.0])  # constant through a clip; measured on 42 rendered clips, and
_RAY_ERROR = 0.5  # for a face this part of its ray's angle, where the focal length is assumed
_BODY_IS_WRONG_RAD = np.radians([20.0, 40.0])  # no constant of both: where they differ by more, the body was wrong
_FULL_SCORE = 0.5  # of the face, from which on it is weighed fully; chosen
_EASE_S = 0.5  # from the body's to the face's rotation and back, and what gap is bridged; chosen
_UNSEEN_WEIGHT = 0.02  # chosen
_FACING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""the head's axes (x left, y backward, z up) in those of a camera (x right, y down, z forward) that it faces"""


def find_head_rotations(landmarks: FaceLandmarks, camera: Camera) -> tuple[Array, Array]:
    """The head's world rotation (T, 4) in each frame, and its yaw (T,) from the ray to it, radians.

    In frames without a face, whose scores are 0, neither has a meaning.
    """
    q_world_ray = _find_rays(landmarks, camera)
    seen = landmarks.scores > 0.0
    R_ray_head = np.where(seen[:, None, None], landmarks.R_camera_head, _FACING)
    angles = to_euler(rotation.from_matrix(R_ray_head @ _FACING.T), "YXZ") * (_YAW_GAIN, _PITCH_GAIN, 1.0)
    q_ray_head = rotation.mul(from_euler(angles, "YXZ"), rotation.from_matrix(_FACING))
    return rotation.mul(rotation.mul(q_world_ray, q_ray_head), _Q_FACE_HEAD), angles[:, 0]


def _find_rays(landmarks: FaceLandmarks, camera: Camera) -> Array:
    """The world rotation (T, 4) of a camera that looks straight at the face, in each frame."""
    if camera.path is None:
        R_world_camera = np.broadcast_to(camera.R.T, (len(landmarks.scores), 3, 3))
        focal_px = np.full(len(landmarks.scores), camera.K[0, 0])
    else:
        R_world_camera, focal_px = camera.path.R.swapaxes(1, 2), camera.path.focal_px
    middle = (landmarks.box[:, :2] + landmarks.box[:, 2:]) / 2.0
    rays = np.concatenate([(middle - camera.K[:2, 2]) / focal_px[:, None], np.ones((len(middle), 1))], 1)
    return rotation.mul(rotation.from_matrix(R_world_camera), rotation.between(np.array([0.0, 0.0, 1.0]), rays))


def _find_yaw(q_world_head: Array, q_world_ray: Array) -> Array:
    """How far (T,) a head (T, 4) is turned away, to either side, from the camera that looks at it, radians."""
    forward = rotation.rotate(rotation.mul(rotation.inv(q_world_ray), q_world_head), np.array([0.0, -1.0, 0.0]))
    yaw: Array = np.abs(np.arctan2(forward[:, 0], -forward[:, 2]))
    return yaw


def turn_head(motion: Motion, landmarks: FaceLandmarks, strength: float, config: FaceConfig) -> Motion:
    """The motion whose neck and head rotate as the face shows, where it shows it better than the body."""
    names = motion.skeleton.joint_names
    if motion.camera is None or not {"upper_chest", "neck", "head"} <= set(names):
        return motion
    chest, neck, head = (names.index(name) for name in ("upper_chest", "neck", "head"))
    q_world = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    q_face, yaw = find_head_rotations(landmarks, motion.camera)
    weights = _weigh_faces(landmarks, motion, q_world[:, chest], q_world[:, head], q_face, yaw)
    if not weights.any():
        return motion
    q_face = _share_constant(q_face, q_world[:, head], weights, _find_rays(landmarks, motion.camera), motion.camera)
    change = _steady_change(q_world[:, head], q_face, weights, motion.fps, strength, config)
    q_world_head = rotation.mul(rotation.exp(change), q_world[:, head])
    q_world_neck = rotation.mul(rotation.exp(change / 2.0), q_world[:, neck])
    q_parent_joint = motion.q_parent_joint.copy()
    q_parent_joint[:, neck] = rotation.mul(rotation.inv(q_world[:, chest]), q_world_neck)
    q_parent_joint[:, head] = rotation.mul(rotation.inv(q_world_neck), q_world_head)
    return replace(motion, q_parent_joint=rotation.unroll(rotation.normalise(q_parent_joint)))


def _weigh_faces(
    landmarks: FaceLandmarks, motion: Motion, q_chest: Array, q_head: Array, q_face: Array, yaw: Array
) -> Array:
    """How far (T,) the face is believed rather than the body, from world rotations (T, 4) and its yaw (T,)."""
    from scipy.ndimage import uniform_filter1d  # not where only the settings are read

    assert motion.camera is not None
    seen = landmarks.scores > 0.0
    seen &= ~find_slips(landmarks.R_camera_head, seen, motion.fps)
    around = uniform_filter1d(seen.astype(float), 2 * round(_STEADY_S * motion.fps / 2.0) + 1, mode="nearest")
    weights = np.where(seen, np.minimum(landmarks.scores / _FULL_SCORE, 1.0) * smoothstep(around, *_STEADY), 0.0)
    doubts = (
        (np.abs(yaw), _ASIDE_RAD),
        (_find_yaw(q_head, _find_rays(landmarks, motion.camera)), _AWAY_RAD),
        (_find_angle(q_head, q_face), _DISAGREE_RAD),
        (_find_angle(q_chest, q_face), _NECK_RAD),
    )
    for angle, (low, high) in doubts:
        weights = weights * (1.0 - smoothstep(angle, low, high))
    return weights


def _find_angle(q_a: Array, q_b: Array) -> Array:
    """The angle (T,) between rotations (T, 4), radians."""
    return rotation.angle(rotation.mul(rotation.inv(q_a), q_b))


def _share_constant(q_face: Array, q_head: Array, weights: Array, q_world_ray: Array, camera: Camera) -> Array:
    """The face's rotations (T, 4) without the body's share of what both differ by throughout, by weights (T,)."""
    forward = np.array([0.0, 0.0, 1.0])
    axes = camera.R[2] if camera.path is None else camera.path.R[:, 2]
    cosines = (rotation.rotate(q_world_ray, forward) * axes).sum(-1)
    ray_rad = np.average(np.arccos(np.clip(cosines, -1.0, 1.0)), weights=weights)
    variance = _FACE_ERROR_RAD**2 + (_RAY_ERROR * ray_rad) ** 2
    share = variance / (variance + _BODY_ERROR_RAD**2)
    constant = np.average(rotation.log(rotation.mul(rotation.inv(q_face), q_head)), axis=0, weights=weights)
    share *= 1.0 - smoothstep(np.linalg.norm(constant), *_BODY_IS_WRONG_RAD)
    return rotation.mul(q_face, rotation.exp(share * constant))


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
