# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion that the exports are tested with."""

from __future__ import annotations

from pathlib import Path

import pytest

from stc_core.motion.motion import save_motion

from .exported import MOTION, NAME


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / f"{NAME}.npz"
    save_motion(MOTION, path)
    return path
