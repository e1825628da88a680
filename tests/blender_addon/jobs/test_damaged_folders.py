# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's folder may hold anything, or be gone: the job has then failed, in a sentence, and the others go on."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from blender_addon.jobs import job as job_module
from blender_addon.jobs import process
from blender_addon.jobs.capture import CaptureRequest, start_capture
from blender_addon.jobs.job import Job, find_jobs
from tests.blender_addon import fake_engine

RECORD = {"format": 1, "kind": "capture", "started": 1.0, "command": ["x"], "request": {"video": "/v.mp4"}}
RECORD |= {"stages": {"detect": 1.0}, "pid": 0, "identity": ""}
FAILED = '{"event": "failed", "message": "No person was found."}'


def make_job(jobs: Path, name: str, *lines: str, **changes: Any) -> Path:
    """A folder as an engine that has ended leaves it."""
    folder = jobs / name
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(RECORD | changes))
    (folder / "progress.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def find_job(jobs: Path, name: str) -> Job:
    return next(job for job in find_jobs(jobs) if job.folder.name == name)


@pytest.mark.skipif(os.name == "nt", reason="the made engine is a shell script")
def test_a_folder_that_is_deleted_ends_the_job_in_a_sentence_and_its_process(tmp_path: Path) -> None:
    request = CaptureRequest(video=fake_engine.make_video(tmp_path, "hang"))
    job = start_capture(fake_engine.make_engine(tmp_path), request, tmp_path / "jobs")
    shutil.rmtree(job.folder)
    status = job.poll()
    assert status.state == "failed" and "The folder of the job hang cannot be read any more" in status.error
    end = time.monotonic() + 20.0
    while process.read_identity(job._pid):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "done", "files": null}',
        '{"event": "done", "files": {"motion": 5}}',
        '{"event": "done", "files": ["motion"]}',
        '{"event": "note", "message": null}',
        '{"event": "failed", "message": {}}',
        '{"event": "progress", "stage": [], "done": 1, "total": 2}',
        '{"event": "progress", "stage": "detect", "done": "x", "total": 2}',
        '{"event": "progress", "stage": "detect", "done": NaN, "total": 1e999}',
        '{"event": "progress", "stage": "detect", "done": 1, "total": 2, "seconds_left": "soon"}',
        '{"event": []}',
        "[" * 30_000 + "]" * 30_000,
    ],
)
def test_an_event_of_wrong_types_is_left_out_and_the_next_one_counts(tmp_path: Path, line: str) -> None:
    make_job(tmp_path, "odd", line, FAILED)
    status = find_job(tmp_path, "odd").poll()
    assert (status.state, status.error) == ("failed", "No person was found.")


@pytest.mark.parametrize(
    "changes",
    [
        {"started": None},
        {"started": "now"},
        {"started": 1e400},
        {"command": None},
        {"request": []},
        {"stages": {"detect": "all"}},
        {"stages": None},
        {"pid": -1},
        {"pid": "1"},
        {"format": 99},
    ],
)
def test_a_record_of_wrong_types_is_a_failed_job_among_the_others(tmp_path: Path, changes: dict[str, Any]) -> None:
    make_job(tmp_path, "before", FAILED)
    make_job(tmp_path, "odd", FAILED, **changes)
    make_job(tmp_path, "after", FAILED)
    assert {job.name for job in find_jobs(tmp_path)} == {"before", "odd", "after"}
    status = find_job(tmp_path, "odd").poll()
    assert status.state == "failed" and "odd" in status.error and "job.json is damaged" in status.error


@pytest.mark.parametrize("text", ["", '{"torn', "[" * 100_000, "null", "5", "x" * 2_000_000])
def test_a_record_that_is_none_is_a_failed_job(tmp_path: Path, text: str) -> None:
    (make_job(tmp_path, "odd") / "job.json").write_text(text)
    assert "job.json is damaged" in find_job(tmp_path, "odd").poll().error


def test_results_are_taken_from_the_jobs_own_folder_only(tmp_path: Path) -> None:
    outside = tmp_path / "thesis.npz"
    outside.write_bytes(b"mine")
    for name, path in (("absolute", str(outside)), ("relative", "../../thesis.npz")):
        make_job(tmp_path / "jobs", name, json.dumps({"event": "done", "files": {"motion": path}}))
        status = find_job(tmp_path / "jobs", name).poll()
        assert status.state == "failed" and "is not in the job's folder" in status.error and not status.files
    (make_job(tmp_path / "jobs", "own", '{"event": "done", "files": {"motion": "own.npz"}}') / "own.npz").write_bytes(
        b""
    )
    assert find_job(tmp_path / "jobs", "own").poll().files["motion"] == tmp_path / "jobs" / "own" / "own.npz"


def test_a_folder_in_place_of_a_file_is_a_failed_job(tmp_path: Path) -> None:
    folder = make_job(tmp_path, "odd")
    (folder / "progress.jsonl").unlink()
    (folder / "progress.jsonl").mkdir()
    assert "cannot be read any more" in find_job(tmp_path, "odd").poll().error


def test_messages_can_be_drawn_whatever_they_hold(tmp_path: Path) -> None:
    odd = json.dumps({"event": "note", "message": "half \ud800 line\nbreak \x07" + "x" * 10_000})
    make_job(tmp_path, "odd", *[odd] * 500, FAILED)
    notes = find_job(tmp_path, "odd").poll().notes
    assert len(notes) <= 100 and all(note.isprintable() and len(note) <= 2000 for note in notes)
    assert notes[0].startswith("half   line break")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_child_that_ignores_the_signal_is_killed_after_a_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "KILL_AFTER_S", 0.5)
    request = CaptureRequest(video=fake_engine.make_video(tmp_path, "leave_deaf_child"))
    job = start_capture(fake_engine.make_engine(tmp_path), request, tmp_path / "jobs")
    end = time.monotonic() + 20.0
    while not (job.folder / "child.pid").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    child = int((job.folder / "child.pid").read_text())
    assert process.read_identity(child)
    job.cancel()
    while not job.poll().is_over:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert job.poll().state == "cancelled" and not process.has_children(job._pid)
    assert process.read_identity(child) == ""
