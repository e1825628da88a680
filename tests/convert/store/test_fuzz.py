"""Fuzzing of what anybody may have written into a job folder or onto the wire: records, summaries and events.

Seeded, so that every run tries the same inputs, for some seconds each. To search longer, with new inputs each time:

    FUZZ_EXAMPLES=100000 python -m pytest tests/convert/store/test_fuzz.py
"""

from __future__ import annotations

import copy
import json
import math
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from stc_core.convert.report.page import list_rows, render_page  # noqa: E402
from stc_core.convert.report.summary import MotionSummary, Timeline, load_summary, save_summary  # noqa: E402
from stc_core.convert.store.local_store import LocalStore  # noqa: E402
from stc_core.convert.store.record import (  # noqa: E402
    FileState,
    Record,
    Result,
    Task,
    format_record,
    parse_record,
    record_name,
)
from stc_core.events import Done, Event, Failed, Note, Progress, from_line, to_line  # noqa: E402
from stc_core.plain_values import to_plain  # noqa: E402

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NASTY = st.sampled_from(
    [
        "../x",
        "/etc/passwd",
        "..\\x",
        "C:\\x",
        "a\0b",
        "",
        "<script>alert(1)</script>",
        '"><b>',
        "x" * 5000,
        -1,
        2**80,
        1e308,
    ]
)


def fuzz(examples: int) -> settings:
    """So many examples in CI, always the same; as many as FUZZ_EXAMPLES says, and others each time, where it is set."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def make_record(out: Path) -> Record:
    task = Task(
        source=str(out / "in.mp4"),
        out=str(out),
        name="day/walk",
        to=("bvh", "fbx"),
        settings={"lift": {"device": "cpu"}, "cutoffs": [1.0, 2.0]},
        hashes={"weights": "00"},
        summary=2,
    )
    results = {
        key: Result(path=task.result_name(key), bytes=3, sha256="ab", fingerprint="cd", modified_ns=5)
        for key in ("motion_take1", "summary_take1", "bvh_take1", "fbx")
    }
    return Record(
        task=task,
        state="done",
        source=FileState(bytes=1, modified_ns=2, sha256="ef"),
        results=results,
        publishing={"bvh": Result(path=task.result_name("bvh"), bytes=1, sha256="x", fingerprint="y")},
        textures={"day/textures/skin.png": "00"},
        notes=(Note("a note", "swap"),),
        stages={"detect": 1.5},
    )


def mutate(plain: Any, draw: Any, value: st.SearchStrategy[Any]) -> Any:
    """The value with one random part of it replaced, removed, renamed or added."""
    where = plain
    while isinstance(where, dict | list) and where:
        key = draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        inner = where[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            break
        where = inner
    else:
        return plain
    how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename"]))
    if how == "replace":
        where[key] = draw(value)
    elif how == "remove":
        del where[key]
    elif isinstance(where, dict):
        where[draw(st.text(max_size=12))] = where.pop(key)
    return plain


@fuzz(300)
@given(data=st.data())
def test_a_record_is_believed_with_every_path_inside_or_not_at_all(data: st.DataObject) -> None:
    plain = json.loads(format_record(make_record(Path("/tmp/out"))))
    for _ in range(data.draw(st.integers(1, 3))):
        plain = mutate(copy.deepcopy(plain), data.draw, JSON | NASTY)
    try:
        record = parse_record(json.dumps(plain))
    except ValueError:
        return
    paths = [result.path for result in (*record.results.values(), *record.publishing.values())]
    for path in [record.task.name, *paths, *record.textures]:
        assert ".." not in PurePosixPath(path).parts and not path.startswith("/") and "\0" not in path
    assert record.state in ("waiting", "running", "done", "failed") and math.isfinite(record.seconds)
    assert parse_record(format_record(record)) == record


@fuzz(200)
@given(text=st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_no_record_and_no_event(text: str) -> None:
    with pytest.raises(ValueError):
        parse_record(text)
    assert from_line(text) is None


@fuzz(60)
@given(data=st.data())
def test_a_page_over_any_record_and_summary_is_made_and_holds_no_foreign_markup(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("out")
    store, record = LocalStore(out), make_record(out)
    with store.lock():
        path = out / record_name(record.task.name)
        path.write_text(json.dumps(mutate(json.loads(format_record(record)), data.draw, JSON | NASTY)))
        summary = make_summary()
        target = out / record.task.result_name("summary_take1")
        target.write_text(json.dumps(mutate(to_plain(summary), data.draw, JSON | NASTY)))
        page = render_page(list_rows(store, [record.task], {}), "title")
    assert page.count("<script") == 1 and "<b>" not in page.replace("<b>left", "")
    store.check_status(record.task)


def make_summary() -> MotionSummary:
    spans = ((0.0, 0.5), (1.0, 0.25))
    timeline = Timeline(
        start_s=0.0, fps=30.0, confidence=(0.5, 1.0), missing=spans, left_contacts=spans, right_contacts=()
    )
    return MotionSummary(
        frames=60, seconds=2.0, observed=50, confidence=0.8, slide_mm=1.0, jitter_m_s3=50.0, timeline=timeline
    )


@fuzz(200)
@given(data=st.data())
def test_a_summary_is_believed_with_every_figure_in_range_or_not_at_all(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("summary") / "summary.json"
    path.write_text(json.dumps(mutate(to_plain(make_summary()), data.draw, JSON | NASTY)))
    summary = load_summary(path)
    if summary is not None:
        assert summary.frames >= summary.observed >= 0 and 0.0 <= summary.confidence <= 1.0
        save_summary(summary, path)
        assert load_summary(path) == summary


@fuzz(300)
@given(data=st.data())
def test_an_event_survives_its_line_or_is_none(data: st.DataObject) -> None:
    events: list[Event] = [
        Progress("detect", 3, 10, 12.5, 0.6),
        Note("a note", "cut"),
        Done({"bvh": "x.bvh"}),
        Failed("why"),
    ]
    event = data.draw(st.sampled_from(events))
    line = json.dumps(mutate(json.loads(to_line(event)), data.draw, JSON | NASTY))
    found = from_line(line)
    assert found is None or from_line(to_line(found)) == found
    assert not isinstance(found, Progress) or (isinstance(found.done, int) and math.isfinite(found.rate))
