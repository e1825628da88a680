"""The motion file: what is written is read. What is damaged: test_damaged_motions.py, test_strange_motion_files.py."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.motion import FORMAT_VERSION, Camera, CameraPath, Motion, load_motion, save_motion
from stc_core.motion.skeleton import HUMANOID

RNG = np.random.default_rng(0)
JOINTS = len(HUMANOID.joint_names)


def make_motion(frames: int = 5) -> Motion:
    return Motion(
        skeleton=HUMANOID,
        t_world_root=RNG.normal(size=(frames, 3)),
        q_parent_joint=rotation.normalise(RNG.normal(size=(frames, JOINTS, 4))),
        contacts=RNG.normal(size=(frames, 2)) > 0,
        scores=RNG.uniform(size=(frames, JOINTS)),
        fps=30000 / 1001,
    )


def make_captured_motion() -> Motion:
    camera = Camera(K=np.diag([900.0, 900.0, 1.0]), R=np.eye(3), t=np.array([0.0, 1.0, 4.0]), image_size=(1280, 720))
    return replace(
        make_motion(),
        start_s=1.25,
        landmark_names=("pelvis", "näse"),
        landmarks={
            "landmarks_2d": RNG.normal(size=(5, 2, 2)),
            "landmarks_3d": RNG.normal(size=(5, 2, 3)),
            "landmark_scores": RNG.uniform(size=(5, 2)),
        },
        camera=camera,
        settings={"video": "häuser.mp4", "cutoff_hz": 6.0, "nothing": None},
    )


@pytest.mark.parametrize("make", [make_motion, make_captured_motion])
def test_a_motion_comes_back_to_the_bit(make: Callable[[], Motion], tmp_path: Path) -> None:
    motion = make()
    save_motion(motion, tmp_path / "a.npz")
    again = load_motion(tmp_path / "a.npz")
    for name in ("t_world_root", "q_parent_joint", "contacts", "scores"):
        assert np.array_equal(getattr(again, name), getattr(motion, name))
        assert getattr(again, name).dtype == getattr(motion, name).dtype
    assert (again.fps, again.start_s, again.settings) == (motion.fps, motion.start_s, motion.settings)
    assert again.skeleton.joint_names == HUMANOID.joint_names and again.skeleton.parents == HUMANOID.parents
    assert np.array_equal(again.skeleton.offsets, HUMANOID.offsets) and np.array_equal(
        again.skeleton.tips, HUMANOID.tips
    )
    assert again.landmark_names == motion.landmark_names and again.landmarks.keys() == motion.landmarks.keys()
    assert all(np.array_equal(again.landmarks[key], motion.landmarks[key]) for key in motion.landmarks)


def make_moving_motion() -> Motion:
    """A captured motion whose camera turns, goes and zooms."""
    motion = make_captured_motion()
    assert motion.camera is not None
    frames = len(motion.t_world_root)
    turns = np.linspace(0.0, 0.4, frames)[:, None] * np.array([0.1, 1.0, 0.0])
    path = CameraPath(
        R=rotation.to_matrix(rotation.exp(turns)) @ motion.camera.R,
        t=motion.camera.t + np.linspace(0.0, 1.0, frames)[:, None] * np.array([0.3, 0.0, 0.2]),
        focal_px=motion.camera.K[0, 0] * np.linspace(1.0, 1.5, frames),
    )
    return replace(motion, camera=replace(motion.camera, path=path))


def test_the_camera_comes_back(tmp_path: Path) -> None:
    save_motion(make_captured_motion(), tmp_path / "a.npz")
    camera = load_motion(tmp_path / "a.npz").camera
    assert camera is not None and camera.image_size == (1280, 720)
    assert np.array_equal(camera.t, [0.0, 1.0, 4.0]) and np.array_equal(camera.K, np.diag([900.0, 900.0, 1.0]))
    save_motion(make_motion(), tmp_path / "b.npz")
    assert load_motion(tmp_path / "b.npz").camera is None


def test_the_path_of_a_camera_that_moves_comes_back(tmp_path: Path) -> None:
    motion = make_moving_motion()
    assert motion.camera is not None and motion.camera.path is not None
    save_motion(motion, tmp_path / "a.npz")
    camera = load_motion(tmp_path / "a.npz").camera
    assert camera is not None and camera.path is not None
    for name, array in vars(motion.camera.path).items():
        assert np.array_equal(getattr(camera.path, name), array)
    points = np.random.default_rng(0).normal(0.0, 0.3, (len(motion.t_world_root), 5, 3))
    for index in (0, 1, len(points) - 1):
        assert camera.project(points)[index] == pytest.approx(camera.at(index).project(points[index]))
        assert camera.remove_zoom(camera.project(points))[index] == pytest.approx(
            replace(camera.at(index), K=camera.K).project(points[index])
        )


def test_the_file_holds_what_others_need_without_our_code(tmp_path: Path) -> None:
    motion = make_captured_motion()
    save_motion(motion, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["format_version"] == FORMAT_VERSION
        assert file["positions"] == pytest.approx(motion.positions())
        assert json.loads(str(file["settings"])) == motion.settings
        assert not any(file[name].dtype.hasobject for name in file.files)


def test_a_camera_projects_as_opencv_says() -> None:
    camera = make_captured_motion().camera
    assert camera is not None
    assert camera.project(np.array([[1.0, 0.0, 0.0]])) == pytest.approx(np.array([[225.0, 225.0]]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*gone\.npz"):
        load_motion(tmp_path / "gone.npz")


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    save_motion(make_motion(), path)
    before = path.read_bytes()

    def fail(file: BinaryIO, **arrays: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("stc_core.motion.motion.np.savez_compressed", fail)
    with pytest.raises(KeyboardInterrupt):
        save_motion(make_captured_motion(), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UserError, match=r"a\.npz cannot be written \(No space left"):
        save_motion(make_motion(), tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.*cannot be written"):
        save_motion(make_motion(), tmp_path / "nowhere" / "a.npz")


def test_a_save_leaves_one_file(tmp_path: Path) -> None:
    save_motion(make_motion(), tmp_path / "a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
