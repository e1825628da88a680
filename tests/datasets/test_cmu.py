"""Every source puts the same 27 points in the same places of the body; made figures whose truth is known judge it."""

from __future__ import annotations

import json
import lzma
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stc_core.capture.layout import BODY27
from stc_core.datasets import ui_prmd
from stc_core.datasets.free_datasets import ROTATION_DATASETS
from stc_core.datasets.landmark_clip import LandmarkClip
from stc_core.datasets.plug_in_gait import MARKERS, estimate_joint_centres
from stc_core.datasets.prepare import PrepareConfig, prepare, resample_landmarks
from stc_core.datasets.shards import open_shards
from stc_core.errors import UserError
from stc_core.events import ignore
from stc_core.geometry import rotation
from stc_core.motion.bvh import write_bvh
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import Skeleton, forward_kinematics

FRAMES = 90
TURN = rotation.exp([0.0, 0.0, 1.0])  # what the figures below stand turned by


def _get_landmark(clip: LandmarkClip | np.ndarray, name: str) -> np.ndarray:
    landmarks = clip.landmarks if isinstance(clip, LandmarkClip) else clip
    return landmarks[:, BODY27.index(name)]


def _assert_a_person_facing(landmarks: np.ndarray, q_world_person: np.ndarray) -> None:
    """A body upright, whose own axes (left +x, back +y) are turned by q_world_person (4)."""
    body = rotation.rotate(rotation.inv(q_world_person), landmarks - _get_landmark(landmarks, "pelvis")[:, None])
    at = {name: body[:, i] for i, name in enumerate(BODY27.names)}
    for name in ("hip", "knee", "ankle", "heel", "toe", "shoulder", "elbow", "wrist", "index", "pinky", "ear"):
        assert (at[f"left_{name}"][:, 0] > 0.03).all() and (at[f"right_{name}"][:, 0] < -0.03).all(), name
    middle = (at["left_ear"] + at["right_ear"]) / 2
    np.testing.assert_allclose((at["nose"] - middle), np.tile([0.0, -0.12, -0.02], (len(body), 1)), atol=0.01)
    np.testing.assert_allclose((at["head"] - middle), np.tile([0.0, 0.0, 0.13], (len(body), 1)), atol=0.01)
    for side in ("left", "right"):
        assert (at[f"{side}_toe"][:, 1] < at[f"{side}_ankle"][:, 1] - 0.1).all()
        assert (at[f"{side}_heel"][:, 1] > at[f"{side}_ankle"][:, 1] + 0.03).all()
        assert (at[f"{side}_heel"][:, 2] < at[f"{side}_ankle"][:, 2]).all()
    order = ["pelvis", "spine", "thorax", "nose", "head"]
    heights = np.stack([at[name][:, 2] for name in order], 1)
    assert (np.diff(heights, axis=1) > 0.05).all()


def _motion(skeleton: Skeleton, turns: dict[str, np.ndarray], frames: int = FRAMES, fps: float = 120.0) -> Motion:
    q = np.tile(rotation.IDENTITY, (frames, len(skeleton.parents), 1))
    q[:, 0] = TURN
    for name, turn in turns.items():
        q[:, skeleton.index(name)] = turn
    root = np.tile([0.3, 0.2, 1.0], (frames, 1))
    return Motion(
        skeleton=skeleton,
        t_world_root=root,
        q_parent_joint=q,
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, q.shape[1])),
        fps=fps,
    )


def _skeleton(rows: list[tuple[str, str, tuple[float, float, float]]]) -> Skeleton:
    """Rows of name, parent, offset; names with {s} stand for both sides, mirrored."""
    flat: list[tuple[str, str, np.ndarray]] = []
    for side, sign in (("l", 1.0), ("r", -1.0)):
        for name, parent, offset in rows:
            if "{s}" in name:
                flat.append((name.format(s=side), parent.format(s=side), np.multiply(offset, [sign, 1.0, 1.0])))
            elif side == "l":
                flat.append((name, parent, np.array(offset)))
    names = [name for name, _, _ in flat]
    parents = tuple(names.index(parent) if parent else -1 for _, parent, _ in flat)
    return Skeleton(
        joint_names=tuple(names),
        parents=parents,
        offsets=np.array([o for _, _, o in flat]),
        tips=np.zeros((len(names), 3)),
    )


