"""Hands and arms in known poses: how far each joint bends, and the rotations of a rig's bones that make it so.

A rotation takes the rest pose, armature space, to the pose of a hand that did not move; the hand's own comes after it.
Knows neither Blender nor which clip shows what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from stc_core.geometry import easing, rotation
from stc_core.geometry.rotation import Array
from stc_core.geometry.swing_twist import twist_angle

from .pose_transfer import frame_rotation

FINGERS = ("thumb", "index", "middle", "ring", "little")
SEGMENTS = {"thumb": ("metacarpal", "proximal", "distal")} | {
    finger: ("proximal", "intermediate", "distal") for finger in FINGERS[1:]
}
FINGER_BONES = tuple(f"{finger}_{segment}" for finger in FINGERS for segment in SEGMENTS[finger])
THUMB_AIM_M = 0.03  # in front of the little finger's knuckle, where a bent thumb goes; chosen
SWAY_M, SWAY_DEG = 0.012, 1.5  # of somebody who stands quietly; chosen
Finger = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class HandPose:
    """Degrees: flexion of a finger's three joints from straight, then its spread, positive towards the thumb.

    The thumb's are the flexion of its metacarpal, proximal and distal joint, and its opposition about the hand.
    """

    thumb: Finger = (0.0, 12.0, 12.0, 0.0)
    index: Finger = (12.0, 18.0, 10.0, 2.0)
    middle: Finger = (16.0, 22.0, 12.0, 0.0)
    ring: Finger = (20.0, 25.0, 14.0, -2.0)
    little: Finger = (22.0, 26.0, 15.0, -5.0)

    def angles(self) -> Array:
        """(5, 4) degrees."""
        return np.array([getattr(self, one.name) for one in fields(self)])


@dataclass(frozen=True, kw_only=True)
class RestHand:
    """A rig's hand at rest, armature space: the heads (16, 3) of the hand's bone and FINGER_BONES, the tips (5, 3)."""

    heads: Array
    tips: Array

    def chain(self, finger: int) -> Array:
        """The wrist, the finger's three joints and its tip, (5, 3)."""
        joints = self.heads[1 + 3 * finger : 4 + 3 * finger]
        return np.vstack([self.heads[:1], joints, self.tips[finger : finger + 1]])

    def palm_normal(self, left: bool) -> Array:
        """The unit direction (3,) out of the palm."""
        index, little = self.chain(1)[1] - self.heads[0], self.chain(4)[1] - self.heads[0]
        return rotation.normalise(np.cross(little, index) if left else np.cross(index, little))


def bend_fingers(rest: RestHand, left: bool, angles: Array) -> Mapping[str, Array]:
    """The rotations (T, 4) of FINGER_BONES for angles (T, 5, 4), degrees, as a HandPose has them."""
    normal = rest.palm_normal(left)
    turns: dict[str, Array] = {}
    for number, finger in enumerate(FINGERS):
        chain, radians = rest.chain(number), np.radians(angles[:, number])
        bones = rotation.normalise(np.diff(chain, axis=0))
        bend = _bend_thumb if finger == "thumb" else _bend_finger
        for segment, turn in zip(SEGMENTS[finger], bend(rest, normal, bones, radians), strict=True):
            turns[f"{finger}_{segment}"] = turn
    return turns


def _bend_finger(rest: RestHand, normal: Array, bones: Array, radians: Array) -> list[Array]:
    """A finger's three rotations: straight along its metacarpal, spread about the palm's normal, bent to the palm."""
    thumb_side = np.sign(np.dot(np.cross(normal, bones[0]), rest.chain(1)[1] - rest.chain(4)[1]))
    axis = rotation.normalise(np.cross(bones[0], normal))
    spread = rotation.from_axis_angle(normal, thumb_side * radians[:, 3])
    turns = []
    for segment in range(3):
        bent = rotation.from_axis_angle(axis, radians[:, : segment + 1].sum(-1))
        turns.append(rotation.mul(rotation.mul(spread, bent), rotation.between(bones[segment + 1], bones[0])))
    return turns


