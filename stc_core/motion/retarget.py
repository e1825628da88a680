"""A motion put on somebody else's armature: the turns to key on each bone, whatever its roll, rest pose or size.

Knows how a figure's turns are given to a rig's bones; knows no Blender, no file and no bone's name: which bone is which
joint comes in a BoneMap.
"""

from __future__ import annotations

from dataclasses import dataclass

from .rig import BoneMap, Clip, RestPose, pose

__all__ = ["BoneMap", "Clip", "RestPose", "RetargetConfig", "pose"]


@dataclass(frozen=True)
class RetargetConfig:
    """How a motion is put on a rig.

    lock_feet: hold feet still on the floor while they are in contact, on the rig's own legs. contact_ease_s: how long
    a foot takes from its free path to its hold and back. path_scale: metres of the rig's path over the floor for one
    of the motion's; None scales the path as the legs. forearm_twist: how much of the hand's twist a forearm without
    twist bones takes, 0 to 1.
    """

    lock_feet: bool = True
    contact_ease_s: float = 0.1
    path_scale: float | None = None
    forearm_twist: float = 0.5
