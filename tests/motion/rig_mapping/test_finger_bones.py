"""Fingers in guessed bone maps: of every naming scheme, by shape alone, fewer and shorter fingers, and nothing that a
hand holds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.motion.fingers import FINGER_JOINTS, FINGERS, list_finger_joints
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from tests.motion.rig_mapping.changed_rigs import remove_bones, remove_names, rename, undo_names
from tests.motion.rig_mapping.finger_schemes import FINGER_SCHEMES, make_handed_body, remove_humans_names
from tests.motion.rig_mapping.rig_truths import read_upright
from tests.motion.rig_mapping.rigs import merge_spine, read_rig

SURE, CLEAR = 0.8, 0.6


def pick_fingers(bone_map: BoneMap) -> dict[str, tuple[str, ...]]:
    return {joint: bones for joint, bones in bone_map.bones.items() if joint in FINGER_JOINTS}


@pytest.mark.parametrize("arms_down_deg", [0.0, 60.0])
@pytest.mark.parametrize("name", FINGER_SCHEMES)
def test_every_finger_of_every_scheme_is_found_and_the_body_is_what_it_was(name: str, arms_down_deg: float) -> None:
    rest, truth, fingers = make_handed_body(name, arms_down_deg)
    bone_map = guess_bone_map(rest)
    assert pick_fingers(bone_map) == fingers and merge_spine(bone_map) == truth
    assert min(bone_map.confidence[joint] for joint in fingers) > CLEAR


@pytest.mark.parametrize("name", ["Mixamo", "Unreal 5", "Daz Genesis 8", "3ds Max Biped"])
def test_without_names_fingers_are_found_by_shape_and_not_sure(name: str) -> None:
    rest, _, fingers = make_handed_body(name)
    bare, names = remove_humans_names(rest)
    bone_map = guess_bone_map(bare)
    assert undo_names(pick_fingers(bone_map), names) == fingers
    assert max(bone_map.confidence.values()) <= SURE


@pytest.mark.parametrize("name", ["mpfb_game_engine", "mpfb_mixamo_unity", "m2m_human", "m2m_skeleton_mecanim_full"])
def test_real_rigs_fingers_are_the_same_by_name_and_by_shape(name: str) -> None:
    rest = read_upright(name)
    named = pick_fingers(guess_bone_map(rest))
    assert len(named) == 30 and len(set(named.values())) == 30
    bare, names = remove_names(rest)
    assert undo_names(pick_fingers(guess_bone_map(bare)), names) == named


def test_a_generated_rigify_rig_is_keyed_on_its_fk_finger_controls() -> None:
    found = pick_fingers(guess_bone_map(read_rig("rigify_generated")))
    words = {"thumb": "thumb", "index": "f_index", "middle": "f_middle", "ring": "f_ring", "little": "f_pinky"}
    assert found == {
        joint: (f"{words[finger]}.0{n + 1}.{side[0].upper()}",)
        for side in ("left", "right")
        for finger in FINGERS
        for n, joint in enumerate(list_finger_joints(side, finger))
    }


@pytest.mark.parametrize("name", ["Unity humanoid", "Unreal 5", "MakeHuman", "Rigify metarig"])
def test_of_fingers_with_two_segments_the_last_joint_is_left_out(name: str) -> None:
    rest, truth, fingers = make_handed_body(name, segments=2)
    bone_map = guess_bone_map(rest)
    assert pick_fingers(bone_map) == fingers and len(fingers) == 20 and merge_spine(bone_map) == truth


HANDS = {
    "without a little finger": ("thumb", "index", "middle", "ring"),
    "of a cartoon": ("thumb", "index", "middle", "little"),
    "without a thumb": ("index", "middle", "ring", "little"),
    "with a thumb and a pointing finger": ("thumb", "index"),
}


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("name", ["Mixamo", "VRoid", "MMD Japanese"])
def test_of_hands_with_fewer_fingers_those_that_are_named_are_found(name: str, hand: str) -> None:
    rest, truth, fingers = make_handed_body(name, fingers=HANDS[hand])
    bone_map = guess_bone_map(rest)
    assert pick_fingers(bone_map) == fingers and merge_spine(bone_map) == truth


@pytest.mark.parametrize(
    ("own", "called"),
    [
        (("thumb", "index", "middle", "ring"), ("thumb", "index", "middle", "little")),
        (("thumb", "index", "little"), ("thumb", "index", "ring")),
        (("thumb", "middle"), ("thumb", "middle")),
    ],
)
def test_without_names_three_two_and_one_finger_beside_the_thumb_are_those_that_move_alike(
    own: tuple[str, ...], called: tuple[str, ...]
) -> None:
    rest, _, fingers = make_handed_body("Mixamo", fingers=own)
    bare, names = remove_humans_names(rest)
    found = undo_names(pick_fingers(guess_bone_map(bare)), names)
    for finger, name in zip(own, called, strict=True):
        assert [found[j] for j in list_finger_joints("left", name)] == [
            fingers[joint] for joint in list_finger_joints("left", finger)
        ]
    assert len(found) == len(fingers)


def test_what_one_hand_alone_holds_is_no_finger() -> None:
    rest, _, _ = make_handed_body("Mixamo", fingers=())
    bare, names = rename(rest, lambda bone, n: bone.replace("sword", "thing"))
    for body in (rest, bare):
        assert not pick_fingers(guess_bone_map(body))
    rest, _, fingers = make_handed_body("Mixamo")
    bare, names = rename(rest, lambda bone, n: bone.replace("sword", "thing"))
    assert undo_names(pick_fingers(guess_bone_map(bare)), names) == fingers


@pytest.mark.parametrize("word", ["weapon_r", "hair", "handslot.r", "prop index holder", "Sword_ring_tip"])
def test_props_in_a_hand_are_never_fingers_whatever_else_their_names_say(word: str) -> None:
    rest, _, fingers = make_handed_body("Unreal 4")
    held, names = rename(rest, lambda bone, n: bone.replace("sword", word))
    assert undo_names(pick_fingers(guess_bone_map(held)), names) == fingers


def test_fingers_in_another_order_than_they_are_called_are_doubted() -> None:
    rest, _, fingers = make_handed_body("Mixamo")
    swap = {"Index": "Ring", "Ring": "Index"}
    odd, _ = rename(rest, lambda bone, n: next((bone.replace(a, b) for a, b in swap.items() if a in bone), bone))
    bone_map = guess_bone_map(odd)
    assert max(bone_map.confidence[joint] for joint in fingers) <= CLEAR
    assert bone_map.confidence["left_hand"] == 1.0


def test_a_rigs_own_table_names_its_fingers_and_one_without_them_has_them_found_by_name() -> None:
    rest, truth, fingers = make_handed_body("VRoid")
    table = {joint: bones[0] for joint, bones in truth.items() if joint != "spine"} | {"spine": truth["spine"][0]}
    assert pick_fingers(guess_bone_map(replace(rest, humanoid=table))) == fingers
    swapped = {joint.replace("left", "right") if "left" in joint else joint: b for joint, (b,) in fingers.items()}
    own = {joint: swapped.get(joint.replace("ring", "little"), "") for joint in swapped if "ring" in joint}
    bone_map = guess_bone_map(replace(rest, humanoid=table | own))
    assert {joint: bones[0] for joint, bones in pick_fingers(bone_map).items() if "right" in joint} == own
    assert {bone_map.confidence[joint] for joint in own} == {1.0}


def test_a_body_without_hands_or_with_bones_in_one_place_has_no_fingers_and_raises_nothing() -> None:
    rest, _, _ = make_handed_body("Mixamo")
    flat = replace(rest, heads=np.zeros_like(rest.heads), tails=np.zeros_like(rest.tails))
    assert guess_bone_map(flat).bones
    assert not pick_fingers(guess_bone_map(remove_bones(rest, lambda bone: "Hand" in bone)))
