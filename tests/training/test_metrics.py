"""Figures of error: known by construction, and equal to the public code's where its numbers are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stc_core.motion import rotation
from stc_core.training import metrics

PARITY = Path(__file__).parents[3] / "shared" / "parity" / "windows_metrics.npz"


@pytest.fixture
def clip():
    """A wandering cloud of points (T, K, 3) in metres."""
    noise = np.random.default_rng(7)
    return noise.normal(size=(40, 17, 3)) + np.cumsum(noise.normal(size=(40, 1, 3)), 0)


def turned(points, axis_angle, scale=1.0, shift=(0.0, 0.0, 0.0)):
    return scale * rotation.rotate(rotation.exp(np.array(axis_angle)), points) + np.array(shift)


@pytest.mark.skipif(not PARITY.exists(), reason="the public code's numbers are not here")
def test_position_errors_equal_the_public_code():
    with np.load(PARITY) as file:
        estimate, truth = file["m_pred"], file["m_gt"]
        assert metrics.mpjpe(estimate, truth) == pytest.approx(float(file["m_mpjpe"]), abs=1e-12)
        np.testing.assert_allclose(metrics.mpjpe_each(estimate, truth)[:, 0], file["m_p1_each"], atol=1e-12)
        np.testing.assert_allclose(metrics.p_mpjpe_each(estimate, truth)[:, 0], file["m_p2_each"], atol=1e-12)


def test_mpjpe_is_the_mean_distance(clip):
    assert metrics.mpjpe(clip + [0.03, 0.0, 0.04], clip) == pytest.approx(0.05)


def test_align_finds_the_similarity_it_was_made_with(clip):
    moved = turned(clip, (0.3, -1.0, 2.0), 1.7, (1, 2, 3))
    found = metrics.align(clip[3], moved[3])
    assert found.scale == pytest.approx(1.7)
    np.testing.assert_allclose(found.apply(clip[3]), moved[3], atol=1e-9)


def test_p_mpjpe_forgives_a_similarity_of_each_frame_but_not_a_mirror_image(clip):
    each = np.stack([turned(pose, (0, 0, 0.1 * i), 1 + i / 40, (i, 0, 0)) for i, pose in enumerate(clip)])
    assert metrics.p_mpjpe(each, clip) < 1e-9
    assert metrics.p_mpjpe(clip * [-1, 1, 1], clip) > 0.3


def test_clip_error_forgives_one_turn_and_any_path_but_not_a_turn_that_changes(clip):
    path = np.linspace(0, 5, len(clip))[:, None, None] * np.array([1.0, 0.5, 0.0])
    assert metrics.clip_mpjpe(turned(clip, (0.2, 0.3, 0.4), 0.8) + path, clip) < 1e-9
    spinning = np.stack([turned(pose, (0, 0, 0.05 * i)) for i, pose in enumerate(clip)])
    assert metrics.clip_mpjpe(spinning, clip) > 0.3


def test_joint_angle_is_the_bend_and_its_error_needs_no_alignment(clip):
    square = np.array([[1.0, 0, 0], [0, 0, 0], [0, 2.0, 0]])
    assert metrics.joint_angles(square, [(0, 1, 2)]) == pytest.approx(90.0)
    bent = square.copy()
    bent[2] = [2 * np.cos(np.radians(80)), 2 * np.sin(np.radians(80)), 0]
    assert metrics.angle_error(turned(bent, (1, 2, 3), 4.0), square, [(0, 1, 2)]) == pytest.approx(10.0)


def test_path_error_forgives_a_rigid_transform_but_not_a_scale():
    path = np.zeros((101, 3))
    path[:, 0] = np.linspace(0.0, 4.0, 101)
    assert metrics.path_error_percent(turned(path, (0, 0, 1.0), 1.0, (5, 5, 0)), path) == pytest.approx(0.0, abs=1e-9)
    # 10 % too long: off by 10 % of the distance to the middle, whose mean is a quarter of the length
    assert metrics.path_error_percent(path * 1.1, path) == pytest.approx(2.5, rel=0.03)


def test_path_error_of_a_person_who_stands_is_finite():
    assert metrics.path_error_percent(np.zeros((5, 3)), np.zeros((5, 3))) == 0.0


def test_foot_slide_counts_horizontal_movement_in_contact_only():
    feet = np.zeros((10, 2, 3, 3))
    feet[:, 0, :, 0] = np.arange(10)[:, None] * 0.004
    feet[:, 0, :, 2] = np.arange(10)[:, None] * 0.1
    feet[:, 1, :, 1] = np.arange(10)[:, None] * 1.0
    contacts = np.zeros((10, 2), bool)
    contacts[2:6, 0] = True
    assert metrics.foot_slide(feet, contacts) == pytest.approx(4.0)
    assert metrics.foot_slide(feet, np.zeros((10, 2), bool)) == 0.0


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_jitter_is_the_third_derivative_whatever_the_rate(fps):
    t = np.arange(round(2 * fps)) / fps
    points = np.stack([t**3, 2 * t**2, t], -1)[:, None]
    assert metrics.jitter(points, fps) == pytest.approx(6.0, rel=1e-6)


def test_tilt_is_the_lean_of_the_whole_clip_and_not_its_heading(clip):
    up = np.array([0.0, 0.0, 1.0])
    assert metrics.tilt(turned(clip, (0, 0, 2.0)), clip, up, up) == pytest.approx(0.0, abs=1e-6)
    assert metrics.tilt(turned(clip, (np.radians(12), 0, 0)), clip, up, up) == pytest.approx(12.0)
    camera_axes = turned(clip, (np.radians(90), 0, 0))  # z up becomes y down
    assert metrics.tilt(camera_axes, clip, np.array([0.0, -1.0, 0.0]), up) == pytest.approx(0.0, abs=1e-6)
