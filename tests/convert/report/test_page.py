"""The page shows every clip with its reason, figures and links, worst first; nothing in a name or note breaks it."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pytest

from stc_core.convert.report import page as report
from stc_core.convert.report.page import Row, page, rows, write_report
from stc_core.convert.store import local_store as jobs
from stc_core.convert.store.local_store import Clip, Record
from stc_core.errors import UserError
from stc_core.events import Note, ignore
from tests.convert.report import sample_job_folder as shown

VOID = {"meta", "link", "input", "img"}
ROW = Row("walk", "file:///walk.mp4", "done", "", (), (), {}, 1.0, {}, shown.look())


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
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Clip], Page]]:
    out, clips = shown.folder(tmp_path_factory.mktemp("shown"))
    with jobs.opened(out):
        path = write_report(out, clips)
        assert path == out / "report.html" and not any((out / jobs.FOLDER / "work").iterdir())
        yield out, clips, Page(path.read_text(encoding="utf-8"))


def test_every_clip_has_a_row_worst_first(written: tuple[Path, list[Clip], Page]) -> None:
    assert written[2].all("tbody", "data-name") == shown.ORDER


def test_failed_and_waiting_clips_say_why(written: tuple[Path, list[Clip], Page]) -> None:
    bad, later, *others = written[2].rows
    assert "failed" in bad and "bad.mp4 shows <nobody>. Choose another." in bad
    assert "Not done yet" in later and not any("Not done yet" in text for text in others)


def test_warnings_are_all_kinds_but_guesses_and_unknown_kinds_are_shown_as_they_are(
    written: tuple[Path, list[Clip], Page],
) -> None:
    texts = dict(zip(shown.ORDER, written[2].rows, strict=True))
    assert "left and right swapped × 2" in texts["shaky"] and "moon & stars" in texts[shown.ODD]
    assert shown.GUESS.message in texts["fine"]
    kinds = dict(zip(shown.ORDER, written[2].all("tbody", "data-kinds"), strict=True))
    assert kinds["fine"] == kinds["slides"] == "{}"
    assert json.loads(kinds[shown.ODD]) == {"moon & stars": 1, "swap": 1}


def test_links_lead_to_the_results_whatever_their_names(written: tuple[Path, list[Clip], Page]) -> None:
    out, clips, html = written
    links = html.all("a", "href")
    inputs = [link for link in links if link.startswith("file:")]
    assert {url2pathname(urlsplit(link).path) for link in inputs} >= {clip.source for clip in clips}
    results = {out / unquote(link) for link in links if not link.startswith(("file:", "#"))}
    assert results == {path for path in jobs.results(out) if jobs.FOLDER not in path.parts} and len(results) == 12
    assert all(re.fullmatch(r"[A-Za-z0-9_.~%/-]+", link) for link in links if not link.startswith(("file:", "#")))


def test_nothing_comes_from_elsewhere(written: tuple[Path, list[Clip], Page]) -> None:
    html = written[2]
    assert all(source.startswith("data:image/webp;base64,") for source in html.all("img", "src"))
    assert not html.all("script", "src") and html.all("link", "href") == ["data:,"]
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    outside = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not addresses
    assert "url(" not in text.replace("url(#", "") and "@import" not in text


def test_names_and_notes_are_text_and_not_markup(written: tuple[Path, list[Clip], Page]) -> None:
    html = written[2]
    tags = [tag for tag, _ in html.elements]
    assert "i" not in tags and tags.count("script") == 1 and html.all("b", "onload") == []
    assert any(shown.ODD in text for text in html.rows)
    assert any(shown.NEW.message in text for text in html.rows)


def test_takes_have_pictures_figures_and_links_each_and_the_clip_the_worst(
    written: tuple[Path, list[Clip], Page],
) -> None:
    (cuts,) = [row for row in rows(*written[:2]) if row.name == "cuts"]
    assert [take.name for take in cuts.takes] == ["take 1", "take 2"] and cuts.look is not None
    assert [links for take in cuts.takes for links in take.links] == [
        ("npz", "cuts_take1.npz"),
        ("bvh", "cuts_take1.bvh"),
        ("npz", "cuts_take2.npz"),
        ("bvh", "cuts_take2.bvh"),
    ]
    assert (cuts.look.frames, cuts.look.seen, cuts.look.slide_mm, cuts.look.jitter_m_s3) == (60, 54, 9.0, 70.0)
    text = written[2].rows[shown.ORDER.index("cuts")]
    assert "take 1" in text and "24 of 30 frames with a person" in text and "54 of 60" in text


def test_ten_takes_stand_in_their_order(tmp_path: Path) -> None:
    out, _ = shown.folder(tmp_path)
    (record,) = [record for record in jobs.records(out) if record.clip.name == "cuts"]
    result = record.results["bvh_take1"]
    row = report._row(out, replace(record, results={f"bvh_take{n}": result for n in (10, 2, 1)}), "done")
    assert [take.name for take in row.takes] == ["take 1", "take 2", "take 10"]


def test_what_is_gone_is_said_and_not_linked_and_what_was_removed_is_left_out(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    (out / "fine.bvh").unlink()
    (out / "cuts_take1.bvh").unlink()
    found = {row.name: row for row in rows(out, clips)}
    assert found["fine"].state == "waiting" and found["fine"].takes[0].gone == ("bvh",)
    assert [format for format, _ in found["fine"].takes[0].links] == ["npz"]
    assert found["cuts"].state == "done" and found["cuts"].takes[0].gone == ("bvh",)
    assert "bvh is gone" in page(list(found.values()), "all")
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
    record = replace(jobs.load(clips[0]), state="failed", error="The disk is full.", passing=True, results={})
    jobs.save(record)
    (row,) = [row for row in rows(out, clips) if row.name == "fine"]
    assert (row.state, row.why) == ("failed", "The disk is full.")


def test_a_clip_without_look_has_a_row(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    for path in (out / jobs.FOLDER / "looks").iterdir():
        path.write_text("{")
    html = Page(page(rows(out, clips), "all"))
    assert len(html.rows) == 7 and not html.all("img", "src")


def test_the_clips_of_earlier_runs_are_shown_with_their_failures(tmp_path: Path) -> None:
    out, _ = shown.folder(tmp_path)
    assert {row.name: row.state for row in rows(out, [])} == {
        name: "failed" if name == "bad" else "done" for name in shown.ORDER if name != "later"
    }


@pytest.mark.skipif(os.name == "nt", reason="that system is this one")
def test_an_input_of_another_system_is_named_and_not_linked(tmp_path: Path) -> None:
    clip = Clip("C:\\shots\\walk.mp4", str(tmp_path), "walk", ("bvh",))
    row = report._row(tmp_path, Record(clip, "failed", error="Why."), "failed")
    html = Page(page([row], "one"))
    assert row.source == "" and html.all("a", "href") == [] and "walk" in html.rows[0]


def test_nothing_to_show_is_a_page(tmp_path: Path) -> None:
    assert Page(page([], "empty")).rows == []


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_shown_as_well_as_can_be(tmp_path: Path) -> None:
    name = os.fsdecode(b"walk \xff")
    (tmp_path / f"{name}.mp4").write_text("walk")
    clip = Clip(str(tmp_path / f"{name}.mp4"), str(tmp_path / "out"), name, ("bvh",), {}, look=1)
    with jobs.opened(tmp_path / "out"):
        jobs.perform(clip, shown.make, ignore)
        html = Page(write_report(tmp_path / "out", [clip]).read_text(encoding="utf-8"))
    assert html.all("tbody", "data-name") == ["walk ?"] and "walk%20%FF.bvh" in html.all("a", "href")


def test_what_cannot_be_written_is_a_sentence_and_the_old_page_stays(tmp_path: Path) -> None:
    out, clips = shown.folder(tmp_path)
    with jobs.opened(out):
        (out / "report.html").mkdir()
        with pytest.raises(UserError, match=r"report\.html cannot be written"):
            write_report(out, clips)


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"seen": 27}, 10.0),
        ({"confidence": 0.8}, 10.0),
        ({"slide_mm": 2.5}, 3.0),
        ({"slide_mm": None}, -2.0),
        ({"jitter_m_s3": 150.0}, 10.0),
    ],
)
def test_badness_is_what_the_page_says(changes: dict[str, float], more: float) -> None:
    assert replace(ROW, look=shown.look(**changes)).badness - ROW.badness == pytest.approx(more)


def test_each_kind_of_warning_counts_once(tmp_path: Path) -> None:
    clip = Clip("/walk.mp4", str(tmp_path), "walk", ("bvh",))
    notes = (Note("a", "swap"), Note("b", "swap"), Note("c", "gap"), Note("d"), Note("e", "guess"))
    row = report._row(tmp_path, Record(clip, "done", notes=notes), "done")
    assert row.warnings == {"swap": 2, "gap": 1} and row.badness == 40.0


def test_figures_are_marked_where_they_are_doubtful_or_bad() -> None:
    assert [report.grade(shown.look(jitter_m_s3=value), "jitter") for value in (None, 50.0, 300.0, 900.0)] == [
        "fine",
        "fine",
        "doubtful",
        "bad",
    ]
    assert report.grade(shown.look(seen=15), "missing") == "bad"


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.34, "2.3 s"), (59.99, "60.0 s"), (65.0, "1 min 05 s"), (7260.0, "2 h 01 min")]
)
def test_times_are_said_shortly(seconds: float, words: str) -> None:
    assert report._duration(seconds) == words
