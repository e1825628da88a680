"""Bones that do not hang where a body's do: feet on the root, limbs that are roots of their own.

Game rigs with baked IK have them. Such a bone is solved as if it hung on the bone of the joint before it, and gets
keyed locations that hold it there. Knows rest poses and bone maps; does not know motions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..rig_mapping.bone_map import BoneMap
from ..skeleton import Skeleton
from .rest_pose import RestPose

_ENDS = ("hand", "foot", "toes", "head")  # what baked IK and floating parts detach from the joint before


def attach_loose_bones(rest: RestPose, bone_map: BoneMap, skeleton: Skeleton) -> tuple[RestPose, tuple[str, ...]]:
    """Hang the mapped bones that do not follow the joint before them on that joint's last bone.

    Those are hands, feet, toes and heads that hang elsewhere and, where the mapped bones have no ancestor in common,
    every bone that is not below the joint before it. Returns the rest pose with these parents, its bones in another
    order, and the loose bones' names. Bones that the map names and the armature lacks are left out.
    """
    index = {name: bone for bone, name in enumerate(rest.bones)}
    chains = {joint: [index[name] for name in names if name in index] for joint, names in bone_map.bones.items()}
    chains = {joint: chain for joint, chain in chains.items() if chain and joint in skeleton.joint_names}
    ancestors = [_list_ancestors(rest, bone) for bone in range(len(rest.bones))]
    parents, loose = list(rest.parents), []
    is_scattered = bool(chains) and not set.intersection(*(ancestors[chain[0]] for chain in chains.values()))
    for joint, chain in chains.items():
        above, bone = _find_chain_above(joint, chains, skeleton), chain[0]
        if not above or not (is_scattered or joint.endswith(_ENDS)) or rest.bones[bone] in rest.connected:
            continue
        if not ancestors[bone] & set(above) and bone not in ancestors[above[-1]]:
            parents[bone] = above[-1]
            loose.append(rest.bones[bone])
    return (_reorder(rest, parents), tuple(loose)) if loose else (rest, ())


def _list_ancestors(rest: RestPose, bone: int) -> set[int]:
    """Return a bone and all above it."""
    path = {bone}
    while (bone := rest.parents[bone]) >= 0:
        path.add(bone)
    return path


def _find_chain_above(joint: str, chains: Mapping[str, list[int]], skeleton: Skeleton) -> list[int]:
    """Return the bones of the nearest mapped joint above this one; none above the topmost."""
    parent = skeleton.parents[skeleton.index(joint)]
    while parent >= 0:
        if above := chains.get(skeleton.joint_names[parent]):
            return above
        parent = skeleton.parents[parent]
    return []


def _reorder(rest: RestPose, parents: list[int]) -> RestPose:
    """Return the rest pose with other parents, sorted so that these come first."""
    order: list[int] = []

    def add(bone: int) -> None:
        if bone >= 0 and bone not in placed:
            placed.add(bone)
            add(parents[bone])
            order.append(bone)

    placed: set[int] = set()
    for bone in range(len(parents)):
        add(bone)
    position = {bone: n for n, bone in enumerate(order)} | {-1: -1}
    return replace(
        rest,
        bones=tuple(rest.bones[bone] for bone in order),
        parents=tuple(position[parents[bone]] for bone in order),
        heads=rest.heads[order],
        tails=rest.tails[order],
        q_armature_bone=rest.q_armature_bone[order],
        inherits_rotation=np.asarray(rest.inherits_rotation)[order],
    )
