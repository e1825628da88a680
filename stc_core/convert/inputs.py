"""What is to be converted, under which names, into which formats.

Knows words of the command line, folders, patterns and lists; not what is in a file, nor how anything is converted.
"""

from __future__ import annotations

import glob
import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .store import url_store as remote

FORMATS = ("bvh", "fbx", "glb", "usd")
VIDEOS = frozenset(".mp4 .mov .m4v .avi .mkv .webm .mpg .mpeg .m2v .wmv .mts .m2ts .ts .3gp .flv .ogv .mxf".split())
MOTIONS = frozenset({".npz"})
LISTS = frozenset({".txt", ".lst", ".list"})


@dataclass(frozen=True)
class Input:
    """A video or a motion file. source: absolute, or a URL. name: of its results below --out, with "/", no suffix."""

    source: Path | str
    name: str

    @property
    def is_motion(self) -> bool:
        return remote.suffix(self.source) in MOTIONS


def formats(words: str) -> tuple[str, ...]:
    """The formats of a list with commas, each once, in our order. Raises UserError where one is not ours."""
    asked = {word.strip().lower().removeprefix(".") for word in words.split(",")} - {""}
    if unknown := sorted(asked - set(FORMATS)):
        raise UserError(f"“{unknown[0]}” is no format that we write.", f"Choose from {', '.join(FORMATS)}.")
    if not asked:
        raise UserError("No format was named.", f"Choose from {', '.join(FORMATS)}, for example --to bvh,fbx.")
    return tuple(name for name in FORMATS if name in asked)


def find(words: Sequence[str], results: Collection[Path | str] = ()) -> list[Input]:
    """The files that the words of the command line stand for, in their order, each once.

    A word is a video, a motion file, a folder (with the folders in it, hidden ones left out), a pattern (**: any
    folders), a URL of such, or a text list: a word a line, relative to the list; empty lines and those after # are
    passed over. What is found in a folder keeps its folders in its name. results: files made by earlier runs, left out
    where a folder or pattern finds them. Raises UserError where a word stands for nothing, or two results would have
    one name.
    """
    if not words:
        raise UserError("No input was named.", "Give videos, folders, motion files, or a text file that lists them.")
    made = {path.absolute() if isinstance(path, Path) else path for path in results}
    found: dict[str, Input] = {}
    for word in words:
        for entry in _of_word(word, Path(), made):
            found.setdefault(entry.source if isinstance(entry.source, str) else os.path.realpath(entry.source), entry)
    _check_names(found.values())
    return list(found.values())


def _of_word(word: str, base: Path, made: Collection[Path | str]) -> Iterator[Input]:
    path = base / word
    if remote.is_url(word):
        yield from _of_url(word, made)
    elif path.is_dir():
        yield from _of_folder(path, path, made)
    elif path.is_file():
        yield from _of_list(path, made) if path.suffix.lower() in LISTS else [Input(path.absolute(), path.stem)]
    elif glob.has_magic(word):
        yield from _of_pattern(str(path), made)
    else:
        raise UserError(f"There is no file or folder {path}.", "Check the path.")


def _of_url(word: str, made: Collection[Path | str]) -> Iterator[Input]:
    """One file, whatever it is called, or the videos and motion files of a folder or pattern."""
    named = remote.absolute(word)
    entries = [Input(url, name) for url, name in remote.found(word) if url == named or _is_input(url, made)]
    if not entries:
        raise UserError(f"{word} holds no video and no motion file.", "Check the address.")
    yield from entries


def _of_folder(folder: Path, base: Path, made: Collection[Path | str]) -> Iterator[Input]:
    """The videos and motion files in a folder and those in it, named from `base`."""
    files = [path for path in _walk(folder) if _is_input(path, made)]
    if not files:
        raise UserError(f"The folder {folder} holds no video and no motion file.", "Choose another folder.")
    for path in files:
        yield Input(path.absolute(), _name(path, base))


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(files) if not name.startswith("."))


def _of_pattern(pattern: str, made: Collection[Path | str]) -> Iterator[Input]:
    """What a pattern finds, named from the folder before its first wildcard."""
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    found = [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]
    entries = [Input(path.absolute(), _name(path, base)) for path in found if path.is_file() and _is_input(path, made)]
    if not entries:
        raise UserError(f"No video and no motion file fits {pattern}.", "Check the pattern.")
    yield from entries


def _of_list(path: Path, made: Collection[Path | str]) -> Iterator[Input]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        raise UserError(f"The list {path} cannot be read as text.", "Save it as UTF-8, a path a line.") from None
    words = {number: line.strip() for number, line in enumerate(lines, 1)}
    words = {number: word for number, word in words.items() if word and not word.startswith("#")}
    if not words:
        raise UserError(f"The list {path} names nothing.", "Write a path a line.")
    for number, word in words.items():
        if Path(word).suffix.lower() in LISTS:
            raise UserError(f"{path}, line {number}: a list in a list.", "Name videos, folders or motion files.")
        try:
            yield from _of_word(word, path.parent, made)
        except UserError as error:
            raise UserError(f"{path}, line {number}: {error.what}", error.remedy) from None


def _is_input(path: Path | str, made: Collection[Path | str]) -> bool:
    place = path.absolute() if isinstance(path, Path) else path
    return remote.suffix(path) in VIDEOS | MOTIONS and place not in made


def _name(path: Path, base: Path) -> str:
    return path.relative_to(base).with_suffix("").as_posix()


def _check_names(found: Collection[Input]) -> None:
    """Two names count as one where any file system takes them for one."""
    taken: dict[str, Input] = {}
    for entry in found:
        other = taken.setdefault(unicodedata.normalize("NFC", entry.name).casefold(), entry)
        if other is not entry:
            what = f"{other.source} and {entry.source} would both become “{entry.name}”."
            raise UserError(what, "Rename one, give the folder above both, or convert them into two folders.")
