"""The fit finds again the figures that errors were drawn from."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.augment.detector_noise import (
    CONSTANT_S,
    LIMBS,
    OUTSIDE,
    VISIBLE,
    DetectorErrors,
    load_errors,
    parse_errors,
)
from stc_core.augment.occlusion import body_directions
from stc_core.capture.layout import BODY27
from stc_core.datasets.dataset_plan import DatasetInfo, ShardClip, Take, TakeClips
from stc_core.datasets.ground_truth import read_ground_truth
from stc_core.datasets.shard_writer import write_shards
from stc_core.errors import UserError
from stc_core.evaluation import detector_error_check, detector_error_fit, observed_clip

from ..truth.test_sample import SAMPLE

ANKLE, TWIN = (BODY27.index(f"{side}_ankle") for side in ("left", "right"))


def bare(turn: float) -> observed_clip.ObservedClip:
    """The sample clip as a camera beside it sees it, without errors; nothing is detected yet."""
    known = read_ground_truth(SAMPLE)
    joints = torch.tensor(known.rows(BODY27.names) @ known.camera.R.T + known.camera.t, dtype=torch.float32)
    middle, angle = joints[:, :1].mean(0, keepdim=True), torch.tensor(turn)
    c, s = angle.cos(), angle.sin()
    about = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    joints = (joints - middle) @ about.T + middle
    nothing, found = torch.ones(joints.shape[:2]), torch.ones(len(joints), dtype=torch.bool)
    half = torch.tensor([5.0, 5.0])
    return observed_clip.ObservedClip(
        "sample", joints, joints[..., :2] / joints[..., 2:], nothing, found, half, known.fps
    )


@pytest.fixture(scope="module")
def known_errors() -> DetectorErrors:
    """Simple figures: nothing but a constant part, and errors that last 0.2 s."""
    shipped = load_errors(torch.device("cpu"))
    bias = torch.zeros(27, 5)
    bias[[ANKLE, TWIN], 2] = 0.06
    bias[ANKLE, 0], bias[TWIN, 0] = 0.04, -0.04
    shares = torch.tensor([0.0, 0.0, 0.8, 0.0, 0.0, 0.2])
    return replace(
        shipped,
        bias=bias,
        lag_s=torch.full((27,), 0.02),
        contralateral_bias=torch.zeros(27),
        times_s=torch.tensor(detector_error_fit.TIMES_S),
        time_fractions=shares.expand(4, -1),
        covariance_factor=torch.eye(27),
        spread=torch.full_like(shipped.spread, 0.02),
        burst=torch.zeros_like(shipped.burst),
        growth_s=torch.tensor(0.0),
        level=torch.tensor(0.0),
        swaps={},
        gaps=(0.0, 0.1),
    )


@pytest.fixture(scope="module")
def refit_result(known_errors: DetectorErrors) -> tuple[list[observed_clip.ObservedClip], DetectorErrors]:
    drawn = [
        c for turn in range(6) for c in detector_error_check.draw_errors(bare(float(turn)), known_errors, 3, seed=turn)
    ]
    return drawn, parse_errors(detector_error_fit.fit_detector_errors(drawn) | {"detector": "made"})


def test_the_constant_part_is_found(
    known_errors: DetectorErrors, refit_result: tuple[list[observed_clip.ObservedClip], DetectorErrors]
) -> None:
    clips, found = refit_result
    along = body_directions(clips[0].joints)
    shifts = [(e.bias[..., None] * along).sum(-2)[:, [ANKLE, TWIN]] for e in (found, known_errors)]
    assert (shifts[0] - shifts[1]).norm(dim=-1).mean() < 0.01
    assert found.lag_s[ANKLE] == pytest.approx(0.02, abs=0.008)


def test_sizes_and_how_long_they_last_are_found(
    refit_result: tuple[list[observed_clip.ObservedClip], DetectorErrors],
) -> None:
    found = refit_result[1]
    assert found.spread[VISIBLE, ANKLE, -1] == pytest.approx(0.02, rel=0.2)
    assert found.burst[ANKLE, -1] < 0.3 and found.level < 0.1 and found.growth_s < 0.03
    for seconds in (0.1, 0.5):
        after = float((found.time_fractions[3] * torch.exp(-seconds / found.times_s.clamp(min=1e-6))).sum())
        assert after == pytest.approx(0.8 * math.exp(-seconds / 0.2) + 0.2, abs=0.12)
    assert found.times_s[-1] == CONSTANT_S


def test_what_is_found_draws_alike(refit_result: tuple[list[observed_clip.ObservedClip], DetectorErrors]) -> None:
    clips, found = refit_result
    true, made = detector_error_check.compare(clips[::3], found, times=3)
    assert made["tail"][:4] == pytest.approx(true["tail"][:4], rel=0.12)
    assert made["median"][ANKLE] == pytest.approx(true["median"][ANKLE], rel=0.15)


def test_exchanged_legs_are_told_and_left_out(known_errors: DetectorErrors) -> None:
    clip = detector_error_check.draw_errors(bare(0.0), known_errors, 1, seed=1)[0]
    keypoints = clip.keypoints.clone()
    legs = [BODY27.index(name) for name in LIMBS["legs"]]
    keypoints[10:20, legs] = keypoints[10:20][:, [BODY27.mirror[k] for k in legs]]
    crossed = replace(clip, keypoints=keypoints)
    apart = (clip.exact[:, ANKLE] - clip.exact[:, TWIN]).norm(dim=-1) / clip.unit[:, ANKLE, 0] > 0.4
    assert apart[10:20].any() and not observed_clip.find_swaps(clip, "legs").any()
    assert observed_clip.find_swaps(crossed, "legs")[10:20][apart[10:20]].all()
    assert not observed_clip.find_swaps(crossed, "arms").any()


def test_a_mirrored_clip_errs_alike(known_errors: DetectorErrors) -> None:
    clip = detector_error_check.draw_errors(bare(2.0), known_errors, 1, seed=2)[0]
    again = clip.mirror_landmarks()
    assert torch.allclose(again.offset[:, TWIN] * torch.tensor([-1.0, 1.0]), clip.offset[:, ANKLE], atol=1e-5)
    assert torch.equal(again.states, clip.states[:, observed_clip.MIRROR])


def write_views(folder: Path) -> None:
    """The sample clip's true projection as shards, a tenth of a torso too low, half visible; nobody in frame 2."""
    known = read_ground_truth(SAMPLE)
    joints = known.camera.to_camera_axes(known.rows(BODY27.names))
    keypoints = known.camera.project(known.rows(BODY27.names))
    torso = np.linalg.norm(joints[:, BODY27.index("thorax")] - joints[:, BODY27.index("pelvis")], axis=-1)
    keypoints[..., 1] += 0.1 * known.camera.K[1, 1] * torso[:, None] / joints[..., 2]
    valid = np.arange(len(joints)) != 2
    clip = ShardClip(
        name="low",
        subject="somebody",
        fps=known.fps,
        joints=joints,
        keypoints=keypoints,
        scores=np.full(joints.shape[:2], 0.5) * valid[:, None],
        K=known.camera.K,
        image_size=known.camera.image_size,
        valid=valid,
    )
    info = DatasetInfo("rendered", "our own", BODY27.name, "views", {})
    write_shards(folder / "rendered", info, [Take("low", lambda: TakeClips([clip]), "")])


def test_prepared_shards_hold_what_was_detected(tmp_path: Path) -> None:
    write_views(tmp_path)
    (clip,) = observed_clip.observe_shards(tmp_path)
    expected = torch.tensor([0.0, 0.1]).expand_as(clip.offset)
    torch.testing.assert_close(clip.offset, expected, atol=2e-3, rtol=0.0)
    assert (~clip.found).nonzero()[:, 0].tolist() == [2]
    inside = clip.found[:, None] & (clip.states != OUTSIDE)
    torch.testing.assert_close(clip.visibility[inside], torch.full_like(clip.visibility[inside], 0.5))


def test_a_folder_without_recorded_pairs_is_refused(tmp_path: Path) -> None:
    known = read_ground_truth(SAMPLE)
    clip = ShardClip(name="body", subject="somebody", fps=known.fps, joints=known.rows(BODY27.names))
    info = DatasetInfo("made", "our own", BODY27.name, "bodies", {})
    write_shards(tmp_path / "made", info, [Take("body", lambda: TakeClips([clip]), "")])
    with pytest.raises(UserError, match="no recorded pairs"):
        observed_clip.observe_shards(tmp_path)
