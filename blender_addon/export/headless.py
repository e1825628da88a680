# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions become FBX, GLB and USD in a Blender without a window.

    python -m blender_addon.export.headless MOTION.npz… --to fbx,glb,usd --out DIR [--rig FILE] [--skeleton unreal]
    blender -b --python blender_addon/export/headless.py -- the same

An entry point: its Python has bpy, or is Blender's own. On standard output stand only its own lines: of each motion, in
the order given, the files it became, or with --events one Done or one Failed; what Blender prints goes to standard
error. Exit codes: 0 done, 1 an error the user can mend, 2 wrong flags, 130 cancelled. Knows the order of the work, how
bones are to be named and how a file is written whole.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

if __name__ == "__main__" and not __package__:  # run by its path, as Blender does: behind Blender's own libraries
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    __package__ = ".".join(Path(__file__).resolve().parts[-3:-1])
    importlib.import_module(__package__)

from stc_core.errors import UserError
from stc_core.events import Done, Event, Failed, Note, Progress, Report, to_line
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.retarget.rest_pose import BoneMap
from stc_core.motion.rig_mapping import bone_map_io as bone_maps

if __name__ == "__main__" and importlib.util.find_spec("bpy") is None:
    lacking = "This Python has no bpy. Run: pip install 'stc-mocap[blender]' in Python 3.11, or use Blender itself."
    if "--events" in sys.argv:
        print(to_line(Failed(lacking)), flush=True)
    sys.exit(f"error: {lacking}")

import bpy

from ..rig import apply, armature, keyframes
from . import exporters, rig_file

SKELETONS = {"humanoid": "", "mixamo": "Mixamo", "unreal": "Unreal mannequin"}  # and the known rig with its names
_CENTIMETRE_M = 0.01  # what FBX is in: an armature made in it needs no scale, which game engines take badly


@dataclass(frozen=True)
class Asked:
    """What the flags say.

    formats: of fbx, glb, usd. rig: the file to retarget onto; without it an armature is made, its bones named as in
    `skeleton` (of SKELETONS). bone_map: for the rig; without it one is guessed.
    """

    motions: tuple[Path, ...]
    formats: tuple[str, ...]
    out: Path
    rig: Path | None = None
    bone_map: Path | None = None
    skeleton: str = "humanoid"
    overwrite: bool = False


def convert(asked: Asked, report: Report) -> bool:
    """Write every motion in every format; whether all went well. One Done or Failed is reported for each motion.

    Files appear whole or not at all. Raises UserError, before anything is written, where the folder cannot be written
    to, two motions would become one file, a file is there already, the rig or its map is none, or this Blender cannot
    write a format.
    """
    files = _outputs(asked)
    bone_map = bone_maps.load_map(asked.bone_map) if asked.bone_map else None
    if asked.rig:
        rig_file.open_rig(asked.rig)
    fine, done = True, 0
    for path, goals in files.items():
        try:
            motion = load_motion(path)
            for form, goal in goals.items():
                if form == asked.formats[0] or not asked.rig:
                    notes = _stage(asked, motion, bone_map, goal.stem, _CENTIMETRE_M if form == "fbx" else 1.0)
                    for note in notes if form == asked.formats[0] else ():
                        report(Note(note))
                _export(form, goal)
                done += 1
                report(Progress("export", done, len(files) * len(asked.formats)))
            report(Done({form: str(goal) for form, goal in goals.items()}))
        except UserError as error:
            fine = False
            report(Failed(str(error)))
    return fine


