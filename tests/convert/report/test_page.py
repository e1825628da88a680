"""The page shows every clip with its reason, figures and links, worst first; nothing in a name or note breaks it."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pytest

from stc_core.convert.report import page
from stc_core.convert.report.page import ClipRow, list_rows, render_page, write_report
from stc_core.convert.store.local_store import LocalStore
from stc_core.convert.store.record import FOLDER, Record, Task
from stc_core.errors import UserError
from stc_core.events import Note, ignore
from tests.convert.report import sample_job_folder as shown

VOID = {"meta", "link", "input", "img"}
ROW = ClipRow(
    name="walk",
    source="file:///walk.mp4",
    state="done",
    reason="",
    takes=(),
    notes=(),
    warnings={},
    seconds=1.0,
    stages={},
    summary=shown.summary(),
)


class Page(HTMLParser):
    """Elements with their attributes, and the text of each row."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tbody":
            self.rows.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "tbody" in self._open:
            self.rows[-1] += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [values[attribute] for name, values in self.elements if name == tag and attribute in values]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Task], Page]]:
    out, clips = shown.folder(tmp_path_factory.mktemp("shown"))
    with LocalStore(out).lock():
        path = write_report(LocalStore(out), clips, {})
        assert path == out / "report.html" and not any((out / FOLDER / "work").iterdir())
        yield out, clips, Page(path.read_text(encoding="utf-8"))


def rows(out: Path, tasks: Sequence[Task], errors: Mapping[str, str] | None = None) -> list[ClipRow]:
    return list_rows(LocalStore(out), tasks, errors or {})


def test_every_clip_has_a_row_worst_first(report: tuple[Path, list[Task], Page]) -> None:
    assert report[2].all("tbody", "data-name") == shown.ORDER


def test_failed_and_waiting_clips_say_why(report: tuple[Path, list[Task], Page]) -> None:
    bad, later, *others = report[2].rows
    assert "failed" in bad and "bad.mp4 shows <nobody>. Choose another." in bad
    assert "Not done yet" in later and not any("Not done yet" in text for text in others)


def test_warnings_are_all_kinds_but_guesses_and_unknown_kinds_are_shown_as_they_are(
    report: tuple[Path, list[Task], Page],
) -> None:
    texts = dict(zip(shown.ORDER, report[2].rows, strict=True))
    assert "left and right swapped × 2" in texts["shaky"] and "moon & stars" in texts[shown.ODD]
    assert shown.GUESS.message in texts["fine"]
    kinds = dict(zip(shown.ORDER, report[2].all("tbody", "data-kinds"), strict=True))
    assert kinds["fine"] == kinds["slides"] == "{}"
    assert json.loads(kinds[shown.ODD]) == {"moon & stars": 1, "swap": 1}


def test_links_lead_to_the_results_whatever_their_names(report: tuple[Path, list[Task], Page]) -> None:
    out, clips, html = report
    links = html.all("a", "href")
    inputs = [link for link in links if link.startswith("file:")]
    assert {url2pathname(urlsplit(link).path) for link in inputs} >= {task.source for task in clips}
    results = {out / unquote(link) for link in links if not link.startswith(("file:", "#"))}
    assert (
        results == {path for path in map(Path, LocalStore(out).list_results()) if FOLDER not in path.parts}
        and len(results) == 12
    )
    assert all(re.fullmatch(r"[A-Za-z0-9_.~%/-]+", link) for link in links if not link.startswith(("file:", "#")))


def test_nothing_comes_from_elsewhere(report: tuple[Path, list[Task], Page]) -> None:
    html = report[2]
    assert all(source.startswith("data:image/webp;base64,") for source in html.all("img", "src"))
    assert not html.all("script", "src") and html.all("link", "href") == ["data:,"]
    text = (report[0] / "report.html").read_text(encoding="utf-8")
    outside = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not addresses
    assert "url(" not in text.replace("url(#", "") and "@import" not in text


def test_names_and_notes_are_text_and_not_markup(report: tuple[Path, list[Task], Page]) -> None:
    html = report[2]
    tags = [tag for tag, _ in html.elements]
    assert "i" not in tags and tags.count("script") == 1 and html.all("b", "onload") == []
    assert any(shown.ODD in text for text in html.rows)
    assert any(shown.NEW.message in text for text in html.rows)


