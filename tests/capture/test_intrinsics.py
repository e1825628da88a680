"""The focal length is the user's, else what the file tells, else of an assumed view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.intrinsics import CameraConfig, read_focal_px, resolve_intrinsics
from stc_core.errors import UserError

av = pytest.importorskip("av")


def phone_video(path: Path, focal_mm: str | None) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as file:
        if focal_mm:
            file.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = focal_mm
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame(160, 120, "yuv420p")))
        file.mux(stream.encode())
    return path


@pytest.mark.parametrize(("tag", "expected"), [("26", 26.0), ("none", None), (None, None), ("1e9", None)])
def test_the_focal_length_is_what_the_phone_wrote_or_nothing(tmp_path: Path, tag: str | None, expected: float) -> None:
    focal_px = read_focal_px(phone_video(tmp_path / "clip.mov", tag), (160, 120))
    assert focal_px is None if expected is None else focal_px == pytest.approx(expected / 43.267 * 200.0, rel=1e-3)


def test_the_user_goes_before_the_file_and_the_file_before_a_guess(tmp_path: Path) -> None:
    path = phone_video(tmp_path / "clip.mov", "26")
    assert resolve_intrinsics(CameraConfig(focal_px=500.0), (160, 120), path).focal_px == 500.0
    told = resolve_intrinsics(CameraConfig(), (160, 120), path)
    assert told.focal_px == read_focal_px(path, (160, 120)) and not told.is_assumed
    guessed = resolve_intrinsics(CameraConfig(assumed_fov_deg=90.0), (160, 120))
    assert guessed.focal_px == pytest.approx(80.0) and guessed.is_assumed


@pytest.mark.parametrize(
    "config", [CameraConfig(focal_px=0.0), CameraConfig(focal_px=np.inf), CameraConfig(assumed_fov_deg=180.0)]
)
def test_an_impossible_lens_is_refused(config: CameraConfig) -> None:
    with pytest.raises(UserError):
        resolve_intrinsics(config, (160, 120))
