"""The preview shows each moment over the frame nearest in time, draws what is there, leaves no half file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stc_core.capture.layout import BODY27
from stc_core.capture.pose import Frame, TimedFrame
from stc_core.capture.preview import panels, preview, scene
from stc_core.capture.preview.config import PreviewConfig
from stc_core.capture.preview.preview import write_contact_sheet, write_preview
from stc_core.errors import UserError
from stc_core.events import Event, Progress, ignore
from stc_core.motion.motion import Motion
from tests.synthetic import landmarks, look_at_camera, views, walk

SMALL = PreviewConfig(panel_height_px=120, sheet_width_px=400)
SIZE = (320, 180)


def seen_walk(**changes: Any) -> Motion:
    motion, camera = walk(seconds=1.0), look_at_camera(size=SIZE)
    flat, _ = views(motion, camera)
    found = {"landmarks_2d": flat.keypoints, "landmark_scores": flat.scores, "landmarks_3d": landmarks(motion)}
    return replace(motion, camera=camera, landmark_names=BODY27.names, landmarks=found, **changes)


def grey(count: int = 30, fps: float = 30.0, size: tuple[int, int] = SIZE) -> Iterator[TimedFrame]:
    for index in range(count):
        yield index / fps, np.full((size[1], size[0], 3), 5 * index, np.uint8)


def read(path: Path) -> tuple[list[Frame], float]:
    capture = cv2.VideoCapture(str(path))
    pictures: list[Frame] = []
    while (step := capture.read())[0]:
        pictures.append(np.asarray(step[1][..., ::-1], np.uint8))
    return pictures, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".webm"])
def test_the_video_has_the_motions_length_and_rate_in_every_format(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"preview{suffix}"
    motion = replace(seen_walk(), fps=29.97)
    write_preview(grey(), motion, path, SMALL, ignore)
    pictures, fps = read(path)
    assert len(pictures) == 30 and fps == pytest.approx(29.97, abs=0.01)
    assert pictures[0].shape == (120, 214 + 120, 3)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert capfd.readouterr().err == "" or suffix == ".webm"


def test_each_moment_shows_the_frame_nearest_in_time() -> None:
    times = np.array([0.0, 0.1, 0.13, 0.5, 0.9])
    frames = ((time_s, np.full((2, 2, 3), i, np.uint8)) for i, time_s in enumerate(times))
    wanted = np.linspace(0.003, 1.003, 41)
    shown = {place: int(frame[0, 0, 0]) for place, frame in preview._find_nearest(frames, wanted)}
    assert [shown[place] for place in range(41)] == np.abs(wanted[:, None] - times).argmin(1).tolist()


def test_frames_after_the_motions_end_are_not_read() -> None:
    read_times = []

    def frames() -> Iterator[TimedFrame]:
        for time_s, frame in grey(1000):
            read_times.append(time_s)
            yield time_s, frame

    assert len(list(preview._find_nearest(frames(), np.arange(10) / 30.0))) == 10
    assert len(read_times) <= 12


def test_a_motion_that_begins_later_is_shown_over_its_own_frames(tmp_path: Path) -> None:
    write_preview(grey(60), replace(seen_walk(), start_s=1.0), tmp_path / "p.avi", SMALL, ignore)
    pictures, _ = read(tmp_path / "p.avi")
    corner = [int(picture[2, 2].mean()) for picture in pictures]
    np.testing.assert_allclose(corner, 5 * np.arange(30, 60) % 256, atol=12)


def test_fast_motions_are_thinned_and_keep_their_duration(tmp_path: Path) -> None:
    motion = walk(fps=120.0, seconds=1.0)
    write_preview(grey(), motion, tmp_path / "p.mp4", SMALL, ignore)
    pictures, fps = read(tmp_path / "p.mp4")
    assert len(pictures) == 60 and fps == pytest.approx(60.0)


def panel(motion: Motion, index: int = 0, config: PreviewConfig = SMALL) -> tuple[Frame, Frame]:
    drawn = scene.build_scene(motion, config)
    frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    return panels.draw_video_panel(frame, drawn, index, config), panels.draw_turning_panel(drawn, index, config)


def share(picture: Frame, colour: Any) -> float:
    result: float = (np.abs(picture.astype(int) - colour).max(-1) < 40).mean()
    return result


def test_the_skeleton_lies_where_the_camera_sees_it() -> None:
    motion = replace(seen_walk(), landmarks={}, landmark_names=())
    picture, _ = panel(motion, 10, PreviewConfig(panel_height_px=SIZE[1]))
    for name, colour in (("left_upper_arm", scene.LEFT), ("right_upper_arm", scene.RIGHT)):
        joints = motion.positions()[10]
        elbow = motion.skeleton.index(name.replace("upper", "lower"))
        middle = (joints[motion.skeleton.index(name)] + joints[elbow]) / 2.0
        assert motion.camera is not None
        x, y = motion.camera.project(middle).round().astype(int)
        patch = picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).astype(int)
        assert np.abs(patch - colour).max(-1).min() < 60, name


def test_landmarks_are_coloured_by_score() -> None:
    motion = seen_walk()
    sure = panel(replace(motion, camera=None))[0]
    landmarks_2d = motion.landmarks["landmarks_2d"]
    unsure = {"landmarks_2d": landmarks_2d, "landmark_scores": np.zeros(landmarks_2d.shape[:2])}
    doubtful = panel(replace(motion, camera=None, landmarks=unsure))[0]
    assert share(sure, panels._SURE) > 0.002 > 0.0 == share(sure, panels._UNSURE)
    assert share(doubtful, panels._UNSURE) > 0.002 > 0.0 == share(doubtful, panels._SURE)


def test_a_foot_is_lit_only_in_contact() -> None:
    motion = seen_walk()
    on, off = (panel(replace(motion, contacts=np.full((30, 2), flag)))[1] for flag in (True, False))
    assert share(on, panels._CONTACT) > 0.0005 > 0.0 == share(off, panels._CONTACT)


def test_what_was_guessed_is_grey() -> None:
    motion = seen_walk()
    seen, guessed = (panel(replace(motion, scores=np.full(motion.scores.shape, s)))[1] for s in (1.0, 0.0))
    assert share(seen, scene.LEFT) > 0.001 and share(guessed, scene.LEFT) == 0.0


def test_the_view_turns_and_keeps_the_walker_inside(tmp_path: Path) -> None:
    motion = walk(seconds=12.0)
    drawn = scene.build_scene(motion, SMALL)
    views_x = []
    for index in range(0, 360, 15):
        camera = scene.turning_view(drawn, index, SMALL)
        pixels = camera.project(drawn.bones[index])
        assert (pixels > 0).all() and (pixels < SMALL.panel_height_px).all()
        np.testing.assert_allclose(np.cross(camera.R[0], camera.R[1]), camera.R[2], atol=1e-12)
        views_x.append(camera.R[0, 0])
    assert np.ptp(views_x) > 1.9


def test_both_panels_begin_from_the_videos_side() -> None:
    motion = seen_walk()
    assert motion.camera is not None
    left_is_right = [
        camera.project(motion.positions()[0])[motion.skeleton.index("left_upper_arm"), 0]
        > camera.project(motion.positions()[0])[motion.skeleton.index("right_upper_arm"), 0]
        for camera in (motion.camera, scene.turning_view(scene.build_scene(motion, SMALL), 0, SMALL))
    ]
    assert left_is_right == [True, True]


def test_points_behind_the_camera_and_far_away_are_left_out() -> None:
    motion = seen_walk()
    inside = look_at_camera(eye=(0.0, 0.05, 0.9), target=(0.0, -1.0, 0.9), size=SIZE)
    far = {"landmarks_2d": np.full((30, 27, 2), 1e12), "landmark_scores": np.ones((30, 27))}
    picture, _ = panel(replace(motion, camera=inside, landmarks=far))
    assert picture.shape == (120, 214, 3)


def test_a_bare_motion_without_camera_or_landmarks_is_drawn(tmp_path: Path) -> None:
    write_preview(grey(), walk(seconds=1.0), tmp_path / "p.mp4", SMALL, ignore)
    assert len(read(tmp_path / "p.mp4")[0]) == 30


@pytest.mark.parametrize("frames", [1, 5, 30])
def test_the_sheet_is_the_same_with_the_video_and_alone(tmp_path: Path, frames: int) -> None:
    motion = seen_walk()
    parts = {name: getattr(motion, name)[:frames] for name in ("t_world_root", "q_parent_joint", "contacts", "scores")}
    motion = replace(motion, **parts, landmarks={name: a[:frames] for name, a in motion.landmarks.items()})
    write_preview(grey(), motion, tmp_path / "p.mp4", SMALL, ignore, tmp_path / "with.png")
    write_contact_sheet(grey(), motion, tmp_path / "alone.png", SMALL, ignore)
    together, alone = (cv2.imread(str(tmp_path / name)) for name in ("with.png", "alone.png"))
    np.testing.assert_array_equal(together, alone)
    assert together.shape[1] == SMALL.sheet_width_px
    assert sorted(file.name for file in tmp_path.iterdir()) == ["alone.png", "p.mp4", "with.png"]


def test_a_reader_that_fails_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "p.mp4"
    path.write_bytes(b"old")

    def frames() -> Iterator[TimedFrame]:
        yield from grey(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_preview(frames(), seen_walk(), path, SMALL, ignore, tmp_path / "s.png")
    assert path.read_bytes() == b"old" and [file.name for file in tmp_path.iterdir()] == ["p.mp4"]


@pytest.mark.parametrize("name", ["nowhere/p.mp4", "p.xyz"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="p"):
        write_preview(grey(), seen_walk(), tmp_path / name, SMALL, ignore)


def test_a_sheet_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"s\.png"):
        write_contact_sheet(grey(), seen_walk(), tmp_path / "nowhere" / "s.png", SMALL, ignore)


def test_progress_ends_at_the_number_of_pictures(tmp_path: Path) -> None:
    events: list[Event] = []
    write_preview(grey(), seen_walk(), tmp_path / "p.mp4", SMALL, events.append)
    assert events[-1] == Progress("preview", 30, 30)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
@pytest.mark.parametrize("name", [b"a%04d", b"b\xe4"])
def test_a_folder_of_any_name_takes_a_preview(tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    write_preview(grey(), walk(seconds=1.0), folder / "p.mp4", SMALL, ignore)
    assert [path.name for path in folder.iterdir()] == ["p.mp4"]