def test_takes_have_pictures_figures_and_links_each_and_the_clip_the_worst(
    report: tuple[Path, list[Task], Page],
) -> None:
    (cuts,) = [row for row in rows(*report[:2]) if row.name == "cuts"]
    assert [take.name for take in cuts.takes] == ["take 1", "take 2"] and cuts.summary is not None
    assert [links for take in cuts.takes for links in take.links] == [
        ("npz", "cuts_take1.npz"),
        ("bvh", "cuts_take1.bvh"),
        ("npz", "cuts_take2.npz"),
        ("bvh", "cuts_take2.bvh"),
    ]
    assert (cuts.summary.frames, cuts.summary.observed, cuts.summary.slide_mm, cuts.summary.jitter_m_s3) == (
        60,
        54,
        9.0,
        70.0,
    )
    text = report[2].rows[shown.ORDER.index("cuts")]
    assert "take 1" in text and "24 of 30 frames with a person" in text and "54 of 60" in text


def test_ten_takes_stand_in_their_order(tmp_path: Path) -> None:
    out, _ = shown.folder(tmp_path)
    (record,) = [record for record in LocalStore(out).load_all() if record.task.name == "cuts"]
    result = record.results["bvh_take1"]
    row = page._make_row(out, replace(record, results={f"bvh_take{n}": result for n in (10, 2, 1)}), "done")
    assert [take.name for take in row.takes] == ["take 1", "take 2", "take 10"]


def test_what_is_gone_is_said_and_not_linked_and_what_was_removed_is_left_out(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    (out / "fine.bvh").unlink()
    (out / "cuts_take1.bvh").unlink()
    found = {row.name: row for row in rows(out, clips)}
    assert found["fine"].state == "waiting" and found["fine"].takes[0].gone == ("bvh",)
    assert [format for format, _ in found["fine"].takes[0].links] == ["npz"]
    assert found["cuts"].state == "done" and found["cuts"].takes[0].gone == ("bvh",)
    assert "bvh is gone" in render_page(list(found.values()), "all")
    for path in out.glob("cuts*"):
        path.unlink()
    assert "cuts" in {row.name for row in rows(out, clips)}  # it can still be made
    (tmp_path / "in" / "cuts.mp4").unlink()
    assert {row.name for row in rows(out, clips)} == set(shown.ORDER) - {"cuts"}


def test_a_clip_to_be_made_anew_is_not_called_done(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    changed = [replace(clip, settings={"smooth": 0.0}) for clip in clips]
    assert {row.state for row in rows(out, changed) if row.name != "cuts"} == {"waiting"}


def test_a_full_disk_is_a_failure_with_its_reason_though_it_will_be_tried_again(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    record = replace(
        LocalStore(out).load(clips[0]), state="failed", error="The disk is full.", transient=True, results={}
    )
    LocalStore(out).save(record)
    (row,) = [row for row in rows(out, clips) if row.name == "fine"]
    assert (row.state, row.reason) == ("failed", "The disk is full.")


def test_a_clip_without_summary_has_a_row(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    for path in (out / FOLDER / "summaries").iterdir():
        path.write_text("{")
    html = Page(render_page(rows(out, clips), "all"))
    assert len(html.rows) == 7 and not html.all("img", "src")


def test_the_clips_of_earlier_runs_are_shown_with_their_failures(tmp_path: Path) -> None:
    out, _ = shown.folder(tmp_path)
    assert {row.name: row.state for row in rows(out, [])} == {
        name: "failed" if name == "bad" else "done" for name in shown.ORDER if name != "later"
    }


@pytest.mark.skipif(os.name == "nt", reason="that system is this one")
def test_an_input_of_another_system_is_named_and_not_linked(tmp_path: Path) -> None:
    task = Task(source="C:\\shots\\walk.mp4", out=str(tmp_path), name="walk", to=("bvh",))
    row = page._make_row(tmp_path, Record(task=task, state="failed", error="Why."), "failed")
    html = Page(render_page([row], "one"))
    assert row.source == "" and html.all("a", "href") == [] and "walk" in html.rows[0]


def test_nothing_to_show_is_a_page(tmp_path: Path) -> None:
    assert Page(render_page([], "empty")).rows == []


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_shown_as_well_as_can_be(tmp_path: Path) -> None:
    name = os.fsdecode(b"walk \xff")
    (tmp_path / f"{name}.mp4").write_text("walk")
    source, store = str(tmp_path / f"{name}.mp4"), LocalStore(tmp_path / "out")
    task = Task(source=source, out=str(store.out), name=name, to=("bvh",), settings={}, summary=1)
    with store.lock():
        store.convert(task, shown.make, ignore)
        html = Page(write_report(store, [task], {}).read_text(encoding="utf-8"))
    assert html.all("tbody", "data-name") == ["walk ?"] and "walk%20%FF.bvh" in html.all("a", "href")


def test_what_cannot_be_written_is_a_sentence_and_the_old_page_stays(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    with LocalStore(out).lock():
        (out / "report.html").mkdir()
        with pytest.raises(UserError, match=r"report\.html cannot be written"):
            write_report(LocalStore(out), clips, {})


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"observed": 27}, 10.0),
        ({"confidence": 0.8}, 10.0),
        ({"slide_mm": 2.5}, 3.0),
        ({"slide_mm": None}, -2.0),
        ({"jitter_m_s3": 150.0}, 10.0),
    ],
)
def test_severity_is_what_the_page_says(changes: dict[str, float], more: float) -> None:
    assert replace(ROW, summary=shown.summary(**changes)).severity - ROW.severity == pytest.approx(more)


def test_each_kind_of_warning_counts_once(tmp_path: Path) -> None:
    task = Task(source="/walk.mp4", out=str(tmp_path), name="walk", to=("bvh",))
    notes = (Note("a", "swap"), Note("b", "swap"), Note("c", "gap"), Note("d"), Note("e", "guess"))
    row = page._make_row(tmp_path, Record(task=task, state="done", notes=notes), "done")
    assert row.warnings == {"swap": 2, "gap": 1} and row.severity == 40.0


def test_figures_are_marked_where_they_are_doubtful_or_bad() -> None:
    assert [page.grade(shown.summary(jitter_m_s3=value), "jitter") for value in (None, 50.0, 300.0, 900.0)] == [
        "fine",
        "fine",
        "doubtful",
        "bad",
    ]
    assert page.grade(shown.summary(observed=15), "missing") == "bad"


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.34, "2.3 s"), (59.99, "60.0 s"), (65.0, "1 min 05 s"), (7260.0, "2 h 01 min")]
)
def test_times_are_said_shortly(seconds: float, words: str) -> None:
    assert page.format_duration(seconds) == words


