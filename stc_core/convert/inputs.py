"""What is to be converted, under which names, into which formats.

Knows arguments of the command line, folders, patterns and lists; not what is in a file, nor how anything is converted.
"""

from __future__ import annotations

import glob
import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..capture.video.image_sequence import find_sequences, list_stills, name_sequence
from ..errors import UserError
from .store import urls
from .store.record import ANIMATIONS

FORMATS = ("bvh", "fbx", "glb", "usd", "vrma", "vmd", "csv")
VIDEOS = frozenset(
    ".mp4 .mov .qt .m4v .insv .avi .mkv .webm .mpg .mpeg .m2v .vob .wmv .asf .mts .m2ts .ts .3gp .3g2 .flv .ogv .mxf "
    ".dv .gif .y4m .mjpeg .mjpg".split()
)
MOTION_FILES = frozenset({".npz"})
MOTIONS = MOTION_FILES | {".bvh"} | ANIMATIONS
_MIN_STILLS = 10  # chosen: so many pictures with numbers in a row are a clip, fewer are photographs
_RANKS = (VIDEOS | MOTION_FILES, frozenset({".bvh"}), ANIMATIONS)
LISTS = frozenset({".txt", ".lst", ".list"})


@dataclass(frozen=True, kw_only=True)
class Input:
    """A video, a motion file or another program's animation. source: absolute, or a URL. name: of its results below
    --out, with "/", no suffix.
    """

    source: Path | str
    name: str

    @property
    def is_motion(self) -> bool:
        """Whether it holds a motion, and is not a video."""
        return urls.suffix_of(self.source) in MOTIONS


@dataclass(frozen=True, kw_only=True)
class FoundInputs:
    """What the arguments stand for. unreadable: folders within them that could not be looked into, and why."""

    inputs: tuple[Input, ...]
    unreadable: tuple[tuple[Path, str], ...] = ()


def parse_formats(text: str) -> tuple[str, ...]:
    """The formats of a list with commas, each once, in our order. Raises UserError where one is not ours."""
    requested = {word.strip().lower().removeprefix(".") for word in text.split(",")} - {""}
    if unknown := sorted(requested - set(FORMATS)):
        raise UserError(f"“{unknown[0]}” is no format that we write.", f"Choose from {', '.join(FORMATS)}.")
    if not requested:
        raise UserError("No format was named.", f"Choose from {', '.join(FORMATS)}, for example --to bvh,fbx.")
    return tuple(name for name in FORMATS if name in requested)


def find_inputs(args: Sequence[str], results: Collection[str] = ()) -> FoundInputs:
    """The files that the arguments of the command line stand for, in their order, each once.

    An argument is a video, a motion file, an animation (BVH, FBX, glTF), a folder (with the folders in it, hidden ones
    left out), a pattern (**: any folders), a URL of such, or a text list: an argument a line, relative to the list;
    empty lines and those after # are passed over. What is found in a folder keeps its folders in its name; FBX and glTF
    do not count there beside videos and motion files, for they may be rigs, nor a BVH beside the video of its name.
    results: files made by earlier runs, and the rig, left out where a folder or pattern finds them. Raises UserError
    where an argument stands for nothing, or two results would have one name.
    """
    if not args:
        raise UserError("No input was named.", "Give videos, folders, motion files, or a text file that lists them.")
    finder = _Finder(results=frozenset(results))
    found: dict[str, Input] = {}
    for arg in args:
        for entry in finder.expand(arg, Path()):
            found.setdefault(entry.source if isinstance(entry.source, str) else os.path.realpath(entry.source), entry)
    inputs = _tell_apart(found.values())
    _check_names(inputs)
    return FoundInputs(inputs=tuple(inputs), unreadable=tuple(dict.fromkeys(finder.unreadable)))


