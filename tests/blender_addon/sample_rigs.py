# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures of every kind to put motions on, and how truly they then move: for the tests and the rig report.

RIGS: name -> function that builds or opens the rig in an empty file and returns its object; it skips the test where
the rig's file is not at hand or needs a newer Blender.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector

from blender_addon.rig import armature, rigify
from blender_addon.rig.apply import Applied
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests import synthetic

SHARED = Path(__file__).resolve().parents[3] / "shared/rigs"
SEGMENTS = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (
        ("upper_arm", "lower_arm"),
        ("lower_arm", "hand"),
        ("upper_leg", "lower_leg"),
        ("lower_leg", "foot"),
    )
)
TRUNK = ("hips", "spine", "upper_chest", "neck", "head", "left_shoulder", "right_shoulder")
ENDS = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("hand", "foot", "toes"))


# --- motions ----------------------------------------------------------------------------------------------------------


def acting(motion: Motion, seed: int = 4) -> Motion:
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


def walking() -> Motion:
    return acting(synthetic.walk(fps=30.0, seconds=1.6, heading_deg=25.0, turn_deg_per_s=20.0))


# --- rigs -------------------------------------------------------------------------------------------------------------


def _shared(name: str) -> Callable[[], bpy.types.Object]:
    def opened() -> bpy.types.Object:
        path = SHARED / f"{name}.blend"
        if not path.exists():
            pytest.skip(f"{path.name} is not at hand")
        try:
            bpy.ops.wm.open_mainfile(filepath=str(path))
        except RuntimeError:
            pytest.skip(f"{path.name} needs a newer Blender")
        bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
        return next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")

    return opened


def humanoid() -> bpy.types.Object:
    return armature.create(HUMANOID, "Person", bpy.context.scene.collection)


def edited(obj: bpy.types.Object, change: Callable[[bpy.types.ArmatureEditBones], None]) -> bpy.types.Object:
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

    return edited(humanoid(), roll)


def tails_anywhere() -> bpy.types.Object:
    """As some importers leave them: no bone points to its child."""
    noise = np.random.default_rng(3)

    def turn(bones: bpy.types.ArmatureEditBones) -> None:
        for bone in bones:
            bone.use_connect = False
        for bone in bones:
            bone.tail = bone.head + Vector(0.08 * rotation.normalise(noise.standard_normal(3)))
            bone.roll = noise.uniform(-np.pi, np.pi)

    return edited(humanoid(), turn)


def _scaled(obj: bpy.types.Object, inside: float, outside: float) -> bpy.types.Object:
    def grow(bones: bpy.types.ArmatureEditBones) -> None:
        places = {bone.name: (bone.head * inside, bone.tail * inside) for bone in bones}
        for bone in bones:
            bone.head, bone.tail = places[bone.name]

    edited(obj, grow).scale = (outside,) * 3
    return obj


def y_up() -> bpy.types.Object:
    """Made in centimetres with y up, stood up by the object's own turn and scale, as FBX files come in."""
    obj = _scaled(humanoid(), 100.0, 0.01)
    obj.data.transform(Matrix.Rotation(-np.pi / 2, 4, "X"))
    obj.rotation_euler = (np.pi / 2, 0.0, 0.0)
    return obj


def turned_and_moved() -> bpy.types.Object:
    obj = humanoid()
    obj.matrix_world = Matrix.LocRotScale((2.0, -1.0, 0.7), Euler((0.0, 0.0, np.pi / 2)), (1.0, 1.0, 1.0))
    return obj


def parented() -> bpy.types.Object:
    obj, parent = humanoid(), bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(parent)
    obj.parent, parent.location, parent.scale = parent, (1.0, 2.0, 0.4), (2.5, 2.5, 2.5)
    obj.rotation_euler, obj.scale = (0.0, 0.0, -np.pi / 2), (0.4, 0.4, 0.4)
    return obj


def some_missing() -> bpy.types.Object:
    def drop(bones: bpy.types.ArmatureEditBones) -> None:
        for name in ("shoulder.L", "shoulder.R", "upper_chest", "chest", "neck", "toes.L", "hand.R"):
            bones.remove(bones[name])

    obj = humanoid()

    def reparent(bones: bpy.types.ArmatureEditBones) -> None:
        for bone in bones:
            bone.use_connect = False
        drop(bones)
        for name, parent in (("upper_arm.L", "spine"), ("upper_arm.R", "spine"), ("head", "spine")):
            bones[name].parent = bones[parent]

    return edited(obj, reparent)


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

    return edited(humanoid(), split)


