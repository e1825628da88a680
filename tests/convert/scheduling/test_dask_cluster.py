"""A real scheduler and three worker processes on this machine, as users start them; whatever happens to a worker."""

import contextlib
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from distributed import KilledWorker

from stc_core.convert.scheduling import dask_cluster, dask_worker
from stc_core.convert.scheduling.dask_cluster import DaskCluster, connect_client
from stc_core.convert.scheduling.policy import RunConfig, RunSummary, Tally
from stc_core.convert.scheduling.run import convert_all
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.open_store import open_store
from stc_core.convert.store.record import FOLDER, WORK, Task
from stc_core.errors import UserError
from stc_core.events import Event, Note, Progress
from tests.convert import fake_conversion
from tests.convert.fake_conversion import convert, make_tasks
from tests.convert.scheduling.test_local_pool import ROOT, alive, folder_of, kill, results, wait_for
from tests.test_boundaries import SOURCES, imports, within

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
CUDA = {"lift": {"device": "cuda"}}


@contextlib.contextmanager
def start_dask(*words: str, path: str = str(ROOT)) -> Iterator[subprocess.Popen[bytes]]:
    """A `dask` command of a user, in a process group that ends with the test."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command, quiet = [sys.executable, "-m", "dask", *words], subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, stdout=quiet, stderr=quiet) as it:
        try:
            yield it
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(it.pid, signal.SIGKILL)


@contextlib.contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, int]]:
    """Its address and process."""
    file = folder / "scheduler.json"
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    with start_dask("scheduler", *words) as process:
        assert wait_for(file.exists) and wait_for(lambda: bool(file.read_text()))
        yield json.loads(file.read_text())["address"], process.pid


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of three worker processes with two threads each; one of them says that it has a GPU."""
    how = ["--nthreads", "2", "--no-dashboard", "--local-directory", str(tmp_path_factory.mktemp("dask"))]
    with (
        scheduler(tmp_path_factory.mktemp("scheduler")) as (where, _),
        start_dask("worker", where, "--nworkers", "2", *how),
        start_dask("worker", where, "--resources", "GPU=1", *how),
    ):
        with connect_client(RunConfig(scheduler=where)) as client:
            client.wait_for_workers(3, timeout=60)
        yield where


class Told:
    """Remembers what was told."""

    def __init__(self) -> None:
        self.all: list[tuple[int, str, Event]] = []

    def __call__(self, worker: int, clip: str, event: Event) -> None:
        self.all.append((worker, clip, event))

    def notes(self) -> str:
        return " ".join(event.message for _, _, event in self.all if isinstance(event, Note))


def pids(folder: Path) -> list[int]:
    path = folder / "pids"
    return list(map(int, path.read_text().split())) if path.exists() else []


@pytest.fixture(scope="module")
def unlucky(address: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunSummary, Told]:
    """Clips with and without mishaps; one more worker is killed over a clip that it has half made."""
    base = tmp_path_factory.mktemp("unlucky")
    texts = {f"clip{number}": f"text {number}" * number for number in range(5)}
    mishaps = {"bad": "bad", "crash": "crash", "ours": "raise", "killed": "hang once"}
    folder, told = folder_of(base / "in", **texts, **mishaps), Told()

    def end_it() -> None:
        assert wait_for((base / "met-killed.mp4").exists)
        (record,) = [
            LocalStore(clip.out).load(clip) for clip in make_tasks(folder, base / "out") if clip.name == "killed"
        ]
        assert record.state == "running"
        hanging = [pid for pid in pids(base) if f"killed {pid} " in (base / "who").read_text()]
        kill(hanging[0])

    killer = threading.Thread(target=end_it)
    killer.start()
    summary = convert(folder, base / "out", RunConfig(scheduler=address), told)
    killer.join()
    return base, summary, told


def test_the_rest_goes_on_whatever_a_clip_does_to_its_worker(unlucky: tuple[Path, RunSummary, Told]) -> None:
    base, summary, told = unlucky
    failed = dict(summary.failed)
    assert set(failed) == {"bad", "crash", "ours"} and summary.converted == 6
    assert failed["bad"] == "It shows nobody. Choose another."
    assert "It crashed the worker, 4 times" in failed["crash"]
    assert failed["ours"] == "ZeroDivisionError: our own mistake"
    for clip in make_tasks(base / "in", base / "out"):
        assert LocalStore(clip.out).load(clip).error == failed.get(clip.name, "")
        assert LocalStore(clip.out).load(clip).state == ("failed" if clip.name in failed else "done")
    assert told.all[-1] == (0, "", Progress("clips", 9, 9))
    heard = {worker for worker, clip, event in told.all if clip == "clip1" and isinstance(event, Progress)}
    assert heard <= {1, 2, 3, 4} and heard


