"""Evaluation asks as published, groups rightly, and says in one line what does not fit. All data is made here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27, H36M17
from stc_core.datasets import dataset_plan, h36m, mpi_inf_3dhp, shard_writer, shards
from stc_core.datasets.ground_truth import read_ground_truth
from stc_core.errors import UserError
from stc_core.evaluation import aggregate, evaluate, predict
from stc_core.evaluation.end_to_end import CapturedClip
from stc_core.evaluation.evaluate import EvaluateConfig
from stc_core.evaluation.predict import ClipInfo, PredictConfig, Predictions
from stc_core.evaluation.predict_virtual import predict_virtual
from stc_core.events import Event, ignore
from stc_core.geometry.rotation import from_axis_angle, to_matrix
from stc_core.model.checkpoint import load_checkpoint, save_checkpoint
from stc_core.model.stcformer import H36M_MIRROR, STCFormer, STCFormerConfig
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID
from tests import synthetic

Floats = NDArray[np.floating[Any]]

PARITY = Path(__file__).parents[3] / "shared" / "parity" / "windows_metrics.npz"
RAY = STCFormerConfig(
    layout=BODY27.name,
    parts=BODY27.parts,
    mirror=BODY27.mirror,
    channels=3,
    width=16,
    blocks=1,
    view="ray",
    rate_hz=20.0,
    frames=5,
    body_height_m=1.70,
)


@pytest.fixture
def weights_path(tmp_path: Path) -> Path:
    """A state dict as published: the network's shape must be read off it."""
    torch.manual_seed(3)
    model = STCFormer(STCFormerConfig(width=32, blocks=1))
    torch.save({f"module.{key}": value for key, value in model.state_dict().items()}, tmp_path / "no_refine.pth")
    return tmp_path / "no_refine.pth"


class Recorder(STCFormer):
    """Keeps what it is fed."""

    fed: list[torch.Tensor]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.fed = [*getattr(self, "fed", []), x]
        return super().forward(x)


def views(
    folder: Path, *clips: dataset_plan.ShardClip, source: str = "made", layout: str = H36M17.name
) -> shards.Shards:
    shard_writer.write_clips(folder / source, dataset_plan.DatasetInfo(source, "made", layout, "views"), clips)
    return next(found for found in shards.open_shards(folder) if found.source == source)


def view(keypoints: Floats, size: tuple[int, int] = (2, 2), **about: Any) -> dataset_plan.ShardClip:
    joints = np.random.default_rng(5).normal(0, 0.3, (*keypoints.shape[:2], 3)) + [0, 0, 4]
    fields: dict[str, Any] = {"name": "a", "subject": "s", "fps": 50.0, "joints": joints, "K": np.eye(3)} | about
    return dataset_plan.ShardClip(keypoints=keypoints, scores=np.ones(keypoints.shape[:2]), image_size=size, **fields)


@pytest.mark.skipif(not PARITY.exists(), reason="the public code's windows are not here")
@pytest.mark.parametrize("apart", [1, 3])
def test_windows_are_the_public_codes(tmp_path: Path, apart: int) -> None:
    with np.load(PARITY) as file:
        points, windows = file["poses_2d"], file[f"test_f9_tds{apart}_2d"]
    source = views(tmp_path, view(points + 1.0))  # in a picture of 2 by 2 pixels only 1 is taken off
    model = Recorder(STCFormerConfig(width=16, blocks=1)).eval()
    predict.predict_centres(source, source.clips, model, PredictConfig(9, 50.0 / apart, flip=False, batch=16), ignore)
    np.testing.assert_allclose(torch.cat(model.fed).numpy(), windows, atol=1e-6)


def simulate_joints(seed: int, frames: int) -> Floats:
    """17 joints (T, 17, 3) of somebody who moves smoothly about the middle of the room, world metres."""
    random = np.random.default_rng(seed)
    shape = random.uniform(-0.4, 0.4, (17, 3)) + [0.0, 0.0, 0.9]
    sway = random.normal(0, 0.1, (17, 3)) * np.sin(np.arange(frames) * 0.3 + random.uniform(0, 6))[:, None, None]
    joints: Floats = (shape + sway).astype(np.float32)
    return joints


FRAMES = {"Walking 1": 9, "Walking": 5, "Eating": 7}


