"""Rigs made in code, as RestPose and BoneMap: the humanoid with other bones, rolls, proportions, poses and axes.

The figure is made standing (z up, facing -y, metres), posed, then turned into the armature's own axes and units.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.rest_pose import RestPose
from stc_core.motion.rig_mapping.bone_map import BoneMap
from stc_core.motion.skeleton import HUMANOID

X, Y, Z = np.eye(3)
SIDES = (("left", 1.0), ("right", -1.0))
LIMBS = ("upper_arm", "lower_arm", "upper_leg", "lower_leg")


@dataclass(frozen=True, kw_only=True)
class RigSpec:
    """How a rig differs from the humanoid."""

    seed: int = 0
    """of rolls, proportions and odd rest poses"""
    rolls: bool = True
    """random bone rolls"""
    proportions: float = 0.0
    """how far bone lengths vary: 0.2 is 20 percent"""
    arms_down_deg: float = 0.0
    """0 is a T-pose, 45 an A-pose"""
    odd_deg: float = 0.0
    """the most that the arms' and legs' joints are rotated at rest, at random"""
    spine: int = 3
    """number of bones"""
    neck: int = 1
    """number of bones"""
    root: bool = False
    """a bone at the origin below the hips"""
    twists: int = 0
    """twist bones beside each limb segment"""
    chain: int = 1
    """bones of which each limb segment is made"""
    inline: bool = False
    """of a chain, all but the first are mapped as twist bones"""
    extras: bool = False
    """hair, skirt, fingers"""
    missing: tuple[str, ...] = ()
    """joints without bones"""
    unmapped: tuple[str, ...] = ()
    """joints with bones that the map leaves out"""
    freed: tuple[str, ...] = ()
    """joints whose bones inherit no rotation"""
    q_armature: Array = field(default_factory=rotation.IDENTITY.copy)
    """(4,): the standing figure's axes to the armature's"""
    q_object: Array = field(default_factory=rotation.IDENTITY.copy)
    """(4,)"""
    t_object: Array = field(default_factory=lambda: np.zeros(3))
    """(3,) metres"""
    unit_m: float = 1.0
    lift_m: float = 0.0
    """how far the figure stands above the armature's origin"""


def make_rig(spec: RigSpec) -> tuple[RestPose, BoneMap]:
    """Make a rig and its true bone map."""
    rng = np.random.default_rng(spec.seed)
    joints, ends = _pose_figure(_vary_proportions(spec, rng), spec, rng)
    build = _RigBuilder()
    if spec.root:
        build.add("root", "", np.zeros(3), -0.3 * Y)
    _add_trunk(build, spec, joints, ends)
    for side, _ in SIDES:
        _add_limbs(build, spec, joints, ends, side)
    if spec.extras:
        _add_extras(build, joints)
    rest = build.build_rest_pose(spec, rng)
    keep = {joint: bones for joint, bones in build.bones.items() if joint not in spec.unmapped}
    twists = {joint: bones for joint, bones in build.twists.items() if joint in keep}
    return rest, BoneMap(name="made", bones=keep, twists=twists, root="root" if spec.root and spec.seed % 2 else "")


def _vary_proportions(spec: RigSpec, rng: np.random.Generator) -> Array:
    """Return the humanoid's offsets (J, 3) with other bone lengths, both sides alike."""
    parts = {name.partition("_")[2] if name.startswith(("left", "right")) else name for name in HUMANOID.joint_names}
    ratios = {part: 1.0 + spec.proportions * rng.uniform(-1.0, 1.0) for part in sorted(parts)}
    size = 1.0 + spec.proportions * rng.uniform(-1.0, 1.0)
    names = [n.partition("_")[2] if n.startswith(("left", "right")) else n for n in HUMANOID.joint_names]
    offsets: Array = HUMANOID.offsets * size * np.array([ratios[name] for name in names])[:, None]
    leg = sum(-offsets[HUMANOID.index(f"left_{part}"), 2] for part in ("upper_leg", "lower_leg", "foot", "toes"))
    offsets[0] = (0.0, 0.0, leg + 0.02 * size)
    return offsets


