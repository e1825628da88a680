"""The truth of a clip of a body: where its landmarks are and when its feet stand, in the form that the files have.

Knows neither Blender nor what moves the body.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stc_core.capture.layout import BODY27
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

FPS = 30
"""of all rendered clips"""
CONTACT_SPEED_M_S, CONTACT_HEIGHT_M = 0.15, 0.06  # chosen
_JOINT_ROLES = {
    "hip": "thigh",
    "knee": "calf",
    "ankle": "foot",
    "shoulder": "upper_arm",
    "elbow": "lower_arm",
    "wrist": "hand",
    "index": "index",
    "pinky": "pinky",
}


def order_landmarks(heads: Mapping[str, Array], skin: Mapping[str, Array]) -> Array:
    """The landmarks (..., 27, 3) in the order of BODY27, from the bones' heads (..., 3) by role, as in rig_bones.py,
    and the skin's points (..., 3) by landmark."""
    at = {**skin, "spine": heads["spine_3"]}
    for side in ("left", "right"):
        at |= {f"{side}_{name}": heads[f"{side}_{role}"] for name, role in _JOINT_ROLES.items()}
    at["pelvis"] = (at["left_hip"] + at["right_hip"]) / 2.0
    at["thorax"] = (at["left_shoulder"] + at["right_shoulder"]) / 2.0
    landmarks: Array = np.stack([at[name] for name in BODY27.names], -2)
    return landmarks


def describe_truth(landmarks: Array, camera: Camera) -> dict[str, Array]:
    """The arrays of a rendered clip: world landmarks (T, 27, 3), metres, z up from the floor, and its camera."""
    truth = {
        "landmark_names": np.array(BODY27.names),
        "landmarks": landmarks.astype(np.float32),
        "K": camera.K,
        "R": camera.R,
        "t": camera.t,
        "image_size": np.array(camera.image_size),
        "fps": np.array(float(FPS)),
        "contacts": foot_contacts(landmarks),
    }
    if camera.path:
        truth |= {f"camera_{name}": array for name, array in vars(camera.path).items()}
    return truth


def foot_contacts(landmarks: Array) -> Array:
    """Contacts (T, 2): the middle of ankle, heel and toe is slower than 0.15 m/s, and heel or toe near the floor."""
    contacts = []
    for side in ("left", "right"):
        foot = landmarks[:, [BODY27.index(f"{side}_{name}") for name in ("ankle", "heel", "toe")]]
        speed = np.linalg.norm(np.gradient(foot.mean(1), axis=0), axis=-1) * FPS
        contacts.append((speed < CONTACT_SPEED_M_S) & (foot[:, 1:, 2].min(1) < CONTACT_HEIGHT_M))
    return np.stack(contacts, -1)
