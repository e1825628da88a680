# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's buttons. Each reads the settings, asks the room that knows how, and tells the user in a sentence.

The one door in Blender at which a UserError is shown: reported, and kept in the panel. Nothing here takes longer than
a click while a capture runs.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from stc_core.errors import UserError
from stc_core.motion.rig_mapping import bone_map_io as bone_maps
from stc_core.motion.skeleton import HUMANOID

from ..jobs import job as worker
from ..jobs import monitor as watch
from ..properties import absolute, get_map, set_map
from ..rig import armature, camera, confidence, corrections, keyframes
from ..rig import import_motion as bring
from ..rig import provenance as take
from . import preferences

FINETUNE_STAGES = {"fine-tune": 1.0}


class Door(bpy.types.Operator):
    """Shows what the user can mend where an operator's `work` raises it. Not registered itself."""

    def work(self, context: bpy.types.Context) -> set[str]:
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            return self.work(context)
        except UserError as error:
            watch.say(str(error), is_error=True)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def tell(self, sentence: str, kind: str = "INFO") -> set[str]:
        watch.say(sentence)
        self.report({kind}, sentence)
        return {"FINISHED"}


def refuse(cls: type[bpy.types.Operator], why: str) -> bool:
    """The answer of a poll: True where nothing speaks against it, else the reason goes into the tooltip."""
    if why:
        cls.poll_message_set(why)
    return not why


