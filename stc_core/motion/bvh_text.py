"""The text of a BVH file: its hierarchy, its timing and the values of its frames, in the file's own axes and units.

Reads what the common importers read: any capitals, blank lines, several skeletons, a broken-off recording, names that
stand twice. Knows neither metres nor rotations. A file may come from anybody: it is read line by line, and every number
and name is checked. What had to be assumed is reported in sentences.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import NoReturn

import numpy as np

from ..geometry.rotation import Array
from . import file_checks as checks
from .file_checks import Damaged, quote

ReportNote = Callable[[str], None]

_MAX_LINE_CHARACTERS = (
    1 << 20
)  # as the limits below far beyond real files: an hour of a detailed body at 60 fps; chosen
_MAX_HEADER_LINES = 20 * checks.MAX_JOINTS
_MAX_FRAMES = 100_000_000
_MAX_VALUES = 50_000_000  # in all frames
_BLOCK_LINES = 1000  # parsed at a time
_MIN_BODY_JOINTS = 8  # fewer joints are a prop, not a body; chosen
_MILLISECONDS_FROM_S = 2.0  # a frame that takes so long or longer, seconds, is given in another unit; chosen
_COMMON_FPS = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
_BRACE = re.compile(r"([{}])")
_CHANNEL_KINDS = ("position", "rotation", "scale")


@dataclass
class Header:
    """The hierarchy in file axes and units."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    tips: dict[int, list[float]] = field(default_factory=dict)
    """joint -> the offset of its end site"""
    channels: list[tuple[int, str]] = field(default_factory=list)
    """(joint, "Xposition" or "Zrotation" …) in the order of a frame's values"""
    known_channels: set[tuple[int, str]] = field(default_factory=set)
    """the same"""


def parse_bvh(file: TextIOWrapper, report: ReportNote) -> tuple[Header, Array, float]:
    """Parse a file opened as Latin-1: one skeleton, its values (frames, channels), and the time of a frame, seconds.

    Raises Damaged where it is no BVH, or is damaged beyond what other programs read.
    """
    lines = _number_lines(file)
    header = _parse_hierarchy(_read_hierarchy(lines, report))
    frames, frame_time_s = _parse_timing(lines, report)
    _check_size(header, frames)
    values = _parse_frames(lines, frames, len(header.channels), report)
    header, columns = _select_skeleton(header, report)
    _rename_duplicates(header, report)
    if any(name.endswith("scale") for _, name in header.channels):
        report("The file scales its joints; their scales were left out.")
    return header, values[:, columns], frame_time_s