DAZ = _skeleton(
    [
        ("hip", "", (0.0, 0.0, 0.0)),
        ("abdomen", "hip", (0.0, 0.0, 0.2)),
        ("chest", "abdomen", (0.0, 0.0, 0.12)),
        ("neck", "chest", (0.0, 0.02, 0.22)),
        ("head", "neck", (0.0, -0.01, 0.07)),
        ("{s}Collar", "chest", (0.03, 0.05, 0.19)),
        ("{s}Shldr", "{s}Collar", (0.09, 0.0, -0.02)),
        ("{s}ForeArm", "{s}Shldr", (0.2817, -0.0049, -0.0171)),
        ("{s}Hand", "{s}ForeArm", (0.2259, -0.0707, 0.0077)),
        ("{s}Thigh", "hip", (0.09, 0.0, 0.02)),
        ("{s}Shin", "{s}Thigh", (0.0, -0.0073, -0.3682)),
        ("{s}Foot", "{s}Shin", (-0.0073, 0.0512, -0.4511)),
    ]
)


def _write_daz(folder: Path) -> Path:
    take = folder / "cmu_daz" / "05" / "05_02.bvh"
    take.parent.mkdir(parents=True)
    nod = rotation.exp(np.zeros((FRAMES, 3)))
    write_bvh(_motion(DAZ, {"head": nod}), take)
    return folder / "cmu_daz"


def test_daz_takes_with_backward_elbows_are_left_out(tmp_path: Path) -> None:
    folder = _write_daz(tmp_path)
    (take,) = folder.glob("*/*.bvh")
    take.rename(take.with_name("13_18.bvh"))
    assert list(ROTATION_DATASETS["cmu_daz"].read_clips(folder)) == []


def test_the_daz_figure_carries_a_person(tmp_path: Path) -> None:
    (clip,) = ROTATION_DATASETS["cmu_daz"].read_clips(_write_daz(tmp_path))
    assert (clip.name, clip.subject, clip.fps) == ("05_02", "cmu_05", 120.0)
    assert len(clip.landmarks) == FRAMES - 4  # the opening T-pose is gone
    _assert_a_person_facing(clip.landmarks, TURN)
    limbs = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
    for side, (upper, middle, lower) in ((side, limb) for side in ("left", "right") for limb in limbs):
        above = _get_landmark(clip, f"{side}_{middle}") - _get_landmark(clip, f"{side}_{upper}")
        below = _get_landmark(clip, f"{side}_{lower}") - _get_landmark(clip, f"{side}_{middle}")
        assert np.degrees(rotation.angle(rotation.between(above, below))).max() < 1.0  # the bent rest is put right
        if middle == "knee":
            np.testing.assert_allclose(np.linalg.norm([above, below], axis=-1), 0.41, atol=0.002)


def test_landmarks_turn_with_their_bones(tmp_path: Path) -> None:
    take = tmp_path / "05" / "05_02.bvh"
    take.parent.mkdir()
    nod = rotation.exp([0.5, 0.0, 0.0])  # about the left: the nose goes down
    write_bvh(_motion(DAZ, {"head": nod}), take)
    (clip,) = ROTATION_DATASETS["cmu_daz"].read_clips(tmp_path)
    middle = (_get_landmark(clip, "left_ear") + _get_landmark(clip, "right_ear")) / 2
    expected = rotation.rotate(rotation.mul(TURN, nod), [0.0, -0.12, -0.02])
    np.testing.assert_allclose(_get_landmark(clip, "nose") - middle, np.tile(expected, (len(middle), 1)), atol=1e-6)
    assert expected[2] < -0.05


