"""Shape map files (JSON, version 1), and whether a character's meshes have the keys that a map names."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files import write_text
from ..face import FACE_COEFFICIENTS
from ..file_checks import Damaged, check_name, quote
from ..map_file import read_map_file
from ..rig_mapping.bone_map_io import suggest_name
from .shape_map import ShapeMap, keep_known_keys

FORMAT, FORMAT_VERSION = "stc-mocap shape map", 1
MAX_WEIGHT = 10.0
"""of a coefficient; a key that needs more is another's; chosen"""
_REMEDY = "Choose a shape map that STC Mocap saved, or mend this line of it."


def save_shape_map(shape_map: ShapeMap, path: Path) -> None:
    """Write a shape map; the file appears whole or not at all. Raises UserError where it cannot be written."""
    plain = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "name": shape_map.name,
        "keys": {key: dict(weights) for key, weights in shape_map.keys.items()},
        "limited": [list(group) for group in shape_map.limited],
    }
    write_text(Path(path), json.dumps(plain, ensure_ascii=False, indent=2) + "\n")


def load_shape_map(path: Path) -> ShapeMap:
    """Read a shape map. Raises UserError naming the file and the key or coefficient that is wrong."""
    path = Path(path)
    try:
        data = read_map_file(path, FORMAT, FORMAT_VERSION)
        keys = _read_keys(data)
        return ShapeMap(name=data["name"], keys=keys, limited=_read_groups(data, keys))
    except Damaged as damage:
        raise UserError(f"{path} is not a shape map, or is damaged: {damage}.", _REMEDY) from None


def fit_shape_map(shape_map: ShapeMap, names: Collection[str]) -> ShapeMap:
    """The part of a map that a character with keys of these names can follow.

    Raises UserError where it has none of the map's keys.
    """
    kept = keep_known_keys(shape_map, names)
    if shape_map.keys and not kept.keys:
        key = next(iter(shape_map.keys))
        raise UserError(
            f"No mesh has any shape key of the shape map {quote(shape_map.name)}, as {quote(key)}"
            f"{suggest_name(key, sorted(names))}.",
            "Guess the map anew, or choose another.",
        )
    return kept


def _read_keys(data: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Read the table of shape keys and the coefficients that they follow."""
    table = data.get("keys")
    if not isinstance(table, dict):
        raise Damaged('it has no table "keys" of shape keys and what they follow')
    for key, weights in table.items():
        check_name(key, "shape key")
        if not isinstance(weights, dict):
            raise Damaged(f"the shape key {quote(key)} must have a table of coefficients, not {quote(weights)}")
        for name, weight in weights.items():
            if name not in FACE_COEFFICIENTS:
                known = suggest_name(name, FACE_COEFFICIENTS)
                raise Damaged(f"the shape key {quote(key)} follows {quote(name)}, which ARKit does not have{known}")
            is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not is_number or not math.isfinite(weight) or abs(weight) > MAX_WEIGHT:
                what = f"the weight of {name} for the shape key {quote(key)}"
                raise Damaged(f"{what} must be from {-MAX_WEIGHT:g} to {MAX_WEIGHT:g}, not {quote(weight)}")
    return {key: {name: float(weight) for name, weight in weights.items()} for key, weights in table.items()}


def _read_groups(data: Mapping[str, Any], keys: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Read the groups of keys whose values together are at most 1."""
    groups = data.get("limited", [])
    if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
        raise Damaged('"limited" must be a list of lists of shape keys')
    for group in groups:
        for key in group:
            if not isinstance(key, str) or key not in keys:
                raise Damaged(f'"limited" names {quote(key)}, which is no shape key of the map')
    return tuple(tuple(group) for group in groups)
