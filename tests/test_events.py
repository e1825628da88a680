"""Events survive the wire, and what is not an event is passed over."""

import pytest

from stc_core.events import Done, Event, Failed, Note, Progress, from_line, to_line


@pytest.mark.parametrize(
    "event",
    [
        Progress("detect", 3, 10, 12.5, 0.6),
        Progress("lift", 0, 0),
        Note("two\nlines, “quoted”"),
        Note("a cut", "cut"),
        Done({"bvh": "a b.bvh"}),
        Failed("x"),
    ],
)
def test_an_event_survives_its_line(event: Event) -> None:
    line = to_line(event)
    assert "\n" not in line and from_line(line) == event


@pytest.mark.parametrize("line", ["", "hello", "3", "[]", '{"event": "other"}', '{"event": "note"}', '{"a": 1}', "{"])
def test_other_lines_are_no_events(line: str) -> None:
    assert from_line(line) is None