def _pose_figure(offsets: Array, spec: RigSpec, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the positions of joints and of the ends of leaves, of the figure posed as its rest shall be."""
    local = {name: rotation.IDENTITY for name in HUMANOID.joint_names}
    for side, sign in SIDES:
        local[f"{side}_upper_arm"] = rotation.from_axis_angle(Y, np.array(np.radians(spec.arms_down_deg) * sign))
    if spec.odd_deg:
        for side, sign in SIDES:
            arm, leg = (
                np.radians(spec.odd_deg) * rng.uniform(-1.0, 1.0, 3),
                np.radians(spec.odd_deg) * rng.uniform(0, 0.7),
            )
            local[f"{side}_upper_arm"] = rotation.mul(local[f"{side}_upper_arm"], rotation.exp(arm * (0.0, 1.0, 1.0)))
            local[f"{side}_lower_arm"] = rotation.from_axis_angle(-sign * Z, np.array(abs(arm[0]) + 0.2))
            local[f"{side}_upper_leg"] = rotation.from_axis_angle(X, np.array(-leg))
            local[f"{side}_lower_leg"] = rotation.from_axis_angle(X, np.array(2 * leg))
            local[f"{side}_foot"] = rotation.from_axis_angle(X, np.array(-leg))
    positions: dict[str, Array] = {}
    rotations: dict[str, Array] = {}
    ends: dict[str, Array] = {}
    for j, (name, parent) in enumerate(zip(HUMANOID.joint_names, HUMANOID.parents, strict=True)):
        above = HUMANOID.joint_names[parent]
        positions[name] = offsets[0] if parent < 0 else positions[above] + rotation.rotate(rotations[above], offsets[j])
        rotations[name] = rotation.mul(rotations[above], local[name]) if parent >= 0 else local[name]
        ends[name] = positions[name] + rotation.rotate(rotations[name], HUMANOID.tips[j])
    drop = min(positions[f"{side}_toes"][2] for side, _ in SIDES) - 0.02 - spec.lift_m
    lowered, lowered_ends = ({n: point - drop * Z for n, point in points.items()} for points in (positions, ends))
    return lowered, lowered_ends


class _RigBuilder:
    """Bones as they are added, in the standing figure's axes and metres."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, Array, Array, str]] = []
        self.bones: dict[str, tuple[str, ...]] = {}
        self.twists: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, parent: str, head: Array, tail: Array, joint: str = "") -> str:
        self.rows.append((name, parent, head, tail, joint))
        return name

    def add_chain(self, joint: str, parent: str, points: Array, mapped: int | None = None) -> str:
        """Bones between points (N + 1, 3); the first `mapped` are the joint's, the others its twist bones."""
        names = [f"{joint}.{i}" if len(points) > 2 else joint for i in range(len(points) - 1)]
        for i, name in enumerate(names):
            parent = self.add(name, parent, points[i], points[i + 1], joint)
        self.bones[joint] = tuple(names[:mapped])
        if names[len(self.bones[joint]) :]:
            self.twists[joint] = tuple(names[len(self.bones[joint]) :])
        return parent

    def last_bone(self, *joints: str) -> str:
        """The last bone of the first of these joints that has one."""
        named = [[row[0] for row in self.rows if row[4] == joint] for joint in joints]
        return next((rows[-1] for rows in named if rows), "root" if self.rows and self.rows[0][0] == "root" else "")

    def build_rest_pose(self, spec: RigSpec, rng: np.random.Generator) -> RestPose:
        names = [row[0] for row in self.rows]
        turn = rotation.mul(spec.q_armature, rotation.IDENTITY)
        heads, tails = (rotation.rotate(turn, np.array([row[i] for row in self.rows])) / spec.unit_m for i in (2, 3))
        rolls = rng.uniform(-np.pi, np.pi, len(names)) if spec.rolls else np.zeros(len(names))
        q = rotation.mul(rotation.between(Y, tails - heads), rotation.from_axis_angle(Y, rolls))
        freed = np.array([row[4] in spec.freed for row in self.rows])
        parents = tuple(names.index(row[1]) if row[1] else -1 for row in self.rows)
        return RestPose(
            bones=tuple(names),
            parents=parents,
            heads=heads,
            tails=tails,
            q_armature_bone=q,
            inherits_rotation=~freed,
            q_world_armature=spec.q_object,
            t_world_armature=spec.t_object,
            unit_m=spec.unit_m,
        )


