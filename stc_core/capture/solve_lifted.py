"""From lifted landmarks to a motion: the stages after the network, run by a capture, and again on what its file keeps.

Knows the order of these stages; imports no network, so that a motion is smoothed anew in a moment.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import numpy as np

from .. import __version__
from ..errors import UserError
from ..events import Report, ignore
from ..motion.hand_face_landmarks import HandLandmarks
from ..motion.motion import Camera, Motion
from ..plain_values import from_plain, to_plain
from .config import CaptureConfig, choose_detector, choose_lift, choose_weights
from .face.config import FaceConfig
from .face.solve import solve_face
from .ground.config import Feet, GroundConfig
from .ground.place_on_floor import place_on_floor
from .hands.config import HandsConfig
from .hands.solve import solve_hands
from .ik.config import IkConfig
from .ik.solve import solve_motion
from .layout import LAYOUTS, Array
from .pose import CameraIntrinsics, CameraMotion, Pose2D, Pose3D, WorldPose
from .progress import report_stage
from .smooth import SmoothConfig, smooth

T = TypeVar("T")
Lifted = tuple[Pose2D, Pose3D, CameraIntrinsics]  # what a motion is solved from
_NEEDED = {"landmarks_2d", "landmarks_raw", "landmark_scores"}
_LIBRARIES = ("numpy", "scipy", "torch", "mediapipe")
_SHARED_WORLD = "shared_world"  # in a motion's settings, if other people's motions are in the same world:
_ON_FLOOR, _ABOVE = "floor", "above"  # whether the person stands on their common floor
_PREDICTED_UP = "predicted_up"  # in a motion's settings: the lifter's up (3,), camera axes


def solve_again(motion: Motion, smoothing: float, feet: Feet, report: Report = ignore) -> Motion:
    """The motion that a capture with another smoothing strength and feet would have made, from what its file keeps.

    Raises UserError where the motion was not captured from a video, or its settings are damaged.
    """
    is_known = any(layout.names == motion.landmark_names for layout in LAYOUTS.values())
    if motion.camera is None or not is_known or not motion.landmarks.keys() >= _NEEDED:
        raise UserError("The motion does not hold the landmarks of a video.", "Choose one that was captured.")
    config = CaptureConfig(
        smooth=replace(_read_stage(SmoothConfig, motion.settings, "smooth"), strength=smoothing),
        ground=replace(_read_stage(GroundConfig, motion.settings, "ground"), feet=feet),
        ik=_read_stage(IkConfig, motion.settings, "ik"),
        face=_read_stage(FaceConfig, motion.settings, "face"),
        hands=_read_stage(HandsConfig, motion.settings, "hands"),
    )
    solved = _keep_world(_solve(*restore_poses(motion), config, report), motion)
    changed = {"smooth": to_plain(config.smooth), "ground": to_plain(config.ground), "ik": to_plain(config.ik)}
    changed |= {"face": to_plain(config.face)}
    return replace(solved, settings=motion.settings | changed)


def _read_stage(kind: type[T], settings: Mapping[str, Any], name: str) -> T:
    """A stage's settings as a motion's file has them; what another version did not know has its default."""
    try:
        kept = from_plain(dict[str, Any], settings.get(name, {}))
        return from_plain(kind, {part.name: kept[part.name] for part in fields(kind) if part.name in kept})  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"The motion's settings are damaged ({error}).", "Capture the video again.") from None


def remove_smoothing(motion: Motion, config: CaptureConfig) -> Motion:
    """The motion that `capture` would have made of the same landmarks without smoothing, from what its file keeps."""
    pose2d, pose3d, intrinsics = restore_poses(motion)
    unsmoothed = replace(config, smooth=replace(config.smooth, strength=0.0))
    if _SHARED_WORLD in motion.settings:
        unsmoothed = replace(unsmoothed, ground=_read_stage(GroundConfig, motion.settings, "ground"))
    return _keep_world(solve_lifted(pose2d, pose3d, intrinsics, unsmoothed, ignore), motion)


def find_eye(camera: Camera) -> Array:
    """Where a camera is in the world (3,)."""
    return -camera.R.T @ camera.t


def share_camera(motion: Motion, eye: Array, is_above: bool) -> Motion:
    """The motion in the world of others, whose camera is at `eye` (3,): moved across their floor, or, `is_above`, also
    up, where the person stands on something higher. The motion's file tells that it is so."""
    assert motion.camera is not None
    shift = (eye - find_eye(motion.camera)) * [1.0, 1.0, float(is_above)]
    camera, path = replace(motion.camera, t=-motion.camera.R @ eye), motion.camera.path
    if path is not None:
        camera = replace(camera, path=replace(path, t=path.t + path.R @ (find_eye(motion.camera) - eye)))
    landmarks = motion.landmarks | {"landmarks_3d": motion.landmarks["landmarks_3d"] + shift}
    moved = replace(motion, t_world_root=motion.t_world_root + shift, landmarks=landmarks, camera=camera)
    return replace(moved, settings=motion.settings | {_SHARED_WORLD: _ABOVE if is_above else _ON_FLOOR})


