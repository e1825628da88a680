"""A look has the figures of its motion, and pictures of the right moments that decode; what cannot be drawn is told."""

import base64
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image

from stc_core.capture.landmark_map import BODY27
from stc_core.capture.pipeline import CaptureConfig
from stc_core.capture.video import VideoConfig
from stc_core.convert import convert_clip as one
from stc_core.convert.report import charts as plots
from stc_core.convert.report import thumbnails as pictures
from stc_core.convert.report.summary import Look, load_look, look_at, save_look
from stc_core.convert.store.local_store import LOOK, Clip
from stc_core.events import Event, Note, Progress, ignore
from stc_core.motion.motion import Motion, save_motion
from stc_core.motion.quality import jitter_of, slide_of
from tests import synthetic

SIZE = (160, 120)
FPS = 10.0
GREY = 2.0
"""levels brighter a second, so that a picture says its time"""


def seen(seconds: float, **changes: object) -> Motion:
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


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def seconds_of(picture: np.ndarray) -> float:
    """The time that a made frame's brightness says, from a corner where nothing is drawn."""
    return (float(picture[4:20, 4:20].mean()) - 20.0) / GREY


def test_figures_are_those_of_the_motion() -> None:
    motion = synthetic.walk(seconds=2.0)
    scores = np.full_like(motion.scores, 0.8)
    scores[:15] = 0.0
    motion = replace(motion, scores=scores)
    look = look_at(motion, None, None, ignore)
    assert (look.frames, look.seconds, look.seen) == (60, 2.0, 45) and look.confidence == pytest.approx(0.6)
    assert look.slide_mm == pytest.approx(slide_of(motion), abs=1e-3)
    assert look.jitter_m_s3 == pytest.approx(jitter_of(motion), abs=1e-3)


def test_a_motion_alone_is_drawn_as_the_figure() -> None:
    look = look_at(synthetic.walk(seconds=2.0), None, None, ignore)
    strip, loop = decoded(look.strip), decoded(look.loop)
    assert strip.size == (6 * 160, 120) and loop.size == (180, 180)
    assert loop.n_frames == 24 and loop.info["loop"] == 0  # type: ignore[attr-defined]
    assert np.asarray(strip.convert("RGB"))[:, 400:560].std() > 10.0  # somebody is in it


def test_pictures_show_their_own_moments_in_a_long_video(minute: Path) -> None:
    told: list[Event] = []
    look = look_at(seen(88.0, start_s=1.0), minute, VideoConfig(start_s=1.0), told.append)
    strip = np.asarray(decoded(look.strip).convert("RGB"))
    times = [seconds_of(strip[:, 160 * part : 160 * (part + 1)]) for part in range(pictures.MOMENTS)]
    expected = 1.0 + 88.0 * (np.arange(6) + 0.5) / 6
    np.testing.assert_allclose(times, expected, atol=1.5)
    steps = [event for event in told if isinstance(event, Progress)]
    assert steps and steps[-1].done == steps[-1].total and not [event for event in told if isinstance(event, Note)]


def test_slow_motion_is_in_the_files_own_time(minute: Path) -> None:
    look = look_at(seen(22.0), minute, VideoConfig(slow_motion=4.0), ignore)
    strip = np.asarray(decoded(look.strip).convert("RGB"))
    assert seconds_of(strip[:, 800:960]) == pytest.approx(4 * 22.0 * 5.5 / 6, abs=2.0)


def test_the_loop_shows_the_liveliest_seconds() -> None:
    motion = synthetic.stand(fps=30.0, seconds=20.0)
    root = motion.t_world_root.copy()
    root[400:430, 2] += 0.3 * np.sin(np.linspace(0.0, np.pi, 30))
    indices = pictures.lively(replace(motion, t_world_root=root))
    assert indices[0] <= 400 and indices[-1] >= 425 and len(indices) == 36 and indices[-1] - indices[0] < 90
    assert pictures.lively(synthetic.stand(fps=5.0, seconds=1.0))  # slower than the loop


def test_the_person_is_looked_at_closer_and_drawn_where_it_is() -> None:
    motion = seen(1.0)
    assert motion.camera is not None
    left, top, width, height = pictures.near_person(motion)
    x, y = motion.landmarks["landmarks_2d"].reshape(-1, 2).T
    assert left <= x.min() and x.max() <= left + width and top <= y.min() and y.max() <= top + height
    assert width / height == pytest.approx(4 / 3, abs=0.02) and height <= SIZE[1]
    closer = pictures._through((left, top, width, height), motion)
    assert closer.camera is not None
    joints = motion.positions()
    np.testing.assert_allclose(closer.camera.project(joints), motion.camera.project(joints) - (left, top))


