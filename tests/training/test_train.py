"""Teaching shows bodies as cameras would, keeps held-out people out, learns, and goes on as if never interrupted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.capture.pose import BODY27, mirrored
from stc_core.errors import UserError
from stc_core.model.checkpoint import load_checkpoint, read_about
from stc_core.training import shards
from stc_core.training.bodies import BODY_HEIGHT_M, BodyConfig, body_height, load_motions, windows
from stc_core.training.cameras import CameraConfig, NoiseConfig, look
from stc_core.training.train import HELD_OUT, TrainConfig, feed, phase, train
from tests import synthetic

PLAIN = BodyConfig(warp=0.0, stretch=0.0, swap_arms=0.0)
EXACT = NoiseConfig(scale=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made walkers, one of them a person that is held out, in the form that `prepare` writes."""
    folder = tmp_path_factory.mktemp("data")
    walk = synthetic.body27(synthetic.walk(fps=30.0, seconds=4.0)).astype(np.float32)
    clips = [shards.Clip("a", "cmu_01", 30.0, walk), shards.Clip("b", "cmu_07", 30.0, walk * 0.8)]
    shards.write(folder / "made", shards.Info("made", "made", BODY27.name, "bodies"), clips)
    return folder


def test_held_out_people_are_never_trained_on(data: Path) -> None:
    (seen,), (held,) = load_motions(data, HELD_OUT, False), load_motions(data, HELD_OUT, True)
    assert torch.allclose(seen.landmarks * 0.8, held.landmarks)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prepare"):
        load_motions(tmp_path, HELD_OUT, False)


def test_windows_are_pieces_of_the_motion_turned_and_scaled(data: Path) -> None:
    torch.manual_seed(0)
    motions = load_motions(data, HELD_OUT, False)
    cut = windows(motions, {}, 16, 9, 30.0, PLAIN)
    assert torch.allclose(body_height(cut), torch.tensor(BODY_HEIGHT_M), atol=1e-4)
    whole = (
        motions[0].landmarks
        * (cut[0, 4] - cut[0, 4, :1]).norm()
        / (motions[0].landmarks - motions[0].landmarks[:, :1]).norm(dim=(1, 2))[:, None, None]
    )
    distances = torch.cdist(cut[0, 4] - cut[0, 4, :1], cut[0, 4] - cut[0, 4, :1])
    known = torch.cdist(whole - whole[:, :1], whole - whole[:, :1])
    known_mirrored = known[:, list(BODY27.mirror)][:, :, list(BODY27.mirror)]
    nearest = min((known - distances).abs().amax((1, 2)).min(), (known_mirrored - distances).abs().amax((1, 2)).min())
    assert nearest < 0.01


def test_other_proportions_are_the_same_left_and_right(data: Path) -> None:
    torch.manual_seed(0)
    cut = windows(load_motions(data, HELD_OUT, False), {}, 16, 3, 30.0, BodyConfig(swap_arms=0.0, stretch=0.2))
    at = {name: cut[:, 0, i] for i, name in enumerate(BODY27.names)}
    left = (at["left_hip"] - at["left_knee"]).norm(dim=-1)
    right = (at["right_hip"] - at["right_knee"]).norm(dim=-1)
    assert torch.allclose(left, right, atol=0.01) and left.std() > 0.02


def test_swapped_arms_hang_on_the_own_shoulders_at_their_length(data: Path) -> None:
    torch.manual_seed(0)
    cut = windows(load_motions(data, HELD_OUT, False), {}, 16, 3, 30.0, replace(PLAIN, swap_arms=1.0))
    at = {name: cut[:, :, i] for i, name in enumerate(BODY27.names)}
    upper = (at["left_shoulder"] - at["left_elbow"]).norm(dim=-1)
    assert (upper / upper.mean() - 1).abs().max() < 0.05


def test_without_noise_the_keypoints_are_the_projected_joints(data: Path) -> None:
    torch.manual_seed(0)
    views = look(windows(load_motions(data, HELD_OUT, False), {}, 32, 5, 20.0, PLAIN), CameraConfig(), EXACT)
    limb = BODY27.index("left_wrist")
    # the joints are known up to where the pelvis is; two landmarks give it, and the third must agree
    offset, seen = views.joints.double(), views.keypoints.double()
    rows = torch.cat([torch.eye(2).expand(*seen.shape[:3], 2, 2).double(), -seen[..., None]], -1)
    right = (seen * offset[..., 2:] - offset[..., :2])[..., None]
    others = [i for i in range(27) if i != limb and BODY27.names[i] not in ("pelvis", "thorax", "spine")]
    pelvis = torch.linalg.lstsq(rows[:, :, others].flatten(2, 3), right[:, :, others].flatten(2, 3)).solution[..., 0]
    place = offset[:, :, limb] + pelvis
    assert (place[..., :2] / place[..., 2:] - seen[:, :, limb]).abs().max() < 1e-4
    assert (pelvis[..., 2] > 0.5).all()