@dataclass
class _Finder:
    """Expands arguments, and remembers the folders that it could not look into."""

    results: frozenset[str]
    unreadable: list[tuple[Path, str]] = field(default_factory=list)

    def expand(self, arg: str, base: Path) -> Iterator[Input]:
        """The inputs that an argument stands for; a path is relative to `base`."""
        path = base / arg
        if urls.is_url(arg):
            yield from self._expand_url(arg)
        elif os.path.isdir(path):
            yield from self._expand_folder(path)
        elif os.path.isfile(path):
            one = Input(source=path.absolute(), name=path.stem)
            yield from self._expand_list(path) if path.suffix.lower() in LISTS else [one]
        elif list_stills(path):
            yield Input(source=path.absolute(), name=name_sequence(path))
        elif glob.has_magic(arg):
            yield from self._expand_pattern(str(path))
        else:
            raise UserError(f"There is no file or folder {path}.", "Check the path, and that you may read it.")

    def _expand_url(self, url: str) -> Iterator[Input]:
        """One file, whatever it is called, or the videos and motion files of a folder or pattern."""
        named = urls.absolute(url)
        entries = [
            Input(source=file, name=name)
            for file, name in urls.list_files(url)
            if file == named or self._is_input(file)
        ]
        if not entries:
            raise UserError(f"{url} holds no video and no motion.", "Check the address.")
        yield from entries

    def _expand_folder(self, folder: Path) -> Iterator[Input]:
        """The videos and motion files in a folder and those in it."""
        before = len(self.unreadable)
        files = _leave_out_exports([path for path in self._walk(folder) if self._is_input(path)])
        if (failed := self.unreadable[before:]) and failed[0][0] == folder:
            raise UserError(f"The folder {folder} cannot be read ({failed[0][1]}).", "Check your right to read it.")
        sequences = list(_find_sequences(folder, {path.parent for path in files}))
        if not files and not sequences and not failed:
            raise UserError(f"The folder {folder} holds no video and no motion.", "Choose another folder.")
        for path in files:
            yield Input(source=path.absolute(), name=_name(path, folder))
        yield from sequences

    def _walk(self, folder: Path) -> Iterator[Path]:
        for parent, folders, files in os.walk(folder, onerror=self._remember):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(parent) / name for name in sorted(files) if not name.startswith("."))

    def _remember(self, error: OSError) -> None:
        self.unreadable.append((Path(error.filename), error.strerror or str(error)))

    def _expand_pattern(self, pattern: str) -> Iterator[Input]:
        """What a pattern finds, named from the folder before its first wildcard."""
        parts = Path(pattern).parts
        fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
        base, before = Path(*parts[:fixed]), len(self.unreadable)
        self._look_for_unreadable(base, None if "**" in parts else len(parts) - fixed)
        found = [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]
        files = _leave_out_exports([path for path in found if os.path.isfile(path) and self._is_input(path)])
        if not files and len(self.unreadable) == before:
            raise UserError(f"No video and no motion fits {pattern}.", "Check the pattern.")
        yield from (Input(source=path.absolute(), name=_name(path, base)) for path in files)

    def _look_for_unreadable(self, base: Path, depth: int | None) -> None:
        """Remember the folders that a pattern may go into and cannot: glob passes over them in silence."""
        for parent, folders, _ in os.walk(base, onerror=self._remember):
            deep = depth is not None and len(Path(parent).relative_to(base).parts) >= depth - 1
            folders[:] = [] if deep else [name for name in folders if not name.startswith(".")]

    def _is_input(self, path: Path | str) -> bool:
        name = str(path.absolute()) if isinstance(path, Path) else path
        return urls.suffix_of(path) in VIDEOS | MOTIONS and name not in self.results

    def _expand_list(self, path: Path) -> Iterator[Input]:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError):
            raise UserError(f"The list {path} cannot be read as text.", "Save it as UTF-8, a path a line.") from None
        args = {number: line.strip() for number, line in enumerate(lines, 1)}
        args = {number: arg for number, arg in args.items() if arg and not arg.startswith("#")}
        if not args:
            raise UserError(f"The list {path} names nothing.", "Write a path a line.")
        for number, arg in args.items():
            if Path(arg).suffix.lower() in LISTS:
                raise UserError(f"{path}, line {number}: a list in a list.", "Name videos, folders or motion files.")
            try:
                yield from self.expand(arg, path.parent)
            except UserError as error:
                raise UserError(f"{path}, line {number}: {error.what}", error.remedy) from None


def _find_sequences(folder: Path, others: Collection[Path]) -> Iterator[Input]:
    """The image sequences in a folder and those in it, but for folders that hold other inputs: their pictures belong to
    these. A sequence that is alone in its folder has the folder's name.
    """
    for parent, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(parent)
        sequences = [] if here in others else [path for path in find_sequences(here) if _is_clip(path)]
        for path in sequences:
            inside = (here if len(sequences) == 1 else here / name_sequence(path)).relative_to(folder)
            yield Input(source=path.absolute(), name=inside.as_posix() if inside.parts else name_sequence(folder))


def _is_clip(sequence: Path) -> bool:
    """Whether pictures are as many as a clip has, and none is missing."""
    numbers = [number for number, _ in list_stills(sequence)]
    return len(numbers) >= _MIN_STILLS and numbers[-1] - numbers[0] == len(numbers) - 1


def _leave_out_exports(files: Sequence[Path]) -> list[Path]:
    """Leave out FBX and glTF beside videos and motion files, and of one name all but the best source of a motion."""
    has_sources = any(path.suffix.lower() in VIDEOS | MOTION_FILES for path in files)
    kept = [path for path in files if not (has_sources and path.suffix.lower() in ANIMATIONS)]
    ranks: dict[Path, int] = {}
    for path in kept:
        ranks[path.with_suffix("")] = min(ranks.get(path.with_suffix(""), len(_RANKS)), _rank(path))
    return [path for path in kept if _rank(path) in (0, ranks[path.with_suffix("")])]


def _rank(path: Path) -> int:
    """How good a source of a motion a file is, from 0: originals, then a BVH, then what Blender reads."""
    return next(rank for rank, suffixes in enumerate(_RANKS) if path.suffix.lower() in suffixes)


def _name(path: Path, base: Path) -> str:
    return path.relative_to(base).with_suffix("").as_posix()


def _tell_apart(found: Collection[Input]) -> list[Input]:
    """The inputs; videos of one folder that differ in their suffix only, as phones write them, are named with it."""
    suffixes: dict[tuple[str, str], set[str]] = {}
    keys = [(os.path.dirname(str(entry.source)), _fold(entry.name)) for entry in found]
    for key, entry in zip(keys, found, strict=True):
        suffixes.setdefault(key, set()).add(urls.suffix_of(entry.source))
    alike = {key for key, known in suffixes.items() if len(known) > 1 and known <= VIDEOS}
    return [
        replace(entry, name=f"{entry.name}_{urls.suffix_of(entry.source)[1:]}") if key in alike else entry
        for key, entry in zip(keys, found, strict=True)
    ]


def _check_names(found: Collection[Input]) -> None:
    taken: dict[str, Input] = {}
    for entry in found:
        other = taken.setdefault(_fold(entry.name), entry)
        if other is not entry:
            what = f"{other.source} and {entry.source} would both become “{entry.name}”."
            is_beside = os.path.dirname(str(other.source)) == os.path.dirname(str(entry.source))
            others = "" if is_beside else "give the folder above both, "
            raise UserError(what, f"Rename one, {others}or convert them into two folders.")


def _fold(name: str) -> str:
    """What two names have in common that any file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()
