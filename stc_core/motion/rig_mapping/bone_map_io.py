"""Bone map files (JSON; version 1, or 2 with fingers), and whether an armature has the bones that a map names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files import write_text
from ..file_checks import MAX_JOINTS, MAX_NAME_LENGTH, Damaged, check_name, is_printable, quote
from ..fingers import FINGER_JOINTS
from ..map_file import check_line, read_map_file
from ..retarget.rest_pose import RestPose
from ..skeleton import HUMANOID
from .bone_map import BoneMap

FORMAT, FORMAT_VERSION = "stc-mocap bone map", 2
_VERSION_WITHOUT_FINGERS = 1
_JOINTS = (*HUMANOID.joint_names, *FINGER_JOINTS)
_REMEDY = "Choose a bone map that STC Mocap saved, or mend this line of it."
_SIMILAR = 0.6  # of two names, by difflib's ratio: then one is suggested for the other; its own default


def save_bone_map(bone_map: BoneMap, path: Path, notes: Sequence[str] = ()) -> None:
    """Write a bone map; the file appears whole or not at all. Raises UserError where it cannot be written.

    notes: sentences on what the map was used for, which readers pass over.
    """
    has_fingers = any(joint in bone_map.bones for joint in FINGER_JOINTS)
    text = json.dumps(
        {
            "format": FORMAT,
            "version": FORMAT_VERSION if has_fingers else _VERSION_WITHOUT_FINGERS,
            "name": bone_map.name,
            "bones": {joint: list(bones) for joint, bones in bone_map.bones.items()},
            "twists": {joint: list(bones) for joint, bones in bone_map.twists.items()},
            "confidence": dict(bone_map.confidence),
            "root": bone_map.root,
            **({"notes": list(notes)} if notes else {}),
        },
        ensure_ascii=False,
        indent=2,
    )
    write_text(Path(path), text + "\n")


def load_bone_map(path: Path) -> BoneMap:
    """Read a bone map. Raises UserError naming the file and the joint or bone that is wrong."""
    path = Path(path)
    try:
        return _parse_bone_map(read_map_file(path, FORMAT, FORMAT_VERSION))
    except Damaged as damage:
        raise UserError(f"{path} is not a bone map, or is damaged: {damage}.", _REMEDY) from None


def describe_bones(path: Path) -> str:
    """Describe the bone map in a file as a table for a person, then its notes. Raises UserError.

    Fingers are listed where the map has any.
    """
    bone_map = load_bone_map(path)
    rows = [f"bone map {path.name} ({bone_map.name}), by joint, how certain (1 is certain) and bone:"]
    fingers = FINGER_JOINTS if any(joint in bone_map.bones for joint in FINGER_JOINTS) else ()
    width = max(len(joint) for joint in (*HUMANOID.joint_names, *fingers))
    for joint in (*HUMANOID.joint_names, *fingers):
        bones = ", ".join(bone_map.bones.get(joint, ())) or "none"
        certain = f"{bone_map.confidence.get(joint, 1.0):.2f}" if joint in bone_map.bones else "   -"
        rows.append(f"  {joint.replace('_', ' '):<{width}} {certain}  {bones}")
    notes = json.loads(path.read_text(encoding="utf-8-sig")).get("notes", [])
    rows += [f"note: {note}" for note in notes if isinstance(note, str) and is_printable(note)]
    return "\n".join(rows)


def _parse_bone_map(data: Mapping[str, Any]) -> BoneMap:
    root = data.get("root", "")
    check_line(root, "root")
    bones, twists = (_read_chains(data, key) for key in ("bones", "twists"))
    _check_unique([*bones.items(), *twists.items()])
    return BoneMap(name=data["name"], bones=bones, twists=twists, confidence=_read_confidence(data, bones), root=root)


def _read_chains(data: Mapping[str, Any], key: str) -> dict[str, tuple[str, ...]]:
    """Read a table of joints and the names of their bones."""
    table = data.get(key, {} if key == "twists" else None)
    if not isinstance(table, dict):
        raise Damaged(f'it has no table "{key}" of joints and their bones')
    for joint, chain in table.items():
        if joint not in _JOINTS:
            raise Damaged(f"there is no joint {quote(joint)}{suggest_name(joint, _JOINTS)}")
        if not isinstance(chain, list) or not all(isinstance(bone, str) for bone in chain):
            raise Damaged(f"the {key} of {_describe(joint)} must be a list of names, not {quote(chain)}")
        if len(chain) > MAX_JOINTS:
            raise Damaged(f"the {key} of {_describe(joint)} are {len(chain)}")
        for bone in chain:
            check_name(bone, "bone")
    return {joint: tuple(chain) for joint, chain in table.items() if chain}


def _check_unique(chains: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    """Raise Damaged where a bone stands in two places."""
    joints: dict[str, str] = {}
    for joint, chain in chains:
        for bone in chain:
            if bone in joints:
                first = joints[bone]
                where = f"{_describe(first)} and {_describe(joint)}" if first != joint else f"{_describe(joint)} twice"
                raise Damaged(f"the bone {quote(bone)} is given to {where}")
            joints[bone] = joint


def _read_confidence(data: Mapping[str, Any], bones: Mapping[str, Any]) -> dict[str, float]:
    table = data.get("confidence", {})
    if not isinstance(table, dict):
        raise Damaged('the "confidence" is no table of joints')
    for joint, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise Damaged(f"the confidence of {quote(joint)} must be from 0 to 1, not {quote(value)}")
    return {joint: float(table.get(joint, 1.0)) for joint in bones}


def check_bone_map(bone_map: BoneMap, rest: RestPose) -> BoneMap:
    """Return the map if the armature has all its bones.

    Raises UserError naming the missing bone, its joint and a similar name.
    """
    names = set(rest.bones)
    rows = [*bone_map.bones.items(), *bone_map.twists.items(), ("", (bone_map.root,) if bone_map.root else ())]
    for joint, chain in rows:
        for bone in chain:
            if bone not in names:
                use = f"for {_describe(joint)}" if joint else "as root"
                raise UserError(
                    f"The armature has no bone {quote(bone)}, which the bone map {quote(bone_map.name)} names {use}"
                    f"{suggest_name(bone, rest.bones)}.",
                    "Choose another bone there, or guess the map anew.",
                )
    return bone_map


def suggest_name(name: str, names: Sequence[str]) -> str:
    """Return a hint at the name that is most similar, empty where none is."""
    if len(name) > MAX_NAME_LENGTH:  # comparing takes the square of the length
        return ""
    lowered: dict[str, str] = {}
    for other in names:
        lowered.setdefault(other.lower(), other)
    close = difflib.get_close_matches(name.lower(), list(lowered), 1, _SIMILAR)
    return f", perhaps {quote(lowered[close[0]])}" if close else ""


def _describe(joint: str) -> str:
    return "the " + joint.replace("_", " ")
