"""Teaching shows bodies as cameras would, keeps held-out people out, learns, and goes on as if never interrupted."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.augment.virtual_camera import CameraConfig, NoiseConfig, project
from stc_core.augment.windows import BodyConfig, draw_windows, load_motions
from stc_core.capture.layout import BODY27, H36M17, mirror_landmarks
from stc_core.datasets import dataset_plan, shard_writer
from stc_core.datasets.body_height import BODY_HEIGHT_M, body_height
from stc_core.datasets.held_out import HELD_OUT_SUBJECTS
from stc_core.errors import UserError
from stc_core.model.checkpoint import load_checkpoint, read_metadata
from stc_core.model.normalization import normalize_in_image
from stc_core.model.stcformer import STCFormer
from stc_core.training.batches import (
    BODY_NETWORK,
    BodySource,
    BodySourceConfig,
    RecordedSource,
    RecordedSourceConfig,
    make_pair,
)
from stc_core.training.config import Optimiser, TrainConfig, find_phase
from stc_core.training.optimisers import learning_rate, make_optimisers
from stc_core.training.recordings import cut_windows, load_recordings
from stc_core.training.run import Run
from stc_core.training.state import load_state
from stc_core.training.train import PRESETS, parse_args, train
from tests import synthetic

PLAIN = BodyConfig.identity()
EXACT = NoiseConfig(scale=0.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made walkers, one of them a person that is held out, in the form that `prepare` writes."""
    folder = tmp_path_factory.mktemp("data")
    walk = synthetic.body27(synthetic.walk(fps=30.0, seconds=4.0)).astype(np.float32)
    clips = [dataset_plan.ShardClip("a", "cmu_01", 30.0, walk), dataset_plan.ShardClip("b", "cmu_07", 30.0, walk * 0.8)]
    shard_writer.write_clips(folder / "made", dataset_plan.DatasetInfo("made", "made", BODY27.name, "bodies"), clips)
    return folder


def test_held_out_people_are_never_trained_on(data: Path) -> None:
    (seen,), (held,) = load_motions(data, HELD_OUT_SUBJECTS, False), load_motions(data, HELD_OUT_SUBJECTS, True)
    assert torch.allclose(seen.landmarks * 0.8, held.landmarks)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prepare"):
        load_motions(tmp_path, HELD_OUT_SUBJECTS, False)


def test_windows_are_pieces_of_the_motion_turned_and_scaled(data: Path) -> None:
    torch.manual_seed(0)
    motions = load_motions(data, HELD_OUT_SUBJECTS, False)
    cut = draw_windows(motions, {}, 16, 9, 30.0, PLAIN)
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
    cut = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 16, 3, 30.0, replace(PLAIN, stretch=0.2))
    at = {name: cut[:, 0, i] for i, name in enumerate(BODY27.names)}
    left = (at["left_hip"] - at["left_knee"]).norm(dim=-1)
    right = (at["right_hip"] - at["right_knee"]).norm(dim=-1)
    assert torch.allclose(left, right, atol=0.01) and left.std() > 0.02


def test_swapped_arms_hang_on_the_own_shoulders_at_their_length(data: Path) -> None:
    torch.manual_seed(0)
    cut = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 16, 3, 30.0, replace(PLAIN, swap_arms=1.0))
    at = {name: cut[:, :, i] for i, name in enumerate(BODY27.names)}
    upper = (at["left_shoulder"] - at["left_elbow"]).norm(dim=-1)
    assert (upper / upper.mean() - 1).abs().max() < 0.05


def test_without_noise_the_keypoints_are_the_projected_joints(data: Path) -> None:
    torch.manual_seed(0)
    views = project(
        draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 32, 5, 20.0, PLAIN), CameraConfig(), EXACT
    )
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
    bodies = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 64, 9, 20.0, PLAIN)
    torch.manual_seed(1)
    exact = project(bodies, CameraConfig(), EXACT)
    torch.manual_seed(1)
    noisy = project(bodies, CameraConfig(), replace(NoiseConfig(), gap=0.0, swap=0.0))
    error = (noisy.keypoints - exact.keypoints).norm(dim=-1) / exact.keypoints.flatten(1).std(1)[:, None, None]
    assert torch.equal(noisy.joints, exact.joints)
    assert error[noisy.scores > 0.87].mean() < 0.5 * error[noisy.scores < 0.7].mean()


