"""Files that are only odd give a motion's frames or a sentence, in bounded time and memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.container import check_container
from stc_core.capture.video.decoder import Packet, Stream
from stc_core.capture.video.reader import fit_frame, read_video
from stc_core.capture.video.timing import MAX_GAP_S, ContinuousClock, build_timing
from stc_core.errors import UserError
from tests.capture.test_video import EVEN_S, SIZE, draw_code, make, quarters, read_code

av = pytest.importorskip("av")


def frames_of(path: Path, config: VideoConfig | None = None) -> tuple[list[float], list[int], tuple[str, ...]]:
    """Times, codes and notes of a video of coded frames."""
    video = read_video(path, config or VideoConfig())
    read = [(time_s, read_code(frame)) for time_s, frame in video]
    times, codes = [time_s for time_s, _ in read], [code for _, code in read]
    assert len(read) <= video.frames + 1 and all(np.diff(times) > 0)
    return times, codes, video.notes


# Timestamps.


def stream_of(packets: list[Packet]) -> Stream:
    return Stream(packets=tuple(packets), declared_fps=30.0, declared_s=len(packets) / 30.0)


@pytest.mark.parametrize(("gap_s", "suffix"), [(3600.0, "mkv"), (3600.0, "mp4"), (100_000.0, "mkv")])
def test_a_frame_hours_later_costs_no_hours(tmp_path: Path, gap_s: float, suffix: str) -> None:
    times_s = EVEN_S[:30] + np.where(np.arange(30) == 29, gap_s, 0.0)
    times, codes, notes = frames_of(make(tmp_path / f"far.{suffix}", times_s, options={"bf": "0"}))
    assert codes == list(range(30)) and times[-1] < 1.0
    assert any("times without pictures at 0.9" in note for note in notes)
    assert read_video(tmp_path / f"far.{suffix}", VideoConfig()).fps == pytest.approx(30.0, rel=0.01)


def test_one_wrong_time_in_the_middle_loses_no_frame() -> None:
    file_s = [*EVEN_S[:15], 100_000.0, *EVEN_S[16:30]]
    timing = build_timing(Path("x"), stream_of([Packet(time_s=t, is_key=i == 0) for i, t in enumerate(file_s)]))
    clock = ContinuousClock(timing)
    times = [clock.read(time_s) for time_s in file_s]
    assert None not in times and timing.duration_s < 2.0 and (np.diff(np.array(times, float)) > 0).all()


def test_any_times_are_read_in_bounded_time_without_a_jump() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        file_s = rng.choice([1.0, 10.0, 1e5]) * rng.normal(size=40).cumsum()
        packets = [Packet(time_s=t, is_key=bool(rng.integers(2))) for t in file_s.tolist()]
        timing = build_timing(Path("x"), stream_of(packets))
        assert timing.duration_s - timing.times_s[0] <= 40 * MAX_GAP_S + 1.0 and (np.diff(timing.times_s) > 0).all()
        clock = ContinuousClock(timing)
        read = [time_s for time_s in map(clock.read, file_s.tolist()) if time_s is not None]
        assert (np.diff(read) > 0).all()


@pytest.mark.parametrize(("first", "second"), [(60, 30), (30, 60), (40, 40)])
@pytest.mark.parametrize("start_s", [0.0, 1.0])
def test_of_joined_recordings_all_is_used(tmp_path: Path, first: int, second: int, start_s: float) -> None:
    a = make(tmp_path / "a.ts", EVEN_S[:first])
    b = make(tmp_path / "b.ts", EVEN_S[:second], start_s=start_s, image=lambda index: draw_code(index + 512))
    joined = tmp_path / "ab.ts"
    joined.write_bytes(a.read_bytes() + b.read_bytes())
    times, codes, notes = frames_of(joined)
    assert codes == [*range(first), *range(512, 512 + second)]
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=2e-3)
    assert any("jumps back" in note for note in notes)
    cut = frames_of(joined, VideoConfig(start_s=(first + 5) / 30 - 0.01, end_s=(first + 15) / 30 - 0.01))
    assert cut[1] == list(range(517, 527))


def test_reordered_frames_are_no_jump(tmp_path: Path) -> None:
    for options in ({"bf": "3"}, {"bf": "8", "b_strategy": "2", "g": "12"}):
        times, codes, notes = frames_of(make(tmp_path / "b.mp4", EVEN_S, options=options))
        assert codes == list(range(60)) and notes == ()
        np.testing.assert_allclose(times, EVEN_S, atol=2e-5)


# Shape and size.


def set_pixel_shape(path: Path, wide: int, high: int) -> Path:
    """The MP4 with another pixel shape in its `pasp` box."""
    data = bytearray(path.read_bytes())
    struct.pack_into(">II", data, data.index(b"pasp") + 4, wide, high)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("wide", "high"), [(200, 1), (2_000_000_000, 1)])
def test_pixels_stretched_beyond_measure_are_a_sentence(tmp_path: Path, wide: int, high: int) -> None:
    path = set_pixel_shape(make(tmp_path / "bomb.mp4", EVEN_S[:5], sar=Fraction(4, 3)), wide, high)
    with pytest.raises(UserError, match=r"bomb\.mp4 are 160x96 pixels, shown"):
        read_video(path, VideoConfig())


def test_a_picture_too_wide_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32770, 8, "yuv420p"
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame(32770, 8, "yuv420p")))
        file.mux(stream.encode())
    with pytest.raises(UserError, match="32770x8 pixels; at most 16384"):
        read_video(path, VideoConfig())


_FAST = {"libx264": {"bf": "0", "crf": "5", "preset": "ultrafast"}, "libsvtav1": {"crf": "20", "preset": "12"}}


def joined_sizes(path: Path, codec: str, kind: str, *parts: tuple[tuple[int, int], int]) -> Path:
    """Parts of so many frames of a size each, after each other; a frame is red at left and green at right."""
    data = b""
    for number, (size, frames) in enumerate(parts):
        part = path.with_name(f"{number}.part")
        with av.open(str(part), "w", format=kind) as file:
            stream = file.add_stream(codec, rate=30, options=_FAST.get(codec, {"bf": "0"}))
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for index in range(frames):
                picture = np.random.default_rng(index).integers(0, 90, (size[1], size[0], 3), dtype=np.uint8)
                picture[:, : size[0] // 2, 0] = picture[:, size[0] // 2 :, 1] = 255
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            file.mux(stream.encode())
        data += part.read_bytes()
    path.write_bytes(data)
    return path


CODECS = [
    ("libx264", "h264"),
    ("libx264", "mpegts"),
    ("mpeg2video", "mpegts"),
    ("mpeg4", "mpegts"),
    ("libsvtav1", "obu"),
]


@pytest.mark.parametrize(("codec", "kind"), CODECS)
@pytest.mark.parametrize(("first", "second"), [((320, 180), (640, 480)), ((640, 480), (320, 180))])
def test_where_the_frame_size_changes_every_frame_keeps_its_shape(
    tmp_path: Path, codec: str, kind: str, first: tuple[int, int], second: tuple[int, int], capfd: Any
) -> None:
    path = joined_sizes(tmp_path / "x.video", codec, kind, (first, 30), (second, 20))
    capfd.readouterr()
    video = read_video(path, VideoConfig())
    frames = [frame for _, frame in video]
    assert len(frames) >= 49 and {frame.shape[1::-1] for frame in frames} == {first}
    scale = min(first[0] / second[0], first[1] / second[1])
    for frame, width in ((frames[5], first[0]), (frames[-5], scale * second[0])):
        left, right = (round(first[0] / 2 + side * (width / 2 - 6)) for side in (-1, 1))
        assert frame[first[1] // 2, left, 0] > 150 < frame[first[1] // 2, right, 1]
        assert width > first[0] - 2 or frame[first[1] // 2, [0, left - 12, right + 12, -1]].max() < 40
    assert f"from {first[0]}x{first[1]} to {second[0]}x{second[1]} at" in video.notes[-1]
    assert "fitted in, with bars" in video.notes[-1] and capfd.readouterr().err == ""


@pytest.mark.parametrize("size", [(100, 100), (100, 50), (50, 100), (7, 3)])
def test_a_fitted_frame_is_whole(size: tuple[int, int]) -> None:
    fitted = fit_frame(np.full((60, 120, 3), 255, np.uint8), size)
    lit = fitted.any(-1)
    assert fitted.shape == (size[1], size[0], 3)
    assert lit.any(0).sum() / lit.any(1).sum() == pytest.approx(2.0, rel=0.5)


MATRICES = {  # a, b, c, d: corners top left, top right, bottom left, bottom right of what is shown
    "left and right": ((-1, 0, 0, 1), "g r k b"),
    "top and bottom": ((1, 0, 0, -1), "b k r g"),
    "diagonal": ((0, 1, 1, 0), "r b g k"),
    "other diagonal": ((0, -1, -1, 0), "k g b r"),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_mirrored_video_is_shown_as_players_show_it(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "clip.mp4", EVEN_S[:5], image=quarters)
    (a, b, c, d), corners = MATRICES[name]
    data = bytearray(path.read_bytes())
    struct.pack_into(">5i", data, data.find(b"tkhd") + 44, a << 16, b << 16, 0, c << 16, d << 16)
    path.write_bytes(data)
    video = read_video(path, VideoConfig())
    assert video.image_size == (SIZE if a else SIZE[::-1])
    for _, frame in video:
        height, width = (side // 4 for side in frame.shape[:2])
        shown = [frame[y, x] for y in (height, 3 * height) for x in (width, 3 * width)]
        assert ["rgb"[colour.argmax()] if colour.max() > 128 else "k" for colour in shown] == corners.split()


@pytest.mark.parametrize("kind", ["mov", "mkv"])
def test_a_mirrored_picture_is_told_in_every_container_that_can(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip.{kind}"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.set_display_matrix([-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30])
        for index in range(5):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(index), format="rgb24")))
        file.mux(stream.encode())
    _, frame = next(iter(read_video(path, VideoConfig())))
    shown = [frame[y, x] for y in (SIZE[1] // 4, 3 * SIZE[1] // 4) for x in (SIZE[0] // 4, 3 * SIZE[0] // 4)]
    assert ["rgb"[colour.argmax()] if colour.max() > 128 else "k" for colour in shown] == "g r k b".split()


def test_sound_beside_two_video_streams_leaves_the_frames_alone(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as file:
        sound = file.add_stream("aac", rate=44100)
        streams = [file.add_stream("libx264", rate=30, options={"bf": "0"}) for _ in range(2)]
        for stream, size in zip(streams, ((64, 48), SIZE), strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        silence.rate = 44100
        file.mux(sound.encode(silence))
        for index in range(20):
            file.mux(streams[0].encode(av.VideoFrame(64, 48, "yuv420p")))
            file.mux(streams[1].encode(av.VideoFrame.from_ndarray(draw_code(index), format="rgb24")))
        for stream in (sound, *streams):
            file.mux(stream.encode())
    video = read_video(path, VideoConfig())
    np.testing.assert_allclose([time_s for time_s, _ in video], EVEN_S[:20], atol=2e-3)
    assert video.frames == 20 and video.notes == () and video.image_size in (SIZE, (64, 48))


# Names and containers.


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_a_name_that_is_no_utf_8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/G\xe4nge.mp4"))
    make(tmp_path / "plain.mp4", EVEN_S).rename(path)
    assert frames_of(path)[1] == list(range(60))


def test_a_name_like_a_pattern_is_that_file_alone(tmp_path: Path) -> None:
    for index in range(3):
        make(tmp_path / f"img{index:04d}.png.mp4", EVEN_S[:9], image=lambda _: draw_code(99))
    path = make(tmp_path / "clip.mp4", EVEN_S[:20]).rename(tmp_path / "img%04d.mp4")
    assert frames_of(path)[1] == list(range(20))
    for index in range(3):
        av.VideoFrame.from_ndarray(draw_code(7), format="rgb24").save(str(tmp_path / f"img{index:04d}.png"))
    pattern = tmp_path / "img%04d.png"
    pattern.write_bytes((tmp_path / "img0000.png").read_bytes())
    with pytest.raises(UserError, match="PNG picture"):
        read_video(pattern, VideoConfig())
    pattern.write_bytes(path.read_bytes())
    assert frames_of(pattern)[1] == list(range(20))


LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{file}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {file}\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{file}</BaseURL></MPD>\n',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
    "hls after a blank": "\ufeff#EXTM3U\n#EXTINF:1.0,\n{file}\n",
    "text": "Dear diary,\n" * 1000,
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ts"])
def test_a_list_of_other_files_is_refused_unread(tmp_path: Path, kind: str, suffix: str) -> None:
    private = make(tmp_path / "private.ts", EVEN_S[:5])
    path = tmp_path / f"innocent.{suffix}"
    path.write_text(LISTS[kind].format(file=private), encoding="utf-8")
    begun = time.process_time()
    with pytest.raises(UserError, match=r"innocent\.\w+ cannot be read as a video: it is"):
        read_video(path, VideoConfig())
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "webm", "avi", "ts", "mpg", "flv", "asf", "ogv", "h264", "gif"])
def test_every_container_that_people_have_is_let_in(tmp_path: Path, kind: str) -> None:
    codec = {"webm": "libvpx", "mpg": "mpeg2video", "flv": "flv", "asf": "msmpeg4v3", "ogv": "libtheora", "gif": "gif"}
    path = tmp_path / f"clip.{kind}"
    with av.open(str(path), "w") as file:
        if codec.get(kind, "libx264") not in av.codecs_available:
            pytest.skip("this codec is not installed")
        stream = file.add_stream(codec.get(kind, "libx264"), rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = {"gif": "rgb8"}.get(kind, "yuv420p")
        for index in range(8):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(draw_code(index), format="rgb24")))
        file.mux(stream.encode())
    check_container(path)
    assert sum(1 for _ in read_video(path, VideoConfig())) >= 7


def test_a_transport_stream_that_begins_within_a_packet_is_let_in(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.ts", EVEN_S)
    path.write_bytes(path.read_bytes()[100:])
    check_container(path)


def test_a_device_is_no_video() -> None:
    if os.path.exists("/dev/zero"):
        with pytest.raises(UserError, match="no ordinary file"):
            check_container(Path("/dev/zero"))


def noise(index: int) -> NDArray[Any]:
    return np.random.default_rng(index).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


@pytest.mark.heavy
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_damaged_bytes_give_frames_or_a_sentence(tmp_path: Path, suffix: str) -> None:
    """In a process of its own: the decoder may die, but then this test says so."""
    whole = make(tmp_path / f"clip.{suffix}", EVEN_S[:30], options={"bf": "0"}, image=noise).read_bytes()
    rng = np.random.default_rng(0)
    for number in range(8):
        data = bytearray(whole)
        for position in rng.integers(12, len(data), 40):
            data[position] = rng.integers(256)
        (tmp_path / f"bad{number}.{suffix}").write_bytes(data)
    code = (
        "import sys; from pathlib import Path\n"
        "from stc_core.capture.video.config import VideoConfig\n"
        "from stc_core.capture.video.reader import read_video\n"
        "from stc_core.errors import UserError\n"
        "for path in sorted(Path(sys.argv[1]).glob('bad*')):\n"
        "    try: print(sum(1 for _ in read_video(path, VideoConfig())))\n"
        "    except UserError as error: print(error)\n"
    )
    root = Path(__file__).resolve().parents[2]
    run = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(run, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 8, done.stderr
