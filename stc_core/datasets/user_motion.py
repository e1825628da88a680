"""Motion of any skeleton as landmarks: a user's own folder of BVH files, ASF/AMC files or our motion.npz.

Which bone is which joint is guessed as for a rig that is animated, or read from bones.json in the folder (a bone map
saved in Blender). Joints that are landmarks are taken as they are; heels, toes, knuckles, ears, nose and crown stand
rigidly on ankle, foot, hand and head, in the body's usual measures. Knows how a skeleton stands; not where it goes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array
from ..motion.bvh import read_bvh
from ..motion.motion import Motion, load_motion
from ..motion.retarget.reference_pose import Rig, fit_rig
from ..motion.retarget.rest_pose import RestPose
from ..motion.rig_mapping.bone_map import BoneMap
from ..motion.rig_mapping.bone_map_io import check_bone_map, load_bone_map
from ..motion.rig_mapping.guess_bone_map import guess_bone_map
from ..motion.skeleton import HUMANOID, Skeleton, forward_kinematics
from .asf import ASF_UNIT_M, read_amc
from .landmark_clip import LandmarkClip, split_at_glitches
from .landmark_placement import ON_JOINT, Attachment, LandmarkRig, attach_head, place_landmarks

_READERS: dict[str, Callable[[Path], Motion]] = {
    ".bvh": partial(read_bvh, unit_m=1.0),
    ".amc": read_amc,
    ".npz": load_motion,
}
MAP_FILE = "bones.json"
_UNITS_M = (1.0, 0.01, 0.001, 0.0254, ASF_UNIT_M)  # metre, centimetre, millimetre, inch, an ASF file's
_LEG_M = 0.82
_SKULL_BASE_LEG_LENGTHS = 0.145  # above the shoulders, by leg length: 0.13 to 0.155 where skeletons agree
_STANDING_COSINE = np.cos(np.radians(40.0))  # a trunk nearer than this to its legs' line, and a whole leg below it
_ON_JOINTS = {
    "hip": "upper_leg",
    "knee": "lower_leg",
    "ankle": "foot",
    "shoulder": "upper_arm",
    "elbow": "lower_arm",
    "wrist": "hand",
}
_NEEDED = tuple(_ON_JOINTS.values())
_REMEDY = f"Save a bone map for this skeleton in Blender, as {MAP_FILE} beside the files."


def list_motion_files(folder: Path) -> list[Path]:
    """The motion files under a folder. Raises UserError where there are none."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _READERS and path.is_file())
    if not found:
        raise UserError(f"{folder} holds no motion.", "Give a folder with BVH, ASF/AMC or motion.npz files.")
    return found


def read_clips(path: Path, folder: Path) -> Iterator[LandmarkClip]:
    """The sound parts of a motion file under `folder`; its own folder's name is who moved.

    Raises UserError where the file is damaged or its skeleton is not understood.
    """
    motion = read_motion(path)
    name = path.relative_to(folder).with_suffix("").as_posix()
    landmarks = motion_to_landmarks(motion, path, find_bone_map(path, folder))
    yield from split_at_glitches(name, path.resolve().parent.name, motion.fps, landmarks)


def read_motion(path: Path) -> Motion:
    """A motion whose lengths may still be in any unit."""
    return _READERS[path.suffix.lower()](path)


def find_bone_map(path: Path, folder: Path) -> BoneMap | None:
    """The bone map nearest to a file, in its folder or one above up to `folder`; None where there is none."""
    for place in path.parents:
        if (place / MAP_FILE).is_file():
            return load_bone_map(place / MAP_FILE)
        if place == folder:
            break
    return None


