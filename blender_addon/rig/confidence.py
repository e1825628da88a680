# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure the capture was, on the timeline: animated properties of the armature, coloured ranges, doubtful stretches.

Knows the parts of a body and where a score becomes a doubt. The curves of an action are the truth: move or scale the
keys in time, and the ranges and the jumps follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion

from . import keyframes
from . import provenance as take

DOUBTFUL = 0.5  # below: look at it
BAD = 0.25  # below: it was guessed
_GAP_S, _LEAST_S = 0.2, 0.1  # doubts this near are one; shorter ones do not count
_PROPERTY = "stc_confidence"
_ARM = ("upper_arm", "lower_arm", "hand")
_LEG = ("upper_leg", "lower_leg", "foot", "toes")
PARTS: dict[str, tuple[str, ...]] = {
    "torso": ("hips", "spine", "chest", "upper_chest"),
    "head": ("neck", "head"),
    **{f"{side}_arm": tuple(f"{side}_{joint}" for joint in _ARM) for side in ("left", "right")},
    **{f"{side}_leg": tuple(f"{side}_{joint}" for joint in _LEG) for side in ("left", "right")},
}


@dataclass(frozen=True)
class Doubt:
    """A stretch of frames, ends included, in which `parts` were hardly seen; lowest: the worst score."""

    start: float
    end: float
    parts: tuple[str, ...]
    lowest: float

    def __str__(self) -> str:
        names = ", ".join(part.replace("_", " ") for part in self.parts)
        return f"{names.capitalize()}: frames {self.start:.0f} to {self.end:.0f}, confidence {self.lowest:.0%}."


def of_parts(motion: Motion) -> dict[str, Array]:
    """The least score (T,) of each part's joints, for parts that the motion has, and of them all under ""."""
    names = motion.skeleton.joint_names
    columns = {part: [names.index(joint) for joint in joints if joint in names] for part, joints in PARTS.items()}
    scores = {part: motion.scores[:, members].min(1) for part, members in columns.items() if members}
    return {"": np.min([*scores.values()], axis=0), **scores} if scores else {}


def property_name(part: str) -> str:
    return f"{_PROPERTY}_{part}" if part else _PROPERTY


def write(obj: bpy.types.Object, action: bpy.types.Action, motion: Motion, frames: Array) -> None:
    """Key the confidence of the body and of each part on the scene's `frames` (T,), in the action beside the bones."""
    for part, scores in of_parts(motion).items():
        name = property_name(part)
        obj[name] = float(scores[0])
        what = part.replace("_", " ") or "whole body"
        obj.id_properties_ui(name).update(min=0.0, max=1.0, description=f"How well the camera saw the {what}")
        keyframes.write_curve(obj, action, f'["{name}"]', frames, scores, "Confidence")


def curves(obj: bpy.types.Object) -> dict[str, tuple[Array, Array]]:
    """Frames (N,) and scores (N,) of each part, and of all under "", as the armature's action has them now."""
    paths = {f'["{property_name(part)}"]': part for part in ("", *PARTS)}
    found = {}
    for curve in _played(obj):
        if curve.data_path in paths:
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[paths[curve.data_path]] = (points[0::2].astype(float), points[1::2].astype(float))
    return found


