"""The skeleton has the body's own lengths: both sides alike, of human size."""

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.ik.fit_skeleton import fit_skeleton
from stc_core.capture.ik.solve import solve_motion
from stc_core.capture.layout import BODY27
from stc_core.motion.skeleton import HUMANOID, Skeleton
from tests.capture.ik.bodies import (
    LIMBS,
    apart,
    bodily,
    directions,
    joint_index,
    observe_motion,
)


def test_bone_lengths_are_the_bodys_own() -> None:
    ratios = np.where([("arm" in name or "hand" in name) for name in HUMANOID.joint_names], 1.1, 0.93)
    own = Skeleton(
        joint_names=HUMANOID.joint_names,
        parents=HUMANOID.parents,
        offsets=HUMANOID.offsets * ratios[:, None],
        tips=HUMANOID.tips * 0.93,
    )
    truth = bodily(skeleton=own)
    found = solve_motion(observe_motion(truth))
    for name in LIMBS:
        assert np.linalg.norm(found.skeleton.offsets[joint_index(name)]) == pytest.approx(
            np.linalg.norm(own.offsets[joint_index(name)]), abs=4e-3
        )
    assert apart(directions(truth), directions(found)).max() < 0.1
    ankles = [joint_index("left_foot"), joint_index("right_foot")]
    assert np.linalg.norm(truth.positions() - found.positions(), axis=-1)[:, ankles].max() < 4e-3


def test_bones_are_alike_left_and_right_and_of_human_size() -> None:
    world = observe_motion(bodily())
    stretched = world.joints.copy()
    stretched[:, BODY27.index("left_wrist")] += 0.8  # one absurd wrist
    skeleton = fit_skeleton(replace(world, joints=stretched))
    mirror = np.array([-1.0, 1.0, 1.0])
    for name in (name for name in HUMANOID.joint_names if name.startswith("left_")):
        twin = skeleton.offsets[skeleton.index(name.replace("left_", "right_"))]
        assert skeleton.offsets[skeleton.index(name)] == pytest.approx(twin * mirror, abs=1e-12)
    assert np.linalg.norm(skeleton.offsets[joint_index("left_hand")]) <= 0.25 * 1.36
