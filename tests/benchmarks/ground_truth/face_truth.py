"""The truth of a clip of a face, as render_faces.py wrote it. Knows this form; not what is made of the video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stc_core.datasets.ground_truth import GroundTruthClip, list_truth_files, read_ground_truth
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS


@dataclass(frozen=True, kw_only=True)
class FaceTruth:
    """A clip and its face."""

    clip: GroundTruthClip
    coefficients: Array
    """(T, 52) of FACE_COEFFICIENTS"""
    q_world_head: Array
    """(T, 4): from where the head faces -y"""
    head_px: Array
    """(T,): the head's height in the picture"""
    size: str
    """near, medium or body"""


def read_face_truth(path: Path) -> FaceTruth:
    """Read the clip of a face whose truth is this .npz. Raises UserError where the file is damaged, KeyError where it
    knows no face."""
    clip = read_ground_truth(path)
    with np.load(path, allow_pickle=False) as file:
        names = [FACE_COEFFICIENTS.index(str(name)) for name in file["coefficient_names"]]
        coefficients = np.zeros((len(clip.landmarks), len(FACE_COEFFICIENTS)))
        coefficients[:, names] = file["coefficients"]
        return FaceTruth(
            clip=clip,
            coefficients=coefficients,
            q_world_head=file["q_world_head"].astype(float),
            head_px=file["head_px"].astype(float),
            size=str(file["size"]),
        )


def read_face_clips(folder: Path) -> list[FaceTruth]:
    """Read the clips of faces in a folder. Raises UserError where there is none."""
    return [read_face_truth(path) for path in list_truth_files(folder)]
