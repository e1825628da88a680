"""Captures whose motion is known better: corrected by an animator, or recorded by an optical system meanwhile.

CORRECTIONS/NAME/ holds capture.npz, a motion that `capture` made of a video, and corrected.npz, a motion of the same
skeleton as it should be, or optical.bvh, recorded beside the video; sync.json may then say {"optical_start_s": when the
recording begins, in seconds of the video}. 2D and scores come from the capture, 3D from the correction, in the axes of
the capture's camera, brought together by time.

Two ways to use a correction: as a shard clip with 3D of its own (`plan_corrections`), or as an edit, how far each
landmark was moved from where the capture had it (`load_edits`): what was not edited is then no lesson.

From the correction's joints come hips, knees, ankles, shoulders, elbows, wrists, and the middles of hips and shoulders.
What is no joint is attached rigidly to one, where the capture saw it (the median over its confident frames): heels to
the ankles, big toes to the toes, knuckles to the hands, ears, nose and crown to the head, the spine's middle to the
chest. A frame is left out where the person was hardly observed, where there is no correction, and where the correction
lies too far from the picture to be of the same moment. Knows these files; not how the network learns from them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ..capture.layout import BODY27
from ..errors import UserError
from ..events import Note, Report
from ..geometry import rotation
from ..geometry.alignment import align
from ..geometry.intervals import interpolate
from ..geometry.rotation import Array
from ..motion.motion import Camera, Motion, load_motion
from ..motion.skeleton import forward_kinematics
from . import user_motion
from .dataset_plan import DatasetInfo, DatasetPlan, ShardClip, Take, TakeClips, skip_damaged, stamp_files
from .shard_writer import write_shards

CAPTURE, CORRECTED, OPTICAL, SYNC = "capture.npz", "corrected.npz", "optical.bvh", "sync.json"
_JOINTS = {
    "hip": "{s}_upper_leg",
    "knee": "{s}_lower_leg",
    "ankle": "{s}_foot",
    "shoulder": "{s}_upper_arm",
    "elbow": "{s}_lower_arm",
    "wrist": "{s}_hand",
}
_ATTACHED = {"heel": "{s}_foot", "toe": "{s}_toes", "index": "{s}_hand", "pinky": "{s}_hand", "ear": "head"}
_ATTACHED_MIDLINE = {"nose": "head", "head": "head", "spine": "chest"}
_MAIN_JOINTS = [BODY27.index(f"{side}_{name}") for side in ("left", "right") for name in _JOINTS]
_CONFIDENT_SCORE = 0.5
_MIN_FRAMES = 10
LEAST_EDIT_M = 0.005
"""a landmark that was moved less was not edited; chosen: keys that were reduced or baked anew move it by 1 to 3 mm"""
_SHIFTS_S = np.arange(-0.5, 0.51, 0.05)


@dataclass(frozen=True)
class CorrectionsConfig:
    """When a frame is used."""

    least_score: float = 0.3  # mean of the main joints'
    farthest: float = 0.25  # of the correction from the picture, torsos, the median of the confident joints


@dataclass(frozen=True, kw_only=True)
class EditedCapture:
    """A capture of T frames, and how an animator changed it."""

    name: str
    capture: Motion
    """with what was seen and its camera"""
    shift: Array
    """(T, 27, 3) metres, camera axes: how far the edit moved each landmark against the pelvis; 0 where it did not"""

    @property
    def camera(self) -> Camera:
        """The capture's."""
        assert self.capture.camera is not None
        return self.capture.camera


def plan_corrections(folder: Path, config: CorrectionsConfig | None = None) -> list[DatasetPlan]:
    """The corrections of a folder as one source; what cannot be used is left out with a note."""
    config = config or CorrectionsConfig()
    return [_plan_takes(_list_takes(folder), config)]


def prepare_corrections(folder: Path, out: Path, report: Report, *, edited: bool = True) -> bool:
    """Write the corrected captures of a folder as the shards `out`; those that an animator edited only where asked.

    Returns whether there were any. Raises UserError where the folder holds no capture, or none that can be used.
    """
    paths = [path for path in _list_takes(folder) if edited or not (path / CORRECTED).is_file()]
    if paths:
        plan = _plan_takes(paths, CorrectionsConfig())
        write_shards(out, plan.info, plan.list_takes(), report)
    return bool(paths)


