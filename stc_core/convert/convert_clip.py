"""How one clip is converted: a video or another program's animation into a motion file, that into BVH, VRMA,
VMD and a face's CSV, and through Blender into the rest.

Knows the capture, the readers of motions, their writers, the summary for the report, and how to start
`blender_addon.export.headless` in a Blender or in a Python that has bpy; nothing of job folders, of other clips, or of
Blender itself. Loads heavy libraries only when there is work for them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..assets import find_addon
from ..errors import UserError
from ..events import Done, Failed, Note, Report, from_line
from ..motion.bvh import write_bvh
from ..motion.edit.loop import LoopConfig, loop_motion
from ..motion.edit.mirror import mirror_motion
from ..motion.live_link_csv import write_live_link_csv
from ..motion.motion import Motion, load_motion, save_motion
from ..motion.motion_file import read_motion_file
from ..motion.vmd import write_vmd
from ..motion.vrma import write_vrma
from ..plain_values import from_plain, to_plain
from .inputs import Input
from .report import summary as summaries
from .store import urls
from .store.fingerprint import hash_file
from .store.record import ANIMATIONS, MOTION, OWN_FORMATS, SUMMARY, Task

if TYPE_CHECKING:
    from ..capture.config import CaptureConfig

_WRITERS: dict[str, Callable[[Motion, Path], None]] = {
    "bvh": write_bvh,
    "vrma": write_vrma,
    "vmd": write_vmd,
    "csv": write_live_link_csv,
}
_MAX_STEM_BYTES = 200  # a file system takes 255; what is appended while a file is written follows


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What Blender's exports are made with. rig, bone_map and shape_map are files, blender is a program, or "" for
    this Python."""

    rig: Path | None = None
    bone_map: Path | None = None
    shape_map: Path | None = None
    skeleton: str = "humanoid"
    blender: str = ""
    start_at: Literal["world", "character"] = "world"
    root_path: Literal["hips", "in-place", "root-bone"] = "hips"
    engine: Literal["none", "unreal", "unity"] = "none"

    def choose_skeleton(self) -> str:
        """How bones are named without a rig: as the engine's, unless another choice was made."""
        return self.engine if self.engine != "none" and self.skeleton == "humanoid" else self.skeleton

    mirror: bool = False
    loop: Literal["none", "travel", "in-place"] = "none"

    def list_edits(self) -> dict[str, Any]:
        """The edits of the motion that are requested."""
        loop = {"loop": self.loop} if self.loop != "none" else {}
        return loop | ({"mirror": True} if self.mirror else {})

    def list_changes(self) -> dict[str, str]:
        """The settings of the retargeting that are not the default, by the exporter's flags; Unreal reads the path from
        a root bone.
        """
        shape_map = {"shape-map": _absolute(self.shape_map)} if self.shape_map else {}
        root_path = "root-bone" if self.engine == "unreal" and self.root_path == "hips" else self.root_path
        changes = {"start-at": self.start_at, "root-path": root_path, "engine": self.engine}
        return shape_map | {flag: value for flag, value in changes.items() if value not in ("world", "hips", "none")}


def make_tasks(
    inputs: Sequence[Input],
    out: Path | str,
    to: tuple[str, ...],
    config: CaptureConfig,
    options: ExportOptions,
    *,
    with_summary: bool = False,
    overwrite: bool = False,
) -> list[Task]:
    """The inputs as tasks; with_summary: also what a report shows of them is to be made.

    Raises UserError where weights, rig or map are not there.
    """
    from ..capture.config import choose_weights

    named = {"weights": choose_weights(config), "rig": options.rig}
    named |= {"bone_map": options.bone_map, "shape_map": options.shape_map}
    hashes = {what: _hash_setting(path) for what, path in named.items() if path is not None}
    settings = to_plain(replace(config, weights=config.weights and config.weights.absolute()))
    return [
        Task(
            source=str(entry.source),
            out=urls.absolute(out),
            name=entry.name,
            to=to,
            settings=None if entry.is_motion else settings,
            skeleton=options.choose_skeleton(),
            hashes=hashes,
            summary=summaries.VERSION if with_summary else 0,
            overwrite=overwrite,
            rig=_absolute(options.rig),
            bone_map=_absolute(options.bone_map),
            blender=shutil.which(options.blender) or "",
            retarget=options.list_changes(),
            edits=options.list_edits(),
        )
        for entry in inputs
    ]


def _hash_setting(path: Path) -> str:
    try:
        return hash_file(path).sha256
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}).", "Check the path and your right to read it."
        ) from None


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


