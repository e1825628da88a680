"""Key reduction: the fewest keys that keep every joint within a bound of where it was, at every frame.

Keys are left out as long as the error that remains, summed along the whole chain of bones, stays within the bound:
first those that matter least, in passes over all channels with a limit that rises to the bound, so that no bone uses
up the share of the others. The keys beside one that is left out are fitted anew. Knows tracks, rest poses and splines;
does not know F-curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...geometry import rotation
from ...geometry.rotation import Array
from ..motion import Motion
from ..retarget.rest_pose import RestPose
from .pose import skeleton_rest
from .spline import Indices, Removal, Spline, apply_removal, evaluate, fit_dense, leave_out
from .tracks import LOCATION, QUATERNION, PosedArmature, Track, pose_armature, to_rotation

_LIMITS = (0.3, 0.65, 1.0)
"""fractions of the bound, one after the other; twice as many take twice the time and save 3 % of the keys; chosen"""
_MANY_POINTS = 8
"""that move as one, such as the joints of fingers without keys; chosen"""
_SAME_PLACE_M = 1e-4
"""a child whose head is this near to a tail moves as the tail does; chosen"""
_MARGIN = 0.98
"""of the bound, for what the first-order sum of errors and Blender's single precision leave out; chosen"""


@dataclass(frozen=True, kw_only=True)
class ReducedTrack:
    """The keys that are left of a track, for each of its channels."""

    track: Track
    channels: tuple[Spline, ...]

    def evaluate(self, times: Array, is_linear: bool = False) -> Track:
        """The track at all the times (N,) that it was reduced from."""
        values = np.stack([evaluate(channel, times, is_linear) for channel in self.channels], 1)
        return replace(self.track, values=values)


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What is left of an animation's keys, and what it costs."""

    tracks: tuple[ReducedTrack, ...]
    keys_before: int
    """of all channels together"""
    keys_after: int
    error_m: float
    """the farthest that a joint or the tip of a bone is from where it was, at any of the times"""


def reduce_keys(
    rest: RestPose, tracks: Sequence[Track], times: Array, bound_m: float, is_linear: bool = False
) -> Reduction:
    """Leave out all keys that are not needed to keep every joint and tip within `bound_m` metres at all times (N,).

    times rise, in any unit. Between keys the curves are cubic, or straight with `is_linear`.
    """
    assert bound_m > 0.0 and all(len(track.values) == len(times) for track in tracks)
    limit = _MARGIN * bound_m / rest.unit_m
    former = pose_armature(rest, tracks)
    while True:
        reduced = _Reducer(rest, tracks, times, former, is_linear).run(limit)
        error_m = measure_error(rest, former, [track.evaluate(times, is_linear) for track in reduced])
        if error_m <= bound_m:
            break
        limit *= _MARGIN * bound_m / error_m
    return Reduction(
        tracks=reduced,
        keys_before=sum(track.values.size for track in tracks),
        keys_after=sum(len(channel.keys) for track in reduced for channel in track.channels),
        error_m=error_m,
    )


def reduce_motion_keys(motion: Motion, bound_m: float, is_linear: bool = False) -> Reduction:
    """Reduce a motion's keys: of each joint's rotation as a quaternion, and of the root's location as the last."""
    rest, names = skeleton_rest(motion.skeleton), motion.skeleton.joint_names
    q = rotation.unroll(motion.q_parent_joint)
    tracks = [Track(bone=name, kind=QUATERNION, values=q[:, joint]) for joint, name in enumerate(names)]
    tracks.append(Track(bone=names[0], kind=LOCATION, values=motion.t_world_root - motion.skeleton.offsets[0]))
    return reduce_keys(rest, tracks, np.arange(len(q), dtype=float), bound_m, is_linear)


