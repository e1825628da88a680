"""What is keyed on an armature's bones, and where the bones then are: as Blender evaluates them.

Knows Blender's pose-bone basis; does not know Blender, files or motions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...geometry import rotation
from ...geometry.rotation import Array
from .rest_pose import PosedBone, RestPose, follow_parent, inherited_rotation


@dataclass(frozen=True, kw_only=True)
class BoneAnimation:
    """What is keyed: T frames of B bones in Blender's pose-bone basis, which a bone adds to its rest."""

    bones: tuple[str, ...]
    rotations: Array
    """(T, B, 4): unit quaternions wxyz, neighbours in time on the same side"""
    root: str
    """the bone that carries the path, empty for none"""
    locations: Mapping[str, Array]
    """bone -> (T, 3): armature units, in the bone's own rest axes. The root's, and those of bones that must move
    besides: hips over a root-motion bone, feet that do not hang on their shins"""
    fps: float
    """frames per second"""
    notes: tuple[str, ...] = ()
    """sentences for the report"""

    def __post_init__(self) -> None:
        assert self.rotations.shape[1:] == (len(self.bones), 4)
        assert all(locations.shape == (len(self.rotations), 3) for locations in self.locations.values())
        assert not self.root or self.root in self.locations


def evaluate_pose(rest: RestPose, animation: BoneAnimation) -> tuple[Array, Array]:
    """Compute what Blender evaluates: heads (T, B, 3), world metres, and q_world_bone (T, B, 4) of all bones of `rest`.

    Bones without keys keep their rest. A bone that does not inherit rotation keeps its own in the armature; its head
    follows the parent all the same.
    """
    keys = dict(zip(animation.bones, np.moveaxis(animation.rotations, 1, 0), strict=True))
    posed: dict[int, PosedBone] = {}
    for bone, name in enumerate(rest.bones):
        q_following, head = follow_parent(rest, bone, posed)
        q = inherited_rotation(rest, bone, q_following)
        q = rotation.mul(q, keys[name]) if name in keys else q
        head = head + rotation.rotate(q_following, animation.locations[name]) if name in animation.locations else head
        posed[bone] = head, q
    frames = len(animation.rotations)
    heads = np.stack([np.broadcast_to(posed[bone][0], (frames, 3)) for bone in range(len(rest.bones))], 1)
    q_armature_bone = np.stack([np.broadcast_to(posed[bone][1], (frames, 4)) for bone in range(len(rest.bones))], 1)
    return rest.to_world(heads), rotation.mul(rest.q_world_armature, q_armature_bone)
