# SPDX-License-Identifier: GPL-3.0-or-later
"""New actions made of the one that an armature plays: its mirror image, and a loop of its best cycle.

Knows which bones are partners, by the bone map and by name, and what becomes of an action's other curves; the
arithmetic is done elsewhere. The action itself is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.loop import Cycle, LoopConfig, close_cycle, find_cycle
from stc_core.motion.edit.mirror import mirror_pose
from stc_core.motion.edit.pose import KeyedPose, find_top_bones, pose_keyed
from stc_core.motion.rig_mapping.bone_map import BoneMap

from ..rig import keyframes
from . import curves
from .sampled_action import SampledAction, sample_action, write_keyed_pose

_OUR_KEYS = ("stc_mocap", "stc_mocap_counterpart")
"""custom properties that say from which capture an action is: a mirrored or looped one no longer matches its video"""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A looped action, and where its cycle was found in the former one: frames of the scene."""

    action: bpy.types.Action
    first: float
    last: float
    mismatch_m: float


def mirror_action(obj: bpy.types.Object, scene: bpy.types.Scene, bone_map: BoneMap | None = None) -> bpy.types.Action:
    """Make a new action that is the mirror image of the armature's, and let the armature play it.

    Raises UserError where the armature plays no action or has no thighs in its bone map.
    """
    sampled = sample_action(obj, scene, bone_map)
    keyed = sampled.keyed_pose()
    partners = find_partners(sampled)
    left, right = (sampled.first_bone(f"{side}_upper_leg") for side in ("left", "right"))
    body = (left, right, _find_carrier(sampled, keyed))
    mirrored = mirror_pose(sampled.rest, _leave_out(keyed, sampled.loose), partners, body)
    mirrored = _join(mirrored, _mirror_locally(keyed, sampled.loose, partners))
    action = _copy_action(sampled, "mirrored")
    moving = curves.find_transform_curves(obj, action)
    curves.remove_fcurves(obj, action, [curve.data_path for each in moving.values() for curve in each.values()])
    _swap_sides(obj, action)
    write_keyed_pose(obj, action, mirrored, sampled.frames)
    keyframes.assign_action(obj, action)
    return action


def loop_action(
    obj: bpy.types.Object, scene: bpy.types.Scene, config: LoopConfig, bone_map: BoneMap | None = None
) -> Loop:
    """Make a new action of the best cycle in the armature's, closed and repeated for ever; the armature plays it.

    Raises UserError where the armature plays no action, or nothing in it repeats itself.
    """
    sampled = sample_action(obj, scene, bone_map, whole_frames=True)
    keyed, fps = sampled.keyed_pose(), keyframes.get_scene_fps(scene)
    points, sideways = _observe_body(sampled, keyed)
    cycle = find_cycle(points, sideways, fps, config)
    carrier = _find_carrier(sampled, keyed)
    blend_frames = round(config.blend_s * fps)
    closed = close_cycle(sampled.rest, keyed, carrier, sideways, cycle, blend_frames, config.in_place)
    frames = sampled.frames[0] + np.arange(len(closed))
    action = _copy_action(sampled, "in place" if config.in_place else "loop")
    _drop_animated(obj, action)
    write_keyed_pose(obj, action, closed, frames)
    _repeat(sampled, keyed, action)
    action.use_frame_range, action.use_cyclic = True, True
    action.frame_start, action.frame_end = frames[0], frames[-1]
    keyframes.assign_action(obj, action)
    return _describe_loop(action, cycle, sampled.frames)


def _describe_loop(action: bpy.types.Action, cycle: Cycle, frames: Array) -> Loop:
    return Loop(
        action=action, first=float(frames[cycle.first]), last=float(frames[cycle.last]), mismatch_m=cycle.mismatch_m
    )


def _copy_action(sampled: SampledAction, what: str) -> bpy.types.Action:
    """A copy of the action under a new name, which no longer says that it was captured."""
    action = sampled.action.copy()
    action.name = f"{sampled.action.name} {what}"
    for key in _OUR_KEYS:
        if key in action:
            del action[key]
    return action


# --- left and right ---------------------------------------------------------------------------------------------------


def find_partners(sampled: SampledAction) -> dict[str, str]:
    """The bone on the other side for each keyed bone: by the bone map, else by name, else itself."""
    keyed = {track.bone for track in sampled.tracks}
    mapped = dict(_pair_bones(sampled.bone_map))
    partners = {}
    for bone in keyed:
        other = mapped.get(bone) or bpy.utils.flip_name(bone)
        partners[bone] = other if other in sampled.rest.bones else bone
    return partners


