# SPDX-License-Identifier: GPL-3.0-or-later
"""The matched camera sees what the video's saw: pixel for pixel by Blender's own projection, frame for frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

from blender_addon.rig import camera, keyframes  # noqa: E402
from blender_addon.rig import import_motion as bring  # noqa: E402
from blender_addon.rig import provenance as take  # noqa: E402
from stc_core.errors import UserError  # noqa: E402
from stc_core.motion.motion import save_motion  # noqa: E402
from tests.synthetic import look_at_camera, walk  # noqa: E402

from ..fixtures import VIDEO, made_walk, office  # noqa: E402, F401

POINTS = walk(seconds=1.0).positions()[::10].reshape(-1, 3)
OFF_CENTRE = np.array([[0.0, 0.0, 37.0], [0.0, 0.0, -21.0], [0.0, 0.0, 0.0]])
CAMERAS = {
    "level": look_at_camera(),
    "rolled": look_at_camera(eye=(2.0, -4.0, 2.2), roll_deg=17.0),
    "portrait": look_at_camera(size=(720, 1280)),
    "wide": look_at_camera(eye=(0.0, -2.5, 0.4), fov_deg=90.0, size=(1920, 816)),
    "off centre": replace(look_at_camera(), K=look_at_camera().K + OFF_CENTRE),
}


def film(path: Path = VIDEO, **words) -> camera.Film:
    return camera.Film(path, **({"first": 0, "start_frame": 1.0, "fps": 30.0, "scene_fps": 30.0} | words))


def seen(scene, points) -> np.ndarray:
    """Pixels (N, 2) of world points as Blender's camera has them."""
    bpy.context.view_layer.update()
    views = np.array([world_to_camera_view(scene, scene.camera, Vector(point)) for point in points])
    size = np.array([scene.render.resolution_x, scene.render.resolution_y])
    return np.stack([views[:, 0], 1.0 - views[:, 1]], -1) * size


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("placement", [camera.Placement(), camera.Placement(0.37, (0.0, 0.0, -0.4))])
def test_blender_projects_as_the_motions_camera_does(scene, name, placement):
    wanted = CAMERAS[name]
    camera.match(scene, wanted, placement, film())
    points = POINTS * placement.scale + np.array(placement.origin)
    assert np.abs(seen(scene, points) - wanted.project(POINTS)).max() < 0.01


@pytest.mark.parametrize("unit_m", [1.0, 0.01])
@pytest.mark.parametrize("size", [0.6, 1.0, 1.9])
def test_the_figure_lies_over_the_person_whatever_its_size_and_the_scenes_unit(office, size, unit_m):  # noqa: F811
    scene, settings, motion = bpy.context.scene, bpy.context.scene.stc_mocap, office.motion
    scene.unit_settings.scale_length = unit_m
    settings.armature = bring.new_armature(bring.sized(motion.skeleton, size), "Person", scene)
    settings.armature.location = (3.0, 2.0, 1.0)
    settings.video, settings.lock_feet = str(VIDEO), False
    bpy.ops.stc_mocap.import_motion(filepath=str(office.folder / "walk.npz"))
    bpy.ops.stc_mocap.match_camera()
    off = []
    for frame in (1, 30, 61):
        scene.frame_set(frame)
        bones = settings.armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        joints = [name for name in motion.skeleton.joint_names if "toes" not in name]
        places = [settings.armature.matrix_world @ bones[_bone(name)].head for name in joints]
        pixels = motion.camera.project(motion.positions()[frame - 1])
        off.append(seen(scene, places) - pixels[[motion.skeleton.index(name) for name in joints]])
    assert np.abs(off).max() < 0.5


def _bone(joint: str) -> str:
    side, _, part = joint.partition("_")
    return f"{part}.{side[0].upper()}" if side in ("left", "right") else joint


def test_the_scene_gets_camera_and_resolution_and_is_told_of_both(scene):
    made, notes = camera.match(scene, CAMERAS["portrait"], camera.Placement(), film())
    assert scene.camera == made and (scene.render.resolution_x, scene.render.resolution_y) == (720, 1280)
    assert "resolution is now 720 × 1280" in notes[0]
    again, notes = camera.match(scene, CAMERAS["portrait"], camera.Placement(), film())
    assert again == made and len([obj for obj in scene.objects if obj.type == "CAMERA"]) == 1
    assert not any("resolution" in note for note in notes)


def test_the_scene_gets_the_rate_at_which_the_action_was_keyed(scene):
    keyframes.set_scene_fps(scene, 24.0)
    notes = camera.match(scene, CAMERAS["level"], camera.Placement(), film(fps=29.97, scene_fps=29.97))[1]
    assert keyframes.scene_fps(scene) == pytest.approx(29.97, abs=1e-4)
    assert any("29.97" in note for note in notes)


def shown_frame(scene, frame: int) -> int:
    """Which frame of the film, from 0, the background shows: as Blender counts for pictures that move."""
    scene.frame_set(frame)
    data = scene.camera.data.evaluated_get(bpy.context.evaluated_depsgraph_get())
    user = data.background_images[0].image_user
    return frame - user.frame_start + user.frame_offset


@pytest.mark.parametrize("first", [0, 47])
@pytest.mark.parametrize("start", [1.0, 101.0, -20.0])
def test_the_films_frame_is_the_motions(scene, first, start):
    camera.match(scene, CAMERAS["level"], camera.Placement(), film(first=first, start_frame=start))
    for number in (0, 1, 60):
        assert shown_frame(scene, int(start) + number) == first + number
    background = scene.camera.data.background_images[0]
    assert background.image.source == "MOVIE" and scene.camera.data.show_background_images


@pytest.mark.parametrize(("fps", "scene_fps"), [(30.0, 24.0), (25.0, 60.0), (60.0, 24.0)])
def test_the_film_keeps_pace_with_an_action_that_was_resampled(scene, fps, scene_fps):
    camera.match(
        scene, CAMERAS["level"], camera.Placement(), film(first=12, start_frame=5.0, fps=fps, scene_fps=scene_fps)
    )
    for number in range(0, 100, 7):
        assert abs(shown_frame(scene, 5 + number) - (12 + number * fps / scene_fps)) <= 0.5 + 1e-6


def test_where_the_motion_begins_in_the_video():
    part = {"video": {"start_s": 2.0}}
    assert camera.first_frame(made_walk(start_s=2.0, settings=part)) == 60
    assert camera.first_frame(made_walk(start_s=0.066, settings={"video": {"start_s": 0.0}})) == 0


def test_a_video_that_is_gone_or_is_none_is_said(scene, tmp_path):
    with pytest.raises(UserError, match="is not there"):
        camera.match(scene, CAMERAS["level"], camera.Placement(), film(tmp_path / "gone.mp4"))
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match="cannot show"):
        camera.match(scene, CAMERAS["level"], camera.Placement(), film(tmp_path / "text.mp4"))
    assert scene.camera is None and not any(image.filepath.endswith("text.mp4") for image in bpy.data.images)


def test_a_motion_without_a_camera_is_said(office):  # noqa: F811
    save_motion(replace(office.motion, camera=None), office.folder / "blind.npz")
    bpy.context.scene.stc_mocap.target = "CREATE"
    bpy.ops.stc_mocap.import_motion(filepath=str(office.folder / "blind.npz"))
    with pytest.raises(RuntimeError, match="not made from a video"):
        bpy.ops.stc_mocap.match_camera()
    assert take.of(take.current(bpy.context.scene.stc_mocap.armature)).kind == "smoothed"
