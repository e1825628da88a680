"""Postures: what they bend, what they leave as it was, and where they leave the body."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stc_core.augment.body_tree import BONES
from stc_core.augment.postures import POSTURES, Posture, take_postures
from stc_core.capture.layout import BODY27
from tests.synthetic import body27, walk

RATE_HZ = 20.0
ALL = torch.ones(64, dtype=torch.bool)
Only = Callable[[str], Posture]


@pytest.fixture
def walkers() -> Tensor:
    torch.manual_seed(4)
    way = torch.tensor(body27(walk(fps=RATE_HZ, seconds=4.0)), dtype=torch.float32)
    return torch.stack([way[start : start + 41] for start in torch.randint(len(way) - 41, (64,)).tolist()])


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """Leaves one posture, taken all the time."""

    def choose(name: str) -> Posture:
        monkeypatch.setattr("stc_core.augment.postures.POSTURES", {name: POSTURES[name]})
        monkeypatch.setattr("stc_core.augment.postures._ONSET_PROBABILITY", 0.0)
        return POSTURES[name]

    return choose


def direction(landmarks: Tensor, start: str, end: str) -> Tensor:
    return torch.nn.functional.normalize(
        landmarks[..., BODY27.index(end), :] - landmarks[..., BODY27.index(start), :], dim=-1
    )


def test_other_windows_stay_as_they_were(walkers: Tensor) -> None:
    where = torch.arange(64) % 2 == 0
    found = take_postures(walkers, where, RATE_HZ)
    torch.testing.assert_close(found[~where], walkers[~where], atol=1e-5, rtol=0.0)
    assert (found[where] - walkers[where]).norm(dim=-1).mean((1, 2)).median() > 0.2


def test_segments_keep_their_lengths_and_the_feet_or_hands_the_floor(walkers: Tensor) -> None:
    found = take_postures(walkers, ALL, RATE_HZ)
    for start, end in BONES:
        lengths = [(x[:, :, end] - x[:, :, start]).norm(dim=-1) for x in (found, walkers)]
        torch.testing.assert_close(lengths[0], lengths[1], atol=1e-4, rtol=0.0)
    torch.testing.assert_close(found[..., 2].amin(-1), walkers[..., 2].amin(-1), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("name", list(POSTURES))
def test_the_trunk_leans_and_the_knees_flex_as_the_posture_says(name: str, only: Only, walkers: Tensor) -> None:
    posture = only(name)
    found = take_postures(walkers, ALL, RATE_HZ)
    lean = torch.rad2deg(torch.acos(direction(found, "pelvis", "spine")[..., 2])).mean(1)
    low, high = sorted(map(abs, posture.pitch))
    low = 0.0 if posture.pitch[0] < 0 < posture.pitch[1] else low
    assert low - 6.0 < lean.min() and lean.max() < high + 6.0  # they lean a little themselves
    for side in ("left", "right"):
        thigh, shin = direction(found, f"{side}_hip", f"{side}_knee"), direction(found, f"{side}_knee", f"{side}_ankle")
        flexion = torch.rad2deg(torch.acos((thigh * shin).sum(-1).clamp(-1, 1))).mean(1)
        least = min(posture.knee[0], (posture.other_knee or posture.knee)[0])
        most = max(posture.knee[1], (posture.other_knee or posture.knee)[1])
        assert least - 5.0 < flexion.min() and flexion.max() < most + 8.0


def test_hands_reach_down_on_all_fours(only: Only, walkers: Tensor) -> None:
    only("all fours")
    found = take_postures(walkers, ALL, RATE_HZ)
    reach = direction(found, "left_shoulder", "left_wrist").mean(1)
    assert reach[:, 2].median() < -0.85


def test_a_posture_is_taken_smoothly(walkers: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stc_core.augment.postures._ONSET_PROBABILITY", 1.0)
    found = take_postures(walkers, ALL, RATE_HZ)
    height = found[:, :, BODY27.index("head"), 2]
    assert (height.amax(1) - height.amin(1)).median() > 0.1
    assert height.diff(dim=1).abs().max() < 0.3  # metres in a twentieth of a second: who falls
