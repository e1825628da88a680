"""Every source of training data as shards: `python -m stc_core.datasets.prepare --out DIR --archives DIR …`.

Bodies with bones: the free data sets as they ship (--archives), and a user's own BVH, ASF/AMC or motion.npz files
(--bones). Views with keypoints: Human3.6M, MPI-INF-3DHP, rendered clips, corrected captures. Writes OUT/<source>/, see
`shards`. Stopped at any moment it goes on where it was; what is there already is left, what was added is read.
Knows rates, archives and the readers; nothing of skeletons or cameras.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from ..capture.landmark_map import BODY27
from ..errors import UserError
from ..events import Event, Note, Progress, Report
from ..geometry.rotation import Array
from . import corrections as captured
from . import h36m, mpi_inf_3dhp
from . import user_motion as bones
from .cmu import SOURCES, Source
from .cmu import Clip as Body
from .shards import Clip, Info, Plan, Take, Taken, finished_takes, is_whole, lenient, stamp, write_takes


@dataclass(frozen=True)
class PrepareConfig:
    """Where the data is and where it goes; what is not given is not prepared."""

    out: Path
    """the folder for the shards"""
    archives: Path | None = None
    """the free data sets: their .tar.xz and .npz.xz as shipped, or the folders they unpack to"""
    sources: tuple[str, ...] = tuple(SOURCES)
    """which of the free data sets"""
    bones: tuple[Path, ...] = ()
    """folders of BVH, ASF/AMC or motion.npz files, each a source of its name; a file's own folder is who moved"""
    h36m: Path | None = None
    """the folder with data_3d_h36m.npz and data_2d_h36m_*.npz"""
    mpi_inf_3dhp: Path | None = None
    """the folder with data_train_3dhp.npz and data_test_3dhp.npz, or with TS1 … TS6"""
    rendered: Path | None = None
    """a folder of rendered clips, NAME.mp4 beside NAME.npz"""
    captured: Path | None = None
    """a folder of corrected captures"""
    fps: float = 30.0
    """rate of the bodies with bones; views keep theirs"""


def prepare(config: PrepareConfig, report: Report) -> None:
    """Write a folder for each source that is asked for. Raises UserError where one is not there or is damaged."""
    plans = [
        *(_rendered_plans(config.rendered) if config.rendered else ()),
        *(h36m.plans(config.h36m) if config.h36m else ()),
        *(mpi_inf_3dhp.plans(config.mpi_inf_3dhp) if config.mpi_inf_3dhp else ()),
        *(captured.plans(config.captured) if config.captured else ()),
        *(_bones_plan(folder, config.fps) for folder in config.bones),
    ]
    free = _free_sources(config)
    names = [*free, *(plan.info.source for plan in plans)]
    if not names:
        raise UserError("No data was named.", "Give --archives, --bones, --h36m or another; see --help.")
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"Two sources are called {min(twice)}.", "Rename one of the folders.")
    for name, source in free.items():
        assert config.archives is not None
        with _free_plan(config.archives, name, source, config) as plan:
            _write(config.out, plan, report)
    for plan in plans:
        _write(config.out, plan, report)


def _rendered_plans(folder: Path) -> list[Plan]:
    from .rendered import plans  # loads the detector, which nothing else needs

    return plans(folder)


def _write(out: Path, plan: Plan, report: Report) -> None:
    write_takes(out / plan.info.source, plan.info, plan.takes(), report)


def _free_sources(config: PrepareConfig) -> dict[str, Source]:
    if unknown := set(config.sources) - set(SOURCES):
        raise UserError(f"There is no source {min(unknown)}.", f"Choose from {', '.join(SOURCES)}.")
    if config.archives is None:
        return {}
    found = {name: SOURCES[name] for name in config.sources if _shipped(config.archives, SOURCES[name])}
    if not found:
        raise UserError(f"{config.archives} holds no data set that we know.", "Give the folder with the archives.")
    return found


@contextlib.contextmanager
def _free_plan(archives: Path, name: str, source: Source, config: PrepareConfig) -> Iterator[Plan]:
    """A free data set, unpacked while the plan is used unless it is unpacked or done already."""
    shipped = _shipped(archives, source)[0]
    packed = shipped.name != source.unpacked
    info = Info(name, source.licence, BODY27.name, "bodies", {"fps": config.fps, "archive": stamp(shipped) * packed})
    with tempfile.TemporaryDirectory() as folder:
        if packed and is_whole(config.out / name, info):
            yield Plan(info, lambda: finished_takes(config.out / name, info))
            return
        path = _unpacked(shipped, source, Path(folder)) if packed else shipped
        files = source.files(path)
        yield Plan(info, lambda: [_body_take(file, path, source, packed, config.fps) for file in files])


