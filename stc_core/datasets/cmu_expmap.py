"""CMU's motion capture as exponential maps: takes sorted by action, of subjects that the files do not name.

The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF
EIA-0196217.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..geometry import rotation
from ..geometry.axes import from_y_up
from ..motion.motion import Motion
from ..motion.skeleton import Skeleton, forward_kinematics
from .cmu import SHRUNK_FOREARM_M, SHRUNK_THORAX_M
from .landmark_clip import LandmarkClip, split_at_glitches
from .landmark_placement import ON_JOINT, Attachment, LandmarkRig, attach_head, place_landmarks


def _number_subjects(first: str, *subjects: str) -> dict[str, str]:
    """Names of files numbered on from `first`, with their subjects; "-" where nobody knows."""
    stem, _, number = first.rpartition("_")
    return {f"{stem}_{int(number) + i}": subject for i, subject in enumerate(subjects) if subject != "-"}


_EXPMAP_SUBJECTS = (
    _number_subjects("test_basketball_basketball_1", "06")
    | _number_subjects("test_soccer_soccer_1", "11")
    | _number_subjects("test_washwindow_washwindow_1", "14")
    | _number_subjects("train_basketball_basketball_1", "06", "06", "06", "06", "06")
    | _number_subjects("train_directing_traffic_directing_traffic_1", "13")
    | _number_subjects("train_jumping_jumping_1", "13", "-", "13", "13", "13")
    | _number_subjects("train_soccer_soccer_1", "10", "10", "10", "10", "10")
    | _number_subjects("train_walking_walking_1", "02", "05", "06", "07", "07")
    | _number_subjects("train_walking_extra_walking_13", "08", "08", "08", "08", "08", "10", "12", "12", "12")
)
_EXPMAP_NAMES = (
    "hips l_hip_base l_hip l_knee l_ankle l_ball l_toe r_hip_base r_hip r_knee r_ankle r_ball r_toe "
    "lower_back spine chest neck_base neck head crown l_collar l_shoulder l_elbow l_wrist l_hand l_fingers l_fingertip "
    "l_thumb_base l_thumb r_collar r_shoulder r_elbow r_wrist r_hand r_fingers r_fingertip r_thumb_base r_thumb"
).split()


_CMU_EAR, _CMU_HEAD = attach_head("head", (0.0, -0.01, 0.065))
_CMU_FOOT: dict[str, Attachment] = {
    "hip": ("{s}_hip", ON_JOINT),
    "knee": ("{s}_knee", ON_JOINT),
    "ankle": ("{s}_ankle", ON_JOINT),
    "heel": ("{s}_ankle", (0.0, 0.055, -0.045)),
    "toe": ("{s}_toe", ON_JOINT),
}
_EXPMAP = LandmarkRig(
    sides=("l", "r"),
    side=_CMU_FOOT
    | {
        "shoulder": ("{s}_shoulder", ON_JOINT),
        "elbow": ("{s}_elbow", ON_JOINT),
        "wrist": ("{s}_wrist", ON_JOINT),
        "index": ("{s}_hand", (0.085, -0.028, 0.0)),
        "pinky": ("{s}_hand", (0.078, 0.028, 0.0)),
        "ear": _CMU_EAR,
    },
    middle=_CMU_HEAD,
    spine=("spine", "chest", 0.3),
    corrections={name: (0.0, 0.0, SHRUNK_THORAX_M) for name in ("neck_base", "l_collar", "r_collar")}
    | {"l_wrist": (SHRUNK_FOREARM_M, 0.0, 0.0), "r_wrist": (-SHRUNK_FOREARM_M, 0.0, 0.0)},
)


@dataclass(frozen=True)
class _ExpmapSkeleton:
    skeleton: Skeleton
    columns: NDArray[np.int64]
    unit_m: float
    fps: float


def read_cmu_expmap(path: Path) -> Iterator[LandmarkClip]:
    """A take of the exponential-map conversion, {train,test}/ACTION/*.txt, these beside cmu_expmap_skeleton.json.

    The files do not tell who moved. Where the take is also in cmu_daz (as long to the frame, the same joint angles)
    the subject is that one's, otherwise `cmu_expmap_ACTION`. Their T-pose first frame is dropped.
    """
    motion = _read_expmap(path, _read_expmap_skeleton(path.parents[2]))
    standing = forward_kinematics(motion.skeleton, motion.t_world_root[:1], motion.q_parent_joint[:1])[1][0]
    name = f"{path.parent.parent.name}_{path.parent.name}_{path.stem}"
    action = path.parent.name.removesuffix("_extra")
    landmarks = place_landmarks(motion, standing, _EXPMAP, path)[1:]
    subject = f"cmu_{_EXPMAP_SUBJECTS.get(name, f'expmap_{action}')}"
    yield from split_at_glitches(name, subject, motion.fps, landmarks, action=action)


def _read_expmap_skeleton(folder: Path) -> _ExpmapSkeleton:
    name = "cmu_expmap_skeleton.json"
    path = next((p for p in (folder / name, folder.parent / name) if p.exists()), None)
    if path is None:
        raise UserError(f"There is no {name} in {folder} or beside it.", "Copy it from where the archive came from.")
    fields = json.loads(path.read_text())
    offsets = from_y_up(np.array(fields["offsets"], float)) * fields["unit_m"]
    skeleton = Skeleton(
        joint_names=tuple(_EXPMAP_NAMES), parents=tuple(fields["parents"]), offsets=offsets, tips=np.zeros_like(offsets)
    )
    return _ExpmapSkeleton(skeleton, np.array(fields["rotation_columns"]), fields["unit_m"], fields["fps"])


def _read_expmap(path: Path, tree: _ExpmapSkeleton) -> Motion:
    """The files rotate row vectors (v' = v R), so each exponential map is the inverse of our rotation."""
    try:
        values = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError:
        values = np.zeros((0, 0))
    if values.shape[1:] != (3 + tree.columns.size,) or len(values) < 2:
        raise UserError(f"{path} is not a table of {3 + tree.columns.size} columns.", "Unpack the archive again.")
    t_root = from_y_up(values[:, :3]) * tree.unit_m
    q = rotation.exp(-from_y_up(values[:, tree.columns]))
    frames, joints = q.shape[:2]
    return Motion(
        skeleton=tree.skeleton,
        t_world_root=t_root,
        q_parent_joint=q,
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, joints)),
        fps=tree.fps,
    )
