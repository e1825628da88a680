"""A capture's face goes through the stages and its file, and comes out the same when it is solved again."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stc_core.capture.config import CaptureConfig
from stc_core.capture.face.config import FaceConfig
from stc_core.capture.pose import CameraIntrinsics
from stc_core.capture.smooth import SmoothConfig
from stc_core.capture.solve_lifted import remove_smoothing, solve_again, solve_lifted
from stc_core.events import ignore
from stc_core.geometry import rotation
from stc_core.motion.hand_face_landmarks import FaceLandmarks
from stc_core.motion.motion import Motion, load_motion, save_motion
from tests.capture.face.tracks import bump, make_landmarks, turn_faces
from tests.synthetic import look_at_camera, stand, views

SECONDS = 2.0


def capture(with_face: bool, config: CaptureConfig | None = None) -> Motion:
    body, camera = stand(seconds=SECONDS), look_at_camera()
    flat, deep = views(body, camera)
    flat = replace(flat, face=see_face() if with_face else None)
    lens = CameraIntrinsics(focal_px=float(camera.K[0, 0]), image_size=camera.image_size)
    return solve_lifted(flat, deep, lens, config or CaptureConfig(), ignore)


def see_face() -> FaceLandmarks:
    frames = len(stand(seconds=SECONDS).t_world_root)
    seen = make_landmarks({"jawOpen": 0.6 * bump(1.0, 0.5, SECONDS)[:frames]}, seconds=frames / 30.0, noise=0.01)
    turn = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), 0.2 * np.sin(np.arange(frames) / 10.0))
    return replace(seen, R_camera_head=turn_faces(seen, turn))


def test_without_a_face_the_body_is_the_same_to_the_last_bit() -> None:
    with_face, without = capture(True, CaptureConfig(face=FaceConfig(head_from_face=False))), capture(False)
    assert without.face is None and without.face_landmarks is None and with_face.face is not None
    np.testing.assert_array_equal(with_face.q_parent_joint, without.q_parent_joint)
    np.testing.assert_array_equal(with_face.t_world_root, without.t_world_root)


def test_a_saved_face_is_solved_again_as_a_capture_with_that_smoothing_gives(tmp_path: Path) -> None:
    save_motion(capture(True), tmp_path / "motion.npz")
    kept = load_motion(tmp_path / "motion.npz")
    for strength in (0.0, 1.0, 3.0):
        expected = capture(True, CaptureConfig(smooth=SmoothConfig(strength=strength)))
        again = solve_again(kept, strength, "auto")
        assert again.face is not None and expected.face is not None
        np.testing.assert_allclose(again.face.coefficients, expected.face.coefficients, atol=1e-6)
        np.testing.assert_allclose(again.q_parent_joint, expected.q_parent_joint, atol=1e-4)


def test_settings_of_the_face_are_kept(tmp_path: Path) -> None:
    motion = capture(True, CaptureConfig(face=FaceConfig(calibrate_face=False, head_from_face=False)))
    again = solve_again(motion, 1.0, "auto")
    assert again.face is not None and motion.face is not None
    np.testing.assert_array_equal(again.face.coefficients, motion.face.coefficients)
    np.testing.assert_array_equal(again.q_parent_joint, motion.q_parent_joint)


def test_the_raw_motion_has_the_face_without_smoothing() -> None:
    motion = capture(True, CaptureConfig(face=FaceConfig(calibrate_face=False)))
    raw = remove_smoothing(motion, CaptureConfig(face=FaceConfig(calibrate_face=False)))
    assert raw.face is not None
    seen = replace(raw.face, coefficients=see_face().coefficients)
    np.testing.assert_array_equal(raw.face.track("jawOpen"), seen.track("jawOpen"))