def load_edits(folder: Path, report: Report) -> list[EditedCapture]:
    """The captures that an animator corrected; one in which nothing was moved is left out with a note.

    Raises UserError where the folder holds no capture, or a damaged one.
    """
    edits = []
    for path in _list_takes(folder):
        if not (path / CORRECTED).is_file():
            continue
        edit = _read_edit(path)
        if edit.shift.any():
            edits.append(edit)
        else:
            report(Note(f"{path.name} is left out: nothing was edited in it that the network could learn."))
    return edits


def _list_takes(folder: Path) -> list[Path]:
    names = sorted(path.parent for path in folder.glob(f"*/{CAPTURE}"))
    if not names:
        raise UserError(f"{folder} holds no NAME/{CAPTURE}.", "Give the folder in which corrections were saved.")
    return names


def _plan_takes(paths: list[Path], config: CorrectionsConfig) -> DatasetPlan:
    info = DatasetInfo("captured", "the user's own", BODY27.name, "views", asdict(config))

    def list_takes() -> list[Take]:
        return [skip_damaged(Take(path.name, partial(_read_take, path, config), stamp_files(path))) for path in paths]

    return DatasetPlan(info, list_takes)


def _read_edit(folder: Path) -> EditedCapture:
    """How the landmarks of a corrected motion lie against those of the capture's own joints, frame by frame."""
    capture, corrected = load_motion(folder / CAPTURE), load_motion(folder / CORRECTED)
    observed = _read_capture(capture, folder / CAPTURE)
    before = _world_landmarks(capture, capture, folder / CAPTURE)
    after, there = _resample_at(_world_landmarks(capture, corrected, folder / CORRECTED), corrected, observed.times)
    after, before = (observed.camera.to_camera_axes(points) for points in (after, before))
    shift = after - after[:, :1] - before + before[:, :1]
    moved = np.linalg.norm(shift, axis=-1) >= LEAST_EDIT_M
    return EditedCapture(name=folder.name, capture=capture, shift=shift * (moved & there[:, None])[..., None])


@dataclass(frozen=True)
class _Capture:
    """A capture's camera and observations: keypoints (T, 27, 2), scores (T, 27), points (T, 27, 3) in camera axes."""

    camera: Camera
    keypoints: Array
    scores: Array
    points: Array
    times: Array


def _read_take(folder: Path, config: CorrectionsConfig) -> TakeClips:
    capture = load_motion(folder / CAPTURE)
    observed = _read_capture(capture, folder / CAPTURE)
    notes: tuple[str, ...] = ()
    if (folder / CORRECTED).is_file():
        corrected = load_motion(folder / CORRECTED)
        joints, there = _resample_at(
            _world_landmarks(capture, corrected, folder / CORRECTED), corrected, observed.times
        )
        joints = observed.camera.to_camera_axes(joints)
    elif (folder / OPTICAL).is_file():
        if observed.camera.path is not None:
            raise UserError(f"The camera of {folder / CAPTURE} moved.", f"{OPTICAL} needs one that stands still.")
        joints, there, notes = _read_optical(folder, observed)
    elif (folder / OPTICAL).with_suffix(".fbx").is_file():
        raise UserError(f"{folder} holds its recording as FBX.", f"Export it from Blender as {OPTICAL}.")
    else:
        raise UserError(f"{folder} holds neither {CORRECTED} nor {OPTICAL}.", "Save the correction again.")
    return _select_frames(folder.name, capture.fps, observed, joints, there, notes, config)


def _read_capture(capture: Motion, path: Path) -> _Capture:
    wanted = ("landmarks_2d", "landmarks_3d", "landmark_scores")
    if capture.camera is None or capture.landmark_names != BODY27.names or not set(wanted) <= set(capture.landmarks):
        raise UserError(f"{path} lacks its camera or what was seen.", "Capture the video again with this version.")
    keypoints, points, scores = (np.asarray(capture.landmarks[name], float) for name in wanted)
    times = capture.start_s + np.arange(len(scores)) / capture.fps
    camera = capture.camera
    return _Capture(camera, camera.remove_zoom(keypoints), scores, camera.to_camera_axes(points), times)


