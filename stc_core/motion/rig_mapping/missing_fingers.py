"""The fingers that a bone map lacks which is older than they are: guessed, where nothing is in doubt.

Knows what a map's own choices leave free; does not know how fingers are found.
"""

from __future__ import annotations

from dataclasses import replace

from ..fingers import FINGER_JOINTS
from ..retarget.rest_pose import RestPose
from .bone_map import BoneMap
from .chains import DOUBTED_CONFIDENCE
from .guess_bone_map import guess_bone_map


def guess_missing_fingers(rest: RestPose, bone_map: BoneMap) -> BoneMap:
    """Guess the fingers alone of an armature whose bone map has none: those that names show without doubt.

    They are of hands that the map has where they are guessed, and no bone of theirs is anything else in the map.
    """
    guessed = guess_bone_map(rest)
    chains = (*bone_map.bones.values(), *bone_map.twists.values(), (bone_map.root,))
    used = {bone for chain in chains for bone in chain}

    def is_certain(joint: str) -> bool:
        hand = f"{joint.partition('_')[0]}_hand"
        same_hand = set(bone_map.bones.get(hand, ())) & set(guessed.bones.get(hand, ()))
        is_named = guessed.confidence[joint] > DOUBTED_CONFIDENCE
        return bool(same_hand) and is_named and used.isdisjoint(guessed.bones[joint])

    fingers = [joint for joint in FINGER_JOINTS if joint in guessed.bones and is_certain(joint)]
    return replace(
        guessed,
        bones={joint: guessed.bones[joint] for joint in fingers},
        twists={},
        confidence={joint: guessed.confidence[joint] for joint in fingers},
    )
