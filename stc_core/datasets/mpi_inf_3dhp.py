"""MPI-INF-3DHP as people have it: data_train_3dhp.npz and data_test_3dhp.npz, and the test set's annot_data.mat.

data_train_3dhp.npz, `data`: {"S1 Seq1": [{camera: {"data_3d": (T, 17, 3), "data_2d": (T, 17, 2)}}, fps]}.
data_test_3dhp.npz, `data`: {"TS1": {"data_3d", "data_2d", "valid": (T,)}}. TSn/annot_data.mat: annot2, univ_annot3,
valid_frame. All in the 17 joints' order below, millimetres in camera axes, pixels; the 3D is the height-normalised
"universal" one of the published figures. Knows these files; not what is computed from them.

The files hold no lens: it is fitted to the pairs of 2D and 3D. The test's hold no rate: 25 Hz is assumed.
Mehta et al., "Monocular 3D Human Pose Estimation In The Wild", 3DV 2017; the .npz form is P-STMO's (ECCV 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..capture.layout import H36M17
from ..errors import UserError
from ..geometry.rotation import Array
from .dataset_plan import DatasetInfo, DatasetPlan, ShardClip, Take, TakeClips, stamp_files
from .safe_unpickle import read_pickled

LICENCE = "MPI-INF-3DHP: for research only, by its own licence; neither the data nor weights trained on it are ours."
JOINTS = tuple(
    "head thorax right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle pelvis spine nose".split()
)
_ORDER = [JOINTS.index(name) for name in H36M17.names]
_TRAIN, _TEST, _ANNOTATION = "data_train_3dhp.npz", "data_test_3dhp.npz", "annot_data.mat"
_TEST_FPS = 25.0  # the published protocol takes the frames as they come
_WIDE_SUBJECTS = ("TS5", "TS6")
_REMEDY = "Give the file as P-STMO's instructions make it."
_TORSO_M = (0.2, 1.0)  # what is longer is in millimetres
_MAX_MEDIAN_DISTANCE_PX = 20.0


def plan_mpi_inf_3dhp(folder: Path) -> list[DatasetPlan]:
    """A source for the training file, one for the test: its .npz, or else TS1 … TS6. UserError where neither is."""
    found = []
    if (folder / _TRAIN).is_file():
        found.append(_plan_training_file(folder / _TRAIN))
    if (folder / _TEST).is_file():
        found.append(_plan_test_file(folder / _TEST))
    elif annotations := sorted(folder.rglob(_ANNOTATION)):
        found.append(_plan_annotations(annotations))
    if not found:
        what = f"{folder} holds no {_TRAIN}, {_TEST} or {_ANNOTATION}."
        raise UserError(what, "Give the folder with these files, or the test set's.")
    return found


def _describe(part: str) -> DatasetInfo:
    return DatasetInfo(f"mpi_inf_3dhp_{part}", LICENCE, H36M17.name, "views", {"truth": "univ_annot3"})


def _plan_training_file(path: Path) -> DatasetPlan:
    @cache
    def data() -> Mapping[str, Any]:
        return _read_sequences(path)

    def read(sequence: str) -> TakeClips:
        try:
            cameras, fps = data()[sequence][0], float(data()[sequence][1])
            pairs = {str(camera): (anim["data_3d"], anim["data_2d"]) for camera, anim in cameras.items()}
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise UserError(f"{path}: {sequence} is not [{{camera: …}}, rate].", _REMEDY) from None
        subject, _, action = sequence.partition(" ")
        clips = [
            _make_clip(path, f"{sequence} camera {camera}", subject, action, camera, fps, *pair, None)
            for camera, pair in sorted(pairs.items())
        ]
        return _note_misfits(clips)

    return DatasetPlan(
        _describe("train"), lambda: [Take(s, partial(read, s), stamp_files(path)) for s in sorted(data())]
    )


def _plan_test_file(path: Path) -> DatasetPlan:
    @cache
    def data() -> Mapping[str, Any]:
        return _read_sequences(path)

    def read(name: str) -> TakeClips:
        try:
            part = data()[name]
            arrays = part["data_3d"], part["data_2d"], part["valid"]
        except (KeyError, IndexError, TypeError):
            raise UserError(f"{path}: {name} lacks data_3d, data_2d or valid.", _REMEDY) from None
        return _note_misfits([_make_clip(path, name, name, "", "", _TEST_FPS, *arrays)])

    return DatasetPlan(
        _describe("test"), lambda: [Take(s, partial(read, s), stamp_files(path)) for s in sorted(data())]
    )


def _read_sequences(path: Path) -> Mapping[str, Any]:
    data = read_pickled(path, "data")
    if not isinstance(data, dict) or not data or not all(isinstance(name, str) for name in data):
        raise UserError(f"{path} is not in the form {{sequence: …}}.", _REMEDY)
    return data


def _plan_annotations(paths: list[Path]) -> DatasetPlan:
    def read(path: Path) -> TakeClips:
        name = path.parent.name
        return _note_misfits([_make_clip(path, name, name, "", "", _TEST_FPS, *_read_annotation(path))])

    return DatasetPlan(
        _describe("test"),
        lambda: [Take(path.parent.name, partial(read, path), stamp_files(path)) for path in paths],
    )


def _read_annotation(path: Path) -> tuple[Array, Array, Array]:
    """univ_annot3 (T, 17, 3), annot2 (T, 17, 2), valid_frame (T,). MATLAB's 7.3 form is HDF5, its axes turned round."""
    try:
        import h5py
    except ImportError:
        raise UserError(f"{path} is read by h5py, which is missing.", "pip install 'stc-mocap[train]'") from None
    try:
        with h5py.File(path, "r") as file:
            joints, keypoints, valid = (np.array(file[n], float) for n in ("univ_annot3", "annot2", "valid_frame"))
        return joints.reshape(-1, 17, 3), keypoints.reshape(-1, 17, 2), valid.ravel()
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is not the test set's annotation ({error}).", "Unpack the test set again.") from None


