"""What the clips of moving cameras show: who moves how, and how the camera moves with them. Data only.

Each motion is drawn twice in the same textured room: once by the moving camera, and once, as NAME_still, by a camera
that stands where the moving one begins, to be compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .clips import BLUE, GREEN, RED, RenderedClip, Room, View

_SIZE = (640, 360)
_ROOM = Room(seed=11, contrast=1.0)


@dataclass(frozen=True)
class CameraMove:
    """How a camera leaves its view over the clip.

    follow: the fraction of the person's level path that the camera's aim goes along with; beside: that of its eye.
    travel_m: where the eye goes by the clip's end, right, ahead and up, in the axes of the first view; it keeps aiming.
    sway_m, sway_deg: root mean square of a hand's sway. zoom: the focal length at the end, as a multiple of that at the
    beginning.
    """

    follow: float = 0.0
    beside: float = 0.0
    travel_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sway_m: float = 0.0
    sway_deg: float = 0.0
    zoom: float = 1.0
    seed: int = 1

    @property
    def is_still(self) -> bool:
        return self == CameraMove(seed=self.seed)


@dataclass(frozen=True)
class MovingClip:
    """A clip with the way its camera moves, and the kind under which it is judged."""

    clip: RenderedClip
    move: CameraMove
    kind: str

    @property
    def still(self) -> MovingClip:
        """The same clip by a camera that does not move."""
        return MovingClip(replace(self.clip, name=f"{self.clip.name}_still"), CameraMove(), f"{self.kind}, still")


MOVING_CLIPS = (
    MovingClip(
        RenderedClip("pan", "07/07_05", 0.1, 4.2, View(90, 4.6, fov_deg=60), BLUE, _SIZE, _ROOM),
        CameraMove(follow=0.9),
        "stand",
    ),
    MovingClip(
        RenderedClip("tilt_zoom", "13/13_11", 0.1, 3.3, View(40, 3.9, fov_deg=62, aim_m=1.0), BLUE, _SIZE, _ROOM),
        CameraMove(follow=0.8, sway_deg=0.7, zoom=1.3),
        "stand",
    ),
    MovingClip(
        RenderedClip("beside", "07/07_06", 0.05, 3.4, View(80, 3.4, fov_deg=60, height_m=1.5), GREEN, _SIZE, _ROOM),
        CameraMove(follow=1.0, beside=1.0, sway_m=0.03, sway_deg=0.8, seed=2),
        "moving",
    ),
    MovingClip(
        RenderedClip("handheld", "13/13_26", 0.5, 6.0, View(5, 3.4, fov_deg=55), BLUE, _SIZE, _ROOM),
        CameraMove(sway_m=0.03, sway_deg=1.5, seed=3),
        "moving",
    ),
    MovingClip(
        RenderedClip("dolly", "14/14_07", 1.0, 6.0, View(40, 4.2, fov_deg=58, aim_m=1.05), RED, _SIZE, _ROOM),
        CameraMove(travel_m=(1.6, 0.8, 0.2)),
        "moving",
    ),
    MovingClip(
        RenderedClip("long", "14/14_32", 1.0, 20.0, View(30, 4.4, fov_deg=58, height_m=1.5), GREEN, _SIZE, _ROOM),
        CameraMove(follow=0.7, travel_m=(3.0, 0.5, 0.0), sway_m=0.03, sway_deg=1.0, seed=4),
        "moving",
    ),
)
