"""The measured errors: what is drawn has the figures it is drawn from, at any rate, on any side, again by its seed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from stc_core.augment import detector_noise as noise
from stc_core.augment.detector_noise import CONSTANT_S, HIDDEN, OUTSIDE, VISIBLE, DetectorErrors
from stc_core.augment.occlusion import body_directions, find_self_occlusion, torso_length
from stc_core.augment.virtual_camera import CameraConfig, NoiseConfig, project, simulate_detector
from stc_core.capture.layout import BODY27

MIRROR = list(BODY27.mirror)
FREE = [i for i, name in enumerate(BODY27.names) if name not in noise.MIDPOINTS]
_AT = {"pelvis": (0, 0.95), "spine": (0, 1.2), "thorax": (0, 1.42), "nose": (0, 1.6), "head": (0, 1.72)}
_SIDE = {"hip": (0.1, 0.95), "knee": (0.11, 0.52), "ankle": (0.12, 0.1), "heel": (0.12, 0.03), "toe": (0.14, 0.02)}
_SIDE |= {"shoulder": (0.18, 1.42), "elbow": (0.3, 1.15), "wrist": (0.36, 0.92), "pinky": (0.38, 0.83)}
_SIDE |= {"index": (0.36, 0.82), "ear": (0.08, 1.6)}
_FORWARD = {"toe": 0.15, "heel": -0.06, "nose": 0.11, "knee": 0.02, "index": 0.04}


def make_standing_body() -> Tensor:
    """A body (27, 3) that stands and faces -y, metres, z up."""
    points = []
    for name in BODY27.names:
        side, _, kind = name.rpartition("_")
        x, z = _SIDE[kind] if side else _AT[kind]
        points.append([x * (1.0 if side == "left" else -1.0), -_FORWARD.get(kind, 0.0), z])
    return torch.tensor(points)


def place_before_camera(turn_deg: float = 0.0, distance: float = 4.0) -> Tensor:
    """The standing body (27, 3) turned about z, in the axes of a camera that looks along +y."""
    c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    turned = make_standing_body() @ torch.tensor([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return torch.stack([turned[:, 0], 1.0 - turned[:, 2], turned[:, 1] + distance], -1)


def quiet(**changes: Any) -> DetectorErrors:
    """The shipped figures without any error, but for the changes."""
    shipped = noise.load_errors(torch.device("cpu"))
    nothing: dict[str, Any] = {
        "bias": torch.zeros(27, 5),
        "lag_s": torch.zeros(27),
        "contralateral_bias": torch.zeros(27),
        "spread": torch.zeros_like(shipped.spread),
        "burst": torch.zeros_like(shipped.burst),
        "growth_s": torch.tensor(0.0),
        "level": torch.tensor(0.0),
        "covariance_factor": torch.eye(27),
        "visibility_covariance_factor": torch.eye(27),
        "swaps": dict.fromkeys(noise.LIMBS, (0.0, 0.1)),
        "gaps": (0.0, 0.1),
    }
    return replace(shipped, **(nothing | changes))


def set_time_fractions(*shares: float) -> dict[str, Tensor]:
    """All landmarks last alike: shares of one frame's, 0.3 s and constant errors."""
    times = torch.tensor([0.0, 0.3, CONSTANT_S])
    return {
        "times_s": times,
        "time_fractions": torch.tensor([shares] * 4),
        "visibility_time_fractions": torch.tensor(shares),
    }


def offsets(joints: Tensor, errors: DetectorErrors, rate_hz: float = 20.0, state: int = VISIBLE) -> Tensor:
    """DetectorErrors drawn (B, T, 27, 2), torsos as they show in the picture."""
    states = torch.full(joints.shape[:-1], state)
    found = noise.apply_errors(joints, states, errors, rate_hz)[0]
    return (found - joints[..., :2] / joints[..., 2:]) * joints[..., 2:] / torso_length(joints)[..., None, None]


def test_the_constant_error_is_the_bias_fixed_to_the_body() -> None:
    bias = torch.zeros(27, 5)
    wrist = BODY27.index("left_wrist")
    bias[wrist] = torch.tensor([0.1, 0.0, 0.05, 0.0, 0.0])
    front, side = (place_before_camera(turn).expand(1, 3, -1, -1) for turn in (0.0, 90.0))
    from_front, from_side = (offsets(joints, quiet(bias=bias))[0, 0, wrist] for joints in (front, side))
    assert torch.allclose(from_front, torch.tensor([0.1, -0.05]), atol=2e-3)
    assert torch.allclose(from_side, torch.tensor([0.0, -0.05]), atol=8e-3)  # its left points along the view