def test_a_glitch_splits_a_take_and_short_parts_go(tmp_path: Path) -> None:
    take = tmp_path / "05" / "05_02.bvh"
    take.parent.mkdir()
    motion = _motion(DAZ, {}, frames=400)
    motion.t_world_root[[150, 300, 340]] += [0.0, 0.0, 0.4]
    write_bvh(motion, take)
    clips = list(ROTATION_DATASETS["cmu_daz"].read_clips(tmp_path))
    assert [clip.name for clip in clips] == ["05_02_part0", "05_02_part1"]  # 341..399 lies under half a second
    for clip in clips:
        assert np.linalg.norm(np.diff(clip.landmarks, axis=0), axis=-1).max() < 1e-5


def test_a_take_far_below_the_floor_is_lifted_onto_it(tmp_path: Path) -> None:
    take = tmp_path / "05" / "05_02.bvh"
    take.parent.mkdir()
    motion = _motion(DAZ, {})
    motion.t_world_root[:, 2] -= 0.9
    write_bvh(motion, take)
    (clip,) = ROTATION_DATASETS["cmu_daz"].read_clips(tmp_path)
    assert abs(clip.landmarks[..., 2].min()) < 1e-5


def _write_expmap(folder: Path) -> Path:
    """A figure with the real one's tree, whose legs spread by 0.3665 rad at rest and are turned straight always."""
    parents = [-1, 0, 1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 0, 13, 14, 15, 16, 17, 18, 15, 20, 21, 22, 23, 24, 25, 23, 27]
    parents += [15, 29, 30, 31, 32, 33, 34, 32, 36]
    offsets = np.zeros((38, 3))
    for hip, sign in ((2, 1.0), (8, -1.0)):
        spread = np.array([sign * np.sin(0.3665), -np.cos(0.3665), 0.0])
        offsets[hip] = [sign * 1.7, -1.8, 0.0]
        offsets[hip + 1], offsets[hip + 2] = 7.6 * spread, 7.2 * spread
        offsets[hip + 3], offsets[hip + 4] = [0.0, 0.0, 2.2], [0.0, 0.0, 1.1]
    offsets[[14, 15]], offsets[[17, 18, 19]] = [0.0, 2.06, 0.0], [0.0, 1.6, 0.0]
    for arm, sign in ((21, 1.0), (30, -1.0)):
        offsets[arm], offsets[arm + 1], offsets[arm + 2] = (
            [sign * 3.5, 0.9, 0.0],
            [sign * 4.9, 0, 0],
            [sign * 3.4, 0, 0],
        )
    columns = (3 + np.arange(114)).reshape(38, 3)
    tree = {"unit_m": 0.056444, "fps": 120, "parents": parents, "offsets": offsets.tolist()}
    (folder / "cmu_expmap_skeleton.json").write_text(json.dumps(tree | {"rotation_columns": columns.tolist()}))
    values = np.zeros((FRAMES, 117))
    values[:, :3] = [5.0, 17.0, 3.0]
    values[:, columns[2]], values[:, columns[8]] = [0.0, 0.0, 0.3665], [0.0, 0.0, -0.3665]
    values[1:, columns[0]] = [0.0, -1.0, 0.0]  # row vectors: this turns the person by +1 rad about up
    take = folder / "cmu_expmap" / "train" / "walking_extra" / "walking_9.txt"
    take.parent.mkdir(parents=True)
    np.savetxt(take, values, delimiter=",")
    return folder / "cmu_expmap"


