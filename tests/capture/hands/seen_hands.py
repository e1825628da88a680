"""Bodies whose hands' motion is known, and what a detector without faults, or with noise, sees of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stc_core.capture.hands.hand_model import ANGLES, LIMITS_RAD, MIRROR_ROTATION, NATURAL_RAD, joint_rotations
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGERS, HUMANOID_WITH_FINGERS, drop_fingers, list_finger_joints
from stc_core.motion.hand_face_landmarks import HandLandmarks
from stc_core.motion.motion import Camera, Motion
from stc_core.motion.skeleton import forward_kinematics

SKELETON = HUMANOID_WITH_FINGERS
SIDES = ("left", "right")
FPS = 30.0


def make_camera(focal_px: float = 1500.0, distance_m: float = 2.0, aside_m: float = 0.3) -> Camera:
    """A camera in front of a body, a little aside, so that the hands are off its axis."""
    R = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    K = np.array([[focal_px, 0.0, 960.0], [0.0, focal_px, 540.0], [0.0, 0.0, 1.0]])
    return Camera(K=K, R=R, t=-R @ np.array([aside_m, -distance_m, 1.3]), image_size=(1920, 1080))


def sway_angles(frames: int, seed: int) -> Array:
    """Angles (T, A) that move slowly within the middle of their limits."""
    lot = np.random.default_rng(seed)
    waves = np.sin(
        2.0 * np.pi * lot.uniform(0.1, 0.5, len(ANGLES)) * np.arange(frames)[:, None] / FPS
        + lot.uniform(0.0, 2.0 * np.pi, len(ANGLES))
    )
    low, high = LIMITS_RAD.T
    bent: Array = low + (0.45 + 0.2 * waves) * (high - low)
    spreads = [k for k, angle in enumerate(ANGLES) if angle.finger > 0 and angle.segment == 0 and angle.axis[2] == 1.0]
    bent[:, spreads] = NATURAL_RAD[spreads] + np.radians(4.0) * waves[:, spreads]
    for last in (k for k, angle in enumerate(ANGLES) if angle.finger > 0 and angle.segment == 2):
        bent[:, last] = 0.6 * bent[:, last - 1]
    return bent


def pose_body(angles: tuple[Array, Array]) -> Motion:
    """A body with raised forearms and palms to the camera, whose left and right hands have these angles (T, A)."""
    frames = len(angles[0])
    q = np.tile(rotation.IDENTITY, (frames, len(SKELETON.joint_names), 1))
    for side, name in enumerate(SIDES):
        sign = -1.0 if side else 1.0
        q[:, SKELETON.index(f"{name}_upper_arm")] = rotation.from_axis_angle([0.0, 1.0, 0.0], sign * np.radians(70.0))
        bend = rotation.from_axis_angle([0.0, 0.0, 1.0], -sign * np.radians(110.0))
        palm = rotation.from_axis_angle([1.0, 0.0, 0.0], np.radians(-60.0))
        q[:, SKELETON.index(f"{name}_lower_arm")] = rotation.mul(bend, palm)
        wave = 0.2 * np.sin(np.arange(frames) / FPS * 2.0)
        q[:, SKELETON.index(f"{name}_hand")] = rotation.from_axis_angle([0.0, 1.0, 0.0], sign * wave)
        joints = [SKELETON.index(joint) for finger in FINGERS for joint in list_finger_joints(name, finger)]
        q[:, joints] = joint_rotations(angles[side]) * (MIRROR_ROTATION if side else 1.0)
    return Motion(
        skeleton=SKELETON,
        t_world_root=np.tile([0.0, 0.0, 0.93], (frames, 1)),
        q_parent_joint=q,
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones(q.shape[:2]),
        fps=FPS,
        camera=make_camera(),
    )


def without_fingers(motion: Motion) -> Motion:
    """The body as its own inverse kinematics have it: no fingers, and hands that do not bend."""
    skeleton, q = drop_fingers(motion.skeleton, motion.q_parent_joint)
    q = q.copy()
    q[:, [skeleton.index(f"{side}_hand") for side in SIDES]] = rotation.IDENTITY
    return replace(motion, skeleton=skeleton, q_parent_joint=q, scores=motion.scores[:, : q.shape[1]])


def hand_points(motion: Motion) -> Array:
    """The 21 points of both hands (T, 2, 21, 3), world metres."""
    skeleton = motion.skeleton
    at, q_world = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    sides = []
    for name in SIDES:
        points = [at[:, skeleton.index(f"{name}_hand")]]
        for finger in FINGERS:
            chain = [skeleton.index(joint) for joint in list_finger_joints(name, finger)]
            points += [at[:, joint] for joint in chain]
            points.append(at[:, chain[-1]] + rotation.rotate(q_world[:, chain[-1]], skeleton.tips[chain[-1]]))
        sides.append(np.stack(points, 1))
    return np.stack(sides, 1)


def detect_hands(motion: Motion, noise_px: float = 0.0, noise_m: float = 0.0, seed: int = 0) -> HandLandmarks:
    """What a detector sees of a motion's hands: points in the picture, and 3D in the axes of the ray to each hand."""
    assert motion.camera is not None
    lot, points = np.random.default_rng(seed), hand_points(motion)
    seen = motion.camera.to_camera_axes(points)
    q_camera_ray = rotation.between([0.0, 0.0, 1.0], seen.mean(2))
    world = rotation.rotate(rotation.inv(q_camera_ray)[:, :, None], seen - seen.mean(2, keepdims=True))
    image = motion.camera.project(points)
    return HandLandmarks(
        image=image + lot.normal(0.0, noise_px, image.shape),
        world=world + lot.normal(0.0, noise_m, world.shape) * [1.0, 1.0, 2.0],
        scores=np.ones(points.shape[:2]),
    )


def measure_flexion_deg(points: Array) -> Array:
    """The angles (..., 5, 3), degrees, between consecutive bones of hands (..., 21, 3), from the wrist to the tips."""
    chains = points[..., np.hstack([np.zeros((5, 1), int), np.arange(1, 21).reshape(5, 4)]), :]
    bones = rotation.normalise(np.diff(chains, axis=-2))
    cosine = (bones[..., 1:, :] * bones[..., :-1, :]).sum(-1)
    angles: Array = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angles
