"""Bundle adjustment: cameras and the points they saw, moved until every point is projected where it was seen.

A point is a direction b from the first camera and an inverse distance rho along it, so that one that is far, or seen
by a camera that only rotates, is as well determined as any (Montiel, Civera and Davison, RSS 2006): a camera of
rotation R at p sees it in the direction R (b - rho p). Least squares by Levenberg and Marquardt with Cauchy's loss,
points eliminated first (Triggs et al., *Bundle Adjustment - A Modern Synthesis*, 2000). Knows pinholes; not pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from ...geometry import rotation
from ..layout import Array

Index = NDArray[np.intp]

_RHO_SIGMAS = 1.5  # of the typical inverse distance: how far from it points usually are; chosen
_MIN_DEPTH = 1e-2  # of a point before its camera, in its distance; chosen
_DAMPING, _MIN_DAMPING, _MAX_DAMPING = 1e-3, 1e-9, 1e6
_TINY = 1e-9  # makes solvable what nothing determines
_CONVERGED = 3e-4  # the fraction by which the last step lowered the loss; chosen


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """M sightings of N points by C cameras."""

    camera: Index
    """(M,)"""
    point: Index
    """(M,)"""
    pixels: Array
    """(M, 2) from the picture's middle"""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """C cameras and N points."""

    R: Array
    """(C, 3, 3): the first camera's axes to each camera's"""
    p: Array
    """(C, 3): where each camera is, in the first camera's axes"""
    log_zoom: Array
    """(C,): the logarithm of each camera's focal length over `focal_px`"""
    focal_px: float
    b: Array
    """(N, 3): unit vectors"""
    rho: Array
    """(N,): inverse distances"""


@dataclass(frozen=True, kw_only=True)
class Freedom:
    """What an adjustment may change, beside the cameras' rotations."""

    positions: bool = False
    zoom: bool = False
    focal: bool = False
    points: bool = True
    cauchy_px: float = 1.0
    """residuals of this size lose half of their weight"""


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """The normal equations of one step: cameras' own (C, C), their coupling with points, and points' (N, 3, 3)."""

    cameras: sparse.csr_matrix
    cameras_right: Array
    coupling: sparse.csr_matrix
    points: Array
    points_right: Array


def adjust(
    bundle: Bundle, seen: Sightings, free: Freedom, rounds: int, is_fixed: NDArray[np.bool_] | None = None
) -> Bundle:
    """The bundle after up to so many steps; cameras that `is_fixed` (C,), else the first, stay where they are."""
    fixed = np.arange(len(bundle.p)) == 0 if is_fixed is None else is_fixed
    damping, loss = _DAMPING, measure_loss(bundle, seen, free)
    for _ in range(rounds):
        parts = _linearise(bundle, seen, free, fixed)
        while True:
            tried = _apply(bundle, _solve(parts, damping), free)
            new_loss = measure_loss(tried, seen, free)
            if new_loss < loss or damping > _MAX_DAMPING:
                break
            damping *= 8.0
        if new_loss >= loss:
            break
        has_converged = loss - new_loss < _CONVERGED * loss
        bundle, loss, damping = tried, new_loss, max(damping / 8.0, _MIN_DAMPING)
        if has_converged:
            break
    return bundle


def project(bundle: Bundle, seen: Sightings) -> tuple[Array, Array]:
    """Where each sighting should be (M, 2), pixels from the middle, and the point in its camera's axes (M, 3)."""
    x = np.einsum("mij,mj->mi", bundle.R[seen.camera], _offset(bundle, seen))
    depth = np.maximum(x[:, 2:], _MIN_DEPTH)
    return bundle.focal_px * np.exp(bundle.log_zoom[seen.camera])[:, None] * x[:, :2] / depth, x


def _offset(bundle: Bundle, seen: Sightings) -> Array:
    result: Array = bundle.b[seen.point] - bundle.rho[seen.point, None] * bundle.p[seen.camera]
    return result


def measure_residuals(bundle: Bundle, seen: Sightings) -> Array:
    """How far (M,) each sighting is from where it should be, pixels."""
    result: Array = np.linalg.norm(project(bundle, seen)[0] - seen.pixels, axis=-1)
    return result


