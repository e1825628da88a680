# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrored and looped actions, played in Blender on rigs of several kinds."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
import pytest

from blender_addon.edit.ik_keys import key_ik_controls
from blender_addon.edit.variants import loop_action, mirror_action
from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.loop import LoopConfig
from tests.synthetic import walk

from .. import sample_rigs
from .rigs import create_ik_rig, list_frames, measure_worst_mm, put_walk_on, sample_ends

PARTS = ("upper_leg", "lower_leg", "foot", "upper_arm", "lower_arm", "hand")
RIGIFY_PARTS = ("thigh", "shin", "foot", "upper_arm", "forearm", "hand")


def reflect(points: Array, left: Array, right: Array, middle: Array) -> Array:
    """Reflect points (T, B, 3) across the upright plane between both thighs at the start, through `middle`."""
    aside = rotation.normalise((left - right) * [1.0, 1.0, 0.0])
    reflected: Array = points - 2.0 * ((points - middle) @ aside)[..., None] * aside
    return reflected


def measure_mirror_error(obj: bpy.types.Object, names: list[str], others: list[str], carrier: str) -> float:
    """Mirror the walk on a rig; how far the worst joint is from where a mirror shows its partner, mm."""
    walk_action = obj.animation_data.action
    frames = list_frames(walk_action)
    before, start = sample_ends(obj, names, frames)[..., 0, :], sample_ends(obj, [carrier], frames[:1])[0, 0, 0]
    expected = reflect(before, before[0, 0], before[0, len(names) // 2], start)
    mirrored = mirror_action(obj, bpy.context.scene)
    assert mirrored.name == "walk mirrored" and obj.animation_data.action == mirrored != walk_action
    return measure_worst_mm(expected, sample_ends(obj, others, frames)[..., 0, :])


@pytest.mark.parametrize(
    "create",
    [sample_rigs.random_rolls, sample_rigs.tails_anywhere, sample_rigs.y_up, sample_rigs.create_relaxed],
)
def test_each_joint_is_where_a_mirror_shows_its_partner(
    scene: bpy.types.Scene, create: Callable[[], bpy.types.Object]
) -> None:
    obj = create()
    put_walk_on(obj)
    names, others = ([f"{part}.{side}" for side in sides for part in PARTS] for sides in ("LR", "RL"))
    assert measure_mirror_error(obj, names, others, "hips") < 0.1


@pytest.mark.parametrize("with_ik", [False, True])
@pytest.mark.usefixtures("one_generated_rig")
def test_a_rigify_character_is_mirrored_by_its_controls(scene: bpy.types.Scene, with_ik: bool) -> None:
    obj = sample_rigs.open_generated()
    put_walk_on(obj)
    if with_ik:
        key_ik_controls(obj, bpy.context.scene)
    names, others = ([f"ORG-{part}.{side}" for side in sides for part in RIGIFY_PARTS] for sides in ("LR", "RL"))
    assert measure_mirror_error(obj, names, others, "torso") < 2.0


def make_long_walk() -> bpy.types.Object:
    obj = sample_rigs.random_rolls()
    motion = sample_rigs.add_upper_body_motion(walk(seconds=3.5, heading_deg=25.0, turn_deg_per_s=12.0))
    put_walk_on(obj, motion)
    return obj


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loop_goes_on_for_ever(scene: bpy.types.Scene, in_place: bool) -> None:
    obj = make_long_walk()
    source = obj.animation_data.action
    loop = loop_action(obj, scene, LoopConfig(in_place=in_place, max_s=1.6))
    names = [bone.name for bone in obj.data.bones]
    length = round(loop.action.frame_end - loop.action.frame_start)
    assert loop.last - loop.first == length and abs(length / 30.0 - 1.1) < 0.1
    starts = loop.action.frame_start + np.array([0.0, 10.0, length - 1.0])
    once, later = (sample_ends(obj, names, starts + shift)[..., 0, :] for shift in (0.0, 2.0 * length))
    stride = later[0, 0] - once[0, 0]
    assert measure_worst_mm(once + stride, later) < 0.1 and abs(stride[2]) < 1e-5
    assert np.linalg.norm(stride) < 1e-5 if in_place else np.linalg.norm(stride) > 1.0
    assert source.name == "walk" and loop.action.use_cyclic


def test_an_ik_rig_loops_with_its_controls(scene: bpy.types.Scene) -> None:
    obj = create_ik_rig(with_poles=True)
    put_walk_on(obj, walk(seconds=3.5))
    key_ik_controls(obj, scene)
    loop = loop_action(obj, scene, LoopConfig(max_s=1.6))
    length = loop.action.frame_end - loop.action.frame_start
    starts = loop.action.frame_start + np.array([0.0, 7.0])
    once, later = (sample_ends(obj, ["foot.L", "hand.R", "head"], starts + s)[..., 0, :] for s in (0.0, length))
    assert measure_worst_mm(once + (later[0, 2] - once[0, 2]), later) < 0.5


def test_what_does_not_repeat_itself_is_refused_and_nothing_is_left(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.create_humanoid()
    action = put_walk_on(obj, walk(seconds=0.8))
    with pytest.raises(UserError, match="repeats itself"):
        loop_action(obj, scene, LoopConfig())
    assert obj.animation_data.action == action and len(bpy.data.actions) == 1


def test_a_rig_without_thighs_in_its_map_is_not_mirrored(scene: bpy.types.Scene) -> None:
    obj = sample_rigs.create_humanoid()
    put_walk_on(obj)

    def drop(bones: bpy.types.ArmatureEditBones) -> None:
        for name in ("toes.L", "foot.L", "lower_leg.L", "upper_leg.L"):
            bones.remove(bones[name])

    sample_rigs.edit_bones(obj, drop)
    with pytest.raises(UserError, match="no bone for the left upper leg"):
        mirror_action(obj, scene)
