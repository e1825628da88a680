# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of the video is chosen by frames, and a person by a click, in the frame that the panel shows."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon.jobs import library_list, monitor, preview
from blender_addon.ui import panel
from blender_addon.ui.operators import range as range_operators

from ..workspace import VIDEO, Workspace, wait_until
from .test_panel import draw_shown

ops: Any = bpy.ops.stc_mocap


def load_preview() -> None:
    wait_until(lambda: preview._tick() in (None, preview._ENGINE_PROBE_INTERVAL_S))


def show_video(settings: bpy.types.PropertyGroup, fps: float, frames: int) -> None:
    """As if the engine had read the chosen video and found this."""
    preview._state = preview._State(
        video=settings.get_video(), info=preview.VideoInfo(frames=frames, fps=fps, width=960, height=540)
    )


def test_a_chosen_video_is_shown_and_its_frames_are_looked_at(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    load_preview()
    drawn = draw_shown(panel.STC_MOCAP_PT_capture)
    assert "Frame 1 of 150, 30 fps, 960 × 540" in drawn.texts()
    assert any(name == "template_icon" for name, *_ in drawn.drawn)
    assert library_list.has_icon(preview.get_picture(settings.get_video())[0])
    for frame in (5, 40, 61):  # as a slider moves: the newest is the next
        settings.preview_frame = frame
    load_preview()
    assert preview.get_picture(settings.get_video())[1] == 61
    *_, last = workspace.list_requests(f"stills {VIDEO}")
    assert "--at 2.0 " in last and len(workspace.list_requests("stills")) == 2
    settings.show_preview = False
    assert "stc_mocap.pick_person" not in draw_shown(panel.STC_MOCAP_PT_capture).operators()


def test_a_text_file_is_refused_when_it_is_chosen(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    notes = workspace.folder / "notes.txt"
    notes.write_text("no video")
    settings.video = str(notes)
    load_preview()
    assert "notes.txt cannot be read as a video: it is text." in draw_shown(panel.STC_MOCAP_PT_capture).texts()
    settings.video = str(VIDEO)
    load_preview()
    assert "it is text" not in draw_shown(panel.STC_MOCAP_PT_capture).texts()


def test_without_an_engine_nothing_is_shown_and_the_range_is_in_seconds(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    preview._state = preview._State()
    workspace.engine.unlink()
    monitor._state.engine_probed_s = -1e9
    settings.video, settings.use_range = str(VIDEO), True
    load_preview()
    drawn = draw_shown(panel.STC_MOCAP_PT_capture)
    shown = [args[1] for name, args, _ in drawn.drawn if name == "prop"]
    assert "start_s" in shown and "range_first" not in shown and not any(n == "template_icon" for n, *_ in drawn.drawn)
    assert not ops.set_range.poll() and not ops.pick_person.poll()
    workspace.create_engine()
    load_preview()  # once there is one, the video is shown
    assert ops.set_range.poll()


def test_a_file_that_is_opened_shows_its_video_and_another_scenes_is_shown_on_demand(
    workspace: Workspace, settings: bpy.types.PropertyGroup
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(workspace.folder / "shot.blend"))
    preview._state = preview._State()
    bpy.ops.wm.open_mainfile(filepath=str(workspace.folder / "shot.blend"))
    load_preview()
    assert ops.set_range.poll()
    other = workspace.video("other")
    preview._state = preview._State(video=other)
    assert "stc_mocap.show_video" in draw_shown(panel.STC_MOCAP_PT_capture).operators()
    ops.show_video()
    load_preview()
    assert ops.set_range.poll()


@pytest.mark.parametrize(("fps", "frames"), [(24.0, 400), (30000 / 1001, 40_000), (59.94, 100_000), (239.76, 2000)])
def test_frames_become_seconds_that_hold_exactly_these_frames(
    workspace: Workspace, settings: bpy.types.PropertyGroup, fps: float, frames: int
) -> None:
    show_video(settings, fps, frames)
    settings.use_range = True
    for first, last in ((1, 2), (1, frames), (7, 31), (frames // 3, frames // 2), (frames - 2, frames - 1)):
        settings.range_first, settings.range_last = first, last
        assert (settings.range_first, settings.range_last) == (first, last)
        request = settings.request()
        end_s = math.inf if request.end_s is None else request.end_s
        assert (first - 1) / fps >= request.start_s - 1e-6 > (first - 2) / fps  # as the engine decides
        assert (last - 1) / fps < end_s and (last == frames or last / fps >= end_s)
    settings.start_s, settings.end_s = 0.5, 1.0
    assert settings.range_first == math.ceil(0.5 * fps - 0.01) + 1


def test_the_shown_frame_becomes_an_edge_of_the_range(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    load_preview()
    for frame, edge, wanted in ((31, "FIRST", (31, 150)), (90, "LAST", (31, 90))):
        settings.preview_frame = frame
        ops.set_range(edge=edge)
        assert settings.use_range and (settings.range_first, settings.range_last) == wanted
    args = " ".join(settings.request().make_args(VIDEO))
    assert "--start 0.99" in args and "--end 2.98" in args


def test_a_click_in_the_picture_names_the_person(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    rectangle = range_operators.fit_rectangle((960, 540), (1200, 900))
    assert np.allclose(rectangle, (12.0, 119.25, 1176.0, 661.5))
    clicked = range_operators.find_clicked((12.0 + 1176.0 * 0.75, 119.25 + 661.5 * 0.4), rectangle)
    assert clicked is not None and np.allclose(clicked, (0.75, 0.6))
    assert range_operators.find_clicked((600.0, 50.0), rectangle) is None
    load_preview()
    range_operators.choose_person(settings, (0.75, 0.6), 61)
    assert settings.request().person == "0.7500,0.6000@2.0000"
    assert "Person at 75%, 60% in frame 61" in draw_shown(panel.STC_MOCAP_PT_capture).texts()
    settings.video = str(workspace.video("other"))
    assert settings.person == "MAIN"  # another video's person is somewhere else


def test_slow_motion_is_asked_for(workspace: Workspace, settings: bpy.types.PropertyGroup) -> None:
    assert "--slow-motion" not in settings.request().make_args(VIDEO)
    settings.slow_motion = 4.0
    args = settings.request().make_args(VIDEO)
    assert args[args.index("--slow-motion") + 1] == "4.0"
