"""The camera's motion put beside the pose that it observed, or a note of why it is not known.

Knows what the user is told; not how the motion is found.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...events import Note, Report
from ...geometry import rotation
from ..pose import CameraIntrinsics, CameraMotion, Pose2D
from .background import report_unfollowed
from .solve import NotFollowed, solve_camera_motion

_MIN_ZOOM = 0.03  # a focal length that changes by less than this fraction is not worth a word; chosen


def follow_camera(pose: Pose2D, intrinsics: CameraIntrinsics, report: Report) -> tuple[Pose2D, CameraIntrinsics]:
    """The pose with the motion of the camera that observed it, if that moved, and its lens.

    The lens is the given one, unless it is assumed and the camera's motion shows it. Reports Notes, "camera"
    and "guess" their kinds.
    """
    tracks = pose.background
    if tracks is None:
        return pose, intrinsics
    try:
        camera = solve_camera_motion(tracks, intrinsics.focal_px, intrinsics.is_assumed)
    except NotFollowed as reason:
        report_unfollowed(tracks.summary, report, f" The background does not tell how: {reason}.")
        return pose, intrinsics
    report(Note(f"The camera moves: the background {tracks.summary}. {_describe(camera.motion)}", "camera"))
    if camera.focal_sigma is not None:
        intrinsics = replace(intrinsics, focal_px=camera.focal_px, is_assumed=False)
        what = f"The camera's motion shows its field of view: {intrinsics.describe_fov(camera.focal_sigma)}"
        report(Note(f"{what}. It is used in place of the assumed one.", "guess"))
    motion = camera.motion.interpolate(tracks.timestamps, pose.timestamps)
    return replace(pose, camera_motion=motion), intrinsics


def _describe(motion: CameraMotion) -> str:
    """What was found, for a reader."""
    turn_deg = float(np.degrees(rotation.angle(rotation.from_matrix(motion.R_first_camera)).max()))
    found = f"It was followed: it turns by up to {turn_deg:.0f} degrees"
    if np.ptp(motion.zoom) > _MIN_ZOOM:
        found += f", zooms by {motion.zoom.max() / motion.zoom.min():.2f}"
    return found + (" and stands in one place." if motion.is_metric else " and goes about.")
