"""Files appear whole or not at all, also where the disk is full: here a limit on a file's size stands for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")
ROOT = Path(__file__).resolve().parents[2]

CODE = """
import resource, sys
from pathlib import Path
import numpy as np
from stc_core.capture.preview.config import PreviewConfig
from stc_core.capture.preview.preview import write_contact_sheet, write_preview
from stc_core.errors import UserError
from stc_core.events import ignore
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import save_motion
from tests.synthetic import walk

folder, motion = Path(sys.argv[1]), walk(seconds=1.0)
noise = np.random.default_rng(0)
frames = [(i / 30, noise.integers(0, 255, (360, 640, 3), dtype=np.uint8)) for i in range(30)]
writers = {
    "p.mp4": lambda path: write_preview(iter(frames), motion, path, PreviewConfig(), ignore),
    "p.avi": lambda path: write_preview(iter(frames), motion, path, PreviewConfig(), ignore),
    "p.png": lambda path: write_contact_sheet(iter(frames), motion, path, PreviewConfig(), ignore),
    "m.npz": lambda path: save_motion(motion, path),
    "m.bvh": lambda path: write_bvh(motion, path),
}
for limit in (int(size) for size in sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for name, write in writers.items():
        try:
            write(folder / name)
        except UserError as error:
            assert name in str(error), error
            print(limit, name)
"""


def test_a_file_that_does_not_fit_is_a_sentence_and_leaves_what_was_there(tmp_path: Path) -> None:
    for name in ("p.mp4", "p.avi", "p.png", "m.npz", "m.bvh"):
        (tmp_path / name).write_text("old")
    limits = ["100", "3000", "9000"]
    run = [sys.executable, "-c", CODE, str(tmp_path), *limits]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == 5 * len(limits), done.stdout
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("p.mp4", "p.avi", "p.png", "m.npz", "m.bvh"), "old"
    )
