"""The documents are true where a program can tell: links, pictures, commands, options, paths and figures.

Reads every Markdown file; runs `--help` of each command that a document shows with options. CHANGELOG.md tells of old
names too, so only its links are checked.
"""

import functools
import hashlib
import importlib
import io
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
README, ACCURACY = ROOT / "README.md", ROOT / "docs/accuracy.md"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "weights/README.md", ROOT / "tests/truth/SOURCES.md"]
)
TODAY = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
README_LINES = 150
ENTRY_MODULES = {"stc_core": "stc_core.cli.main"}
WITH_SUBCOMMANDS = ("stc_core", "stc_core.training.train")
FOLDERS = "stc_core|blender_addon|tests|docs|weights|LICENSES|\\.ci"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9.-]*")
COMMAND = re.compile(r"(?:^|[\s/])(?:stc-mocap|-m (?:-- )?((?:stc_core|blender_addon|tests)[\w.]*))(?= |$)(.*)")
PATH = re.compile(rf"(?:{FOLDERS})/[\w./-]+")
MODULE = re.compile(r"(?:stc_core|blender_addon|tests)(?:\.\w+)+")


def parameters(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


@functools.cache
def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that a forge gives the headings: lower case, hyphens for spaces, no other punctuation."""
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(prose(text))]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


def links(text: str) -> list[str]:
    return [a or b for a, b in LINK.findall(prose(text))]


def shell_lines(text: str) -> Iterator[str]:
    """Commands as a shell would take them one by one, from fenced blocks and code spans, without comments."""
    blocks = [block for language, block in FENCE.findall(text) if language == "sh"]
    for source in [*blocks, *SPAN.findall(prose(text))]:
        for line in source.replace("\\\n", " ").splitlines():
            yield from re.split(r"&&|;|\|", re.sub(r"(^|\s)#.*", "", line))


def commands(text: str) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Our commands in a document: module and subcommand, with the options they are shown with."""
    for line in shell_lines(text):
        if found := COMMAND.search(line):
            module, words = found.group(1) or "stc_core", found.group(2).split()
            subcommand = words[:1] if module in WITH_SUBCOMMANDS and words and words[0].isidentifier() else []
            yield (module, *subcommand), set(OPTION.findall(found.group(2)))


@functools.cache
def help_text(entry: tuple[str, ...]) -> str:
    """What a command prints for --help; in this process, where its libraries are loaded already."""
    module, *subcommand = entry
    try:
        loaded = importlib.import_module(ENTRY_MODULES.get(module, module))
    except ModuleNotFoundError as error:
        if error.name == "bpy":
            pytest.skip("needs bpy")
        raise
    printed, handler = io.StringIO(), signal.getsignal(signal.SIGTERM)
    arguments = patch.object(sys, "argv", [module, *subcommand, "--help"])
    try:
        with arguments, redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit) as ended:
            loaded.main()
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert ended.value.code in (0, None), printed.getvalue()
    return printed.getvalue()


def options_of(entry: tuple[str, ...]) -> set[str]:
    return set(OPTION.findall(help_text(entry)))


# What the reading above finds


def test_commands_are_found_wherever_they_stand() -> None:
    text = """
Run `stc-mocap capture VIDEO --out DIR` or `--height 1.80`.
```sh
cd x && .venv/bin/stc-mocap doctor  # not --this
torchrun --nproc-per-node N -m -- stc_core.training.train shipped \\
  --chunks N
pip install --quiet tests
```
"""
    found = [(("stc_core", "capture"), {"--out"}), (("stc_core", "doctor"), set())]
    assert sorted(commands(text)) == sorted([*found, (("stc_core.training.train", "shipped"), {"--chunks"})])


def test_anchors_are_those_of_a_forge() -> None:
    text = "# One: `two`, [three](x.md)\n```sh\n# no heading\n```\n## A.b-c d\n"
    assert anchors(text) == {"one-two-three", "ab-c-d"}


# Links and pictures