def _outputs(asked: Asked) -> dict[Path, dict[str, Path]]:
    """Of each motion the file of each format; makes the folder."""
    if "usd" in asked.formats and "usd_export" not in dir(bpy.ops.wm):
        raise UserError(f"This Blender ({bpy.app.version_string}) cannot write USD.", "Use one from blender.org.")
    files = {path: {form: asked.out / f"{path.stem}.{form}" for form in asked.formats} for path in asked.motions}
    owner: dict[Path, Path] = {}
    for path, goals in files.items():
        for goal in goals.values():
            if goal in owner:
                raise UserError(f"{owner[goal]} and {path} would both become {goal}.", "Rename one of them.")
            if goal.exists() and not asked.overwrite:
                raise UserError(f"{goal} is there already.", "Choose another --out, or add --overwrite.")
            owner[goal] = path
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {asked.out} cannot be made ({error.strerror}).", "Choose another --out.") from None
    if not os.access(asked.out, os.W_OK):
        raise UserError(f"The folder {asked.out} cannot be written to.", "Choose another --out.")
    return files


# --- what is exported -------------------------------------------------------------------------------------------------


def _stage(asked: Asked, motion: Motion, bone_map: BoneMap | None, name: str, unit_m: float) -> tuple[str, ...]:
    """The motion on the rig or a new armature, selected, at its own rate, its first frame at time 0; what to say."""
    if asked.rig:
        obj = rig_file.open_rig(asked.rig)
    else:
        obj, bone_map = _new_armature(motion, asked.skeleton, unit_m)
    scene = bpy.context.scene
    scene.name = name  # exporters call the take so
    keyframes.set_scene_fps(scene, motion.fps)
    options = apply.ApplyOptions(name, 0.0, set_scene_range=True, lock_feet=asked.rig is not None)
    notes = apply.put_on_rig(obj, motion, bone_map, options, scene).notes
    rig_file.select(obj)
    scene.frame_set(scene.frame_start)
    return notes


def _new_armature(motion: Motion, skeleton: str, scene_unit_m: float) -> tuple[bpy.types.Object, BoneMap]:
    """An armature of the motion's own proportions alone in a scene, and its map.

    In Unreal the object itself becomes a bone, except under the name that Blender gives to armatures.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.unit_settings.scale_length = scene_unit_m
    name = "root" if skeleton == "unreal" else "Armature"
    obj = armature.create(motion.skeleton, name, scene.collection, scene_unit_m)
    bones = {joint: armature.bone_name(joint) for joint in motion.skeleton.joint_names}
    named = bone_names(skeleton)
    for joint, bone in bones.items():
        obj.data.bones[bone].name = bones[joint] = named.get(joint, bone)
    return obj, BoneMap(skeleton, {joint: (bone,) for joint, bone in bones.items()})


def bone_names(skeleton: str) -> dict[str, str]:
    """Of each joint of the humanoid the bone's name in one of SKELETONS; empty where the armature's own names stay."""
    rig = next((rig for rig in bone_maps.KNOWN if rig.name == SKELETONS[skeleton]), None)
    if rig is None:
        return {}
    names = {joint: bones[0] for joint, bones in rig.bones.items()}
    names |= dict(zip(("spine", "chest", "upper_chest"), rig.bones["spine"], strict=False))
    if skeleton == "mixamo":
        names = {joint: f"mixamorig:{name}" for joint, name in names.items()}
    left = {joint: name for joint, name in names.items() if joint.startswith("left_")}
    return names | {joint.replace("left", "right"): _mirrored(name) for joint, name in left.items()}


def _mirrored(name: str) -> str:
    return f"{name.removesuffix('_l')}_r" if name.endswith("_l") else name.replace("Left", "Right")


# --- files ------------------------------------------------------------------------------------------------------------


def _export(form: str, goal: Path) -> None:
    """Export what is selected; beside a USD its pictures, in the folder `textures`."""
    try:
        with tempfile.TemporaryDirectory(prefix=".stc-mocap-", suffix=".partial", dir=goal.parent) as folder:
            partial = Path(folder, f"file.{form}")
            exporters.EXPORTERS[form](partial)
            for beside in Path(folder).glob("textures/*"):
                (goal.parent / "textures").mkdir(exist_ok=True)
                os.replace(beside, goal.parent / "textures" / beside.name)
            os.replace(partial, goal)
    except (RuntimeError, OSError) as error:
        why = f"{error.strerror}." if isinstance(error, OSError) else rig_file.reason(error)
        raise UserError(f"{goal} cannot be written: {why}", "Check the disk, or choose another --out.") from None


# --- the door ---------------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Do what the arguments ask; returns the exit code. Cancelled, it stops when the next file is written."""
    asked, events = _parse(arguments)
    report, caught = _teller(events), list[int]()
    for number in (signal.SIGINT, signal.SIGTERM):  # an exception may go astray inside Blender
        signal.signal(number, lambda caught_now, _: caught.append(caught_now))

    def report_or_stop(event: Event) -> None:
        report(event)
        if caught and isinstance(event, Progress):
            raise KeyboardInterrupt

    try:
        return 0 if convert(asked, report_or_stop) else 1
    except UserError as error:
        report(Failed(str(error)))
        return 1
    except KeyboardInterrupt:
        report(Failed("Cancelled; what was not yet finished was not written."))
        return 130


