"""The command line: `stc-mocap capture VIDEO --out DIR_OR_FILE`, `stc-mocap convert INPUT… --to bvh,fbx --out DIR` and
`stc-mocap doctor`.

The one door through which a person or Blender enters: flags, progress, exit codes (0 done, 1 an error the user can
mend, 2 wrong flags, 130 cancelled). Knows how to ask and tell, not how anything is done.
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UserError
from ..events import Done, Event, Failed, Note, Progress, to_line

if TYPE_CHECKING:
    from ..capture.video import VideoConfig
    from ..convert.scheduling.local_pool import Summary
    from ..motion.motion import Motion

_SHORT = {"--height": "--height-m", "--start": "--start-s", "--end": "--end-s", "--smoothing": "--strength"}
_LONGEST_STEM_BYTES = 210  # a file system takes 255; endings and the number of a take follow
_ENDINGS = {"motion": ".npz", "bvh": ".bvh", "raw": "_raw.npz", "preview": "_preview.mp4", "sheet": "_preview.png"}


def main() -> None:
    """Run the command of sys.argv and exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also where SIGINT is ignored, as after nohup
    command, arguments = (sys.argv[1:2] or ["--help"])[0], sys.argv[2:]
    commands: dict[str, Callable[[list[str]], int]] = {"capture": _capture, "convert": _convert, "doctor": _doctor}
    if command not in commands:
        print(__doc__ or "", file=sys.stdout if command in ("-h", "--help") else sys.stderr)
        sys.exit(0 if command in ("-h", "--help") else 2)
    try:
        sys.exit(commands[command](arguments))
    except UserError as error:
        _fail(str(error), "--events" in arguments, 1)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("stc_core"):
            raise
        remedy = "Run: pip install 'stc-mocap[capture]'."
        _fail(f"The library {error.name} is not installed. {remedy}", "--events" in arguments, 1)
    except KeyboardInterrupt:
        _fail("Cancelled; what was not yet finished was not written.", "--events" in arguments, 130)


def _fail(message: str, events: bool, code: int) -> None:
    if events:
        print(to_line(Failed(message)), flush=True)
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def _doctor(arguments: list[str]) -> int:
    from .doctor import doctor

    results = []
    for fine, sentence in doctor():
        results.append(fine)
        print(f"{'ok     ' if fine else 'MISSING'}  {sentence}", flush=True)
    print("All is ready." if all(results) else "Something is missing; see the lines marked so.")
    return 0 if all(results) else 1


def _capture(arguments: list[str]) -> int:
    import tyro

    from ..capture.pipeline import CaptureConfig, captures, longest, unsmoothed
    from ..capture.preview import PreviewConfig, write_preview
    from ..capture.video import open_video
    from ..motion.motion import save_motion

    @dataclass(frozen=True)
    class Capture:
        """Turn the person in a video into a motion: a motion file, a BVH and, if asked, a preview to look at.

        Also: --height M, --start S, --end S, --smoothing 0..1 for the flags with units below.
        """

        video: tyro.conf.Positional[Path]
        """the video file"""
        out: Path
        """a folder, or the .npz or .bvh file to write (the other goes beside it)"""
        preview: bool = False
        """also write a video of the 2D points and the skeleton over the picture, and a picture of some frames"""
        raw: bool = False
        """also write the motion without smoothing, as NAME_raw.npz"""
        events: bool = False
        """print one JSON line an event on standard output, in place of the progress bar"""
        config: tyro.conf.OmitArgPrefixes[CaptureConfig] = field(default_factory=CaptureConfig)

    asked = tyro.cli(Capture, args=[_SHORT.get(word, word) for word in arguments], prog="stc-mocap capture")
    folder, stem = _output(asked.video, asked.out)
    report = _events if asked.events else _Bars()
    motions = captures(asked.video, asked.config, report)
    main, written = longest(motions)[0], dict[str, str]()
    for take, motion in sorted(motions.items(), key=lambda named: named[0] != main):
        named = {kind: folder / f"{stem}{take}{ending}" for kind, ending in _ENDINGS.items()}
        made = _write(motion, named)
        if asked.raw:
            save_motion(unsmoothed(motion, asked.config), named["raw"])
            made |= {"raw": named["raw"]}
        if asked.preview:
            frames = open_video(asked.video, _from(motion, asked.config.video))
            write_preview(frames, motion, named["preview"], PreviewConfig(), report, sheet=named["sheet"])
            made |= {kind: named[kind] for kind in ("preview", "sheet")}
        written |= {kind if take == main else kind + take: str(path) for kind, path in made.items()}
    report(Done(written))
    return 0


