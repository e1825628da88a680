"""What words of the command line stand for, and what is wrong with them, each in a sentence."""

import os
from pathlib import Path
from typing import Any

import pytest

from stc_core.convert.inputs import Input, find_inputs, parse_formats
from stc_core.errors import UserError

ODD = ["two words", 'it\'s "quoted"', "動きの記録", "x" * 200, "-dash", "[brackets]*", "50%{n}", "a.b.c"]


def touch_files(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def find(*args: object, results: tuple[Path, ...] = ()) -> tuple[Input, ...]:
    found = find_inputs([str(arg) for arg in args], {str(path) for path in results})
    assert not found.unreadable
    return found.inputs


def names(*args: object, results: tuple[Path, ...] = ()) -> list[str]:
    return [entry.name for entry in find(*args, results=results)]


def test_a_folder_gives_videos_and_motions_with_their_folders_as_names(tmp_path: Path) -> None:
    good = ["b.MP4", "a.mov", "in/a.mp4", "in/deep/motion.npz"]
    touch_files(*(tmp_path / name for name in [*good, "notes.txt", "in/sound.wav", ".hidden/c.mp4", ".d.mp4"]))
    assert names(tmp_path) == ["a", "b", "in/a", "in/deep/motion"]
    (motion,) = [entry for entry in find(tmp_path) if entry.is_motion]
    assert motion.source == tmp_path / "in" / "deep" / "motion.npz"


def test_animations_count_in_a_folder_of_their_own_and_rigs_beside_videos_do_not(tmp_path: Path) -> None:
    touch_files(*(tmp_path / name for name in ["dances/a.fbx", "dances/b.GLB", "dances/deep/c.bvh", "dances/hero.vrm"]))
    touch_files(*(tmp_path / name for name in ["takes/walk.mp4", "takes/hero.fbx", "takes/run.bvh"]))
    touch_files(*(tmp_path / name for name in ["made/walk.npz", "made/walk.bvh", "made/walk.fbx"]))
    touch_files(*(tmp_path / name for name in ["mixamo/hero.fbx", "mixamo/run.fbx"]))
    assert names(tmp_path / "dances") == ["a", "b", "deep/c"]
    assert names(tmp_path / "dances" / "*.[fFgG]*") == ["a", "b"]
    assert names(tmp_path / "takes") == ["run", "walk"]
    assert names(tmp_path / "takes" / "hero.fbx") == ["hero"]
    assert names(tmp_path / "made") == ["walk"] and find(tmp_path / "made")[0].source == tmp_path / "made" / "walk.npz"
    assert names(tmp_path / "mixamo", results=(tmp_path / "mixamo" / "hero.fbx",)) == ["run"]
    assert all(entry.is_motion for entry in find(tmp_path / "mixamo"))


def test_files_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch_files(*(tmp_path / name for name in ["odd.raw", "one/a.mp4", "one/b.mkv", "two/a.mp4", "two/deep/c.webm"]))
    listing = tmp_path / "shots.txt"
    listing.write_text("\ufeff# the day's takes\n\none/a.mp4\n two/**/*.webm \n", encoding="utf-8")
    assert names(tmp_path / "odd.raw", tmp_path / "one" / "*.mp4", tmp_path / "two" / "deep") == ["odd", "a", "c"]
    assert names(tmp_path / "*" / "*.m*") == ["one/a", "one/b", "two/a"]
    assert names(listing) == ["a", "deep/c"]
    monkeypatch.chdir(tmp_path / "one")
    assert names("a.mp4", "*.mkv", "../one") == ["a", "b"]
    assert find("a.mp4")[0].source == tmp_path / "one" / "a.mp4"


@pytest.mark.parametrize("name", ODD)
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    touch_files(tmp_path / "in" / f"{name}.mp4")
    assert names(tmp_path / "in") == names(tmp_path / "in" / f"{name}.mp4") == [name]
    listing = tmp_path / "list.txt"
    listing.write_text(f"in/{name}.mp4\n", encoding="utf-8")
    assert names(listing) == [name]


def test_earlier_results_are_not_found_again_but_may_be_named(tmp_path: Path) -> None:
    touch_files(tmp_path / "a.mp4", tmp_path / "a.npz", tmp_path / "b.npz")
    assert names(tmp_path, results=(tmp_path / "a.npz",)) == ["a", "b"]
    assert names(tmp_path / "*", results=(tmp_path / "a.npz",)) == ["a", "b"]
    assert find(tmp_path / "a.npz", results=(tmp_path / "a.npz",))[0].is_motion


def sentence(*args: object) -> str:
    with pytest.raises(UserError) as caught:
        find(*args)
    return str(caught.value)


def test_bad_input_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch_files(tmp_path / "nothing.txt", tmp_path / "text" / "notes.md")
    (tmp_path / "loop.txt").write_text("nothing.txt\n")
    (tmp_path / "lost.txt").write_text("# takes\nlost.mp4\n")
    (tmp_path / "latin.txt").write_bytes("Müller.mp4".encode("latin-1"))
    assert "No input was named" in sentence()
    assert f"There is no file or folder {tmp_path / 'lost.mp4'}" in sentence(tmp_path / "lost.mp4")
    assert f"The folder {tmp_path / 'empty'} holds no video" in sentence(tmp_path / "empty")
    assert f"The folder {tmp_path / 'text'} holds no video" in sentence(tmp_path / "text")
    assert "fits" in sentence(tmp_path / "*.mp4")
    assert "names nothing" in sentence(tmp_path / "nothing.txt")
    assert "line 1: a list in a list" in sentence(tmp_path / "loop.txt")
    assert "line 2: There is no file or folder" in sentence(tmp_path / "lost.txt")
    assert "cannot be read as text" in sentence(tmp_path / "latin.txt")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a/walk.mp4", "b/walk.mp4"),
        ("a/walk.mp4", "a/Walk.mp4"),
        ("a/walk.mp4", "b/Walk.mp4"),
        ("a/\u00e9.mp4", "b/e\u0301.mp4"),
    ],
)
def test_two_inputs_of_one_name_are_told_before_the_work(tmp_path: Path, one: str, other: str) -> None:
    touch_files(tmp_path / one, tmp_path / other)
    told = sentence(tmp_path / one, tmp_path / other)
    assert str(tmp_path / one) in told and str(tmp_path / other) in told and "would both become" in told


