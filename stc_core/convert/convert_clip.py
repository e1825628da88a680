"""How one clip is converted: a video into a motion file, that into BVH, and through Blender into the rest.

Knows the capture, the BVH writer, the look for the report, and how to start `blender_addon.export.headless` in a
Blender or in a Python that has bpy; nothing of job folders, of other clips, or of Blender itself. Loads heavy libraries
only when it is asked to work.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..events import Done, Failed, Report, from_line
from ..motion.bvh import write_bvh
from ..motion.motion import load_motion, save_motion
from .inputs import Input
from .report import summary as look
from .store import url_store as remote
from .store.local_store import LOOK, MOTION, Clip, stamp

if TYPE_CHECKING:
    from ..capture.pipeline import CaptureConfig

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_STEM_BYTES = 200


@dataclass(frozen=True)
class Options:
    """What Blender's exports are made with. rig, bone_map: files. blender: a program, or "" for this Python."""

    rig: Path | None = None
    bone_map: Path | None = None
    skeleton: str = "humanoid"
    blender: str = ""


def clips(
    found: Sequence[Input],
    out: Path | str,
    to: tuple[str, ...],
    config: CaptureConfig,
    options: Options,
    looks: bool = False,
) -> list[Clip]:
    """The inputs as clips to convert; looks: also what a report shows of them is to be made.

    Raises UserError where weights, rig or map are not there.
    """
    from ..capture.pipeline import weights_of

    named = {"weights": weights_of(config), "rig": options.rig, "bone_map": options.bone_map}
    hashes = {what: stamp(path).sha256 for what, path in named.items() if path is not None}
    texts = {
        "rig": _absolute(options.rig),
        "bone_map": _absolute(options.bone_map),
        "blender": shutil.which(options.blender) or "",
    }
    settings = settings_of(replace(config, weights=config.weights and config.weights.absolute()))
    return [
        Clip(
            source=str(entry.source),
            out=remote.absolute(out),
            name=entry.name,
            to=to,
            settings=None if entry.is_motion else settings,
            skeleton=options.skeleton,
            hashes=hashes,
            look=look.VERSION if looks else 0,
            **texts,
        )
        for entry in found
    ]


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


def make(clip: Clip, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    """Files of those kinds in the folder (a jobs.Make). Raises UserError where video, motion, rig or Blender fail."""
    stem = _short(Path(clip.name).name)
    made: dict[str, Path] = {}
    if MOTION in kinds:
        for take, captured in _captured(clip, report).items():
            motion = made[MOTION + take] = folder / f"{stem}{take}.npz"
            save_motion(captured, motion)
    if LOOK in kinds:
        made[LOOK] = folder / "look.json"
        look.save_look(_look(clip, motion, report), made[LOOK])
    if "bvh" in kinds:
        made["bvh"] = folder / f"{stem}.bvh"
        write_bvh(load_motion(motion), made["bvh"])
    others = [kind for kind in kinds if kind not in (MOTION, LOOK, "bvh")]
    if others:
        load_motion(motion)  # what is wrong with it is said here, before Blender is started
        named = folder / f"{stem}.npz"
        if not named.exists():
            shutil.copyfile(motion, named)
        made |= _exported(clip, others, named, folder, report)
    return made


def _captured(clip: Clip, report: Report) -> dict[str, Any]:
    """The motions of the clip's takes, by what their files' names have after the clip's."""
    from ..capture.pipeline import captures

    assert clip.settings is not None
    return captures(Path(clip.source), config_of(clip.settings), report)


def _look(clip: Clip, motion: Path, report: Report) -> look.Look:
    if clip.settings is None:
        return look.look_at(load_motion(motion), None, None, report)
    return look.look_at(load_motion(motion), Path(clip.source), config_of(clip.settings).video, report)


def settings_of(config: CaptureConfig) -> dict[str, Any]:
    """A capture's settings as plain values."""
    return _plain(asdict(config))


def config_of(settings: Mapping[str, Any]) -> CaptureConfig:
    """And back."""
    from ..capture.pipeline import CaptureConfig

    return _filled(CaptureConfig(), settings)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, Path) else value


def _filled(default: Any, plain: Mapping[str, Any]) -> Any:
    """A configuration like `default`, of plain values; text where the class wants a path becomes one."""
    values = {}
    for part in fields(default):
        value, old = plain[part.name], getattr(default, part.name)
        if is_dataclass(old):
            value = _filled(old, value)
        elif value is not None and "Path" in str(part.type):
            value = Path(value)
        values[part.name] = value
    return type(default)(**values)


def check_blender(blender: str) -> None:
    """Raises UserError where nothing here can write FBX, GLB and USD. blender: a program, or "" for this Python."""
    if blender and shutil.which(blender) is None:
        raise UserError(f"There is no program {blender}.", "Name a Blender, or a Python that has bpy, by --blender.")
    if not blender and importlib.util.find_spec("bpy") is None:
        remedy = "Run: pip install 'stc-mocap[blender]', or name a Blender by --blender."
        raise UserError("FBX, GLB and USD are written by Blender, and this Python has no bpy.", remedy)
    if not (_ROOT / "blender_addon" / "export" / "headless.py").is_file():
        what = "FBX, GLB and USD need the folder blender_addon, which is not beside this installation."
        raise UserError(what, "Run from a clone of the repository.")


def _exported(clip: Clip, kinds: Sequence[str], motion: Path, folder: Path, report: Report) -> dict[str, Path]:
    """What Blender makes of a motion file, in its own process; its talk goes to our standard error."""
    words = [str(motion), "--to", ",".join(kinds), "--out", str(folder), "--events"]
    words += ["--rig", clip.rig] if clip.rig else ["--skeleton", clip.skeleton]
    words += ["--map", clip.bone_map] if clip.bone_map else []
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))}
    env |= {"PYTHONHASHSEED": "0"}  # Blender's FBX exporter makes its ids of hashes: the same motion, the same bytes
    last, end = "", None
    with subprocess.Popen(_command(clip.blender, words), stdout=subprocess.PIPE, env=env) as child:
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
    return _files(end, kinds)


def _files(done: Done, kinds: Sequence[str]) -> dict[str, Path]:
    files = {kind: Path(done.files.get(kind, "")) for kind in kinds}
    for kind, path in files.items():
        if not path.is_file():
            raise UserError(f"Blender says that it is done, but wrote no {kind}.", "Tell us how it happened.")
    return files


def _command(blender: str, words: list[str]) -> list[str]:
    """The program with its words: a Blender runs the file, a Python the module."""
    if blender and Path(blender).stem.lower().startswith("blender"):
        script = str(_ROOT / "blender_addon" / "export" / "headless.py")
        return [blender, "--background", "--factory-startup", "--python", script, "--", *words]
    return [blender or sys.executable, "-m", "blender_addon.export.headless", *words]


def _short(stem: str) -> str:
    """As much of a name as leaves room for what is appended to it while it is written."""
    while len(os.fsencode(stem)) > _LONGEST_STEM_BYTES:
        stem = stem[:-1]
    return stem
