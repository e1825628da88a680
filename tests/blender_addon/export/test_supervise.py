# SPDX-License-Identifier: GPL-3.0-or-later
"""An export's process may crash, hang or fill the memory: it ends in a sentence that names the rig."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_addon.export import supervise
from stc_core.events import Done, Failed, from_line
from tests.blender_addon.fake_engine import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and limits are POSIX")
RIG = Path("hero.blend")


def supervise_source(source: str, events: bool = True) -> subprocess.CompletedProcess[str]:
    """What a supervisor of a Python program prints, run as a process for it catches signals."""
    run = f"supervise.run_supervised([sys.executable, '-c', {source!r}], Path('hero.blend'), {events})"
    program = f"import sys\nfrom pathlib import Path\nfrom blender_addon.export import supervise\nsys.exit({run})"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)


def limit_source(body: str, **limits: float) -> str:
    """A program that sets the limits, changed, and then runs the body within them."""
    changes = "".join(f"supervise.{name} = {value}\n" for name, value in limits.items())
    imports = "import time\nfrom blender_addon.export import supervise\n"
    return f"{imports}{changes}with supervise.limit_resources():\n    {body}\n"


def test_a_crash_is_a_failed_event_with_the_rigs_name_and_a_remedy() -> None:
    finished = supervise_source("import os, signal; print('said before'); os.kill(os.getpid(), signal.SIGSEGV)")
    *_, last = [from_line(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 1 and isinstance(last, Failed)
    assert "hero.blend crashed Blender (SIGSEGV)" in last.message and "save a smaller copy" in last.message
    assert last.message in finished.stderr


def test_without_events_it_is_one_line_for_a_person() -> None:
    finished = supervise_source("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", events=False)
    assert finished.stdout == "" and finished.stderr.startswith("error: hero.blend crashed Blender (SIGABRT)")


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_what_goes_well_or_wrong_by_itself_is_passed_on(code: int) -> None:
    line = '{"event": "done", "files": {"fbx": "ü.fbx"}}'
    finished = supervise_source(
        f"import sys; sys.stdout.reconfigure(encoding='utf-8'); print({line!r}); sys.exit({code})"
    )
    assert finished.returncode == code and from_line(finished.stdout) == Done({"fbx": "ü.fbx"})
    assert finished.stderr == ""


@pytest.mark.parametrize("body", ["time.sleep(60)", "sum(range(10**12))"], ids=["waits", "works"])
def test_what_takes_too_long_to_open_is_ended(body: str) -> None:
    began = time.monotonic()
    finished = supervise_source(limit_source(body, OPEN_LIMIT_S=0.3))
    event = from_line(finished.stdout)
    assert isinstance(event, Failed) and "took longer than" in event.message and time.monotonic() - began < 30.0


def test_the_time_limit_ends_with_the_opening() -> None:
    source = limit_source("pass", OPEN_LIMIT_S=0.3) + "time.sleep(1.0); print('still here')"
    assert supervise_source(source).stdout == "still here\n"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not count all of a process's memory")
def test_memory_is_limited() -> None:
    source = limit_source("bytearray(1 << 30)", MEMORY_LIMIT_BYTES=300 << 20)
    finished = supervise_source(source)
    assert finished.returncode == 1 and "MemoryError" in finished.stderr


def test_it_is_supervised_once_and_only_for_a_rig(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["headless.py", "a.npz", "--rig", "hero.blend"]
    monkeypatch.delenv(supervise.SUPERVISED, raising=False)
    assert supervise.is_needed(argv) and not supervise.is_needed(argv[:2]) and not supervise.is_needed(argv[:3])
    monkeypatch.setenv(supervise.SUPERVISED, "1")
    assert not supervise.is_needed(argv)


def test_cancelling_reaches_the_process() -> None:
    source = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\nprint('ready', flush=True)"
    )
    run = f"supervise.run_supervised([sys.executable, '-c', {source + chr(10) + 'time.sleep(60)'!r}], Path('a'), True)"
    program = f"import sys\nfrom pathlib import Path\nfrom blender_addon.export import supervise\nsys.exit({run})"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(20.0) == 130