def _keep_world(solved: Motion, motion: Motion) -> Motion:
    """What was solved anew of a motion, in the world that the motion shares with others, if it does."""
    if _SHARED_WORLD not in motion.settings:
        return solved
    assert motion.camera is not None
    return share_camera(solved, find_eye(motion.camera), motion.settings[_SHARED_WORLD] == _ABOVE)


def restore_poses(motion: Motion) -> Lifted:
    """What a captured motion was solved from."""
    pose2d, intrinsics = restore_observations(motion)
    up = motion.settings.get(_PREDICTED_UP)
    pose3d = Pose3D(
        layout=pose2d.layout,
        joints=motion.landmarks["landmarks_raw"],
        scores=pose2d.scores,
        fps=motion.fps,
        up=None if up is None else np.array(up, float),
    )
    return pose2d, pose3d, intrinsics


def restore_observations(motion: Motion) -> tuple[Pose2D, CameraIntrinsics]:
    """What was seen of a captured motion, and by which lens."""
    assert motion.camera is not None and motion.landmarks, "a motion that was not captured from a video"
    layout = next(layout for layout in LAYOUTS.values() if layout.names == motion.landmark_names)
    scores = motion.landmarks["landmark_scores"]
    pose = Pose2D(
        layout=layout,
        keypoints=motion.landmarks["landmarks_2d"],
        scores=scores,
        timestamps=motion.start_s + np.arange(len(scores)) / motion.fps,
        image_size=motion.camera.image_size,
        fps=motion.fps,
        camera_motion=_restore_camera_motion(motion.camera),
        hands=motion.hand_landmarks,
        face=motion.face_landmarks,
    )
    return pose, CameraIntrinsics(focal_px=float(motion.camera.K[0, 0]), image_size=motion.camera.image_size)


def _restore_camera_motion(camera: Camera) -> CameraMotion | None:
    """How the camera of a motion moved, in its first frame's axes."""
    path = camera.path
    if path is None:
        return None
    eyes = -np.einsum("tji,tj->ti", path.R, path.t)
    return CameraMotion(
        R_first_camera=path.R[0] @ path.R.swapaxes(1, 2),
        t_first_camera=(eyes - eyes[0]) @ path.R[0].T,
        zoom=path.focal_px / path.focal_px[0],
        is_metric=True,
    )


def solve_lifted(
    pose2d: Pose2D, pose3d: Pose3D, intrinsics: CameraIntrinsics, config: CaptureConfig, report: Report
) -> Motion:
    """The motion of lifted landmarks: smoothed, placed on the floor, as joint rotations."""
    motion = _solve(pose2d, pose3d, intrinsics, config, report)
    return replace(motion, settings=_describe_settings(config, intrinsics, pose3d.up))


def _solve(
    pose2d: Pose2D, pose3d: Pose3D, intrinsics: CameraIntrinsics, config: CaptureConfig, report: Report
) -> Motion:
    """The same without a description of the settings."""
    frames = len(pose2d.scores)
    smoothed = report_stage("smooth", report, frames, lambda: smooth(pose3d, config.smooth))
    world = report_stage(
        "ground", report, frames, lambda: place_on_floor(smoothed, pose2d, intrinsics, config.ground, report)
    )
    motion = report_stage("solve", report, frames, lambda: _solve_body_and_hands(world, pose2d.hands, config))
    motion = solve_face(motion, pose2d.face, config.smooth.strength, config.face)
    return replace(
        motion,
        start_s=float(pose2d.timestamps[0]),
        landmarks=motion.landmarks | {"landmarks_2d": pose2d.keypoints, "landmarks_raw": pose3d.joints},
    )


def _solve_body_and_hands(world: WorldPose, hands: HandLandmarks | None, config: CaptureConfig) -> Motion:
    """The joint rotations: the body's, and, where hands were looked for, those of wrists and fingers."""
    motion = solve_motion(world, config.ik)
    if hands is None:
        return motion
    return solve_hands(motion, hands, config.hands, config.smooth.strength, config.ik.forearm_twist_limit_deg)


def _describe_settings(config: CaptureConfig, intrinsics: CameraIntrinsics, up: Array | None) -> dict[str, Any]:
    """What made the motion, for its file: settings, the lifter's up, and versions of what worked on it."""
    versions = {"stc_mocap": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    resolved = {
        "weights": choose_weights(config).name,
        "detect": asdict(choose_detector(config)),
        "lift": asdict(choose_lift(config)),
        "camera": asdict(config.camera) | {"focal_px": intrinsics.focal_px},
    }
    predicted = {} if up is None else {_PREDICTED_UP: up.tolist()}
    settings: dict[str, Any] = to_plain(asdict(config) | resolved | predicted | {"versions": versions})
    return settings
