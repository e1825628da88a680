"""Flags are the configurations' own fields: with their help, ranges and short names; what is wrong is exit code 2."""

import re
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal, get_type_hints

import pytest
import tyro

from stc_core.capture.config import CaptureConfig
from stc_core.cli.capture import CaptureFlags, run_capture
from stc_core.cli.convert import ConvertFlags, run_convert
from stc_core.cli.flags import ALIASES, flag_of, parse_flags, read_field_docs
from stc_core.ranges import Range, find_out_of_range


@dataclass(frozen=True)
class Inner:
    """How it is done."""

    height_m: Annotated[float, Range(0.0, 3.0, open_low=True)] | None = None
    """metres: the person's height"""
    optimiser: Literal["muon", "adamw"] = "muon"
    """who steps"""
    hands: bool | None = None
    """whether hands are found"""


@dataclass(frozen=True)
class Outer:
    """What it does."""

    video: tyro.conf.Positional[str]
    """the video"""
    inner: Inner = field(default_factory=Inner)


def parse(*args: str) -> Outer:
    return parse_flags(Outer, args, "prog")


def test_short_names_are_aliases_with_and_without_an_equals_sign() -> None:
    expected = Outer("x.mp4", Inner(1.8))
    for args in (["--height", "1.8"], ["--height=1.8"], ["--height-m", "1.8"], ["--height-m=1.8"]):
        assert parse("x.mp4", *args) == expected and type(parse("x.mp4", *args).inner) is Inner
    assert parse("x.mp4") == Outer("x.mp4")


def test_a_switch_is_on_off_or_left_to_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("x.mp4", "--hands") == Outer("x.mp4", Inner(hands=True))
    assert parse("x.mp4", "--no-hands") == Outer("x.mp4", Inner(hands=False))
    assert parse("x.mp4").inner.hands is None
    with pytest.raises(SystemExit):
        parse("--help")
    assert "--hands, --no-hands" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--height", "nan"], "--height-m is nan, and can be more than 0 to 3"),
        (["--height", "inf"], "--height-m is inf"),
        (["--height", "0"], "--height-m is 0.0"),
        (["--optimiser", "amsgrad"], "invalid choice 'amsgrad'"),
        (["--no-such-flag"], "no-such-flag"),
    ],
)
def test_what_is_wrong_or_out_of_range_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], args: list[str], why: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("x.mp4", *args)
    assert caught.value.code == 2 and why in " ".join(capsys.readouterr().err.split())


def test_the_help_has_docstrings_ranges_and_both_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    for words in (
        "What it does.",
        "the video",
        "metres: the person's height (more than 0 to 3)",
        "--height ",
        "--height-m ",
    ):
        assert words in text


def leaves(kind: type) -> list[tuple[type, str, Any]]:
    """Every field that becomes a flag, with its class and annotation."""
    found: list[tuple[type, str, Any]] = []
    hints = get_type_hints(kind, include_extras=True)
    for part in fields(kind):
        plain = get_type_hints(kind)[part.name]
        found += leaves(plain) if is_dataclass(plain) else [(kind, part.name, hints[part.name])]  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("kind", [CaptureFlags, ConvertFlags])
def test_every_flag_has_a_help_text_and_every_number_its_range(kind: type) -> None:
    assert [name for owner, name, _ in leaves(kind) if not read_field_docs(owner).get(name)] == []
    numbers = [(name, hint) for _, name, hint in leaves(kind) if re.search(r"\b(float|int)\b", str(hint))]
    assert len(numbers) > 40 and [name for name, hint in numbers if "Range(" not in str(hint)] == []


def test_short_names_name_fields_that_there_are_and_no_two_flags_have_one_name() -> None:
    for kind in (CaptureFlags, ConvertFlags):
        names = [name for _, name, _ in leaves(kind)]
        flags = [*map(flag_of, names), *(alias for aliases in ALIASES.values() for alias in aliases)]
        assert set(ALIASES) <= set(names) and len(flags) == len(set(flags))


def test_defaults_are_in_range() -> None:
    assert list(find_out_of_range(CaptureConfig())) == []


@pytest.mark.parametrize(
    "args",
    [
        ["--out", ""],
        ["--out", "o", "--smoothing", "-1"],
        ["--out", "o", "--smoothing", "nan"],
        ["--out", "o", "--assumed-fov-deg", "0"],
        ["--out", "o", "--focal-px", "nan"],
        ["--out", "o", "--pitch-deg", "nan"],
        ["--out", "o", "--threads", "-5"],
        ["--out", "o", "--threads", "1000000"],
        ["--out", "o", "--slow-motion", "1e9"],
        ["--out", "o", "--start=inf"],
        ["--out", "o", "--end", "-inf"],
        ["--out", "o", "--precision", "float8"],
    ],
)
@pytest.mark.parametrize("command", [run_capture, run_convert])
def test_flags_out_of_range_are_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], command: Any, args: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command(["lost.mp4", *args])
    assert caught.value.code == 2 and "lost.mp4" not in capsys.readouterr().err
