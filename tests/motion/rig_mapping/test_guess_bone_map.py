"""Guessed bone maps: every preset finds every joint, rigs that nobody listed are read by their words; a guess is always
sound, left stays left, and it takes no time.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from stc_core.motion.fingers import FINGER_JOINTS
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map_io import check_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map, match_preset
from stc_core.motion.rig_mapping.presets import PRESETS
from stc_core.motion.skeleton import HUMANOID
from tests.motion.rig_mapping.changed_rigs import remove_bones
from tests.motion.rig_mapping.rig_trees import STRANGERS, VENDORS
from tests.motion.rig_mapping.rig_truths import HUMAN_IK, RIGIFY, TRUTHS, expect, read_upright
from tests.motion.rig_mapping.rigs import POSITIONS, REAL, TRUNK, locate, make_armature, make_rig, merge_spine, read_rig


@pytest.mark.parametrize("name", TRUTHS)
def test_real_rigs_find_every_joint(name: str) -> None:
    title, truth = TRUTHS[name]
    bone_map = guess_bone_map(read_upright(name))
    assert (bone_map.name, merge_spine(bone_map)) == (title, truth)
    assert set(bone_map.confidence) == set(bone_map.bones)
    assert set(bone_map.confidence.values()) == {1.0} or len(REAL[name]["bones"][0]) == 2  # names on made-up positions


@pytest.mark.parametrize("name", VENDORS)
def test_vendors_find_every_joint_and_twist_bone(name: str) -> None:
    sides, tree = VENDORS[name]
    rest, bones, twists = make_rig(tree, sides)
    bone_map = guess_bone_map(rest)
    assert bone_map.name == name
    assert merge_spine(bone_map) == bones
    assert dict(bone_map.twists) == twists
    assert {bone_map.confidence[joint] for joint in bone_map.bones if joint in HUMANOID.joint_names} == {1.0}


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
    assert set(bone_map.bones) <= {*HUMANOID.joint_names, *FINGER_JOINTS} and set(bone_map.twists) <= set(
        bone_map.bones
    )
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
