"""Names as importers and people change them, missing bones, flat trees: every joint is found all the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from tests.motion.rig_mapping.changed_rigs import remove_bones, rename, undo_names
from tests.motion.rig_mapping.rig_trees import VENDORS
from tests.motion.rig_mapping.rig_truths import TRUTHS, read_upright
from tests.motion.rig_mapping.rigs import make_rig, merge_spine, read_rig

RENAMES: dict[str, Callable[[str, int], str]] = {
    "upper case": lambda name, i: name.upper(),
    "lower case": lambda name, i: name.lower(),
    "a prefix": lambda name, i: f"Hero_{name}",
    "a namespace": lambda name, i: f"scene:hero:{name}",
    "a path": lambda name, i: f"Armature|{name}",
    "a suffix": lambda name, i: f"{name}_jnt",
    "a number on each": lambda name, i: f"{name}_{i:02d}",
    "the same number on each": lambda name, i: f"{name}.001",
    "spaces for underscores": lambda name, i: name.replace("_", " ").replace(".", " "),
    "dots for underscores": lambda name, i: name.replace("_", "."),
}


@pytest.mark.parametrize("how", RENAMES)
@pytest.mark.parametrize("name", [*TRUTHS, *VENDORS])
def test_names_may_be_changed_as_importers_do(name: str, how: str) -> None:
    if name in VENDORS:
        rest, truth, _ = make_rig(VENDORS[name][1], VENDORS[name][0])
    else:
        rest, truth = read_upright(name), TRUTHS[name][1]
    rest, names = rename(rest, RENAMES[how])
    assert undo_names(merge_spine(guess_bone_map(rest)), names) == truth


@pytest.mark.parametrize("prefix", ["mixamorig:", "mixamorig1:", "mixamorig9:", "mixamorig_", "mixamorig", "Bob|", ""])
def test_mixamo_comes_with_many_prefixes(prefix: str) -> None:
    rest, names = rename(read_rig("mpfb_mixamo_unity"), lambda name, i: prefix + name.removeprefix("mixamorig:"))
    bone_map = guess_bone_map(rest)
    assert undo_names(merge_spine(bone_map), names) == TRUTHS["mpfb_mixamo_unity"][1]
    assert bone_map.name == ("Mixamo" if "mixamo" in prefix else "Ready Player Me")


@pytest.mark.parametrize("forms", ["%s.L %s.R", "%s_l %s_r", "%s-L %s-R", "L_%s R_%s", "l %s,r %s", "%sLeft %sRight"])
def test_sides_are_written_in_many_ways(forms: str) -> None:
    left, right = forms.split("," if "," in forms else " ")
    tree = VENDORS["VRM humanoid"][1]
    for line in re.findall(r"\$\w+", tree):
        tree = tree.replace(line, "$" + line[1:])
    rest, truth, _ = make_rig(tree, "Left Right")

    def rename_side(name: str, i: int) -> str:
        for side, form in (("Left", left), ("Right", right)):
            if name.startswith(side):
                return form % name.removeprefix(side)
        return name

    rest, names = rename(rest, rename_side)
    assert undo_names(merge_spine(guess_bone_map(rest)), names) == truth


def test_a_number_on_some_bones_only_does_no_harm() -> None:
    rest, names = rename(read_rig("mpfb_game_engine"), lambda name, i: name + (".001" if i % 5 == 0 else ""))
    assert undo_names(merge_spine(guess_bone_map(rest)), names) == TRUTHS["mpfb_game_engine"][1]


@pytest.mark.parametrize(
    "gone", ["clavicle", "ball", "neck", "_r$", "hand_|index|middle|ring|pinky|thumb", "spine_0[23]"]
)
@pytest.mark.parametrize("listed", [True, False])
def test_missing_bones_leave_the_others_found(gone: str, listed: bool) -> None:
    rest = remove_bones(read_rig("mpfb_game_engine"), lambda name: re.search(gone, name))
    truth = {
        joint: tuple(b for b in bones if b in rest.bones) for joint, bones in TRUTHS["mpfb_game_engine"][1].items()
    }
    truth = {joint: bones for joint, bones in truth.items() if bones}
    if not listed:
        words = {"clavicle": "collar", "upperarm": "uparm", "lowerarm": "loarm", "thigh": "upleg", "calf": "lowleg"}
        words |= {"ball": "toe", "pelvis": "hips"}
        pattern = re.compile("|".join(words))
        rest, names = rename(rest, lambda name, i: pattern.sub(lambda m: words[m[0]], name))
    else:
        names = {bone: bone for bone in rest.bones}
    assert undo_names(merge_spine(guess_bone_map(rest)), names) == truth


@pytest.mark.parametrize("joint", ["lower_arm", "lower_leg", "hand", "foot", "upper_arm", "upper_leg"])
def test_a_bone_without_a_telling_name_is_found_by_its_place(joint: str) -> None:
    truth = TRUTHS["mpfb_mixamo_unity"][1]
    odd = {truth[f"{side}_{joint}"][0]: f"thing {side[0]}" for side in ("left", "right")}
    rest, names = rename(read_rig("mpfb_mixamo_unity"), lambda name, i: odd.get(name, name))
    bone_map = guess_bone_map(rest)
    assert undo_names(merge_spine(bone_map), names) == truth
    assert bone_map.confidence[f"left_{joint}"] == 0.5


def test_control_rigs_with_no_order_among_their_bones_are_read_by_name() -> None:
    rest = read_rig("mpfb_game_engine")
    flat = replace(rest, parents=tuple(-1 for _ in rest.bones))
    truth = TRUTHS["mpfb_game_engine"][1]
    assert merge_spine(guess_bone_map(flat)) == truth
    words = {"upperarm": "uparm", "lowerarm": "loarm", "thigh": "upleg", "calf": "loleg", "ball": "toe"}
    pattern = re.compile("|".join(words))
    flat, names = rename(flat, lambda name, i: pattern.sub(lambda m: words[m[0]], name))
    found = undo_names(merge_spine(guess_bone_map(flat)), names)
    assert {joint: found.get(joint) for joint in truth if "_" in joint} == {j: b for j, b in truth.items() if "_" in j}
