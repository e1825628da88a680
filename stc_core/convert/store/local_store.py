"""The job folder at a path: what is done stays done, whatever dies and whenever.

A result is made in the work folder, brought to the disk, then renamed to its place; then the record says so. It is up
to date as long as the record names it and its input and settings are those it was made from: all else is made again,
and an older result stays until its successor is whole. What this tool did not write, or what was changed since by its
content, is never replaced unless the task says `overwrite`.

A video with cuts becomes several takes. Their results are named by kind and take, "motion_take1" or "bvh_take3"; those
of a kind stand or fall together. The motions say which takes there are.
Knows nothing of how a clip is converted (a Make does), nor of worker processes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from ...errors import UserError
from ...events import Note, Report
from ...files import is_disk_full, sync_file, write_bytes
from .fingerprint import (
    compare_result,
    fingerprint_request,
    fingerprint_result,
    has_content,
    hash_file,
    is_same_file,
    measure_file,
    touch_state,
)
from .lock import WORK_PREFIX, lock_folder
from .ownership import Refusal, check_target, refuse_changed
from .record import (
    CLIPS,
    FOLDER,
    MOTION,
    OWN_FORMATS,
    SUMMARY,
    WORK,
    Make,
    Record,
    Result,
    Task,
    format_record,
    kind_of,
    load_record,
    record_name,
)
from .run_log import RunLog
from .store import Status, WriteReport

_MIN_FREE_BYTES = 16 << 20  # chosen: a clip's results and record are smaller
_ALONE = (MOTION, SUMMARY, *sorted(OWN_FORMATS))  # kinds that are each made in a step of their own


class LocalStore:
    """A `Store` in a folder of this machine.

    public_names: what files and folders are called in records and sentences, where these are copies of others.
    """

    def __init__(self, out: str | Path, public_names: Mapping[str, str] | None = None):
        self.out, self._public_names = Path(out), dict(public_names or {})

    def lock(self) -> AbstractContextManager[None]:
        """Make the job folder and hold it for this process. Raises UserError where that cannot be."""
        return lock_folder(self.out)

    @contextlib.contextmanager
    def place_probe(self) -> Iterator[str]:
        """A file in the work folder by which a worker sees that it looks at the same job folder."""
        probe = self.out / FOLDER / WORK / f"{uuid.uuid4().hex}.here"
        probe.touch()
        try:
            yield str(probe)
        finally:
            probe.unlink(missing_ok=True)

    def has_probe(self, probe: str) -> bool:
        """Whether a probe is there."""
        return Path(probe).exists()

    def load_all(self) -> list[Record]:
        """What is recorded of all clips that were ever converted into this folder."""
        folder = self.out / FOLDER / CLIPS
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        paths = [folder / name for name in names if name.endswith(".json") and not name.startswith(".")]
        return [record for record in map(load_record, paths) if record]

    def list_results(self) -> set[str]:
        """Every file that runs into this folder have made, as absolute paths."""
        out = self.out.absolute()
        return {str(out / result.path) for record in self.load_all() for result in record.results.values()}

    def record_path(self, task: Task) -> Path:
        """Where a task's record is."""
        return self.out / record_name(task.name)

    def load(self, task: Task) -> Record:
        """What is recorded of a task; a fresh record where nothing is, or nothing that can be believed."""
        record = load_record(self.record_path(task))
        return Record(task=task) if record is None or record.task.name != task.name else record

    def save(self, record: Record) -> None:
        """Write a record whole or not at all. Raises UserError."""
        text = format_record(self.publicize(record))
        write_bytes(self.record_path(record.task), text.encode("ascii"), work=self.out / FOLDER / WORK)

    def publicize(self, record: Record) -> Record:
        """The record with public names in place of those of copies."""
        error, task = record.error, record.task
        for name, public in self._public_names.items():
            error = error.replace(name, public)
        source, out = self._publicize_name(task.source), self._publicize_name(task.out)
        return replace(record, task=replace(task, source=source, out=out), error=error)

    def _publicize_name(self, name: str) -> str:
        return self._public_names.get(name, name)

    def check_status(self, task: Task) -> Status:
        """Whether a task has anything left to do. Reads an input that was touched."""
        record = self.load(task)
        if record.source is None or not self._is_same_source(task, record):
            return Status(state="waiting")
        if all(self._is_up_to_date(task, record, kind) for kind in task.kinds):
            results = [result for key, result in record.results.items() if kind_of(key) in task.kinds]
            changed = [result.path for result in results if compare_result(self.out / result.path, result) != "same"]
            return Status(state="done", changed=tuple(changed))
        request = fingerprint_request(task, record.source.sha256)
        failed = record.state == "failed" and not record.transient and record.fingerprint == request
        return Status(state="failed" if failed else "waiting")

    def convert(self, task: Task, make: Make, report: Report) -> Record:
        """Make what is not up to date, move it to its place, record it. The record says what failed.

        Where that would replace a file that is not ours, the failure is returned and nothing is changed.
        """
        try:
            return self.convert_or_refuse(task, make, report)
        except Refusal as refusal:
            return Record(task=task, state="failed", error=str(refusal).strip(), transient=True)

    def convert_or_refuse(self, task: Task, make: Make, report: Report) -> Record:
        """`convert`, but raises Refusal where nothing was changed."""
        record = self.load(task)
        log = RunLog(report, record)
        try:
            record = self._begin(task, record)
        except Refusal:
            raise
        except (UserError, OSError, MemoryError) as error:
            failed = log.add_to(_fail(replace(record, task=task, started=time.time()), error))
            return failed if self.is_of_another(task, record) else self._save_or_fail(failed)
        try:
            if not self._has_current(task, record):
                log.forget()
            to_make = [kind for kind in task.kinds if not self._is_up_to_date(task, record, kind)]
            for kinds in _group_steps(to_make):
                record = log.add_to(self._make(record, kinds, make, log))
                self.save(record)
            record = replace(record, state="done")
        except (UserError, OSError, MemoryError) as error:
            record = _fail(record, error)
        return self._save_or_fail(log.add_to(record))

    def record_failure(self, task: Task, why: str) -> Record:
        """Record that a task failed whose worker did not live to say so."""
        record = self.load(task)
        failed = replace(record, task=task, state="failed", error=why, transient=False)
        return failed if self.is_of_another(task, record) else self._save_or_fail(failed)

    def is_of_another(self, task: Task, record: Record) -> bool:
        """Whether a record is of another clip of the same name, so that nothing of this task may be written to it."""
        other_name = record.task.source != self._publicize_name(task.source)
        return record.source is not None and other_name and not self._is_same_source(task, record)

    def write_report(self, tasks: Sequence[Task], errors: Mapping[str, str], write: WriteReport) -> str:
        """Have the page written over the tasks; returns its path. Raises UserError."""
        return str(write(self, tasks, errors))

    def _save_or_fail(self, record: Record) -> Record:
        """The saved record; where even that fails, a failure: the next run then finds the clip as it was before."""
        try:
            self.save(record)
        except UserError as error:
            return replace(_fail(record, error), error=record.error or _explain(error))
        return record

    def _begin(self, task: Task, before: Record) -> Record:
        """Look at the input and at what is there; the record of a clip that is being made.

        Raises Refusal, UserError where there is no input, and OSError.
        """
        if shutil.disk_usage(self.out).free < _MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.out))
        source = Path(task.source)
        known = before.source if before.source is not None and self._is_same_source(task, before) else None
        state = touch_state(source, known) if known else hash_file(source)
        if before.source is not None and before.source.sha256 != state.sha256:
            self._check_same_clip(task, before)
        published = {k: r for k, r in before.publishing.items() if has_content(self.out / r.path, r)}
        record = replace(
            before,
            task=task,
            state="running",
            source=state,
            fingerprint=fingerprint_request(task, state.sha256),
            results={**before.results, **published},
            publishing={},
            error="",
            transient=False,
            started=time.time(),
        )
        self._check_targets(record)
        self.save(record)
        return record

    def _check_same_clip(self, task: Task, before: Record) -> None:
        """Refuse where the results of this name are of another input."""
        there = [result.path for result in before.results.values() if (self.out / result.path).exists()]
        if before.task.source != self._publicize_name(task.source) and there and not task.overwrite:
            what = f"{self.out / there[0]} was made from {before.task.source}, not from {task.source}."
            raise Refusal(what, "Choose another --out, or add --overwrite to replace it.")

    def _check_targets(self, record: Record) -> None:
        """Refuse, before the work, where a file that is not ours stands in the way; a damaged record says nothing."""
        task = record.task
        if self.record_path(task).exists() and load_record(self.record_path(task)) is None:
            return
        to_make = [kind for kind in task.kinds if not self._is_up_to_date(task, record, kind)]
        for kind in to_make:
            keys = [key for key in record.results if kind_of(key) == kind] or [kind]
            for key in keys:
                check_target(self.out, record, self.out / task.result_name(key), "", self.load_all)
        if to_make and MOTION in task.kinds and MOTION not in to_make:
            for key, result in record.results.items():
                if kind_of(key) == MOTION and not has_content(self.out / result.path, result):
                    raise refuse_changed(self.out / result.path)

    def _make(self, record: Record, kinds: Sequence[str], make: Make, report: Report) -> Record:
        """Make results of some kinds, of every take, and move them to their places; the record with them."""
        task, source = record.task, record.source
        assert source is not None
        work = Path(tempfile.mkdtemp(prefix=WORK_PREFIX, dir=self.out / FOLDER / WORK))
        try:
            files: dict[str, Path] = {}
            for take in [""] if MOTION in kinds else _take_suffixes(record):
                motion = Path(task.source) if task.is_motion_file else task.result_path(MOTION + take)
                folder = Path(tempfile.mkdtemp(dir=work))
                files |= {key + take: path for key, path in make(task, kinds, motion, folder, report).items()}
            if measure_file(Path(task.source)) != (source.bytes, source.modified_ns):
                raise UserError(f"{task.source} changed while it was read.", "Run the same again when it is whole.")
            record = self._publish_textures(record, kinds[0], work)
            return self._publish(record, kinds, files, report)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _publish(self, record: Record, kinds: Sequence[str], files: Mapping[str, Path], report: Report) -> Record:
        """Move results to their places, then remove those of the same kinds that they replace."""
        assert record.source is not None
        new = {key: self._describe(record.task, key, file, record.source.sha256) for key, file in files.items()}
        for result in new.values():
            check_target(self.out, record, self.out / result.path, result.sha256, self.load_all)
        self.save(replace(record, publishing=new))
        for key, file in files.items():
            _put(file, self.out / new[key].path)
        old = {key: result for key, result in record.results.items() if kind_of(key) in kinds}
        for path in {result.path for result in old.values()} - {result.path for result in new.values()}:
            self._retire(next(result for result in old.values() if result.path == path), report)
        others = {key: result for key, result in record.results.items() if key not in old}
        order = list(record.task.kinds)
        results = sorted({**others, **new}.items(), key=lambda item: _index(order, kind_of(item[0])))
        return replace(record, results=dict(results), publishing={})

    def _describe(self, task: Task, key: str, file: Path, source_sha256: str) -> Result:
        state = hash_file(file)
        return Result(
            path=task.result_name(key),
            bytes=state.bytes,
            sha256=state.sha256,
            fingerprint=fingerprint_result(task, kind_of(key), source_sha256),
            modified_ns=state.modified_ns,
        )

    def _retire(self, old: Result, report: Report) -> None:
        """Delete a result that has no successor of its name, as another take; keep it where it is not as we made it."""
        path = self.out / old.path
        if not path.exists():
            return
        if has_content(path, old) and path.resolve().is_relative_to(self.out.resolve()):
            path.unlink()
        else:
            report(Note(f"{path} belongs to an earlier result and was changed since; it is kept."))

    def _publish_textures(self, record: Record, kind: str, work: Path) -> Record:
        """Move the pictures that results refer to beside them; all clips of a rig refer to the same."""
        textures = dict(record.textures)
        for picture in sorted(work.glob("*/textures/*")):
            target = record.task.result_path(kind).parent / "textures" / picture.name
            name, sha256 = target.relative_to(self.out).as_posix(), hash_file(picture).sha256
            if target.is_symlink() or (target.exists() and hash_file(target).sha256 != sha256):
                known = {r.textures.get(name) for r in [record, *self.load_all()]}
                if not record.task.overwrite and (target.is_symlink() or hash_file(target).sha256 not in known):
                    raise refuse_changed(target)
            _put(picture, target)
            textures[name] = sha256
        return replace(record, textures=textures)

    def _is_up_to_date(self, task: Task, record: Record, kind: str) -> bool:
        """Whether the results of a kind are up to date, of every take that there is."""
        if record.source is None:
            return False
        fingerprint = fingerprint_result(task, kind, record.source.sha256)
        for take in _take_suffixes(record):
            result = record.results.get(kind + take)
            if result is None or result.fingerprint != fingerprint:
                return False
            change = compare_result(self.out / result.path, result)
            if change == "gone" or (change == "changed" and (task.overwrite or kind == SUMMARY)):
                return False
        return True

    def _is_same_source(self, task: Task, record: Record) -> bool:
        """Whether a task's input is the recorded one; under another name it is read."""
        assert record.source is not None
        same_name = record.task.source == self._publicize_name(task.source)
        known = record.source if same_name else replace(record.source, modified_ns=-1)
        return is_same_file(Path(task.source), known)

    def _has_current(self, task: Task, record: Record) -> bool:
        """Whether anything that is recorded, requested or not, is up to date."""
        return any(self._is_up_to_date(task, record, kind) for kind in {kind_of(key) for key in record.results})


