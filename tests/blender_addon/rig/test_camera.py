# SPDX-License-Identifier: GPL-3.0-or-later
"""The matched camera sees what the video's saw: pixel for pixel by Blender's own projection, frame for frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from blender_addon.rig import (
    camera,
    import_motion,
    keyframes,
    provenance,
)
from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.motion.motion import Camera, CameraPath, save_motion
from tests.synthetic import look_at_camera, walk

from ..workspace import VIDEO, Workspace, get_provenance, make_walk

POINTS = walk(seconds=1.0).positions()[::10].reshape(-1, 3)
OFF_CENTRE = np.array([[0.0, 0.0, 37.0], [0.0, 0.0, -21.0], [0.0, 0.0, 0.0]])
CAMERAS = {
    "level": look_at_camera(),
    "rolled": look_at_camera(eye=(2.0, -4.0, 2.2), roll_deg=17.0),
    "portrait": look_at_camera(size=(720, 1280)),
    "wide": look_at_camera(eye=(0.0, -2.5, 0.4), fov_deg=90.0, size=(1920, 816)),
    "off centre": replace(look_at_camera(), K=look_at_camera().K + OFF_CENTRE),
}


def make_video(path: Path = VIDEO, **words: Any) -> camera.BackgroundVideo:
    return camera.BackgroundVideo(
        path=path, **({"first": 0, "start_frame": 1.0, "fps": 30.0, "scene_fps": 30.0} | words)
    )


def project(scene: bpy.types.Scene, points: Iterable[Any]) -> np.ndarray:
    """Pixels (N, 2) of world points as Blender's camera has them."""
    bpy.context.view_layer.update()
    views = np.array([world_to_camera_view(scene, scene.camera, Vector(point)) for point in points])
    size = np.array([scene.render.resolution_x, scene.render.resolution_y])
    return np.stack([views[:, 0], 1.0 - views[:, 1]], -1) * size


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("placement", [camera.Placement(), camera.Placement(scale=0.37, origin=(0.0, 0.0, -0.4))])
def test_blender_projects_as_the_motions_camera_does(
    scene: bpy.types.Scene, name: str, placement: camera.Placement
) -> None:
    expected = CAMERAS[name]
    camera.match_camera(scene, expected, placement, make_video())
    points = POINTS * placement.scale + np.array(placement.origin)
    assert np.abs(project(scene, points) - expected.project(POINTS)).max() < 0.01


@pytest.mark.parametrize("unit_m", [1.0, 0.01])
@pytest.mark.parametrize("size", [0.6, 1.0, 1.9])
def test_the_figure_lies_over_the_person_whatever_its_size_and_the_scenes_unit(
    workspace: Workspace, size: float, unit_m: float
) -> None:
    scene, settings, motion = bpy.context.scene, bpy.context.scene.stc_mocap, workspace.motion
    scene.unit_settings.scale_length = unit_m
    settings.armature = import_motion.create_mapped_armature(
        import_motion.scale_skeleton(motion.skeleton, size), "Person", scene
    )
    settings.armature.location = (3.0, 2.0, 1.0)
    settings.video, settings.lock_feet = str(VIDEO), False
    bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "walk.npz"))
    bpy.ops.stc_mocap.match_camera()
    assert motion.camera is not None
    off = []
    for frame in (1, 30, 61):
        scene.frame_set(frame)
        bones = settings.armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        joints = [name for name in motion.skeleton.joint_names if "toes" not in name]
        places = [settings.armature.matrix_world @ bones[find_bone(name)].head for name in joints]
        pixels = motion.camera.project(motion.positions()[frame - 1])
        off.append(project(scene, places) - pixels[[motion.skeleton.index(name) for name in joints]])
    assert np.abs(off).max() < 0.5


def find_bone(joint: str) -> str:
    side, _, part = joint.partition("_")
    return f"{part}.{side[0].upper()}" if side in ("left", "right") else joint


def test_the_scene_gets_camera_and_resolution_and_is_told_of_both(scene: bpy.types.Scene) -> None:
    made, notes = camera.match_camera(scene, CAMERAS["portrait"], camera.Placement(), make_video())
    assert scene.camera == made and (scene.render.resolution_x, scene.render.resolution_y) == (720, 1280)
    assert "resolution was set to the video's, 720 × 1280" in notes[0]
    again, notes = camera.match_camera(scene, CAMERAS["portrait"], camera.Placement(), make_video())
    assert again == made and len([obj for obj in scene.objects if obj.type == "CAMERA"]) == 1
    assert not any("resolution" in note for note in notes)


def test_the_scene_gets_the_rate_at_which_the_action_was_keyed(scene: bpy.types.Scene) -> None:
    keyframes.set_scene_fps(scene, 24.0)
    notes = camera.match_camera(scene, CAMERAS["level"], camera.Placement(), make_video(fps=29.97, scene_fps=29.97))[1]
    assert keyframes.get_scene_fps(scene) == pytest.approx(29.97, abs=1e-4)
    assert any("29.97" in note for note in notes)