def relaxed() -> bpy.types.Object:
    """Resting with lowered arms and bent elbows and knees."""
    obj = humanoid()
    for side, sign in (("L", 1.0), ("R", -1.0)):
        for bone, turn in (("upper_arm", (0.1, 0.8 * sign, 0.0)), ("lower_arm", (0.0, 0.0, -0.4 * sign))):
            _turn_in_world(obj, f"{bone}.{side}", Euler(turn))
        _turn_in_world(obj, f"upper_leg.{side}", Euler((-0.15, -0.1 * sign, 0.0)))
        _turn_in_world(obj, f"lower_leg.{side}", Euler((0.3, 0.0, 0.0)))
        _turn_in_world(obj, f"foot.{side}", Euler((-0.15, 0.1 * sign, 0.0)))
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.armature_apply()
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def _turn_in_world(obj: bpy.types.Object, bone: str, turn: Euler) -> None:
    pose_bone = obj.pose.bones[bone]
    rest = pose_bone.bone.matrix_local.to_quaternion()
    pose_bone.rotation_quaternion = rest.inverted() @ turn.to_quaternion() @ rest
    bpy.context.view_layer.update()


def no_inheritance() -> bpy.types.Object:
    obj = humanoid()
    for name in ("head", "upper_arm.L", "lower_leg.R", "chest"):
        obj.data.bones[name].use_inherit_rotation = False
    return obj


def connected_hips() -> bpy.types.Object:
    """The hips are connected to a root bone on the floor, so that their own location is locked."""

    def root(bones: bpy.types.ArmatureEditBones) -> None:
        bone = bones.new("root")
        bone.head, bone.tail = (0.0, 0.0, 0.0), bones["hips"].head
        bones["hips"].parent, bones["hips"].use_connect = bone, True

    return edited(humanoid(), root)


def crowded() -> bpy.types.Object:
    """With a prefix, numbers that an importer appended, and 140 bones of hair and skirt."""
    obj = humanoid()
    for bone in obj.data.bones:
        name, dot, side = bone.name.partition(".")
        bone.name = f"Hero : {name}{dot}{side}.001"

    def dress(bones: bpy.types.ArmatureEditBones) -> None:
        for i in range(140):
            bone, parent = bones.new(f"{'hair' if i % 2 else 'skirt'}_{i:03d}"), bones[i % 2 * 5]
            bone.head = parent.head + Vector((0.1 * np.cos(i), 0.1 * np.sin(i), 0.0))
            bone.tail, bone.parent = bone.head + Vector((0.0, 0.0, -0.3)), parent

    return edited(obj, dress)


@contextlib.contextmanager
def rigify_enabled() -> Iterator[None]:
    """Rigify comes with Blender and the bpy module; left enabled it complains at every file that is opened."""
    sys.path += [path for path in addon_utils.paths() if path.endswith("addons_core") and path not in sys.path]
    pytest.importorskip("rigify")
    addon_utils.enable("rigify", default_set=True)
    try:
        yield
    finally:
        addon_utils.disable("rigify", default_set=True)


def metarig() -> bpy.types.Object:
    with rigify_enabled():
        bpy.ops.object.armature_human_metarig_add()
    return bpy.context.object


_generated: list[Path] = []


def keep_generated_in(folder: Path) -> None:
    """Where the generated rig is kept between tests: making one takes ten seconds."""
    _generated[:] = [folder / "generated.blend"]


def generated() -> bpy.types.Object:
    if _generated and _generated[0].exists():
        bpy.ops.wm.open_mainfile(filepath=str(_generated[0]))
    else:
        with rigify_enabled():
            bpy.ops.object.armature_human_metarig_add()
            before = bpy.context.object
            bpy.ops.pose.rigify_generate()
        bpy.data.objects.remove(before)
        if _generated:
            bpy.ops.wm.save_as_mainfile(filepath=str(_generated[0]))
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0
    return next(obj for obj in bpy.data.objects if obj.type == "ARMATURE" and rigify.is_generated(obj))


RIGS: dict[str, Callable[[], bpy.types.Object]] = {
    **{path: _shared(path) for path in ("mpfb_game_engine", "mpfb_cmu_mb", "mpfb_mixamo_unity", "m2m_human")},
    "m2m_skeleton_mecanim_full": _shared("m2m_skeleton_mecanim_full"),
    "rigify_metarig": metarig,
    "rigify_generated": generated,
    "own": humanoid,
    "random_rolls": random_rolls,
    "tails_anywhere": tails_anywhere,
    "hundredth": lambda: _scaled(humanoid(), 100.0, 0.01),
    "giant": lambda: _scaled(humanoid(), 1.0, 8.5),
    "y_up": y_up,
    "turned_and_moved": turned_and_moved,
    "parented": parented,
    "some_missing": some_missing,
    "seven_spines": seven_spines,
    "relaxed": relaxed,
    "no_inheritance": no_inheritance,
    "connected_hips": connected_hips,
    "crowded": crowded,
}


# --- how truly they move ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Played:
    """Evaluated bones by joint: heads and tails (T, 3) world metres, q_world_bone (T, 4), and that at rest (4,).

    scale: the rig's legs over the motion's.
    """

    heads: dict[str, Array]
    tails: dict[str, Array]
    turns: dict[str, Array]
    rests: dict[str, Array]
    scale: float


