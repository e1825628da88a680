"""VMD files: a reader of the format, on a model with arms in an A-pose, sees the limbs of the motion."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.skeleton import HUMANOID
from stc_core.motion.vmd import write_vmd
from tests import synthetic
from tests.made_hands import POSES, bend_fingers
from tests.motion.retarget.test_fingers_on_rigs import point_motion
from tests.motion.test_foreign_bvh import WALK

PARENTS = {
    "下半身": "センター", "上半身": "センター", "上半身2": "上半身", "首": "上半身2", "頭": "首",
    "左肩": "上半身2", "左腕": "左肩", "左ひじ": "左腕", "左手首": "左ひじ", "左足": "下半身", "左ひざ": "左足",
    "左足首": "左ひざ", "右肩": "上半身2", "右腕": "右肩", "右ひじ": "右腕", "右手首": "右ひじ", "右足": "下半身",
    "右ひざ": "右足", "右足首": "右ひざ",
}  # fmt: skip
DOWN_RAD = np.radians(36.0)
SEGMENTS = {  # of a model: where its bone points at rest, y up, facing -z, its left at +x; and the humanoid's joints
    "左腕": ((np.cos(DOWN_RAD), -np.sin(DOWN_RAD), 0.0), "left_upper_arm", "left_lower_arm"),
    "左ひじ": ((np.cos(DOWN_RAD), -np.sin(DOWN_RAD), 0.0), "left_lower_arm", "left_hand"),
    "右腕": ((-np.cos(DOWN_RAD), -np.sin(DOWN_RAD), 0.0), "right_upper_arm", "right_lower_arm"),
    "右ひじ": ((-np.cos(DOWN_RAD), -np.sin(DOWN_RAD), 0.0), "right_lower_arm", "right_hand"),
    "左足": ((0.0, -1.0, 0.0), "left_upper_leg", "left_lower_leg"),
    "右ひざ": ((0.0, -1.0, 0.0), "right_lower_leg", "right_foot"),
    "上半身2": ((0.0, 1.0, 0.0), "upper_chest", "neck"),
}


def read_vmd(path: Path) -> tuple[dict[str, Array], dict[str, Array], dict[str, int]]:
    """Positions (T, 3) and rotations (T, 4) wxyz of each bone, left-handed, and which inverse kinematics is on."""
    content = path.read_bytes()
    assert content[:30].rstrip(b"\0") == b"Vocaloid Motion Data 0002"
    (count,) = struct.unpack_from("<I", content, 50)
    rows: dict[str, list[tuple[int, Array]]] = {}
    for at in range(54, 54 + 111 * count, 111):
        name, number, *row = struct.unpack_from("<15sI7f", content, at)
        rows.setdefault(name.split(b"\0")[0].decode("cp932"), []).append((number, np.array(row)))
    at = 54 + 111 * count
    assert struct.unpack_from("<4I", content, at) == (0, 0, 0, 0)
    frames, frame, is_shown, bones = struct.unpack_from("<IIBI", content, at + 16)
    assert (frames, frame, is_shown) == (1, 0, 1) and len(content) == at + 29 + 21 * bones
    switches = (struct.unpack_from("<20sB", content, at + 29 + 21 * bone) for bone in range(bones))
    switched = {name.split(b"\0")[0].decode("cp932"): state for name, state in switches}
    assert all([frame for frame, _ in keys] == list(range(len(keys))) for keys in rows.values())
    values = {name: np.array([value for _, value in keys]) for name, keys in rows.items()}
    return (
        {name: value[:, :3] for name, value in values.items()},
        {name: value[:, [6, 3, 4, 5]] for name, value in values.items()},
        switched,
    )


def to_matrices(q: Array) -> Array:
    """Matrices of quaternions by the textbook's formula, which holds in left-handed axes too."""
    return rotation.to_matrix(q)


def play(rotations: dict[str, Array], bone: str) -> Array:
    world = to_matrices(rotations[bone])
    while bone in PARENTS:
        bone = PARENTS[bone]
        world = to_matrices(rotations[bone]) @ world
    return world


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_limbs_point_where_the_motions_do(fps: float, tmp_path: Path) -> None:
    motion = WALK if fps == 30.0 else synthetic.walk(fps=fps, seconds=1.0, heading_deg=40.0)
    write_vmd(motion, tmp_path / "walk.vmd")
    positions, rotations, switched = read_vmd(tmp_path / "walk.vmd")
    assert set(PARENTS) | {"センター"} == set(rotations) and not any(switched.values()) and "左足ＩＫ" in switched
    joints = motion.positions()[:: round(fps / 30.0)]
    assert len(joints) == len(positions["センター"])
    for bone, (at_rest, start, end) in SEGMENTS.items():
        found = (play(rotations, bone) @ np.array(at_rest))[:, [0, 2, 1]]  # into our axes
        wanted = rotation.normalise(joints[:, HUMANOID.index(end)] - joints[:, HUMANOID.index(start)])
        assert np.degrees(np.arccos(np.clip((found * wanted).sum(-1), -1.0, 1.0))).max() < 0.1, bone
    moved = positions["センター"][:, [0, 2, 1]] * 0.08 + HUMANOID.offsets[0]
    np.testing.assert_allclose(moved, joints[:, 0], atol=1e-4)


def test_fingers_point_where_the_motions_do(tmp_path: Path) -> None:
    motion = bend_fingers(WALK, POSES["fist"], eased=True)
    write_vmd(motion, tmp_path / "hands.vmd")
    _, rotations, _ = read_vmd(tmp_path / "hands.vmd")
    assert len(rotations) == len(PARENTS) + 1 + 30 and {"左親指０", "右小指３"} <= set(rotations)
    true = point_motion(motion)
    for side, word, sign in (("left", "左", 1.0), ("right", "右", -1.0)):
        world = play(rotations, f"{word}手首")
        for part, bone in zip(("proximal", "intermediate", "distal"), ("人指１", "人指２", "人指３"), strict=True):
            world = world @ to_matrices(rotations[word + bone])
            found = (world @ np.array([sign * np.cos(DOWN_RAD), -np.sin(DOWN_RAD), 0.0]))[:, [0, 2, 1]]
            wanted = rotation.normalise(true[f"{side}_index_{part}"])
            assert np.degrees(np.arccos(np.clip((found * wanted).sum(-1), -1.0, 1.0))).max() < 0.1
