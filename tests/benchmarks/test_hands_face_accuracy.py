"""What is printed of hands and faces is right for hands and faces whose errors are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stc_core.capture.layout import BODY27
from stc_core.geometry import rotation
from stc_core.motion.face import FACE_COEFFICIENTS
from stc_core.motion.fingers import HUMANOID_WITH_FINGERS
from stc_core.motion.motion import Camera, Motion

from .face_accuracy import correlate, judge_head, list_peaks
from .ground_truth.face_truth import read_face_clips
from .ground_truth.hand_poses import finger_chains, flexion_deg
from .ground_truth.hand_truth import read_hand_clips
from .hands_accuracy import list_still_spans, palm_axes, skeleton_joints

CAMERA = Camera(K=np.diag([500.0, 500.0, 1.0]), R=np.eye(3), t=np.zeros(3), image_size=(640, 480))


def write_clip(path: Path, frames: int, **more: object) -> None:
    body = {
        "landmark_names": np.array(BODY27.names),
        "landmarks": np.zeros((frames, len(BODY27.names), 3), np.float32),
        "K": CAMERA.K,
        "R": CAMERA.R,
        "t": CAMERA.t,
        "image_size": np.array(CAMERA.image_size),
        "fps": np.array(30.0),
    }
    arrays = {name: np.asarray(array) for name, array in (body | more).items()}
    np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **arrays)
    path.with_suffix(".mp4").touch()


def bend_index(degrees: float) -> Motion:
    """A humanoid with fingers whose left index's middle joint is bent."""
    skeleton = HUMANOID_WITH_FINGERS
    q = np.tile(rotation.IDENTITY, (2, len(skeleton.joint_names), 1))
    joint = skeleton.index("left_index_intermediate")
    q[:, joint] = rotation.from_axis_angle(np.array([0.0, 1.0, 0.0]), np.radians(degrees))
    return Motion(
        skeleton=skeleton,
        t_world_root=np.zeros((2, 3)),
        q_parent_joint=q,
        contacts=np.zeros((2, 2), bool),
        scores=np.ones(q.shape[:2]),
        fps=30.0,
    )


def test_a_skeletons_bent_finger_is_measured_at_its_joint() -> None:
    rest = flexion_deg(finger_chains(skeleton_joints(bend_index(0.0))))
    bent = flexion_deg(finger_chains(skeleton_joints(bend_index(50.0))))
    changed = bent - rest
    assert np.allclose(changed[:, 0, 1, 1], 50.0, atol=1e-4)
    changed[:, 0, 1, 1] = 0.0
    assert np.allclose(changed, 0.0, atol=1e-4)


def test_the_palms_rotation_follows_the_hand() -> None:
    joints = skeleton_joints(bend_index(0.0))
    turn = rotation.from_axis_angle(rotation.normalise(np.array([1.0, 2.0, 3.0])), 0.7)
    turned = palm_axes(rotation.rotate(turn, joints))
    assert np.allclose(rotation.angle(rotation.mul(turned, rotation.inv(palm_axes(joints)))), 0.7)


def test_only_spans_that_are_long_and_settled_are_still() -> None:
    angles = np.zeros((90, 5, 3))
    angles[40:, 1, 1] = 30.0
    angles[45:60] += np.arange(15)[:, None, None]
    angles[60:] += 14.0
    assert list(list_still_spans(angles, 30.0)) == [slice(9, 40), slice(68, 90)]


def test_peaks_of_blinks_are_found_where_they_are_highest() -> None:
    track = np.zeros(40)
    track[[9, 10, 11]], track[[20, 21]] = (0.5, 1.0, 0.95), (0.92, 0.99)
    assert list_peaks(track) == [10, 21]


def test_what_does_not_change_has_no_correlation() -> None:
    truth = np.linspace(0.0, 1.0, 20)
    assert correlate(truth, np.zeros(20)) == 0.0
    assert np.isclose(correlate(truth, 0.2 + 0.5 * truth), 1.0)


def test_a_constant_difference_of_the_head_is_told_apart_from_its_change() -> None:
    axis = rotation.normalise(np.array([0.3, 1.0, -0.2]))
    truth = rotation.from_axis_angle(axis, np.linspace(-0.5, 0.5, 30))
    constant = rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.radians(8.0))
    away, changed = judge_head(truth, rotation.mul(truth, constant))
    assert np.isclose(away, 8.0) and np.isclose(changed, 0.0, atol=1e-5)


def test_truth_of_hands_and_faces_is_read_back(tmp_path: Path) -> None:
    joints = skeleton_joints(bend_index(20.0)) + [0.0, 0.0, 3.0]
    (tmp_path / "hands").mkdir()
    write_clip(
        tmp_path / "hands" / "a", 2, hand_joints=joints, hand_px=np.full((2, 2), 90.0), size="near", facing="palm"
    )
    (hands,) = read_hand_clips(tmp_path / "hands")
    assert np.allclose(hands.flexion_deg()[:, 0, 1, 1], 20.0, atol=1e-4)
    boxes = hands.boxes(margin=0.5)
    assert np.allclose(boxes[..., :2], hands.pixels().min(2) - 45.0)

    (tmp_path / "faces").mkdir()
    names = ("jawOpen", "browInnerUp")
    more = {"coefficient_names": np.array(names), "coefficients": [[0.25, 0.5]] * 3, "head_px": np.ones(3)}
    write_clip(tmp_path / "faces" / "b", 3, **more, q_world_head=np.tile(rotation.IDENTITY, (3, 1)), size="body")
    (face,) = read_face_clips(tmp_path / "faces")
    assert np.allclose(face.coefficients[:, [FACE_COEFFICIENTS.index(name) for name in names]], [0.25, 0.5])
    assert np.isclose(face.coefficients.sum(), 2.25)
