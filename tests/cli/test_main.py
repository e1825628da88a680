"""The command line whatever the command: wrong flags, the doctor, names that are no UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.commands import SAMPLE, run


def test_wrong_flags_are_exit_code_2(tmp_path: Path) -> None:
    assert run("capture", SAMPLE, "--out", tmp_path, "--no-such-flag").returncode == 2
    assert run("dance").returncode == 2


def test_the_doctor_finds_this_environment_fit() -> None:
    process = run("doctor")
    assert process.returncode == 0, process.stdout
    assert "All is ready." in process.stdout


def test_names_that_are_no_utf_8_are_printed_as_they_are() -> None:
    code = "from stc_core.cli.main import print_any_name; print_any_name(); print('G\\udce4nge')"
    env = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], env=env, capture_output=True
    )
    assert done.stdout.strip() == b"G\xe4nge"
