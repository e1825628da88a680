"""Which bone of somebody's rig is which joint: guessed, kept in files, checked.

A guess takes names first (the listed rigs, then words), then how bones hang together, then the body's shape. Knows
joints through the humanoid, rigs through `rigs`; nothing of how a motion is put on them.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ...geometry import rotation
from ..retarget.rest_pose import BoneMap, RestPose
from ..skeleton import HUMANOID
from . import bone_names as names
from . import chains
from . import geometry as shape
from . import match_presets as listed
from . import twist_bones as twists
from .bone_tree import Tree
from .chains import Found
from .presets import KNOWN, KnownRig

__all__ = ["KNOWN", "KnownRig", "check", "guess", "load_map", "match", "save_map"]

FORMAT, FORMAT_VERSION = "stc-mocap bone map", 1
_TRUNK = ("spine", "chest", "upper_chest")
_SHAPED, _UNSURE = 0.4, 0.25  # confidence of a joint found by shape, and where front and back look alike
_REMEDY = "Choose a bone map that STC Mocap saved, or mend this line of it."


def guess(rest: RestPose) -> BoneMap:
    """The bone map that fits an armature best, with a confidence for each joint; joints not found are left out.

    Left and right are taken from names wherever names tell, else from where the feet point. Never raises.
    """
    tree, read = _tree(rest), names.read_all(rest.bones)
    rig, found = listed.best(rest.bones, read)
    for joint, bones in chains.limbs(tree, read).items():
        _add(tree, found, {joint: bones})
    _add(tree, found, chains.fill_limbs(tree, read, found))
    trunk = chains.trunk(tree, read, found)
    _add(tree, found, trunk)
    if rig is None or not rig.controls:
        _lengthen_spine(read, found, trunk)
    by_shape = _lacks(found)
    if by_shape:
        _add_shape(tree, read, found)
    return _bone_map(rest, tree, read, rig, found, "Guessed by shape" if by_shape else "Guessed by names")


def match(rest: RestPose, rig: KnownRig) -> BoneMap:
    """The bones of an armature that a listed rig names, and no others; empty where they do not fit."""
    tree, read = _tree(rest), names.read_all(rest.bones)
    return _bone_map(rest, tree, read, rig, listed.matched(rig, listed.Index(read)), rig.name)


def _tree(rest: RestPose) -> Tree:
    heads, tails = (np.nan_to_num(np.asarray(points, float)) for points in (rest.heads, rest.tails))
    turn = rest.q_world_armature
    return Tree(rest.parents, rotation.rotate(turn, heads), rotation.rotate(turn, tails))


# ---- putting findings together


def _add(tree: Tree, found: Found, more: Found) -> None:
    """Take findings for joints still missing whose bones are free and hang rightly on the limb's other joints."""
    for joint, (bones, sure) in more.items():
        used = {bone for others, _ in found.values() for bone in others}
        free = tuple(bone for bone in bones if bone not in used)
        if joint not in found and free and _hangs_rightly(tree, found, joint, free[0]):
            found[joint] = (free, sure)


def _lengthen_spine(read: Sequence[names.Name], found: Found, trunk: Found) -> None:
    """Take bones called spine that stand in line with a listed rig's own, which is shorter."""
    own, sure = found.get("spine", ((), 0.0))
    line = trunk.get("spine", ((), 0.0))[0]
    used = {bone for joint, (bones, _) in found.items() if joint != "spine" for bone in bones}
    if own and set(own) < set(line):
        kept = [b for b in line if b in own or (b not in used and "spine" in names.joints(read[b]))]
        found["spine"] = (tuple(kept), sure)


def _hangs_rightly(tree: Tree, found: Found, joint: str, bone: int) -> bool:
    side, _, part = joint.partition("_")
    limb = next((limb for limb in chains.LIMBS if part in limb), None)
    if limb is None:
        return True
    for other in limb:
        if f"{side}_{other}" in found:
            known = found[f"{side}_{other}"][0][0]
            if tree.under(*((known, bone) if limb.index(other) < limb.index(part) else (bone, known))):
                return False
    return True


def _lacks(found: Found) -> bool:
    """Whether the hips, both arms or both legs are still missing."""
    limbs = [
        [f"{side}_{limb[1]}" in found or f"{side}_{limb[0]}" in found for side in chains.SIDES] for limb in chains.LIMBS
    ]
    return "hips" not in found or not all(any(sides) for sides in limbs)


def _add_shape(tree: Tree, read: Sequence[names.Name], found: Found) -> None:
    sides = [name.side for name in read]
    body, sure = shape.find_body(tree, sides)
    confidence = _SHAPED if sure or any(sides) else _UNSURE
    taken = {
        joint.partition("_")[0] + limb[1] for joint in found for limb in chains.LIMBS if joint.partition("_")[2] in limb
    }
    for joint, bones in body.items():
        side, _, part = joint.partition("_")
        limb = next((limb for limb in chains.LIMBS if part in limb), None)
        if limb is None or side + limb[1] not in taken:
            _add(tree, found, {joint: (bones, confidence)})


def _bone_map(
    rest: RestPose, tree: Tree, read: Sequence[names.Name], rig: KnownRig | None, found: Found, otherwise: str
) -> BoneMap:
    beside: dict[str, tuple[int, ...]] = {}
    if rig is None or not rig.controls:
        found = found | twists.first_pieces(tree, read, found)
        beside = twists.find(tree, read, found)
    found = _spread(found)
    order = [joint for joint in HUMANOID.joint_names if joint in found]
    return BoneMap(
        rig.name if rig else otherwise,
        {joint: tuple(rest.bones[bone] for bone in found[joint][0]) for joint in order},
        {joint: tuple(rest.bones[bone] for bone in beside[joint]) for joint in order if joint in beside},
        {joint: round(float(found[joint][1]), 2) for joint in order},
    )


