# SPDX-License-Identifier: GPL-3.0-or-later
"""A script that makes an engine's environment, or checks one; run in another Python, never imported by Blender.

    python install.py SOURCE setup FOLDER BUILD CONSTRAINTS WHEELS    WHEELS "" : from the package index
    python install.py SOURCE check PYTHON VERSION

SOURCE is our wheel or our repository: what is installed, and where the events come from. Knows venv and pip and tells
how they get on in events; needs nothing but a bare Python.
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
"""written last into an environment: one without it was never finished"""
PYTHONS = ((3, 10), (3, 13))
"""the oldest and the newest Python that an engine runs in"""
PINNED = (3, 11)
"""the Python that constraints.txt was tested with"""
PER_PYTHON = {"numpy", "scipy", "networkx", "contourpy", "matplotlib", "kiwisolver"}
"""libraries whose versions there do not exist for newer Pythons"""
INDEXES = {
    "cpu": ("https://download.pytorch.org/whl/cpu",),
    "cuda": ("https://download.pytorch.org/whl/cu128", "https://download.pytorch.org/whl/cu126"),
}
"""where PyTorch keeps its builds; a version that is not there comes from the package index, as that has it"""

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


class Stop(Exception):
    """The work cannot go on: the sentence for the user."""


def setup(source: Path, folder: Path, build: str, constraints: Path, wheels: Path | None) -> None:
    """Make an environment in a new folder and install the engine into it; the marker says that it is whole."""
    clear(folder.parent)
    try:
        _make(folder)
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        _install(python, source, build, constraints, wheels)
        record = {"version": check(python, "", build), "build": build, "python": _version()}
    except Stop:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / MARKER).write_text(json.dumps(record), encoding="utf-8")


def clear(engines: Path) -> None:
    """Take away what unfinished set-ups left, and engines older than the newest (which may be at work)."""
    whole = sorted(engines.glob(f"*/{MARKER}"), key=lambda path: path.stat().st_mtime)
    for folder in engines.glob("*"):
        if folder not in [path.parent for path in whole[-1:]]:
            shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path) -> None:
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise Stop(f"Python {_version()} cannot run the engine. Choose one from 3.10 to 3.13 in the preferences.")
    tell(Progress("environment", 0, 1))
    made = _run([sys.executable, "-m", "venv", str(folder)])
    if made.returncode:
        raise Stop(f"{sys.executable} cannot make an environment. {_last_line(made.stdout)}".strip())
    tell(Progress("environment", 1, 1))


def check(python: Path, wanted: str, build: str = "cpu") -> str:
    """Let an engine look at itself; returns its version. Raises Stop with its sentence where something is missing, or
    where it is of another version than wanted ("": any)."""
    tell(Progress("check", 0, 2))
    version = _run([str(python), "-c", "import stc_core; print(stc_core.__version__)"])
    if version.returncode:
        raise Stop(f"STC Mocap is not installed in {python}. Set up the engine, or choose another Python.")
    tell(Progress("check", 1, 2))
    doctor = _run([str(python), "-m", "stc_core", "doctor"])
    if doctor.returncode:
        missing = [line.split(maxsplit=1)[1] for line in doctor.stdout.splitlines() if line.startswith("MISSING")]
        raise Stop(missing[0] if missing else f"The engine cannot be checked. {_last_line(doctor.stdout)}")
    tell(Progress("check", 2, 2))
    found = version.stdout.split()[-1]
    if wanted and found != wanted:
        raise Stop(f"The engine is of version {found}, the add-on of version {wanted}. Set up the engine again.")
    device = _device(doctor.stdout)
    if build == "cuda" and "cuda" not in device:
        tell(Note("PyTorch finds no NVIDIA card here, or has no CUDA build for this system."))
    tell(Note(f"The engine is ready: version {found}, {device}."))
    return found


def pip_words(source: Path, build: str, constraints: Path, wheels: Path | None) -> list[str]:
    """The words after `pip`: from the package index and PyTorch's own for the build, or from a folder of wheels."""
    words = [
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--no-warn-script-location",
    ]
    words += ["-c", str(constraints)]
    if wheels is None:
        words += [word for index in INDEXES[build] for word in ("--extra-index-url", index)]
    else:
        words += ["--no-index", "--find-links", str(wheels)]
    return [*words, f"{source}[capture]"]


