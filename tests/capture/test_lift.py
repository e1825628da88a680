"""Lifting brings any clip through a network of another rate and window, and back to its own frames."""

import copy
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27, H36M17, Layout
from stc_core.capture.lift.config import LiftConfig
from stc_core.capture.lift.lift import choose_device, lift
from stc_core.capture.pose import CameraIntrinsics, Pose2D, resample_evenly
from stc_core.errors import UserError
from stc_core.events import Progress
from stc_core.model.stcformer import UP_M, STCFormer, STCFormerConfig


class Plate(STCFormer):
    """A stand-in for the network: every body is a flat picture of itself, 2 m away for each unit of extent."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.longest = max(getattr(self, "longest", 0), x.shape[1])
        return torch.cat([x[..., :2], x[..., :1] * 0.5], -1)


def plate(layout: Layout = BODY27, view: Literal["image", "ray"] = "ray", frames: int = 27) -> Plate:
    config = STCFormerConfig(layout.name, layout.parts, layout.mirror, 3, 16, 1, view=view, rate_hz=20.0, frames=frames)
    return Plate(config).eval()


def lens(focal_px: float) -> CameraIntrinsics:
    return CameraIntrinsics(focal_px=focal_px, image_size=(1280, 720))


def make_swinging_pose(seconds: float, fps: float, layout: Layout = BODY27) -> Pose2D:
    """Landmarks that swing slowly about fixed places around the picture's middle."""
    rng = np.random.default_rng(0)
    times = np.arange(round(seconds * fps)) / fps
    places = rng.uniform(-100, 100, (len(layout.names), 2))
    swing = 10 * np.sin(2 * np.pi * 0.7 * times[:, None, None] + rng.uniform(0, 6, (1, len(layout.names), 2)))
    keypoints = places - places.mean(0) + swing + (640.0, 360.0)
    return Pose2D(
        layout=layout,
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:2]),
        timestamps=times,
        image_size=(1280, 720),
        fps=fps,
    )


def shape(joints: NDArray[Any]) -> NDArray[Any]:
    """Joints about their middle, of size one: what is left when place and scale do not count."""
    away = joints - joints.mean((0, 1))
    result: NDArray[Any] = away / np.sqrt((away**2).sum(-1).mean())
    return result


@pytest.mark.parametrize("fps", [12.0, 24.0, 30.0, 60.0])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 7.3])
def test_what_the_network_says_comes_back_at_the_clips_own_frames(fps: float, seconds: float) -> None:
    pose = make_swinging_pose(seconds, fps)
    joints = lift(pose, plate(), lens(1000.0), LiftConfig(flip=False)).joints
    expected = pose.keypoints - pose.keypoints[:, :1]
    assert joints.shape == (len(pose.scores), 27, 3)
    assert np.abs(shape(joints[..., :2]) - shape(expected)).max() < 0.05


def test_a_long_clip_is_looked_at_in_windows_and_a_short_one_whole() -> None:
    model = plate(frames=9)
    lift(make_swinging_pose(10.0, 30.0), model, lens(1000.0))
    assert model.longest == 9
    model = plate(frames=500)
    lift(make_swinging_pose(2.0, 20.0), model, lens(1000.0))
    assert model.longest == 40


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips_work(frames: int) -> None:
    joints = lift(make_swinging_pose(frames / 30.0, 30.0), plate(), lens(1000.0)).joints
    assert joints.shape == (frames, 27, 3) and np.isfinite(joints).all()


def test_flip_averaging_takes_out_what_contradicts_the_mirror() -> None:
    joints = lift(make_swinging_pose(2.0, 20.0), plate(), lens(1000.0), LiftConfig(flip=True)).joints
    one_sided = lift(make_swinging_pose(2.0, 20.0), plate(), lens(1000.0), LiftConfig(flip=False)).joints
    # the plate leans to one side, whichever side the person shows; the mean of both views stands straight
    assert np.abs(joints[..., 2]).max() < 0.1 * np.abs(one_sided[..., 2]).max()


def test_gaps_keep_score_zero() -> None:
    pose = make_swinging_pose(2.0, 30.0)
    pose.scores[20:30] = 0.0
    lifted = lift(pose, plate(), lens(1000.0))
    assert (lifted.scores[20:30] == 0).all() and np.isfinite(lifted.joints).all()


def test_published_weights_are_fed_as_published() -> None:
    pose = make_swinging_pose(2.0, 30.0, H36M17)
    joints = lift(pose, plate(H36M17, "image"), lens(1000.0), LiftConfig(flip=False)).joints
    expected = (pose.keypoints - pose.keypoints[:, :1]) * 2.0 / 1280.0
    assert np.abs(joints[..., :2] - expected).max() < 2e-3


