# SPDX-License-Identifier: GPL-3.0-or-later
"""How well rigs are understood and moved: `python -m tests.benchmarks.rig_accuracy --rigs DIR … [--motion FILE]`.

Every rig's file in the folders, and the rigs of the tests, get a motion (a made walk, or a motion.npz). A table tells
the angles between the limbs and the motion's, with feet free and locked, how far soles in contact are from the floor
and how far they slide a frame, how many finger joints have bones and how far these are from those of closing hands, and
the bones that are wrong, and sure too, where a .json beside the file says which are right. The last lines tell the same
of made bodies with the names of `naming_schemes.py`, renamed, and with misleading names, and of the hands of
`finger_schemes.py`. What bones do is computed as Blender evaluates it (`evaluate_pose`). Needs the bpy module.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.export import rig_file
from blender_addon.rig.apply import resolve_target
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.fingers import FINGER_JOINTS, FINGERS, list_finger_joints
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.retarget.retarget import RetargetConfig, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID

from ..blender_addon import sample_rigs
from ..blender_addon.play_rigs import SEGMENTS
from ..made_hands import POSES, bend_fingers
from ..motion.retarget.test_fingers_on_rigs import point_motion
from ..motion.rig_mapping.finger_schemes import FINGER_SCHEMES, make_handed_body, remove_humans_names
from ..motion.rig_mapping.naming_schemes import NAMED, SCHEMES, Shape, make_body
from ..motion.rig_mapping.rigs import TRUNK, merge_spine
from ..motion.rig_mapping.test_guess_by_names import RENAMES
from ..motion.rig_mapping.test_naming_schemes import MISLEAD, SURE, list_sure_errors

_ON_FLOOR_M = 0.01
"""a point of the sole this near to the floor may be what stands on it"""
_NEAR_ANKLE_PER_SHIN = 0.8
"""a foot's mesh follows bones that begin this near to the ankle"""
_HEAD = (
    "| rig | map | wrong, wrong and sure | limbs °, feet free | feet locked | sole off floor mm | slide mm a frame "
    "| finger joints of 30 | fingers ° (most) |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--rigs", nargs="*", type=Path, default=[], help="folders of rigs' files, searched through")
    parser.add_argument("--motion", type=Path, help="a motion.npz in place of the made walk")
    parser.add_argument("--bodies", type=int, default=2000, help="made bodies with misleading names")
    flags = parser.parse_args()
    motion = load_motion(flags.motion) if flags.motion else sample_rigs.make_walk()
    print(_HEAD, "|---|---|---|---|---|---|---|---|---|", sep="\n", flush=True)
    for name, (rest, bone_map, truth) in open_rigs(flags.rigs):
        print(describe_rig(name, rest, bone_map, truth, motion), flush=True)
    print(describe_made_bodies(flags.bodies))
    print(describe_made_hands())


def open_rigs(folders: list[Path]) -> Iterator[tuple[str, tuple[RestPose, BoneMap, Mapping[str, str]]]]:
    """Yield each rig's name, rest pose, guessed bone map and true bones, where these are known."""
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix.lower() in rig_file.SUFFIXES:
            obj, _ = rig_file.open_rig(path)
            beside = path.with_suffix(".json")
            yield path.name, (*_read(obj), json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {})
    for name, create in sample_rigs.RIGS.items():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        with contextlib.suppress(pytest.skip.Exception):  # its file is not at hand
            yield name, (*_read(create()), {})


def _read(obj: bpy.types.Object) -> tuple[RestPose, BoneMap]:
    target = resolve_target(obj, None, bpy.context.scene)
    return target.rest, target.bone_map


def describe_rig(name: str, rest: RestPose, bone_map: BoneMap, truth: Mapping[str, str], motion: Motion) -> str:
    """Return a rig's row of the table."""
    wrong = [j for j, bone in truth.items() if j not in TRUNK and bone not in bone_map.bones.get(j, ())]
    sure = [joint for joint in wrong if bone_map.confidence.get(joint, 0.0) > SURE]
    free, locked = (
        evaluate_pose(rest, retarget(motion, rest, bone_map, RetargetConfig(lock_feet=lock))) for lock in (False, True)
    )
    angles = [float(np.mean(limb_angles_deg(rest, bone_map, heads, motion))) for heads, _ in (free, locked)]
    off, slides = measure_feet(rest, bone_map, *locked, motion)
    feet = (
        f"{np.percentile(np.abs(off), 95):.1f} | {slides.mean():.2f} (most {slides.max():.2f})" if len(off) else "- | -"
    )
    counts = f"{len(wrong)}, {len(sure)}" if truth else "-"
    fingers = describe_fingers(rest, bone_map, motion)
    return f"| {name} | {bone_map.name} | {counts} | {angles[0]:.2f} | {angles[1]:.2f} | {feet} | {fingers} |"