def _divide(a: Array, b: Array, count: int) -> Array:
    points: Array = a + np.linspace(0.0, 1.0, count + 1)[:, None] * (b - a)
    return points


def _add_trunk(build: _RigBuilder, spec: RigSpec, joints: dict[str, Array], ends: dict[str, Array]) -> None:
    if "hips" not in spec.missing:
        build.add_chain("hips", build.last_bone(), np.array([joints["hips"], joints["spine"]]))
    curve = np.array([joints[name] for name in ("spine", "chest", "upper_chest", "neck")])
    if spec.spine:
        at = np.linspace(0.0, 3.0, spec.spine + 1)
        points = np.stack([np.interp(at, np.arange(4), curve[:, axis]) for axis in range(3)], -1)
        build.add_chain("spine", build.last_bone("hips"), points)
        if spec.spine == 3:
            build.bones |= {name: (f"spine.{i}",) for i, name in enumerate(("spine", "chest", "upper_chest"))}
    if "neck" not in spec.missing:
        build.add_chain("neck", build.last_bone("spine", "hips"), _divide(joints["neck"], joints["head"], spec.neck))
    if "head" not in spec.missing:
        build.add_chain("head", build.last_bone("neck", "spine", "hips"), np.array([joints["head"], ends["head"]]))


def _add_limbs(build: _RigBuilder, spec: RigSpec, joints: dict[str, Array], ends: dict[str, Array], side: str) -> None:
    trunk = {"shoulder": ("spine", "hips"), "upper_leg": ("hips", "spine")}
    for parts in (("shoulder", "upper_arm", "lower_arm", "hand"), ("upper_leg", "lower_leg", "foot", "toes")):
        for i, part in enumerate(parts):
            joint = f"{side}_{part}"
            if joint in spec.missing:
                continue
            above = [f"{side}_{name}" for name in reversed(parts[:i])]
            parent = build.last_bone(*above, *trunk[parts[0]])
            end = joints[f"{side}_{parts[i + 1]}"] if i < 3 else ends[joint]
            count = spec.chain if part in LIMBS else 1
            build.add_chain(joint, parent, _divide(joints[joint], end, count), 1 if spec.inline else None)
            if part in LIMBS and spec.twists:
                _add_side_twists(build, spec, joint, joints[joint], end)


def _add_side_twists(build: _RigBuilder, spec: RigSpec, joint: str, head: Array, end: Array) -> None:
    points = _divide(head, end, spec.twists)
    for i in range(spec.twists):
        build.add(f"{joint}_twist{i}", build.bones[joint][0], points[i], points[i + 1])
    build.twists[joint] = build.twists.get(joint, ()) + tuple(f"{joint}_twist{i}" for i in range(spec.twists))


def _add_extras(build: _RigBuilder, joints: dict[str, Array]) -> None:
    """Hair on the head, a skirt on the hips, four fingers and a thumb on each hand: none of them is mapped."""
    for name, base in (("hair", "head"), ("skirt", "hips")):
        if base in build.bones:
            parent = build.last_bone(base)
            for i in range(3):
                start = joints[base] + (0.1 * i, 0.1, 0.0)
                parent = build.add(f"{name}{i}", parent, start, start + (0.0, 0.05, -0.1))
    for side, sign in SIDES:
        hand = f"{side}_hand"
        if hand in build.bones:
            along = rotation.normalise(joints[hand] - joints[f"{side}_lower_arm"])
            across = rotation.normalise(np.cross(along, np.cross(-Y, along)))
            for i, aside in enumerate((0.06, 0.03, 0.01, -0.01, -0.03)):
                start = joints[hand] + along * (0.03 if i == 0 else 0.08) + across * aside
                first = build.add(f"{side}_finger{i}", hand, joints[hand] + along * 0.02, start)
                build.add(f"{side}_finger{i}_tip", first, start, start + along * 0.04 * sign**2)
