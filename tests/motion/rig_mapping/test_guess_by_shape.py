"""Rigs whose names tell nothing: joints are found by shape, whatever the size, axes, hair and skirts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike

from stc_core.geometry import rotation
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from tests.motion.rig_mapping.changed_rigs import remove_names, rename, undo_names
from tests.motion.rig_mapping.rig_truths import TRUTHS, read_upright
from tests.motion.rig_mapping.rigs import REAL, make_armature, merge_spine, read_rig


def turn_y_up(rest: RestPose) -> RestPose:
    """The same armature with y up inside and its object turned by 90 degrees."""
    turn = rotation.from_axis_angle([1.0, 0.0, 0.0], -np.pi / 2)
    heads, tails = rotation.rotate(turn, rest.heads), rotation.rotate(turn, rest.tails)
    return replace(rest, heads=heads, tails=tails, q_world_armature=rotation.inv(turn))


SHAPES = {name: TRUTHS[name][1] for name in TRUTHS if len(REAL[name]["bones"][0]) == 4}


@pytest.mark.parametrize("turn", [0.0, 1.0, np.pi])
@pytest.mark.parametrize("name", SHAPES)
def test_rigs_without_names_are_found_by_shape(name: str, turn: float) -> None:
    rest, names = remove_names(read_upright(name))
    turned = rotation.mul(rotation.from_axis_angle([0.0, 0.0, 1.0], turn), rest.q_world_armature)
    bone_map = guess_bone_map(replace(rest, q_world_armature=turned))
    assert undo_names(merge_spine(bone_map), names) == SHAPES[name]
    assert set(bone_map.confidence.values()) == {0.4}


@pytest.mark.parametrize("name", SHAPES)
def test_shape_does_not_depend_on_size_or_axes(name: str) -> None:
    rest, names = remove_names(read_upright(name))
    for scale in (0.01, 8.5, 1000.0):
        larger = replace(rest, heads=rest.heads * scale, tails=rest.tails * scale)
        assert undo_names(merge_spine(guess_bone_map(larger)), names) == SHAPES[name]
    if name != "kaykit":  # KayKit's has y up inside as it is
        assert undo_names(merge_spine(guess_bone_map(turn_y_up(rest))), names) == SHAPES[name]
        lying = replace(
            turn_y_up(rest), q_world_armature=rotation.IDENTITY.copy()
        )  # and an object that does not say so
        assert undo_names(merge_spine(guess_bone_map(lying)), names) == SHAPES[name]


def add_cloth(rest: RestPose, seed: int = 0) -> RestPose:
    """140 more bones: a long skirt round the hips, twin tails to the knees, a fringe, coat tails on the back."""
    truth = {joint: bones[0] for joint, bones in TRUTHS["mpfb_game_engine"][1].items()}
    names, parents, heads = list(rest.bones), list(rest.parents), list(rest.heads)
    hips, head = rest.index(truth["hips"]), rest.index(truth["head"])
    chest = rest.index("spine_03")

    def strand(parent: int, start: ArrayLike, step: ArrayLike, count: int, word: str) -> None:
        for n in range(count):
            names.append(f"{word}.{len(names)}")
            parents.append(parent)
            heads.append(np.array(start) + n * np.array(step))
            parent = len(names) - 1

    for angle in np.linspace(0.0, 2 * np.pi, 16, endpoint=False):
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        strand(hips, rest.heads[hips] + 0.14 * out, 0.03 * out - [0, 0, 0.16], 5, "strip")
    for side in (1, -1):
        strand(head, rest.heads[head] + [0.12 * side, 0.05, 0.15], [0.02 * side, 0.01, -0.12], 10, "tail")
        strand(chest, rest.heads[chest] + [0.05 * side, 0.1, 0.1], [0.01 * side, 0.02, -0.15], 7, "flap")
    for n in range(9):
        strand(head, rest.heads[head] + [0.02 * (n - 4), -0.1, 0.2], [0, -0.01, -0.04], 3, "lock")
    order = sorted(range(len(names)), key=lambda b: (b >= len(rest.bones), b))
    return make_armature([names[b] for b in order], [parents[b] for b in order], np.array(heads)[order])


@pytest.mark.parametrize("named", [True, False])
def test_hair_and_skirts_are_no_limbs(named: bool) -> None:
    rest = add_cloth(read_rig("mpfb_game_engine"))
    assert len(rest.bones) > 53 + 130
    names = {bone: bone for bone in rest.bones}
    if not named:
        rest, names = remove_names(rest)
    assert undo_names(merge_spine(guess_bone_map(rest)), names) == TRUTHS["mpfb_game_engine"][1]


def test_sides_that_names_tell_win_over_the_facing() -> None:
    """A rig that faces +y with its feet hidden: shape says one side, the names say the other."""
    rest, names = rename(read_rig("mpfb_game_engine"), lambda name, i: f"Bone.{i:03d}" + find_side(name))
    behind = rotation.from_axis_angle([0.0, 0.0, 1.0], np.pi)
    for turn in (rotation.IDENTITY, behind):
        found = undo_names(merge_spine(guess_bone_map(replace(rest, q_world_armature=turn))), names)
        assert found == TRUTHS["mpfb_game_engine"][1]
    swapped, names = rename(
        read_rig("mpfb_game_engine"),
        lambda name, i: f"Bone.{i:03d}" + {".L": ".R", ".R": ".L", "": ""}[find_side(name)],
    )
    bones = guess_bone_map(swapped).bones
    assert names[bones["left_hand"][0]] == "hand_r" and bones["left_hand"][0].endswith(".L")


def find_side(name: str) -> str:
    return {"_l": ".L", "_r": ".R"}.get(name[-2:], "")


def test_no_body_gives_an_empty_map() -> None:
    chain = make_armature([f"Bone.{i}" for i in range(9)], range(-1, 8), [[0.0, 0.1 * i, 0.0] for i in range(9)])
    table = make_armature(
        ["top", *"abcd"], [-1, 0, 0, 0, 0], [[0, 0, 1], [1, 1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1]]
    )
    for rest in (chain, table, make_armature([], [], np.zeros((0, 3)))):
        assert not guess_bone_map(rest).bones
