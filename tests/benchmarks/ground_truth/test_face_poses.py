"""Coefficients rise and fall as their pulses say; targets are read in metres; eyes and heads turn to the right side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stc_core.geometry import rotation
from stc_core.motion.face import FACE_COEFFICIENTS
from tests.benchmarks.ground_truth.face_clips import FACE_CLIPS
from tests.benchmarks.ground_truth.face_poses import (
    Pulse,
    gaze_angles,
    read_base_mesh,
    read_target,
    sum_pulses,
    turn_head,
)


def test_a_pulse_rises_stays_and_falls() -> None:
    pulse = Pulse("jawOpen", start_s=1.0, rise_s=0.2, hold_s=0.1, fall_s=0.2, peak=0.8)
    values = pulse.values(np.array([0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 2.0]))
    assert np.allclose(values, [0.0, 0.0, 0.4, 0.8, 0.8, 0.4, 0.0, 0.0])


def test_pulses_of_one_coefficient_add_up_to_one_at_most() -> None:
    pulses = [Pulse("jawOpen", start_s, 0.1, 1.0, 0.1, 0.7) for start_s in (0.0, 0.5)]
    values = sum_pulses(pulses, ("cheekPuff", "jawOpen"), np.array([0.3, 0.8, 3.0]))
    assert np.allclose(values, [[0.0, 0.7], [0.0, 1.0], [0.0, 0.0]])


def test_the_clips_move_only_what_arkit_knows() -> None:
    for clip in FACE_CLIPS:
        assert {pulse.name for pulse in clip.pulses} <= set(FACE_COEFFICIENTS)
        assert all(pulse.start_s + pulse.rise_s <= clip.seconds for pulse in clip.pulses)


def test_a_target_is_read_in_metres_with_z_up(tmp_path: Path) -> None:
    path = tmp_path / "jawOpen.target"
    path.write_text("# by hand\n3 1 -2 .5\n")
    moved = read_target(path)
    assert np.allclose(moved[3], [0.1, -0.05, -0.2])
    assert np.count_nonzero(moved.any(-1)) == 1


def test_the_base_mesh_is_read_by_groups(tmp_path: Path) -> None:
    path = tmp_path / "base.obj"
    path.write_text("v 1 2 3\nv 0 0 0\nv 0 1 0\ng body\nf 1/1 2/2 3/3\ng helper-tongue\nf 3/1 2/2 1/3\n")
    vertices, faces = read_base_mesh(path)
    assert np.allclose(vertices[0], [0.1, -0.3, 0.2])
    assert faces == {"body": [[0, 1, 2]], "helper-tongue": [[2, 1, 0]]}


def test_eyes_look_aside_together() -> None:
    looked = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0, "eyeLookDownLeft": 0.5}
    coefficients = np.array([[looked.get(name, 0.0) for name in FACE_COEFFICIENTS]])
    left, right = (gaze_angles(coefficients, FACE_COEFFICIENTS, eye)[0] for eye in (True, False))
    assert left[1] > 0.0 and np.isclose(left[1], right[1])
    assert left[0] > 0.0 and right[0] == 0.0


def test_a_head_turns_to_its_left_and_nods_down() -> None:
    ahead = np.array([0.0, -1.0, 0.0])
    turned, nodded = rotation.rotate(turn_head(np.array([[30.0, 0.0, 0.0], [0.0, 30.0, 0.0]])), ahead)
    assert np.allclose(turned, [0.5, -np.sqrt(0.75), 0.0])
    assert np.allclose(nodded, [0.0, -np.sqrt(0.75), -0.5])
