"""Bone maps: every rig we know finds every joint, whatever importers did to its names; rigs nobody knows find theirs by
words, by how bones hang together, by shape; left stays left; and a wrong file says which bone is wrong.

`rigs.json` holds real rigs (names, parents, places); `rig_trees.py` vendors' hierarchies, hung on our humanoid.
"""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.retarget.rest_pose import BoneMap, RestPose
from stc_core.motion.rig_mapping import bone_map_io as bone_maps
from stc_core.motion.skeleton import HUMANOID
from tests.motion.rig_mapping.rig_trees import STRANGERS, VENDORS

REAL = json.loads((Path(__file__).parent / "rigs.json").read_text(encoding="utf-8"))
PLACES = dict(zip(HUMANOID.joint_names, HUMANOID.rest_positions(), strict=True))
NEXT = {"shoulder": "upper_arm", "upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg"}
NEXT |= {"lower_leg": "foot", "foot": "toes"}
TRUNK = ("spine", "chest", "upper_chest")
LIMBS = ("shoulder", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes")


# ---- rigs made from trees and tables


def bones_of(tree: str, sides: str) -> list[tuple[str, str, str, str, float]]:
    """(name, parent, mark, joint, fraction) of every bone, both sides, in the tree's order."""
    rows, stack = [], [[] for _ in range(20)]
    for line in tree.strip("\n").splitlines():
        name, mark, joint, part = re.fullmatch(r" *(.*?)(?: ([=~@]) (\w+)(?: ([\d.]+))?)?", line).groups()
        depth = (len(line) - len(line.lstrip())) // 2
        both = list(zip(("left", "right"), sides.split(), strict=True)) if "$" in name else [("", "")]
        above = stack[depth - 1] if depth else []
        stack[depth] = []
        for n, (side, word) in enumerate(both):
            parent = above[min(n, len(above) - 1)] if above else ""
            sided = f"{side}_{joint}" if side and joint in LIMBS else (joint or "")
            stack[depth].append(name.replace("$", word))
            rows.append((name.replace("$", word), parent, mark or "", sided, float(part or 0.0)))
    order = {"": -1}
    for row in rows:  # parents before children, the left side's subtree beside the right one's
        order[row[0]] = order[row[1]] + 1
    return sorted(rows, key=lambda row: order[row[0]])


def place(joint: str, fraction: float) -> np.ndarray:
    if joint in TRUNK or joint == "neck":
        low, high = (PLACES["spine"], PLACES["neck"]) if joint in TRUNK else (PLACES["neck"], PLACES["head"])
        return low + fraction * (high - low)
    side, _, part = joint.partition("_")
    end = PLACES.get(f"{side}_{NEXT.get(part, '')}", PLACES[joint])
    return PLACES[joint] + fraction * (end - PLACES[joint])


def made(tree: str, sides: str) -> tuple[RestPose, dict, dict]:
    """The armature of a tree, and which bones and twist bones must be found: joint -> names, `spine` whole."""
    rows = bones_of(tree, sides)
    bones: dict[str, list[str]] = {}
    beside: dict[str, list[tuple[float, str]]] = {}
    for name, _, mark, joint, fraction in rows:
        if mark == "=":
            bones.setdefault(joint, []).append(name)
        elif mark == "~":
            beside.setdefault(joint, []).append((fraction, name))
    heads: dict[str, np.ndarray] = {}
    for n, (name, parent, _mark, joint, fraction) in enumerate(rows):
        chain = bones.get(joint, [])
        if name in chain and len(chain) > 1:
            fraction = chain.index(name) / len(chain)
        near = heads.get(parent, np.zeros(3)) + np.array([0.0, -0.01, 0.003 * (n % 3)])
        heads[name] = place(joint, fraction) if joint else near
    names = [row[0] for row in rows]
    parents = [names.index(row[1]) if row[1] else -1 for row in rows]
    rest = armature(names, parents, np.array([heads[name] for name in names]))
    twists = {joint: tuple(name for _, name in sorted(pairs)) for joint, pairs in beside.items()}
    return rest, {joint: tuple(chain) for joint, chain in bones.items()}, twists


def armature(names, parents, heads, tails=None) -> RestPose:
    """An armature of points; where no tails are told they lie at the first child, else a little up."""
    heads = np.array(heads, float)
    if tails is None:
        tails = heads + np.array([0.0, 0.0, 0.03])
        for bone in range(len(parents) - 1, 0, -1):
            if parents[bone] >= 0:
                tails[parents[bone]] = heads[bone]
    count = len(names)
    turns = np.tile(rotation.IDENTITY, (count, 1))
    return RestPose(tuple(names), tuple(parents), heads, np.array(tails, float), turns, np.ones(count, bool))


def real(name: str) -> RestPose:
    rows = REAL[name]["bones"]
    if len(rows[0]) == 2:  # names only: hang them on our humanoid
        return armature([row[0] for row in rows], [row[1] for row in rows], [rigify_place(row[0]) for row in rows])
    return armature(*([row[i] for row in rows] for i in range(4)))


def rigify_place(name: str) -> np.ndarray:
    parts = {"upper_arm": "upper_arm", "forearm": "lower_arm", "hand": "hand", "shoulder": "shoulder", "toe": "toes"}
    parts |= {"thigh": "upper_leg", "shin": "lower_leg", "foot": "foot"}
    side = {".L": "left", ".R": "right"}.get((re.findall(r"\.[LR]", name) or [""])[0])
    part = next((joint for word, joint in parts.items() if word in name), None)
    if side and part:
        return place(f"{side}_{part}", 0.5 * bool(re.search(r"\.\d+$", name)))
    number = re.search(r"spine\.?(\d*)", name)
    trunk = ("hips", "spine", "chest", "upper_chest", "neck", "neck", "head")
    return PLACES[trunk[int(number[1] or 0)]] if number else PLACES["head" if "head" in name else "hips"]


def shortened(bone_map: BoneMap) -> dict[str, tuple[str, ...]]:
    """The map's bones with the spine's joints as one chain."""
    spine = tuple(bone for joint in TRUNK for bone in bone_map.bones.get(joint, ()))
    rest = {joint: bones for joint, bones in bone_map.bones.items() if joint not in TRUNK}
    return rest | ({"spine": spine} if spine else {})


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


def expected(limbs: dict, left: str, right: str, **middle: str) -> dict[str, tuple[str, ...]]:
    """Joint -> bones from a limb table and the way a side's name is made; middle joints as words."""
    rows = {joint: tuple(words.split()) for joint, words in middle.items()}
    for side, pattern in (("left", left), ("right", right)):
        rows |= {f"{side}_{joint}": (pattern % word,) for joint, word in limbs.items()}
    return rows


TRUTHS = {
    "mpfb_game_engine": (
        "Unreal mannequin",
        expected(
            UNREAL, "%s_l", "%s_r", hips="pelvis", spine="spine_01 spine_02 spine_03", neck="neck_01", head="head"
        ),
    ),
    "mpfb_cmu_mb": (
        "CMU",
        expected(
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
        expected(
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
        expected(
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
        expected(
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
        expected(KAYKIT, "%s.l", "%s.r", hips="hips", spine="spine chest", head="head"),
    ),
    "rigify_metarig": (
        "Rigify metarig",
        expected(
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
        expected(
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


def y_up(rest: RestPose) -> RestPose:
    """The same armature with y up inside and its object turned by 90 degrees."""
    turn = rotation.from_axis_angle([1.0, 0.0, 0.0], -np.pi / 2)
    heads, tails = rotation.rotate(turn, rest.heads), rotation.rotate(turn, rest.tails)
    return replace(rest, heads=heads, tails=tails, q_world_armature=rotation.inv(turn))


def upright(name: str) -> RestPose:
    """A real rig as its object stands: KayKit's has y up inside."""
    turn = rotation.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2)
    return replace(real(name), q_world_armature=turn) if name == "kaykit" else real(name)


def renamed(rest: RestPose, rename) -> tuple[RestPose, dict[str, str]]:
    """The armature with other names, and its names by the new ones."""
    new = tuple(rename(name, i) for i, name in enumerate(rest.bones))
    assert len(set(new)) == len(new)
    return replace(rest, bones=new), dict(zip(new, rest.bones, strict=True))


def back(found: dict, names: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {joint: tuple(names[bone] for bone in bones) for joint, bones in found.items()}


# ---- listed rigs


@pytest.mark.parametrize("name", TRUTHS)
def test_real_rigs_find_every_joint(name):
    title, truth = TRUTHS[name]
    bone_map = bone_maps.guess(upright(name))
    assert (bone_map.name, shortened(bone_map)) == (title, truth)
    assert set(bone_map.confidence) == set(bone_map.bones) and set(bone_map.confidence.values()) == {1.0}


@pytest.mark.parametrize("name", VENDORS)
def test_vendors_find_every_joint_and_twist_bone(name):
    sides, tree = VENDORS[name]
    rest, bones, twists = made(tree, sides)
    bone_map = bone_maps.guess(rest)
    assert bone_map.name == name
    assert shortened(bone_map) == bones
    assert dict(bone_map.twists) == twists
    assert min(bone_map.confidence.values()) == 1.0


@pytest.mark.parametrize("name", STRANGERS)
def test_rigs_that_nobody_listed_are_read_by_their_words(name):
    sides, tree = STRANGERS[name]
    rest, bones, twists = made(tree, sides)
    bone_map = bone_maps.guess(rest)
    assert shortened(bone_map) == bones
    assert dict(bone_map.twists) == twists


def test_generated_rigify_rigs_can_be_keyed_on_their_deform_bones_too():
    deform = next(rig for rig in bone_maps.KNOWN if rig.name == "Rigify deform bones")
    bone_map = bone_maps.match(real("rigify_generated"), deform)
    assert shortened(bone_map) == expected(
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


def test_a_listed_rig_that_is_not_there_matches_nothing():
    daz = next(rig for rig in bone_maps.KNOWN if rig.name == "Daz Genesis 9")
    assert not bone_maps.match(armature(["Bone"], [-1], [[0, 0, 0]]), daz).bones


def long_spined(count: int) -> RestPose:
    """The humanoid with Mixamo's names and a spine of so many bones."""
    spine = ["Spine" + str(n or "") for n in range(count)]
    heads = {bone: place("spine", n / count) for n, bone in enumerate(spine)} | {"Hips": PLACES["hips"]}
    above = dict(zip([*spine, "Neck"], ["Hips", *spine], strict=True)) | {"Hips": "", "Head": "Neck"}
    heads |= {"Neck": PLACES["neck"], "Head": PLACES["head"]}
    for side in ("left", "right"):
        for part, word in HUMAN_IK.items():
            bone, joint = side.capitalize() + word, f"{side}_{part}"
            parent = HUMANOID.joint_names[HUMANOID.parents[HUMANOID.index(joint)]]
            known = {"hips": "Hips", "upper_chest": spine[-1]}
            above[bone] = known.get(parent) or side.capitalize() + HUMAN_IK[parent.removeprefix(side + "_")]
            heads[bone] = PLACES[joint]
    names = sorted(heads, key=lambda bone: (bone != "Hips", bone not in spine, list(heads).index(bone)))
    return armature(names, [names.index(above[b]) if above[b] else -1 for b in names], [heads[b] for b in names])


@pytest.mark.parametrize(
    "count, shares", [(1, [1]), (2, [1, 1]), (3, [1, 1, 1]), (4, [2, 1, 1]), (5, [2, 2, 1]), (7, [3, 2, 2])]
)
def test_spines_are_shared_out_from_below(count, shares):
    rest = long_spined(count)
    found = bone_maps.guess(rest).bones
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
def test_names_may_be_changed_as_importers_do(name, how):
    if name in VENDORS:
        rest, truth, _ = made(VENDORS[name][1], VENDORS[name][0])
    else:
        rest, truth = upright(name), TRUTHS[name][1]
    rest, names = renamed(rest, RENAMES[how])
    assert back(shortened(bone_maps.guess(rest)), names) == truth


@pytest.mark.parametrize("prefix", ["mixamorig:", "mixamorig1:", "mixamorig9:", "mixamorig_", "mixamorig", "Bob|", ""])
def test_mixamo_comes_with_many_prefixes(prefix):
    rest, names = renamed(real("mpfb_mixamo_unity"), lambda name, i: prefix + name.removeprefix("mixamorig:"))
    bone_map = bone_maps.guess(rest)
    assert back(shortened(bone_map), names) == TRUTHS["mpfb_mixamo_unity"][1]
    assert bone_map.name == ("Mixamo" if "mixamo" in prefix else "Ready Player Me")


@pytest.mark.parametrize("forms", ["%s.L %s.R", "%s_l %s_r", "%s-L %s-R", "L_%s R_%s", "l %s,r %s", "%sLeft %sRight"])
def test_sides_are_written_in_many_ways(forms):
    left, right = forms.split("," if "," in forms else " ")
    tree = VENDORS["VRM humanoid"][1]
    for line in re.findall(r"\$\w+", tree):
        tree = tree.replace(line, "$" + line[1:])
    rest, truth, _ = made(tree, "Left Right")

    def rename(name, i):
        for side, form in (("Left", left), ("Right", right)):
            if name.startswith(side):
                return form % name.removeprefix(side)
        return name

    rest, names = renamed(rest, rename)
    assert back(shortened(bone_maps.guess(rest)), names) == truth


def test_a_number_on_some_bones_only_does_no_harm():
    rest, names = renamed(real("mpfb_game_engine"), lambda name, i: name + (".001" if i % 5 == 0 else ""))
    assert back(shortened(bone_maps.guess(rest)), names) == TRUTHS["mpfb_game_engine"][1]


# ---- missing bones, one arm, flat trees


def without(rest: RestPose, gone) -> RestPose:
    """The armature less some bones, their children hung on their parents."""
    keep = [bone for bone, name in enumerate(rest.bones) if not gone(name)]
    new = {bone: n for n, bone in enumerate(keep)}
    parents = []
    for bone in keep:
        parent = rest.parents[bone]
        while parent >= 0 and parent not in new:
            parent = rest.parents[parent]
        parents.append(new.get(parent, -1))
    return armature([rest.bones[b] for b in keep], parents, rest.heads[keep], rest.tails[keep])


@pytest.mark.parametrize(
    "gone", ["clavicle", "ball", "neck", "_r$", "hand_|index|middle|ring|pinky|thumb", "spine_0[23]"]
)
@pytest.mark.parametrize("listed", [True, False])
def test_missing_bones_leave_the_others_found(gone, listed):
    rest = without(real("mpfb_game_engine"), lambda name: re.search(gone, name))
    truth = {
        joint: tuple(b for b in bones if b in rest.bones) for joint, bones in TRUTHS["mpfb_game_engine"][1].items()
    }
    truth = {joint: bones for joint, bones in truth.items() if bones}
    if not listed:
        words = {"clavicle": "collar", "upperarm": "uparm", "lowerarm": "loarm", "thigh": "upleg", "calf": "lowleg"}
        words |= {"ball": "toe", "pelvis": "hips"}
        pattern = re.compile("|".join(words))
        rest, names = renamed(rest, lambda name, i: pattern.sub(lambda m: words[m[0]], name))
    else:
        names = {bone: bone for bone in rest.bones}
    assert back(shortened(bone_maps.guess(rest)), names) == truth


@pytest.mark.parametrize("joint", ["lower_arm", "lower_leg", "hand", "foot", "upper_arm", "upper_leg"])
def test_a_bone_without_a_telling_name_is_found_by_its_place(joint):
    truth = TRUTHS["mpfb_mixamo_unity"][1]
    odd = {truth[f"{side}_{joint}"][0]: f"thing {side[0]}" for side in ("left", "right")}
    rest, names = renamed(real("mpfb_mixamo_unity"), lambda name, i: odd.get(name, name))
    bone_map = bone_maps.guess(rest)
    assert back(shortened(bone_map), names) == truth
    assert bone_map.confidence[f"left_{joint}"] == 0.5


def test_control_rigs_with_no_order_among_their_bones_are_read_by_name():
    rest = real("mpfb_game_engine")
    flat = replace(rest, parents=tuple(-1 for _ in rest.bones))
    truth = TRUTHS["mpfb_game_engine"][1]
    assert shortened(bone_maps.guess(flat)) == truth
    words = {"upperarm": "uparm", "lowerarm": "loarm", "thigh": "upleg", "calf": "loleg", "ball": "toe"}
    pattern = re.compile("|".join(words))
    flat, names = renamed(flat, lambda name, i: pattern.sub(lambda m: words[m[0]], name))
    found = back(shortened(bone_maps.guess(flat)), names)
    assert {joint: found.get(joint) for joint in truth if "_" in joint} == {j: b for j, b in truth.items() if "_" in j}


# ---- shape


def nameless(rest: RestPose) -> tuple[RestPose, dict[str, str]]:
    return renamed(rest, lambda name, i: f"Bone.{i:03d}")


SHAPES = {name: TRUTHS[name][1] for name in TRUTHS if len(REAL[name]["bones"][0]) == 4}


@pytest.mark.parametrize("turn", [0.0, 1.0, np.pi])
@pytest.mark.parametrize("name", SHAPES)
def test_rigs_without_names_are_found_by_shape(name, turn):
    rest, names = nameless(upright(name))
    turned = rotation.mul(rotation.from_axis_angle([0.0, 0.0, 1.0], turn), rest.q_world_armature)
    bone_map = bone_maps.guess(replace(rest, q_world_armature=turned))
    assert back(shortened(bone_map), names) == SHAPES[name]
    assert set(bone_map.confidence.values()) == {0.4}


@pytest.mark.parametrize("name", SHAPES)
def test_shape_does_not_depend_on_size_or_axes(name):
    rest, names = nameless(upright(name))
    for scale in (0.01, 8.5, 1000.0):
        larger = replace(rest, heads=rest.heads * scale, tails=rest.tails * scale)
        assert back(shortened(bone_maps.guess(larger)), names) == SHAPES[name]
    if name != "kaykit":  # KayKit's has y up inside as it is
        assert back(shortened(bone_maps.guess(y_up(rest))), names) == SHAPES[name]
        lying = replace(y_up(rest), q_world_armature=rotation.IDENTITY.copy())  # and an object that does not say so
        assert back(shortened(bone_maps.guess(lying)), names) == SHAPES[name]


def with_cloth(rest: RestPose, seed: int = 0) -> RestPose:
    """140 more bones: a long skirt round the hips, twin tails to the knees, a fringe, coat tails on the back."""
    truth = {joint: bones[0] for joint, bones in TRUTHS["mpfb_game_engine"][1].items()}
    names, parents, heads = list(rest.bones), list(rest.parents), list(rest.heads)
    hips, head = rest.index(truth["hips"]), rest.index(truth["head"])
    chest = rest.index("spine_03")

    def strand(parent: int, start, step, count: int, word: str) -> None:
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
    return armature([names[b] for b in order], [parents[b] for b in order], np.array(heads)[order])


@pytest.mark.parametrize("named", [True, False])
def test_hair_and_skirts_are_no_limbs(named):
    rest = with_cloth(real("mpfb_game_engine"))
    assert len(rest.bones) > 53 + 130
    names = {bone: bone for bone in rest.bones}
    if not named:
        rest, names = nameless(rest)
    assert back(shortened(bone_maps.guess(rest)), names) == TRUTHS["mpfb_game_engine"][1]


def test_sides_that_names_tell_win_over_the_facing():
    """A rig that faces +y with its feet hidden: shape says one side, the names say the other."""
    rest, names = renamed(real("mpfb_game_engine"), lambda name, i: f"Bone.{i:03d}" + side_of(name))
    behind = rotation.from_axis_angle([0.0, 0.0, 1.0], np.pi)
    for turn in (rotation.IDENTITY, behind):
        found = back(shortened(bone_maps.guess(replace(rest, q_world_armature=turn))), names)
        assert found == TRUTHS["mpfb_game_engine"][1]
    swapped, names = renamed(
        real("mpfb_game_engine"), lambda name, i: f"Bone.{i:03d}" + {".L": ".R", ".R": ".L", "": ""}[side_of(name)]
    )
    found = bone_maps.guess(swapped).bones
    assert names[found["left_hand"][0]] == "hand_r" and found["left_hand"][0].endswith(".L")


def side_of(name: str) -> str:
    return {"_l": ".L", "_r": ".R"}.get(name[-2:], "")


def test_no_body_gives_an_empty_map():
    chain = armature([f"Bone.{i}" for i in range(9)], range(-1, 8), [[0.0, 0.1 * i, 0.0] for i in range(9)])
    table = armature(["top", *"abcd"], [-1, 0, 0, 0, 0], [[0, 0, 1], [1, 1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1]])
    for rest in (chain, table, armature([], [], np.zeros((0, 3)))):
        assert not bone_maps.guess(rest).bones


# ---- always


WORDS = "arm leg L R left right hand foot spine Hips head neck upper fore thigh twist IK .001 _ : 左 腕 mixamo DEF-"


def random_name(rng: np.random.Generator) -> str:
    """Words of bodies run together, or any letters at all."""
    if rng.random() < 0.7:
        return "".join(rng.choice(WORDS.split(), rng.integers(1, 5)))
    return "".join(chr(c) for c in rng.choice([*range(0x20, 0x7F), 0, 0xDF, 0x130, 0x661, 0x3042, 0x1F600], 6))


@pytest.mark.parametrize("seed", range(60))
def test_a_guess_never_raises_and_is_always_sound(seed):
    rng = np.random.default_rng(seed)
    names = sorted({random_name(rng) for _ in range(rng.integers(0, 60))}, key=lambda name: rng.random())
    parents = [int(rng.integers(-1, i)) if i else -1 for i in range(len(names))]
    rest = armature(names, parents, rng.normal(size=(len(names), 3)) * [0.0, 1e-9, 1.0, 1e9, np.nan][seed % 5])
    bone_map = bone_maps.guess(rest)
    used = [bone for chain in (*bone_map.bones.values(), *bone_map.twists.values()) for bone in chain]
    assert len(used) == len(set(used)) and set(used) <= set(names)
    assert set(bone_map.bones) <= set(HUMANOID.joint_names) and set(bone_map.twists) <= set(bone_map.bones)
    assert all(0.0 < sure <= 1.0 for sure in bone_map.confidence.values())
    assert set(bone_map.confidence) == set(bone_map.bones)
    bone_maps.check(bone_map, rest)


@pytest.mark.parametrize("name", [*TRUTHS, *VENDORS, *STRANGERS])
def test_left_and_right_are_never_exchanged(name):
    """Each side's limbs lie on that side, whatever half of the bones is missing."""
    rest = real(name) if name in TRUTHS else made(*{**VENDORS, **STRANGERS}[name][::-1])[0]
    rng = np.random.default_rng(7)
    for _ in range(4):
        gone = set(rng.choice(rest.bones, len(rest.bones) // 4, replace=False))
        part = without(rest, lambda bone, gone=gone: bone in gone)
        for joint, bones in bone_maps.guess(part).bones.items():
            side = {"left": 1.0, "right": -1.0}.get(joint.split("_")[0], 0.0)
            across = [part.heads[part.index(bone)][0] for bone in bones]
            assert all(side * x >= 0.0 for x in across) and (side or np.abs(across).max() < 0.05), (joint, bones)


def test_a_rig_of_700_bones_is_read_in_a_third_of_a_second():
    rest = real("rigify_generated")
    assert len(rest.bones) == 706
    start = time.process_time()
    bone_maps.guess(rest)
    assert time.process_time() - start < 0.3


# ---- files


def a_map() -> BoneMap:
    rest, _, _ = made(*VENDORS["Daz Genesis 3 and 8"][::-1])
    return replace(bone_maps.guess(rest), name="My “Daz” 右", root="hip")


def test_a_map_comes_back_from_its_file(tmp_path):
    path = tmp_path / "daz map.json"
    bone_maps.save_map(a_map(), path)
    assert bone_maps.load_map(path) == a_map()
    text = json.loads(path.read_text(encoding="utf-8"))
    assert text["format"] == "stc-mocap bone map" and text["version"] == 1
    assert text["bones"]["left_upper_arm"] == ["lShldrBend"] and text["twists"]["left_upper_arm"] == ["lShldrTwist"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_map_needs_only_its_bones(tmp_path):
    path = tmp_path / "small.json"
    path.write_text('{"format": "stc-mocap bone map", "version": 1, "bones": {"hips": ["a b"], "head": []}}')
    assert bone_maps.load_map(path) == BoneMap("small", {"hips": ("a b",)}, {}, {"hips": 1.0})


def test_saving_where_one_cannot_write_is_said(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        bone_maps.save_map(a_map(), tmp_path / "no such folder" / "map.json")


DAMAGE = {
    "not json": (lambda d: "{", r"is not JSON \(line 1"),
    "another file": (lambda d: {"a": 1}, "is not a bone map"),
    "a list": (lambda d: [1], "is not a bone map"),
    "newer": (lambda d: d | {"version": 2}, "newer format 2"),
    "no version": (lambda d: d | {"version": "one"}, "its version"),
    "no bones": (lambda d: {k: v for k, v in d.items() if k != "bones"}, 'no table "bones"'),
    "unknown joint": (
        lambda d: d | {"bones": {"left_hnad": ["x"]}},
        r'no joint "left_hnad"\. Did you mean "left_hand"\?',
    ),
    "a name for a list": (lambda d: d | {"bones": {"left_hand": "x"}}, "bones of the left hand must be a list"),
    "a number for a name": (lambda d: d | {"bones": {"head": [3]}}, "bones of the head must be a list"),
    "bone twice": (
        lambda d: d | {"bones": d["bones"] | {"right_hand": ["lHand"]}},
        'the bone "lHand" to the left hand and the right hand',
    ),
    "bone twice in one": (lambda d: d | {"bones": {"neck": ["n", "n"]}}, 'the bone "n" to the neck twice'),
    "twist is a bone": (
        lambda d: d | {"twists": {"left_upper_arm": ["hip"]}},
        'the bone "hip" to the hips and the left upper arm',
    ),
    "sure of it": (lambda d: d | {"confidence": {"head": 2.0}}, "confidence of the head must be from 0 to 1, not 2.0"),
    "root a list": (lambda d: d | {"root": ["hip"]}, "the root"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_wrong_map_file_says_what_is_wrong(tmp_path, damage):
    path = tmp_path / "map.json"
    bone_maps.save_map(a_map(), path)
    change, words = DAMAGE[damage]
    data = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError, match=words) as caught:
        bone_maps.load_map(path)
    assert str(path) in caught.value.what


def test_missing_and_binary_map_files_are_said(tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        bone_maps.load_map(tmp_path / "none.json")
    (tmp_path / "map.json").write_bytes(b"\xff\xfe\x00bin\x80")
    with pytest.raises(UserError, match="is not a bone map"):
        bone_maps.load_map(tmp_path / "map.json")
    with pytest.raises(UserError, match="cannot be read"):
        bone_maps.load_map(tmp_path)


def test_a_map_of_another_rig_names_the_bone_that_lacks():
    rest = real("m2m_skeleton_mecanim_full")
    other = bone_maps.guess(rest)
    bones = dict(other.bones) | {"left_hand": ("mixamorig:LeftHand",)}
    with pytest.raises(UserError, match=r'no bone "mixamorig:LeftHand".* for the left hand.*"mixamorig_LeftHand"'):
        bone_maps.check(replace(other, bones=bones), rest)
    with pytest.raises(UserError, match=r'no bone "pelvis".* as root'):
        bone_maps.check(replace(other, root="pelvis"), rest)
    with pytest.raises(UserError, match=r'no bone "twist".* for the head'):
        bone_maps.check(replace(other, twists={"head": ("twist",)}), rest)
    assert bone_maps.check(other, rest) is other
