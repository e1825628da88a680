"""Whatever a web server answers ends in a file or a sentence, within a set time and size."""

import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="fsspec reads HTTP through it")

from stc_core.convert.inputs import find_inputs
from stc_core.convert.store import urls
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.open_store import store_of
from stc_core.convert.store.record import Make, Task
from stc_core.errors import UserError
from stc_core.events import Event, Progress, ignore

GOOD = b"a video" * 1000


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the path says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "mute":
            time.sleep(5.0)
        elif kind == "endless":
            self._endless(b"x" * (1 << 20), pause_s=0.0)
        elif kind == "drip":
            self._endless(b"x", pause_s=0.05)
        elif kind == "short":
            self._answer(200, {"Content-Length": str(2 * len(GOOD))}, GOOD)
            self.close_connection = True
        elif kind == "good":
            self._answer(200, {"Content-Length": str(len(GOOD)), "ETag": '"1"'}, GOOD)
        else:
            to = {"loop": self.path, "tofile": "file:///etc/hostname", "toftp": "ftp://127.0.0.1/x.mp4"}.get(kind)
            headers = {"Location": to} if to else {}
            self._answer(302 if to else int(kind), {**headers, "Content-Length": "0"}, b"")

    do_HEAD = do_GET

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _endless(self, data: bytes, pause_s: float) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            while self.command == "GET":
                self.wfile.write(data)
                time.sleep(pause_s)
        except OSError:  # who asked has gone
            return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as it:
        it.daemon_threads = True
        threading.Thread(target=it.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{it.server_address[1]}"
        it.shutdown()


def copy(task: Task, kinds: list[str], motion: Path, folder: Path, report: object) -> dict[str, Path]:
    (folder / "x.npz").write_bytes(Path(task.source).read_bytes())
    return {"motion": folder / "x.npz"}


MAKE: Make = copy  # type: ignore[assignment]


def task_of(url: str, out: Path) -> Task:
    return Task(source=url, out=str(out), name="x", to=(), settings={})


def test_a_good_answer_is_a_file_and_its_bytes_are_reported(server: str, tmp_path: Path) -> None:
    (entry,) = find_inputs([f"{server}/good/x.mp4"]).inputs
    events: list[Event] = []
    with LocalStore(tmp_path).lock():
        record = store_of(task_of(str(entry.source), tmp_path)).convert(
            task_of(str(entry.source), tmp_path), MAKE, events.append
        )
    assert record.state == "done" and (tmp_path / "x.npz").read_bytes() == GOOD
    assert any(isinstance(event, Progress) and event.stage == "fetch" for event in events)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("500", "the server answers 500 Internal Server Error"),
        ("403", "the server answers 403 Forbidden"),
        ("404", "There is no file or folder"),
        ("loop", "it redirects without end"),
        ("tofile", "it redirects to file:///etc/hostname"),
        ("toftp", "it redirects to ftp://127.0.0.1/x.mp4"),
        ("mute", "no answer within 0.3 s"),
    ],
)
def test_what_a_server_refuses_is_a_sentence(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, why: str
) -> None:
    monkeypatch.setattr(urls, "SILENCE_S", 0.3)
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        find_inputs([f"{server}/{kind}/x.mp4"])
    assert f"{server}/{kind}/x.mp4" in str(caught.value) and why in str(caught.value)
    assert time.monotonic() - began < 30.0
    with LocalStore(tmp_path).lock():
        record = store_of(task_of(f"{server}/{kind}/y.mp4", tmp_path)).convert(
            task_of(f"{server}/{kind}/y.mp4", tmp_path), MAKE, ignore
        )
    assert record.state == "failed" and record.transient and server in record.error
    assert not list(tmp_path.glob("*.npz"))


def test_an_endless_answer_ends_at_a_set_size(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "MAX_UNDECLARED_BYTES", 8 << 20)
    with pytest.raises(UserError, match=r"sends more than 8 MiB without a size\. Fetch it yourself"):
        urls.fetch(f"{server}/endless/x.mp4", tmp_path / "x.mp4")
    assert os.path.getsize(tmp_path / "x.mp4") < 64 << 20


def test_a_file_that_does_not_fit_is_a_sentence(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(UserError, match="does not fit on the disk"):
        urls.fetch(f"{server}/good/x.mp4", tmp_path / "x.mp4")


def test_an_answer_that_breaks_off_is_a_sentence(server: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        urls.fetch(f"{server}/short/x.mp4", tmp_path / "x.mp4")


def test_an_answer_that_only_drips_ends(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "PATIENCE_S", 0.3)
    with pytest.raises(UserError, match="sends less than 10 KiB a second"):
        urls.fetch(f"{server}/drip/x.mp4", tmp_path / "x.mp4")
