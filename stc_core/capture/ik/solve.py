"""Places of landmarks become turns of the canonical humanoid: the last stage, WorldPose -> Motion.

The bones get one length for the whole clip, fitted to it; then every frame is solved in closed form, all frames at
once: trunk, head, arms, legs. Where points say nothing (a straight limb's twist, a layout without hands) the turn is
carried in time or stays at rest. Feet on the floor are put exactly where their landmarks are.
Knows where each landmark sits on the humanoid and how elbows and knees bend; knows no camera, no video, no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, maximum_filter1d

from ...geometry import rotation
from ...motion.motion import Motion
from ...motion.skeleton import HUMANOID, Skeleton
from ..landmark_map import Array, WorldPose


@dataclass(frozen=True)
class SolveConfig:
    """How positions are turned into rotations.

    twist_smoothing_s: a limb's twist is averaged over about this time where the elbow or knee is well bent, and over
    longer the straighter it is. contact_ease_s: how long a foot takes from its free path to its place on the floor.
    root_smoothing_s: over what time the hips follow the feet where bones and landmarks disagree.
    clavicle_limit_deg, forearm_twist_limit_deg: what the joint can do at most.
    """

    twist_smoothing_s: float = 0.02
    contact_ease_s: float = 0.17
    root_smoothing_s: float = 0.12
    clavicle_limit_deg: float = 30.0
    forearm_twist_limit_deg: float = 110.0


X, Y, Z = np.eye(3)
_SIDES = (("left", 1.0), ("right", -1.0))
_SIZE_RATIOS = (0.3, 2.0)  # a body against HUMANOID: from a toddler up
_BONE_RATIOS = (0.82, 1.22)  # a bone against HUMANOID's, both of one size
_TINY = 1e-6
# where landmarks sit, metres in the axes of the joint, left side
_HEAD_TOP, _NOSE, _EAR = np.array([0.0, 0.0, 0.18]), np.array([0.0, -0.11, 0.04]), np.array([0.075, 0.0, 0.05])
_HEEL, _TOE, _SOLE = np.array([0.0, 0.05, -0.06]), np.array([0.0, -0.18, -0.06]), 0.02
_KNUCKLES = 0.085
_LINE_S = 0.02  # over what time a line across the body is averaged where it is too short
_LEAN, _LEAN_S = 0.7, 0.1  # how much of what the ears are aside the neck follows, and over what time
_WEAK, _STRONG = np.radians(10.0), np.radians(40.0)  # a bend between which the end of a limb becomes worth reaching
_CARRY = 2e-3  # what a limb's usual twist weighs against one seen at 20 degrees of bend
_SPIN, _SPIN_CARRY = np.radians([80.0, 140.0]), 0.02  # a forearm's twist becomes doubtful; what none at all weighs
_WRIST, _WRIST_TWIST = np.radians(100.0), np.radians(40.0)  # a hand's turn and twist against the forearm
_FOOT_HELP, _HAND_HELP = 0.02, 0.005  # the same for the twist that foot and palm suggest of a straight limb


def solve(world: WorldPose, config: SolveConfig | None = None) -> Motion:
    """The motion of the canonical humanoid (fitted bone lengths) whose joints are where the landmarks are.

    world: landmarks (T, K, 3) in metres, z up, floor at 0, of any layout that has Human3.6M's 17 names. Missing feet,
    hands and ears stay at rest. The motion carries the landmarks, their scores, contacts and the camera.
    """
    config = config or SolveConfig()
    points = _Points.of(world)
    skeleton = fit_skeleton(world)
    turns = _trunk(points, skeleton)
    root, legs = _legs(points, skeleton, turns["hips"], world.contacts, config)
    turns |= legs
    top = _upper_chest(skeleton, turns, root)
    turns |= _head(points, skeleton, turns["upper_chest"], top)
    for side in _SIDES:
        turns |= _arm(points, skeleton, turns["upper_chest"], top, side, config)
    return Motion(
        skeleton,
        root,
        _local(skeleton, turns),
        world.contacts,
        _joint_scores(points, skeleton),
        world.fps,
        landmark_names=world.layout.names,
        landmarks={"landmarks_3d": world.joints, "landmark_scores": world.scores},
        camera=world.camera,
    )


@dataclass(frozen=True)
class _Points:
    """Landmarks by name: places (T, 3) and scores (T,) of those that the layout has and that were ever seen."""

    places: dict[str, Array]
    scores: dict[str, Array]
    frames: int
    fps: float

    @staticmethod
    def of(world: WorldPose) -> _Points:
        seen = [i for i, name in enumerate(world.layout.names) if world.scores[:, i].any()]
        places = {world.layout.names[i]: world.joints[:, i] for i in range(len(world.layout.names))}
        scores = {world.layout.names[i]: world.scores[:, i] for i in seen}
        return _Points(places, scores, len(world.joints), world.fps)

    def __getitem__(self, name: str) -> Array:
        return self.places[name]

    def has(self, *names: str) -> bool:
        return all(name in self.scores for name in names)

    def score(self, *names: str) -> Array:
        """The least score (T,) of the named landmarks; zero where one is missing."""
        nothing = np.zeros(self.frames)
        return np.min([self.scores.get(name, nothing) for name in names], axis=0)

    def middle(self, part: str) -> Array:
        return (self[f"left_{part}"] + self[f"right_{part}"]) / 2


# ---------------------------------------------------------------------------------------------- proportions


def fit_skeleton(world: WorldPose) -> Skeleton:
    """HUMANOID with the lengths of this clip's body: medians over time, both sides alike, within human ratios."""
    points = _Points.of(world)
    ratios = _bone_ratios(points)
    bent = _scaled(points, ratios)
    ratios["trunk"] *= _trunk_miss(points, bent)
    return _with_neck(points, _scaled(points, ratios))


