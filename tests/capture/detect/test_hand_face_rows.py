"""Hands and faces come out of a person's rows as they were put in; frames left out on purpose are filled in."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect.crops import find_wrists
from stc_core.capture.detect.hand_face_rows import (
    BODY_SIZE,
    ROW_SIZE,
    read_bodies,
    read_face,
    read_hands,
    skip_face,
    skip_hands,
    write_face,
    write_hand,
)
from stc_core.capture.detect.landmarker import Row
from stc_core.capture.layout import Array
from stc_core.geometry.rotation import from_axis_angle, to_matrix
from tests.capture.detect.sources import make_body

FRAMES = 9
TIMES = np.arange(FRAMES) / 30.0


def make_rows(looks: Array | None = None) -> tuple[Row, Array, Array]:
    """Rows of somebody whose wrists wander, hands at an offset that changes evenly; the offsets and the 3D."""
    rng = np.random.default_rng(1)
    rows = np.zeros((FRAMES, ROW_SIZE), np.float32)
    body = make_body(300.0)
    offsets = rng.uniform(-20, 20, (2, 21, 2)) + np.arange(FRAMES)[:, None, None, None] * rng.uniform(-1, 1, (2, 21, 2))
    world = np.broadcast_to(rng.uniform(-0.1, 0.1, (2, 21, 3)), (FRAMES, 2, 21, 3))
    for frame, row in enumerate(rows):
        moved = body.copy()
        moved[:, :2] += rng.uniform(-80, 80, 2)
        row[:BODY_SIZE] = moved.ravel()
        for side in range(2):
            look = 1.0 if looks is None else float(looks[frame])
            image = find_wrists(moved)[side] + offsets[frame, side]
            write_hand(row, side, image, world[frame, side], look, 0.75)
    return rows, offsets, world


def test_what_is_written_is_read() -> None:
    rows, offsets, world = make_rows()
    hands = read_hands(rows.astype(float), TIMES)
    wrists = np.array([find_wrists(body) for body in read_bodies(rows.astype(float))])
    np.testing.assert_allclose(hands.image - wrists[:, :, None], offsets, atol=1e-3)
    np.testing.assert_allclose(hands.world, world, atol=1e-6)
    np.testing.assert_allclose(hands.scores, 0.75)
    assert not read_face(rows.astype(float), TIMES).scores.any()


def test_a_hand_not_looked_for_goes_with_the_wrist_between_those_that_were_found() -> None:
    rows, offsets, _ = make_rows()
    for row in rows[1::2]:
        row[BODY_SIZE:] = 0.0
        skip_hands(row)
    hands = read_hands(rows.astype(float), TIMES)
    wrists = np.array([find_wrists(body) for body in read_bodies(rows.astype(float))])
    np.testing.assert_allclose(hands.image - wrists[:, :, None], offsets, atol=1e-3)
    np.testing.assert_allclose(hands.scores, 0.75)


def test_beside_a_hand_that_was_missed_a_frame_left_out_counts_half() -> None:
    rows, _, _ = make_rows()
    rows[4, BODY_SIZE:] = rows[5, BODY_SIZE:] = rows[6, BODY_SIZE:] = 0.0
    skip_hands(rows[3])
    skip_hands(rows[5])
    hands = read_hands(rows.astype(float), TIMES)
    np.testing.assert_allclose(hands.scores[[2, 3, 4, 5, 6, 7], 0], [0.75, 0.375, 0.0, 0.0, 0.0, 0.75])
    assert not hands.image[4].any() and not hands.world[5].any()


def test_a_hand_that_looks_like_the_other_one_for_long_does_not_count_and_a_moment_does_not_matter() -> None:
    looks = np.full(FRAMES, 0.9)
    looks[4] = 0.1
    np.testing.assert_allclose(read_hands(make_rows(looks)[0].astype(float), TIMES).scores, 0.75 * 0.9, atol=1e-6)
    looks[1:] = 0.1
    assert not read_hands(make_rows(looks)[0].astype(float), TIMES).scores.any()


def test_a_face_not_looked_for_is_between_those_that_were_found() -> None:
    rows = np.zeros((3, ROW_SIZE), np.float32)
    angles = np.array([0.0, 0.1, 0.2])
    R = to_matrix(from_axis_angle(np.array([0.0, 0.0, 1.0]), angles))
    for frame in (0, 2):
        write_face(
            rows[frame], np.full(52, 0.1 * frame), R[frame], np.array([0.0, 0.0, 10.0, 20.0]) + float(frame), 0.5
        )
    skip_face(rows[1])
    face = read_face(rows.astype(float), TIMES[:3])
    np.testing.assert_allclose(face.coefficients[1], 0.1, atol=1e-6)
    np.testing.assert_allclose(face.R_camera_head, R, atol=1e-6)
    np.testing.assert_allclose(face.box[1], [1.0, 1.0, 11.0, 21.0])
    np.testing.assert_allclose(face.scores, 0.5)


def test_of_no_frames_there_are_no_hands() -> None:
    rows = np.zeros((0, ROW_SIZE))
    assert read_hands(rows, np.zeros(0)).scores.shape == (0, 2) and read_face(rows, np.zeros(0)).scores.shape == (0,)
