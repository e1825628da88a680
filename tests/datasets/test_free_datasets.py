"""The free data sets are prepared from what is there, at one rate, and what is wrong with them is named."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest

from stc_core.datasets import ui_prmd
from stc_core.datasets.free_datasets import ROTATION_DATASETS
from stc_core.datasets.prepare import PrepareConfig, prepare, resample_landmarks
from stc_core.datasets.shards import open_shards
from stc_core.errors import UserError
from stc_core.events import ignore
from tests.datasets.made_people import (
    write_daz,
    write_prmd,
)


@pytest.mark.parametrize("name", sorted(ROTATION_DATASETS))
def test_an_empty_folder_or_a_wrong_file_is_the_users_to_mend(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        list(ROTATION_DATASETS[name].read_clips(tmp_path))
    (tmp_path / "ui_prmd.npz").write_text("not an archive")
    with pytest.raises(UserError, match="marker file"):
        list(ui_prmd.read_ui_prmd(tmp_path / "ui_prmd.npz"))


def _pack(folder: Path) -> Path:
    """Archives as they ship: two of the sources."""
    made, archives = folder / "made", folder / "archives"
    made.mkdir()
    archives.mkdir()
    write_daz(made)
    with tarfile.open(archives / "cmu_daz.tar.xz", "w:xz") as tar:
        tar.add(made / "cmu_daz", "cmu_daz")
    packed = lzma.compress(write_prmd(made).read_bytes(), preset=0)
    (archives / "ui_prmd.npz.xz").write_bytes(packed)
    return archives


def test_prepare_writes_what_is_there_at_one_rate(tmp_path: Path) -> None:
    archives, out = _pack(tmp_path), tmp_path / "out"
    prepare(PrepareConfig(out, archives), ignore)
    daz, prmd = open_shards(out, check=True)
    assert (daz.source, prmd.source, prmd.layout, prmd.kind) == ("cmu_daz", "ui_prmd", "body27", "bodies")
    assert prmd.joints.dtype == np.float32 and prmd.joints.shape == (108, 27, 3) and prmd.valid.all()
    assert [(row.start, row.frames) for row in prmd.clips] == [(0, 54), (54, 54)]  # 89 steps at 50 Hz are 53.4
    assert [(row.subject, row.fps) for row in prmd.clips] == [("prmd_s03", 30.0), ("prmd_s04", 30.0)]
    assert {row.action for row in prmd.clips} == {"deep_squat", "hurdle_step"} and {
        row.action for row in daz.clips
    } == {""}
    assert "Public Domain" in prmd.licence
    for row in prmd.clips:
        np.testing.assert_allclose(prmd.joints[row.start, 0], [0.0, 0.0, 0.95], atol=0.01)


def test_prepare_takes_unpacked_folders_too(tmp_path: Path) -> None:
    write_daz(tmp_path)
    prepare(PrepareConfig(tmp_path / "out", tmp_path), ignore)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cmu_daz"]


def test_prepare_without_data_or_with_a_damaged_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no source other"):
        prepare(PrepareConfig(tmp_path / "out", tmp_path, sources=("other",)), ignore)
    with pytest.raises(UserError, match="no data set"):
        prepare(PrepareConfig(tmp_path / "out", tmp_path), ignore)
    (tmp_path / "cmu_daz.tar.xz").write_bytes(b"half an archive")
    with pytest.raises(UserError, match=r"cmu_daz\.tar\.xz cannot be unpacked"):
        prepare(PrepareConfig(tmp_path / "out", tmp_path), ignore)


@pytest.mark.parametrize("fps", [120.0, 50.0, 30.0, 24.0])
def test_another_rate_keeps_straight_movement_and_its_time(fps: float) -> None:
    times = np.arange(int(2 * fps) + 1) / fps
    landmarks = (times[:, None, None] * [[1.0, -2.0, 0.5]] * np.ones((1, 27, 1))).astype(np.float32)
    moved = resample_landmarks(landmarks, fps, 30.0)
    assert len(moved) == 61
    np.testing.assert_allclose(moved[:, 0], (np.arange(61) / 30)[:, None] * [1.0, -2.0, 0.5], atol=1e-6)


def test_shaking_that_the_new_rate_cannot_hold_is_taken_out() -> None:
    shake = np.sin(2 * np.pi * 31.0 * np.arange(480) / 120.0)  # at 30 Hz it would look like a slow 1 Hz sway
    landmarks = np.tile(shake[:, None, None], (1, 27, 3)).astype(np.float32)
    assert np.abs(resample_landmarks(landmarks, 120.0, 30.0)[5:-5]).max() < 0.1
    walk = np.sin(2 * np.pi * 2.0 * np.arange(480) / 120.0)
    kept = resample_landmarks(np.tile(walk[:, None, None], (1, 27, 3)).astype(np.float32), 120.0, 30.0)
    np.testing.assert_allclose(kept[:, 0, 0], np.sin(2 * np.pi * 2.0 * np.arange(120) / 30.0), atol=0.03)
