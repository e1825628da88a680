# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures of every kind to put motions on: for the tests and the rig report.

RIGS: name -> function that builds or opens the rig in an empty file and returns its object; it skips the test where
the rig's file is not at hand or needs a newer Blender.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector

from blender_addon.rig import armature, rigify
from stc_core.geometry import rotation
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID
from tests import synthetic

SHARED = Path(__file__).resolve().parents[3] / "shared/rigs"


# --- motions ----------------------------------------------------------------------------------------------------------


def add_upper_body_motion(motion: Motion, seed: int = 4) -> Motion:
    """The motion with trunk, head and arms moving about smoothly besides; the legs' world turns stay."""
    noise, q = np.random.default_rng(seed), motion.q_parent_joint.copy()
    time = np.arange(len(q)) / motion.fps
    for joint, name in enumerate(HUMANOID.joint_names):
        if name == "hips" or any(part in name for part in ("leg", "foot", "toes")):
            continue
        speed, phase = noise.uniform(0.5, 2.0, 3), noise.uniform(0.0, 6.0, 3)
        size = 0.15 if any(part in name for part in ("spine", "chest", "shoulder", "neck")) else 0.35
        wave = size * np.sin(time[:, None] * speed * 3.0 + phase)
        bend = np.array([0.0, 0.0, 0.4 if "left" in name else -0.4]) * name.endswith("lower_arm")
        q[:, joint] = rotation.mul(q[:, joint], rotation.exp(wave - bend))
    return replace(motion, q_parent_joint=rotation.unroll(q))


def make_walk() -> Motion:
    return add_upper_body_motion(synthetic.walk(fps=30.0, seconds=1.6, heading_deg=25.0, turn_deg_per_s=20.0))


# --- rigs -------------------------------------------------------------------------------------------------------------


def _make_opener(name: str) -> Callable[[], bpy.types.Object]:
    def open_file() -> bpy.types.Object:
        path = SHARED / f"{name}.blend"
        if not path.exists():
            pytest.skip(f"{path.name} is not at hand")
        try:
            bpy.ops.wm.open_mainfile(filepath=str(path))
        except RuntimeError:
            pytest.skip(f"{path.name} needs a newer Blender")
        bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
        return next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")

    return open_file


def create_humanoid() -> bpy.types.Object:
    return armature.create_armature(HUMANOID, "Person", bpy.context.scene.collection)


def edit_bones(obj: bpy.types.Object, change: Callable[[bpy.types.ArmatureEditBones], object]) -> bpy.types.Object:
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    change(obj.data.edit_bones)
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def random_rolls() -> bpy.types.Object:
    noise = np.random.default_rng(2)

    def roll(bones: bpy.types.ArmatureEditBones) -> None:
        for bone in bones:
            bone.roll = noise.uniform(-np.pi, np.pi)

    return edit_bones(create_humanoid(), roll)


def tails_anywhere() -> bpy.types.Object:
    """As some importers leave them: no bone points to its child."""
    noise = np.random.default_rng(3)

    def turn(bones: bpy.types.ArmatureEditBones) -> None:
        for bone in bones:
            bone.use_connect = False
        for bone in bones:
            bone.tail = bone.head + Vector(0.08 * rotation.normalise(noise.standard_normal(3)))
            bone.roll = noise.uniform(-np.pi, np.pi)

    return edit_bones(create_humanoid(), turn)


def _scale(obj: bpy.types.Object, inside: float, outside: float) -> bpy.types.Object:
    def grow(bones: bpy.types.ArmatureEditBones) -> None:
        places = {bone.name: (bone.head * inside, bone.tail * inside) for bone in bones}
        for bone in bones:
            bone.head, bone.tail = places[bone.name]

    edit_bones(obj, grow).scale = (outside,) * 3
    return obj


def y_up() -> bpy.types.Object:
    """Made in centimetres with y up, stood up by the object's own turn and scale, as FBX files come in."""
    obj = _scale(create_humanoid(), 100.0, 0.01)
    obj.data.transform(Matrix.Rotation(-np.pi / 2, 4, "X"))
    obj.rotation_euler = (np.pi / 2, 0.0, 0.0)
    return obj


def turned_and_moved() -> bpy.types.Object:
    obj = create_humanoid()
    obj.matrix_world = Matrix.LocRotScale((2.0, -1.0, 0.7), Euler((0.0, 0.0, np.pi / 2)), (1.0, 1.0, 1.0))
    return obj


def create_parented() -> bpy.types.Object:
    obj, parent = create_humanoid(), bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(parent)
    obj.parent, parent.location, parent.scale = parent, (1.0, 2.0, 0.4), (2.5, 2.5, 2.5)
    obj.rotation_euler, obj.scale = (0.0, 0.0, -np.pi / 2), (0.4, 0.4, 0.4)
    return obj


def some_missing() -> bpy.types.Object:
    def drop(bones: bpy.types.ArmatureEditBones) -> None:
        for name in ("shoulder.L", "shoulder.R", "upper_chest", "chest", "neck", "toes.L", "hand.R"):
            bones.remove(bones[name])

    obj = create_humanoid()

    def reparent(bones: bpy.types.ArmatureEditBones) -> None:
        for bone in bones:
            bone.use_connect = False
        drop(bones)
        for name, parent in (("upper_arm.L", "spine"), ("upper_arm.R", "spine"), ("head", "spine")):
            bones[name].parent = bones[parent]

    return edit_bones(obj, reparent)


