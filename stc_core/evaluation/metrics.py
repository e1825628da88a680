"""How far an estimate is from the truth: positions, angles, path, lean.

Knows arrays of points over time, (T, K, 3) in metres, and what each figure means in the literature; not where they come
from. Alignment follows Umeyama, "Least-squares estimation of transformation parameters between two point patterns"
(PAMI 1991). Every function needs finite input of at least the stated number of frames and gives finite output.
The functions named `_each` give a value a frame, so that any grouping of frames (by action, by subject) is a mean of
them; the published code aligns a batch as a whole and books its mean P-MPJPE to every action in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.alignment import Similarity, align

Array = NDArray[np.float64]

_TINY = 1e-12
MM = 1000.0
PCK_M = 0.150
AUC_M = np.arange(31) * 0.005  # 0, 5, …, 150 mm, as MPI-INF-3DHP's own evaluation


def distances(estimate: Array, truth: Array) -> Array:
    """Distance (..., K) of each joint (..., K, 3), in metres."""
    return np.linalg.norm(np.asarray(estimate, float) - truth, axis=-1)


def mpjpe_each(estimate: Array, truth: Array) -> Array:
    """Mean distance of the joints (..., K, 3) for each frame (...), in metres."""
    return distances(estimate, truth).mean(-1)


def mpjpe(estimate: Array, truth: Array) -> float:
    """Mean distance of the joints (..., K, 3) over all frames, in metres: Human3.6M's protocol 1."""
    return float(mpjpe_each(estimate, truth).mean())


def p_mpjpe_each(estimate: Array, truth: Array) -> Array:
    """Mean distance (...) after each frame's own similarity: the error of the pose alone, in metres."""
    return mpjpe_each(align(estimate, truth).apply(np.asarray(estimate, float)), truth)


def p_mpjpe(estimate: Array, truth: Array) -> float:
    """Mean over the frames of `p_mpjpe_each`, in metres: Human3.6M's protocol 2."""
    return float(p_mpjpe_each(estimate, truth).mean())


def n_mpjpe_each(estimate: Array, truth: Array) -> Array:
    """Mean distance (...) after each frame's own scale about the origin, in metres (Rhodin et al., CVPR 2018).

    Both (..., K, 3) with the root at the origin.
    """
    estimate = np.asarray(estimate, float)
    scale = (estimate * truth).sum((-1, -2)) / np.maximum((estimate**2).sum((-1, -2)), _TINY)
    return mpjpe_each(scale[..., None, None] * estimate, truth)


def velocity_error_each(estimate: Array, truth: Array, fps: float = 1.0) -> Array:
    """Mean distance (T - 1,) of the joints' velocities, metres a second (MPJVE; Pavllo et al., CVPR 2019).

    As published, with fps 1: metres a frame. (T, K, 3), T of 2 or more.
    """
    return mpjpe_each(np.diff(estimate, axis=0), np.diff(truth, axis=0)) * fps


def acceleration_error_each(estimate: Array, truth: Array, fps: float = 1.0) -> Array:
    """Mean distance (T - 2,) of the joints' accelerations, m/s^2 (Kanazawa et al., CVPR 2019); T of 3 or more."""
    return mpjpe_each(np.diff(estimate, 2, axis=0), np.diff(truth, 2, axis=0)) * fps**2


def pck(distance: Array, threshold_m: float = PCK_M) -> float:
    """Percentage of distances (...), metres, strictly under a threshold (MPI-INF-3DHP)."""
    return 100.0 * float((np.asarray(distance) < threshold_m).mean())


def pck_curve(distance: Array, thresholds_m: Array = AUC_M) -> Array:
    """`pck` (N,) at each of the rising thresholds (N,)."""
    below = np.searchsorted(np.sort(np.asarray(distance, float), None), thresholds_m, side="left")
    return 100.0 * below / max(np.size(distance), 1)


def auc(distance: Array) -> float:
    """Mean of `pck` over the thresholds 0, 5, …, 150 mm, in per cent (MPI-INF-3DHP)."""
    return float(pck_curve(distance).mean())


