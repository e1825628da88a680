"""Smoothing: the response it states, no delay, peaks kept, jitter gone, the same at any frame rate."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stc_core.capture.layout import BODY27, H36M17, Array, Layout
from stc_core.capture.lowpass import apply_lowpass
from stc_core.capture.pose import Pose3D
from stc_core.capture.smooth import SmoothConfig, choose_cutoffs_hz, smooth
from stc_core.motion.motion import Motion
from tests import synthetic

WRIST = BODY27.index("left_wrist")


def mean_jerk(joints: Array) -> float:
    return float(np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1).mean())


def pose_of(motion: Motion, layout: Layout = BODY27, scores: Array | None = None) -> Pose3D:
    pose = synthetic.views(motion, synthetic.look_at_camera(), layout)[1]
    return pose if scores is None else replace(pose, scores=scores)


def make_wave(fps: float, hertz: float, amplitude_m: float = 0.15, seconds: float = 4.0) -> Pose3D:
    time = np.arange(round(fps * seconds)) / fps
    joints = np.zeros((len(time), 27, 3))
    joints[..., 0] = np.arange(27) * 0.05
    joints[:, WRIST, 0] += amplitude_m * np.cos(2 * np.pi * hertz * (time - seconds / 2))
    return Pose3D(layout=BODY27, joints=joints, scores=np.ones((len(time), 27)), fps=fps)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("cutoff", [2.0, 5.0, 8.0])
def test_a_wave_at_the_cutoff_falls_by_3_decibels_and_does_not_shift(fps: float, cutoff: Any) -> None:
    time = np.arange(round(20 * fps)) / fps
    wave = np.sin(2 * np.pi * cutoff * time)[:, None]
    middle = slice(len(time) // 4, -len(time) // 4)
    got = apply_lowpass(wave, np.ones(len(time)), cutoff, fps)
    assert np.abs(got - wave / np.sqrt(2))[middle].max() < 1e-6


def test_strength_zero_is_exactly_off() -> None:
    pose = pose_of(synthetic.walk())
    assert smooth(pose, SmoothConfig(strength=0.0)).joints is pose.joints


def test_more_strength_smooths_more() -> None:
    pose = make_wave(30.0, 5.0)
    spans = [np.ptp(smooth(pose, SmoothConfig(strength=s)).joints[30:90, WRIST, 0]) for s in (0.01, 0.5, 1.0, 2.0)]
    assert spans[0] > spans[1] > spans[2] > 2 * spans[3] and spans[0] == pytest.approx(0.30, abs=1e-3)


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_a_hand_waved_at_5_hertz_keeps_85_percent(fps: float) -> None:
    pose = make_wave(fps, 5.0)
    middle = slice(len(pose.joints) // 4, -len(pose.joints) // 4)
    kept = np.ptp(smooth(pose, SmoothConfig()).joints[middle, WRIST, 0]) / np.ptp(pose.joints[middle, WRIST, 0])
    assert kept > 0.85


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_a_clap_still_touches(fps: float) -> None:
    time = np.arange(round(2 * fps)) / fps
    pose = make_wave(fps, 0.0, 0.0, 2.0)
    gap = 0.30 * (1 - np.exp(-(((time - 1.0) / 0.08) ** 2)))
    pose.joints[:, WRIST, 0] = gap
    assert smooth(pose, SmoothConfig()).joints[:, WRIST, 0].min() < 0.15 * 0.30


def test_jitter_falls_and_motion_stays() -> None:
    truth = pose_of(synthetic.walk(60.0))
    noise = np.random.default_rng(0).normal(0, 0.02, truth.joints.shape)
    got = smooth(replace(truth, joints=truth.joints + noise), SmoothConfig()).joints
    assert mean_jerk(got - truth.joints) < 0.03 * mean_jerk(noise)
    assert np.abs(got - truth.joints).mean() < 0.6 * np.abs(noise).mean()
    clean = smooth(truth, SmoothConfig()).joints
    assert np.linalg.norm(clean - truth.joints, axis=-1).mean() < 0.002


def test_the_same_motion_at_30_and_60_fps_is_filtered_alike() -> None:
    slow, fast = (smooth(make_wave(fps, 3.0), SmoothConfig(strength=1.5)).joints for fps in (30.0, 60.0))
    assert np.abs(fast[::2] - slow)[10:-10].max() < 0.015 * 0.3


def test_an_outlier_leaves_no_trace() -> None:
    pose = pose_of(synthetic.walk())
    broken = pose.joints.copy()
    broken[50, WRIST] += [0.4, -0.2, 0.5]
    got = smooth(replace(pose, joints=broken), SmoothConfig()).joints
    assert np.linalg.norm(got - smooth(pose, SmoothConfig()).joints, axis=-1).max() < 0.005


def test_what_was_not_seen_follows_what_was() -> None:
    pose = pose_of(synthetic.walk())
    scores, joints = np.ones(pose.scores.shape), pose.joints.copy()
    joints[40:46, WRIST], scores[40:46, WRIST] = joints[39, WRIST], 0.0
    got = smooth(Pose3D(layout=BODY27, joints=joints, scores=scores, fps=pose.fps), SmoothConfig()).joints
    before, after = (np.linalg.norm(x[40:46, WRIST] - pose.joints[40:46, WRIST], axis=-1).max() for x in (joints, got))
    assert after < 0.6 * before


def test_straight_motion_is_untouched_up_to_the_ends() -> None:
    pose = make_wave(30.0, 0.0, 0.0)
    pose.joints[...] += (np.arange(len(pose.joints)) / 30.0)[:, None, None] * [1.0, 0.5, -2.0]
    assert np.abs(smooth(pose, SmoothConfig(strength=5.0)).joints - pose.joints).max() < 1e-9


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_short_clips_pass(frames: int) -> None:
    joints = np.random.default_rng(1).normal(0, 1, (frames, 17, 3))
    got = smooth(Pose3D(layout=H36M17, joints=joints, scores=np.ones((frames, 17)), fps=30.0), SmoothConfig()).joints
    assert got.shape == joints.shape and np.isfinite(got).all()


def test_nobody_seen_is_no_crash() -> None:
    pose = pose_of(synthetic.stand(), scores=np.zeros((60, 27)))
    assert np.abs(smooth(pose, SmoothConfig()).joints - pose.joints).max() < 0.01


def test_hands_and_feet_may_move_faster_than_the_torso() -> None:
    cutoffs = dict(zip(BODY27.names, choose_cutoffs_hz(BODY27, SmoothConfig()), strict=True))
    assert (
        min(cutoffs["left_wrist"], cutoffs["right_toe"])
        > cutoffs["left_knee"]
        > cutoffs["pelvis"]
        == cutoffs["left_hip"]
    )