@pytest.mark.parametrize("state", [VISIBLE, HIDDEN, OUTSIDE])
def test_errors_are_as_large_as_their_state_and_landmark_ask(state: int) -> None:
    torch.manual_seed(0)
    spread = (torch.rand(3, 27, 1) + 0.5).expand(-1, -1, 7) / 10.0
    drawn = offsets(
        place_before_camera().expand(4000, 2, -1, -1),
        quiet(spread=spread, **set_time_fractions(0.6, 0.4, 0.0)),
        state=state,
    )
    assert torch.allclose(drawn[:, 0, FREE].std((0, 2)), spread[state, FREE, 0], rtol=0.06)


def test_errors_grow_as_visibility_falls() -> None:
    errors = quiet(spread=torch.linspace(0.2, 0.02, 7).expand(3, 27, -1))
    visibility = torch.linspace(0.0, 1.0, 101)[None, :, None].expand(1, 101, 27)
    read = noise._interpolate_spread(visibility, torch.zeros(1, 101, 27, dtype=torch.long), errors)[0]
    assert (read.diff(dim=1) <= 1e-7).all()
    assert torch.isclose(read.max(), torch.tensor(0.2)) and torch.isclose(read.min(), torch.tensor(0.02))


@pytest.mark.parametrize("rate_hz", [10.0, 20.0, 60.0])
def test_errors_last_as_many_seconds_at_any_rate(rate_hz: float) -> None:
    torch.manual_seed(1)
    errors = quiet(spread=torch.full((3, 27, 7), 0.02), **set_time_fractions(0.2, 0.5, 0.3))
    frames = round(0.6 * rate_hz) + 1
    drawn = offsets(place_before_camera().expand(3000, frames, -1, -1), errors, rate_hz)[:, :, FREE]
    for seconds in (0.1, 0.3, 0.6):
        lag = round(seconds * rate_hz)
        found = (drawn[:, 0] * drawn[:, lag]).mean() / (drawn[:, 0] ** 2).mean()
        assert found == pytest.approx(0.5 * math.exp(-seconds / 0.3) + 0.3, abs=0.02)


def test_the_lag_is_in_seconds() -> None:
    """A body that moves a metre a second to the right is seen where it was 0.02 s ago."""
    lag = quiet(lag_s=torch.full((27,), 0.02))
    for rate_hz in (20.0, 60.0):
        steps = torch.arange(9) / rate_hz
        moving = place_before_camera() + torch.stack([steps, 0 * steps, 0 * steps], -1)[:, None]
        drawn = offsets(moving[None], lag, rate_hz)[0, 4] * torso_length(moving[4])
        assert torch.allclose(drawn[FREE], torch.tensor([-0.02, 0.0]).expand(len(FREE), 2), atol=1e-4)


def test_errors_grow_with_speed_at_any_rate() -> None:
    errors = quiet(spread=torch.full((3, 27, 7), 0.01), growth_s=torch.tensor(0.5), **set_time_fractions(0.6, 0.4, 0.0))
    for rate_hz in (20.0, 60.0):
        torch.manual_seed(9)
        steps = torch.arange(3) / rate_hz
        moving = place_before_camera() + torch.stack([steps, 0 * steps, 0 * steps], -1)[:, None]
        drawn = offsets(moving.expand(4000, -1, -1, -1), errors, rate_hz)[:, 1, FREE].std((0, 2))
        assert torch.allclose(drawn, 0.01 * (1.0 + 0.5 / torso_length(moving[1])).expand(len(FREE)), rtol=0.06)


def test_what_is_not_visible_is_drawn_to_its_twin() -> None:
    errors = quiet(contralateral_bias=torch.full((27,), 0.5), visibility=torch.full((3, 27, 11), 0.2))
    joints = place_before_camera().expand(1, 2, -1, -1)
    found, visibility = noise.apply_errors(joints, torch.zeros(1, 2, 27, dtype=torch.long), errors, 20.0)
    wrist, twin = (BODY27.index(f"{side}_wrist") for side in ("left", "right"))
    exact = joints[0, 0, :, :2] / joints[0, 0, :, 2:]
    assert torch.allclose(visibility, torch.tensor(0.2))
    assert torch.allclose(found[0, 0, wrist], exact[wrist] + 0.3 * (exact[twin] - exact[wrist]), atol=1e-5)


