# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's Python: found where it may lie, made whole or not at all, and asked how it is."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

import stc_core
from blender_addon import paths
from blender_addon.engine import engine, install
from blender_addon.jobs import process
from blender_addon.jobs.job import Job
from blender_addon.jobs.status import Status
from stc_core.errors import UserError
from tests.blender_addon import fake_engine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the made engine is a shell script")


def wait(job: Job, seconds: float = 120.0) -> Status:
    end = time.monotonic() + seconds
    while not (status := job.poll()).is_over:
        assert time.monotonic() < end, status
        time.sleep(0.05)
    return status


def make_environment(user_folder: Path, name: str, whole: bool = True) -> Path:
    """A folder as set-up leaves it: an environment with a Python and, where it was finished, the marker."""
    python = user_folder / "engine" / name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    if whole:
        (python.parents[1] / engine.MARKER).write_text("{}")
    return python


@pytest.fixture
def no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "find_checkout", lambda: None)


def test_the_preferred_engine_comes_first_as_a_python_or_its_folder(tmp_path: Path) -> None:
    mine, _ = make_environment(tmp_path / "mine", "1"), make_environment(tmp_path / "user", "1")
    assert engine.find_python(str(mine), tmp_path / "user") == mine
    assert engine.find_python(f" {mine.parents[1]} ", tmp_path / "user") == mine
    assert engine.find_python(str(tmp_path / "gone"), tmp_path / "user") is None  # not silently another one


def test_an_environments_python_is_not_followed_to_its_base(tmp_path: Path) -> None:
    assert engine.find_python("", tmp_path) != Path(sys.executable).resolve()
    python = make_environment(tmp_path, "1")
    assert engine.find_python("", tmp_path) == python and python.is_symlink()


@pytest.mark.usefixtures("no_checkout")
def test_the_newest_whole_environment_is_taken_never_a_half_one(tmp_path: Path) -> None:
    assert engine.find_python("", tmp_path) is None
    old, new = make_environment(tmp_path, "1"), make_environment(tmp_path, "2")
    make_environment(tmp_path, "3", whole=False)
    os.utime(old.parents[1] / engine.MARKER, (1, 1))
    assert engine.find_python("", tmp_path) == new
    new.unlink()
    assert engine.find_python("", tmp_path) == old


def test_a_checkouts_own_environment_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "find_checkout", lambda: tmp_path / "repository")
    python = tmp_path / "repository" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert engine.find_python("", tmp_path) == python
    assert engine.find_python("", tmp_path) != make_environment(tmp_path, "1") == engine.find_python("", tmp_path)


@pytest.mark.usefixtures("no_checkout")
def test_no_engine_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no engine yet.*Set up engine"):
        engine.require_python("", tmp_path)
    with pytest.raises(UserError, match="no Python at /gone/python"):
        engine.require_python("/gone/python", tmp_path)


