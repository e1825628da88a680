"""Clips drawn for training show what their truth says; each follows from its number alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest
import torch

from stc_core.augment.windows import SourceMotion
from stc_core.datasets.ground_truth import read_ground_truth
from stc_core.errors import UserError
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera
from tests import synthetic
from tests.benchmarks.ground_truth.body_truth import FPS
from tests.benchmarks.ground_truth.made_body import make_chain, make_person
from tests.benchmarks.ground_truth.opengl_scene import Fabric, Lighting, Quad, Renderer, Scene, view_matrix
from tests.benchmarks.ground_truth.render_training import ClipDrawer, place_shadows
from tests.benchmarks.ground_truth.skinned_body import (
    SkinnedBody,
    find_landmarks,
    find_lowest,
    pose_bones,
    save_body,
    skin_vertices,
)
from tests.benchmarks.ground_truth.training_motion import move_body
from tests.benchmarks.ground_truth.training_scenes import NEAREST_M, SIZES, VISIBLE_FRACTION, draw_camera, make_box
from tests.test_boundaries import ROOT, imports_of

SIZE = (320, 180)
GREY = (0.1, 0.1, 0.1)


@pytest.fixture(scope="module")
def opengl() -> None:
    """Skips without OpenGL; asked in a process of its own, since drivers may end the one that they fail in."""
    code = "import moderngl; moderngl.create_context(standalone=True, backend='egl')"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if process.returncode:
        pytest.skip(f"no OpenGL through EGL here: {process.stderr.strip()[-200:]}")


def tilt_camera() -> Camera:
    return synthetic.look_at_camera((1.0, -4.0, 2.0), (0.0, 0.0, 1.0), size=SIZE, roll_deg=12.0)


def make_walk() -> Array:
    """Landmarks (T, 27, 3) of a walk towards -y."""
    return synthetic.body27(synthetic.walk(seconds=2.0))


def test_no_module_of_the_drawing_needs_blender() -> None:
    package, waiting, found = "tests.benchmarks.ground_truth", ["render_training"], set[str]()
    while waiting:
        name = waiting.pop()
        source = (ROOT / package.replace(".", "/") / f"{name}.py").read_text(encoding="utf-8")
        imported = imports_of(ast.parse(source), f"{package}.{name}")
        assert not {"bpy", "mathutils"} & imported, name
        assert "SPDX" not in source, name
        found.add(name)
        parts = {one.removeprefix(f"{package}.").split(".")[0] for one in imported if one.startswith(f"{package}.")}
        waiting += sorted(part for part in parts - found if (ROOT / package.replace(".", "/") / f"{part}.py").exists())
    assert {"opengl_scene", "training_motion", "skinned_body", "pose_transfer", "body_truth"} <= found


def test_the_picture_is_the_cameras() -> None:
    camera = tilt_camera()
    points = np.random.default_rng(0).uniform([-1, -1, 0], [1, 1, 2], (50, 3))
    clip = np.hstack([points, np.ones((50, 1))]) @ view_matrix(camera).T
    pixels = (clip[:, :2] / clip[:, 3:] + 1.0) / 2.0 * SIZE
    assert np.allclose(pixels, camera.project(points))
    depth = camera.to_camera_axes(points)[:, 2]
    assert (np.argsort(clip[:, 2] / clip[:, 3]) == np.argsort(depth)).all()


def test_cameras_see_the_person_whole_lenses_far_and_near() -> None:
    landmarks = make_walk()
    for seed in range(40):
        camera = draw_camera(Random(seed), landmarks, -np.pi / 2, SIZES[seed % len(SIZES)])
        assert np.allclose(camera.R @ camera.R.T, np.eye(3)) and np.linalg.det(camera.R) > 0.0
        assert camera.to_camera_axes(landmarks)[..., 2].min() >= NEAREST_M
        pixels = camera.project(landmarks[:, 0])
        assert ((pixels > 0.0) & (pixels < camera.image_size)).all(-1).mean() >= VISIBLE_FRACTION


def test_a_body_moves_as_recorded_and_stands_on_the_floor() -> None:
    body, walk = make_person(height=1.1), make_walk()
    pose, heading = move_body(body, walk + [5.0, 2.0, 0.3], Random(1))
    landmarks, lowest = find_landmarks(body, pose), find_lowest(body, pose)
    assert abs(np.degrees(heading) + 90.0) < 5.0
    assert np.abs(lowest).max() < 0.03
    assert np.allclose(landmarks[:, 0, :2].min(0), -landmarks[:, 0, :2].max(0))
    own, recorded = (rotation.normalise(points[:, 3:] - points[:, :1]) for points in (landmarks, walk))
    assert np.degrees(np.arccos((own * recorded).sum(-1).mean())) < 15.0
    shadows = place_shadows(landmarks)
    assert shadows.shape == (len(walk), 8, 4) and (shadows[..., 3] >= 0.0).all() and shadows[..., 3].max() > 0.4


def draw_red_pixels(body: SkinnedBody, bones: Array, quads: list[Quad]) -> Array:
    """The pixels (N, 2), x and y of their middles, where a red body is drawn under even light."""
    lighting = Lighting(
        light_direction=np.eye(2, 3), light_colour=np.zeros((2, 3)), sky=np.ones(3), ground=np.ones(3), gain=1.0
    )
    fabric = Fabric(second=np.zeros((2, 3)), pattern=np.zeros((2, 4)))
    renderer = Renderer()
    renderer.load_scene(Scene(body=body, quads=quads, camera=tilt_camera(), lighting=lighting, fabric=fabric), SIZE)
    picture = renderer.draw(bones, np.zeros((1, 4)))
    assert picture.shape == (SIZE[1], SIZE[0], 4)
    y, x = np.nonzero((picture[..., 0] > 200) & (picture[..., 1] < 50))
    return np.stack([x, y], -1) + 0.5


def test_a_body_is_drawn_where_its_vertices_are(opengl: None) -> None:
    corners = 0.2 * np.array([[-1, 0, -1], [1, 0, -1], [0, 0, 1]]) + [0.3, 0.0, 1.4]
    weights = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    body = make_chain(corners, weights, np.array([[0, 1, 2]]))
    turned = rotation.from_axis_angle([0.0, 1.0, 0.0], [0.0, 0.8])
    pose = pose_bones(body, {1: turned}, np.array([[0.0, 0.0, 0.0], [-0.4, 0.2, 0.1]]))
    floor = Quad(corner=np.array([-3.0, -3.0, 0.0]), u=np.array([6.0, 0, 0]), v=np.array([0, 6.0, 0]), colour=GREY)
    for bones, vertices in zip(pose.matrices(), skin_vertices(body, pose, np.arange(3)), strict=True):
        expected = tilt_camera().project(vertices)
        drawn = draw_red_pixels(body, bones, [floor])
        edges = np.diff(expected, axis=0)
        assert len(drawn) > 50 and abs(len(drawn) - abs(np.cross(*edges)) / 2.0) < 0.1 * len(drawn)
        assert np.abs(drawn.mean(0) - expected.mean(0)).max() < 0.7
        box = make_box(vertices.mean(0) + [0.15, -0.6, 0.2], (0.3, 0.02, 0.5), 0.0, GREY)
        assert not len(draw_red_pixels(body, bones, [floor, *box]))


@pytest.fixture
def drawer_folder(opengl: None, tmp_path: Path) -> Path:
    for number, height in enumerate((1.0, 1.1)):
        save_body(make_person(height), tmp_path / f"person_{number:03d}.npz")
    return tmp_path


def make_motion() -> SourceMotion:
    walk = torch.tensor(make_walk(), dtype=torch.float32)
    first, last = torch.zeros(len(walk), dtype=torch.long), torch.full((len(walk),), len(walk) - 1)
    return SourceMotion(source="made", landmarks=walk, first=first, last=last, fps=float(FPS))


def make_drawer(bodies: Path, out: str) -> ClipDrawer:
    (bodies / out).mkdir()
    return ClipDrawer([make_motion()], bodies, bodies / out, seconds=0.4)


def test_a_clip_follows_from_its_number_alone(drawer_folder: Path) -> None:
    assert make_drawer(drawer_folder, "alone").write_clip(6).startswith("clip_000006: 12 frames of (640, 480)")
    after = make_drawer(drawer_folder, "after")
    for number in (5, 6):
        after.write_clip(number)
    names = ["clip_000006.mp4", "clip_000006.npz"]
    assert sorted(path.name for path in (drawer_folder / "alone").iterdir()) == names
    files = [(drawer_folder / folder / name).read_bytes() for name in names for folder in ("alone", "after")]
    assert files[0] == files[1] and files[2] == files[3]
    assert files[2] != (drawer_folder / "after" / "clip_000005.npz").read_bytes()


def test_a_clip_that_is_there_is_left(drawer_folder: Path) -> None:
    drawer = make_drawer(drawer_folder, "out")
    (drawer_folder / "out" / "clip_000003.npz").write_bytes(b"there")
    assert drawer.write_clip(3) == ""
    assert [path.read_bytes() for path in (drawer_folder / "out").iterdir()] == [b"there"]


def test_a_clip_is_read_as_rendered_ones_are(drawer_folder: Path) -> None:
    make_drawer(drawer_folder, "out").write_clip(1)
    truth = read_ground_truth(drawer_folder / "out" / "clip_000001.npz")
    assert truth.fps == FPS and len(truth.landmarks) == 12 and truth.landmarks[..., 2].min() > -0.03
    with av.open(str(truth.video)) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 12 and (frames[0].width, frames[0].height) == truth.camera.image_size


def test_a_clip_of_one_source_has_its_name_and_its_motion(drawer_folder: Path) -> None:
    drawer = make_drawer(drawer_folder, "out")
    drawer.write_clip(2)
    still = make_motion().landmarks[:1].expand(30, -1, -1).contiguous()
    first, last = torch.zeros(30, dtype=torch.long), torch.full((30,), 29)
    drawer.write_clip(2, SourceMotion(source="still", landmarks=still, first=first, last=last, fps=float(FPS)))
    out = drawer_folder / "out"
    assert sorted(path.stem for path in out.glob("*.npz")) == ["clip_000002", "still_000002"]
    truths = [read_ground_truth(out / f"{name}_000002.npz") for name in ("clip", "still")]
    moved = [np.ptp(truth.landmarks, axis=0).max() for truth in truths]
    assert moved[1] < 0.05 < moved[0]


def test_a_folder_without_bodies_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no bodies"):
        make_drawer(tmp_path, "out")
