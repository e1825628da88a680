"""A video's frames come with the times at which they are shown, upright, and bad files get an answer."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.reader import read_video
from stc_core.errors import UserError

av = pytest.importorskip("av")

SIZE = (160, 96)
IRREGULAR_S = np.r_[0.0, np.cumsum(np.random.default_rng(0).uniform(0.01, 0.1, 59))]
EVEN_S = np.arange(60) / 30.0


def draw_code(index: int) -> NDArray[Any]:
    """A picture that tells its index: bit b is the square b, from the left."""
    image = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
    for bit in range(10):
        image[8:24, 16 * bit : 16 * bit + 16] = 255 if index >> bit & 1 else 0
    return image


def read_code(image: NDArray[Any]) -> int:
    return sum(1 << bit for bit in range(10) if image[16, 16 * bit + 8].mean() > 128)


def make(
    path: Path,
    times_s: Any,
    start_s: float = 0.0,
    codec: Any = "libx264",
    options: Any = None,
    container: Any = None,
    image: Any = draw_code,
    sar: Any = None,
) -> Path:
    base = Fraction(1, 90000)
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=30, options=options if options is not None else {"bf": "3"})
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.time_base = "yuv420p", base
        stream.codec_context.time_base = base
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        for index, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(image(index), format="rgb24")
            frame.pts, frame.time_base = round((time_s + start_s) / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def set_rotation(path: Path, degrees: int) -> Path:
    """The same MP4 asking to be turned clockwise when shown: the track header's matrix, as phones write it."""
    data = bytearray(path.read_bytes())
    one, minus = 0x10000, 0xFFFF0000
    corner = {90: (0, one, minus, 0), 180: (minus, 0, 0, minus), 270: (0, minus, one, 0)}[degrees]
    matrix = data.find(b"tkhd") + 4 + 4 + 20 + 16
    assert struct.unpack_from(">9I", data, matrix) == (one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    a, b, c, d = corner
    struct.pack_into(">9I", data, matrix, a, b, 0, c, d, 0, 0, 0, 0x40000000)
    result = path.with_name(f"turned_{degrees}.mp4")
    result.write_bytes(data)
    return result


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "ts"])
@pytest.mark.parametrize("start_s", [0.0, 1.7])
def test_irregular_times_come_back_with_their_frames(tmp_path: Path, kind: str, start_s: float) -> None:
    video = read_video(make(tmp_path / f"clip.{kind}", IRREGULAR_S, start_s), VideoConfig())
    times, codes = zip(*((time_s, read_code(frame)) for time_s, frame in video), strict=True)
    assert codes == tuple(range(60))
    np.testing.assert_allclose(times, IRREGULAR_S, atol=1e-3 if kind == "mkv" else 2e-5)
    assert video.frames == 60 and video.image_size == SIZE
    assert video.fps == pytest.approx(59 / IRREGULAR_S[-1], rel=1e-3)


def test_frames_without_b_frames_and_with_read_alike(tmp_path: Path) -> None:
    plain = read_video(make(tmp_path / "plain.mp4", IRREGULAR_S, options={"bf": "0"}), VideoConfig())
    mixed = read_video(make(tmp_path / "mixed.mp4", IRREGULAR_S), VideoConfig())
    assert [t for t, _ in plain] == [t for t, _ in mixed]


def test_a_broadcast_rate_is_not_rounded(tmp_path: Path) -> None:
    video = read_video(make(tmp_path / "clip.mkv", np.arange(60) * 1001 / 30000), VideoConfig())
    assert video.fps == pytest.approx(30000 / 1001, rel=2e-4)


def test_a_stream_without_times_is_even_and_says_so(tmp_path: Path) -> None:
    video = read_video(make(tmp_path / "clip.h264", EVEN_S), VideoConfig())
    np.testing.assert_allclose([t for t, _ in video], EVEN_S, atol=1e-9)
    assert "no timestamps" in video.notes[0]


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_start_and_end_cut_exactly_also_after_a_seek(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / f"long.{kind}", np.arange(500) / 25.0, start_s=0.4, options={"bf": "3", "g": "30"})
    video = read_video(path, VideoConfig(start_s=12.0, end_s=14.0))
    found = [(time_s, read_code(frame)) for time_s, frame in video]
    assert [code for _, code in found] == list(range(300, 350)) and video.frames == 50
    np.testing.assert_allclose([time_s for time_s, _ in found], np.arange(300, 350) / 25.0, atol=1e-3)


