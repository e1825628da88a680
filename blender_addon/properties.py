# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a capture, in the scene.

Knows the settings, their limits and labels, and how they become a request and options; draws nothing.
"""

from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from stc_core.errors import UserError
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.shape_mapping.guess_shape_map import guess_shape_map

from . import map_properties, video_choice
from .jobs import monitor
from .jobs.capture import CaptureRequest
from .map_properties import get_shape_map, has_own_maps, set_bone_map, set_shape_map
from .rig import armature
from .rig.apply import ApplyOptions
from .rig.face_meshes import list_face_meshes, list_key_names
from .rig.missing_fingers import complete_bone_map
from .rig.parts import PARTS
from .user_paths import resolve_path

PART_BY_QUALITY = {"fast": False, "good": False, "best": True}
"""whether the engine captures hands and face where it is not told"""


def _is_armature(_: bpy.types.bpy_struct, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE"


def _update_maps(settings: "STC_MOCAP_PG_settings", _: bpy.types.Context) -> None:
    note = fill_maps(settings.armature) if settings.armature else ""
    if note:
        monitor.show_message(note)


def fill_maps(obj: bpy.types.Object) -> str:
    """Guess the maps of an armature that has none, and what they lack, so that the lists show what will be keyed;
    returns a note on what was added to a map. Those of another file's armature stay, and are guessed on import.
    """
    if not has_own_maps(obj):
        return ""
    if not obj.stc_mocap.face.keys:
        names = list_key_names(list_face_meshes(obj))
        set_shape_map(obj, guess_shape_map(names), names)
    try:
        if obj.stc_mocap.joints:
            return complete_bone_map(obj)[1]
        if obj.data.bones:
            set_bone_map(obj, guess_bone_map(armature.read_rest_pose(obj)))
    except UserError:
        return ""  # a mirrored or stretched object: reported when a motion is applied to it
    return ""


def get_choice(settings: bpy.types.PropertyGroup, part: str) -> bool | None:
    """Whether the user wants hands or face to be captured; None where nothing was chosen."""
    choice = getattr(settings, f"{part}_choice")
    return None if choice < 0 else bool(choice)


def is_captured(settings: bpy.types.PropertyGroup, part: str) -> bool:
    """Whether hands or face are captured: as the user chose, else as the quality has it."""
    choice = get_choice(settings, part)
    return PART_BY_QUALITY[settings.quality] if choice is None else choice


class STC_MOCAP_PG_settings(bpy.types.PropertyGroup):
    """A capture's settings, one set for each scene."""

    video: StringProperty(
        name="Video",
        subtype="FILE_PATH",
        update=video_choice.update_video,
        description="A video of one person, with the whole body in view and the camera at rest where possible",
    )
    target: EnumProperty(
        name="Character",
        items=(
            ("ARMATURE", "Existing", "Apply the motion to an armature of the scene"),
            ("CREATE", "New", "Create an armature with the person's own proportions"),
        ),
    )
    armature: PointerProperty(
        name="Armature",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_update_maps,
        description="The armature that gets the motion, as a new action; the armature itself stays as it is",
    )
    preview_frame: IntProperty(
        name="Frame",
        min=1,
        default=1,
        update=video_choice.update_preview,
        description="The video's frame that is shown, from 1",
    )
    show_preview: BoolProperty(name="Preview", default=True, description="Show a frame of the video")
    use_range: BoolProperty(name="Time Range", description="Capture only a part of the video")
    range_first: IntProperty(
        name="First Frame",
        min=1,
        get=video_choice.get_range_first,
        set=video_choice.set_range_first,
        description="The video's first frame that is captured; its first is 1",
    )
    range_last: IntProperty(
        name="Last Frame",
        min=1,
        get=video_choice.get_range_last,
        set=video_choice.set_range_last,
        description="The video's last frame that is captured",
    )
    slow_motion: FloatProperty(
        name="Slow Motion",
        min=0.05,
        soft_min=1.0,
        max=1000.0,
        soft_max=16.0,
        default=1.0,
        precision=2,
        step=100,
        description="How many times slower than life the video is: 4 for one of 120 frames a second that plays at 30",
    )
    start_s: FloatProperty(
        name="Start", min=0.0, soft_max=600.0, precision=2, unit="TIME_ABSOLUTE", description="Seconds into the video"
    )
    end_s: FloatProperty(
        name="End",
        min=0.0,
        soft_max=600.0,
        precision=2,
        default=10.0,
        unit="TIME_ABSOLUTE",
        description="Seconds into the video; 0 means its end",
    )
    quality: EnumProperty(
        name="Quality",
        items=(
            ("fast", "Fast", "A fifth less time than Good; less exact"),
            ("good", "Good", "Right for most videos"),
            ("best", "Best", "Takes two to three times as long as Good; more exact"),
        ),
        default="good",
    )
    hands_choice: IntProperty(default=-1, min=-1, max=1, description="Chosen by the user: 1, 0, or -1 for not yet")
    face_choice: IntProperty(default=-1, min=-1, max=1, description="Chosen by the user: 1, 0, or -1 for not yet")
    hands: BoolProperty(
        name="Hands",
        get=lambda settings: is_captured(settings, "hands"),
        set=lambda settings, value: setattr(settings, "hands_choice", int(value)),
        description="Capture the fingers, where the hands are large enough to be seen. As the quality has it, "
        "until you choose",
    )
    face: BoolProperty(
        name="Face",
        get=lambda settings: is_captured(settings, "face"),
        set=lambda settings, value: setattr(settings, "face_choice", int(value)),
        description="Capture the face as ARKit's 52 coefficients, where it is large enough to be seen. As the quality "
        "has it, until you choose",
    )
    smoothing: FloatProperty(
        name="Smoothing",
        min=0.0,
        soft_max=2.0,
        default=1.0,
        precision=2,
        step=5,
        description="How much jitter is removed: 0 is none, 1 the default, 2 twice as much. "
        "The unsmoothed motion is always kept too",
    )
    feet: EnumProperty(
        name="Feet",
        items=(
            ("auto", "Auto", "Hold a foot still while it is in contact with the floor"),
            ("always", "Always", "Keep the feet on the floor all the time: no jumps"),
            ("never", "Never", "Leave the feet as they were captured"),
        ),
    )
    person: EnumProperty(
        name="Person",
        items=(
            ("MAIN", "Largest", "Follow the person who is largest and in view the longest"),
            ("left", "Left", "Follow the person who is at the left when people first appear"),
            ("middle", "Middle", "Follow the person who is in the middle when people first appear"),
            ("right", "Right", "Follow the person who is at the right when people first appear"),
            ("all", "Everybody", "Capture everybody; each person gets an armature, in one world"),
            ("POINT", "Clicked", "Follow the person who was clicked in a frame: Click Person, under the preview"),
        ),
        description="Whom to follow where the video shows several people",
    )
    person_point: FloatVectorProperty(
        name="Clicked",
        size=2,
        min=0.0,
        max=1.0,
        default=(0.5, 0.5),
        description="Where the person is in the picture, as fractions of its width and height from the top left corner",
    )
    person_frame: IntProperty(name="Clicked Frame", min=1, default=1, description="The video's frame that was clicked")
    use_height: BoolProperty(name="Body Height", description="Set the person's height; otherwise 1.70 m is assumed")
    height_m: FloatProperty(
        name="Body Height", min=0.3, max=3.0, default=1.7, precision=2, step=1, description="Metres, without shoes"
    )
    use_view: BoolProperty(
        name="Field of View", description="Set the lens; otherwise 55 degrees are assumed, and distances may be off"
    )
    view_deg: FloatProperty(
        name="Field of View",
        min=10.0,
        max=150.0,
        default=55.0,
        precision=1,
        step=100,
        description="Degrees across the picture's longer side: 65 to 75 for a phone, less when zoomed in",
    )
    use_tilt: BoolProperty(
        name="Camera Tilt",
        description="Set how far the camera looks down, where the result leans; otherwise it is estimated",
    )
    tilt_deg: FloatProperty(
        name="Camera Tilt",
        min=-80.0,
        max=80.0,
        default=0.0,
        precision=1,
        step=100,
        description="Degrees; positive looks down, 0 is level",
    )
    weights: StringProperty(
        name="Weights",
        subtype="FILE_PATH",
        description="Other weights for the network, such as your fine-tuned ones; empty for those of the engine",
    )
    rate: EnumProperty(
        name="Frame Rate",
        items=(
            ("AUTO", "Auto", "Set the scene's frame rate to the video's, unless the scene has animation of its own", 2),
            ("VIDEO", "Video's", "Set the scene's frame rate to the video's: every video frame gets a keyframe", 0),
            ("SCENE", "Scene's", "Keep the scene's frame rate and resample the motion to it", 1),
        ),
        default="AUTO",
    )
    start_frame: IntProperty(name="Start Frame", default=1, description="The scene's frame on which the motion begins")
    scene_range: EnumProperty(
        name="Scene Range",
        items=(
            ("EXTEND", "Extend", "Widen the scene's frame range where the motion lies outside", 0),
            ("SET", "Set", "Set the scene's frame range to the motion's", 1),
            ("KEEP", "Keep", "Leave the scene's frame range as it is", 2),
        ),
        default="EXTEND",
    )
    parts: EnumProperty(
        name="Parts",
        items=(
            ("body", "Body", "Apply the body's motion", 1),
            ("hands", "Hands", "Apply the fingers' motion", 2),
            ("face", "Face", "Apply the face to shape keys and eyes", 4),
        ),
        options={"ENUM_FLAG"},
        default=set(PARTS),
        description="What of a capture is applied. Without the body, the character's own action stays and only the "
        "keyframes of hands and face are added to a copy of it",
    )
    start: EnumProperty(
        name="Begin",
        items=(
            ("AUTO", "Auto", "Where the character stands, if it was moved or turned; else at the world's origin"),
            ("CHARACTER", "Character", "Where the character stands, and as it faces"),
            ("WORLD", "World", "At the world's origin, as the camera saw it"),
        ),
        description="Where the motion begins",
    )
    path: EnumProperty(
        name="Path",
        items=(
            ("hips", "Hips", "The hips travel over the floor"),
            ("in-place", "In Place", "The character stays where it begins, as for a treadmill"),
            (
                "root-bone",
                "Root Bone",
                "Root motion for game engines: the topmost bone above the hips travels over the floor, "
                "and the hips keep their height",
            ),
        ),
        description="What carries the motion's path over the floor",
    )
    lock_feet: BoolProperty(
        name="Lock Feet",
        default=True,
        description="Hold the armature's feet still where the person's are in contact with the floor",
    )
    nla_strip: BoolProperty(name="As NLA Strip", description="Put the action on a new NLA track")
    rigify_controls: BoolProperty(
        name="Rigify Controls",
        default=True,
        description="On a Rigify character key the FK controls that animators use, not the deform bones",
    )
    constraints: EnumProperty(
        name="IK Constraints",
        items=(
            ("OFF", "Switch Off", "Key the influence of constraints that would override the motion to 0", 0),
            ("FOLLOW", "Controls Follow", "Key the IK controls of arms and legs so that they lead the motion", 2),
            ("KEEP", "Leave", "Leave the rig's constraints alone; they may override the motion", 1),
        ),
        description="What becomes of inverse kinematics and of bones that follow controls on the character",
    )
    show_confidence: BoolProperty(
        name="Show in Timeline",
        default=True,
        description="Colour the foot of the timeline: yellow where the capture is doubtful, red where it was guessed",
    )
    show_log: BoolProperty(name="Log", description="Show the last lines of the engine's log")

    def request(self) -> CaptureRequest:
        """What to request of the engine. Raises UserError where no video is chosen."""
        if not self.video:
            raise UserError("No video is chosen.", "Choose one under Video.")
        return CaptureRequest(
            video=resolve_path(self.video),
            start_s=self.start_s if self.use_range else 0.0,
            end_s=self.end_s if self.use_range and self.end_s > 0.0 else None,
            quality=self.quality,
            smoothing=self.smoothing,
            feet=self.feet,
            height_m=self.height_m if self.use_height else None,
            weights=resolve_path(self.weights) if self.weights else None,
            fov_deg=self.view_deg if self.use_view else None,
            tilt_deg=self.tilt_deg if self.use_tilt else None,
            person=video_choice.format_person(self),
            slow_motion=self.slow_motion,
            hands=get_choice(self, "hands"),
            face=get_choice(self, "face"),
        )

    def get_video(self) -> Path | None:
        """The chosen video; None where none is."""
        return resolve_path(self.video) if self.video else None

    def apply_options(self, name: str, obj: bpy.types.Object | None) -> ApplyOptions:
        """How to apply a motion to an armature, as an action of that name."""
        is_auto_placed = self.start == "AUTO" and obj is not None and armature.is_placed(obj)
        return ApplyOptions(
            name=name,
            start_frame=float(self.start_frame),
            set_scene_rate=self.rate != "SCENE",
            keep_animated_rate=self.rate == "AUTO",
            set_scene_range=self.scene_range == "SET",
            extend_scene_range=self.scene_range == "EXTEND",
            yield_constraints=self.constraints != "KEEP",
            start="character" if is_auto_placed or self.start == "CHARACTER" else "world",
            path=self.path,
            lock_feet=self.lock_feet,
            rigify_controls=self.rigify_controls,
            parts=tuple(part for part in PARTS if part in self.parts),
            shape_map=get_shape_map(obj) if obj else None,
        )


_CLASSES = (*map_properties.CLASSES, STC_MOCAP_PG_settings)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.stc_mocap = PointerProperty(type=map_properties.STC_MOCAP_PG_maps)
    bpy.types.Scene.stc_mocap = PointerProperty(type=STC_MOCAP_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.stc_mocap
    del bpy.types.Object.stc_mocap
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