def test_noise_moves_keypoints_and_scores_tell_where(data: Path) -> None:
    bodies = windows(load_motions(data, HELD_OUT, False), {}, 64, 9, 20.0, PLAIN)
    torch.manual_seed(1)
    exact = look(bodies, CameraConfig(), EXACT)
    torch.manual_seed(1)
    noisy = look(bodies, CameraConfig(), replace(NoiseConfig(), gap=0.0, swap=0.0))
    error = (noisy.keypoints - exact.keypoints).norm(dim=-1) / exact.keypoints.flatten(1).std(1)[:, None, None]
    assert torch.equal(noisy.joints, exact.joints)
    assert error[noisy.scores > 0.87].mean() < 0.5 * error[noisy.scores < 0.7].mean()


def test_lost_frames_have_score_zero_and_carried_points(data: Path) -> None:
    torch.manual_seed(1)
    bodies = windows(load_motions(data, HELD_OUT, False), {}, 64, 27, 20.0, PLAIN)
    views = look(bodies, CameraConfig(), replace(NoiseConfig(), gap=1.0))
    lost = (views.scores == 0).all(-1)
    assert lost.any() and not lost.all(1).any() and torch.isfinite(views.keypoints).all()


def test_the_truth_turns_with_the_view(data: Path) -> None:
    torch.manual_seed(0)
    views = look(windows(load_motions(data, HELD_OUT, False), {}, 8, 5, 20.0, PLAIN), CameraConfig(), EXACT)
    inputs, truth = feed(views)
    assert inputs.shape == truth.shape == (8, 5, 27, 3)
    assert torch.allclose(truth.norm(dim=-1), views.joints.norm(dim=-1), atol=1e-4)
    # seen along the ray, far right in the picture is far right in space
    x, seen = truth[..., 0] - truth[..., 0].mean(2, keepdim=True), inputs[..., 0] - inputs[..., 0].mean(2, keepdim=True)
    assert (torch.nn.functional.cosine_similarity(x.flatten(1), seen.flatten(1)) > 0.9).all()


def tiny(data: Path, out: Path) -> TrainConfig:
    phases = ((3, 8, 50), (5, 4, 50))
    return TrainConfig(
        data, out, width=16, blocks=1, phases=phases, threads=1, half=False, save_every=40, measure_every=50
    )


def losses(out: Path) -> list[float]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line["loss_mm"] for line in lines if "loss_mm" in line]


def test_it_learns_and_writes_weights_that_load(data: Path, tmp_path: Path) -> None:
    train(replace(tiny(data, tmp_path), learning_rate=5e-3))
    first, last = losses(tmp_path)
    assert last < 0.8 * first
    model = load_checkpoint(tmp_path / "weights.safetensors")
    assert model.config.layout == "body27" and model.config.view == "ray" and model.config.frames == 5
    assert read_about(tmp_path / "weights.safetensors")["steps"] == 100


class Interrupted(Exception):
    pass


def test_interrupted_it_goes_on_to_the_same_weights(data: Path, tmp_path: Path, monkeypatch) -> None:
    from stc_core.training import train as module

    train(tiny(data, tmp_path / "whole"))
    step = module._step

    def stop(config: TrainConfig, at: int, *rest) -> float:
        if at == 60:
            raise Interrupted
        return step(config, at, *rest)

    monkeypatch.setattr(module, "_step", stop)
    with pytest.raises(Interrupted):
        train(tiny(data, tmp_path / "broken"))
    monkeypatch.setattr(module, "_step", step)
    train(tiny(data, tmp_path / "broken"))
    whole, broken = (load_checkpoint(tmp_path / name / "weights.safetensors") for name in ("whole", "broken"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, broken.state_dict()[key]), key


def test_phases_follow_one_another(data: Path, tmp_path: Path) -> None:
    config = tiny(data, tmp_path)
    assert [phase(config, step) for step in (0, 49, 50, 99)] == [(3, 8), (3, 8), (5, 4), (5, 4)]


def test_another_networks_state_is_refused(data: Path, tmp_path: Path) -> None:
    train(tiny(data, tmp_path))
    with pytest.raises(UserError, match="another network"):
        train(replace(tiny(data, tmp_path), width=32))


def test_the_mirror_of_training_is_the_mirror_of_lifting() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 27, 3))
    sign = torch.tensor([-1.0, 1.0, 1.0])
    assert np.allclose(mirrored(joints, BODY27), torch.tensor(joints)[:, list(BODY27.mirror)] * sign)
