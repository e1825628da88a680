"""The held-out clips show what they promise, and landmarks reach the rig's bones unbent."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.layout import BODY27
from stc_core.datasets.dataset_plan import DatasetInfo, ShardClip
from stc_core.datasets.shard_writer import write_clips
from stc_core.datasets.shards import open_shards
from stc_core.geometry import rotation

from . import humanoid_transfer
from .clips import CLIPS, View
from .held_out_clips import HELD_OUT_CLIPS, HELD_OUT_SUBJECTS, pitched


def look_down_deg(view: View) -> float:
    return math.degrees(math.atan2(view.height_m - view.aim_m, view.distance_m))


def test_old_and_new_clips_are_enough_and_told_apart_by_name() -> None:
    names = [clip.name for clip in (*CLIPS, *HELD_OUT_CLIPS)]
    assert len(names) >= 24 and len(set(names)) == len(names)
    assert {clip.kind for clip in HELD_OUT_CLIPS} >= {"sitting", "floor", "dance", "fighting", "phone", "gesture"}


def test_cameras_look_steeply_down_and_up_through_near_and_wide_lenses() -> None:
    down = [look_down_deg(clip.view) for clip in HELD_OUT_CLIPS]
    lenses = [clip.view.fov_deg for clip in HELD_OUT_CLIPS]
    assert max(down) == pytest.approx(25.0) and min(down) == pytest.approx(-25.0)
    assert sum(angle > 24.0 for angle in down) >= 4 and sum(angle < -20.0 for angle in down) >= 2
    assert min(lenses) <= 30.0 and max(lenses) >= 85.0
    assert all(clip.view.height_m > 0.05 for clip in HELD_OUT_CLIPS), "a camera under the floor"
    assert look_down_deg(pitched(0, 3.0, 25, 60)) == pytest.approx(25.0)


def test_a_straight_humanoid_gives_a_straight_limb_whatever_the_rigs_rest() -> None:
    """A rig in an A-pose with bent elbows and knees, posed by the T-pose: its limbs point where the humanoid's do."""
    rest = {}
    for side, x in (("left", 1.0), ("right", -1.0)):
        rest[f"{side}_upper_arm"] = np.array([0.18 * x, 0.0, 1.4])
        rest[f"{side}_lower_arm"] = np.array([0.38 * x, 0.02, 1.2])
        rest[f"{side}_hand"] = np.array([0.55 * x, -0.05, 1.03])
        rest[f"{side}_index"] = np.array([0.6 * x, -0.1, 0.97])
        rest[f"{side}_pinky"] = np.array([0.6 * x, -0.03, 0.96])
        rest[f"{side}_thigh"] = np.array([0.1 * x, 0.0, 0.9])
        rest[f"{side}_calf"] = np.array([0.12 * x, -0.02, 0.5])
        rest[f"{side}_foot"] = np.array([0.13 * x, 0.03, 0.08])
    found = humanoid_transfer.rest_to_t_pose(rest)
    for side, out in (("left", [1.0, 0.0, 0.0]), ("right", [-1.0, 0.0, 0.0])):
        for chain, wanted in ((("upper_arm", "lower_arm", "hand"), out), (("thigh", "calf", "foot"), [0.0, 0.0, -1.0])):
            for a, b in itertools.pairwise(chain):
                bone = rotation.normalise(rest[f"{side}_{b}"] - rest[f"{side}_{a}"])
                assert rotation.rotate(found[f"{side}_{a}"], bone) == pytest.approx(wanted, abs=1e-9)


def test_a_lying_body_rests_on_the_floor_and_smoothly() -> None:
    lowest = 0.3 + 0.1 * np.sin(np.arange(90) / 15.0)
    shift = humanoid_transfer.rest_on_floor(lowest, 30.0)
    assert not shift[:, :2].any() and abs(lowest + shift[:, 2]).max() < 0.01
    lowest[45] -= 0.1
    assert abs(humanoid_transfer.rest_on_floor(lowest, 30.0) - shift).max() < 0.02, "it follows a jerk of one frame"


def test_only_subjects_that_are_held_out_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    from .render_held_out import find_take, take_landmarks

    clip = next(clip for clip in HELD_OUT_CLIPS if clip.start_s > 0)
    body = np.zeros((300, len(BODY27.names), 3)) + np.arange(300)[:, None, None]
    for subject in (HELD_OUT_SUBJECTS[0], "somebody"):
        made = ShardClip(clip.take, subject, 30.0, body)
        write_clips(tmp_path / subject / clip.source, DatasetInfo(clip.source, "made", BODY27.name, "bodies"), [made])
    source, row = find_take(open_shards(tmp_path / HELD_OUT_SUBJECTS[0]), clip)
    landmarks = take_landmarks(source, row, clip)
    assert landmarks[0, 0, 0] == round(clip.start_s * 30.0)
    assert len(landmarks) == min(round(clip.seconds * 30.0), 300 - round(clip.start_s * 30.0))
    with pytest.raises(AssertionError, match="not held out"):
        find_take(open_shards(tmp_path / "somebody"), clip)
