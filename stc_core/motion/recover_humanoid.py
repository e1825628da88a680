"""A recorded body of any names, axes and unit as a motion of the humanoid, in the body's own proportions.

Knows the order of the steps: which bone is which joint, which way is up, what the zero pose is worth, how large the
body is, where the floor is. Does not know formats.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array
from .bvh_text import ReportNote
from .fingers import HUMANOID_WITH_FINGERS
from .foot_contacts import find_contacts
from .motion import Motion
from .recorded_body import RecordedBody, pose_as_rest, transform_body
from .recorded_fingers import fit_fingers, has_moved_fingers
from .reference_from_motion import build_reference
from .retarget.reference_pose import Rig, fit_rig
from .retarget.retarget import recover_motion
from .retarget.standing_body import SIDES, SPINE, X
from .rig_mapping.bone_map import BoneMap
from .rig_mapping.guess_bone_map import guess_bone_map
from .skeleton import HUMANOID, Skeleton
from .world_axes import find_rest_joints, find_trunk, find_turn, is_standing_pose

_MIN_JOINTS = 8
"""of the humanoid that a recording must have to be a body: hips, spine, head and something of each limb; chosen"""
_SIZE_RANGE_M = (0.7, 2.2)  # ankle to head, of a toddler, of stylised and of very tall figures; chosen
_USUAL_SIZE_M, _USUAL_HEIGHT_M = 1.44, 1.70  # ankle to head, and all, of the humanoid
_USUAL_LEG_M = 0.82
_UNITS_M = {"centimetres": 0.01, "metres": 1.0, "inches": 0.0254, "millimetres": 0.001, "feet": 0.3048}
_UNITS_M["the unit of CMU's .asf files"] = 0.0254 / 0.45
_FLOOR_PERCENTILE = 5.0  # of the lowest joint's height over time: the floor, though a frame may fall through it
_FLOOR_TOLERANCE_M = 0.15  # a floor nearer to zero is at zero; chosen: a joint's height over its sole, and an error
_GUESS_FRAMES = 3  # poses of the motion tried where the zero pose is none


def recover_humanoid(body: RecordedBody, source: object, report: ReportNote, unit_m: float = 0.01) -> Motion:
    """Put a recorded body on the humanoid; `source` names the file in messages, `unit_m` is what its unit is taken for.

    What had to be assumed is reported in sentences. Raises UserError where no body is recognised.
    """
    body, bone_map = _map_bones(body)
    if len(bone_map.without_fingers().bones) < _MIN_JOINTS:
        raise UserError(
            f"No body was recognised in {source}.", "Give the bones usual names, as Mixamo's, and try again."
        )
    turn, sentence = find_turn(body, bone_map)
    if sentence:
        body = transform_body(body, turn)
        report(sentence)
    if not is_standing_pose(find_rest_joints(body, bone_map)):
        body = build_reference(body, bone_map)
        report("The zero pose is not one of a standing body; the T-pose was found from the motion.")
    body = _scale_to_metres(body, bone_map, unit_m, report)
    body = _stand_on_floor(body, bone_map, report)
    fingers = has_moved_fingers(body, bone_map)
    bone_map = bone_map if fingers else bone_map.without_fingers()
    rig = fit_rig(body.rest, bone_map, HUMANOID_WITH_FINGERS if fingers else HUMANOID)
    skeleton = fit_fingers(rig, _fit_skeleton(rig)) if fingers else _fit_skeleton(rig)
    motion = recover_motion(
        body.rest, bone_map, body.q_world_bone, body.heads_world, _make_still_motion(body, skeleton)
    )
    return replace(motion, contacts=find_contacts(motion))


def _map_bones(body: RecordedBody) -> tuple[RecordedBody, BoneMap]:
    """Guess the bone map by the zero pose, or by a pose of the motion where that is none of a body."""
    bone_map = guess_bone_map(body.rest)
    if len(bone_map.without_fingers().bones) >= _MIN_JOINTS and is_standing_pose(find_rest_joints(body, bone_map)):
        return body, bone_map
    frames = np.linspace(0, len(body.heads_world) - 1, _GUESS_FRAMES).astype(int)
    posed = [pose_as_rest(body, body.heads_world[frame], body.q_world_bone[frame]).rest for frame in frames]
    maps = [bone_map, *(guess_bone_map(rest) for rest in posed)]
    return body, max(maps, key=lambda one: sum(one.confidence.get(joint, 1.0) for joint in one.bones))


# ---------------------------------------------------------------------------------------------- size and floor


def _scale_to_metres(body: RecordedBody, bone_map: BoneMap, unit_m: float, report: ReportNote) -> RecordedBody:
    """Scale a body to metres: the unit expected if that makes a person, else one that does, else a usual size."""
    size_m = _measure_size(body, bone_map)
    if size_m is None or _SIZE_RANGE_M[0] <= size_m <= _SIZE_RANGE_M[1]:
        return body
    fitting = {unit: size_m / unit_m * metres for unit, metres in _UNITS_M.items()}
    fitting = {unit: size for unit, size in fitting.items() if _SIZE_RANGE_M[0] <= size <= _SIZE_RANGE_M[1]}
    if fitting:
        unit = min(fitting, key=lambda name: abs(np.log(fitting[name] / _USUAL_SIZE_M)))
        height_m = fitting[unit] * _USUAL_HEIGHT_M / _USUAL_SIZE_M
        report(f"Its lengths were taken for {unit}: the body is about {height_m:.2f} m tall.")
        return transform_body(body, rotation.IDENTITY, fitting[unit] / size_m)
    report(f"Its lengths are in no usual unit; the body was scaled to {_USUAL_HEIGHT_M:.2f} m.")
    return transform_body(body, rotation.IDENTITY, _USUAL_SIZE_M / size_m)


def _measure_size(body: RecordedBody, bone_map: BoneMap) -> float | None:
    """Measure legs and trunk from ankles to head, along the bones; None where they are not complete or of no length."""
    joints = find_rest_joints(body, bone_map)
    legs = [[f"{side}_{part}" for part in ("upper_leg", "lower_leg", "foot")] for side in SIDES]
    trunk = find_trunk(joints)
    if trunk is None or not all(name in joints for leg in legs for name in leg):
        return None
    steps = [joints[b] - joints[a] for leg in legs for a, b in itertools.pairwise(leg)]
    neck = joints["head"] - joints["neck"] if {"neck", "head"} <= set(joints) else np.zeros(3)
    total = sum(float(np.linalg.norm(step)) for step in steps) / 2.0
    return total + float(np.linalg.norm(trunk) + np.linalg.norm(neck)) or None


def _stand_on_floor(body: RecordedBody, bone_map: BoneMap, report: ReportNote) -> RecordedBody:
    """Move a body whose floor is not at zero, or that has no path, so that it stands on zero."""
    columns = [body.rest.index(chain[0]) for chain in bone_map.bones.values()]
    floor = float(np.percentile(body.heads_world[:, columns, 2].min(1), _FLOOR_PERCENTILE))
    if abs(floor) < _FLOOR_TOLERANCE_M:
        return body
    if body.has_path and floor > 0.0:
        report(f"The body never comes nearer to the floor than {floor:.2f} m; it was left there.")
        return body
    what = "Its floor is at" if body.has_path else "It has no path, and its lowest joint is at"
    report(f"{what} {floor:.2f} m; the motion was moved to stand at 0.")
    return transform_body(body, rotation.IDENTITY, t=np.array([0.0, 0.0, -floor]))


# ---------------------------------------------------------------------------------------------- the skeleton


def _fit_skeleton(rig: Rig) -> Skeleton:
    """Return the humanoid with a rig's bone lengths, metres; joints that the rig lacks are placed in proportion."""
    scale = (rig.body.leg_length() or _USUAL_LEG_M) / _USUAL_LEG_M
    places = _place_joints(rig, scale)
    offsets, tips = HUMANOID.offsets * scale, HUMANOID.tips * scale
    for joint, (name, parent) in enumerate(zip(HUMANOID.joint_names, HUMANOID.parents, strict=True)):
        if parent >= 0:
            above = HUMANOID.joint_names[parent]
            if name in places and above in places:
                offsets[joint] = _align(rig, above, places[name] - places[above])
        if name in rig.bones and HUMANOID.tips[joint].any():
            length = float(np.linalg.norm(rig.body.ends[name] - rig.body.joints[name]))
            tips[joint] = rotation.normalise(HUMANOID.tips[joint]) * (length or np.linalg.norm(tips[joint]))
    return replace(HUMANOID, offsets=offsets, tips=tips)


