# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture's confidence on the timeline: animated properties of the armature, coloured and doubtful frame ranges.

Knows the body's parts and below which confidence a frame is doubtful. An action's F-curves are the truth: move or scale
their keyframes, and the ranges follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from stc_core.geometry.intervals import find_runs
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Motion

from . import keyframes, provenance

DOUBTFUL_BELOW = 0.5
"""a confidence below which a frame deserves a look; chosen"""
GUESSED_BELOW = 0.25
"""a confidence below which the pose was guessed; chosen"""
_MAX_GAP_S, _MIN_RANGE_S = 0.2, 0.1
"""ranges this near are one, shorter ones are left out; chosen"""
_PROPERTY = "stc_confidence"
_ARM = ("upper_arm", "lower_arm", "hand")
_LEG = ("upper_leg", "lower_leg", "foot", "toes")
PARTS: dict[str, tuple[str, ...]] = {
    "torso": ("hips", "spine", "chest", "upper_chest"),
    "head": ("neck", "head"),
    **{f"{side}_arm": tuple(f"{side}_{joint}" for joint in _ARM) for side in ("left", "right")},
    **{f"{side}_leg": tuple(f"{side}_{joint}" for joint in _LEG) for side in ("left", "right")},
}


@dataclass(frozen=True, kw_only=True)
class DoubtfulRange:
    """Frames, ends included, in which `parts` have low confidence; lowest: the least of it."""

    start: float
    end: float
    parts: tuple[str, ...]
    lowest: float

    def __str__(self) -> str:
        """As the status bar shows it."""
        names = ", ".join(part.replace("_", " ") for part in self.parts)
        return f"{names.capitalize()}: frames {self.start:.0f} to {self.end:.0f}, confidence {self.lowest:.0%}."


def compute_part_scores(motion: Motion) -> dict[str, Array]:
    """The least confidence (T,) of each part's joints, for parts that the motion has, and of all under ""."""
    names = motion.skeleton.joint_names
    columns = {part: [names.index(joint) for joint in joints if joint in names] for part, joints in PARTS.items()}
    scores = {part: motion.scores[:, members].min(1) for part, members in columns.items() if members}
    return {"": np.min([*scores.values()], axis=0), **scores} if scores else {}


def get_property_name(part: str) -> str:
    """The armature's custom property for a part; "" is the whole body."""
    return f"{_PROPERTY}_{part}" if part else _PROPERTY


def write_confidence(obj: bpy.types.Object, action: bpy.types.Action, motion: Motion, frames: Array) -> None:
    """Key the confidence of the body and of each part on the scene's `frames` (T,), in the action beside the bones."""
    for part, scores in compute_part_scores(motion).items():
        name = get_property_name(part)
        obj[name] = float(scores[0])
        what = part.replace("_", " ") or "whole body"
        obj.id_properties_ui(name).update(min=0.0, max=1.0, description=f"How well the camera saw the {what}")
        keyframes.write_fcurve(obj, action, f'["{name}"]', frames, scores, "Confidence")


def read_curves(obj: bpy.types.Object) -> dict[str, tuple[Array, Array]]:
    """Frames (N,) and confidence (N,) of each part, and of all under "", as the armature's action has them now."""
    paths = {f'["{get_property_name(part)}"]': part for part in ("", *PARTS)}
    found = {}
    for curve in get_confidence_fcurves(obj):
        if curve.data_path in paths:
            points = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", points)
            found[paths[curve.data_path]] = (points[0::2].astype(float), points[1::2].astype(float))
    return found


