"""Loops: the stretch of a motion that repeats itself best, closed so that it can be played for ever.

The cycle is found by comparing all pairs of frames: where the joints are, seen from the body, and how they move. Then
the difference between both ends is shared: half of it fades in before the end and half out after the start, velocity
too (after D. Holden, "Creating Looping Animations from Motion Capture", 2022). The path is made straight by the turn
that one cycle makes. Knows bones over time; does not know F-curves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError
from ...geometry import rotation
from ...geometry.rotation import Array
from ..face import loop_face
from ..motion import Motion
from ..retarget.rest_pose import RestPose
from ..skeleton import Skeleton
from .pose import KeyedPose, find_top_bones, key_pose, level, pose_keyed, skeleton_rest, up_axis

_VELOCITY_S = 0.1
"""over what time a difference of velocities counts as one of positions; chosen"""
_MIN_MOVEMENT_M = 0.03
"""joints that move less than this within a stretch, root mean square, make no cycle; chosen"""
_MAX_MISMATCH = 0.5
"""of the ends of a cycle, as a fraction of the movement within it: at more it is no repetition; chosen"""
_LONGER_IS_WORSE = 0.1
"""by how much of its mismatch a cycle of twice the length counts as worse: one step pair rather than two; chosen"""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How a loop is made."""

    in_place: bool = False
    """stay on the spot, as for game engines; otherwise the loop travels as the motion does"""
    min_s: float = 0.5
    """the shortest cycle, seconds"""
    max_s: float = 4.0
    """the longest cycle, seconds"""
    blend_s: float = 0.25
    """over what time each end is changed to meet the other, seconds; at most half the cycle"""


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """Where a motion repeats itself: the pose of `last` is nearly that of `first`."""

    first: int
    last: int
    mismatch_m: float
    """root mean square distance between the joints of both, seen from the body, with their velocities"""


def loop_motion(motion: Motion, config: LoopConfig | None = None) -> tuple[Motion, Cycle]:
    """Cut the best cycle out of a motion and close it; the last frame has the pose of the first.

    Contacts are kept where the motion is as it was: a foot that retargeting locked near an end would tear the ends
    apart again, and in place no foot stands still. What belongs to the video (camera, landmarks) is left out. Raises
    UserError where nothing repeats itself.
    """
    config = config or LoopConfig()
    rest, names = skeleton_rest(motion.skeleton), motion.skeleton.joint_names
    keyed = KeyedPose(
        rotations={name: motion.q_parent_joint[:, joint] for joint, name in enumerate(names)},
        locations={names[0]: motion.t_world_root - motion.skeleton.offsets[0]},
    )
    sideways = rotation.rotate(motion.q_parent_joint[:, 0], _sideways_at_rest(motion.skeleton))
    cycle = find_cycle(motion.positions(), sideways, motion.fps, config)
    blend_frames = round(config.blend_s * motion.fps)
    closed = close_cycle(rest, keyed, names[0], sideways, cycle, blend_frames, config.in_place)
    frames = slice(cycle.first, cycle.last + 1)
    contacts = motion.contacts[frames].copy()
    contacts[: blend_frames + 1] = contacts[-blend_frames - 1 :] = False
    contacts &= not config.in_place
    looped = replace(
        motion,
        t_world_root=closed.locations[names[0]] + motion.skeleton.offsets[0],
        q_parent_joint=np.stack([closed.rotations[name] for name in names], 1),
        contacts=contacts,
        scores=motion.scores[frames],
        start_s=motion.start_s + cycle.first / motion.fps,
        landmark_names=(),
        landmarks={},
        camera=None,
        hand_landmarks=None,
        face=motion.face and loop_face(motion.face, cycle.first, cycle.last, blend_frames),
        face_landmarks=None,
        settings={**motion.settings, "looped": True},
    )
    return looped, cycle


def _sideways_at_rest(skeleton: Skeleton) -> Array:
    """From the right to the left hip at rest (3,); x where the skeleton has none."""
    if not {"left_upper_leg", "right_upper_leg"} <= set(skeleton.joint_names):
        return np.array([1.0, 0.0, 0.0])
    positions = skeleton.rest_positions()
    return rotation.normalise(
        positions[skeleton.index("left_upper_leg")] - positions[skeleton.index("right_upper_leg")]
    )


# ---------------------------------------------------------------------------------------------- where it repeats


def find_cycle(points: Array, sideways: Array, fps: float, config: LoopConfig) -> Cycle:
    """Find the best cycle of a body's points (T, P, 3), the root's first, world metres.

    sideways (T, 3): from the body's right to its left. Raises UserError where nothing repeats itself.
    """
    features = _describe_frames(points, sideways, fps)
    shortest = max(2, round(config.min_s * fps))
    best, best_score, movement = None, np.inf, np.zeros(len(points))
    for lag in range(1, min(round(config.max_s * fps), len(points) - 1) + 1):
        distance = np.sqrt(np.square(features[lag:] - features[:-lag]).sum(-1) / points.shape[1])
        movement = np.maximum(movement[: len(distance)], distance)
        if lag < shortest:
            continue
        is_cycle = (movement > _MIN_MOVEMENT_M) & (distance < _MAX_MISMATCH * movement)
        score = np.where(is_cycle, distance, np.inf) * (lag / shortest) ** _LONGER_IS_WORSE
        first = int(score.argmin())
        if score[first] < best_score:
            best, best_score = Cycle(first=first, last=first + lag, mismatch_m=float(distance[first])), score[first]
    if best is None:
        raise UserError(
            f"Nothing in the motion repeats itself within {config.max_s:g} seconds.",
            "Choose a motion with at least one whole cycle, such as two steps and a half.",
        )
    return best