def test_lost_frames_have_score_zero_and_carried_points(data: Path) -> None:
    torch.manual_seed(1)
    bodies = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 64, 27, 20.0, PLAIN)
    views = project(bodies, CameraConfig(), replace(NoiseConfig(), gap=1.0))
    lost = (views.scores == 0).all(-1)
    assert lost.any() and not lost.all(1).any() and torch.isfinite(views.keypoints).all()


def test_the_truth_turns_with_the_view(data: Path) -> None:
    torch.manual_seed(0)
    views = project(
        draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 8, 5, 20.0, PLAIN), CameraConfig(), EXACT
    )
    inputs, truth = make_pair(views, BODY_NETWORK)
    assert inputs.shape == truth.shape == (8, 5, 27, 3)
    assert torch.allclose(truth.norm(dim=-1), views.joints.norm(dim=-1), atol=1e-4)
    # seen along the ray, far right in the picture is far right in space
    x, seen = truth[..., 0] - truth[..., 0].mean(2, keepdim=True), inputs[..., 0] - inputs[..., 0].mean(2, keepdim=True)
    assert (torch.nn.functional.cosine_similarity(x.flatten(1), seen.flatten(1)) > 0.9).all()


def test_fed_as_published_it_is_what_lifting_feeds(data: Path) -> None:
    torch.manual_seed(0)
    views = project(
        draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 8, 5, 20.0, PLAIN), CameraConfig(), EXACT
    )
    inputs, truth = make_pair(views, replace(BODY_NETWORK, view="image", channels=2))
    assert torch.equal(truth, views.joints)
    for row in range(len(views.half)):
        width, height = (2000.0 * views.half[row]).tolist()  # at a focal length of 1000 pixels
        pixels = 1000.0 * views.keypoints[row] + torch.tensor([width / 2, height / 2])
        assert torch.allclose(inputs[row], normalize_in_image(pixels, width, height), atol=1e-4)


def test_bent_joints_stay_in_their_limits_and_bones_keep_their_lengths(data: Path) -> None:
    motions = load_motions(data, HELD_OUT_SUBJECTS, False)
    torch.manual_seed(0)
    bent = draw_windows(motions, {}, 128, 9, 20.0, replace(PLAIN, bend=1.0, bend_deg=30.0))
    at = {name: bent[:, :, i] for i, name in enumerate(BODY27.names)}
    upper, lower = at["left_elbow"] - at["left_shoulder"], at["left_wrist"] - at["left_elbow"]
    lengths = upper.norm(dim=-1)
    assert (lengths - lengths.mean(1, keepdim=True)).abs().max() < 0.02 and lengths.std() < 0.02
    folded = torch.nn.functional.cosine_similarity(upper, lower, dim=-1).clamp(-1, 1).acos()
    assert folded.max() < 2.52 and folded.std() > 0.1
    assert (bent[:, 1:] - bent[:, :-1]).norm(dim=-1).max() < 0.5  # it changes slowly: no jumps between frames


def test_another_upper_body_sits_on_the_own_pelvis_facing_with_it(data: Path) -> None:
    motions = load_motions(data, HELD_OUT_SUBJECTS, False)
    torch.manual_seed(0)
    cut = draw_windows(motions, {}, 32, 5, 20.0, replace(PLAIN, swap_upper=1.0))
    at = {name: cut[:, :, i] for i, name in enumerate(BODY27.names)}
    trunk = at["thorax"] - at["pelvis"]
    assert trunk.norm(dim=-1).std() < 0.02 and (trunk[..., 2] > 0.3).all()
    sides = (at["left_shoulder"] - at["right_shoulder"], at["left_hip"] - at["right_hip"])
    assert (torch.nn.functional.cosine_similarity(*sides, dim=-1) > 0.7).all()


def tiny(data: Path, out: Path) -> TrainConfig:
    network = replace(BODY_NETWORK, width=16, blocks=1)
    return TrainConfig(
        data, out, network=network, phases=((3, 8, 50), (5, 4, 50)), threads=1, save_every=40, measure_every=50
    )


