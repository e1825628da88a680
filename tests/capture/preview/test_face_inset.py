"""The preview shows the face that was seen and the coefficients that move; a motion without a face looks as before."""

from dataclasses import replace

import numpy as np

from stc_core.capture.pose import Frame
from stc_core.capture.preview.config import PreviewConfig
from stc_core.capture.preview.face_inset import choose_coefficients, draw_face_inset
from stc_core.capture.preview.preview import draw_panels
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.hand_face_landmarks import FaceLandmarks
from stc_core.motion.motion import Motion
from tests.synthetic import look_at_camera, walk

CONFIG = PreviewConfig(panel_height_px=320)
JAW = FACE_COEFFICIENTS.index("jawOpen")


def with_face(values: dict[str, float], score: float = 1.0) -> Motion:
    """A walk whose face has these coefficients from its second half on, in a red square of the picture."""
    motion = replace(walk(seconds=1.0), camera=look_at_camera(size=(320, 180)))
    frames = len(motion.t_world_root)
    coefficients = np.zeros((frames, len(FACE_COEFFICIENTS)))
    for name, value in values.items():
        coefficients[frames // 2 :, FACE_COEFFICIENTS.index(name)] = value
    seen = FaceLandmarks(
        coefficients=coefficients,
        R_camera_head=np.zeros((frames, 3, 3)),
        box=np.tile([200.0, 20.0, 240.0, 60.0], (frames, 1)),
        scores=np.full(frames, score),
    )
    return replace(motion, face=Face(coefficients=coefficients, scores=np.full(frames, score)), face_landmarks=seen)


def picture() -> Frame:
    frame = np.zeros((180, 320, 3), np.uint8)
    frame[20:60, 200:240] = (255, 0, 0)
    return frame


def draw(motion: Motion, index: int) -> Frame:
    """The right panel of one frame."""
    frames = [(index / motion.fps, picture())]
    ((_, panels),) = draw_panels(frames, motion, [index], CONFIG)
    return panels[1]


def test_the_bars_are_of_what_moves_most() -> None:
    motion = with_face({"jawOpen": 0.9, "eyeBlinkLeft": 0.5})
    assert motion.face is not None
    columns = choose_coefficients(motion.face)
    assert columns == sorted(columns) and {JAW, FACE_COEFFICIENTS.index("eyeBlinkLeft")} <= set(columns)


def test_the_corner_shows_the_face_and_its_bars_grow() -> None:
    motion = with_face({"jawOpen": 0.9})
    last = len(motion.t_world_root) - 1
    before, after = draw(motion, 0), draw(motion, last)
    middle = 5 + 43  # the edge and half of the crop's side
    assert (before[middle, middle] == (255, 0, 0)).all()
    assert (after == (90, 200, 255)).all(-1).sum() > 50 + (before == (90, 200, 255)).all(-1).sum()


def test_a_face_that_is_not_seen_has_no_crop_and_grey_bars() -> None:
    motion = with_face({"jawOpen": 0.9}, score=0.0)
    panel = draw(motion, len(motion.t_world_root) - 1)
    assert not (panel == (255, 0, 0)).all(-1).any() and (panel == (120, 120, 120)).all(-1).any()


def test_without_a_face_nothing_is_drawn() -> None:
    motion = replace(with_face({}), face=None, face_landmarks=None)
    panel = np.full((320, 320, 3), 7, np.uint8)
    draw_face_inset(panel, picture(), motion, 0, [JAW])
    assert (panel == 7).all()


def test_a_face_at_the_pictures_edge_is_drawn_too() -> None:
    motion = with_face({"jawOpen": 0.9})
    assert motion.face_landmarks is not None
    box = np.tile([-30.0, -30.0, 40.0, 40.0], (len(motion.t_world_root), 1))
    outside = replace(motion, face_landmarks=replace(motion.face_landmarks, box=box))
    assert draw(outside, 0).shape == (320, 320, 3)
