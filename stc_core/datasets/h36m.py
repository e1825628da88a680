"""Human3.6M in the files that everyone uses: data_3d_h36m.npz and data_2d_h36m_*.npz, in one folder.

data_3d_h36m.npz, `positions_3d`: {subject: {action: (T, 32, 3)}}, world metres, 50 Hz. data_2d_h36m_NAME.npz,
`positions_2d`: {subject: {action: [(T, 17, 2) for each of four cameras]}}, pixels; NAME is gt for the true projections
and cpn_ft_h36m_dbb for the detections that papers report. Knows these files, the data set's cameras, its 32 joints and
who is trained on. The cameras' numbers are the data set's own calibration.

Ionescu et al., "Human3.6M: Large Scale Datasets and Predictive Methods for 3D Human Sensing in Natural Environments",
PAMI 2014; the split and the 17 joints as in Martinez et al., ICCV 2017, and Pavllo et al., CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..capture.layout import H36M17
from ..errors import UserError
from ..geometry import rotation
from ..geometry.rotation import Array
from .dataset_plan import DatasetInfo, DatasetPlan, ShardClip, Take, TakeClips, stamp_files
from .safe_unpickle import read_pickled

TRAINING_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
LICENCE = "Human3.6M: for academic use only, by its own licence; neither the data nor weights trained on it are ours."
FPS = 50.0
JOINTS_17 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)  # of the 32, in H36M17's order
_MAX_MEDIAN_DISTANCE_PX = 50.0  # in the middle of a clip's joints; detections are within ten
_TRUTH = "data_3d_h36m.npz"
_REMEDY = "Give the file as VideoPose3D's instructions make it."


@dataclass(frozen=True)
class DistortedCamera:
    """One of the four cameras. focal, centre: pixels. radial, tangential: how it bends, see `project`."""

    name: str
    focal: tuple[float, float]
    centre: tuple[float, float]
    radial: tuple[float, float, float]
    tangential: tuple[float, float]
    image_size: tuple[int, int]

    @property
    def K(self) -> Array:
        (fx, fy), (cx, cy) = self.focal, self.centre
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def project(self, points: Array) -> Array:
        """Points (..., 3) in camera axes to pixels (..., 2), bent as the files' true projections are (VideoPose3D)."""
        xy = np.clip(points[..., :2] / points[..., 2:], -1.0, 1.0)
        r2, p = (xy**2).sum(-1, keepdims=True), np.array(self.tangential)
        radial = 1.0 + (np.array(self.radial) * np.concatenate([r2, r2**2, r2**3], -1)).sum(-1, keepdims=True)
        bent = xy * (radial + (xy * p).sum(-1, keepdims=True)) + p * r2
        return bent * np.array(self.focal) + np.array(self.centre)


