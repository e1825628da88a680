"""A summary has the figures of its motion and pictures of the right moments; what cannot be drawn is said."""

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stc_core.capture.config import CaptureConfig
from stc_core.capture.layout import BODY27
from stc_core.capture.video.config import VideoConfig
from stc_core.convert.convert_clip import convert_clip
from stc_core.convert.report import charts, thumbnails
from stc_core.convert.report.summary import (
    MotionSummary,
    find_spans,
    load_summary,
    make_timeline,
    save_summary,
    summarize,
)
from stc_core.convert.report.timeline_svg import draw_timeline
from stc_core.convert.store.record import SUMMARY, Task
from stc_core.events import Event, Note, Progress, ignore
from stc_core.motion.motion import Motion, save_motion
from stc_core.motion.quality import measure_foot_slide, measure_jitter
from stc_core.plain_values import to_plain
from tests import synthetic

TIMELINE = make_timeline(np.linspace(0.0, 1.0, 10), np.arange(10) > 0, np.ones((10, 2), bool), 10.0, 0.0)
WEBP = base64.b64encode(b"RIFF....WEBP").decode()
SIZE = (160, 120)
FPS = 10.0
GREY = 2.0
"""levels brighter a second, so that a picture says its time"""


def make_observed_motion(seconds: float, **changes: object) -> Motion:
    """A walk on the spot as a video of SIZE shows it; the person fills the middle."""
    still = synthetic.stand(fps=FPS, seconds=seconds)
    camera = synthetic.look_at_camera(size=SIZE)
    flat, _ = synthetic.views(still, camera)
    found = {
        "landmarks_2d": flat.keypoints,
        "landmark_scores": flat.scores,
        "landmarks_3d": synthetic.landmarks(still),
    }
    motion = replace(still, camera=camera, landmark_names=BODY27.names, landmarks=found)
    return replace(motion, **changes)  # type: ignore[arg-type]


