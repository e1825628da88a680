"""Bodies with the names of many programs, studios and languages: every joint is found, what is wrong is not sure."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_sides import find_sides
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from tests.motion.rig_mapping.changed_rigs import remove_bones, rename, undo_names
from tests.motion.rig_mapping.naming_schemes import ARM, LEG, NAMED, SCHEMES, Shape, make_body
from tests.motion.rig_mapping.rigs import make_armature, merge_spine
from tests.motion.rig_mapping.test_guess_by_names import RENAMES

SURE = 0.8  # a joint of more confidence is called sure
SHAPES = {
    "A pose": Shape(arms_down_deg=45.0),
    "other body with fingers": Shape(seed=1, arms_down_deg=30.0, fingers=True, ends=True),
    "few bones": Shape(missing=("shoulder", "toes", "neck"), spine=1),
}


def list_sure_errors(rest: RestPose, names: dict[str, str], truth: dict[str, tuple[str, ...]]) -> list[str]:
    """The joints that are wrong and sure; names: those that the truth has by the armature's own."""
    bone_map = guess_bone_map(rest)
    found = undo_names(merge_spine(bone_map), names)
    return [j for j, bones in found.items() if bones != truth.get(j) and bone_map.confidence[j] > SURE]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMED)
def test_every_joint_is_found(name: str, shape: str) -> None:
    rest, truth = make_body(SCHEMES[name], SHAPES[shape])
    assert merge_spine(guess_bone_map(rest)) == truth


@pytest.mark.parametrize("name", sorted(set(SCHEMES) - set(NAMED)))
def test_without_names_a_body_in_a_usual_pose_is_found_by_shape_and_not_sure(name: str) -> None:
    rest, truth = make_body(SCHEMES[name], SHAPES["A pose"])
    bone_map = guess_bone_map(rest)
    assert merge_spine(bone_map) == truth and max(bone_map.confidence.values()) <= SURE


@pytest.mark.parametrize("seed", range(60))
def test_renamed_twice_every_joint_is_found(seed: int) -> None:
    rng = random.Random(seed)
    rest, truth = make_body(SCHEMES[rng.choice(NAMED)], Shape(seed=seed, arms_down_deg=rng.choice([0.0, 45.0])))
    names = {bone: bone for bone in rest.bones}
    for how in rng.sample(sorted(RENAMES), 2):
        if len({RENAMES[how](bone, i) for i, bone in enumerate(rest.bones)}) == len(rest.bones):
            rest, renamed = rename(rest, RENAMES[how])
            names = {new: names[old] for new, old in renamed.items()}
    assert undo_names(merge_spine(guess_bone_map(rest)), names) == truth


# ---------------------------------------------------------------------------------------------- names that mislead


def exchange_names(
    rest: RestPose, truth: dict[str, tuple[str, ...]], rng: random.Random
) -> tuple[RestPose, dict[str, str]]:
    """Two joints of a limb have each other's name, on both sides."""
    limb = [joint for joint in rng.choice((ARM, LEG)) if f"left_{joint}" in truth]
    a, b = rng.sample(limb, 2)
    other: dict[str, str] = {}
    for side in ("left", "right"):
        first, second = truth[f"{side}_{a}"][0], truth[f"{side}_{b}"][0]
        other |= {first: second, second: first}
    return rename(rest, lambda name, i: other.get(name, name))


def forget_names(
    rest: RestPose, truth: dict[str, tuple[str, ...]], rng: random.Random
) -> tuple[RestPose, dict[str, str]]:
    """Some bones have names that tell nothing."""
    fraction = rng.uniform(0.1, 0.6)
    return rename(rest, lambda name, i: f"thing {i}" if rng.random() < fraction else name)


def mix_up_sides(
    rest: RestPose, truth: dict[str, tuple[str, ...]], rng: random.Random
) -> tuple[RestPose, dict[str, str]]:
    """One joint has the other side's name."""
    joint = rng.choice([joint for joint in (*ARM, *LEG) if f"left_{joint}" in truth])
    left, right = (truth[f"{side}_{joint}"][0] for side in ("left", "right"))
    return rename(rest, lambda name, i: {left: right, right: left}.get(name, name))


def stretch(rest: RestPose, truth: dict[str, tuple[str, ...]], rng: random.Random) -> tuple[RestPose, dict[str, str]]:
    """A cartoon figure."""
    scale = np.array([rng.uniform(0.5, 1.6) for _ in range(3)])
    return replace(rest, heads=rest.heads * scale, tails=rest.tails * scale), {bone: bone for bone in rest.bones}


def remove_some(
    rest: RestPose, truth: dict[str, tuple[str, ...]], rng: random.Random
) -> tuple[RestPose, dict[str, str]]:
    """Bones of limbs are missing."""
    gone = {bone for joint, bones in truth.items() if "_" in joint and rng.random() < 0.15 for bone in bones}
    for joint in gone & set(truth):
        del truth[joint]
    for joint in [joint for joint, bones in truth.items() if gone & set(bones)]:
        del truth[joint]
    return remove_bones(rest, lambda name: name in gone), {bone: bone for bone in rest.bones}


