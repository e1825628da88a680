# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as Blender takes it: valid, installed from the zip, enabled, disabled without a trace."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stc_core

bpy = pytest.importorskip("bpy")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    built = subprocess.run([sys.executable, ROOT / "build.py", dist], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return dist / f"stc_mocap-{stc_core.__version__}.zip"


@pytest.fixture(scope="module")
def life(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What install_extension.py found in a fresh bpy that knows nothing of this repository."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BLENDER"))}
    environment = kept | {"BLENDER_USER_RESOURCES": str(home), "HOME": str(home)}
    script = Path(__file__).with_name("install_extension.py")
    command = [sys.executable, "-P", script, extension]
    process = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return json.loads(process.stdout.splitlines()[-1]) | {"home": str(home), "said": process.stdout + process.stderr}


def test_blenders_own_checker_accepts_it(extension: Path) -> None:
    checker = Path(bpy.__file__).parents[2] / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    command = [sys.executable, checker, "validate", extension]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0 and "Success" in process.stdout, process.stdout + process.stderr


def test_it_installs_and_enables_and_brings_its_own_core(life: dict[str, Any]) -> None:
    assert life["enabled"] and life["version"] == stc_core.__version__
    assert life["core"].startswith(life["home"])
    assert {"stc_core.motion.motion", "stc_core.motion.retarget.retarget"} <= set(life["rooms"])
    assert {"capture", "cancel", "import_motion", "setup_engine", "check_engine"} <= set(life["operators"])
    assert life["panels"]
    assert "Traceback" not in life["said"] and "rror:" not in life["said"].replace(life["set_up"].strip(), "")


def test_enable_disable_enable_leaves_nothing_behind(life: dict[str, Any]) -> None:
    assert life["timers"], "no timer was seen: then none can be missed either"
    assert life["left"] == {} and life["again"] == {} and life["left_again"] == {}


def test_it_works_without_online_access_and_says_what_needs_it(life: dict[str, Any]) -> None:
    assert not life["online"] and "no online access" in life["set_up"]


def test_what_is_the_users_lies_in_the_extensions_user_folder(life: dict[str, Any]) -> None:
    assert life["user_folder"] == str(Path(life["home"]) / "extensions" / ".user" / "user_default" / "stc_mocap")


def test_the_engine_is_made_from_the_wheel_that_came_with_it(life: dict[str, Any]) -> None:
    wheel = Path(life["source"])
    assert wheel.is_file() and wheel.suffix == ".whl" and life["home"] in str(wheel)
    assert (wheel.parents[1] / "constraints.txt").is_file()


def test_nothing_heavy_enters_blender(life: dict[str, Any]) -> None:
    assert life["heavy"] == []