def _with_neck(points: _Points, skeleton: Skeleton) -> Skeleton:
    """The skeleton with neck and head so placed in the middle plane that the ears come, on the whole, where they are.

    Least squares over the clip, held to the given places by as much as a tenth of the clip.
    """
    if not points.has("left_ear", "right_ear", "nose", "head"):
        return skeleton
    turns = _trunk(points, skeleton)
    top = points.middle("hip") + _upper_chest(skeleton, turns, -rotation.rotate(turns["hips"], _middle_hip(skeleton)))
    turns |= _head(points, skeleton, turns["upper_chest"], top)
    neck, head = skeleton.index("neck"), skeleton.index("head")
    ears = _EAR * (0.0, 1.0, 1.0) * skeleton.tips[head, 2] / _HEAD_TOP[2]
    misses = points.middle("ear") - top - rotation.rotate(turns["head"], ears)
    misses = misses - rotation.rotate(turns["upper_chest"], skeleton.offsets[neck])
    misses = misses - rotation.rotate(turns["neck"], skeleton.offsets[head])
    axes = [rotation.rotate(turns[name], axis) for name in ("upper_chest", "neck") for axis in (Y, Z)]
    columns = np.stack(axes, -1) * points.score("left_ear", "right_ear", *_CORNERS)[:, None, None]
    normal = np.einsum("tik,til->kl", columns, np.stack(axes, -1)) + 0.1 * points.frames * np.eye(4)
    moved = np.linalg.solve(normal, np.einsum("tik,ti->k", columns, misses))
    limit = 0.3 * skeleton.offsets[head, 2]
    offsets = skeleton.offsets.copy()
    offsets[[neck, head], 1:] += np.clip(moved, -limit, limit).reshape(2, 2)
    return Skeleton(skeleton.joint_names, skeleton.parents, offsets, skeleton.tips)


def _trunk_miss(points: _Points, skeleton: Skeleton) -> float:
    """How much longer the trunk's landmarks lie apart than the bent model's: a bent back's points are nearer."""
    turns = _trunk(points, skeleton)
    model = _upper_chest(skeleton, turns, -rotation.rotate(turns["hips"], _middle_hip(skeleton)))
    model = model + rotation.rotate(turns["upper_chest"], _middle_shoulder(skeleton))
    seen = points.middle("shoulder") - points.middle("hip")
    lengths = np.linalg.norm(seen, axis=-1) / np.maximum(np.linalg.norm(model, axis=-1), 0.1)
    return float(np.clip(_median(lengths, points.score(*_CORNERS)), 0.9, 1.1))


def _scaled(points: _Points, ratios: dict[str, float]) -> Skeleton:
    """HUMANOID with its bones multiplied by the ratios of their segments."""
    offsets, tips = HUMANOID.offsets.copy(), HUMANOID.tips.copy()
    for joint, name in enumerate(HUMANOID.joint_names):
        part = name.removeprefix("left_").removeprefix("right_")
        offsets[joint] *= ratios[_RATIO_OF.get(part, "trunk")]
        tips[joint] *= ratios[{"hand": "hand", "toes": "foot"}.get(part, "head")]
    for side, sign in _SIDES:
        clavicle, arm = HUMANOID.index(f"{side}_shoulder"), HUMANOID.index(f"{side}_upper_arm")
        offsets[arm, 0] = sign * 0.17 * ratios["shoulders"] - offsets[clavicle, 0]
        offsets[HUMANOID.index(f"{side}_upper_leg"), 0] = sign * 0.09 * ratios["hips"]
    _fit_feet(points, ratios["body"], offsets, tips)
    leg = sum(offsets[HUMANOID.index(f"left_{part}"), 2] for part in ("upper_leg", "lower_leg", "foot", "toes"))
    offsets[0] = (0.0, 0.0, _SOLE * ratios["body"] - leg)
    return Skeleton(HUMANOID.joint_names, HUMANOID.parents, offsets, tips)


_RATIO_OF = {
    "upper_leg": "body",
    "lower_leg": "thigh",
    "foot": "shin",
    "toes": "foot",
    "lower_arm": "upper_arm",
    "hand": "forearm",
}
# what is measured: its length on HUMANOID and the pairs of landmarks, left side
_CORNERS = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
_SEGMENTS = {
    "thigh": (0.42, "hip", "knee"),
    "shin": (0.40, "knee", "ankle"),
    "upper_arm": (0.28, "shoulder", "elbow"),
    "forearm": (0.25, "elbow", "wrist"),
}


def _bone_ratios(points: _Points) -> dict[str, float]:
    """Each segment's length against HUMANOID's; `body` is the whole's."""
    lengths = {name: _side_length(points, *ends) for name, (_, *ends) in _SEGMENTS.items()}
    rest = {name: row[0] for name, row in _SEGMENTS.items()}
    for name, rest_length, part in (("hips", 0.18, "hip"), ("shoulders", 0.34, "shoulder")):
        lengths[name] = _length(points, [(f"left_{part}", f"right_{part}")])
        rest[name] = rest_length
    spine = points["spine"]
    weight = points.score("spine", *_CORNERS)
    lower, upper = points.middle("hip") - spine, points.middle("shoulder") - spine
    lengths["trunk"] = _median(np.linalg.norm(lower, axis=-1) + np.linalg.norm(upper, axis=-1), weight)
    rest["trunk"] = float(np.linalg.norm([0.01, 0.25]) + np.linalg.norm([0.01, 0.23]))
    rest["hand"], rest["head"] = _KNUCKLES, _HEAD_TOP[2] - _EAR[2]
    lengths["hand"], lengths["head"] = _hand_length(points), _head_length(points)
    tall = [name for name in ("thigh", "shin", "trunk") if lengths[name] is not None]
    known = sum(lengths[name] or 0.0 for name in tall)
    body = float(np.clip(known / sum(rest[name] for name in tall), *_SIZE_RATIOS)) if tall else 1.0
    ratios = {"body": body, "foot": body}
    for name, length in lengths.items():
        ratio = 1.0 if length is None else length / rest[name] / body
        ratios[name] = body * float(np.clip(ratio, *_BONE_RATIOS))
    return ratios


