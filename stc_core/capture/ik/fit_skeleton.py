"""The canonical humanoid with the bone lengths of one clip's body."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...geometry import rotation
from ...motion.skeleton import HUMANOID, Skeleton
from ..layout import SIDES, Array
from ..pose import WorldPose
from .directions import Y, Z
from .feet import foot_shape
from .landmarks import SIDE_SIGNS, TORSO_CORNERS, BodyLandmarks, index_landmarks, weighted_median
from .rest_landmarks import CROWN, EAR, EAR_MIDPOINT, KNUCKLE_DISTANCE_M, SOLE_HEIGHT_M, TOE
from .spine_head import hip_midpoint, shoulder_midpoint, solve_head, solve_spine, upper_chest_position

_BODY_RATIOS = (0.3, 2.0)  # a body against HUMANOID: from a toddler up; chosen
_BONE_RATIOS = (0.82, 1.22)  # a bone against HUMANOID's, both of one body size; chosen
_TRUNK_RATIOS = (0.9, 1.1)  # chosen
_NECK_SHIFT_FRACTION = 0.3  # of the neck's length: how far neck and head may move; chosen
_NECK_PRIOR_FRACTION = 0.1  # of the clip's frames: what HUMANOID's positions weigh; chosen

# HUMANOID's own measures in metres
_SEGMENTS = {  # length, and the landmarks at its ends, left side
    "thigh": (0.42, "hip", "knee"),
    "shin": (0.40, "knee", "ankle"),
    "upper_arm": (0.28, "shoulder", "elbow"),
    "forearm": (0.25, "elbow", "wrist"),
}
_WIDTHS = {"hips": (0.18, "hip"), "shoulders": (0.34, "shoulder")}
_TRUNK_M = float(np.linalg.norm([0.01, 0.25]) + np.linalg.norm([0.01, 0.23]))  # hips to spine, spine to shoulders
_ARM_X_M, _LEG_X_M = 0.17, 0.09
_RATIO_OF_BONE = {  # which segment's ratio the offset of a joint takes; the others take the trunk's
    "upper_leg": "body",
    "lower_leg": "thigh",
    "foot": "shin",
    "toes": "foot",
    "lower_arm": "upper_arm",
    "hand": "forearm",
}


def fit_skeleton(world: WorldPose) -> Skeleton:
    """HUMANOID with the lengths of this clip's body: medians over time, both sides alike, within human ratios."""
    landmarks = index_landmarks(world)
    ratios = _measure_ratios(landmarks)
    straight = _scale_humanoid(landmarks, ratios)
    ratios["trunk"] *= _bent_trunk_ratio(landmarks, straight)
    return _fit_neck(landmarks, _scale_humanoid(landmarks, ratios))


def _fit_neck(landmarks: BodyLandmarks, skeleton: Skeleton) -> Skeleton:
    """The skeleton with neck and head moved in the sagittal plane so that its ears come nearest to the landmarks.

    Least squares over the clip with a prior at the given positions.
    """
    if not landmarks.has_ears:
        return skeleton
    rotations = solve_spine(landmarks, skeleton)
    root = -rotation.rotate(rotations["hips"], hip_midpoint(skeleton))
    chest = landmarks.midpoint("hip") + upper_chest_position(skeleton, rotations, root)
    rotations |= solve_head(landmarks, skeleton, rotations["upper_chest"], chest)
    neck, head = skeleton.index("neck"), skeleton.index("head")
    ears = EAR_MIDPOINT * skeleton.tips[head, 2] / CROWN[2]
    residuals = landmarks.midpoint("ear") - chest - rotation.rotate(rotations["head"], ears)
    residuals = residuals - rotation.rotate(rotations["upper_chest"], skeleton.offsets[neck])
    residuals = residuals - rotation.rotate(rotations["neck"], skeleton.offsets[head])
    axes = [rotation.rotate(rotations[name], axis) for name in ("upper_chest", "neck") for axis in (Y, Z)]
    weights = landmarks.min_score("left_ear", "right_ear", *TORSO_CORNERS)
    columns = np.stack(axes, -1) * weights[:, None, None]
    normal = np.einsum("tik,til->kl", columns, np.stack(axes, -1))
    normal = normal + _NECK_PRIOR_FRACTION * landmarks.frames * np.eye(4)
    shift = np.linalg.solve(normal, np.einsum("tik,ti->k", columns, residuals))
    limit = _NECK_SHIFT_FRACTION * skeleton.offsets[head, 2]
    offsets = skeleton.offsets.copy()
    offsets[[neck, head], 1:] += np.clip(shift, -limit, limit).reshape(2, 2)
    return Skeleton(joint_names=skeleton.joint_names, parents=skeleton.parents, offsets=offsets, tips=skeleton.tips)


def _bent_trunk_ratio(landmarks: BodyLandmarks, skeleton: Skeleton) -> float:
    """How much longer the landmarks' trunk is than the bent model's: a bent back's ends lie nearer to each other."""
    rotations = solve_spine(landmarks, skeleton)
    root = -rotation.rotate(rotations["hips"], hip_midpoint(skeleton))
    model = upper_chest_position(skeleton, rotations, root)
    model = model + rotation.rotate(rotations["upper_chest"], shoulder_midpoint(skeleton))
    observed = landmarks.midpoint("shoulder") - landmarks.midpoint("hip")
    lengths = np.linalg.norm(observed, axis=-1) / np.maximum(np.linalg.norm(model, axis=-1), 0.1)
    return float(np.clip(weighted_median(lengths, landmarks.min_score(*TORSO_CORNERS)), *_TRUNK_RATIOS))