def test_slow_motion_shortens_time_and_raises_the_rate(tmp_path: Path) -> None:
    video = read_video(make(tmp_path / "clip.mp4", EVEN_S), VideoConfig(start_s=1.0, slow_motion=4.0))
    times = [time_s for time_s, _ in video]
    np.testing.assert_allclose(times, EVEN_S[30:] / 4.0, atol=2e-5)
    assert video.fps == pytest.approx(120.0)


def quarters(index: int) -> NDArray[Any]:
    """Red at the top left, green at the top right, blue at the bottom left, black at the bottom right."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    half_h, half_w = SIZE[1] // 2, SIZE[0] // 2
    image[:half_h, :half_w, 0] = image[:half_h, half_w:, 1] = image[half_h:, :half_w, 2] = 255
    return image


@pytest.mark.parametrize(("degrees", "corners"), [(90, "b r k g"), (180, "k b g r"), (270, "g k r b")])
def test_the_picture_is_turned_as_the_file_asks(tmp_path: Path, degrees: int, corners: str) -> None:
    path = set_rotation(make(tmp_path / "clip.mp4", EVEN_S[:5], image=quarters), degrees)
    video = read_video(path, VideoConfig())
    assert video.image_size == (SIZE if degrees == 180 else SIZE[::-1])
    for _, frame in video:
        assert frame.shape[1::-1] == video.image_size and frame.dtype == np.uint8
        h, w = (side // 4 for side in frame.shape[:2])
        seen = [frame[y, x] for y in (h, 3 * h) for x in (w, 3 * w)]
        assert ["rgb"[c.argmax()] if c.max() > 128 else "k" for c in seen] == corners.split()


def test_wide_pixels_become_square(tmp_path: Path) -> None:
    video = read_video(make(tmp_path / "clip.mp4", EVEN_S[:5], sar=Fraction(4, 3)), VideoConfig())
    assert video.image_size == (round(SIZE[0] * 4 / 3), SIZE[1])
    assert next(iter(video))[1].shape[1::-1] == video.image_size


def test_a_clip_can_be_read_twice_and_left_early(tmp_path: Path) -> None:
    video = read_video(make(tmp_path / "clip.mp4", EVEN_S), VideoConfig())
    for _, frame in video:
        assert read_code(frame) == 0
        break
    assert [read_code(frame) for _, frame in video] == list(range(60)) and video.notes == ()


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    peaks = []
    for frames in (30, 240):
        video = read_video(make(tmp_path / f"{frames}.mp4", np.arange(frames) / 30.0), VideoConfig())
        tracemalloc.start()
        assert sum(1 for _ in video) == frames
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2 * SIZE[0] * SIZE[1] * 3


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def picture(path: Path) -> Path:
    av.VideoFrame.from_ndarray(draw_code(1), format="rgb24").save(str(path))
    return path


def write_file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


BAD: dict[str, Callable[[Path], Path]] = {
    "missing": lambda folder: folder / "missing.mp4",
    "a folder": lambda folder: folder,
    "is empty": lambda folder: write_file(folder / "empty.mp4", b""),
    "cannot be read as a video": lambda folder: write_file(folder / "noise.mp4", bytes(range(256)) * 40),
    "sound only": lambda folder: sound_only(folder / "sound.m4a"),
    "cut off": lambda folder: cut(make(folder / "cut.mp4", EVEN_S), 0.5),
    "at least 2": lambda folder: make(folder / "one.mp4", [0.0]),
    "1 frame": lambda folder: picture(folder / "image.png"),
}


@pytest.mark.parametrize("words", BAD)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = BAD[words](tmp_path)
    capfd.readouterr()
    with pytest.raises(UserError) as caught:
        read_video(path, VideoConfig())
    assert str(path) in caught.value.what and words.split()[-1] in caught.value.what and caught.value.remedy
    assert capfd.readouterr().err == ""


def test_a_truncated_file_is_used_as_far_as_it_goes_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (8, SIZE[1], SIZE[0], 3), dtype=np.uint8)
    path = tmp_path / "cut.mp4"
    make(path, EVEN_S, container={"movflags": "faststart"}, image=lambda index: noise[index % 8])
    video = read_video(cut(path, 0.5), VideoConfig())
    capfd.readouterr()
    assert 20 <= sum(1 for _ in video) <= 40
    assert any("cut off" in note and str(path) in note for note in video.notes)
    assert capfd.readouterr().err == ""


def test_frames_that_do_not_decode_are_counted(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mkv", EVEN_S, options={"bf": "0", "g": "60"})
    video = read_video(path, VideoConfig())
    cut(path, 0.6)  # goes bad between the look and the reading
    decodable = sum(1 for _ in video)
    assert 2 < decodable < 55 and f"only {decodable} of 60" in video.notes[-1]


@pytest.mark.parametrize(
    "config",
    [
        VideoConfig(start_s=5.0),
        VideoConfig(start_s=1.0, end_s=1.0),
        VideoConfig(start_s=-1.0),
        VideoConfig(start_s=1.0, end_s=1.01),
        VideoConfig(slow_motion=0.0),
    ],
)
def test_an_impossible_part_is_refused(tmp_path: Path, config: VideoConfig) -> None:
    path = make(tmp_path / "clip.mp4", EVEN_S)
    with pytest.raises(UserError):
        read_video(path, config)


def test_an_end_beyond_the_videos_is_the_videos_with_a_note(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", EVEN_S)
    whole, beyond = read_video(path, VideoConfig()), read_video(path, VideoConfig(start_s=1.0, end_s=8.0))
    assert [read_code(frame) for _, frame in beyond] == list(range(30, 60)) and whole.notes == ()
    (note,) = beyond.notes
    assert "end at 8 s" in note and "2.00 s long" in note and str(path) in note
    assert read_video(path, VideoConfig(end_s=2.02)).notes == ()


def test_a_video_that_may_not_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mp4").write_text("a video")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"x\.mp4 cannot be read \(Permission denied\)"):
        read_video(tmp_path / "x.mp4", VideoConfig())


def hide_beginning(path: Path, hidden_s: float) -> Path:
    """The MP4 with an edit list that begins later, as where a phone trims a clip without encoding it."""
    data = bytearray(path.read_bytes())
    scale = struct.unpack_from(">I", data, data.find(b"mdhd") + 16)[0]
    whole = struct.unpack_from(">I", data, data.find(b"mvhd") + 16)[0]
    entry = data.find(b"elst") + 12
    length, begin = struct.unpack_from(">Ii", data, entry)
    struct.pack_into(">Ii", data, entry, length - round(hidden_s * whole), begin + round(hidden_s * scale))
    path.write_bytes(data)
    return path


def test_what_an_edit_list_hides_is_left_out_without_a_note(tmp_path: Path) -> None:
    video = read_video(hide_beginning(make(tmp_path / "trimmed.mp4", EVEN_S), 1.0), VideoConfig())
    times, codes = zip(*((time_s, read_code(frame)) for time_s, frame in video), strict=True)
    assert codes == tuple(range(30, 60)) and video.frames == 30 and video.notes == ()
    np.testing.assert_allclose(times, EVEN_S[:30], atol=2e-5)
    with pytest.raises(UserError, match="lies beyond the end"):
        read_video(tmp_path / "trimmed.mp4", VideoConfig(start_s=1.5))


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "ivf"])
def test_av1_is_read(tmp_path: Path, kind: str) -> None:
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("nothing here encodes AV1")
    video = read_video(
        make(tmp_path / f"clip.{kind}", EVEN_S[:8], codec="libsvtav1", options={"preset": "12"}), VideoConfig()
    )
    assert [read_code(frame) for _, frame in video] == list(range(8)) and video.notes == ()


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("times_s", "fps"),
    [
        (np.r_[EVEN_S[:15], EVEN_S[:15] + 1.5], 30.0),  # a second missing
        (np.delete(EVEN_S, np.arange(7, 55, 5)), 30.0),  # frames dropped
        (np.arange(60) * 1001 / 30000 + np.where(np.arange(60) > 20, 0.7, 0.0), 30000 / 1001),
        (IRREGULAR_S, 59 / IRREGULAR_S[-1]),  # no rate at which most lie
    ],
)
def test_the_rate_is_that_at_which_most_frames_lie(tmp_path: Path, kind: str, times_s: Any, fps: float) -> None:
    video = read_video(make(tmp_path / f"clip.{kind}", times_s), VideoConfig())
    assert video.fps == pytest.approx(fps, rel=1.1e-3) and video.frames == len(times_s)
    np.testing.assert_allclose([time_s for time_s, _ in video], times_s, atol=1.1e-3)
