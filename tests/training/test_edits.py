"""Fine-tuning on an edit brings the edit back, leaves the rest, and starts from what the capture was made with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.assets import find_weights
from stc_core.capture.config import LARGE_WEIGHTS, WEIGHTS
from stc_core.capture.layout import BODY27
from stc_core.datasets.corrections import load_edits
from stc_core.errors import UserError
from stc_core.events import Event, Note, ignore
from stc_core.model.checkpoint import load_checkpoint, read_metadata, save_checkpoint
from stc_core.model.stcformer import STCFormer
from stc_core.motion.motion import Motion, save_motion
from stc_core.training.edits import EditSource
from stc_core.training.finetune import FinetuneConfig, _choose_start, finetune
from tests import synthetic
from tests.datasets.test_corrections import capture, correct_motion

EDITED = slice(20, 40)


def edit_some_frames(motion: Motion) -> Motion:
    """The left arm turned for a second."""
    q = motion.q_parent_joint.copy()
    q[EDITED] = correct_motion(motion).q_parent_joint[EDITED]
    return replace(motion, q_parent_joint=q)


@pytest.fixture
def config(tmp_path: Path) -> FinetuneConfig:
    """One edited capture, and the shipped network, in shorter windows than it was taught with."""
    walk = replace(synthetic.walk(fps=20.0, seconds=3.0), settings={"weights": LARGE_WEIGHTS})
    folder = tmp_path / "corrections" / "walk"
    folder.mkdir(parents=True)
    save_motion(capture(walk, start_s=0.0), folder / "capture.npz")
    save_motion(edit_some_frames(walk), folder / "corrected.npz")
    start, shipped = tmp_path / "old.safetensors", load_checkpoint(find_weights(WEIGHTS))
    model = STCFormer(replace(shipped.config, frames=27))
    model.load_state_dict(shipped.state_dict())
    save_checkpoint(model, start, {})
    out = tmp_path / "new.safetensors"
    return FinetuneConfig(folder.parent, out, start, steps=50, learning_rate=1e-3, batch_size=4, threads=1)


def test_the_edit_comes_back_and_the_rest_stays(config: FinetuneConfig) -> None:
    told: list[Event] = []
    gain = finetune(config, told.append).gain
    assert gain is not None and gain.frames == EDITED.stop - EDITED.start
    assert gain.left_deg < 0.5 * gain.edited_deg and gain.others_deg < 0.3 * gain.edited_deg
    assert Note(gain.sentence) in told and f"{gain.left_deg:.1f}° after" in gain.sentence
    assert read_metadata(config.out)["edits"]["edited_deg"] == pytest.approx(gain.edited_deg)


def test_the_truth_is_the_former_prediction_and_the_edit(config: FinetuneConfig) -> None:
    assert config.start is not None
    teacher = load_checkpoint(config.start)
    (edit,) = load_edits(config.corrections, ignore)
    source = EditSource([edit], teacher)
    middles = torch.linspace(EDITED.start, EDITED.stop - 1, 16).long()
    inputs, truth, weights = source.teach_edit(middles, torch.zeros(16, dtype=torch.bool))
    with torch.no_grad():
        away = truth - teacher(inputs)
    edited = [BODY27.index(f"left_{name}") for name in ("elbow", "wrist", "index", "pinky")]
    rest = [index for index in range(27) if index not in edited]
    assert away[:, :, rest].abs().max() < 1e-5 and (weights[:, :, rest] == 1.0).all()
    longest = np.linalg.norm(edit.shift, axis=-1).max()
    assert float(away.norm(dim=-1).max()) == pytest.approx(longest, rel=0.2)
    assert (weights[away.norm(dim=-1) > 1e-3] > 1.0).all()


def test_an_action_without_an_edit_teaches_nothing(config: FinetuneConfig) -> None:
    folder = config.corrections / "walk"
    (folder / "corrected.npz").write_bytes((folder / "capture.npz").read_bytes())
    with pytest.raises(UserError, match="holds no corrected capture"):
        finetune(config, ignore)
    assert not config.out.exists()


def test_an_edit_that_does_not_come_back_leaves_no_weights(config: FinetuneConfig) -> None:
    with pytest.raises(UserError, match="did not come back"):
        finetune(replace(config, steps=1, learning_rate=1e-12), ignore)
    assert not config.out.exists()


def test_weights_to_start_from_are_those_of_the_captures(config: FinetuneConfig) -> None:
    (edit,) = load_edits(config.corrections, ignore)
    other = replace(edit, capture=replace(edit.capture, settings={"weights": "mine.safetensors"}))
    assert _choose_start([edit]).name == LARGE_WEIGHTS
    assert _choose_start([edit, other]).name == _choose_start([other]).name == WEIGHTS
