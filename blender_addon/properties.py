# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sets: a capture's settings in the scene, a bone map on each armature.

Knows the settings, their limits and their words, and how they become a request, options and a bone map; draws nothing.
"""

from pathlib import Path

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from stc_core.errors import UserError
from stc_core.motion.retarget.retarget import BoneMap
from stc_core.motion.rig_mapping import bone_map_io as bone_maps
from stc_core.motion.skeleton import HUMANOID

from .jobs.job import Request
from .rig import armature
from .rig.apply import ApplyOptions

_CHOSEN = 1.0  # the confidence of what the user chose


def _is_armature(_: bpy.types.bpy_struct, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE"


def _armature_chosen(settings: "Settings", _: bpy.types.Context) -> None:
    """Guess the map of an armature that has none, so that the list shows what will happen."""
    obj = settings.armature
    if obj and obj.data.bones and not obj.stc_mocap.joints:
        try:
            set_map(obj, bone_maps.guess(armature.rest_pose(obj)))
        except UserError:
            return  # a mirrored or stretched object: said when the motion is put on it


class MapBone(bpy.types.PropertyGroup):
    """A bone of a chain."""

    name: StringProperty(name="Bone", description="A bone of this armature")


def _bone_chosen(joint: "MapJoint", _: bpy.types.Context) -> None:
    joint.confidence = _CHOSEN if joint.bone else 0.0


class MapJoint(bpy.types.PropertyGroup):
    """A joint of the humanoid, by `name`, and the bones that follow it."""

    bone: StringProperty(name="Bone", description="The bone that follows this joint", update=_bone_chosen)
    more: CollectionProperty(type=MapBone)
    twists: CollectionProperty(type=MapBone)
    confidence: FloatProperty(name="Confidence", min=0.0, max=1.0)

    def chain(self) -> tuple[str, ...]:
        return tuple(name for name in (self.bone, *(bone.name for bone in self.more)) if name)


class RigSettings(bpy.types.PropertyGroup):
    """An armature's bone map; on the object, for it goes where the armature goes."""

    map_name: StringProperty(name="Map", description="Where this map comes from")
    joints: CollectionProperty(type=MapJoint)
    active: IntProperty(name="Joint")
    root: StringProperty(name="Root", description="The bone that carries the path, where it is not the hips' bone")


