"""The store of a place."""

from __future__ import annotations

from collections.abc import Collection

from .local_store import LocalStore
from .record import Task
from .store import Store
from .url_store import UrlStore
from .urls import is_url


def open_store(out: str, sources: Collection[str] = ()) -> Store:
    """The store that can write results to a path or URL, and read inputs at paths or URLs."""
    return UrlStore(out) if any(map(is_url, (out, *sources))) else LocalStore(out)


def store_of(task: Task) -> Store:
    """The store that can read a task's input and write its results."""
    return open_store(task.out, [task.source])
