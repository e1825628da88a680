"""The truth of a clip of hands, as render_hands.py wrote it. Knows this form; not what is made of the video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stc_core.datasets.ground_truth import GroundTruthClip, list_truth_files, read_ground_truth
from stc_core.geometry.rotation import Array

from .hand_poses import finger_chains, flexion_deg


@dataclass(frozen=True, kw_only=True)
class HandTruth:
    """A clip and its hands, left and right."""

    clip: GroundTruthClip
    joints: Array
    """(T, 2, 21, 3) world metres, in the order of MediaPipe's hand"""
    hand_px: Array
    """(T, 2): how long the straight hand would be in the picture"""
    size: str
    """near, medium or body"""
    facing: str
    """palm, back, side or talk"""

    def flexion_deg(self) -> Array:
        """(T, 2, 5, 3): the angles at the joints of thumb, index, middle, ring and little finger."""
        return flexion_deg(finger_chains(self.joints))

    def pixels(self) -> Array:
        """The joints (T, 2, 21, 2) in the picture."""
        return self.clip.camera.project(self.joints)

    def boxes(self, margin: float = 0.3) -> Array:
        """(T, 2, 4) left, top, right, bottom of the hands, pixels, wider by a fraction of the hand's length."""
        pixels, wider = self.pixels(), margin * self.hand_px[..., None]
        return np.concatenate([pixels.min(2) - wider, pixels.max(2) + wider], -1)


def read_hand_truth(path: Path) -> HandTruth:
    """Read the clip of hands whose truth is this .npz. Raises UserError where the file is damaged, KeyError where it
    knows no hands."""
    clip = read_ground_truth(path)
    with np.load(path, allow_pickle=False) as file:
        return HandTruth(
            clip=clip,
            joints=file["hand_joints"].astype(float),
            hand_px=file["hand_px"].astype(float),
            size=str(file["size"]),
            facing=str(file["facing"]),
        )


def read_hand_clips(folder: Path) -> list[HandTruth]:
    """Read the clips of hands in a folder. Raises UserError where there is none."""
    return [read_hand_truth(path) for path in list_truth_files(folder)]
