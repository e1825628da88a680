# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps of each armature as Blender's lists need them: which bones follow which joints, which shape keys which
coefficients.

Knows these lists and how they become maps; draws nothing.
"""

from collections.abc import Iterable

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

from stc_core.motion.face import FACE_COEFFICIENTS
from stc_core.motion.fingers import FINGER_JOINTS, HUMANOID_WITH_FINGERS
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.shape_mapping.shape_map import REGIONS, ShapeMap, find_region
from stc_core.motion.shape_mapping.shape_map_io import MAX_WEIGHT
from stc_core.motion.skeleton import HUMANOID

_CHOSEN_CONFIDENCE = 1.0
"""of what the user chose"""


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


class STC_MOCAP_PG_weight(bpy.types.PropertyGroup):
    """How much a shape key follows a coefficient."""

    coefficient: EnumProperty(
        name="Coefficient",
        items=tuple((name, name, "") for name in FACE_COEFFICIENTS),
        description="Of ARKit's 52; left is the character's own",
    )
    weight: FloatProperty(
        name="Weight",
        default=1.0,
        min=-MAX_WEIGHT,
        max=MAX_WEIGHT,
        soft_min=-1.0,
        soft_max=1.5,
        step=5,
        precision=2,
        description="The shape key's value where the coefficient is 1; a negative one takes from the others",
    )


class STC_MOCAP_PG_shape_key(bpy.types.PropertyGroup):
    """A shape key, by `name`, and the coefficients that it follows."""

    weights: CollectionProperty(type=STC_MOCAP_PG_weight)
    group: IntProperty(min=0, description="The group of keys whose values together are at most 1; 0 is none")

    def region(self) -> str:
        """The part of the face that it moves most; "" where it follows nothing."""
        return find_region({item.coefficient: item.weight for item in self.weights})


class STC_MOCAP_PG_shape_map(bpy.types.PropertyGroup):
    """The shape map of an armature's meshes."""

    map_name: StringProperty(name="Map", description="Where this shape map comes from")
    keys: CollectionProperty(type=STC_MOCAP_PG_shape_key)
    active: IntProperty(name="Shape Key")


class STC_MOCAP_PG_maps(bpy.types.PropertyGroup):
    """An armature's bone map and shape map; on the object, so that they are copied and appended with the armature."""

    map_name: StringProperty(name="Map", description="Where this bone map comes from")
    joints: CollectionProperty(type=STC_MOCAP_PG_joint)
    active: IntProperty(name="Joint")
    show_fingers: BoolProperty(name="Fingers", description="Show the fingers' joints")
    root: StringProperty(name="Root", description="The bone that gets the path, where it is not the hips' bone")
    face: PointerProperty(type=STC_MOCAP_PG_shape_map)


def set_bone_map(obj: bpy.types.Object, bone_map: BoneMap) -> None:
    """Show a bone map in the armature's list: every joint of the humanoid, with fingers where there may be
    some, then the map's others.
    """
    rig = obj.stc_mocap
    rig.joints.clear()
    rig.map_name, rig.root, rig.active = bone_map.name, bone_map.root, 0
    for name in _list_joints(obj, bone_map):
        _fill_joint(rig.joints.add(), name, bone_map)


def _list_joints(obj: bpy.types.Object, bone_map: BoneMap) -> list[str]:
    """The joints that an armature's list has rows for."""
    has_room = len(obj.data.bones) >= len(HUMANOID_WITH_FINGERS.joint_names)  # for fingers that have odd names
    joints = (HUMANOID_WITH_FINGERS if has_room else HUMANOID).joint_names
    return [*joints, *(joint for joint in bone_map.bones if joint not in joints)]


def has_own_maps(obj: bpy.types.Object) -> bool:
    """Whether the armature's lists can be changed: Blender adds no rows to those that another file's armature has."""
    return obj.library is None and obj.override_library is None


def lacks_fingers(obj: bpy.types.Object) -> bool:
    """Whether the armature's list has no row of a finger: it was made before there were any, or there is no room."""
    return not any(joint.name in FINGER_JOINTS for joint in obj.stc_mocap.joints)


def add_fingers(obj: bpy.types.Object, fingers: BoneMap) -> int:
    """Add the fingers' rows, with their bones by the map, to a list that has none; returns how many there are."""
    names = [joint for joint in _list_joints(obj, fingers) if joint in FINGER_JOINTS]
    for name in names:
        _fill_joint(obj.stc_mocap.joints.add(), name, fingers)
    return len(names)


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


def set_shape_map(obj: bpy.types.Object, shape_map: ShapeMap, names: Iterable[str]) -> None:
    """Show a shape map in the armature's list: the meshes' shape keys of these names, from the brows to the tongue,
    then those that follow nothing.
    """
    face = obj.stc_mocap.face
    face.keys.clear()
    face.map_name, face.active = shape_map.name, 0
    regions = {name: find_region(shape_map.keys.get(name, {})) for name in dict.fromkeys((*names, *shape_map.keys))}
    order = sorted(regions, key=lambda name: (*REGIONS, "").index(regions[name]))
    for name in order:
        item = face.keys.add()
        item.name = name
        item.group = next((k for k, group in enumerate(shape_map.limited, 1) if name in group), 0)
        for coefficient, weight in shape_map.keys.get(name, {}).items():
            row = item.weights.add()
            row.coefficient, row.weight = coefficient, weight


def get_shape_map(obj: bpy.types.Object) -> ShapeMap | None:
    """The shape map of the armature's list, or None where no key in it follows anything."""
    face = obj.stc_mocap.face
    driven = [item for item in face.keys if len(item.weights)]
    if not driven:
        return None
    keys: dict[str, dict[str, float]] = {}
    for item in driven:
        weights = keys.setdefault(item.name, {})
        for row in item.weights:
            weights[row.coefficient] = weights.get(row.coefficient, 0.0) + round(row.weight, 6)
    numbers = sorted({item.group for item in driven if item.group})
    groups = (tuple(item.name for item in driven if item.group == number) for number in numbers)
    return ShapeMap(name=face.map_name or obj.name, keys=keys, limited=tuple(groups))


CLASSES = (
    STC_MOCAP_PG_bone,
    STC_MOCAP_PG_joint,
    STC_MOCAP_PG_weight,
    STC_MOCAP_PG_shape_key,
    STC_MOCAP_PG_shape_map,
    STC_MOCAP_PG_maps,
)
