"""Skeletons: joint names, parents and offsets, and forward kinematics.

Defines the canonical humanoid: the joints and names of the VRM 1.0 humanoid in snake case, in a T-pose, in
Blender's world (right-handed, z up, metres), facing -y with the left hand at +x. At rest every joint's axes
are the world's, so all rotations are the identity. Does not know motions, rigs or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import rotation
from ..geometry.rotation import Array


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """A tree of J joints, the root first, parents before children."""

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    """index of each joint's parent, -1 for the root"""
    offsets: Array
    """(J, 3) metres: each joint from its parent, in the parent's axes; the root's own is where it stands at rest"""
    tips: Array
    """(J, 3) metres: the end site of each leaf from the leaf; zero for other joints"""

    def __post_init__(self) -> None:
        assert self.offsets.shape == self.tips.shape == (len(self.joint_names), 3)
        assert np.isfinite(self.offsets).all() and np.isfinite(self.tips).all()
        assert len(self.parents) == len(self.joint_names) and self.parents[0] == -1
        assert all(0 <= parent < joint for joint, parent in enumerate(self.parents) if joint)

    def index(self, name: str) -> int:
        """Return the index of the joint of this name. Raises ValueError where there is none."""
        return self.joint_names.index(name)

    def rest_positions(self) -> Array:
        """Compute the joint positions (J, 3) at rest, metres, with the root at its offset."""
        identity = np.broadcast_to(rotation.IDENTITY, (1, len(self.parents), 4))
        positions: Array = forward_kinematics(self, self.offsets[:1], identity)[0][0]
        return positions


def forward_kinematics(skeleton: Skeleton, t_world_root: Array, q_parent_joint: Array) -> tuple[Array, Array]:
    """Compute positions (T, J, 3) and q_world_joint (T, J, 4) from t_world_root (T, 3) and q_parent_joint (T, J, 4).

    Positions are in the unit of the offsets and of t_world_root, metres.
    """
    positions = np.empty(q_parent_joint.shape[:-1] + (3,))
    q_world_joint = np.empty(q_parent_joint.shape)
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            positions[:, joint], q_world_joint[:, joint] = t_world_root, q_parent_joint[:, joint]
        else:
            q_world_parent = q_world_joint[:, parent]
            positions[:, joint] = positions[:, parent] + rotation.rotate(q_world_parent, skeleton.offsets[joint])
            q_world_joint[:, joint] = rotation.mul(q_world_parent, q_parent_joint[:, joint])
    return positions, q_world_joint


# name, parent, offset of the left or middle joint, tip, all in metres; chosen: a person 1.70 m tall
_MIDDLE = (
    ("hips", "", (0.0, 0.0, 0.93), None),
    ("spine", "hips", (0.0, 0.005, 0.10), None),
    ("chest", "spine", (0.0, 0.005, 0.12), None),
    ("upper_chest", "chest", (0.0, -0.005, 0.13), None),
    ("neck", "upper_chest", (0.0, 0.0, 0.14), None),
    ("head", "neck", (0.0, -0.02, 0.10), (0.0, 0.0, 0.18)),
)
_SIDE = (
    ("shoulder", "upper_chest", (0.03, 0.0, 0.10), None),
    ("upper_arm", "shoulder", (0.14, 0.0, 0.0), None),
    ("lower_arm", "upper_arm", (0.28, 0.0, 0.0), None),
    ("hand", "lower_arm", (0.25, 0.0, 0.0), (0.18, 0.0, 0.0)),
    ("upper_leg", "hips", (0.09, 0.0, -0.03), None),
    ("lower_leg", "upper_leg", (0.0, 0.0, -0.42), None),
    ("foot", "lower_leg", (0.0, 0.0, -0.40), None),
    ("toes", "foot", (0.0, -0.13, -0.06), (0.0, -0.06, -0.01)),
)


def _build_humanoid() -> Skeleton:
    names, parents, offsets, tips = [], [], [], []
    rows = [(name, parent, 1.0, offset, tip) for name, parent, offset, tip in _MIDDLE]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, parent, offset, tip in _SIDE:
            parent = parent if parent in {row[0] for row in _MIDDLE} else f"{side}_{parent}"
            rows.append((f"{side}_{name}", parent, sign, offset, tip))
    for name, parent, sign, offset, tip in rows:
        names.append(name)
        parents.append(names.index(parent) if parent else -1)
        offsets.append(np.multiply(offset, (sign, 1.0, 1.0)))
        tips.append(np.multiply(tip or (0.0, 0.0, 0.0), (sign, 1.0, 1.0)))
    return Skeleton(joint_names=tuple(names), parents=tuple(parents), offsets=np.array(offsets), tips=np.array(tips))


HUMANOID = _build_humanoid()