MISLEAD = {
    function.__name__: function for function in (exchange_names, forget_names, mix_up_sides, stretch, remove_some)
}


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("how", MISLEAD)
def test_what_is_wrong_is_not_sure(how: str, seed: int) -> None:
    rng = random.Random(seed)
    shape = Shape(seed=seed, arms_down_deg=rng.choice([0.0, 30.0, 70.0]), fingers=rng.random() < 0.3)
    rest, truth = make_body(SCHEMES[rng.choice(NAMED)], shape)
    changed, names = MISLEAD[how](rest, truth, rng)
    assert not list_sure_errors(changed, names, truth)


HUNG_ELSEWHERE: dict[str, dict[str, str]] = {
    "feet on the root": {"foot_$": "root"},
    "hands and feet on the root": {"foot_$": "root", "hand_$": "root"},
    "head on the root": {"head": "root"},
    "trunk and pelvis on the root": {"spine_01": "root", "pelvis": "root"},
    "legs on the root": {"thigh_$": "root"},
    "arms on the root": {"clavicle_$": "root"},
    "chains that are roots": {"thigh_$": "", "spine_01": "", "pelvis": ""},
}


@pytest.mark.parametrize("how", HUNG_ELSEWHERE)
def test_bones_that_hang_elsewhere_are_found_and_ik_targets_beside_them_are_not(how: str) -> None:
    rest, truth = make_body(SCHEMES["Unreal 4"], Shape())
    above = {name: rest.bones[p] if p >= 0 else "" for name, p in zip(rest.bones, rest.parents, strict=True)}
    above |= {name.replace("$", side): parent for name, parent in HUNG_ELSEWHERE[how].items() for side in "lr"}
    at = dict(zip(rest.bones, zip(rest.heads, rest.tails, strict=True), strict=True))
    for name in [f"{word}_{side}" for word in ("foot", "hand") for side in "lr"]:
        above[f"ik_{name}"], at[f"ik_{name}"] = "root", at[name]
    order: list[str] = []
    while len(order) < len(above):
        order += [name for name in above if name not in order and above[name] in ("", *order)]
    parents = [order.index(above[name]) if above[name] else -1 for name in order]
    heads, tails = (np.array([at[name][i] for name in order]) for i in (0, 1))
    assert merge_spine(guess_bone_map(make_armature(order, parents, heads, tails))) == truth


# ---------------------------------------------------------------------------------------------- the rig's own table


def test_a_rigs_own_table_wins_over_names_and_what_it_lacks_is_found_by_names() -> None:
    rest, truth = make_body(SCHEMES["CATS"], Shape())
    rest, names = exchange_names(rest, truth, random.Random(2))
    own = {old: new for new, old in names.items()}
    table = {joint: own[bones[0]] for joint, bones in truth.items() if joint != "spine" and not joint.endswith("toes")}
    table |= dict(zip(("spine", "chest"), (own[bone] for bone in truth["spine"]), strict=True))
    bone_map = guess_bone_map(replace(rest, humanoid=table))
    assert undo_names(merge_spine(bone_map), names) == truth
    assert bone_map.name == "VRM, the rig's own humanoid" and bone_map.confidence["left_upper_arm"] == 1.0


def test_a_table_of_few_or_of_missing_bones_counts_for_nothing() -> None:
    rest, truth = make_body(SCHEMES["CATS"], Shape())
    for table in ({"hips": "Head"}, {joint: f"{bones[0]} 2" for joint, bones in truth.items()}):
        assert merge_spine(guess_bone_map(replace(rest, humanoid=table))) == truth


# ---------------------------------------------------------------------------------------------- sides


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("LFArm", "RFArm"),
        ("lThighBend", "rThighBend"),
        ("Hand_L", "Hand_R"),
        ("mCollarLeft", "mCollarRight"),
        ("leg_L0_1_jnt", "leg_R0_1_jnt"),
        ("NPC L Calf [LClf]", "NPC R Calf [RClf]"),
        ("左ひじ", "右ひじ"),
        ("main gauche", "main droite"),
        ("왼쪽손", "오른쪽손"),
    ],
)
def test_a_side_is_what_the_mirror_images_name_has_other(left: str, right: str) -> None:
    others = [f"{word}{side}" for word in ("a", "b", "c") for side in ("_L", "_R")]
    sides = find_sides([left, right, "spine", "L5", *others])
    assert sides is not None
    first, second, *middle = sides
    assert first is not None and second is not None
    assert (first[0], second[0]) == ("left", "right") and first[1] == second[1]
    assert middle[:2] == [None, None]


def test_letters_of_a_row_are_no_sides() -> None:
    names = [f"spine_{letter}" for letter in "abcdeg"] + [f"{word}.{side}" for word in "wxyz" for side in "LR"]
    sides = find_sides(names)
    assert sides is not None and sides[:6] == [None] * 6