def get_confidence_fcurves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the captured action that the armature plays. Changes nothing: it is called while drawing."""
    action = provenance.find_captured_action(obj)
    if action is None or not hasattr(action, "layers"):
        return list(action.fcurves) if action else []
    bags = (bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags)
    return [curve for bag in bags for curve in bag.fcurves]


def find_doubtful_ranges(obj: bpy.types.Object, fps: float) -> tuple[DoubtfulRange, ...]:
    """The doubtful frame ranges of the armature's action, in time order; fps: the scene's frame rate."""
    curves = read_curves(obj)
    frames, lowest = curves.pop("", (np.zeros(0), np.zeros(0)))
    stretches = []
    for start, end in _find_runs(frames, lowest < DOUBTFUL_BELOW, _MAX_GAP_S * fps, _MIN_RANGE_S * fps):
        within = {part: _min_score(*curve, start, end) for part, curve in curves.items()}
        parts = sorted((part for part in within if within[part] < DOUBTFUL_BELOW), key=lambda part: within[part])
        stretches.append(
            DoubtfulRange(start=start, end=end, parts=tuple(parts), lowest=_min_score(frames, lowest, start, end))
        )
    return tuple(stretches)


def find_next_range(stretches: tuple[DoubtfulRange, ...], frame: float) -> DoubtfulRange | None:
    """The first range that starts after the frame, else the first of all; None where there is none."""
    after = [doubt for doubt in stretches if round(doubt.start) > frame]
    return next(iter(after or stretches), None)


def _min_score(frames: Array, scores: Array, start: float, end: float) -> float:
    """The least score within a range of frames, ends included."""
    inside = scores[(frames >= start) & (frames <= end)]
    return float(inside.min()) if len(inside) else 1.0


def _find_runs(frames: Array, low: np.ndarray, gap: float, least: float) -> list[tuple[float, float]]:
    """First and last frame of the runs of `low`, joined over gaps up to `gap`, without those shorter than `least`."""
    runs: list[tuple[float, float]] = []
    for first, after in find_runs(low):
        last = after - 1
        if runs and frames[first] - runs[-1][1] <= gap:
            runs[-1] = (runs[-1][0], float(frames[last]))
        else:
            runs.append((float(frames[first]), float(frames[last])))
    return [run for run in runs if run[1] - run[0] >= least]


# The strip at the foot of the timeline: yellow where doubtful, red where guessed.

_RANGE_COLOURS = {DOUBTFUL_BELOW: (0.95, 0.75, 0.1, 0.9), GUESSED_BELOW: (0.9, 0.2, 0.15, 0.95)}
_RANGE_HEIGHT_PX = 5.0
_draw_handlers: list[object] = []
_cached_ranges: dict[tuple[object, ...], list[tuple[float, float, float]]] = {}


def _get_timeline_ranges(obj: bpy.types.Object) -> list[tuple[float, float, float]]:
    """Start, end and threshold of the coloured ranges; computed anew only when the curve's keyframes changed."""
    curve = next((c for c in get_confidence_fcurves(obj) if c.data_path == f'["{_PROPERTY}"]'), None)
    if curve is None or len(curve.keyframe_points) == 0:
        return []
    points = curve.keyframe_points
    key = (curve.id_data.session_uid, len(points), *points[0].co, *points[len(points) // 2].co, *points[-1].co)
    if key not in _cached_ranges:
        frames, scores = read_curves(obj)[""]
        _cached_ranges.clear()
        _cached_ranges[key] = [
            (start, end + 1.0, level)
            for level in (DOUBTFUL_BELOW, GUESSED_BELOW)
            for start, end in _find_runs(frames, scores < level, 0.0, 0.0)
        ]
    return _cached_ranges[key]


def _draw_timeline() -> None:
    """Draw the coloured ranges at the foot of the timeline."""
    context = bpy.context
    obj, region = provenance.find_shown_armature(context), context.region
    if obj is None or not context.scene.stc_mocap.show_confidence:
        return
    high = _RANGE_HEIGHT_PX * context.preferences.system.ui_scale
    for level, colour in _RANGE_COLOURS.items():
        corners = []
        for start, end, own in _get_timeline_ranges(obj):
            left, right = (region.view2d.view_to_region(frame, 0, clip=False)[0] for frame in (start, end))
            if own == level and right >= 0 and left <= region.width:
                corners += _make_rectangle(max(left, 0), min(max(right, left + 1), region.width), high)
        if corners:
            _fill_triangles(corners, colour)


def _make_rectangle(left: float, right: float, high: float) -> list[tuple[float, float, float]]:
    """The corners of a rectangle's two triangles, pixels of the region."""
    a, b, c, d = (left, 0.0, 0.0), (right, 0.0, 0.0), (left, high, 0.0), (right, high, 0.0)
    return [a, b, c, c, b, d]


def _fill_triangles(corners: list[tuple[float, float, float]], colour: tuple[float, float, float, float]) -> None:
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
        _draw_handlers.append(
            bpy.types.SpaceDopeSheetEditor.draw_handler_add(_draw_timeline, (), "WINDOW", "POST_PIXEL")
        )


def unregister() -> None:
    while _draw_handlers:
        bpy.types.SpaceDopeSheetEditor.draw_handler_remove(_draw_handlers.pop(), "WINDOW")
    _cached_ranges.clear()
