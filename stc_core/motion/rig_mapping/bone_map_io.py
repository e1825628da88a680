"""Bone map files (JSON, version 1), and whether an armature has the bones that a map names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files import write_text
from ..retarget.rest_pose import RestPose
from ..skeleton import HUMANOID
from .bone_map import BoneMap

FORMAT, FORMAT_VERSION = "stc-mocap bone map", 1
_REMEDY = "Choose a bone map that STC Mocap saved, or mend this line of it."
_SIMILAR = 0.6  # of two names, by difflib's ratio: then one is suggested for the other; its own default


def save_bone_map(bone_map: BoneMap, path: Path) -> None:
    """Write a bone map; the file appears whole or not at all. Raises UserError where it cannot be written."""
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
    write_text(Path(path), text + "\n")


def load_bone_map(path: Path) -> BoneMap:
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
    bones, twists = (_read_chains(path, data, key) for key in ("bones", "twists"))
    _check_unique(path, [*bones.items(), *twists.items()])
    confidence = _read_confidence(path, data, bones)
    return BoneMap(name=name, bones=bones, twists=twists, confidence=confidence, root=root)


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
    """Read a table of joints and the names of their bones."""
    table = data.get(key, {} if key == "twists" else None)
    if not isinstance(table, dict):
        raise UserError(f'{path} has no table "{key}" of joints and their bones.', _REMEDY)
    for joint, chain in table.items():
        if joint not in HUMANOID.joint_names:
            raise UserError(f'{path}: there is no joint "{joint}".{_suggest(joint, HUMANOID.joint_names)}', _REMEDY)
        if not isinstance(chain, list) or not all(isinstance(bone, str) and bone for bone in chain):
            raise UserError(f"{path}: the {key} of {_describe(joint)} must be a list of names, not {chain!r}.", _REMEDY)
    return {joint: tuple(chain) for joint, chain in table.items() if chain}


def _check_unique(path: Path, chains: Iterable[tuple[str, tuple[str, ...]]]) -> None:
    """Raise UserError where a bone stands in two places."""
    joints: dict[str, str] = {}
    for joint, chain in chains:
        for bone in chain:
            if bone in joints:
                first = joints[bone]
                where = f"{_describe(first)} and {_describe(joint)}" if first != joint else f"{_describe(joint)} twice"
                raise UserError(f'{path} gives the bone "{bone}" to {where}.', "Leave it where it belongs.")
            joints[bone] = joint


def _read_confidence(path: Path, data: Mapping[str, Any], bones: Mapping[str, Any]) -> dict[str, float]:
    table = data.get("confidence", {})
    if not isinstance(table, dict):
        raise UserError(f'{path}: the "confidence" is no table of joints.', _REMEDY)
    for joint, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise UserError(
                f"{path}: the confidence of {_describe(joint)} must be from 0 to 1, not {value!r}.", _REMEDY
            )
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
                    f'The armature has no bone "{bone}", which the bone map "{bone_map.name}" names {use}.',
                    (_suggest(bone, rest.bones).strip() + " Choose another bone there, or guess the map anew.").strip(),
                )
    return bone_map


def _suggest(name: str, names: Sequence[str]) -> str:
    """Return a question for the name that is most similar, empty where none is."""
    lowered: dict[str, str] = {}
    for other in names:
        lowered.setdefault(other.lower(), other)
    close = difflib.get_close_matches(name.lower(), list(lowered), 1, _SIMILAR)
    return f' Did you mean "{lowered[close[0]]}"?' if close else ""


def _describe(joint: str) -> str:
    return "the " + joint.replace("_", " ")