def _number_lines(file: TextIOWrapper) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank with their numbers, from 1."""
    for number in itertools.count(1):
        line = file.readline(_MAX_LINE_CHARACTERS)
        if not line:
            return
        if len(line) == _MAX_LINE_CHARACTERS:
            raise Damaged(f"line {number} has more than {_MAX_LINE_CHARACTERS} characters")
        if line.strip():
            yield number, line.strip()


# ---------------------------------------------------------------------------------------------- hierarchy


def _read_hierarchy(lines: Iterator[tuple[int, str]], report: ReportNote) -> list[tuple[int, str]]:
    """Read the numbered lines before MOTION, decoded."""
    header: list[tuple[int, str]] = []
    for number, line in lines:
        if line.upper() == "MOTION":
            break
        header.append((number, line))
        if len(header) > _MAX_HEADER_LINES:
            raise Damaged(f"there is no MOTION in its first {number} lines")
    else:
        raise Damaged("it has no line MOTION")
    decoded = _decode_names("\n".join(line for _, line in header).encode("latin-1"), report).split("\n")
    # a byte order mark may have been all of the first line, and an empty text splits into one line
    return [
        (number, part.strip())
        for (number, _), line in zip(header, decoded, strict=False)
        for part in _BRACE.split(line)  # a brace may stand behind a name
        if part.strip()
    ]


def _decode_names(text: bytes, report: ReportNote) -> str:
    """Decode the hierarchy: UTF-8 is the standard tools'; else as Japanese, Chinese or Western programs write it.

    Chinese bytes mostly pass for Japanese too, but then as half-width katakana, which no bone is named in alone.
    """
    decoded = {encoding: _decode(text, encoding) for encoding in ("utf-8-sig", "cp932", "gb18030", "cp1252")}
    utf_8 = decoded["utf-8-sig"]
    if utf_8 is not None:
        return utf_8
    japanese, chinese, western = decoded["cp932"], decoded["gb18030"], decoded["cp1252"]
    if western is not None and _is_western(text):
        report("The joints' names are not UTF-8; they were read as Windows-1252 (Western European).")
        return western
    if japanese is not None and not (chinese is not None and _has_half_width(japanese)):
        report("The joints' names are not UTF-8; they were read as Shift-JIS (Japanese).")
        return japanese
    if chinese is not None:
        report("The joints' names are not UTF-8; they were read as GB 18030 (Chinese).")
        return chinese
    report("Some characters of the joints' names are in no known encoding; they were replaced.")
    return text.decode("utf-8", "replace")


def _decode(text: bytes, encoding: str) -> str | None:
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        return None


def _has_half_width(text: str) -> bool:
    return any("\uff61" <= character <= "\uff9f" for character in text)


def _is_western(text: bytes) -> bool:
    """Whether every byte beyond ASCII stands alone, as an accented letter among others does."""
    high = np.frombuffer(text, np.uint8) >= 0x80
    return not (high[1:] & high[:-1]).any() and bool(high.any())


def _parse_hierarchy(lines: list[tuple[int, str]]) -> Header:
    header, stack, joint, in_tip = Header(), [-1], -1, False
    for number, line in lines:
        word, *rest = line.split()
        word = word.upper()
        if word in ("ROOT", "JOINT"):
            header.names.append(" ".join(rest))
            header.parents.append(stack[-1])
            joint, in_tip = len(header.names) - 1, False
        elif word == "END":
            joint, in_tip = stack[-1], True
        elif word == "{":
            stack.append(joint)
        elif word == "}":
            in_tip = False
            stack.pop()
            if not stack:
                raise Damaged(f"line {number} closes a brace that was not opened")
            joint = stack[-1]
        elif word == "OFFSET":
            _add_offset(header, joint, in_tip, [parse_number(text, number) for text in rest], number)
        elif word == "CHANNELS":
            _add_channels(header, joint, rest, number)
    _check_tree(header, stack)
    return header


def _add_offset(header: Header, joint: int, in_tip: bool, offset: list[float], number: int) -> None:
    if len(offset) != 3:
        raise Damaged(f"line {number} has an offset of {len(offset)} numbers where three belong")
    if in_tip and joint >= 0:
        header.tips[joint] = offset
    elif joint == len(header.offsets) and not in_tip:
        header.offsets.append(offset)
    else:
        raise Damaged(f"line {number} has an offset that belongs to no joint")


def _add_channels(header: Header, joint: int, words: list[str], number: int) -> None:
    channels = [(joint, word.capitalize()) for word in words[1:]]
    is_known = all(name[0] in "XYZ" and name[1:] in _CHANNEL_KINDS for _, name in channels)
    if joint < 0 or not words or not words[0].isdecimal() or not is_known:
        raise Damaged(f"line {number} has channels that cannot be read")
    if int(words[0][:9]) != len(channels):
        raise Damaged(f"line {number} names {len(channels)} channels where it promises {quote(words[0])}")
    if len(set(channels)) < len(channels) or not header.known_channels.isdisjoint(channels):
        raise Damaged(f"line {number} has a channel twice")
    header.channels += channels
    header.known_channels |= set(channels)


def _check_tree(header: Header, stack: list[int]) -> None:
    if stack != [-1]:
        raise Damaged("its braces do not match")
    if not header.names:
        raise Damaged("its hierarchy has no joints")
    if len(header.names) > checks.MAX_JOINTS:
        raise Damaged(f"it has more than {checks.MAX_JOINTS} joints")
    if len(header.offsets) != len(header.names):
        raise Damaged("it has joints without an offset")
    for name in header.names:
        checks.check_name(name, "joint")


def _select_skeleton(header: Header, report: ReportNote) -> tuple[Header, list[int]]:
    """Select the first skeleton that is large enough for a body, else the largest; also returns its columns."""
    roots = [joint for joint, parent in enumerate(header.parents) if parent < 0]
    if len(roots) == 1:
        checks.check_parents(header.parents)
        return header, list(range(len(header.channels)))
    spans = [range(first, last) for first, last in itertools.pairwise([*roots, len(header.names)])]
    joints = next((span for span in spans if len(span) >= _MIN_BODY_JOINTS), max(spans, key=len))
    start = joints.start
    columns = [column for column, (joint, _) in enumerate(header.channels) if joint in joints]
    if not columns:
        raise Damaged("none of its joints has channels")
    selected = Header(
        names=header.names[start : joints.stop],
        parents=[max(parent - start, -1) for parent in header.parents[start : joints.stop]],
        offsets=header.offsets[start : joints.stop],
        tips={joint - start: tip for joint, tip in header.tips.items() if joint in joints},
        channels=[(header.channels[column][0] - start, header.channels[column][1]) for column in columns],
    )
    checks.check_parents(selected.parents)
    report(f"The file has {len(roots)} skeletons; {quote(selected.names[0])} was read, the others were left out.")
    return selected, columns


def _rename_duplicates(header: Header, report: ReportNote) -> None:
    """Number the joints whose name stands before already, as Blender does, however its words are spaced."""
    used = {tuple(name.split()) for name in header.names}
    unique: set[tuple[str, ...]] = set()
    renamed: list[str] = []
    for joint, name in enumerate(header.names):
        if tuple(name.split()) in unique:
            numbered = (f"{name}.{number:03}" for number in itertools.count(1))
            header.names[joint] = next(new for new in numbered if tuple(new.split()) not in used)
            used.add(tuple(header.names[joint].split()))
            renamed.append(name)
        unique.add(tuple(header.names[joint].split()))
    if renamed:
        report(f"The name {quote(renamed[0])} stands twice; later joints of a name were numbered ({len(renamed)}).")


# ---------------------------------------------------------------------------------------------- frames


def _parse_timing(lines: Iterator[tuple[int, str]], report: ReportNote) -> tuple[int, float]:
    """Parse the number of frames and the time of one, seconds."""
    values = []
    for label in ("Frames", "Frame Time"):
        number, line = next(lines, (0, ""))
        name, _, text = line.partition(":")
        if " ".join(name.split()).lower() != label.lower():
            raise Damaged(f'it has no line "{label}:" after MOTION')
        values.append(parse_number(" ".join(text.split()[:1]), number))  # a unit may follow
    frames, frame_time_s = values
    if frames != int(frames) or not 1 <= frames <= _MAX_FRAMES:
        raise Damaged(f"it has {frames:g} frames")
    frame_time_s = _correct_unit(frame_time_s, report)
    if frame_time_s <= 0.0 or not checks.MIN_FPS <= 1.0 / frame_time_s <= checks.MAX_FPS:
        low, high = 1.0 / checks.MAX_FPS, 1.0 / checks.MIN_FPS
        raise Damaged(f"its frame time of {frame_time_s:g} s is not between {low:g} and {high:g} s")
    return int(frames), frame_time_s


def _correct_unit(frame_time: float, report: ReportNote) -> float:
    """Take a frame time of seconds on end for milliseconds, or for frames per second, whichever is a common rate."""
    if not _MILLISECONDS_FROM_S <= frame_time <= 1000.0:
        return frame_time
    milliseconds, rate = (
        min(abs(math.log(fps / common)) for common in _COMMON_FPS) for fps in (1000.0 / frame_time, frame_time)
    )
    fps, unit = (frame_time, "frames per second") if rate < milliseconds else (1000.0 / frame_time, "milliseconds")
    report(f"The frame time {frame_time:g} was taken for {unit}: {fps:.4g} frames a second.")
    return 1.0 / fps


def _check_size(header: Header, frames: int) -> None:
    """Check that a motion of so many frames fits into memory, before it is read."""
    if frames * len(header.channels) > _MAX_VALUES or frames * len(header.names) > checks.MAX_ROTATIONS:
        raise Damaged(f"its {frames} frames of {len(header.names)} joints are more than can be read")


def _parse_frames(lines: Iterator[tuple[int, str]], frames: int, channels: int, report: ReportNote) -> Array:
    """Parse the values (frames, channels), however they are broken into lines: as many whole frames as there are."""
    if not channels:
        raise Damaged("none of its joints has channels")
    blocks: list[Array] = []
    count = rows = 0
    while block := list(itertools.islice(lines, _BLOCK_LINES)):
        blocks.append(_parse_block(block))
        count, rows = count + len(blocks[-1]), rows + len(block)
        if count > _MAX_VALUES:
            raise Damaged(f"it has more than {_MAX_VALUES} values")
    whole, rest = divmod(count, channels)
    if not whole:
        raise Damaged(f"it is cut short: {count} values where {frames} frames of {channels} channels belong")
    if count > frames * channels and (rest or rows != whole):
        what = "more values than its" if rest else f"{count} values where"
        raise Damaged(f"it has {what} {frames} frames of {channels} channels{'' if rest else ' belong'}")
    if whole != frames:
        report(f"The file promises {frames} frames and has {whole}; these were read.")
    return np.concatenate(blocks)[: whole * channels].reshape(whole, channels)


def _parse_block(lines: list[tuple[int, str]]) -> Array:
    try:
        values = np.array(" ".join(line for _, line in lines).split(), float)
    except ValueError:
        for number, line in lines:  # find the one that is none
            for text in line.split():
                parse_number(text, number)
        raise
    if not np.isfinite(values).all():
        number = next(n for n, line in lines if not np.isfinite(np.array(line.split(), float)).all())
        raise Damaged(f"line {number} has values that are not finite numbers")
    return values


def parse_number(text: str, number: int) -> float:
    """Parse a finite number of a line. Raises Damaged naming the line."""
    try:
        value = float(text)
    except ValueError:
        _refuse_number(text, number)
    if not math.isfinite(value):
        _refuse_number(text, number)
    return value


def _refuse_number(text: str, number: int) -> NoReturn:
    raise Damaged(f"line {number} has {quote(text.strip())} where a number belongs")