def _played(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the capture's action that the armature plays; changes nothing, for it is asked while drawing."""
    action = take.current(obj)
    if action is None or not hasattr(action, "layers"):
        return list(action.fcurves) if action else []
    bags = (bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags)
    return [curve for bag in bags for curve in bag.fcurves]


def doubts(obj: bpy.types.Object, fps: float) -> tuple[Doubt, ...]:
    """The doubtful stretches of the armature's action, in time; fps: the scene's rate."""
    seen = curves(obj)
    frames, lowest = seen.pop("", (np.zeros(0), np.zeros(0)))
    stretches = []
    for start, end in _runs(frames, lowest < DOUBTFUL, _GAP_S * fps, _LEAST_S * fps):
        within = {part: _least(*curve, start, end) for part, curve in seen.items()}
        parts = sorted((part for part in within if within[part] < DOUBTFUL), key=lambda part: within[part])
        stretches.append(Doubt(start, end, tuple(parts), _least(frames, lowest, start, end)))
    return tuple(stretches)


def next_doubt(stretches: tuple[Doubt, ...], frame: float) -> Doubt | None:
    """The first stretch that starts after the frame, else the first of all; None where there is none."""
    after = [doubt for doubt in stretches if round(doubt.start) > frame]
    return next(iter(after or stretches), None)


def _least(frames: Array, scores: Array, start: float, end: float) -> float:
    inside = scores[(frames >= start) & (frames <= end)]
    return float(inside.min()) if len(inside) else 1.0


def _runs(frames: Array, low: np.ndarray, gap: float, least: float) -> list[tuple[float, float]]:
    """First and last frame of the runs of `low`, joined over less than `gap`, without those under `least`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], low, [False]]).astype(int)))
    runs: list[tuple[float, float]] = []
    for first, last in zip(edges[0::2], edges[1::2] - 1, strict=True):
        if runs and frames[first] - runs[-1][1] <= gap:
            runs[-1] = (runs[-1][0], float(frames[last]))
        else:
            runs.append((float(frames[first]), float(frames[last])))
    return [run for run in runs if run[1] - run[0] >= least]


# The strip at the foot of the timeline: yellow where in doubt, red where guessed.

_COLOURS = {DOUBTFUL: (0.95, 0.75, 0.1, 0.9), BAD: (0.9, 0.2, 0.15, 0.95)}
_STRIP_PIXELS = 5.0
_handler: list[object] = []
_strips: dict[tuple[object, ...], list[tuple[float, float, float]]] = {}


def _strip(obj: bpy.types.Object) -> list[tuple[float, float, float]]:
    """Start, end and level of the coloured ranges; worked out anew only when the curve's keys changed."""
    curve = next((c for c in _played(obj) if c.data_path == f'["{_PROPERTY}"]'), None)
    if curve is None or len(curve.keyframe_points) == 0:
        return []
    points = curve.keyframe_points
    key = (curve.id_data.session_uid, len(points), *points[0].co, *points[len(points) // 2].co, *points[-1].co)
    if key not in _strips:
        frames, scores = curves(obj)[""]
        _strips.clear()
        _strips[key] = [
            (start, end + 1.0, level)
            for level in (DOUBTFUL, BAD)
            for start, end in _runs(frames, scores < level, 0.0, 0.0)
        ]
    return _strips[key]


def _draw() -> None:
    context = bpy.context
    obj, region = take.shown(context), context.region
    if obj is None or not context.scene.stc_mocap.show_confidence:
        return
    high = _STRIP_PIXELS * context.preferences.system.ui_scale
    for level, colour in _COLOURS.items():
        corners = []
        for start, end, own in _strip(obj):
            left, right = (region.view2d.view_to_region(frame, 0, clip=False)[0] for frame in (start, end))
            if own == level and right >= 0 and left <= region.width:
                corners += _rectangle(max(left, 0), min(max(right, left + 1), region.width), high)
        if corners:
            _fill(corners, colour)


def _rectangle(left: float, right: float, high: float) -> list[tuple[float, float, float]]:
    """The corners of its two triangles."""
    a, b, c, d = (left, 0.0, 0.0), (right, 0.0, 0.0), (left, high, 0.0), (right, high, 0.0)
    return [a, b, c, c, b, d]


def _fill(corners: list[tuple[float, float, float]], colour: tuple[float, float, float, float]) -> None:
    import gpu  # not in a Blender without a window

    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="pos", comp_type="F32", len=3, fetch_mode="FLOAT")
    points = gpu.types.GPUVertBuf(layout, len(corners))
    points.attr_fill("pos", corners)
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    shader.uniform_float("color", colour)
    gpu.types.GPUBatch(type="TRIS", buf=points).draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    if not bpy.app.background:
        _handler.append(bpy.types.SpaceDopeSheetEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    while _handler:
        bpy.types.SpaceDopeSheetEditor.draw_handler_remove(_handler.pop(), "WINDOW")
    _strips.clear()