def _side_length(points: _Points, a: str, b: str) -> float | None:
    return _length(points, [(f"{side}_{a}", f"{side}_{b}") for side, _ in _SIDES])


def _length(points: _Points, pairs: Iterable[tuple[str, str]]) -> float | None:
    """The median distance over time and over the pairs, or None where they were never seen."""
    pairs = list(pairs)
    if not any(points.has(*pair) for pair in pairs):
        return None
    distances = [np.linalg.norm(points[a] - points[b], axis=-1) for a, b in pairs]
    return _median(np.concatenate(distances), np.concatenate([points.score(*pair) for pair in pairs]))


def _hand_length(points: _Points) -> float | None:
    lengths, weights = [], []
    for side, _ in _SIDES:
        if points.has(f"{side}_wrist", f"{side}_index", f"{side}_pinky"):
            knuckles = (points[f"{side}_index"] + points[f"{side}_pinky"]) / 2
            lengths.append(np.linalg.norm(knuckles - points[f"{side}_wrist"], axis=-1))
            weights.append(points.score(f"{side}_wrist", f"{side}_index", f"{side}_pinky"))
    return _median(np.concatenate(lengths), np.concatenate(weights)) if lengths else None


def _head_length(points: _Points) -> float | None:
    if not points.has("left_ear", "right_ear", "head"):
        return None
    return _median(
        np.linalg.norm(points["head"] - points.middle("ear"), axis=-1), points.score("left_ear", "right_ear", "head")
    )


def _median(values: Array, weights: Array) -> float:
    """The weighted median; a plain one where all weights are zero."""
    weights = weights if weights.any() else np.ones_like(weights)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    low = np.searchsorted(reached, reached[-1] / 2 * (1 - 1e-9))
    high = np.searchsorted(reached, reached[-1] / 2 * (1 + 1e-9))
    return float(values[order[low]] + values[order[min(high, len(values) - 1)]]) / 2


def _fit_feet(points: _Points, body: float, offsets: Array, tips: Array) -> None:
    """Put the toes' joint on the line from heel to toe, and the tip at its end."""
    shape = _foot_shape(points)
    if shape is None:
        return
    for axis in (1, 2):
        ratio = body * float(np.clip(shape[1][axis] / (_TOE[axis] * body), *_BONE_RATIOS))
        for side, _ in _SIDES:
            toes = HUMANOID.index(f"{side}_toes")
            offsets[toes, axis] = HUMANOID.offsets[toes, axis] * ratio
            tips[toes, axis] = HUMANOID.tips[toes, axis] * ratio


def _foot_shape(points: _Points) -> tuple[Array, Array] | None:
    """Heel (3,) and toe (3,) from the ankle in the foot's axes, medians over time and both sides; None if unseen."""
    sides = [side for side, _ in _SIDES if points.has(f"{side}_ankle", f"{side}_heel", f"{side}_toe")]
    if not sides:
        return None
    weights = np.concatenate([points.score(f"{side}_ankle", f"{side}_heel", f"{side}_toe") for side in sides])
    shape = []
    for part in ("heel", "toe"):
        seen = [points[f"{side}_{part}"] - points[f"{side}_ankle"] for side in sides]
        turns = [rotation.inv(_foot_turn(points, side)) for side in sides]
        local = np.concatenate([rotation.rotate(q, v) for q, v in zip(turns, seen, strict=True)])
        shape.append(np.array([0.0, _median(local[:, 1], weights), _median(local[:, 2], weights)]))
    return shape[0], shape[1]


# ---------------------------------------------------------------------------------------------- trunk and head


def _trunk(points: _Points, skeleton: Skeleton) -> dict[str, Array]:
    """World turns of hips, spine, chest and upper chest; the bend between hips and thorax is shared by the three."""
    hip_line = _direction(_steady_line(points, "hip"), X)
    shoulder_line = _direction(_steady_line(points, "shoulder"), hip_line)
    lower = _direction(points["spine"] - points.middle("hip"), Z)
    upper = _direction(points.middle("shoulder") - points["spine"], lower)
    hips, thorax = _frame(hip_line, lower, X, Z), _frame(upper, shoulder_line, Z, X)
    offset = {name: skeleton.offsets[skeleton.index(name)] for name in ("spine", "chest", "upper_chest")}
    to_pelvis, to_shoulders = _middle_hip(skeleton), _middle_shoulder(skeleton)
    for _ in range(6):  # the landmarks' lines are not the bones': turn by what the model's lines miss
        third = _share(hips, thorax, 1 / 3)
        chest = rotation.mul(hips, rotation.mul(third, third))
        model_lower = rotation.rotate(hips, offset["spine"] - to_pelvis + rotation.rotate(third, offset["chest"]))
        model_upper = rotation.rotate(chest, offset["upper_chest"]) + rotation.rotate(thorax, to_shoulders)
        up = rotation.rotate(rotation.mul(rotation.between(model_lower, lower), hips), Z)
        along = rotation.rotate(rotation.mul(rotation.between(model_upper, upper), thorax), Z)
        level, upright = _frame(hip_line, up, X, Z), _frame(up, hip_line, Z, X)
        hips, thorax = rotation.slerp(level, upright, np.array(0.5)), _frame(along, shoulder_line, Z, X)
    third = _share(hips, thorax, 1 / 3)
    spine = rotation.mul(hips, third)
    return {"hips": hips, "spine": spine, "chest": rotation.mul(spine, third), "upper_chest": thorax}


def _steady_line(points: _Points, part: str) -> Array:
    """From right to left (T, 3); where the line is far too short to tell a direction, it is bridged in time."""
    line = points[f"left_{part}"] - points[f"right_{part}"]
    length = np.linalg.norm(line, axis=-1)
    share = np.clip(length / max(_median(length, points.score(f"left_{part}", f"right_{part}")), _TINY), 0.0, 1.0)
    trust = share**4 / (1.0 - _ramp(share, 0.3, 0.8) + 1e-6) + _TINY
    return _chain(line, trust, (_LINE_S * points.fps) ** 2)