def played(obj: bpy.types.Object, applied: Applied, motion: Motion, scene: bpy.types.Scene) -> Played:
    """Play the action and watch the bones that deform: of a joint's bones the last, of the spine's the first."""
    watched = dict(_watched(obj, applied))
    heads, matrices, tails = [], [], []
    for frame in range(len(motion.t_world_root)):
        scene.frame_set(round(applied.action.frame_start) + frame)
        seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        bones = [(seen.pose.bones[first], seen.pose.bones[chosen]) for first, chosen in watched.values()]
        heads.append([np.array(seen.matrix_world @ first.head) for first, _ in bones])
        tails.append([np.array(seen.matrix_world @ chosen.tail) for _, chosen in bones])
        matrices.append([np.array(seen.matrix_world @ chosen.matrix) for _, chosen in bones])
    rest = [np.array(obj.matrix_world @ obj.data.bones[chosen].matrix_local) for _, chosen in watched.values()]
    by_time = [np.moveaxis(values, 1, 0) for values in (np.array(heads), np.array(tails), _turns(np.array(matrices)))]
    own = (dict(zip(watched, values, strict=True)) for values in (*by_time, _turns(np.array(rest))))
    return Played(*own, _legs(obj, {joint: first for joint, (first, _) in watched.items()}, motion))


def _turns(matrices: Array) -> Array:
    axes = matrices[..., :3, :3]
    return rotation.from_matrix(axes / np.linalg.norm(axes, axis=-2, keepdims=True))


def _watched(obj: bpy.types.Object, applied: Applied) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of each joint its first bone and the one whose turn counts; of a generated Rigify rig those that deform."""
    for joint, chain in applied.target.bone_map.bones.items():
        if applied.target.switches:
            moved = {"neck": "DEF-spine.004", "head": "DEF-spine.006"}
            chain = [moved.get(c, f"DEF-{c.replace('_fk', '')}") for c in chain if c != "torso"]
        if chain:
            yield joint, (chain[0], chain[0] if joint == "spine" else chain[-1])


def _legs(obj: bpy.types.Object, bones: dict[str, str], motion: Motion) -> float:
    """The rig's legs over the motion's, at rest, in the world."""
    names = [f"left_{part}" for part in ("upper_leg", "lower_leg", "foot")]
    own = [np.array(obj.matrix_world @ obj.data.bones[bones[name]].head_local) for name in names]
    source = [motion.skeleton.rest_positions()[motion.skeleton.index(name)] for name in names]
    return float(_length_of(own) / _length_of(source))


def _length_of(points: list[Array]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=-1).sum())


def direction_errors(seen: Played, motion: Motion) -> dict[str, float]:
    """For each limb segment that the rig has, the worst angle in degrees between it and the motion's."""
    places, errors = motion.positions(), {}
    for joint, end in SEGMENTS:
        if joint in seen.heads and end in seen.heads:
            own = seen.heads[end] - seen.heads[joint]
            true = places[:, HUMANOID.index(end)] - places[:, HUMANOID.index(joint)]
            errors[joint] = worst_deg(rotation.between(own, true))
    return errors


def turn_errors(seen: Played, motion: Motion) -> dict[str, float]:
    """For trunk, head, hands and feet the worst angle in degrees between how far they turn from the first frame."""
    worlds = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    errors = {}
    for joint in (*TRUNK, *ENDS):
        if joint in seen.turns:
            true = worlds[:, HUMANOID.index(joint)]
            away = [rotation.mul(turns, rotation.inv(turns[0])) for turns in (seen.turns[joint], true)]
            errors[joint] = worst_deg(rotation.mul(rotation.inv(away[0]), away[1]))
    return errors


def stance_errors(seen: Played, motion: Motion) -> dict[str, float]:
    """For trunk and head of a rig that rests upright, facing -y: the worst angle in degrees off their direction."""
    worlds = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1]
    errors = {}
    for joint in ("hips", "spine", "upper_chest", "neck", "head"):
        if joint in seen.turns:
            rest = rotation.rotate(seen.rests[joint], np.array([0.0, 1.0, 0.0]))
            true = rotation.rotate(worlds[:, HUMANOID.index(joint)], rest)
            own = rotation.rotate(seen.turns[joint], np.array([0.0, 1.0, 0.0]))
            errors[joint] = worst_deg(rotation.between(own, true))
    return errors


def slide_mm(seen: Played, motion: Motion) -> float:
    """The most that ankle or toe joint moves in a frame of contact, in mm, at the size of the motion's person."""
    worst = 0.0
    for side, contact in zip(("left", "right"), motion.contacts.T, strict=True):
        still = contact[1:] & contact[:-1]
        for joint in (f"{side}_foot", f"{side}_toes"):
            if joint in seen.heads and still.any():
                steps = np.linalg.norm(np.diff(seen.heads[joint], axis=0), axis=-1)[still]
                worst = max(worst, float(steps.max()) / seen.scale * 1000.0)
    return worst


def lowest_mm(seen: Played) -> float:
    """The lowest height of a toe joint, in mm at the size of the motion's person; a foot's end where it has no toes."""
    ends = [seen.heads.get(f"{side}_toes", seen.tails[f"{side}_foot"]) for side in ("left", "right")]
    return float(np.min(ends, axis=(0, 1))[2]) / seen.scale * 1000.0


def worst_deg(turns: Array) -> float:
    return float(np.degrees(rotation.angle(turns)).max())
