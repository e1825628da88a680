# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig with inverse kinematics moves as captured, whatever its controls do, and nothing of the rig is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from blender_addon.rig import keyframes
from blender_addon.rig.apply import ApplyOptions, apply_motion
from stc_core.motion.motion import Motion

from .. import play_rigs, sample_rigs

FREE = ApplyOptions(name="walk", lock_feet=False)
CASES = Path(__file__).resolve().parents[4] / "shared" / "field-cases" / "03-rig-with-ik-constraints"
LIMBS = [(side, limb) for side in ("L", "R") for limb in ("lower_arm", "lower_leg")]


@pytest.fixture
def motion() -> Motion:
    return sample_rigs.make_walk()


def add_ik(obj: bpy.types.Object) -> list[bpy.types.Constraint]:
    """Inverse kinematics on arms and legs, each drawn to an empty far away."""
    made = []
    for side, limb in LIMBS:
        target = bpy.data.objects.new(f"{limb}.{side}", None)
        target.location = (2.0, 2.0, 2.0)
        bpy.context.scene.collection.objects.link(target)
        ik = obj.pose.bones[f"{limb}.{side}"].constraints.new("IK")
        ik.chain_count, ik.target = 2, target
        made.append(ik)
    return made


def worst_direction_deg(obj: bpy.types.Object, motion: Motion, options: ApplyOptions = FREE) -> float:
    applied = apply_motion(obj, motion, None, options, bpy.context.scene)
    playback = play_rigs.play(obj, applied, motion, bpy.context.scene)
    return max(play_rigs.direction_errors(playback, motion).values())


def test_inverse_kinematics_is_switched_off_by_the_action(scene: bpy.types.Scene, motion: Motion) -> None:
    obj = sample_rigs.create_humanoid()
    made = add_ik(obj)
    applied = apply_motion(obj, motion, None, FREE, scene)
    (note,) = [note for note in applied.notes if "constraints" in note]
    assert "lower_arm.L, lower_arm.R, lower_leg.L and lower_leg.R are switched off by the action" in note
    playback = play_rigs.play(obj, applied, motion, scene)
    assert max(play_rigs.direction_errors(playback, motion).values()) < 0.5
    assert not any(ik.mute for ik in made) and [ik.influence for ik in made] == [0.0] * 4
    keyframes.assign_action(obj, None)
    for ik in made:
        ik.influence = 1.0
    assert worst_direction_deg(obj, motion, replace(FREE, yield_constraints=False)) > 20.0


def test_once_switched_off_they_stay_so_in_the_next_action(scene: bpy.types.Scene, motion: Motion) -> None:
    obj = sample_rigs.create_humanoid()
    add_ik(obj)
    for _ in range(2):
        apply_motion(obj, motion, None, FREE, scene)
        scene.frame_set(5)
        paths = [curve.data_path for curve in keyframes.get_fcurves(obj)]
        assert len([path for path in paths if path.endswith(".influence")]) == 4


def test_an_influence_that_a_switch_drives_is_switched_off_by_the_switch(
    scene: bpy.types.Scene, motion: Motion
) -> None:
    obj = sample_rigs.create_humanoid()
    obj.pose.bones["hips"]["fk"] = 0.0
    for ik in add_ik(obj):
        curve = ik.driver_add("influence")
        curve.driver.expression = "1 - fk"
        variable = curve.driver.variables.new()
        variable.name = "fk"
        variable.targets[0].id, variable.targets[0].data_path = obj, 'pose.bones["hips"]["fk"]'
    bpy.context.view_layer.update()
    assert worst_direction_deg(obj, motion) < 0.5
    curves = {curve.data_path: curve for curve in keyframes.get_fcurves(obj)}
    assert curves['pose.bones["hips"]["fk"]'].evaluate(1.0) == 1.0
    assert not any(path.endswith(".influence") for path in curves)
    assert worst_direction_deg(obj, motion) < 0.5


def test_what_ties_a_character_to_something_is_left_alone_and_named(scene: bpy.types.Scene, motion: Motion) -> None:
    obj = sample_rigs.create_humanoid()
    seat = bpy.data.objects.new("seat", None)
    tie = obj.pose.bones["hips"].constraints.new("CHILD_OF")
    tie.target = seat
    obj.pose.bones["spine"].constraints.new("COPY_ROTATION")  # without a target: it does nothing
    obj.pose.bones["head"].constraints.new("LIMIT_ROTATION")
    muted = obj.pose.bones["neck"].constraints.new("COPY_ROTATION")
    muted.target, muted.mute = seat, True
    notes = apply_motion(obj, motion, None, FREE, scene).notes
    (note,) = [note for note in notes if "constraints" in note]
    assert note.startswith("hips also follow constraints or drivers, which were left alone")
    assert tie.influence == 1.0


@pytest.mark.parametrize("name", ["hobby_ik", "mmd_ik"])
def test_rigs_with_inverse_kinematics_from_the_field_move_as_captured(motion: Motion, name: str) -> None:
    if not CASES.is_dir():
        pytest.skip("the field's rigs are not here")
    if bpy.app.version < (4, 5):
        pytest.skip("the field's rigs were saved by Blender 5, which this one cannot open")
    bpy.ops.wm.open_mainfile(filepath=str(CASES / f"{name}.blend"))
    obj = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    assert worst_direction_deg(obj, motion) < 0.5
