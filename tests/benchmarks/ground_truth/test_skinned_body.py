"""A skinned body's vertices and landmarks are where its bones take them; its file holds it whole."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from stc_core.capture.layout import BODY27
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from tests.benchmarks.ground_truth.body_truth import CONTACT_HEIGHT_M, FPS, foot_contacts
from tests.benchmarks.ground_truth.made_body import make_chain, make_person
from tests.benchmarks.ground_truth.skinned_body import (
    find_landmarks,
    find_lowest,
    load_body,
    pose_bones,
    save_body,
    skin_vertices,
)

QUARTER_ABOUT_X = rotation.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2)  # z goes to -y


def test_a_vertex_is_the_weighted_mean_of_where_its_bones_take_it() -> None:
    points = np.array([[0, 0, 0.5], [0, 0, 2], [0, 0, 2], [1, 0, 1]], float)
    weights = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.25, 0.75]])
    body = make_chain(points, weights, np.array([[0, 1, 2]]))
    tip = np.stack([rotation.IDENTITY, QUARTER_ABOUT_X])
    pose = pose_bones(body, {1: tip}, np.array([[0, 0, 0], [3, 0, 0]], float))
    at_rest, bent = skin_vertices(body, pose, np.arange(4))
    assert np.allclose(at_rest, points)
    assert np.allclose(bent, np.array([[3, 0, 0.5], [3, -1, 1], [3, -0.5, 1.5], [4, 0, 1]]))
    assert np.allclose(find_lowest(body, pose), [0.5, 0.5])


def test_bones_follow_their_parents() -> None:
    body = make_chain(np.array([[0.0, 0.0, 2.0]]), np.array([[0.0, 1.0]]), np.zeros((0, 3)))
    pose = pose_bones(body, {0: QUARTER_ABOUT_X[None]}, np.array([[0.0, 0.0, 5.0]]))
    assert np.allclose(skin_vertices(body, pose, np.arange(1)), [[[0.0, -2.0, 5.0]]])
    assert np.allclose(pose.matrices()[0, 1, :, :3], rotation.to_matrix(QUARTER_ABOUT_X))
    shifted = pose.shift(np.array([[1.0, 2.0, 3.0]]))
    assert np.allclose(skin_vertices(body, shifted, np.arange(1)), [[[1.0, 0.0, 8.0]]])


def test_landmarks_are_the_bones_heads_and_the_skins_vertices() -> None:
    body, frames, noise = make_person(), 5, np.random.default_rng(3)
    world = {bone: rotation.normalise(noise.normal(size=(frames, 4))) for bone in range(len(body.bone_names))}
    path = noise.normal(size=(frames, 3))
    found = dict(zip(BODY27.names, find_landmarks(body, pose_bones(body, world, path)).swapaxes(0, 1), strict=True))
    heads = body.heads_by_role()

    def step(role: str, start: Array, end: Array) -> Array:
        return rotation.rotate(world[body.bone_names.index(role)], end - start)

    hips = path + [step("pelvis", heads["pelvis"], heads[f"{side}_thigh"]) for side in ("left", "right")]
    assert np.allclose(found["pelvis"], hips.mean(0))
    elbow, wrist = heads["left_lower_arm"], heads["left_hand"]
    assert np.allclose(found["left_wrist"], found["left_elbow"] + step("left_lower_arm", elbow, wrist))
    nose, ear = (body.points[body.skin_points[name]] for name in ("nose", "left_ear"))
    assert np.allclose(found["nose"], found["left_ear"] + step("head", ear, nose))
    heel = body.points[body.skin_points["right_heel"]]
    assert np.allclose(found["right_heel"], found["right_ankle"] + step("right_foot", heads["right_foot"], heel))


def test_a_file_holds_all_of_a_body(tmp_path: Path) -> None:
    body = make_person()
    save_body(body, tmp_path / "person_000.npz")
    again = load_body(tmp_path / "person_000.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["person_000.npz"]
    for name in (field.name for field in fields(body)):
        own, read = getattr(body, name), getattr(again, name)
        if name == "feet":
            assert all(np.array_equal(own[side], read[side]) for side in ("left", "right"))
        else:
            assert np.array_equal(own, read) if isinstance(own, np.ndarray) else own == read


def test_a_foot_stands_that_is_slow_and_low() -> None:
    body = make_person()
    still = np.zeros((6, 3)) + body.heads[0]
    landmarks = find_landmarks(body, pose_bones(body, {}, still))
    assert foot_contacts(landmarks).all()
    assert not foot_contacts(landmarks + [0.0, 0.0, 2.0 * CONTACT_HEIGHT_M]).any()
    assert not foot_contacts(landmarks + np.arange(6)[:, None, None] * [0.2 / FPS, 0.0, 0.0]).any()