def seven_spines() -> bpy.types.Object:
    def split(bones: bpy.types.ArmatureEditBones) -> None:
        places = np.linspace(np.array(bones["spine"].head), np.array(bones["upper_chest"].tail), 8)
        hung = [bone for bone in bones if bone.parent and bone.parent.name == "upper_chest"]
        for bone in hung:
            bone.use_connect = False
        for name in ("spine", "chest", "upper_chest"):
            bones.remove(bones[name])
        parent = bones["hips"]
        for i in range(7):
            bone = bones.new(f"spine_{i + 1:02d}")
            bone.head, bone.tail, bone.parent = places[i], places[i + 1], parent
            parent = bone
        for bone in hung:
            bone.parent = parent

    return edit_bones(create_humanoid(), split)


def create_relaxed() -> bpy.types.Object:
    """Resting with lowered arms and bent elbows and knees."""
    obj = create_humanoid()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        for bone, turn in (("upper_arm", (0.1, 0.8 * sign, 0.0)), ("lower_arm", (0.0, 0.0, -0.4 * sign))):
            _rotate_in_world(obj, f"{bone}.{side}", Euler(turn))
        _rotate_in_world(obj, f"upper_leg.{side}", Euler((-0.15, -0.1 * sign, 0.0)))
        _rotate_in_world(obj, f"lower_leg.{side}", Euler((0.3, 0.0, 0.0)))
        _rotate_in_world(obj, f"foot.{side}", Euler((-0.15, 0.1 * sign, 0.0)))
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.armature_apply()
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def _rotate_in_world(obj: bpy.types.Object, bone: str, turn: Euler) -> None:
    pose_bone = obj.pose.bones[bone]
    rest = pose_bone.bone.matrix_local.to_quaternion()
    pose_bone.rotation_quaternion = rest.inverted() @ turn.to_quaternion() @ rest
    bpy.context.view_layer.update()


def no_inheritance() -> bpy.types.Object:
    obj = create_humanoid()
    for name in ("head", "upper_arm.L", "lower_leg.R", "chest"):
        obj.data.bones[name].use_inherit_rotation = False
    return obj


def connected_hips() -> bpy.types.Object:
    """The hips are connected to a root bone on the floor, so that their own location is locked."""

    def root(bones: bpy.types.ArmatureEditBones) -> None:
        bone = bones.new("root")
        bone.head, bone.tail = (0.0, 0.0, 0.0), bones["hips"].head
        bones["hips"].parent, bones["hips"].use_connect = bone, True

    return edit_bones(create_humanoid(), root)


def create_crowded() -> bpy.types.Object:
    """With a prefix, numbers that an importer appended, and 140 bones of hair and skirt."""
    obj = create_humanoid()
    for bone in obj.data.bones:
        name, dot, side = bone.name.partition(".")
        bone.name = f"Hero : {name}{dot}{side}.001"

    def dress(bones: bpy.types.ArmatureEditBones) -> None:
        for i in range(140):
            bone, parent = bones.new(f"{'hair' if i % 2 else 'skirt'}_{i:03d}"), bones[i % 2 * 5]
            bone.head = parent.head + Vector((0.1 * np.cos(i), 0.1 * np.sin(i), 0.0))
            bone.tail, bone.parent = bone.head + Vector((0.0, 0.0, -0.3)), parent

    return edit_bones(obj, dress)


@contextlib.contextmanager
def enable_rigify() -> Iterator[None]:
    """Rigify comes with Blender and the bpy module; left enabled it complains at every file that is opened."""
    sys.path += [path for path in addon_utils.paths() if path.endswith("addons_core") and path not in sys.path]
    pytest.importorskip("rigify")
    addon_utils.enable("rigify", default_set=True)
    try:
        yield
    finally:
        addon_utils.disable("rigify", default_set=True)


def create_metarig() -> bpy.types.Object:
    with enable_rigify():
        bpy.ops.object.armature_human_metarig_add()
    return bpy.context.object


_generated: list[Path] = []


def keep_generated_in(folder: Path) -> None:
    """Where the generated rig is kept between tests: making one takes ten seconds."""
    _generated[:] = [folder / "generated.blend"]


def open_generated() -> bpy.types.Object:
    if _generated and _generated[0].exists():
        bpy.ops.wm.open_mainfile(filepath=str(_generated[0]))
    else:
        with enable_rigify():
            bpy.ops.object.armature_human_metarig_add()
            before = bpy.context.object
            bpy.ops.pose.rigify_generate()
        bpy.data.objects.remove(before)
        if _generated:
            bpy.ops.wm.save_as_mainfile(filepath=str(_generated[0]))
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    return next(obj for obj in bpy.data.objects if obj.type == "ARMATURE" and rigify.is_generated(obj))


RIGS: dict[str, Callable[[], bpy.types.Object]] = {
    **{path: _make_opener(path) for path in ("mpfb_game_engine", "mpfb_cmu_mb", "mpfb_mixamo_unity", "m2m_human")},
    "m2m_skeleton_mecanim_full": _make_opener("m2m_skeleton_mecanim_full"),
    "rigify_metarig": create_metarig,
    "rigify_generated": open_generated,
    "own": create_humanoid,
    "random_rolls": random_rolls,
    "tails_anywhere": tails_anywhere,
    "hundredth": lambda: _scale(create_humanoid(), 100.0, 0.01),
    "giant": lambda: _scale(create_humanoid(), 1.0, 8.5),
    "y_up": y_up,
    "turned_and_moved": turned_and_moved,
    "parented": create_parented,
    "some_missing": some_missing,
    "seven_spines": seven_spines,
    "relaxed": create_relaxed,
    "no_inheritance": no_inheritance,
    "connected_hips": connected_hips,
    "crowded": create_crowded,
}
