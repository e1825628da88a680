"""Crops show what is around a person's hands, in place to a fraction of a pixel, at any size of the person."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mediapipe")

from stc_core.capture.detect.crops import CROP_PX, Crop, find_wrists, measure_scale, place_hand_crop, place_head_crop
from tests.capture.detect.sources import make_body


@pytest.mark.parametrize("side_px", [100.0, 256.0, 400.0, 900.0])
@pytest.mark.parametrize("centre", [(300.0, 200.0), (20.5, 33.25), (590.0, 470.0)])
def test_what_is_seen_in_a_crop_is_where_it_was_in_the_picture(side_px: float, centre: tuple[float, float]) -> None:
    across, down = np.meshgrid(np.arange(640.0), np.arange(480.0))
    spot = np.array([centre[0] + 4.0, centre[1] - 6.0])
    glow = 255.0 * np.exp(-((across - spot[0]) ** 2 + (down - spot[1]) ** 2) / (2.0 * 5.0**2))
    crop = Crop(centre=np.array(centre), side_px=side_px)
    seen = crop.cut_out(np.repeat(glow[..., None], 3, -1).astype(np.uint8))[..., 0].astype(float)
    columns, rows = np.meshgrid(np.arange(CROP_PX), np.arange(CROP_PX))
    found = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum() / CROP_PX
    assert np.linalg.norm(crop.to_picture(found[None])[0] - spot) < 0.01 * side_px


def test_a_person_twice_as_large_has_crops_twice_as_large_around_the_same_hands() -> None:
    near, far = make_body(400.0), make_body(200.0)
    assert measure_scale(near) == pytest.approx(400.0, rel=1e-3)
    for side in range(2):
        crops = [place_hand_crop(body, side, measure_scale(body)) for body in (near, far)]
        assert crops[0].side_px == pytest.approx(2.0 * crops[1].side_px, rel=1e-3)
        inside = np.abs(find_wrists(near)[side] - crops[0].centre)
        assert (inside < 0.4 * crops[0].side_px).all()
    head = place_head_crop(near, measure_scale(near))
    assert (np.abs(near[:11, :2] - head.centre) < head.side_px / 2.0).all()


def test_a_crop_whose_middle_is_outside_is_not_in_the_picture() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    assert Crop(centre=np.array([0.0, 479.0]), side_px=50.0).is_centred_in(frame)
    assert not Crop(centre=np.array([-1.0, 100.0]), side_px=50.0).is_centred_in(frame)
    assert not Crop(centre=np.array([100.0, 480.0]), side_px=50.0).is_centred_in(frame)
