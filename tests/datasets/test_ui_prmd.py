"""Markers on a person become landmarks at that person's joint centres; a made body whose truth is known judges it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stc_core.datasets import ui_prmd
from stc_core.datasets.plug_in_gait import estimate_joint_centres
from stc_core.geometry import rotation
from tests.datasets.made_people import (
    FRAMES,
    TURN,
    assert_a_person_facing,
    get_landmark,
    make_body,
    make_markers,
    write_prmd,
)


def test_joint_centres_lie_under_the_markers_within_a_centimetre() -> None:
    landmarks = estimate_joint_centres(make_markers(), head_pitch=np.arctan(0.2))
    for name, centre in make_body().items():
        assert np.linalg.norm(get_landmark(landmarks, name) - centre, axis=-1).max() < 0.01, name
    assert_a_person_facing(landmarks[:5], rotation.IDENTITY)


def test_the_whole_body_turned_turns_the_centres() -> None:
    markers = {name: rotation.rotate(TURN, values) for name, values in make_markers().items()}
    straight = rotation.rotate(TURN, estimate_joint_centres(make_markers()))
    np.testing.assert_allclose(estimate_joint_centres(markers), straight, atol=1e-9)


def test_a_wide_soft_pelvis_does_not_carry_the_hips_apart() -> None:
    markers = make_markers()
    for name, x in (("LASI", 0.1), ("RASI", -0.1)):
        markers[name] = markers[name] + [x, -0.1, 0.0]
    landmarks = estimate_joint_centres(markers)
    assert (
        np.linalg.norm(get_landmark(landmarks, "left_hip") - get_landmark(landmarks, "right_hip"), axis=-1).max() < 0.2
    )


def test_marker_takes_become_clips_with_level_heads(tmp_path: Path) -> None:
    clips = list(ui_prmd.read_ui_prmd(write_prmd(tmp_path)))
    assert [(c.name, c.subject, c.fps) for c in clips] == [
        ("m01_s03_e01", "prmd_s03", 50.0),
        ("m02_s04_e02_inc", "prmd_s04", 50.0),
    ]
    for clip in clips:
        assert_a_person_facing(clip.landmarks[:5], rotation.IDENTITY)


def test_a_short_gap_is_filled_and_a_long_one_cut_out(tmp_path: Path) -> None:
    whole, _ = ui_prmd.read_ui_prmd(write_prmd(tmp_path))
    short, _ = ui_prmd.read_ui_prmd(write_prmd(tmp_path, ("LKNE", slice(40, 49))))
    np.testing.assert_allclose(short.landmarks, whole.landmarks, atol=0.003)
    assert len(short.landmarks) == FRAMES
    long = list(ui_prmd.read_ui_prmd(write_prmd(tmp_path, ("LKNE", slice(40, 55)))))
    assert [(c.name, len(c.landmarks)) for c in long[:2]] == [("m01_s03_e01_part0", 40), ("m01_s03_e01_part1", 35)]
    assert len(list(ui_prmd.read_ui_prmd(write_prmd(tmp_path, ("LKNE", slice(0, FRAMES)))))) == 1