def motion_to_landmarks(motion: Motion, path: Path, bone_map: BoneMap | None = None) -> Array:
    """Landmarks (T, 27, 3) in BODY27's order, world metres. `path` is for the error.

    Raises UserError where a joint that is needed is not found.
    """
    rest = _zero_pose(motion.skeleton)
    bone_map = check_bone_map(bone_map, rest) if bone_map else guess_bone_map(rest)
    needed = [f"{side}_{part}" for side in ("left", "right") for part in _NEEDED] + ["hips", "head"]
    if missing := [joint for joint in needed if not bone_map.bones.get(joint)]:
        raise UserError(f"{path}: no bone is known for {missing[0].replace('_', ' ')}.", _REMEDY)
    if _is_standing(rest, bone_map):
        motion = _rotate_upright(motion, rest, bone_map)
    else:
        rest = _tallest_pose(motion, bone_map)
    rig = fit_rig(rest, bone_map, HUMANOID)
    scale = _guess_unit_m(rig)
    motion = _scale_motion(_rename_joints(motion, rig), scale)
    still = np.tile(rotation.IDENTITY, (len(rest.bones), 1))
    for joint, bones in rig.bones.items():
        still[bones[0]] = rig.q_reference(joint, bones[0])
    return place_landmarks(motion, still, _attach_landmarks(rig, motion.skeleton.joint_names, scale), path)


def _rename_joints(motion: Motion, rig: Rig) -> Motion:
    """Its joints called as the humanoid's, each by its first bone; what is none gets another name."""
    joints = {bones[0]: joint for joint, bones in rig.bones.items()}
    names = tuple(joints.get(bone, f"other {name}") for bone, name in enumerate(motion.skeleton.joint_names))
    return replace(motion, skeleton=replace(motion.skeleton, joint_names=names))


def _zero_pose(skeleton: Skeleton) -> RestPose:
    positions = skeleton.rest_positions()
    return _pose_as_rest(skeleton, positions, np.tile(rotation.IDENTITY, (len(positions), 1)))


def _pose_as_rest(skeleton: Skeleton, positions: Array, rotations: Array) -> RestPose:
    """The skeleton in a pose, as an armature: joints at positions (J, 3) whose axes are rotations (J, 4)."""
    tails = positions + rotation.rotate(rotations, skeleton.tips)
    for joint, parent in reversed(list(enumerate(skeleton.parents))):
        if parent >= 0:
            tails[parent] = positions[joint]
    return RestPose(
        bones=skeleton.joint_names,
        parents=skeleton.parents,
        heads=positions,
        tails=tails,
        q_armature_bone=rotations,
        inherits_rotation=np.ones(len(positions), bool),
    )


def _joint_heads(rest: RestPose, bone_map: BoneMap) -> dict[str, Array]:
    return {joint: rest.heads[rest.index(bones[0])] for joint, bones in bone_map.bones.items() if bones}


def _is_standing(rest: RestPose, bone_map: BoneMap) -> bool:
    """Whether the file's zero pose is a standing figure: trunk over legs, legs straight and alike."""
    at = _joint_heads(rest, bone_map)
    hips, ankles = (at[f"left_{p}"] + at[f"right_{p}"] for p in ("upper_leg", "foot"))
    trunk, legs = at["head"] - hips / 2, (hips - ankles) / 2
    lengths = sum(np.linalg.norm(at[f"left_{a}"] - at[f"left_{b}"]) for a, b in itertools.pairwise(_NEEDED[:3]))
    aligned = rotation.normalise(trunk) @ rotation.normalise(legs) > _STANDING_COSINE
    return bool(aligned and np.linalg.norm(legs) > 0.85 * lengths and np.linalg.norm(trunk) > 0.3 * lengths)


def _rotate_upright(motion: Motion, rest: RestPose, bone_map: BoneMap) -> Motion:
    """The motion with z up. Some programs write files whose own z is up: there both rest and movement lie down."""
    at = _joint_heads(rest, bone_map)
    trunk = at["head"] - at["hips"]
    up = np.where(np.abs(trunk) == np.abs(trunk).max(), np.sign(trunk), 0.0)
    positions = motion.positions()
    head, hips = (positions[:, motion.skeleton.index(bone_map.bones[joint][0])] for joint in ("head", "hips"))
    moving = rotation.normalise(head - hips).mean(0)
    if moving @ up <= moving[2]:
        return motion
    turn = rotation.between(up, [0.0, 0.0, 1.0])
    q = motion.q_parent_joint.copy()
    q[:, 0] = rotation.mul(turn, q[:, 0])
    return replace(motion, t_world_root=rotation.rotate(turn, motion.t_world_root), q_parent_joint=q)


