"""Rigs for the tests of bone maps: real ones from `rigs.json` (names, parents, positions), and vendors' hierarchies
from `rig_trees.py`, hung on our humanoid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGER_JOINTS
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.skeleton import HUMANOID

REAL = json.loads((Path(__file__).parent / "rigs.json").read_text(encoding="utf-8"))
POSITIONS: dict[str, Array] = dict(zip(HUMANOID.joint_names, HUMANOID.rest_positions(), strict=True))
NEXT = {"shoulder": "upper_arm", "upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg"}
NEXT |= {"lower_leg": "foot", "foot": "toes"}
TRUNK = ("spine", "chest", "upper_chest")
LIMBS = ("shoulder", "upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot", "toes")


# ---- rigs made from trees and tables


def parse_tree(tree: str, sides: str) -> list[tuple[str, str, str, str, float]]:
    """(name, parent, mark, joint, fraction) of every bone, both sides, in the tree's order."""
    rows: list[tuple[str, str, str, str, float]] = []
    stack: list[list[str]] = [[] for _ in range(20)]
    for line in tree.strip("\n").splitlines():
        match = re.fullmatch(r" *(.*?)(?: ([=~@]) (\w+)(?: ([\d.]+))?)?", line)
        assert match
        name, mark, joint, part = match.groups()
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


def locate(joint: str, fraction: float) -> Array:
    if joint in TRUNK or joint == "neck":
        low, high = (
            (POSITIONS["spine"], POSITIONS["neck"]) if joint in TRUNK else (POSITIONS["neck"], POSITIONS["head"])
        )
        between: Array = low + fraction * (high - low)
        return between
    side, _, part = joint.partition("_")
    end = POSITIONS.get(f"{side}_{NEXT.get(part, '')}", POSITIONS[joint])
    position: Array = POSITIONS[joint] + fraction * (end - POSITIONS[joint])
    return position


def make_rig(tree: str, sides: str) -> tuple[RestPose, dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The armature of a tree, and which bones and twist bones must be found: joint -> names, `spine` whole."""
    rows = parse_tree(tree, sides)
    bones: dict[str, list[str]] = {}
    beside: dict[str, list[tuple[float, str]]] = {}
    for name, _, mark, joint, fraction in rows:
        if mark == "=":
            bones.setdefault(joint, []).append(name)
        elif mark == "~":
            beside.setdefault(joint, []).append((fraction, name))
    heads: dict[str, Array] = {}
    for n, (name, parent, _mark, joint, fraction) in enumerate(rows):
        chain = bones.get(joint, [])
        if name in chain and len(chain) > 1:
            fraction = chain.index(name) / len(chain)
        near = heads.get(parent, np.zeros(3)) + np.array([0.0, -0.01, 0.003 * (n % 3)])
        heads[name] = locate(joint, fraction) if joint else near
    names = [row[0] for row in rows]
    parents = [names.index(row[1]) if row[1] else -1 for row in rows]
    rest = make_armature(names, parents, np.array([heads[name] for name in names]))
    twists = {joint: tuple(name for _, name in sorted(pairs)) for joint, pairs in beside.items()}
    return rest, {joint: tuple(chain) for joint, chain in bones.items()}, twists


def make_armature(
    names: Sequence[str], parents: Sequence[int], heads: ArrayLike, tails: ArrayLike | None = None
) -> RestPose:
    """An armature of points; where no tails are told they lie at the first child, else a little up."""
    heads = np.array(heads, float)
    tips: Array = heads + np.array([0.0, 0.0, 0.03]) if tails is None else np.array(tails, float)
    for bone in range(len(parents) - 1, 0, -1) if tails is None else ():
        if parents[bone] >= 0:
            tips[parents[bone]] = heads[bone]
    count = len(names)
    turns = np.tile(rotation.IDENTITY, (count, 1))
    return RestPose(
        bones=tuple(names),
        parents=tuple(parents),
        heads=heads,
        tails=tips,
        q_armature_bone=turns,
        inherits_rotation=np.ones(count, bool),
    )


def read_rig(name: str) -> RestPose:
    rows = REAL[name]["bones"]
    if len(rows[0]) == 2:  # names only: hang them on our humanoid
        return make_armature(
            [row[0] for row in rows], [row[1] for row in rows], [locate_rigify(row[0]) for row in rows]
        )
    return make_armature(*([row[i] for row in rows] for i in range(4)))


def locate_rigify(name: str) -> Array:
    parts = {"upper_arm": "upper_arm", "forearm": "lower_arm", "hand": "hand", "shoulder": "shoulder", "toe": "toes"}
    parts |= {"thigh": "upper_leg", "shin": "lower_leg", "foot": "foot"}
    side = {".L": "left", ".R": "right"}.get((re.findall(r"\.[LR]", name) or [""])[0])
    part = next((joint for word, joint in parts.items() if word in name), None)
    if side and part:
        return locate(f"{side}_{part}", 0.5 * bool(re.search(r"\.\d+$", name)))
    number = re.search(r"spine\.?(\d*)", name)
    trunk = ("hips", "spine", "chest", "upper_chest", "neck", "neck", "head")
    return POSITIONS[trunk[int(number[1] or 0)]] if number else POSITIONS["head" if "head" in name else "hips"]


def merge_spine(bone_map: BoneMap) -> dict[str, tuple[str, ...]]:
    """The map's bones of the body, without its fingers, with the spine's joints as one chain."""
    spine = tuple(bone for joint in TRUNK for bone in bone_map.bones.get(joint, ()))
    rest = {joint: bones for joint, bones in bone_map.bones.items() if joint not in (*TRUNK, *FINGER_JOINTS)}
    return rest | ({"spine": spine} if spine else {})