def _body_take(file: Path, path: Path, source: Source, packed: bool, fps: float) -> Take:
    name = file.relative_to(path if source.pattern else path.parent).as_posix()
    return Take(name, partial(_read, source, file, fps), "" if packed else stamp(file))


def _read(source: Source, file: Path, fps: float) -> Taken:
    return Taken([_body(clip, fps) for clip in source.read(file)])


def _bones_plan(folder: Path, fps: float) -> Plan:
    """A user's own folder; files that cannot be read are left out and told."""
    info = Info(folder.resolve().name, _licence(folder), BODY27.name, "bodies", {"fps": fps})

    def take(path: Path) -> Take:
        name = path.relative_to(folder).as_posix()

        def read() -> Taken:
            clips = [_body(clip, fps) for clip in bones.clips(path, folder)]
            return Taken(clips, () if clips else (f"Left out {name}: it is too short, or shakes too much.",))

        return lenient(Take(name, read, stamp(path, *folder.rglob(bones.MAP_FILE))))

    return Plan(info, lambda: [take(path) for path in bones.files(folder)])


def _licence(folder: Path) -> str:
    """The first two lines of the folder's licence, where it has one."""
    for path in sorted(folder.glob("LICEN[CS]E*")):
        if path.is_file():
            lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
            return ": ".join([line for line in lines if line][:2]) or "not stated"
    return "not stated"


def _body(clip: Body, fps: float) -> Clip:
    """A clip at the wanted rate, starting over the world's origin."""
    joints = resample(clip.landmarks, clip.fps, fps)
    joints = joints - joints[0, BODY27.index("pelvis")] * [1.0, 1.0, 0.0]
    return Clip(clip.name, clip.subject, fps, joints, clip.action)


def resample(landmarks: NDArray[np.float32], fps: float, to_fps: float) -> Array:
    """Landmarks (T, K, 3) at another rate: the mean over about one new frame's time, then linear between frames."""
    flat = landmarks.reshape(len(landmarks), -1).astype(float)
    if reach := min(round(fps / to_fps / 2), len(flat) - 1):
        padded = np.pad(flat, ((reach, reach), (0, 0)), "reflect", reflect_type="odd")
        weights = np.full(2 * reach + 1, 1.0 / (2 * reach))
        weights[[0, -1]] /= 2.0
        flat = np.stack([np.convolve(column, weights, "valid") for column in padded.T], -1)
    times = np.arange(int((len(flat) - 1) * to_fps / fps + 1e-6) + 1) * fps / to_fps
    low = np.minimum(times.astype(int), max(len(flat) - 2, 0))
    high = np.minimum(low + 1, len(flat) - 1)
    mixed = flat[low] + (times - low)[:, None] * (flat[high] - flat[low])
    return mixed.reshape(-1, *landmarks.shape[1:])


def _shipped(archives: Path, source: Source) -> list[Path]:
    return [path for path in (archives / source.unpacked, archives / source.archive) if path.exists()]


def _unpacked(path: Path, source: Source, folder: Path) -> Path:
    """The source's own folder or file, unpacked into `folder`."""
    try:
        return _unpack(path, source.unpacked, folder)
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as error:
        raise UserError(f"{path} cannot be unpacked ({error}).", "Fetch the archive again.") from None


def _unpack(path: Path, name: str, folder: Path) -> Path:
    for beside in path.parent.glob("*.json"):
        shutil.copy(beside, folder)
    if ".tar" not in path.name:
        with lzma.open(path) as packed, open(folder / name, "wb") as file:
            shutil.copyfileobj(packed, file)
    else:
        with tarfile.open(path) as tar:
            members = [member for member in tar if member.name.removeprefix("./").split("/")[0] == name]
            tar.extractall(folder, members, filter="data")
    return folder / name


class _Bar:
    """A progress bar for each source on standard error, sentences on standard output."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._stage = ""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            if self._bar is None or self._stage != event.stage:
                self._bar, self._stage = tqdm(desc=event.stage, total=event.total, unit=" takes"), event.stage
            self._bar.update(event.done - self._bar.n)
            if event.done == event.total:
                self._bar.close()
        elif isinstance(event, Note):
            tqdm.write(event.message)


def main() -> None:
    """The command; a mistake that its user can mend is one line."""
    try:
        prepare(tyro.cli(PrepareConfig, description=__doc__), _Bar())
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