def test_exponential_maps_of_row_vectors_become_a_person(tmp_path: Path) -> None:
    (clip,) = ROTATION_DATASETS["cmu_expmap"].read_clips(_write_expmap(tmp_path))
    assert (clip.name, clip.subject, len(clip.landmarks)) == (
        "train_walking_extra_walking_9",
        "cmu_expmap_walking",
        FRAMES - 1,
    )
    assert clip.action == "walking"
    _assert_a_person_facing(clip.landmarks, TURN)
    leg = _get_landmark(clip, "left_ankle") - _get_landmark(clip, "left_hip")
    np.testing.assert_allclose(leg, np.tile([0.0, 0.0, -14.8 * 0.056444], (len(leg), 1)), atol=1e-4)
    thumbwards = _get_landmark(clip, "left_index") - _get_landmark(clip, "left_pinky")
    assert (rotation.rotate(rotation.inv(TURN), thumbwards)[:, 1] < -0.05).all()  # in the T-pose, thumbs forward


def test_takes_that_two_sets_share_have_one_subject(tmp_path: Path) -> None:
    folder = _write_expmap(tmp_path)
    shared = folder / "train" / "jumping" / "jumping_3.txt"
    shared.parent.mkdir()
    next(folder.glob("*/*/walking_9.txt")).rename(shared)
    (clip,) = ROTATION_DATASETS["cmu_expmap"].read_clips(folder)
    assert clip.subject == "cmu_13"


NEO = _skeleton(
    [
        ("Neo_Hips", "", (0.0, 0.0, 0.0)),
        ("Neo_Spine", "Neo_Hips", (0.0, 0.0, 0.1)),
        ("Neo_Spine1", "Neo_Spine", (0.0, 0.0, 0.17)),
        ("Neo_Spine2", "Neo_Spine1", (0.0, 0.0, 0.14)),
        ("Neo_Neck", "Neo_Spine2", (0.0, -0.01, 0.19)),
        ("Neo_{s}Arm", "Neo_Spine2", (0.18, 0.0, 0.05)),
        ("Neo_{s}ForeArm", "Neo_{s}Arm", (0.25, 0.0, 0.0)),
        ("Neo_{s}Hand", "Neo_{s}ForeArm", (0.26, 0.0, 0.0)),
        ("Neo_{s}UpLeg", "Neo_Hips", (0.09, 0.0, -0.04)),
        ("Neo_{s}Leg", "Neo_{s}UpLeg", (0.0, 0.0, -0.41)),
        ("Neo_{s}Foot", "Neo_{s}Leg", (0.0, 0.0, -0.43)),
        ("Neo_{s}ToeBase", "Neo_{s}Foot", (0.0, -0.12, -0.03)),
    ]
)
NEO = replace(
    NEO,
    joint_names=tuple(name.replace("Neo_l", "Neo_Left").replace("Neo_r", "Neo_Right") for name in NEO.joint_names),
)


def _scramble_axes(motion: Motion) -> Motion:
    """The same movement from a rest pose in which every joint's axes lie anyhow."""
    joints = len(motion.skeleton.parents)
    q_rest = rotation.normalise(np.random.default_rng(3).normal(size=(joints, 4)))
    parents = np.array(motion.skeleton.parents)
    q_parent = np.where(parents[:, None] < 0, rotation.IDENTITY, q_rest[parents])
    offsets = rotation.rotate(rotation.inv(q_parent), motion.skeleton.offsets)
    q = rotation.mul(rotation.mul(rotation.inv(q_parent), motion.q_parent_joint), q_rest)
    skeleton = replace(motion.skeleton, offsets=offsets)
    return replace(motion, skeleton=skeleton, q_parent_joint=q)