def test_one_file_named_twice_is_one(tmp_path: Path) -> None:
    touch_files(tmp_path / "walk.mp4")
    os.symlink(tmp_path / "walk.mp4", tmp_path / "link.mp4")
    assert names(tmp_path / "walk.mp4", tmp_path, tmp_path / "walk.mp4") == ["walk"]


def test_formats() -> None:
    assert parse_formats("fbx, .BVH,fbx") == ("bvh", "fbx")
    for words, why in (("bvh,c3d", "“c3d” is no format that we write"), (" ,", "No format was named")):
        with pytest.raises(UserError, match=why):
            parse_formats(words)


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have a folder be one that may not be read, whoever runs the tests."""
    real = os.scandir

    def scan(path: str | os.PathLike[str]) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)


@pytest.mark.parametrize("arg", ["in", "in/**/*.mp4", "in/*/*.mp4", "list.txt"])
def test_a_folder_within_that_cannot_be_read_is_named_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arg: str
) -> None:
    touch_files(tmp_path / "in" / "open" / "x.mp4", tmp_path / "in" / "closed" / "y.mp4")
    (tmp_path / "list.txt").write_text("in\n")
    forbid(monkeypatch, tmp_path / "in" / "closed")
    found = find_inputs([str(tmp_path / arg)])
    assert [entry.name for entry in found.inputs] == ["open/x"]
    assert found.unreadable == ((tmp_path / "in" / "closed", "Permission denied"),)


def test_an_input_folder_that_cannot_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch_files(tmp_path / "in" / "x.mp4")
    forbid(monkeypatch, tmp_path / "in")
    assert f"The folder {tmp_path / 'in'} cannot be read (Permission denied)" in sentence(tmp_path / "in")


def test_every_kind_of_video_is_found_in_a_folder(tmp_path: Path) -> None:
    kinds = ["gif", "insv", "asf", "vob", "dv", "qt", "y4m", "mjpeg", "3g2", "webm"]
    touch_files(*(tmp_path / f"clip_{kind}.{kind}" for kind in kinds))
    assert names(tmp_path) == sorted(f"clip_{kind}" for kind in kinds)


def test_videos_that_differ_in_their_suffix_only_have_it_in_their_names(tmp_path: Path) -> None:
    touch_files(*(tmp_path / name for name in ["IMG_1.MOV", "IMG_1.MP4", "IMG_2.MOV", "in/IMG_1.mp4"]))
    assert names(tmp_path) == ["IMG_1_mov", "IMG_1_mp4", "IMG_2", "in/IMG_1"]
    touch_files(tmp_path / "x" / "a.mp4", tmp_path / "x" / "A.mp4")
    with pytest.raises(UserError, match="would both become “a”") as caught:
        names(tmp_path / "x")
    assert "folder above" not in caught.value.remedy


def test_image_sequences_are_clips_and_photographs_are_not(tmp_path: Path) -> None:
    shots, photographs = tmp_path / "shots", tmp_path / "photographs"
    touch_files(*(shots / "walk" / f"shot.{number:04d}.png" for number in range(1001, 1013)))
    touch_files(*(shots / "two" / f"{name}{number}.jpg" for name in "ab" for number in range(12)))
    touch_files(*(photographs / f"IMG_{number:04d}.JPG" for number in range(0, 40, 2)), photographs / "clip.mp4")
    touch_files(*(tmp_path / "few" / f"{number}.png" for number in range(3)))
    assert names(shots) == ["two/a", "two/b", "walk"]
    assert [str(entry.source) for entry in find(shots / "walk")] == [str(shots / "walk" / "shot.%04d.png")]
    assert names(shots / "walk") == ["walk"] and not find(shots / "walk")[0].is_motion
    assert names(shots / "walk" / "shot.%04d.png", shots / "two" / "a%d.jpg") == ["shot", "a"]
    assert names(photographs) == ["clip"]
    with pytest.raises(UserError, match="holds no video"):
        names(tmp_path / "few")
