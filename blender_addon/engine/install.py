# SPDX-License-Identifier: GPL-3.0-or-later
"""A script that sets up an engine's environment, or checks one; it runs in another Python, never inside Blender.

    python install.py SOURCE setup FOLDER BUILD CONSTRAINTS WHEELS    WHEELS "" : from the package index
    python install.py SOURCE check PYTHON VERSION

SOURCE is our wheel or our repository: what is installed, and where the events come from. Knows venv and pip,
and reports their progress in events; needs nothing but a bare Python.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from stc_core.events import Done, Event, Failed, Note, Progress, to_line

MARKER = "stc_mocap.json"
"""written last into an environment: one without it is incomplete"""
PYTHONS = ((3, 10), (3, 13))
"""the oldest and the newest Python that an engine runs in"""
PINNED = (3, 11)
"""the Python that constraints.txt was tested with"""
PINNED_PER_PYTHON = {"numpy", "scipy", "networkx", "contourpy", "matplotlib", "kiwisolver", "av"}
"""libraries whose versions there do not exist for newer Pythons"""
PYTORCH_INDEXES = {
    "cpu": ("https://download.pytorch.org/whl/cpu",),
    "cuda": ("https://download.pytorch.org/whl/cu128", "https://download.pytorch.org/whl/cu126"),
}
"""where PyTorch keeps its builds; a version that is not there comes from the package index, as that has it"""

_CRASH_FRAME = re.compile(r'File ".*[/\\]site-packages[/\\](\w+)')
"""a line of faulthandler's, whose first is the innermost"""
_WINDOWS_CRASH = 0xC0000000
_EXPECTED_MB = {"cpu": 420.0, "cuda": 3500.0}
_UNITS = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
_SIZE = re.compile(r"(?:Downloading|Using cached) \S+ \(([\d.]+) (bytes|kB|MB|GB)\)")
_REASONS = (
    (r"No space left on device|disk quota exceeded", "The disk is full. Make room and set the engine up again."),
    (
        r"NewConnectionError|Temporary failure in name resolution|getaddrinfo failed|ConnectTimeout|ProxyError",
        "The package index cannot be reached. Check the network, or choose a folder of wheels.",
    ),
    (r"SSLError|CERTIFICATE_VERIFY_FAILED", "The package index cannot be trusted here. Check the network's proxy."),
)


class InstallError(Exception):
    """The set-up or the check failed: a sentence for the user."""


def set_up_engine(source: Path, folder: Path, build: str, constraints: Path, wheels: Path | None) -> None:
    """Create an environment in a new folder and install the engine into it; the marker is written last."""
    remove_outdated(folder.parent)
    try:
        _create_environment(folder)
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        _install_package(python, source, build, constraints, wheels)
        record = {"version": check_engine(python, "", build), "build": build, "python": _format_python_version()}
    except InstallError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / MARKER).write_text(json.dumps(record), encoding="utf-8")


def remove_outdated(engines: Path) -> None:
    """Remove what unfinished set-ups left, and engines older than the newest, which may be in use."""
    whole = sorted(engines.glob(f"*/{MARKER}"), key=lambda path: path.stat().st_mtime)
    for folder in engines.glob("*"):
        if folder not in [path.parent for path in whole[-1:]]:
            shutil.rmtree(folder, ignore_errors=True)


def _create_environment(folder: Path) -> None:
    """Raises InstallError where this Python cannot run an engine or make an environment."""
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise InstallError(
            f"Python {_format_python_version()} cannot run the engine. Choose one from 3.10 to 3.13 in the preferences."
        )
    report(Progress("environment", 0, 1))
    result = _run_command([sys.executable, "-m", "venv", str(folder)])
    if result.returncode:
        raise InstallError(f"{sys.executable} cannot make an environment. {_get_last_line(result.stdout)}".strip())
    report(Progress("environment", 1, 1))


def check_engine(python: Path, wanted: str, build: str = "cpu") -> str:
    """Have an engine check itself; returns its version. Raises InstallError where something is missing or the version
    is not the wanted one ("": any).
    """
    report(Progress("check", 0, 2))
    version = _run_command([str(python), "-c", "import stc_core; print(stc_core.__version__)"])
    if version.returncode:
        raise InstallError(f"STC Mocap is not installed in {python}. Set up the engine, or choose another Python.")
    report(Progress("check", 1, 2))
    doctor = _run_command([str(python), "-m", "stc_core", "doctor"])
    if doctor.returncode:
        raise InstallError(explain_check(doctor.returncode, doctor.stdout))
    report(Progress("check", 2, 2))
    found = version.stdout.split()[-1]
    if wanted and found != wanted:
        raise InstallError(
            f"The engine is of version {found}, the add-on of version {wanted}. Set up the engine again."
        )
    device = _parse_device(doctor.stdout)
    if build == "cuda" and "cuda" not in device:
        report(Note("PyTorch finds no NVIDIA card here, or has no CUDA build for this system."))
    report(Note(f"The engine is ready: version {found}, {device}."))
    return found


def explain_check(code: int, output: str) -> str:
    """What is wrong with an engine whose doctor ended with an exit code, in one sentence with a remedy."""
    lines = output.splitlines()
    missing = [line.split(maxsplit=1)[1] for line in lines if line.startswith("MISSING")]
    if missing:
        return missing[0]
    if code < 0 or code >= _WINDOWS_CRASH:  # a signal, or an exception code of Windows
        frames = [found[1] for line in lines if (found := _CRASH_FRAME.search(line))]
        passed = [line.split(maxsplit=1)[1] for line in lines if line.startswith("ok ")]
        where = f"in {frames[0]}" if frames else f"after: {passed[-1]}" if passed else "at its start"
        return (
            f"The engine crashes {where}. Set up the engine again; if it still crashes, choose another Python for it."
        )
    return f"The engine cannot be checked: {_get_last_line(output)} Set up the engine again."