def measure_error(rest: RestPose, former: PosedArmature, tracks: Sequence[Track]) -> float:
    """How far any head or tail of a bone is from where it was at most, metres."""
    posed = pose_armature(rest, tracks)
    offsets = rotation.rotate(rotation.inv(rest.q_armature_bone), rest.tails - rest.heads)
    tails, former_tails = (pose.heads + rotation.rotate(pose.q_armature_bone, offsets) for pose in (posed, former))
    distances = (np.linalg.norm(a - b, axis=-1).max() for a, b in ((posed.heads, former.heads), (tails, former_tails)))
    return float(max(distances)) * rest.unit_m


class _Reducer:
    """The state of a reduction: each channel's spline, and the error of every point to first order."""

    def __init__(
        self, rest: RestPose, tracks: Sequence[Track], times: Array, former: PosedArmature, is_linear: bool
    ) -> None:
        self.rest, self.tracks, self.times, self.former, self.is_linear = rest, tracks, times, former, is_linear
        owners, positions = _choose_points(rest, tracks, former)
        self.errors = np.zeros_like(positions)
        self.reaches = [_find_reach(rest, track, former, owners, positions) for track in tracks]
        self.samples = [track.values.copy() for track in tracks]
        self.errors_in_track = [np.zeros((len(times), 3)) for _ in tracks]
        self.splines = [[fit_dense(column, times) for column in track.values.T] for track in tracks]

    def run(self, limit: float) -> tuple[ReducedTrack, ...]:
        """Leave out what the limit, armature units, allows."""
        channels = [(track, column) for track, splines in enumerate(self.splines) for column in range(len(splines))]
        for fraction in _LIMITS:
            channels.reverse()
            active = list(channels)
            while active:
                active = [channel for channel in active if self._thin_out(*channel, limit * fraction)]
        return tuple(
            ReducedTrack(track=track, channels=tuple(splines))
            for track, splines in zip(self.tracks, self.splines, strict=True)
        )

    def _thin_out(self, track: int, column: int, limit: float) -> bool:
        """Leave out keys of a channel within the limit, in four interleaved passes; returns whether any went."""
        count = len(self.splines[track][column].keys)
        for offset in range(4):
            removal = leave_out(
                self.splines[track][column],
                self.tracks[track].values[:, column],
                self.samples[track][:, column],
                self.times,
                offset,
                self.is_linear,
            )
            if removal is not None:
                self._accept(track, column, removal, limit)
        return len(self.splines[track][column].keys) < count

    def _accept(self, track: int, column: int, removal: Removal, limit: float) -> None:
        """Take those of the removals that keep all errors within the limit, or make none of them larger."""
        samples = self.samples[track].copy()
        samples[:, column] = removal.samples
        error = self._error_in_track(track, samples)
        reach = self.reaches[track]
        errors = self.errors[:, reach.points] + reach.displace(error - self.errors_in_track[track])
        is_bad = (np.square(errors).sum(-1) > limit**2).any(1)
        bad_before = np.concatenate([[0], np.cumsum(is_bad)])
        accepted = bad_before[removal.stretches[:, 1] + 1] == bad_before[removal.stretches[:, 0]]
        if not accepted.any():
            return
        changed = _mark_stretches(removal.stretches[accepted], len(self.times))
        self.splines[track][column] = apply_removal(self.splines[track][column], removal, accepted)
        self.samples[track][changed] = samples[changed]
        self.errors_in_track[track][changed] = error[changed]
        self.errors[np.ix_(changed, reach.points)] = errors[changed]

    def _error_in_track(self, track: int, samples: Array) -> Array:
        """By what rotation vector or shift (N, 3), armature axes, samples (N, C) move the bone from where it was."""
        one, bone = self.tracks[track], self.rest.index(self.tracks[track].bone)
        if one.is_location:
            return rotation.rotate(self.former.q_following[:, bone], one.to_positions(samples - one.values))
        own = rotation.mul(to_rotation(samples, one.kind), rotation.inv(to_rotation(one.values, one.kind)))
        return rotation.rotate(self.former.q_base[:, bone], rotation.log(own))


def _mark_stretches(stretches: Indices, count: int) -> NDArray[np.bool_]:
    """Which of `count` samples lie in stretches (R, 2), their last ones counted."""
    steps = np.zeros(count + 1, int)
    np.add.at(steps, stretches[:, 0], 1)
    np.add.at(steps, stretches[:, 1] + 1, -1)
    marked: NDArray[np.bool_] = np.cumsum(steps)[:-1] > 0
    return marked


