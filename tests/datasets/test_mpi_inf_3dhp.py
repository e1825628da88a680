"""MPI-INF-3DHP's files become views in our order of joints, in metres, with lens and valid frames. All made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.layout import H36M17
from stc_core.datasets import mpi_inf_3dhp
from stc_core.datasets.dataset_plan import DatasetPlan
from stc_core.datasets.shard_writer import write_shards
from stc_core.datasets.shards import Shards, open_shards
from stc_core.errors import UserError

h5py = pytest.importorskip("h5py")
FRAMES = 8
FOCAL, CENTRE = 1500.0, (1030.0, 1020.0)
# a standing person in the order of the data set's test annotation, metres, x right, y down, z away
STANDING = np.array(
    [
        *([0.0, -0.75, 0.0], [0.0, -0.5, 0.0]),  # top of the head, neck
        *([-0.2, -0.5, 0.0], [-0.25, -0.2, 0.0], [-0.25, 0.05, 0.0]),  # right arm
        *([0.2, -0.5, 0.0], [0.25, -0.2, 0.0], [0.25, 0.05, 0.0]),  # left arm
        *([-0.1, 0.0, 0.0], [-0.1, 0.45, 0.0], [-0.1, 0.85, 0.0]),  # right leg
        *([0.1, 0.0, 0.0], [0.1, 0.45, 0.0], [0.1, 0.85, 0.0]),  # left leg
        *([0.0, 0.0, 0.0], [0.0, -0.25, 0.0], [0.0, -0.6, -0.05]),  # pelvis, spine, head
    ]
)


def pair(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Joints (T, 17, 3), millimetres, and their pixels."""
    random = np.random.default_rng(seed)
    joints = STANDING + random.normal(0.0, 0.02, (FRAMES, 17, 3)) + [0.2, 0.1, 3.5]
    return joints * 1000.0, joints[..., :2] / joints[..., 2:] * FOCAL + CENTRE


def train_file(folder: Path) -> Path:
    data: dict[str, Any] = {}
    for sequence, fps in (("S1 Seq1", 25), ("S3 Seq2", 50)):
        cameras = {c: dict(zip(("data_3d", "data_2d"), pair(int(c)), strict=True)) for c in ("0", "8")}
        data[sequence] = [cameras, fps]
    np.savez_compressed(folder / "data_train_3dhp.npz", data=np.array(data, object))
    return folder


def parts_of(name: str) -> dict[str, NDArray[Any]]:
    joints, keypoints = pair(len(name) + int(name[-1]))
    return {"data_3d": joints, "data_2d": keypoints, "valid": np.arange(FRAMES) % 3 > 0}


def held_out_file(folder: Path) -> Path:
    np.savez_compressed(
        folder / "data_test_3dhp.npz", data=np.array({name: parts_of(name) for name in ("TS1", "TS5")}, object)
    )
    return folder


def write_annotations(folder: Path) -> Path:
    for name in ("TS1", "TS5"):
        parts = parts_of(name)
        (folder / name).mkdir(parents=True)
        with h5py.File(folder / name / "annot_data.mat", "w") as file:
            file["univ_annot3"], file["annot2"] = parts["data_3d"][:, None], parts["data_2d"][:, None]
            file["annot3"] = parts["data_3d"][:, None] * 1.1
            file["valid_frame"] = parts["valid"][:, None].astype(float)
    return folder


def write_plan(plan: DatasetPlan, folder: Path) -> Shards:
    write_shards(folder / plan.info.source, plan.info, plan.list_takes())
    return next(source for source in open_shards(folder, check=True) if source.source == plan.info.source)


def _assert_it_stands(joints: NDArray[Any]) -> None:
    """Every joint of H36M17's order is the one of that name."""
    at = {name: joints[:, i] - [0.2, 0.1, 3.5] for i, name in enumerate(H36M17.names)}
    places: dict[str, list[float]] = {
        "pelvis": [0, 0, 0],
        "right_hip": [-0.1, 0, 0],
        "left_ankle": [0.1, 0.85, 0],
        "spine": [0, -0.25, 0],
        "thorax": [0, -0.5, 0],
        "nose": [0, -0.6, -0.05],
        "head": [0, -0.75, 0],
        "left_elbow": [0.25, -0.2, 0],
        "right_wrist": [-0.25, 0.05, 0],
    }
    for name, place in places.items():
        np.testing.assert_allclose(at[name], np.tile(place, (len(joints), 1)), atol=0.09)


