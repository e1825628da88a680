"""A rig's feet at rest: how high the ankles are over the floor, where the toes point, over what a foot rolls.

Soles are read from the mesh where one is known, else from how the rig stands over its origin and its lowest bones. An
imported bone without children ends anywhere: its tail shows a foot only where a foot could be. Knows bodies at rest in
standing axes, metres; does not know time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from .rest_pose import RestPose
from .standing_body import Body, length

FEET = ("left_foot", "right_foot")

# By the length of a leg; all chosen.
SOLE_PER_LEG = 0.02 / 0.82  # height of the toe joint over the floor: 2 cm for a leg of 82 cm
ANKLE_PER_LEG = 0.075  # height of the ankle over the toe joint, for bodies without toes
_TOE_JOINT_OVER_ORIGIN_PER_LEG = (-0.03, 0.09)  # a toe joint this high over the origin stands on a floor through it
_ANKLE_OVER_FLOOR_PER_LEG = (0.03, 0.16)  # likewise an ankle, for rigs without toes
_SOLE_UNDER_ANKLE_PER_LEG = (0.01, 0.35)  # a mesh that ends elsewhere is no foot; high heels and platforms are
_TOE_JOINT_AHEAD_PER_LEG = 0.16  # from the ankle, for rigs whose bones do not show it
_FOOT_LENGTH_PER_LEG = (0.08, 0.45)  # a tail at another distance from the ankle is no ball of a foot
_USUAL_ANKLE_HEIGHT_M = 0.07
_MAX_FOOT_FALL_SINE = 0.87  # a flat foot falls from the ankle to the toes by up to 60 degrees
_OWN_BONES_PER_SHIN, _OWN_BONES_ABOVE_PER_SHIN = 0.8, 0.15  # how far off and above the ankle a foot's bones begin
_SOLE_FRACTION = 0.3  # of the foot's height over its lowest point: what lies there is the sole
_MIN_AHEAD_PER_LEG = 0.02  # a sole whose middle is less far ahead of the ankle does not show where it points
_TINY = 1e-6  # metres; shorter vectors have no direction


def is_flat(ahead: Array) -> bool:
    """Whether a foot that points this way (3,) lies flat: it falls gently from the ankle to the toes."""
    return bool(0.0 <= -ahead[2] / max(length(ahead), _TINY) <= _MAX_FOOT_FALL_SINE)


def find_foot_direction(rest: RestPose, body: Body, foot: str) -> Array | None:
    """Find where a foot points from its ankle (3,), metres; None where neither bones nor mesh show it."""
    if foot.replace("foot", "toes") in body.joints:
        return toe_joint_offset(body, foot)
    sole = _find_sole(rest, body, foot)
    leg = body.leg_length() or 1.0
    if sole is not None:
        x, y, _ = sole.mean(0)
        if np.hypot(x, y) > _MIN_AHEAD_PER_LEG * leg:
            return np.array([x, y, sole[:, 2].min()])
    tail = toe_joint_offset(body, foot)
    return tail if _is_foot(tail, leg) else None


def toe_joint_offset(body: Body, foot: str) -> Array:
    """Return the toe joint from the ankle (3,), metres; the foot's end where there are no toes."""
    toes = foot.replace("foot", "toes")
    end = body.joints.get(toes, body.ends.get(foot, body.joints[foot]))
    return end - body.joints[foot]


def find_pivot(rest: RestPose, body: Body, foot: str, q: Array, ankle_height_m: float) -> Array:
    """Find over what a foot rolls, from the ankle (3,), metres, the foot rotated by q (4,) from rest.

    The toe joint; of a foot without toe bones the tip of its sole; a usual place where nothing shows one.
    """
    leg = body.leg_length() or 1.0
    usual = np.array([0.0, -_TOE_JOINT_AHEAD_PER_LEG * leg, -(ankle_height_m or _USUAL_ANKLE_HEIGHT_M) * 0.75])
    has_toes = foot.replace("foot", "toes") in body.joints
    sole = None if has_toes else _find_sole(rest, body, foot)
    if sole is not None:
        points = rotation.rotate(q, sole)
        tip = points[points[:, 1].argmin()]
        if tip[1] < 0.5 * usual[1]:
            return np.array([tip[0], tip[1], -ankle_height_m])
    offset = rotation.rotate(q, toe_joint_offset(body, foot))
    is_shown = offset[1] < 0.5 * usual[1] and (has_toes or _is_foot(offset, leg))
    return offset if is_shown else usual