def _middle_hip(skeleton: Skeleton) -> Array:
    """The middle of the hip joints (3,) from the hips, in their axes."""
    return skeleton.offsets[skeleton.index("left_upper_leg")] * (0.0, 1.0, 1.0)


def _middle_shoulder(skeleton: Skeleton) -> Array:
    """The middle of the shoulder joints (3,) from the upper chest, clavicles at rest."""
    return sum(skeleton.offsets[skeleton.index(f"left_{part}")] for part in ("shoulder", "upper_arm")) * (0.0, 1.0, 1.0)


def _head(points: _Points, skeleton: Skeleton, thorax: Array, top: Array) -> dict[str, Array]:
    """World turns of neck and head, from ears, nose and top; without ears from neck, nose and top."""
    mirrored_ear = _EAR * (-1.0, 1.0, 1.0)
    if points.has("left_ear", "right_ear", "nose", "head"):
        middle, rest_middle = points.middle("ear"), (_EAR + mirrored_ear) / 2
        names = ("left_ear", "right_ear", "nose", "head")
        seen = np.stack([points[name] - middle for name in names], 1)
        rest = np.stack([_EAR, mirrored_ear, _NOSE, _HEAD_TOP]) - rest_middle
    elif points.has("nose", "head"):
        neck = top + rotation.rotate(thorax, skeleton.offsets[skeleton.index("neck")])
        seen = np.stack([points["nose"] - neck, points["head"] - points["nose"]], 1)
        rest = np.stack([HUMANOID.offsets[HUMANOID.index("head")] + _NOSE, _HEAD_TOP - _NOSE])
    else:
        return {"neck": thorax, "head": thorax}
    head = _limited_from(thorax, _best_turn(rest, seen, thorax), np.radians(110.0))
    neck = rotation.mul(thorax, _share(thorax, head, 0.5))
    if points.has("left_ear", "right_ear"):
        neck = _leaned(points, skeleton, thorax, top, neck, head)
    return {"neck": neck, "head": head}


def _leaned(points: _Points, skeleton: Skeleton, thorax: Array, top: Array, neck: Array, head: Array) -> Array:
    """The neck leaned towards the ears: a head can be pushed aside without being turned. Slowly: the neck is short."""
    bone, tip = (skeleton.offsets[skeleton.index("head")], skeleton.tips[skeleton.index("head")])
    base = top + rotation.rotate(thorax, skeleton.offsets[skeleton.index("neck")])
    ears = rotation.rotate(head, _EAR * (0.0, 1.0, 1.0) * tip[2] / _HEAD_TOP[2])
    now = rotation.rotate(neck, bone)
    missing = rotation.rotate(rotation.inv(thorax), points.middle("ear") - ears - base - now)
    missing = rotation.rotate(thorax, _smooth(missing, _LEAN_S * points.fps))
    return rotation.mul(_limited(rotation.between(now, now + _LEAN * missing), np.radians(30.0)), neck)


def _upper_chest(skeleton: Skeleton, turns: dict[str, Array], root: Array) -> Array:
    """World places (T, 3) of the upper chest, up the chain from the hips."""
    place = root
    for parent, name in (("hips", "spine"), ("spine", "chest"), ("chest", "upper_chest")):
        place = place + rotation.rotate(turns[parent], skeleton.offsets[skeleton.index(name)])
    return place


# ---------------------------------------------------------------------------------------------- arms


def _arm(
    points: _Points, skeleton: Skeleton, thorax: Array, top: Array, side: tuple[str, float], config: SolveConfig
) -> dict[str, Array]:
    """World turns of one side's clavicle, upper arm, forearm and hand."""
    name, sign = side
    shoulder, elbow, wrist = (points[f"{name}_{part}"] for part in ("shoulder", "elbow", "wrist"))
    base = top + rotation.rotate(thorax, skeleton.offsets[skeleton.index(f"{name}_shoulder")])
    bone = skeleton.offsets[skeleton.index(f"{name}_upper_arm")]
    clavicle = _clavicle(thorax, bone, shoulder - base, np.radians(config.clavicle_limit_deg))
    socket = base + rotation.rotate(clavicle, bone)
    rest, hinge = sign * X, -sign * Z
    seen = _Hinge.of(elbow - shoulder, wrist - elbow, clavicle, rest, hinge)
    weights = seen.bend_weight(points.score(f"{name}_shoulder", f"{name}_elbow", f"{name}_wrist"))
    weights = weights * np.maximum(seen.plausible(np.ones(points.frames)), _ramp(seen.bend, _WEAK * 2, _STRONG))
    twist = _smooth_angle(seen.twist, weights, _usual_arm(points, side, seen), points.fps, config)
    lengths = _limb_lengths(skeleton, f"{name}_lower_arm", f"{name}_hand")
    free = socket + lengths[0] * seen.upper + lengths[1] * seen.lower
    goal = free + _ramp(seen.bend, _WEAK, _STRONG)[:, None] * (wrist - free)
    upper, lower = _reach(socket, goal, lengths, seen, seen.hinge(twist))
    axis = _hinge_axis(upper, clavicle, rest, hinge, twist)
    upper_arm, forearm = _frame(upper, axis, rest, hinge), _frame(lower, axis, rest, hinge)
    forearm, hand = _wrist(points, side, forearm, config)
    return {
        f"{name}_shoulder": clavicle,
        f"{name}_upper_arm": upper_arm,
        f"{name}_lower_arm": forearm,
        f"{name}_hand": hand,
    }


def _usual_arm(points: _Points, side: tuple[str, float], seen: _Hinge) -> Array:
    """The usual twist (T,), complex, of an arm: at ease, and halfway to where the palm turns while it is straight."""
    name, sign = side
    usual = np.full(points.frames, _CARRY + 0j)
    names = [f"{name}_{part}" for part in ("wrist", "index", "pinky")]
    if not points.has(*names):
        return usual
    wrist, index, pinky = (points[landmark] for landmark in names)
    palm = rotation.normalise(sign * np.cross((index + pinky) / 2 - wrist, index - pinky))
    straight = points.score(*names) * (1.0 - _ramp(seen.bend, 0.1, 0.35))
    usual += _HAND_HELP * straight * (1.0 + seen.twist_of(palm))
    return usual


