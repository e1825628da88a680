"""Mirroring: left becomes right, across the plane in which the character stands and faces at the start.

A rotation is mirrored as a rotation from rest, so that rolls and the axes of bones need not be mirror images; the rest
pose should be. Knows which bones are partners from the caller; does not know names of rigs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from ..face import mirror_face
from ..motion import Motion
from ..retarget.rest_pose import RestPose
from ..skeleton import Skeleton
from .pose import KeyedPose, key_pose, level, pose_keyed, up_axis

_MIN_LEVEL = 0.3
"""length of a sideways unit vector seen from above, below which the body lies on its side and faces nowhere; chosen"""


@dataclass(frozen=True, kw_only=True)
class MirrorPlanes:
    """The mirror planes at rest and of the motion, as unit normals; the motion's goes through a point."""

    rest_normal: Array
    """(3,)"""
    normal: Array
    """(3,)"""
    point: Array
    """(3,)"""

    def reflect(self, points: Array) -> Array:
        """Reflect points (..., 3) across the motion's plane."""
        reflected: Array = points - 2.0 * ((points - self.point) @ self.normal)[..., None] * self.normal
        return reflected

    def reflect_at_rest(self, vectors: Array) -> Array:
        """Reflect directions (..., 3) across the rest pose's plane."""
        reflected: Array = vectors - 2.0 * (vectors @ self.rest_normal)[..., None] * self.rest_normal
        return reflected

    def reflect_rotations(self, q: Array) -> Array:
        """Reflect rotations from rest (..., 4): S_n R S_r, with S_n the motion's plane and S_r that at rest."""
        own = np.concatenate([q[..., :1], -self.reflect_at_rest(q[..., 1:])], -1)  # S_r R S_r: an axis is axial
        turn = np.concatenate([[self.normal @ self.rest_normal], np.cross(self.rest_normal, self.normal)])  # S_n S_r
        return rotation.mul(turn, own)


def mirror_motion(motion: Motion) -> Motion:
    """Mirror a motion across the plane in which the root stands and faces in the first frame.

    What belongs to the video (camera, landmarks) is left out. Joints without a partner are mirrored in themselves.
    """
    skeleton = motion.skeleton
    partner = np.array([skeleton.index(name) for name in _mirror_names(skeleton.joint_names)])
    planes = _find_planes_of_skeleton(skeleton, motion)
    q_root = motion.q_parent_joint[:, :1]
    q_parent_joint = replace(planes, normal=planes.rest_normal).reflect_rotations(motion.q_parent_joint)
    q_parent_joint[:, :1] = planes.reflect_rotations(q_root)
    return replace(
        motion,
        skeleton=replace(
            skeleton,
            offsets=_mirror_offsets(skeleton, planes, partner),
            tips=planes.reflect_at_rest(skeleton.tips)[partner],
        ),
        t_world_root=planes.reflect(motion.t_world_root),
        q_parent_joint=rotation.unroll(q_parent_joint[:, partner]),
        contacts=motion.contacts[:, ::-1].copy(),
        scores=motion.scores[:, partner],
        landmark_names=(),
        landmarks={},
        camera=None,
        hand_landmarks=None,
        face=motion.face and mirror_face(motion.face),
        face_landmarks=None,
        settings={**motion.settings, "mirrored": not motion.settings.get("mirrored", False)},
    )


def _mirror_names(names: tuple[str, ...]) -> list[str]:
    """The partner's name for each joint: left for right; its own where there is none."""
    swapped = {"left": "right", "right": "left"}
    partners = []
    for name in names:
        side, _, part = name.partition("_")
        other = f"{swapped.get(side, side)}_{part}"
        partners.append(other if other in names else name)
    return partners


