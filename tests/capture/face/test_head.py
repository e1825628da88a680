"""The head rotates as the face shows, where the face is seen well; else it stays the body's."""

from dataclasses import replace

import numpy as np
import pytest

from stc_core.capture.face.config import FaceConfig
from stc_core.capture.face.head import find_head_rotations
from stc_core.capture.face.solve import solve_face
from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.hand_face_landmarks import FaceLandmarks
from stc_core.motion.motion import Camera, Motion
from stc_core.motion.skeleton import HUMANOID, forward_kinematics
from tests.capture.face.tracks import FPS, make_landmarks, turn_faces

FRAMES, HEAD = 180, HUMANOID.index("head")
WORLD_TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CAMERA = Camera(
    K=np.array([[800.0, 0.0, 320.0], [0.0, 800.0, 230.0], [0.0, 0.0, 1.0]]),
    R=WORLD_TO_CAMERA,
    t=np.array([0.0, 1.5, 4.0]),
    image_size=(640, 460),
)
YAW_GAIN, PITCH_GAIN, LEAN_DEG = 1.05, 1.25, 7.0  # how MediaPipe's axes of a face differ from the head's bone
UP, ASIDE = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])


def body(q_head: Array = rotation.IDENTITY) -> Motion:
    """A body that stands upright before the camera, its head rotated."""
    q = np.tile(rotation.IDENTITY, (FRAMES, len(HUMANOID.joint_names), 1))
    q[:, HEAD] = q_head
    return Motion(
        skeleton=HUMANOID,
        t_world_root=np.tile(HUMANOID.offsets[0], (FRAMES, 1)),
        q_parent_joint=q,
        contacts=np.zeros((FRAMES, 2), bool),
        scores=np.ones((FRAMES, len(HUMANOID.joint_names))),
        fps=FPS,
        camera=CAMERA,
    )


def face(left_deg: Array | float, down_deg: Array | float = 0.0) -> FaceLandmarks:
    """What the detector says of a head in the middle of the picture that is turned so from facing the camera."""
    landmarks = make_landmarks({})
    yaw = np.broadcast_to(np.radians(left_deg) / YAW_GAIN, FRAMES)
    pitch = np.broadcast_to(np.radians(np.add(down_deg, LEAN_DEG)) / PITCH_GAIN, FRAMES)
    q = rotation.mul(rotation.from_axis_angle(UP, yaw), rotation.from_axis_angle(ASIDE, pitch))
    return replace(landmarks, R_camera_head=turn_faces(landmarks, q))


def swing(degrees: float) -> Array:
    """Angles (T,) that go once to both sides, 0 on average."""
    angles: Array = degrees * np.sin(2.0 * np.pi * np.arange(FRAMES) / FRAMES)
    return angles


def solve(motion: Motion, landmarks: FaceLandmarks | None, config: FaceConfig | None = None) -> Motion:
    return solve_face(motion, landmarks, 1.0, config or FaceConfig())


def world(motion: Motion) -> Array:
    """The head's world rotations (T, 4)."""
    return forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)[1][:, HEAD]


def apart_deg(q: Array, other: Array) -> Array:
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(q), other)))


def test_without_a_face_the_motion_is_itself() -> None:
    motion = body()
    assert solve(motion, None) is motion


def test_a_face_that_was_looked_for_but_never_found_leaves_the_body_as_it_is() -> None:
    motion, landmarks = body(rotation.exp(np.array([0.1, 0.2, 0.3]))), make_landmarks({})
    hidden = replace(landmarks, scores=np.zeros(FRAMES), R_camera_head=np.zeros((FRAMES, 3, 3)))
    solved = solve(motion, hidden)
    np.testing.assert_array_equal(solved.q_parent_joint, motion.q_parent_joint)
    assert solved.face is not None and solved.face_landmarks is hidden


@pytest.mark.parametrize("degrees", [15.0, 40.0])
def test_the_head_turns_as_the_face_does_and_the_neck_goes_half_of_the_way(degrees: float) -> None:
    solved = solve(body(), face(swing(degrees)))
    angles = np.radians(swing(degrees))
    assert apart_deg(world(solved), rotation.from_axis_angle(UP, angles)).max() < 0.5
    neck = solved.q_parent_joint[:, HUMANOID.index("neck")]
    assert apart_deg(neck, rotation.from_axis_angle(UP, angles / 2.0)).max() < 0.5
    others = [j for j, name in enumerate(HUMANOID.joint_names) if name not in ("neck", "head")]
    np.testing.assert_allclose(solved.q_parent_joint[:, others], body().q_parent_joint[:, others], atol=1e-12)


def test_the_head_nods_as_the_face_does() -> None:
    solved = solve(body(), face(0.0, swing(20.0)))
    assert apart_deg(world(solved), rotation.from_axis_angle(ASIDE, np.radians(swing(20.0)))).max() < 0.5


def test_what_face_and_body_differ_by_throughout_is_shared_between_them() -> None:
    solved = solve(body(), face(15.0))
    angle = np.degrees(rotation.angle(world(solved)))
    np.testing.assert_allclose(angle, 12.0, atol=0.1)  # variances of 4 and 8 degrees: a fifth is the body's


def test_a_body_whose_head_is_far_off_throughout_has_no_share() -> None:
    solved = solve(body(), face(42.0))
    np.testing.assert_allclose(np.degrees(rotation.angle(world(solved))), 42.0, atol=0.1)


def test_a_face_at_the_side_of_the_picture_is_seen_along_its_ray() -> None:
    landmarks = face(0.0)
    middle = CAMERA.project(np.array([1.0, 0.0, 1.5]))
    aside = replace(landmarks, box=np.tile(np.concatenate([middle - 20.0, middle + 20.0]), (FRAMES, 1)))
    q_world_head, yaw = find_head_rotations(aside, CAMERA)
    facing = rotation.rotate(q_world_head[0], np.array([0.0, -1.0, 0.0]))
    towards_camera = rotation.normalise(np.array([0.0, -4.0, 1.5]) - [1.0, 0.0, 1.5])
    assert np.degrees(np.arccos(facing @ towards_camera)) < 0.5 and abs(yaw[0]) < 1e-6


def test_the_back_of_a_head_is_no_face() -> None:
    away = body(rotation.from_axis_angle(UP, np.radians(100.0)))
    solved = solve(away, face(0.0))
    np.testing.assert_array_equal(solved.q_parent_joint, away.q_parent_joint)


def test_a_face_far_to_the_side_is_not_believed_more_than_the_body() -> None:
    motion = body(rotation.from_axis_angle(UP, np.radians(60.0)))
    solved = solve(motion, face(75.0))
    np.testing.assert_array_equal(solved.q_parent_joint, motion.q_parent_joint)


def test_the_head_passes_smoothly_from_the_faces_rotation_to_the_bodys() -> None:
    landmarks = face(42.0)
    scores = np.where(np.arange(FRAMES) < 90, 1.0, 0.0)
    half = replace(landmarks, scores=scores, R_camera_head=landmarks.R_camera_head * scores[:, None, None])
    angle = np.degrees(rotation.angle(world(solve(body(), half))))
    assert abs(angle[70] - 42.0) < 0.5 and angle[115:].max() < 0.2
    assert np.abs(np.diff(angle)).max() < 5.0


def test_it_can_be_switched_off() -> None:
    solved = solve(body(), face(20.0, 10.0), FaceConfig(head_from_face=False))
    np.testing.assert_array_equal(solved.q_parent_joint, body().q_parent_joint)
    assert solved.face is not None