def _bend_thumb(rest: RestHand, normal: Array, bones: Array, radians: Array) -> list[Array]:
    """The thumb's: opposed about the hand's length, then each joint bent towards the little finger's knuckle."""
    chain = rest.chain(0)
    aim = rest.chain(4)[1] + normal * THUMB_AIM_M
    axis = rotation.normalise(np.cross(bones[2], aim - chain[2]))
    length = rotation.normalise(rest.chain(2)[1] - rest.heads[0])
    towards = np.sign(np.dot(np.cross(length, chain[3] - chain[0]), normal))
    opposed = rotation.from_axis_angle(length, towards * radians[:, 3])
    turns = []
    for segment in range(3):
        straight = rotation.IDENTITY if segment < 1 else rotation.between(bones[segment + 1], bones[1])
        bent = rotation.from_axis_angle(axis, radians[:, : segment + 1].sum(-1))
        turns.append(rotation.mul(rotation.mul(opposed, bent), straight))
    return turns


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Where an arm is, as directions of the left one: x to the outside, y to the back, z up.

    upper, lower: along the bones. hand: from the wrist to the middle knuckle. palm: out of the palm.
    """

    upper: tuple[float, float, float]
    lower: tuple[float, float, float]
    hand: tuple[float, float, float]
    palm: tuple[float, float, float]


def raise_arm(rest: Mapping[str, Array], hand: RestHand, left: bool, arm: Arm, wave: Array) -> dict[str, Array]:
    """World rotations (T, 4) of upper_arm, lower_arm and hand from rest that bring an arm there.

    rest: the heads (3,) of those three bones. wave: radians (T,) about the palm's normal. Half of the hand's twist
    against the forearm is the forearm's.
    """
    upper, lower, along, palm = np.array([arm.upper, arm.lower, arm.hand, arm.palm]) * [1.0 if left else -1.0, 1.0, 1.0]
    rest_upper, rest_lower = rest["lower_arm"] - rest["upper_arm"], rest["hand"] - rest["lower_arm"]
    hinge, rest_hinge = np.cross(upper, lower), np.cross(rest_upper, rest_lower)
    length = hand.chain(2)[1] - hand.heads[0]
    waved = rotation.from_axis_angle(rotation.normalise(palm), wave)
    q_hand = rotation.mul(waved, frame_rotation(length, hand.palm_normal(left), along, palm))
    q_lower = frame_rotation(rest_lower, rest_hinge, lower, hinge)
    twist = twist_angle(rotation.mul(q_hand, rotation.inv(q_lower)), rotation.normalise(lower))
    twisted = rotation.from_axis_angle(rotation.normalise(lower), 0.5 * twist.mean())
    q_upper = frame_rotation(rest_upper, rest_hinge, upper, hinge)
    frames = len(wave)
    return {
        "upper_arm": np.tile(q_upper, (frames, 1)),
        "lower_arm": np.tile(rotation.mul(twisted, q_lower), (frames, 1)),
        "hand": q_hand,
    }


def sway_body(frames: int, fps: float, seed: int) -> tuple[Array, Array]:
    """How somebody who stands sways: the pelvis' shift (T, 3), metres, and the spine's rotation (T, 4)."""
    lot = np.random.default_rng(seed)
    time_s = np.arange(frames)[:, None, None] / fps
    rate_hz, phase = lot.uniform(0.15, 0.6, (6, 4)), lot.uniform(0.0, 2.0 * np.pi, (6, 4))
    waves = np.sin(2.0 * np.pi * rate_hz * time_s + phase).mean(-1)
    return waves[:, :3] * SWAY_M * [1.0, 1.0, 0.0], rotation.exp(waves[:, 3:] * np.radians(SWAY_DEG))


def interpolate_poses(poses: Array, hold: int, travel: int, frames: int, offset: int) -> Array:
    """Angles (T, ...) that hold each of `poses` (P, ...) for so many frames and travel smoothly to the next, in a ring.

    offset: how many frames the first pose has lasted already.
    """
    period = hold + travel
    number, within = np.divmod(np.arange(frames) + offset, period)
    fraction = np.clip((within - hold) / travel, 0.0, 1.0)
    weight = easing.smoothstep(fraction).reshape(-1, *[1] * (poses.ndim - 1))
    from_, to = poses[number % len(poses)], poses[(number + 1) % len(poses)]
    between: Array = from_ + (to - from_) * weight
    return between


def finger_chains(joints: Array) -> Array:
    """The wrist and each finger's four points, (..., 5, 5, 3), of hands (..., 21, 3)."""
    rows = np.arange(1, 21).reshape(5, 4)
    chains: Array = joints[..., np.hstack([np.zeros((5, 1), int), rows]), :]
    return chains


def flexion_deg(chains: Array) -> Array:
    """Angles (..., 3), degrees, between consecutive bones of chains (..., 5, 3) from the wrist to the tip."""
    bones = rotation.normalise(np.diff(chains, axis=-2))
    cosine = (bones[..., 1:, :] * bones[..., :-1, :]).sum(-1)
    angles: Array = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angles
