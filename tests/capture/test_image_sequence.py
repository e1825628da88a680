"""Image sequences are read as videos, by their names' place for the number or by their folder."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.image_sequence import find_sequences, list_stills, name_sequence
from stc_core.capture.video.reader import read_video
from stc_core.convert.store.fingerprint import hash_file, is_same_file
from stc_core.errors import UserError
from tests.capture.test_video import SIZE, draw_code, read_code

Image = pytest.importorskip("PIL.Image")


def write_stills(folder: Path, name: str, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        Image.fromarray(draw_code(number)).save(folder / name.format(number))


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "bmp", "webp"])
def test_stills_are_frames_in_the_order_of_their_numbers(tmp_path: Path, kind: str) -> None:
    write_stills(tmp_path, f"shot{{}}.{kind}", range(8, 13))
    (tmp_path / "shot3.txt").touch()
    for path in (tmp_path, tmp_path / f"shot%d.{kind}", tmp_path / f"shot#.{kind}"):
        video = read_video(path, VideoConfig(frame_rate=24.0))
        read = [(time_s, read_code(frame)) for time_s, frame in video]
        assert [code for _, code in read] == [8, 9, 10, 11, 12] and video.image_size == SIZE
        np.testing.assert_allclose([time_s for time_s, _ in read], np.arange(5) / 24.0)
        assert video.fps == pytest.approx(24.0) and video.notes == ()


def test_a_missing_number_is_a_missing_frame_and_a_damaged_picture_is_counted(tmp_path: Path) -> None:
    write_stills(tmp_path, "{:04d}.png", range(901, 931))
    (tmp_path / "0903.png").unlink()
    for number in range(910, 916):
        (tmp_path / f"{number:04d}.png").write_bytes(b"\x89PNG no more")
    video = read_video(tmp_path / "%04d.png", VideoConfig())
    read = [(time_s, read_code(frame)) for time_s, frame in video]
    assert [code for _, code in read] == [n for n in range(901, 931) if n != 903 and not 910 <= n < 916]
    np.testing.assert_allclose([time_s for time_s, _ in read[:3]], [0.0, 1 / 30, 3 / 30])
    assert "30 frames a second are assumed. --frame-rate" in video.notes[0] and "23 of 29 frames" in video.notes[1]


@pytest.mark.parametrize(("exif", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_photographs_are_upright(tmp_path: Path, exif: int, corner: tuple[int, int]) -> None:
    """corner: the row and column of halves to which the stored picture's top left goes."""
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[:48, :80] = 255
    how = Image.Exif()
    how[0x0112] = exif
    for number in range(2):
        Image.fromarray(picture).save(tmp_path / f"{number}.jpg", exif=how)
    for _, frame in read_video(tmp_path, VideoConfig()):
        height, width = frame.shape[:2]
        halves = frame[:, :, 0].reshape(2, height // 2, 2, width // 2).mean((1, 3))
        assert np.unravel_index(halves.argmax(), (2, 2)) == corner and (height > width) == (exif in (6, 8))


def test_a_part_of_a_sequence_is_read(tmp_path: Path) -> None:
    write_stills(tmp_path, "x_{:03d}.png", range(400))
    video = read_video(tmp_path, VideoConfig(start_s=12.0, end_s=12.2))
    assert [read_code(frame) for _, frame in video] == list(range(360, 366))


def test_names_with_a_place_for_the_number(tmp_path: Path) -> None:
    write_stills(tmp_path, "a.{:04d}.png", range(2))
    write_stills(tmp_path, "b{}.png", range(9, 12))
    (tmp_path / "b0010.png").touch()
    sequences = find_sequences(tmp_path)
    assert [number for number, _ in list_stills(tmp_path / "b%d.png")] == [9, 10, 11]
    assert tmp_path / "a.%04d.png" in sequences
    assert list_stills(tmp_path / "a.0000.png") == list_stills(tmp_path / "c%d.png") == []
    assert name_sequence(tmp_path / "a.%04d.png") == "a" and name_sequence(tmp_path / "walk.mp4") == "walk"
    assert name_sequence(tmp_path / "%04d.png") == name_sequence(tmp_path) == tmp_path.name
    with pytest.raises(UserError, match="holds several image sequences"):
        read_video(tmp_path, VideoConfig())


def test_one_picture_names_the_way_to_its_sequence(tmp_path: Path) -> None:
    write_stills(tmp_path, "shot.{:04d}.png", range(3))
    with pytest.raises(UserError, match=r"PNG picture, 1 frame\. For an image sequence .* shot\.%04d\.png"):
        read_video(tmp_path / "shot.0001.png", VideoConfig())


def test_a_sequence_has_a_fingerprint_of_all_its_pictures(tmp_path: Path) -> None:
    write_stills(tmp_path, "{:04d}.png", range(3))
    path = tmp_path / "%04d.png"
    before = hash_file(path)
    assert is_same_file(path, before) and before.bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    (tmp_path / "0002.png").write_bytes((tmp_path / "0001.png").read_bytes())
    assert hash_file(path).sha256 != before.sha256
    (tmp_path / "0002.png").rename(tmp_path / "0003.png")
    assert hash_file(path).sha256 != before.sha256


def write_png_header(path: Path, width: int, height: int) -> None:
    """A PNG of some bytes that states a size."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(99)),
        b"IEND": b"",
    }
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts.items()]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def test_pictures_that_are_no_pictures_cost_themselves_only(tmp_path: Path) -> None:
    write_stills(tmp_path, "{}.png", range(3))
    write_png_header(tmp_path / "3.png", 30_000, 30_000)
    (tmp_path / "4.png").write_text("#EXTM3U\n/etc/passwd\n")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "5.png")
        (tmp_path / "6.png").symlink_to("/dev/zero")
    video = read_video(tmp_path, VideoConfig(frame_rate=30.0))
    assert [read_code(frame) for _, frame in video] == [0, 1, 2] and video.frames == 5
    write_png_header(tmp_path / "0.png", 2**31 - 1, 1)
    with pytest.raises(UserError):
        read_video(tmp_path, VideoConfig())