def _tallest_pose(motion: Motion, bone_map: BoneMap) -> RestPose:
    """The pose of the frame in which the figure stands tallest."""
    positions, rotations = forward_kinematics(motion.skeleton, motion.t_world_root, motion.q_parent_joint)
    head, left, right = (
        positions[:, motion.skeleton.index(bone_map.bones[joint][0])] for joint in ("head", "left_foot", "right_foot")
    )
    frame = int((2 * head - left - right)[:, 2].argmax())
    return _pose_as_rest(motion.skeleton, positions[frame], rotations[frame])


def _guess_unit_m(rig: Rig) -> float:
    """Metres a unit of the file: the usual unit that makes the leg nearest to a person's."""
    leg = rig.body.leg_length() or 1.0
    return min(_UNITS_M, key=lambda unit: abs(np.log(leg * unit / _LEG_M)))


def _scale_motion(motion: Motion, scale: float) -> Motion:
    skeleton = motion.skeleton
    skeleton = replace(skeleton, offsets=skeleton.offsets * scale, tips=skeleton.tips * scale)
    return replace(motion, skeleton=skeleton, t_world_root=motion.t_world_root * scale)


def _attach_landmarks(rig: Rig, names: tuple[str, ...], scale: float) -> LandmarkRig:
    """Attach each landmark to a joint, by the body's size against a usual person.

    names: the joints'. scale: metres a unit.
    """
    size = (rig.body.leg_length() or 1.0) * scale / _LEG_M

    def at(joint: str, x: float, y: float, z: float) -> Attachment:
        return joint, (x * size, y * size, z * size)

    toes = all(f"{side}_toes" in rig.bones for side in ("left", "right"))
    ear, on_head = attach_head(_skull_joint(rig), (0.0, -0.01, 0.065))
    side = {
        **{name: (f"{{s}}_{joint}", ON_JOINT) for name, joint in _ON_JOINTS.items()},
        "heel": at("{s}_foot", 0.0, 0.055, -0.045),
        "toe": at("{s}_toes", 0.0, -0.06, -0.01) if toes else at("{s}_foot", 0.005, -0.18, -0.04),
        "index": at("{s}_hand", 0.085, -0.028, 0.0),
        "pinky": at("{s}_hand", 0.078, 0.028, 0.0),
        "ear": at(ear[0], *ear[1]),
    }
    middle = {name: at(joint, *offset) for name, (joint, offset) in on_head.items()}
    return LandmarkRig(("left", "right"), side, middle, _spine_attachment(rig, names), {})


def _skull_joint(rig: Rig) -> str:
    """The joint at the base of the skull: some skeletons' head begins at the forehead, and their neck there."""
    at = rig.body.joints
    shoulders = (at["left_upper_arm"] + at["right_upper_arm"])[2] / 2
    wanted = shoulders + _SKULL_BASE_LEG_LENGTHS * (rig.body.leg_length() or 1.0)
    return min((joint for joint in ("head", "neck") if joint in at), key=lambda joint: abs(at[joint][2] - wanted))


def _spine_attachment(rig: Rig, names: tuple[str, ...]) -> tuple[str, str, float]:
    """The two neighbours along the spine, at rest, between which lies the height half way from hips to shoulders."""
    chain = [rig.bones[joint][0] for joint in ("hips",)] + [*rig.spine]
    chain += [rig.bones["neck" if "neck" in rig.bones else "head"][0]]
    heights = np.maximum.accumulate([rig.head(bone)[2] for bone in chain])
    low, high = (
        np.mean([rig.body.joints[f"{side}_{part}"][2] for side in ("left", "right")])
        for part in ("upper_leg", "upper_arm")
    )
    place = float(np.interp((low + high) / 2, heights, np.arange(len(chain))))
    below = min(int(place), len(chain) - 2)
    return names[chain[below]], names[chain[below + 1]], place - below
