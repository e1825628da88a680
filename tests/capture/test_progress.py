"""Reports that raise what failed beside them."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from stc_core.capture.progress import raise_failure
from stc_core.errors import UserError
from stc_core.events import Event, Progress


def test_the_error_of_work_beside_is_raised_at_the_next_event() -> None:
    heard: list[Event] = []
    work: Future[int] = Future()
    report = raise_failure(heard.append, work)
    report(Progress("detect", 1, 9))
    work.set_exception(UserError("The weights are damaged.", "Choose others."))
    with pytest.raises(UserError, match="damaged"):
        report(Progress("detect", 2, 9))
    assert heard == [Progress("detect", 1, 9)]


def test_work_that_is_done_is_not_mentioned() -> None:
    heard: list[Event] = []
    work: Future[int] = Future()
    work.set_result(1)
    raise_failure(heard.append, work)(Progress("detect", 1, 9))
    assert heard == [Progress("detect", 1, 9)]
