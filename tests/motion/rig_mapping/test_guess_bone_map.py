"""Guessed bone maps: every preset finds every joint, whatever importers did to its names; other rigs find theirs by
words, by how bones hang together, by shape; left stays left.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike

from stc_core.geometry import rotation
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map, match_preset
from stc_core.motion.rig_mapping.presets import PRESETS
from stc_core.motion.skeleton import HUMANOID
from tests.motion.rig_mapping.rig_trees import STRANGERS, VENDORS
from tests.motion.rig_mapping.rigs import (
    LIMBS,
    POSITIONS,
    REAL,
    TRUNK,
    locate,
    make_armature,
    make_rig,
    merge_spine,
    read_rig,
)

RIGIFY = {
    "shoulder": "shoulder",
    "upper_arm": "upper_arm",
    "lower_arm": "forearm",
    "hand": "hand",
    "upper_leg": "thigh",
    "lower_leg": "shin",
    "foot": "foot",
    "toes": "toe",
}
HUMAN_IK = dict(zip(LIMBS, "Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase".split(), strict=True))
UNREAL = dict(zip(LIMBS, "clavicle upperarm lowerarm hand thigh calf foot ball".split(), strict=True))
KAYKIT = dict(zip(LIMBS[1:], "upperarm lowerarm wrist upperleg lowerleg foot toes".split(), strict=True))


def expect(limbs: dict[str, str], left: str, right: str, **middle: str) -> dict[str, tuple[str, ...]]:
    """Joint -> bones from a limb table and the way a side's name is made; middle joints as words."""
    rows = {joint: tuple(words.split()) for joint, words in middle.items()}
    for side, pattern in (("left", left), ("right", right)):
        rows |= {f"{side}_{joint}": (pattern % word,) for joint, word in limbs.items()}
    return rows


TRUTHS = {
    "mpfb_game_engine": (
        "Unreal mannequin",
        expect(UNREAL, "%s_l", "%s_r", hips="pelvis", spine="spine_01 spine_02 spine_03", neck="neck_01", head="head"),
    ),
    "mpfb_cmu_mb": (
        "CMU",
        expect(
            HUMAN_IK,
            "Left%s",
            "Right%s",
            hips="Hips",
            spine="LowerBack Spine Spine1",
            neck="Neck Neck1",
            head="Head",
        ),
    ),
    "mpfb_mixamo_unity": (
        "Mixamo",
        expect(
            HUMAN_IK,
            "mixamorig:Left%s",
            "mixamorig:Right%s",
            hips="mixamorig:Hips",
            spine="mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2",
            neck="mixamorig:Neck",
            head="mixamorig:Head",
        ),
    ),
    "m2m_skeleton_mecanim_full": (
        "Mixamo",
        expect(
            HUMAN_IK,
            "mixamorig_Left%s",
            "mixamorig_Right%s",
            hips="mixamorig_Hips",
            spine="mixamorig_Spine mixamorig_Spine1 mixamorig_Spine2",
            neck="mixamorig_Neck",
            head="mixamorig_Head",
        ),
    ),
    "m2m_human": (
        "Rigify deform bones, named spine",
        expect(
            RIGIFY,
            "DEF-%s.L",
            "DEF-%s.R",
            hips="DEF-hips",
            spine="DEF-spine.001 DEF-spine.002 DEF-spine.003",
            neck="DEF-neck",
            head="DEF-head",
        ),
    ),
    "kaykit": (
        "VRM humanoid",
        expect(KAYKIT, "%s.l", "%s.r", hips="hips", spine="spine chest", head="head"),
    ),
    "rigify_metarig": (
        "Rigify metarig",
        expect(
            RIGIFY,
            "%s.L",
            "%s.R",
            hips="spine",
            spine="spine.001 spine.002 spine.003",
            neck="spine.004 spine.005",
            head="spine.006",
        ),
    ),
    "rigify_generated": (
        "Rigify controls",
        expect(
            {joint: word + "_fk" * (joint != "shoulder") for joint, word in RIGIFY.items()},
            "%s.L",
            "%s.R",
            hips="torso spine_fk",
            spine="spine_fk.001 spine_fk.002 spine_fk.003",
            neck="neck",
            head="head",
        ),
    ),
}