def _find_planes_of_skeleton(skeleton: Skeleton, motion: Motion) -> MirrorPlanes:
    positions, names = skeleton.rest_positions(), skeleton.joint_names
    pairs = [
        positions[joint] - positions[names.index(other)]
        for joint, other in enumerate(_mirror_names(names))
        if names[joint].startswith("left_") and other != names[joint]
    ]
    up = np.array([0.0, 0.0, 1.0])
    aside = level(np.sum(pairs, 0), up) if pairs else np.zeros(3)
    rest_normal = rotation.normalise(aside) if np.any(aside) else np.array([1.0, 0.0, 0.0])
    return choose_planes(rest_normal, rotation.rotate(motion.q_parent_joint[0, 0], rest_normal), motion.t_world_root[0])


def _mirror_offsets(skeleton: Skeleton, planes: MirrorPlanes, partner: Array) -> Array:
    """Each joint's offset is its partner's, mirrored; the root's stays."""
    offsets: Array = planes.reflect_at_rest(skeleton.offsets)[partner]
    offsets[0] = skeleton.offsets[0]
    return offsets


def choose_planes(rest_normal: Array, sideways: Array, point: Array, up: Array | None = None) -> MirrorPlanes:
    """The upright plane through `point` (3,) whose normal is the body's `sideways` (3,), a unit vector, at the start.

    rest_normal (3,): the same at rest; it is taken where the body lies on its side.
    """
    flat = level(sideways, np.array([0.0, 0.0, 1.0]) if up is None else up)
    normal = rotation.normalise(flat) if np.linalg.norm(flat) > _MIN_LEVEL else rest_normal
    return MirrorPlanes(rest_normal=rest_normal, normal=normal, point=point)


# ---------------------------------------------------------------------------------------------- on an armature


def mirror_pose(rest: RestPose, keyed: KeyedPose, partners: Mapping[str, str], body: tuple[str, str, str]) -> KeyedPose:
    """Mirror what is keyed on an armature across the plane in which the character stands and faces at the start.

    partners: of each keyed bone the one on the other side, or itself. body: a bone of the left and its partner of the
    right, such as the thighs, which show where the character faces, and the one that carries it. The armature's rest
    pose should be symmetric; bones with another direction than their partner's mirror image are corrected.
    """
    posed = pose_keyed(rest, keyed)
    planes = find_planes(rest, posed.heads[0], body)
    rotations, heads = {}, {}
    for source in keyed.rotations:
        bone, other = rest.index(partners[source]), rest.index(source)
        from_rest = rotation.mul(posed.q_armature_bone[:, other], rotation.inv(rest.q_armature_bone[other]))
        aligned = rotation.mul(_align_rest(rest, bone, other, partners, planes), rest.q_armature_bone[bone])
        rotations[bone] = rotation.mul(planes.reflect_rotations(from_rest), aligned)
    for source in keyed.locations:
        heads[rest.index(partners[source])] = planes.reflect(posed.heads[:, rest.index(source)])
    return key_pose(rest, rotations, heads, len(keyed))


def find_planes(rest: RestPose, heads: Array, body: tuple[str, str, str]) -> MirrorPlanes:
    """The planes of an armature, in its own space, from the heads (B, 3) at the start; body: see `mirror_pose`."""
    left, right, root = (rest.index(bone) for bone in body)
    up = up_axis(rest)
    rest_normal = rotation.normalise(level(rest.heads[left] - rest.heads[right], up))
    return choose_planes(rest_normal, rotation.normalise(heads[left] - heads[right]), heads[root], up)


def _align_rest(rest: RestPose, bone: int, other: int, partners: Mapping[str, str], planes: MirrorPlanes) -> Array:
    """The rotation (4,) from the direction of a bone at rest to its partner's mirror image.

    A bone's direction is that to the joint of its only mirrored child: tails of imported bones point anywhere.
    """
    pairs = [
        (child, rest.index(partners[rest.bones[child]]))
        for child, parent in enumerate(rest.parents)
        if parent == bone and partners.get(rest.bones[child]) in rest.bones
    ]
    pairs = [(child, partner) for child, partner in pairs if rest.parents[partner] == other]
    if bone == other or len(pairs) != 1:
        return rotation.IDENTITY
    child, partner = pairs[0]
    return rotation.between(
        rest.heads[child] - rest.heads[bone], planes.reflect_at_rest(rest.heads[partner] - rest.heads[other])
    )
