"""Human3.6M's files become views with the right cameras, joints, people and actions. The files here are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.layout import H36M17
from stc_core.datasets import h36m
from stc_core.datasets.dataset_plan import DatasetPlan, ShardClip
from stc_core.datasets.shard_writer import write_shards
from stc_core.datasets.shards import Shards, open_shards
from stc_core.errors import UserError

FRAMES = 6
ACTIONS = ("Walking 1", "Directions")


def matrix(q: NDArray[Any]) -> NDArray[Any]:
    """A rotation matrix from (w, x, y, z), by the textbook, without the code under test."""
    w, x, y, z = np.asarray(q) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def person(seed: int) -> NDArray[Any]:
    """32 joints (T, 32, 3) of somebody in the middle of the room, the unused ones absurd."""
    random = np.random.default_rng(seed)
    joints = np.full((FRAMES, 32, 3), 1e3)
    joints[:, list(h36m.JOINTS_17)] = [0.0, 0.0, 0.9] + random.uniform(-0.5, 0.5, (FRAMES, 17, 3))
    return joints.astype(np.float32)


def project_joints(world: NDArray[Any], subject: str, camera: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Joints (T, 17, 3) in camera axes, and their pixels through an unbent lens."""
    place, lens = np.array(h36m.EXTRINSICS[subject][camera]), h36m.CAMERAS[camera]
    axes = (world[:, list(h36m.JOINTS_17)] - place[4:] / 1000.0) @ matrix(place[:4])
    return axes, axes[..., :2] / axes[..., 2:] * lens.focal + lens.centre


def files(folder: Path, name: str = "gt", subjects: tuple[str, ...] = ("S1", "S9")) -> Path:
    truth: dict[str, Any] = {s: {a: person(len(s + a)) for a in ACTIONS} for s in subjects}
    extra = np.zeros((2, 17, 2))  # videos run on a little longer
    found: dict[str, Any] = {
        s: {
            a: [np.concatenate([project_joints(truth[s][a], s, c)[1], extra]).astype(np.float32) for c in range(4)]
            for a in ACTIONS
        }
        for s in subjects
    }
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=np.array(truth, object))
    metadata = {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
    np.savez_compressed(
        folder / f"data_2d_h36m_{name}.npz", positions_2d=np.array(found, object), metadata=np.array(metadata, object)
    )
    return folder


def write_plan(plan: DatasetPlan, folder: Path) -> Shards:
    write_shards(folder / plan.info.source, plan.info, plan.list_takes())
    return next(source for source in open_shards(folder, check=True) if source.source == plan.info.source)


def test_every_camera_sees_every_action_of_every_person(tmp_path: Path) -> None:
    (plan,) = h36m.plan_h36m(files(tmp_path))
    source = write_plan(plan, tmp_path / "out")
    assert (source.source, source.layout, source.kind) == ("h36m_gt", "h36m17", "views")
    assert "academic" in source.licence and len(source.clips) == 2 * 2 * 4
    assert {(row.subject, row.action, row.camera) for row in source.clips} == {
        (s, a, lens.name) for s in ("S1", "S9") for a in ("Walking", "Directions") for lens in h36m.CAMERAS
    }
    assert source.keypoints is not None and source.scores is not None
    for row in source.clips:
        camera = [lens.name for lens in h36m.CAMERAS].index(row.camera)
        world = person(len(row.subject + row.name.removeprefix(row.subject + " ").removesuffix(" " + row.camera)))
        joints, keypoints = project_joints(world, row.subject, camera)
        part = slice(row.start, row.start + row.frames)
        np.testing.assert_allclose(source.joints[part], joints, atol=2e-6)
        np.testing.assert_allclose(source.keypoints[part], keypoints, atol=1e-3)
        assert row.fps == 50.0 and row.image_size in ((1000, 1002), (1000, 1000)) and (joints[..., 2] > 2.0).all()
    assert source.scores.min() == 1.0 and source.valid.all()


def test_each_file_of_keypoints_is_a_source(tmp_path: Path) -> None:
    files(files(tmp_path), "cpn_ft_h36m_dbb")
    assert [plan.info.source for plan in h36m.plan_h36m(tmp_path)] == ["h36m_cpn_ft_h36m_dbb", "h36m_gt"]


def test_people_are_split_as_published() -> None:
    assert h36m.TRAINING_SUBJECTS == ("S1", "S5", "S6", "S7", "S8") and h36m.TEST_SUBJECTS == ("S9", "S11")
    assert set(h36m.EXTRINSICS) == {*h36m.TRAINING_SUBJECTS, *h36m.TEST_SUBJECTS}


def test_the_cameras_stand_around_the_room_and_look_into_it() -> None:
    for cameras in h36m.EXTRINSICS.values():
        places = np.array(cameras)
        assert len(places) == 4 and np.allclose(np.linalg.norm(places[:, :4], axis=1), 1.0, atol=1e-5)
        assert (np.abs(places[:, 4:6]) > 1000).all() and (places[:, 6] > 1400).all() and (places[:, 6] < 1700).all()
        for place in places:
            forward = matrix(place[:4])[:, 2]
            assert forward @ -place[4:] / np.linalg.norm(place[4:]) > 0.85  # towards the floor's middle
            assert matrix(place[:4])[2, 1] < -0.9  # y points down


def test_a_lens_bends_the_corners_and_leaves_the_middle() -> None:
    lens = h36m.CAMERAS[0]
    np.testing.assert_allclose(lens.project(np.array([0.0, 0.0, 3.0])), lens.centre)
    point = np.array([0.3, 0.2, 1.0])
    r2 = 0.13
    radial = 1 - 0.20709891617298126 * r2 + 0.24777518212795258 * r2**2 - 0.0030751503072679043 * r2**3
    tangential = -0.0009756988729350269 * 0.3 - 0.00142447161488235 * 0.2
    x = 0.3 * (radial + tangential) - 0.0009756988729350269 * r2
    np.testing.assert_allclose(lens.project(point)[0], x * lens.focal[0] + lens.centre[0])


def test_what_only_one_file_holds_is_told(tmp_path: Path) -> None:
    files(tmp_path)
    truth = {"S1": {"Walking 1": person(len("S1Walking 1")), "Eating": person(3)}}
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(truth, object))
    source = write_plan(h36m.plan_h36m(tmp_path)[0], tmp_path / "out")
    assert len(source.clips) == 4
    assert "S1: Directions, Eating lacks its 2D or its 3D and is left out." in source.notes
    assert "S5 is in neither file." in source.notes


