"""Markers and skeletons that ship as positions alone give the landmarks of a person whose truth is known."""

from __future__ import annotations

import lzma
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stc_core.capture.layout import BODY27
from stc_core.datasets import joint_figure, position_skeletons
from stc_core.datasets.free_datasets import POSITION_DATASETS
from stc_core.datasets.joint_figure import JointFigure
from stc_core.datasets.landmark_clip import LandmarkClip
from stc_core.datasets.prepare import PrepareConfig, prepare
from stc_core.datasets.shards import open_shards
from stc_core.errors import UserError
from stc_core.events import ignore
from stc_core.geometry import rotation

FRAMES, FPS = 240, 60.0
TURN = rotation.exp([0.0, 0.0, 1.0])
Points = dict[str, NDArray[Any]]
FIGURES: dict[str, JointFigure] = {
    "rocketbox": position_skeletons._BIPED,
    "cmu_dance_martial": position_skeletons._DAZ_FIGURE,
    "accad_female1": position_skeletons._ACCAD_FIGURE,
    "eyes_japan_a": position_skeletons._EYES_A,
    "eyes_japan_b": position_skeletons._EYES_B,
    "style100_neutral": position_skeletons._STYLE100,
}


def _get_landmark(clip: LandmarkClip, name: str) -> NDArray[Any]:
    return clip.landmarks[:, BODY27.index(name)].astype(float)


def _middle(clip: LandmarkClip, name: str) -> NDArray[Any]:
    middle: NDArray[Any] = (_get_landmark(clip, f"left_{name}") + _get_landmark(clip, f"right_{name}")) / 2
    return middle


def _write(path: Path, clips: list[tuple[str, str, Points]], fps: float = FPS) -> Path:
    """A file of positions as they ship: clips of name, subject and places (T, 3) by joint; nan where unseen."""
    joints = list(clips[0][2])
    values = [np.stack([places[joint] for joint in joints], 1) for _, _, places in clips]
    metres = np.concatenate(values)
    packed = BytesIO()
    np.savez(
        packed,
        joint=np.array(joints),
        parent=np.full(len(joints), -1, np.int16),
        clip=np.array([name for name, _, _ in clips]),
        subject=np.array([subject for _, subject, _ in clips]),
        fps=np.full(len(clips), fps, np.float32),
        start=np.cumsum([0] + [len(v) for v in values]).astype(np.int32),
        positions=np.where(np.isnan(metres), -32768, np.round(np.nan_to_num(metres) / 0.0005)).astype(np.int16),
        unit_m=np.float32(0.0005),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(packed.getvalue(), preset=0) if path.suffix == ".xz" else packed.getvalue())
    return path