def test_a_figure_of_unknown_rest_is_read_by_how_it_moves(tmp_path: Path) -> None:
    bend = np.linspace(0.2, 1.8, FRAMES)[:, None] * [0.0, 0.0, 1.0]
    motion = _motion(NEO, {"Neo_LeftForeArm": rotation.exp(-bend), "Neo_RightForeArm": rotation.exp(bend)}, fps=30.0)
    scrambled = _scramble_axes(motion)
    np.testing.assert_allclose(scrambled.positions(), motion.positions(), atol=1e-9)
    write_bvh(scrambled, tmp_path / "cmu_85_03.bvh")
    (clip,) = ROTATION_DATASETS["cmu_85_131_135"].read_clips(tmp_path)
    assert (clip.name, clip.subject, clip.fps) == ("cmu_85_03", "cmu_85", 30.0)
    _assert_a_person_facing(clip.landmarks[:20], TURN)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        name = f"Neo_{side.capitalize()}Hand"
        _, q_world_joint = forward_kinematics(NEO, motion.t_world_root, motion.q_parent_joint)
        index = rotation.rotate(q_world_joint[:, NEO.index(name)], [sign * 0.085, -0.028, 0.0])
        np.testing.assert_allclose(
            _get_landmark(clip, f"{side}_index") - _get_landmark(clip, f"{side}_wrist"), index, atol=0.002
        )


def test_subject_131_has_its_own_skeleton_in_its_own_unit(tmp_path: Path) -> None:
    rows = [
        ("Hips", "", (0.0, 0.0, 0.0)),
        ("Chest", "Hips", (0.0, 0.0, 0.11)),
        ("Chest2", "Chest", (0.0, 0.0, 0.11)),
        ("lowerneck", "Chest2", (0.0, 0.0, 0.0)),
        ("Neck", "lowerneck", (0.0, 0.0, 0.09)),
        ("Head", "Neck", (0.0, 0.0, 0.09)),
        ("{s}Collar", "Chest2", (0.0, 0.0, 0.0)),
        ("{s}Shoulder", "{s}Collar", (0.17, 0.0, 0.08)),
        ("{s}Elbow", "{s}Shoulder", (0.0, 0.0, -0.24)),
        ("{s}Wrist", "{s}Elbow", (0.0, 0.0, -0.19)),
        ("{s}Hip", "Hips", (0.07, 0.0, -0.09)),
        ("{s}Knee", "{s}Hip", (0.0, 0.0, -0.4)),
        ("{s}Ankle", "{s}Knee", (0.0, 0.0, -0.4)),
        ("{s}Toe", "{s}Ankle", (0.0, -0.12, -0.03)),
    ]
    skeleton = _skeleton(rows)
    names = tuple(
        {"l": "Left", "r": "Right"}.get(n[0], n[0]) + n[1:] if n[1].isupper() else n for n in skeleton.joint_names
    )
    to_units = 0.01 / (0.0254 / 0.45)
    skeleton = replace(skeleton, joint_names=names, offsets=skeleton.offsets * to_units)
    motion = _motion(skeleton, {})
    write_bvh(replace(motion, t_world_root=motion.t_world_root * to_units), tmp_path / "131_02.bvh")
    (clip,) = ROTATION_DATASETS["cmu_85_131_135"].read_clips(tmp_path)
    assert (clip.name, clip.subject, len(clip.landmarks)) == ("131_02", "cmu_131", FRAMES - 1)
    _assert_a_person_facing(clip.landmarks, TURN)
    forearm = np.linalg.norm(_get_landmark(clip, "left_elbow") - _get_landmark(clip, "left_wrist"), axis=-1)
    np.testing.assert_allclose(forearm, 0.19 + 1.3 * 0.0254 / 0.45, atol=1e-4)  # the lost bone is back


def _body() -> dict[str, np.ndarray]:
    """Joint centres (T, 3) of a person facing -y who bends knees and elbows from straight to 70 degrees."""
    bend = np.linspace(0.0, np.radians(70.0), FRAMES)
    zero, one = np.zeros(FRAMES), np.ones(FRAMES)
    thigh = np.stack([zero, -np.sin(bend / 2), -np.cos(bend / 2)], -1)
    shin = np.stack([zero, np.sin(bend / 2), -np.cos(bend / 2)], -1)
    forearm = np.stack([zero, -np.sin(bend), -np.cos(bend)], -1)
    at: dict[str, np.ndarray] = {}
    for side, x in (("left", 1.0), ("right", -1.0)):
        at[f"{side}_hip"] = np.stack([0.09 * x * one, 0.0 * one, 0.95 * one], -1)
        at[f"{side}_knee"] = at[f"{side}_hip"] + 0.42 * thigh
        at[f"{side}_ankle"] = at[f"{side}_knee"] + 0.42 * shin
        at[f"{side}_shoulder"] = np.stack([0.17 * x * one, 0.02 * one, 1.42 * one], -1)
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] + [0.0, 0.0, -0.29]
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + 0.25 * forearm
    return at