def test_a_clip_of_another_place_in_the_picture_is_the_same_clip_seen_along_another_ray() -> None:
    """Shifted to the picture's edge, the person's answer is the same turned by the angle between the rays."""
    pose = make_swinging_pose(2.0, 30.0)
    middle = lift(pose, plate(), lens(4000.0), LiftConfig(flip=False)).joints
    shifted = replace(pose, keypoints=pose.keypoints + (500.0, 0.0))
    edge = lift(shifted, plate(), lens(4000.0), LiftConfig(flip=False)).joints
    angle = np.arctan2(500.0, 4000.0)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    size = np.linalg.norm(middle, axis=-1).mean()
    assert np.abs(edge - middle @ turn.T).max() < 0.03 * size
    assert np.abs(edge - middle).max() > 0.05 * size


def test_progress_ends_at_the_last_frame() -> None:
    told: list[Progress] = []
    lift(make_swinging_pose(10.0, 30.0), plate(), lens(1000.0), LiftConfig(batch=2), told.append)  # type: ignore[arg-type]
    assert [p.done for p in told] == sorted(p.done for p in told) and told[-1].done == told[-1].total


def test_without_a_word_of_precision_joints_are_those_of_single_precision() -> None:
    """Half precision moves joints by more than 0.2 mm (tests.benchmarks.network_speed)."""
    torch.manual_seed(0)
    pose = make_swinging_pose(2.0, 30.0)
    model = STCFormer(plate().config).eval()
    joints = {
        precision: lift(pose, copy.deepcopy(model), lens(1000.0), LiftConfig(device="cpu", precision=precision)).joints
        for precision in ("auto", "float32", "bfloat16")
    }
    assert np.array_equal(joints["auto"], joints["float32"])
    assert not np.array_equal(joints["auto"], joints["bfloat16"])


class UprightPlate(Plate):
    """And up is always up in the virtual camera that looks at the person."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        above = x.new_tensor([0.0, -UP_M, 0.0]).expand(*x.shape[:2], 1, 3)
        return torch.cat([super().forward(x), above], 2)


def test_the_predicted_up_is_turned_from_the_view_of_the_person_to_the_cameras_axes() -> None:
    pose = make_swinging_pose(2.0, 30.0)
    low = replace(pose, keypoints=pose.keypoints + [0.0, 1000.0])
    upright = UprightPlate(replace(plate().config, up=True)).eval()
    assert lift(pose, plate(), lens(1000.0)).up is None
    middle, tilted = (lift(view, upright, lens(1000.0)) for view in (pose, low))
    assert middle.up is not None and tilted.up is not None
    assert middle.joints.shape == pose.scores.shape + (3,)
    np.testing.assert_allclose(middle.up, [0.0, -1.0, 0.0], atol=0.01)
    np.testing.assert_allclose(tilted.up, np.array([0.0, -1.0, 1.0]) / np.sqrt(2.0), atol=0.02)


def test_a_missing_device_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert choose_device("auto").type in ("cpu", "mps")
    with pytest.raises(UserError, match="--device"):
        choose_device("cuda")


def test_uneven_frames_are_read_at_an_even_rate_and_even_ones_left_alone() -> None:
    even = make_swinging_pose(2.0, 30.0)
    assert resample_evenly(even) is even
    keep = np.sort(np.random.default_rng(1).choice(60, 45, replace=False))
    keep[0], keep[-1] = 0, 59
    fps = (len(keep) - 1) / (even.timestamps[keep][-1])
    uneven = replace(
        even, keypoints=even.keypoints[keep], scores=even.scores[keep], timestamps=even.timestamps[keep], fps=fps
    )
    mended = resample_evenly(uneven)
    assert np.abs(np.diff(mended.timestamps) - 1 / fps).max() < 1e-9
    truth = np.stack([np.interp(mended.timestamps, even.timestamps, even.keypoints[:, 5, i]) for i in (0, 1)], -1)
    assert np.abs(mended.keypoints[:, 5] - truth).max() < 0.6


def test_joints_are_the_same_for_any_number_of_threads_and_pytorchs_own_are_left_alone() -> None:
    torch.manual_seed(0)
    config = STCFormerConfig(BODY27.name, BODY27.parts, BODY27.mirror, 3, 16, 2, view="ray", rate_hz=20.0, frames=9)
    model, pose, before = STCFormer(config).eval(), make_swinging_pose(20.0, 30.0), torch.get_num_threads()
    seen: set[int] = set()
    model.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    alone, *others = (
        lift(pose, model, lens(1000.0), LiftConfig(device="cpu", threads=n, batch=2)).joints for n in (1, 2, 5)
    )
    for joints in others:
        np.testing.assert_array_equal(joints, alone)
    assert seen == {1} and torch.get_num_threads() == before


def test_who_cancels_does_not_wait_for_what_is_left() -> None:
    class Cancelled(Exception):
        pass

    def cancel(event: object) -> None:
        if isinstance(event, Progress) and event.done:
            raise Cancelled

    model, passes = plate(frames=9), [0]
    model.register_forward_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    with pytest.raises(Cancelled):
        lift(
            make_swinging_pose(2000.0, 20.0), model, lens(1000.0), LiftConfig(device="cpu", threads=2, batch=1), cancel
        )
    assert passes[0] < 2000