def _skeleton(figure: JointFigure, height: float = 0.0, frames: int = FRAMES) -> Points:
    """A person of that figure who stands facing -y: knees and elbows bent by the figure's rest and a little more."""
    one = np.ones((frames, 1))
    sway = 0.01 * np.sin(np.arange(frames) / 20.0)[:, None]
    at: Points = {}
    for part, x in zip(figure.sides, (1.0, -1.0), strict=True):
        own = {
            "hip": (0.09 * x, 0.0, 0.92),
            "knee": (0.09 * x, -0.06, 0.5),
            "ankle": (0.09 * x, 0.02, 0.09),
            "shoulder": (0.18 * x, 0.02, 1.42),
            "elbow": (0.2 * x, 0.06, 1.14),
            "wrist": (0.2 * x, -0.07, 0.93),
        }
        slope = np.radians(figure.foot_slope)
        foot = np.add(own["ankle"], (0.0, -0.13 * np.cos(slope), -0.07 * np.sin(slope) / np.sin(np.radians(30.0))))
        if figure.foot_slope < 90.0:
            foot = np.add(own["ankle"], 0.14 * np.array([0.0, -np.cos(slope), -np.sin(slope)]))
        rows = {figure.limbs[name].format(s=part): np.array(place) for name, place in own.items()}
        rows[figure.foot.format(s=part)] = foot
        rows.setdefault(figure.toe[0].format(s=part), foot + [0.0, -0.05, 0.0])
        along = np.subtract(own["wrist"], own["elbow"]) / np.linalg.norm(np.subtract(own["wrist"], own["elbow"]))
        thumb = np.cross(along, [-1.0, 0.0, 0.0])
        ends = (0.085 * along - 0.028 * thumb, 0.078 * along + 0.028 * thumb)
        for name, offset in zip(figure.knuckles, ends if len(figure.knuckles) == 2 else (0.09 * along,), strict=True):
            rows[name.format(s=part)] = own["wrist"] + offset
        if figure is position_skeletons._DAZ_FIGURE:
            rows[f"{part}Collar"] = np.array([0.1 * x, 0.02, 1.43])
        at |= {name: place + sway * [0.0, 1.0, 0.0] * (place[2] > 0.2) for name, place in rows.items()}
    below, above, _ = figure.spine
    middle = {below: (0.0, 0.02, 1.1), above: (0.0, 0.02, 1.25), figure.head: (0.0, 0.0, 1.58)}
    middle.setdefault(figure.crown, (0.0, -0.06, 1.73))  # a head whose bone leans forward while it is level
    if figure.eyes:
        rise = 0.08 * np.tan(np.radians(figure.eyes[2]))
        middle |= {eye: (x, -0.08, 1.58 + rise) for eye, x in zip(figure.eyes[:2], (0.04, -0.04), strict=True)}
    at |= {name: np.array(place) * one + sway * [0.0, 1.0, 0.0] for name, place in middle.items()}
    return {name: place * one + [0.0, 0.0, height] for name, place in at.items()}


def _rotate_points(places: Points, q: NDArray[Any] = TURN) -> Points:
    return {name: rotation.rotate(q, values) for name, values in places.items()}


def _subject(name: str) -> tuple[str, str]:
    """A subject and a clip's name that the source keeps."""
    return {
        "cmu_dance_martial": ("cmu_94", "indian_04"),
        "accad_female1": ("accad_female1", "Female1_D1_Urban"),
        "rocketbox": ("rocketbox_f", "static/f_wave_01"),
    }.get(name, ("someone", "clip-01"))


@pytest.mark.parametrize("name", FIGURES)
def test_a_skeleton_becomes_a_person_on_the_floor_who_faces_as_it_does(tmp_path: Path, name: str) -> None:
    subject, clip_name = _subject(name)
    path = _write(
        tmp_path / f"{name}.npz", [(clip_name, subject, _rotate_points(_skeleton(FIGURES[name], height=0.3)))]
    )
    (clip,) = POSITION_DATASETS[name].read_clips(path)
    body = rotation.rotate(rotation.inv(TURN), clip.landmarks - _get_landmark(clip, "pelvis")[:, None])
    at = {landmark: body[:, i] for i, landmark in enumerate(BODY27.names)}
    for landmark in ("hip", "knee", "ankle", "heel", "toe", "shoulder", "elbow", "wrist", "index", "pinky", "ear"):
        assert (at[f"left_{landmark}"][:, 0] > 0.03).all() and (at[f"right_{landmark}"][:, 0] < -0.03).all(), landmark
    ears = (at["left_ear"] + at["right_ear"]) / 2
    np.testing.assert_allclose(at["nose"] - ears, np.tile([0.0, -0.12, -0.02], (FRAMES, 1)), atol=0.01)
    np.testing.assert_allclose(at["head"] - ears, np.tile([0.0, 0.0, 0.13], (FRAMES, 1)), atol=0.01)
    for side in ("left", "right"):
        assert (at[f"{side}_heel"][:, 1] > at[f"{side}_ankle"][:, 1] + 0.03).all()
        assert (at[f"{side}_toe"][:, 1] < at[f"{side}_ankle"][:, 1] - 0.1).all()
        assert (np.abs(at[f"{side}_heel"][:, 0] - at[f"{side}_toe"][:, 0]) < 0.03).all()
        assert (at[f"{side}_index"][:, 1] < at[f"{side}_pinky"][:, 1] - 0.02).all()  # thumbs forward
        assert (at[f"{side}_knee"][:, 1] < at[f"{side}_hip"][:, 1]).all()
    heights = np.stack([at[landmark][:, 2] for landmark in ("pelvis", "spine", "thorax", "nose", "head")], 1)
    assert (np.diff(heights, axis=1) > 0.05).all()
    lowest = clip.landmarks[..., 2].min(1)
    assert (lowest > -0.02).all() and (lowest < 0.05).all()


