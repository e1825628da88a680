"""Bodies as cameras would show them: windows, proportions, noise, gaps; held-out people are kept out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stc_core.augment.virtual_camera import CameraConfig, NoiseConfig, project
from stc_core.augment.windows import BodyConfig, draw_windows, load_motions
from stc_core.capture.layout import BODY27, mirror_landmarks
from stc_core.datasets.body_height import BODY_HEIGHT_M, body_height
from stc_core.datasets.held_out import HELD_OUT_SUBJECTS
from stc_core.errors import UserError
from stc_core.model.normalization import normalize_in_image
from stc_core.training.batches import BODY_NETWORK, make_pair

PLAIN = BodyConfig.identity()
EXACT = NoiseConfig(scale=0.0)


def test_held_out_people_are_never_trained_on(data: Path) -> None:
    (seen,), (held,) = load_motions(data, HELD_OUT_SUBJECTS, False), load_motions(data, HELD_OUT_SUBJECTS, True)
    assert torch.allclose(seen.landmarks * 0.8, held.landmarks)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prepare"):
        load_motions(tmp_path, HELD_OUT_SUBJECTS, False)


def test_windows_are_pieces_of_the_motion_turned_and_scaled(data: Path) -> None:
    torch.manual_seed(0)
    motions = load_motions(data, HELD_OUT_SUBJECTS, False)
    cut = draw_windows(motions, {}, 16, 9, 30.0, PLAIN)
    assert torch.allclose(body_height(cut), torch.tensor(BODY_HEIGHT_M), atol=1e-4)
    whole = (
        motions[0].landmarks
        * (cut[0, 4] - cut[0, 4, :1]).norm()
        / (motions[0].landmarks - motions[0].landmarks[:, :1]).norm(dim=(1, 2))[:, None, None]
    )
    distances = torch.cdist(cut[0, 4] - cut[0, 4, :1], cut[0, 4] - cut[0, 4, :1])
    known = torch.cdist(whole - whole[:, :1], whole - whole[:, :1])
    known_mirrored = known[:, list(BODY27.mirror)][:, :, list(BODY27.mirror)]
    nearest = min((known - distances).abs().amax((1, 2)).min(), (known_mirrored - distances).abs().amax((1, 2)).min())
    assert nearest < 0.01


def test_other_proportions_are_the_same_left_and_right(data: Path) -> None:
    torch.manual_seed(0)
    cut = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 16, 3, 30.0, replace(PLAIN, stretch=0.2))
    at = {name: cut[:, 0, i] for i, name in enumerate(BODY27.names)}
    left = (at["left_hip"] - at["left_knee"]).norm(dim=-1)
    right = (at["right_hip"] - at["right_knee"]).norm(dim=-1)
    assert torch.allclose(left, right, atol=0.01) and left.std() > 0.02


def test_swapped_arms_hang_on_the_own_shoulders_at_their_length(data: Path) -> None:
    torch.manual_seed(0)
    cut = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 16, 3, 30.0, replace(PLAIN, swap_arms=1.0))
    at = {name: cut[:, :, i] for i, name in enumerate(BODY27.names)}
    upper = (at["left_shoulder"] - at["left_elbow"]).norm(dim=-1)
    assert (upper / upper.mean() - 1).abs().max() < 0.05


def test_without_noise_the_keypoints_are_the_projected_joints(data: Path) -> None:
    torch.manual_seed(0)
    views = project(
        draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 32, 5, 20.0, PLAIN), CameraConfig(), EXACT
    )
    limb = BODY27.index("left_wrist")
    # the joints are known up to where the pelvis is; two landmarks give it, and the third must agree
    offset, seen = views.joints.double(), views.keypoints.double()
    rows = torch.cat([torch.eye(2).expand(*seen.shape[:3], 2, 2).double(), -seen[..., None]], -1)
    right = (seen * offset[..., 2:] - offset[..., :2])[..., None]
    others = [i for i in range(27) if i != limb and BODY27.names[i] not in ("pelvis", "thorax", "spine")]
    pelvis = torch.linalg.lstsq(rows[:, :, others].flatten(2, 3), right[:, :, others].flatten(2, 3)).solution[..., 0]
    place = offset[:, :, limb] + pelvis
    assert (place[..., :2] / place[..., 2:] - seen[:, :, limb]).abs().max() < 1e-4
    assert (pelvis[..., 2] > 0.5).all()


def test_noise_moves_keypoints_and_scores_tell_where(data: Path) -> None:
    bodies = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 64, 9, 20.0, PLAIN)
    torch.manual_seed(1)
    exact = project(bodies, CameraConfig(), EXACT)
    torch.manual_seed(1)
    noisy = project(bodies, CameraConfig(), replace(NoiseConfig(), gap=0.0, swap=0.0))
    error = (noisy.keypoints - exact.keypoints).norm(dim=-1) / exact.keypoints.flatten(1).std(1)[:, None, None]
    assert torch.equal(noisy.joints, exact.joints)
    assert error[noisy.scores > 0.87].mean() < 0.5 * error[noisy.scores < 0.7].mean()


def test_lost_frames_have_score_zero_and_carried_points(data: Path) -> None:
    torch.manual_seed(1)
    bodies = draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 64, 27, 20.0, PLAIN)
    views = project(bodies, CameraConfig(), replace(NoiseConfig(), gap=1.0))
    lost = (views.scores == 0).all(-1)
    assert lost.any() and not lost.all(1).any() and torch.isfinite(views.keypoints).all()


def test_the_truth_turns_with_the_view(data: Path) -> None:
    torch.manual_seed(0)
    views = project(
        draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 8, 5, 20.0, PLAIN), CameraConfig(), EXACT
    )
    inputs, truth = make_pair(views, BODY_NETWORK)
    assert inputs.shape == truth.shape == (8, 5, 27, 3)
    assert torch.allclose(truth.norm(dim=-1), views.joints.norm(dim=-1), atol=1e-4)
    # seen along the ray, far right in the picture is far right in space
    x, seen = truth[..., 0] - truth[..., 0].mean(2, keepdim=True), inputs[..., 0] - inputs[..., 0].mean(2, keepdim=True)
    assert (torch.nn.functional.cosine_similarity(x.flatten(1), seen.flatten(1)) > 0.9).all()


def test_fed_as_published_it_is_what_lifting_feeds(data: Path) -> None:
    torch.manual_seed(0)
    views = project(
        draw_windows(load_motions(data, HELD_OUT_SUBJECTS, False), {}, 8, 5, 20.0, PLAIN), CameraConfig(), EXACT
    )
    inputs, truth = make_pair(views, replace(BODY_NETWORK, view="image", channels=2))
    assert torch.equal(truth, views.joints)
    for row in range(len(views.half)):
        width, height = (2000.0 * views.half[row]).tolist()  # at a focal length of 1000 pixels
        pixels = 1000.0 * views.keypoints[row] + torch.tensor([width / 2, height / 2])
        assert torch.allclose(inputs[row], normalize_in_image(pixels, width, height), atol=1e-4)


def test_bent_joints_stay_in_their_limits_and_bones_keep_their_lengths(data: Path) -> None:
    motions = load_motions(data, HELD_OUT_SUBJECTS, False)
    torch.manual_seed(0)
    bent = draw_windows(motions, {}, 128, 9, 20.0, replace(PLAIN, bend=1.0, bend_deg=30.0))
    at = {name: bent[:, :, i] for i, name in enumerate(BODY27.names)}
    upper, lower = at["left_elbow"] - at["left_shoulder"], at["left_wrist"] - at["left_elbow"]
    lengths = upper.norm(dim=-1)
    assert (lengths - lengths.mean(1, keepdim=True)).abs().max() < 0.02 and lengths.std() < 0.02
    folded = torch.nn.functional.cosine_similarity(upper, lower, dim=-1).clamp(-1, 1).acos()
    assert folded.max() < 2.52 and folded.std() > 0.1
    assert (bent[:, 1:] - bent[:, :-1]).norm(dim=-1).max() < 0.5  # it changes slowly: no jumps between frames


def test_another_upper_body_sits_on_the_own_pelvis_facing_with_it(data: Path) -> None:
    motions = load_motions(data, HELD_OUT_SUBJECTS, False)
    torch.manual_seed(0)
    cut = draw_windows(motions, {}, 32, 5, 20.0, replace(PLAIN, swap_upper=1.0))
    at = {name: cut[:, :, i] for i, name in enumerate(BODY27.names)}
    trunk = at["thorax"] - at["pelvis"]
    assert trunk.norm(dim=-1).std() < 0.02 and (trunk[..., 2] > 0.3).all()
    sides = (at["left_shoulder"] - at["right_shoulder"], at["left_hip"] - at["right_hip"])
    assert (torch.nn.functional.cosine_similarity(*sides, dim=-1) > 0.7).all()


def test_the_mirror_of_training_is_the_mirror_of_lifting() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 27, 3))
    sign = torch.tensor([-1.0, 1.0, 1.0])
    assert np.allclose(mirror_landmarks(joints, BODY27), torch.tensor(joints)[:, list(BODY27.mirror)] * sign)
