"""A face goes with its motion: mirrored, cut and closed with it, and left out where a format has none."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stc_core.geometry.rotation import Array
from stc_core.motion.edit.loop import loop_motion
from stc_core.motion.edit.mirror import mirror_motion
from stc_core.motion.face import FACE_COEFFICIENTS, Face, loop_face
from stc_core.motion.hand_face_landmarks import FaceLandmarks
from stc_core.motion.motion import Motion
from stc_core.motion.vmd import write_vmd
from tests.motion.test_foreign_bvh import WALK


def add_face(motion: Motion, coefficients: Array) -> Motion:
    frames = len(motion.t_world_root)
    seen = FaceLandmarks(
        coefficients=coefficients,
        R_camera_head=np.zeros((frames, 3, 3)),
        box=np.zeros((frames, 4)),
        scores=np.zeros(frames),
    )
    return replace(motion, face=Face(coefficients=coefficients, scores=np.ones(frames)), face_landmarks=seen)


def random_coefficients(frames: int) -> Array:
    return np.random.default_rng(5).uniform(0.0, 1.0, (frames, len(FACE_COEFFICIENTS)))


def test_a_mirrored_face_has_left_and_right_exchanged_and_twice_mirrored_is_itself() -> None:
    motion = add_face(WALK, random_coefficients(len(WALK.t_world_root)))
    mirrored = mirror_motion(motion)
    assert motion.face is not None and mirrored.face is not None and mirrored.face_landmarks is None
    for name, other in (("eyeBlinkLeft", "eyeBlinkRight"), ("mouthLeft", "mouthRight"), ("jawOpen", "jawOpen")):
        np.testing.assert_array_equal(mirrored.face.track(name), motion.face.track(other))
    again = mirror_motion(mirrored).face
    assert again is not None
    np.testing.assert_array_equal(again.coefficients, motion.face.coefficients)


def test_a_loop_cuts_the_face_with_the_body_and_ends_as_it_begins() -> None:
    ramp = np.linspace(0.0, 1.0, len(WALK.t_world_root))[:, None].repeat(len(FACE_COEFFICIENTS), 1)
    looped, cycle = loop_motion(add_face(WALK, ramp))
    assert looped.face is not None and len(looped.face.scores) == len(looped.t_world_root)
    np.testing.assert_allclose(looped.face.coefficients[0], looped.face.coefficients[-1], atol=1e-12)
    middle = (cycle.first + cycle.last) // 2
    np.testing.assert_allclose(looped.face.coefficients[middle - cycle.first], ramp[middle], atol=1e-12)


def test_what_a_loop_adds_to_a_face_fades_in_and_out() -> None:
    ramp = np.linspace(0.2, 0.6, 61)[:, None].repeat(len(FACE_COEFFICIENTS), 1)
    closed = loop_face(Face(coefficients=ramp, scores=np.ones(61)), 0, 60, 10).coefficients
    np.testing.assert_allclose(closed[[0, 60]], 0.4, atol=1e-12)
    np.testing.assert_array_equal(closed[10:51], ramp[10:51])
    assert np.abs(np.diff(closed, axis=0)).max() < 0.05


def test_a_motion_with_a_face_becomes_a_vmd_at_another_rate(tmp_path: Path) -> None:
    motion = add_face(replace(WALK, fps=50.0), random_coefficients(len(WALK.t_world_root)))
    write_vmd(motion, tmp_path / "with.vmd")
    write_vmd(replace(motion, face=None, face_landmarks=None), tmp_path / "without.vmd")
    assert (tmp_path / "with.vmd").read_bytes() == (tmp_path / "without.vmd").read_bytes()
