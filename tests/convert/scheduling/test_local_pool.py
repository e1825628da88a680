"""Whatever happens to a worker, the rest goes on, and what stands in the end are the bytes of an undisturbed run."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stc_core.convert.scheduling import local_pool
from stc_core.convert.scheduling.policy import RunConfig, RunSummary
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import FOLDER
from stc_core.errors import UserError
from tests.convert.fake_conversion import convert, make_tasks

ROOT = Path(__file__).resolve().parents[3]
KILLS = 10
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


def folder_of(folder: Path, **texts: str) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.mp4").write_text(text)
    return folder


def results(out: Path) -> dict[str, bytes]:
    """Every file that a user would take for a result."""
    files = [path for path in out.rglob("*") if path.is_file() and FOLDER not in path.parts]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def states(folder: Path, out: Path) -> dict[str, str]:
    return {clip.name: LocalStore(clip.out).load(clip).state for clip in make_tasks(folder, out)}


@pytest.fixture(scope="module")
def unlucky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, RunSummary, dict[str, str]]:
    """A folder with every mishap, converted by two workers."""
    base = tmp_path_factory.mktemp("unlucky")
    texts = {"bad": "bad", "crash": "crash", "exit": "exit", "full": "full once", "grow": "grow", "hang": "hang once"}
    folder = folder_of(base / "in", **texts, once="crash once", ours="raise", well="well", whole="well")
    summary = convert(folder, base / "out", RunConfig(workers=2, stall_s=0.7))
    return folder, base / "out", summary, dict(summary.failed)


def test_the_rest_goes_on(unlucky: tuple[Path, Path, RunSummary, dict[str, str]]) -> None:
    folder, out, summary, failed = unlucky
    fine = {"hang", "once", "well", "whole"}
    assert set(failed) == {"bad", "crash", "exit", "full", "grow", "ours"} and summary.converted == len(fine)
    assert set(results(out)) == {f"{name}.{kind}" for name in fine for kind in ("npz", "bvh")}
    assert {name for name, state in states(folder, out).items() if state == "done"} == fine


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bad", "It shows nobody. Choose another."),
        ("crash", "crashed the worker (SIGSEGV), twice"),
        ("exit", "a library's last sigh"),
        ("exit", "(exit code 3), twice"),
        ("full", "The disk is full. Make room"),
        ("grow", "grow.mp4 changed while it was read"),
        ("ours", "ZeroDivisionError: our own mistake"),
    ],
)
def test_each_failure_says_why(unlucky: tuple[Path, Path, RunSummary, dict[str, str]], name: str, why: str) -> None:
    folder, out, _, failed = unlucky
    assert why in failed[name]
    (clip,) = [clip for clip in make_tasks(folder, out) if clip.name == name]
    assert LocalStore(clip.out).load(clip).error == failed[name]


def test_the_next_run_finishes_what_the_machine_was_at_fault_for(
    unlucky: tuple[Path, Path, RunSummary, dict[str, str]],
) -> None:
    folder, out, *_ = unlucky
    summary = convert(folder, out)
    assert {name for name, _ in summary.failed} == {"bad", "crash", "exit", "ours"}
    assert (summary.converted, summary.done_before) == (2, 4)  # the disk has room, the file is whole
    (folder / "bad.mp4").write_text("well, it was mended")
    summary = convert(folder, out)
    assert {name for name, _ in summary.failed} == {"crash", "exit", "ours"} and summary.converted == 1
    again = convert(folder, out, RunConfig(workers=1, retry=True))
    assert {name for name, _ in again.failed} == {"crash", "exit", "ours"} and again.done_before == 7


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on data is Linux's")
@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="CUDA's workers are not limited")
def test_a_clip_that_takes_all_memory_fails_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", gorge="gorge", well="well")
    summary = convert(folder, tmp_path / "out", RunConfig(workers=1))
    ((name, why),) = summary.failed
    assert name == "gorge" and "memory" in why.lower() and summary.converted == 1


def test_a_hanging_worker_is_killed_twice_and_no_more(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", hang="hang", well="well")
    summary = convert(folder, tmp_path / "out", RunConfig(workers=1, stall_s=0.5))
    ((name, why),) = summary.failed
    assert name == "hang" and "no progress for 0.5 s, twice" in why and summary.converted == 1
    assert len((tmp_path / "pids").read_text().split()) == 2 + 2  # twice the bad one; the good one's motion and BVH


def test_a_worker_that_dies_between_two_clips_is_replaced(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", one="die when done", two="die when done", well="well")
    summary = convert(folder, tmp_path / "out", RunConfig(workers=1))
    assert (summary.converted, summary.failed) == (3, ()) and len(results(tmp_path / "out")) == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_the_network_has_one_thread_whatever_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    convert(folder_of(tmp_path / "in", one="well", two="well"), tmp_path / "out", RunConfig(workers=workers))
    assert {line.split()[2] for line in (tmp_path / "who").read_text().splitlines()} == {"1"}


def start(folder: Path, out: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.convert.fake_conversion", str(folder), str(out), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)


def finish(folder: Path, out: Path) -> None:
    with start(folder, out, "--retry") as last:
        last.communicate(timeout=60)
    assert last.returncode == 0


def alive(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def undisturbed_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    base = tmp_path_factory.mktemp("undisturbed")
    folder = folder_of(base / "in", **{f"clip{number}": f"text {number}" * number for number in range(8)})
    summary = convert(folder, base / "out", RunConfig(workers=1))
    assert summary.converted == 8
    return folder, results(base / "out")


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_moment_the_next_run_ends_with_the_same_bytes(
    undisturbed_run: tuple[Path, dict[str, bytes]], tmp_path: Path, seed: int
) -> None:
    folder, expected = undisturbed_run
    rng, out = random.Random(seed), tmp_path / "out"
    with start(folder, out) as process:
        assert process.stdout is not None and process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.8))
        if seed % 2:
            kill(process.pid)
        elif (tmp_path / "pids").exists():
            kill(int((tmp_path / "pids").read_text().split()[-1]))
        process.communicate(timeout=60)
    assert results(out).items() <= expected.items()
    finish(folder, out)
    assert results(out) == expected
    assert not any((out / FOLDER / "work").iterdir())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_no_worker_outlives_a_killed_run(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", hang="hang", also="hang")
    with start(folder, tmp_path / "out") as process:
        met = wait_for(lambda: len(list(tmp_path.glob("met-*"))) == 2)
        kill(process.pid)
    pids = list(map(int, (tmp_path / "pids").read_text().split()))
    assert met and len(pids) == 2 and wait_for(lambda: not any(map(alive, pids)))


def wait_for(done: Callable[[], bool], longest_s: float = 20.0) -> bool:
    until = time.monotonic() + longest_s
    while not done() and time.monotonic() < until:
        time.sleep(0.05)
    return done()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT interrupts, also where who started the tests has it ignored, as a shell does with jobs behind it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_cancellation_waits_until_a_worker_has_started(interruptible: None) -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with local_pool._defer_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            steps.append("started")
        steps.append("and went on")
    assert steps == ["started"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_two_runs_do_not_mix(tmp_path: Path) -> None:
    with (
        LocalStore(tmp_path).lock(),
        pytest.raises(UserError, match="Another run is converting into"),
        LocalStore(tmp_path).lock(),
    ):
        pass
    with LocalStore(tmp_path).lock():
        pass
