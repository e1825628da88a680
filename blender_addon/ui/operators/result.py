# SPDX-License-Identifier: GPL-3.0-or-later
"""Work with a captured action: its raw counterpart, its camera, its doubtful frames."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty

from stc_core.errors import UserError

from ...rig import camera, confidence, import_motion, keyframes, provenance, scene_time
from ...user_paths import resolve_path
from .base import (
    ReportingOperator,
    check_poll,
    find_action_problem,
)


class STC_MOCAP_OT_use_raw(ReportingOperator):
    bl_idname = "stc_mocap.use_raw"
    bl_label = "Raw or Smoothed"
    bl_description = "Switch between the smoothed motion and the raw one"
    bl_options = {"REGISTER", "UNDO"}
    raw: BoolProperty(name="Raw", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        problem = find_action_problem(context)
        action = provenance.find_captured_action(provenance.find_shown_armature(context))
        record = provenance.read_provenance(action)
        if action and record and not record.raw and provenance.find_counterpart(action) is None:
            problem = "This motion has no raw one"
        return check_poll(cls, problem)

    def run(self, context: bpy.types.Context) -> set[str]:
        obj = provenance.find_shown_armature(context)
        action, record = provenance.require_captured_action(obj)
        if obj and (record.kind == "raw") != self.raw:
            other = provenance.find_counterpart(action) or import_motion.import_raw(obj, action, context.scene)
            provenance.switch_action(obj, action, other)
        return {"FINISHED"}


class STC_MOCAP_OT_use_video_rate(ReportingOperator):
    bl_idname = "stc_mocap.use_video_rate"
    bl_label = "Set Scene to Video's Rate"
    bl_description = "Set the scene's frame rate to the video's, and key the motion anew: a keyframe for each frame"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        record = provenance.read_provenance(provenance.find_captured_action(provenance.find_shown_armature(context)))
        problem = find_action_problem(context)
        if record and scene_time.is_same_rate(record.fps, record.scene_fps):
            problem = "The motion was keyed at the video's rate"
        return check_poll(cls, problem)

    def run(self, context: bpy.types.Context) -> set[str]:
        result = import_motion.import_at_video_rate(provenance.find_shown_armature(context), context.scene)
        return self.report_success(result.sentence)


class STC_MOCAP_OT_match_camera(ReportingOperator):
    bl_idname = "stc_mocap.match_camera"
    bl_label = "Match Camera"
    bl_description = (
        "Add a camera that matches the video's, with the video as its background: the character lies over the person"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_action_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        record = provenance.require_captured_action(provenance.find_shown_armature(context))[1]
        motion = record.load()
        if motion.camera is None:
            raise UserError("This motion was not made from a video.", "Capture one to match its camera.")
        video = _find_video(record, context.scene.stc_mocap.video)
        film = camera.BackgroundVideo(
            path=video,
            first=camera.get_first_video_frame(motion),
            start_frame=record.start_frame,
            fps=motion.fps,
            scene_fps=record.scene_fps,
        )
        placement = camera.Placement(scale=record.scale, origin=record.origin, yaw_rad=record.yaw_rad)
        notes = camera.match_camera(context.scene, motion.camera, placement, film)[1]
        if record.path == "in-place":
            notes.append("The character moves in place, so it lies over the person in the first frame only.")
        _look_through(context)
        return self.report_success(" ".join([f"The camera is matched to {video.name}.", *notes]))


def _find_video(record: provenance.Provenance, chosen: str) -> Path:
    """The video that was captured, else the one chosen in the panel: it may have been moved, or not be known."""
    paths = [resolve_path(path) for path in (record.video, chosen) if path]
    return next((path for path in paths if path.is_file()), [*paths, Path("of this motion")][0])


def _look_through(context: bpy.types.Context) -> None:
    """Look through the camera in the 3D view that was clicked in, if it was one."""
    if context.space_data and context.space_data.type == "VIEW_3D":
        context.space_data.region_3d.view_perspective = "CAMERA"


class STC_MOCAP_OT_next_doubtful(ReportingOperator):
    bl_idname = "stc_mocap.next_doubtful"
    bl_label = "Next Doubtful Frame"
    bl_description = "Jump to the next frame where the capture is doubtful"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return check_poll(cls, find_action_problem(context))

    def run(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        stretches = confidence.find_doubtful_ranges(
            provenance.find_shown_armature(context), keyframes.get_scene_fps(scene)
        )
        doubt = confidence.find_next_range(stretches, scene.frame_current)
        if doubt is None:
            return self.report_success("No frame is doubtful.")
        scene.frame_set(round(doubt.start))
        return self.report_success(str(doubt))


CLASSES = (
    STC_MOCAP_OT_use_raw,
    STC_MOCAP_OT_use_video_rate,
    STC_MOCAP_OT_match_camera,
    STC_MOCAP_OT_next_doubtful,
)
