"""Commands that moved still run under their former names."""

import subprocess
import sys

import pytest

from stc_core.datasets import prepare
from stc_core.evaluation import evaluate
from stc_core.training import evaluate as former_evaluate
from stc_core.training import prepare as former_prepare


def test_the_former_modules_are_the_new_ones() -> None:
    assert vars(former_prepare)["main"] is prepare.main and vars(former_evaluate)["main"] is evaluate.main


@pytest.mark.parametrize("name", ["prepare", "evaluate"])
def test_the_former_commands_run(name: str) -> None:
    command = [sys.executable, "-m", f"stc_core.training.{name}", "--help"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0 and "usage:" in process.stdout, process.stderr
