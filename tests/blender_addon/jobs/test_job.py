# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs with a real process that behaves well, badly and worse: what is shown, what is kept, what is ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from blender_addon import paths
from blender_addon.jobs import job as job_module
from blender_addon.jobs import process
from blender_addon.jobs import status as status_module
from blender_addon.jobs.capture import CAPTURE_STAGES, CaptureRequest, start_capture
from blender_addon.jobs.job import Job, find_jobs
from blender_addon.jobs.status import Status, compute_overall_progress
from stc_core.errors import UserError
from stc_core.events import Progress
from tests.blender_addon import fake_engine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the made engine is a shell script")


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Starts a capture by an engine that behaves as told; ends all of them at last."""
    jobs: list[Job] = []

    def start(mode: str, **changes: Any) -> Job:
        request = CaptureRequest(video=fake_engine.make_video(tmp_path, mode), **changes)
        jobs.append(start_capture(fake_engine.make_engine(tmp_path), request, tmp_path / "jobs"))
        return jobs[-1]

    yield start
    for job in jobs:
        if job._is_alive(now=True):
            process.kill(job._pid)


def read_pid(job: Job) -> int:
    return int(json.loads((job.folder / "job.json").read_text())["pid"])


def wait_until(job: Job, wanted: Callable[[Status], bool], seconds: float = 20.0) -> Status:
    end = time.monotonic() + seconds
    while not wanted(status := job.poll()):
        assert time.monotonic() < end, status
        time.sleep(0.02)
    return status


def wait(job: Job) -> Status:
    return wait_until(job, lambda status: status.is_over)


def reopen(job: Job) -> Job:
    """The job as another Blender finds it."""
    return next(found for found in find_jobs(job.folder.parent) if found.folder == job.folder)


def test_a_capture_ends_with_its_files_notes_and_log(capture: Callable[..., Job]) -> None:
    status = wait(capture("good"))
    assert (status.state, status.fraction, status.error) == ("done", 1.0, "")
    assert {kind: path.name for kind, path in status.files.items()} == {"motion": "good.npz", "raw": "good_raw.npz"}
    assert all(path.is_file() for path in status.files.values())
    assert status.notes == ("The lens is not known: 55° are assumed.",)
    assert status.log_tail == ("the engine's log",)


def test_while_it_runs_the_bar_moves_forward_through_the_stages(capture: Callable[..., Job]) -> None:
    job, seen = capture("slow"), []
    while not (status := job.poll()).is_over:
        seen.append(status)
        time.sleep(0.05)
    stages = list(dict.fromkeys(status.stage for status in seen if status.stage))
    fractions = [status.fraction for status in seen]
    assert stages == ["detect", "lift", "smooth", "ground", "solve"]
    assert fractions == sorted(fractions) and 0 < fractions[len(fractions) // 2] < 1
    assert all(status.state == "running" and not status.error for status in seen)


def test_the_fraction_and_the_time_left_are_those_of_the_whole_work() -> None:
    stages = {"detect": 0.8, "lift": 0.2}
    assert compute_overall_progress(Progress("detect", 50, 100, 5.0, 10.0), stages) == pytest.approx((0.4, 15.0))
    assert compute_overall_progress(Progress("lift", 50, 100, 5.0, 10.0), stages) == pytest.approx((0.9, 10.0))
    assert compute_overall_progress(Progress("detect", 7, 0, 5.0, None), stages) == (0.0, None)
    assert compute_overall_progress(Progress("detect", 100, 100, 5.0, 0.0), stages) == (
        pytest.approx(0.8),
        None,
    )
    assert compute_overall_progress(Progress("detect", 500, 100, 5.0, 0.0), stages)[0] == pytest.approx(0.8)
    followed = compute_overall_progress(
        Progress("follow", 50, 100), CAPTURE_STAGES
    )  # only where there are several people
    assert followed == compute_overall_progress(Progress("lift", 0, 100), CAPTURE_STAGES)


def test_an_error_is_the_engines_own_sentence(capture: Callable[..., Job]) -> None:
    status = wait(capture("fail"))
    assert status.state == "failed"
    assert status.error == status.sentence == "No person was found in fail.mp4. Choose another part of it."


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", ["exit code 1", "IndexError: index 7 is out of bounds"]),
        ("die", ["signal 9 (SIGKILL)", "memory was full", "shorter range", "before the end"]),
        ("crash_natively", ["signal 11 (SIGSEGV)", "Press Check"]),
        ("do_nothing", ["without a result", "exit code 0", "Press Check"]),
        ("lie", ["lie.npz is not in the job's folder"]),
        ("full", ["disk is full"]),
    ],
)
def test_an_engine_that_ends_badly_is_told_with_what_it_last_said(
    capture: Callable[..., Job], mode: str, words: list[str]
) -> None:
    status = wait(capture(mode))
    assert status.state == "failed" and not status.files
    assert all(word in status.error for word in words), status.error
    assert "\n" not in status.error


def test_garbage_on_its_output_does_not_matter(capture: Callable[..., Job]) -> None:
    status = wait(capture("garbage"))
    assert status.state == "done" and status.files["motion"].is_file()
    assert status.notes == ("The lens is not known: 55° are assumed.",)
    assert all(line.isprintable() and len(line) <= 200 for line in status.log_tail)


def test_a_crash_after_the_work_does_not_lose_it(capture: Callable[..., Job]) -> None:
    assert wait(capture("crash_at_exit")).state == "done"


def test_a_torn_last_line_waits_for_its_rest(capture: Callable[..., Job]) -> None:
    job = capture("torn")
    status = wait_until(job, lambda status: status.stage == "detect")
    assert (status.state, status.fraction) == ("running", pytest.approx(0.41))
    with (job.folder / "progress.jsonl").open("a") as file:
        file.write('ne": 30, "total": 40, "rate": 1.0, "seconds_left": null}\n')
    assert job.poll().fraction == pytest.approx(0.615)


def test_a_silent_engine_is_told_and_can_be_cancelled(
    capture: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = capture("hang")
    assert not wait_until(job, lambda status: status.stage == "detect").is_stalled
    monkeypatch.setattr(status_module, "STALLED_S", 0.2)
    status = wait_until(job, lambda status: status.is_stalled)
    assert status.state == "running" and "cancel" in status.sentence and "has been silent for" in status.sentence
    job.cancel()
    assert wait(job).state == "cancelled"


@pytest.mark.parametrize("mode", ["hang", "obey", "slow"])
def test_cancel_ends_the_process_and_is_no_error(capture: Callable[..., Job], mode: str) -> None:
    job = capture(mode)
    wait_until(job, lambda status: status.stage == "detect")
    began = time.perf_counter()
    job.cancel()
    assert time.perf_counter() - began < 0.05
    assert job.poll().state in ("cancelling", "cancelled")
    status = wait(job)
    assert (status.state, status.error) == ("cancelled", "")
    assert process.read_identity(read_pid(job)) == ""
    assert reopen(job).poll().state == "cancelled"


def test_an_engine_that_does_not_listen_is_killed(capture: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "KILL_AFTER_S", 0.5)
    job = capture("deaf")
    wait_until(job, lambda status: status.stage == "detect")
    began = time.monotonic()
    job.cancel()
    assert wait(job).state == "cancelled" and time.monotonic() - began > 0.4
    assert process.read_identity(read_pid(job)) == ""


def test_another_blender_finds_the_job_running_and_can_cancel_it(capture: Callable[..., Job]) -> None:
    job = capture("hang")
    wait_until(job, lambda status: status.stage == "detect")
    other = reopen(job)
    status = wait_until(other, lambda status: status.stage == "detect")
    assert status.state == "running" and other.kind == "capture" and other.request["video"].endswith("hang.mp4")
    other.cancel()
    assert wait(other).state == "cancelled"


def test_closing_blender_loses_nothing(tmp_path: Path) -> None:
    """The one who started it ends (by force) while it runs; the next one finds the result."""
    engine, video = fake_engine.make_engine(tmp_path), fake_engine.make_video(tmp_path, "slow")
    source = (
        "import os; from pathlib import Path; from blender_addon.jobs.capture import CaptureRequest, start_capture; "
        f"request = CaptureRequest(video=Path({str(video)!r})); "
        f"start_capture(Path({str(engine)!r}), request, Path({str(tmp_path / 'jobs')!r})); "
        "os.killpg(0, 9)"
    )
    blender = subprocess.run([sys.executable, "-c", source], cwd=fake_engine.ROOT, start_new_session=True, check=False)
    assert blender.returncode == -signal.SIGKILL
    (job,) = find_jobs(tmp_path / "jobs")
    assert job.poll().state == "running"
    assert wait(job).state == "done" and job.poll().files["motion"].is_file()


@pytest.mark.parametrize(("mode", "state"), [("good", "done"), ("fail", "failed"), ("die", "failed")])
def test_a_job_that_is_over_is_found_as_it_ended(capture: Callable[..., Job], mode: str, state: str) -> None:
    job = capture(mode)
    status, found = wait(job), wait(reopen(job))
    assert found.state == status.state == state
    assert (found.notes, found.files) == (status.notes, status.files) and bool(found.error) == (state == "failed")


def test_a_number_used_again_by_another_process_is_not_taken_for_ours(capture: Callable[..., Job]) -> None:
    job = capture("die")
    wait(job)
    record = json.loads((job.folder / "job.json").read_text()) | {"pid": os.getpid()}
    (job.folder / "job.json").write_text(json.dumps(record))
    found = reopen(job)
    assert process.read_identity(os.getpid()) and found.poll().state == "failed"
    found.cancel()  # and we live on


def test_a_moved_folder_still_holds_its_motion(capture: Callable[..., Job], tmp_path: Path) -> None:
    job = capture("good")
    wait(job)
    shutil.move(job.folder, tmp_path / "elsewhere" / "good")
    (found,) = find_jobs(tmp_path / "elsewhere")
    assert found.poll().files["motion"] == tmp_path / "elsewhere" / "good" / "good.npz"


def test_jobs_are_named_after_the_video_and_never_overwritten(capture: Callable[..., Job]) -> None:
    jobs = [capture("good") for _ in range(3)]
    assert [job.name for job in jobs] == ["good", "good-2", "good-3"]
    statuses = [wait(job) for job in jobs]
    assert [end.state for end in statuses] == ["done"] * 3, statuses
    assert all(end.files["motion"].parent == job.folder for end, job in zip(statuses, jobs, strict=True))
    (jobs[0].folder.parent / "not a job").mkdir()
    (jobs[1].folder / "job.json").write_text('{"torn')
    found = {job.name: job for job in find_jobs(jobs[0].folder.parent)}
    assert set(found) == {"good", "good-2", "good-3"}
    assert found["good-2"].poll().state == "failed" and "job.json is damaged" in found["good-2"].poll().error


def test_names_that_file_systems_refuse_are_mended() -> None:
    assert paths.sanitize_file_name("a/b:c*?") == "a_b_c__" and paths.sanitize_file_name("...") == "video"
    assert (
        len(paths.sanitize_file_name("ü" * 300)) == 60 and paths.sanitize_file_name("walk 1.take-2") == "walk 1.take-2"
    )


def test_the_request_becomes_the_flags_that_a_person_types(tmp_path: Path) -> None:
    plain = CaptureRequest(video=Path("walk.mp4")).make_args(Path("o/walk.npz"))
    assert plain == ("walk.mp4 --out o/walk.npz --events --raw --quality good --smoothing 1.0 --feet auto".split())
    whole = CaptureRequest(
        video=Path("walk.mp4"),
        start_s=1.5,
        end_s=3.0,
        quality="best",
        smoothing=0.0,
        feet="never",
        height_m=1.8,
        weights=Path("w.safetensors"),
        fov_deg=72.0,
        tilt_deg=-4.0,
        person="left",
    )
    assert " ".join(whole.make_args(Path("o.npz"))[4:]) == (
        "--raw --quality best --smoothing 0.0 --feet never --start 1.5 --end 3.0 --height 1.8 "
        "--assumed-fov-deg 72.0 --pitch-deg -4.0 --person left --weights w.safetensors"
    )


def test_the_job_keeps_what_was_asked(capture: Callable[..., Job]) -> None:
    job = capture("good", quality="best", end_s=3.0)
    request = asdict(CaptureRequest(video=Path(job.request["video"]), quality="best", end_s=3.0)) | {
        "video": job.request["video"]
    }
    assert reopen(job).request == request and reopen(job).command == job.command


def test_what_cannot_be_started_is_a_sentence(tmp_path: Path) -> None:
    video = fake_engine.make_video(tmp_path, "good")
    with pytest.raises(UserError, match=r"nobody\.mp4 is not there"):
        start_capture(
            fake_engine.make_engine(tmp_path), CaptureRequest(video=tmp_path / "nobody.mp4"), tmp_path / "jobs"
        )
    with pytest.raises(UserError, match="no-python cannot be started"):
        start_capture(tmp_path / "no-python", CaptureRequest(video=video), tmp_path / "jobs")
    assert list((tmp_path / "jobs").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="No folder can be made"):
        start_capture(fake_engine.make_engine(tmp_path), CaptureRequest(video=video), tmp_path / "file")


def test_the_child_does_not_inherit_blenders_python(
    capture: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/blenders/own")
    notes = set(wait(capture("environment")).notes)
    assert notes >= {"PYTHONHOME=None", "PYTHONUTF8=1", "PYTHONUNBUFFERED=1", "PYTHONNOUSERSITE=1", "session=True"}
    assert f"PYTHONPATH={fake_engine.ROOT}" in notes  # of a checkout the code beside the add-on, nothing else


def test_starting_and_polling_are_not_felt(capture: Callable[..., Job]) -> None:
    """In processor time: what a busy machine adds is not ours."""
    began = time.thread_time()
    job = capture("chatty")
    assert time.thread_time() - began < 0.1
    slowest = 0.0
    while not job.poll().is_over:
        began = time.thread_time()
        job.poll()
        slowest = max(slowest, time.thread_time() - began)
        time.sleep(0.02)
    assert job.poll().state == "done"
    found, times = reopen(job), []
    while not found.poll().is_over:
        began = time.thread_time()
        found.poll()
        times.append(time.thread_time() - began)
    assert found.poll().state == "done" and max([slowest, *times]) < 0.02


def test_a_full_disk_is_a_sentence_before_and_while_it_runs(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        engine, request = (
            fake_engine.make_engine(tmp_path),
            CaptureRequest(video=fake_engine.make_video(tmp_path, "fill")),
        )
        job = start_capture(engine, request, small)
        assert wait(job).error == "The disk is full. Make room and capture again."
        with pytest.raises(UserError, match="No space left on device"):
            for _ in range(100):
                start_capture(engine, request, small)
        assert [path.name for path in small.iterdir()] == ["fill"]
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
