"""What was exchanged by the detector becomes the motion that it would have become without."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from stc_core.capture.config import CaptureConfig
from stc_core.capture.pose import CameraIntrinsics
from stc_core.capture.reconstruct import load_lifter, reconstruct_motion
from stc_core.capture.sides.mend import exchange_sides
from stc_core.events import Event, Note
from tests.capture.sides.test_mend import make_walker, mark


def test_exchanged_sides_do_not_reach_the_motion() -> None:
    config, intrinsics = CaptureConfig(), CameraIntrinsics(focal_px=700.0, image_size=(640, 640))
    model, pose = load_lifter(config), make_walker(frames=60, heading_deg=30.0)
    exchanged = exchange_sides(pose, mark(pose, slice(10, 25), slice(12, 14)))
    events: list[Event] = []
    expected = reconstruct_motion(pose, model, intrinsics, config)
    motion = reconstruct_motion(exchanged, model, intrinsics, config, events.append)
    np.testing.assert_array_equal(motion.landmarks["landmarks_2d"], expected.landmarks["landmarks_2d"])
    np.testing.assert_allclose(motion.positions(), expected.positions(), atol=1e-6)
    assert next(event for event in events if isinstance(event, Note)).kind == "swap"
