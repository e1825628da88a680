"""The committed sample: its truth is whole, stands on the floor and belongs to its picture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from stc_core.capture.config import CaptureConfig
from stc_core.capture.layout import BODY27
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth
from stc_core.evaluation.end_to_end import (
    COMMON,
    FEET,
    EvaluatedPoints,
    format_table,
    measure_errors,
    true_points,
)
from stc_core.geometry import rotation
from stc_core.motion.quality import foot_slide

from ..benchmarks import worst_frames
from ..benchmarks.ground_truth import pose_transfer

SAMPLE = Path(__file__).with_name("sample.npz")


@pytest.fixture(scope="module")
def sample() -> GroundTruthClip:
    return read_ground_truth(SAMPLE)


def test_the_person_is_in_the_picture_all_the_time(sample: GroundTruthClip) -> None:
    pixels = sample.camera.project(sample.landmarks)
    assert sample.landmark_names == BODY27.names
    assert ((pixels > 0) & (pixels < sample.camera.image_size)).all()


def test_standing_feet_stand_still_on_the_floor(sample: GroundTruthClip) -> None:
    feet = sample.rows(FEET).reshape(len(sample.landmarks), 2, 3, 3)
    assert sample.contacts.mean() > 0.2
    assert foot_slide(feet, sample.contacts) < 4.0
    assert (feet[..., 1:, 2].min(-1)[sample.contacts] < 0.06).all() and sample.landmarks[..., 2].min() > -0.001


def test_bones_keep_their_length(sample: GroundTruthClip) -> None:
    for side in ("left", "right"):
        a, b = np.moveaxis(sample.rows((f"{side}_hip", f"{side}_knee")), 1, 0)
        assert np.linalg.norm(a - b, axis=-1).std() < 1e-3


def test_the_truth_has_no_error_and_a_leaning_copy_has_the_lean(sample: GroundTruthClip) -> None:
    none = measure_errors(true_points(sample), sample)
    assert none.path_mm is not None
    assert max(none.pa_mm, none.clip_mm, none.angle_deg, none.tilt_deg, none.path_mm) < 1e-3
    lean = rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(10.0))
    points = true_points(sample)
    leaning = measure_errors(EvaluatedPoints(rotation.rotate(lean, points.common), points.feet, points.up), sample)
    assert leaning.tilt_deg == pytest.approx(10.0, abs=0.01) and leaning.clip_mm < 1e-3
    assert len(COMMON) == 13


def test_the_table_has_a_line_for_each_and_a_dash_where_there_is_nothing(sample: GroundTruthClip) -> None:
    ours = asdict(measure_errors(true_points(sample), sample))
    rows = {"turn": {"figures": dict.fromkeys(("ours", "ours, skeleton", "truth"), ours)}}
    rows["turn"]["figures"]["MediaPipe"] = ours | {"path_mm": None, "path_percent": None}
    lines = format_table(rows).splitlines()
    assert len(lines) == 2 + 3 + 3 and len({line.count("|") for line in lines}) == 1
    assert "| 0.0 % |" in lines[2] and "| – |" in lines[4]


def test_planting_levels_a_sloping_floor_and_stops_creeping_feet() -> None:
    """Feet that take turns to stand, on a floor that rises 2 cm a second and creeps 5 cm a second."""
    fps, seconds = 30.0, 4.0
    t = np.arange(round(fps * seconds)) / fps
    feet = np.zeros((len(t), 2, 2, 3))
    stands = np.stack([t % 2 < 1.0, t % 2 >= 1.0], -1)
    for foot in (0, 1):
        ahead = np.cumsum(np.where(stands[:, foot], 0.0, 1.5)) / fps
        feet[:, foot, :, 0] = (ahead + 0.05 * t)[:, None]
        feet[:, foot, :, 2] = (0.02 * t + np.where(stands[:, foot], 0.0, 0.15))[:, None]
    planted = feet + pose_transfer.planting(feet[..., 2].min(-1), feet, fps)[:, None, None]
    middle = stands & (abs(t % 1 - 0.5) < 0.25)[:, None]
    assert abs(planted[..., 2][middle]).max() < 0.01
    assert foot_slide(planted, middle) < 0.3 * foot_slide(feet, middle)


def test_the_worst_frame_is_shown_beside_its_truth(tmp_path: Path) -> None:
    failure = worst_frames.find_worst_frame(read_ground_truth(SAMPLE), CaptureConfig())
    found = np.linalg.norm(failure.ours - failure.truth, axis=-1).mean() * 1000.0
    assert found == pytest.approx(failure.pa_mm) and 30.0 < failure.pa_mm < 200.0
    worst_frames.draw([failure], tmp_path / "worst.png")
    picture = cv2.imread(str(tmp_path / "worst.png"))
    assert picture.shape[1] == 750 and (picture < 60).all(-1).any()  # the truth's black lines
