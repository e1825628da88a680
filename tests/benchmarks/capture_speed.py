"""What the whole way costs: `python -m tests.benchmarks.capture_speed [VIDEO]`.

Prints frames a second of every stage and of the whole way for each quality, beside MediaPipe alone (its full model over
the frames as they are decoded), all in one run (lift: the network over the whole clip, mirrored and overlapping windows
included); what `stc-mocap capture` takes for seven frames; and its peak memory for a short clip and for a long one. The
sample is repeated, forwards and backwards, until it is as long as is said.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2

from stc_core.capture.config import QUALITIES, CaptureConfig, Quality
from stc_core.capture.detect.config import DetectConfig
from stc_core.capture.detect.landmarker import VideoLandmarker
from stc_core.capture.detect.read_ahead import read_ahead
from stc_core.capture.lift.config import LiftConfig
from stc_core.capture.pipeline import capture
from stc_core.capture.video.config import VideoConfig
from stc_core.capture.video.video import open_video
from stc_core.events import Event, Progress

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"


def alone_s(path: Path) -> float:
    """Seconds of detection by MediaPipe's full model, and nothing else."""
    video = open_video(path, VideoConfig())
    began = time.perf_counter()
    landmarker = VideoLandmarker(DetectConfig())
    with contextlib.closing(landmarker), contextlib.closing(read_ahead(video)) as frames:
        for time_s, frame in frames:
            landmarker.detect(time_s, frame)
    return time.perf_counter() - began


def stages(path: Path, threads: int, quality: Quality, alone: float) -> None:
    """Frames a second of each stage, by the times at which it reports its first and last frame."""
    seen: dict[str, list[float]] = {}

    def note(event: Event) -> None:
        if isinstance(event, Progress):
            seen.setdefault(event.stage, []).append(time.perf_counter())

    config = CaptureConfig(quality=quality, lift=LiftConfig(threads=threads))
    video = open_video(path, VideoConfig())
    began = time.perf_counter()
    capture(path, config, note)
    whole = time.perf_counter() - began
    rows = [(stage, times[-1] - times[0]) for stage, times in seen.items()]
    print(f"{quality}:")
    for stage, seconds in [*rows, ("whole way", whole)]:
        rate = video.frames / max(seconds, 1e-9)
        print(f"  {stage:<16} {rate:10.1f} frames/s   {seconds / alone:6.3f} x detection alone")


def repeated(path: Path, seconds: float, folder: Path) -> Path:
    """The clip played forwards and backwards until it is `seconds` long."""
    video = open_video(path, VideoConfig())
    frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for _, frame in video]
    there_and_back = frames + frames[-2:0:-1]
    out = folder / f"{seconds:g}s.mp4"
    writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), video.fps, video.image_size)
    for index in range(round(seconds * video.fps)):
        writer.write(there_and_back[index % len(there_and_back)])
    writer.release()
    return out


def start(path: Path) -> None:
    """What `stc-mocap capture` takes for seven frames, at best."""
    costs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        video = open_video(path, VideoConfig())
        command = [sys.executable, "-m", "stc_core", "capture", str(path), "--end", str(6.5 / video.fps)]
        for _ in range(5):
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run([*command, "--out", name, "--overwrite", "--events"], stdout=subprocess.DEVNULL, check=True)
            wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            costs.append((wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    wall_s, processor_s = map(min, zip(*costs, strict=True))
    print(f"seven frames: {wall_s:.2f} s, of processors {processor_s:.2f} s")


def peak_mib(path: Path, folder: Path) -> float:
    """Peak resident memory of one capture, in MiB."""
    command = [sys.executable, "-m", "stc_core", "capture", str(path), "--out", str(folder / "out"), "--events"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, f"capturing {path} failed"
    return usage.ru_maxrss / 1024


def memory(path: Path, short_s: float, long_s: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        peaks = [peak_mib(repeated(path, seconds, Path(name)), Path(name)) for seconds in (short_s, long_s)]
    short, long = peaks
    print(f"peak memory: {short:.0f} MiB for {short_s:g} s, {long:.0f} MiB for {long_s:g} s: x {long / short:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long the video is repeated; 0: as it is")
    parser.add_argument("--memory", type=float, nargs=2, default=(10.0, 300.0), metavar=("SHORT_S", "LONG_S"))
    asked = parser.parse_args()
    if asked.memory[1]:  # first: a child's peak is never below what its parent held when it was started
        memory(asked.video, *asked.memory)
    start(asked.video)
    capture(asked.video, CaptureConfig())  # libraries loaded, files in memory
    with tempfile.TemporaryDirectory() as name:
        path = repeated(asked.video, asked.seconds, Path(name)) if asked.seconds else asked.video
        alone, video = alone_s(path), open_video(path, VideoConfig())
        width, height = video.image_size
        what = f"{asked.video.name}: {width}x{height}, {video.frames} frames, {asked.threads} thread(s)"
        print(f"{what}; full model alone {video.frames / alone:.1f} frames/s")
        for quality in QUALITIES:
            stages(path, asked.threads, quality, alone)


if __name__ == "__main__":
    main()