def _convert(arguments: list[str]) -> int:
    import tyro

    from ..capture.pipeline import CaptureConfig
    from ..convert import convert_clip as clip
    from ..convert import inputs
    from ..convert.report import page as report
    from ..convert.scheduling.local_pool import RunConfig, run
    from ..convert.store import url_store as remote

    @dataclass(frozen=True)
    class Convert:
        """Turn many videos into animation files. What is done stays done: run the same again to go on, or to add clips.

        INPUT: videos, motion.npz files, folders, patterns in quotes, URLs of these, or a text file with a path a line.
        Each video also leaves its motion file, NAME.npz. DIR/report.html then shows all clips at a glance, worst first.
        Also: --height M, --start S, --end S, --smoothing 0..1 as in capture.
        """

        inputs: tyro.conf.Positional[tuple[str, ...]]
        """videos, motion files, folders, patterns, lists"""
        out: str
        """the folder for the results, or its URL; its .stc-mocap holds what is known of every clip"""
        to: str = "bvh"
        """the formats, with commas: bvh, fbx, glb, usd"""
        rig: Path | None = None
        """retarget onto the armature in this .blend, .fbx, .glb or .vrm"""
        map: Path | None = None
        """the rig's bone map, as saved in Blender; without it one is guessed"""
        skeleton: Literal["humanoid", "mixamo", "unreal"] = "humanoid"
        """without a rig: how bones are named"""
        blender: str = ""
        """the Blender, or the Python with bpy, that writes fbx, glb and usd; this Python by default"""
        report: bool = True
        """make the pictures and the page; without them a short clip takes up to a fifth less time"""
        events: bool = False
        """print one JSON line an event on standard output, in place of the progress lines"""
        run: tyro.conf.OmitArgPrefixes[RunConfig] = field(default_factory=RunConfig)
        config: tyro.conf.OmitArgPrefixes[CaptureConfig] = field(default_factory=CaptureConfig)

    asked = tyro.cli(Convert, args=[_SHORT.get(word, word) for word in arguments], prog="stc-mocap convert")
    kinds = inputs.formats(asked.to)
    if set(kinds) != {"bvh"}:
        clip.check_blender(asked.blender)
    found = inputs.find(asked.inputs, remote.results(remote.absolute(asked.out)))
    options = clip.Options(asked.rig, asked.map, asked.skeleton, asked.blender)
    clips = clip.clips(found, asked.out, kinds, asked.config, options, asked.report)

    def write_report() -> str:
        return remote.reported(remote.absolute(asked.out), clips, report.write_report)

    with remote.opened(remote.absolute(asked.out)):
        try:
            with _Lines(asked.events) as told:
                summary = run(clips, asked.run, clip.make, told)
        except KeyboardInterrupt:
            if asked.report:
                print(f"report: {write_report()}", file=sys.stderr)
            raise
        return _told(summary, asked.events, asked.out, write_report if asked.report else None)


def _told(summary: "Summary", events: bool, out: str, write_report: Callable[[], str] | None) -> int:
    """Say what became of the clips, whatever becomes of the report; the exit code."""
    for name, why in summary.failed:
        print(f"failed: {name}: {why}", file=sys.stderr)
    counts = f"{summary.converted} converted, {summary.before} done before, {len(summary.failed)} failed"
    if summary.failed:
        counts += " (add --retry to try again those that did not change)"
    if not events:
        print(f"{counts}; {out}", flush=True)
    files = {"folder": str(out)} | ({"report": write_report()} if write_report else {})
    if events:
        print(to_line(Failed(counts + ".") if summary.failed else Done(files)), flush=True)
    elif write_report:
        print(f"report: {files['report']}")
    return 1 if summary.failed else 0