CAMERAS = (
    DistortedCamera(
        "54138969",
        (1145.0494384765625, 1143.7811279296875),
        (512.54150390625, 515.4514770507812),
        (-0.20709891617298126, 0.24777518212795258, -0.0030751503072679043),
        (-0.0009756988729350269, -0.00142447161488235),
        (1000, 1002),
    ),
    DistortedCamera(
        "55011271",
        (1149.6756591796875, 1147.5916748046875),
        (508.8486328125, 508.0649108886719),
        (-0.1942136287689209, 0.2404085397720337, 0.006819975562393665),
        (-0.0016190266469493508, -0.0027408944442868233),
        (1000, 1000),
    ),
    DistortedCamera(
        "58860488",
        (1149.1407470703125, 1148.7989501953125),
        (519.8158569335938, 501.40264892578125),
        (-0.2083381861448288, 0.25548800826072693, -0.0024604974314570427),
        (0.0014843869721516967, -0.0007599993259645998),
        (1000, 1000),
    ),
    DistortedCamera(
        "60457274",
        (1145.5113525390625, 1144.77392578125),
        (514.9682006835938, 501.88201904296875),
        (-0.198384091258049, 0.21832367777824402, -0.008947807364165783),
        (-0.0005872055771760643, -0.0018133620033040643),
        (1000, 1002),
    ),
)
# for each subject and lens: q_world_camera (wxyz), and where the camera stands, millimetres
EXTRINSICS: dict[str, tuple[tuple[float, ...], ...]] = {
    "S1": (
        (0.14070565, -0.15007018, -0.7552408, 0.62232804, 1841.107, 4955.2847, 1563.4454),
        (0.6157188, -0.7648363, -0.14833826, 0.11794741, 1761.2786, -5078.007, 1606.265),
        (0.14651473, -0.14647852, 0.76530236, -0.60941756, -1846.7777, 5215.0464, 1491.9724),
        (0.58340085, -0.7853162, 0.14548823, -0.14749594, -1794.7897, -3722.699, 1574.8927),
    ),
    "S5": (
        (0.14673772, -0.16237096, -0.7551893, 0.6178939, 2097.3916, 4880.945, 1605.7324),
        (0.61597586, -0.7626792, -0.15728192, 0.1189815, 2031.7008, -5167.933, 1612.9231),
        (0.14291371, -0.12907842, 0.7678385, -0.6110143, -1620.5948, 5171.6587, 1496.437),
        (0.592048, -0.7814218, 0.12747486, -0.15036418, -1637.1737, -3867.3174, 1547.0332),
    ),
    "S6": (
        (0.13378978, -0.15692396, -0.75710905, 0.61988795, 1935.4518, 4950.2456, 1618.0839),
        (0.61471975, -0.7628813, -0.16174768, 0.11819245, 1969.804, -5128.739, 1632.7788),
        (0.15299481, -0.13529131, 0.76460963, -0.6112781, -1769.5964, 5185.3613, 1476.9934),
        (0.59161013, -0.7804774, 0.1283227, -0.15615939, -1721.6687, -3884.1313, 1540.4879),
    ),
    "S7": (
        (0.14352418, -0.16313368, -0.75483286, 0.6188825, 1974.513, 4926.3545, 1597.8326),
        (0.6141673, -0.76382625, -0.15966456, 0.117792994, 1937.0585, -5119.79, 1631.5665),
        (0.1455006, -0.12874816, 0.76605165, -0.61271393, -1741.8112, 5208.2495, 1464.8246),
        (0.5912848, -0.78217643, 0.12445474, -0.15196487, -1734.7106, -3832.4214, 1548.583),
    ),
    "S8": (
        (0.14110588, -0.15589868, -0.75619173, 0.61964405, 2150.6519, 4896.161, 1611.9047),
        (0.61696017, -0.7647668, -0.1484635, 0.11158158, 2219.9656, -5148.453, 1613.0441),
        (0.1471444, -0.1337712, 0.76701283, -0.61003697, -1571.2216, 5137.0186, 1498.1761),
        (0.59278244, -0.78258705, 0.12147816, -0.14631996, -1476.9133, -3896.7412, 1547.9722),
    ),
    "S9": (
        (0.15540588, -0.15548216, -0.75320953, 0.6199595, 2044.4585, 4935.117, 1481.2275),
        (0.6187845, -0.7634735, -0.14132239, 0.11933968, 1990.9597, -5123.8105, 1568.8048),
        (0.13357827, -0.13671005, 0.76894546, -0.61007386, -1670.9922, 5211.986, 1528.388),
        (0.5879399, -0.7823407, 0.14276144, -0.1479487, -1696.0435, -3827.0999, 1591.4127),
    ),
    "S11": (
        (0.15232472, -0.1544232, -0.75475633, 0.619107, 2098.4402, 4926.5547, 1500.2786),
        (0.61894494, -0.7600917, -0.15300633, 0.12552583, 2083.1824, -4912.173, 1561.0786),
        (0.14943229, -0.15650228, 0.7681234, -0.60263044, -1609.8153, 5177.336, 1537.8967),
        (0.58942515, -0.7818877, 0.13991211, -0.14715362, -1590.738, -3854.169, 1578.0176),
    ),
}


def plan_h36m(folder: Path) -> list[DatasetPlan]:
    """One source for each file of keypoints in the folder. Raises UserError where the truth or all keypoints lack."""
    truth, seen = folder / _TRUTH, sorted(folder.glob("data_2d_h36m_*.npz"))
    if not truth.is_file() or not seen:
        missing = "data_2d_h36m_gt.npz or data_2d_h36m_cpn_ft_h36m_dbb.npz" if truth.is_file() else _TRUTH
        raise UserError(f"{folder} lacks {missing}.", "Put both files into one folder.")
    return [_plan_keypoints(truth, path) for path in seen]


