"""The motion file: what is written is read, and what cannot be read is refused in words a user understands."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion import motion as motion_module
from stc_core.motion.motion import FORMAT_VERSION, Camera, Motion, load_motion, save_motion
from stc_core.motion.skeleton import HUMANOID

RNG = np.random.default_rng(0)
JOINTS = len(HUMANOID.joint_names)


def any_motion(frames: int = 5) -> Motion:
    return Motion(
        HUMANOID,
        RNG.normal(size=(frames, 3)),
        rotation.normalise(RNG.normal(size=(frames, JOINTS, 4))),
        RNG.normal(size=(frames, 2)) > 0,
        RNG.uniform(size=(frames, JOINTS)),
        30000 / 1001,
    )


def full_motion() -> Motion:
    camera = Camera(np.diag([900.0, 900.0, 1.0]), np.eye(3), np.array([0.0, 1.0, 4.0]), (1280, 720))
    return replace(
        any_motion(),
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


def damaged(path, change):
    """Write a good file with its arrays changed by `change(dict)`."""
    save_motion(full_motion(), path)
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("make", [any_motion, full_motion])
def test_a_motion_comes_back_to_the_bit(make, tmp_path):
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


def test_the_camera_comes_back(tmp_path):
    save_motion(full_motion(), tmp_path / "a.npz")
    camera = load_motion(tmp_path / "a.npz").camera
    assert camera is not None and camera.image_size == (1280, 720)
    assert np.array_equal(camera.t, [0.0, 1.0, 4.0]) and np.array_equal(camera.K, np.diag([900.0, 900.0, 1.0]))
    save_motion(any_motion(), tmp_path / "b.npz")
    assert load_motion(tmp_path / "b.npz").camera is None


def test_the_file_holds_what_others_need_without_our_code(tmp_path):
    motion = full_motion()
    save_motion(motion, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["format_version"] == FORMAT_VERSION
        assert file["positions"] == pytest.approx(motion.positions())
        assert json.loads(str(file["settings"])) == motion.settings
        assert not any(file[name].dtype.hasobject for name in file.files)


def test_a_camera_projects_as_opencv_says():
    camera = full_motion().camera
    assert camera is not None
    assert camera.project(np.array([[1.0, 0.0, 0.0]])) == pytest.approx(np.array([[225.0, 225.0]]))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no file .*gone\.npz"):
        load_motion(tmp_path / "gone.npz")


def npy(path):
    np.save(path.open("wb"), np.zeros(3))


def truncated(path):
    save_motion(any_motion(), path)
    path.write_bytes(path.read_bytes()[:-400])


def bitten(path):
    save_motion(any_motion(40), path)
    bytes_ = bytearray(path.read_bytes())
    middle = len(bytes_) // 2
    bytes_[middle : middle + 60] = bytes(60)
    path.write_bytes(bytes_)


def foreign_npz(path):
    np.savez(path, poses=np.zeros(3))


STRANGERS = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("HIERARCHY\nROOT Hips\n"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"format_version": 1})),
    "npy": npy,
    "folder": lambda path: path.mkdir(),
    "truncated": truncated,
    "bitten": bitten,
    "foreign npz": foreign_npz,
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_motion_file_is_refused_by_name(kind, tmp_path):
    STRANGERS[kind](tmp_path / "strange.npz")
    with pytest.raises(UserError, match=r"strange\.npz is (not a motion file|damaged)"):
        load_motion(tmp_path / "strange.npz")


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("name", ["format_version", "settings", "extra"])
def test_pickles_inside_are_never_opened(name, tmp_path):
    path = damaged(tmp_path / "a.npz", lambda arrays: arrays.update({name: np.array([Bomb()], object)}))
    with pytest.raises(UserError, match="not a motion file"):
        load_motion(path)


def test_a_newer_format_asks_for_an_update(tmp_path):
    path = damaged(tmp_path / "a.npz", lambda arrays: arrays.update(format_version=np.array(FORMAT_VERSION + 1)))
    with pytest.raises(UserError, match=r"newer format 2.*Update"):
        load_motion(path)


DAMAGES = {
    "array missing": lambda arrays: arrays.pop("q_parent_joint"),
    "frames lost": lambda arrays: arrays.update(t_world_root=arrays["t_world_root"][:-1]),
    "not a number": lambda arrays: arrays["t_world_root"].fill(np.nan),
    "no turns": lambda arrays: arrays["q_parent_joint"].fill(0.0),
    "nan turns": lambda arrays: arrays["q_parent_joint"].fill(np.nan),
    "words for turns": lambda arrays: arrays.update(q_parent_joint=np.full((5, JOINTS, 4), "x")),
    "settings not json": lambda arrays: arrays.update(settings=np.array("{")),
    "many rates": lambda arrays: arrays.update(fps=np.array([30.0, 25.0])),
    "no rate": lambda arrays: arrays.update(fps=np.array(0.0)),
    "no joints": lambda arrays: arrays.update(joint_names=np.array([], str), parents=np.array([], int)),
    "parents in a circle": lambda arrays: arrays.update(parents=np.arange(JOINTS)),
    "landmarks of another length": lambda arrays: arrays.update(landmarks_3d=np.zeros((4, 2, 3))),
    "half a camera": lambda arrays: arrays.pop("R"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_said_not_met_later(kind, tmp_path):
    path = damaged(tmp_path / "hurt.npz", DAMAGES[kind])
    with pytest.raises(UserError, match=r"hurt\.npz is damaged"):
        load_motion(path)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save_motion(any_motion(), path)
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(motion_module.np, "savez_compressed", fail)
    with pytest.raises(KeyboardInterrupt):
        save_motion(full_motion(), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_the_users_to_mend(tmp_path, monkeypatch):
    def fail(file, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(motion_module.np, "savez_compressed", fail)
    with pytest.raises(UserError, match=r"a\.npz cannot be written: No space left"):
        save_motion(any_motion(), tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.*cannot be written"):
        save_motion(any_motion(), tmp_path / "nowhere" / "a.npz")


def test_a_save_leaves_one_file(tmp_path):
    save_motion(any_motion(), tmp_path / "a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
