"""Recorded pairs of keypoints and joints, fed as published, alone and beside made bodies."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.capture.layout import BODY27, H36M17
from stc_core.datasets import dataset_plan, shard_writer
from stc_core.model.checkpoint import load_checkpoint, read_metadata
from stc_core.training.batches import BodySource, BodySourceConfig, RecordedSource, RecordedSourceConfig
from stc_core.training.optimisers import learning_rate
from stc_core.training.recordings import cut_windows, load_recordings
from stc_core.training.run import Run
from stc_core.training.train import PRESETS, train
from tests import synthetic
from tests.training.tiny_runs import CPU, tiny


@pytest.fixture(scope="module")
def recordings_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people of 17 joints seen by one camera, in the form that `prepare` writes of Human3.6M."""
    folder = tmp_path_factory.mktemp("recorded")
    generator = np.random.default_rng(0)
    k = np.array([[1000.0, 0.0, 500.0], [0.0, 1000.0, 400.0], [0.0, 0.0, 1.0]])
    clips = []
    for subject in ("S1", "S9"):
        joints = np.cumsum(generator.normal(size=(60, 17, 3)) * 0.01, 0) + generator.normal(size=(1, 17, 3)) * 0.3
        joints = (joints + [0.0, 0.0, 4.0]).astype(np.float32)
        seen = joints @ k.T
        seen = (seen[..., :2] / seen[..., 2:]).astype(np.float32)
        scores = np.ones((60, 17), np.float32)
        clips.append(
            dataset_plan.ShardClip(
                subject, subject, 50.0, joints, keypoints=seen, scores=scores, K=k, image_size=(1000, 800)
            )
        )
    shard_writer.write_clips(folder / "made", dataset_plan.DatasetInfo("made", "made", H36M17.name, "views"), clips)
    return folder


def test_recorded_windows_are_as_published(recordings_folder: Path) -> None:
    """Frames 3 apart at 50 Hz, the ends repeated, x/w·2-1 and y·2/w-h/w, the root at 0."""
    recordings = load_recordings(recordings_folder, "h36m17", ("S9",), False)
    assert recordings is not None
    config = PRESETS["paper-27"][1].network
    x, y = cut_windows(recordings, torch.tensor([0, 30]), 5, config, torch.tensor([False, True]))
    assert x.shape == (2, 5, 17, 2)
    seen, joints = recordings.keypoints, recordings.joints
    expected = torch.stack([seen[..., 0] / 500 - 1, seen[..., 1] / 500 - 0.8], -1)
    assert torch.allclose(x[0], expected[[0, 0, 0, 3, 6]], atol=1e-5)
    assert torch.allclose(y[0], (joints - joints[:, :1])[[0, 0, 0, 3, 6]], atol=1e-5)
    mirrored_input = expected[[24, 27, 30, 33, 36]][:, list(H36M17.mirror)] * torch.tensor([-1.0, 1.0])
    assert torch.allclose(x[1], mirrored_input, atol=1e-5)


def test_an_epoch_shows_every_recorded_frame_once(recordings_folder: Path) -> None:
    config = PRESETS["paper-27"][1]
    source = RecordedSource(RecordedSourceConfig(), config.network, recordings_folder, CPU, 1)
    assert source.size == 60
    shown = torch.cat([source._frames(0, torch.arange(30)), source._frames(0, torch.arange(30, 60))])
    assert sorted(shown.tolist()) == list(range(60)) and shown.tolist() != list(range(60))
    x, _ = source.draw_batch(1, 0, 1, 40, 5)  # the last 20 of the first epoch, then 20 of the second
    assert x.shape == (40, 5, 17, 2)


