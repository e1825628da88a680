"""People whose joints and landmarks are known, as the free data sets' figures and markers show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27
from stc_core.datasets.landmark_clip import LandmarkClip
from stc_core.datasets.plug_in_gait import MARKERS
from stc_core.geometry import rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import Skeleton

FRAMES = 90
TURN = rotation.exp([0.0, 0.0, 1.0])  # what the figures below stand turned by


def get_landmark(clip: LandmarkClip | NDArray[Any], name: str) -> NDArray[Any]:
    landmarks = clip.landmarks if isinstance(clip, LandmarkClip) else clip
    return landmarks[:, BODY27.index(name)]


def assert_a_person_facing(landmarks: NDArray[Any], q_world_person: NDArray[Any]) -> None:
    """A body upright, whose own axes (left +x, back +y) are turned by q_world_person (4)."""
    body = rotation.rotate(rotation.inv(q_world_person), landmarks - get_landmark(landmarks, "pelvis")[:, None])
    at = {name: body[:, i] for i, name in enumerate(BODY27.names)}
    for name in ("hip", "knee", "ankle", "heel", "toe", "shoulder", "elbow", "wrist", "index", "pinky", "ear"):
        assert (at[f"left_{name}"][:, 0] > 0.03).all() and (at[f"right_{name}"][:, 0] < -0.03).all(), name
    middle = (at["left_ear"] + at["right_ear"]) / 2
    np.testing.assert_allclose((at["nose"] - middle), np.tile([0.0, -0.12, -0.02], (len(body), 1)), atol=0.01)
    np.testing.assert_allclose((at["head"] - middle), np.tile([0.0, 0.0, 0.13], (len(body), 1)), atol=0.01)
    for side in ("left", "right"):
        assert (at[f"{side}_toe"][:, 1] < at[f"{side}_ankle"][:, 1] - 0.1).all()
        assert (at[f"{side}_heel"][:, 1] > at[f"{side}_ankle"][:, 1] + 0.03).all()
        assert (at[f"{side}_heel"][:, 2] < at[f"{side}_ankle"][:, 2]).all()
    order = ["pelvis", "spine", "thorax", "nose", "head"]
    heights = np.stack([at[name][:, 2] for name in order], 1)
    assert (np.diff(heights, axis=1) > 0.05).all()


def make_motion(skeleton: Skeleton, turns: dict[str, NDArray[Any]], frames: int = FRAMES, fps: float = 120.0) -> Motion:
    q = np.tile(rotation.IDENTITY, (frames, len(skeleton.parents), 1))
    q[:, 0] = TURN
    for name, turn in turns.items():
        q[:, skeleton.index(name)] = turn
    root = np.tile([0.3, 0.2, 1.0], (frames, 1))
    return Motion(
        skeleton=skeleton,
        t_world_root=root,
        q_parent_joint=q,
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, q.shape[1])),
        fps=fps,
    )


def make_skeleton(rows: list[tuple[str, str, tuple[float, float, float]]]) -> Skeleton:
    """Rows of name, parent, offset; names with {s} stand for both sides, mirrored."""
    flat: list[tuple[str, str, NDArray[Any]]] = []
    for side, sign in (("l", 1.0), ("r", -1.0)):
        for name, parent, offset in rows:
            if "{s}" in name:
                flat.append((name.format(s=side), parent.format(s=side), np.multiply(offset, [sign, 1.0, 1.0])))
            elif side == "l":
                flat.append((name, parent, np.array(offset)))
    names = [name for name, _, _ in flat]
    parents = tuple(names.index(parent) if parent else -1 for _, parent, _ in flat)
    return Skeleton(
        joint_names=tuple(names),
        parents=parents,
        offsets=np.array([o for _, _, o in flat]),
        tips=np.zeros((len(names), 3)),
    )


DAZ = make_skeleton(
    [
        ("hip", "", (0.0, 0.0, 0.0)),
        ("abdomen", "hip", (0.0, 0.0, 0.2)),
        ("chest", "abdomen", (0.0, 0.0, 0.12)),
        ("neck", "chest", (0.0, 0.02, 0.22)),
        ("head", "neck", (0.0, -0.01, 0.07)),
        ("{s}Collar", "chest", (0.03, 0.05, 0.19)),
        ("{s}Shldr", "{s}Collar", (0.09, 0.0, -0.02)),
        ("{s}ForeArm", "{s}Shldr", (0.2817, -0.0049, -0.0171)),
        ("{s}Hand", "{s}ForeArm", (0.2259, -0.0707, 0.0077)),
        ("{s}Thigh", "hip", (0.09, 0.0, 0.02)),
        ("{s}Shin", "{s}Thigh", (0.0, -0.0073, -0.3682)),
        ("{s}Foot", "{s}Shin", (-0.0073, 0.0512, -0.4511)),
    ]
)


def write_daz(folder: Path) -> Path:
    take = folder / "cmu_daz" / "05" / "05_02.bvh"
    take.parent.mkdir(parents=True)
    nod = rotation.exp(np.zeros((FRAMES, 3)))
    write_bvh(make_motion(DAZ, {"head": nod}), take)
    return folder / "cmu_daz"


def make_body() -> dict[str, NDArray[Any]]:
    """Joint centres (T, 3) of a person facing -y who bends knees and elbows from straight to 70 degrees."""
    bend = np.linspace(0.0, np.radians(70.0), FRAMES)
    zero, one = np.zeros(FRAMES), np.ones(FRAMES)
    thigh = np.stack([zero, -np.sin(bend / 2), -np.cos(bend / 2)], -1)
    shin = np.stack([zero, np.sin(bend / 2), -np.cos(bend / 2)], -1)
    forearm = np.stack([zero, -np.sin(bend), -np.cos(bend)], -1)
    at: dict[str, NDArray[Any]] = {}
    for side, x in (("left", 1.0), ("right", -1.0)):
        at[f"{side}_hip"] = np.stack([0.09 * x * one, 0.0 * one, 0.95 * one], -1)
        at[f"{side}_knee"] = at[f"{side}_hip"] + 0.42 * thigh
        at[f"{side}_ankle"] = at[f"{side}_knee"] + 0.42 * shin
        at[f"{side}_shoulder"] = np.stack([0.17 * x * one, 0.02 * one, 1.42 * one], -1)
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] + [0.0, 0.0, -0.29]
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + 0.25 * forearm
    return at


def make_markers() -> dict[str, NDArray[Any]]:
    """The markers that a person with `make_body`'s joint centres wears."""
    at, out = make_body(), {}
    width, depth = 0.25, 0.16
    aside, back, down = 0.33 * width + 0.0073, 0.24 * depth + 0.0099, 0.30 * width + 0.0109
    middle = (at["left_hip"] + at["right_hip"]) / 2 + [0.0, -back, down]
    assert abs(aside - 0.09) < 0.001
    for mark, side, x in (("L", "left", 1.0), ("R", "right", -1.0)):
        out[mark + "ASI"], out[mark + "PSI"] = middle + [x * width / 2, 0, 0], middle + [x * 0.05, depth, 0]
        out[mark + "KNE"] = at[f"{side}_knee"] + [x * 0.055, 0, 0]
        out[mark + "ANK"] = at[f"{side}_ankle"] + [x * 0.043, 0, 0]
        out[mark + "HEE"] = at[f"{side}_ankle"] + [0, 0.06, -0.03]
        out[mark + "TOE"] = at[f"{side}_ankle"] + [0, -0.13, -0.03]
        out[mark + "SHO"] = at[f"{side}_shoulder"] + [-x * 0.02, 0, 0.04]
        out[mark + "ELB"] = at[f"{side}_elbow"] + [x * 0.041, 0, 0]
        out[mark + "WRA"], out[mark + "WRB"] = (at[f"{side}_wrist"] + [-x * inward, 0, 0] for inward in (0.03, -0.03))
        along = (at[f"{side}_wrist"] - at[f"{side}_elbow"]) / 0.25
        out[mark + "FIN"] = at[f"{side}_wrist"] + 0.08 * along
        for mark_end, y in (("FHD", -0.08), ("BHD", 0.08)):
            out[mark + mark_end] = np.tile([x * 0.07, y, 1.70 - y * 0.2], (FRAMES, 1))
    trunk = {"C7": (0.08, 1.46), "T10": (0.08, 1.2), "CLAV": (-0.08, 1.38), "STRN": (-0.08, 1.12)}
    return out | {name: np.tile([0.0, y, z], (FRAMES, 1)) for name, (y, z) in trunk.items()}


def write_prmd(folder: Path, lost: tuple[str, slice] | None = None) -> Path:
    markers = make_markers()
    values = np.stack([markers[name] for name in MARKERS] + [markers["T10"]], 1)
    two = np.concatenate([values, values + [0.5, 0.0, 0.0]])
    if lost is not None:
        two[lost[1], MARKERS.index(lost[0])] = 0.0
    np.savez(
        folder / "ui_prmd.npz",
        positions=np.round(two * 1e4).astype(np.int16),
        clip=np.array(["m01_s03_e01", "m02_s04_e02_inc"]),
        start=np.array([0, FRAMES, 2 * FRAMES]),
        marker=np.array([*MARKERS, "RBAK"]),
        fps=np.array(50.0),
        unit_m=np.array(1e-4),
    )
    return folder / "ui_prmd.npz"
