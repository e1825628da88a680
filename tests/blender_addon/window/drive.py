"""The add-on clicked by a real mouse in a Blender with windows, from the built zip to the figure over the video:

    python -m tests.blender_addon.window.drive --out DIR

Builds the extension, installs it into an empty Blender, captures the sample with a real engine, and leaves pictures and
`report.json` in DIR. Fails where anything on the way does. Not part of the gate: it needs a Linux machine with the
project's windowed-Blender scripts (`--gui`), root for them, and some five minutes. Knows how the three parts are
started: build.py here, stage.py in Blender, hands.py beside it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import build

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SHARED = ROOT.parent / "shared"
VIDEO = ROOT / "tests" / "truth" / "sample.mp4"
RIG = SHARED / "rigs" / "mpfb_game_engine.blend"
SECONDS = 900


def build_zip(folder: Path) -> Path:
    """The extension, built anew."""
    folder.mkdir()
    return build.build_extension(folder, build.build_wheel(folder))


def copy_files(folder: Path, *paths: Path) -> list[str]:
    """Copies in a folder that Blender sees, by name; "" for what is not there."""
    made = []
    for path in paths:
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
        made.append(str(folder / path.name) if path.is_file() else "")
    return made


def list_engine_folders(engine: Path) -> str:
    """The engine's folders, to be bound: its environment, its packages and the Python that it was made of."""
    asked = "import sys, stc_core; print(sys.prefix, sys.base_prefix, *sys.path, sep=':')"
    answer = subprocess.run([engine, "-I", "-c", asked], capture_output=True, text=True)
    if answer.returncode:
        sys.exit(f"{engine} has no STC Mocap installed; choose another by --engine.")
    return answer.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the pictures go")
    parser.add_argument("--engine", type=Path, default=Path(sys.executable), help="a Python with STC Mocap in it")
    parser.add_argument("--gui", type=Path, default=SHARED / "blender-gui", help="the folder of setup.sh and run.sh")
    parser.add_argument("--suite", default="sid", help="which Blender: sid 5.2, trixie 4.3")
    parser.add_argument("--rig", type=Path, default=RIG, help="a blend file with a rig; without it one is created")
    chosen = parser.parse_args()
    inside = list_engine_folders(chosen.engine.absolute())
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stc-window-") as name:
        folder, engine = Path(name), chosen.engine.absolute()
        archive = build_zip(folder / "dist")
        files = copy_files(folder, VIDEO, chosen.rig)
        (folder / "notes.mp4").write_text("This is no video, whatever its name says.")
        driver = folder / "driver.sh"
        driver.write_text(f"python3 {shlex.join(map(str, (HERE / 'hands.py', folder, chosen.out.absolute())))}\n")
        # /sys: MediaPipe counts the processors there, and aborts where it cannot
        environment = os.environ | {
            "BLENDER_GUI_BIND": f"/sys:{inside}:{chosen.out.absolute()}:{folder}",
            "BLENDER_GUI_LOG": str(folder / "blender.log"),
            "BLENDER_GUI_SECONDS": os.environ.get("BLENDER_GUI_SECONDS", str(SECONDS)),
            "BLENDER_USER_RESOURCES": str(folder / "user"),
        }
        words = ["--factory-startup", "--python", HERE / "stage.py", "--", folder, archive, engine, *files]
        run = ["bash", chosen.gui / "run.sh", chosen.suite, driver, *words]
        code = subprocess.run([str(word) for word in run], env=environment, cwd=ROOT).returncode
        said = (folder / "blender.log").read_text(errors="replace")
        if "Traceback" in said or code:
            print(said[-4000:], *(log.read_text(errors="replace")[-4000:] for log in folder.rglob("job.log")), sep="\n")
            code = code or 1
    print(f"The pictures are in {chosen.out}." if code == 0 else "It failed.")
    return code


if __name__ == "__main__":
    sys.exit(main())