def test_what_a_skeleton_has_stays_where_it_is(tmp_path: Path) -> None:
    places = _skeleton(position_skeletons._BIPED)
    (clip,) = POSITION_DATASETS["rocketbox"].read_clips(_write(tmp_path / "a.npz", [("f_a", "rocketbox_f", places)]))
    rise = _get_landmark(clip, "pelvis") - (places["Bip01 L Thigh"] + places["Bip01 R Thigh"]) / 2
    for landmark, joint in (("knee", "Calf"), ("ankle", "Foot"), ("wrist", "Hand"), ("index", "Finger1")):
        np.testing.assert_allclose(
            _get_landmark(clip, f"left_{landmark}"), places[f"Bip01 L {joint}"] + rise, atol=0.001
        )


def test_a_head_with_eyes_turns_with_them(tmp_path: Path) -> None:
    places = _skeleton(position_skeletons._DAZ_FIGURE)
    glance = rotation.exp(np.linspace(0.0, 1.0, FRAMES)[:, None] * [0.0, 0.0, 1.0])
    for eye in ("leftEye", "rightEye"):
        places[eye] = places["head"] + rotation.rotate(glance, places[eye] - places["head"])
    (clip,) = POSITION_DATASETS["cmu_dance_martial"].read_clips(_write(tmp_path / "a.npz", [("a", "cmu_94", places)]))
    sight = _get_landmark(clip, "nose") - _middle(clip, "ear")
    expected = rotation.rotate(glance, [0.0, -0.12, -0.02])
    np.testing.assert_allclose(sight, expected, atol=0.005)


