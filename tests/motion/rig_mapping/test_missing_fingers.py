"""Fingers for bone maps that were made before there were any: by certain names alone, beside what the map has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stc_core.motion.fingers import FINGER_JOINTS
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.rig_mapping.missing_fingers import guess_missing_fingers
from tests.motion.rig_mapping.finger_schemes import make_handed_body, remove_humans_names
from tests.motion.rig_mapping.rigs import read_rig


def make_old_map(rest: RestPose, **changes: tuple[str, ...]) -> BoneMap:
    """A rig's bone map as it was before there were fingers, with the user's own choices."""
    body = guess_bone_map(rest).without_fingers()
    return replace(body, bones={joint: chain for joint, chain in {**body.bones, **changes}.items() if chain})


def test_all_fingers_of_a_rig_whose_names_are_known_are_guessed_and_nothing_else() -> None:
    for rest in (make_handed_body("Mixamo")[0], make_handed_body("German")[0], read_rig("rigify_generated")):
        guessed = guess_bone_map(rest)
        found = guess_missing_fingers(rest, make_old_map(rest))
        assert found.bones == {joint: guessed.bones[joint] for joint in FINGER_JOINTS}
        assert set(found.confidence) == set(found.bones) and not found.twists


@pytest.mark.parametrize("name", ["Mixamo", "Unreal 5"])
def test_fingers_found_by_shape_alone_are_not_certain(name: str) -> None:
    bare, _ = remove_humans_names(make_handed_body(name)[0])
    assert any(joint in FINGER_JOINTS for joint in guess_bone_map(bare).bones)
    assert not guess_missing_fingers(bare, make_old_map(bare)).bones


def test_what_the_user_chose_keeps_its_bones() -> None:
    rest, _, fingers = make_handed_body("Mixamo")
    thumb = fingers["left_thumb_metacarpal"]
    weapon = make_old_map(rest, right_toes=thumb)
    assert set(FINGER_JOINTS) - set(guess_missing_fingers(rest, weapon).bones) == {"left_thumb_metacarpal"}
    root = replace(make_old_map(rest), root=thumb[0])
    assert "left_thumb_metacarpal" not in guess_missing_fingers(rest, root).bones
    twist = replace(make_old_map(rest), twists={"left_hand": thumb})
    assert "left_thumb_metacarpal" not in guess_missing_fingers(rest, twist).bones


def test_a_hand_that_is_another_bone_or_none_gets_no_fingers() -> None:
    rest = make_handed_body("Mixamo")[0]
    hands = guess_bone_map(rest).bones
    without = guess_missing_fingers(rest, make_old_map(rest, left_hand=()))
    assert {joint.partition("_")[0] for joint in without.bones} == {"right"}
    exchanged = make_old_map(rest, left_hand=hands["right_hand"], right_hand=hands["left_hand"])
    assert not guess_missing_fingers(rest, exchanged).bones
