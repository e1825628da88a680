# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the actions that an import takes the place of: those it made itself go, where nothing is lost by it.

Knows which actions are an import's own and whether they were edited; does not know how actions are made.
"""

from __future__ import annotations

import bpy

from . import keyframes, provenance

_PARTS_KEY = "stc_mocap_parts"
"""of an action's custom property: a digest of its keyframes as they were when parts of a capture were added to it"""


def replace_former(former: bpy.types.Action, action: bpy.types.Action) -> str:
    """Remove the action of the same capture that was played before, and its raw counterpart, where nothing is lost by
    it; returns a note on what became of it.
    """
    old, new = provenance.require_provenance(former), provenance.require_provenance(action)
    raw, name = provenance.find_counterpart(former), former.name
    if not old.capture or old.capture != new.capture:
        return f"The action {name} that was played before is kept, with a fake user."
    if provenance.is_edited(former) or former.users > former.use_fake_user + bool(raw):
        return f"The former action {name} was edited, or is used elsewhere, and is kept."
    for unneeded in (raw, former):
        if unneeded and unneeded.users <= unneeded.use_fake_user:
            bpy.data.actions.remove(unneeded)
    action.name = name
    return f"The former action {name} of the same capture was not edited and is replaced."


def keep_face_action(keys: bpy.types.Key, action: bpy.types.Action, former: bpy.types.Action | None) -> list[str]:
    """Keep a face's action, whose provenance is written, in the place of the captured one that the shape keys played;
    returns notes on what stays besides.
    """
    action.use_fake_user = True
    provenance.store_keys(action)
    if former is None or former == action:
        return []
    note = replace_former(former, action)
    return [] if note.endswith("replaced.") else [note]


def keep_joined_action(action: bpy.types.Action, former: bpy.types.Action | None, was_edited: bool) -> list[str]:
    """Keep an action to which parts of a capture were added, in the place of the one that it has the rest of; returns
    notes on what stays besides.

    was_edited: whether the former one, of a capture, had been edited.
    """
    action.use_fake_user = True
    if former and provenance.read_provenance(action) and not was_edited:
        provenance.store_keys(action)
    action[_PARTS_KEY] = keyframes.compute_digest(action)
    if former is None:
        return []
    is_unchanged = former.get(_PARTS_KEY) == keyframes.compute_digest(former)
    if is_unchanged and former.users <= former.use_fake_user:
        name = former.name
        bpy.data.actions.remove(former)
        action.name = name
        return []
    return [f"The action {former.name} is kept as it was; {action.name} has its keyframes and the new ones."]