def clip_alignment(estimate: Array, truth: Array, root: int = 0) -> Similarity:
    """One rotation and one scale about the root for the whole clip (T, K, 3)."""
    source, target = ((points - points[:, root : root + 1]).reshape(-1, 3) for points in (estimate, truth))
    return align(source, target, with_shift=False)


def clip_mpjpe(estimate: Array, truth: Array, root: int = 0) -> float:
    """Mean distance in metres of (T, K, 3) with the root at the origin, after one rotation and scale for the clip.

    Unlike P-MPJPE it sees a lean or a rotation that changes over the clip.
    """
    similarity = clip_alignment(estimate, truth, root)
    moved = similarity.apply(estimate - estimate[:, root : root + 1])
    return mpjpe(moved, truth - truth[:, root : root + 1])


def joint_angles(points: Array, triples: Sequence[tuple[int, int, int]]) -> Array:
    """Angles (..., A) in degrees at the middle of each (outer, middle, outer) triple of points (..., K, 3)."""
    a, b, c = (np.asarray(points, float)[..., list(column), :] for column in zip(*triples, strict=True))
    u, v = a - b, c - b
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1)))


def angle_error_each(estimate: Array, truth: Array, triples: Sequence[tuple[int, int, int]]) -> Array:
    """Absolute error (..., A) of each joint angle, in degrees; needs no alignment."""
    return np.abs(joint_angles(estimate, triples) - joint_angles(truth, triples))


def angle_error(estimate: Array, truth: Array, triples: Sequence[tuple[int, int, int]]) -> float:
    """Mean absolute error of the joint angles, in degrees; needs no alignment."""
    return float(angle_error_each(estimate, truth, triples).mean())


def view_angles(
    joints: Array, ray: Array, left: tuple[int, int], right: tuple[int, int], root: int
) -> tuple[Array, Array]:
    """From where a camera sees a body: azimuth (...) and elevation (...) in degrees, in the body's own axes.

    joints (..., K, 3) in camera axes (x right, y down, z forward), ray (..., 3) from the camera to the root; left and
    right: hip and shoulder of each side. Azimuth 0 from the front, 90 from the body's left, ±180 from behind;
    elevation 90 from above the head.
    """
    hips = joints[..., left[0], :] - joints[..., right[0], :]
    up = _unit((joints[..., left[1], :] + joints[..., right[1], :]) / 2.0 - joints[..., root, :])
    across = _unit(hips - (hips * up).sum(-1, keepdims=True) * up)
    to_camera = -_unit(np.asarray(ray, float))
    sideways, ahead = (to_camera * across).sum(-1), (to_camera * np.cross(across, up)).sum(-1)
    return np.degrees(np.arctan2(sideways, ahead)), np.degrees(np.arcsin(np.clip((to_camera * up).sum(-1), -1, 1)))


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)


def path_length(path: Array) -> float:
    """The length in metres of a path (T, 3)."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())


def path_error(estimate: Array, truth: Array) -> float:
    """Mean distance in metres of two paths (T, 3) after one rigid transform (no scale)."""
    return float(np.linalg.norm(align(estimate, truth, with_scale=False).apply(estimate) - truth, axis=-1).mean())


def path_error_percent(estimate: Array, truth: Array) -> float:
    """`path_error` relative to the true path's length, in per cent (WHAM's root translation error).

    Says little where the person hardly travels; zero where the true path has no length.
    """
    length = path_length(truth)
    return 100.0 * path_error(estimate, truth) / length if length > _TINY else 0.0


def tilt(estimate: Array, truth: Array, estimated_up: Array, true_up: Array, root: int = 0) -> float:
    """Angle in degrees between the estimate's up and the true up, once the clips (T, K, 3) are laid on each other."""
    up = clip_alignment(estimate, truth, root).R @ np.asarray(estimated_up, float)
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(up, true_up)), up @ np.asarray(true_up, float))))