def describe_fingers(rest: RestPose, bone_map: BoneMap, motion: Motion) -> str:
    """Return how many finger joints have bones, and how far their segments are from those of hands that close."""
    mapped = [joint for joint in FINGER_JOINTS if joint in bone_map.bones]
    handed = bend_fingers(motion, POSES["fist"], eased=True)
    heads, q = evaluate_pose(rest, retarget(handed, rest, bone_map, RetargetConfig(lock_feet=False)))
    true, errors = point_motion(handed), []
    for side, finger in ((side, finger) for side in ("left", "right") for finger in FINGERS):
        joints = [joint for joint in list_finger_joints(side, finger) if joint in mapped]
        if len(joints) < 3:
            continue  # two segments share three flexions
        for joint, after in zip(joints, [*joints[1:], ""], strict=True):
            bone = rest.index(bone_map.bones[joint][0])
            along = rotation.rotate(
                rotation.mul(q[:, bone], rotation.inv(rest.q_armature_bone[bone])), rest.tails[bone] - rest.heads[bone]
            )
            along = heads[:, rest.index(bone_map.bones[after][0])] - heads[:, bone] if after else along
            errors.append(np.degrees(rotation.angle(rotation.between(along, true[joint]))))
    angle = f"{np.mean(errors):.2f} ({np.max(errors):.2f})" if errors else "-"
    return f"{len(mapped)} | {angle}"


def limb_angles_deg(rest: RestPose, bone_map: BoneMap, heads: Array, motion: Motion) -> list[float]:
    """Return the mean angle between each limb's segment and the motion's, degrees."""
    positions, angles = motion.positions(), []
    for joint, end in SEGMENTS:
        if joint in bone_map.bones and end in bone_map.bones:
            own = [heads[:, rest.index(bone_map.bones[name][0])] for name in (joint, end)]
            true = [positions[:, HUMANOID.index(name)] for name in (joint, end)]
            angles.append(
                float(np.degrees(rotation.angle(rotation.between(own[1] - own[0], true[1] - true[0]))).mean())
            )
    return angles


def measure_feet(
    rest: RestPose, bone_map: BoneMap, heads: Array, q_world_bone: Array, motion: Motion
) -> tuple[Array, Array]:
    """Measure how far soles in contact are from the floor (N,), and how far they slide a frame (M,), mm.

    The sole's point that moves least over the floor is what stands on it. Both are empty for rigs without a mesh.
    """
    off, slides = [np.empty(0)], [np.empty(0)]
    for side, contact in zip(("left", "right"), motion.contacts.T, strict=True):
        foot, shin = (bone_map.bones.get(f"{side}_{part}") for part in ("foot", "lower_leg"))
        if rest.skin is None or not foot or not shin or not contact.any():
            continue
        ankle, knee = (rest.heads[rest.index(bones[0])] for bones in (foot, shin))
        reach = _NEAR_ANKLE_PER_SHIN * float(np.linalg.norm(knee - ankle))
        away = np.linalg.norm(rest.skin.bone_heads - ankle, axis=-1)
        others = [bone_map.bones[other] for other in ("left_foot", "right_foot") if other in bone_map.bones]
        nearest = np.min(
            [np.linalg.norm(rest.skin.bone_heads - rest.heads[rest.index(b[0])], axis=-1) for b in others], 0
        )
        rows = np.flatnonzero((away < reach) & (away <= nearest))
        own = [rest.index(bones[0]) for bones in (foot, bone_map.bones.get(f"{side}_toes")) if bones]
        followed = [_find_followed(rest, rest.skin.bone_heads[row], own) for row in rows]
        points = _move_points(rest, rest.skin.points[rows], followed, heads, q_world_bone)
        off.append(points[contact][..., 2].min(-1) * 1000.0)
        still = contact[1:] & contact[:-1]
        steps = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
        stands = points[1:, :, 2] < points[1:, :, 2].min(-1, keepdims=True) + _ON_FLOOR_M
        slides.append(np.where(stands, steps, np.inf).min(-1)[still] * 1000.0)
    return np.concatenate(off), np.concatenate(slides)


