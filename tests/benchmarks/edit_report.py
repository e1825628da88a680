# SPDX-License-Identifier: GPL-3.0-or-later
"""What edits cost and how exact they are: `python -m tests.benchmarks.edit_report [--rigs NAME …] [--motion FILE]`.

A walk (or a motion.npz) is put on each rig and edited in Blender; what Blender then evaluates is compared with what it
evaluated before, at every frame. Prints the keyframes that are left at three bounds, the time and the errors of keyed
IK controls, and loops. With --out DIR it also draws each rig as FK, IK, mirrored and looped, a row each, from the side.
Needs the bpy module; the pictures need an OpenGL driver (see ground_truth/render.py).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.edit.ik_keys import key_ik_controls
from blender_addon.edit.key_reduction import reduce_action
from blender_addon.edit.limbs import IkLimb, find_limbs
from blender_addon.edit.variants import loop_action, mirror_action
from stc_core.errors import UserError
from stc_core.geometry.rotation import Array
from stc_core.motion.edit.loop import LoopConfig
from stc_core.motion.edit.reduce_keys import reduce_motion_keys
from stc_core.motion.motion import Motion, load_motion
from tests.synthetic import walk

from ..blender_addon import sample_rigs
from ..blender_addon.edit.rigs import create_ik_rig, list_frames, measure_worst_mm, put_walk_on, sample_ends
from . import rig_report

BOUNDS_MM = (1.0, 3.0, 10.0)
SHOTS = 6
RIGS: dict[str, Callable[[], bpy.types.Object]] = {
    "own": sample_rigs.create_humanoid,
    "own_with_ik": lambda: create_ik_rig(with_poles=True),
    **{name: sample_rigs.RIGS[name] for name in ("rigify_generated", "mpfb_game_engine", "mpfb_mixamo_unity")},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--rigs", nargs="*", default=list(RIGS), choices=list(RIGS))
    parser.add_argument("--motion", type=Path, help="a motion.npz in place of the made walk")
    parser.add_argument("--out", type=Path, help="draw the results into this folder")
    flags = parser.parse_args()
    motion = load_motion(flags.motion) if flags.motion else make_walk()
    if flags.out:
        flags.out.mkdir(parents=True, exist_ok=True)
    print(f"Motion: {len(motion.contacts)} frames, {reduce_at(motion)}.")
    with tempfile.TemporaryDirectory() as folder:
        sample_rigs.keep_generated_in(Path(folder))
        for name in flags.rigs:
            try:
                for line in report(name, motion, flags.out):
                    print(f"{name}: {line}", flush=True)
            except pytest.skip.Exception as missing:
                print(f"{name}: {missing}", flush=True)


def make_walk() -> Motion:
    """Five seconds of walking on an arc, with moving arms and trunk."""
    return sample_rigs.add_upper_body_motion(walk(seconds=5.0, heading_deg=25.0, turn_deg_per_s=20.0))


def reduce_at(motion: Motion) -> str:
    """The motion's own keys that are left at each bound."""
    reductions = [reduce_motion_keys(motion, bound / 1000.0) for bound in BOUNDS_MM]
    fractions = [made.keys_after / made.keys_before for made in reductions]
    return ", ".join(f"{part:.1%} of the keys at {b:g} mm" for part, b in zip(fractions, BOUNDS_MM, strict=True))


def open_rig(name: str, motion: Motion) -> tuple[bpy.types.Object, bpy.types.Action]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = round(motion.fps), 1.0
    obj = RIGS[name]()
    return obj, put_walk_on(obj, motion)


def report(name: str, motion: Motion, out: Path | None) -> Iterator[str]:
    """Edit one rig in every way; yields the figures in words."""
    for bound_mm in BOUNDS_MM:
        yield measure_reduction(*open_rig(name, motion), bound_mm)
    obj, action = open_rig(name, motion)
    rows = [draw_row(obj, action, out)] if out else []
    limbs = find_limbs(obj)
    if limbs:
        yield measure_ik(obj, action, limbs, motion)
        rows += [draw_row(obj, action, out)] if out else []
    try:
        loop = loop_action(obj, bpy.context.scene, LoopConfig())
        seam = f"the ends of frames {loop.first:g} to {loop.last:g} differed by {loop.mismatch_m * 1000.0:.0f} mm"
        yield f"loop: {seam}"
        rows += [draw_row(obj, loop.action, out)] if out else []
    except UserError as error:
        yield f"loop: {error.what}"
    obj, action = open_rig(name, motion)
    mirrored = mirror_action(obj, bpy.context.scene)
    rows += [draw_row(obj, mirrored, out)] if out else []
    if out:
        rig_report.save(np.concatenate(rows[::-1], 0), out / f"{name}.png")


