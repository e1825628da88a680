"""Make dist/: the stc_core wheel, with the weights and MediaPipe's models inside. Run: python build.py"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def build_wheel(dist: Path) -> Path:
    """Build the wheel anew; returns its path. A failing build raises CalledProcessError after pip's own words."""
    shutil.rmtree(HERE / "build", ignore_errors=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(dist), str(HERE)]
    subprocess.run(command, check=True)
    return max(dist.glob("stc_mocap-*.whl"), key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    print(build_wheel(HERE / "dist"))