def make_pip_args(source: Path, build: str, constraints: Path, wheels: Path | None) -> list[str]:
    """The arguments of `pip`: from the package index and PyTorch's own for the build, or from a folder of wheels."""
    args = [
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--no-warn-script-location",
    ]
    args += ["-c", str(constraints)]
    if wheels is None:
        args += [word for index in PYTORCH_INDEXES[build] for word in ("--extra-index-url", index)]
    else:
        args += ["--no-index", "--find-links", str(wheels)]
    return [*args, f"{source}[capture]"]


def select_pins(constraints: str, python: tuple[int, int]) -> str:
    """The lines of constraints.txt that hold for a Python: all, those not tied to one, or none for an older one."""
    lines = [line for line in constraints.splitlines() if "==" in line and not line.startswith("#")]
    free = [line for line in lines if line.partition("==")[0].strip().lower() not in PINNED_PER_PYTHON]
    return "\n".join(lines if python == PINNED else free if python > PINNED else [])


def _install_package(python: Path, source: Path, build: str, constraints: Path, wheels: Path | None) -> None:
    """Install the engine's package and report pip's progress. Raises InstallError where pip fails."""
    with tempfile.TemporaryDirectory(dir=python.parents[1]) as scratch:
        kept = Path(scratch, "constraints.txt")
        kept.write_text(select_pins(constraints.read_text(encoding="utf-8"), sys.version_info[:2]), encoding="utf-8")
        command = [str(python), "-m", "pip", *make_pip_args(source, build, kept, wheels)]
        env = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch)
        pipe, text = subprocess.PIPE, {"text": True, "encoding": "utf-8", "errors": "replace"}
        with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, env=env, **text) as pip:  # type: ignore[call-overload]
            lines: list[str] = []
            reader = threading.Thread(target=_collect_lines, args=(pip.stdout, lines), daemon=True)
            reader.start()
            show = _PipProgress(Path(scratch), python.parents[1], _EXPECTED_MB[build])
            while pip.poll() is None:
                show(lines)
                time.sleep(0.5)
            reader.join()
    if pip.returncode:
        raise InstallError(explain_failure(lines))


class _PipProgress:
    """Reports pip's progress: megabytes downloaded of those expected, then packages installed of those announced."""

    def __init__(self, scratch: Path, environment: Path, expected_mb: float):
        self._scratch, self._environment, self._expected = scratch, environment, expected_mb
        self._began, self._coming = time.monotonic(), 0.0

    def __call__(self, lines: list[str]) -> None:
        """Report how far pip is, by the lines it has printed."""
        packages = [line for line in list(lines) if line.startswith("Installing collected packages:")]
        if packages:
            placed = sum(1 for _ in self._environment.glob("**/site-packages/*.dist-info"))
            total = packages[0].count(",") + 1
            report(Progress("install", min(placed, total), total))
        else:
            self._download([parse_megabytes(line) for line in list(lines)])

    def _download(self, sizes: list[float]) -> None:
        """Count all that was announced but the newest, which is measured while it arrives."""
        announced = sum(sizes)
        newest = next((size for size in reversed(sizes) if size), 0.0)
        done = announced - newest + min(newest, _measure_largest_file_mb(self._scratch))
        total = max(self._expected, announced)
        rate = done / max(time.monotonic() - self._began, 1e-3)
        left = round((total - done) / rate, 1) if done else None
        report(Progress("download", int(done), int(total), round(rate, 2), left))


def parse_megabytes(line: str) -> float:
    """The size that a line of pip announces, of a download or a wheel in a folder; else 0."""
    if found := _SIZE.search(line):
        return float(found[1]) * _UNITS[found[2]]
    path = Path(line.removeprefix("Processing ").strip())
    return path.stat().st_size * 1e-6 if line.startswith("Processing ") and path.is_file() else 0.0


def explain_failure(lines: list[str]) -> str:
    """Why pip failed, in one sentence."""
    text = "\n".join(lines)
    for pattern, sentence in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return sentence
    if found := re.search(r"No matching distribution found for (\S+)", text):
        return f"{found[1]} was not found where packages were looked for. Add it to the folder of wheels, or go online."
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return f"The engine could not be installed. {(errors or lines or [''])[-1]}".strip()


def _measure_largest_file_mb(folder: Path) -> float:
    """The size of a folder's largest file, while others write to it and clear it."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            largest = max(largest, path.stat().st_size if path.exists() else 0)
    return largest * 1e-6


def _collect_lines(stream: object, lines: list[str]) -> None:
    """Append the lines of a stream as they come, and print them to the log."""
    for line in stream:  # type: ignore[attr-defined]
        lines.append(line.rstrip())
        print(lines[-1], file=sys.stderr, flush=True)


def _run_command(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output goes to the log too."""
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONFAULTHANDLER": "1"},  # where a crash happened
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    print(done.stdout, file=sys.stderr, flush=True)
    return done


def _get_last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _parse_device(doctor: str) -> str:
    """What the doctor reports about the device."""
    found = re.search(r"the network runs on \w+", doctor)
    return found[0] if found else "all is there"


def _format_python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def report(event: Event) -> None:
    print(to_line(event), flush=True)


def main(arguments: list[str]) -> None:
    source, what, *rest = arguments
    try:
        if what == "setup":
            folder, build, constraints, wheels = rest
            set_up_engine(Path(source), Path(folder), build, Path(constraints), Path(wheels) if wheels else None)
        else:
            check_engine(Path(rest[0]), rest[1])
    except InstallError as error:
        report(Failed(str(error)))
        sys.exit(1)
    report(Done({}))


if __name__ == "__main__":
    main(sys.argv[1:])
