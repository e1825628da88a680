"""The lens is the given one, else the scene's, else the assumed one; the user is told which, and how sure it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.layout import BODY27, Array
from stc_core.capture.lens.find import find_lens
from stc_core.capture.pose import Pose2D
from stc_core.events import Event, Note

from .rooms import ASSUMED, SIZE, make_lens, see_clutter, see_lines


def make_pose(lines: Array | None) -> Pose2D:
    scores = np.ones((2, len(BODY27.names)))
    keypoints = np.full((*scores.shape, 2), 100.0)
    return Pose2D(
        layout=BODY27,
        keypoints=keypoints,
        scores=scores,
        timestamps=np.arange(2) / 30.0,
        image_size=SIZE,
        fps=30.0,
        lines=lines,
    )


def test_a_lens_that_is_known_stays() -> None:
    events: list[Event] = []
    known = make_lens(50.0)
    assert find_lens(make_pose(see_lines(66.0)), known, events.append) is known and events == []


def test_the_scenes_lens_goes_before_the_assumed_one() -> None:
    events: list[Event] = []
    lens = find_lens(make_pose(see_lines(66.0)), ASSUMED, events.append)
    assert lens.fov_deg == pytest.approx(66.0, abs=2.0) and not lens.is_assumed
    (note,) = events
    assert isinstance(note, Note) and note.kind == "guess"
    assert f"{lens.fov_deg:.1f} ± " in note.message and "Straight lines" in note.message


@pytest.mark.parametrize("lines", [None, np.zeros((0, 4)), see_clutter(60)])
def test_without_a_tale_the_assumption_stays_and_is_told(lines: Array | None) -> None:
    events: list[Event] = []
    other = replace(ASSUMED, focal_px=make_lens(90.0).focal_px)
    assert find_lens(make_pose(lines), other, events.append) is other
    (note,) = events
    assert isinstance(note, Note) and note.kind == "guess" and "90 degrees across" in note.message