def _resample_at(values: Array, motion: Motion, times: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Values (T, ...) of a motion's frames at other times (S,), and which of these (S,) it covers."""
    own = motion.start_s + np.arange(len(values)) / motion.fps
    slack = 0.5 / motion.fps
    return interpolate(values, own, times), (times >= own[0] - slack) & (times <= own[-1] + slack)


def _world_landmarks(capture: Motion, corrected: Motion, path: Path) -> Array:
    """World landmarks (T, 27, 3) of the corrected motion: its joints, and on them what the capture saw."""
    names = corrected.skeleton.joint_names
    own, carried = _name_both_sides(_JOINTS), _name_both_sides(_ATTACHED) | _ATTACHED_MIDLINE
    if missing := (set(carried.values()) | set(own.values())) - (set(names) & set(capture.skeleton.joint_names)):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Save the correction again.")
    positions, rotations = forward_kinematics(corrected.skeleton, corrected.t_world_root, corrected.q_parent_joint)
    offsets = _median_offsets(capture, carried)
    at = {mark: positions[:, names.index(joint)] for mark, joint in own.items()}
    for mark, joint in carried.items():
        index = names.index(joint)
        at[mark] = positions[:, index] + rotation.rotate(rotations[:, index], offsets[mark])
    at["pelvis"] = (at["left_hip"] + at["right_hip"]) / 2
    at["thorax"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    return np.stack([at[name] for name in BODY27.names], 1)


def _name_both_sides(joints: dict[str, str]) -> dict[str, str]:
    return {f"{s}_{mark}": joint.format(s=s) for s in ("left", "right") for mark, joint in joints.items()}


def _median_offsets(capture: Motion, carried: dict[str, str]) -> dict[str, Array]:
    """Where each landmark (3,) lies in its joint's axes, the median over the frames in which its score is high."""
    positions, rotations = forward_kinematics(capture.skeleton, capture.t_world_root, capture.q_parent_joint)
    offsets = {}
    for mark, joint in carried.items():
        column, index = BODY27.index(mark), capture.skeleton.index(joint)
        away = capture.landmarks["landmarks_3d"][:, column] - positions[:, index]
        local = rotation.rotate(rotation.inv(rotations[:, index]), away)
        sure = capture.landmarks["landmark_scores"][:, column] >= _CONFIDENT_SCORE
        offsets[mark] = np.median(local[sure] if sure.sum() >= _MIN_FRAMES else local, axis=0)
    return offsets


def _read_optical(folder: Path, observed: _Capture) -> tuple[Array, NDArray[np.bool_], tuple[str, ...]]:
    """The optical system's landmarks (S, 27, 3) in camera axes at the capture's times, which of these it covers."""
    path = folder / OPTICAL
    motion = user_motion.read_motion(path)
    landmarks = user_motion.motion_to_landmarks(motion, path, user_motion.find_bone_map(path, folder))
    own = _read_start_s(folder / SYNC) + np.arange(len(landmarks)) / motion.fps
    there = (observed.times >= own[0]) & (observed.times <= own[-1])
    if there.sum() < _MIN_FRAMES:
        raise UserError(f"{path} and the video share no time.", f"Write the recording's start into {SYNC}.")
    joints = interpolate(landmarks, own, observed.times)
    note = _suggest_time_shift(landmarks, own, observed, folder)
    return _align_to_picture(joints, there, observed), there, note


def _read_start_s(path: Path) -> float:
    if not path.is_file():
        return 0.0
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["optical_start_s"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} is not understood.", 'Write {"optical_start_s": SECONDS} into it.') from None


def _align_to_picture(joints: Array, there: NDArray[np.bool_], observed: _Capture) -> Array:
    """Joints in the recording's world brought into camera axes: as the capture has them, then as the picture has."""
    used = np.flatnonzero(there)[:: max(1, there.sum() // 60)]
    start = align(
        joints[used][:, _MAIN_JOINTS].reshape(-1, 3),
        observed.points[used][:, _MAIN_JOINTS].reshape(-1, 3),
        with_scale=False,
    )
    weight = (
        np.sqrt(observed.scores[used][:, _MAIN_JOINTS])[..., None]
        * (observed.scores[used][:, _MAIN_JOINTS] > _CONFIDENT_SCORE)[..., None]
    )
    middle = start.apply(joints[used][:, 0])
    turned = start.apply(joints.reshape(-1, 3)).reshape(joints.shape)
    pivot = middle.mean(0)

    def moved(x: Array, points: Array) -> Array:
        return rotation.rotate(rotation.exp(x[:3]), points - pivot) + pivot + x[3:]

    def residuals(x: Array) -> Array:
        points = moved(x, turned[used][:, _MAIN_JOINTS]) @ observed.camera.K.T
        pixels = points[..., :2] / np.maximum(points[..., 2:], 0.1)
        return ((pixels - observed.keypoints[used][:, _MAIN_JOINTS]) * weight).ravel() / observed.camera.K[0, 0]

    best = least_squares(residuals, np.zeros(6), loss="soft_l1", f_scale=0.01, max_nfev=50)
    return moved(best.x, turned)


def _suggest_time_shift(landmarks: Array, own: Array, observed: _Capture, folder: Path) -> tuple[str, ...]:
    """A sentence where recording and capture agree much better when one is shifted in time."""
    residuals = []
    for shift in _SHIFTS_S:
        joints = interpolate(landmarks, own + shift, observed.times)[:, _MAIN_JOINTS]
        flat, points = joints.reshape(-1, 3), observed.points[:, _MAIN_JOINTS].reshape(-1, 3)
        residuals.append(np.linalg.norm(align(flat, points, with_scale=False).apply(flat) - points, axis=-1).mean())
    best = int(np.argmin(residuals))
    if residuals[best] > 0.8 * residuals[len(_SHIFTS_S) // 2]:
        return ()
    start = own[0] + _SHIFTS_S[best]
    return (f"{folder.name}: the recording fits better if it starts at {start:.2f} s: write that into {SYNC}.",)


def _select_frames(
    name: str,
    fps: float,
    observed: _Capture,
    joints: Array,
    there: NDArray[np.bool_],
    notes: tuple[str, ...],
    config: CorrectionsConfig,
) -> TakeClips:
    """The clip with its usable frames, and what was dropped why."""
    known = observed.scores[:, _MAIN_JOINTS].mean(-1) >= config.least_score
    apart, pixels = _measure_offsets(observed, joints)
    near = apart <= config.farthest
    valid = there & known & near
    reasons = {
        "without a correction": ~there,
        "hardly seen": there & ~known,
        "whose correction lies beside the picture": there & known & ~near,
    }
    dropped = ", ".join(f"{int(frames.sum())} {why}" for why, frames in reasons.items() if frames.any())
    note = f"{name}: {int(valid.sum())} of {len(valid)} frames are used; dropped {dropped or 'none'}."
    if valid.sum() < _MIN_FRAMES:
        return TakeClips((), (*notes, f"Left out {note}"))
    note += f" They lie {np.median(pixels[valid]):.0f} pixels from the picture."
    clip = ShardClip(
        name=name,
        subject=name,
        fps=fps,
        joints=joints,
        camera="video",
        keypoints=observed.keypoints,
        scores=observed.scores,
        K=observed.camera.K,
        image_size=observed.camera.image_size,
        valid=valid,
    )
    return TakeClips([clip], (*notes, note))


def _measure_offsets(observed: _Capture, joints: Array) -> tuple[Array, Array]:
    """How far (T,) the main joints lie from their confident keypoints, the median, in torsos and in pixels."""
    shown = joints[:, _MAIN_JOINTS] @ observed.camera.K.T
    distance = np.linalg.norm(
        shown[..., :2] / np.maximum(shown[..., 2:], 0.1) - observed.keypoints[:, _MAIN_JOINTS], axis=-1
    )
    distance = np.where(observed.scores[:, _MAIN_JOINTS] > _CONFIDENT_SCORE, distance, np.nan)
    blind = np.isnan(distance).all(-1)
    distance[blind] = np.inf
    pixels = np.nanmedian(distance, axis=-1)
    thorax = joints[:, BODY27.index("thorax")]
    torso = np.linalg.norm(thorax - joints[:, 0], axis=-1) * observed.camera.K[0, 0] / np.maximum(joints[:, 0, 2], 0.1)
    return pixels / np.maximum(torso, 1.0), pixels