def _clavicle(thorax: Array, bone: Array, seen: Array, limit: float) -> Array:
    """The world turn (T, 4) that brings the bone (3,) towards what is seen (T, 3), `limit` radians at most."""
    local = _direction(rotation.rotate(rotation.inv(thorax), seen), rotation.normalise(bone))
    return rotation.mul(thorax, _limited(rotation.between(bone, local), limit))


def _wrist(points: _Points, side: tuple[str, float], forearm: Array, config: SolveConfig) -> tuple[Array, Array]:
    """World turns of forearm and hand: the forearm takes the twist of the hand, the hand what is left."""
    name, sign = side
    names = [f"{name}_{part}" for part in ("wrist", "index", "pinky")]
    if not points.has(*names):
        return forearm, forearm
    wrist, index, pinky = (points[landmark] for landmark in names)
    along = _direction((index + pinky) / 2 - wrist, rotation.rotate(forearm, sign * X))
    across = index - pinky - (along * (index - pinky)).sum(-1, keepdims=True) * along
    broad = np.linalg.norm(across, axis=-1)
    hand = _frame(along, _direction(across, rotation.rotate(forearm, -Y)), sign * X, -Y)
    local = rotation.mul(rotation.inv(forearm), hand)
    swing, spin = _swing_twist(local, sign * X)
    weights = points.score(*names) * np.minimum(broad / 0.03, 1.0) ** 2 * np.cos(rotation.angle(swing) / 2) ** 4
    weights = weights * (1.0 - 0.95 * _ramp(np.abs(spin), *_SPIN))
    steady = replace(config, twist_smoothing_s=2.0 * config.twist_smoothing_s)  # a hand is small, its noise large
    spin = _smooth_angle(np.exp(1j * spin), weights, np.full(points.frames, _SPIN_CARRY + 0j), points.fps, steady)
    given = _folded(np.angle(spin), np.radians(config.forearm_twist_limit_deg))
    left = _folded(np.angle(spin * np.exp(-1j * given)), _WRIST_TWIST)
    turned = rotation.mul(forearm, rotation.from_axis_angle(sign * X, given))
    hand = rotation.mul(rotation.mul(forearm, swing), rotation.from_axis_angle(sign * X, given + left))
    return turned, _limited_from(turned, hand, _WRIST)


# ---------------------------------------------------------------------------------------------- legs and root


@dataclass(frozen=True)
class _Leg:
    """What one leg's landmarks say over T frames.

    seen, twist: the hinge and its smoothed twist. foot, toes: world turns. ankle (T, 3): where it must be as far as
    hold (T,) goes, 1 in contact.
    """

    side: str
    seen: _Hinge
    twist: Array
    foot: Array
    toes: Array
    ankle: Array
    hold: Array

    def free_ankle(self, skeleton: Skeleton, socket: Array) -> Array:
        thigh, shin = _limb_lengths(skeleton, f"{self.side}_lower_leg", f"{self.side}_foot")
        return socket + thigh * self.seen.upper + shin * self.seen.lower


def _legs(
    points: _Points, skeleton: Skeleton, hips: Array, contacts: NDArray[np.bool_], config: SolveConfig
) -> tuple[Array, dict[str, Array]]:
    """Root places (T, 3) and world turns of both legs: feet in contact stand on their landmarks' places."""
    legs = [_leg(points, skeleton, hips, side, contacts[:, i], config) for i, (side, _) in enumerate(_SIDES)]
    root = points.middle("hip") - rotation.rotate(hips, _middle_hip(skeleton))
    root = _root_over_feet(root, legs, skeleton, hips, points.fps, config)
    turns: dict[str, Array] = {}
    for leg in legs:
        socket = _socket(skeleton, root, hips, leg.side)
        free = leg.free_ankle(skeleton, socket)
        hold = np.maximum(leg.hold, _ramp(leg.seen.bend, _WEAK, _STRONG))
        foot_seen = points.has(f"{leg.side}_ankle", f"{leg.side}_heel", f"{leg.side}_toe")
        goal = free + hold[:, None] * (leg.ankle - free)
        goal = _above_floor(goal, leg, skeleton) if foot_seen else goal
        lengths = _limb_lengths(skeleton, f"{leg.side}_lower_leg", f"{leg.side}_foot")
        upper, lower = _reach(socket, goal, lengths, leg.seen, leg.seen.hinge(leg.twist))
        axis = _hinge_axis(upper, hips, -Z, X, leg.twist)
        shin = _frame(lower, axis, -Z, X)
        foot, toes = leg.foot, leg.toes
        if not foot_seen:
            foot = toes = _levelled(shin, goal, leg, skeleton)
        thigh = _frame(upper, axis, -Z, X)
        for part, turn in (("upper_leg", thigh), ("lower_leg", shin), ("foot", foot), ("toes", toes)):
            turns[f"{leg.side}_{part}"] = turn
    return root, turns


