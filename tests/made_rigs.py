"""Rigs made in code, as RestPose and BoneMap: the humanoid with other bones, rolls, proportions, poses and axes.

The figure is made standing (z up, facing -y, metres), posed, then turned into the armature's own axes and units.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stc_core.geometry import rotation
from stc_core.geometry.rotation import Array
from stc_core.motion.retarget.retarget import BoneMap, RestPose
from stc_core.motion.skeleton import HUMANOID

X, Y, Z = np.eye(3)
SIDES = (("left", 1.0), ("right", -1.0))
LIMBS = ("upper_arm", "lower_arm", "upper_leg", "lower_leg")


@dataclass(frozen=True)
class Make:
    """How a rig differs from the humanoid.

    seed: rolls, proportions. rolls: random bone rolls. proportions: how far bone lengths stray, 0.2 is 20 percent.
    arms_down_deg: 0 is a T, 45 an A. odd_deg: random turns of the arms' and legs' joints at rest, at most. spine, neck:
    how many bones. root: a bone at the origin below the hips. twists: side twist bones along each limb segment.
    chain: bones that each limb segment is made of. inline: of a chain, all but the first are named as twist bones.
    extras: hair, skirt, fingers. missing: joints without bones. unmapped: joints with bones that the map leaves out.
    freed: joints whose bones inherit no rotation. q_armature: the standing figure to the armature's axes. q_object,
    t_object: the object's. unit_m. lift_m: how far the figure stands above the armature's origin.
    """

    seed: int = 0
    rolls: bool = True
    proportions: float = 0.0
    arms_down_deg: float = 0.0
    odd_deg: float = 0.0
    spine: int = 3
    neck: int = 1
    root: bool = False
    twists: int = 0
    chain: int = 1
    inline: bool = False
    extras: bool = False
    missing: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    freed: tuple[str, ...] = ()
    q_armature: Array = field(default_factory=rotation.IDENTITY.copy)
    q_object: Array = field(default_factory=rotation.IDENTITY.copy)
    t_object: Array = field(default_factory=lambda: np.zeros(3))
    unit_m: float = 1.0
    lift_m: float = 0.0


def make(want: Make) -> tuple[RestPose, BoneMap]:
    """The rig and its true map."""
    rng = np.random.default_rng(want.seed)
    joints, ends = _posed(_proportioned(want, rng), want, rng)
    build = _Build()
    if want.root:
        build.add("root", "", np.zeros(3), -0.3 * Y)
    _middle(build, want, joints, ends)
    for side, _ in SIDES:
        _limbs(build, want, joints, ends, side)
    if want.extras:
        _extras(build, joints)
    rest = build.rest(want, rng)
    keep = {joint: bones for joint, bones in build.bones.items() if joint not in want.unmapped}
    twists = {joint: bones for joint, bones in build.twists.items() if joint in keep}
    return rest, BoneMap("made", keep, twists, root="root" if want.root and want.seed % 2 else "")


def _proportioned(want: Make, rng: np.random.Generator) -> Array:
    """Offsets (J, 3) of the humanoid with bone lengths strayed, both sides alike."""
    parts = {name.partition("_")[2] if name.startswith(("left", "right")) else name for name in HUMANOID.joint_names}
    ratios = {part: 1.0 + want.proportions * rng.uniform(-1.0, 1.0) for part in sorted(parts)}
    size = 1.0 + want.proportions * rng.uniform(-1.0, 1.0)
    names = [n.partition("_")[2] if n.startswith(("left", "right")) else n for n in HUMANOID.joint_names]
    offsets = HUMANOID.offsets * size * np.array([ratios[name] for name in names])[:, None]
    leg = sum(-offsets[HUMANOID.index(f"left_{part}"), 2] for part in ("upper_leg", "lower_leg", "foot", "toes"))
    offsets[0] = (0.0, 0.0, leg + 0.02 * size)
    return offsets


def _posed(offsets: Array, want: Make, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """Places of joints and of the ends of leaves, of the figure posed as its rest shall be."""
    local = {name: rotation.IDENTITY for name in HUMANOID.joint_names}
    for side, sign in SIDES:
        local[f"{side}_upper_arm"] = rotation.from_axis_angle(Y, np.array(np.radians(want.arms_down_deg) * sign))
    if want.odd_deg:
        for side, sign in SIDES:
            arm, leg = (
                np.radians(want.odd_deg) * rng.uniform(-1.0, 1.0, 3),
                np.radians(want.odd_deg) * rng.uniform(0, 0.7),
            )
            local[f"{side}_upper_arm"] = rotation.mul(local[f"{side}_upper_arm"], rotation.exp(arm * (0.0, 1.0, 1.0)))
            local[f"{side}_lower_arm"] = rotation.from_axis_angle(-sign * Z, np.array(abs(arm[0]) + 0.2))
            local[f"{side}_upper_leg"] = rotation.from_axis_angle(X, np.array(-leg))
            local[f"{side}_lower_leg"] = rotation.from_axis_angle(X, np.array(2 * leg))
            local[f"{side}_foot"] = rotation.from_axis_angle(X, np.array(-leg))
    places, turns, ends = {}, {}, {}
    for j, (name, parent) in enumerate(zip(HUMANOID.joint_names, HUMANOID.parents, strict=True)):
        above = HUMANOID.joint_names[parent]
        places[name] = offsets[0] if parent < 0 else places[above] + rotation.rotate(turns[above], offsets[j])
        turns[name] = rotation.mul(turns[above], local[name]) if parent >= 0 else local[name]
        ends[name] = places[name] + rotation.rotate(turns[name], HUMANOID.tips[j])
    drop = min(places[f"{side}_toes"][2] for side, _ in SIDES) - 0.02 - want.lift_m
    return ({name: place - drop * Z for name, place in places_of.items()} for places_of in (places, ends))


class _Build:
    """Bones as they are added, in the standing figure's axes and metres."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, Array, Array, str]] = []
        self.bones: dict[str, tuple[str, ...]] = {}
        self.twists: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, parent: str, head: Array, tail: Array, joint: str = "") -> str:
        self.rows.append((name, parent, head, tail, joint))
        return name

    def chain(self, joint: str, parent: str, points: Array, mapped: int | None = None) -> str:
        """Bones between points (N + 1, 3); the first `mapped` are the joint's, the others its twist bones."""
        names = [f"{joint}.{i}" if len(points) > 2 else joint for i in range(len(points) - 1)]
        for i, name in enumerate(names):
            parent = self.add(name, parent, points[i], points[i + 1], joint)
        self.bones[joint] = tuple(names[:mapped])
        if names[len(self.bones[joint]) :]:
            self.twists[joint] = tuple(names[len(self.bones[joint]) :])
        return parent

    def last(self, *joints: str) -> str:
        """The last bone of the first of these joints that has one."""
        named = [[row[0] for row in self.rows if row[4] == joint] for joint in joints]
        return next((rows[-1] for rows in named if rows), "root" if self.rows and self.rows[0][0] == "root" else "")

    def rest(self, want: Make, rng: np.random.Generator) -> RestPose:
        names = [row[0] for row in self.rows]
        turn = rotation.mul(want.q_armature, rotation.IDENTITY)
        heads, tails = (rotation.rotate(turn, np.array([row[i] for row in self.rows])) / want.unit_m for i in (2, 3))
        rolls = rng.uniform(-np.pi, np.pi, len(names)) if want.rolls else np.zeros(len(names))
        q = rotation.mul(rotation.between(Y, tails - heads), rotation.from_axis_angle(Y, rolls))
        freed = np.array([row[4] in want.freed for row in self.rows])
        parents = tuple(names.index(row[1]) if row[1] else -1 for row in self.rows)
        return RestPose(tuple(names), parents, heads, tails, q, ~freed, want.q_object, want.t_object, want.unit_m)