def test_visibilities_have_their_states_quantiles() -> None:
    torch.manual_seed(2)
    table = torch.rand(3, 27, 11).sort(-1).values
    errors = quiet(visibility=table, **set_time_fractions(0.3, 0.3, 0.4))
    states = torch.randint(3, (20000, 2, 27))
    visibility = noise.apply_errors(place_before_camera().expand(20000, 2, -1, -1), states, errors, 20.0)[1][:, 0]
    for state in (VISIBLE, HIDDEN, OUTSIDE):
        for k in FREE:
            drawn = visibility[states[:, 0, k] == state, k].quantile(torch.linspace(0, 1, 11))
            assert (drawn - table[state, k]).abs().max() < 0.08
    assert torch.equal(
        visibility[:, BODY27.index("spine")], visibility[:, [BODY27.index("pelvis"), BODY27.index("thorax")]].amin(-1)
    )


@pytest.mark.parametrize("rate_hz", [10.0, 30.0])
def test_limbs_are_exchanged_as_often_and_as_long_as_told(rate_hz: float) -> None:
    torch.manual_seed(3)
    errors = quiet(swaps=dict.fromkeys(noise.LIMBS, (0.0, 0.1)) | {"legs": (0.05, 0.4)})
    frames = round(3.0 * rate_hz)
    found = noise.apply_errors(
        place_before_camera().expand(8000, frames, -1, -1),
        torch.zeros(8000, frames, 27, dtype=torch.long),
        errors,
        rate_hz,
    )[0]
    exchanged = found[..., BODY27.index("left_ankle"), 0] < 0.0
    assert exchanged.float().mean() == pytest.approx(0.05 * 0.4, rel=0.2)
    assert (found[..., BODY27.index("left_wrist"), 0] > 0.0).all()


def test_nobody_is_found_as_often_as_told() -> None:
    torch.manual_seed(10)
    errors = quiet(gaps=(0.1, 0.3))
    joints = place_before_camera().expand(4000, 60, -1, -1)
    scores = simulate_detector(joints, torch.ones(4000, 2), NoiseConfig(hide=0.0, gap=0.0), errors)[1]
    assert (scores == 0).all(-1).float().mean() == pytest.approx(0.1 * 0.3, rel=0.2)


@pytest.mark.parametrize("model", ["measured", "guessed"])
def test_scale_zero_is_exact(model: Literal["measured", "guessed"]) -> None:
    bodies = make_standing_body().expand(8, 5, -1, -1)
    torch.manual_seed(4)
    views = project(bodies, CameraConfig(), NoiseConfig(scale=0.0, model=model))
    assert views.scores.min() >= 0.0 and torch.isfinite(views.keypoints).all()
    joints, half = place_before_camera().expand(8, 5, -1, -1), torch.ones(8, 2)
    keypoints, _ = simulate_detector(joints, half, NoiseConfig(scale=0.0, model=model))
    exact = joints[..., :2] / joints[..., 2:]
    assert (keypoints - exact)[:, :, FREE].abs().max() < 1e-6


def test_half_the_scale_is_half_the_error() -> None:
    joints, half = place_before_camera().expand(64, 9, -1, -1), torch.ones(64, 2)
    exact = joints[..., :2] / joints[..., 2:]
    errors = replace(noise.load_errors(torch.device("cpu")), swaps={}, contralateral_bias=torch.zeros(27))
    sizes = []
    for scale in (0.5, 1.0):
        torch.manual_seed(5)
        keypoints, _ = simulate_detector(joints, half, NoiseConfig(model="measured", scale=scale, gap=0.0), errors)
        sizes.append((keypoints - exact)[:, :, FREE].norm(dim=-1).mean())
    assert sizes[0] / sizes[1] == pytest.approx(0.5, abs=0.02)


def test_a_seed_draws_the_same_again() -> None:
    bodies = make_standing_body().expand(6, 9, -1, -1)
    drawn = []
    for seed in (6, 6, 7):
        torch.manual_seed(seed)
        drawn.append(project(bodies, CameraConfig(), NoiseConfig(model="measured")))
    assert torch.equal(drawn[0].keypoints, drawn[1].keypoints) and torch.equal(drawn[0].scores, drawn[1].scores)
    assert not torch.equal(drawn[0].keypoints, drawn[2].keypoints)


