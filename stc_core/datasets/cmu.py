"""CMU's motion capture in the conversions to BVH that have free archives: cmu_daz and cmu_85_131_135.

Lengths that a conversion lost or moved are put right here, each with its reason. The data used in this project was
obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array, normalise
from ..motion.bvh import read_bvh
from ..motion.motion import Motion
from ..motion.skeleton import forward_kinematics
from .asf import ASF_UNIT_M
from .landmark_clip import LandmarkClip, split_at_glitches
from .landmark_placement import ON_JOINT, LandmarkRig, attach_head, needed_joints, perpendicular, place_landmarks

CMU_LICENCE = (
    "CMU Graphics Lab motion capture: free for any use, the data itself not to be resold. "
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)
SHRUNK_THORAX_M, SHRUNK_FOREARM_M = 2.07 * ASF_UNIT_M, 1.3 * ASF_UNIT_M  # bones that the conversion shrank to nothing
_DAZ_DAMAGED = frozenset({"01_01", "01_14", "05_10", "13_18", "14_23"})
_DAZ_OPENING_FRAMES = 4  # the T-pose, and the resampler's way out of it
_DAZ_EAR, _DAZ_HEAD = attach_head("head", (0.0, 0.005, 0.06))
_DAZ = LandmarkRig(
    sides=("l", "r"),
    side={
        "hip": ("{s}Thigh", ON_JOINT),
        "knee": ("{s}Shin", ON_JOINT),
        "ankle": ("{s}Foot", ON_JOINT),
        "heel": ("{s}Foot", (0.0, 0.055, -0.045)),
        "toe": ("{s}Foot", (0.005, -0.18, -0.04)),
        "shoulder": ("{s}Shldr", ON_JOINT),
        "elbow": ("{s}ForeArm", ON_JOINT),
        "wrist": ("{s}Hand", ON_JOINT),
        "index": ("{s}Hand", (0.091, -0.030, 0.009)),
        "pinky": ("{s}Hand", (0.078, 0.029, 0.0)),
        "ear": _DAZ_EAR,
    },
    middle=_DAZ_HEAD,
    spine=("abdomen", "chest", 0.5),
    corrections={
        # The figure rests with bent elbows and knees where the captured people's zero pose is straight (17 and 8
        # degrees too much against the same takes in cmu_expmap), its knees 4 cm high, its shoulders 5 cm inward.
        **{f"{s}Shin": (0.0, 0.0073, -0.042) for s in "lr"},
        "lFoot": (0.0073, -0.0512, 0.042),
        "rFoot": (-0.0073, -0.0512, 0.042),
        "lHand": (0.0105, 0.0666, -0.022),
        "rHand": (-0.0105, 0.0666, -0.022),
        "lShldr": (0.045, 0.0, 0.0),
        "rShldr": (-0.045, 0.0, 0.0),
    },
)


def read_cmu_daz(path: Path) -> Iterator[LandmarkClip]:
    """A take of the Daz-friendly BVH conversion, NN/NN_MM.bvh, without the T-pose that opens it.

    Takes in which the conversion bends an elbow backwards are left out.
    """
    if path.stem in _DAZ_DAMAGED:
        return
    motion = read_bvh(path)
    still = np.tile(rotation.IDENTITY, (len(motion.skeleton.parents), 1))
    landmarks = place_landmarks(motion, still, _DAZ, path)[_DAZ_OPENING_FRAMES:]
    yield from split_at_glitches(path.stem, f"cmu_{path.parent.name}", 120.0, landmarks)


_CMU_131 = LandmarkRig(
    sides=("Left", "Right"),
    side={
        "hip": ("{s}Hip", ON_JOINT),
        "knee": ("{s}Knee", ON_JOINT),
        "ankle": ("{s}Ankle", ON_JOINT),
        "heel": ("{s}Ankle", (0.0, 0.055, -0.045)),
        "toe": ("{s}Toe", (0.0, -0.063, -0.01)),
        "shoulder": ("{s}Shoulder", ON_JOINT),
        "elbow": ("{s}Elbow", ON_JOINT),
        "wrist": ("{s}Wrist", ON_JOINT),
        "index": ("{s}Wrist", (0.0, -0.028, -0.085)),  # its arms hang at rest
        "pinky": ("{s}Wrist", (0.0, 0.028, -0.078)),
        "ear": attach_head("Head", (0.0, -0.01, 0.065))[0],
    },
    middle=attach_head("Head", (0.0, -0.01, 0.065))[1],
    spine=("Chest", "Chest2", 0.3),
    corrections={name: (0.0, 0.0, SHRUNK_THORAX_M) for name in ("lowerneck", "LeftCollar", "RightCollar")}
    | {f"{side}Wrist": (0.0, 0.0, -SHRUNK_FOREARM_M) for side in ("Left", "Right")},
)
_NEO = LandmarkRig(
    sides=("Neo_Left", "Neo_Right"),
    side={
        "hip": ("{s}UpLeg", ON_JOINT),
        "knee": ("{s}Leg", ON_JOINT),
        "ankle": ("{s}Foot", ON_JOINT),
        "heel": ("{s}Foot", (0.0, 0.055, -0.045)),
        "toe": ("{s}ToeBase", (0.0, -0.06, -0.01)),
        "shoulder": ("{s}Arm", ON_JOINT),
        "elbow": ("{s}ForeArm", ON_JOINT),
        "wrist": ("{s}Hand", ON_JOINT),
        "index": ("{s}Hand", (0.085, -0.028, 0.0)),
        "pinky": ("{s}Hand", (0.078, 0.028, 0.0)),
        "ear": attach_head("Neo_Neck", (0.0, -0.01, 0.065))[0],
    },
    middle=attach_head("Neo_Neck", (0.0, -0.01, 0.065))[1],
    spine=("Neo_Spine", "Neo_Spine1", 0.7),
    corrections={},
)


def read_cmu_85_131_135(path: Path) -> Iterator[LandmarkClip]:
    """A take of CMU subjects 85 and 135 (one skeleton, in centimetres) or 131 (another, in ASF units), *.bvh."""
    subject = path.stem.removeprefix("cmu_").split("_")[0]
    if subject == "131":
        motion = read_bvh(path, ASF_UNIT_M)
        still = np.tile(rotation.IDENTITY, (len(motion.skeleton.parents), 1))
        landmarks = place_landmarks(motion, still, _CMU_131, path)[1:]
    else:
        motion = read_bvh(path)
        landmarks = place_landmarks(motion, _estimate_t_pose(motion, path), _NEO, path)
    yield from split_at_glitches(path.stem, f"cmu_{subject}", float(round(motion.fps)), landmarks)


def _estimate_t_pose(motion: Motion, path: Path) -> Array:
    """Estimate the rotations (J, 4) that a figure of unknown rest has in a T-pose facing -y, from how it moves.

    Trunk, head and legs: from the frame in which it stands tallest. Hands: they continue the forearm, and their thumb
    points, on average, to where the elbow bends.
    """
    skeleton = motion.skeleton
    if missing := needed_joints(_NEO) - set(skeleton.joint_names):
        raise UserError(f"{path} lacks the joint {min(missing)}.", "Choose the data set this reader is for.")
    joints, q_world_joint = forward_kinematics(skeleton, motion.t_world_root, motion.q_parent_joint)
    at = {name.removeprefix("Neo_"): joints[:, i] for i, name in enumerate(skeleton.joint_names)}
    tallest = int((2 * at["Neck"] - at["LeftFoot"] - at["RightFoot"])[:, 2].argmax())
    left = (at["LeftUpLeg"] - at["RightUpLeg"])[tallest] * [1.0, 1.0, 0.0]
    standing = rotation.mul(rotation.between(left, [1.0, 0.0, 0.0]), q_world_joint[tallest])
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        hand = skeleton.index(f"Neo_{side}Hand")
        upper, lower = at[f"{side}ForeArm"] - at[f"{side}Arm"], at[f"{side}Hand"] - at[f"{side}ForeArm"]
        hinge = np.cross(upper, lower)
        q_hand_world = rotation.inv(q_world_joint[:, hand])
        along = normalise(rotation.rotate(q_hand_world, normalise(lower)).mean(0))
        thumb = rotation.rotate(q_hand_world, np.cross(hinge, normalise(lower))).mean(0)
        thumb = perpendicular(thumb[None], along[None])[0]
        # in the T-pose the fingers point outward and the thumbs forward
        axes = rotation.from_axes(sign * along, -thumb, np.cross(sign * along, -thumb))
        standing[hand] = rotation.inv(axes)
    return standing