def test_a_page_that_is_not_ours_or_was_changed_is_kept(tmp_path: Path) -> None:
    out, tasks = shown.folder(tmp_path)
    path, store = out / "report.html", LocalStore(out)
    with store.lock():
        path.write_text("mine")
        with pytest.raises(UserError, match=r"report\.html was not written by STC Mocap, or was changed since"):
            write_report(store, tasks, {})
        assert path.read_text() == "mine"
        write_report(store, [replace(task, overwrite=True) for task in tasks], {})
        write_report(store, tasks, {})  # over our own
        edited = path.read_text(encoding="utf-8").replace("walk", "talk") + "<!-- -->"
        path.write_text(edited, encoding="utf-8")
        with pytest.raises(UserError, match="was changed since"):
            write_report(store, tasks, {})
        assert path.read_text(encoding="utf-8") == edited


def test_a_clip_that_was_refused_says_why_and_the_other_of_its_name_stays(tmp_path: Path) -> None:
    out, tasks = shown.folder(tmp_path)
    (tmp_path / "fine.mp4").write_text("another")
    others = [replace(task, source=str(tmp_path / "fine.mp4")) for task in tasks if task.name == "fine"]
    (row,) = [row for row in rows(out, others, {"fine": "It was made from another."}) if row.name == "fine"]
    assert (row.state, row.reason, row.takes) == ("failed", "It was made from another.", ())


def test_one_bad_record_or_summary_costs_its_own_clip_only(tmp_path: Path) -> None:
    out, tasks = shown.folder(tmp_path)
    (path,) = (out / FOLDER / "clips").glob("slides-*.json")
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": "<script>", "x": '))
    (path,) = (out / FOLDER / "summaries").glob("fine-*.json")
    path.write_text(re.sub(r'"jitter_m_s3": [0-9.]+', '"jitter_m_s3": Infinity', path.read_text()))
    found = {row.name: row for row in rows(out, tasks)}
    assert found["slides"].state == "waiting" and found["fine"].summary is None
    assert len(Page(render_page(list(found.values()), "all")).rows) == 7