def test_the_hinge_of_a_limb_outlasts_its_straightness() -> None:
    still = np.tile(np.eye(3), (FRAMES, 1, 1))
    yaw = rotation.exp(np.tile([0.0, 0.0, 0.5], (FRAMES, 1)))
    bend = np.concatenate([np.full(FRAMES // 2, 1.0), np.zeros(FRAMES - FRAMES // 2)])
    thigh = np.tile([0.0, 0.0, -0.4], (FRAMES, 1))
    shin = rotation.rotate(yaw, np.stack([0.0 * bend, 0.4 * np.sin(bend), -0.4 * np.cos(bend)], -1))
    hinge = joint_figure._estimate_hinge(thigh, shin, still, 1.0, FPS)
    left = rotation.rotate(yaw, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(np.linalg.norm(hinge, axis=-1), 1.0, atol=1e-6)
    assert ((hinge * left).sum(-1)[: FRAMES // 2 + 6] > 0.98).all()  # it bends, or did within a tenth of a second
    np.testing.assert_allclose(hinge[-1], [1.0, 0.0, 0.0], atol=0.01)  # long straight: as limbs usually bend


def test_takes_on_another_floor_stand_on_zero_as_well(tmp_path: Path) -> None:
    figure = position_skeletons._STYLE100
    clips = [(f"clip{i}", "someone", _skeleton(figure, height)) for i, height in enumerate((0.1, 0.1, 0.3))]
    for clip in POSITION_DATASETS["style100_neutral"].read_clips(_write(tmp_path / "a.npz", clips)):
        assert abs(np.median(clip.landmarks[..., 2].min(1)) - 0.012) < 0.002


def test_frames_whose_neck_is_folded_are_cut_out(tmp_path: Path) -> None:
    figure = position_skeletons._DAZ_FIGURE
    places = _skeleton(figure)
    for name in ("head", "leftEye", "rightEye"):
        places[name][:100] -= [0.0, 0.0, 0.12]
    (clip,) = POSITION_DATASETS["cmu_dance_martial"].read_clips(_write(tmp_path / "a.npz", [("a", "cmu_94", places)]))
    assert FRAMES - 105 < len(clip.landmarks) <= FRAMES - 100


def test_takes_that_another_source_has_are_left_out(tmp_path: Path) -> None:
    woman = _skeleton(position_skeletons._ACCAD_FIGURE)
    names = ["Female1_B03_Walk1", "Female1_D3_ConversationGestures", "Female1_A02_SwayT2", "Female1_A09_LieT2"]
    path = _write(tmp_path / "a.npz", [(name, "accad_female1", woman) for name in names])
    assert [c.name for c in POSITION_DATASETS["accad_female1"].read_clips(path)] == names[1:3]


def _mover(frames: int = 600) -> Points:
    """Joint centres (T, 3) of someone who stands, swings the arms, then the legs too; limbs are straight at times."""
    t = np.arange(frames) / FPS
    zero, later = 0.0 * t, np.clip(t - t[-1] / 2, 0.0, 1.0)
    at: Points = {}
    for side, x, late in (("left", 1.0, 0.0), ("right", -1.0, 2.0)):
        raised = 0.6 * np.sin(1.3 * t + late)
        spread = 0.35 + 0.3 * np.sin(0.9 * t + late)
        knee = np.radians(2.0) + later * 0.9 * np.sin(0.8 * t + late) ** 2
        elbow = np.radians(5.0) + 1.2 * np.sin(0.7 * t + late) ** 2
        leg = rotation.mul(
            rotation.exp(np.stack([-2.2 * later * raised, zero, zero], -1)),
            rotation.exp(np.stack([zero, -x * later * spread / 3, zero], -1)),
        )
        arm = rotation.mul(
            rotation.exp(np.stack([raised, zero, zero], -1)), rotation.exp(np.stack([zero, -x * spread, zero], -1))
        )
        bend, fold = (rotation.exp(np.stack([v, zero, zero], -1)) for v in (knee, -elbow))
        at[f"{side}_hip"] = np.tile([0.096 * x, 0.0, 0.95], (frames, 1))
        at[f"{side}_knee"] = at[f"{side}_hip"] + rotation.rotate(leg, [0.0, 0.0, -0.43])
        shin = rotation.mul(leg, bend)
        at[f"{side}_ankle"] = at[f"{side}_knee"] + rotation.rotate(shin, [0.0, 0.0, -0.43])
        at[f"{side}_shoulder"] = np.tile([0.18 * x, 0.02, 1.42], (frames, 1))
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] + rotation.rotate(arm, [0.0, 0.0, -0.29])
        forearm = rotation.mul(arm, fold)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + rotation.rotate(forearm, [0.0, 0.0, -0.26])
        at |= {f"{side}_q_shin": shin, f"{side}_q_forearm": forearm}
    return at


def _markers(at: Points, waist_low: float = 0.0, high_knee: float = 0.0) -> Points:
    """The project's markers on that person. waist_low: a belt so far down; high_knee: the left knee's so far up."""
    out: Points = {}
    frames = len(at["left_hip"])
    for mark, side, x in (("L", "left", 1.0), ("R", "right", -1.0)):
        shin, forearm = at[f"{side}_q_shin"], at[f"{side}_q_forearm"]

        def attach(joint: str, q: NDArray[Any], offset: tuple[float, float, float]) -> NDArray[Any]:
            return at[joint] + rotation.rotate(q, np.array(offset))

        high = high_knee if side == "left" else 0.0
        places = {
            "FWT": np.tile([0.13 * x, -0.13, 1.04 - waist_low], (frames, 1)),
            "BWT": np.tile([0.1 * x, 0.08, 1.04 - waist_low], (frames, 1)),
            "KNE": attach(f"{side}_knee", shin, (0.055 * x, 0.0, high)),
            "SHN": attach(f"{side}_knee", shin, (0.04 * x, -0.05, -0.2)),
            "ANK": attach(f"{side}_ankle", shin, (0.043 * x, 0.0, 0.0)),
            "HEE": attach(f"{side}_ankle", shin, (0.0, 0.06, -0.03)),
            "TOE": attach(f"{side}_ankle", shin, (0.0, -0.18, -0.04)),
            "MT5": attach(f"{side}_ankle", shin, (0.05 * x, -0.12, -0.04)),
            "SHO": at[f"{side}_shoulder"] + [0.012 * x, 0.0, 0.045],
            "ELB": attach(f"{side}_elbow", forearm, (0.041 * x, 0.0, 0.0)),
            "FRM": attach(f"{side}_elbow", forearm, (0.04 * x, 0.03, -0.12)),
            "WRA": attach(f"{side}_wrist", forearm, (-0.005 * x, -0.05, 0.0)),
            "WRB": attach(f"{side}_wrist", forearm, (0.005 * x, 0.05, 0.0)),
            "FIN": attach(f"{side}_wrist", forearm, (0.02 * x, 0.0, -0.08)),
            "FHD": np.tile([0.07 * x, -0.08, 1.716], (frames, 1)),
            "BHD": np.tile([0.07 * x, 0.08, 1.684], (frames, 1)),
        }
        out |= {mark + name: place.copy() for name, place in places.items()}
    trunk = {"C7": (0.0, 0.08, 1.46), "T10": (0.0, 0.08, 1.2), "CLAV": (0.0, -0.08, 1.38), "STRN": (0.0, -0.08, 1.12)}
    trunk["RBAC"] = (-0.08, 0.1, 1.3)
    return out | {name: np.tile(place, (frames, 1)) for name, place in trunk.items()}


def _person(tmp_path: Path, markers: Points) -> list[LandmarkClip]:
    path = _write(tmp_path / "accad_markers.npz", [("Male2/Male2-Sway", "accad_male2", markers)])
    return list(POSITION_DATASETS["accad_markers"].read_clips(path))


def _errors(clip: LandmarkClip, truth: Points) -> dict[str, float]:
    """The greatest distance by joint, metres, after the floor is put where the truth has it."""
    rise = np.median(_get_landmark(clip, "thorax") - (truth["left_shoulder"] + truth["right_shoulder"]) / 2, axis=0) * [
        0,
        0,
        1,
    ]
    joints = [name for name in truth if "_q_" not in name]
    return {name: np.linalg.norm(_get_landmark(clip, name) - rise - truth[name], axis=-1).max() for name in joints}


@pytest.mark.parametrize("waist_low", [0.0, 0.06])
def test_hips_and_shoulders_are_where_the_limbs_turn_wherever_the_belt_sits(tmp_path: Path, waist_low: float) -> None:
    truth = _mover()
    (clip,) = _person(tmp_path, _markers(truth, waist_low))
    errors = _errors(clip, truth)
    assert max(errors[f"{side}_shoulder"] for side in ("left", "right")) < 0.01
    assert max(errors[f"{side}_hip"] for side in ("left", "right")) < 0.03


def test_a_knee_marker_too_high_on_one_side_is_moved_down(tmp_path: Path) -> None:
    truth = _mover()
    (clip,) = _person(tmp_path, _markers(truth, high_knee=0.04))
    thighs = [
        np.median(np.linalg.norm(_get_landmark(clip, f"{side}_knee") - _get_landmark(clip, f"{side}_hip"), axis=-1))
        for side in ("left", "right")
    ]
    assert abs(thighs[0] - thighs[1]) < 0.01
    shins = [
        np.median(np.linalg.norm(_get_landmark(clip, f"{side}_knee") - _get_landmark(clip, f"{side}_ankle"), axis=-1))
        for side in ("left", "right")
    ]
    assert abs(shins[0] - shins[1]) < 0.01


def test_limbs_that_never_look_straight_are_straightened(tmp_path: Path) -> None:
    truth, markers = _mover(), _markers(_mover())
    for mark, side in (("L", "left"), ("R", "right")):
        markers[f"{mark}ELB"] += rotation.rotate(truth[f"{side}_q_forearm"], [0.0, 0.025, 0.0])  # on the elbow's point
    (clip,) = _person(tmp_path, markers)
    for side in ("left", "right"):
        upper, lower = (
            _get_landmark(clip, f"{side}_{b}") - _get_landmark(clip, f"{side}_{a}")
            for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))
        )
        cosine = (rotation.normalise(upper) * rotation.normalise(lower)).sum(-1)
        assert np.degrees(np.arccos(cosine.max())) < 8.0  # 16 as the markers say


def test_one_lost_marker_of_a_bone_is_found_among_the_others_and_two_are_cut(tmp_path: Path) -> None:
    whole, markers = _markers(_mover()), _markers(_mover())
    yaw = rotation.exp(np.sin(np.arange(600) / 40.0)[:, None] * [0.0, 0.0, 0.6])
    for places in (whole, markers):
        for name in ("LFHD", "RFHD", "LBHD", "RBHD"):
            places[name] = rotation.rotate(yaw, places[name])
    markers["LFHD"][100:400] = np.nan
    (expected,), (filled,) = _person(tmp_path, whole), _person(tmp_path, markers)
    np.testing.assert_allclose(filled.landmarks, expected.landmarks, atol=0.003)
    markers["RFHD"][200:260] = np.nan
    assert [len(clip.landmarks) for clip in _person(tmp_path, markers)] == [200, 340]


def test_a_person_who_fights_is_the_same_person(tmp_path: Path) -> None:
    markers = _markers(_mover(120))
    path = _write(
        tmp_path / "a.npz",
        [
            ("Male2/Male2General_c3d/Male2-Lift Box", "accad_male2", markers),
            ("MartialArts_C3D/E1 -  Jab left", "accad_martialarts_c3d", markers),
            ("Male2_Calibration", "accad_male2_calibration", markers),
        ],
    )
    clips = list(POSITION_DATASETS["accad_markers"].read_clips(path))
    assert [(c.subject, c.action) for c in clips] == [("accad_male2", "lift_box"), ("accad_male2", "martial_arts")]


@pytest.mark.parametrize("name", sorted(POSITION_DATASETS))
def test_a_file_that_is_damaged_or_of_another_skeleton_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(UserError, match="not a file of positions"):
        list(POSITION_DATASETS[name].read_clips(path))
    _write(path, [("clip", "subject", {"tail": np.zeros((5, 3))})])
    with pytest.raises(UserError, match="lacks the joint"):
        list(POSITION_DATASETS[name].read_clips(path))


def test_prepare_finds_the_positions_beside_the_archives(tmp_path: Path) -> None:
    places = _skeleton(position_skeletons._BIPED)
    _write(tmp_path / "in" / "positions" / "rocketbox.npz.xz", [("static/f_wave_01", "rocketbox_f", places)])
    prepare(PrepareConfig(tmp_path / "out", tmp_path / "in"), ignore)
    (shard,) = open_shards(tmp_path / "out", check=True)
    assert (shard.source, shard.licence) == ("rocketbox", position_skeletons.ROCKETBOX_LICENCE)
    assert [(row.name, row.subject, row.action) for row in shard.clips] == [("static_f_wave_01", "rocketbox_f", "wave")]
    assert len(shard.joints) == FRAMES // 2