def _describe_frames(points: Array, sideways: Array, fps: float) -> Array:
    """Positions and velocities (T, F) as seen from the body: from where the root is, facing where it faces; metres."""
    root = points[:, 0] * np.array([1.0, 1.0, 0.0])
    facing_away = _yaw_rotations(-_headings(sideways))
    seen = rotation.rotate(facing_away[:, None], points - root[:, None])
    moved = rotation.rotate(facing_away, np.gradient(root, axis=0)) * (fps * _VELOCITY_S)
    velocities = np.gradient(seen, axis=0) * (fps * _VELOCITY_S) + moved[:, None]
    features: Array = np.concatenate([seen, velocities], 1).reshape(len(points), -1)
    return features


def _headings(sideways: Array) -> Array:
    """The angle (T,) of level directions (T, 3) to x, radians, without jumps."""
    angles: Array = np.unwrap(np.arctan2(sideways[:, 1], sideways[:, 0]))
    return angles


def _yaw_rotations(angles: Array) -> Array:
    return rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), angles)


# ---------------------------------------------------------------------------------------------- both ends meet


def close_cycle(
    rest: RestPose, keyed: KeyedPose, body: str, sideways: Array, cycle: Cycle, blend_frames: int, in_place: bool
) -> KeyedPose:
    """Cut a cycle out of what is keyed on an armature and let its ends meet, over so many frames each.

    body: the keyed bone whose path is the character's. sideways (T, 3): see `find_cycle`. Where the loop travels, the
    topmost bones end as far ahead as the cycle went and all else as it began.
    """
    cut = keyed.slice(cycle.first, cycle.last)
    top = find_top_bones(rest, cut)
    headings = _headings(sideways[cycle.first : cycle.last + 1])
    straight, stride = _straighten(rest, cut, top, rest.index(body), headings, in_place)
    count = len(cut)
    blend = max(1, min(blend_frames, (count - 1) // 2))
    ahead = np.linspace(0.0, 1.0, count)[:, None] * stride
    posed = pose_keyed(rest, straight)
    heads = {bone: _meet(posed.heads[:, bone] - ahead, blend) + ahead for bone in top}
    rotations = {bone: _meet_rotations(posed.q_armature_bone[:, bone], blend) for bone in top}
    closed = key_pose(rest, rotations, heads, count)
    carried = {rest.bones[bone] for bone in top}
    return KeyedPose(
        rotations={
            bone: closed.rotations[bone] if bone in carried else _meet_rotations(values, blend)
            for bone, values in straight.rotations.items()
        },
        locations={
            bone: closed.locations[bone] if bone in carried else _meet(values, blend)
            for bone, values in straight.locations.items()
        },
    )


def _straighten(
    rest: RestPose, keyed: KeyedPose, top: tuple[int, ...], body: int, headings: Array, in_place: bool
) -> tuple[KeyedPose, Array]:
    """Turn the path back evenly by what a cycle turns, and hold it on the spot where that is wanted.

    Returns what is keyed, and how far a cycle leads (3,), level, armature space and units.
    """
    posed, up, last = pose_keyed(rest, keyed), up_axis(rest), len(keyed) - 1
    fractions = np.linspace(0.0, 1.0, len(keyed))
    turns = rotation.from_axis_angle(up, (headings[0] - headings[-1]) * fractions)
    path = posed.heads[:, body]
    between = rotation.normalise(turns[1:] + turns[:-1])
    steps = rotation.rotate(between, level(np.diff(path, axis=0), up))
    new_path = level(path[0], up) + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, 0)])
    stride = new_path[last] - new_path[0]
    if in_place:
        new_path = new_path - fractions[:, None] * stride
        stride = np.zeros(3)
    old_path = level(path, up)
    heads = {
        bone: rotation.rotate(turns, posed.heads[:, bone] - old_path) + new_path
        for bone in top
        if rest.bones[bone] in keyed.locations
    }
    rotations = {
        bone: rotation.mul(turns, posed.q_armature_bone[:, bone]) for bone in top if rest.bones[bone] in keyed.rotations
    }
    moved = key_pose(rest, rotations, heads, len(keyed))
    return KeyedPose(
        rotations={**keyed.rotations, **moved.rotations}, locations={**keyed.locations, **moved.locations}
    ), stride


def _meet(values: Array, blend: int) -> Array:
    """Let both ends of values (N, C) meet half way, in value and in velocity, over `blend` frames each."""
    gap, slope_gap = values[-1] - values[0], (values[-1] - values[-2]) - (values[1] - values[0])
    return values + _fade(gap / 2.0, slope_gap / 2.0, len(values), blend)


def _meet_rotations(q: Array, blend: int) -> Array:
    """Let both ends of rotations (N, 4) meet half way, in rotation and in velocity, over `blend` frames each."""
    gap = rotation.log(rotation.mul(rotation.inv(q[0]), q[-1]))
    first, last = (rotation.log(rotation.mul(rotation.inv(a), b)) for a, b in ((q[0], q[1]), (q[-2], q[-1])))
    closed = rotation.mul(q, rotation.exp(_fade(gap / 2.0, (last - first) / 2.0, len(q), blend)))
    closed[-1] = closed[0]
    return rotation.unroll(closed)


def _fade(value: Array, slope: Array, count: int, blend: int) -> Array:
    """An offset (count, C) that starts at `value` with `slope` a frame and fades out, and its mirror at the end."""
    u = np.clip(np.arange(count) / blend, 0.0, 1.0)[:, None]
    start = (1.0 + 2.0 * u) * (1.0 - u) ** 2 * value + u * (1.0 - u) ** 2 * blend * slope
    end = (1.0 + 2.0 * u) * (1.0 - u) ** 2 * value - u * (1.0 - u) ** 2 * blend * slope
    offset: Array = start - end[::-1]
    return offset
