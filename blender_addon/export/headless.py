# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports motions as FBX, GLB and USD in a Blender without a window, and reads those of FBX and glTF.

    python -m blender_addon.export.headless MOTION.npz… --to fbx,glb,usd --out DIR [--rig FILE] [--skeleton unreal]
    python -m blender_addon.export.headless DANCE.fbx --to motion --out DIR
    blender -b --python blender_addon/export/headless.py -- the same

An entry point: its Python has bpy, or is Blender's own. Standard output has only its own lines: for each motion, in
the order given, the files it became, or with --events one Done or one Failed; what Blender prints goes to standard
error. Exit codes: 0 done, 1 an error that the user can mend, 2 wrong flags, 130 cancelled. Knows the order of the work,
how bones are named and how a file is written whole.
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
from typing import NoReturn, get_args

if __name__ == "__main__" and not __package__:  # run by its path, as Blender does: behind Blender's own libraries
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    __package__ = ".".join(Path(__file__).resolve().parts[-3:-1])
    importlib.import_module(__package__)

from . import supervise

if __name__ == "__main__" and supervise.is_needed(sys.argv):  # before anything large is imported
    supervise.run_and_exit(sys.argv)

from stc_core.errors import UserError
from stc_core.events import Done, Event, Failed, Note, Progress, Report, to_line
from stc_core.motion.motion import Motion, load_motion, save_motion
from stc_core.motion.retarget.placement import Start
from stc_core.motion.retarget.retarget import RootPath
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.bone_map_io import load_bone_map, save_bone_map
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.shape_mapping.shape_map import ShapeMap
from stc_core.motion.shape_mapping.shape_map_io import load_shape_map

if __name__ == "__main__" and importlib.util.find_spec("bpy") is None:
    lacking = "This Python has no bpy. Run: pip install 'stc-mocap[blender]' in Python 3.11, or use Blender itself."
    if "--events" in sys.argv:
        print(to_line(Failed(lacking)), flush=True)
    sys.exit(f"error: {lacking}")

import bpy

from ..rig import apply, armature, constraints, keyframes
from . import animation_file, exporters, rig_file
from .new_armature import SKELETONS, create_named_armature

ENGINES = ("unreal", "unity")
_ENDINGS = {"motion": ".npz", "bones": "_bones.json"}
_CENTIMETRE_M = 0.01
"""FBX's unit: an armature built in it needs no object scale, which game engines handle badly"""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What the flags set."""

    motions: tuple[Path, ...]
    formats: tuple[str, ...]
    """of fbx, glb, usd; motion: the motion file of an animation, and bones: the bone map of the rig"""
    out: Path
    """the folder to write to"""
    rig: Path | None = None
    """the file to retarget onto; None: an armature is created"""
    bone_map: Path | None = None
    """for the rig; None: one is guessed"""
    shape_map: Path | None = None
    """for the shape keys of the rig's meshes; None: one is guessed"""
    skeleton: str = "humanoid"
    """of SKELETONS: how the bones of a created armature are named"""
    engine: str = ""
    """of ENGINES, for which an FBX is in centimetres without scales and, for Unreal, at a whole frame rate"""
    start_at: Start = "world"
    root_path: RootPath = "hips"
    overwrite: bool = False


def export_motions(options: ExportOptions, report: Report) -> bool:
    """Write every motion in every format; returns whether all were written. One Done or Failed is reported for each
    motion.

    Files appear whole or not at all. Raises UserError, before anything is written, where the folder cannot be written
    to, two motions would become one file, a file exists already, the rig or its bone map cannot be used, or this
    Blender cannot write a format.
    """
    files = _plan_outputs(options)
    bone_map = load_bone_map(options.bone_map) if options.bone_map else None
    shape_map = load_shape_map(options.shape_map) if options.shape_map else None
    if options.rig:
        rig_file.open_rig(options.rig)
    succeeded, done = True, 0
    for path, outputs in files.items():
        try:
            motion = _read_motion(path, report)
            prepared: _Prepared | None = None
            for fmt, output in outputs.items():
                if fmt == "motion":
                    save_motion(motion, output)
                elif prepared is None or not options.rig or options.engine:
                    unit_m = _CENTIMETRE_M if fmt == "fbx" else 1.0
                    is_first = prepared is None
                    prepared = _prepare_scene(options, motion, (bone_map, shape_map), output.stem, unit_m)
                    for note in prepared.notes if is_first else ():
                        report(Note(note))
                if fmt == "bones" and prepared:
                    save_bone_map(prepared.bone_map, output, prepared.notes)
                elif fmt != "motion":
                    _export_file(fmt, output)
                done += 1
                report(Progress("export", done, len(files) * len(options.formats)))
            report(Done({fmt: str(output) for fmt, output in outputs.items()}))
        except UserError as error:
            succeeded = False
            report(Failed(str(error)))
    return succeeded


