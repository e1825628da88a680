"""Armatures with other names or fewer bones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from stc_core.motion.retarget.rest_pose import RestPose
from tests.motion.rig_mapping.rigs import make_armature


def rename(rest: RestPose, new_name: Callable[[str, int], str]) -> tuple[RestPose, dict[str, str]]:
    """The armature with other names, and its names by the new ones."""
    new = tuple(new_name(name, i) for i, name in enumerate(rest.bones))
    assert len(set(new)) == len(new)
    return replace(rest, bones=new), dict(zip(new, rest.bones, strict=True))


def undo_names(found: Mapping[str, tuple[str, ...]], names: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {joint: tuple(names[bone] for bone in bones) for joint, bones in found.items()}


def remove_bones(rest: RestPose, gone: Callable[[str], object]) -> RestPose:
    """The armature less some bones, their children hung on their parents."""
    keep = [bone for bone, name in enumerate(rest.bones) if not gone(name)]
    new = {bone: n for n, bone in enumerate(keep)}
    parents = []
    for bone in keep:
        parent = rest.parents[bone]
        while parent >= 0 and parent not in new:
            parent = rest.parents[parent]
        parents.append(new.get(parent, -1))
    return make_armature([rest.bones[b] for b in keep], parents, rest.heads[keep], rest.tails[keep])


def remove_names(rest: RestPose) -> tuple[RestPose, dict[str, str]]:
    return rename(rest, lambda name, i: f"Bone.{i:03d}")
