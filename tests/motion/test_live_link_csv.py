"""A face's CSV read back: the columns of Live Link Face in order, times, coefficients, and the sense of the angles."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.live_link_csv import format_timecode, write_live_link_csv
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID

FRAMES = 40


def motion(coefficients: Array, head: Array = rotation.IDENTITY, neck: Array = rotation.IDENTITY) -> Motion:
    q = np.tile(rotation.IDENTITY, (FRAMES, len(HUMANOID.joint_names), 1))
    q[:, HUMANOID.index("head")], q[:, HUMANOID.index("neck")] = head, neck
    return Motion(
        skeleton=HUMANOID,
        t_world_root=np.zeros((FRAMES, 3)),
        q_parent_joint=q,
        contacts=np.zeros((FRAMES, 2), bool),
        scores=np.ones((FRAMES, len(HUMANOID.joint_names))),
        fps=30.0,
        start_s=1.0,
        face=Face(coefficients=coefficients, scores=np.ones(FRAMES)),
    )


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def test_every_coefficient_is_read_back_under_its_name(tmp_path: Path) -> None:
    coefficients = np.random.default_rng(1).uniform(0.0, 1.0, (FRAMES, len(FACE_COEFFICIENTS)))
    write_live_link_csv(motion(coefficients), tmp_path / "face.csv")
    rows = read(tmp_path / "face.csv")
    assert len(rows) == FRAMES
    for column, name in enumerate(FACE_COEFFICIENTS):
        got = [float(row[name[0].upper() + name[1:]]) for row in rows]
        np.testing.assert_allclose(got, coefficients[:, column], atol=1e-7)


def test_the_columns_are_those_of_the_app(tmp_path: Path) -> None:
    write_live_link_csv(motion(np.zeros((FRAMES, 52))), tmp_path / "face.csv")
    header, first = (tmp_path / "face.csv").read_text().splitlines()[:2]
    columns = header.split(",")
    assert len(columns) == 63 and columns[:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert columns[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    assert columns[22:25] == ["MouthPucker", "MouthRight", "MouthLeft"]
    assert columns[53:57] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"] and columns[-1] == "RightEyeRoll"
    assert first.split(",")[:2] == ["00:00:01:00.000", "61"]


def test_the_head_turns_left_nods_down_and_tilts_up_at_the_left_with_positive_angles(tmp_path: Path) -> None:
    turned = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), 0.2)  # our z is up: to the person's left
    nodded = rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), 0.1)  # about the left: down
    tilted = rotation.from_axis_angle(np.array([0.0, -1.0, 0.0]), 0.05)  # about forward: the left goes up
    head = rotation.mul(rotation.mul(turned, nodded), tilted)
    assert rotation.rotate(tilted, np.array([1.0, 0.0, 0.0]))[2] > 0.0
    write_live_link_csv(motion(np.zeros((FRAMES, 52)), head=head), tmp_path / "face.csv")
    row = read(tmp_path / "face.csv")[7]
    got = [float(row[f"Head{angle}"]) for angle in ("Yaw", "Pitch", "Roll")]
    np.testing.assert_allclose(got, [0.2, 0.1, 0.05], atol=1e-7)


def test_the_necks_rotation_is_part_of_the_heads(tmp_path: Path) -> None:
    half = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), 0.3)
    write_live_link_csv(motion(np.zeros((FRAMES, 52)), head=half, neck=half), tmp_path / "face.csv")
    assert float(read(tmp_path / "face.csv")[0]["HeadYaw"]) == pytest.approx(0.6)


def test_the_eyes_angles_are_those_of_the_gaze(tmp_path: Path) -> None:
    coefficients = np.zeros((FRAMES, 52))
    for name in ("eyeLookOutLeft", "eyeLookInRight", "eyeLookDownLeft", "eyeLookDownRight"):
        coefficients[:, FACE_COEFFICIENTS.index(name)] = 0.5
    write_live_link_csv(motion(coefficients), tmp_path / "face.csv")
    row = read(tmp_path / "face.csv")[0]
    for eye in ("LeftEye", "RightEye"):
        assert float(row[f"{eye}Yaw"]) == pytest.approx(np.radians(15.0), abs=1e-7)
        assert float(row[f"{eye}Pitch"]) == pytest.approx(np.radians(12.5), abs=1e-7)


def test_time_codes_count_hours_minutes_seconds_and_frames() -> None:
    assert format_timecode(3723.5, 30.0) == "01:02:03:15.000"
    assert format_timecode(1.0 / 59.94, 59.94) == "00:00:00:01.001"
    assert format_timecode(0.99999, 30.0) == "00:00:01:00.000"
    assert format_timecode(-0.5, 25.0) == "00:00:00:00.000"


def test_a_motion_without_a_face_is_refused_in_a_sentence(tmp_path: Path) -> None:
    faceless = dataclasses.replace(motion(np.zeros((FRAMES, 52))), face=None)
    with pytest.raises(UserError, match="no face"):
        write_live_link_csv(faceless, tmp_path / "face.csv")
    assert not (tmp_path / "face.csv").exists()