def _scale_humanoid(landmarks: BodyLandmarks, ratios: dict[str, float]) -> Skeleton:
    """HUMANOID with its bones multiplied by the ratios of their segments."""
    offsets, tips = HUMANOID.offsets.copy(), HUMANOID.tips.copy()
    for joint, name in enumerate(HUMANOID.joint_names):
        part = name.removeprefix("left_").removeprefix("right_")
        offsets[joint] *= ratios[_RATIO_OF_BONE.get(part, "trunk")]
        tips[joint] *= ratios[{"hand": "hand", "toes": "foot"}.get(part, "head")]
    for side, sign in SIDE_SIGNS:
        clavicle, arm = HUMANOID.index(f"{side}_shoulder"), HUMANOID.index(f"{side}_upper_arm")
        offsets[arm, 0] = sign * _ARM_X_M * ratios["shoulders"] - offsets[clavicle, 0]
        offsets[HUMANOID.index(f"{side}_upper_leg"), 0] = sign * _LEG_X_M * ratios["hips"]
    _fit_toes(landmarks, ratios["body"], offsets, tips)
    leg = sum(offsets[HUMANOID.index(f"left_{part}"), 2] for part in ("upper_leg", "lower_leg", "foot", "toes"))
    offsets[0] = (0.0, 0.0, SOLE_HEIGHT_M * ratios["body"] - leg)
    return Skeleton(joint_names=HUMANOID.joint_names, parents=HUMANOID.parents, offsets=offsets, tips=tips)


def _fit_toes(landmarks: BodyLandmarks, body: float, offsets: Array, tips: Array) -> None:
    """Put the toes' joint on the line from heel to toe, and their tip at its end, in the given arrays."""
    shape = foot_shape(landmarks)
    if shape is None:
        return
    for axis in (1, 2):
        ratio = body * float(np.clip(shape[1][axis] / (TOE[axis] * body), *_BONE_RATIOS))
        for side in SIDES:
            toes = HUMANOID.index(f"{side}_toes")
            offsets[toes, axis] = HUMANOID.offsets[toes, axis] * ratio
            tips[toes, axis] = HUMANOID.tips[toes, axis] * ratio


def _measure_ratios(landmarks: BodyLandmarks) -> dict[str, float]:
    """Each segment's length against HUMANOID's; `body` is that of the whole."""
    lengths = {name: _two_sided_length(landmarks, *ends) for name, (_, *ends) in _SEGMENTS.items()}
    rest = {name: row[0] for name, row in _SEGMENTS.items()}
    for name, (rest_length, part) in _WIDTHS.items():
        lengths[name] = _median_length(landmarks, [(f"left_{part}", f"right_{part}")])
        rest[name] = rest_length
    lengths["trunk"], rest["trunk"] = _trunk_length(landmarks), _TRUNK_M
    rest["hand"], rest["head"] = KNUCKLE_DISTANCE_M, CROWN[2] - EAR[2]
    lengths["hand"], lengths["head"] = _hand_length(landmarks), _head_length(landmarks)
    upright = [name for name in ("thigh", "shin", "trunk") if lengths[name] is not None]
    known = sum(lengths[name] or 0.0 for name in upright)
    body = float(np.clip(known / sum(rest[name] for name in upright), *_BODY_RATIOS)) if upright else 1.0
    ratios = {"body": body, "foot": body}
    for name, length in lengths.items():
        ratio = 1.0 if length is None else length / rest[name] / body
        ratios[name] = body * float(np.clip(ratio, *_BONE_RATIOS))
    return ratios


def _trunk_length(landmarks: BodyLandmarks) -> float:
    """From the hips' middle over the spine to the shoulders' middle, metres."""
    spine = landmarks["spine"]
    lower, upper = landmarks.midpoint("hip") - spine, landmarks.midpoint("shoulder") - spine
    lengths = np.linalg.norm(lower, axis=-1) + np.linalg.norm(upper, axis=-1)
    return weighted_median(lengths, landmarks.min_score("spine", *TORSO_CORNERS))


def _two_sided_length(landmarks: BodyLandmarks, a: str, b: str) -> float | None:
    return _median_length(landmarks, [(f"{side}_{a}", f"{side}_{b}") for side in SIDES])


def _median_length(landmarks: BodyLandmarks, pairs: Iterable[tuple[str, str]]) -> float | None:
    """The median distance over time and over the pairs, or None where no pair was ever observed."""
    pairs = list(pairs)
    if not any(landmarks.has(*pair) for pair in pairs):
        return None
    distances = [np.linalg.norm(landmarks[a] - landmarks[b], axis=-1) for a, b in pairs]
    return weighted_median(np.concatenate(distances), np.concatenate([landmarks.min_score(*pair) for pair in pairs]))


def _hand_length(landmarks: BodyLandmarks) -> float | None:
    """From the wrist to the middle of the knuckles, or None where no hand was ever observed."""
    lengths, weights = [], []
    for side in SIDES:
        if landmarks.has(f"{side}_wrist", f"{side}_index", f"{side}_pinky"):
            knuckles = (landmarks[f"{side}_index"] + landmarks[f"{side}_pinky"]) / 2
            lengths.append(np.linalg.norm(knuckles - landmarks[f"{side}_wrist"], axis=-1))
            weights.append(landmarks.min_score(f"{side}_wrist", f"{side}_index", f"{side}_pinky"))
    return weighted_median(np.concatenate(lengths), np.concatenate(weights)) if lengths else None


def _head_length(landmarks: BodyLandmarks) -> float | None:
    """From the ears' middle to the crown, or None where they were never observed."""
    if not landmarks.has("left_ear", "right_ear", "head"):
        return None
    lengths = np.linalg.norm(landmarks["head"] - landmarks.midpoint("ear"), axis=-1)
    return weighted_median(lengths, landmarks.min_score("left_ear", "right_ear", "head"))