def _read_motion(path: Path, report: Report) -> Motion:
    """Read a motion file, or the animation of another program."""
    if path.suffix.lower() in animation_file.SUFFIXES:
        return animation_file.read_animation(path, lambda sentence: report(Note(sentence, "guess")))
    return load_motion(path)


def _plan_outputs(options: ExportOptions) -> dict[Path, dict[str, Path]]:
    """The file of each format, for each motion; makes the folder."""
    if "usd" in options.formats and "usd_export" not in dir(bpy.ops.wm):
        raise UserError(f"This Blender ({bpy.app.version_string}) cannot write USD.", "Use one from blender.org.")
    files = {
        path: {fmt: options.out / f"{path.stem}{_ENDINGS.get(fmt, f'.{fmt}')}" for fmt in options.formats}
        for path in options.motions
    }
    owner: dict[Path, Path] = {}
    for path, outputs in files.items():
        for output in outputs.values():
            if output in owner:
                raise UserError(f"{owner[output]} and {path} would both become {output}.", "Rename one of them.")
            if output.exists() and not options.overwrite:
                raise UserError(f"{output} exists already.", "Choose another --out, or add --overwrite.")
            owner[output] = path
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {options.out} cannot be made ({error.strerror}).", "Choose another --out."
        ) from None
    if not os.access(options.out, os.W_OK):
        raise UserError(f"The folder {options.out} cannot be written to.", "Choose another --out.")
    return files


# --- what is exported -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A scene with the motion in it. bone_map: as it was used."""

    bone_map: BoneMap
    notes: tuple[str, ...]


def _prepare_scene(
    options: ExportOptions, motion: Motion, maps: tuple[BoneMap | None, ShapeMap | None], name: str, unit_m: float
) -> _Prepared:
    """Put the motion on the rig or a new armature, select it, at its own frame rate, its first frame at time 0."""
    notes: tuple[str, ...] = ()
    bone_map, shape_map = maps
    if options.rig:
        obj, notes = rig_file.open_rig(options.rig)
        if options.engine and unit_m == _CENTIMETRE_M:
            rig_file.convert_to_centimetres(obj)
        used, more = _free_bones(obj, bone_map, is_imported=options.rig.suffix.lower() != ".blend")
        notes += more
    else:
        obj, bone_map = create_named_armature(motion, options.skeleton, unit_m)
        used = bone_map
    scene = bpy.context.scene
    scene.name = name  # exporters name the animation after it
    is_whole = options.engine == "unreal"  # which refuses, or cuts, clips of other rates
    keyframes.set_scene_fps(scene, max(1.0, round(motion.fps)) if is_whole else motion.fps)
    apply_options = apply.ApplyOptions(
        name=name,
        start_frame=0.0,
        set_scene_rate=not is_whole,
        set_scene_range=True,
        lock_feet=options.rig is not None,
        start=options.start_at,
        path=options.root_path,
        shape_map=shape_map,
    )
    notes += apply.apply_motion(obj, motion, bone_map, apply_options, scene).notes
    rig_file.select_character(obj)
    scene.frame_set(scene.frame_start)
    return _Prepared(bone_map=used, notes=notes)


def _free_bones(obj: bpy.types.Object, bone_map: BoneMap | None, is_imported: bool) -> tuple[BoneMap, tuple[str, ...]]:
    """Mute what would override the keyframes of the rig, of which nobody keeps this copy; returns its bone map, and
    notes. An importer's pose of these bones is nobody's: they are set to rest.
    """
    target = apply.resolve_target(obj, bone_map, bpy.context.scene)
    used = target.bone_map
    if target.switches:  # a generated Rigify rig, whose controls are found again from its bones
        return bone_map or guess_bone_map(armature.read_rest_pose(obj)), ()
    keyed = {bone for chain in (*used.bones.values(), *used.twists.values()) for bone in chain}
    if is_imported:
        for name in keyed:
            for bone in (obj.pose.bones[name], *obj.pose.bones[name].parent_recursive):
                bone.matrix_basis.identity()
    return used, tuple(constraints.mute_overriding(obj, keyed))


# --- files ------------------------------------------------------------------------------------------------------------


def _export_file(fmt: str, output: Path) -> None:
    """Export what is selected; a USD's textures go beside it, to the folder `textures`."""
    try:
        with tempfile.TemporaryDirectory(prefix=".stc-mocap-", suffix=".partial", dir=output.parent) as folder:
            partial = Path(folder, f"file.{fmt}")
            exporters.EXPORTERS[fmt](partial)
            for beside in Path(folder).glob("textures/*"):
                (output.parent / "textures").mkdir(exist_ok=True)
                os.replace(beside, output.parent / "textures" / beside.name)
            os.replace(partial, output)
    except (RuntimeError, OSError) as error:
        why = f"{error.strerror}." if isinstance(error, OSError) else rig_file.extract_reason(error)
        raise UserError(f"{output} cannot be written: {why}", "Check the disk, or choose another --out.") from None