def _markers() -> dict[str, np.ndarray]:
    """The markers that a person with `_body`'s joint centres wears."""
    at, out = _body(), {}
    width, depth = 0.25, 0.16
    aside, back, down = 0.33 * width + 0.0073, 0.24 * depth + 0.0099, 0.30 * width + 0.0109
    middle = (at["left_hip"] + at["right_hip"]) / 2 + [0.0, -back, down]
    assert abs(aside - 0.09) < 0.001
    for mark, side, x in (("L", "left", 1.0), ("R", "right", -1.0)):
        out[mark + "ASI"], out[mark + "PSI"] = middle + [x * width / 2, 0, 0], middle + [x * 0.05, depth, 0]
        out[mark + "KNE"] = at[f"{side}_knee"] + [x * 0.055, 0, 0]
        out[mark + "ANK"] = at[f"{side}_ankle"] + [x * 0.043, 0, 0]
        out[mark + "HEE"] = at[f"{side}_ankle"] + [0, 0.06, -0.03]
        out[mark + "TOE"] = at[f"{side}_ankle"] + [0, -0.13, -0.03]
        out[mark + "SHO"] = at[f"{side}_shoulder"] + [-x * 0.02, 0, 0.04]
        out[mark + "ELB"] = at[f"{side}_elbow"] + [x * 0.041, 0, 0]
        out[mark + "WRA"], out[mark + "WRB"] = (at[f"{side}_wrist"] + [-x * inward, 0, 0] for inward in (0.03, -0.03))
        along = (at[f"{side}_wrist"] - at[f"{side}_elbow"]) / 0.25
        out[mark + "FIN"] = at[f"{side}_wrist"] + 0.08 * along
        for mark_end, y in (("FHD", -0.08), ("BHD", 0.08)):
            out[mark + mark_end] = np.tile([x * 0.07, y, 1.70 - y * 0.2], (FRAMES, 1))
    trunk = {"C7": (0.08, 1.46), "T10": (0.08, 1.2), "CLAV": (-0.08, 1.38), "STRN": (-0.08, 1.12)}
    return out | {name: np.tile([0.0, y, z], (FRAMES, 1)) for name, (y, z) in trunk.items()}


def test_joint_centres_lie_under_the_markers_within_a_centimetre() -> None:
    landmarks = estimate_joint_centres(_markers(), head_pitch=np.arctan(0.2))
    for name, centre in _body().items():
        assert np.linalg.norm(_get_landmark(landmarks, name) - centre, axis=-1).max() < 0.01, name
    _assert_a_person_facing(landmarks[:5], rotation.IDENTITY)


def test_the_whole_body_turned_turns_the_centres() -> None:
    markers = {name: rotation.rotate(TURN, values) for name, values in _markers().items()}
    straight = rotation.rotate(TURN, estimate_joint_centres(_markers()))
    np.testing.assert_allclose(estimate_joint_centres(markers), straight, atol=1e-9)


def test_a_wide_soft_pelvis_does_not_carry_the_hips_apart() -> None:
    markers = _markers()
    for name, x in (("LASI", 0.1), ("RASI", -0.1)):
        markers[name] = markers[name] + [x, -0.1, 0.0]
    landmarks = estimate_joint_centres(markers)
    assert (
        np.linalg.norm(_get_landmark(landmarks, "left_hip") - _get_landmark(landmarks, "right_hip"), axis=-1).max()
        < 0.2
    )


