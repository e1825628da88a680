"""The data sets as shards: `python -m stc_core.training.prepare --archives DIR --out DIR`.

Writes OUT/<source>/ (see `shards`), bodies at 30 Hz, each clip's pelvis starting at x = y = 0. Stopped at any moment it
goes on where it was; what is there already is left. Knows rates, archives and files; nothing of skeletons.
"""

from __future__ import annotations

import lzma
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from ..capture.pose import BODY27
from ..errors import UserError
from ..motion.rotation import Array
from . import shards
from .sources import SOURCES, Clip, Source


@dataclass(frozen=True)
class PrepareConfig:
    """Where the data is and where it goes. archives: the .tar.xz and .npz.xz as shipped, or their unpacked folders."""

    archives: Path
    out: Path
    fps: float = 30.0
    sources: tuple[str, ...] = tuple(SOURCES)


def prepare(config: PrepareConfig) -> None:
    """Write one file for each source that is there. Raises UserError where none is, or one is damaged."""
    if unknown := set(config.sources) - set(SOURCES):
        raise UserError(f"There is no source {min(unknown)}.", f"Choose from {', '.join(SOURCES)}.")
    found = [name for name in config.sources if _shipped(config.archives, SOURCES[name])]
    if not found:
        raise UserError(f"{config.archives} holds no data set that we know.", "Give the folder with the archives.")
    config.out.mkdir(parents=True, exist_ok=True)
    for name in found:
        source = SOURCES[name]
        with tempfile.TemporaryDirectory() as folder:
            path = _unpacked(config.archives, source, Path(folder))
            clips = (_body(clip, config.fps) for clip in source.read(path))
            shards.write(config.out / name, shards.Info(name, source.licence, BODY27.name, "bodies"), clips)


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


def _unpacked(archives: Path, source: Source, folder: Path) -> Path:
    """The source's own folder or file, unpacked into `folder` unless it already is."""
    path = _shipped(archives, source)[0]
    if path.name == source.unpacked:
        return path
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


def _body(clip: Clip, fps: float) -> shards.Clip:
    """A clip at the wanted rate, starting over the world's origin."""
    joints = resample(clip.landmarks, clip.fps, fps)
    joints = joints - joints[0, BODY27.index("pelvis")] * [1.0, 1.0, 0.0]
    return shards.Clip(clip.name, clip.subject, fps, joints)


def main() -> None:
    """The command; a mistake that its user can mend is one line."""
    try:
        prepare(tyro.cli(PrepareConfig, description=__doc__))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
