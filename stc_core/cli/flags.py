"""Dataclasses as flags: their fields' docstrings and ranges are the help, short names are aliases.

The stages' configurations know nothing of a command line (law 5). Here each is given a twin for tyro, and what was
parsed becomes the configuration itself again.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_origin

import tyro

from ..ranges import find_out_of_range, find_ranges

T = TypeVar("T")
ALIASES: Mapping[str, tuple[str, ...]] = {
    "height_m": ("--height",),
    "start_s": ("--start",),
    "end_s": ("--end",),
    "strength": ("--smoothing",),
}
"""short names of flags, by the field's name"""


class _Unset(int):
    """The default of a switch that is neither on nor off; tyro takes a number, and not None, as a switch's default."""

    def __str__(self) -> str:
        return "None"

    __repr__ = __str__


_UNSET = _Unset()


def parse_flags(kind: type[T], args: Sequence[str], prog: str) -> T:
    """The dataclass that the arguments describe. Exits with code 2 where they are wrong or out of range."""
    twin: type = make_twin(kind)  # type: ignore[arg-type]
    parsed = to_original(kind, tyro.cli(twin, args=list(args), prog=prog, description=inspect.getdoc(kind)))
    for name, value, allowed in find_out_of_range(parsed):
        refuse_flag(prog, f"{flag_of(name)} is {value}, and can be {allowed}.")
    return parsed


def refuse_flag(prog: str, sentence: str) -> typing.NoReturn:
    """Exit as after any other wrong flag."""
    print(f"error: {sentence} See {prog} --help.", file=sys.stderr)
    sys.exit(2)


def flag_of(name: str) -> str:
    """How a field, "ground.height_m", is called on the command line."""
    return "--" + name.rpartition(".")[2].replace("_", "-")


@cache
def make_twin(kind: type) -> type:
    """A subclass of a dataclass whose fields carry help and aliases for tyro; dataclasses in it are twins too."""
    hints, docs = typing.get_type_hints(kind, include_extras=True), read_field_docs(kind)
    parts: list[tuple[str, Any, Any]] = []
    for part in fields(kind):
        hint = hints[part.name]
        inner = _find_dataclass(hint)
        if inner is not None:
            twin = make_twin(inner)
            flat: Any = tyro.conf.OmitArgPrefixes
            parts.append((part.name, flat[twin], field(default_factory=twin)))
            continue
        described = [docs.get(part.name, ""), *(f"({allowed})" for allowed in find_ranges(hint))]
        arg = tyro.conf.arg(help=" ".join(filter(None, described)), aliases=ALIASES.get(part.name))
        default = part.default if part.default_factory is MISSING else MISSING
        if hint == bool | None and default is None:
            hint, default = bool, _UNSET
        parts.append((part.name, Annotated[hint, arg], _make_field(default, part.default_factory)))
    twin = make_dataclass(kind.__name__, parts, bases=(kind,), frozen=True)
    twin.__doc__ = kind.__doc__
    return twin


def to_original(kind: type[T], value: Any) -> T:
    """The dataclass of a parsed twin."""
    hints = typing.get_type_hints(kind, include_extras=True)
    values = {}
    for part in fields(kind):  # type: ignore[arg-type]
        inner = _find_dataclass(hints[part.name])
        parsed = getattr(value, part.name)
        parsed = None if parsed is _UNSET else parsed
        values[part.name] = parsed if inner is None else to_original(inner, parsed)
    return kind(**values)


def read_field_docs(kind: type) -> dict[str, str]:
    """The docstrings below a dataclass' fields, inherited ones too, as one line each."""
    docs: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not is_dataclass(base):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for one, following in zip(body.body, body.body[1:], strict=False):
            if isinstance(one, ast.AnnAssign) and isinstance(following, ast.Expr):
                text = ast.literal_eval(following.value)
                docs[ast.unparse(one.target)] = " ".join(text.split())
    return docs


def _find_dataclass(hint: Any) -> type | None:
    while get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def _make_field(default: Any, factory: Any) -> Any:
    if factory is not MISSING:
        return field(default_factory=factory)
    return field() if default is MISSING else field(default=default)