def test_files_in_another_form_are_named(tmp_path: Path) -> None:
    for missing in ("data_2d_h36m_gt.npz", "data_3d_h36m.npz"):
        files(tmp_path)
        (tmp_path / missing).unlink()
        with pytest.raises(UserError, match=f"lacks {missing}"):
            h36m.plan_h36m(tmp_path)
    files(tmp_path)
    world = person(len("S1Walking 1"))
    good = [project_joints(world, "S1", camera)[1] for camera in range(4)]
    for cameras, message in (
        (good[:3], "has 3 cameras"),
        ([values[:4] for values in good], r"shape \(4, 17, 2\)"),
        ([values[:, :16] for values in good], r"shape \(6, 16, 2\)"),
        (good[::-1], "pixels beside its 3D"),
        ([values / 500 - 1 for values in good], "pixels beside its 3D"),
    ):
        np.savez_compressed(
            tmp_path / "data_2d_h36m_gt.npz", positions_2d=np.array({"S1": {"Walking 1": cameras}}, object)
        )
        with pytest.raises(UserError, match=message):
            h36m.plan_h36m(tmp_path)[0].list_takes()[0].read()
    for truth, message in (
        ({"S1": 3}, "not in the form"),
        ({"S1": {"Walking 1": world[:, :20]}}, "not .frames, 32, 3."),
    ):
        np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(truth, object))
        with pytest.raises(UserError, match=message):
            h36m.plan_h36m(tmp_path)[0].list_takes()[0].read()


def test_a_clip_keeps_its_lens(tmp_path: Path) -> None:
    clip = h36m.plan_h36m(files(tmp_path))[0].list_takes()[0].read().clips[0]
    assert isinstance(clip, ShardClip) and clip.joints.shape == (FRAMES, len(H36M17.names), 3)
    assert clip.K is not None
    np.testing.assert_allclose(np.diag(clip.K), [*h36m.CAMERAS[0].focal, 1.0])
    np.testing.assert_allclose(clip.K[:2, 2], h36m.CAMERAS[0].centre)