def test_with_a_worker_killed_in_mid_job_the_bytes_are_those_of_an_undisturbed_run(
    unlucky: tuple[Path, RunSummary, Told], tmp_path: Path
) -> None:
    base, *_ = unlucky
    fine = folder_of(tmp_path / "in", **{f"clip{number}": f"text {number}" * number for number in range(5)})
    (fine / "killed.mp4").write_text("hang once")
    (tmp_path / "met-killed.mp4").touch()  # it hung elsewhere
    convert(fine, tmp_path / "out", RunConfig(workers=1))
    assert results(base / "out") == results(tmp_path / "out") and len(results(tmp_path / "out")) == 12


def test_a_clip_that_waited_behind_one_that_crashes_workers_is_not_blamed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", crash="crash", a="well")
    tally = Tally(Told(), 0, 2, [])
    crash, well = sorted(make_tasks(folder, tmp_path / "out"), key=lambda clip: clip.name, reverse=True)
    work = DaskCluster([crash, well], RunConfig(), fake_conversion.make, tally)
    for clip, key in ((crash, "1"), (well, "2")):
        work._jobs[key] = dask_cluster._Job(clip, Killed())  # type: ignore[arg-type]
    work._waiting.clear()
    with LocalStore(tmp_path / "out").lock():
        for worker in "abcd":
            work._handle_message("1", worker, "")
        for worker in "abc":  # it raised, and Dask tried it again
            work._handle_message("2", worker, "")
            work._handle_message("2", worker, "raised")
        work._handle_message("2", "d", "")
        work._finish("1")
        work._finish("2")
        assert [name for name, _ in tally.failed] == ["crash"] and list(work._waiting) == [well]
        for _ in range(2):  # what crashes so fast that it is never heard to begin ends too
            work._jobs["2"] = dask_cluster._Job(well, Killed())  # type: ignore[arg-type]
            work._finish("2")
    assert [name for name, _ in tally.failed] == ["crash", "a"]


def test_a_clip_whose_worker_went_waits_for_another_and_does_not_hang(tmp_path: Path) -> None:
    folder, told = folder_of(tmp_path / "in", a="well"), Told()
    (clip,) = make_tasks(folder, tmp_path / "out")
    work = DaskCluster([clip], RunConfig(stall_s=0.0), fake_conversion.make, Tally(told, 0, 1, []))
    work._client = type("Empty", (), {"status": "running", "nthreads": lambda: {}})  # type: ignore[assignment]
    work._jobs["1"] = dask_cluster._Job(clip, type("Pending", (), {"done": lambda: False}))  # type: ignore[arg-type]
    work._handle_message("1", "tcp://gone", "")
    work._count_workers()
    work._poll()
    assert set(work._jobs) == {"1"} and told.notes() == "The cluster has no worker; the clips wait for one."


class Killed:
    """A future of which Dask says that it killed its workers."""

    status = "error"

    def exception(self, timeout: float) -> Exception:
        return KilledWorker("key", None, 3)  # type: ignore[arg-type]


def test_the_next_run_skips_what_stands(unlucky: tuple[Path, RunSummary, Told], address: str) -> None:
    base, *_ = unlucky
    before = len(pids(base))
    again = convert(base / "in", base / "out", RunConfig(scheduler=address))
    assert (again.converted, again.done_before, len(again.failed)) == (0, 6, 3) and len(pids(base)) == before
    (base / "in" / "bad.mp4").write_text("well, it was mended")
    assert convert(base / "in", base / "out", RunConfig(scheduler=address)).converted == 1


def test_a_worker_that_hangs_is_replaced_and_its_clip_tried_once_more(address: str, tmp_path: Path) -> None:
    folder, told = folder_of(tmp_path / "in", hang="hang", well="well"), Told()
    summary = convert(folder, tmp_path / "out", RunConfig(scheduler=address, stall_s=1.0), told)
    assert dict(summary.failed) == {"hang": "It made no progress for 1 s, twice."} and summary.converted == 1
    assert "hang: It made no progress for 1 s; it will be tried again." in told.notes()
    assert wait_for(lambda: sum(map(alive, set(pids(tmp_path)))) <= 1)