def _output(video: Path, out: Path) -> tuple[Path, str]:
    """The folder for the files, made, and how their names begin. Raises UserError where it cannot be written to."""
    named = out.suffix.lower() in (".npz", ".bvh")
    folder, stem = (out.parent, out.stem) if named else (out, video.stem)
    if len(os.fsencode(stem)) > _LONGEST_STEM_BYTES:
        raise UserError(
            f"The name “{stem[:20]}…” is too long for the files to be made.", "Name one: --out FOLDER/NAME.npz."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made ({error.strerror}).", "Choose another --out.") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"The folder {folder} cannot be written to.", "Choose another --out.")
    return folder, stem


def _from(motion: "Motion", config: "VideoConfig") -> "VideoConfig":
    """The part of the video that begins where a motion does."""
    return replace(config, start_s=max(config.start_s, motion.start_s * config.slow_motion - 1e-3))


def _write(motion: "Motion", files: dict[str, Path]) -> dict[str, Path]:
    from ..motion.bvh import write_bvh
    from ..motion.motion import save_motion

    save_motion(motion, files["motion"])
    write_bvh(motion, files["bvh"])
    return {kind: files[kind] for kind in ("motion", "bvh")}


def _events(event: Event) -> None:
    print(to_line(event), flush=True)


class _Bars:
    """One progress bar a stage on standard error, with rate and time left; what is done on standard output."""

    def __init__(self) -> None:
        self._bars: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._show(event)
        elif isinstance(event, Note):
            from tqdm import tqdm

            tqdm.write(f"note: {event.message}", file=sys.stderr)
        elif isinstance(event, Done):
            for kind, path in event.files.items():
                print(f"{kind:<14} {path}")

    def _show(self, event: Progress) -> None:
        from tqdm import tqdm

        bar = self._bars.get(event.stage)
        if bar is None:
            bar = self._bars[event.stage] = tqdm(total=event.total, desc=f"{event.stage:<8}", unit=" frames")
        bar.total = event.total
        bar.update(event.done - bar.n)
        if event.done >= event.total:
            bar.close()


class _Lines:
    """A progress line for every worker and one for all on standard error; where that is no terminal, a line a clip.

    With events: JSON lines of all clips together, and the notes, on standard output.
    """

    def __init__(self, events: bool):
        self._events, self._live = events, sys.stderr.isatty() and not events
        self._bars: dict[int, Any] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars.values():
            bar.close()

    def __call__(self, worker: int, clip: str, event: Event) -> None:
        if isinstance(event, Note) and not worker and not self._events:  # of the whole, as a worker that is left out
            from tqdm import tqdm

            tqdm.write(f"note: {event.message}", file=sys.stderr)
        elif self._live:
            self._draw(worker, clip, event)
        elif self._events and (worker == 0 or isinstance(event, Note)):
            _events(
                event
                if worker == 0
                else Note(f"{clip}: {event.message}", event.kind)
                if isinstance(event, Note)
                else event
            )
        elif not self._events:
            self._print(clip, event)

    def _draw(self, worker: int, clip: str, event: Event) -> None:
        from tqdm import tqdm

        if not isinstance(event, Progress):
            return
        bar, doing = self._bars.get(worker), f"{worker} {clip[-30:]} {event.stage}" if worker else "all"
        if bar is None:
            how = {"total": event.total, "initial": event.done, "unit": " frames" if worker else " clips"}
            bar = self._bars[worker] = tqdm(desc=doing, position=worker, leave=not worker, dynamic_ncols=True, **how)
        bar.set_description_str(doing, refresh=False)
        if event.done < bar.n or event.total != bar.total:
            bar.reset(event.total)
        bar.update(event.done - bar.n)

    def _print(self, clip: str, event: Event) -> None:
        if isinstance(event, Done):
            print(f"done: {clip}", file=sys.stderr, flush=True)
        elif isinstance(event, Progress) and not clip:
            print(f"{event.done} of {event.total} clips", file=sys.stderr, flush=True)
