# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a capture, in the scene, and the bone map of each armature.

Knows the settings, their limits and labels, and how they become a request, options and a bone map; draws nothing.
"""

from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from stc_core.errors import UserError
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.guess_bone_map import guess_bone_map
from stc_core.motion.skeleton import HUMANOID

from . import video_choice
from .jobs.capture import CaptureRequest
from .rig import armature
from .rig.apply import ApplyOptions
from .user_paths import resolve_path

_CHOSEN_CONFIDENCE = 1.0
"""of what the user chose"""


def _is_armature(_: bpy.types.bpy_struct, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE"


def _update_bone_map(settings: "STC_MOCAP_PG_settings", _: bpy.types.Context) -> None:
    """Guess the bone map of an armature that has none, so that the list shows what will be keyed."""
    obj = settings.armature
    if obj and obj.data.bones and not obj.stc_mocap.joints:
        try:
            set_bone_map(obj, guess_bone_map(armature.read_rest_pose(obj)))
        except UserError:
            return  # a mirrored or stretched object: reported when a motion is applied to it


class STC_MOCAP_PG_bone(bpy.types.PropertyGroup):
    """A bone of a chain."""

    name: StringProperty(name="Bone", description="A bone of this armature")


def _update_confidence(joint: "STC_MOCAP_PG_joint", _: bpy.types.Context) -> None:
    """What the user chose is certain."""
    joint.confidence = _CHOSEN_CONFIDENCE if joint.bone else 0.0


class STC_MOCAP_PG_joint(bpy.types.PropertyGroup):
    """A joint of the humanoid, by `name`, and the bones that follow it."""

    bone: StringProperty(name="Bone", description="The bone that follows this joint", update=_update_confidence)
    more: CollectionProperty(type=STC_MOCAP_PG_bone)
    twists: CollectionProperty(type=STC_MOCAP_PG_bone)
    confidence: FloatProperty(name="Confidence", min=0.0, max=1.0)

    def chain(self) -> tuple[str, ...]:
        """The joint's bones, the first one first."""
        return tuple(name for name in (self.bone, *(bone.name for bone in self.more)) if name)


class STC_MOCAP_PG_bone_map(bpy.types.PropertyGroup):
    """An armature's bone map; on the object, so that it is copied and appended with the armature."""

    map_name: StringProperty(name="Map", description="Where this bone map comes from")
    joints: CollectionProperty(type=STC_MOCAP_PG_joint)
    active: IntProperty(name="Joint")
    root: StringProperty(name="Root", description="The bone that gets the path, where it is not the hips' bone")


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
        update=_update_bone_map,
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
        )


def set_bone_map(obj: bpy.types.Object, bone_map: BoneMap) -> None:
    """Show a bone map in the armature's list: every joint of the humanoid, then the map's others."""
    rig = obj.stc_mocap
    rig.joints.clear()
    rig.map_name, rig.root, rig.active = bone_map.name, bone_map.root, 0
    extra = [joint for joint in bone_map.bones if joint not in HUMANOID.joint_names]
    for name in (*HUMANOID.joint_names, *extra):
        _fill_joint(rig.joints.add(), name, bone_map)


def _fill_joint(item: STC_MOCAP_PG_joint, name: str, bone_map: BoneMap) -> None:
    """Set a joint's bones and confidence from the map."""
    item.name = name
    first, *more = bone_map.bones.get(name) or ("",)
    item.bone = first
    for bone in more:
        item.more.add().name = bone
    for bone in bone_map.twists.get(name, ()):
        item.twists.add().name = bone
    confidence = _CHOSEN_CONFIDENCE if first else 0.0
    item.confidence = bone_map.confidence.get(name, confidence)  # after the bone, whose update sets it too


def get_bone_map(obj: bpy.types.Object) -> BoneMap | None:
    """The bone map of the armature's list, or None where the list is empty."""
    rig = obj.stc_mocap
    mapped = [joint for joint in rig.joints if joint.chain()]
    twisted = {joint.name: tuple(bone.name for bone in joint.twists if bone.name) for joint in mapped}
    return (
        BoneMap(
            name=rig.map_name or obj.name,
            bones={joint.name: joint.chain() for joint in mapped},
            twists={joint: bones for joint, bones in twisted.items() if bones},
            confidence={joint.name: joint.confidence for joint in mapped},
            root=rig.root,
        )
        if mapped
        else None
    )


_CLASSES = (STC_MOCAP_PG_bone, STC_MOCAP_PG_joint, STC_MOCAP_PG_bone_map, STC_MOCAP_PG_settings)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.stc_mocap = PointerProperty(type=STC_MOCAP_PG_bone_map)
    bpy.types.Scene.stc_mocap = PointerProperty(type=STC_MOCAP_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.stc_mocap
    del bpy.types.Object.stc_mocap
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
