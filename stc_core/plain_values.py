"""Dataclasses as plain values (what JSON can hold) and back, checked against their annotations.

Standard library only, since the add-on reads events and records inside Blender's Python, where no validating library
is installed: that is why this is not pydantic or msgspec. Knows str, int, float, bool, None, Path, Literal, unions,
tuples, lists, mappings with str keys, Any and nested dataclasses. Numbers must be finite.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

T = TypeVar("T")
_MAX_DEPTH = 32  # chosen: our deepest record has 5 levels


def to_plain(value: Any) -> Any:
    """Any nesting of dataclasses, containers and scalars as dicts, lists and scalars; a Path becomes a str."""
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: to_plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def from_plain(kind: type[T], plain: Any) -> T:
    """A value of the annotated type `kind`. Fields left out take their defaults; unknown fields are refused.

    Raises ValueError that names the field where a value has another type, is not finite, or is nested too deeply.
    """
    checked: T = _check(kind, plain, kind.__name__, 0)
    return checked


def _check(kind: Any, plain: Any, where: str, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError(f"{where}: nested too deeply")
    if kind is Any:
        return _check_any(plain, where, depth)
    if is_dataclass(kind):
        return _check_dataclass(kind, plain, where, depth)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _check_union(args, plain, where, depth)
    if origin is Literal:
        if not any(plain == choice and type(plain) is type(choice) for choice in args):
            raise ValueError(f"{where}: {plain!r:.80} is none of {', '.join(map(repr, args))}")
        return plain
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(plain, Mapping):
            raise ValueError(f"{where}: not a mapping")
        value_kind = args[1] if args else Any
        return {
            _check(str, key, where, depth): _check(value_kind, plain[key], f"{where}.{key}", depth + 1) for key in plain
        }
    if origin is not None and issubclass(origin, Sequence):
        return _check_sequence(origin, args, plain, where, depth)
    return _check_scalar(kind, plain, where)


def _check_dataclass(kind: Any, plain: Any, where: str, depth: int) -> Any:
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where}: not a mapping")
    hints = _hints(kind)
    parts = {part.name: part for part in fields(kind) if part.init}
    if unknown := [key for key in plain if key not in parts]:
        raise ValueError(f"{where}: unknown field {unknown[0]!r:.80}")
    for name, part in parts.items():
        if name not in plain and part.default is MISSING and part.default_factory is MISSING:
            raise ValueError(f"{where}.{name} is missing")
    return kind(**{name: _check(hints[name], plain[name], f"{where}.{name}", depth + 1) for name in plain})


def _check_union(kinds: tuple[Any, ...], plain: Any, where: str, depth: int) -> Any:
    reasons = []
    for kind in kinds:
        try:
            return _check(kind, plain, where, depth)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(next((reason for reason in reasons if not reason.startswith(f"{where}: not ")), reasons[0]))


def _check_sequence(origin: Any, args: tuple[Any, ...], plain: Any, where: str, depth: int) -> Any:
    if not isinstance(plain, list | tuple):
        raise ValueError(f"{where}: not a list")
    if origin is tuple and args and args[-1] is not Ellipsis:
        if len(plain) != len(args):
            raise ValueError(f"{where}: {len(plain)} values, not {len(args)}")
        kinds: Sequence[Any] = args
    else:
        kinds = [args[0] if args else Any] * len(plain)
    pairs = zip(kinds, plain, strict=True)
    values = [_check(kind, value, f"{where}[{index}]", depth + 1) for index, (kind, value) in enumerate(pairs)]
    return values if origin is list else tuple(values)


def _check_scalar(kind: Any, plain: Any, where: str) -> Any:
    if kind in (None, type(None)) and plain is None:
        return None
    if kind is Path and isinstance(plain, str):
        return Path(plain)
    if kind is float and isinstance(plain, int | float) and not isinstance(plain, bool):
        if not math.isfinite(plain):
            raise ValueError(f"{where}: not finite")
        return plain
    if kind in (str, int, bool) and type(plain) is kind:
        return plain
    raise ValueError(f"{where}: not {getattr(kind, '__name__', kind)}")


def _check_any(plain: Any, where: str, depth: int) -> Any:
    """Whatever JSON can hold, finite and not too deep."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"{where}: nested too deeply")
    if isinstance(plain, Mapping):
        return {key: _check_any(value, f"{where}.{key}", depth + 1) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_check_any(value, f"{where}[{index}]", depth + 1) for index, value in enumerate(plain)]
    if isinstance(plain, float) and not math.isfinite(plain):
        raise ValueError(f"{where}: not finite")
    if plain is None or isinstance(plain, str | int | float | bool):
        return plain
    raise ValueError(f"{where}: {type(plain).__name__} is no plain value")


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