def _make_clip(
    path: Path, name: str, subject: str, action: str, camera: str, fps: float, joints: Any, keypoints: Any, valid: Any
) -> ShardClip:
    try:
        joints, keypoints = np.asarray(joints, float), np.asarray(keypoints, float)[..., :2]
        usable = np.ones(len(joints), bool) if valid is None else np.asarray(valid).reshape(-1).astype(bool)
        shapes = joints.shape, keypoints.shape, usable.shape
    except (TypeError, ValueError):
        raise UserError(f"{path}: {name} does not hold numbers.", _REMEDY) from None
    if shapes != ((len(usable), 17, 3), (len(usable), 17, 2), (len(usable),)):
        raise UserError(f"{path}: the arrays of {name} have the shapes {shapes}.", _REMEDY)
    joints, keypoints = _to_metres(joints[:, _ORDER]), keypoints[:, _ORDER]
    size = (1920, 1080) if subject in _WIDE_SUBJECTS else (2048, 2048)
    lens = fit_camera_matrix(joints[usable], keypoints[usable])
    scores = np.ones(keypoints.shape[:2])
    return ShardClip(name, subject, fps, joints, action, camera, keypoints, scores, lens, size, usable)


def _to_metres(joints: Array) -> Array:
    torso = np.linalg.norm(joints[:, H36M17.index("thorax")] - joints[:, 0], axis=-1)
    return joints / 1000.0 if np.median(torso) > _TORSO_M[1] else joints


def fit_camera_matrix(joints: Array, keypoints: Array) -> Array:
    """The camera matrix K (3, 3) that best takes joints (T, K, 3) in camera axes to keypoints (T, K, 2) pixels."""
    k = np.eye(3)
    depth = np.maximum(joints[..., 2].ravel(), 1e-6)
    for axis in range(2):
        slope = joints[..., axis].ravel() / depth
        design = np.stack([slope, np.ones_like(slope)], -1)
        k[axis, axis], k[axis, 2] = np.linalg.lstsq(design, keypoints[..., axis].ravel(), rcond=None)[0]
    return k


def _note_misfits(clips: list[ShardClip]) -> TakeClips:
    """The clips, and which of them no lens explains: their 3D is not where the picture was taken from."""
    notes = []
    for clip in clips:
        assert clip.K is not None and clip.keypoints is not None
        seen = clip.joints @ clip.K.T
        apart = np.linalg.norm(seen[..., :2] / np.maximum(seen[..., 2:], 1e-6) - clip.keypoints, axis=-1)
        usable: NDArray[np.bool_] = np.ones(len(apart), bool) if clip.valid is None else clip.valid
        if (median := float(np.median(apart[usable]))) > _MAX_MEDIAN_DISTANCE_PX:
            notes.append(f"{clip.name}: with the best lens 2D and 3D lie {median:.0f} pixels apart.")
    return TakeClips(clips, tuple(notes))