def list_observed(obj: bpy.types.Object) -> list[str]:
    """The bones that deform."""
    return [bone.name for bone in obj.data.bones if bone.use_deform]


def measure_reduction(obj: bpy.types.Object, action: bpy.types.Action, bound_mm: float) -> str:
    frames, names = list_frames(action), list_observed(obj)
    before, start = sample_ends(obj, names, frames), time.perf_counter()
    made = reduce_action(obj, bpy.context.scene, bound_mm / 1000.0)
    seconds = time.perf_counter() - start
    error_mm = measure_worst_mm(before, sample_ends(obj, names, frames))
    left = f"{made.keys_after} of {made.keys_before} keyframes ({made.keys_after / made.keys_before:.1%})"
    return f"{bound_mm:g} mm: {left}, evaluated within {error_mm:.2f} mm, {seconds:.1f} s"


def measure_ik(obj: bpy.types.Object, action: bpy.types.Action, limbs: list[IkLimb], motion: Motion) -> str:
    frames, ends = list_frames(action), [limb.observed for limb in limbs]
    middles = [f"ORG-{one.replace('_fk', '')}" if "_fk." in one else one for one in (limb.chain[1] for limb in limbs)]
    before, start = sample_ends(obj, [*ends, *middles], frames)[..., 0, :], time.perf_counter()
    key_ik_controls(obj, bpy.context.scene)
    seconds = time.perf_counter() - start
    after = sample_ends(obj, [*ends, *middles], frames)[..., 0, :]
    count = len(ends)
    slide = measure_slide(after[:, [limb.is_leg for limb in limbs] + [False] * count], motion)
    return (
        f"IK of {count} limbs over {len(frames)} frames ({len(obj.data.bones)} bones): {seconds:.1f} s, feet and hands "
        f"within {measure_worst_mm(before[:, :count], after[:, :count]):.2f} mm, knees and elbows within "
        f"{measure_worst_mm(before[:, count:], after[:, count:]):.2f} mm, feet slide {slide:.2f} mm a frame at most"
    )


def measure_slide(feet: Array, motion: Motion) -> float:
    """The most that a flat foot moves over the floor in a frame of contact, mm; feet (T, 2, 3): left, right."""
    steps = np.linalg.norm(np.diff(feet, axis=0), axis=-1)[: len(motion.contacts) - 1]
    is_level = np.abs(np.diff(feet[..., 2], axis=0))[: len(motion.contacts) - 1] < 1e-4
    still = (motion.contacts[1:] & motion.contacts[:-1])[: len(steps)] & is_level
    return float(steps[still].max(initial=0.0)) * 1000.0


def draw_row(obj: bpy.types.Object, action: bpy.types.Action, out: Path) -> rig_report.Picture:
    """Shots of the rig at a few of the action's frames, from the side: its skin, or its bones where it has none."""
    scene = bpy.context.scene
    meshes = [other for other in scene.objects if other.type == "MESH"]
    skins = [mesh for mesh in meshes if mesh.parent == obj and mesh.vertex_groups]
    for mesh in meshes:
        mesh.hide_render = mesh not in skins
    rig_report.stage(scene)
    height = float(max((obj.matrix_world @ bone.tail_local).z for bone in obj.data.bones if bone.use_deform)) / 1.7
    shots = []
    first, last = action.frame_range
    for frame in np.linspace(first, last, SHOTS).round():
        scene.frame_set(int(frame))
        ends = rig_report.bone_ends(obj)
        middle = ends.mean((0, 1)) * [1.0, 1.0, 0.0]
        drawn = [] if skins else rig_report.make_sticks(ends, 0.012 * height, (0.8, 0.55, 0.25))
        drawn.append(rig_report.make_floor(middle, height))
        shots.append(rig_report.shoot(scene, middle, height, 60.0, out / "shot.png"))
        for thing in drawn:
            bpy.data.meshes.remove(thing.data)
    (out / "shot.png").unlink()
    row: rig_report.Picture = np.concatenate(shots, 1)
    return row


if __name__ == "__main__":
    main()