def test_training_sequences_by_camera(tmp_path: Path) -> None:
    (plan,) = mpi_inf_3dhp.plan_mpi_inf_3dhp(train_file(tmp_path))
    source = write_plan(plan, tmp_path / "out")
    assert (source.source, source.layout, source.kind) == ("mpi_inf_3dhp_train", "h36m17", "views")
    rows = [(row.subject, row.action, row.camera, row.fps, row.image_size) for row in source.clips]
    assert rows == [
        ("S1", "Seq1", "0", 25.0, (2048, 2048)),
        ("S1", "Seq1", "8", 25.0, (2048, 2048)),
        ("S3", "Seq2", "0", 50.0, (2048, 2048)),
        ("S3", "Seq2", "8", 50.0, (2048, 2048)),
    ]
    _assert_it_stands(np.asarray(source.joints))
    assert source.valid.all() and source.notes == ()
    lens = np.array([[FOCAL, 0.0, CENTRE[0]], [0.0, FOCAL, CENTRE[1]], [0.0, 0.0, 1.0]])
    for row in source.clips:
        assert row.K is not None
        np.testing.assert_allclose(np.reshape(row.K, (3, 3)), lens)


@pytest.mark.parametrize("made", [held_out_file, write_annotations])
def test_the_test_set_in_both_forms(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    (plan,) = mpi_inf_3dhp.plan_mpi_inf_3dhp(made(tmp_path))
    source = write_plan(plan, tmp_path / "out")
    assert [(r.subject, r.image_size) for r in source.clips] == [("TS1", (2048, 2048)), ("TS5", (1920, 1080))]
    _assert_it_stands(np.asarray(source.joints))
    np.testing.assert_array_equal(source.valid, [False, True, True, False, True, True, False, True] * 2)
    joints, keypoints = pair(len("TS1") + 1)
    assert source.keypoints is not None
    np.testing.assert_allclose(source.joints[:FRAMES, 0], joints[:, 14] / 1000.0, atol=1e-6)
    np.testing.assert_allclose(source.keypoints[:FRAMES, 10], keypoints[:, 0], atol=1e-3)


def test_both_parts_of_a_folder(tmp_path: Path) -> None:
    names = [plan.info.source for plan in mpi_inf_3dhp.plan_mpi_inf_3dhp(held_out_file(train_file(tmp_path)))]
    assert names == ["mpi_inf_3dhp_train", "mpi_inf_3dhp_test"]


def test_metres_stay_metres(tmp_path: Path) -> None:
    parts = parts_of("TS1")
    np.savez(
        tmp_path / "data_test_3dhp.npz", data=np.array({"TS1": parts | {"data_3d": parts["data_3d"] / 1000.0}}, object)
    )
    _assert_it_stands(np.asarray(mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)[0].list_takes()[0].read().clips[0].joints))


def test_3d_that_no_lens_explains_is_told(tmp_path: Path) -> None:
    parts = parts_of("TS1")
    parts["data_2d"] = parts["data_2d"][:, ::-1]
    np.savez(tmp_path / "data_test_3dhp.npz", data=np.array({"TS1": parts}, object))
    assert "pixels apart" in mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)[0].list_takes()[0].read().notes[0]


def test_files_in_another_form_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no data_train_3dhp"):
        mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)
    parts = parts_of("TS1")
    test_data: list[tuple[dict[str, Any], str]] = [
        ({}, "not in the form"),
        ({"TS1": {"data_3d": parts["data_3d"]}}, "TS1 lacks data_3d, data_2d or valid"),
        ({"TS1": parts | {"data_2d": parts["data_2d"][:, :16]}}, "have the shapes"),
        ({"TS1": parts | {"valid": np.ones(3)}}, "have the shapes"),
        ({"TS1": parts | {"data_3d": "text"}}, "does not hold numbers"),
    ]
    for data, message in test_data:
        np.savez(tmp_path / "data_test_3dhp.npz", data=np.array(data, object))
        with pytest.raises(UserError, match=message):
            [take.read() for take in mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)[0].list_takes()]
    training_data: list[dict[str, Any]] = [{"S1 Seq1": [{}]}, {"S1 Seq1": 3}, {"S1 Seq1": [{"0": {}}, 25]}]
    for data in training_data:
        np.savez(tmp_path / "data_train_3dhp.npz", data=np.array(data, object))
        with pytest.raises(UserError, match="S1 Seq1 is not"):
            [take.read() for take in mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)[0].list_takes()]


def test_a_damaged_annotation_is_named(tmp_path: Path) -> None:
    write_annotations(tmp_path)
    for text in (b"MATLAB 5.0 MAT-file", (tmp_path / "TS1" / "annot_data.mat").read_bytes()[:300]):
        (tmp_path / "TS1" / "annot_data.mat").write_bytes(text)
        with pytest.raises(UserError, match=r"annot_data\.mat is not the test set's annotation"):
            mpi_inf_3dhp.plan_mpi_inf_3dhp(tmp_path)[0].list_takes()[0].read()