def test_a_base_python_is_one_the_engine_can_run_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.find_base_python(sys.executable) == Path(sys.executable)
    found = engine.find_base_python()
    version = subprocess.run([found, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
    assert eval(version.stdout) in engine.PYTHONS
    monkeypatch.setattr(sys, "executable", "/usr/bin/blender")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"No Python from 3\.10 to 3\.13"):
        engine.find_base_python()


def test_without_online_access_a_folder_of_wheels_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no online access"):
        engine.start_setup(sys.executable, tmp_path, "cpu", None, online=False)
    with pytest.raises(UserError, match=r"wheels .*nowhere is not there"):
        engine.start_setup(sys.executable, tmp_path, "cpu", tmp_path / "nowhere", online=False)
    assert not list(tmp_path.iterdir())


def test_a_set_up_that_lacks_a_wheel_says_which_and_leaves_no_engine(tmp_path: Path) -> None:
    """The whole way with venv and pip, but an empty folder of wheels."""
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels")
    began = time.perf_counter()
    job = start_setup_of_wheel(tmp_path)
    assert time.perf_counter() - began < 0.1
    with pytest.raises(UserError, match="being set up already"):
        engine.start_setup(sys.executable, tmp_path, "cpu", tmp_path / "wheels", online=False)
    status = wait(job)
    assert status.state == "failed" and "missing-library" in status.error, status
    assert "folder of wheels" in status.error and "\n" not in status.error
    assert not list((tmp_path / "engine").iterdir())


def start_setup_of_wheel(tmp_path: Path) -> Job:
    """A set-up whose source is the made wheel: as an installed extension does it."""
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        source = next((tmp_path / "wheels").glob("*.whl")), fake_engine.ROOT / "constraints.txt"
        context.setattr(engine, "_locate_source", lambda: source)
        context.setattr(paths, "find_checkout", lambda: None)
        return engine.start_setup(sys.executable, tmp_path, "cpu", tmp_path / "wheels", online=False)


def make_wheel(folder: Path, needs: str = "missing-library") -> Path:
    """A wheel of ours without weights and networks, whose only need cannot be met; with a doctor who is content."""
    path = folder / "stc_mocap-0.1.0-py3-none-any.whl"
    info = "stc_mocap-0.1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: stc-mocap\nVersion: 0.1.0\nProvides-Extra: capture\n"
    metadata += f"Requires-Dist: {needs}; extra == 'capture'\n" if needs else ""
    files = {
        f"stc_core/{name}.py": (fake_engine.ROOT / f"stc_core/{name}.py").read_text()
        for name in ("errors", "events", "plain_values")
    }
    files |= {"stc_core/__init__.py": "__version__ = '0.1.0'\n"}
    files |= {"stc_core/__main__.py": "print('ok       the network runs on cpu')\nprint('All is ready.')\n"}
    files |= {f"{info}/METADATA": metadata, f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n"}
    files |= {f"{info}/RECORD": "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_set_up_makes_an_engine_that_is_found_and_the_next_clears_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", needs="")
    make_environment(tmp_path, "half", whole=False)
    status = wait(start_setup_of_wheel(tmp_path))
    assert status.state == "done", (status.error, status.log_tail)
    monkeypatch.setattr(paths, "find_checkout", lambda: None)
    python = engine.find_python("", tmp_path)
    assert python == tmp_path / "engine" / "environment" / "bin" / "python"
    assert [path.name for path in (tmp_path / "engine").iterdir()] == ["environment"]
    marker = json.loads((python.parents[1] / engine.MARKER).read_text())
    assert marker["version"] == "0.1.0" and marker["build"] == "cpu"
    assert [job.poll().state for job in engine.find_setups(tmp_path)] == ["done"]


def test_an_interrupted_set_up_is_not_taken_for_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", needs="")
    job = start_setup_of_wheel(tmp_path)
    place = Path(job.request["folder"])
    while not (place / "bin" / "python").exists():
        time.sleep(0.02)
    process.kill(json.loads((job.folder / "job.json").read_text())["pid"])
    assert wait(job).state == "failed"
    monkeypatch.setattr(paths, "find_checkout", lambda: None)
    assert (place / "bin" / "python").exists() and engine.find_python("", tmp_path) is None


def test_a_check_is_one_sentence(tmp_path: Path) -> None:
    status = wait(engine.start_check(fake_engine.make_engine(tmp_path), tmp_path / "checks"))
    assert status.state == "done", status
    assert (
        engine.get_check_message(status)
        == f"The engine is ready: version {stc_core.__version__}, the network runs on cpu."
    )


def test_a_check_says_that_versions_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stc_core, "__version__", "9.9.9")
    status = wait(engine.start_check(fake_engine.make_engine(tmp_path), tmp_path / "checks"))
    assert status.state == "failed" and "the add-on of version 9.9.9" in engine.get_check_message(status)


@pytest.mark.usefixtures("no_checkout")
def test_a_check_of_a_python_without_engine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_locate_source", lambda: (fake_engine.ROOT, fake_engine.ROOT / "constraints.txt"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    bare = tmp_path / "bare" / "bin" / "python"
    job = engine.start_check(bare, tmp_path / "checks")
    assert f"STC Mocap is not installed in {bare}." in engine.get_check_message(wait(job))
    assert wait(engine.start_check(bare, tmp_path / "checks")).state == "failed"
    assert len(list((tmp_path / "checks").iterdir())) == 1  # they do not pile up


def test_a_check_names_what_is_missing(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nif [ "$2" = stc_core ]; then echo "MISSING  torch cannot be imported."; exit 1; fi\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    status = wait(engine.start_check(python, tmp_path / "checks"))
    assert engine.get_check_message(status) == "torch cannot be imported."


def test_a_check_of_an_engine_that_crashes_says_where_and_what_to_do(tmp_path: Path) -> None:
    library = tmp_path / "site-packages" / "torch"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    doctor = f"print('ok       numpy 1.26'); import sys; sys.path.insert(0, {str(library.parent)!r}); import torch"
    python = tmp_path / "python"
    shell = f'#!/bin/sh\nif [ "$2" = stc_core ]; then exec "{sys.executable}" -c "{doctor}"; fi\n'
    python.write_text(f'{shell}exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    sentence = engine.get_check_message(wait(engine.start_check(python, tmp_path / "checks")))
    assert sentence.startswith("The engine crashes in torch. Set up the engine again")


def test_a_doctors_end_becomes_one_sentence_with_a_remedy() -> None:
    assert install.explain_check(1, "ok  a\nMISSING  torch cannot be imported.\n") == "torch cannot be imported."
    assert install.explain_check(-4, "ok       numpy 1.26\n").startswith("The engine crashes after: numpy 1.26. Set up")
    assert install.explain_check(-6, "").startswith("The engine crashes at its start. Set up")
    assert "No module named x" in install.explain_check(1, "Traceback\nModuleNotFoundError: No module named x\n")


def test_the_builds_differ_by_pytorchs_index_and_a_folder_keeps_pip_offline() -> None:
    source, constraints = Path("s.whl"), Path("constraints.txt")
    online = {build: install.make_pip_args(source, build, constraints, None) for build in engine.BUILDS}
    assert "https://download.pytorch.org/whl/cpu" in online["cpu"] and "--no-index" not in online["cpu"]
    assert any("/whl/cu" in word for word in online["cuda"]) and online["cuda"][-1] == "s.whl[capture]"
    offline = install.make_pip_args(source, "cpu", constraints, Path("wheels"))
    assert "--no-index" in offline and not any("://" in word for word in offline)


def test_the_tested_versions_are_kept_where_a_python_has_them() -> None:
    tested = "# a comment\ntorch==2.13.0\nnumpy==1.26.4\n"
    assert install.select_pins(tested, (3, 11)) == "torch==2.13.0\nnumpy==1.26.4"
    assert install.select_pins(tested, (3, 13)) == "torch==2.13.0"
    assert install.select_pins(tested, (3, 10)) == ""
    ours = (fake_engine.ROOT / "constraints.txt").read_text()
    assert {"torch", "mediapipe"} <= {
        line.partition("==")[0] for line in install.select_pins(ours, (3, 13)).splitlines()
    }


def test_pips_own_words_become_megabytes_and_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(bytes(2_000_000))
    assert install.parse_megabytes("  Downloading torch-2.13.0-cp311.whl (187.5 MB)") == 187.5
    assert install.parse_megabytes("  Using cached tqdm-4.whl.metadata (500 kB)") == 0.5
    assert install.parse_megabytes(f"Processing {tmp_path / 'a.whl'}") == pytest.approx(2.0)
    assert install.parse_megabytes("Collecting torch") == 0.0
    lost = ["WARNING: Retrying … NewConnectionError('…: Temporary failure in name resolution')", "ERROR: No matching …"]
    assert "index cannot be reached" in install.explain_failure(lost)
    assert "disk is full" in install.explain_failure(["ERROR: Could not install: [Errno 28] No space left on device"])
    assert install.explain_failure(["ERROR: something else"]).endswith("something else")