def pins(constraints: str, python: tuple[int, int]) -> str:
    """The lines of constraints.txt that can be kept in a Python: all, those not tied to one, or none in an older."""
    lines = [line for line in constraints.splitlines() if "==" in line and not line.startswith("#")]
    free = [line for line in lines if line.partition("==")[0].strip().lower() not in PER_PYTHON]
    return "\n".join(lines if python == PINNED else free if python > PINNED else [])


def _install(python: Path, source: Path, build: str, constraints: Path, wheels: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=python.parents[1]) as scratch:
        kept = Path(scratch, "constraints.txt")
        kept.write_text(pins(constraints.read_text(encoding="utf-8"), sys.version_info[:2]), encoding="utf-8")
        command = [str(python), "-m", "pip", *pip_words(source, build, kept, wheels)]
        env = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch)
        pipe, text = subprocess.PIPE, {"text": True, "encoding": "utf-8", "errors": "replace"}
        with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, env=env, **text) as pip:  # type: ignore[call-overload]
            lines: list[str] = []
            reader = threading.Thread(target=_collect, args=(pip.stdout, lines), daemon=True)
            reader.start()
            show = _Shown(Path(scratch), python.parents[1], _EXPECTED_MB[build])
            while pip.poll() is None:
                show(lines)
                time.sleep(0.5)
            reader.join()
    if pip.returncode:
        raise Stop(reason(lines))


class _Shown:
    """Progress of pip: megabytes that came, of those expected; then packages in place, of those announced."""

    def __init__(self, scratch: Path, environment: Path, expected_mb: float):
        self._scratch, self._environment, self._expected = scratch, environment, expected_mb
        self._began, self._coming = time.monotonic(), 0.0

    def __call__(self, lines: list[str]) -> None:
        packages = [line for line in list(lines) if line.startswith("Installing collected packages:")]
        if packages:
            placed = sum(1 for _ in self._environment.glob("**/site-packages/*.dist-info"))
            total = packages[0].count(",") + 1
            tell(Progress("install", min(placed, total), total))
        else:
            self._download([megabytes(line) for line in list(lines)])

    def _download(self, sizes: list[float]) -> None:
        """All that was announced but the newest, which is measured while it comes."""
        announced = sum(sizes)
        newest = next((size for size in reversed(sizes) if size), 0.0)
        done = announced - newest + min(newest, _largest_mb(self._scratch))
        total = max(self._expected, announced)
        rate = done / max(time.monotonic() - self._began, 1e-3)
        left = round((total - done) / rate, 1) if done else None
        tell(Progress("download", int(done), int(total), round(rate, 2), left))


def megabytes(line: str) -> float:
    """The size that a line of pip announces: of a download, or of a wheel in a folder; else 0."""
    if found := _SIZE.search(line):
        return float(found[1]) * _UNITS[found[2]]
    path = Path(line.removeprefix("Processing ").strip())
    return path.stat().st_size * 1e-6 if line.startswith("Processing ") and path.is_file() else 0.0


def reason(lines: list[str]) -> str:
    """One sentence for pip's failure."""
    text = "\n".join(lines)
    for pattern, sentence in _REASONS:
        if re.search(pattern, text, re.IGNORECASE):
            return sentence
    if found := re.search(r"No matching distribution found for (\S+)", text):
        return f"{found[1]} was not found where packages were looked for. Add it to the folder of wheels, or go online."
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return f"The engine could not be installed. {(errors or lines or [''])[-1]}".strip()


def _largest_mb(folder: Path) -> float:
    """The largest file of a folder that others write to and clear meanwhile."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            largest = max(largest, path.stat().st_size if path.exists() else 0)
    return largest * 1e-6


def _collect(stream: object, lines: list[str]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        lines.append(line.rstrip())
        print(lines[-1], file=sys.stderr, flush=True)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run to the end; what it says goes to the log too."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", check=False
    )
    print(done.stdout, file=sys.stderr, flush=True)
    return done


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _device(doctor: str) -> str:
    """What the doctor says of the device, for the one sentence."""
    found = re.search(r"the network runs on \w+", doctor)
    return found[0] if found else "all is there"


def _version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def tell(event: Event) -> None:
    print(to_line(event), flush=True)


def main(arguments: list[str]) -> None:
    source, what, *rest = arguments
    try:
        if what == "setup":
            folder, build, constraints, wheels = rest
            setup(Path(source), Path(folder), build, Path(constraints), Path(wheels) if wheels else None)
        else:
            check(Path(rest[0]), rest[1])
    except Stop as stop:
        tell(Failed(str(stop)))
        sys.exit(1)
    tell(Done({}))


if __name__ == "__main__":
    main(sys.argv[1:])