def _pair_bones(bone_map: BoneMap) -> list[tuple[str, str]]:
    """Bones of the left with those of the right and the other way round, where both sides have as many."""
    pairs = []
    for chains in (bone_map.bones, bone_map.twists):
        for joint, chain in chains.items():
            side, _, part = joint.partition("_")
            other = chains.get(f"{ {'left': 'right', 'right': 'left'}.get(side, '') }_{part}", ())
            if len(other) == len(chain):
                pairs += list(zip(chain, other, strict=True))
    return pairs


def _leave_out(keyed: KeyedPose, bones: frozenset[str]) -> KeyedPose:
    """What is keyed on other bones than these."""
    return KeyedPose(
        rotations={bone: values for bone, values in keyed.rotations.items() if bone not in bones},
        locations={bone: values for bone, values in keyed.locations.items() if bone not in bones},
    )


def _mirror_locally(
    keyed: KeyedPose, bones: frozenset[str], partners: dict[str, str]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Rotations and locations of these bones' partners, mirrored in the bones' own axes as Paste Flipped does it."""
    rotations = {partners[b]: v * np.array([1.0, 1.0, -1.0, -1.0]) for b, v in keyed.rotations.items() if b in bones}
    locations = {partners[b]: v * np.array([-1.0, 1.0, 1.0]) for b, v in keyed.locations.items() if b in bones}
    return rotations, locations


def _join(keyed: KeyedPose, others: tuple[dict[str, Array], dict[str, Array]]) -> KeyedPose:
    return KeyedPose(rotations={**keyed.rotations, **others[0]}, locations={**keyed.locations, **others[1]})


def _swap_sides(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Let the other curves, of custom properties and constraints, animate the partners by name of their bones."""
    for curve in curves.get_fcurves(obj, action):
        parts = curve.data_path.split('"')
        if parts[0] != "pose.bones[" or len(parts) < 3:
            continue
        other = bpy.utils.flip_name(bpy.utils.unescape_identifier(parts[1]))
        if other in obj.pose.bones:
            curve.data_path = '"'.join([parts[0], bpy.utils.escape_identifier(other), *parts[2:]])


# --- the body and its path --------------------------------------------------------------------------------------------


def _find_carrier(sampled: SampledAction, keyed: KeyedPose) -> str:
    """The keyed bone that carries the body along its path: the topmost above the hips."""
    hips, top = sampled.rest.index(sampled.first_bone("hips")), find_top_bones(sampled.rest, keyed)
    bone = hips
    while bone >= 0:
        if bone in top:
            return sampled.rest.bones[bone]
        bone = sampled.rest.parents[bone]
    raise UserError(
        f"The action {sampled.action.name} does not move the hips of {sampled.obj.name}.",
        "Choose an action of the whole body.",
    )


def _observe_body(sampled: SampledAction, keyed: KeyedPose) -> tuple[Array, Array]:
    """Where the mapped bones begin (N, P, 3), the hips' first, world metres, and from the right thigh to the left
    (N, 3).
    """
    rest = sampled.rest
    names = dict.fromkeys([sampled.first_bone("hips"), *(b for c in sampled.bone_map.bones.values() for b in c)])
    heads = rest.to_world(pose_keyed(rest, keyed).heads)
    points = heads[:, [rest.index(name) for name in names if name in rest.bones]]
    left, right = (rest.index(sampled.first_bone(f"{side}_upper_leg")) for side in ("left", "right"))
    return points, rotation.normalise(heads[:, left] - heads[:, right])


def _drop_animated(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Remove all curves but those of one keyframe: a loop has other frames."""
    animated = [curve.data_path for curve in curves.get_fcurves(obj, action) if len(curve.keyframe_points) > 1]
    curves.remove_fcurves(obj, action, animated)


def _repeat(sampled: SampledAction, keyed: KeyedPose, action: bpy.types.Action) -> None:
    """Repeat all curves for ever; the locations of the topmost bones go on from where they ended."""
    top = {sampled.rest.bones[bone] for bone in find_top_bones(sampled.rest, keyed)}
    for (bone, kind), each in curves.find_transform_curves(sampled.obj, action).items():
        for curve in each.values():
            if len(curve.keyframe_points) > 1:
                curves.add_cycles(curve, with_offset=kind == "LOCATION" and bone in top)
