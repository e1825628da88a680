"""One clip to convert, in a new job folder."""

from pathlib import Path

import pytest

from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import Task


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "walk.mp4").write_text("walk")
    out = tmp_path / "out"
    with LocalStore(out).lock():
        pass
    source = str(tmp_path / "walk.mp4")
    return Task(source=source, out=str(out), name="takes/walk", to=("bvh", "fbx"), settings={"smooth": 1.0})
