"""Corrected captures become pairs of what was seen and what was true, frame by frame at the same time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27
from stc_core.datasets import corrections
from stc_core.datasets.dataset_plan import TakeClips
from stc_core.datasets.shards import Shards, open_shards
from stc_core.errors import UserError
from stc_core.events import Event, Note
from stc_core.geometry import rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import CameraPath, Motion, save_motion
from tests import synthetic

CAMERA = synthetic.look_at_camera(eye=(1.0, -4.0, 1.4))


def correct_motion(motion: Motion) -> Motion:
    """The left arm lifted by half a radian, the whole body moved a little."""
    q = motion.q_parent_joint.copy()
    arm = motion.skeleton.index("left_upper_arm")
    q[:, arm] = rotation.mul(rotation.from_axis_angle([0.0, -1.0, 0.0], np.array(0.5)), q[:, arm])
    return replace(motion, q_parent_joint=q, t_world_root=motion.t_world_root + [0.02, 0.0, 0.01])


def capture(motion: Motion, seen: Motion | None = None, start_s: float = 1.5) -> Motion:
    """A motion file as `capture` writes it; the picture shows `seen`."""
    world = synthetic.landmarks(motion)
    pixels = CAMERA.project(synthetic.landmarks(seen or motion))
    landmarks = {"landmarks_3d": world, "landmarks_2d": pixels, "landmark_scores": np.ones(world.shape[:2])}
    return replace(motion, start_s=start_s, landmark_names=BODY27.names, landmarks=landmarks, camera=CAMERA)


def save_pair(folder: Path, made: Motion, corrected: Motion | None = None) -> Path:
    folder.mkdir(parents=True)
    save_motion(made, folder / "capture.npz")
    if corrected is not None:
        save_motion(corrected, folder / "corrected.npz")
    return folder


def prepare_shards(folder: Path, out: Path) -> Shards:
    corrections.prepare_corrections(folder, out / "captured", lambda event: None)
    (source,) = open_shards(out, check=True)
    return source


def truth(motion: Motion) -> NDArray[Any]:
    return synthetic.landmarks(motion) @ CAMERA.R.T + CAMERA.t


def test_2d_is_the_captures_and_3d_the_corrections(tmp_path: Path) -> None:
    motion = synthetic.walk(seconds=2.0)
    made = capture(motion, correct_motion(motion))
    save_pair(tmp_path / "c" / "walk", made, replace(correct_motion(made), landmarks=made.landmarks))
    source = prepare_shards(tmp_path / "c", tmp_path / "out")
    (row,) = source.clips
    assert (source.source, source.layout, source.kind) == ("captured", "body27", "views")
    assert (row.name, row.subject, row.fps, row.frames, row.image_size) == ("walk", "walk", 30.0, 60, (1280, 720))
    np.testing.assert_allclose(source.joints, truth(correct_motion(motion)), atol=1e-4)
    assert source.keypoints is not None and row.K is not None
    np.testing.assert_allclose(source.keypoints, made.landmarks["landmarks_2d"], atol=1e-3)
    np.testing.assert_allclose(np.reshape(row.K, (3, 3)), CAMERA.K)
    assert source.valid.all() and source.notes == (
        "walk: 60 of 60 frames are used; dropped none. They lie 0 pixels from the picture.",
    )


def test_what_is_no_joint_stands_where_it_was_surely_seen(tmp_path: Path) -> None:
    motion = synthetic.walk(seconds=2.0)
    made = capture(motion)
    toe = BODY27.index("left_toe")
    for frames, score, shift in ((slice(0, 20), 0.1, 0.5), (slice(20, 22), 0.9, 0.5)):
        made.landmarks["landmarks_3d"][frames, toe] += shift
        made.landmarks["landmark_scores"][frames, toe] = score
    save_pair(tmp_path / "c" / "walk", made, made)
    np.testing.assert_allclose(prepare_shards(tmp_path / "c", tmp_path / "out").joints, truth(motion), atol=1e-4)


def test_frames_are_brought_together_by_time(tmp_path: Path) -> None:
    motion = synthetic.walk(seconds=2.0)
    kept = ("t_world_root", "q_parent_joint", "contacts", "scores")
    late = replace(motion, start_s=1.5 + 10 / 30, **{name: getattr(motion, name)[10:40] for name in kept})
    save_pair(tmp_path / "c" / "walk", capture(motion), late)
    source = prepare_shards(tmp_path / "c", tmp_path / "out")
    assert list(np.flatnonzero(source.valid)) == list(range(10, 40))
    np.testing.assert_allclose(source.joints[10:40], truth(motion)[10:40], atol=1e-4)
    assert "30 of 60 frames are used; dropped 30 without a correction." in source.notes[0]


def test_unseen_and_misaligned_frames_are_dropped_and_told(tmp_path: Path) -> None:
    motion = synthetic.walk(seconds=2.0)
    made = capture(motion)
    made.landmarks["landmark_scores"][5:10] = 0.1
    corrected = replace(motion, start_s=1.5, t_world_root=motion.t_world_root.copy())
    corrected.t_world_root[20:32, 0] += 0.4
    save_pair(tmp_path / "c" / "walk", made, corrected)
    source = prepare_shards(tmp_path / "c", tmp_path / "out")
    assert list(np.flatnonzero(~source.valid)) == [*range(5, 10), *range(20, 32)]
    assert "dropped 5 hardly seen, 12 whose correction lies beside the picture" in source.notes[0]


def test_what_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    motion = synthetic.walk(seconds=2.0)
    made, folder = capture(motion), tmp_path / "c"
    save_pair(folder / "good", made, motion_at(made))
    save_pair(folder / "alone", made)
    save_pair(folder / "away", made, replace(motion_at(made), t_world_root=motion.t_world_root + [1.0, 0.0, 0.0]))
    save_pair(folder / "bare", motion, motion)
    (save_pair(folder / "torn", made) / "corrected.npz").write_bytes(b"half a file")
    notes = prepare_shards(folder, tmp_path / "out").notes
    assert [note.split(":")[0] for note in notes] == [
        *("Left out alone", "Left out away", "Left out bare", "good", "Left out torn"),
    ]
    for note, words in zip(
        notes, ("neither corrected", "beside the picture", "lacks its camera", "60", "not a motion"), strict=True
    ):
        assert words in note
    with pytest.raises(UserError, match="holds no NAME/capture"):
        corrections.plan_corrections(tmp_path / "nothing")


def motion_at(made: Motion) -> Motion:
    return replace(made, landmark_names=(), landmarks={}, camera=None)


def test_a_new_correction_is_added_and_the_old_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = capture(synthetic.walk(seconds=1.0))
    save_pair(tmp_path / "c" / "a", made, motion_at(made))
    assert len(prepare_shards(tmp_path / "c", tmp_path / "out").clips) == 1
    save_pair(tmp_path / "c" / "b", made, motion_at(made))
    read = corrections._read_take
    names: list[str] = []

    def log_and_read(folder: Path, config: corrections.CorrectionsConfig) -> TakeClips:
        names.append(folder.name)
        return read(folder, config)

    monkeypatch.setattr(corrections, "_read_take", log_and_read)
    told: list[Event] = []
    corrections.prepare_corrections(tmp_path / "c", tmp_path / "out" / "captured", told.append)
    assert names == ["b"] and [event.message[:2] for event in told if isinstance(event, Note)] == ["b:"]
    assert [row.name for row in open_shards(tmp_path / "out", check=True)[0].clips] == ["a", "b"]


def optical(folder: Path, motion: Motion, start_s: float, told_s: float | None) -> Path:
    """A recording in axes and at a place of its own, twice as often as the video."""
    world = rotation.from_axis_angle([0.0, 0.0, 1.0], np.array(2.0))
    q = motion.q_parent_joint.copy()
    q[:, 0] = rotation.mul(world, q[:, 0])
    moved = replace(
        motion, t_world_root=rotation.rotate(world, motion.t_world_root) + [3.0, 1.0, 0.0], q_parent_joint=q
    )
    write_bvh(moved, folder / "optical.bvh")
    if told_s is not None:
        (folder / "sync.json").write_text(json.dumps({"optical_start_s": told_s}))
    return folder


def make_turning_walk(fps: float) -> Motion:
    return synthetic.walk(fps=fps, seconds=4.0, turn_deg_per_s=40.0)


def test_a_recording_beside_the_video_is_laid_on_the_picture(tmp_path: Path) -> None:
    made = capture(make_turning_walk(30.0))
    noise = np.random.default_rng(0).normal(0.0, 0.02, (len(made.t_world_root), 27, 3))
    drift = np.linspace(0.0, 0.3, len(noise))[:, None, None] * [0.0, 1.0, 0.0]
    made.landmarks["landmarks_3d"] += noise + drift  # the capture's own 3D is not to be trusted
    optical(save_pair(tmp_path / "c" / "walk", made), make_turning_walk(60.0), 1.5, 1.5)
    source = prepare_shards(tmp_path / "c", tmp_path / "out")
    joints = [
        BODY27.index(f"{s}_{n}") for s in ("left", "right") for n in ("hip", "knee", "ankle", "shoulder", "wrist")
    ]
    away = np.linalg.norm(source.joints - truth(make_turning_walk(30.0)), axis=-1)
    assert source.valid[:-1].all() and away[:-1, joints].max() < 0.01 and away[:-1].max() < 0.05
    assert len(source.notes) == 1


def test_a_recording_told_to_start_at_the_wrong_time_says_when_it_would_fit(tmp_path: Path) -> None:
    made = capture(make_turning_walk(30.0))
    optical(save_pair(tmp_path / "c" / "walk", made), make_turning_walk(60.0), 1.5, 1.2)
    notes = prepare_shards(tmp_path / "c", tmp_path / "out").notes
    assert "fits better if it starts at 1.50 s" in notes[0]


@pytest.mark.parametrize(("told", "message"), [(None, "share no time"), ("text", "is not understood")])
def test_a_recording_without_a_common_time_is_named(tmp_path: Path, told: str | None, message: str) -> None:
    made = capture(make_turning_walk(30.0), start_s=30.0)
    folder = optical(save_pair(tmp_path / "c" / "walk", made), make_turning_walk(60.0), 30.0, None)
    if told:
        (folder / "sync.json").write_text(told)
    with pytest.raises(UserError, match=message):
        corrections.prepare_corrections(tmp_path / "c", tmp_path / "out" / "captured", lambda event: None)


def test_an_edit_is_how_far_it_moved_each_landmark_against_the_pelvis(tmp_path: Path) -> None:
    walk = synthetic.walk(seconds=2.0)
    edited = correct_motion(walk)
    q = edited.q_parent_joint.copy()
    q[:20] = walk.q_parent_joint[:20]
    save_pair(tmp_path / "one", capture(walk), replace(edited, q_parent_joint=q, start_s=1.5))
    save_pair(tmp_path / "none", capture(walk), replace(walk, start_s=1.5))
    told: list[Event] = []
    (edit,) = corrections.load_edits(tmp_path, told.append)
    assert edit.name == "one" and "none" in str(told[0])
    moved = edit.shift.any(-1)
    names = [BODY27.names[index] for index in np.flatnonzero(moved.any(0))]
    assert not moved[:20].any() and set(names) == {f"left_{n}" for n in ("elbow", "wrist", "index", "pinky")}
    shift = truth(edited) - truth(walk)
    wanted = (shift - shift[:, :1])[20:, BODY27.index("left_wrist")]
    assert np.allclose(edit.shift[20:, BODY27.index("left_wrist")], wanted, atol=1e-6)


def test_an_edit_before_a_camera_that_turns_lies_in_each_frames_axes(tmp_path: Path) -> None:
    walk = synthetic.walk(seconds=1.0)
    frames = len(walk.t_world_root)
    turns = rotation.to_matrix(rotation.from_axis_angle([0.0, 1.0, 0.0], np.linspace(0.0, 0.3, frames)))
    path = CameraPath(R=turns @ CAMERA.R, t=turns @ CAMERA.t, focal_px=np.full(frames, CAMERA.K[0, 0]))
    turning = replace(CAMERA, path=path)
    made = replace(capture(walk), camera=turning)
    save_pair(tmp_path / "one", made, replace(correct_motion(walk), start_s=1.5))
    (edit,) = corrections.load_edits(tmp_path, lambda event: None)
    moved = synthetic.landmarks(correct_motion(walk)) - synthetic.landmarks(walk)
    wrist = BODY27.index("left_wrist")
    wanted = np.einsum("tij,tj->ti", path.R, moved[:, wrist] - moved[:, 0])
    assert np.allclose(edit.shift[:, wrist], wanted, atol=1e-6)