def _place_joints(rig: Rig, scale: float) -> dict[str, Array]:
    """Return where the rig's joints are at rest (3,), with those of the trunk that it lacks between the others.

    scale: of the rig over the humanoid, for the lengths of a neck and of collar bones that are not there.
    """
    places = dict(rig.body.joints)
    if "neck" not in places and "head" in places:
        places["neck"] = places["head"] - HUMANOID.offsets[HUMANOID.index("head")] * scale
    column = ("hips", *SPINE, "neck")
    known = [i for i, joint in enumerate(column) if joint in places]
    for i, joint in enumerate(column):
        before, after = [k for k in known if k < i], [k for k in known if k > i]
        if i not in known and before and after:
            low, high = before[-1], after[0]
            fraction = (i - low) / (high - low)
            places[joint] = places[column[low]] * (1.0 - fraction) + places[column[high]] * fraction
    for side, sign in SIDES.items():
        shoulder, arm = f"{side}_shoulder", f"{side}_upper_arm"
        if shoulder not in places and arm in places:
            collar = min(float(HUMANOID.offsets[HUMANOID.index(arm)] @ X) * sign * scale, sign * float(places[arm] @ X))
            places[shoulder] = places[arm] - sign * max(collar, 0.0) * X
    return places


def _align(rig: Rig, joint: str, offset: Array) -> Array:
    return rotation.rotate(rig.alignment.get(joint, rotation.IDENTITY), offset)


def _make_still_motion(body: RecordedBody, skeleton: Skeleton) -> Motion:
    """Make a motion of the skeleton at rest, as long as the recording."""
    frames, joints = len(body.heads_world), len(skeleton.joint_names)
    return Motion(
        skeleton=skeleton,
        t_world_root=np.tile(skeleton.offsets[0], (frames, 1)),
        q_parent_joint=np.tile(rotation.IDENTITY, (frames, joints, 1)),
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, joints)),
        fps=body.fps,
    )
