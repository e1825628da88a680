"""Straight edges of the background are found where they are, faint ones too; people's edges are not among them."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from stc_core.capture.layout import Array
from stc_core.capture.lens.straight_lines import BackgroundPictures
from stc_core.capture.pose import TimedFrame

WIDTH, HEIGHT, FRAMES = 640, 360, 40
TIMES = np.arange(FRAMES) / 30.0
NOBODY = np.zeros((0, 5))
EDGE = np.array([[150.0, 0.0], [90.0, 360.0]])


def film(contrast: float = 60.0, box: Array | None = None) -> Iterator[TimedFrame]:
    """Noisy frames with one straight edge, and a bright person in a box."""
    lot = np.random.default_rng(0)
    left = np.array([[0, 0], 2 * EDGE[0] - EDGE[1], 2 * EDGE[1] - EDGE[0], [0, HEIGHT]])
    for time_s in TIMES:
        frame = np.full((HEIGHT, WIDTH, 3), 110.0, np.float32)
        cv2.fillPoly(frame, [left.round().astype(np.int32)], (110.0 + contrast,) * 3)
        if box is not None:
            frame[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = 230.0
        frame += lot.normal(0.0, 3.0, frame.shape)
        yield float(time_s), np.clip(frame, 0, 255).astype(np.uint8)


def find(frames: Iterator[TimedFrame], boxes: Array, others: Array = NOBODY) -> Array:
    pictures = BackgroundPictures()
    assert sum(1 for _ in pictures.watch(frames)) == FRAMES
    return pictures.find_lines(TIMES, boxes, others)


def lies_on_edge(lines: Array) -> Array:
    """Which lines (N, 4) lie on the edge, within two pixels."""
    along = np.diff(EDGE, axis=0)[0] / np.linalg.norm(np.diff(EDGE, axis=0))
    across = np.array([along[1], -along[0]])
    distances = np.abs((lines.reshape(-1, 2, 2) - EDGE[0]) @ across).max(1)
    result: Array = distances < 2.0
    return result


@pytest.mark.parametrize("contrast", [60.0, 6.0])
def test_an_edge_is_where_it_is(contrast: float) -> None:
    lines = find(film(contrast), np.full((FRAMES, 4), np.nan))
    lengths = np.linalg.norm(lines[:, 2:] - lines[:, :2], axis=1)
    assert lengths[lies_on_edge(lines)].sum() > 0.8 * np.linalg.norm(EDGE[1] - EDGE[0])


@pytest.mark.parametrize("is_other", [False, True])
def test_a_person_has_no_edges(is_other: bool) -> None:
    box = np.array([350.0, 60.0, 430.0, 300.0])
    boxes = np.tile(np.nan if is_other else box, (FRAMES, 4 if is_other else 1))
    others = np.column_stack([TIMES, np.tile(box, (FRAMES, 1))]) if is_other else NOBODY
    lines = find(film(box=box), boxes, others)
    long = np.linalg.norm(lines[:, 2:] - lines[:, :2], axis=1) > 40.0
    assert len(lines[long]) and lies_on_edge(lines[long]).all()
    assert not lies_on_edge(find(film(box=box), np.full((FRAMES, 4), np.nan))[:, :]).all()


def test_no_frames_have_no_lines() -> None:
    assert BackgroundPictures().find_lines(np.zeros(0), np.zeros((0, 4)), NOBODY).shape == (0, 4)
