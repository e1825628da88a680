# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk on rigs to be edited, and how they move: evaluated by Blender, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from blender_addon.edit import curves
from blender_addon.rig.apply import ApplyOptions, apply_motion
from blender_addon.rig.corrections import sample_matrices
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion

from .. import sample_rigs

SIDES = ("L", "R")


def put_walk_on(obj: bpy.types.Object, motion: Motion | None = None) -> bpy.types.Action:
    return apply_motion(
        obj, motion or sample_rigs.make_walk(), None, ApplyOptions(name="walk"), bpy.context.scene
    ).action


def list_frames(action: bpy.types.Action) -> Array:
    first, last = action.frame_range
    return np.arange(round(first), round(last) + 1, dtype=float)


def sample_ends(obj: bpy.types.Object, names: Sequence[str], frames: Array) -> Array:
    """Heads and tails (T, B, 2, 3) of evaluated bones in the world."""
    matrices = sample_matrices(obj, names, frames)
    lengths = np.array([obj.data.bones[name].length for name in names])
    tails = matrices[..., :3, 3] + matrices[..., :3, 1] * lengths[:, None]
    return np.stack([matrices[..., :3, 3], tails], -2)


def sample_rotations(obj: bpy.types.Object, names: Sequence[str], frames: Array) -> Array:
    """Rotations (T, B, 4) of evaluated bones in the world."""
    axes = sample_matrices(obj, names, frames)[..., :3, :3]
    return rotation.from_matrix(axes / np.linalg.norm(axes, axis=-2, keepdims=True))


def measure_worst_mm(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b, axis=-1).max()) * 1000.0


def count_keys(obj: bpy.types.Object, action: bpy.types.Action) -> int:
    return sum(len(curve.keyframe_points) for curve in curves.get_fcurves(obj, action))


def read_curve(obj: bpy.types.Object, action: bpy.types.Action, path: str, frames: Array, index: int = 0) -> Array:
    curve = next(c for c in curves.get_fcurves(obj, action) if c.data_path == path and c.array_index == index)
    return np.array([curve.evaluate(frame) for frame in frames])


def create_ik_rig(with_poles: bool) -> bpy.types.Object:
    """The humanoid with IK controls for hands and feet under a root, as a hobbyist makes them."""
    obj = sample_rigs.create_humanoid()

    def add(bones: bpy.types.ArmatureEditBones) -> None:
        root = bones.new("root")
        root.head, root.tail = (0.0, 0.0, 0.0), (0.0, 0.3, 0.0)
        bones["hips"].parent = root
        for side in SIDES:
            for part, second in (("foot", "lower_leg"), ("hand", "lower_arm")):
                control = bones.new(f"ik_{part}.{side}")
                control.head, control.tail = bones[f"{part}.{side}"].head, bones[f"{part}.{side}"].tail
                control.roll, control.parent = 0.4, root
                if with_poles:
                    pole = bones.new(f"pole_{part}.{side}")
                    away = (0.0, -0.6, 0.0) if part == "foot" else (0.0, 0.6, 0.0)
                    pole.head = [a + b for a, b in zip(bones[f"{second}.{side}"].head, away, strict=True)]
                    pole.tail, pole.parent = [pole.head[0], pole.head[1], pole.head[2] + 0.1], root

    sample_rigs.edit_bones(obj, add)
    for side in SIDES:
        for part, second in (("foot", "lower_leg"), ("hand", "lower_arm")):
            constraint = obj.pose.bones[f"{second}.{side}"].constraints.new("IK")
            constraint.target, constraint.subtarget, constraint.chain_count = obj, f"ik_{part}.{side}", 2
            if with_poles:
                constraint.pole_target, constraint.pole_subtarget = obj, f"pole_{part}.{side}"
                constraint.pole_angle = -np.pi / 2 if part == "foot" else 0.3
    return obj


def drive_influence(obj: bpy.types.Object) -> str:
    """Let a switch on the root drive the influence of all IK constraints; returns its path."""
    root = obj.pose.bones["root"]
    root["ik"] = 1.0
    path = f'{root.path_from_id()}["ik"]'
    for bone in obj.pose.bones:
        for constraint in bone.constraints:
            driver = constraint.driver_add("influence").driver
            variable = driver.variables.new()
            variable.targets[0].id, variable.targets[0].data_path = obj, path
            driver.type = "SUM"
    bpy.context.view_layer.update()
    return path


def hang_feet_on_controls(bones: bpy.types.ArmatureEditBones) -> None:
    for side in SIDES:
        bones[f"foot.{side}"].use_connect = False
        bones[f"foot.{side}"].parent = bones[f"ik_foot.{side}"]


def lead_by_heels(obj: bpy.types.Object) -> bpy.types.Object:
    """Put a control at the heel above each foot's target, as for a foot roll."""

    def add(bones: bpy.types.ArmatureEditBones) -> None:
        for side in SIDES:
            target, heel = bones[f"ik_foot.{side}"], bones.new(f"heel.{side}")
            heel.head = (target.head[0], target.head[1] + 0.06, 0.0)
            heel.tail, heel.parent = (target.head[0], target.head[1] - 0.1, 0.0), bones["root"]
            target.parent = heel

    return sample_rigs.edit_bones(obj, add)
