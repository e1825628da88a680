"""What another program recorded: an armature and where its bones were over time, whatever their names and axes.

Knows arrays only; does not know files, joints of the humanoid, or which way is up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import rotation
from ..geometry.rotation import Array
from .retarget.rest_pose import RestPose


@dataclass(frozen=True, kw_only=True)
class RecordedBody:
    """T frames of an armature's B bones."""

    rest: RestPose
    """the pose in which all rotations are zero, which need not be one that a body can take"""
    heads_world: Array
    """(T, B, 3): in the file's unit of length times the scale that its reader knows"""
    q_world_bone: Array
    """(T, B, 4)"""
    fps: float
    """frames per second"""
    has_path: bool = True
    """whether the file moves the body, and does not only rotate its bones"""

    def __post_init__(self) -> None:
        frames, bones = self.heads_world.shape[:2]
        assert frames and self.heads_world.shape == (frames, bones, 3) and bones == len(self.rest.bones)
        assert self.q_world_bone.shape == (frames, bones, 4)


def transform_body(body: RecordedBody, q: Array, scale: float = 1.0, t: Array | None = None) -> RecordedBody:
    """Rotate the world of a body by q (4,), scale it, then move it by t (3,)."""
    rest = body.rest
    moved = np.zeros(3) if t is None else t
    return replace(
        body,
        rest=replace(
            rest,
            q_world_armature=rotation.mul(q, rest.q_world_armature),
            t_world_armature=rotation.rotate(q, rest.t_world_armature) * scale + moved,
            unit_m=rest.unit_m * scale,
        ),
        heads_world=rotation.rotate(q, body.heads_world) * scale + moved,
        q_world_bone=rotation.mul(q, body.q_world_bone),
    )


def pose_as_rest(body: RecordedBody, heads: Array, q_world_bone: Array) -> RecordedBody:
    """Make heads (B, 3) and orientations (B, 4) in the world the rest pose of a body; bones keep their lengths."""
    rest = body.rest
    along = rotation.rotate(rotation.inv(rest.q_armature_bone), rest.tails - rest.heads) * rest.unit_m
    posed = replace(
        rest,
        heads=heads,
        tails=heads + rotation.rotate(q_world_bone, along),
        q_armature_bone=q_world_bone,
        q_world_armature=rotation.IDENTITY,
        t_world_armature=np.zeros(3),
        unit_m=1.0,
    )
    return replace(body, rest=posed)