def convert_clip(task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    """Files of those kinds in the folder (a Make). Raises UserError where video, motion, rig or Blender fail."""
    stem = _shorten(Path(task.name).name)
    made: dict[str, Path] = {}
    if MOTION in kinds and urls.suffix_of(task.source) in ANIMATIONS:
        made |= _export(task, [MOTION], Path(task.source), folder, report)
        motion = made[MOTION]
    elif MOTION in kinds:
        for take, captured in _capture(task, report).items():
            motion = made[MOTION + take] = folder / f"{stem}{take}.npz"
            save_motion(captured, motion)
    if SUMMARY in kinds:
        made[SUMMARY] = folder / "summary.json"
        summaries.save_summary(_summarize(task, motion, report), made[SUMMARY])
    if task.edits and set(kinds) - {MOTION, SUMMARY}:
        motion = _edit_motion(task, motion, folder / "edited" / f"{stem}.npz", report)
    for kind in (kind for kind in kinds if kind in _WRITERS):
        made[kind] = folder / f"{stem}.{kind}"
        _WRITERS[kind](load_motion(motion), made[kind])
    others = [kind for kind in kinds if kind not in {MOTION, SUMMARY, *OWN_FORMATS}]
    if others:
        load_motion(motion)  # what is wrong with it is found here, before Blender is started
        named = motion if task.edits else folder / f"{stem}.npz"
        if not named.exists():
            shutil.copyfile(motion, named)
        made |= _export(task, others, named, folder, report)
    return made


def _capture(task: Task, report: Report) -> dict[str, Motion]:
    """The motions of the clip's takes, by what their files' names have after the clip's; a BVH is one."""
    if task.settings is None:
        return {"": read_motion_file(Path(task.source), lambda sentence: report(Note(sentence, "guess")))}
    from ..capture.pipeline import capture_takes

    motions: dict[str, Motion] = capture_takes(Path(task.source), _config_of(task), report)
    return motions


def _edit_motion(task: Task, motion: Path, edited: Path, report: Report) -> Path:
    """Loop and mirror a motion file as the task requests; returns the edited file."""
    original = changed = load_motion(motion)
    if "loop" in task.edits:
        changed, cycle = loop_motion(original, LoopConfig(in_place=task.edits["loop"] == "in-place"))
        seconds = [frame / original.fps for frame in (cycle.first, cycle.last)]
        ends = f"their poses differed by {cycle.mismatch_m * 1000.0:.0f} mm"
        report(Note(f"The loop goes from {seconds[0]:.2f} to {seconds[1]:.2f} s of the motion; {ends}."))
    edited.parent.mkdir(exist_ok=True)
    save_motion(mirror_motion(changed) if "mirror" in task.edits else changed, edited)
    return edited


def _summarize(task: Task, motion: Path, report: Report) -> summaries.MotionSummary:
    if task.settings is None:
        return summaries.summarize(load_motion(motion), None, None, report)
    return summaries.summarize(load_motion(motion), Path(task.source), _config_of(task).video, report)


def _config_of(task: Task) -> Any:
    """The capture's configuration of a task. Raises ValueError where the settings do not fit it."""
    from ..capture.config import CaptureConfig

    return from_plain(CaptureConfig, task.settings)


def check_blender(blender: str) -> None:
    """Raises UserError where nothing here can write FBX, GLB and USD. blender: a program, or "" for this Python."""
    if blender and shutil.which(blender) is None:
        raise UserError(f"There is no program {blender}.", "Name a Blender, or a Python that has bpy, by --blender.")
    if not blender and importlib.util.find_spec("bpy") is None:
        remedy = "Run: pip install 'stc-mocap[blender]', or name a Blender by --blender."
        raise UserError("FBX, GLB and USD are written by Blender, and this Python has no bpy.", remedy)
    find_addon()


def _export(task: Task, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    """What Blender makes of a motion file, in its own process; what it prints goes to our standard error."""
    args = [str(motion), "--to", ",".join(kinds), "--out", str(folder), "--events"]
    if MOTION not in kinds:
        args += ["--rig", task.rig] if task.rig else ["--skeleton", task.skeleton]
        args += ["--map", task.bone_map] if task.bone_map else []
        args += [word for flag, value in task.retarget.items() for word in (f"--{flag}", str(value))]
    addon, package = find_addon(), Path(__file__).resolve().parents[2]
    folders = dict.fromkeys([str(addon), str(package), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}
    env |= {"PYTHONHASHSEED": "0"}  # Blender's FBX exporter makes its ids of hashes: the same motion, the same bytes
    last, end = "", None
    with subprocess.Popen(_command(task.blender, addon, args), stdout=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = from_line(line.decode("utf-8", errors="replace"))
            if isinstance(event, Done | Failed):
                end = event
            elif event is not None:
                report(event)
            else:
                last = line.decode("utf-8", errors="replace").strip() or last
    if isinstance(end, Failed):
        raise UserError(end.message, "")
    if end is None or child.returncode:
        raise UserError(f"Blender ended without a result (exit code {child.returncode}).", f"It last said: {last}")
    return _check_files(end, kinds)


def _check_files(done: Done, kinds: Sequence[str]) -> dict[str, Path]:
    files = {kind: Path(done.files.get(kind, "")) for kind in kinds}
    for kind, path in files.items():
        if not path.is_file():
            raise UserError(f"Blender says that it is done, but wrote no {kind}.", "Tell us how it happened.")
    return files


def _command(blender: str, addon: Path, args: list[str]) -> list[str]:
    """The program with its arguments: a Blender runs the file, a Python the module."""
    if blender and Path(blender).stem.lower().startswith("blender"):
        script = str(addon / "blender_addon" / "export" / "headless.py")
        return [blender, "--background", "--factory-startup", "--python", script, "--", *args]
    return [blender or sys.executable, "-m", "blender_addon.export.headless", *args]


def _shorten(stem: str) -> str:
    """As much of a name as leaves room for what is appended to it while it is written."""
    while len(os.fsencode(stem)) > _MAX_STEM_BYTES:
        stem = stem[:-1]
    return stem
