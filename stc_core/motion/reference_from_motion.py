"""A T-pose for a body whose zero pose is none: as Rokoko Studio and LaFAN1 write it, with all bones along one axis.

The motion shows where each bone points in its own axes, and how it is twisted on average. Each bone is swung to where
the humanoid has it; hips and chest are turned by the joints that hang on their sides, other bones keep the twist that
they have against their parent, on the mean or by quarters where the file's axes are consistent. Knows recorded bodies
in a world with z up; does not know formats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..geometry import rotation
from ..geometry.rotation import Array
from ..geometry.swing_twist import twist_angle
from .recorded_body import RecordedBody, pose_as_rest
from .retarget.standing_body import SIDES, X, Z
from .rig_mapping.bone_map import BoneMap
from .skeleton import HUMANOID
from .world_axes import find_heads, find_left, find_trunk

_Marks = tuple[tuple[Array, Array], ...]  # directions (3,) in a bone's own axes, and where in the T-pose they point
# chosen:
_SNAP_COSINE = np.cos(np.radians(20.0))  # a trunk so near to an axis of the hips' bone stands along it
_CONSISTENT_RAD = np.radians(12.0)  # median distance of the mean twists from quarters, of axes that are consistent
_MAX_SNAP_RAD = np.radians(35.0)  # a mean twist further from a quarter is kept
_MAX_FRAMES = 500  # of which means are taken
_STANDING_FRACTION = 0.3  # of the frames, in which a foot is lowest: it stands flat
_TRUNK = ("spine", "chest", "upper_chest", "neck", "head")
_SIDE_CHAINS = (
    ("shoulder", "upper_arm", "lower_arm", "hand"),
    ("upper_leg", "lower_leg", "foot", "toes"),
)


def build_reference(body: RecordedBody, bone_map: BoneMap) -> RecordedBody:
    """Replace a body's zero pose by a T-pose that faces -y, from how its bones move."""
    step = max(1, len(body.heads_world) // _MAX_FRAMES)
    heads, q_world_bone = body.heads_world[::step], body.q_world_bone[::step]
    directions = _list_directions(body, bone_map, heads, q_world_bone)
    sides = _find_sides(body, bone_map, heads, q_world_bone)
    reference, residuals = _build_rotations(body, q_world_bone, directions, sides, 0.0)
    if residuals and float(np.median(np.abs(residuals))) < _CONSISTENT_RAD:
        reference, _ = _build_rotations(body, q_world_bone, directions, sides, _MAX_SNAP_RAD)
    positions = np.zeros((len(reference), 3))
    for bone, parent in enumerate(body.rest.parents):
        if parent >= 0:
            local = rotation.rotate(rotation.inv(q_world_bone[:, parent]), heads[:, bone] - heads[:, parent]).mean(0)
            positions[bone] = positions[parent] + rotation.rotate(reference[parent], local)
    return pose_as_rest(body, positions, rotation.normalise(np.array(reference)))


def _build_rotations(
    body: RecordedBody,
    q_world_bone: Array,
    directions: Mapping[int, tuple[Array, Array]],
    sides: Mapping[int, _Marks],
    max_snap_rad: float,
) -> tuple[list[Array], list[float]]:
    """Build every bone's rotation (4,) in the T-pose; also returns how far twists are from quarters, radians.

    Twists against the parent's axes that are nearer to a quarter than `max_snap_rad` become that quarter.
    """
    reference = [_average(q_world_bone[:, bone]) for bone in range(len(body.rest.bones))]
    residuals = []
    for bone, parent in enumerate(body.rest.parents):
        if parent >= 0:
            relative = rotation.mul(rotation.inv(q_world_bone[:, parent]), q_world_bone[:, bone])
            reference[bone] = rotation.mul(reference[parent], _average(relative))
        if bone in directions:
            local, target = directions[bone]
            reference[bone] = _swing(reference[bone], local, target)
            if parent >= 0:
                plain = _swing(reference[parent], local, target)
                residual = _measure_residual(reference[bone], plain, target)
                residuals.append(residual)
                if abs(residual) < max_snap_rad:
                    snap = rotation.from_axis_angle(target, np.array(-residual))
                    reference[bone] = rotation.mul(snap, reference[bone])
        if bone in sides:
            reference[bone] = _turn_to(reference[bone], sides[bone], directions.get(bone))
    return reference, residuals


def _measure_residual(q: Array, plain: Array, axis: Array) -> float:
    """Measure by how much the twist of q (4,) about an axis (3,) against `plain` (4,) misses the next quarter, rad."""
    angle = float(twist_angle(rotation.mul(q, rotation.inv(plain)), axis))
    return angle - round(angle / (np.pi / 2.0)) * (np.pi / 2.0)


def _list_directions(
    body: RecordedBody, bone_map: BoneMap, heads: Array, q_world_bone: Array
) -> dict[int, tuple[Array, Array]]:
    """List, for each mapped bone but the hips', where it points in its own axes and where the humanoid's does."""
    rest, directions = body.rest, dict[int, tuple[Array, Array]]()
    for chain in ([*_TRUNK], *([f"{side}_{part}" for part in parts] for side in SIDES for parts in _SIDE_CHAINS)):
        mapped = [joint for joint in chain if joint in bone_map.bones]
        bones = [(joint, rest.index(name)) for joint in mapped for name in bone_map.bones[joint]]
        for (joint, bone), (_, after) in zip(bones, [*bones[1:], ("", -1)], strict=True):
            if after >= 0:
                ahead = rotation.rotate(rotation.inv(q_world_bone[:, bone]), heads[:, after] - heads[:, bone]).mean(0)
            else:
                ahead = rotation.rotate(rotation.inv(rest.q_armature_bone[bone]), rest.tails[bone] - rest.heads[bone])
            if ahead.any():
                directions[bone] = rotation.normalise(ahead), _humanoid_direction(joint, mapped)
    return directions


def _humanoid_direction(joint: str, mapped: Sequence[str]) -> Array:
    """Return where the humanoid's segment from a joint to the next mapped one of its chain points (3,)."""
    positions = HUMANOID.rest_positions()
    start = positions[HUMANOID.index(joint)]
    if joint == mapped[-1]:
        tip = HUMANOID.tips[HUMANOID.index(joint)]
        children = [child for child, parent in enumerate(HUMANOID.parents) if parent == HUMANOID.index(joint)]
        return rotation.normalise(tip if tip.any() else positions[children[0]] - start)
    return rotation.normalise(positions[HUMANOID.index(mapped[mapped.index(joint) + 1])] - start)


def _find_sides(body: RecordedBody, bone_map: BoneMap, heads: Array, q_world_bone: Array) -> dict[int, _Marks]:
    """Find, in the own axes of hips, chest and feet, where left and up are, as far as the motion shows it."""
    rest, sides = body.rest, dict[int, _Marks]()
    joints = find_heads(heads, rest.bones, bone_map)
    trunk, hips_left = find_trunk(joints), find_left(joints, "upper_leg")
    if "hips" in bone_map.bones and trunk is not None and hips_left is not None:
        bone = rest.index(bone_map.bones["hips"][0])
        left, up = (_average_direction(q_world_bone[:, bone], vectors) for vectors in (hips_left, trunk))
        sides[bone] = (left, X), (_snap(up), Z)
    chest = next((joint for joint in ("upper_chest", "chest", "spine") if joint in bone_map.bones), None)
    shoulders = next((v for part in ("shoulder", "upper_arm") if (v := find_left(joints, part)) is not None), None)
    if chest and shoulders is not None:
        bone = rest.index(bone_map.bones[chest][-1])
        sides[bone] = ((_average_direction(q_world_bone[:, bone], shoulders), X),)
    for joint in [f"{side}_{part}" for side in SIDES for part in ("foot", "toes") if f"{side}_{part}" in joints]:
        height = joints[joint][:, 2]
        flat = height <= np.quantile(height, _STANDING_FRACTION)
        bone = rest.index(bone_map.bones[joint][0])
        up = _average_direction(q_world_bone[flat, bone], np.tile(Z, (int(flat.sum()), 1)))
        sides[bone] = ((up, Z),)
    return sides


def _turn_to(q: Array, marks: _Marks, direction: tuple[Array, Array] | None) -> Array:
    """Turn a bone (4,) so that its marks, in its own axes, point where they belong: about where it points, if known."""
    (local, target), *more = marks
    if more:
        second, up = more[0]
        left = rotation.normalise(local)
        second = rotation.normalise(second - (second @ left) * left)
        q_local = rotation.from_axes(left, np.cross(second, left), second)
        return rotation.mul(rotation.from_axes(target, np.cross(up, target), up), rotation.inv(q_local))
    axis = direction[1] if direction else Z
    current, wanted = (v - (v @ axis) * axis for v in (rotation.rotate(q, local), target))
    angle = np.arctan2(np.cross(current, wanted) @ axis, current @ wanted)
    return rotation.mul(rotation.from_axis_angle(axis, np.array(angle)), q)


def _swing(q: Array, local: Array, target: Array) -> Array:
    """Swing a rotation (4,) by the shortest way so that its own direction `local` points to `target` (3,)."""
    return rotation.mul(rotation.between(rotation.rotate(q, local), target), q)


def _average(q: Array) -> Array:
    """Return the mean rotation (4,) of rotations (T, 4), whatever their signs (Markley 2007)."""
    mean: Array = np.linalg.eigh(q.T @ q)[1][:, -1]
    return mean


def _average_direction(q: Array, vectors: Array) -> Array:
    """Return the mean unit vector (3,), in the axes of q (T, 4), of vectors (T, 3) in the world."""
    return rotation.normalise(rotation.rotate(rotation.inv(q), rotation.normalise(vectors)).mean(0))


def _snap(direction: Array) -> Array:
    """Return the nearest axis where one is near to a unit vector (3,), else the vector."""
    axis = int(np.abs(direction).argmax())
    if abs(direction[axis]) < _SNAP_COSINE:
        return direction
    return np.asarray(np.eye(3)[axis] * np.sign(direction[axis]), float)
