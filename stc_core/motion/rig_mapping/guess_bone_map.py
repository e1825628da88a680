"""Which bone of somebody's rig is which joint, guessed.

Names come first (presets, then words), then how bones hang together, then the body's shape. Knows rigs through
`BoneTree` and `BoneName`; does not know files, nor how a motion is put on a rig.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ...geometry import rotation
from ..fingers import FINGER_JOINTS
from ..retarget.rest_pose import RestPose
from ..skeleton import HUMANOID
from . import chains, finger_bones, match_presets, soundness, trunk, twist_bones
from .body_shape import find_body
from .bone_map import BoneMap
from .bone_names import BoneName, parse_names
from .bone_tree import BoneTree
from .chains import LIMBS, SIDES, Findings
from .presets import RigPreset

_TRUNK = ("spine", "chest", "upper_chest")
_MIN_DECLARED = 8  # joints that a rig's own table must name to count; chosen
_DECLARED_NAME = "VRM, the rig's own humanoid"
_SHAPE_CONFIDENCE, _UNSURE_CONFIDENCE = 0.4, 0.25  # of a joint found by shape; where front and back look alike; chosen


def guess_bone_map(rest: RestPose) -> BoneMap:
    """Guess the bone map that fits an armature best, with a confidence for each joint; unknown joints are left out.

    Left and right are taken from names wherever names show them, else from where the feet point. The table of a rig
    that says itself which bones are which joints, as VRM does, wins over names. Never raises.
    """
    tree, names = _build_tree(rest), parse_names(rest.bones)
    declared = {bone for joint, bone in rest.humanoid.items() if joint in HUMANOID.joint_names}
    if len(declared & set(rest.bones)) >= _MIN_DECLARED:
        return _complete_declared(rest, tree, names)
    preset, listed = match_presets.find_preset(rest.bones, names)
    if preset is not None and preset.controls:
        found = dict(listed)
        _add_all(tree, found, chains.find_limbs(tree, names, {}))
        _add_all(tree, found, chains.fill_limbs(tree, names, found))
        _add_all(tree, found, trunk.find_trunk(tree, names, found))
    else:
        found = chains.find_limbs(tree, names, listed)
        _add_all(tree, found, {joint: bones for joint, bones in listed.items() if _is_of_trunk(joint)})
        _add_all(tree, found, chains.fill_limbs(tree, names, found))
        found = chains.doubt_misnamed(names, found)
        used = {bone for bones, _ in found.values() for bone in bones}
        found |= {j: v for j, v in chains.find_loose_ends(tree, names, found).items() if used.isdisjoint(v[0])}
        middle = trunk.find_trunk(tree, names, found)
        found = {joint: value for joint, value in found.items() if not _is_of_trunk(joint)}
        _add_all(tree, found, middle)
    needs_shape = _is_incomplete(found)
    if needs_shape:
        _add_shape(tree, names, found)
    name = preset.name if preset else "Guessed by shape" if needs_shape else "Guessed by names"
    return _make_bone_map(rest, tree, names, preset, found, name)


def _complete_declared(rest: RestPose, tree: BoneTree, names: Sequence[BoneName]) -> BoneMap:
    """Take the rig's own table, and find the ends of limbs that it lacks by their names below what it has."""
    joints = {bone: joint for joint, bone in rest.humanoid.items() if bone in rest.bones}
    bones = {joint: rest.index(bone) for bone, joint in joints.items()}
    fingers: Findings = {joint: ((bones.pop(joint),), 1.0) for joint in FINGER_JOINTS if joint in bones}
    spine = tuple(bones[joint] for joint in _TRUNK if joint in bones)
    found: Findings = {joint: ((bone,), 1.0) for joint, bone in bones.items() if joint not in _TRUNK}
    found |= {"spine": (spine, 1.0)} if spine else {}
    ends = [f"{side}_{joint}" for side in SIDES for joint in ("shoulder", "toes")]
    limbs = chains.find_limbs(tree, names, found)
    _add_all(tree, found, {joint: limbs[joint] for joint in ends if joint in limbs})
    declared = ("spine", *bones)
    return _make_bone_map(rest, tree, names, None, found, _DECLARED_NAME, declared, fingers)


def match_preset(rest: RestPose, preset: RigPreset) -> BoneMap:
    """Find the bones of an armature that a preset names, and no others; empty where they do not fit."""
    tree, names = _build_tree(rest), parse_names(rest.bones)
    found = match_presets.match_names(preset, match_presets.NameIndex(names))
    return _make_bone_map(rest, tree, names, preset, found, preset.name)


def _build_tree(rest: RestPose) -> BoneTree:
    heads, tails = (np.nan_to_num(np.asarray(points, float)) for points in (rest.heads, rest.tails))
    q = rest.q_world_armature
    return BoneTree(parents=rest.parents, heads=rotation.rotate(q, heads), tails=rotation.rotate(q, tails))


# ---------------------------------------------------------------------------------------------- putting it together


