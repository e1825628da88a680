"""Blinks and closing lips survive the smoothing, noise does not; a resting face is neutral, a hidden one becomes it."""

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.face.coefficients import solve_coefficients
from stc_core.capture.face.config import FaceConfig
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.gaze import find_eye_angles
from tests.capture.face.tracks import FPS, bump, make_landmarks, roughness, turn_faces

CONFIG, UNCALIBRATED = FaceConfig(), FaceConfig(calibrate_face=False)
NOISE = 0.01


@pytest.mark.parametrize("lasts_s", [0.1, 0.15, 0.2, 0.3])
@pytest.mark.parametrize("at_s", [2.0, 2.0 + 0.5 / FPS])
def test_a_blink_keeps_at_least_nine_tenths_of_its_peak(lasts_s: float, at_s: float) -> None:
    track = 0.1 + 0.5 * bump(at_s, lasts_s)
    found = solve_coefficients(make_landmarks({"eyeBlinkLeft": track}, noise=NOISE), FPS, 1.0, UNCALIBRATED)
    peak, rest = found.track("eyeBlinkLeft").max(), np.median(found.track("eyeBlinkLeft"))
    assert peak - rest > 0.9 * (track.max() - 0.1) - 2.0 * NOISE


@pytest.mark.parametrize("lasts_s", [0.07, 0.1])
def test_lips_that_close_between_vowels_are_not_dulled(lasts_s: float) -> None:
    track = 0.4 * (1.0 - bump(3.0, lasts_s))
    found = solve_coefficients(make_landmarks({"jawOpen": track}, noise=NOISE), FPS, 1.0, UNCALIBRATED)
    assert found.track("jawOpen")[90] < track[90] + 0.04 + 2.0 * NOISE


def test_the_jitter_of_a_still_face_falls_to_less_than_a_third() -> None:
    landmarks = make_landmarks({"mouthSmileLeft": np.full(180, 0.5), "browInnerUp": np.full(180, 0.4)}, noise=NOISE)
    found = solve_coefficients(landmarks, FPS, 1.0, UNCALIBRATED)
    for name in ("mouthSmileLeft", "browInnerUp"):
        raw = replace(found, coefficients=landmarks.coefficients).track(name)
        assert 3.0 * roughness(found.track(name)) < roughness(raw)


def test_without_smoothing_the_coefficients_are_those_that_were_seen() -> None:
    landmarks = make_landmarks({"jawOpen": 0.4 * bump(3.0, 0.2)}, noise=NOISE)
    found = solve_coefficients(landmarks, FPS, 0.0, UNCALIBRATED)
    raw = replace(found, coefficients=landmarks.coefficients)
    for name in ("jawOpen", "eyeBlinkLeft", "browInnerUp"):
        np.testing.assert_array_equal(found.track(name), raw.track(name))


def test_a_resting_face_is_neutral_whatever_the_detector_says_of_it() -> None:
    still = {"browInnerUp": 0.5, "eyeBlinkLeft": 0.25, "eyeBlinkRight": 0.2, "eyeSquintLeft": 0.4, "mouthPucker": 0.2}
    still |= {"eyeLookDownLeft": 0.4, "eyeLookDownRight": 0.35, "eyeLookOutLeft": 0.1, "eyeLookInRight": 0.05}
    landmarks = make_landmarks({name: np.full(180, level) for name, level in still.items()}, noise=NOISE)
    found = solve_coefficients(landmarks, FPS, 1.0, CONFIG)
    assert found.coefficients.max() < 5.0 * NOISE
    assert np.sqrt(np.square(found.coefficients).mean()) < 0.01


def test_a_smile_that_is_kept_through_the_clip_stays_a_smile() -> None:
    smile = {f"mouthSmile{side}": np.full(180, 0.7) for side in ("Left", "Right")}
    found = solve_coefficients(make_landmarks(smile, noise=NOISE), FPS, 1.0, CONFIG)
    assert found.track("mouthSmileLeft").min() > 0.6


def test_a_full_blink_is_full_though_the_detector_says_less() -> None:
    blinks = {f"eyeBlink{side}": 0.15 + 0.55 * (bump(2.0, 0.25) + bump(4.0, 0.25)) for side in ("Left", "Right")}
    found = solve_coefficients(make_landmarks(blinks), FPS, 1.0, CONFIG)
    assert found.track("eyeBlinkLeft").max() > 0.95 and np.median(found.track("eyeBlinkLeft")) < 0.02


