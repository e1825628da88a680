# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action was made from, kept on the action itself, and the raw and smoothed pair of a capture.

Knows the custom property `stc_mocap` (JSON) and which action an armature plays; not how actions are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy

from stc_core.errors import UserError
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.retarget.retarget import BoneMap

_KEY = "stc_mocap"


@dataclass(frozen=True)
class Take:
    """Where an action comes from. `kind`: smoothed or raw; both of a pair have the same `capture`."""

    motion: str
    """the motion file"""
    capture: str = ""
    kind: str = "smoothed"
    video: str = ""
    fps: float = 30.0
    """of the motion, hertz"""
    scene_fps: float = 30.0
    """the scene's rate at which it was keyed"""
    start_frame: float = 1.0
    """where the motion's first frame lies"""
    scale: float = 1.0
    """the armature's size over the motion's: how much its path was scaled"""
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """where the motion's origin lies in the world, metres"""
    bones: dict[str, list[str]] = field(default_factory=dict)
    """the bone map that was used: joints to bones"""
    twists: dict[str, list[str]] = field(default_factory=dict)
    root: str = ""
    lock_feet: bool = True
    rigify_controls: bool = True
    notes: tuple[str, ...] = ()
    """the report: what was assumed and changed"""

    def bone_map(self) -> BoneMap:
        named = {joint: tuple(bones) for joint, bones in self.bones.items()}
        return BoneMap(
            "as captured", named, {joint: tuple(bones) for joint, bones in self.twists.items()}, {}, self.root
        )

    def load(self) -> Motion:
        """The motion. Raises UserError where its file is gone or damaged."""
        path = Path(self.motion)
        if path.suffix.lower() == ".bvh":
            raise UserError(f"{path.name} is a BVH: it tells nothing of a video.", "Capture the video for this.")
        if not path.is_file():
            raise UserError(f"The motion {path} is not there any more.", "Capture the video again.")
        return load_motion(path)


def write(action: bpy.types.Action, take: Take) -> None:
    action[_KEY] = json.dumps(asdict(take))


def note(action: bpy.types.Action, notes: tuple[str, ...]) -> None:
    """Keep the report with the action."""
    made = of(action)
    if made:
        write(action, replace(made, notes=notes))


def of(action: bpy.types.Action | None) -> Take | None:
    """The take of an action, or None where it is not of ours."""
    text = action.get(_KEY) if action else None
    return _parsed(text) if isinstance(text, str) else None


@lru_cache(maxsize=64)
def _parsed(text: str) -> Take | None:
    try:
        values: dict[str, Any] = json.loads(text)
        known = {name: values[name] for name in (f.name for f in fields(Take)) if name in values}
        return Take(**known | {"origin": tuple(known.get("origin", (0, 0, 0))), "notes": tuple(known.get("notes", ()))})
    except (ValueError, TypeError, AttributeError):
        return None  # another version's, or edited by hand


def played(obj: bpy.types.Object | None) -> tuple[bpy.types.Action, Take]:
    """The capture's action that the armature plays, and its take. Raises UserError where there is none."""
    action = current(obj)
    made = of(action)
    if action is None or made is None:
        raise UserError("The armature plays no captured action.", "Choose one that does, or capture a video.")
    return action, made


def shown(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature whose capture is shown: the active one if it plays one, else the chosen one."""
    active = getattr(context, "object", None)  # a timer's context has none
    if active and active.type == "ARMATURE" and current(active):
        return active
    return context.scene.stc_mocap.armature


def current(obj: bpy.types.Object | None) -> bpy.types.Action | None:
    """The capture's action that the armature plays: its own, or the topmost one on its NLA tracks."""
    data = obj.animation_data if obj else None
    if data is None:
        return None
    played = [data.action, *(strip.action for strip in _strips(data))]
    return next((action for action in played if of(action)), None)


def twin(action: bpy.types.Action) -> bpy.types.Action | None:
    """The other action of the pair: the raw one of a smoothed, the smoothed of a raw."""
    take = of(action)
    for other in bpy.data.actions:
        found = of(other) if take and other != action else None
        if take and found and take.capture and found.capture == take.capture and found.kind != take.kind:
            return other
    return None


def switch(obj: bpy.types.Object, action: bpy.types.Action, other: bpy.types.Action) -> None:
    """Let the armature play `other` wherever it plays `action`."""
    data = obj.animation_data
    if data.action == action:
        data.action = other
        _choose_slot(data)
    for strip in _strips(data):
        if strip.action == action:
            _replace(strip, other)


def _replace(strip: bpy.types.NlaStrip, other: bpy.types.Action) -> None:
    """Another action in the strip, in its time."""
    place = (strip.frame_start, strip.frame_end, strip.action_frame_start, strip.action_frame_end)
    strip.action = other
    _choose_slot(strip)
    strip.action_frame_start, strip.action_frame_end = place[2:]
    strip.frame_start, strip.frame_end = place[:2]


def _choose_slot(player: bpy.types.AnimData | bpy.types.NlaStrip) -> None:
    """The first slot that fits, in Blenders that have slots (4.4 and later): a take has one."""
    if hasattr(player, "action_slot") and player.action_suitable_slots:
        player.action_slot = player.action_suitable_slots[0]


def _strips(data: bpy.types.AnimData) -> Iterator[bpy.types.NlaStrip]:
    """The strips of an animation, the topmost track's first."""
    return (strip for track in reversed(data.nla_tracks) for strip in track.strips)