# ---------------------------------------------------------------------------------------------- what a track moves


@dataclass(frozen=True, kw_only=True)
class _Reach:
    """The points that a track moves, and from where it turns them."""

    points: Indices
    """(P,)"""
    levers: Array | None
    """(N, P, 3): from the bone's head to the point; None of a location, which moves all alike"""

    def displace(self, error: Array) -> Array:
        """How far the points are moved (N, P, 3) by a small rotation vector or a shift (N, 3)."""
        if self.levers is None:
            return np.broadcast_to(error[:, None], (len(error), len(self.points), 3))
        (x, y, z), (a, b, c) = np.moveaxis(error[:, None], -1, 0), np.moveaxis(self.levers, -1, 0)
        return np.stack([y * c - z * b, z * a - x * c, x * b - y * a], -1)


def _choose_points(rest: RestPose, tracks: Sequence[Track], former: PosedArmature) -> tuple[list[int], Array]:
    """The points that are watched: of all bones that a track moves the heads, and the tails where no child begins.

    Of many that move as one the outermost will do. Returns the bone (P,) that carries each, and where they are
    (N, P, 3), armature space.
    """
    keyed = {rest.index(track.bone) for track in tracks}
    moved = {rest.index(track.bone) for track in tracks if track.is_location}
    carriers: dict[int, int] = {}  # each moved bone's nearest keyed one above, or itself where it inherits no rotation
    for bone, parent in enumerate(rest.parents):
        if bone in keyed or (parent in carriers and not rest.inherits_rotation[bone]):
            carriers[bone] = bone
        elif parent in carriers:
            carriers[bone] = carriers[parent]
    followed = {
        parent
        for bone, parent in enumerate(rest.parents)
        if bone not in moved and np.linalg.norm(rest.heads[bone] - rest.tails[parent]) * rest.unit_m < _SAME_PLACE_M
    }
    tips = sorted(set(carriers) - followed)
    owners = np.array([*sorted(carriers), *tips])
    at_rest = np.concatenate([rest.heads[sorted(carriers)], rest.tails[tips]])
    by_carrier = np.array([carriers[owner] for owner in owners])
    chosen = [index for carrier in np.unique(by_carrier) for index in _find_outermost(at_rest, by_carrier == carrier)]
    owners, at_rest = owners[chosen], at_rest[chosen]
    offsets = rotation.rotate(rotation.inv(rest.q_armature_bone[owners]), at_rest - rest.heads[owners])
    positions = former.heads[:, owners] + rotation.rotate(former.q_armature_bone[:, owners], offsets)
    return owners.tolist(), positions


def _find_outermost(points: Array, is_candidate: NDArray[np.bool_]) -> list[int]:
    """Of points (P, 3) that move as one those farthest in 26 directions, or all where they are few."""
    candidates = np.flatnonzero(is_candidate)
    if len(candidates) <= _MANY_POINTS:
        return [int(index) for index in candidates]
    directions = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3), -1).reshape(-1, 3)
    return [int(index) for index in np.unique(candidates[(points[candidates] @ directions.T).argmax(0)])]


def _find_reach(rest: RestPose, track: Track, former: PosedArmature, owners: Sequence[int], positions: Array) -> _Reach:
    """Of the points (N, P, 3) those on the track's bone and below it.

    What hangs on a bone that inherits no rotation is moved as that bone's head is.
    """
    bone, points, levers = rest.index(track.bone), [], []
    for point, owner in enumerate(owners):
        turned, above = positions[:, point], owner
        while above not in (bone, -1):
            turned = turned if rest.inherits_rotation[above] else former.heads[:, above]
            above = rest.parents[above]
        if above == bone:
            points.append(point)
            levers.append(turned - former.heads[:, bone])
    return _Reach(points=np.array(points), levers=None if track.is_location else np.stack(levers, 1))
