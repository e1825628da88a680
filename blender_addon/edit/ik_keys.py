# SPDX-License-Identifier: GPL-3.0-or-later
"""IK controls keyed so that they do what the FK bones did, for Rigify rigs and for rigs with Blender's IK constraint.

In closed form, from the FK bones' keyframes: nothing is evaluated frame by frame. The FK keyframes stay, so that each
limb can be switched back. Knows what to key on which control; finding the limbs and the arithmetic are done elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.ik_controls import HingeChain, LimbMotion, flatten_stances, place_pole
from stc_core.motion.edit.pose import KeyedPose, pose_keyed
from stc_core.motion.edit.tracks import PosedArmature
from stc_core.motion.retarget.rest_pose import RestPose, follow_parent, inherited_rotation
from stc_core.motion.rig_mapping.bone_map import BoneMap

from ..rig import keyframes
from ..rig.corrections import sample_matrices
from . import curves
from .limbs import IkLimb, find_limbs, list_driving_properties
from .sampled_action import add_free_controls, read_rest_rotation, sample_action, write_keyed_pose

_MAX_CHECKED = 8
"""frames at which the result is evaluated and compared; chosen: a heavy rig takes 30 ms for each"""

_ON = 0.5
"""an influence from here on is on"""


@dataclass(frozen=True, kw_only=True)
class IkKeys:
    """What was keyed."""

    limbs: tuple[str, ...]
    controls: tuple[str, ...]
    error_m: float
    """the farthest that a foot or hand is from where FK had it, at a few frames"""


def key_ik_controls(obj: bpy.types.Object, scene: bpy.types.Scene, bone_map: BoneMap | None = None) -> IkKeys:
    """Key the IK controls and poles of all limbs that the armature's action moves by FK, and switch IK on in it.

    Raises UserError where there is no such limb.
    """
    sampled = sample_action(obj, scene, bone_map)
    keyed, available = sampled.keyed_pose(), set(sampled.rest.bones)
    limbs = [limb for limb in find_limbs(obj) if keyed.bones & set(limb.chain) and set(limb.chain) <= available]
    if not limbs:
        raise UserError(
            f"{obj.name} has no IK controls for limbs that {sampled.action.name} moves.",
            "Choose a Rigify rig, or one whose shins and forearms have an IK constraint with a chain of two bones.",
        )
    controls = {name for limb in limbs for name in (limb.control, limb.pole, *dict(limb.copied)) if name}
    rest = add_free_controls(obj, sampled.rest, controls)
    fk = FkMotion(obj=obj, rest=rest, posed=pose_keyed(rest, keyed))
    keys = [_compute_keys(fk, limb) for limb in limbs]
    checked = sampled.frames[np.linspace(0, len(sampled.frames) - 1, _MAX_CHECKED).astype(int)]
    before, switches = _read_ends(obj, limbs, checked), _find_switches(obj, sampled.action, limbs)
    for limb, pose in zip(limbs, keys, strict=True):
        write_keyed_pose(obj, sampled.action, pose, sampled.frames)
        _switch_on(fk, sampled.action, limb, switches, float(sampled.frames[0]))
    after = _read_ends(obj, limbs, checked)
    return IkKeys(
        limbs=tuple(limb.name for limb in limbs),
        controls=tuple(limb.control for limb in limbs),
        error_m=float(np.linalg.norm(after - before, axis=-1).max()) * scene.unit_settings.scale_length,
    )


@dataclass(frozen=True, kw_only=True)
class FkMotion:
    """How a rig moves by its FK keyframes; its controls are in the rest pose too."""

    obj: bpy.types.Object
    rest: RestPose
    posed: PosedArmature

    def follow(self, bone: str) -> tuple[Array, Array]:
        """The rotation (N, 4) and head (N, 3) of a bone that only follows its parent, armature space."""
        index = self.rest.index(bone)
        parent = self.rest.parents[index]
        count = len(self.posed.heads)
        if parent < 0:
            return np.tile(self.rest.q_armature_bone[index], (count, 1)), np.tile(self.rest.heads[index], (count, 1))
        above = {parent: (self.posed.heads[:, parent], self.posed.q_armature_bone[:, parent])}
        return follow_parent(self.rest, index, above)

    def get_moved(self, bone: str) -> Array:
        """How far a bone is turned from rest (N, 4), armature axes."""
        index = self.rest.index(bone)
        return rotation.mul(self.posed.q_armature_bone[:, index], rotation.inv(self.rest.q_armature_bone[index]))


def _compute_keys(fk: FkMotion, limb: IkLimb) -> KeyedPose:
    """What to key on a limb's control, on its pole and on what moves with the control.

    The control moves as one with the foot or hand; a foot in contact stands perfectly still.
    """
    rest, end = fk.rest, fk.rest.index(limb.chain[2])
    head, moved = fk.posed.heads[:, end], fk.get_moved(limb.chain[2])
    if limb.is_leg:
        head, moved = flatten_stances(head * rest.unit_m, moved)
        head = head / rest.unit_m
    control = rest.index(limb.control)
    offset = rest.heads[control] - np.array(fk.obj.data.bones[limb.target].head_local)
    rotations, locations = {}, {}
    rotations[limb.control], locations[limb.control] = _to_basis(
        fk, limb.control, rotation.mul(moved, rest.q_armature_bone[control]), head + rotation.rotate(moved, offset)
    )
    for name, fk_bone in limb.copied:
        own = rotation.mul(rotation.inv(moved), fk.get_moved(fk_bone))  # against the foot, on which it hangs
        q_rest = rest.q_armature_bone[rest.index(name)]
        rotations[name] = rotation.unroll(rotation.mul(rotation.mul(rotation.inv(q_rest), own), q_rest))
    if limb.pole:
        q = np.tile(rotation.IDENTITY, (len(head), 1))
        locations[limb.pole] = _to_basis(fk, limb.pole, q, _place_pole(fk, limb))[1]
    return KeyedPose(rotations=rotations, locations=locations)


def _to_basis(fk: FkMotion, bone: str, q: Array, head: Array) -> tuple[Array, Array]:
    """The pose rotation (N, 4) and location (N, 3) that put a bone's q_armature_bone and head there."""
    q_following, followed = fk.follow(bone)
    base = inherited_rotation(fk.rest, fk.rest.index(bone), q_following)
    location = rotation.rotate(rotation.inv(q_following), head - followed)
    return rotation.unroll(rotation.normalise(rotation.mul(rotation.inv(base), q))), location


