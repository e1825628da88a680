# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that an armature plays, as arrays: what is keyed on which bones, and how the keyed bones hang together.

On a generated Rigify rig the bones are its controls, each under the one that it really follows; IK controls hang on the
root, and all others that are keyed, such as tweaks, on the torso. Does not know what the edits are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.pose import KeyedPose
from stc_core.motion.edit.tracks import LOCATION, Track, to_rotation
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap

from ..rig import keyframes, provenance
from ..rig.apply import resolve_target
from . import curves, layer

_ROOT, _TORSO = "root", "torso"
"""Rigify's controls that carry all others, and the body"""
_FREE = {"root", "foot_ik", "hand_ik", "thigh_ik_target", "upper_arm_ik_target"}
"""Rigify's controls that follow the root alone, without their sides"""
_FOLLOWERS = {"toe_ik": "foot_ik", "toe": "foot_ik", "foot_heel_ik": "foot_ik", "foot_spin_ik": "foot_ik"}
"""Rigify's controls that follow another one which is not keyed by retargeting, without their sides"""


@dataclass(frozen=True, kw_only=True)
class SampledAction:
    """An action at N frames, the armature's keyed bones at rest, and its bone map."""

    obj: bpy.types.Object
    action: bpy.types.Action
    rest: RestPose
    bone_map: BoneMap
    frames: Array
    """(N,): of the scene, rising"""
    tracks: tuple[Track, ...]
    loose: frozenset[str] = frozenset()
    """keyed bones of which it is not known what they follow; in the rest pose they hang on the torso"""

    def keyed_pose(self) -> KeyedPose:
        """The tracks as rotations and locations."""
        return KeyedPose(
            rotations={t.bone: to_rotation(t.values, t.kind) for t in self.tracks if not t.is_location},
            locations={t.bone: t.to_positions(t.values) for t in self.tracks if t.is_location},
        )

    def first_bone(self, joint: str) -> str:
        """The bone of a joint, the first of several. Raises UserError where it has none in the bone map."""
        chain = [bone for bone in self.bone_map.bones.get(joint, ()) if bone in self.rest.bones]
        if not chain:
            part = joint.replace("_", " ")
            raise UserError(f"{self.obj.name} has no bone for the {part}.", "Choose one in the panel Bone Map.")
        return chain[0]


def find_action(obj: bpy.types.Object | None) -> bpy.types.Action:
    """The action that the armature plays: its own, or the topmost on its NLA tracks.

    Raises UserError where there is none, or where a correction layer lies over it.
    """
    if obj is None or obj.type != "ARMATURE":
        raise UserError("No armature is chosen.", "Select one that plays an action.")
    if layer.find_layer(obj):
        raise UserError(f"{obj.name} has a correction layer.", "Merge or remove the layer first.")
    data = obj.animation_data
    action = (data.action if data else None) or provenance.find_captured_action(obj)
    if action is None:
        raise UserError(f"{obj.name} plays no action.", "Capture a video, or assign an action.")
    return action


def sample_action(
    obj: bpy.types.Object, scene: bpy.types.Scene, bone_map: BoneMap | None = None, whole_frames: bool = False
) -> SampledAction:
    """Sample the armature's action at all its keyframes, and at every frame between them where those are far apart.

    bone_map: for an action that does not know with which one it was made; None: it is guessed. whole_frames: at the
    scene's whole frames alone. Raises UserError where there is nothing to edit.
    """
    action = find_action(obj)
    found = curves.find_transform_curves(obj, action)
    frames = curves.choose_frames([curve for each in found.values() for curve in each.values()], whole_frames)
    if len(frames) < 2:
        raise UserError(f"The action {action.name} moves no bone of {obj.name}.", "Choose an action with keyframes.")
    tracks = tuple(curves.read_track(obj, bone, kind, each, frames) for (bone, kind), each in found.items())
    record = provenance.read_provenance(action)
    bone_map = record.bone_map() if record else bone_map
    target = resolve_target(obj, bone_map, scene, record.rigify_controls if record else True)
    keyed = {track.bone for track in tracks}
    return SampledAction(
        obj=obj,
        action=action,
        rest=add_free_controls(obj, target.rest, keyed),
        bone_map=target.bone_map,
        frames=frames,
        tracks=tracks,
        loose=frozenset(
            name for name in keyed.difference(target.rest.bones) if name.partition(".")[0] not in {*_FREE, *_FOLLOWERS}
        ),
    )


def add_free_controls(obj: bpy.types.Object, rest: RestPose, keyed: set[str]) -> RestPose:
    """The rest pose with those keyed bones too that probing did not find: Rigify's root first, the others on it."""
    missing = [bone.name for bone in obj.data.bones if bone.name in keyed and bone.name not in rest.bones]
    for name in sorted(missing, key=lambda bone: (bone != _ROOT, bone.partition(".")[0] in _FOLLOWERS)):
        rest = _prepend_root(obj, rest) if name == _ROOT else _append_bone(obj, rest, name)
    return rest


def _prepend_root(obj: bpy.types.Object, rest: RestPose) -> RestPose:
    """The rest pose with the root as the parent of all bones that have none."""
    appended = _append_bone(obj, rest, _ROOT)
    order = [len(rest.bones), *range(len(rest.bones))]
    return replace(
        appended,
        bones=(_ROOT, *rest.bones),
        parents=(-1, *(parent + 1 for parent in rest.parents)),
        heads=appended.heads[order],
        tails=appended.tails[order],
        q_armature_bone=appended.q_armature_bone[order],
        inherits_rotation=np.ones(len(order), bool) & appended.inherits_rotation[order],
    )


def _append_bone(obj: bpy.types.Object, rest: RestPose, name: str) -> RestPose:
    """The rest pose with one more control, on the one that it follows or on the root."""
    bone = obj.data.bones[name]
    base, dot, side = name.partition(".")
    candidates = (f"{_FOLLOWERS.get(base, '')}{dot}{side}", "" if base in _FREE else _TORSO, _ROOT)
    above = [other for other in candidates if other in rest.bones and other != name]
    return replace(
        rest,
        bones=(*rest.bones, name),
        parents=(*rest.parents, rest.index(above[0]) if above else -1),
        heads=np.concatenate([rest.heads, [bone.head_local]]),
        tails=np.concatenate([rest.tails, [bone.tail_local]]),
        q_armature_bone=np.concatenate([rest.q_armature_bone, [read_rest_rotation(bone)]]),
        inherits_rotation=np.append(rest.inherits_rotation, True),
    )


def read_rest_rotation(bone: bpy.types.Bone) -> Array:
    """q_armature_bone (4,) of a bone at rest."""
    return rotation.from_matrix(np.array(bone.matrix_local.to_3x3()))


def write_keyed_pose(obj: bpy.types.Object, action: bpy.types.Action, keyed: KeyedPose, frames: Array) -> None:
    """Key a pose at the frames (N,), in each bone's own rotation mode, in place of what was keyed."""
    for bone, q in keyed.rotations.items():
        mode = obj.pose.bones[bone].rotation_mode
        values = keyframes.convert_to_mode(q[:, None], mode)[:, 0]
        curves.write_track(obj, action, Track(bone=bone, kind=mode, values=values), frames)
    for bone, positions in keyed.locations.items():
        values = keyframes.convert_to_location_axes(obj.pose.bones[bone].bone, positions)
        curves.write_track(obj, action, Track(bone=bone, kind=LOCATION, values=values), frames)
