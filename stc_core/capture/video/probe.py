"""A first look at a video in a process of its own: where the decoder crashes, hangs or eats memory, that one dies.

The decoder is C code that reads files from anywhere. The whole file's headers and its first frame are read here once,
under limits; what passes is then decoded by the capture itself, since frames through another process would cost a tenth
of its speed. Workers of a batch need no probe: their pool outlives them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from ...errors import UserError
from ...limits import limit_memory
from .config import VideoConfig
from .video import open_video

_MAX_MEMORY_BYTES = 8 << 30  # chosen: the largest frames that are read take a tenth of it
_MAX_S = 120.0  # chosen: the packets of an hour are read in some seconds
_MAX_SAID_CHARACTERS = 200  # of what it said last; chosen
_REMEDY = "Play it elsewhere to check it, and convert it to MP4 (H.264)."


def start_probe(path: Path) -> subprocess.Popen[bytes]:
    """Begin to look at a video; `finish_probe` tells how it went."""
    command = [sys.executable, "-m", __spec__.name, str(path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish_probe(probe: subprocess.Popen[bytes], path: Path, max_s: float = _MAX_S) -> None:
    """Wait for a probe. Raises UserError where it died, with what it said last, or where it took too long.

    What the probe merely disliked is told by others.
    """
    try:
        said = probe.communicate(timeout=max_s)[1] or b""
    except subprocess.TimeoutExpired:
        raise UserError(f"{path} could not be opened within {max_s:.0f} s.", _REMEDY) from None
    finally:
        probe.kill()
        probe.wait()
    if code := probe.returncode:
        how = f"signal {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"code {code}"
        lines = "".join(c if c.isprintable() else "\n" for c in said.decode(errors="replace")).split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how += f": {last[:_MAX_SAID_CHARACTERS]}" if last else ""
        raise UserError(f"The decoder fails on {path} ({how}): it is damaged, or made to do harm.", _REMEDY)


def main() -> None:
    """Look at the video of sys.argv: 0 where it opens or a sentence says why not; dies where the decoder does."""
    limit_memory(_MAX_MEMORY_BYTES)
    try:
        next(iter(open_video(Path(sys.argv[1]), VideoConfig())), None)
    except UserError:
        return


if __name__ == "__main__":
    main()