class Settings(bpy.types.PropertyGroup):
    """A capture's settings, one set a scene."""

    video: StringProperty(
        name="Video",
        subtype="FILE_PATH",
        description="A video of one person, the whole body if it can be, from a camera that stands still",
    )
    target: EnumProperty(
        name="Character",
        items=(
            ("ARMATURE", "Existing", "Put the motion on an armature of the scene"),
            ("CREATE", "Create One", "Make a new armature with the person's own proportions"),
        ),
    )
    armature: PointerProperty(
        name="Armature",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_armature_chosen,
        description="The armature that gets the motion. Only a new action is made; the armature stays as it is",
    )
    use_range: BoolProperty(name="Only a Part of It", description="Capture only a part of the video")
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
        max=1.0,
        default=1.0,
        subtype="FACTOR",
        description="How much shaking is taken out. The unsmoothed motion is always kept too",
    )
    feet: EnumProperty(
        name="Feet",
        items=(
            ("auto", "Auto", "Hold a foot still while it stands on the floor"),
            ("always", "Always", "Keep the feet on the floor all the time: no jumps"),
            ("never", "Never", "Leave the feet as they were seen"),
        ),
    )
    person: EnumProperty(
        name="Person",
        items=(
            ("MAIN", "Largest", "Follow the one who is largest and longest to be seen"),
            ("left", "Left", "Follow the one who is at the left when people are first seen"),
            ("middle", "Middle", "Follow the one who is in the middle when people are first seen"),
            ("right", "Right", "Follow the one who is at the right when people are first seen"),
        ),
        description="Whom to follow where the video shows several people",
    )
    use_height: BoolProperty(name="Body Height", description="Tell how tall the person is; else 1.70 m is assumed")
    height_m: FloatProperty(
        name="Body Height", min=0.3, max=3.0, default=1.7, precision=2, step=1, description="Metres, without shoes"
    )
    use_view: BoolProperty(
        name="Field of View", description="Tell the lens; else 55 degrees are assumed, and distances may be off"
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
        name="Camera Tilt", description="Tell how far the camera looks down, where the result leans; else it is found"
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
        description="Other weights for the network, such as your fine-tuned ones; empty for those that came with it",
    )
    rate: EnumProperty(
        name="Frame Rate",
        items=(
            ("VIDEO", "Video's", "Set the scene's frame rate to the video's: every video frame gets a key"),
            ("SCENE", "Scene's", "Keep the scene's frame rate and resample the motion to it"),
        ),
    )
    start_frame: IntProperty(name="Start Frame", default=1, description="Where the motion begins in the scene")
    scene_range: BoolProperty(name="Set Scene Range", description="Give the scene the motion's first and last frame")
    lock_feet: BoolProperty(
        name="Lock Feet", default=True, description="Hold the armature's own feet still where the person's stood still"
    )
    nla_strip: BoolProperty(name="As NLA Strip", description="Put the action on a new NLA track")
    rigify_controls: BoolProperty(
        name="Rigify Controls",
        default=True,
        description="On a Rigify character key the FK controls that animators use, not the deform bones",
    )
    show_confidence: BoolProperty(
        name="Show in Timeline",
        default=True,
        description="Colour the foot of the timeline: yellow where the capture is in doubt, red where it guessed",
    )
    show_log: BoolProperty(name="Log", description="Show the engine's last lines")

    def request(self) -> Request:
        """What to ask of the engine. Raises UserError where no video is chosen."""
        if not self.video:
            raise UserError("No video is chosen.", "Choose one under Video.")
        return Request(
            video=absolute(self.video),
            start_s=self.start_s if self.use_range else 0.0,
            end_s=self.end_s if self.use_range and self.end_s > 0.0 else None,
            quality=self.quality,
            smoothing=self.smoothing,
            feet=self.feet,
            height_m=self.height_m if self.use_height else None,
            weights=absolute(self.weights) if self.weights else None,
            view_deg=self.view_deg if self.use_view else None,
            tilt_deg=self.tilt_deg if self.use_tilt else None,
            person="" if self.person == "MAIN" else self.person,
        )

    def apply_options(self, name: str) -> ApplyOptions:
        """How to put a motion on the armature, as an action of that name."""
        return ApplyOptions(
            name=name,
            start_frame=float(self.start_frame),
            set_scene_rate=self.rate == "VIDEO",
            set_scene_range=self.scene_range,
            lock_feet=self.lock_feet,
            rigify_controls=self.rigify_controls,
        )


def absolute(path: str) -> Path:
    """A path of a file field, which may be relative to the blend file."""
    return Path(bpy.path.abspath(path))


def set_map(obj: bpy.types.Object, bone_map: BoneMap) -> None:
    """Show a bone map in the armature's list: every joint of the humanoid, then what else the map has."""
    rig = obj.stc_mocap
    rig.joints.clear()
    rig.map_name, rig.root, rig.active = bone_map.name, bone_map.root, 0
    extra = [joint for joint in bone_map.bones if joint not in HUMANOID.joint_names]
    for name in (*HUMANOID.joint_names, *extra):
        _fill(rig.joints.add(), name, bone_map)


def _fill(item: MapJoint, name: str, bone_map: BoneMap) -> None:
    item.name = name
    first, *more = bone_map.bones.get(name) or ("",)
    item.bone = first
    for bone in more:
        item.more.add().name = bone
    for bone in bone_map.twists.get(name, ()):
        item.twists.add().name = bone
    item.confidence = bone_map.confidence.get(name, _CHOSEN if first else 0.0)  # after the bone, which sets it too


def get_map(obj: bpy.types.Object) -> BoneMap | None:
    """The map of the armature's list, or None where the list is empty."""
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


_CLASSES = (MapBone, MapJoint, RigSettings, Settings)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.stc_mocap = PointerProperty(type=RigSettings)
    bpy.types.Scene.stc_mocap = PointerProperty(type=Settings)


def unregister() -> None:
    del bpy.types.Scene.stc_mocap
    del bpy.types.Object.stc_mocap
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