def _find_followed(rest: RestPose, head: Array, own: list[int]) -> int:
    """Find the bone with this head (3,): foot, toes or another; the foot where none has it, as in a control rig."""
    away = np.linalg.norm(rest.heads - head, axis=-1)
    near = np.flatnonzero(away < 1e-4 * max(float(np.ptp(rest.heads)), 1e-9)).tolist()
    return int(next((bone for bone in (*own, *near) if bone in near), own[0]))


def _move_points(rest: RestPose, points: Array, followed: list[int], heads: Array, q_world_bone: Array) -> Array:
    """Move points (P, 3) at rest with the bones that they follow (T, P, 3), world metres."""
    q_world_rest = rotation.mul(rest.q_world_armature, rest.q_armature_bone[followed])
    offsets = rest.to_world(points) - rest.to_world(rest.heads[followed])
    q = rotation.mul(q_world_bone[:, followed], rotation.inv(q_world_rest))
    moved: Array = heads[:, followed] + rotation.rotate(q, offsets)
    return moved


def describe_made_bodies(count: int) -> str:
    """Return how many joints of made bodies are right when renamed, and wrong and sure where names mislead."""
    right = joints = 0
    for name in NAMED:
        for how in RENAMES.values():
            rest, truth = make_body(SCHEMES[name], Shape(arms_down_deg=45.0))
            new = [how(bone, i) for i, bone in enumerate(rest.bones)]
            if len(set(new)) == len(new):
                back = dict(zip(new, rest.bones, strict=True))
                renamed = RestPose(**{**vars(rest), "bones": tuple(new)})
                found = {j: tuple(back[b] for b in bones) for j, bones in merge_spine(guess_bone_map(renamed)).items()}
                right += sum(found.get(joint) == bones for joint, bones in truth.items())
                joints += len(truth)
    sure = 0
    for seed in range(count):
        rng = random.Random(seed)
        rest, truth = make_body(
            SCHEMES[rng.choice(NAMED)], Shape(seed=seed, arms_down_deg=rng.choice([0.0, 30.0, 70.0]))
        )
        changed, names = MISLEAD[sorted(MISLEAD)[seed % len(MISLEAD)]](rest, truth, rng)
        sure += len(list_sure_errors(changed, names, truth))
    schemes = f"{len(NAMED)} naming schemes under {len(RENAMES)} renamings: {right} of {joints} joints right"
    return f"\n{schemes}; {count} bodies with misleading names: {sure} wrong and sure."


def describe_made_hands() -> str:
    """Return how many finger joints of made hands are right by their names, renamed too, and by shape alone."""
    right = joints = shaped = wrong = 0
    for name in FINGER_SCHEMES:
        rest, _, fingers = make_handed_body(name)
        for how in (None, *RENAMES.values()):
            new = [how(bone, i) if how else bone for i, bone in enumerate(rest.bones)]
            if len(set(new)) == len(new):
                found = guess_bone_map(RestPose(**{**vars(rest), "bones": tuple(new)})).bones
                back = dict(zip(new, rest.bones, strict=True))
                mapped = {j: tuple(back[b] for b in bones) for j, bones in found.items() if j in FINGER_JOINTS}
                right += sum(mapped.get(joint) == bones for joint, bones in fingers.items())
                wrong += sum(bones != fingers.get(joint) for joint, bones in mapped.items())
                joints += len(fingers)
        bare, names = remove_humans_names(rest)
        found = guess_bone_map(bare).bones
        shaped += sum(tuple(names[b] for b in found.get(joint, ())) == bones for joint, bones in fingers.items())
    total = 30 * len(FINGER_SCHEMES)
    return (
        f"Hands of {len(FINGER_SCHEMES)} naming schemes, as they are and under {len(RENAMES)} renamings: {right} of "
        f"{joints} finger joints right, {wrong} wrong; without names {shaped} of {total}."
    )


if __name__ == "__main__":
    main()