@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (3, 1), (2, 27), (2, 243)])
def test_any_batch_and_length(batch: int, frames: int) -> None:
    views = project(make_standing_body().expand(batch, frames, -1, -1), CameraConfig(), NoiseConfig(model="measured"))
    assert views.keypoints.shape == (batch, frames, 27, 2) and views.scores.shape == (batch, frames, 27)
    assert torch.isfinite(views.keypoints).all() and ((views.scores >= 0) & (views.scores <= 1)).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_stays_on_the_device() -> None:
    views = project(make_standing_body().expand(4, 9, -1, -1).cuda(), CameraConfig(), NoiseConfig(model="measured"))
    assert views.keypoints.is_cuda and views.scores.is_cuda


def test_directions_and_hiding_are_mirrored_with_the_body() -> None:
    joints = torch.stack([place_before_camera(turn) for turn in range(0, 360, 15)])
    mirrored = joints[:, MIRROR] * torch.tensor([-1.0, 1.0, 1.0])
    turned = body_directions(joints)[:, MIRROR] * torch.tensor([-1.0, 1.0, 1.0])
    turned[:, :, 0] *= -1.0
    assert torch.allclose(body_directions(mirrored), turned, atol=1e-5)
    assert torch.equal(find_self_occlusion(mirrored), find_self_occlusion(joints)[:, MIRROR])


def test_the_body_hides_what_is_behind_it() -> None:
    front, left = find_self_occlusion(place_before_camera(0.0)), find_self_occlusion(place_before_camera(-90.0))
    assert not front[[BODY27.index(n) for n in ("nose", "left_wrist", "right_knee", "left_shoulder", "pelvis")]].any()
    side = {name: bool(left[BODY27.index(name)]) for name in BODY27.names}
    assert all(side[f"right_{name}"] for name in ("elbow", "knee", "hip", "ear", "shoulder"))
    assert not any(side[f"left_{name}"] for name in ("elbow", "knee", "wrist", "ankle", "ear", "shoulder"))
    assert side["left_hip"]  # the hand that hangs down covers it
    behind = find_self_occlusion(place_before_camera(180.0))
    assert behind[BODY27.index("nose")] and not behind[BODY27.index("left_elbow")]


def test_the_shipped_figures_are_whole_and_the_same_on_both_sides() -> None:
    errors = noise.load_errors(torch.device("cpu"))
    assert torch.allclose(errors.time_fractions.sum(-1), torch.ones(4), atol=1e-3)
    assert torch.allclose((errors.covariance_factor**2).sum(-1), torch.ones(27), atol=1e-2)
    sides = torch.tensor([-1.0, 1.0, 1.0, 1.0, 1.0])
    assert torch.allclose(errors.bias[MIRROR] * sides, errors.bias, atol=2e-3)
    for figure in (errors.spread, errors.visibility):
        assert torch.allclose(figure[:, MIRROR], figure, atol=2e-3)
    assert (errors.spread > 0.005).all() and (errors.visibility.diff(dim=-1) >= 0).all()
    together = errors.covariance_factor @ errors.covariance_factor.T
    assert torch.allclose(together[MIRROR][:, MIRROR], together, atol=2e-2)


def test_errors_are_larger_where_hidden_and_scores_tell() -> None:
    torch.manual_seed(8)
    joints = place_before_camera(-90.0).expand(400, 5, -1, -1)
    keypoints, scores = simulate_detector(joints, torch.ones(400, 2), NoiseConfig(model="measured", hide=0.0, gap=0.0))
    error = (keypoints - joints[..., :2] / joints[..., 2:]).norm(dim=-1).mean((0, 1))
    near, far = BODY27.index("left_wrist"), BODY27.index("right_elbow")
    assert scores.mean((0, 1))[far] < 0.7 < scores.mean((0, 1))[near]
    assert error[far] > 1.3 * error[BODY27.index("left_elbow")]


def test_smaller_errors_reach_from_none_to_all() -> None:
    torch.manual_seed(6)
    joints, half = place_before_camera().expand(600, 2, -1, -1), torch.ones(600, 2)
    exact = noise.set_midpoints(joints[..., :2] / joints[..., 2:])

    def measure_errors(smaller: float) -> Tensor:
        config = NoiseConfig(model="measured", gap=0.0, smaller=smaller)
        sizes: Tensor = (simulate_detector(joints, half, config)[0] - exact).norm(dim=-1).mean((1, 2))
        return sizes

    usual, smaller = measure_errors(0.0), measure_errors(1.0)
    torch.testing.assert_close(smaller.mean(), usual.mean() / 2.0, rtol=0.15, atol=0.0)
    assert smaller.min() < 0.1 * usual.min() and smaller.max() > usual.median()
