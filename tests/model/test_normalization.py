"""Looking along the ray hides where the person stands in the picture, and nothing else."""

import torch

from stc_core.model.normalization import normalize_along_ray


def project(points: torch.Tensor, focal: float) -> torch.Tensor:
    return points[..., :2] / points[..., 2:] * focal + 500.0


def test_a_body_turned_about_the_camera_looks_the_same() -> None:
    torch.manual_seed(0)
    body = torch.randn(1, 4, 9, 3, dtype=torch.float64) * 0.4
    ahead = body + torch.tensor([0.0, 0.0, 4.0])
    c, s = torch.cos(torch.tensor(0.4)).item(), torch.sin(torch.tensor(0.4)).item()
    turn = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=torch.float64)
    scores = torch.ones(1, 4, 9, dtype=torch.float64)
    focal, centre = torch.tensor([800.0]), torch.tensor([[500.0, 500.0]])
    seen, _ = normalize_along_ray(project(ahead, 800.0), scores, focal, centre)
    aside, _ = normalize_along_ray(project(ahead @ turn.T, 800.0), scores, focal, centre)
    # turned about the camera's own y axis the shortest turns differ by a little roll only
    assert (seen - aside).abs().max() < 0.03


def test_the_turn_is_a_rotation_that_points_at_the_person() -> None:
    torch.manual_seed(0)
    keypoints, scores = torch.rand(2, 5, 7, 2) * 900, torch.rand(2, 5, 7)
    inputs, turn = normalize_along_ray(keypoints, scores, torch.full((2,), 700.0), torch.full((2, 2), 450.0))
    assert torch.allclose(turn @ turn.transpose(-1, -2), torch.eye(3).expand(2, 5, 3, 3), atol=1e-5)
    rays = torch.nn.functional.pad((keypoints - 450.0) / 700.0, (0, 1), value=1.0)
    aim = (rays / rays.norm(dim=-1, keepdim=True) * scores[..., None]).sum(-2)
    ahead = (turn @ (aim / aim.norm(dim=-1, keepdim=True))[..., None])[..., 0]
    assert torch.allclose(ahead, torch.tensor([0.0, 0.0, 1.0]).expand(2, 5, 3), atol=1e-5)
    assert torch.equal(inputs[..., 2], scores)


def test_the_size_in_the_picture_does_not_matter() -> None:
    torch.manual_seed(0)
    plane, scores = torch.randn(1, 3, 7, 2) * 0.01, torch.ones(1, 3, 7)
    one, zero = torch.ones(1), torch.zeros(1, 2)
    near, _ = normalize_along_ray(plane * 2, scores, one, zero)
    far, _ = normalize_along_ray(plane, scores, one, zero)
    assert torch.allclose(near[..., :2], far[..., :2], atol=2e-3)
