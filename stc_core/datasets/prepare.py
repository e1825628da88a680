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

from ..capture.layout import BODY27
from ..errors import UserError
from ..events import Event, Note, Progress, Report
from ..geometry.intervals import interpolate
from ..geometry.rotation import Array
from . import corrections, h36m, mpi_inf_3dhp, user_motion
from .dataset_plan import DatasetInfo, DatasetPlan, ShardClip, Take, TakeClips, skip_damaged, stamp_files
from .free_datasets import FREE_DATASETS, FreeDataset
from .landmark_clip import LandmarkClip
from .shard_writer import is_finished, list_finished_takes, write_shards


@dataclass(frozen=True)
class PrepareConfig:
    """Where the data is and where it goes; what is not given is not prepared."""

    out: Path
    """the folder for the shards"""
    archives: Path | None = None
    """the free data sets: their .tar.xz, .npz.xz and positions/*.npz.xz as shipped, or the folders they unpack to"""
    sources: tuple[str, ...] = tuple(FREE_DATASETS)
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
    """Write a folder for each requested source. Raises UserError where one is not there or is damaged."""
    plans = [
        *(_plan_rendered(config.rendered) if config.rendered else ()),
        *(h36m.plan_h36m(config.h36m) if config.h36m else ()),
        *(mpi_inf_3dhp.plan_mpi_inf_3dhp(config.mpi_inf_3dhp) if config.mpi_inf_3dhp else ()),
        *(corrections.plan_corrections(config.captured) if config.captured else ()),
        *(_plan_user_motion(folder, config.fps) for folder in config.bones),
    ]
    free = _select_free_datasets(config)
    names = [*free, *(plan.info.source for plan in plans)]
    if not names:
        raise UserError("No data was named.", "Give --archives, --bones, --h36m or another; see --help.")
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"Two sources are called {min(twice)}.", "Rename one of the folders.")
    for name, source in free.items():
        assert config.archives is not None
        with _plan_free_dataset(config.archives, name, source, config) as plan:
            _write_plan(config.out, plan, report)
    for plan in plans:
        _write_plan(config.out, plan, report)


def _plan_rendered(folder: Path) -> list[DatasetPlan]:
    from .rendered import plan_rendered_clips  # loads the detector, which nothing else needs

    return plan_rendered_clips(folder)


def _write_plan(out: Path, plan: DatasetPlan, report: Report) -> None:
    write_shards(out / plan.info.source, plan.info, plan.list_takes(), report)


def _select_free_datasets(config: PrepareConfig) -> dict[str, FreeDataset]:
    if unknown := set(config.sources) - set(FREE_DATASETS):
        raise UserError(f"There is no source {min(unknown)}.", f"Choose from {', '.join(FREE_DATASETS)}.")
    if config.archives is None:
        return {}
    found = {
        name: FREE_DATASETS[name] for name in config.sources if _find_shipped(config.archives, FREE_DATASETS[name])
    }
    if not found:
        raise UserError(f"{config.archives} holds no data set that we know.", "Give the folder with the archives.")
    return found


@contextlib.contextmanager
def _plan_free_dataset(archives: Path, name: str, source: FreeDataset, config: PrepareConfig) -> Iterator[DatasetPlan]:
    """A free data set, unpacked while the plan is used unless it is unpacked or done already."""
    shipped = _find_shipped(archives, source)[0]
    packed = shipped.name != source.unpacked
    info = DatasetInfo(
        name, source.licence, BODY27.name, "bodies", {"fps": config.fps, "archive": stamp_files(shipped) * packed}
    )
    with tempfile.TemporaryDirectory() as folder:
        if packed and is_finished(config.out / name, info):
            yield DatasetPlan(info, lambda: list_finished_takes(config.out / name, info))
            return
        path = _unpack_archive(shipped, source, Path(folder)) if packed else shipped
        files = source.list_files(path)
        yield DatasetPlan(info, lambda: [_take_of_file(file, path, source, packed, config.fps) for file in files])


def _take_of_file(file: Path, path: Path, source: FreeDataset, packed: bool, fps: float) -> Take:
    name = file.relative_to(path if source.pattern else path.parent).as_posix()
    return Take(name, partial(_read_take, source, file, fps), "" if packed else stamp_files(file))


def _read_take(source: FreeDataset, file: Path, fps: float) -> TakeClips:
    return TakeClips([_resample_clip(clip, fps) for clip in source.read(file)])


def _plan_user_motion(folder: Path, fps: float) -> DatasetPlan:
    """A user's own folder; files that cannot be read are left out with a note."""
    info = DatasetInfo(folder.resolve().name, _read_licence(folder), BODY27.name, "bodies", {"fps": fps})

    def take(path: Path) -> Take:
        name = path.relative_to(folder).as_posix()

        def read() -> TakeClips:
            clips = [_resample_clip(clip, fps) for clip in user_motion.read_clips(path, folder)]
            return TakeClips(clips, () if clips else (f"Left out {name}: it is too short, or shakes too much.",))

        return skip_damaged(Take(name, read, stamp_files(path, *folder.rglob(user_motion.MAP_FILE))))

    return DatasetPlan(info, lambda: [take(path) for path in user_motion.list_motion_files(folder)])


def _read_licence(folder: Path) -> str:
    """The first two lines of the folder's licence, where it has one."""
    for path in sorted(folder.glob("LICEN[CS]E*")):
        if path.is_file():
            lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
            return ": ".join([line for line in lines if line][:2]) or "not stated"
    return "not stated"


def _resample_clip(clip: LandmarkClip, fps: float) -> ShardClip:
    """A clip at the wanted rate, starting over the world's origin."""
    joints = resample_landmarks(clip.landmarks, clip.fps, fps)
    joints = joints - joints[0, BODY27.index("pelvis")] * [1.0, 1.0, 0.0]
    return ShardClip(clip.name, clip.subject, fps, joints, clip.action)


def resample_landmarks(landmarks: NDArray[np.float32], fps: float, to_fps: float) -> Array:
    """Landmarks (T, K, 3) at another rate: the mean over about one new frame's time, then linear between frames."""
    flat = landmarks.reshape(len(landmarks), -1).astype(float)
    if reach := min(round(fps / to_fps / 2), len(flat) - 1):
        padded = np.pad(flat, ((reach, reach), (0, 0)), "reflect", reflect_type="odd")
        weights = np.full(2 * reach + 1, 1.0 / (2 * reach))
        weights[[0, -1]] /= 2.0
        flat = np.stack([np.convolve(column, weights, "valid") for column in padded.T], -1)
    times = np.arange(int((len(flat) - 1) * to_fps / fps + 1e-6) + 1) * fps / to_fps
    return interpolate(flat, np.arange(float(len(flat))), times).reshape(-1, *landmarks.shape[1:])


def _find_shipped(archives: Path, source: FreeDataset) -> list[Path]:
    return [path for path in (archives / source.unpacked, archives / source.archive) if path.exists()]


def _unpack_archive(path: Path, source: FreeDataset, folder: Path) -> Path:
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
