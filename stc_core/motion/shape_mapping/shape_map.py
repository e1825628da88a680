"""A shape map: which shape keys of a character follow which of ARKit's coefficients, and by how much.

A key's value is the weighted sum of coefficients, at least 0 and at most 1 (of a key with negative weights alone, which
moves the other way round, at least -1); where several keys open the same mouth, as vowels do, their values together are
at most 1. Does not know files, meshes or how keys are called.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ...geometry.rotation import Array
from ..face import FACE_COEFFICIENTS, Face

REGIONS = ("brows", "eyes", "gaze", "jaw", "mouth", "cheeks and nose", "tongue")
"""the parts of a face, from top to bottom, that keys are listed by"""
_REGION_STARTS = (
    ("brow", "brows"),
    ("eyeLook", "gaze"),
    ("eye", "eyes"),
    ("jaw", "jaw"),
    ("mouth", "mouth"),
    ("cheek", "cheeks and nose"),
    ("nose", "cheeks and nose"),
    ("tongue", "tongue"),
)


@dataclass(frozen=True, kw_only=True)
class ShapeMap:
    """Which shape keys follow which coefficients."""

    name: str
    keys: Mapping[str, Mapping[str, float]]
    """shape key -> coefficient -> weight; a negative weight takes from the others"""
    limited: tuple[tuple[str, ...], ...] = ()
    """groups of keys whose values together are at most 1"""

    def __post_init__(self) -> None:
        assert all(name in FACE_COEFFICIENTS for weights in self.keys.values() for name in weights)


def get_region(coefficient: str) -> str:
    """The part of the face that a coefficient moves, one of REGIONS."""
    return next(region for start, region in _REGION_STARTS if coefficient.startswith(start))


def find_region(weights: Mapping[str, float]) -> str:
    """The part of the face that a key with these weights moves most; "" where it follows nothing."""
    return get_region(max(weights, key=lambda name: weights[name])) if weights else ""


def compute_shape_values(face: Face, shape_map: ShapeMap) -> dict[str, Array]:
    """The values (T,) of every key of the map, from 0 to 1, or from -1 to 0."""
    values: dict[str, Array] = {}
    for key, weights in shape_map.keys.items():
        total = np.zeros(len(face.scores))
        for name, weight in weights.items():
            total = total + weight * face.track(name)
        values[key] = np.clip(total, *((-1.0, 0.0) if is_reversed(weights) else (0.0, 1.0)))
    for group in shape_map.limited:
        members = [key for key in group if key in values]
        if members:
            together = np.maximum(np.sum([values[key] for key in members], axis=0), 1.0)
            values |= {key: values[key] / together for key in members}
    return values


def is_reversed(weights: Mapping[str, float]) -> bool:
    """Whether a key moves the other way round than the coefficients that it follows."""
    return bool(weights) and all(weight < 0.0 for weight in weights.values())


def keep_known_keys(shape_map: ShapeMap, names: Collection[str]) -> ShapeMap:
    """The map without the keys that no mesh has."""
    keys = {key: weights for key, weights in shape_map.keys.items() if key in names}
    groups = (tuple(key for key in group if key in keys) for group in shape_map.limited)
    return ShapeMap(name=shape_map.name, keys=keys, limited=tuple(group for group in groups if len(group) > 1))
