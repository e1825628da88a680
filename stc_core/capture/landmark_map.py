"""What flows between the stages: layouts of landmarks, and poses in the image, in the camera and in the world.

Knows names, mirror pairs and parts of each layout; not where landmarks come from, nor how one pose becomes the next.
NaN never stands in these arrays: what was not seen has score 0 and a value carried from its neighbours in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..motion.motion import Camera

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """K landmarks in an order in which index neighbours are body neighbours.

    parts: for each landmark 0 torso and head, 1 right leg, 2 left leg, 3 left arm, 4 right arm (STCFormer, SPE1).
    mirror_pairs: (right, left) names. edges: what is joined by a line in a picture.
    """

    name: str
    names: tuple[str, ...]
    parts: tuple[int, ...]
    mirror_pairs: tuple[tuple[str, str], ...]
    edges: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        assert len(self.parts) == len(self.names) == len(set(self.names))

    def index(self, name: str) -> int:
        return self.names.index(name)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each landmark the index of its twin on the other side (itself in the middle)."""
        twins = {a: b for right, left in self.mirror_pairs for a, b in ((right, left), (left, right))}
        return tuple(self.index(twins.get(name, name)) for name in self.names)


def _pairs(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"right_{name}", f"left_{name}") for name in names)


def _chains(*chains: str) -> tuple[tuple[str, str], ...]:
    return tuple(pair for chain in chains for pair in zip(chain.split()[:-1], chain.split()[1:], strict=True))


_LIMBS = _chains(
    "pelvis right_hip right_knee right_ankle",
    "pelvis left_hip left_knee left_ankle",
    "pelvis spine thorax nose head",
    "thorax left_shoulder left_elbow left_wrist",
    "thorax right_shoulder right_elbow right_wrist",
)

H36M17 = Layout(
    name="h36m17",
    names=tuple(
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist".split()
    ),
    parts=(0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 3, 3, 3, 4, 4, 4),
    mirror_pairs=_pairs("hip", "knee", "ankle", "shoulder", "elbow", "wrist"),
    edges=_LIMBS,
)

BODY27 = Layout(
    name="body27",
    names=tuple(
        "pelvis right_hip right_knee right_ankle right_heel right_toe left_toe left_heel left_ankle left_knee left_hip "
        "spine thorax left_shoulder left_elbow left_wrist left_pinky left_index "
        "right_index right_pinky right_wrist right_elbow right_shoulder right_ear nose left_ear head".split()
    ),
    parts=(0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 0, 0, 0, 0),
    mirror_pairs=_pairs("hip", "knee", "ankle", "heel", "toe", "shoulder", "elbow", "wrist", "pinky", "index", "ear"),
    edges=_LIMBS
    + _chains(
        "left_ear nose right_ear",
        *(f"{s}_ankle {s}_heel {s}_toe {s}_ankle" for s in ("left", "right")),
        *(f"{s}_wrist {s}_pinky {s}_index {s}_wrist" for s in ("left", "right")),
    ),
)

LAYOUTS = {layout.name: layout for layout in (H36M17, BODY27)}


@dataclass(frozen=True)
class Pose2D:
    """Landmarks seen in the image over T frames.

    keypoints (T, K, 2): pixels, x right, y down, the top left corner of the picture at (0, 0).
    scores (T, K): 0 unseen to 1 sure. timestamps (T,): seconds in the video, rising.
    image_size: (width, height) in pixels. fps: the video's mean rate.
    """

    layout: Layout
    keypoints: Array
    scores: Array
    timestamps: Array
    image_size: tuple[int, int]
    fps: float

    def __post_init__(self) -> None:
        frames, landmarks = self.scores.shape
        assert landmarks == len(self.layout.names) and self.keypoints.shape == (frames, landmarks, 2)
        assert self.timestamps.shape == (frames,) and np.isfinite(self.keypoints).all()


@dataclass(frozen=True)
class Pose3D:
    """Landmarks in camera axes (x right, y down, z forward) with the pelvis at 0.

    joints (T, K, 3): metres. scores (T, K): 0 carried across a gap to 1 sure. fps: even rate in hertz.
    """

    layout: Layout
    joints: Array
    scores: Array
    fps: float

    def __post_init__(self) -> None:
        assert self.joints.shape == self.scores.shape + (3,) and self.scores.shape[1] == len(self.layout.names)
        assert np.isfinite(self.joints).all()


@dataclass(frozen=True)
class WorldPose:
    """Landmarks in Blender's world: right-handed, z up, the floor at z = 0.

    joints (T, K, 3): metres. scores (T, K). contacts (T, 2) bool: left foot, right foot on the floor.
    camera: where the picture was taken from, the same for all frames.
    """

    layout: Layout
    joints: Array
    scores: Array
    contacts: NDArray[np.bool_]
    camera: Camera
    fps: float

    def __post_init__(self) -> None:
        assert self.joints.shape == self.scores.shape + (3,) and self.contacts.shape == (len(self.joints), 2)
        assert np.isfinite(self.joints).all()


def mirrored(joints: Array, layout: Layout) -> Array:
    """Landmarks (..., K, 2 or 3) of the mirrored person: x negated, left and right exchanged."""
    flipped = joints[..., list(layout.mirror), :].copy()
    flipped[..., 0] *= -1.0
    return flipped


def evenly_spaced(pose: Pose2D) -> Pose2D:
    """The same landmarks at an even `fps` from the first to the last timestamp; as it is where it was even already.

    Keypoints and scores between two frames are read linearly. Even means: no frame off its place by a quarter frame.
    """
    even = pose.timestamps[0] + np.arange(len(pose.timestamps)) / pose.fps
    if np.abs(pose.timestamps - even).max() <= 0.25 / pose.fps:
        return pose
    span = pose.timestamps[-1] - pose.timestamps[0]
    wanted = pose.timestamps[0] + np.arange(1 + round(span * pose.fps)) / pose.fps
    keypoints, scores = (between_frames(v, pose.timestamps, wanted) for v in (pose.keypoints, pose.scores))
    return replace(pose, keypoints=keypoints, scores=scores, timestamps=wanted)


def between_frames(values: Array, times: Array, wanted: Array) -> Array:
    """Values (T, ...) at times (T,) read linearly at the wanted times (S,), held at the ends: (S, ...)."""
    place = np.interp(wanted, times, np.arange(len(times)))
    low = np.floor(place).astype(int)
    part = (place - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - part) + values[np.minimum(low + 1, len(values) - 1)] * part


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
