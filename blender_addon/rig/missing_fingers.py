# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingers of an armature's bone map that was made before maps had any, as those in older files were.

Knows when that is so and says it; the rows that the list has stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

import bpy

from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.rig_mapping.missing_fingers import guess_missing_fingers

from ..map_properties import add_fingers, get_bone_map, has_own_maps, lacks_fingers
from . import armature


def complete_bone_map(obj: bpy.types.Object) -> tuple[BoneMap | None, str]:
    """Return the bone map of the armature's list with fingers, and a note where the list had none; None where the list
    is empty.

    The fingers' rows are added to the list, unless that is another file's. Raises UserError where the armature's rest
    pose cannot be read.
    """
    bone_map = get_bone_map(obj)
    if bone_map is None or not lacks_fingers(obj):
        return bone_map, ""
    fingers = guess_missing_fingers(armature.read_rest_pose(obj), bone_map)
    is_shown = has_own_maps(obj) and add_fingers(obj, fingers) > 0
    found = f"{len(fingers.bones)} joints with their bones" if fingers.bones else "without bones, as no name is certain"
    note = f"The bone map of {obj.name} had no fingers yet: they were added, {found}."
    completed = replace(
        bone_map,
        bones={**bone_map.bones, **fingers.bones},
        confidence={**bone_map.confidence, **fingers.confidence},
    )
    return completed, note if is_shown or fingers.bones else ""
