"""Libraries loaded in less time: without looking for garbage, and without what they load but we do not use.

Standard library only. Knows how Python loads modules; not which libraries there are.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def pause_collector() -> Iterator[None]:
    """Do not look for garbage while the block loads libraries: what they make stays, and looking takes a fifth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def leave_out(*names: str) -> Iterator[None]:
    """Give what the block imports empty modules of these names, unless they are loaded already.

    For a library that imports others which it needs for nothing that we call. After the block the names mean the real
    modules again.
    """
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
