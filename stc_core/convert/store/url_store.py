"""The job folder at a URL, and inputs at URLs: fetched into a scratch folder, converted there, put back whole.

Results and inputs that need not be read stand in the scratch folder as placeholders, empty files of the right size and
tag, so that all rules of the local store hold as they are.

What a URL cannot give: a lock (two runs into one URL do each other's work, but no result is torn); the steps of a clip
(a worker that dies loses all of it, and leaves its scratch folder); a sure sign of change where the store has none
(over HTTP, an input that keeps its size is taken for the same).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ...errors import UserError
from ...events import Report
from . import urls
from .fingerprint import hash_file
from .local_store import LocalStore
from .ownership import Refusal
from .record import (
    CLIPS,
    FOLDER,
    REPORT,
    SUMMARIES,
    SUMMARY,
    WORK,
    Make,
    Record,
    Result,
    Task,
    format_record,
    kind_of,
    record_name,
)
from .store import Status, WriteReport
from .urls import is_url

_States = dict[Path, tuple[int, int]]


class UrlStore:
    """A `Store` whose results, or whose inputs, lie at URLs."""

    def __init__(self, out: str):
        self.out = out
        self._is_remote = is_url(out)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """See that the URL can be written to; a path is held."""
        if not self._is_remote:
            with LocalStore(self.out).lock():
                yield
            return
        with self.place_probe():
            pass
        yield

    @contextlib.contextmanager
    def place_probe(self) -> Iterator[str]:
        """A file in the job folder by which a worker sees that it looks at the same one. Raises UserError."""
        if not self._is_remote:
            with LocalStore(self.out).place_probe() as probe:
                yield probe
            return
        probe = f"{self.out}/{FOLDER}/{WORK}/{uuid.uuid4().hex}.here"
        system, path = urls.open_system(probe)
        try:
            urls.make_parent(probe)
            system.pipe_file(path, b"here")
        except (OSError, NotImplementedError) as error:
            what = f"{self.out} cannot be written to ({urls.explain(error)})."
            raise UserError(what, "Choose another --out.") from None
        try:
            yield probe
        finally:
            with contextlib.suppress(OSError):
                system.rm_file(path)

    def has_probe(self, probe: str) -> bool:
        """Whether a probe is there. Raises UserError where this Python cannot look."""
        return urls.exists(probe) if self._is_remote else Path(probe).exists()

    def list_results(self) -> set[str]:
        """Every file that runs into this folder have made."""
        if not self._is_remote:
            return LocalStore(self.out).list_results()
        with _scratch() as near:
            system, path = urls.open_system(self.out)
            with urls.translate_errors(self.out):
                for file in system.glob(f"{path}/{FOLDER}/{CLIPS}/*.json"):
                    system.get_file(file, str(near / FOLDER / CLIPS / PurePosixPath(file).name))
            made = LocalStore(near).list_results()
            return {f"{self.out}/{Path(path).relative_to(near).as_posix()}" for path in made}

    def load(self, task: Task) -> Record:
        """What is recorded of a task."""
        if not self._is_remote:
            return LocalStore(self.out).load(task)
        with _scratch() as near:
            return LocalStore(near).load(self._stage_record(task, near))

    def check_status(self, task: Task) -> Status:
        """Whether a task has anything left to do; what seems changed is read only when it is converted."""
        with _scratch() as near:
            here = self._stage_source(task, self._stage_record(task, near), near, None)
            store = self._local(task, here)
            record = store.load(here)
            states = self._stage_results(record, near, whole=False)
            results = record.results.values() if self._is_remote else ()
            if any(states.get(near / r.path, (0, r.modified_ns))[1] != r.modified_ns for r in results):
                return Status(state="waiting")
            return store.check_status(here)

    def convert(self, task: Task, make: Make, report: Report) -> Record:
        """Fetch, convert, put back. What could not be fetched or put is the machine's failure."""
        why = ""
        with _scratch() as near:
            names = {str(near): self.out} if self._is_remote else {}
            try:
                here = self._stage_source(task, self._stage_record(task, near), near, report)
                names |= {here.source: task.source} if here.source != task.source else {}
                store = self._local(task, here)
                before = store.load(here)
                states = self._stage_results(before, near, whole=True)
                states |= self._stage_strangers(here, states)
                record = store.publicize(store.convert_or_refuse(here, make, report))
                return self._put_back(before, record, near, states) if self._is_remote else record
            except UserError as error:
                why = str(error).strip()
            except OSError as error:
                why = f"{task.name}: {urls.explain(error)}."
            for name, public in names.items():
                why = why.replace(name, public)
        return Record(task=task, state="failed", error=why, transient=True)

    def record_failure(self, task: Task, why: str) -> Record:
        """Record that a task failed whose worker did not live to say so."""
        with _scratch() as near:
            here = self._stage_record(task, near)
            record = self._local(task, here).record_failure(here, why)
            record = replace(record, task=task)
            if self._is_remote:
                self._put_record(record, near)
            return record

    def write_report(self, tasks: Sequence[Task], errors: Mapping[str, str], write: WriteReport) -> str:
        """Have the page written over the tasks; at a URL, clips of earlier runs are not in it."""
        with _scratch() as near:
            names = {str(near): self.out} if self._is_remote else {}
            here = []
            for task in tasks:
                local = self._stage_source(task, self._stage_record(task, near), near, None)
                self._stage_results(LocalStore(local.out).load(local), near, whole=False)
                names |= {local.source: task.source} if local.source != task.source else {}
                here.append(local)
            store = LocalStore(near if self._is_remote else self.out, names)
            if not self._is_remote:
                return str(write(store, here, errors))
            with contextlib.suppress(urls.MissingFile):
                urls.fetch(f"{self.out}/{REPORT}", near / REPORT)
            urls.upload(write(store, here, errors), f"{self.out}/{REPORT}")
            return f"{self.out}/{REPORT}"

    def _local(self, task: Task, here: Task) -> LocalStore:
        """The store of the folder that a task is converted in, which calls everything as the user does."""
        names = {here.source: task.source, here.out: task.out}
        return LocalStore(here.out, {name: public for name, public in names.items() if name != public})

    def _stage_record(self, task: Task, near: Path) -> Task:
        """The task with its results in the scratch folder, where its record now is; or in its own place, if a path."""
        if not self._is_remote:
            return task
        url = f"{self.out}/{record_name(task.name)}"
        system, path = urls.open_system(url)
        with contextlib.suppress(urls.MissingFile), urls.translate_errors(url):
            system.get_file(path, str(near / record_name(task.name)))
        return replace(task, out=str(near))

    def _stage_source(self, task: Task, here: Task, near: Path, report: Report | None) -> Task:
        """The task with its input in the scratch folder: whole where there is a report of it, else a placeholder."""
        if not is_url(task.source):
            return here
        name = PurePosixPath(record_name(task.name)).with_suffix(urls.suffix_of(task.source)).name
        source = near.parent / "in" / name
        source.parent.mkdir(exist_ok=True)
        if report is None:
            urls.place_placeholder(task.source, source)
        else:
            urls.fetch(task.source, source, report)
        return replace(here, source=str(source))

    def _stage_results(self, record: Record, near: Path, *, whole: bool) -> _States:
        """What was of the recorded results at the URL, now in the scratch folder: whole, or as placeholders.

        Summaries are always whole: the report reads them.
        """
        states: _States = {}
        for key, result in record.results.items() if self._is_remote else ():
            path, url = near / result.path, f"{self.out}/{result.path}"
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(urls.MissingFile):
                if whole or kind_of(key) == SUMMARY:
                    urls.fetch(url, path)
                else:
                    urls.place_placeholder(url, path)
                states[path] = _state(path)
        return states

    def _stage_strangers(self, here: Task, known: _States) -> _States:
        """Files at the URL where results would go though no record names them, so that they are seen to be there."""
        states: _States = {}
        for kind in here.kinds if self._is_remote else ():
            path, url = here.result_path(kind), f"{self.out}/{here.result_name(kind)}"
            if path not in known and urls.exists(url):
                path.parent.mkdir(parents=True, exist_ok=True)
                urls.fetch(url, path)
                states[path] = _state(path)
        return states

    def _put_back(self, before: Record, record: Record, near: Path, known: _States) -> Record:
        """Results and record to their places. First goes a record that names the new results beside the old: a run that
        is killed meanwhile knows both as its own."""
        made = [path for path in sorted(near.rglob("*")) if path.is_file() and not _is_internal(path.relative_to(near))]
        new = [path for path in made if known.get(path) != _state(path)]
        new = [path for path in new if not self._is_there(path, near, record, known)]
        if new:
            self._put_record(replace(record, state="running", results=before.results, publishing=record.results), near)
        for path in new:
            urls.upload(path, self._url_of(path, near))
        for path in set(known) - set(made):
            urls.remove(self._url_of(path, near))
        record = replace(record, results={key: self._tag(result) for key, result in record.results.items()})
        self._put_record(record, near)
        return record

    def _is_there(self, path: Path, near: Path, record: Record, known: _States) -> bool:
        """Whether a file lies at the URL already that was not fetched, as a texture. Raises Refusal for another."""
        url = self._url_of(path, near)
        if path in known or FOLDER in path.relative_to(near).parts or not urls.exists(url):
            return False
        twin = near.parent / "twin"
        urls.fetch(url, twin)
        if hash_file(twin).sha256 == hash_file(path).sha256:
            return True
        if not record.task.overwrite:
            raise Refusal(f"{url} is there already.", "Move it away, or add --overwrite to replace it.")
        return False

    def _url_of(self, path: Path, near: Path) -> str:
        return f"{self.out}/{path.relative_to(near).as_posix()}"

    def _tag(self, result: Result) -> Result:
        """A result with its tag at the URL, by which a later run sees without reading that it is the same."""
        with contextlib.suppress(urls.MissingFile):
            return replace(result, modified_ns=urls.tag_ns(f"{self.out}/{result.path}"))
        return result

    def _put_record(self, record: Record, near: Path) -> None:
        path = near / record_name(record.task.name)
        path.write_text(format_record(record), encoding="ascii")
        urls.upload(path, f"{self.out}/{record_name(record.task.name)}")


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A job folder of our own, which goes with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="stc-mocap-") as name:
        near = Path(name) / "out"
        with LocalStore(near).lock():
            yield near


def _is_internal(path: Path) -> bool:
    """Whether a path below `out` is of the job folder and no result, as a summary is."""
    return path.parts[0] == FOLDER and path.parts[1] != SUMMARIES


def _state(path: Path) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_size, state.st_mtime_ns
