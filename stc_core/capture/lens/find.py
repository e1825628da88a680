"""The lens put right by what the scene tells of it, or the assumption, and how sure it is.

Knows what the user is told; not how the lens is found.
"""

from __future__ import annotations

from dataclasses import replace

from ...events import Note, Report, ignore
from ..pose import CameraIntrinsics, Pose2D
from .vanishing_points import find_focal_length


def find_lens(pose: Pose2D, intrinsics: CameraIntrinsics, report: Report = ignore) -> CameraIntrinsics:
    """The lens: the given one, unless that is assumed and straight lines of the background tell it.

    Reports a Note, "guess" its kind, of a lens that was found or stays assumed.
    """
    if not intrinsics.is_assumed:
        return intrinsics
    found = None if pose.lines is None else find_focal_length(pose.lines, intrinsics)
    if found is None:
        what = f"The camera's focal length is not known: a field of view of {intrinsics.fov_deg:g} degrees across"
        report(Note(f"{what} the longer side is assumed. Distances and depth grow with its error.", "guess"))
        return intrinsics
    lens = replace(intrinsics, focal_px=found.focal_px, is_assumed=False)
    what = f"Straight lines of the background show the field of view: {lens.describe_fov(found.sigma)}"
    report(Note(f"{what}. It is used in place of the assumed one.", "guess"))
    return lens