def h36m_files(folder: Path) -> None:
    """data_3d_h36m.npz and data_2d_h36m_gt.npz as everyone has them, of three people."""
    truth: dict[str, dict[str, Floats]] = {}
    seen: dict[str, dict[str, list[Floats]]] = {}
    for number, subject in enumerate(("S1", "S9", "S11")):
        truth[subject] = {action: simulate_joints(10 * number + n, n) for action, n in FRAMES.items()}
        seen[subject] = {}
        for action, world in truth[subject].items():
            places = np.array(h36m.EXTRINSICS[subject])
            turns = [to_matrix(place[:4] / np.linalg.norm(place[:4])) for place in places]
            axes = [(world - place[4:] / 1000.0) @ turn for place, turn in zip(places, turns, strict=True)]
            seen[subject][action] = [lens.project(a) for lens, a in zip(h36m.CAMERAS, axes, strict=True)]
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(truth, object))
    np.savez(folder / "data_2d_h36m_gt.npz", positions_2d=np.array(seen, object))


def compute_protocol_errors(
    model: STCFormer, clip: shards.ClipEntry, source: shards.Shards, window: int, apart: int
) -> Floats:
    """(T, 2) P1 and P2 in mm, frame by frame and step by step as the paper's protocol says; P2 by scipy's Kabsch."""
    rotations = pytest.importorskip("scipy.spatial.transform").Rotation
    assert clip.image_size is not None and source.keypoints is not None
    span, (width, height) = slice(clip.start, clip.start + clip.frames), clip.image_size
    points, joints = np.array(source.keypoints[span], float), np.array(source.joints[span], float)
    points = points / width * 2 - [1, height / width]
    sign, mirror, rows = np.array([-1.0, 1.0]), list(H36M_MIRROR), []
    for t in range(clip.frames):
        at = [min(max(t + (k - window // 2) * apart, 0), clip.frames - 1) for k in range(window)]
        plain, other = (torch.tensor(p[None], dtype=torch.float32) for p in (points[at], points[at][:, mirror] * sign))
        with torch.no_grad():
            answer, turned = (model(x)[0, window // 2].double().numpy() for x in (plain, other))
        answer = (answer + turned[mirror] * [-1, 1, 1]) / 2
        answer[0] = 0.0
        truth = joints[t] - joints[t, 0]
        a, b = answer - answer.mean(0), truth - truth.mean(0)
        moved = rotations.align_vectors(b, a)[0].apply(a)
        moved = moved * (moved * b).sum() / (moved**2).sum()
        rows.append([1000 * np.linalg.norm(x - y, axis=-1).mean() for x, y in ((answer, truth), (moved, b))])
    return np.array(rows)


def test_human36m_from_its_files_to_the_papers_rows(
    tmp_path: Path, weights_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    h36m_files(tmp_path)
    plan = h36m.plan_h36m(tmp_path)[0]
    shard_writer.write_shards(tmp_path / "data" / plan.info.source, plan.info, plan.list_takes())
    flags = f"--weights {weights_path} --data {tmp_path / 'data'} --out {tmp_path / 'out'} --ask.frames 9 --ask.batch 5"
    monkeypatch.setattr("sys.argv", ["evaluate", *flags.split(), "--ask.device", "cpu"])
    evaluate.main()
    report = json.loads((tmp_path / "out" / "report.json").read_text())["sources"]["h36m_gt"]
    (source,), model = shards.open_shards(tmp_path / "data"), load_checkpoint(weights_path)
    expected: dict[str, list[Floats]] = {"Walking": [], "Eating": []}
    for row in source.clips:
        if row.subject in ("S9", "S11"):
            expected[row.action].append(compute_protocol_errors(model, row, source, 9, 3))
    means = {action: np.concatenate(rows).mean(0) for action, rows in expected.items()}
    for action, mean in means.items():
        found = report["actions"][action]
        assert (found["p1_mm"], found["p2_mm"]) == pytest.approx(tuple(mean), abs=0.01)
    mean = np.mean(list(means.values()), 0)  # every action as heavy as another
    assert (report["mean"]["p1_mm"], report["mean"]["p2_mm"]) == pytest.approx(tuple(mean), abs=0.01)
    assert report["mean"]["frames"] == 2 * 4 * sum(FRAMES.values()) and set(report["subjects"]) == {"S9", "S11"}
    assert abs(report["frames"]["p1_mm"] - report["mean"]["p1_mm"]) > 0.1
    assert f"| **mean of actions** | {mean[0]:.1f} | {mean[1]:.1f} |" in capsys.readouterr().out
    pictures = {"error_by_joint.png", "error_by_angle.png", "error_by_score.png", "pck.png"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == pictures | {"report.json", "report.md"}


def test_mpi_inf_3dhp_counts_valid_frames_and_fourteen_joints(tmp_path: Path, weights_path: Path) -> None:
    parts = {}
    for number, name in enumerate(("TS1", "TS5")):
        joints = (simulate_joints(number, 8 + number) @ [[1.0, 0, 0], [0, 0, 1], [0, -1, 0]] + [0.0, 0.9, 4.0]) * 1000.0
        pixels = joints[..., :2] / joints[..., 2:] * 1500.0 + 1000.0
        parts[name] = {"data_3d": joints, "data_2d": pixels, "valid": np.arange(len(joints)) % 4 > 0}
    np.savez(tmp_path / "data_test_3dhp.npz", data=np.array(parts, object))
    (plan,) = mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)
    shard_writer.write_shards(tmp_path / "data" / plan.info.source, plan.info, plan.list_takes())
    ask = PredictConfig(9, 25.0, device="cpu")
    config = EvaluateConfig(tmp_path / "out", weights_path, tmp_path / "data", ask=ask, plots=False)
    report = evaluate.evaluate(config, ignore)["sources"]["mpi_inf_3dhp_test"]
    (source,), model = shards.open_shards(tmp_path / "data"), load_checkpoint(weights_path)
    rows = [compute_protocol_errors(model, row, source, 9, 1)[source.valid[row.start : row.start + row.frames]]
            for row in source.clips]  # fmt: skip
    assert report["mean"]["frames"] == 6 + 6 == len(np.concatenate(rows))
    assert report["mean"]["p1_mm"] == pytest.approx(np.concatenate(rows).mean(0)[0], abs=0.01)
    counted = [H36M17.names[i] for i in aggregate.pck_joints(H36M17.names)]
    assert len(counted) == 14 and not {"pelvis", "spine", "nose"} & set(counted)


def make_clip(action: str, count: int, error_m: float, first: int = 0) -> tuple[ClipInfo, Floats, Floats]:
    truth = simulate_joints(1, count).astype(float)
    truth -= truth[:, :1]
    estimate = truth + [error_m, 0.0, 0.0]
    return ClipInfo(f"clip{first} 27", "s", action, 50.0), estimate, truth


def make_predictions(
    *parts: tuple[ClipInfo, Floats, Floats], frames: list[NDArray[np.int64]] | None = None
) -> Predictions:
    estimate, truth = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    clip = np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts])
    frame = np.concatenate(frames or [np.arange(len(part[1])) for part in parts])
    scores = np.linspace(0, 1, truth[..., 0].size).reshape(truth.shape[:2])
    rays = np.tile([0.0, 0.0, 4.0], (len(truth), 1))
    about = tuple(part[0] for part in parts)
    return Predictions("made", H36M17.names, estimate, truth, scores, rays, clip, frame, about)


def test_clips_are_told_apart_only_where_nothing_else_tells_them_apart() -> None:
    alike = aggregate.group_errors(make_predictions(make_clip("", 30, 0.011), make_clip("", 10, 0.033, first=1)), False)
    assert {name: round(row["p1_mm"]) for name, row in alike["clips"].items()} == {"clip0": 11, "clip1": 33}
    assert not aggregate.group_errors(make_predictions(make_clip("a", 30, 0.011), make_clip("b", 10, 0.033)), False)[
        "clips"
    ]


def test_an_action_is_as_heavy_as_another_and_a_frame_as_another() -> None:
    mixed = make_predictions(make_clip("a", 30, 0.011), make_clip("b", 10, 0.033))
    of_actions, of_frames = (aggregate.group_errors(mixed, flag) for flag in (True, False))
    assert of_actions["mean"]["p1_mm"] == pytest.approx(22.0) and of_frames["mean"]["p1_mm"] == pytest.approx(16.5)
    assert of_actions["frames"] == of_frames["frames"] and of_actions["actions"]["b"]["p1_mm"] == pytest.approx(33.0)
    assert of_actions["joints"]["head"] == pytest.approx(16.5)
    # 28 of the 31 thresholds lie over 11 mm, 24 over 33 mm
    assert of_frames["mean"]["auc"] == pytest.approx(100.0 * (0.75 * 28 + 0.25 * 24) / 31)
    for key, count in (("azimuth", 40), ("elevation", 40), ("scores", 40 * 17)):
        assert sum(part["count"] for part in of_actions[key]) == count
        assert np.average([p["mm"] for p in of_actions[key]], weights=[p["count"] for p in of_actions[key]]) == (
            pytest.approx(16.5)
        )


def test_no_speed_is_measured_from_one_clip_to_the_next_nor_across_frames_not_scored() -> None:
    jumping = make_predictions(
        make_clip("a", 6, 0.0), make_clip("a", 6, 0.5, first=1), frames=[np.arange(6), np.array([0, 1, 2, 5, 6, 7])]
    )
    found = aggregate.measure_frame_errors(jumping)
    assert np.isnan(found.velocity[[0, 6, 9]]).all() and np.isnan(found.acceleration[[0, 1, 6, 7, 9, 10]]).all()
    assert np.isfinite(found.velocity).sum() == 9 and np.nanmax(found.velocity) == pytest.approx(0.0, abs=1e-9)


@pytest.fixture
def walkers(tmp_path: Path) -> Path:
    """Two made walkers, one of whom is held out of training."""
    walk = synthetic.body27(synthetic.walk(fps=30.0, seconds=2.0))
    clips = [
        dataset_plan.ShardClip(f"{name} walk", name, 30.0, walk * size)
        for name, size in (("cmu_01", 1.0), ("cmu_07", 1.3))
    ]
    shard_writer.write_clips(
        tmp_path / "data" / "walkers", dataset_plan.DatasetInfo("walkers", "made", BODY27.name, "bodies"), clips
    )
    return tmp_path / "data"


def test_bodies_are_seen_from_everywhere_by_the_same_cameras_every_time(walkers: Path) -> None:
    (source,), model = shards.open_shards(walkers), STCFormer(RAY)
    config = PredictConfig(windows=24, device="cpu")
    held_out = [row for row in source.clips if row.subject == "cmu_07"]
    first, again = (predict_virtual(source, held_out, model, config, ignore) for _ in range(2))
    exact, noisy = first["exact"], first["noisy"]
    np.testing.assert_array_equal(exact.estimate, again["exact"].estimate)
    np.testing.assert_array_equal(exact.truth, noisy.truth)
    assert np.abs(exact.estimate - noisy.estimate).max() > 1e-4 and {a.subject for a in exact.clips} == {"cmu_07"}
    few = first["17 landmarks"]
    assert len(few.names) == 17 and few.truth.shape[1:] == (17, 3) and few.scores.shape == few.truth.shape[:2]
    assert len(exact.clip) == 24 * 5 and np.abs(exact.truth[:, 0]).max() == 0.0
    azimuths = aggregate.measure_frame_errors(exact).azimuth
    assert np.histogram(azimuths, 6, (-180, 180))[0].min() > 0
    heads = np.linalg.norm(exact.truth[:, BODY27.index("thorax")], axis=-1)
    own = synthetic.body27(synthetic.walk(fps=30.0, seconds=2.0))
    ratio = heads.mean() / np.linalg.norm(own[:, BODY27.index("thorax")] - own[:, 0], axis=-1).mean()
    assert 0.9 < ratio < 1.1  # 1.70 m tall again, not 1.3 times as tall


def test_a_network_that_predicts_up_is_judged_by_its_joints(walkers: Path) -> None:
    (source,) = shards.open_shards(walkers)
    model = STCFormer(replace(RAY, up=True)).eval()
    found = predict_virtual(source, source.clips, model, PredictConfig(windows=2, device="cpu"), ignore)["exact"]
    assert found.estimate.shape == found.truth.shape == (10, 27, 3)


def test_the_truth_of_views_is_as_tall_as_the_network_answers(tmp_path: Path) -> None:
    body = synthetic.body27(synthetic.walk(fps=30.0, seconds=1.0)) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    clips = []
    for name, size in (("small", 0.8), ("tall", 1.2)):
        joints = body * size + [0.0, 1.0, 5.0]
        valid = np.arange(len(joints)) > 9
        k = np.array([[1000.0, 0, 500], [0, 1000.0, 500], [0, 0, 1]])
        pixels = joints[..., :2] / joints[..., 2:] * 1000.0 + 500.0
        clips.append(view(pixels, (1000, 1000), name=name, fps=30.0, joints=joints, K=k, valid=valid))
    source, model = views(tmp_path, *clips, layout=BODY27.name), STCFormer(RAY).eval()
    for ask in (predict.predict_blended, predict.predict_centres):
        found = ask(source, source.clips, model, PredictConfig(device="cpu"), ignore)
        small, tall = (found.truth[found.clip == number] for number in (0, 1))
        np.testing.assert_allclose(small, tall, atol=1e-5)
        assert len(small) == len(tall) == 20 and found.frame.min() == 10
        assert np.isfinite(found.estimate).all() and np.abs(found.estimate[:, 0]).max() == 0.0


def test_centre_and_blended_answers_come_from_the_same_network(tmp_path: Path) -> None:
    """One window over a whole clip: the blend's middle frame is the centre's, less the answered pelvis."""
    points = np.random.default_rng(2).normal(500, 50, (5, 27, 2))
    k = np.array([[1000.0, 0, 500], [0, 1000.0, 500], [0, 0, 1]])
    source = views(tmp_path, view(points, (1000, 1000), fps=20.0, K=k), layout=BODY27.name)
    model = STCFormer(replace(RAY, body_height_m=0.0)).eval()
    middle, whole = (
        ask(source, source.clips, model, PredictConfig(device="cpu"), ignore).estimate[2]
        for ask in (predict.predict_centres, predict.predict_blended)
    )
    pelvis = (middle - whole)[1]
    assert np.linalg.norm(pelvis) > 1e-4
    np.testing.assert_allclose((middle - whole)[1:], np.tile(pelvis, (26, 1)), atol=1e-5)


def test_the_whole_way_is_judged_in_each_ones_own_camera() -> None:
    """A motion that is the truth, its world turned: nothing is wrong with it."""
    clip = read_ground_truth(Path(__file__).parents[1] / "truth" / "sample.npz")
    frames, turn = len(clip.landmarks), to_matrix(from_axis_angle(np.array([0.0, 0.0, 1.0]), 0.7))
    camera = replace(clip.camera, R=clip.camera.R @ turn.T)
    motion = Motion(
        skeleton=HUMANOID,
        t_world_root=np.zeros((frames, 3)),
        q_parent_joint=np.tile([1.0, 0, 0, 0], (frames, len(HUMANOID.joint_names), 1)),
        contacts=clip.contacts,
        scores=np.ones((frames, len(HUMANOID.joint_names))),
        fps=clip.fps,
        landmark_names=BODY27.names,
        landmarks={"landmarks_3d": clip.landmarks @ turn.T + 1.0, "landmark_scores": np.ones((frames, 27))},
        camera=camera,
    )
    own = clip.rows(BODY27.names) @ clip.camera.R.T + 0.1
    found = predict.collect_captures([CapturedClip(clip, None, motion, own)])  # type: ignore[arg-type]
    for name in ("clips", "clips MediaPipe"):
        assert aggregate.group_errors(found[name], False)["mean"]["p1_mm"] == pytest.approx(0.0, abs=1e-6)


def test_what_cannot_be_judged_is_one_line(
    tmp_path: Path, walkers: Path, weights_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EvaluateConfig(tmp_path / "out", weights_path, walkers)
    with pytest.raises(UserError, match="nothing to judge"):
        evaluate.evaluate(replace(config, data=None), ignore)
    with pytest.raises(UserError, match="bodies of body27"):
        evaluate.evaluate(config, ignore)
    with pytest.raises(UserError, match="no source h36m_gt"):
        evaluate.evaluate(replace(config, sources=("h36m_gt",)), ignore)
    with pytest.raises(UserError, match=r"no NAME\.mp4"):
        evaluate.evaluate(replace(config, data=None, clips=tmp_path), ignore)
    save_checkpoint(STCFormer(RAY), tmp_path / "ray.safetensors", {})
    ours = replace(config, weights=tmp_path / "ray.safetensors", ask=PredictConfig(windows=2, device="cpu"))
    with pytest.raises(UserError, match="nobody of S9"):
        evaluate.evaluate(replace(ours, subjects=("S9",)), ignore)
    notes: list[Event] = []
    views(walkers, view(np.ones((3, 17, 2)), subject="S9"), source="h36m_gt")
    assert set(evaluate.evaluate(ours, notes.append)["sources"]) == {
        "walkers exact",
        "walkers noisy",
        "walkers 17 landmarks",
    }
    assert any("h36m_gt has the landmarks" in getattr(note, "message", "") for note in notes)
    monkeypatch.setattr("sys.argv", ["evaluate", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="error: There is nothing to judge"):
        evaluate.main()