def _plan_keypoints(truth: Path, seen: Path) -> DatasetPlan:
    @cache
    def files() -> tuple[dict[str, Any], dict[str, Any]]:
        return _read_by_subject(truth, "positions_3d"), _read_by_subject(seen, "positions_2d")

    def take(subject: str) -> Take:
        return Take(subject, lambda: _read_take(subject, *files(), truth, seen), stamp_files(truth, seen))

    info = DatasetInfo(seen.stem.removeprefix("data_2d_"), LICENCE, H36M17.name, "views", {"fps": FPS})
    return DatasetPlan(info, lambda: [take(subject) for subject in (*TRAINING_SUBJECTS, *TEST_SUBJECTS)])


def _read_by_subject(path: Path, name: str) -> dict[str, Any]:
    data = read_pickled(path, name)
    if not isinstance(data, dict) or not all(isinstance(actions, dict) for actions in data.values()):
        raise UserError(f"{path} is not in the form {{subject: {{action: …}}}}.", _REMEDY)
    return data


def _read_take(
    subject: str, truth: Mapping[str, Any], seen: Mapping[str, Any], path_3d: Path, path_2d: Path
) -> TakeClips:
    """Every action of a subject, before every camera."""
    actions_3d, actions_2d = truth.get(subject, {}), seen.get(subject, {})
    clips = []
    for action in sorted(set(actions_3d) & set(actions_2d)):
        world = _check_joints(path_3d, subject, action, actions_3d[action])
        cameras = actions_2d[action]
        if len(cameras) != len(CAMERAS):
            raise UserError(f"{path_2d}: {subject} {action} has {len(cameras)} cameras where 4 belong.", _REMEDY)
        clips += [
            _make_clip(subject, action, lens, _to_camera(world, subject, number), np.asarray(cameras[number]), path_2d)
            for number, lens in enumerate(CAMERAS)
        ]
    alone = sorted(set(actions_3d) ^ set(actions_2d))
    note = f"{subject}: {', '.join(alone)} lacks its 2D or its 3D and is left out." if alone else ""
    absent = f"{subject} is in neither file." if not actions_3d and not actions_2d else ""
    return TakeClips(clips, tuple(filter(None, (note, absent))))


def _check_joints(path: Path, subject: str, action: str, values: Any) -> Array:
    joints = np.asarray(values, float)
    if joints.ndim != 3 or joints.shape[1:] not in ((32, 3), (17, 3)):
        raise UserError(f"{path}: {subject} {action} has the shape {joints.shape}, not (frames, 32, 3).", _REMEDY)
    return joints[:, JOINTS_17] if joints.shape[1] == 32 else joints


def _to_camera(world: Array, subject: str, number: int) -> Array:
    """World joints (T, 17, 3) in the axes of a subject's camera."""
    place = np.array(EXTRINSICS[subject][number])
    return rotation.rotate(rotation.inv(rotation.normalise(place[:4])), world - place[4:] / 1000.0)


def _make_clip(
    subject: str, action: str, lens: DistortedCamera, joints: Array, keypoints: Array, path: Path
) -> ShardClip:
    """Videos, and so keypoints, may be a few frames longer than what was captured."""
    name = f"{subject} {action} {lens.name}"
    if keypoints.ndim != 3 or keypoints.shape[1:] != (17, 2) or len(keypoints) < len(joints):
        needed = f"({len(joints)} or more, 17, 2)"
        raise UserError(f"{path}: the keypoints of {name} have the shape {keypoints.shape}, not {needed}.", _REMEDY)
    keypoints = keypoints[: len(joints)]
    apart = float(np.median(np.linalg.norm(keypoints - lens.project(joints), axis=-1)))
    if not apart < _MAX_MEDIAN_DISTANCE_PX:
        what = f"{path}: {name} lies {apart:.0f} pixels beside its 3D"
        raise UserError(f"{what}.", "Use the original cameras' order, pixels for 2D and metres for 3D.")
    return ShardClip(
        name=name,
        subject=subject,
        action=action.split(" ")[0],
        camera=lens.name,
        fps=FPS,
        joints=joints,
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:2]),
        K=lens.K,
        image_size=lens.image_size,
    )