def video(path: Path, seconds: float) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    for frame in range(round(seconds * FPS)):
        writer.write(np.full((SIZE[1], SIZE[0], 3), round(20 + GREY * frame / FPS), np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield video(tmp_path_factory.mktemp("videos") / "minute.avi", 90.0)


def decode_image(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def seconds_of(picture: NDArray[np.uint8]) -> float:
    """The time that a made frame's brightness says, from a corner where nothing is drawn."""
    return (float(picture[4:20, 4:20].mean()) - 20.0) / GREY


def test_figures_are_those_of_the_motion() -> None:
    motion = synthetic.walk(seconds=2.0)
    scores = np.full_like(motion.scores, 0.8)
    scores[:15] = 0.0
    motion = replace(motion, scores=scores)
    summary = summarize(motion, None, None, ignore)
    assert (summary.frames, summary.seconds, summary.observed) == (60, 2.0, 45) and summary.confidence == pytest.approx(
        0.6
    )
    assert summary.slide_mm == pytest.approx(measure_foot_slide(motion), abs=1e-3)
    assert summary.jitter_m_s3 == pytest.approx(measure_jitter(motion), abs=1e-3)


def test_a_motion_alone_is_drawn_as_the_figure() -> None:
    summary = summarize(synthetic.walk(seconds=2.0), None, None, ignore)
    strip, loop = decode_image(summary.strip), decode_image(summary.loop)
    assert strip.size == (6 * 160, 120) and loop.size == (180, 180)
    assert loop.n_frames == 24 and loop.info["loop"] == 0  # type: ignore[attr-defined]
    assert np.asarray(strip.convert("RGB"))[:, 400:560].std() > 10.0  # somebody is in it


def test_pictures_show_their_own_moments_in_a_long_video(minute: Path) -> None:
    told: list[Event] = []
    summary = summarize(make_observed_motion(88.0, start_s=1.0), minute, VideoConfig(start_s=1.0), told.append)
    strip = np.asarray(decode_image(summary.strip).convert("RGB"))
    times = [seconds_of(strip[:, 160 * part : 160 * (part + 1)]) for part in range(thumbnails.MOMENTS)]
    expected = 1.0 + 88.0 * (np.arange(6) + 0.5) / 6
    np.testing.assert_allclose(times, expected, atol=1.5)
    steps = [event for event in told if isinstance(event, Progress)]
    assert steps and steps[-1].done == steps[-1].total and not [event for event in told if isinstance(event, Note)]


def test_slow_motion_is_in_the_files_own_time(minute: Path) -> None:
    summary = summarize(make_observed_motion(22.0), minute, VideoConfig(slow_motion=4.0), ignore)
    strip = np.asarray(decode_image(summary.strip).convert("RGB"))
    assert seconds_of(strip[:, 800:960]) == pytest.approx(4 * 22.0 * 5.5 / 6, abs=2.0)


def test_the_loop_shows_the_liveliest_seconds() -> None:
    motion = synthetic.stand(fps=30.0, seconds=20.0)
    root = motion.t_world_root.copy()
    root[400:430, 2] += 0.3 * np.sin(np.linspace(0.0, np.pi, 30))
    indices = thumbnails.pick_liveliest(replace(motion, t_world_root=root))
    assert indices[0] <= 400 and indices[-1] >= 425 and len(indices) == 36 and indices[-1] - indices[0] < 90
    assert thumbnails.pick_liveliest(synthetic.stand(fps=5.0, seconds=1.0))  # slower than the loop


def test_the_person_is_looked_at_closer_and_drawn_where_it_is() -> None:
    motion = make_observed_motion(1.0)
    assert motion.camera is not None
    left, top, width, height = thumbnails.find_person_window(motion)
    x, y = motion.landmarks["landmarks_2d"].reshape(-1, 2).T
    assert left <= x.min() and x.max() <= left + width and top <= y.min() and y.max() <= top + height
    assert width / height == pytest.approx(4 / 3, abs=0.02) and height <= SIZE[1]
    closer = thumbnails._crop_camera((left, top, width, height), motion)
    assert closer.camera is not None
    joints = motion.positions()
    np.testing.assert_allclose(closer.camera.project(joints), motion.camera.project(joints) - (left, top))


@pytest.mark.parametrize("window", [(-40, -10, 240, 180), (20, 30, 80, 60), (100, 60, 160, 120)])
def test_a_window_that_reaches_beyond_the_picture_is_dark_there(window: thumbnails.Window) -> None:
    left, top, width, height = window
    frame = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    out = thumbnails._crop_frame(frame, window)
    assert out.shape == (height, width, 3)
    inside = max(0, min(left + width, 160) - max(left, 0)) * max(0, min(top + height, 120) - max(top, 0))
    assert (out == 200).all(-1).sum() == inside


def test_a_tall_video_and_one_without_anybody_are_seen_whole() -> None:
    motion = make_observed_motion(1.0)
    nobody = replace(motion, landmarks=motion.landmarks | {"landmark_scores": np.zeros((10, 27))})
    assert thumbnails.find_person_window(nobody) == (0, 0, 160, 120)
    assert nobody.camera is not None
    tall = replace(nobody, camera=replace(nobody.camera, image_size=(90, 160)))
    assert thumbnails.find_person_window(tall) == (-62, 0, 213, 160)


def test_a_busy_picture_is_packed_small() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (36, 180, 420, 3), np.uint8)
    smooth = [cv2.GaussianBlur(frame, (9, 9), 0) for frame in noise]
    assert len(thumbnails._encode_webp([Image.fromarray(frame) for frame in smooth])) < 2 * 150_000


def test_what_cannot_be_drawn_is_told_and_the_figures_stay(tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_text("no video")
    notes: list[Event] = []
    summary = summarize(make_observed_motion(1.0), tmp_path / "walk.mp4", None, notes.append)
    (note,) = notes
    assert isinstance(note, Note) and note.kind == "pictures" and "cannot be read as a video" in note.message
    assert summary.strip == summary.loop == "" and summary.frames == 10 and summary.timeline is not None


def test_the_shortest_motions_have_a_summary() -> None:
    whole = synthetic.stand()
    for frames in (1, 2, 3):
        short = replace(
            whole,
            t_world_root=whole.t_world_root[:frames],
            q_parent_joint=whole.q_parent_joint[:frames],
            contacts=whole.contacts[:frames],
            scores=whole.scores[:frames],
        )
        summary = summarize(short, None, None, ignore)
        assert summary.frames == frames and summary.jitter_m_s3 is None and bool(summary.loop) == (frames > 1)


def test_a_summary_survives_its_file(tmp_path: Path) -> None:
    summary = MotionSummary(
        frames=10,
        seconds=1.0,
        observed=9,
        confidence=0.8,
        slide_mm=None,
        jitter_m_s3=50.0,
        timeline=TIMELINE,
        loop=WEBP,
    )
    save_summary(summary, tmp_path / "summary.json")
    assert load_summary(tmp_path / "summary.json") == summary
    (tmp_path / "torn.json").write_text('{"frames": 1')
    assert load_summary(tmp_path / "torn.json") is None and load_summary(tmp_path / "lost.json") is None


def test_a_clip_makes_its_summary_of_video_or_motion(tmp_path: Path) -> None:
    save_motion(make_observed_motion(2.0), tmp_path / "walk.npz")
    video(tmp_path / "walk.avi", 2.0)
    settings = to_plain(CaptureConfig())
    for source, width in ((tmp_path / "walk.npz", 180), (tmp_path / "walk.avi", 180 + 240)):
        chosen = None if source.suffix == ".npz" else settings
        task = Task(source=str(source), out=str(tmp_path), name="walk", to=(), settings=chosen, summary=1)
        made = convert_clip(task, [SUMMARY], tmp_path / "walk.npz", tmp_path, ignore)
        summary = load_summary(made[SUMMARY])
        assert (
            summary is not None
            and abs(decode_image(summary.loop).width - width) <= 1
            and decode_image(summary.loop).height == 180
        )


def test_the_timeline_takes_its_colours_from_the_page_and_shows_dips_and_contacts() -> None:
    confidence = np.ones(3000)
    confidence[1500] = 0.0
    contacts = np.zeros((3000, 2), bool)
    contacts[300:600, 0] = contacts[2990:, 0] = True
    timeline = make_timeline(confidence, confidence > 0.0, contacts, 30.0, 2.0)
    text = draw_timeline(timeline, 3000)
    assert text == draw_timeline(timeline, 3000)
    assert not re.search("#0[1-9]0[1-9]0[1-9]", text) and {"var(--left)", "var(--bad)", "var(--good)"} <= set(
        re.findall(r"var\(--\w+\)", text)
    )
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") and root.get("width") is None and len(text) < 40_000
    assert find_spans(contacts[:, 0], 30.0, 2.0) == ((12.0, 10.0), (101.6667, 0.3333))
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "20 s" in labels and "90 s" in labels


def test_the_overview_leads_to_the_rows_and_takes_any_name() -> None:
    dots = [
        charts.Dot(number=n, anchor=f"clip-{n}", confidence=c, slide_mm=slide, jitter_m_s3=jitter, warned=warned)
        for n, c, slide, jitter, warned in (
            (1, 0.3, 40.0, 2e3, True),
            (2, 0.9, None, 50.0, False),
            (3, 0.9, 0.0, None, False),
        )
    ]
    text = charts.draw_overview(dots, {"left and right swapped": 1, "$moon$ <b>": 2})
    ElementTree.fromstring(text)
    assert re.findall(r'xlink:href="#(clip-\d)"', text) == ["clip-2", "clip-1"] and "$moon$ &lt;b&gt;" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"timeline": "<script>alert(1)</script>"},
        {"timeline": {"confidence": ["<b>"]}},
        {"strip": '" onerror="alert(1)'},
        {"loop": base64.b64encode(b"<svg onload=alert(1)>").decode()},
        {"jitter_m_s3": float("inf")},
        {"jitter_m_s3": 1e300},
        {"frames": 0},
        {"observed": 11},
        {"confidence": 2.0},
        {"seconds": -1.0},
    ],
)
def test_a_summary_with_a_wrong_value_is_not_believed(tmp_path: Path, changes: dict[str, Any]) -> None:
    summary = MotionSummary(
        frames=10, seconds=1.0, observed=9, confidence=0.8, slide_mm=None, jitter_m_s3=50.0, timeline=TIMELINE
    )
    plain = to_plain(summary)
    assert load_summary(write(tmp_path / "good.json", plain)) == summary
    plain["timeline"] = (
        {**plain["timeline"], **changes["timeline"]} if isinstance(changes.get("timeline"), dict) else plain["timeline"]
    )
    wrong = plain | {key: value for key, value in changes.items() if not isinstance(value, dict)}
    assert load_summary(write(tmp_path / "bad.json", wrong)) is None


def write(path: Path, plain: Any) -> Path:
    path.write_text(json.dumps(plain))
    return path


def test_a_motion_of_absurd_size_has_no_figures_that_break_a_page() -> None:
    motion = synthetic.walk(seconds=1.0)
    huge = replace(motion, skeleton=replace(motion.skeleton, offsets=motion.skeleton.offsets * 1e9))
    summary = summarize(huge, None, None, ignore)
    assert summary.jitter_m_s3 is None
