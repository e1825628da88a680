# SPDX-License-Identifier: GPL-3.0-or-later
"""An edited action becomes a correction, and corrections become weights."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.jobs import monitor
from blender_addon.rig import (
    keyframes,
)
from stc_core.geometry import rotation
from stc_core.motion.motion import load_motion

from ..workspace import Workspace, find_action, finish_jobs, get_provenance, get_running, run_capture, wait_until


def tilt_hand(obj: bpy.types.Object) -> None:
    """Turn the right hand by half a radian in every key."""
    hand = [c for c in keyframes.get_fcurves(obj) if c.data_path == 'pose.bones["hand.R"].rotation_quaternion']
    tilt = rotation.from_axis_angle([1.0, 0.0, 0.0], np.array(0.5))
    for frame in range(len(hand[0].keyframe_points)):
        q = rotation.mul([curve.keyframe_points[frame].co.y for curve in hand], tilt)
        for curve, value in zip(hand, q, strict=True):
            curve.keyframe_points[frame].co.y = value


def test_a_correction_holds_what_was_edited_and_leaves_the_scene_alone(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    run_capture(settings)
    scene, obj = bpy.context.scene, settings.armature
    tilt_hand(obj)
    scene.frame_set(17, subframe=0.25)
    obj.pose.bones["head"].location = (0.0, 0.0, 0.3)  # by hand, not keyed
    bpy.ops.stc_mocap.save_correction()
    assert (scene.frame_current, scene.frame_subframe) == (17, 0.25) and len(bpy.data.scenes) == 1
    assert obj.pose.bones["head"].location.z == pytest.approx(0.3)
    (folder,) = workspace.corrections.iterdir()
    assert (folder / "capture.npz").read_bytes() == Path(get_provenance(find_action(settings)).motion).read_bytes()
    before, after = load_motion(folder / "capture.npz"), load_motion(folder / "corrected.npz")
    assert after.fps == before.fps and after.start_s == before.start_s and after.camera is not None
    turned = np.degrees(rotation.angle(rotation.mul(rotation.inv(before.q_parent_joint), after.q_parent_joint)))
    hand = before.skeleton.index("right_hand")
    assert np.allclose(turned[:, hand], np.degrees(0.5), atol=0.1)
    assert np.delete(turned, hand, 1).max() < 0.1 and np.abs(after.t_world_root - before.t_world_root).max() < 1e-4
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    assert meta["rig"] == "Hero" and meta["action"] == "sample" and meta["map"]["bones"]["head"] == ["head"]


def test_corrections_teach_new_weights_that_can_be_used(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    with pytest.raises(RuntimeError, match="no corrections yet"):
        bpy.ops.stc_mocap.fine_tune()
    run_capture(settings)
    with pytest.raises(RuntimeError, match="nothing to learn"):
        bpy.ops.stc_mocap.save_correction()
    assert not workspace.corrections.exists()
    tilt_hand(settings.armature)
    bpy.ops.stc_mocap.save_correction()
    workspace.pause()
    bpy.ops.stc_mocap.fine_tune()
    entry = get_running("finetune")
    assert entry.job.command[1:3] == ["-m", "stc_core.training.finetune"] and not bpy.ops.stc_mocap.fine_tune.poll()
    assert bpy.ops.stc_mocap.capture.poll()
    wait_until(lambda: entry.status.fraction == 0.5 and entry.status.seconds_left == 75.0)
    workspace.resume()
    finish_jobs()
    weights = entry.status.files["weights"]
    bpy.ops.stc_mocap.use_weights(path=str(weights))
    assert settings.request().weights == weights and "ready" in monitor.message()[0]