def _leg(
    points: _Points, skeleton: Skeleton, hips: Array, side: str, contact: NDArray[np.bool_], config: SolveConfig
) -> _Leg:
    hip, knee, ankle = (points[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    seen = _Hinge.of(knee - hip, ankle - knee, hips, -Z, X)
    hold = _eased(contact, config.contact_ease_s * points.fps)
    prior, foot, toes = np.full(points.frames, _CARRY + 0j), hips, hips
    if points.has(f"{side}_ankle", f"{side}_heel", f"{side}_toe"):
        foot = _foot_turn(points, side)
        trust = _FOOT_HELP * points.score(f"{side}_heel", f"{side}_toe") * (1.0 - _ramp(seen.bend, 0.1, 0.35))
        prior = prior + trust * seen.twist_of(rotation.rotate(foot, X))
        foot, toes, ankle = _stand(points, skeleton, side, foot, contact, hold)
    weights = seen.bend_weight(points.score(f"{side}_hip", f"{side}_knee", f"{side}_ankle")) * seen.plausible(prior)
    twist = _smooth_angle(seen.twist, weights, prior, points.fps, config)
    return _Leg(side, seen, twist, foot, toes, ankle, hold)


def _stand(
    points: _Points, skeleton: Skeleton, side: str, foot: Array, contact: NDArray[np.bool_], hold: Array
) -> tuple[Array, Array, Array]:
    """World turns of foot and toes, and the ankle's place (T, 3), such that what stands still of a foot stays still.

    On a toe that stands with the heel up, the toes lie flat and the foot rolls over their joint.
    """
    shape, ball = _foot_shape(points), skeleton.offsets[skeleton.index(f"{side}_toes")]
    assert shape is not None
    heel, toe, ankle = (points[f"{side}_{part}"] for part in ("heel", "toe", "ankle"))
    still = [_smooth(_stillness(place, contact, points.fps), 0.03 * points.fps) for place in (heel, toe)]
    foot, toes = _rolled(foot, still[1] * hold, (shape[1] - shape[0])[1] / (ball - shape[0])[1])
    from_heel = heel - rotation.rotate(foot, shape[0])
    from_toe = toe - rotation.rotate(toes, shape[1] - ball) - rotation.rotate(foot, ball)
    weights = np.stack([*still, np.full(points.frames, 0.005)])[..., None]
    place = (weights * np.stack([from_heel, from_toe, ankle])).sum(0) / weights.sum(0)
    return foot, toes, ankle + hold[:, None] * (place - ankle)


def _stillness(places: Array, contact: NDArray[np.bool_], fps: float) -> Array:
    """1 (T,) where a landmark of a foot in contact does not move, 0 where it is faster than a creeping foot."""
    speed = np.linalg.norm(np.diff(places, axis=0), axis=-1) * fps
    before, after = np.r_[np.inf, speed], np.r_[speed, np.inf]
    return contact * (1.0 - _ramp(np.minimum(before, after), 0.01, 0.06))


def _rolled(foot: Array, amount: Array, length_ratio: float) -> tuple[Array, Array]:
    """World turns of foot and toes, where a foot pitched down by `amount` (T,) rolls over the toes' joint.

    length_ratio: heel to toe against heel to the toes' joint: with the toes flat, the foot is the steeper.
    """
    down = np.maximum(np.arcsin(np.clip(rotation.rotate(foot, Y)[:, 2], -1.0, 1.0)), 0.0)
    steeper = np.arcsin(np.clip(length_ratio * np.sin(down), 0.0, 0.95)) - down
    across = rotation.rotate(foot, X)
    toes = rotation.mul(rotation.from_axis_angle(across, -amount * np.minimum(down, 1.2)), foot)
    return rotation.mul(rotation.from_axis_angle(across, amount * np.maximum(steeper, 0.0)), foot), toes


def _foot_turn(points: _Points, side: str) -> Array:
    """The world turn of a foot: the sole's line from heel to toe, upright in the plane of ankle, heel and toe."""
    ankle, heel, toe = (points[f"{side}_{part}"] for part in ("ankle", "heel", "toe"))
    ahead = _direction(toe - heel, -Y)
    across = _direction(np.cross(ankle - heel, ahead), np.cross(Z, ahead))
    return _frame(ahead, across, -Y, X)


def _levelled(shin: Array, ankle: Array, leg: _Leg, skeleton: Skeleton) -> Array:
    """A foot of which nothing was seen: at rest on the shin in the air, flat near the floor and in contact."""
    flat = rotation.mul(rotation.between(rotation.rotate(shin, Z), Z), shin)
    sole = skeleton.offsets[skeleton.index(f"{leg.side}_toes"), 2]
    near = 1.0 - _ramp(ankle[:, 2] + sole, 0.03, 0.12)
    return rotation.slerp(shin, flat, np.maximum(near, leg.hold))


def _socket(skeleton: Skeleton, root: Array, hips: Array, side: str) -> Array:
    return root + rotation.rotate(hips, skeleton.offsets[skeleton.index(f"{side}_upper_leg")])


def _root_over_feet(
    root: Array, legs: list[_Leg], skeleton: Skeleton, hips: Array, fps: float, config: SolveConfig
) -> Array:
    """The root moved so that straight legs in contact come down where the feet stand, and both can be reached."""
    sockets = [_socket(skeleton, root, hips, leg.side) for leg in legs]
    weights = np.stack([leg.hold for leg in legs]) + 1e-3
    misses = np.stack([leg.ankle - leg.free_ankle(skeleton, s) for leg, s in zip(legs, sockets, strict=True)])
    shift = (weights[..., None] * misses).sum(0) / (weights.sum(0) + 0.3)[:, None]
    shift = _smooth(shift, config.root_smoothing_s * fps)
    drops = [_drop(leg, socket + shift, skeleton) for leg, socket in zip(legs, sockets, strict=True)]
    drop = np.maximum(*drops)
    if drop.any():
        width = config.root_smoothing_s * fps
        drop = _smooth(maximum_filter1d(drop, 2 * int(np.ceil(3 * width)) + 1, mode="nearest"), width)
    return root + shift - drop[:, None] * Z


def _drop(leg: _Leg, socket: Array, skeleton: Skeleton) -> Array:
    """How far (T,) the hips must sink for the leg to reach a foot on the floor."""
    longest = sum(_limb_lengths(skeleton, f"{leg.side}_lower_leg", f"{leg.side}_foot"))
    away = socket - leg.ankle
    room = np.sqrt(np.maximum(longest**2 - (away[:, :2] ** 2).sum(-1), 0.0))
    return np.where(leg.hold >= 1.0, np.clip(away[:, 2] - room, 0.0, 0.3 * longest), 0.0)


def _above_floor(ankle: Array, leg: _Leg, skeleton: Skeleton) -> Array:
    """The ankle raised where heel or toes would go under the floor."""
    toes = skeleton.index(f"{leg.side}_toes")
    ball, tip = skeleton.offsets[toes], skeleton.tips[toes]
    heel = _HEEL * ball[2] / _HEEL[2]
    to_ball = rotation.rotate(leg.foot, ball)
    ends = [rotation.rotate(leg.foot, heel), to_ball, to_ball + rotation.rotate(leg.toes, tip)]
    lowest = np.min([end[:, 2] for end in ends], axis=0) + ankle[:, 2]
    return ankle + np.maximum(-0.005 - lowest, 0.0)[:, None] * Z


def _eased(contact: NDArray[np.bool_], frames: float) -> Array:
    """1 in contact, falling smoothly to 0 within so many frames before and after it."""
    if not contact.any():
        return np.zeros(len(contact))
    return 1.0 - _ramp(distance_transform_edt(~contact) / max(frames, 1.0), 0.0, 1.0)


# ---------------------------------------------------------------------------------------------- limbs with a hinge


@dataclass(frozen=True)
class _Hinge:
    """A limb of two bones seen over T frames, its twist measured in the axes of what it hangs on.

    upper, lower (T, 3): world directions. bend (T,): radians from straight. zero, quarter (T, 3): the world axes that
    the hinge has with a twist of 0 and of 90 degrees. twist (T,): the seen twist as a complex number of length one.
    """

    upper: Array
    lower: Array
    bend: Array
    zero: Array
    quarter: Array
    twist: Array

    @staticmethod
    def of(upper: Array, lower: Array, q_world_parent: Array, rest: Array, hinge: Array) -> _Hinge:
        upper = _direction(upper, rotation.rotate(q_world_parent, rest))
        lower = _direction(lower, upper)
        normal = np.cross(upper, lower)
        bend = np.arctan2(np.linalg.norm(normal, axis=-1), (upper * lower).sum(-1))
        zero = _hinge_axis(upper, q_world_parent, rest, hinge, np.ones(len(upper), complex))
        quarter = np.cross(upper, zero)
        twist = _unit_complex((normal * zero).sum(-1) + 1j * (normal * quarter).sum(-1))
        return _Hinge(upper, lower, bend, zero, quarter, twist)

    def twist_of(self, axis: Array) -> Array:
        """The twist (T,), shorter than one the more `axis` (T, 3) leans to the limb, at which the hinge is `axis`."""
        return (axis * self.zero).sum(-1) + 1j * (axis * self.quarter).sum(-1)

    def hinge(self, twist: Array) -> Array:
        return twist.real[:, None] * self.zero + twist.imag[:, None] * self.quarter

    def bend_weight(self, score: Array) -> Array:
        """How well (T,) the plane of the limb is known: 1 at 20 degrees of bend and score 1."""
        return score * np.minimum(np.sin(np.minimum(self.bend, np.pi / 2)) / np.sin(np.radians(20.0)), 3.0) ** 2

    def plausible(self, usual: Array) -> Array:
        """0 where the seen twist (T,) is the reverse of the usual one (a limb bent backwards), else 1."""
        return _ramp((self.twist * np.conj(_unit_complex(usual))).real, -0.5, -0.1)


def _hinge_axis(upper: Array, q_world_parent: Array, rest: Array, hinge: Array, twist: Array) -> Array:
    """The world axis (T, 3) of a limb's hinge: swung with the limb out of its rest, then twisted about it."""
    local = rotation.rotate(rotation.inv(q_world_parent), upper)
    zero = rotation.rotate(rotation.mul(q_world_parent, rotation.between(rest, local)), hinge)
    return twist.real[:, None] * zero + twist.imag[:, None] * np.cross(upper, zero)


def _smooth_angle(twist: Array, weights: Array, prior: Array, fps: float, config: SolveConfig) -> Array:
    """Unit complex numbers (T,) near `twist` by `weights`, near `prior` by its length, and smooth in time.

    The least squares of a chain: one banded solve; where weights vanish it bridges, and cannot wrap.
    """
    total = weights + np.abs(prior) + _TINY
    wanted = (weights * twist + prior) / total
    smooth = _chain(np.stack([wanted.real, wanted.imag], -1), total, (config.twist_smoothing_s * fps) ** 2)
    return _unit_complex(smooth[:, 0] + 1j * smooth[:, 1])


def _chain(values: Array, weights: Array, stiff: float) -> Array:
    """Values (T, N) near the given ones by `weights` (T,) and near their neighbours by `stiff`."""
    if len(values) == 1:
        return values
    degree = np.full(len(values), 2.0)
    degree[[0, -1]] = 1.0
    band = np.stack([np.r_[0.0, np.full(len(values) - 1, -stiff)], weights + stiff * degree])
    return solveh_banded(band, weights[:, None] * values)


def _reach(socket: Array, goal: Array, lengths: tuple[float, float], seen: _Hinge, hinge: Array) -> tuple[Array, Array]:
    """World directions (T, 3) of both bones that bring the limb's end to `goal`, as near as they reach.

    The joint between them stays on the side where it was seen; what bend the goal asks beyond that, the hinge gives;
    a joint seen bent backwards is folded forwards.
    """
    first, second = lengths
    straight = _direction(first * seen.upper + second * seen.lower, seen.upper)
    along = _direction(goal - socket, straight)
    distance = np.clip(np.linalg.norm(goal - socket, axis=-1), abs(first - second) + 1e-4, first + second)
    part = (first**2 - second**2 + distance**2) / (2 * distance)
    out = np.sqrt(np.maximum(first**2 - part**2, 0.0))
    turn = rotation.between(straight, along)
    seen_out = rotation.rotate(turn, first * seen.upper)
    seen_out = seen_out - (seen_out * along).sum(-1, keepdims=True) * along
    usual = rotation.normalise(np.cross(along, rotation.rotate(turn, hinge)))
    agree = _ramp((rotation.normalise(seen_out) * usual).sum(-1), -0.3, 0.3)
    seen_out = seen_out * agree[:, None]
    missing = np.maximum(out - np.linalg.norm(seen_out, axis=-1), 0.0) + _TINY
    aside = rotation.normalise(seen_out + missing[:, None] * usual)
    middle = part[:, None] * along + out[:, None] * aside
    return rotation.normalise(middle), rotation.normalise(distance[:, None] * along - middle)


def _limb_lengths(skeleton: Skeleton, middle: str, end: str) -> tuple[float, float]:
    first, second = (float(np.linalg.norm(skeleton.offsets[skeleton.index(name)])) for name in (middle, end))
    return first, second


# ---------------------------------------------------------------------------------------------- turns and time


def _direction(vectors: Array, fallback: Array) -> Array:
    """Unit vectors (T, 3); those without length take the direction in between in time, or `fallback` if none has."""
    lengths = np.linalg.norm(vectors, axis=-1)
    good = lengths > _TINY
    if good.all():
        return vectors / lengths[:, None]
    if not good.any():
        return np.broadcast_to(fallback, vectors.shape).copy()
    frames = np.arange(len(vectors))
    unit = vectors[good] / lengths[good, None]
    filled = np.stack([np.interp(frames, frames[good], unit[:, axis]) for axis in range(3)], -1)
    short = np.linalg.norm(filled, axis=-1, keepdims=True) < _TINY
    return rotation.normalise(np.where(short, fallback, filled))


def _frame(first: Array, second: Array, rest_first: Array, rest_second: Array) -> Array:
    """The turn (T, 4) that takes `rest_first` to `first` (T, 3), and `rest_second` as near as may be to `second`."""
    rest = _axes(rest_first[None], rest_second[None])
    return rotation.mul(_axes(first, second), rotation.inv(rest))


def _axes(first: Array, second: Array) -> Array:
    second = second - (first * second).sum(-1, keepdims=True) * first
    spare = rotation.rotate(rotation.between(X, first), Y)
    second = np.where(np.linalg.norm(second, axis=-1, keepdims=True) > _TINY, rotation.normalise(second), spare)
    return rotation.from_axes(first, second, np.cross(first, second))


def _best_turn(rest: Array, seen: Array, fallback: Array) -> Array:
    """The turn (T, 4) that takes vectors `rest` (N, 3) nearest to `seen` (T, N, 3) (Kabsch); `fallback` if flat."""
    u, sizes, vt = np.linalg.svd(np.einsum("tni,nj->tij", seen, rest))
    u[..., :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.where(sizes[:, 1:2] > _TINY, rotation.from_matrix(u @ vt), fallback)


def _share(q_world_a: Array, q_world_b: Array, amount: float) -> Array:
    """The local turn that, from a, goes this part of the way to b."""
    return rotation.exp(rotation.log(rotation.mul(rotation.inv(q_world_a), q_world_b)) * amount)


def _limited(turn: Array, limit: float) -> Array:
    """The turn, `limit` radians at most; near half a turn, whose axis may flip, it goes to none."""
    vector = rotation.log(turn)
    size = np.linalg.norm(vector, axis=-1, keepdims=True)
    return rotation.exp(vector * _folded(size, limit) / np.maximum(size, _TINY))


def _folded(angle: Array, limit: float) -> Array:
    """Angles in [-pi, pi] kept within the limit, without a jump where pi meets -pi: there they go to 0."""
    size = np.abs(angle)
    return np.sign(angle) * np.minimum(np.minimum(size, limit), limit * (np.pi - size) / (np.pi / 6))


def _limited_from(q_world_a: Array, q_world_b: Array, limit: float) -> Array:
    """b, or on the way from a to b what is `limit` radians away from a."""
    return rotation.mul(q_world_a, _limited(rotation.mul(rotation.inv(q_world_a), q_world_b), limit))


def _swing_twist(turn: Array, axis: Array) -> tuple[Array, Array]:
    """A turn (T, 4) as swing · twist: the swing (T, 4) and the angle (T,) of the twist about `axis`, first applied."""
    half = np.arctan2((turn[..., 1:] * axis).sum(-1), turn[..., 0])
    spin = (2 * half + np.pi) % (2 * np.pi) - np.pi
    return rotation.mul(turn, rotation.inv(rotation.from_axis_angle(axis, spin))), spin


def _unit_complex(z: Array) -> Array:
    size = np.abs(z)
    return np.where(size > 1e-12, z / np.maximum(size, 1e-12), 1.0)


def _ramp(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _smooth(values: Array, frames: float) -> Array:
    return gaussian_filter1d(values, max(frames, 1e-3), axis=0, mode="nearest")


def _local(skeleton: Skeleton, turns: dict[str, Array]) -> Array:
    """Local turns (T, J, 4), continuous in time, of world turns by joint name."""
    local = []
    for name, parent in zip(skeleton.joint_names, skeleton.parents, strict=True):
        if parent < 0:
            local.append(turns[name])
        else:
            local.append(rotation.mul(rotation.inv(turns[skeleton.joint_names[parent]]), turns[name]))
    return rotation.unroll(rotation.normalise(np.stack(local, 1)))


_SCORED_BY = {
    "shoulder": ("shoulder",),
    "upper_arm": ("shoulder", "elbow"),
    "lower_arm": ("elbow", "wrist"),
    "hand": ("wrist", "index", "pinky"),
    "upper_leg": ("hip", "knee"),
    "lower_leg": ("knee", "ankle"),
    "foot": ("ankle", "heel", "toe"),
    "toes": ("ankle", "heel", "toe"),
}


def _joint_scores(points: _Points, skeleton: Skeleton) -> Array:
    """Scores (T, J): the least of the landmarks that a joint's turn was solved from, 0 where it was left at rest."""
    columns = []
    for name in skeleton.joint_names:
        side, _, part = name.partition("_")
        if part in _SCORED_BY:
            names = tuple(f"{side}_{landmark}" for landmark in _SCORED_BY[part])
        elif name in ("neck", "head"):
            names = ("nose", "head")
        elif name == "hips":
            names = ("left_hip", "right_hip")
        else:
            names = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
        columns.append(points.score(*names))
    return np.stack(columns, 1)
