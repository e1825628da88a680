# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that outlive Blender, as the operating system knows them.

Knows how to start one, whether it still runs (another process with its number is not mistaken for it) and how to end
it, on Linux, macOS and Windows; does not know what it does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PYTHON_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONEXECUTABLE",
    "PYTHONSTARTUP",
    "__PYVENV_LAUNCHER__",
    "VIRTUAL_ENV",
)


def make_environment(pythonpath: Path | None = None) -> dict[str, str]:
    """Our environment without what would lead another Python to Blender's libraries; UTF-8, unbuffered."""
    kept = {name: value for name, value in os.environ.items() if name not in _PYTHON_VARIABLES}
    added = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}
    return kept | added | ({} if pythonpath is None else {"PYTHONPATH": str(pythonpath)})


def start_process(
    command: Sequence[str], folder: Path, out: Path, log: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a command detached, in a folder, its output going straight to two files. Raises OSError."""
    with out.open("ab") as stdout, log.open("ab") as stderr:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
            creationflags=_get_creation_flags(),
        )


def read_identity(pid: int) -> str:
    """What tells this process from a later one with its number; "" where none is alive (a zombie is not)."""
    if sys.platform == "win32":
        return _read_identity_windows(pid)
    return _read_identity_linux(pid) if sys.platform == "linux" else _read_identity_ps(pid)


def terminate(pid: int) -> None:
    """Ask a process and its children to end; on Windows, where they cannot be asked, end them."""
    _send_signal(pid, signal.SIGTERM)


def kill(pid: int) -> None:
    """End a process and its children, whatever they do."""
    _send_signal(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def has_children(pid: int) -> bool:
    """Whether a process that has ended left children running; False on Windows, where terminate ends them all."""
    if sys.platform == "win32":
        return False
    return pid in (_list_groups_linux() if sys.platform == "linux" else _list_groups_ps())


def _list_groups_linux() -> set[int]:
    """The groups of all processes but zombies: fields 3 (state) and 5 of proc(5)'s stat."""
    groups = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if fields[0] not in "ZX":
            groups.add(int(fields[2]))
    return groups


def _list_groups_ps() -> set[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=False)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return {int(group) for group, state in rows if not state.startswith("Z")}


def _send_signal(pid: int, number: signal.Signals) -> None:
    if sys.platform == "win32":
        command = ["taskkill", "/PID", str(pid), "/T", "/F"]
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, creationflags=_get_creation_flags()
        )
        return
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # it ended meanwhile


def _get_creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


def _read_identity_linux(pid: int) -> str:
    """The boot and the clock tick of the start: fields 3 (state) and 22 of proc(5)'s stat."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"


def _read_identity_ps(pid: int) -> str:
    finished = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = finished.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else started.strip()


def _read_identity_windows(pid: int) -> str:
    """The time of creation, where the process still runs (STILL_ACTIVE, 259)."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = wintypes.HANDLE(kernel.OpenProcess(0x1000, False, pid))  # PROCESS_QUERY_LIMITED_INFORMATION
        code, times = wintypes.DWORD(), [wintypes.FILETIME() for _ in range(4)]
        known = handle and kernel.GetExitCodeProcess(handle, ctypes.byref(code)) and code.value == 259
        known = known and kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
        kernel.CloseHandle(handle)
        return f"{times[0].dwHighDateTime} {times[0].dwLowDateTime}" if known else ""
    return ""
