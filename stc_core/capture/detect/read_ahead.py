"""An iterator run in another thread, a few items in advance."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

_QUEUE_ITEMS = 4  # chosen: enough that neither side waits for the other's slowest item
_PUT_TIMEOUT_S, _GET_TIMEOUT_S = 0.1, 0.5  # a wait without end could not be interrupted on Windows
_END = object()


def read_ahead(items: Iterable[T]) -> Generator[T]:
    """The same items, made in another thread up to a few in advance. Errors raised there are raised here.

    Closing the generator ends the thread, and `items` with it if it is a generator.
    """
    made: queue.Queue[Any] = queue.Queue(_QUEUE_ITEMS)
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(items, made, stop), name="decode", daemon=True)
    thread.start()
    try:
        while (item := _get(made)) is not _END:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _produce(items: Iterable[Any], made: queue.Queue[Any], stop: threading.Event) -> None:
    source = iter(items)
    try:
        for item in source:
            if not _put(made, item, stop):
                break
        _put(made, _END, stop)
    except BaseException as error:  # noqa: BLE001  handed to the caller's thread, which raises it
        _put(made, error, stop)
    finally:
        if hasattr(source, "close"):
            source.close()


def _put(made: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        with contextlib.suppress(queue.Full):
            made.put(item, timeout=_PUT_TIMEOUT_S)
            return True
    return False


def _get(made: queue.Queue[Any]) -> Any:
    while True:
        with contextlib.suppress(queue.Empty):
            return made.get(timeout=_GET_TIMEOUT_S)