def _group_steps(kinds: Sequence[str]) -> list[list[str]]:
    """What is made together: a failure takes nothing with it that was made before."""
    steps = [[kind] for kind in _ALONE if kind in kinds]
    others = [kind for kind in kinds if kind not in _ALONE]
    return steps + ([others] if others else [])


def _take_suffixes(record: Record) -> list[str]:
    """What the takes' names have after the clip's; only "" where there was no cut, or no motion was made yet."""
    return [key.removeprefix(MOTION) for key in record.results if kind_of(key) == MOTION] or [""]


def _index(order: Sequence[str], kind: str) -> int:
    return order.index(kind) if kind in order else len(order)


def _put(path: Path, target: Path) -> None:
    """Bring a file to the disk, then to its place: there it appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sync_file(path)
    os.replace(path, target)


def _fail(record: Record, error: UserError | OSError | MemoryError) -> Record:
    cause = error.__cause__ or error.__context__
    transient = isinstance(error, OSError | MemoryError | Refusal) or isinstance(cause, OSError)
    return replace(record, state="failed", error=_explain(error), transient=transient)


def _explain(error: UserError | OSError | MemoryError) -> str:
    if is_disk_full(error) or is_disk_full(error.__cause__ or error.__context__):
        return "The disk is full. Make room and run the same again."
    if isinstance(error, UserError):
        return str(error).strip()
    if isinstance(error, MemoryError):
        return "The memory did not suffice. Use fewer --workers."
    return f"{error.filename or 'A file'}: {error.strerror or error}."
