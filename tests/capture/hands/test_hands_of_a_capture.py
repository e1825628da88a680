"""Hands among the stages after the network: in the motion, from its file again, and in what is drawn and edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.config import CaptureConfig
from stc_core.capture.pose import CameraIntrinsics, Pose2D, Pose3D
from stc_core.capture.preview import panels, scene
from stc_core.capture.preview.config import PreviewConfig
from stc_core.capture.solve_lifted import remove_smoothing, solve_again, solve_lifted
from stc_core.events import ignore
from stc_core.motion.edit.loop import loop_motion
from stc_core.motion.edit.mirror import mirror_motion
from stc_core.motion.edit.reduce_keys import reduce_motion_keys
from stc_core.motion.fingers import FINGER_JOINTS, add_fingers, has_fingers
from stc_core.motion.hand_face_landmarks import HandLandmarks
from stc_core.motion.motion import Motion, load_motion, save_motion
from stc_core.motion.quality import measure_foot_slide, measure_jitter
from tests.synthetic import look_at_camera, views, walk

from .seen_hands import SKELETON, detect_hands

SIZE = (1280, 720)


def see_walk() -> tuple[Pose2D, Pose3D, CameraIntrinsics, HandLandmarks]:
    """Somebody who walks, with what a detector sees of the body and of relaxed hands."""
    motion, camera = walk(seconds=2.0), look_at_camera(size=SIZE)
    flat, lifted = views(motion, camera)
    lot, frames = np.random.default_rng(0), len(motion.t_world_root)
    bent = np.tile([1.0, 0.0, 0.0, 0.0], (frames, len(FINGER_JOINTS), 1))
    bent[..., 2] = 0.15 + 0.05 * lot.normal(size=(1, len(FINGER_JOINTS)))
    bent[:, 15:, 2] *= -1.0
    bent /= np.linalg.norm(bent, axis=-1, keepdims=True)
    q = np.concatenate([motion.q_parent_joint, bent], 1)
    scores = np.ones((frames, q.shape[1]))
    with_hands = replace(motion, skeleton=add_fingers(motion.skeleton), q_parent_joint=q, scores=scores, camera=camera)
    intrinsics = CameraIntrinsics(focal_px=float(camera.K[0, 0]), image_size=SIZE)
    return flat, lifted, intrinsics, detect_hands(with_hands, 0.5, 0.001)


@pytest.fixture(scope="module")
def plain() -> Motion:
    flat, lifted, intrinsics, _ = see_walk()
    return solve_lifted(flat, lifted, intrinsics, CaptureConfig(), ignore)


@pytest.fixture(scope="module")
def captured() -> Motion:
    flat, lifted, intrinsics, hands = see_walk()
    return solve_lifted(replace(flat, hands=hands), lifted, intrinsics, CaptureConfig(), ignore)


def test_a_capture_with_hands_has_fingers_and_the_same_body(plain: Motion, captured: Motion) -> None:
    assert not has_fingers(plain.skeleton) and plain.hand_landmarks is None
    assert captured.skeleton.joint_names == SKELETON.joint_names and captured.hand_landmarks is not None
    changed = {f"{side}_{part}" for side in ("left", "right") for part in ("lower_arm", "hand")}
    same = [joint for joint, name in enumerate(plain.skeleton.joint_names) if name not in changed]
    np.testing.assert_array_equal(captured.q_parent_joint[:, same], plain.q_parent_joint[:, same])
    np.testing.assert_array_equal(captured.t_world_root, plain.t_world_root)


def test_what_a_file_keeps_gives_the_same_hands_again(captured: Motion, tmp_path: Path) -> None:
    save_motion(captured, tmp_path / "walk.npz")
    again = solve_again(load_motion(tmp_path / "walk.npz"), 1.0, CaptureConfig().ground.feet)
    np.testing.assert_allclose(again.q_parent_joint, captured.q_parent_joint, atol=1e-6)
    np.testing.assert_allclose(again.scores, captured.scores, atol=1e-6)


def test_without_smoothing_fingers_tremble_more(captured: Motion) -> None:
    fingers = slice(len(SKELETON.joint_names) - len(FINGER_JOINTS), None)
    raw = remove_smoothing(captured, CaptureConfig())
    rough, smooth = (np.abs(np.diff(m.q_parent_joint[:, fingers], 3, axis=0)).mean() for m in (raw, captured))
    assert smooth < 0.7 * rough


def test_a_motion_with_fingers_is_edited_and_measured_like_any_other(captured: Motion) -> None:
    mirrored = mirror_motion(captured)
    left, right = (captured.skeleton.index(f"{side}_index_proximal") for side in ("left", "right"))
    np.testing.assert_allclose(
        np.abs(mirrored.q_parent_joint[:, right]), np.abs(captured.q_parent_joint[:, left]), atol=1e-9
    )
    assert mirrored.hand_landmarks is None and has_fingers(mirrored.skeleton)
    looped, _ = loop_motion(captured)
    assert has_fingers(looped.skeleton) and looped.hand_landmarks is None
    np.testing.assert_allclose(np.abs(looped.q_parent_joint[0]), np.abs(looped.q_parent_joint[-1]), atol=1e-9)
    reduced = reduce_motion_keys(captured, 0.005)
    assert reduced.keys_after < reduced.keys_before / 3 and reduced.error_m <= 0.005
    assert measure_jitter(captured) is not None and measure_foot_slide(captured) is not None


def test_fingers_and_what_was_seen_of_them_are_drawn(captured: Motion) -> None:
    config = PreviewConfig(panel_height_px=360)
    built = scene.build_scene(captured, config)
    assert built.fingers.sum() == 30 + 10, "of each finger the bone within the hand, and three with its tip"
    frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    drawn = panels.draw_video_panel(frame, built, 10, config)
    hidden = scene.build_scene(replace(captured, hand_landmarks=None), config)
    assert (drawn != panels.draw_video_panel(frame, hidden, 10, config)).any()
    assert panels.draw_turning_panel(built, 10, config).shape == (360, 360, 3)