def test_the_paper_s_recipe_runs_from_end_to_end(recordings_folder: Path, tmp_path: Path) -> None:
    paper = PRESETS["paper-27"][1]
    assert (paper.learning_rate, paper.learning_rate_decay, paper.phases) == (1e-3, 0.96, ((27, 128, 20),))
    small = replace(paper.network, width=16, blocks=1)
    config = replace(paper, data=recordings_folder, out=tmp_path, network=small, phases=((27, 20, 2),), threads=1)
    train(config)
    model = load_checkpoint(tmp_path / "weights.safetensors")
    assert model.config.channels == 2 and read_metadata(tmp_path / "weights.safetensors")["steps"] == 6
    phases = config.resolve_phases(RecordedSource(RecordedSourceConfig(), small, recordings_folder, CPU, 1).size)
    rates = [learning_rate(config, step, phases) for step in range(6)]
    assert np.allclose(rates, [1e-3] * 3 + [0.96e-3] * 3)


def test_up_is_taught_where_the_camera_s_is_known(tmp_path: Path) -> None:
    """The landmark of up lies above the root as the camera sees it, mirrored with the body."""
    k, up = np.diag([900.0, 900.0, 1.0]), np.array([0.28, -0.96, 0.0])
    joints = np.tile([0.0, 0.0, 4.0], (20, 27, 1)).astype(np.float32) + np.arange(27)[:, None] * np.float32(0.01)
    keypoints = (joints @ k.T)[..., :2].astype(np.float32) / 4.0
    views = [
        dataset_plan.ShardClip(
            name,
            name,
            20.0,
            joints,
            keypoints=keypoints,
            scores=np.ones((20, 27)),
            K=k,
            image_size=(960, 540),
            up=known,
        )
        for name, known in (("a", up), ("b", None))
    ]
    info = dataset_plan.DatasetInfo("views", "made", BODY27.name, "views")
    shard_writer.write_clips(tmp_path / "views", info, views)
    recordings = load_recordings(tmp_path, BODY27.name, (), False)
    assert recordings is not None
    config = replace(PRESETS["large"][1].network, view="image")
    middles, flip = torch.tensor([10, 10, 30]), torch.tensor([False, True, False])
    _, truth = cut_windows(recordings, middles, 3, config, flip)
    above = truth[:, :, 27]
    torch.testing.assert_close(above[0], torch.tensor([0.14, -0.48, 0.0]).expand(3, 3))
    torch.testing.assert_close(above[1], torch.tensor([-0.14, -0.48, 0.0]).expand(3, 3))
    assert above[2].isnan().all()


def test_recorded_pairs_train_a_network_that_predicts_up(data: Path, tmp_path: Path) -> None:
    """Their up is unknown: it is left out of their loss, and the bodies' up is learned all the same."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    walk = synthetic.body27(synthetic.walk(fps=20.0, seconds=3.0)) + [0.0, 4.0, 0.0]
    joints = np.stack([walk[..., 0], -walk[..., 2], walk[..., 1]], -1).astype(np.float32)
    k = np.array([[900.0, 0.0, 480.0], [0.0, 900.0, 270.0], [0.0, 0.0, 1.0]])
    pixels = joints @ k.T
    keypoints = (pixels[..., :2] / pixels[..., 2:]).astype(np.float32)
    scores = np.ones(keypoints.shape[:2], np.float32)
    clip = dataset_plan.ShardClip(
        "r", "r", 20.0, joints, keypoints=keypoints, scores=scores, K=k, image_size=(960, 540)
    )
    info = dataset_plan.DatasetInfo("views", "made", BODY27.name, "views")
    shard_writer.write_clips(folder / "views", info, [clip])
    config = tiny(folder, tmp_path / "run")
    source = BodySourceConfig(recorded=0.5)
    network = replace(config.network, up=True)
    config = replace(config, source=source, network=network, bone_weight=0.5, flexion_weight_m=0.03)
    run = Run(config, BodySource(source, network, folder, CPU), CPU)
    inputs, truth = run.draw_batch()
    assert inputs.shape == (8, 3, 27, 3) and truth.shape == (8, 3, 28, 3)
    assert truth[4:, :, 27].isnan().all() and truth[:4].isfinite().all() and truth[4:, :, :27].isfinite().all()
    before = run.model.up_head.weight.clone()
    first = float(run.advance())
    assert np.isfinite(first) and not torch.equal(before, run.model.up_head.weight)
    assert all(parameter.isfinite().all() for parameter in run.model.parameters())
