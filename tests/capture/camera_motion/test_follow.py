"""A pose gets the motion and the lens of its camera, and the user is told; or why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.camera_motion.follow import follow_camera
from stc_core.capture.layout import BODY27
from stc_core.capture.pose import CameraIntrinsics, Pose2D
from stc_core.events import Event, Note

from .moving_views import FIRST, SIZE, follow_room, move

TIMES = np.linspace(0.0, 1.0, 60)[:, None]
FOCAL_PX = float(FIRST.K[0, 0])


def make_pose(turn_deg: float = 40.0, frames: int = 60) -> Pose2D:
    """Somebody in the middle, before a camera that pans."""
    middle = np.tile(np.divide(SIZE, 2.0), (frames, len(BODY27.names), 1))
    return Pose2D(
        layout=BODY27,
        keypoints=middle,
        scores=np.ones(middle.shape[:2]),
        timestamps=np.linspace(0.0, 59.0 / 30.0, frames),
        image_size=SIZE,
        fps=30.0,
        background=follow_room(move(TIMES * [0.0, turn_deg, 0.0])),
    )


def collect(pose: Pose2D, intrinsics: CameraIntrinsics) -> tuple[Pose2D, CameraIntrinsics, list[Note]]:
    notes: list[Event] = []
    followed, lens = follow_camera(pose, intrinsics, notes.append)
    return followed, lens, [note for note in notes if isinstance(note, Note)]


@pytest.mark.parametrize("frames", [60, 31])
def test_the_motion_is_that_of_the_poses_own_frames(frames: int) -> None:
    told = CameraIntrinsics(focal_px=FOCAL_PX, image_size=SIZE)
    followed, lens, notes = collect(make_pose(frames=frames), told)
    assert lens is told and followed.camera_motion is not None
    cosines = followed.camera_motion.R_first_camera[:, 2, 2]
    expected = np.cos(np.radians(np.linspace(0.0, 40.0, frames)))
    assert np.abs(cosines - expected).max() < 0.005
    (note,) = notes
    assert note.kind == "camera" and "turns by up to 40 degrees" in note.message and "one place" in note.message


def test_an_assumed_lens_is_replaced_and_its_certainty_said() -> None:
    assumed = CameraIntrinsics(focal_px=1.2 * FOCAL_PX, image_size=SIZE, is_assumed=True)
    _, lens, notes = collect(make_pose(), assumed)
    assert lens.focal_px == pytest.approx(FOCAL_PX, rel=0.02) and not lens.is_assumed
    assert "60." in notes[1].message or "59." in notes[1].message
    assert notes[1].kind == "guess" and "±" in notes[1].message


def test_what_cannot_be_followed_is_taken_to_stand_still() -> None:
    pose = make_pose()
    tracks = pose.background
    assert tracks is not None
    nothing = replace(tracks, frame=tracks.frame[:0], track=tracks.track[:0], points=tracks.points[:0])
    blind = replace(pose, background=nothing)
    followed, _, (note,) = collect(blind, CameraIntrinsics(focal_px=FOCAL_PX, image_size=SIZE))
    assert followed.camera_motion is None and note.kind == "camera"
    assert "nothing that could be followed" in note.message and "do not trust the path" in note.message


def test_a_camera_that_stands_still_is_not_looked_at() -> None:
    still = replace(make_pose(), background=None)
    followed, _, notes = collect(still, CameraIntrinsics(focal_px=FOCAL_PX, image_size=SIZE))
    assert followed is still and not notes
