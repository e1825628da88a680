"""The whole way on a rendered clip whose every joint is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stc_core.capture.config import CaptureConfig, Quality, choose_detector, choose_lift, choose_weights
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.ground.config import Feet, GroundConfig
from stc_core.capture.intrinsics import CameraConfig
from stc_core.capture.layout import H36M17
from stc_core.capture.lift.config import LiftConfig
from stc_core.capture.pipeline import capture, capture_takes
from stc_core.capture.shots import ShotConfig
from stc_core.capture.smooth import SmoothConfig
from stc_core.capture.solve_lifted import restore_poses, solve_again, solve_lifted
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.datasets.ground_truth import GroundTruthClip, read_ground_truth
from stc_core.errors import UserError
from stc_core.evaluation.metrics import p_mpjpe
from stc_core.events import Event, Note, Progress, ignore
from stc_core.model.stcformer import STCFormer, STCFormerConfig
from stc_core.motion.motion import Motion

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"

LIMBS = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)


@pytest.fixture(scope="module")
def motion() -> Motion:
    return capture(SAMPLE)


@pytest.fixture(scope="module")
def known() -> GroundTruthClip:
    return read_ground_truth(SAMPLE.with_suffix(".npz"))


def limbs(motion: Motion) -> NDArray[Any]:
    return motion.landmarks["landmarks_3d"][:, [motion.landmark_names.index(name) for name in LIMBS]]


def test_the_limbs_are_where_they_were(motion: Motion, known: GroundTruthClip) -> None:
    found, true = limbs(motion), known.rows(LIMBS)
    assert found.shape == true.shape
    assert p_mpjpe(found, true) < 0.085  # what MediaPipe's own 3D reaches on such clips


def test_the_skeleton_lies_over_the_person_in_the_picture(motion: Motion, known: GroundTruthClip) -> None:
    assert motion.camera is not None
    seen = motion.camera.project(limbs(motion))
    true = known.camera.project(known.rows(LIMBS))
    height = np.ptp(true[..., 1], axis=1).mean()
    assert np.linalg.norm(seen - true, axis=-1).mean() < 0.05 * height


def test_nothing_sinks_and_feet_in_contact_stand_still(motion: Motion) -> None:
    feet = [motion.skeleton.index(f"{side}_foot") for side in ("left", "right")]
    positions = motion.positions()
    speed = np.linalg.norm(np.diff(positions[:, feet], axis=0), axis=-1)
    both = motion.contacts[1:] & motion.contacts[:-1]
    assert both.any() and speed[both].mean() < 0.003
    assert positions[..., 2].min() > -0.02


def test_the_same_video_gives_the_same_motion(motion: Motion) -> None:
    again = capture(SAMPLE)
    assert np.array_equal(again.q_parent_joint, motion.q_parent_joint)
    assert np.array_equal(again.t_world_root, motion.t_world_root)


def test_smoothing_anew_is_what_a_capture_with_that_smoothing_gives(motion: Motion) -> None:
    asked: tuple[tuple[float, Feet], ...] = ((1.0, "auto"), (0.0, "auto"), (2.0, "never"))
    for strength, feet in asked:
        config = CaptureConfig(smooth=SmoothConfig(strength=strength), ground=GroundConfig(feet=feet))
        captured = solve_lifted(*restore_poses(motion), config, ignore)
        again = solve_again(motion, strength, feet)
        assert np.array_equal(again.q_parent_joint, captured.q_parent_joint)
        assert np.array_equal(again.t_world_root, captured.t_world_root) and again.settings == captured.settings
    assert np.array_equal(solve_again(motion, 1.0, "auto").q_parent_joint, motion.q_parent_joint)
    assert np.array_equal(solve_again(again, 1.0, "auto").t_world_root, motion.t_world_root)  # nothing is lost


def test_slow_motion_gives_the_same_poses_in_less_time(motion: Motion) -> None:
    slow = capture(SAMPLE, CaptureConfig(video=VideoConfig(end_s=2.0, slow_motion=2.0)))
    assert slow.fps == pytest.approx(2 * motion.fps) and len(slow.t_world_root) == round(2 * motion.fps)


def test_published_weights_walk_the_whole_way(tmp_path: Path) -> None:
    """Random ones, in the published form: 17 joints, no feet, hands or ears. Nothing is missing but the accuracy."""
    torch.manual_seed(0)
    torch.save(STCFormer(STCFormerConfig(width=32, blocks=2)).state_dict(), tmp_path / "published.pth")
    config = CaptureConfig(weights=tmp_path / "published.pth", video=VideoConfig(end_s=1.0))
    motion = capture(SAMPLE, config)
    assert motion.landmark_names == H36M17.names and len(motion.t_world_root) == 30
    assert np.isfinite(motion.positions()).all()


def cut_together(path: Path, *parts: list[NDArray[Any]]) -> Path:
    """The pictures of the parts after each other, as a video."""
    height, width = parts[0][0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (width, height))
    for picture in (picture for part in parts for picture in part):
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[Any]]:
    return [frame for _, frame in open_video(SAMPLE, VideoConfig(end_s=2.0))]


def test_a_clip_with_cuts_becomes_a_motion_for_each_take_with_a_person(
    pictures: list[NDArray[Any]], tmp_path: Path
) -> None:
    mirrored = [picture[:, ::-1].copy() for picture in pictures]
    empty = [np.full_like(pictures[0], 128) for _ in range(20)]
    path = cut_together(tmp_path / "clip.mp4", pictures[:20], mirrored[:10], empty, mirrored[10:40], pictures[:4])
    events: list[Event] = []
    motions = capture_takes(path, CaptureConfig(), events.append)
    assert {name: len(motion.t_world_root) for name, motion in motions.items()} == {"_take1": 20, "_take4": 30}
    assert [motion.start_s for motion in motions.values()] == pytest.approx([0.0, 50 / 30.0])
    assert np.array_equal(capture(path).t_world_root, motions["_take4"].t_world_root)
    told = [event.message for event in events if isinstance(event, Note) and event.kind == "cut"]
    assert any("Take 2 (0.67-1.00 s) is too short" in note for note in told)
    assert any("Take 3 (1.00-1.67 s) is left out" in note and "nobody was found" in note for note in told)
    assert "cuts at 0.67 s, 1.00 s, 1.67 s, 2.67 s" in told[-1] and "_take4 is the longest" in told[-1]
    lens = [event.message[:6] for event in events if isinstance(event, Note) and "focal length" in event.message]
    assert lens == ["Take 1", "Take 4"]
    for stage in ("detect", "lift", "smooth", "ground", "solve"):
        done = [(event.done, event.total) for event in events if isinstance(event, Progress) and event.stage == stage]
        assert done == sorted(done) and done[-1][0] == done[-1][1]


def test_a_take_alone_has_the_motion_that_its_own_clip_would_have(pictures: list[NDArray[Any]], tmp_path: Path) -> None:
    empty = [np.full_like(pictures[0], 128) for _ in range(20)]
    notes: list[Event] = []
    motions = capture_takes(cut_together(tmp_path / "cut.mp4", empty, pictures[:40]), CaptureConfig(), notes.append)
    assert list(motions) == [""] and any("the one take at 0.67 s" in n.message for n in notes if isinstance(n, Note))
    alone = capture(cut_together(tmp_path / "alone.mp4", pictures[:40]))
    assert np.abs(motions[""].positions() - alone.positions()).mean() < 0.01  # the encoder's bits differ


def test_cuts_can_be_passed_over(pictures: list[NDArray[Any]], tmp_path: Path) -> None:
    mirrored = [picture[:, ::-1].copy() for picture in pictures]
    path = cut_together(tmp_path / "clip.mp4", pictures[:15], mirrored[:15])
    motions = capture_takes(path, CaptureConfig(shots=ShotConfig(takes=False)))
    assert len(motions[""].t_world_root) == 30
    with pytest.raises(UserError, match=r"1 cuts, and no take .* --no-takes"):
        capture_takes(path, CaptureConfig(shots=ShotConfig(least_take_s=3.0)))


@pytest.mark.parametrize(
    ("quality", "weights", "network", "is_flipped"),
    [
        ("fast", "body27.safetensors", "lite", False),
        ("good", "body27_large.safetensors", "full", False),
        ("best", "body27_large.safetensors", "heavy", True),
    ],
)
def test_a_quality_picks_the_networks(quality: Quality, weights: str, network: str, is_flipped: bool) -> None:
    config = CaptureConfig(quality=quality)
    assert (choose_weights(config).name, choose_detector(config).network) == (weights, network)
    settings = capture(SAMPLE, replace(config, video=VideoConfig(end_s=0.3))).settings
    assert (settings["weights"], settings["detect"]["model"], settings["quality"]) == (weights, network, quality)
    assert settings["lift"]["flip"] is is_flipped


def test_networks_asked_for_go_before_those_of_the_quality() -> None:
    config = CaptureConfig(weights=Path("mine.safetensors"), quality="fast", detect=DetectConfig(model="heavy"))
    assert (choose_weights(config), choose_detector(config).network) == (Path("mine.safetensors"), "heavy")
    assert choose_lift(replace(config, lift=LiftConfig(flip=True))).flip and not choose_lift(config).flip


@pytest.mark.parametrize(("quality", "is_found"), [("fast", False), ("good", False), ("best", True)])
def test_hands_and_face_are_found_where_asked_for_else_by_the_quality(quality: Quality, is_found: bool) -> None:
    chosen = choose_detector(CaptureConfig(quality=quality))
    assert (chosen.hands, chosen.face) == (is_found, is_found)
    chosen = choose_detector(CaptureConfig(quality=quality, detect=DetectConfig(hands=not is_found)))
    assert (chosen.hands, chosen.face) == (not is_found, is_found)


def test_missing_weights_are_named() -> None:
    with pytest.raises(UserError, match=r"none\.safetensors"):
        capture(SAMPLE, CaptureConfig(weights=Path("none.safetensors")))


def write_panned(path: Path, known: GroundTruthClip, frames: int = 40, turn_deg: float = 10.0) -> Path:
    """The sample as a camera of 720 by 540 pixels shows it that pans, with a pattern around the person."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (720, 540))
    pattern = np.random.default_rng(0).integers(40, 200, (45, 80, 1)).repeat(12, 0).repeat(12, 1).astype(np.uint8)
    seen = known.camera.project(known.landmarks)[:frames].reshape(-1, 2)
    (x0, y0), (x1, y1) = (seen.min(0) - 30).astype(int), (seen.max(0) + 30).astype(int)
    narrow = known.camera.K - np.array([[0.0, 0.0, 120.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    turns = np.radians(np.linspace(-turn_deg / 2.0, turn_deg / 2.0, frames))
    for turn, (_, frame) in zip(turns, open_video(SAMPLE, VideoConfig()), strict=False):
        picture = np.repeat(pattern, 3, 2)
        picture[y0:y1, x0:x1] = frame[y0:y1, x0:x1, ::-1]
        R = cv2.Rodrigues(np.array([0.0, -turn, 0.0]))[0]
        writer.write(cv2.warpPerspective(picture, narrow @ R @ np.linalg.inv(known.camera.K), (720, 540)))
    writer.release()
    return path


def test_a_camera_that_turns_is_followed_and_kept_for_smoothing_anew(tmp_path: Path, known: GroundTruthClip) -> None:
    video, notes = write_panned(tmp_path / "panned.mp4", known), list[Event]()
    lens = CameraConfig(focal_px=float(known.camera.K[0, 0]))
    motion = capture(video, CaptureConfig(quality="fast", camera=lens), notes.append)
    assert motion.camera is not None and motion.camera.path is not None
    assert any(isinstance(note, Note) and note.kind == "camera" and "one place" in note.message for note in notes)
    turned = np.degrees(np.arccos(motion.camera.path.R[-1, 2] @ motion.camera.path.R[0, 2]))
    assert turned == pytest.approx(10.0, abs=0.1)
    again = solve_again(motion, smoothing=1.0, feet="auto")
    assert again.camera is not None and again.camera.path is not None
    np.testing.assert_allclose(again.camera.path.t, motion.camera.path.t, atol=1e-6)
    np.testing.assert_allclose(again.t_world_root, motion.t_world_root, atol=1e-6)
    still = replace(CaptureConfig(quality="fast").camera_motion, follow_camera=False)
    notes.clear()
    motion = capture(video, CaptureConfig(quality="fast", camera_motion=still), notes.append)
    assert motion.camera is not None and motion.camera.path is None
    assert any(isinstance(note, Note) and "taken to stand still" in note.message for note in notes)