def _parse(arguments: list[str]) -> tuple[Asked, bool]:
    """What is asked, and whether events are; exits with 2 where the flags are wrong."""
    parser = argparse.ArgumentParser(
        prog="blender_addon.export.headless", description="Motions become FBX, GLB and USD."
    )
    parser.add_argument("motions", nargs="+", type=Path, metavar="MOTION.npz")
    parser.add_argument("--to", required=True, type=_formats, metavar="fbx,glb,usd", help="one format or several")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder to write to")
    parser.add_argument("--rig", type=Path, metavar="FILE", help="put it on this rig: " + " ".join(rig_file.SUFFIXES))
    parser.add_argument("--map", type=Path, metavar="FILE.json", help="the rig's bone map, else it is guessed")
    parser.add_argument("--skeleton", choices=SKELETONS, help="how the bones are named, without --rig")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--events", action="store_true", help="print one JSON line an event")
    asked = parser.parse_args(arguments)
    if asked.rig and asked.skeleton:
        parser.error("--skeleton names the bones of a new armature; leave it out, or --rig")
    if asked.map and not asked.rig:
        parser.error("--map is for a rig; add --rig FILE")
    motions, skeleton = tuple(dict.fromkeys(asked.motions)), asked.skeleton or "humanoid"
    return Asked(motions, asked.to, asked.out, asked.rig, asked.map, skeleton, asked.overwrite), asked.events


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(text.lower().split(",")))
    for form in formats:
        if form not in exporters.EXPORTERS:
            raise argparse.ArgumentTypeError(f'"{form}" is no format that can be made; choose from fbx, glb and usd')
    return formats


def _teller(events: bool) -> Report:
    """Tells events on standard output, as lines or in words, and turns what else is printed to standard error."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def tell(event: Event) -> None:
        if events:
            print(to_line(event), file=out)
        elif isinstance(event, Done):
            print(*(f"{form:<14} {path}" for form, path in event.files.items()), sep="\n", file=out)
        elif isinstance(event, Note):
            print(f"note: {event.message}", file=sys.stderr)
        if isinstance(event, Failed):
            print(f"error: {event.message}", file=sys.stderr)

    return tell


def _run(arguments: list[str]) -> NoReturn:
    """Do it and end at once: Blender would end with 0 after our mistakes, may crash (4.2) or hang (4.5) of itself."""
    code = 1
    try:
        code = main(arguments)
    except SystemExit as wrong_flags:
        code = int(wrong_flags.code or 0)
    finally:
        if sys.exc_info()[0]:
            traceback.print_exc()
        if Path(bpy.app.tempdir).name.startswith("blender_"):
            shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _run(sys.argv[sys.argv.index("--") + 1 if bpy.app.binary_path and "--" in sys.argv else 1 :])
