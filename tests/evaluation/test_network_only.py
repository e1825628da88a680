"""The lifter's own errors are what was put in, and a clip is detected once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.pose import Landmarks
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth
from stc_core.evaluation import cached_detections, network_only
from stc_core.evaluation.end_to_end import COMMON
from stc_core.geometry.rotation import from_axis_angle, to_matrix
from stc_core.motion.motion import Camera

Array = NDArray[np.float64]
SAMPLE = Path(__file__).parents[1] / "truth" / "sample.npz"


@pytest.fixture(scope="module")
def sample() -> GroundTruthClip:
    return read_ground_truth(SAMPLE)


def see(clip: GroundTruthClip) -> Array:
    """The 13 joints in camera axes, pelvis at 0."""
    joints = clip.rows(COMMON) @ clip.camera.R.T + clip.camera.t
    return joints - joints[:, :1]


def test_the_truth_has_no_error(sample: GroundTruthClip) -> None:
    errors = network_only.measure_errors(see(sample), sample)
    assert max(errors.pa_mm, errors.clip_mm, errors.distance_mm, errors.knee_deg, errors.elbow_deg) < 1e-6
    assert errors.tilt_deg < 1e-3 and abs(errors.lean_deg) < 1e-3


@pytest.mark.parametrize("degrees", [8.0, -5.0])
def test_a_body_that_leans_towards_the_camera_has_that_lean(sample: GroundTruthClip, degrees: float) -> None:
    level = np.cross(sample.camera.R @ [0.0, 0.0, 1.0], [0.0, 0.0, -1.0])  # about this, heads tip to the camera
    leaning = see(sample) @ to_matrix(from_axis_angle(level, np.radians(degrees))).T
    errors = network_only.measure_errors(leaning, sample)
    assert errors.lean_deg == pytest.approx(degrees, abs=1e-3) and errors.tilt_deg == pytest.approx(
        abs(degrees), abs=1e-3
    )
    assert errors.pa_mm < 1e-6 and errors.distance_mm > 20.0


def test_the_body_is_set_upright_by_the_predicted_up(sample: GroundTruthClip) -> None:
    true_up = sample.camera.R @ [0.0, 0.0, 1.0]
    rotation = to_matrix(from_axis_angle(np.cross(true_up, [0.0, 0.0, -1.0]), np.radians(8.0)))
    leaning, up = see(sample) @ rotation.T, rotation @ true_up
    errors = network_only.measure_errors(leaning, sample, predicted_up=up)
    assert errors.up_deg == pytest.approx(8.0, abs=1e-3) and errors.tilt_deg == pytest.approx(8.0, abs=1e-3)
    assert errors.upright_tilt_deg == pytest.approx(0.0, abs=1e-3)  # body and up lean alike
    errors = network_only.measure_errors(leaning, sample, predicted_up=true_up)
    assert errors.up_deg == pytest.approx(0.0, abs=1e-3) and errors.upright_tilt_deg == pytest.approx(8.0, abs=1e-3)
    errors = network_only.measure_errors(leaning, sample)
    assert errors.up_deg is None and errors.upright_tilt_deg is None


def stand(frames: int, knee_deg: float) -> Array:
    """A body (frames, 13, 3) that faces -y; its knees are bent by so much, its elbows straight."""
    bend = np.radians(knee_deg)
    at = {"pelvis": (0.0, 0.0, 0.9)}
    for side, x in (("left", 1.0), ("right", -1.0)):
        knee = np.array([0.1 * x, 0.0, 0.5])
        at |= {f"{side}_hip": (0.1 * x, 0.0, 0.9), f"{side}_knee": tuple(knee)}
        at[f"{side}_ankle"] = tuple(knee + 0.4 * np.array([0.0, np.sin(bend), -np.cos(bend)]))
        at |= {f"{side}_shoulder": (0.2 * x, 0.0, 1.4), f"{side}_elbow": (0.5 * x, 0.0, 1.4)}
        at[f"{side}_wrist"] = (0.8 * x, 0.0, 1.4)
    return np.tile([at[name] for name in COMMON], (frames, 1, 1))


def standing_clip(knee_deg: float, camera: Camera) -> GroundTruthClip:
    return GroundTruthClip(
        name="stands",
        video=Path("stands.mp4"),
        landmark_names=COMMON,
        landmarks=stand(4, knee_deg),
        camera=camera,
        contacts=np.ones((4, 2), bool),
        fps=30.0,
    )


@pytest.mark.parametrize(("eye_y", "from_front"), [(-4.0, True), (4.0, False)])
def test_straight_knees_that_are_predicted_bent_are_told_by_how_much(eye_y: float, from_front: bool) -> None:
    forward = -np.sign(eye_y)
    turn = np.array([[forward, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, forward, 0.0]])
    camera = Camera(K=np.diag([500.0, 500.0, 1.0]), R=turn, t=-turn @ [0.0, eye_y, 1.0], image_size=(640, 480))
    clip = standing_clip(5.0, camera)
    estimate = stand(4, 25.0) @ turn.T + camera.t
    errors = network_only.measure_errors(estimate - estimate[:, :1], clip)
    assert errors.straight_knee_all_deg == pytest.approx(20.0) and errors.knee_deg == pytest.approx(20.0)
    assert errors.straight_elbow_all_deg == pytest.approx(0.0, abs=1e-3)
    assert (errors.straight_knee_deg is not None) == from_front
    bent = standing_clip(40.0, camera)
    assert network_only.measure_errors(estimate - estimate[:, :1], bent).straight_knee_all_deg is None


def test_a_mean_leaves_out_clips_that_lack_the_figure(sample: GroundTruthClip) -> None:
    whole = network_only.measure_errors(see(sample), sample)
    rows = [
        network_only.NetworkErrors(**(vars(whole) | {"pa_mm": pa, "straight_knee_deg": knee}))
        for pa, knee in ((10.0, None), (30.0, 6.0))
    ]
    mean = network_only.mean_errors(rows)
    assert mean.pa_mm == 20.0 and mean.straight_knee_deg == 6.0
    assert "| 20.0 |" in network_only.format_table("clip", {"mean": mean})


def test_a_video_is_detected_once_for_each_setting_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in (".npz", ".mp4"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path / f"clip{suffix}")
    asked: list[DetectConfig] = []

    def find(clip: GroundTruthClip, config: DetectConfig) -> Landmarks:
        asked.append(config)
        zeros = np.zeros((3, 33))
        points = np.full((3, 33, 2), float(len(asked)))
        return Landmarks(
            image=points,
            world=np.zeros((3, 33, 3)),
            visibility=zeros,
            presence=zeros,
            found=np.ones(3, bool),
            timestamps=np.arange(3) / 30.0,
        )

    monkeypatch.setattr(cached_detections, "detect_clip", find)
    clip, cache = read_ground_truth(tmp_path / "clip.npz"), tmp_path / "cache"

    def see_first(config: DetectConfig) -> float:
        return float(cached_detections.detect_cached(clip, config, cache).image[0, 0, 0])

    full, slow = DetectConfig(), DetectConfig(time_stretch=1.0)
    assert [see_first(config) for config in (full, slow, full, DetectConfig(model="full"), slow)] == [1, 2, 1, 1, 2]
    assert see_first(DetectConfig(hands=True, face=True)) == 1 and not asked[0].hands  # of the body alone
    with open(clip.video, "ab") as file:
        file.write(b"more")
    assert see_first(full) == 3 and len(asked) == 3