def measure_ankle_height(rest: RestPose, body: Body, rotations: Mapping[str, Array]) -> float:
    """Measure how high the ankles are over the floor, metres, the feet rotated by `rotations` (4,) from rest.

    The floor is under the mesh's soles; without a mesh it goes through the origin or the lowest bone where feet can
    stand on that, else it lies under a usual foot.
    """
    feet, leg = [foot for foot in FEET if foot in body.joints], body.leg_length()
    if not feet or leg is None:
        return 0.0
    depths = [depth for foot in feet if (depth := _measure_sole_depth(rest, body, foot, rotations[foot], leg))]
    if depths:
        return float(np.mean(depths))
    if all(foot.replace("foot", "toes") in body.joints for foot in feet):
        offsets = [toe_joint_offset(body, foot) for foot in feet]
        drops = [-rotation.rotate(rotations[foot], offset)[2] for foot, offset in zip(feet, offsets, strict=True)]
        toes = min(float((body.joints[foot] + offset)[2]) for foot, offset in zip(feet, offsets, strict=True))
        return float(np.mean(drops)) + (
            toes if _is_within(toes, _TOE_JOINT_OVER_ORIGIN_PER_LEG, leg) else SOLE_PER_LEG * leg
        )
    ankle = float(np.mean([body.joints[foot][2] for foot in feet]))
    lowest = float(rotation.rotate(body.q_standing_rest, rest.heads * rest.unit_m)[:, 2].min())
    for floor in (0.0, lowest):
        if _is_within(ankle - floor, _ANKLE_OVER_FLOOR_PER_LEG, leg):
            return ankle - floor
    tails = [rotation.rotate(rotations[foot], toe_joint_offset(body, foot)) for foot in feet]
    drops = [-tail[2] if _is_foot(tail, leg) else ANKLE_PER_LEG * leg for tail in tails]
    return float(np.mean(drops)) + SOLE_PER_LEG * leg


def _measure_sole_depth(rest: RestPose, body: Body, foot: str, q: Array, leg: float) -> float | None:
    """Measure how far the sole lies under the ankle, metres, the foot rotated by q (4,); None without a sole."""
    sole = _find_sole(rest, body, foot)
    return None if sole is None else -float(rotation.rotate(q, sole)[:, 2].min())


def _find_sole(rest: RestPose, body: Body, foot: str) -> Array | None:
    """Find the lower points of a foot's mesh (P, 3), metres from the ankle; None where the mesh shows no foot."""
    leg = body.leg_length()
    if rest.skin is None or leg is None:
        return None
    points, heads = (
        rotation.rotate(body.q_standing_rest, values * rest.unit_m)
        for values in (rest.skin.points, rest.skin.bone_heads)
    )
    ankle, shin = body.joints[foot], leg / 2.0
    away = np.linalg.norm(heads - ankle, axis=-1)
    own = (away < _OWN_BONES_PER_SHIN * shin) & (heads[:, 2] < ankle[2] + _OWN_BONES_ABOVE_PER_SHIN * shin)
    for other in FEET:
        if other != foot and other in body.joints:
            own &= away <= np.linalg.norm(heads - body.joints[other], axis=-1)
    points = points[own] - ankle
    if not len(points) or not _is_within(-float(points[:, 2].min()), _SOLE_UNDER_ANKLE_PER_LEG, leg):
        return None
    sole: Array = points[points[:, 2] < (1.0 - _SOLE_FRACTION) * points[:, 2].min()]
    return sole


def _is_foot(offset: Array, leg: float) -> bool:
    """Whether an offset from the ankle (3,) can be the ball of a foot: ahead of it, below it and about as far."""
    return is_flat(offset) and offset[1] < 0.0 and _is_within(length(offset), _FOOT_LENGTH_PER_LEG, leg)


def _is_within(value: float, limits_per_leg: tuple[float, float], leg: float) -> bool:
    low, high = limits_per_leg
    return low * leg <= value <= high * leg
