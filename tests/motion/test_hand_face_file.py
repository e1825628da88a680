"""Hands and face in a motion file: what is written is read, and what is damaged is refused in a sentence."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.face import FACE_COEFFICIENTS, Face
from stc_core.motion.fingers import HUMANOID_WITH_FINGERS
from stc_core.motion.hand_face_landmarks import FaceLandmarks, HandLandmarks, take_frames
from stc_core.motion.motion import Motion, load_motion, save_motion

FRAMES = 4


def make_motion() -> Motion:
    rng, joints = np.random.default_rng(0), len(HUMANOID_WITH_FINGERS.parents)
    scores = np.array([1.0, 0.0, 0.5, 0.7])
    R = rotation.to_matrix(rotation.normalise(rng.normal(size=(FRAMES, 4)))) * (scores > 0.0)[:, None, None]
    return Motion(
        skeleton=HUMANOID_WITH_FINGERS,
        t_world_root=np.zeros((FRAMES, 3)),
        q_parent_joint=rotation.normalise(rng.normal(size=(FRAMES, joints, 4))),
        contacts=np.zeros((FRAMES, 2), bool),
        scores=np.ones((FRAMES, joints)),
        fps=30.0,
        hand_landmarks=HandLandmarks(
            image=rng.uniform(0.0, 500.0, (FRAMES, 2, 21, 2)),
            world=rng.normal(size=(FRAMES, 2, 21, 3)),
            scores=rng.uniform(size=(FRAMES, 2)),
        ),
        face=Face(coefficients=rng.uniform(size=(FRAMES, 52)), scores=scores),
        face_landmarks=FaceLandmarks(
            coefficients=rng.uniform(size=(FRAMES, 52)), R_camera_head=R, box=np.ones((FRAMES, 4)), scores=scores
        ),
    )


def test_hands_and_face_come_back_to_the_bit(tmp_path: Path) -> None:
    motion = make_motion()
    save_motion(motion, tmp_path / "a.npz")
    again = load_motion(tmp_path / "a.npz")
    for part in ("hand_landmarks", "face", "face_landmarks"):
        for name, values in vars(getattr(motion, part)).items():
            np.testing.assert_array_equal(getattr(getattr(again, part), name), values)


def test_a_motion_without_them_has_none_of_their_keys(tmp_path: Path) -> None:
    save_motion(replace(make_motion(), hand_landmarks=None, face=None, face_landmarks=None), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert not [key for key in file if key.startswith(("hand_", "face_"))]
    again = load_motion(tmp_path / "a.npz")
    assert again.hand_landmarks is None and again.face is None and again.face_landmarks is None


def _rename(arrays: dict[str, Any]) -> None:
    arrays["face_names"] = arrays["face_names"][::-1]


def _exceed(arrays: dict[str, Any]) -> None:
    arrays["face_coefficients"][0, 0] = 1.5


def _shear(arrays: dict[str, Any]) -> None:
    arrays["face_R"][0, 0, 1] += 0.1


def _forget(arrays: dict[str, Any]) -> None:
    del arrays["hand_scores"]


def _shorten(arrays: dict[str, Any]) -> None:
    arrays["hand_landmarks_3d"] = arrays["hand_landmarks_3d"][:, :1]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_rename, "face_names"),
        (_exceed, "face_coefficients"),
        (_shear, "face_R"),
        (_forget, "it lacks hand_scores"),
        (_shorten, "hand_landmarks_3d"),
    ],
)
def test_damage_is_named(damage: Callable[[dict[str, Any]], None], what: str, tmp_path: Path) -> None:
    save_motion(make_motion(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    damage(arrays)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    with pytest.raises(UserError, match=what) as error:
        load_motion(tmp_path / "b.npz")
    assert "b.npz" in str(error.value)


def test_arkits_names_are_fifty_two_and_no_name_stands_twice() -> None:
    assert len(set(FACE_COEFFICIENTS)) == 52
    face = make_motion().face
    assert face is not None
    np.testing.assert_array_equal(face.track("jawOpen"), face.coefficients[:, FACE_COEFFICIENTS.index("jawOpen")])


def test_frames_are_taken_of_every_array() -> None:
    landmarks = make_motion().face_landmarks
    assert landmarks is not None
    part = take_frames(landmarks, slice(1, 3))
    assert len(part.scores) == len(part.box) == len(part.coefficients) == 2
