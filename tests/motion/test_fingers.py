"""The humanoid's fingers: where they are at rest, and that bodies with and without them agree."""

from dataclasses import replace

import numpy as np
import pytest

from stc_core.motion.fingers import (
    FINGER_JOINTS,
    HUMANOID_WITH_FINGERS,
    add_fingers,
    drop_fingers,
    has_fingers,
    list_finger_joints,
)
from stc_core.motion.skeleton import HUMANOID


def test_each_hand_has_vrms_fifteen_joints_behind_the_bodys() -> None:
    names = HUMANOID_WITH_FINGERS.joint_names
    assert names == HUMANOID.joint_names + FINGER_JOINTS and len(FINGER_JOINTS) == 30
    assert {"left_thumb_metacarpal", "right_index_intermediate", "left_little_distal"} <= set(names)
    assert has_fingers(HUMANOID_WITH_FINGERS) and not has_fingers(HUMANOID)


def test_at_rest_fingers_point_outward_and_thumbs_forward_and_the_hands_mirror_each_other() -> None:
    at = dict(zip(HUMANOID_WITH_FINGERS.joint_names, HUMANOID_WITH_FINGERS.rest_positions(), strict=True))
    for joint in FINGER_JOINTS[:15]:
        mirrored = at[joint.replace("left_", "right_")] * [-1.0, 1.0, 1.0]
        np.testing.assert_allclose(at[joint], mirrored, atol=1e-12)
    thumb = at["left_thumb_distal"] - at["left_thumb_metacarpal"]
    assert thumb[0] > 0.0 and thumb[1] < 0.0 and abs(thumb[0] + thumb[1]) < 1e-9
    knuckles = [at[list_finger_joints("left", finger)[0]][1] for finger in ("index", "middle", "ring", "little")]
    assert (np.diff(knuckles) > 0.0).all(), "from the index finger, in front, to the little one"


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3])
def test_fingers_are_as_long_as_the_hand(scale: float) -> None:
    body = replace(HUMANOID, offsets=HUMANOID.offsets * scale, tips=HUMANOID.tips * scale)
    grown, own = add_fingers(body).rest_positions(), HUMANOID_WITH_FINGERS.rest_positions()
    np.testing.assert_allclose(grown, own * scale, atol=1e-12)


def test_without_its_fingers_a_body_is_what_it_was() -> None:
    rotations = np.random.default_rng(0).normal(size=(3, len(HUMANOID_WITH_FINGERS.parents), 4))
    body, kept = drop_fingers(HUMANOID_WITH_FINGERS, rotations)
    assert body.joint_names == HUMANOID.joint_names and body.parents == HUMANOID.parents
    np.testing.assert_array_equal(kept, rotations[:, : len(HUMANOID.parents)])
    np.testing.assert_array_equal(body.offsets, HUMANOID.offsets)
    assert abs(np.linalg.norm(body.tips[body.index("left_hand")]) - 0.19) < 0.02
