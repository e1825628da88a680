"""Hands and fingers: what was seen of the hands, and the body's motion, to a motion that has fingers.

The hands get lengths for the whole clip; each sighting is solved on its own, in closed form and then nearer to the
picture; then the angles are smoothed over time, short gaps bridged, and where a hand is not seen it relaxes. The body
stays as it is but for the hands and their forearms' twist. Knows the order of these steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...geometry import rotation
from ...geometry.easing import smoothstep
from ...motion.fingers import FINGER_JOINTS, FINGERS, add_fingers, list_finger_joints
from ...motion.hand_face_landmarks import HandLandmarks
from ...motion.motion import Camera, Motion
from ...motion.skeleton import Skeleton, forward_kinematics
from ..layout import SIDES, Array
from .config import HandsConfig
from .fit_pose import HandPoses, fit_poses
from .fit_shape import fit_proportions, fit_size
from .hand_model import (
    LIMITS_RAD,
    MIRROR,
    MIRROR_ROTATION,
    NATURAL_RAD,
    REST_DIRECTIONS,
    HandShape,
    joint_rotations,
)
from .observe import HandObservations, observe_hands, to_camera
from .over_time import Sightings, find_sightings, smooth_rotations, smooth_values
from .wrist import doubt_swing, join_wrist, untwist_forearm

_DOUBTFUL_MISFIT = (0.12, 0.3)  # of the palm's length: between these a fit to the picture gets doubtful; chosen
_WELL_KNOWN_RAD = np.radians(3.0)  # an angle known as well as this has its full weight; chosen
_SHARP_PALM_PX = 40.0  # points of a smaller palm are less exact, beside its length, and weigh less; chosen
_MIN_WEIGHT = 1e-3


@dataclass(frozen=True, kw_only=True)
class _SolvedHands:
    """What single sightings gave, by frame; 0 where there is none."""

    scores: Array
    """(T, 2)"""
    q_world_hand: Array
    """(T, 2, 4)"""
    angles_rad: Array
    """(T, 2, A)"""
    weights: Array
    """(T, 2, 1 + A): of the rotation and of each angle"""


def solve_hands(
    motion: Motion, hands: HandLandmarks, config: HandsConfig, strength: float, twist_limit_deg: float
) -> Motion:
    """The motion with fingers, and with wrists as the hands show them.

    motion: the body, through the camera that saw it. strength: of smoothing; it divides the cutoffs, 0 is off.
    twist_limit_deg: how far a forearm twists at most.
    """
    assert motion.camera is not None and len(hands.scores) == len(motion.t_world_root)
    positions, q_world = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)
    wrists = positions[:, [motion.skeleton.index(f"{side}_hand") for side in SIDES]]
    skeleton = add_fingers(motion.skeleton)
    observed = observe_hands(hands, wrists, motion.camera)
    solved = _solve_nothing(len(positions))
    if len(observed.frames):
        observed, shape = _fit_shape(observed, hands, skeleton)
        skeleton = _resize_fingers(skeleton, shape)
        solved = _place_in_world(observed, shape, fit_poses(observed, shape), hands.scores, motion.camera)
    smoothing = _Smoothing(config=config, strength=strength, fps=motion.fps)
    frames, count = len(positions), len(FINGER_JOINTS)
    q = np.concatenate([motion.q_parent_joint, np.tile(rotation.IDENTITY, (frames, count, 1))], 1)
    scores = np.concatenate([motion.scores, np.zeros((frames, count))], 1)
    for side, name in enumerate(SIDES):
        sightings = find_sightings(solved.scores[:, side] > 0.0, motion.fps, config)
        seen = np.where(sightings.is_seen, solved.scores[:, side], 0.0)
        fingers = [skeleton.index(joint) for finger in FINGERS for joint in list_finger_joints(name, finger)]
        angles = _smooth_angles(solved, side, sightings, smoothing)
        q[:, fingers] = rotation.unroll(joint_rotations(angles) * (MIRROR_ROTATION if side else 1.0))
        scores[:, fingers] = seen[:, None]
        if sightings.is_seen.any():
            arm = [skeleton.index(f"{name}_{part}") for part in ("lower_arm", "hand")]
            q_hand = _smooth_wrist(solved, side, sightings, smoothing)
            forearm = rotation.mul(q_world[:, skeleton.parents[arm[0]]], untwist_forearm(q[:, arm[0]])[0])
            q_forearm_hand = rotation.mul(rotation.inv(forearm), q_hand)
            presence = sightings.presence * doubt_swing(q_forearm_hand)
            limit_rad = float(np.radians(twist_limit_deg))
            joined = join_wrist(q[:, arm[0]], q[:, arm[1]], q_forearm_hand, presence, limit_rad)
            q[:, arm] = rotation.unroll(np.stack(joined, 1))
            scores[:, arm[1]] = np.maximum(scores[:, arm[1]], seen * presence)
    return replace(motion, skeleton=skeleton, q_parent_joint=q, scores=scores, hand_landmarks=hands)


@dataclass(frozen=True, kw_only=True)
class _Smoothing:
    config: HandsConfig
    strength: float
    fps: float

    def cutoff_hz(self, at_strength_1_hz: float) -> float:
        """The cutoff at this strength; infinite where smoothing is off."""
        return at_strength_1_hz / self.strength if self.strength > 0.0 else np.inf


def _solve_nothing(frames: int) -> _SolvedHands:
    """What is solved of hands that are never seen."""
    angles = np.zeros((frames, 2, len(NATURAL_RAD)))
    return _SolvedHands(
        scores=np.zeros((frames, 2)),
        q_world_hand=np.tile(rotation.IDENTITY, (frames, 2, 1)),
        angles_rad=angles,
        weights=np.zeros((frames, 2, 1 + angles.shape[-1])),
    )


def _fit_shape(
    observed: HandObservations, hands: HandLandmarks, skeleton: Skeleton
) -> tuple[HandObservations, HandShape]:
    """The shape of both hands, and the sightings with MediaPipe's 3D in its size."""
    weights = hands.scores[observed.frames, observed.sides]
    usual_m = np.linalg.norm(skeleton.offsets[skeleton.index("left_middle_proximal")])
    proportions = fit_proportions(observed.world, weights)
    size = fit_size(observed, proportions, weights, float(usual_m))
    return replace(observed, world=observed.world * size), proportions.scale(size)