def chosen_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature that gets the next motion; None where one is to be created."""
    settings = context.scene.stc_mocap
    return settings.armature if settings.target == "ARMATURE" else None


def _why_no_target(context: bpy.types.Context) -> str:
    settings = context.scene.stc_mocap
    return _why_no_map(context) if settings.target == "ARMATURE" else ""


def _why_no_map(context: bpy.types.Context) -> str:
    obj = context.scene.stc_mocap.armature
    if obj is None:
        return "Choose an armature first"
    return "" if context.scene.objects.get(obj.name) == obj else "The armature is not in this scene; choose another"


def _why_no_take(context: bpy.types.Context) -> str:
    return "" if take.current(take.shown(context)) else "The armature plays no captured action"


# Capture


class STC_MOCAP_OT_capture(Door):
    bl_idname = "stc_mocap.capture"
    bl_label = "Capture"
    bl_description = "Capture the person's motion. Blender stays free; the action comes when it is done"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        why = "A capture is running" if watch.running() else ""
        why = why or ("" if context.scene.stc_mocap.video else "Choose a video first")
        why = why or ("" if watch.engine() else "Set up the engine first")
        return refuse(cls, why or _why_no_target(context))

    def work(self, context: bpy.types.Context) -> set[str]:
        request = context.scene.stc_mocap.request()
        job = worker.start(preferences.require_engine(), request, preferences.jobs_folder())
        watch.follow(job, watch.target_of(context.scene, chosen_armature(context)))
        return {"FINISHED"}


class STC_MOCAP_OT_cancel(bpy.types.Operator):
    bl_idname = "stc_mocap.cancel"
    bl_label = "Cancel"
    bl_description = "Stop it; nothing in the scene changes"
    kind: EnumProperty(items=[(kind, kind, "") for kind in watch.KINDS], options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, "" if any(watch.running(kind) for kind in watch.KINDS) else "Nothing is running")

    def execute(self, context: bpy.types.Context) -> set[str]:
        entry = watch.running(self.kind)
        if entry is None:
            return {"CANCELLED"}
        entry.job.cancel()
        return {"FINISHED"}


class STC_MOCAP_OT_import_motion(Door, ImportHelper):
    bl_idname = "stc_mocap.import_motion"
    bl_label = "Import Motion"
    bl_description = "Put a captured motion (.npz) or a BVH on the armature, as a new action"
    bl_options = {"REGISTER", "UNDO"}
    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz;*.bvh", options={"HIDDEN"})
    job: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The folder of a finished job")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_target(context))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self.execute(context) if self.job else ImportHelper.invoke(self, context, event)

    def work(self, context: bpy.types.Context) -> set[str]:
        obj = chosen_armature(context)
        if self.job:
            entry = watch.entry_of(self.job)
            if entry is None:
                raise UserError("This job is not there any more.", "Capture the video again.")
            brought = watch.import_entry(entry, context.scene, obj)
        else:
            brought = bring.bring(bring.source_of(absolute(self.filepath)), context.scene, obj)
        return self.tell(brought.sentence)


class STC_MOCAP_OT_create_armature(Door):
    bl_idname = "stc_mocap.create_armature"
    bl_label = "New Armature"
    bl_description = "Add a humanoid armature of the body height and choose it"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.stc_mocap
        height_m = settings.height_m if settings.use_height else bring.HUMANOID_HEIGHT_M
        skeleton = bring.sized(HUMANOID, height_m / bring.HUMANOID_HEIGHT_M)
        settings.armature = bring.new_armature(skeleton, "Humanoid", context.scene)
        settings.target = "ARMATURE"
        return {"FINISHED"}


# The bone map


class STC_MOCAP_OT_guess_map(Door):
    bl_idname = "stc_mocap.guess_map"
    bl_label = "Guess"
    bl_description = "Find the bones by their names and places"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_map(context))

    def work(self, context: bpy.types.Context) -> set[str]:
        obj = context.scene.stc_mocap.armature
        bone_map = bone_maps.guess(armature.rest_pose(obj))
        set_map(obj, bone_map)
        return self.tell(f"{len(bone_map.bones)} joints found on {obj.name}: {bone_map.name}.")


class STC_MOCAP_OT_save_map(Door, ExportHelper):
    bl_idname = "stc_mocap.save_map"
    bl_label = "Save Bone Map"
    bl_description = "Save this bone map as a file, to use it on other characters or to share it"
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.scene.stc_mocap.armature
        return refuse(cls, _why_no_map(context) or ("" if obj.stc_mocap.joints else "The map is empty"))

    def work(self, context: bpy.types.Context) -> set[str]:
        bone_map = get_map(context.scene.stc_mocap.armature)
        if bone_map is None:
            raise UserError("The map names no bone.", "Choose bones in the list first.")
        bone_maps.save_map(bone_map, Path(self.filepath))
        return self.tell(f"The map is saved as {Path(self.filepath).name}.")


class STC_MOCAP_OT_load_map(Door, ImportHelper):
    bl_idname = "stc_mocap.load_map"
    bl_label = "Load Bone Map"
    bl_description = "Use a bone map from a file on this armature"
    bl_options = {"REGISTER", "UNDO"}
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_map(context))

    def work(self, context: bpy.types.Context) -> set[str]:
        obj = context.scene.stc_mocap.armature
        bone_map = bone_maps.load_map(absolute(self.filepath))
        set_map(obj, bone_maps.check(bone_map, armature.rest_pose(obj)))
        return self.tell(f"{bone_map.name}: {len(bone_map.bones)} joints.")


class STC_MOCAP_OT_edit_chain(bpy.types.Operator):
    bl_idname = "stc_mocap.edit_chain"
    bl_label = "Edit Chain"
    bl_description = "Add or remove a bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}
    chain: EnumProperty(items=(("more", "Bones", ""), ("twists", "Twist Bones", "")), options={"HIDDEN"})
    remove: IntProperty(default=-1, options={"HIDDEN"}, description="Which to remove; -1 adds one")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_map(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig = context.scene.stc_mocap.armature.stc_mocap
        if not 0 <= rig.active < len(rig.joints):
            return {"CANCELLED"}
        chain = getattr(rig.joints[rig.active], self.chain)
        if self.remove < 0:
            chain.add()
        else:
            chain.remove(self.remove)
        return {"FINISHED"}


# The result


class STC_MOCAP_OT_use_raw(Door):
    bl_idname = "stc_mocap.use_raw"
    bl_label = "Raw or Smoothed"
    bl_description = "Switch between the smoothed motion and the one as it was seen"
    bl_options = {"REGISTER", "UNDO"}
    raw: BoolProperty(name="Raw", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        why = _why_no_take(context)
        action = take.current(take.shown(context))
        if action and take.twin(action) is None:
            why = "This motion was captured without its raw one"
        return refuse(cls, why)

    def work(self, context: bpy.types.Context) -> set[str]:
        obj = take.shown(context)
        action, made = take.played(obj)
        other = take.twin(action)
        if other and (made.kind == "raw") != self.raw:
            take.switch(obj, action, other)
        return {"FINISHED"}


class STC_MOCAP_OT_match_camera(Door):
    bl_idname = "stc_mocap.match_camera"
    bl_label = "Match Camera"
    bl_description = "Add a camera with the video's lens, the video behind it, so that the figure lies over the person"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_take(context))

    def work(self, context: bpy.types.Context) -> set[str]:
        made = take.played(take.shown(context))[1]
        motion = made.load()
        if motion.camera is None:
            raise UserError("This motion was not made from a video.", "Capture one to match its camera.")
        video = _video_of(made, context.scene.stc_mocap.video)
        film = camera.Film(video, camera.first_frame(motion), made.start_frame, motion.fps, made.scene_fps)
        notes = camera.match(context.scene, motion.camera, camera.Placement(made.scale, made.origin), film)[1]
        _look_through(context)
        return self.tell(" ".join([f"The camera is matched to {video.name}.", *notes]))


def _video_of(made: take.Take, chosen: str) -> Path:
    """The video that was captured, else the one chosen in the panel: it may have been moved, or never told."""
    paths = [absolute(path) for path in (made.video, chosen) if path]
    return next((path for path in paths if path.is_file()), [*paths, Path("of this motion")][0])


def _look_through(context: bpy.types.Context) -> None:
    """Show the camera's view in the view that was clicked in, if it was one."""
    if context.space_data and context.space_data.type == "VIEW_3D":
        context.space_data.region_3d.view_perspective = "CAMERA"