def _between(a: Array, b: Array, count: int) -> Array:
    return a + np.linspace(0.0, 1.0, count + 1)[:, None] * (b - a)


def _middle(build: _Build, want: Make, joints: dict[str, Array], ends: dict[str, Array]) -> None:
    if "hips" not in want.missing:
        build.chain("hips", build.last(), np.array([joints["hips"], joints["spine"]]))
    curve = np.array([joints[name] for name in ("spine", "chest", "upper_chest", "neck")])
    if want.spine:
        at = np.linspace(0.0, 3.0, want.spine + 1)
        points = np.stack([np.interp(at, np.arange(4), curve[:, axis]) for axis in range(3)], -1)
        build.chain("spine", build.last("hips"), points)
        if want.spine == 3:
            build.bones |= {name: (f"spine.{i}",) for i, name in enumerate(("spine", "chest", "upper_chest"))}
    if "neck" not in want.missing:
        build.chain("neck", build.last("spine", "hips"), _between(joints["neck"], joints["head"], want.neck))
    if "head" not in want.missing:
        build.chain("head", build.last("neck", "spine", "hips"), np.array([joints["head"], ends["head"]]))


def _limbs(build: _Build, want: Make, joints: dict[str, Array], ends: dict[str, Array], side: str) -> None:
    trunk = {"shoulder": ("spine", "hips"), "upper_leg": ("hips", "spine")}
    for parts in (("shoulder", "upper_arm", "lower_arm", "hand"), ("upper_leg", "lower_leg", "foot", "toes")):
        for i, part in enumerate(parts):
            joint = f"{side}_{part}"
            if joint in want.missing:
                continue
            above = [f"{side}_{name}" for name in reversed(parts[:i])]
            parent = build.last(*above, *trunk[parts[0]])
            end = joints[f"{side}_{parts[i + 1]}"] if i < 3 else ends[joint]
            count = want.chain if part in LIMBS else 1
            build.chain(joint, parent, _between(joints[joint], end, count), 1 if want.inline else None)
            if part in LIMBS and want.twists:
                _side_twists(build, want, joint, joints[joint], end)


def _side_twists(build: _Build, want: Make, joint: str, head: Array, end: Array) -> None:
    points = _between(head, end, want.twists)
    for i in range(want.twists):
        build.add(f"{joint}_twist{i}", build.bones[joint][0], points[i], points[i + 1])
    build.twists[joint] = build.twists.get(joint, ()) + tuple(f"{joint}_twist{i}" for i in range(want.twists))


def _extras(build: _Build, joints: dict[str, Array]) -> None:
    """Hair on the head, a skirt on the hips, four fingers and a thumb on each hand: none of them is mapped."""
    for name, base in (("hair", "head"), ("skirt", "hips")):
        if base in build.bones:
            parent = build.last(base)
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