def get_shown_frame(scene: bpy.types.Scene, frame: int) -> int:
    """Which frame of the film, from 0, the background shows: as Blender counts for pictures that move."""
    scene.frame_set(frame)
    data = scene.camera.data.evaluated_get(bpy.context.evaluated_depsgraph_get())
    user = data.background_images[0].image_user
    return frame - user.frame_start + user.frame_offset


@pytest.mark.parametrize("first", [0, 47])
@pytest.mark.parametrize("start", [1.0, 101.0, -20.0])
def test_the_films_frame_is_the_motions(scene: bpy.types.Scene, first: int, start: float) -> None:
    camera.match_camera(scene, CAMERAS["level"], camera.Placement(), make_video(first=first, start_frame=start))
    for number in (0, 1, 60):
        assert get_shown_frame(scene, int(start) + number) == first + number
    background = scene.camera.data.background_images[0]
    assert background.image.source == "MOVIE" and scene.camera.data.show_background_images


@pytest.mark.parametrize(("fps", "scene_fps"), [(30.0, 24.0), (25.0, 60.0), (60.0, 24.0)])
def test_the_film_keeps_pace_with_an_action_that_was_resampled(
    scene: bpy.types.Scene, fps: float, scene_fps: float
) -> None:
    camera.match_camera(
        scene, CAMERAS["level"], camera.Placement(), make_video(first=12, start_frame=5.0, fps=fps, scene_fps=scene_fps)
    )
    for number in range(0, 100, 7):
        assert abs(get_shown_frame(scene, 5 + number) - (12 + number * fps / scene_fps)) <= 0.5 + 1e-6


def test_where_the_motion_begins_in_the_video() -> None:
    part = {"video": {"start_s": 2.0}}
    assert camera.get_first_video_frame(make_walk(start_s=2.0, settings=part)) == 60
    assert camera.get_first_video_frame(make_walk(start_s=0.066, settings={"video": {"start_s": 0.0}})) == 0
    for odd in ({"video": "a"}, {"video": [1]}, {}):  # anybody may have written the settings
        assert camera.get_first_video_frame(make_walk(start_s=2.0, settings=odd)) == 0
    assert camera.get_first_video_frame(make_walk(start_s=1e9, settings=part)) == 1_048_574


def test_a_video_that_is_gone_or_is_none_is_said(scene: bpy.types.Scene, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there"):
        camera.match_camera(scene, CAMERAS["level"], camera.Placement(), make_video(tmp_path / "gone.mp4"))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match="cannot show"):
        camera.match_camera(scene, CAMERAS["level"], camera.Placement(), make_video(tmp_path / "text.mp4"))
    assert scene.camera is None and not any(image.filepath.endswith("text.mp4") for image in bpy.data.images)


def test_a_motion_without_a_camera_is_said(workspace: Workspace) -> None:
    save_motion(replace(workspace.motion, camera=None), workspace.folder / "blind.npz")
    bpy.context.scene.stc_mocap.target = "CREATE"
    bpy.ops.stc_mocap.import_motion(filepath=str(workspace.folder / "blind.npz"))
    with pytest.raises(RuntimeError, match="not made from a video"):
        bpy.ops.stc_mocap.match_camera()
    assert get_provenance(provenance.find_captured_action(bpy.context.scene.stc_mocap.armature)).kind == "smoothed"


def make_moving(camera_: Camera, frames: int = 61, zoom: float = 1.4) -> Camera:
    """The camera as it turns, goes aside and zooms."""
    turns = rotation.to_matrix(rotation.exp(np.linspace(0.0, 0.5, frames)[:, None] * np.array([0.1, 1.0, 0.2])))
    R = turns @ camera_.R
    eyes = -camera_.R.T @ camera_.t + np.linspace(0.0, 1.0, frames)[:, None] * np.array([1.0, 0.3, 0.2])
    path = CameraPath(
        R=R, t=-np.einsum("tij,tj->ti", R, eyes), focal_px=camera_.K[0, 0] * np.linspace(1.0, zoom, frames)
    )
    return replace(camera_, path=path)


@pytest.mark.parametrize(("fps", "scene_fps"), [(30.0, 30.0), (30.0, 24.0)])
def test_a_camera_that_moves_is_keyed_where_it_is(scene: bpy.types.Scene, fps: float, scene_fps: float) -> None:
    moving, before = make_moving(CAMERAS["rolled"]), len(bpy.data.actions)
    placement = camera.Placement(scale=0.5, origin=(1.0, 0.0, -0.4))
    made, _ = camera.match_camera(scene, moving, placement, make_video(start_frame=11.0, fps=fps, scene_fps=scene_fps))
    for number in (0, 5, 30, 60):
        frame = 11.0 + number * scene_fps / fps
        scene.frame_set(int(frame), subframe=frame - int(frame))
        off = project(scene, POINTS * 0.5 + np.array([1.0, 0.0, -0.4])) - moving.at(number).project(POINTS)
        assert np.abs(off).max() < 0.05
    again, _ = camera.match_camera(scene, CAMERAS["level"], camera.Placement(), make_video())
    scene.frame_set(40)
    assert again == made and np.abs(project(scene, POINTS) - CAMERAS["level"].project(POINTS)).max() < 0.01
    assert len(bpy.data.actions) == before
