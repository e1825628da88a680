"""The data sets as one compact file each: `python -m stc_core.training.prepare --archives DIR --out DIR`.

Writes OUT/<source>.npz with every clip at 30 Hz, one after another:
landmarks (N, 27, 3) float32, metres, z up, BODY27's order, each clip's pelvis starting at x = y = 0;
starts (C + 1,) int64, clip c being landmarks[starts[c]:starts[c + 1]]; names (C,), subjects (C,); fps, source, licence.
Knows rates, archives and files; nothing of skeletons.
"""

from __future__ import annotations

import lzma
import os
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
            clips = list(source.read(_unpacked(config.archives, source, Path(folder))))
        _write(config.out / f"{name}.npz", name, source, clips, config.fps)
        minutes = sum(len(clip.landmarks) / clip.fps for clip in clips) / 60
        print(f"{name}: {len(clips)} clips, {minutes:.1f} minutes, {len({clip.subject for clip in clips})} subjects")


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


def _write(path: Path, name: str, source: Source, clips: list[Clip], fps: float) -> None:
    """The source's file appears whole or not at all."""
    parts = [resample(clip.landmarks, clip.fps, fps) for clip in clips]
    parts = [part - part[0, BODY27.index("pelvis")] * [1.0, 1.0, 0.0] for part in parts]
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        np.savez_compressed(
            file,
            landmarks=np.concatenate(parts).astype(np.float32),
            starts=np.cumsum([0, *map(len, parts)]),
            names=np.array([clip.name for clip in clips]),
            subjects=np.array([clip.subject for clip in clips]),
            fps=np.array(fps),
            source=np.array(name),
            licence=np.array(source.licence),
        )
    os.replace(partial, path)


def main() -> None:
    """The command; a mistake that its user can mend is one line."""
    try:
        prepare(tyro.cli(PrepareConfig, description=__doc__))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