def measure_loss(bundle: Bundle, seen: Sightings, free: Freedom) -> float:
    """Cauchy's loss over all sightings, and how unusual the points' distances are."""
    residuals = measure_residuals(bundle, seen)
    loss = float((free.cauchy_px**2 * np.log1p((residuals / free.cauchy_px) ** 2)).sum())
    return loss + (float((_distance_prior(bundle)[0] ** 2).sum()) if free.positions and free.points else 0.0)


def _distance_prior(bundle: Bundle) -> tuple[Array, float]:
    """Residuals (N,) of the points' inverse distances from 1, and their derivative."""
    return (bundle.rho - 1.0) / _RHO_SIGMAS, 1.0 / _RHO_SIGMAS


def _linearise(bundle: Bundle, seen: Sightings, free: Freedom, fixed: NDArray[np.bool_]) -> _Parts:
    """The normal equations about a bundle."""
    pixels, x = project(bundle, seen)
    residual = seen.pixels - pixels
    root = np.sqrt(1.0 / (1.0 + (residual**2).sum(-1) / free.cauchy_px**2))[:, None]
    depth = np.maximum(x[:, 2], _MIN_DEPTH)
    focal = bundle.focal_px * np.exp(bundle.log_zoom[seen.camera])
    du_dx = np.zeros((len(x), 2, 3))
    du_dx[:, 0, 0] = du_dx[:, 1, 1] = focal / depth
    du_dx[:, :, 2] = -focal[:, None] * x[:, :2] / depth[:, None] ** 2
    R = bundle.R[seen.camera]
    moves = ~fixed[seen.camera][:, None, None]
    columns = [du_dx @ -_cross_matrix(x)]
    if free.positions:
        columns.append(-bundle.rho[seen.point, None, None] * (du_dx @ R))
    if free.zoom:
        columns.append(pixels[..., None])
    cameras = np.concatenate(columns, -1) * moves * root[..., None]
    B = _tangents(bundle.b)[seen.point]
    along = np.einsum("mij,mj->mi", R, bundle.p[seen.camera])[..., None]
    points = np.concatenate([du_dx @ R @ B, -free.positions * (du_dx @ along)], -1) * (root[..., None] * free.points)
    weighted = (residual * root)[..., None]
    count, number = len(bundle.p), len(bundle.b)
    C, P = cameras.swapaxes(1, 2), points.swapaxes(1, 2)
    own = _sum_by(C @ cameras, seen.camera, count) + fixed[:, None, None] * np.eye(cameras.shape[-1])
    parts = _Parts(
        cameras=_block_diagonal(own),
        cameras_right=_sum_by((C @ weighted)[..., 0], seen.camera, count).ravel(),
        coupling=_scatter(C @ points, seen, count, number),
        points=_sum_by(P @ points, seen.point, number),
        points_right=_sum_by((P @ weighted)[..., 0], seen.point, number),
    )
    if free.positions and free.points:
        prior, slope = _distance_prior(bundle)
        parts.points[:, 2, 2] += slope**2
        parts.points_right[:, 2] -= slope * prior
    if not free.focal:
        return parts
    focal_column = (pixels * root)[..., None]
    border = _sum_by((C @ focal_column)[..., 0], seen.camera, count).reshape(-1, 1)
    to_points = _sum_by((P @ focal_column)[..., 0], seen.point, number).reshape(1, -1)
    return replace(
        parts,
        cameras=sparse.bmat([[parts.cameras, border], [border.T, [[(focal_column**2).sum()]]]]).tocsr(),
        cameras_right=np.append(parts.cameras_right, (focal_column * weighted).sum()),
        coupling=sparse.vstack([parts.coupling, sparse.csr_matrix(to_points)]).tocsr(),
    )


def _solve(parts: _Parts, damping: float) -> tuple[Array, Array]:
    """The step of the cameras and that of the points (N, 3), which are eliminated first (Schur's complement)."""
    inverse = _block_diagonal(_invert_damped(parts.points, damping))
    elimination = parts.coupling @ inverse
    damped = parts.cameras + sparse.diags(damping * parts.cameras.diagonal() + _TINY)
    reduced = (damped - elimination @ parts.coupling.T).tocsc()
    cameras = splu(reduced).solve(parts.cameras_right - elimination @ parts.points_right.ravel())
    points = inverse @ (parts.points_right.ravel() - parts.coupling.T @ cameras)
    return cameras, points.reshape(-1, 3)