# --- the command line -------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code. Cancelled, it stops when the next file is written."""
    options, events = _parse_args(arguments)
    report, caught = _make_reporter(events), list[int]()
    for number in (signal.SIGINT, signal.SIGTERM):  # an exception may go astray inside Blender
        signal.signal(number, lambda caught_now, _: caught.append(caught_now))

    def report_or_stop(event: Event) -> None:
        report(event)
        if caught and isinstance(event, Progress):
            raise KeyboardInterrupt

    try:
        return 0 if export_motions(options, report_or_stop) else 1
    except UserError as error:
        report(Failed(str(error)))
        return 1
    except KeyboardInterrupt:
        report(Failed("Cancelled; what was not yet finished was not written."))
        return 130


def _parse_args(arguments: list[str]) -> tuple[ExportOptions, bool]:
    """The options, and whether events are requested; exits with 2 where the flags are wrong."""
    parser = argparse.ArgumentParser(
        prog="blender_addon.export.headless", description="Motions become FBX, GLB and USD."
    )
    parser.add_argument("motions", nargs="+", type=Path, metavar="MOTION")
    parser.add_argument("--to", required=True, type=_parse_formats, metavar="fbx,glb,usd", help="one format or several")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder to write to")
    parser.add_argument(
        "--rig", type=Path, metavar="FILE", help="retarget onto this rig: " + " ".join(rig_file.SUFFIXES)
    )
    parser.add_argument("--map", type=Path, metavar="FILE.json", help="the rig's bone map, else it is guessed")
    parser.add_argument("--shape-map", type=Path, metavar="FILE.json", help="for its shape keys, else it is guessed")
    parser.add_argument("--skeleton", choices=SKELETONS, help="how the bones are named, without --rig")
    parser.add_argument("--engine", choices=ENGINES, default="", help="scale and rate as a game engine wants them")
    parser.add_argument("--start-at", choices=get_args(Start), default="world", help="where the motion begins")
    parser.add_argument("--root-path", choices=get_args(RootPath), default="hips", help="what carries the path")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist already")
    parser.add_argument("--events", action="store_true", help="print one JSON line an event")
    options = parser.parse_args(arguments)
    if options.rig and options.skeleton:
        parser.error("--skeleton names the bones of a new armature; leave it out, or --rig")
    if "bones" in options.to and not options.rig:
        parser.error("bones is the bone map of a rig; add --rig FILE")
    for flag in ("map", "shape_map"):
        if getattr(options, flag) and not options.rig:
            parser.error(f"--{flag.replace('_', '-')} is for a rig; add --rig FILE")
    motions, skeleton = tuple(dict.fromkeys(options.motions)), options.skeleton or "humanoid"
    return ExportOptions(
        motions=motions,
        formats=options.to,
        out=options.out,
        rig=options.rig,
        bone_map=options.map,
        shape_map=options.shape_map,
        skeleton=skeleton,
        engine=options.engine,
        start_at=options.start_at,
        root_path=options.root_path,
        overwrite=options.overwrite,
    ), options.events


def _parse_formats(text: str) -> tuple[str, ...]:
    """Formats from a comma-separated list."""
    formats = tuple(dict.fromkeys(text.lower().split(",")))
    for fmt in formats:
        if fmt not in exporters.EXPORTERS and fmt not in _ENDINGS:
            raise argparse.ArgumentTypeError(f'"{fmt}" is no format that can be written; choose from fbx, glb and usd')
    return formats


def _make_reporter(events: bool) -> Report:
    """Report events on standard output, as lines or in words; what else is printed goes to standard error."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def report(event: Event) -> None:
        if events:
            print(to_line(event), file=out)
        elif isinstance(event, Done):
            print(*(f"{fmt:<14} {path}" for fmt, path in event.files.items()), sep="\n", file=out)
        elif isinstance(event, Note):
            print(f"note: {event.message}", file=sys.stderr)
        if isinstance(event, Failed):
            print(f"error: {event.message}", file=sys.stderr)

    return report


def _run_and_exit(arguments: list[str]) -> NoReturn:
    """Run and exit at once: Blender would exit with 0 after our mistakes, and may crash (4.2) or hang (4.5) later."""
    code = 1
    supervise.die_with_parent()
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
    _run_and_exit(sys.argv[sys.argv.index("--") + 1 if bpy.app.binary_path and "--" in sys.argv else 1 :])