def _add(tree: BoneTree, found: Findings, more: Findings) -> None:
    """Add findings for joints still missing whose bones are free and hang rightly on the limb's other joints."""
    for joint, (bones, confidence) in more.items():
        used = {bone for others, _ in found.values() for bone in others}
        free = tuple(bone for bone in bones if bone not in used)
        if joint not in found and free and _hangs_rightly(tree, found, joint, free[0]):
            found[joint] = (free, confidence)


def _add_all(tree: BoneTree, found: Findings, more: Findings) -> None:
    """Add findings one by one."""
    for joint, bones in more.items():
        _add(tree, found, {joint: bones})


def _is_of_trunk(joint: str) -> bool:
    return joint in ("hips", "spine", "neck", "head")


def _hangs_rightly(tree: BoneTree, found: Findings, joint: str, bone: int) -> bool:
    """Whether a bone lies below the joints of its limb that come before it, and above those that come after."""
    side, _, part = joint.partition("_")
    limb = next((limb for limb in LIMBS if part in limb), None)
    if limb is None:
        return True
    for other in limb:
        if f"{side}_{other}" in found:
            known = found[f"{side}_{other}"][0][0]
            if tree.is_below(*((known, bone) if limb.index(other) < limb.index(part) else (bone, known))):
                return False
    return True


def _is_incomplete(found: Findings) -> bool:
    """Whether the hips, both arms or both legs are still missing."""
    limbs = [[f"{side}_{limb[1]}" in found or f"{side}_{limb[0]}" in found for side in SIDES] for limb in LIMBS]
    return "hips" not in found or not all(any(sides) for sides in limbs)


def _add_shape(tree: BoneTree, names: Sequence[BoneName], found: Findings) -> None:
    """Add joints found by the body's shape, of limbs without any finding and of the trunk."""
    sides = [name.side for name in names]
    body, is_facing_sure = find_body(tree, sides)
    confidence = _SHAPE_CONFIDENCE if is_facing_sure or any(sides) else _UNSURE_CONFIDENCE
    taken = {joint.partition("_")[0] + limb[1] for joint in found for limb in LIMBS if joint.partition("_")[2] in limb}
    for joint, bones in body.items():
        side, _, part = joint.partition("_")
        limb = next((limb for limb in LIMBS if part in limb), None)
        if limb is None or side + limb[1] not in taken:
            _add(tree, found, {joint: (bones, confidence)})


def _make_bone_map(
    rest: RestPose,
    tree: BoneTree,
    names: Sequence[BoneName],
    preset: RigPreset | None,
    found: Findings,
    name: str,
    declared: Collection[str] = (),
    fingers: Findings | None = None,
) -> BoneMap:
    """Make a bone map of findings, with twist bones and fingers; what the rig itself declares is not doubted.

    fingers: those that the rig declares; other hands' are found by `finger_bones`.
    """
    twists: dict[str, tuple[int, ...]] = {}
    if preset is None or not preset.controls:
        kept = {joint: value for joint, value in found.items() if joint in declared}
        found = found | twist_bones.find_first_pieces(tree, names, found) | kept
        twists = twist_bones.find_twist_bones(tree, names, found)
        found = soundness.doubt_joints(tree, found) | kept
    found = _distribute_spine(found)
    found |= _find_fingers(tree, names, preset, found, twists, fingers or {})
    order = [joint for joint in (*HUMANOID.joint_names, *FINGER_JOINTS) if joint in found]
    return BoneMap(
        name=name,
        bones={joint: tuple(rest.bones[bone] for bone in found[joint][0]) for joint in order},
        twists={joint: tuple(rest.bones[bone] for bone in twists[joint]) for joint in order if joint in twists},
        confidence={joint: round(float(found[joint][1]), 2) for joint in order},
    )


def _find_fingers(
    tree: BoneTree,
    names: Sequence[BoneName],
    preset: RigPreset | None,
    found: Findings,
    twists: dict[str, tuple[int, ...]],
    declared: Findings,
) -> Findings:
    """Find the fingers of hands for which the rig declares none."""
    sides = {joint.partition("_")[0] for joint in declared}
    open_hands = {joint: value for joint, value in found.items() if joint.partition("_")[0] not in sides}
    used = {bone for bones, _ in (*found.values(), *declared.values()) for bone in bones}
    used |= {bone for bones in twists.values() for bone in bones}
    is_control = preset is not None and preset.controls
    return declared | finger_bones.find_fingers(tree, names, open_hands, used, is_control, preset is not None)


def _distribute_spine(found: Findings) -> Findings:
    """Distribute the spine's bones over spine, chest and upper chest, from below."""
    bones, confidence = found.get("spine", ((), 0.0))
    parts = np.array_split(np.array(bones, int), min(len(bones), len(_TRUNK))) if bones else []
    spine = {joint: (tuple(map(int, part)), confidence) for joint, part in zip(_TRUNK, parts, strict=False)}
    return {joint: value for joint, value in found.items() if joint not in _TRUNK} | spine
