"""The free data sets of motion: the archive each ships as, its licence, and its reader.

Every reader gives the same 27 landmarks in the same places of the body. Knows names and licences; not files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .accad_markers import ACCAD_LICENCE, read_accad_markers
from .cmu import CMU_LICENCE, read_cmu_85_131_135, read_cmu_daz
from .cmu_expmap import read_cmu_expmap
from .landmark_clip import LandmarkClip
from .position_skeletons import (
    EYES_LICENCE,
    ROCKETBOX_LICENCE,
    STYLE100_LICENCE,
    read_accad_female1,
    read_cmu_dance_martial,
    read_eyes_japan_a,
    read_eyes_japan_b,
    read_rocketbox,
    read_style100_neutral,
)
from .ui_prmd import PRMD_LICENCE, read_ui_prmd


@dataclass(frozen=True)
class FreeDataset:
    """A data set: the archive it ships as, the folder or file it unpacks to, and its licence.

    pattern: which of the folder's files are takes; empty where the unpacked is itself one. read: the clips of a take.
    """

    archive: str
    unpacked: str
    pattern: str
    read: Callable[[Path], Iterator[LandmarkClip]]
    licence: str

    def list_files(self, path: Path) -> list[Path]:
        """The takes in the unpacked folder or file. Raises UserError where there are none."""
        if not self.pattern:
            return [path]
        if not (paths := sorted(path.glob(self.pattern))):
            raise UserError(f"{path} holds no {self.pattern}.", "Give the folder that the archive unpacks to.")
        return paths

    def read_clips(self, path: Path) -> Iterator[LandmarkClip]:
        """The clips of all takes."""
        for file in self.list_files(path):
            yield from self.read(file)


ROTATION_DATASETS = {
    "cmu_daz": FreeDataset("cmu_daz.tar.xz", "cmu_daz", "*/*.bvh", read_cmu_daz, CMU_LICENCE),
    "cmu_85_131_135": FreeDataset("small_sets.tar.xz", "cmu_85_131_135", "*.bvh", read_cmu_85_131_135, CMU_LICENCE),
    "ui_prmd": FreeDataset("ui_prmd.npz.xz", "ui_prmd.npz", "", read_ui_prmd, PRMD_LICENCE),
    "cmu_expmap": FreeDataset("cmu_expmap.tar.xz", "cmu_expmap", "*/*/*.txt", read_cmu_expmap, CMU_LICENCE),
}


def _declare(name: str, read: Callable[[Path], Iterator[LandmarkClip]], licence: str) -> FreeDataset:
    return FreeDataset(f"positions/{name}.npz.xz", f"{name}.npz", "", read, licence)


POSITION_DATASETS = {
    "accad_markers": _declare("accad_markers", read_accad_markers, ACCAD_LICENCE),
    "rocketbox": _declare("rocketbox", read_rocketbox, ROCKETBOX_LICENCE),
    "cmu_dance_martial": _declare("cmu_dance_martial", read_cmu_dance_martial, CMU_LICENCE),
    "accad_female1": _declare("accad_female1", read_accad_female1, ACCAD_LICENCE),
    "eyes_japan_a": _declare("eyes_japan_a", read_eyes_japan_a, EYES_LICENCE),
    "eyes_japan_b": _declare("eyes_japan_b", read_eyes_japan_b, EYES_LICENCE),
    "style100_neutral": _declare("style100_neutral", read_style100_neutral, STYLE100_LICENCE),
}

FREE_DATASETS = ROTATION_DATASETS | POSITION_DATASETS