class STC_MOCAP_OT_next_doubtful(Door):
    bl_idname = "stc_mocap.next_doubtful"
    bl_label = "Next Doubtful Frame"
    bl_description = "Jump to where the capture is in doubt next"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_take(context))

    def work(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        stretches = confidence.doubts(take.shown(context), keyframes.scene_fps(scene))
        doubt = confidence.next_doubt(stretches, scene.frame_current)
        if doubt is None:
            return self.tell("No frame is in doubt.")
        scene.frame_set(round(doubt.start))
        return self.tell(str(doubt))


# Corrections


class STC_MOCAP_OT_save_correction(Door):
    bl_idname = "stc_mocap.save_correction"
    bl_label = "Save Correction"
    bl_description = "Keep the action as you edited it, beside the captured motion, for the network to learn from"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return refuse(cls, _why_no_take(context))

    def work(self, context: bpy.types.Context) -> set[str]:
        folder = corrections.save(take.shown(context), context.scene, preferences.corrections_folder())
        return self.tell(f"The correction is saved as {folder.name}.")


class STC_MOCAP_OT_fine_tune(Door):
    bl_idname = "stc_mocap.fine_tune"
    bl_label = "Fine-Tune"
    bl_description = "Teach the network your saved corrections. Runs beside Blender; makes new weights"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        why = "Fine-tuning is running" if watch.running("finetune") else ""
        return refuse(cls, why or ("" if watch.engine() else "Set up the engine first"))

    def work(self, context: bpy.types.Context) -> set[str]:
        saved = preferences.corrections_folder()
        if not corrections.count(saved):
            raise UserError("There are no corrections yet.", "Edit a captured action and save the correction.")
        folder = worker.new_folder(preferences.jobs_folder(), "fine-tuned")
        words = ["--corrections", str(saved), "--out", str(folder / f"{folder.name}.safetensors"), "--events"]
        weights = context.scene.stc_mocap.weights
        words += ["--start", str(absolute(weights))] if weights else []
        command = [str(preferences.require_engine()), "-m", "stc_core.training.finetune", *words]
        watch.follow(worker.launch(command, folder, "finetune", FINETUNE_STAGES, {"corrections": saved}))
        return {"FINISHED"}


class STC_MOCAP_OT_use_weights(bpy.types.Operator):
    bl_idname = "stc_mocap.use_weights"
    bl_label = "Use These Weights"
    bl_description = "Capture with these weights from now on, in this scene"
    bl_options = {"REGISTER", "UNDO"}
    path: StringProperty(options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.stc_mocap.weights = self.path
        return {"FINISHED"}


# Jobs


class STC_MOCAP_OT_refresh_jobs(bpy.types.Operator):
    bl_idname = "stc_mocap.refresh_jobs"
    bl_label = "Look for Jobs"
    bl_description = "Look for captures that were finished in another Blender"

    def execute(self, context: bpy.types.Context) -> set[str]:
        watch.refresh()
        return {"FINISHED"}


class STC_MOCAP_OT_dismiss_job(bpy.types.Operator):
    bl_idname = "stc_mocap.dismiss_job"
    bl_label = "Remove from List"
    bl_description = "Take this job off the list; its files stay in its folder"
    job: StringProperty(options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        entry = watch.entry_of(self.job)
        if entry is None:
            return {"CANCELLED"}
        watch.dismiss(entry)
        return {"FINISHED"}


_CLASSES = (
    STC_MOCAP_OT_capture,
    STC_MOCAP_OT_cancel,
    STC_MOCAP_OT_import_motion,
    STC_MOCAP_OT_create_armature,
    STC_MOCAP_OT_guess_map,
    STC_MOCAP_OT_save_map,
    STC_MOCAP_OT_load_map,
    STC_MOCAP_OT_edit_chain,
    STC_MOCAP_OT_use_raw,
    STC_MOCAP_OT_match_camera,
    STC_MOCAP_OT_next_doubtful,
    STC_MOCAP_OT_save_correction,
    STC_MOCAP_OT_fine_tune,
    STC_MOCAP_OT_use_weights,
    STC_MOCAP_OT_refresh_jobs,
    STC_MOCAP_OT_dismiss_job,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