def _resize_fingers(skeleton: Skeleton, shape: HandShape) -> Skeleton:
    """The skeleton with fingers of these lengths."""
    offsets, tips = skeleton.offsets.copy(), skeleton.tips.copy()
    for side, mirror in zip(SIDES, (np.ones(3), MIRROR), strict=True):
        for number, finger in enumerate(FINGERS):
            joints = [skeleton.index(joint) for joint in list_finger_joints(side, finger)]
            bones = REST_DIRECTIONS[number] * shape.lengths[number][:, None]
            offsets[joints] = np.vstack([shape.roots[number], bones[:2]]) * mirror
            tips[joints[-1]] = bones[2] * mirror
    return replace(skeleton, offsets=offsets, tips=tips)


def _measure_palms_px(observed: HandObservations, shape: HandShape, camera: Camera) -> Array:
    """How long (N,) the palms would be in the picture if they lay in its plane, pixels."""
    focal_px = camera.K[0, 0] if camera.path is None else camera.path.focal_px[observed.frames]
    lengths: Array = shape.palm_m * focal_px / observed.depth_m
    return lengths


def _place_in_world(
    observed: HandObservations, shape: HandShape, poses: HandPoses, scores: Array, camera: Camera
) -> _SolvedHands:
    """The poses by frame and side, in the world's axes, with what each is worth."""
    result, at = _solve_nothing(len(scores)), (observed.frames, observed.sides)
    R = camera.R[None] if camera.path is None else camera.path.R[observed.frames]
    believed = scores[at] * (1.0 - smoothstep(poses.misfit, *_DOUBTFUL_MISFIT))
    sharpness = np.minimum(_measure_palms_px(observed, shape, camera) / _SHARP_PALM_PX, 1.0)
    known = np.minimum((_WELL_KNOWN_RAD / poses.sigmas_rad) ** 2, 1.0) * sharpness[:, None] ** 2
    result.scores[at] = believed
    result.q_world_hand[at] = rotation.mul(rotation.inv(rotation.from_matrix(R)), to_camera(observed, poses.q_ray_hand))
    result.angles_rad[at] = poses.angles_rad
    result.weights[at] = np.maximum(believed[:, None] ** 2 * known, _MIN_WEIGHT)
    return result


def _smooth_angles(solved: _SolvedHands, side: int, sightings: Sightings, smoothing: _Smoothing) -> Array:
    """The angles (T, A) of one hand, relaxed where it is not seen."""
    if not sightings.is_seen.any():
        return np.tile(NATURAL_RAD, (len(solved.scores), 1))
    cutoff_hz = smoothing.cutoff_hz(smoothing.config.finger_cutoff_hz)
    angles, weights = solved.angles_rad[:, side], solved.weights[:, side, 1:]
    smooth = smooth_values(angles, weights, sightings, cutoff_hz, smoothing.fps)
    presence = sightings.presence[:, None]
    eased: Array = np.clip(presence * smooth + (1.0 - presence) * NATURAL_RAD, *LIMITS_RAD.T)
    return eased


def _smooth_wrist(solved: _SolvedHands, side: int, sightings: Sightings, smoothing: _Smoothing) -> Array:
    """The rotations (T, 4) of one hand in the world."""
    cutoff_hz = smoothing.cutoff_hz(smoothing.config.wrist_cutoff_hz)
    q, weights = solved.q_world_hand[:, side], solved.weights[:, side, 0]
    return smooth_rotations(q, weights, sightings, cutoff_hz, smoothing.fps)
