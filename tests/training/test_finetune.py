"""Fine-tuning lowers the error on takes not shown, leaves the old weights alone, and says when it is of no use."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import tyro

from stc_core.capture.layout import BODY27
from stc_core.datasets import dataset_plan, shard_writer
from stc_core.errors import UserError
from stc_core.events import Done, Event, Failed, Note, from_line, ignore
from stc_core.model.checkpoint import load_checkpoint, read_metadata, save_checkpoint
from stc_core.model.stcformer import STCFormer
from stc_core.training.batches import BODY_NETWORK
from stc_core.training.finetune import FinetuneConfig, finetune
from tests import synthetic

K = np.array([[900.0, 0.0, 480.0], [0.0, 900.0, 270.0], [0.0, 0.0, 1.0]])


def take(name: str, seconds: float, shift: float = 0.0) -> dataset_plan.ShardClip:
    """A walk before a camera that looks along +y from 4 m; seen exactly."""
    walk = synthetic.body27(synthetic.walk(fps=20.0, seconds=seconds))
    walk = walk - walk[:, :1].mean(0) + [shift, 4.0, 0.0]
    joints = np.stack([walk[..., 0], -walk[..., 2], walk[..., 1]], -1).astype(np.float32)
    seen = joints @ K.T
    keypoints = (seen[..., :2] / seen[..., 2:]).astype(np.float32)
    scores = np.ones(keypoints.shape[:2], np.float32)
    return dataset_plan.ShardClip(
        name, name, 20.0, joints, keypoints=keypoints, scores=scores, K=K, image_size=(960, 540)
    )


def write(folder: Path, clips: list[dataset_plan.ShardClip]) -> Path:
    shard_writer.write_clips(folder / "made", dataset_plan.DatasetInfo("made", "made", BODY27.name, "views"), clips)
    return folder


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("takes"), [take(f"take {i}", 2.0 + 0.2 * i, 0.1 * i) for i in range(4)])


@pytest.fixture
def config(takes: Path, tmp_path: Path) -> FinetuneConfig:
    torch.manual_seed(0)
    start = tmp_path / "old.safetensors"
    save_checkpoint(STCFormer(replace(BODY_NETWORK, width=16, blocks=2, frames=9)), start, {})
    out = tmp_path / "new" / "mine.safetensors"
    return FinetuneConfig(takes, out, start, steps=60, measure_every=20, learning_rate=5e-3, threads=1)


def start_of(config: FinetuneConfig) -> Path:
    assert config.start is not None
    return config.start


def test_takes_held_out_become_better_and_the_old_weights_stay(config: FinetuneConfig) -> None:
    digest = hashlib.sha256(start_of(config).read_bytes()).hexdigest()
    before, after = finetune(config, ignore).errors_mm["corrected takes"]
    assert after < 0.8 * before
    assert hashlib.sha256(start_of(config).read_bytes()).hexdigest() == digest
    about = read_metadata(config.out)
    assert about["sha256"] == digest and about["errors_mm"]["corrected takes"] == [before, after]
    assert load_checkpoint(config.out).config == load_checkpoint(start_of(config)).config


def test_what_is_frozen_stays(config: FinetuneConfig) -> None:
    finetune(replace(config, freeze=("embedding", "blocks.0")), ignore)
    old, new = load_checkpoint(start_of(config)).state_dict(), load_checkpoint(config.out).state_dict()
    moved = {key for key in old if not torch.equal(old[key], new[key])}
    assert moved and all(key.startswith(("stcformer.stc_block.1.", "regress_head.")) for key in moved)


def test_weights_that_are_there_are_never_overwritten(config: FinetuneConfig) -> None:
    with pytest.raises(UserError, match="there already"):
        finetune(replace(config, out=start_of(config)), ignore)


def test_a_part_that_is_not_there_is_named(config: FinetuneConfig) -> None:
    with pytest.raises(UserError, match=r"blocks\.7.*blocks\.1"):
        finetune(replace(config, freeze=("blocks.7",)), ignore)


def test_takes_that_teach_nothing_leave_no_weights(config: FinetuneConfig, tmp_path: Path) -> None:
    finetune(config, ignore)
    clips = [take(f"take {i}", 2.0 + 0.2 * i) for i in range(3)]
    wrong = [
        clips[0],
        clips[1],
        replace(clips[2], joints=clips[2].joints[::-1].copy()),
    ]  # what is shown, then, is wrong
    random = np.random.default_rng(0)
    wrong = [
        replace(clip, joints=clip.joints + random.normal(size=clip.joints.shape).astype(np.float32)) if i != 1 else clip
        for i, clip in enumerate(wrong)
    ]
    worse = replace(
        config, corrections=write(tmp_path / "wrong", wrong), start=config.out, out=tmp_path / "no.safetensors"
    )
    with pytest.raises(UserError, match="no better"):
        finetune(worse, ignore)
    assert not worse.out.exists()


def test_an_empty_folder_is_named(config: FinetuneConfig, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        finetune(replace(config, corrections=tmp_path / "empty"), ignore)


def test_as_a_command_it_speaks_in_events(config: FinetuneConfig) -> None:
    words = [sys.executable, "-m", "stc_core.training.finetune", "--corrections", str(config.corrections), "--events"]
    words += ["--start", str(config.start), "--steps", "40", "--measure-every", "20", "--learning-rate", "5e-3"]
    done = subprocess.run([*words, "--out", str(config.out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = [from_line(line) for line in done.stdout.splitlines()]
    assert None not in events and events[-1] == Done({"weights": str(config.out)})
    assert any(isinstance(event, Note) and "before" in event.message for event in events)
    again = subprocess.run([*words, "--out", str(config.out)], capture_output=True, text=True, check=False)
    assert again.returncode == 1 and isinstance(from_line(again.stdout.splitlines()[-1]), Failed)


def test_where_it_writes_is_tried_before_it_works(config: FinetuneConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    events: list[Event] = []
    with pytest.raises(UserError, match="cannot be written"):
        finetune(replace(config, out=tmp_path / "file" / "new.safetensors"), events.append)
    assert not events


def test_weights_that_predict_up_are_fine_tuned_too(config: FinetuneConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = tmp_path / "up.safetensors"
    save_checkpoint(STCFormer(replace(BODY_NETWORK, width=16, blocks=2, frames=9, up=True)), start, {})
    before, after = finetune(replace(config, start=start, virtual_fraction=0.0), ignore).errors_mm["corrected takes"]
    assert after < before
    assert load_checkpoint(config.out).up_head.weight.isfinite().all()


def test_flags_by_their_old_names_still_work(config: FinetuneConfig) -> None:
    words = "--share 0.4 --virtual 0.3 --hold 0.02 --held-out 0.1 --windows 8 --average 0.9 --base-feed.recorded 0.1"
    paths = ["--corrections", str(config.corrections), "--out", str(config.out)]
    parsed = tyro.cli(FinetuneConfig, args=[*paths, *words.split()])
    assert (parsed.correction_fraction, parsed.virtual_fraction, parsed.l2_sp_weight) == (0.4, 0.3, 0.02)
    assert (parsed.held_out_fraction, parsed.batch_size, parsed.ema_decay) == (0.1, 8, 0.9)
    assert parsed.base_source.recorded == 0.1
