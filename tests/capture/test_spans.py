"""Spans of time as a reader reads them."""

from __future__ import annotations

import numpy as np

from stc_core.capture.spans import find_spans, format_spans


def test_runs_become_spans_from_first_to_last_frame() -> None:
    spans = find_spans([False, True, True, False, True], np.array([0.0, 0.1, 0.3, 0.4, 0.5]))
    assert spans == [(0.1, 0.3), (0.5, 0.5)]
    assert format_spans(spans) == "0.10-0.30 s, 0.50 s"


def test_many_spans_are_counted() -> None:
    assert format_spans([(float(k), float(k)) for k in range(10)]).endswith("7.00 s and 2 more times")
