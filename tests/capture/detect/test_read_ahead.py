"""Frames are made in another thread, a few ahead, in order; its errors reach the caller."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from stc_core.capture.detect.read_ahead import read_ahead
from stc_core.capture.pose import TimedFrame
from stc_core.errors import UserError
from tests.capture.detect.sources import FPS, blank, decode_threads


def test_frames_are_made_in_order_a_few_ahead_and_no_more() -> None:
    made: list[float] = []

    def source() -> Iterator[TimedFrame]:
        for item in blank(40):
            made.append(item[0])
            yield item

    for count, (time_s, _) in enumerate(read_ahead(source())):
        time.sleep(0.002)
        assert time_s == count / FPS and len(made) <= count + 8
    assert count == 39 and decode_threads() == []


def test_an_error_of_the_reader_reaches_the_caller_after_the_frames_before_it() -> None:
    def source() -> Iterator[TimedFrame]:
        yield from blank(3)
        raise UserError("The file broke.", "Mend it.")

    seen: list[TimedFrame] = []
    with pytest.raises(UserError, match="broke"):
        for item in read_ahead(source()):
            seen.append(item)
    assert len(seen) == 3 and decode_threads() == []
