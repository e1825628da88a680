# SPDX-License-Identifier: GPL-3.0-or-later
"""IK controls: limbs led by IK move as FK moved them, feet in contact stand still, and FK is there to go back to."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from blender_addon.edit.ik_keys import key_ik_controls
from blender_addon.edit.limbs import find_limbs
from stc_core.errors import UserError
from stc_core.geometry import rotation

from .. import sample_rigs
from .rigs import (
    SIDES,
    create_ik_rig,
    drive_influence,
    hang_feet_on_controls,
    lead_by_heels,
    list_frames,
    measure_worst_mm,
    put_walk_on,
    read_curve,
    sample_ends,
    sample_matrices,
    sample_rotations,
)

_RIGIFY_ENDS = [f"ORG-{part}.{side}" for part in ("foot", "hand") for side in SIDES]
_RIGIFY_MIDDLES = [f"ORG-{part}.{side}" for part in ("shin", "forearm") for side in SIDES]


@pytest.fixture
def rigify_rig(scene: bpy.types.Scene, one_generated_rig: None) -> bpy.types.Object:
    return sample_rigs.open_generated()


def test_rigifys_feet_and_hands_stay_within_a_millimetre(rigify_rig: bpy.types.Object) -> None:
    action = put_walk_on(rigify_rig)
    frames, names = list_frames(action), [*_RIGIFY_ENDS, *_RIGIFY_MIDDLES, "DEF-toe.L", "DEF-toe.R"]
    before, turned = sample_ends(rigify_rig, names, frames), sample_rotations(rigify_rig, _RIGIFY_ENDS, frames)
    keyed = key_ik_controls(rigify_rig, bpy.context.scene)
    after = sample_ends(rigify_rig, names, frames)
    assert measure_worst_mm(before[:, :4], after[:, :4]) < 1.0 and keyed.error_m < 0.001
    assert measure_worst_mm(before[:, 8:], after[:, 8:]) < 1.0  # toes
    assert measure_worst_mm(before[:, 4:8, 0], after[:, 4:8, 0]) < 10.0  # knees and elbows, those of straight arms too
    turns = rotation.mul(rotation.inv(turned), sample_rotations(rigify_rig, _RIGIFY_ENDS, frames))
    assert np.degrees(rotation.angle(turns)).max() < 0.5
    assert set(keyed.limbs) == {"left leg", "right leg", "left arm", "right arm"}


def test_a_foot_in_contact_has_level_curves(rigify_rig: bpy.types.Object) -> None:
    motion = sample_rigs.make_walk()
    action = put_walk_on(rigify_rig, motion)
    key_ik_controls(rigify_rig, bpy.context.scene)
    for side, contact in zip(SIDES, motion.contacts.T, strict=True):
        inside = np.flatnonzero(contact[1:] & contact[:-1])
        for index in range(3):
            path = f'pose.bones["foot_ik.{side}"].location'
            steps = np.diff(read_curve(rigify_rig, action, path, list_frames(action), index))[inside]
            assert (np.abs(steps) == 0.0).mean() > 0.9 and np.abs(steps).max() < 1e-3


def test_ik_is_switched_on_by_the_action_alone_and_fk_is_still_there(rigify_rig: bpy.types.Object) -> None:
    action = put_walk_on(rigify_rig)
    frames = list_frames(action)[::8]
    before = sample_ends(rigify_rig, _RIGIFY_MIDDLES, frames)
    stretch = rigify_rig.pose.bones["thigh_ik.L"].ik_stretch
    key_ik_controls(rigify_rig, bpy.context.scene)
    for limb in ("thigh", "upper_arm"):
        for side in SIDES:
            path = f'pose.bones["{limb}_parent.{side}"]["IK_FK"]'
            assert (read_curve(rigify_rig, action, path, frames) == 0.0).all()
            curve = next(c for c in rigify_curves(rigify_rig, action) if c.data_path == path)
            curve.keyframe_points[0].co[1] = 1.0
    assert measure_worst_mm(before, sample_ends(rigify_rig, _RIGIFY_MIDDLES, frames)) < 0.01
    assert stretch > 0.0


def rigify_curves(obj: bpy.types.Object, action: bpy.types.Action) -> list[bpy.types.FCurve]:
    from blender_addon.edit import curves

    return curves.get_fcurves(obj, action)


@pytest.mark.parametrize("with_poles", [False, True])
def test_blenders_own_constraints_are_led_exactly(scene: bpy.types.Scene, with_poles: bool) -> None:
    obj = create_ik_rig(with_poles)
    action = put_walk_on(obj)
    names = [f"{part}.{side}" for part in ("foot", "hand", "lower_leg", "lower_arm", "toes") for side in SIDES]
    before = sample_ends(obj, names, list_frames(action))
    keyed = key_ik_controls(obj, scene)
    path = 'pose.bones["lower_leg.L"].constraints["IK"].influence'
    assert (read_curve(obj, action, path, list_frames(action)) == 1.0).all()
    assert measure_worst_mm(before, sample_ends(obj, names, list_frames(action))) < 0.1 and keyed.error_m < 1e-4
    controls = sample_matrices(obj, ["ik_foot.L", "ik_hand.R"], list_frames(action))[..., :3, 3]
    ends = sample_matrices(obj, ["foot.L", "hand.R"], list_frames(action))[..., :3, 3]
    assert measure_worst_mm(controls, ends) < 1.0


def measure_ik_error_mm(obj: bpy.types.Object) -> float:
    """Key IK controls on a walking rig; how far any foot, hand, knee or elbow is from where FK had it."""
    action = obj.animation_data.action
    names = [f"{part}.{side}" for part in ("foot", "hand", "lower_leg", "lower_arm", "toes") for side in SIDES]
    before = sample_ends(obj, names, list_frames(action))
    key_ik_controls(obj, bpy.context.scene)
    return measure_worst_mm(before, sample_ends(obj, names, list_frames(action)))


def test_a_switch_that_drives_the_constraints_is_keyed_back(scene: bpy.types.Scene) -> None:
    obj = create_ik_rig(with_poles=True)
    path = drive_influence(obj)
    action = put_walk_on(obj)
    assert (read_curve(obj, action, path, list_frames(action)) == 0.0).all()
    for _ in range(2):  # keyed once more, it stays on
        assert measure_ik_error_mm(obj) < 0.1
        assert (read_curve(obj, action, path, list_frames(action)) == 1.0).all()


def test_feet_that_hang_on_their_controls_move_with_them(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.edit_bones(create_ik_rig(with_poles=False), hang_feet_on_controls)
    action = put_walk_on(obj)
    assert measure_ik_error_mm(obj) < 1.0
    assert np.ptp(read_curve(obj, action, 'pose.bones["foot.L"].location', list_frames(action))) == 0.0


def test_a_control_above_the_target_leads_the_foot(scene: bpy.types.Scene) -> None:
    obj = lead_by_heels(create_ik_rig(with_poles=True))
    put_walk_on(obj)
    assert {limb.control for limb in find_limbs(obj)} == {"heel.L", "heel.R", "ik_hand.L", "ik_hand.R"}
    assert measure_ik_error_mm(obj) < 1.0


def test_an_edit_of_a_control_moves_the_limb(scene: bpy.types.Scene) -> None:
    obj = create_ik_rig(with_poles=True)
    action = put_walk_on(obj)
    key_ik_controls(obj, scene)
    frames = list_frames(action)[20:21]
    before = sample_ends(obj, ["foot.L"], frames)[0, 0, 0]
    for curve in rigify_curves(obj, action):
        if curve.data_path == 'pose.bones["ik_foot.L"].location':
            for point in curve.keyframe_points:
                point.co[1] += 0.03
    assert 20.0 < measure_worst_mm(before, sample_ends(obj, ["foot.L"], frames)[0, 0, 0]) < 60.0


def test_a_rig_without_ik_is_refused_in_a_sentence(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.create_humanoid()
    put_walk_on(obj)
    assert find_limbs(obj) == []
    with pytest.raises(UserError, match="no IK controls"):
        key_ik_controls(obj, scene)