def test_left_and_right_are_not_exchanged() -> None:
    found = solve_coefficients(make_landmarks({"eyeBlinkLeft": 0.7 * bump(2.0, 0.3)}), FPS, 1.0, CONFIG)
    assert found.track("eyeBlinkLeft").max() > 0.9 and found.track("eyeBlinkRight").max() < 0.01


def test_the_gaze_does_not_jump_during_a_blink() -> None:
    blink, down = 0.15 + 0.55 * bump(3.0, 0.25), 0.3 + 0.5 * bump(3.0, 0.25)
    tracks: dict[str, Array] = {f"eyeBlink{side}": blink for side in ("Left", "Right")}
    tracks |= {f"eyeLookDown{side}": down for side in ("Left", "Right")}
    found = solve_coefficients(make_landmarks(tracks), FPS, 1.0, CONFIG)
    assert np.degrees(np.abs(find_eye_angles(found.coefficients))).max() < 3.0
    assert np.degrees(np.ptp(down)) * 0.4 > 10.0  # without the blink it would be looking down


def test_both_eyes_look_the_same_way_and_as_fast_as_they_did() -> None:
    frames = np.arange(180)
    aside: Array = np.where((frames >= 60) & (frames < 80), 0.8, 0.0).astype(float)
    tracks = {"eyeLookOutLeft": aside, "eyeLookInRight": 0.4 * aside}
    angles = np.degrees(find_eye_angles(solve_coefficients(make_landmarks(tracks), FPS, 1.0, CONFIG).coefficients))
    np.testing.assert_allclose(angles[:, 0], angles[:, 1], atol=1e-6)
    assert angles[61, 0, 0] > 0.9 * 0.56 * 30.0 and abs(angles[57, 0, 0]) < 2.0


def test_short_gaps_are_interpolated_and_long_ones_ease_to_neutral_and_back() -> None:
    landmarks = make_landmarks({"jawOpen": np.full(180, 0.6)})
    scores = np.ones(180)
    scores[30:35] = scores[80:140] = 0.0
    hidden = replace(landmarks, scores=scores, coefficients=landmarks.coefficients * scores[:, None])
    found = solve_coefficients(hidden, FPS, 1.0, UNCALIBRATED)
    jaw = found.track("jawOpen")
    assert jaw[25:40].min() > 0.59 and not found.scores[30:35].any()
    assert jaw[79] > 0.55 and jaw[140] > 0.55 and jaw[95:125].max() == 0.0
    assert np.abs(np.diff(jaw)).max() < 0.15


def test_a_clip_without_a_face_is_neutral_and_uncertain() -> None:
    landmarks = make_landmarks({})
    empty = replace(landmarks, scores=np.zeros(180), R_camera_head=np.zeros((180, 3, 3)))
    found = solve_coefficients(empty, FPS, 1.0, CONFIG)
    assert not found.coefficients.any() and not found.scores.any()


def test_a_frame_in_which_the_landmarks_slip_off_is_left_out() -> None:
    landmarks = make_landmarks({"mouthPucker": np.where(np.arange(180) == 90, 0.9, 0.0)})
    slipped = turn_faces(landmarks, rotation.IDENTITY)
    slipped[90] = turn_faces(landmarks, rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), 0.5))[0]
    kept = solve_coefficients(landmarks, FPS, 1.0, CONFIG)
    found = solve_coefficients(replace(landmarks, R_camera_head=slipped), FPS, 1.0, CONFIG)
    assert kept.track("mouthPucker").max() > 0.8  # the same coefficients where the head stays
    assert found.track("mouthPucker").max() < 0.01 and found.scores[90] == 0.0


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_clips_of_a_few_frames_have_a_face_too(frames: int) -> None:
    landmarks = make_landmarks({"jawOpen": np.full(frames, 0.5)}, seconds=frames / FPS)
    assert solve_coefficients(landmarks, FPS, 1.0, CONFIG).track("jawOpen").shape == (frames,)


@pytest.mark.parametrize(("height_px", "left"), [(24.0, 0.0), (36.0, 0.5), (60.0, 1.0)])
def test_what_is_too_small_to_be_read_is_damped_and_doubted(height_px: float, left: float) -> None:
    landmarks = make_landmarks({"mouthSmileLeft": np.full(180, 0.6)})
    small = replace(landmarks, box=np.tile([300.0, 200.0, 340.0, 200.0 + height_px], (180, 1)))
    near, far = (solve_coefficients(one, FPS, 1.0, UNCALIBRATED) for one in (landmarks, small))
    np.testing.assert_allclose(far.coefficients, left * near.coefficients, atol=1e-9)
    np.testing.assert_allclose(far.scores, left * near.scores, atol=1e-9)