@pytest.mark.parametrize("path", parameters(DOCUMENTS))
def test_links_and_anchors_lead_somewhere(path: Path) -> None:
    broken = []
    for link in links(read(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(read(target))):
            broken.append(link)
    assert not broken


def test_every_page_and_picture_is_linked() -> None:
    linked = {(path.parent / link.partition("#")[0]).resolve() for path in DOCUMENTS for link in links(read(path))}
    kept = {*ROOT.glob("docs/**/*.*"), *ROOT.glob("weights/*.png")}
    assert not kept - linked


# Commands, options, paths


@pytest.mark.parametrize("path", parameters(TODAY))
def test_commands_have_the_options_they_are_shown_with(path: Path) -> None:
    unknown = [(entry, options - options_of(entry)) for entry, options in commands(read(path)) if options]
    assert not [(entry, missing) for entry, missing in unknown if missing]


@pytest.mark.parametrize("path", parameters(TODAY))
def test_options_in_prose_belong_to_a_command_of_the_page(path: Path) -> None:
    spans = [span for span in SPAN.findall(prose(read(path))) if span.startswith("--")]
    entries = {entry for entry, _ in commands(read(path)) if entry not in (("stc_core",), ("stc_core", "doctor"))}
    known = set().union(*(options_of(entry) for entry in entries)) if spans else set()
    assert not {option for span in spans for option in OPTION.findall(span)} - known


@pytest.mark.parametrize("path", parameters(TODAY))
def test_modules_and_paths_in_documents_exist(path: Path) -> None:
    text = read(path)
    words = {word for span in SPAN.findall(prose(text)) for word in span.split()}
    paths = {word.rstrip(".,") for word in words if PATH.fullmatch(word)}
    modules = {entry[0] for entry, _ in commands(text)} | {word for word in words if MODULE.fullmatch(word)}
    paths |= {module.replace(".", "/") for module in modules}
    assert not {name for name in paths if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()}


@pytest.mark.parametrize("path", parameters(DOCUMENTS))
def test_documents_do_not_speak_of_one_machine(path: Path) -> None:
    assert not re.findall(r"\.\./shared|/home/|/work\b|/tmp/", read(path))


def test_the_animators_guide_uses_the_labels_of_the_add_on() -> None:
    text = prose(read(ROOT / "docs/blender.md")).replace("***", "*")
    italic = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text))
    labels = {label for label in italic if not re.search("[>…]", label)}  # Blender's own menus, and labels with a name
    shown = "".join(read(path) for path in (ROOT / "blender_addon").rglob("*.py"))
    assert {"Capture", "Match Camera"} <= labels and not {label for label in labels if f'"{label}"' not in shown}


# README


def test_the_readme_is_short() -> None:
    assert len(read(README).splitlines()) <= README_LINES


def test_the_gate_runs_the_readmes_test_line() -> None:
    (line,) = [line for line in read(README).splitlines() if line.endswith("-m pytest")]
    assert line in read(ROOT / ".ci/run").splitlines()
    assert line in read(ROOT / "CONTRIBUTING.md").splitlines()


def test_the_readmes_first_command_captures_the_sample() -> None:
    (line,) = [line for line in read(README).splitlines() if "stc-mocap capture tests/" in line]
    sample = next(word for word in line.split() if word.endswith(".mp4"))
    assert (ROOT / sample).is_file() and line.startswith("python3.11 -m venv .venv && ")


# Figures and formats that stand in two places


def cells(text: str, start: str) -> list[str]:
    """The cells of the first table row that begins so."""
    row = next(line for line in text.splitlines() if line.startswith(start))
    return [cell.strip() for cell in row.strip("|").split("|")]


EVERYDAY = "| **twelve everyday** |"  # the mean row over the README's clips


@pytest.mark.parametrize(
    ("short", "long"), [("| STC Mocap", f"{EVERYDAY} ours |"), ("| MediaPipe `full`", "|  | MediaPipe |")]
)
def test_the_readmes_accuracy_is_the_mean_row_of_the_table(short: str, long: str) -> None:
    rows = read(ACCURACY)[read(ACCURACY).index(EVERYDAY) :]
    pa, clip, angle, _, _, slide, jitter = (cell.split(" (")[0] for cell in cells(rows, long)[2:])
    assert cells(read(README), short)[1:] == [pa, clip, angle, slide, jitter]