def losses(out: Path) -> list[float]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line["loss_mm"] for line in lines if "loss_mm" in line]


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_it_learns_and_writes_weights_that_load(data: Path, tmp_path: Path, optimiser: Optimiser) -> None:
    train(replace(tiny(data, tmp_path), learning_rate=5e-3, optimiser=optimiser))
    first, last = losses(tmp_path)
    assert last < 0.8 * first
    model = load_checkpoint(tmp_path / "weights.safetensors")
    assert model.config.layout == "body27" and model.config.view == "ray" and model.config.frames == 5
    assert read_metadata(tmp_path / "weights.safetensors")["steps"] == 100
    assert list(tmp_path.glob("events.out.tfevents*")) and (tmp_path / "curves.png").stat().st_size > 5000


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_interrupted_it_goes_on_to_the_same_curve_and_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: Optimiser
) -> None:
    def config(out: str) -> TrainConfig:
        return replace(tiny(data, tmp_path / out), optimiser=optimiser)

    train(config("whole"))
    advance = Run.advance

    def stop(run: Run) -> torch.Tensor:
        if run.step == 60:
            raise Interrupted
        return advance(run)

    monkeypatch.setattr(Run, "advance", stop)
    with pytest.raises(Interrupted):
        train(config("broken"))
    monkeypatch.setattr(Run, "advance", advance)
    train(config("broken"))
    whole, broken = (load_checkpoint(tmp_path / name / "weights.safetensors") for name in ("whole", "broken"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, broken.state_dict()[key]), key
    steps = [json.loads(line)["step"] for line in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and steps.count(50) == 2  # a loss and a measurement, none of them twice


def test_two_processes_learn_what_one_does(data: Path, tmp_path: Path) -> None:
    """torchrun with gloo: the same seeds, half of the chunks each."""
    words = "shipped --network.width 16 --network.blocks 1 --phases 3 8 100 --chunks 2 --threads 1 --seed 3".split()
    words += ["--precision", "float32", "--device", "cpu", "--data", str(data)]
    module = ["-m", "stc_core.training.train", *words, "--out"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for command in ([sys.executable, *module, str(tmp_path / "one")], [*torchrun, *module, str(tmp_path / "two")]):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert np.allclose(losses(tmp_path / "one"), losses(tmp_path / "two"), rtol=1e-3)
    assert len(losses(tmp_path / "two")) == 2


def test_chunks_must_go_into_the_processes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="--chunks 2"):
        train(tiny(data, tmp_path))


def test_phases_follow_one_another(data: Path, tmp_path: Path) -> None:
    phases = tiny(data, tmp_path).resolve_phases(0)
    assert [find_phase(phases, step)[:2] for step in (0, 49, 50, 99)] == [(3, 8), (3, 8), (5, 4), (5, 4)]


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


@pytest.mark.parametrize(
    ("name", "millions"),
    [("shipped", 0.8), ("medium", 1.2), ("large", 4.8), ("paper-27", 4.7), ("paper-243-large", 18.9)],
)
def test_every_preset_has_the_network_that_it_names(name: str, millions: float) -> None:
    config = PRESETS[name][1]
    model = STCFormer(config.network)
    assert sum(value.numel() for value in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    make_optimisers(config, model)


def test_another_networks_state_is_refused(data: Path, tmp_path: Path) -> None:
    train(tiny(data, tmp_path))
    with pytest.raises(UserError, match="another network"):
        train(replace(tiny(data, tmp_path), network=BODY_NETWORK))


def test_it_can_start_from_weights(data: Path, tmp_path: Path) -> None:
    config = replace(tiny(data, tmp_path / "a"), phases=((3, 8, 10),))
    train(config)
    weights = tmp_path / "a" / "weights.safetensors"
    run = Run(replace(config, start=weights), BodySource(BodySourceConfig(), config.network, data, CPU), CPU)
    for key, value in load_checkpoint(weights).state_dict().items():
        assert torch.equal(value, run.model.state_dict()[key]) and torch.equal(value, run.averaged.state_dict()[key])
    with pytest.raises(UserError, match="another network"):
        train(replace(tiny(data, tmp_path / "b"), network=BODY_NETWORK, start=weights))


def test_a_deeper_network_starts_as_the_shallower_one_that_it_grows_from(data: Path, tmp_path: Path) -> None:
    config = tiny(data, tmp_path / "a")
    train(config)
    start = tmp_path / "a" / "weights.safetensors"
    deeper = replace(config, out=tmp_path / "b", start=start, network=replace(config.network, blocks=2))
    run = Run(deeper, BodySource(BodySourceConfig(), deeper.network, data, CPU), CPU)
    x = torch.randn(2, 5, 27, 3, generator=torch.Generator().manual_seed(1))
    assert len(run.model.blocks) == 2 * len(load_checkpoint(start).blocks)
    assert torch.equal(run.model.eval()(x), load_checkpoint(start).eval()(x))
    before = [parameter.clone() for parameter in run.model.blocks[1].parameters()]
    for _ in range(2):
        run.advance()
    assert all(not torch.equal(old, new) for old, new in zip(before, run.model.blocks[1].parameters(), strict=True))


def test_the_mirror_of_training_is_the_mirror_of_lifting() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 27, 3))
    sign = torch.tensor([-1.0, 1.0, 1.0])
    assert np.allclose(mirror_landmarks(joints, BODY27), torch.tensor(joints)[:, list(BODY27.mirror)] * sign)


@pytest.mark.parametrize("word", ["muom", "sgd", ""])
def test_an_optimiser_that_there_is_not_is_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        parse_args(["shipped", "--data", str(tmp_path), "--out", str(tmp_path), "--optimiser", word])
    assert refused.value.code == 2


def test_amsgrad_is_not_adam(tmp_path: Path) -> None:
    config = PRESETS["paper-27"][1]
    model = STCFormer(replace(config.network, width=16, blocks=1))
    for name, wanted in (("adam", False), ("amsgrad", True)):
        parsed = parse_args(["shipped", "--data", str(tmp_path), "--out", str(tmp_path), "--optimiser", name])
        (optimiser,) = make_optimisers(parsed, model)
        assert isinstance(optimiser, torch.optim.Adam) and optimiser.param_groups[0]["amsgrad"] is wanted
    assert config.optimiser == "amsgrad"


def test_flags_by_their_old_names_still_work(tmp_path: Path) -> None:
    words = "--decay 0.9 --clip 2 --calm-share 0.3 --average 0.9 --feed.body.stretch 0.2 --feed.recorded 0.25".split()
    parsed = parse_args(["shipped", "--data", str(tmp_path), "--out", str(tmp_path), *words])
    assert (parsed.learning_rate_decay, parsed.gradient_clip, parsed.calm_fraction, parsed.ema_decay) == (
        0.9,
        2,
        0.3,
        0.9,
    )
    assert isinstance(parsed.source, BodySourceConfig)
    assert (parsed.source.body.stretch, parsed.source.recorded) == (0.2, 0.25)


def test_a_setting_out_of_range_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ema_decay is 1\.5"):
        train(replace(tiny(data, tmp_path), ema_decay=1.5))


def test_where_it_writes_is_tried_before_it_works(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        train(tiny(data, tmp_path / "file" / "run"))


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


def test_states_that_earlier_versions_saved_are_resumed(data: Path, tmp_path: Path) -> None:
    """The keys of the state, written by hand as they were, without a second state beside it."""
    config = tiny(data, tmp_path)
    source = BodySource(BodySourceConfig(), config.network, data, CPU)
    run = Run(config, source, CPU)
    for _ in range(3):
        run.advance()
    state = {"model": run.model.state_dict(), "averaged": run.averaged.state_dict(), "step": run.step}
    state["optimisers"] = [optimiser.state_dict() for optimiser in run.optimisers]
    torch.save(state, tmp_path / "state.pt")
    resumed, saved = Run(config, source, CPU), load_state(tmp_path, CPU)
    assert saved is not None
    resumed.resume(saved)
    assert resumed.step == 3 and torch.equal(run.advance(), resumed.advance())