def _write_prmd(folder: Path, lost: tuple[str, slice] | None = None) -> Path:
    markers = _markers()
    values = np.stack([markers[name] for name in MARKERS] + [markers["T10"]], 1)
    two = np.concatenate([values, values + [0.5, 0.0, 0.0]])
    if lost is not None:
        two[lost[1], MARKERS.index(lost[0])] = 0.0
    np.savez(
        folder / "ui_prmd.npz",
        positions=np.round(two * 1e4).astype(np.int16),
        clip=np.array(["m01_s03_e01", "m02_s04_e02_inc"]),
        start=np.array([0, FRAMES, 2 * FRAMES]),
        marker=np.array([*MARKERS, "RBAK"]),
        fps=np.array(50.0),
        unit_m=np.array(1e-4),
    )
    return folder / "ui_prmd.npz"


def test_marker_takes_become_clips_with_level_heads(tmp_path: Path) -> None:
    clips = list(ui_prmd.read_ui_prmd(_write_prmd(tmp_path)))
    assert [(c.name, c.subject, c.fps) for c in clips] == [
        ("m01_s03_e01", "prmd_s03", 50.0),
        ("m02_s04_e02_inc", "prmd_s04", 50.0),
    ]
    for clip in clips:
        _assert_a_person_facing(clip.landmarks[:5], rotation.IDENTITY)


def test_a_short_gap_is_filled_and_a_long_one_cut_out(tmp_path: Path) -> None:
    whole, _ = ui_prmd.read_ui_prmd(_write_prmd(tmp_path))
    short, _ = ui_prmd.read_ui_prmd(_write_prmd(tmp_path, ("LKNE", slice(40, 49))))
    np.testing.assert_allclose(short.landmarks, whole.landmarks, atol=0.003)
    assert len(short.landmarks) == FRAMES
    long = list(ui_prmd.read_ui_prmd(_write_prmd(tmp_path, ("LKNE", slice(40, 55)))))
    assert [(c.name, len(c.landmarks)) for c in long[:2]] == [("m01_s03_e01_part0", 40), ("m01_s03_e01_part1", 35)]
    assert len(list(ui_prmd.read_ui_prmd(_write_prmd(tmp_path, ("LKNE", slice(0, FRAMES)))))) == 1


