"""VMD: a motion for MikuMikuDance models of the usual skeleton, with the legs' inverse kinematics switched off.

A model's bones have its world's axes at rest: left-handed, y up, facing -z, 8 cm a unit. Its arms hang in an A-pose,
which the arms' rotations take into account; lower and upper body hang beside each other on the centre, so they get the
hips' rotation each. Fingers lie along the arms. Every frame is keyed, at the format's 30 hertz. Knows this format
alone: names in Shift-JIS, little-endian records of fixed length.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import write_bytes
from ..geometry import rotation
from ..geometry.intervals import interpolate
from ..geometry.rotation import Array
from .fingers import list_finger_joints
from .motion import Motion
from .retarget.standing_body import SIDES, Y

_FPS = 30.0
_UNIT_M = 0.08
_ARM_REST_RAD = np.radians(36.0)  # below the horizontal, of the arms of the models that come with MikuMikuDance
_MIDDLE = {"neck": "首", "head": "頭"}
_LIMBS = {
    "shoulder": "肩",
    "upper_arm": "腕",
    "lower_arm": "ひじ",
    "hand": "手首",
    "upper_leg": "足",
    "lower_leg": "ひざ",
    "foot": "足首",
}
_ARM = ("upper_arm", "lower_arm", "hand")
_FINGERS = {
    "thumb": ("親指０", "親指１", "親指２"),
    "index": ("人指１", "人指２", "人指３"),
    "middle": ("中指１", "中指２", "中指３"),
    "ring": ("薬指１", "薬指２", "薬指３"),
    "little": ("小指１", "小指２", "小指３"),
}
_SIDE_NAMES = {"left": "左", "right": "右"}
_CENTRE, _LOWER, _UPPER, _UPPER_2 = "センター", "下半身", "上半身", "上半身2"
_IK_BONES = ("左足ＩＫ", "右足ＩＫ", "左つま先ＩＫ", "右つま先ＩＫ")
_LINEAR = bytes([20] * 8 + [107] * 8)  # the control points of straight interpolation, of x, y, z and the rotation
_INTERPOLATION = b"".join(_LINEAR[row:] + bytes([1, 0, 0][:row]) for row in range(4))  # as MikuMikuDance writes it


def write_vmd(motion: Motion, path: Path) -> None:
    """Write a motion of the humanoid as VMD; the file appears whole or not at all.

    Raises UserError where the motion has no hips, or the file cannot be written.
    """
    if "hips" not in motion.skeleton.joint_names:
        raise UserError(f"{path} cannot be written: the motion has no hips.", "Use a captured motion.")
    motion = _resample(motion)
    rotations, path_units = _collect_rotations(motion), _convert_path(motion)
    frames = len(path_units)
    content = [struct.pack("<30s20s", b"Vocaloid Motion Data 0002", _encode("STC Mocap"))]
    content.append(struct.pack("<I", frames * len(rotations)))
    still = np.zeros((frames, 3))
    for name, q in rotations.items():
        places = path_units if name == _CENTRE else still
        values = np.concatenate([places, _to_left_handed(q)], 1).astype("<f4")
        for frame, row in enumerate(values):
            content.append(struct.pack("<15sI", _encode(name), frame) + row.tobytes() + _INTERPOLATION)
    content.append(struct.pack("<4I", 0, 0, 0, 0))  # no faces, cameras, lights or shadows
    content.append(struct.pack("<IIBI", 1, 0, 1, len(_IK_BONES)))  # one frame, the first: shown
    content += [struct.pack("<20sB", _encode(name), 0) for name in _IK_BONES]
    write_bytes(Path(path), b"".join(content))


def _encode(name: str) -> bytes:
    return name.encode("cp932")


def _resample(motion: Motion) -> Motion:
    """Resample a motion to the format's rate: rotations along the shorter arc, the path linearly."""
    if abs(motion.fps / _FPS - 1.0) < 1e-5:
        return motion
    last = len(motion.t_world_root) - 1
    at = np.arange(int(last / motion.fps * _FPS + 1e-6) + 1) * (motion.fps / _FPS)
    before = np.clip(np.floor(at).astype(int), 0, max(last - 1, 0))
    after = np.minimum(before + 1, last)
    q = rotation.slerp(motion.q_parent_joint[before], motion.q_parent_joint[after], (at - before)[:, None])
    return replace(
        motion,
        t_world_root=interpolate(motion.t_world_root, np.arange(last + 1.0), at),
        q_parent_joint=rotation.unroll(q),
        contacts=motion.contacts[before],
        scores=motion.scores[before],
        landmarks={},
        landmark_names=(),
        camera=None,
        hand_landmarks=None,
        face=None,
        face_landmarks=None,
        fps=_FPS,
    )


def _collect_rotations(motion: Motion) -> dict[str, Array]:
    """Collect each bone's rotation (T, 4) against its parent, in our axes."""
    names = motion.skeleton.joint_names
    local = {name: motion.q_parent_joint[:, joint] for joint, name in enumerate(names)}
    identity = np.tile(rotation.IDENTITY, (len(motion.t_world_root), 1))
    hips = local["hips"]
    chest = rotation.mul(local.get("chest", identity), local.get("upper_chest", identity))
    rotations = {
        _CENTRE: identity,
        _LOWER: hips,
        _UPPER: rotation.mul(hips, local.get("spine", identity)),
        _UPPER_2: chest,
    }
    rotations |= {bone: local[joint] for joint, bone in _MIDDLE.items() if joint in local}
    for side, sign in SIDES.items():
        q_rest_arm = rotation.from_axis_angle(Y, np.array(sign * _ARM_REST_RAD))  # from our T-pose down to the model's
        for part, bone in _LIMBS.items():
            joint = f"{side}_{part}"
            if joint in local:
                q = local[joint]
                if part in _ARM:
                    above = rotation.IDENTITY if part == _ARM[0] else q_rest_arm
                    q = rotation.mul(rotation.mul(above, q), rotation.inv(q_rest_arm))
                rotations[_SIDE_NAMES[side] + bone] = q
        for finger, bones in _FINGERS.items():
            for joint, bone in zip(list_finger_joints(side, finger), bones, strict=True):
                if joint in local:
                    q = rotation.mul(rotation.mul(q_rest_arm, local[joint]), rotation.inv(q_rest_arm))
                    rotations[_SIDE_NAMES[side] + bone] = q
    return rotations


def _convert_path(motion: Motion) -> Array:
    """Convert the hips' way from rest (T, 3) to the format's units and axes."""
    moved: Array = ((motion.t_world_root - motion.skeleton.offsets[0]) / _UNIT_M)[:, [0, 2, 1]]
    return moved


def _to_left_handed(q: Array) -> Array:
    """Express rotations (T, 4) in the model's left-handed axes, with y and z exchanged, as x, y, z, w."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    return np.stack([-x, -z, -y, w], -1)
