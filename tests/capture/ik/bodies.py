"""Bodies whose rotations are known, what is seen of them, and how a solved motion is measured against them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stc_core.capture.layout import BODY27, Array, Layout
from stc_core.capture.pose import WorldPose
from stc_core.geometry import rotation
from stc_core.motion.motion import Motion
from stc_core.motion.skeleton import HUMANOID
from tests.synthetic import jump, landmarks, look_at_camera, stand, walk

X, Y, Z = np.eye(3)
SHIFT = np.array([1.0, -2.0, 0.0])
SIDES = (("left", 1.0), ("right", -1.0))
LIMBS = [f"{side}_{part}" for side, _ in SIDES for part in ("upper_arm", "lower_arm", "upper_leg", "lower_leg")]
HINGED = [f"{side}_{part}" for side, _ in SIDES for part in ("lower_arm", "lower_leg")]


def joint_index(name: str) -> int:
    return HUMANOID.index(name)


def wander(rng: np.random.Generator, frames: int, columns: int, width: int) -> Array:
    """Smooth random curves (frames, columns) within (-1, 1)."""
    curves = gaussian_filter1d(rng.normal(size=(frames + 20 * width, columns)), width, axis=0)
    result: Array = np.tanh(0.7 * curves / curves.std(0))[10 * width : 10 * width + frames]
    return result


def bodily(
    frames: int = 120, seed: int = 0, least_bend: float = 0.4, skeleton: Any = HUMANOID, fps: float = 30.0
) -> Motion:
    """A smooth random motion within what a person can do; the trunk's bend is shared evenly, clavicles at rest."""
    rng = np.random.default_rng(seed)
    q = np.tile(rotation.IDENTITY, (frames, len(HUMANOID.joint_names), 1))

    def turn(*limits: float, middle: tuple[float, float, float] = (0, 0, 0)) -> Array:
        return rotation.exp(wander(rng, frames, 3, 10) * limits + middle)

    q[:, 0] = rotation.mul(turn(0, 0, 3), turn(0.4, 0.3, 0.1))
    for names, limits in ((("spine", "chest", "upper_chest"), (0.25, 0.12, 0.2)), (("neck", "head"), (0.2, 0.15, 0.3))):
        shared = turn(*limits)
        for name in names:
            q[:, joint_index(name)] = shared
    for side, sign in SIDES:
        bends = least_bend + 0.8 + 0.8 * wander(rng, frames, 2, 10)
        q[:, joint_index(f"{side}_upper_arm")] = rotation.mul(
            turn(0, 0.7, 0.8, middle=(0, 0.5 * sign, -0.3 * sign)), turn(0.7, 0, 0)
        )
        q[:, joint_index(f"{side}_lower_arm")] = rotation.mul(rotation.exp(-sign * bends[:, :1] * Z), turn(0.9, 0, 0))
        q[:, joint_index(f"{side}_hand")] = turn(0, 0.3, 0.7)
        q[:, joint_index(f"{side}_upper_leg")] = rotation.mul(turn(0.6, 0.4, 0, middle=(-0.4, 0, 0)), turn(0, 0, 0.4))
        q[:, joint_index(f"{side}_lower_leg")] = rotation.exp(bends[:, 1:] * X)
        q[:, joint_index(f"{side}_foot")] = turn(0.4, 0.2, 0.2)
    place = np.column_stack([wander(rng, frames, 2, 30), np.full(frames, 1.2)])
    return Motion(
        skeleton=skeleton,
        t_world_root=place,
        q_parent_joint=rotation.unroll(q),
        contacts=np.zeros((frames, 2), bool),
        scores=np.ones((frames, len(HUMANOID.parents))),
        fps=fps,
    )


def observe_motion(motion: Motion, layout: Layout = BODY27) -> WorldPose:
    points = landmarks(motion, layout)
    return WorldPose(
        layout=layout,
        joints=points,
        scores=np.ones(points.shape[:2]),
        contacts=motion.contacts,
        camera=look_at_camera(),
        fps=motion.fps,
    )


def noisy(motion: Motion, metres: float, seed: int = 0) -> WorldPose:
    """Smooth noise on every landmark but on those of feet on the floor, which stay still."""
    world = observe_motion(motion)
    noise = gaussian_filter1d(np.random.default_rng(seed).normal(size=world.joints.shape), 4, axis=0)
    noise *= metres / noise.std()
    for foot, (side, _) in enumerate(SIDES):
        away = gaussian_filter1d((~motion.contacts[:, foot]).astype(float), 2) * ~motion.contacts[:, foot]
        for part in ("ankle", "heel", "toe"):
            noise[:, BODY27.index(f"{side}_{part}")] *= away[:, None]
    return replace(world, joints=world.joints + noise)


def turned_by(a: Motion, b: Motion) -> NDArray[Any]:
    """How far (T, J) the local turns differ, degrees."""
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(a.q_parent_joint), b.q_parent_joint)))


def speeds(motion: Motion) -> NDArray[Any]:
    """Angular speed (T - 1, J), degrees a second."""
    q = motion.q_parent_joint
    return np.degrees(rotation.angle(rotation.mul(rotation.inv(q[:-1]), q[1:]))) * motion.fps


def directions(motion: Motion) -> NDArray[Any]:
    """World directions (T, J, 3) from each joint to its limb's next one."""
    places = motion.positions()
    ends = {"upper_arm": "lower_arm", "lower_arm": "hand", "upper_leg": "lower_leg", "lower_leg": "foot"}
    pairs = [(name, name.split("_", 1)[0] + "_" + ends[name.split("_", 1)[1]]) for name in LIMBS]
    return np.stack(
        [rotation.normalise(places[:, joint_index(end)] - places[:, joint_index(start)]) for start, end in pairs], 1
    )


def apart(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    result: NDArray[Any] = np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))
    return result


def slides(motion: Motion) -> float:
    """The furthest (metres) that feet in contact and their toes move from one frame to the next."""
    return max(slides_of(motion, "foot"), slides_of(motion, "toes"))


def slides_of(motion: Motion, part: str) -> float:
    places, furthest = motion.positions(), 0.0
    for foot, (side, _) in enumerate(SIDES):
        still = motion.contacts[1:, foot] & motion.contacts[:-1, foot]
        steps = np.linalg.norm(np.diff(places[:, joint_index(f"{side}_{part}")], axis=0), axis=-1)
        furthest = max(furthest, steps[still].max(initial=0.0))
    return furthest


MOTIONS: dict[str, Callable[[], Motion]] = {
    "walk": walk,
    "turn": lambda: walk(turn_deg_per_s=40.0, heading_deg=70.0),
    "jump": jump,
    "one leg": lambda: stand(one_leg=True),
}
