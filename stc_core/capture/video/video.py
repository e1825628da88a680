"""A video whose frames are decoded in a process of its own: where the decoder crashes, hangs or eats memory, that one
dies, and a sentence says so.

Knows that process and the pipe from it; `reader` is what runs in it. A frame's way through the pipe costs a millisecond
at 1080p, a thirtieth of what its detection takes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import UserError
from ...plain_values import to_plain
from ..pose import TimedFrame
from .config import VideoConfig
from .container import check_container

_MAX_SILENT_S = 120.0  # chosen: the packets of an hour are read in some seconds, a frame of 12K in one
_WATCH_S = 0.5
_MAX_SAID_BYTES, _MAX_SAID_CHARACTERS = 1 << 14, 200  # of what it said last; chosen
# The GNU C library, elsewhere nothing, keeps the memory of frames for the next ones: taking it anew from the system
# costs as long as decoding a frame. Bytes: larger pieces are taken anew; what is free beyond the second is given back.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
_REMEDY = "Play it elsewhere to check it, and convert it to MP4 (H.264)."
# Not `-m`: that would look for modules in the working folder first, which may be anybody's.
_START = "import sys; sys.path[0] = {!a}; from stc_core.capture.video import decode_process as d; d.decode({!a}, {!a})"


class DecodeProcess:
    """A process that opens a video and then decodes it; what it finds comes through a pipe, and waits there."""

    def __init__(self, path: Path, command: Sequence[str], max_silent_s: float = _MAX_SILENT_S):
        self._path, self._max_silent_s = path, max_silent_s
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by _end
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=1 << 16,
            env=os.environ | _KEEP_MEMORY,
        )
        assert self._process.stdout is not None
        self._pipe: IO[bytes] = self._process.stdout
        self._watch = _Watch(self._process, max_silent_s)
        self.close = weakref.finalize(self, _end, self._process, self._watch, self._said)
        """end the process; called also when nobody holds this object any more"""

    def receive(self) -> dict[str, Any]:
        """The next message. Raises UserError where the process sent one, died, or said nothing for too long."""
        with self._watch.limit_silence():
            line = self._pipe.readline()
        if not line.endswith(b"\n"):
            raise self._explain_death()
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise UserError(*message["error"])
        return message

    def receive_frame(self, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The frame that follows a message, uint8 (height, width, 3). Raises UserError as `receive` does."""
        frame = np.empty((height, width, 3), np.uint8)
        rest = frame.data.cast("B")
        with self._watch.limit_silence():
            while rest:
                count = self._pipe.readinto(rest)  # type: ignore[attr-defined]
                if not count:
                    raise self._explain_death()
                rest = rest[count:]
        return frame

    def _explain_death(self) -> UserError:
        """What became of the process, with what it said last."""
        code = self._process.wait()
        if self._watch.has_ended_it:
            return UserError(f"The decoder hangs on {self._path} for {self._max_silent_s:.0f} s.", _REMEDY)
        how = f"signal {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"code {code}"
        last = self._read_last_line()
        how += f": {last[:_MAX_SAID_CHARACTERS]}" if last else ""
        return UserError(f"The decoder crashes on {self._path} ({how}): it is damaged, or made to do harm.", _REMEDY)

    def _read_last_line(self) -> str:
        self._said.seek(max(0, self._said.seek(0, 2) - _MAX_SAID_BYTES))
        said = self._said.read().decode(errors="replace")
        lines = "".join(c if c.isprintable() else "\n" for c in said).split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class _Watch:
    """Kills a process that is waited for longer than allowed."""

    def __init__(self, process: subprocess.Popen[bytes], max_silent_s: float):
        self.has_ended_it = False
        self._process, self._max_silent_s = process, max_silent_s
        self._waiting_since_s: float | None = None
        self._stop = threading.Event()
        threading.Thread(target=self._watch, name="watch decoder", daemon=True).start()

    @contextlib.contextmanager
    def limit_silence(self) -> Iterator[None]:
        """While the block waits for the process."""
        self._waiting_since_s = time.monotonic()
        try:
            yield
        finally:
            self._waiting_since_s = None

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(min(_WATCH_S, self._max_silent_s)):
            since_s = self._waiting_since_s
            if since_s is not None and time.monotonic() - since_s > self._max_silent_s:
                self.has_ended_it = True
                self._process.kill()
                return


def _end(process: subprocess.Popen[bytes], watch: _Watch, said: IO[bytes]) -> None:
    watch.stop()
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
    said.close()


class Video:
    """The frames of a file. Iterating decodes from the start each time and yields (timestamp_s, RGB frame).

    timestamp_s rises strictly; with slow motion 4 it is a quarter of the file's. Frames are uint8 (height, width, 3)
    as the player shows them: upright, with square pixels. image_size: (width, height) of that. fps: the rate at which
    most frames lie, hertz. frames: how many are expected. notes: sentences about what is wrong with the file; complete
    once it was read to the end.

    Made by `open_video`, or by `OpeningVideo.wait`. While iterating, UserError is raised where the decoder dies.
    """

    def __init__(self, path: Path, config: VideoConfig, process: DecodeProcess):
        self.path, self._config = path, config
        self._process: DecodeProcess | None = process  # until it is iterated
        try:
            opened = process.receive()
        except UserError:
            process.close()
            raise
        self.image_size: tuple[int, int] = (opened["image_size"][0], opened["image_size"][1])
        self.fps: float = opened["fps"]
        self.frames: int = opened["frames"]
        self.notes: tuple[str, ...] = tuple(opened["notes"])

    def __iter__(self) -> Iterator[TimedFrame]:
        opened, self._process = self._process, None
        process = opened or _start(self.path, self._config)
        try:
            if not opened:
                process.receive()
            while "time_s" in (message := process.receive()):
                yield message["time_s"], process.receive_frame(*self.image_size)
            self.notes = tuple(message["notes"])
        finally:
            process.close()


class OpeningVideo:
    """A file that another process is looking at; `wait` says what it found."""

    def __init__(self, path: Path, config: VideoConfig):
        """Raises UserError where the file is no video by its first bytes."""
        check_container(path)
        self._path, self._config, self._process = path, config, _start(path, config)

    def wait(self) -> Video:
        """Call once. Raises UserError naming the file where it is no usable video."""
        return Video(self._path, self._config, self._process)


def open_video(path: Path, config: VideoConfig) -> Video:
    """Look at a file, decode its first frame. Raises UserError naming the file where it is no usable video."""
    return OpeningVideo(path, config).wait()


def _start(path: Path, config: VideoConfig) -> DecodeProcess:
    root = Path(__file__).resolve().parents[3]
    code = _START.format(str(root), str(path), json.dumps(to_plain(config)))
    return DecodeProcess(path, [sys.executable, "-c", code])
