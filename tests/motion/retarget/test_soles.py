"""Where a rig's floor is: under its mesh, else under how it stands; an imported tail is not the ball of a foot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.bone_animation import evaluate_pose
from stc_core.motion.retarget.rest_pose import RestPose, Skin
from stc_core.motion.retarget.retarget import RetargetConfig, retarget
from stc_core.motion.rig_mapping.bone_map import BoneMap
from tests.made_rigs import RigSpec, make_rig
from tests.motion.retarget.motions_on_rigs import FREE, X, Y, Z, make_busy_motion
from tests.synthetic import stand

SIDES = ("left", "right")
NO_TOES = ("left_toes", "right_toes")
TAILS = {
    "as modelled": None,
    "up, as VRM and game engines write": 0.5 * Z,
    "down along the shin": -0.4 * Z,
    "no longer than a point": 1e-4 * Y,
    "behind": 0.3 * Y,
}


def set_tails(rest: RestPose, bone_map: BoneMap, tail: Array | None) -> RestPose:
    """The armature with other tails of the feet; its soles are 8 cm under the ankles."""
    tails = rest.tails.copy()
    if tail is None:
        return rest
    for side in SIDES:
        foot = rest.index(bone_map.bones[f"{side}_foot"][0])
        tails[foot] = rest.heads[foot] + tail / rest.unit_m
    return replace(rest, tails=tails)


def lower_figure(spec: RigSpec, floor_m: float) -> tuple[RestPose, BoneMap]:
    """A rig whose armature's origin lies `floor_m` over the floor on which it was made."""
    rest, bone_map = make_rig(spec)
    down = floor_m / rest.unit_m * rotation.rotate(spec.q_armature, Z)
    return replace(rest, heads=rest.heads - down, tails=rest.tails - down), bone_map


def make_soles(rest: RestPose, bone_map: BoneMap, depth_m: float, tip_m: float = 0.2) -> Skin:
    """Boxes for feet, 5 cm behind the ankle to `tip_m` before it and `depth_m` under it, and a skirt to the floor."""
    points, heads = [], []
    for side in SIDES:
        ankle = rest.heads[rest.index(bone_map.bones[f"{side}_foot"][0])]
        for x in (-0.04, 0.04):
            for y in (0.05, -tip_m):
                for z in (0.0, -depth_m):
                    points.append(ankle + np.array([x, y, z]) / rest.unit_m)
                    heads.append(ankle)
    hips = rest.heads[rest.index(bone_map.bones["hips"][0])]
    points.append(hips * (X + Y) - 0.3 * Z / rest.unit_m)
    heads.append(hips)
    return Skin(points=np.array(points), bone_heads=np.array(heads))


def measure_ankles(rest: RestPose, bone_map: BoneMap, config: RetargetConfig = FREE) -> Array:
    """The ankles' heights (T, 2) of a motion that stands."""
    heads, _ = evaluate_pose(rest, retarget(stand(30.0, 0.3), rest, bone_map, config))
    return np.stack([heads[:, rest.index(bone_map.bones[f"{side}_foot"][0]), 2] for side in SIDES], -1)


def rest_ankle(rest: RestPose, bone_map: BoneMap) -> float:
    return float(rest.to_world(rest.heads[rest.index(bone_map.bones["left_foot"][0])])[2])


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("config", [FREE, RetargetConfig()])
def test_without_toes_ankles_stand_as_high_as_at_rest_wherever_tails_point(tail: str, config: RetargetConfig) -> None:
    rest, bone_map = make_rig(RigSpec(seed=1, missing=NO_TOES))
    rest = set_tails(rest, bone_map, TAILS[tail])
    assert np.abs(measure_ankles(rest, bone_map, config) - rest_ankle(rest, bone_map)).max() < 1e-3


@pytest.mark.parametrize("tail", TAILS)
def test_without_toes_and_off_the_origin_the_floor_is_under_a_usual_foot(tail: str) -> None:
    rest, bone_map = make_rig(RigSpec(seed=1, missing=NO_TOES, lift_m=0.6))
    ankles = measure_ankles(set_tails(rest, bone_map, TAILS[tail]), bone_map)
    assert np.all((ankles > 0.05) & (ankles < 0.12))


@pytest.mark.parametrize("missing", [(), NO_TOES])
@pytest.mark.parametrize("depth", [0.05, 0.08, 0.15])
@pytest.mark.parametrize("lift", [0.0, 1.3])
def test_the_meshs_soles_stand_on_the_floor(missing: tuple[str, ...], depth: float, lift: float) -> None:
    rest, bone_map = make_rig(RigSpec(seed=2, missing=missing, unit_m=0.01, proportions=0.2, lift_m=lift))
    rest = replace(rest, skin=make_soles(rest, bone_map, depth))
    assert np.abs(measure_ankles(rest, bone_map) - depth).max() < 1e-3


def test_a_mesh_without_feet_shows_no_floor() -> None:
    rest, bone_map = make_rig(RigSpec(seed=2, missing=NO_TOES))
    skin = make_soles(rest, bone_map, 0.08)
    hips = rest.heads[rest.index("hips")]
    only_skirt = Skin(points=skin.points[-1:], bone_heads=np.array([hips]))
    bare, dressed = (measure_ankles(replace(rest, skin=s), bone_map) for s in (None, only_skirt))
    assert np.allclose(bare, dressed)


@pytest.mark.parametrize("under_m", [0.003, 0.02])
def test_a_toe_bone_a_little_under_the_floor_is_a_toe_bone(under_m: float) -> None:
    rest, bone_map = make_rig(RigSpec(seed=3))
    toes = min(rest.heads[rest.index(bone_map.bones[f"{side}_toes"][0]), 2] for side in SIDES)
    rest, bone_map = lower_figure(RigSpec(seed=3), toes + under_m)
    assert rest.heads[rest.index(bone_map.bones["left_toes"][0]), 2] == pytest.approx(-under_m)
    assert np.abs(measure_ankles(rest, bone_map) - rest_ankle(rest, bone_map)).max() < 1e-3


@pytest.mark.parametrize("tail", TAILS)
def test_a_foot_without_toes_rolls_over_the_tip_of_its_sole(tail: str) -> None:
    rest, bone_map = make_rig(RigSpec(seed=4, missing=NO_TOES))
    skin = make_soles(rest, bone_map, 0.08)
    rest = replace(set_tails(rest, bone_map, TAILS[tail]), skin=skin)
    motion = make_busy_motion()
    heads, turns = evaluate_pose(rest, retarget(motion, rest, bone_map))
    for n, side in enumerate(SIDES):
        foot = rest.index(bone_map.bones[f"{side}_foot"][0])
        points = skin.points[8 * n : 8 * n + 8] - rest.heads[foot]
        q = rotation.mul(turns[:, foot], rotation.inv(rest.q_armature_bone[foot]))
        lowest = (heads[:, foot, None] + rotation.rotate(q[:, None], points[None]))[..., 2].min(1)
        assert np.abs(lowest[motion.contacts[:, n]]).max() < 0.01
