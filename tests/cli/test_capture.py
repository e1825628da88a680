"""`capture` as a person and as Blender use it: files, events, sentences, exit codes, Ctrl-C."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stc_core.cli.main import main
from stc_core.events import Done, Failed, Note, Progress, from_line
from stc_core.motion.bvh import read_bvh
from stc_core.motion.motion import load_motion
from tests.cli.commands import ENVIRONMENT, SAMPLE, run, run_main


@pytest.fixture(scope="module")
def capture_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    return out, run("capture", SAMPLE, "--out", out, "--events", "--preview", "--raw", "--end", "2", "--height", "1.8")


def test_one_command_leaves_motion_bvh_raw_and_preview(
    capture_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, process = capture_run
    assert process.returncode == 0, process.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"sample.npz", "sample.bvh", "sample_raw.npz", "sample_preview.mp4", "sample_preview.png"}
    motion, bvh = load_motion(out / "sample.npz"), read_bvh(out / "sample.bvh")
    assert len(motion.t_world_root) == len(bvh.t_world_root) == 60
    assert motion.settings["ground"]["height_m"] == 1.8 and motion.settings["versions"]["stc_mocap"]
    order = [bvh.skeleton.index(name) for name in motion.skeleton.joint_names]
    assert np.abs(motion.positions() - bvh.positions()[:, order]).max() < 1e-4


def test_the_raw_motion_is_the_same_one_unsmoothed(capture_run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    smooth, raw = load_motion(capture_run[0] / "sample.npz"), load_motion(capture_run[0] / "sample_raw.npz")
    assert raw.settings["smooth"]["strength"] == 0.0 and raw.settings["ground"] == smooth.settings["ground"]
    assert raw.q_parent_joint.shape == smooth.q_parent_joint.shape and raw.start_s == smooth.start_s
    shaking = [np.abs(np.diff(motion.positions(), n=3, axis=0)).mean() for motion in (raw, smooth)]
    assert shaking[0] > 1.05 * shaking[1]
    assert np.linalg.norm(raw.positions() - smooth.positions(), axis=-1).mean() < 0.03


def test_the_motion_file_has_what_the_readme_promises(
    capture_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    with np.load(capture_run[0] / "sample.npz", allow_pickle=False) as file:
        shapes = {key: file[key].shape for key in file.files}
    frames, joints, landmarks = 60, shapes["parents"][0], 27
    expected = {
        "positions": (frames, joints, 3),
        "q_parent_joint": (frames, joints, 4),
        "t_world_root": (frames, 3),
        "contacts": (frames, 2),
        "scores": (frames, joints),
        "landmark_names": (landmarks,),
        "landmarks_2d": (frames, landmarks, 2),
        "landmarks_3d": (frames, landmarks, 3),
        "landmarks_raw": (frames, landmarks, 3),
        "landmark_scores": (frames, landmarks),
        "K": (3, 3),
        "R": (3, 3),
        "t": (3,),
    }
    assert {key: shapes[key] for key in expected} == expected


def test_standard_output_is_events_and_nothing_else(capture_run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    events = [from_line(line) for line in capture_run[1].stdout.splitlines()]
    assert None not in events
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert list(dict.fromkeys(stages)) == ["detect", "lift", "smooth", "ground", "solve", "preview"]
    assert any(isinstance(event, Note) and "assumed" in event.message for event in events)
    assert isinstance(events[-1], Done) and all(Path(path).is_file() for path in events[-1].files.values())


def test_what_the_user_can_mend_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a video")
    process = run("capture", tmp_path / "notes.mp4", "--out", tmp_path / "out", "--events")
    assert process.returncode == 1
    assert "notes.mp4" in process.stderr and "Traceback" not in process.stderr
    failed = from_line(process.stdout.splitlines()[-1])
    assert isinstance(failed, Failed) and "notes.mp4" in failed.message


def test_an_output_that_cannot_be_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = run("capture", SAMPLE, "--out", tmp_path / "file" / "folder")
    assert process.returncode == 1 and "--out" in process.stderr and "detect" not in process.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["lost.mp4"], "There is no file lost.mp4"),
        (["歩" * 84 + ".mp4"], "is too long for the files to be made. Name one: --out"),
        ([SAMPLE, "--person", "top"], "“top” is no position of a person. Choose left, middle, right"),
        ([SAMPLE, "--person", "0.5,0.5@nan"], "“0.5,0.5@nan” is no position of a person"),
        ([SAMPLE, "--person", "left@inf"], "“left@inf” is no position of a person"),
        ([SAMPLE.parent], "is a folder. Choose a video file in it"),
    ],
)
def test_what_capture_cannot_do_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["stc-mocap", "capture", *map(str, words), "--out", str(tmp_path)])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1 and why in capfd.readouterr().err and not list(tmp_path.iterdir())


def test_files_that_are_there_are_kept_beside_what_replaces_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ["--out", str(tmp_path), "--end", "0.1"]
    (tmp_path / "sample.bvh").write_text("my own old mocap")
    (tmp_path / "sample_raw.npz").write_text("mine")
    assert run_main(monkeypatch, "capture", SAMPLE, *flags) == 0
    assert (tmp_path / "sample.bvh.old1").read_text() == "my own old mocap"
    assert (tmp_path / "sample_raw.npz").read_text() == "mine" and not (tmp_path / "sample_raw.npz.old1").exists()
    assert "sample.bvh was there already; the old one is kept as sample.bvh.old1" in capfd.readouterr().err
    names = {path.name for path in tmp_path.iterdir()}
    assert run_main(monkeypatch, "capture", SAMPLE, *flags) == 0  # the same bytes: nothing to keep
    assert (
        {path.name for path in tmp_path.iterdir()}
        == names
        == {*("sample.npz", "sample.bvh", "sample.bvh.old1", "sample_raw.npz")}
    )
    assert run_main(monkeypatch, "capture", SAMPLE, *flags, "--raw", "--overwrite", "--smoothing=0") == 0
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("name", ["x_preview.mp4", "x_take3_preview.mp4", "link.mp4"])
def test_an_output_is_never_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    video = tmp_path / ("x_preview.mp4" if name == "link.mp4" else name)
    shutil.copy(SAMPLE, video)
    if name == "link.mp4":
        (tmp_path / name).symlink_to(video)
    before = video.read_bytes()
    assert run_main(monkeypatch, "capture", tmp_path / name, "--out", tmp_path / "x.npz", "--preview") == 1
    assert "is the video itself" in capfd.readouterr().err and video.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == (2 if name == "link.mp4" else 1)


@pytest.mark.parametrize("name", ["x" * 200, "歩" * 60, 'it\'s "a" walk'], ids=["long", "Japanese", "quotes"])
def test_names_of_any_kind_keep_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.copy(SAMPLE, tmp_path / f"{name}.mp4")
    words = [tmp_path / f"{name}.mp4", "--out", tmp_path / "out", "--end", "0.1", "--raw", "--preview"]
    monkeypatch.setattr(sys, "argv", ["stc-mocap", "capture", *map(str, words)])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    endings = (".npz", ".bvh", "_raw.npz", "_preview.mp4", "_preview.png")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {name + ending for ending in endings}


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancelling_leaves_no_file_behind(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "stc_core", "capture", str(SAMPLE), "--out", str(tmp_path), "--events"]
    # a program started in the background, or after nohup, ignores SIGINT
    heed = signal.SIG_DFL if number == signal.SIGINT else signal.SIG_IGN
    with subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, heed),
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = from_line(line)
            if isinstance(event, Progress) and event.done > 5:
                break
        child.send_signal(number)
        output, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors and isinstance(from_line(output.splitlines()[-1]), Failed)
    assert list(tmp_path.iterdir()) == []


def test_capture_writes_every_take_the_longest_first(clip_with_cut: Path, tmp_path: Path) -> None:
    process = run("capture", clip_with_cut, "--out", tmp_path / "x.npz", "--preview", "--raw", "--events")
    assert process.returncode == 0, process.stderr
    endings = (".npz", ".bvh", "_raw.npz", "_preview.mp4", "_preview.png")
    assert {path.name for path in tmp_path.iterdir()} == {f"x_take{n}{ending}" for n in (1, 2) for ending in endings}
    done = from_line(process.stdout.splitlines()[-1])
    assert isinstance(done, Done) and done.files["motion"] == str(tmp_path / "x_take1.npz")
    assert done.files["bvh_take2"] == str(tmp_path / "x_take2.bvh")
    video = cv2.VideoCapture(str(tmp_path / "x_take2_preview.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 20
    notes = [from_line(line) for line in process.stdout.splitlines()]
    assert any(isinstance(note, Note) and note.kind == "cut" and "1.00 s" in note.message for note in notes)


def test_a_text_file_is_refused_before_any_network_is_loaded(tmp_path: Path) -> None:
    """Told by what is imported, which no load of the machine changes."""
    (tmp_path / "diary.mp4").write_text("Dear diary,\n")
    code = (
        "import sys; from stc_core.cli import main; from stc_core.cli.capture import run_capture\n"
        "from stc_core.errors import UserError\n"
        "try: run_capture(sys.argv[1:])\n"
        "except UserError as error: print(error)\n"
        "print(sorted({'torch', 'mediapipe', 'scipy.optimize'} & set(sys.modules)))"
    )
    args = [sys.executable, "-c", code, str(tmp_path / "diary.mp4"), "--out", str(tmp_path / "out")]
    done = subprocess.run(args, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True)
    sentence, loaded = done.stdout.splitlines()
    assert "it is text" in sentence and loaded == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="finds the decoder among the processes in /proc")
def test_a_decoder_that_crashes_amid_the_frames_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stc_core", "capture", str(SAMPLE), "--out", str(tmp_path), "--events"]
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = from_line(line)
            if isinstance(event, Progress) and event.done > 5:
                break
        (decoder,) = [path.name for path in Path("/proc").glob("[0-9]*") if _is_decoder_of(path, child.pid)]
        os.kill(int(decoder), signal.SIGSEGV)
        output, errors = child.communicate(timeout=60)
    assert child.returncode == 1 and "Traceback" not in errors
    failed = from_line(output.splitlines()[-1])
    assert isinstance(failed, Failed) and list(tmp_path.iterdir()) == []
    assert f"The decoder crashes on {SAMPLE} (signal SIGSEGV)" in failed.message and "MP4 (H.264)" in failed.message


def _is_decoder_of(process: Path, parent: int) -> bool:
    try:
        fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[1]) == parent and b"decode_process" in (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python learnt to leave out the working folder in 3.11")
def test_the_working_folder_gives_no_modules_to_what_is_started(tmp_path: Path) -> None:
    """As where somebody unpacks an archive of clips and captures them in it."""
    for name in ("numpy", "torch", "av", "json", "multiprocessing"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    root = Path(__file__).resolve().parents[2]
    start = f"import sys; sys.path[0] = {str(root)!r}; from stc_core.cli.main import main; main()"
    words = ["convert", str(SAMPLE), "--end", "0.2", "--no-report", "--out", str(tmp_path / "out")]
    run = subprocess.run(
        [sys.executable, "-c", start, *words],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0 and not (tmp_path / "ran").exists(), run.stderr
