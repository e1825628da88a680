"""The whole way on a rendered clip whose every joint is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.capture.pipeline import CaptureConfig, capture
from stc_core.capture.pose import H36M17
from stc_core.capture.video import VideoConfig
from stc_core.errors import UserError
from stc_core.model.stcformer import STCFormer, STCFormerConfig
from stc_core.motion.motion import Motion
from stc_core.training.metrics import p_mpjpe
from tests.truth.known import Known, read_known

SAMPLE = Path(__file__).parents[1] / "truth" / "sample.mp4"

LIMBS = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)


@pytest.fixture(scope="module")
def motion() -> Motion:
    return capture(SAMPLE)


@pytest.fixture(scope="module")
def known() -> Known:
    return read_known(SAMPLE.with_suffix(".npz"))


def limbs(motion: Motion) -> np.ndarray:
    return motion.landmarks["landmarks_3d"][:, [motion.landmark_names.index(name) for name in LIMBS]]


def test_the_limbs_are_where_they_were(motion: Motion, known: Known) -> None:
    found, true = limbs(motion), known.rows(LIMBS)
    assert found.shape == true.shape
    assert p_mpjpe(found, true) < 0.085  # what MediaPipe's own 3D reaches on such clips


def test_the_skeleton_lies_over_the_person_in_the_picture(motion: Motion, known: Known) -> None:
    assert motion.camera is not None
    seen = motion.camera.project(limbs(motion))
    true = known.camera.project(known.rows(LIMBS))
    height = np.ptp(true[..., 1], axis=1).mean()
    assert np.linalg.norm(seen - true, axis=-1).mean() < 0.05 * height


def test_nothing_sinks_and_feet_in_contact_stand_still(motion: Motion) -> None:
    feet = [motion.skeleton.index(f"{side}_foot") for side in ("left", "right")]
    positions = motion.positions()
    speed = np.linalg.norm(np.diff(positions[:, feet], axis=0), axis=-1)
    both = motion.contacts[1:] & motion.contacts[:-1]
    assert both.any() and speed[both].mean() < 0.003
    assert positions[..., 2].min() > -0.02


def test_the_same_video_gives_the_same_motion(motion: Motion) -> None:
    again = capture(SAMPLE)
    assert np.array_equal(again.q_parent_joint, motion.q_parent_joint)
    assert np.array_equal(again.t_world_root, motion.t_world_root)


def test_slow_motion_gives_the_same_poses_in_less_time(motion: Motion) -> None:
    slow = capture(SAMPLE, CaptureConfig(video=VideoConfig(end_s=2.0, slow_motion=2.0)))
    assert slow.fps == pytest.approx(2 * motion.fps) and len(slow.t_world_root) == round(2 * motion.fps)


def test_published_weights_walk_the_whole_way(tmp_path: Path) -> None:
    """Random ones, in the published form: 17 joints, no feet, hands or ears. Nothing is missing but the accuracy."""
    torch.manual_seed(0)
    torch.save(STCFormer(STCFormerConfig(width=32, blocks=2)).state_dict(), tmp_path / "published.pth")
    config = CaptureConfig(weights=tmp_path / "published.pth", video=VideoConfig(end_s=1.0))
    motion = capture(SAMPLE, config)
    assert motion.landmark_names == H36M17.names and len(motion.t_world_root) == 30
    assert np.isfinite(motion.positions()).all()


def test_missing_weights_are_named() -> None:
    with pytest.raises(UserError, match=r"none\.safetensors"):
        capture(SAMPLE, CaptureConfig(weights=Path("none.safetensors")))
