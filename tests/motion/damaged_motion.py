"""Motion files damaged on purpose, and what is asked of their refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.errors import UserError
from stc_core.motion.motion import load_motion, save_motion
from tests.motion.test_motion import make_captured_motion

Arrays = dict[str, NDArray[Any]]


def write_damaged(path: Path, change: Callable[[Arrays], object]) -> Path:
    """Write a good file whose arrays were changed by `change`."""
    save_motion(make_captured_motion(), path)
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
    return path


def refuse(path: Path) -> str:
    """Load a file that must be refused, and return the sentence, which names it."""
    with pytest.raises(UserError) as caught:
        load_motion(path)
    assert str(path) in caught.value.what and caught.value.remedy.endswith(".")
    assert "\n" not in caught.value.what and len(caught.value.what) < len(str(path)) + 200
    caught.value.what.encode()
    return caught.value.what
