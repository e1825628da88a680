# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips of hands in known poses.

    python -m tests.benchmarks.ground_truth.render_hands --rigs DIR --out DIR

Needs what render.py needs, but no recorded motion. For each clip NAME.mp4 and NAME.npz; NAME.npz holds what render.py
says and, of the left hand and the right: `hand_joints` (T, 2, 21, 3), world metres, in the order of MediaPipe's hand
(heads of the rig's bones, and the last bones' tails); `finger_flexion_deg` (T, 2, 5, 3), the angles between consecutive
bones at the joints of thumb, index, middle, ring and little finger; `hand_px` (T, 2), how long the straight hand would
be in the picture; `size` and `facing`. Knows Blender; the poses' maths is in hand_poses.py, the list of clips in
hand_clips.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

from .body_truth import FPS, describe_truth
from .clothes import dress
from .hand_clips import ARMS, HAND_CLIPS, HandClip
from .hand_poses import (
    FINGER_BONES,
    FINGERS,
    SEGMENTS,
    RestHand,
    bend_fingers,
    finger_chains,
    flexion_deg,
    interpolate_poses,
    raise_arm,
    sway_body,
)
from .pose_transfer import SIDES
from .render import draw
from .rig_body import key_bones, open_body, read_truth, travel
from .rig_bones import bones_by_role, finger_bones
from .room import add_camera, build_room, place_camera

_ARM = ("upper_arm", "lower_arm", "hand")
_WAVES_HZ = 1.2  # how often a hand waves; chosen


def read_rest_hand(rig: bpy.types.Object, person_rig: str, side: str) -> RestHand:
    fingers = finger_bones(person_rig)
    bones = [bones_by_role(person_rig)[f"{side}_hand"], *(fingers[f"{side}_{name}"] for name in FINGER_BONES)]
    last = [fingers[f"{side}_{finger}_{SEGMENTS[finger][-1]}"] for finger in FINGERS]
    return RestHand(
        heads=np.array([rig.data.bones[bone].head_local for bone in bones]),
        tips=np.array([rig.data.bones[bone].tail_local for bone in last]),
    )


def pose_body(rig: bpy.types.Object, clip: HandClip) -> None:
    """Key somebody who stands, sways a little and raises the arms; the hands go through the clip's poses."""
    bones, fingers = bones_by_role(clip.person.rig), finger_bones(clip.person.rig)
    shift, spine = sway_body(clip.frames, FPS, clip.room.seed)
    world = {"spine_2": spine}
    angles = np.array([pose.angles() for pose in clip.poses])
    time_s = np.arange(clip.frames) / FPS
    for number, (side, (_, sign)) in enumerate(SIDES.items()):
        hand = read_rest_hand(rig, clip.person.rig, side)
        rest = {role: np.array(rig.data.bones[bones[f"{side}_{role}"]].head_local) for role in _ARM}
        wave = np.radians(clip.waves_deg) * np.sin(2.0 * np.pi * _WAVES_HZ * time_s + number)
        arm = raise_arm(rest, hand, sign > 0, ARMS[clip.facing][number], wave)
        shown = interpolate_poses(angles, clip.hold, clip.travel, clip.frames, number * 3 * (clip.hold + clip.travel))
        bent = {name: rotation.mul(arm["hand"], turn) for name, turn in bend_fingers(hand, sign > 0, shown).items()}
        world |= {f"{side}_{role}": rotation.mul(spine, turn) for role, turn in (arm | bent).items()}
    roles = {bone: role for role, bone in (bones | fingers).items()}
    key_bones(rig, roles, world)
    travel(rig, clip.person, np.array(rig.data.bones[bones["pelvis"]].head_local) + shift)


def read_hands(rig: bpy.types.Object, clip: HandClip) -> Array:
    """The hands' joints (T, 2, 21, 3), armature space, in the order of MediaPipe's hand."""
    wrists, fingers = bones_by_role(clip.person.rig), finger_bones(clip.person.rig)
    joints = np.empty((clip.frames, 2, 21, 3))
    for frame in range(clip.frames):
        bpy.context.scene.frame_set(frame + 1)
        for number, side in enumerate(SIDES):
            points = [rig.pose.bones[wrists[f"{side}_hand"]].head]
            for finger in FINGERS:
                chain = [rig.pose.bones[fingers[f"{side}_{finger}_{segment}"]] for segment in SEGMENTS[finger]]
                points += [*(bone.head for bone in chain), chain[-1].tail]
            joints[frame, number] = np.array(points)
    return joints


def describe_hands(joints: Array, camera: Camera) -> dict[str, Array]:
    """The truth of hands (T, 2, 21, 3), world metres, beside the body's."""
    chains = finger_chains(joints)
    length = np.linalg.norm(np.diff(chains[:, :, 2], axis=-2), axis=-1).sum(-1)
    depth = (joints.mean(2) @ camera.R.T + camera.t)[..., 2]
    return {
        "hand_joints": joints.astype(np.float32),
        "finger_flexion_deg": flexion_deg(chains).astype(np.float32),
        "hand_px": length * camera.K[0, 0] / depth,
    }


def make(clip: HandClip, rigs: Path, out: Path) -> None:
    """Write clip.mp4 and clip.npz into `out`."""
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    pose_body(rig, clip)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, clip.frames)
    up = np.array([0.0, 0.0, lowest.min()])
    camera = place_camera(clip.view, -np.pi / 2.0, clip.image_size)
    truth = describe_truth(landmarks - up, camera) | describe_hands(read_hands(rig, clip) - up, camera)
    dress(rig, skin, clip.person, rest)
    rig.location.z = -lowest.min()
    build_room(clip.room)
    add_camera(camera)
    draw(out / f"{clip.name}.mp4", clip.frames, clip.image_size, clip.room)
    np.savez_compressed(out / f"{clip.name}.npz", **truth, size=np.array(clip.size), facing=np.array(clip.facing))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for clip in HAND_CLIPS:
        if not flags.clips or clip.name in flags.clips:
            make(clip, flags.rigs, flags.out)


if __name__ == "__main__":
    main()