def test_the_good_quality_is_the_mean_row_of_the_table() -> None:
    pa, clip, angle, tilt, path, slide, _ = (cell.split(" (")[0] for cell in cells(read(ACCURACY), EVERYDAY)[2:])
    mediapipe = cells(read(ACCURACY)[read(ACCURACY).index(EVERYDAY) :], "|  | MediaPipe |")[2]
    table = read(ACCURACY)[read(ACCURACY).index("| quality | clips | PA mm") :]
    assert cells(table, "| `good` | twelve")[2:] == [pa, clip, angle, tilt, path, slide, mediapipe]


def test_the_readmes_best_quality_is_that_of_the_table() -> None:
    table = read(ACCURACY)[read(ACCURACY).index("| quality | clips | PA mm") :]
    pa, clip, angle, _, _, slide, _ = cells(table, "| `best` | twelve")[2:]
    assert cells(read(README), "| STC Mocap, quality `best`")[1:-1] == [pa, clip, angle, slide]


def test_the_model_card_is_of_the_weights_beside_it() -> None:
    card, found = read(ROOT / "weights/README.md"), {}
    for path in (ROOT / "weights").glob("*.safetensors"):
        found[path.name] = (hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.stat().st_size / 1e6:.1f} MB")
    rows = re.findall(r"^\| `(\w+\.safetensors)` \| `([0-9a-f]{64})` \| ([\d.]+ MB) \|$", card, re.MULTILINE)
    assert {name: (digest, size) for name, digest, size in rows} == found


def test_the_motion_files_page_has_every_key_and_shape(tmp_path: Path) -> None:
    from dataclasses import replace

    from stc_core.motion.face import Face
    from stc_core.motion.hand_face_landmarks import FaceLandmarks, HandLandmarks
    from stc_core.motion.motion import CameraPath, save_motion
    from tests import synthetic

    motion = synthetic.walk(seconds=0.5)
    seen, body = synthetic.views(motion, synthetic.look_at_camera())
    scores = {"landmark_scores": seen.scores, "landmarks_2d": seen.keypoints}
    landmarks = scores | {"landmarks_3d": body.joints, "landmarks_raw": body.joints}
    camera, frames = synthetic.look_at_camera(), len(motion.t_world_root)
    path = CameraPath(
        R=np.tile(camera.R, (frames, 1, 1)), t=np.tile(camera.t, (frames, 1)), focal_px=np.full(frames, camera.K[0, 0])
    )
    camera = replace(camera, path=path)
    hands_and_face: dict[str, Any] = {
        "hand_landmarks": HandLandmarks(
            image=np.zeros((frames, 2, 21, 2)), world=np.zeros((frames, 2, 21, 3)), scores=np.zeros((frames, 2))
        ),
        "face": Face(coefficients=np.zeros((frames, 52)), scores=np.zeros(frames)),
        "face_landmarks": FaceLandmarks(
            coefficients=np.zeros((frames, 52)),
            R_camera_head=np.zeros((frames, 3, 3)),
            box=np.zeros((frames, 4)),
            scores=np.zeros(frames),
        ),
    }
    whole = replace(motion, landmark_names=seen.layout.names, landmarks=landmarks, camera=camera, **hands_and_face)
    save_motion(whole, tmp_path / "m")
    sizes = {"T": len(motion.t_world_root), "J": len(motion.skeleton.joint_names), "K": len(seen.layout.names)}
    page = read(ROOT / "docs/motion-format.md")
    shapes: dict[str, tuple[int, ...]] = {}
    for row in re.findall(r"^\| `.*$", page, re.MULTILINE):
        names, written = (cell.strip() for cell in row.split("|")[1:3])
        keys = SPAN.findall(names)
        for key, axes in zip(keys, re.findall(r"\(([^)]*)\)", written) or [""] * len(keys), strict=True):
            shapes[key] = tuple(sizes.get(axis) or int(axis) for axis in re.findall(r"\w+", axes))
    with np.load(tmp_path / "m", allow_pickle=False) as arrays:
        assert {key: arrays[key].shape for key in arrays} == shapes
