"""Figures of error: known by construction, and equal to the public code's where its numbers are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.evaluation import metrics
from stc_core.geometry import alignment, rotation

Array = NDArray[np.float64]

PARITY = Path(__file__).parents[3] / "shared" / "parity" / "windows_metrics.npz"
FIXTURE = Path(__file__).with_name("figures.npz")  # made poses; errors by scipy's Kabsch and plain loops, not by us


@pytest.fixture
def clip() -> Array:
    """A wandering cloud of points (T, K, 3) in metres."""
    noise = np.random.default_rng(7)
    points: Array = noise.normal(size=(40, 17, 3)) + np.cumsum(noise.normal(size=(40, 1, 3)), 0)
    return points


def transform_points(
    points: Array, axis_angle: tuple[float, ...], scale: float = 1.0, shift: tuple[float, ...] = (0.0, 0.0, 0.0)
) -> Array:
    places: Array = scale * rotation.rotate(rotation.exp(np.array(axis_angle)), points) + np.array(shift)
    return places


@pytest.mark.skipif(not PARITY.exists(), reason="the public code's numbers are not here")
def test_position_errors_equal_the_public_code() -> None:
    with np.load(PARITY) as file:
        estimate, truth = file["m_pred"], file["m_gt"]
        assert metrics.mpjpe(estimate, truth) == pytest.approx(float(file["m_mpjpe"]), abs=1e-12)
        np.testing.assert_allclose(metrics.mpjpe_each(estimate, truth)[:, 0], file["m_p1_each"], atol=1e-12)
        np.testing.assert_allclose(metrics.p_mpjpe_each(estimate, truth)[:, 0], file["m_p2_each"], atol=1e-12)


@pytest.mark.skipif(not PARITY.exists(), reason="the public code's numbers are not here")
def test_p_mpjpe_by_action_is_the_actions_own_where_the_public_code_mixes_the_batch() -> None:
    """There the first three poses walk, the last three eat; P2 of both is the mean of all six."""
    with np.load(PARITY) as file:
        p1, p2 = (each(file["m_pred"], file["m_gt"])[:, 0] for each in (metrics.mpjpe_each, metrics.p_mpjpe_each))
        for which, published in ((slice(0, 3), file["m_walk_p1p2"]), (slice(3, 6), file["m_eat_p1p2"])):
            assert p1[which].mean() == pytest.approx(published[0], abs=1e-12)
            assert p2[which].mean() == pytest.approx(file["m_p2_each"][which].mean(), abs=1e-12)
            assert abs(p2[which].mean() - published[1]) > 1e-4
            assert p2.mean() == pytest.approx(published[1], abs=1e-12)


def test_position_errors_equal_the_ones_computed_otherwise() -> None:
    with np.load(FIXTURE) as file:
        for name, each in (("p1", metrics.mpjpe_each), ("p2", metrics.p_mpjpe_each), ("n", metrics.n_mpjpe_each)):
            np.testing.assert_allclose(each(file["estimate"], file["truth"]), file[name], atol=1e-9)


def test_mpjpe_is_the_mean_distance(clip: Array) -> None:
    assert metrics.mpjpe(clip + [0.03, 0.0, 0.04], clip) == pytest.approx(0.05)


def test_align_finds_the_similarity_it_was_made_with(clip: Array) -> None:
    moved = transform_points(clip, (0.3, -1.0, 2.0), 1.7, (1, 2, 3))
    found = alignment.align(clip[3], moved[3])
    assert found.scale == pytest.approx(1.7)
    np.testing.assert_allclose(found.apply(clip[3]), moved[3], atol=1e-9)


def test_p_mpjpe_forgives_a_similarity_of_each_frame_but_not_a_mirror_image(clip: Array) -> None:
    each = np.stack([transform_points(pose, (0, 0, 0.1 * i), 1 + i / 40, (i, 0, 0)) for i, pose in enumerate(clip)])
    assert metrics.p_mpjpe(each, clip) < 1e-9
    assert metrics.p_mpjpe(clip * [-1, 1, 1], clip) > 0.3


def test_clip_error_forgives_one_turn_and_any_path_but_not_a_turn_that_changes(clip: Array) -> None:
    path = np.linspace(0, 5, len(clip))[:, None, None] * np.array([1.0, 0.5, 0.0])
    assert metrics.clip_mpjpe(transform_points(clip, (0.2, 0.3, 0.4), 0.8) + path, clip) < 1e-9
    spinning = np.stack([transform_points(pose, (0, 0, 0.05 * i)) for i, pose in enumerate(clip)])
    assert metrics.clip_mpjpe(spinning, clip) > 0.3


def test_joint_angle_is_the_bend_and_its_error_needs_no_alignment(clip: Array) -> None:
    square = np.array([[1.0, 0, 0], [0, 0, 0], [0, 2.0, 0]])
    assert metrics.joint_angles(square, [(0, 1, 2)]) == pytest.approx(90.0)
    bent = square.copy()
    bent[2] = [2 * np.cos(np.radians(80)), 2 * np.sin(np.radians(80)), 0]
    assert metrics.angle_error(transform_points(bent, (1, 2, 3), 4.0), square, [(0, 1, 2)]) == pytest.approx(10.0)


def test_path_error_forgives_a_rigid_transform_but_not_a_scale() -> None:
    path = np.zeros((101, 3))
    path[:, 0] = np.linspace(0.0, 4.0, 101)
    assert metrics.path_error_percent(transform_points(path, (0, 0, 1.0), 1.0, (5, 5, 0)), path) == pytest.approx(
        0.0, abs=1e-9
    )
    # 10 % too long: off by 10 % of the distance to the middle, whose mean is a quarter of the length
    assert metrics.path_error_percent(path * 1.1, path) == pytest.approx(2.5, rel=0.03)


def test_path_error_of_a_person_who_stands_is_finite() -> None:
    assert metrics.path_error_percent(np.zeros((5, 3)), np.zeros((5, 3))) == 0.0


def test_tilt_is_the_lean_of_the_whole_clip_and_not_its_heading(clip: Array) -> None:
    up = np.array([0.0, 0.0, 1.0])
    assert metrics.tilt(transform_points(clip, (0, 0, 2.0)), clip, up, up) == pytest.approx(0.0, abs=1e-6)
    assert metrics.tilt(transform_points(clip, (np.radians(12), 0, 0)), clip, up, up) == pytest.approx(12.0)
    camera_axes = transform_points(clip, (np.radians(90), 0, 0))  # z up becomes y down
    assert metrics.tilt(camera_axes, clip, np.array([0.0, -1.0, 0.0]), up) == pytest.approx(0.0, abs=1e-6)


def test_n_mpjpe_forgives_a_scale_of_each_frame_and_nothing_else(clip: Array) -> None:
    rooted = clip - clip[:, :1]
    assert metrics.n_mpjpe_each(rooted * np.linspace(0.5, 2.0, len(clip))[:, None, None], rooted).max() < 1e-9
    assert metrics.n_mpjpe_each(transform_points(rooted, (0, 0, 0.5)), rooted).min() > 0.1


def test_velocity_and_acceleration_errors_are_of_what_moves_otherwise(clip: Array) -> None:
    t = np.arange(len(clip))[:, None, None] / 50.0
    drifting = clip + [0.3, 0.0, 0.4] * t
    falling = clip + [0.0, 0.0, -4.905] * t**2
    np.testing.assert_allclose(metrics.velocity_error_each(drifting, clip, 50.0), 0.5)
    np.testing.assert_allclose(metrics.velocity_error_each(drifting, clip), 0.01)
    np.testing.assert_allclose(metrics.acceleration_error_each(drifting, clip, 50.0), 0.0, atol=1e-9)
    np.testing.assert_allclose(metrics.acceleration_error_each(falling, clip, 50.0), 9.81)


def test_pck_is_strict_and_auc_takes_thirty_one_thresholds() -> None:
    assert metrics.pck(np.array([0.0, 0.149, 0.150, 0.2])) == 50.0
    assert metrics.auc(np.zeros(3)) == pytest.approx(100.0 * 30 / 31)  # nothing is under a threshold of 0
    assert metrics.auc(np.full(3, 0.0749)) == pytest.approx(100.0 * 16 / 31)
    some = np.random.default_rng(1).uniform(0, 0.2, (50, 14))
    np.testing.assert_allclose(metrics.pck_curve(some), [metrics.pck(some, limit) for limit in metrics.AUC_M])


@pytest.mark.parametrize(
    ("axis_angle", "azimuth", "elevation"),
    [((0, 0, 0), 0, 0), ((0, 1.0, 0), 57.3, 0), ((0, np.pi, 0), 180, 0), ((0.5, 0, 0), 0, 28.6)],
)
def test_the_side_the_camera_sees_is_the_bodys_own(
    axis_angle: tuple[float, ...], azimuth: float, elevation: float
) -> None:
    """Pelvis, left and right hip and shoulder, facing a camera that looks along z with y down; then turned so that its
    left side comes forward, away from the camera, or so that it bows to the camera."""
    facing = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.2, -0.5, 0], [-0.1, 0, 0], [-0.2, -0.5, 0]])
    found = metrics.view_angles(transform_points(facing, axis_angle), np.array([0.0, 0.0, 3.0]), (1, 2), (3, 4), 0)
    assert abs((found[0] - azimuth + 180) % 360 - 180) < 0.1 and found[1] == pytest.approx(elevation, abs=0.1)
