"""A file appears whole or not at all, and what stood there stays until then."""

import errno
import shutil
from pathlib import Path

import pytest

from stc_core.errors import UserError
from stc_core.files import atomic_write, check_space, check_writable, write_bytes, write_text


def test_a_file_is_replaced_at_the_end_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_text("old")
    with atomic_write(path) as partial:
        partial.write_text("new")
        assert partial.suffix == ".mp4" and partial.name.startswith(".") and path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("ours"), KeyboardInterrupt()])
def test_what_raises_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_write(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_sentence_with_the_files_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("stc_core.files.os.fsync", fail)
    with pytest.raises(UserError, match=r"x\.txt cannot be written \(No space left on device\)\. Make room"):
        write_text(tmp_path / "x.txt", "text")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_a_sentence_and_another_files_error_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Choose a place that can be written to"):
        write_bytes(tmp_path / "lost" / "x", b"")
    with pytest.raises(FileNotFoundError, match="other"), atomic_write(tmp_path / "x"):
        (tmp_path / "other").read_text()


def test_a_nearly_full_disk_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    check_space(tmp_path)
    monkeypatch.setattr("stc_core.files.shutil.disk_usage", lambda _: usage._replace(free=5_000_000))
    for check, place in ((check_space, tmp_path), (check_writable, tmp_path / "x.npz")):
        with pytest.raises(UserError, match=r"Only 5 MB are free on the disk of .*Make room"):
            check(place)
    assert not list(tmp_path.iterdir())
