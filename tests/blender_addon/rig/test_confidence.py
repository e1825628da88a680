# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the capture is in doubt is keyed, coloured and found, and follows the keys wherever they are moved."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from blender_addon.rig import (
    confidence,
    import_motion,
    keyframes,
    provenance,
)

from ..workspace import Workspace, make_walk


@pytest.fixture
def person(workspace: Workspace) -> bpy.types.Object:
    """An armature with the made walk: its left arm is in doubt in frames 21 to 30 and 71 to 80."""
    bpy.context.scene.stc_mocap.target = "CREATE"
    bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "walk.npz"))
    return bpy.context.scene.stc_mocap.armature


def test_a_part_is_as_sure_as_its_least_joint_and_the_body_as_its_least_part() -> None:
    motion = make_walk()
    parts = confidence.compute_part_scores(motion)
    assert set(parts) == {"", *confidence.PARTS}
    assert parts["left_arm"][25] == parts[""][25] == pytest.approx(0.1)
    assert parts["right_arm"][25] == pytest.approx(0.9) and parts[""][50] == pytest.approx(0.9)


def test_confidence_is_animated_on_the_armature_in_both_actions(person: bpy.types.Object) -> None:
    scene, action = bpy.context.scene, provenance.find_captured_action(person)
    for frame, left in ((25, 0.1), (50, 0.9), (75, 0.1)):
        scene.frame_set(frame)
        assert person["stc_confidence_left_arm"] == pytest.approx(left)
        assert person["stc_confidence"] == pytest.approx(left)
        assert person["stc_confidence_head"] == pytest.approx(0.9)
    bpy.ops.stc_mocap.use_raw(raw=True)
    assert provenance.find_captured_action(person) == provenance.find_counterpart(action) != action
    assert confidence.read_curves(person)["left_arm"][1].min() == pytest.approx(0.1)


def test_doubts_name_the_part_and_its_frames(person: bpy.types.Object) -> None:
    first, second = confidence.find_doubtful_ranges(person, 30.0)
    assert (first.start, first.end, first.parts) == (21.0, 30.0, ("left_arm",))
    assert (second.start, second.end) == (71.0, 80.0) and second.lowest == pytest.approx(0.1)
    assert str(first) == "Left arm: frames 21 to 30, confidence 10%."


def test_doubts_follow_keys_that_were_moved(person: bpy.types.Object) -> None:
    for curve in keyframes.get_fcurves(person):
        for point in curve.keyframe_points:
            point.co.x += 100.0
    assert [doubt.start for doubt in confidence.find_doubtful_ranges(person, 30.0)] == [121.0, 171.0]


def test_the_next_doubt_comes_after_the_frame_and_wraps(person: bpy.types.Object) -> None:
    found = confidence.find_doubtful_ranges(person, 30.0)
    ranges = [confidence.find_next_range(found, frame) for frame in (1, 21, 40, 71, 90)]
    assert [one and one.start for one in ranges] == [21, 71, 71, 21, 21]
    assert confidence.find_next_range((), 5) is None


def test_the_button_jumps_and_says_so_where_there_is_nothing(person: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.frame_set(1)
    jumps = []
    for _ in range(3):
        bpy.ops.stc_mocap.next_doubtful()
        jumps.append(scene.frame_current)
    assert jumps == [21, 71, 21]
    for curve in keyframes.get_fcurves(person):
        if "stc_confidence" in curve.data_path:
            for point in curve.keyframe_points:
                point.co.y = 0.9
    bpy.ops.stc_mocap.next_doubtful()
    assert scene.frame_current == 21 and confidence.find_doubtful_ranges(person, 30.0) == ()


@pytest.mark.parametrize(
    ("low", "runs"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0], []),
        ([1, 1, 1, 1, 1, 1, 1, 1], [(0, 7)]),
        ([1, 1, 0, 1, 1, 0, 0, 0], [(0, 4)]),  # a gap of one frame is none
        ([1, 1, 0, 0, 0, 1, 1, 1], [(0, 1), (5, 7)]),
        ([0, 1, 0, 0, 0, 0, 1, 1], [(6, 7)]),  # a lone frame is no doubt
    ],
)
def test_short_gaps_are_closed_and_short_doubts_left_out(low: list[int], runs: list[tuple[int, int]]) -> None:
    assert confidence._find_runs(np.arange(8.0), np.array(low, bool), gap=2.0, least=1.0) == runs


def test_the_timeline_is_yellow_where_in_doubt_and_red_where_guessed(person: bpy.types.Object) -> None:
    assert confidence._get_timeline_ranges(person) == [
        *((start, start + 10.0, confidence.DOUBTFUL_BELOW) for start in (21.0, 71.0)),
        *((start, start + 10.0, confidence.GUESSED_BELOW) for start in (21.0, 71.0)),
    ]
    corners = np.array(confidence._make_rectangle(3.0, 8.0, 5.0)).reshape(2, 3, 3)
    areas = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]) / 2
    assert areas.sum() == pytest.approx(5.0 * 5.0)


def test_the_strip_is_found_on_an_nla_strip_too(workspace: Workspace) -> None:
    settings = bpy.context.scene.stc_mocap
    settings.target, settings.nla_strip = "CREATE", True
    brought = import_motion.import_source(
        import_motion.make_source(workspace.folder / "walk.npz"), bpy.context.scene, None
    )
    assert brought.armature.animation_data.action is None
    assert len(confidence._get_timeline_ranges(brought.armature)) == 4