def turn_y_up(rest: RestPose) -> RestPose:
    """The same armature with y up inside and its object turned by 90 degrees."""
    turn = rotation.from_axis_angle([1.0, 0.0, 0.0], -np.pi / 2)
    heads, tails = rotation.rotate(turn, rest.heads), rotation.rotate(turn, rest.tails)
    return replace(rest, heads=heads, tails=tails, q_world_armature=rotation.inv(turn))


def read_upright(name: str) -> RestPose:
    """A real rig as its object stands: KayKit's has y up inside."""
    turn = rotation.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2)
    return replace(read_rig(name), q_world_armature=turn) if name == "kaykit" else read_rig(name)


def rename(rest: RestPose, new_name: Callable[[str, int], str]) -> tuple[RestPose, dict[str, str]]:
    """The armature with other names, and its names by the new ones."""
    new = tuple(new_name(name, i) for i, name in enumerate(rest.bones))
    assert len(set(new)) == len(new)
    return replace(rest, bones=new), dict(zip(new, rest.bones, strict=True))


def undo_names(found: Mapping[str, tuple[str, ...]], names: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {joint: tuple(names[bone] for bone in bones) for joint, bones in found.items()}


# ---- listed rigs


@pytest.mark.parametrize("name", TRUTHS)
def test_real_rigs_find_every_joint(name: str) -> None:
    title, truth = TRUTHS[name]
    bone_map = guess_bone_map(read_upright(name))
    assert (bone_map.name, merge_spine(bone_map)) == (title, truth)
    assert set(bone_map.confidence) == set(bone_map.bones) and set(bone_map.confidence.values()) == {1.0}


@pytest.mark.parametrize("name", VENDORS)
def test_vendors_find_every_joint_and_twist_bone(name: str) -> None:
    sides, tree = VENDORS[name]
    rest, bones, twists = make_rig(tree, sides)
    bone_map = guess_bone_map(rest)
    assert bone_map.name == name
    assert merge_spine(bone_map) == bones
    assert dict(bone_map.twists) == twists
    assert min(bone_map.confidence.values()) == 1.0


@pytest.mark.parametrize("name", STRANGERS)
def test_rigs_that_nobody_listed_are_read_by_their_words(name: str) -> None:
    sides, tree = STRANGERS[name]
    rest, bones, twists = make_rig(tree, sides)
    bone_map = guess_bone_map(rest)
    assert merge_spine(bone_map) == bones
    assert dict(bone_map.twists) == twists


def test_generated_rigify_rigs_can_be_keyed_on_their_deform_bones_too() -> None:
    deform = next(rig for rig in PRESETS if rig.name == "Rigify deform bones")
    bone_map = match_preset(read_rig("rigify_generated"), deform)
    assert merge_spine(bone_map) == expect(
        RIGIFY,
        "DEF-%s.L",
        "DEF-%s.R",
        hips="DEF-spine",
        spine="DEF-spine.001 DEF-spine.002 DEF-spine.003",
        neck="DEF-spine.004 DEF-spine.005",
        head="DEF-spine.006",
    )
    halves = ("upper_arm", "lower_arm", "upper_leg", "lower_leg")
    pairs = [(f"{side}_{joint}", RIGIFY[joint], side[0].upper()) for side in ("left", "right") for joint in halves]
    assert dict(bone_map.twists) == {joint: (f"DEF-{bone}.{side}.001",) for joint, bone, side in pairs}


def test_a_listed_rig_that_is_not_there_matches_nothing() -> None:
    daz = next(rig for rig in PRESETS if rig.name == "Daz Genesis 9")
    assert not match_preset(make_armature(["Bone"], [-1], [[0, 0, 0]]), daz).bones


def make_spine(count: int) -> RestPose:
    """The humanoid with Mixamo's names and a spine of so many bones."""
    spine = ["Spine" + str(n or "") for n in range(count)]
    heads = {bone: locate("spine", n / count) for n, bone in enumerate(spine)} | {"Hips": POSITIONS["hips"]}
    above = dict(zip([*spine, "Neck"], ["Hips", *spine], strict=True)) | {"Hips": "", "Head": "Neck"}
    heads |= {"Neck": POSITIONS["neck"], "Head": POSITIONS["head"]}
    for side in ("left", "right"):
        for part, word in HUMAN_IK.items():
            bone, joint = side.capitalize() + word, f"{side}_{part}"
            parent = HUMANOID.joint_names[HUMANOID.parents[HUMANOID.index(joint)]]
            known = {"hips": "Hips", "upper_chest": spine[-1]}
            above[bone] = known.get(parent) or side.capitalize() + HUMAN_IK[parent.removeprefix(side + "_")]
            heads[bone] = POSITIONS[joint]
    names = sorted(heads, key=lambda bone: (bone != "Hips", bone not in spine, list(heads).index(bone)))
    return make_armature(names, [names.index(above[b]) if above[b] else -1 for b in names], [heads[b] for b in names])


@pytest.mark.parametrize(
    "count, shares", [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (4, [2, 1, 1]), (5, [2, 2, 1]), (7, [3, 2, 2])]
)
def test_spines_are_shared_out_from_below(count: int, shares: list[int]) -> None:
    rest = make_spine(count)
    found = guess_bone_map(rest).bones
    assert [len(found[joint]) for joint in TRUNK if joint in found] == shares
    assert sum((found.get(joint, ()) for joint in TRUNK), ()) == rest.bones[1 : count + 1]
    assert len(found) == 19 + min(count, 3)


# ---- what importers and people do to names


RENAMES = {
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


# ---- missing bones, one arm, flat trees


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


# ---- shape


def remove_names(rest: RestPose) -> tuple[RestPose, dict[str, str]]:
    return rename(rest, lambda name, i: f"Bone.{i:03d}")


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


# ---- always


WORDS = "arm leg L R left right hand foot spine Hips head neck upper fore thigh twist IK .001 _ : 左 腕 mixamo DEF-"


def random_name(rng: np.random.Generator) -> str:
    """Words of bodies run together, or any letters at all."""
    if rng.random() < 0.7:
        return "".join(rng.choice(WORDS.split(), rng.integers(1, 5)))
    return "".join(chr(c) for c in rng.choice([*range(0x20, 0x7F), 0, 0xDF, 0x130, 0x661, 0x3042, 0x1F600], 6))


@pytest.mark.parametrize("seed", range(60))
def test_a_guess_never_raises_and_is_always_sound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = sorted({random_name(rng) for _ in range(rng.integers(0, 60))}, key=lambda name: rng.random())
    parents = [int(rng.integers(-1, i)) if i else -1 for i in range(len(names))]
    rest = make_armature(names, parents, rng.normal(size=(len(names), 3)) * [0.0, 1e-9, 1.0, 1e9, np.nan][seed % 5])
    bone_map = guess_bone_map(rest)
    used = [bone for chain in (*bone_map.bones.values(), *bone_map.twists.values()) for bone in chain]
    assert len(used) == len(set(used)) and set(used) <= set(names)
    assert set(bone_map.bones) <= set(HUMANOID.joint_names) and set(bone_map.twists) <= set(bone_map.bones)
    assert all(0.0 < sure <= 1.0 for sure in bone_map.confidence.values())
    assert set(bone_map.confidence) == set(bone_map.bones)
    check_bone_map(bone_map, rest)


@pytest.mark.parametrize("name", [*TRUTHS, *VENDORS, *STRANGERS])
def test_left_and_right_are_never_exchanged(name: str) -> None:
    """Each side's limbs lie on that side, whatever half of the bones is missing."""
    rest = read_rig(name) if name in TRUTHS else make_rig(*{**VENDORS, **STRANGERS}[name][::-1])[0]
    rng = np.random.default_rng(7)
    for _ in range(4):
        gone = set(rng.choice(rest.bones, len(rest.bones) // 4, replace=False))
        part = remove_bones(rest, gone.__contains__)
        for joint, bones in guess_bone_map(part).bones.items():
            side = {"left": 1.0, "right": -1.0}.get(joint.split("_")[0], 0.0)
            across = [part.heads[part.index(bone)][0] for bone in bones]
            assert all(side * x >= 0.0 for x in across) and (side or np.abs(across).max() < 0.05), (joint, bones)


def test_a_rig_of_700_bones_is_read_in_a_third_of_a_second() -> None:
    rest = read_rig("rigify_generated")
    assert len(rest.bones) == 706
    times = []
    for _ in range(3):  # the machine may be busy with others' work
        start = time.process_time()
        guess_bone_map(rest)
        times.append(time.process_time() - start)
    assert min(times) < 0.3


def test_a_chain_of_a_thousand_bones_is_no_body_and_takes_no_time() -> None:
    heads = np.zeros((1000, 3))
    heads[:, 2] = np.arange(1000) * 0.01
    start = time.process_time()
    rest = make_armature([f"Bone.{i}" for i in range(1000)], range(-1, 999), heads)
    assert not guess_bone_map(rest).bones and time.process_time() - start < 10.0