def test_a_worker_without_a_nanny_that_hangs_is_let_go(tmp_path: Path) -> None:
    folder, told = folder_of(tmp_path / "in", a="well", b="well", once="hang once"), Told()
    bare = ["--no-nanny", "--no-dashboard"]
    with scheduler(tmp_path) as (where, _), start_dask("worker", where, *bare), start_dask("worker", where, *bare):
        with connect_client(RunConfig(scheduler=where)) as client:
            client.wait_for_workers(2, timeout=60)
        summary = convert(folder, tmp_path / "out", RunConfig(scheduler=where, stall_s=1.0), told)
    assert summary.converted == 3 and "it has no nanny to replace it, and is let go" in told.notes()


def test_cancelling_lays_down_what_the_workers_are_at(address: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", a="slow", b="slow", c="slow", d="slow", e="well")

    def cancel(worker: int, clip: str, event: Event) -> None:
        if len(pids(tmp_path)) >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(folder, tmp_path / "out", RunConfig(scheduler=address), cancel)
    assert results(tmp_path / "out") == {} and not any((tmp_path / "out" / FOLDER / "work").iterdir())
    for path in folder.iterdir():
        path.write_text("well")
    began = time.monotonic()
    assert convert(folder, tmp_path / "out", RunConfig(scheduler=address)).converted == 5
    assert time.monotonic() - began < 50.0  # nobody is still at the sixty seconds of a slow one


def test_clips_for_cuda_go_to_workers_tagged_as_having_a_gpu(address: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", **{name: "well" for name in "abcdef"})
    summary = convert(folder, tmp_path / "out", RunConfig(scheduler=address), settings=CUDA)
    assert summary.converted == 6 and len(set(pids(tmp_path))) == 1
    other = convert(folder, tmp_path / "other", RunConfig(scheduler=address))
    assert other.converted == 6 and len(set(pids(tmp_path))) > 1


def test_urls_in_and_out(address: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", a="well", b="well, too", c="bad", d="crash once")
    (tmp_path / "met-d.mp4").touch()
    convert(folder, tmp_path / "out", RunConfig(workers=1))
    there = f"file://{tmp_path}/there"
    asked = [replace(clip, source=f"file://{clip.source}", out=there) for clip in make_tasks(folder, tmp_path / "out")]
    asked = [clip for clip in asked if clip.name != "d"]
    with open_store(there).lock():
        summary = convert_all(asked, RunConfig(scheduler=address), fake_conversion.make, lambda *_: None)
    assert summary.converted == 2 and dict(summary.failed) == {"c": "It shows nobody. Choose another."}
    expected = {name: data for name, data in results(tmp_path / "out").items() if not name.startswith("d")}
    assert results(tmp_path / "there") == expected


def test_workers_that_see_another_folder_or_have_another_version_say_so(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "in", a="well")
    elsewhere = f"{tmp_path}/elsewhere/{WORK}/1.here"
    monkeypatch.setattr(LocalStore, "place_probe", lambda _: contextlib.nullcontext(elsewhere))
    with pytest.raises(
        UserError, match=r"The worker tcp://.* does not see the job folder .*elsewhere, or sees another"
    ):
        convert(folder, tmp_path / "out", RunConfig(scheduler=address))
    monkeypatch.undo()
    monkeypatch.setattr(dask_cluster, "__version__", "99.0")
    with pytest.raises(UserError, match=r"The worker tcp://.* has STC Mocap .*, and who started the run has 99\.0"):
        convert(folder, tmp_path / "out", RunConfig(scheduler=address))
    assert results(tmp_path / "out") == {} and not pids(tmp_path)


def test_a_worker_of_another_version_is_left_out_and_the_others_do_the_work(address: str, tmp_path: Path) -> None:
    folder, told = folder_of(tmp_path / "in", **{name: "well" for name in "abcdefgh"}), Told()
    (tmp_path / "sitecustomize.py").write_text("import stc_core\nstc_core.__version__ = '0.0'\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with start_dask("worker", address, "--nthreads", "1", "--no-dashboard", path=path):
        with connect_client(RunConfig(scheduler=address)) as client:
            client.wait_for_workers(4, timeout=60)
        summary = convert(folder, tmp_path / "out", RunConfig(scheduler=address), told)
    assert summary.converted == 8 and told.notes().count("It is left out.") == 1
    assert "has STC Mocap 0.0, and who started the run has" in told.notes()


def test_without_a_scheduler_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 0.5)
    folder = folder_of(tmp_path / "in", a="well")
    for nobody in ("tcp://127.0.0.1:1", "nonsense://127.0.0.1:1"):
        with pytest.raises(UserError, match=f"No Dask scheduler answers at {nobody}"):
            convert(folder, tmp_path / "out", RunConfig(scheduler=nobody))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 4096])
def test_another_server_at_the_address_is_said_in_a_set_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 0.5)
    folder = folder_of(tmp_path / "in", a="well")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(answer)
            time.sleep(3.0)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"tcp://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(UserError, match=f"No Dask scheduler answers at {where}"):
            convert(folder, tmp_path / "out", RunConfig(scheduler=where))
        server.shutdown()