@pytest.mark.parametrize("name", sorted(ROTATION_DATASETS))
def test_an_empty_folder_or_a_wrong_file_is_the_users_to_mend(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        list(ROTATION_DATASETS[name].read_clips(tmp_path))
    (tmp_path / "ui_prmd.npz").write_text("not an archive")
    with pytest.raises(UserError, match="marker file"):
        list(ui_prmd.read_ui_prmd(tmp_path / "ui_prmd.npz"))


@pytest.mark.parametrize(
    "reader", [ROTATION_DATASETS["cmu_daz"].read_clips, ROTATION_DATASETS["cmu_85_131_135"].read_clips]
)
def test_another_figures_bvh_is_named_with_the_joint_it_lacks(tmp_path: Path, reader: object) -> None:
    motion = _motion(_skeleton([("root", "", (0.0, 0.0, 0.0)), ("tail", "root", (0.0, 0.3, 0.0))]), {})
    for path in (tmp_path / "01" / "02_01.bvh", tmp_path / "02_01.bvh"):
        path.parent.mkdir(exist_ok=True)
        write_bvh(motion, path)
    with pytest.raises(UserError, match=r"02_01\.bvh lacks the joint"):
        list(reader(tmp_path))  # type: ignore[operator]


def test_an_exponential_map_file_of_other_width_is_named(tmp_path: Path) -> None:
    folder = _write_expmap(tmp_path)
    take = next(folder.glob("*/*/*.txt"))
    for text in ("1,2,3\n4,5,6\n", "hello\n"):
        take.write_text(text)
        with pytest.raises(UserError, match=r"walking_9\.txt is not a table"):
            list(ROTATION_DATASETS["cmu_expmap"].read_clips(folder))


def _pack(folder: Path) -> Path:
    """Archives as they ship: two of the sources."""
    made, archives = folder / "made", folder / "archives"
    made.mkdir()
    archives.mkdir()
    _write_daz(made)
    with tarfile.open(archives / "cmu_daz.tar.xz", "w:xz") as tar:
        tar.add(made / "cmu_daz", "cmu_daz")
    packed = lzma.compress(_write_prmd(made).read_bytes(), preset=0)
    (archives / "ui_prmd.npz.xz").write_bytes(packed)
    return archives


def test_prepare_writes_what_is_there_at_one_rate(tmp_path: Path) -> None:
    archives, out = _pack(tmp_path), tmp_path / "out"
    prepare(PrepareConfig(out, archives), ignore)
    daz, prmd = open_shards(out, check=True)
    assert (daz.source, prmd.source, prmd.layout, prmd.kind) == ("cmu_daz", "ui_prmd", "body27", "bodies")
    assert prmd.joints.dtype == np.float32 and prmd.joints.shape == (108, 27, 3) and prmd.valid.all()
    assert [(row.start, row.frames) for row in prmd.clips] == [(0, 54), (54, 54)]  # 89 steps at 50 Hz are 53.4
    assert [(row.subject, row.fps) for row in prmd.clips] == [("prmd_s03", 30.0), ("prmd_s04", 30.0)]
    assert {row.action for row in prmd.clips} == {"deep_squat", "hurdle_step"} and {
        row.action for row in daz.clips
    } == {""}
    assert "Public Domain" in prmd.licence
    for row in prmd.clips:
        np.testing.assert_allclose(prmd.joints[row.start, 0], [0.0, 0.0, 0.95], atol=0.01)


def test_prepare_takes_unpacked_folders_too(tmp_path: Path) -> None:
    _write_daz(tmp_path)
    prepare(PrepareConfig(tmp_path / "out", tmp_path), ignore)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cmu_daz"]


def test_prepare_without_data_or_with_a_damaged_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no source other"):
        prepare(PrepareConfig(tmp_path / "out", tmp_path, sources=("other",)), ignore)
    with pytest.raises(UserError, match="no data set"):
        prepare(PrepareConfig(tmp_path / "out", tmp_path), ignore)
    (tmp_path / "cmu_daz.tar.xz").write_bytes(b"half an archive")
    with pytest.raises(UserError, match=r"cmu_daz\.tar\.xz cannot be unpacked"):
        prepare(PrepareConfig(tmp_path / "out", tmp_path), ignore)


@pytest.mark.parametrize("fps", [120.0, 50.0, 30.0, 24.0])
def test_another_rate_keeps_straight_movement_and_its_time(fps: float) -> None:
    times = np.arange(int(2 * fps) + 1) / fps
    landmarks = (times[:, None, None] * [[1.0, -2.0, 0.5]] * np.ones((1, 27, 1))).astype(np.float32)
    moved = resample_landmarks(landmarks, fps, 30.0)
    assert len(moved) == 61
    np.testing.assert_allclose(moved[:, 0], (np.arange(61) / 30)[:, None] * [1.0, -2.0, 0.5], atol=1e-6)


def test_shaking_that_the_new_rate_cannot_hold_is_taken_out() -> None:
    shake = np.sin(2 * np.pi * 31.0 * np.arange(480) / 120.0)  # at 30 Hz it would look like a slow 1 Hz sway
    landmarks = np.tile(shake[:, None, None], (1, 27, 3)).astype(np.float32)
    assert np.abs(resample_landmarks(landmarks, 120.0, 30.0)[5:-5]).max() < 0.1
    walk = np.sin(2 * np.pi * 2.0 * np.arange(480) / 120.0)
    kept = resample_landmarks(np.tile(walk[:, None, None], (1, 27, 3)).astype(np.float32), 120.0, 30.0)
    np.testing.assert_allclose(kept[:, 0, 0], np.sin(2 * np.pi * 2.0 * np.arange(120) / 30.0), atol=0.03)
