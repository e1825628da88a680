"""Rendered clips become what the detector sees of them beside the truth."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27, Layout
from stc_core.capture.pose import Pose2D
from stc_core.datasets import rendered
from stc_core.datasets.shard_writer import write_shards
from stc_core.datasets.shards import open_shards
from stc_core.errors import UserError

SAMPLE = Path(__file__).resolve().parents[1] / "truth" / "sample"


def truth() -> dict[str, NDArray[Any]]:
    with np.load(SAMPLE.with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def perfect(found: object, image_size: tuple[int, int], fps: float, layout: Layout) -> Pose2D:
    """A detector that finds every landmark, but nobody in the third frame."""
    known = truth()
    seen = known["landmarks"].astype(float) @ known["R"].T + known["t"]
    pixels = seen @ known["K"].T
    scores = np.ones(seen.shape[:2])
    scores[2] = 0.0
    times = np.arange(len(seen)) / 30.0
    return Pose2D(
        layout=layout,
        keypoints=pixels[..., :2] / pixels[..., 2:],
        scores=scores,
        timestamps=times,
        image_size=image_size,
        fps=fps,
    )


def detect_perfectly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "detect_landmarks", lambda video, frames, config, report: None)
    monkeypatch.setattr(rendered, "map_landmarks", perfect)


def sample(folder: Path, name: str = "turn", **changes: NDArray[Any] | None) -> Path:
    folder.mkdir(exist_ok=True)
    shutil.copy(SAMPLE.with_suffix(".mp4"), folder / f"{name}.mp4")
    np.savez(folder / f"{name}.npz", **{key: value for key, value in (truth() | changes).items() if value is not None})
    return folder


def test_the_real_detector_sees_the_sample_where_it_is(tmp_path: Path) -> None:
    (plan,) = rendered.plan_rendered_clips(sample(tmp_path / "clips"))
    write_shards(tmp_path / "out" / "rendered", plan.info, plan.list_takes())
    (source,) = open_shards(tmp_path / "out", check=True)
    (row,) = source.clips
    assert (source.layout, source.kind, row.name, row.subject, row.fps) == ("body27", "views", "turn", "turn", 30.0)
    assert row.image_size == (960, 540) and source.joints.shape == (150, 27, 3) and source.valid.all()
    assert row.K is not None and source.keypoints is not None and source.scores is not None
    known = np.asarray(source.joints, float) @ np.reshape(row.K, (3, 3)).T
    away = np.linalg.norm(known[..., :2] / known[..., 2:] - source.keypoints, axis=-1)
    tall = np.ptp(known[..., 1] / known[..., 2], axis=1).mean()
    assert np.median(away) < 0.03 * tall and (source.joints[..., 2] > 1.0).all()
    assert source.scores.mean() > 0.8 and source.settings == {"detector": "MediaPipe full"}


def test_frames_in_which_nobody_was_found_are_not_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detect_perfectly(monkeypatch)
    folder = sample(tmp_path / "clips", subject=np.array("anna"), action=np.array("walk"))
    taken = rendered.plan_rendered_clips(folder)[0].list_takes()[0].read()
    (clip,) = taken.clips
    assert clip.valid is not None and clip.K is not None and clip.keypoints is not None
    assert list(np.flatnonzero(~clip.valid)) == [2] and (clip.subject, clip.action) == ("anna", "walk")
    assert taken.notes == ("turn: nobody was found in 1 of 150 frames.",)
    seen = clip.joints @ clip.K.T
    np.testing.assert_allclose(seen[..., :2] / seen[..., 2:], clip.keypoints, atol=1e-2)


def test_damaged_clips_are_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detect_perfectly(monkeypatch)
    known = truth()
    folder = sample(tmp_path / "clips", "a")
    sample(folder, "short", landmarks=known["landmarks"][:100], contacts=None)
    sample(folder, "blind", K=None)
    sample(folder, "other", landmark_names=np.array([name.upper() for name in BODY27.names]))
    (sample(folder, "torn") / "torn.npz").write_bytes(b"PK\x03\x04 half")
    (plan,) = rendered.plan_rendered_clips(folder)
    write_shards(tmp_path / "out" / "rendered", plan.info, plan.list_takes())
    (source,) = open_shards(tmp_path / "out")
    assert [row.name for row in source.clips] == ["a"]
    for name, words in (
        ("blind", "blind.npz lacks 'K'"),
        ("other", "other.npz lacks the landmark"),
        ("short", "its truth 100"),
        ("torn", "torn.npz is damaged"),
    ):
        assert any(note.startswith(f"Left out {name}:") and words in note for note in source.notes), source.notes


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no NAME\.mp4"):
        rendered.plan_rendered_clips(tmp_path)


def test_another_detector_is_other_data(tmp_path: Path) -> None:
    from stc_core.capture.detect.config import DetectConfig

    folder = sample(tmp_path / "clips")
    full, heavy = (
        rendered.plan_rendered_clips(folder, replace(DetectConfig(), model=m))[0].info for m in ("full", "heavy")
    )
    assert full != heavy
