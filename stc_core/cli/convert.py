"""`stc-mocap convert`: many videos and motions become animation files, and a page that shows all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from ..capture.config import CaptureConfig
from ..convert.convert_clip import ExportOptions, check_blender, convert_clip, make_tasks
from ..convert.inputs import FoundInputs, find_inputs, parse_formats
from ..convert.report.page import write_report
from ..convert.scheduling.policy import RunConfig, RunSummary
from ..convert.scheduling.run import convert_all
from ..convert.store import urls
from ..convert.store.open_store import open_store, store_of
from ..convert.store.record import ANIMATIONS, BONES, OWN_FORMATS, Task
from ..convert.store.urls import absolute
from ..events import Done, Failed, Note, to_line
from ..motion.rig_mapping.bone_map_io import describe_bones
from .flags import parse_flags, refuse_flag
from .worker_bars import WorkerBars

PROG = "stc-mocap convert"


@dataclass(frozen=True)
class ConvertFlags:
    """Turn many videos into animation files. What is done stays done: run the same again to go on, or to add clips.

    INPUT: videos, motion.npz files, animations (BVH, FBX, glTF), folders, patterns in quotes, URLs of these, or a text
    file with a path a line. Each video and animation also leaves its motion file, NAME.npz. DIR/report.html then shows
    all clips at a glance, worst first.
    """

    inputs: tyro.conf.Positional[tuple[str, ...]]
    """videos, motion files, animations, folders, patterns, lists"""
    out: str
    """the folder for the results, or its URL; its .stc-mocap holds what is known of every clip"""
    to: str = "bvh"
    """the formats, with commas: bvh, fbx, glb, usd, vrma, vmd, and csv for the face"""
    rig: Path | None = None
    """retarget onto the armature in this .blend, .fbx, .glb or .vrm"""
    map: Path | None = None
    """the rig's bone map, as saved in Blender; without it one is guessed, and written beside the results"""
    shape_map: Path | None = None
    """the rig's shape map, as saved in Blender: which shape keys the face moves; without it one is guessed"""
    start_at: Literal["world", "character"] = "world"
    """where the motion begins: in its own world, or where the rig stands and as it faces"""
    root_path: Literal["hips", "in-place", "root-bone"] = "hips"
    """what carries the path over the floor: the hips, nothing, or the bone above the hips that game engines read"""
    skeleton: Literal["humanoid", "mixamo", "unreal", "unity"] = "humanoid"
    """without a rig: how bones are named"""
    engine: Literal["none", "unreal", "unity"] = "none"
    """make FBX as a game engine wants it: in centimetres without scales and, without a rig, with its bone names; for
    Unreal also with the path on the root bone and a whole number of frames a second"""
    mirror: bool = False
    """swap left and right, across the plane in which the person stands and faces at the start"""
    loop: Literal["none", "travel", "in-place"] = "none"
    """keep the stretch that repeats itself best, its ends joined: walking on, or on the spot; the motion file stays
    whole"""
    blender: str = ""
    """the Blender, or the Python with bpy, that writes fbx, glb and usd; this Python by default"""
    report: bool = True
    """make the pictures and the page; without them a short clip takes up to a fifth less time"""
    overwrite: bool = False
    """replace also files that STC Mocap did not write, or that were changed since; without it they are kept, and the
    clip fails with a sentence"""
    events: bool = False
    """print one JSON line an event on standard output, in place of the progress lines"""
    run: RunConfig = field(default_factory=RunConfig)
    config: CaptureConfig = field(default_factory=CaptureConfig)


def run_convert(args: Sequence[str]) -> int:
    """Run the command with its arguments; returns the exit code."""
    flags = parse_flags(ConvertFlags, args, PROG)
    if not flags.out:
        refuse_flag(PROG, "--out is empty.")
    formats, out = parse_formats(flags.to), absolute(flags.out)
    left_out = {*open_store(out).list_results(), *([str(flags.rig.absolute())] if flags.rig else [])}
    found = find_inputs(flags.inputs, left_out)
    if set(formats) - OWN_FORMATS or any(urls.suffix_of(one.source) in ANIMATIONS for one in found.inputs):
        check_blender(flags.blender)
    options = ExportOptions(
        rig=flags.rig,
        bone_map=flags.map,
        shape_map=flags.shape_map,
        skeleton=flags.skeleton,
        blender=flags.blender,
        start_at=flags.start_at,
        root_path=flags.root_path,
        engine=flags.engine,
        mirror=flags.mirror,
        loop=flags.loop,
    )
    tasks = make_tasks(
        found.inputs, out, formats, flags.config, options, with_summary=flags.report, overwrite=flags.overwrite
    )
    store = open_store(out, [task.source for task in tasks])

    def report_errors(errors: Sequence[tuple[str, str]]) -> str:
        return store.write_report(tasks, dict(errors), write_report)

    with store.lock():
        try:
            with WorkerBars(flags.events) as bars:
                for path, why in found.unreadable:
                    bars(0, "", Note(f"{path} cannot be read ({why}); what is in it is left out."))
                summary = convert_all(tasks, flags.run, convert_clip, bars)
        except KeyboardInterrupt:
            if flags.report:
                print(f"report: {report_errors(())}", file=sys.stderr)
            raise
        _print_bones(tasks, flags.events)
        return _conclude(summary, found, flags, report_errors if flags.report else None)


def _print_bones(tasks: Sequence[Task], as_events: bool) -> None:
    """Print which bone of the rig was taken for which joint, from the first clip that says it: all have one rig."""
    local = (task for task in tasks if BONES in task.kinds and not any(map(urls.is_url, (task.out, task.source))))
    for task in local:
        result = store_of(task).load(task).results.get(BONES)
        if result and (Path(task.out) / result.path).is_file():
            text = describe_bones(Path(task.out) / result.path)
            print(to_line(Note(text, "bones")) if as_events else text, flush=True)
            return


def _conclude(
    summary: RunSummary,
    found: FoundInputs,
    flags: ConvertFlags,
    write_page: Callable[[Sequence[tuple[str, str]]], str] | None,
) -> int:
    """Say what became of the clips, whatever becomes of the report; the exit code."""
    for name, why in summary.failed:
        print(f"failed: {name}: {why}", file=sys.stderr)
    counts = f"{summary.converted} converted, {summary.done_before} done before, {len(summary.failed)} failed"
    if summary.failed:
        counts += " (add --retry to try again those that did not change)"
    if found.unreadable:
        counts += f", {len(found.unreadable)} folder{'s' * (len(found.unreadable) > 1)} unreadable"
    is_complete = not (summary.failed or found.unreadable)
    if not flags.events:
        print(f"{counts}; {flags.out}", flush=True)
    files = {"folder": flags.out} | ({"report": write_page(summary.failed)} if write_page else {})
    if flags.events:
        print(to_line(Done(files) if is_complete else Failed(counts + ".")), flush=True)
    elif write_page:
        print(f"report: {files['report']}")
    return 0 if is_complete else 1
