"""Bodies whose truth is known: analytic motions of the canonical humanoid, cameras, and what the cameras see.

Feet in contact are still to rounding: legs follow the feet by inverse kinematics. No mocap file is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stc_core.capture.layout import BODY27, Layout
from stc_core.capture.pose import Pose2D, Pose3D
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion
from stc_core.motion.skeleton import HUMANOID, forward_kinematics

SIDES = ("left", "right")
X, Y, Z = np.eye(3)
THIGH, SHIN, ANKLE_HEIGHT, SOLE = 0.42, 0.40, 0.08, 0.02
GRAVITY = 9.81

# landmark: joints it is the mean of, offset in the first one's axes (left side; metres)
_RIGID = {
    "head": ("head", (0.0, 0.0, 0.18)),
    "nose": ("head", (0.0, -0.11, 0.04)),
    "ear": ("head", (0.075, 0.0, 0.05)),
    "shoulder": ("upper_arm", (0.0, 0.0, 0.0)),
    "elbow": ("lower_arm", (0.0, 0.0, 0.0)),
    "wrist": ("hand", (0.0, 0.0, 0.0)),
    "index": ("hand", (0.09, -0.03, 0.0)),
    "pinky": ("hand", (0.08, 0.03, 0.0)),
    "hip": ("upper_leg", (0.0, 0.0, 0.0)),
    "knee": ("lower_leg", (0.0, 0.0, 0.0)),
    "ankle": ("foot", (0.0, 0.0, 0.0)),
    "heel": ("foot", (0.0, 0.05, SOLE - ANKLE_HEIGHT)),
    "toe": ("toes", (0.0, -0.05, 0.0)),
    "spine": ("chest", (0.0, 0.0, 0.0)),
}


def landmarks(motion: Motion, layout: Layout = BODY27) -> Array:
    """World landmarks (T, K, 3) of a humanoid motion, rigid to its joints; pelvis and thorax are middles of pairs."""
    positions, q_world_joint = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)

    def place(name: str) -> Array:
        if name in ("pelvis", "thorax"):
            pair = "hip" if name == "pelvis" else "shoulder"
            return (place(f"left_{pair}") + place(f"right_{pair}")) / 2
        side, _, part = name.rpartition("_")
        joint, offset = _RIGID[part]
        sided = f"{side}_{joint}"
        index = motion.skeleton.index(sided if sided in motion.skeleton.joint_names else joint)
        mirror = (-1.0, 1.0, 1.0) if side == "right" else (1.0, 1.0, 1.0)
        return positions[:, index] + rotation.rotate(q_world_joint[:, index], np.multiply(offset, mirror))

    return np.stack([place(name) for name in layout.names], 1)


def body27(motion: Motion) -> Array:
    return landmarks(motion, BODY27)


def look_at_camera(
    eye: tuple[float, float, float] = (0.0, -5.0, 1.2),
    target: tuple[float, float, float] = (0.0, 0.0, 0.95),
    fov_deg: float = 50.0,
    size: tuple[int, int] = (1280, 720),
    roll_deg: float = 0.0,
) -> Camera:
    """A camera at `eye` that sees `target` in its middle; fov along the longer side of the picture."""
    forward = rotation.normalise(np.subtract(target, eye))
    right = rotation.normalise(np.cross(forward, Z))
    level = np.stack([right, np.cross(forward, right), forward])
    roll = rotation.to_matrix(rotation.from_axis_angle(Z, np.radians(roll_deg)))
    focal = max(size) / 2 / np.tan(np.radians(fov_deg) / 2)
    K = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1.0]])
    return Camera(K=K, R=roll @ level, t=-roll @ level @ np.asarray(eye, float), image_size=size)


def views(motion: Motion, camera: Camera, layout: Layout = BODY27) -> tuple[Pose2D, Pose3D]:
    """What a perfect detector and a perfect lifter would say of a motion."""
    world = landmarks(motion, layout)
    seen = world @ camera.R.T + camera.t
    scores = np.ones(world.shape[:2])
    times = np.arange(len(world)) / motion.fps
    flat = Pose2D(
        layout=layout,
        keypoints=camera.project(world),
        scores=scores,
        timestamps=times,
        image_size=camera.image_size,
        fps=motion.fps,
    )
    return flat, Pose3D(layout=layout, joints=seen - seen[:, :1], scores=scores, fps=motion.fps)


def walk(
    fps: float = 30.0,
    seconds: float = 4.0,
    speed_m_s: float = 0.8,
    heading_deg: float = 0.0,
    turn_deg_per_s: float = 0.0,
) -> Motion:
    """A walk, centred on the origin; heading 0 walks to -y (towards a default camera), 90 to +x. Turning walks arcs."""
    time = np.arange(max(2, round(fps * seconds))) / fps

    def place(t: Array) -> tuple[Array, Array]:
        t = t - seconds / 2
        yaw = np.radians(heading_deg + turn_deg_per_s * t)
        rate = np.radians(turn_deg_per_s)
        start = np.radians(heading_deg)
        if abs(rate) < 1e-9:
            xy = speed_m_s * t[:, None] * _ahead(start + 0.0 * t)
        else:
            xy = speed_m_s / rate * np.stack([np.cos(start) - np.cos(yaw), np.sin(start) - np.sin(yaw)], -1)
        return xy, yaw

    period, duty = 1.1, 0.62
    ankles, pitches, yaws, contacts = [], [], [], []
    for side, sign in enumerate((1.0, -1.0)):
        phase = time / period + 0.5 * side
        step, within = np.floor(phase), phase % 1.0
        swing = np.clip((within - duty) / (1 - duty), 0.0, 1.0)
        feet, turns = [], []
        for landing in (step, step + 1):
            middle_of_stance = (landing - 0.5 * side + duty / 2) * period
            xy, yaw = place(middle_of_stance)
            feet.append(xy + 0.09 * sign * np.stack([np.cos(yaw), np.sin(yaw)], -1))
            turns.append(yaw)
        blend = swing**3 * (10 - 15 * swing + 6 * swing**2)
        xy = feet[0] + blend[:, None] * (feet[1] - feet[0])
        lift = np.sin(np.pi * swing) ** 2
        ankles.append(np.column_stack([xy, ANKLE_HEIGHT + 0.10 * lift]))
        yaws.append(turns[0] + blend * (turns[1] - turns[0]))
        pitches.append(0.35 * lift)
        contacts.append(swing == 0.0)
    xy, yaw = place(time)
    bob = 0.86 - 0.012 * np.cos(4 * np.pi * time / period)
    swing_arm = 0.5 * np.sin(2 * np.pi * time / period)
    return _body(fps, np.column_stack([xy, bob]), yaw, ankles, yaws, pitches, contacts, (swing_arm, -swing_arm))


def jump(fps: float = 30.0, height_m: float = 0.4, forward_m: float = 0.0, heading_deg: float = 0.0) -> Motion:
    """Stand, crouch, jump so that the pelvis and the feet rise by `height_m`, land, stand."""
    speed = np.sqrt(2 * GRAVITY * height_m)
    flight = 2 * speed / GRAVITY
    stand, low, off = 0.90, 0.62, 0.92
    knots = np.cumsum([0.0, 0.8, 0.45, 0.28, flight, 0.28, 0.45, 0.8])
    heights = np.array([stand, stand, low, off, off, low, stand, stand])
    speeds = np.array([0, 0, 0, speed, -speed, 0, 0, 0])
    time = np.arange(round(knots[-1] * fps)) / fps
    in_air = (time > knots[3]) & (time < knots[4])
    flown = np.clip((time - knots[3]) / flight, 0.0, 1.0)
    rise = speed * flight * flown - GRAVITY / 2 * (flight * flown) ** 2
    z = np.where(in_air, off + rise, _hermite(time, knots, heights, speeds))
    yaw = np.full(len(time), np.radians(heading_deg))
    xy = (forward_m * flown)[:, None] * _ahead(yaw)
    ankles, contacts = [], [~in_air, ~in_air]
    for sign in (1.0, -1.0):
        feet = xy + 0.12 * sign * np.stack([np.cos(yaw), np.sin(yaw)], -1)
        ankles.append(np.column_stack([feet, ANKLE_HEIGHT + rise]))
    still = [np.zeros(len(time))] * 2
    return _body(fps, np.column_stack([xy, z]), yaw, ankles, [yaw, yaw], still, contacts, still)


def stand(fps: float = 30.0, seconds: float = 2.0, heading_deg: float = 0.0, one_leg: bool = False) -> Motion:
    """Standing still, swaying a little; on one leg the right foot hangs 25 cm above the floor."""
    time = np.arange(max(2, round(fps * seconds))) / fps
    yaw = np.full(len(time), np.radians(heading_deg))
    sway = 0.015 * np.sin(2 * np.pi * 0.4 * time)
    across = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    root = np.column_stack([(sway + 0.08 * one_leg)[:, None] * across, np.full(len(time), 0.89)])
    ankles = []
    for sign, lift in ((1.0, 0.0), (-1.0, 0.25 * one_leg)):
        ankles.append(np.column_stack([0.1 * sign * across, np.full(len(time), ANKLE_HEIGHT + lift)]))
    still = [np.zeros(len(time))] * 2
    contacts = [np.ones(len(time), bool), np.full(len(time), not one_leg)]
    return _body(fps, root, yaw, ankles, [yaw, yaw], still, contacts, still)


def _ahead(yaw: Array) -> Array:
    return np.stack([np.sin(yaw), -np.cos(yaw)], -1)


def _hermite(time: Array, knots: Array, values: Array, slopes: Array) -> Array:
    i = np.clip(np.searchsorted(knots, time, "right") - 1, 0, len(knots) - 2)
    span = knots[i + 1] - knots[i]
    u = (time - knots[i]) / span
    a, b = values[i], values[i + 1]
    path: Array = a + (b - a) * u * u * (3 - 2 * u) + span * u * (1 - u) * (slopes[i] * (1 - u) - slopes[i + 1] * u)
    return path


def _body(
    fps: float,
    root: Array,
    yaw: Array,
    ankles: Sequence[Any],
    foot_yaws: Sequence[Any],
    foot_pitches: Sequence[Any],
    contacts: Sequence[Any],
    arm_swings: Sequence[Any],
) -> Motion:
    """Root places (T, 3), pelvis yaw (T,), per side ankle places, foot yaw, foot pitch (toes down), contacts, arms."""
    names = HUMANOID.joint_names
    q_world = {"hips": rotation.from_axis_angle(Z, yaw)}
    for side, name in enumerate(SIDES):
        hip = root + rotation.rotate(q_world["hips"], HUMANOID.offsets[HUMANOID.index(f"{name}_upper_leg")])
        q_world[f"{name}_upper_leg"], q_world[f"{name}_lower_leg"] = _leg(hip, ankles[side], q_world["hips"])
        q_foot = rotation.mul(
            rotation.from_axis_angle(Z, foot_yaws[side]), rotation.from_axis_angle(X, foot_pitches[side])
        )
        q_world[f"{name}_foot"] = q_foot
    q_local = np.broadcast_to(rotation.IDENTITY, (len(root), len(names), 4)).copy()
    for joint, q in q_world.items():
        parent = HUMANOID.parents[HUMANOID.index(joint)]
        q_parent = q_world[names[parent]] if parent >= 0 else rotation.IDENTITY
        q_local[:, HUMANOID.index(joint)] = rotation.mul(rotation.inv(q_parent), q)
    for side, sign in enumerate((1.0, -1.0)):
        hang = rotation.from_axis_angle(Y, 1.35 * sign)
        swing = rotation.from_axis_angle(X, arm_swings[side])
        q_local[:, HUMANOID.index(f"{SIDES[side]}_upper_arm")] = rotation.mul(swing, hang)
        q_local[:, HUMANOID.index(f"{SIDES[side]}_lower_arm")] = rotation.from_axis_angle(Z, -0.4 * sign)
    scores = np.ones((len(root), len(names)))
    return Motion(
        skeleton=HUMANOID,
        t_world_root=root,
        q_parent_joint=rotation.unroll(q_local),
        contacts=np.stack(contacts, 1),
        scores=scores,
        fps=fps,
    )


def _leg(hip: Array, ankle: Array, q_world_hips: Array) -> tuple[Array, Array]:
    """World turns of thigh and shin that bring the ankle to its place, the knee bending forwards."""
    along = rotation.normalise(ankle - hip)
    reach = np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
    assert (reach < THIGH + SHIN).all(), f"the foot is out of reach: {reach.max():.3f} m"
    ahead = rotation.rotate(q_world_hips, -Y)
    side = rotation.normalise(np.cross(ahead, along))  # to the left: the knee's axis
    ahead = np.cross(along, side)
    part = (THIGH**2 - SHIN**2 + reach**2) / (2 * reach)
    knee = hip + part * along + np.sqrt(THIGH**2 - part**2) * ahead
    turns = []
    for upper, lower in ((hip, knee), (knee, ankle)):
        z = rotation.normalise(upper - lower)
        turns.append(rotation.from_axes(side, np.cross(z, side), z))
    return turns[0], turns[1]