def _spread(found: Found) -> Found:
    """The spine's bones shared out over spine, chest and upper chest, from below."""
    bones, sure = found.get("spine", ((), 0.0))
    parts = np.array_split(np.array(bones, int), min(len(bones), len(_TRUNK))) if bones else []
    shared = {joint: (tuple(map(int, part)), sure) for joint, part in zip(_TRUNK, parts, strict=False)}
    return {joint: value for joint, value in found.items() if joint not in _TRUNK} | shared


# ---- files


def save_map(bone_map: BoneMap, path: Path) -> None:
    """Write a bone map; the file appears whole or not at all. Raises UserError where it cannot be written."""
    path = Path(path)
    text = json.dumps(
        {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "name": bone_map.name,
            "bones": {joint: list(bones) for joint, bones in bone_map.bones.items()},
            "twists": {joint: list(bones) for joint, bones in bone_map.twists.items()},
            "confidence": dict(bone_map.confidence),
            "root": bone_map.root,
        },
        ensure_ascii=False,
        indent=2,
    )
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text + "\n", encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Choose another place to save it.") from None
    finally:
        partial.unlink(missing_ok=True)


def load_map(path: Path) -> BoneMap:
    """Read a bone map. Raises UserError naming the file and the joint or bone that is wrong."""
    path = Path(path)
    data = _read_json(path)
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise UserError(f"{path} does not say its version.", _REMEDY)
    if version > FORMAT_VERSION:
        raise UserError(f"{path} has the newer format {version}.", "Update STC Mocap.")
    name, root = data.get("name", path.stem), data.get("root", "")
    for key, value in (("name", name), ("root", root)):
        if not isinstance(value, str):
            raise UserError(f"{path}: the {key} {value!r} is no text.", _REMEDY)
    bones, beside = (_read_chains(path, data, key) for key in ("bones", "twists"))
    _check_once(path, [*bones.items(), *beside.items()])
    return BoneMap(name, bones, beside, _read_confidence(path, data, bones), root)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check that it is a file you may read.") from None
    except (UnicodeDecodeError, RecursionError):
        raise UserError(f"{path} is not a bone map.", _REMEDY) from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON (line {error.lineno}: {error.msg}).", _REMEDY) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UserError(f"{path} is not a bone map.", _REMEDY)
    return data


def _read_chains(path: Path, data: Mapping[str, Any], key: str) -> dict[str, tuple[str, ...]]:
    table = data.get(key, {} if key == "twists" else None)
    if not isinstance(table, dict):
        raise UserError(f'{path} has no table "{key}" of joints and their bones.', _REMEDY)
    for joint, chain in table.items():
        if joint not in HUMANOID.joint_names:
            raise UserError(f'{path}: there is no joint "{joint}".{_hint(joint, HUMANOID.joint_names)}', _REMEDY)
        if not isinstance(chain, list) or not all(isinstance(bone, str) and bone for bone in chain):
            raise UserError(f"{path}: the {key} of {_said(joint)} must be a list of names, not {chain!r}.", _REMEDY)
    return {joint: tuple(chain) for joint, chain in table.items() if chain}


def _check_once(path: Path, chains_of: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    owner: dict[str, str] = {}
    for joint, chain in chains_of:
        for bone in chain:
            if bone in owner:
                where = f"{_said(owner[bone])} and {_said(joint)}" if owner[bone] != joint else f"{_said(joint)} twice"
                raise UserError(f'{path} gives the bone "{bone}" to {where}.', "Leave it where it belongs.")
            owner[bone] = joint


def _read_confidence(path: Path, data: Mapping[str, Any], bones: Mapping[str, Any]) -> dict[str, float]:
    table = data.get("confidence", {})
    if not isinstance(table, dict):
        raise UserError(f'{path}: the "confidence" is no table of joints.', _REMEDY)
    for joint, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise UserError(f"{path}: the confidence of {_said(joint)} must be from 0 to 1, not {value!r}.", _REMEDY)
    return {joint: float(table.get(joint, 1.0)) for joint in bones}


def check(bone_map: BoneMap, rest: RestPose) -> BoneMap:
    """The map, if the armature has all its bones. Raises UserError naming the missing bone, its joint, a like name."""
    there = set(rest.bones)
    rows = [*bone_map.bones.items(), *bone_map.twists.items(), ("", (bone_map.root,) if bone_map.root else ())]
    for joint, chain in rows:
        for bone in chain:
            if bone not in there:
                use = f"for {_said(joint)}" if joint else "as root"
                raise UserError(
                    f'The armature has no bone "{bone}", which the bone map "{bone_map.name}" names {use}.',
                    (_hint(bone, rest.bones).strip() + " Choose another bone there, or guess the map anew.").strip(),
                )
    return bone_map


def _hint(name: str, there: Sequence[str]) -> str:
    lowered: dict[str, str] = {}
    for other in there:
        lowered.setdefault(other.lower(), other)
    close = difflib.get_close_matches(name.lower(), list(lowered), 1, 0.6)
    return f' Did you mean "{lowered[close[0]]}"?' if close else ""


def _said(joint: str) -> str:
    return "the " + joint.replace("_", " ")
