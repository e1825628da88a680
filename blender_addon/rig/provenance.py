# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an action comes from, stored on the action itself; the raw and smoothed pair of a capture.

Knows the custom property `stc_mocap` (JSON) and which action an armature plays; does not know how actions are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path

import bpy

from stc_core.errors import UserError
from stc_core.motion.motion import Motion, load_motion
from stc_core.motion.retarget.placement import Start
from stc_core.motion.retarget.retarget import RetargetConfig, RootPath
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.plain_values import from_plain

from . import keyframes
from .parts import PARTS, Part

_KEY, _COUNTERPART = "stc_mocap", "stc_mocap_counterpart"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where an action comes from. `kind`: smoothed, raw, or face, of shape keys; all have the same `capture`."""

    motion: str
    """the motion file"""
    raw: str = ""
    """the file of the unsmoothed motion; "" where there is none"""
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
    yaw_rad: float = 0.0
    """by which the motion was rotated about z"""
    start: Start = "world"
    path: RootPath = "hips"
    bones: dict[str, list[str]] = field(default_factory=dict)
    """the bone map that was used: joints to bones"""
    twists: dict[str, list[str]] = field(default_factory=dict)
    root: str = ""
    lock_feet: bool = True
    rigify_controls: bool = True
    parts: tuple[Part, ...] = PARTS
    """of the capture, that were keyed"""
    notes: tuple[str, ...] = ()
    """the report: what was assumed and changed"""
    engine_notes: tuple[str, ...] = ()
    """those of the report that the engine made"""
    keys: str = ""
    """a digest of the keyframes as they were made; "": not known"""

    def bone_map(self) -> BoneMap:
        """The bone map that the action was made with."""
        named = {joint: tuple(bones) for joint, bones in self.bones.items()}
        return BoneMap(
            name="as captured",
            bones=named,
            twists={joint: tuple(bones) for joint, bones in self.twists.items()},
            confidence={},
            root=self.root,
        )

    def retarget_config(self) -> RetargetConfig:
        """How the action was retargeted."""
        return RetargetConfig(lock_feet=self.lock_feet, start=self.start, path=self.path)

    def load(self) -> Motion:
        """Load the motion. Raises UserError where its file is missing or damaged."""
        path = Path(self.motion)
        if path.suffix.lower() == ".bvh":
            raise UserError(f"{path.name} is a BVH: it tells nothing of a video.", "Capture the video for this.")
        if not path.is_file():
            raise UserError(f"The motion {path} is not there any more.", "Capture the video again.")
        return load_motion(path)


def write_provenance(action: bpy.types.Action, record: Provenance) -> None:
    """Store where an action comes from on the action."""
    action[_KEY] = json.dumps(asdict(record))


def store_notes(action: bpy.types.Action, notes: tuple[str, ...]) -> None:
    """Keep the import's report with the action."""
    record = read_provenance(action)
    if record:
        write_provenance(action, replace(record, notes=notes))


def store_keys(action: bpy.types.Action) -> None:
    """Note the keyframes as they are now: an action is edited once they are others."""
    write_provenance(action, replace(require_provenance(action), keys=keyframes.compute_digest(action)))


def is_edited(action: bpy.types.Action) -> bool:
    """Whether the keyframes of a captured action are not those it was made with, as far as that is known."""
    return require_provenance(action).keys != keyframes.compute_digest(action)


def require_provenance(action: bpy.types.Action) -> Provenance:
    """Where an action comes from. Raises UserError where it is not ours."""
    record = read_provenance(action)
    if record is None:
        raise UserError(f"The action {action.name} is not captured.", "Choose one that is, or capture a video.")
    return record


def link_counterpart(raw: bpy.types.Action, action: bpy.types.Action) -> None:
    """Note which action a raw one belongs to."""
    raw[_COUNTERPART] = action


def read_provenance(action: bpy.types.Action | None) -> Provenance | None:
    """Where an action comes from, or None where it is not ours."""
    text = action.get(_KEY) if action else None
    return _parse(text) if isinstance(text, str) else None


@lru_cache(maxsize=64)
def _parse(text: str) -> Provenance | None:
    """None where the text is of another version, or was edited by hand."""
    try:
        values = json.loads(text)
        known = {part.name: values[part.name] for part in fields(Provenance) if part.name in values}
        return from_plain(Provenance, known)
    except (ValueError, TypeError, RecursionError):
        return None


def require_captured_action(obj: bpy.types.Object | None) -> tuple[bpy.types.Action, Provenance]:
    """The captured action that the armature plays, and its provenance. Raises UserError where there is none."""
    action = find_captured_action(obj)
    if action is None:
        raise UserError("The armature plays no captured action.", "Choose one that does, or capture a video.")
    return action, require_provenance(action)


def find_shown_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature whose capture the panels show: the active one if it plays one, else the chosen one."""
    active = getattr(context, "object", None)  # a timer's context has none
    if active and active.type == "ARMATURE" and find_captured_action(active):
        return active
    return context.scene.stc_mocap.armature


def find_captured_action(obj: bpy.types.ID | None) -> bpy.types.Action | None:
    """The captured action that the armature, or shape keys, play: its own, or the topmost on its NLA tracks."""
    data = obj.animation_data if obj else None
    if data is None:
        return None
    played = [data.action, *(strip.action for strip in _iterate_strips(data))]
    return next((action for action in played if read_provenance(action)), None)


def find_counterpart(action: bpy.types.Action) -> bpy.types.Action | None:
    """The other action of the pair: raw for smoothed, smoothed for raw; None where there is none in the file."""
    linked = action.get(_COUNTERPART)
    if isinstance(linked, bpy.types.Action):
        return linked
    others = [other for other in bpy.data.actions if other != action]
    return next((other for other in others if other.get(_COUNTERPART) == action), None) or next(
        (other for other in others if _COUNTERPART not in other and _is_pair(action, other)), None
    )


def _is_pair(action: bpy.types.Action, other: bpy.types.Action) -> bool:
    """Whether two actions are raw and smoothed of one capture, as versions up to 0.1 left them."""
    record, other_record = read_provenance(action), read_provenance(other)
    if record is None or other_record is None or not record.capture:
        return False
    return record.capture == other_record.capture and {record.kind, other_record.kind} == {"raw", "smoothed"}


def switch_action(obj: bpy.types.Object, action: bpy.types.Action, other: bpy.types.Action) -> None:
    """Let the armature play `other` wherever it plays `action`."""
    data = obj.animation_data
    if data.action == action:
        data.action = other
        _choose_slot(data)
    for strip in _iterate_strips(data):
        if strip.action == action:
            _replace_in_strip(strip, other)


def _replace_in_strip(strip: bpy.types.NlaStrip, other: bpy.types.Action) -> None:
    """Put another action into the strip and keep its timing."""
    timing = (strip.frame_start, strip.frame_end, strip.action_frame_start, strip.action_frame_end)
    strip.action = other
    _choose_slot(strip)
    strip.action_frame_start, strip.action_frame_end = timing[2:]
    strip.frame_start, strip.frame_end = timing[:2]


def _choose_slot(player: bpy.types.AnimData | bpy.types.NlaStrip) -> None:
    """Choose the first slot that fits, in Blenders that have slots (4.4 and later): our actions have one."""
    if hasattr(player, "action_slot") and player.action_suitable_slots:
        player.action_slot = player.action_suitable_slots[0]


def _iterate_strips(data: bpy.types.AnimData) -> Iterator[bpy.types.NlaStrip]:
    """The strips of an animation, the topmost track's first."""
    return (strip for track in reversed(data.nla_tracks) for strip in track.strips)