@pytest.mark.parametrize("window", [(-40, -10, 240, 180), (20, 30, 80, 60), (100, 60, 160, 120)])
def test_a_window_that_reaches_beyond_the_picture_is_dark_there(window: pictures.Window) -> None:
    left, top, width, height = window
    frame = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)
    out = pictures._cut_out(frame, window)
    assert out.shape == (height, width, 3)
    inside = max(0, min(left + width, 160) - max(left, 0)) * max(0, min(top + height, 120) - max(top, 0))
    assert (out == 200).all(-1).sum() == inside


def test_a_tall_video_and_one_without_anybody_are_seen_whole() -> None:
    motion = seen(1.0)
    nobody = replace(motion, landmarks=motion.landmarks | {"landmark_scores": np.zeros((10, 27))})
    assert pictures.near_person(nobody) == (0, 0, 160, 120)
    assert nobody.camera is not None
    tall = replace(nobody, camera=replace(nobody.camera, image_size=(90, 160)))
    assert pictures.near_person(tall) == (-62, 0, 213, 160)


def test_a_busy_picture_is_packed_small() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (36, 180, 420, 3), np.uint8)
    smooth = [cv2.GaussianBlur(frame, (9, 9), 0) for frame in noise]
    assert len(pictures._packed([Image.fromarray(frame) for frame in smooth])) < 2 * 150_000


def test_what_cannot_be_drawn_is_told_and_the_figures_stay(tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_text("no video")
    notes: list[Event] = []
    look = look_at(seen(1.0), tmp_path / "walk.mp4", None, notes.append)
    (note,) = notes
    assert isinstance(note, Note) and note.kind == "pictures" and "cannot be read as a video" in note.message
    assert look.strip == look.loop == "" and look.frames == 10 and look.timeline.startswith("<svg")


def test_the_shortest_motions_have_a_look() -> None:
    whole = synthetic.stand()
    for frames in (1, 2, 3):
        parts = {"t_world_root": whole.t_world_root, "q_parent_joint": whole.q_parent_joint}
        parts |= {"contacts": whole.contacts, "scores": whole.scores}
        look = look_at(replace(whole, **{name: part[:frames] for name, part in parts.items()}), None, None, ignore)
        assert look.frames == frames and look.jitter_m_s3 is None and bool(look.loop) == (frames > 1)


def test_a_look_there_and_back(tmp_path: Path) -> None:
    look = Look(10, 1.0, 9, 0.8, None, 50.0, "<svg/>", "", "AAAA")
    save_look(look, tmp_path / "look.json")
    assert load_look(tmp_path / "look.json") == look
    (tmp_path / "torn.json").write_text('{"frames": 1')
    assert load_look(tmp_path / "torn.json") is None and load_look(tmp_path / "lost.json") is None


def test_a_clip_makes_its_look_of_video_or_motion(tmp_path: Path) -> None:
    save_motion(seen(2.0), tmp_path / "walk.npz")
    video(tmp_path / "walk.avi", 2.0)
    settings = one.settings_of(CaptureConfig())
    for source, width in ((tmp_path / "walk.npz", 180), (tmp_path / "walk.avi", 180 + 240)):
        clip = Clip(str(source), str(tmp_path), "walk", (), None if source.suffix == ".npz" else settings, look=1)
        made = one.make(clip, [LOOK], tmp_path / "walk.npz", tmp_path, ignore)
        look = load_look(made[LOOK])
        assert look is not None and decoded(look.loop).size == (pytest.approx(width, abs=1), 180)


def test_the_timeline_takes_its_colours_from_the_page_and_shows_dips_and_contacts() -> None:
    confidence = np.ones(3000)
    confidence[1500] = 0.0
    contacts = np.zeros((3000, 2), bool)
    contacts[300:600, 0] = contacts[2990:, 0] = True
    text = plots.timeline(confidence, confidence > 0.0, contacts, 30.0, 2.0)
    assert text == plots.timeline(confidence, confidence > 0.0, contacts, 30.0, 2.0)
    assert not re.search("#0[1-9]0[1-9]0[1-9]", text) and {"var(--left)", "var(--bad)", "var(--good)"} <= set(
        re.findall(r"var\(--\w+\)", text)
    )
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") and root.get("width") is None and len(text) < 40_000
    assert plots._spans(contacts[:, 0], 30.0, 2.0) == [
        (12.0, 10.0),
        (pytest.approx(2.0 + 2990 / 30), pytest.approx(1 / 3)),
    ]
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "20 s" in labels and "90 s" in labels


def test_the_overview_leads_to_the_rows_and_takes_any_name() -> None:
    dots = [
        plots.Dot(1, "clip-1", 0.3, 40.0, 2000.0, True),
        plots.Dot(2, "clip-2", 0.9, None, 50.0, False),
        plots.Dot(3, "clip-3", 0.9, 0.0, None, False),
    ]
    text = plots.overview(dots, {"left and right swapped": 1, "$moon$ <b>": 2})
    ElementTree.fromstring(text)
    assert re.findall(r'xlink:href="#(clip-\d)"', text) == ["clip-2", "clip-1"] and "$moon$ &lt;b&gt;" in text