def _place_pole(fk: FkMotion, limb: IkLimb) -> Array:
    """Where the pole target must be (N, 3), armature space."""
    first, second, end = (fk.rest.index(bone) for bone in limb.chain)
    motion = LimbMotion(
        root=fk.posed.heads[:, first],
        middle=fk.posed.heads[:, second],
        end=fk.posed.heads[:, end],
        q_first=fk.posed.q_armature_bone[:, first],
    )
    bones = [fk.obj.data.bones[name] for name in limb.solved]
    chain = HingeChain(
        q_first=read_rest_rotation(bones[0]),
        q_second=read_rest_rotation(bones[1]),
        first_length=bones[0].length,
        second_length=bones[1].length,
    )
    return place_pole(motion, limb.pole_angle, chain if limb.starts_at_rest else None)


def _switch_on(
    fk: FkMotion, action: bpy.types.Action, limb: IkLimb, switches: dict[str, dict[str, float]], frame: float
) -> None:
    """Key IK on, and at rest what must be: a foot that hangs on the control itself moves with it."""
    end = fk.obj.pose.bones[limb.chain[2]]
    hung = [end.name] if limb.control in {bone.name for bone in end.parent_recursive} else []
    for name in (*limb.resting, *hung):
        _key_at_rest(fk.obj, action, name, frame)
    for path, value in limb.switches.items():
        if path not in switches:
            curves.replace_constant(fk.obj, action, path, frame, value, path.split('"')[1])
    for switch, value in (one for path in limb.switches for one in switches.get(path, {}).items()):
        curves.replace_constant(fk.obj, action, switch, frame, value, switch.split('"')[1])


def _find_switches(
    obj: bpy.types.Object, action: bpy.types.Action, limbs: Sequence[IkLimb]
) -> dict[str, dict[str, float]]:
    """What to key where a limb's influence is driven, by what is driven: of the properties that the driver reads those
    that the action keys, at the other end of 0 to 1 where it keys them so that IK is off.
    """
    constants, evaluated = curves.read_constants(obj, action), obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    found: dict[str, dict[str, float]] = {}
    for path in (path for limb in limbs for path in limb.switches):
        driving = list_driving_properties(obj, path)
        if driving:
            is_on = evaluated.path_resolve(path) >= _ON
            keyed = [one for one in driving if constants.get(one) in (0.0, 1.0)]
            found[path] = {one: constants[one] if is_on else 1.0 - constants[one] for one in keyed}
    return found


def _key_at_rest(obj: bpy.types.Object, action: bpy.types.Action, name: str, frame: float) -> None:
    """Key a bone's rotation and location at rest."""
    bone = obj.pose.bones[name]
    at_rest = {"QUATERNION": (1.0, 0.0, 0.0, 0.0), "AXIS_ANGLE": (0.0, 0.0, 1.0, 0.0)}.get(
        bone.rotation_mode, (0.0,) * 3
    )
    paths = {"location": (0.0,) * 3, keyframes.get_rotation_channel(bone): at_rest}
    for channel, values in paths.items():
        curves.remove_fcurves(obj, action, [bone.path_from_id(channel)])
        keyframes.key_constant(obj, action, bone.path_from_id(channel), frame, values, name)


def _read_ends(obj: bpy.types.Object, limbs: Sequence[IkLimb], frames: Array) -> Array:
    """Where the limbs' ends are (F, L, 3), evaluated, in units of the scene."""
    return sample_matrices(obj, [limb.observed for limb in limbs], frames)[..., :3, 3]
