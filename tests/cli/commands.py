"""Commands run in a process of their own and in this one, and the video that they are given."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stc_core.cli.main import main

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stc_core", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


def run_main(monkeypatch: pytest.MonkeyPatch, *args: str | Path) -> int:
    """The exit code of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["stc-mocap", *map(str, args)])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
