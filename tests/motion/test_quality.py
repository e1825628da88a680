"""Slide and jitter mean what they say, whatever the rate, and are the table's own where a motion is judged."""

from dataclasses import replace

import numpy as np
import pytest

from stc_core.motion.motion import Motion
from stc_core.motion.quality import foot_slide, jitter, measure_foot_slide, measure_jitter
from stc_core.motion.skeleton import HUMANOID, Skeleton
from tests import synthetic


def test_foot_slide_counts_horizontal_movement_in_contact_only() -> None:
    feet = np.zeros((10, 2, 3, 3))
    feet[:, 0, :, 0] = np.arange(10)[:, None] * 0.004
    feet[:, 0, :, 2] = np.arange(10)[:, None] * 0.1
    feet[:, 1, :, 1] = np.arange(10)[:, None] * 1.0
    contacts = np.zeros((10, 2), bool)
    contacts[2:6, 0] = True
    assert foot_slide(feet, contacts) == pytest.approx(4.0)
    assert foot_slide(feet, np.zeros((10, 2), bool)) == 0.0


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_jitter_is_the_third_derivative_whatever_the_rate(fps: float) -> None:
    t = np.arange(round(2 * fps)) / fps
    points = np.stack([t**3, 2 * t**2, t], -1)[:, None]
    assert jitter(points, fps) == pytest.approx(6.0, rel=1e-6)


def test_feet_that_stand_do_not_slide_and_a_body_that_is_dragged_does() -> None:
    motion = synthetic.stand()
    assert measure_foot_slide(motion) == pytest.approx(0.0, abs=1e-6)
    steps = np.arange(len(motion.t_world_root))[:, None] * np.array([0.003, 0.004, 0.0])
    dragged = replace(motion, t_world_root=motion.t_world_root + steps)
    assert measure_foot_slide(dragged) == pytest.approx(5.0)
    assert measure_jitter(dragged) == pytest.approx(measure_jitter(motion))  # where the body goes does not shake it


def test_a_motion_is_judged_by_the_joints_of_the_table() -> None:
    judge = pytest.importorskip("stc_core.evaluation.end_to_end")
    motion = synthetic.walk(seconds=1.0, turn_deg_per_s=40.0)
    points = judge.skeleton_points(motion)
    assert measure_jitter(motion) == pytest.approx(jitter(points.common - points.common[:, :1], motion.fps))
    assert measure_foot_slide(motion) == pytest.approx(foot_slide(points.feet, motion.contacts))


def test_what_cannot_be_measured_is_none() -> None:
    motion = synthetic.walk(seconds=1.0)
    assert measure_foot_slide(replace(motion, contacts=np.zeros_like(motion.contacts))) is None
    assert measure_jitter(synthetic.stand(seconds=0.1)) is None
    strange = Skeleton(
        joint_names=tuple(f"{n}_x" for n in HUMANOID.joint_names),
        parents=HUMANOID.parents,
        offsets=HUMANOID.offsets,
        tips=HUMANOID.tips,
    )
    other = Motion(
        skeleton=strange,
        t_world_root=motion.t_world_root,
        q_parent_joint=motion.q_parent_joint,
        contacts=motion.contacts,
        scores=motion.scores,
        fps=motion.fps,
    )
    assert measure_foot_slide(other) is None
    positions = motion.positions()
    assert measure_jitter(other) == pytest.approx(jitter(positions - positions[:, :1], motion.fps))