@pytest.mark.parametrize(
    "address", ["nonsense", "http://127.0.0.1:1", "tcp://", "tcp://127.0.0.1", "tls://127.0.0.1:1"]
)
def test_an_address_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 0.5)
    folder = folder_of(tmp_path / "in", a="well")
    with pytest.raises(UserError, match=f"No Dask scheduler answers at {address}"):
        convert(folder, tmp_path / "out", RunConfig(scheduler=address))
    with pytest.raises(UserError, match=r"There is no file .*lost\.pem"):
        convert(folder, tmp_path / "out", RunConfig(scheduler="tls://127.0.0.1:1", tls_ca=tmp_path / "lost.pem"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")
def test_a_cluster_over_tls(tmp_path: Path) -> None:
    """One certificate that signs itself is the authority, the server's and the client's."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    flags = ["--tls-ca-file", str(cert), "--tls-cert", str(cert), "--tls-key", str(key), "--no-dashboard"]
    file = tmp_path / "scheduler.json"
    place = ["--host", "tls://127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
    folder = folder_of(tmp_path / "in", a="well")
    with start_dask("scheduler", *place, *flags):
        assert wait_for(file.exists) and wait_for(lambda: bool(file.read_text()))
        where = json.loads(file.read_text())["address"]
        assert where.startswith("tls://")
        with start_dask("worker", where, *flags):
            config = RunConfig(scheduler=where, tls_ca=cert, tls_cert=cert, tls_key=key)
            assert convert(folder, tmp_path / "out", config).converted == 1
        with pytest.raises(UserError, match="Name certificates by --tls-ca"):
            convert(folder, tmp_path / "other", RunConfig(scheduler=where))


def test_a_cluster_without_workers_is_waited_for_and_a_scheduler_that_goes_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 1.0)
    folder, notes = folder_of(tmp_path / "in", a="well"), []

    with scheduler(tmp_path) as (where, pid):

        def kill_on_note(worker: int, clip: str, event: Event) -> None:
            if isinstance(event, Note):
                notes.append(event.message)
                kill(pid)

        with pytest.raises(UserError, match=f"The Dask scheduler {where} is gone"):
            convert(folder, tmp_path / "out", RunConfig(scheduler=where), kill_on_note)
    assert notes == ["The cluster has no worker; the clips wait for one."]


def test_one_clip_at_a_time_in_a_process() -> None:
    at_once, most = [0], [0]

    def work() -> None:
        with dask_worker.take_turn("run"):
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            time.sleep(0.02)
            at_once[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_one_room_knows_dask_and_one_knows_fsspec() -> None:
    names = {path.relative_to(ROOT).as_posix(): imports(path) for path in SOURCES}
    for library, room in {
        "distributed": "scheduling/dask_",
        "dask": "scheduling/dask_",
        "fsspec": "store/urls.py",
    }.items():
        assert all(path.startswith(f"stc_core/convert/{room}") for path in names if within(names[path], library))


def test_without_dask_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stc_core.convert.scheduling.dask_cluster", None)
    monkeypatch.delattr("stc_core.convert.scheduling.dask_cluster", raising=False)
    clip = Task(source=str(tmp_path / "a.mp4"), out=str(tmp_path), name="a", to=("bvh",))
    with pytest.raises(UserError, match=r"--scheduler needs the library .* Run: pip install 'stc-mocap\[cluster\]'"):
        convert_all([clip], RunConfig(scheduler="tcp://127.0.0.1:1"), fake_conversion.make, lambda *_: None)
