"""Make dist/: the stc_core wheel, with the weights and MediaPipe's models inside, and the Blender extension that
carries it. Run: python build.py [FOLDER]. The same sources make the same bytes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import stc_core

HERE = Path(__file__).resolve().parent
ADDON = HERE / "blender_addon"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""the zip format's first day, for every file: when it was built is nobody's concern"""


def build_wheel(dist: Path) -> Path:
    """Build the wheel anew; returns its path. A failing build raises CalledProcessError after pip's own words."""
    shutil.rmtree(HERE / "build", ignore_errors=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(dist), str(HERE)]
    subprocess.run(command, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": "315532800"})
    return dist / f"stc_mocap-{stc_core.__version__}-py3-none-any.whl"


def build_extension(dist: Path, wheel: Path) -> Path:
    """Pack the add-on with the wheel, the versions the engine was tested with and the licences; returns its path."""
    path = dist / f"stc_mocap-{stc_core.__version__}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in sorted(_contents(wheel).items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            kind = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compress_type=kind, compresslevel=9)
    return path


def manifest(wheel_name: str) -> str:
    """The add-on's manifest with our version and the wheel's place."""
    text = (ADDON / "blender_manifest.toml").read_text(encoding="utf-8")
    text, versions = re.subn(r"^version = .*$", f'version = "{stc_core.__version__}"', text, flags=re.MULTILINE)
    text, wheels = re.subn(r"^wheels = .*$", f'wheels = ["./wheels/{wheel_name}"]', text, flags=re.MULTILINE)
    assert versions == wheels == 1
    return text


def _contents(wheel: Path) -> dict[str, bytes]:
    files = [(path.relative_to(ADDON).as_posix(), path) for path in ADDON.rglob("*.py")]
    files += [(name, HERE / name) for name in ("LICENSE", "constraints.txt")]
    files += [(f"LICENSES/{path.name}", path) for path in (HERE / "LICENSES").glob("*.txt")]
    files += [("LICENSES/mediapipe-models.txt", HERE / "weights" / "LICENSE-mediapipe-models.txt")]
    contents = {name: path.read_bytes() for name, path in [*files, (f"wheels/{wheel.name}", wheel)]}
    return contents | {"blender_manifest.toml": manifest(wheel.name).encode()}


def main(dist: Path) -> None:
    dist.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(dist)
    print(wheel, build_extension(dist, wheel), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE / "dist")
