"""Reads a motion from whatever file holds one: our motion.npz, or a BVH of a body with any joint names.

Knows which files may hold a motion; the formats themselves are known by motion.py and bvh.py, and how another body is
put on the humanoid by recover_humanoid.py.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from .bvh import ignore_note, read_bvh, read_bvh_body
from .bvh_text import ReportNote
from .fingers import FINGER_JOINTS
from .motion import Motion, load_motion
from .recorded_body import RecordedBody
from .recover_humanoid import recover_humanoid
from .skeleton import HUMANOID, Skeleton

_ARM = ("left_upper_arm", "left_lower_arm", "left_hand")
_STRAIGHT_M = 1e-3  # aside, of an arm along x; chosen


def read_motion_file(path: Path, report: ReportNote = ignore_note) -> Motion:
    """Read a motion.npz or a BVH; what had to be assumed about a BVH is reported in sentences.

    Raises UserError where the file is neither, or the BVH is not of a body.
    """
    if path.suffix.lower() != ".bvh":
        return load_motion(path)
    body = read_bvh_body(path, report=report)
    return _put_fingers_last(read_bvh(path)) if _is_own(body) else recover_humanoid(body, path, report)


def _is_own(body: RecordedBody) -> bool:
    """Whether a BVH is as we write them: our joints, y up, in a T-pose."""
    bones, heads = body.rest.bones, body.rest.heads
    arms = [heads[bones.index(b)] - heads[bones.index(a)] for a, b in pairwise(_ARM) if a in bones and b in bones]
    straight = all(step[0] > 0.0 and np.abs(step[1:]).max() < _STRAIGHT_M for step in arms)
    return set(bones) <= {*HUMANOID.joint_names, *FINGER_JOINTS} and bool(arms) and straight


def _put_fingers_last(motion: Motion) -> Motion:
    """Put the fingers' joints behind the body's, where motions have them; BVH has them between."""
    names = motion.skeleton.joint_names
    order = sorted(range(len(names)), key=lambda joint: (names[joint] in FINGER_JOINTS, joint))
    position = {joint: n for n, joint in enumerate(order)} | {-1: -1}
    skeleton = Skeleton(
        joint_names=tuple(names[joint] for joint in order),
        parents=tuple(position[motion.skeleton.parents[joint]] for joint in order),
        offsets=motion.skeleton.offsets[order],
        tips=motion.skeleton.tips[order],
    )
    return replace(
        motion, skeleton=skeleton, q_parent_joint=motion.q_parent_joint[:, order], scores=motion.scores[:, order]
    )