def _invert_damped(blocks: Array, damping: float) -> Array:
    damped = blocks.copy()
    damped[:, range(3), range(3)] *= 1.0 + damping
    damped[:, range(3), range(3)] += _TINY
    inverse: Array = np.linalg.inv(damped)
    return inverse


def _apply(bundle: Bundle, step: tuple[Array, Array], free: Freedom) -> Bundle:
    """The bundle a step further."""
    cameras, points = step
    width, count = 3 + 3 * free.positions + free.zoom, len(bundle.p)
    rows = cameras[: width * count].reshape(count, width)
    moved = replace(bundle, R=rotation.to_matrix(rotation.exp(rows[:, :3])) @ bundle.R)
    if free.positions:
        moved = replace(moved, p=bundle.p + rows[:, 3:6])
    if free.zoom:
        moved = replace(moved, log_zoom=bundle.log_zoom + rows[:, -1])
    if free.focal:
        moved = replace(moved, focal_px=float(bundle.focal_px * np.exp(np.clip(cameras[-1], -0.3, 0.3))))
    if free.points:
        b = rotation.normalise(bundle.b + np.einsum("nij,nj->ni", _tangents(bundle.b), points[:, :2]))
        moved = replace(moved, b=b, rho=bundle.rho + points[:, 2])
    return moved


def estimate_focal_sigma(bundle: Bundle, seen: Sightings, free: Freedom) -> float:
    """The standard error of the focal length, as a fraction of it, by the curvature of the loss and the residuals."""
    parts = _linearise(bundle, seen, replace(free, focal=True), np.arange(len(bundle.p)) == 0)
    elimination = parts.coupling @ _block_diagonal(_invert_damped(parts.points, 0.0))
    size = len(parts.cameras_right)
    reduced = (parts.cameras + sparse.identity(size) * _TINY - elimination @ parts.coupling.T).tocsc()
    unit = np.zeros(size)
    unit[-1] = 1.0
    variance = float(splu(reduced).solve(unit)[-1])
    noise_px = float(np.median(measure_residuals(bundle, seen)))
    return float(np.sqrt(max(variance, 0.0))) * noise_px


def _cross_matrix(v: Array) -> Array:
    zero = np.zeros(len(v))
    x, y, z = v.T
    matrices: Array = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return matrices


def _tangents(b: Array) -> Array:
    """Two unit vectors (N, 3, 2) across each unit vector (N, 3)."""
    axis = np.where(np.abs(b[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    one = rotation.normalise(np.cross(b, axis))
    return np.stack([one, np.cross(b, one)], -1)


def _block_diagonal(blocks: Array) -> sparse.csr_matrix:
    """Blocks (N, D, D) along the diagonal of a sparse matrix."""
    count, size = blocks.shape[:2]
    return sparse.bsr_matrix((blocks, np.arange(count), np.arange(count + 1)), shape=(count * size,) * 2).tocsr()


def _scatter(blocks: Array, seen: Sightings, cameras: int, points: int) -> sparse.csr_matrix:
    """Blocks (M, D, 3) at their camera's rows and their point's columns."""
    size = blocks.shape[1]
    rows = np.broadcast_to(seen.camera[:, None, None] * size + np.arange(size)[:, None], blocks.shape)
    columns = np.broadcast_to(seen.point[:, None, None] * 3 + np.arange(3), blocks.shape)
    shape = (cameras * size, points * 3)
    return sparse.coo_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()


def _sum_by(values: Array, index: Index, count: int) -> Array:
    """Sums (count, ...) of values (M, ...) that share an index (M,)."""
    flat = values.reshape(len(values), -1)
    columns = [np.bincount(index, column, count) for column in flat.T]
    sums: Array = np.stack(columns, -1).astype(float).reshape(count, *values.shape[1:])
    return sums
