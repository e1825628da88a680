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


def follow_camera(pose: Pose2D, intrinsics: CameraIntrinsics, report: Report) -> Pose2D:
    """The pose with the motion of the camera that observed it, if that moved. Reports Notes of the kind "camera"."""
    tracks = pose.background
    if tracks is None:
        return pose
    try:
        motion = solve_camera_motion(tracks, intrinsics.focal_px)
    except NotFollowed as reason:
        report_unfollowed(tracks.summary, report, f" The background does not tell how: {reason}.")
        return pose
    report(Note(f"The camera moves: the background {tracks.summary}. {_describe(motion)}", "camera"))
    return replace(pose, camera_motion=motion.interpolate(tracks.timestamps, pose.timestamps))


def _describe(motion: CameraMotion) -> str:
    """What was found, for a reader."""
    turn_deg = float(np.degrees(rotation.angle(rotation.from_matrix(motion.R_first_camera)).max()))
    found = f"It was followed: it turns by up to {turn_deg:.0f} degrees"
    if np.ptp(motion.zoom) > _MIN_ZOOM:
        found += f", zooms by {motion.zoom.max() / motion.zoom.min():.2f}"
    return found + (" and stands in one place." if motion.is_metric else " and goes about.")
