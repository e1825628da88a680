# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws clips whose truth is known.

    python -m tests.benchmarks.ground_truth.render --mocap DIR --out DIR [--clips NAME ...]

Needs the bpy module (5.0) and an OpenGL driver, which may be Mesa's software one: Workbench draws without a graphics
card (Debian: `apt-get install libegl1 libgl1 libgl1-mesa-dri`, and what bpy itself loads: `libxi6 libxxf86vm1
libxfixes3 libxrender1 libxkbcommon0 libsm6 libice6`). A clip of 6 s takes about two minutes on one core.

For each clip NAME.mp4 (H.264) and NAME.npz: `landmark_names`, `landmarks` (T, 27, 3) world metres, z up, floor at 0,
in the order of BODY27; camera `K`, `R`, `t`, `image_size` (OpenCV); `fps`; `contacts` (T, 2) left and right foot.
Joints (hip, knee, ankle, shoulder, elbow, wrist, knuckles) are heads of the evaluated rig's bones; nose, ears, head
(top of the skull), heel and toe (the big toe's tip) are vertices of its evaluated skin; pelvis and thorax are the
middles of hips and shoulders, spine the middle of the spine bones.
Knows Blender; the motion's maths is in pose_transfer.py, the list of clips in clips.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np

from stc_core.capture.layout import BODY27
from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera, Motion

from .body_truth import FPS, describe_truth
from .clips import CLIPS, NOISE_CLIPS, RenderedClip, Room
from .clothes import dress
from .rig_body import act, open_body, plant_feet, read_truth, source_motion
from .room import add_camera, build_room, place_camera


def set_up_drawing(image_size: tuple[int, int], room: Room) -> None:
    """How the scene is lit and drawn."""
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.render_aa = "FXAA"
    shading = scene.display.shading
    shading.light, shading.studio_light, shading.color_type = "STUDIO", room.light, "VERTEX"
    shading.use_world_space_lighting = room.light_turn_deg != 0.0
    shading.studiolight_rotate_z = np.radians(room.light_turn_deg)
    shading.show_shadows = shading.show_cavity = False
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", room.exposure
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    scene.render.resolution_x, scene.render.resolution_y = image_size
    scene.render.resolution_percentage = 100


def draw(path: Path, frames: int, image_size: tuple[int, int], room: Room) -> None:
    set_up_drawing(image_size, room)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.image_settings.media_type = "VIDEO"
    scene.render.image_settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = room.quality
    scene.render.use_file_extension = False
    scene.render.filepath = str(path.resolve())
    bpy.ops.render.render(animation=True)


def make(clip: RenderedClip, rigs: Path, mocap: Path, out: Path, picture: bool = True) -> None:
    """Write clip.mp4 and clip.npz into `out`."""
    motion = source_motion(mocap / f"{clip.motion}.bvh", clip)
    rig, skin, skin_points, rest = open_body(clip.person, rigs)
    landmarks = film(clip, motion, rig, skin, skin_points, rest, out if picture else None)
    np.savez_compressed(out / f"{clip.name}.npz", **landmarks)


def film(
    clip: RenderedClip,
    motion: Motion,
    rig: bpy.types.Object,
    skin: bpy.types.Object,
    skin_points: dict[str, int],
    rest: Array,
    out: Path | None,
) -> dict[str, Array]:
    """Act, dress, draw (unless `out` is None); returns the truth's arrays."""
    frames = len(motion.t_world_root)
    path, heading = act(rig, clip.person, motion)
    plant_feet(rig, skin, clip.person, skin_points, path)
    landmarks, lowest = read_truth(rig, skin, clip.person, skin_points, frames)
    landmarks[..., 2] -= lowest.min()
    camera = place_camera(clip.view, heading, clip.image_size)
    if out:
        dress(rig, skin, clip.person, rest)
        rig.location.z = -lowest.min()
        build_room(clip.room)
        add_camera(camera)
        draw(out / f"{clip.name}.mp4", frames, clip.image_size, clip.room)
    return describe_truth(landmarks, camera)


def report(clip: RenderedClip, out: Path) -> None:
    truth = np.load(out / f"{clip.name}.npz")
    points = truth["landmarks"].astype(float)
    size = tuple(int(n) for n in truth["image_size"])
    pixels = Camera(K=truth["K"], R=truth["R"], t=truth["t"], image_size=(size[0], size[1])).project(points)
    inside = ((pixels > 0) & (pixels < size)).all(-1)
    tall = np.ptp(pixels[..., 1], axis=1)
    print(
        f"{clip.name}: {len(points)} frames, in the picture {inside.mean():.1%}, {tall.min():.0f}-{tall.max():.0f} px, "
        f"path {np.ptp(points[:, 0, :2], axis=0).round(1)} m, contact {truth['contacts'].mean(0).round(2)}, "
        f"highest toe {points[:, [BODY27.index('left_toe'), BODY27.index('right_toe')], 2].min(1).max():.2f} m"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--mocap", type=Path, default=Path("../shared/mocap/cmu_daz"), help="the unpacked BVH files")
    parser.add_argument("--rigs", type=Path, default=Path("../shared/rigs"), help="folder of mpfb_*.blend")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--noise", action="store_true", help="the clips to measure the detector's errors on")
    parser.add_argument("--clips", nargs="*", help="names of clips; all where absent")
    parser.add_argument("--truth-only", action="store_true", help="do not draw")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for clip in NOISE_CLIPS if flags.noise else CLIPS:
        if not flags.clips or clip.name in flags.clips:
            make(clip, flags.rigs, flags.mocap, flags.out, not flags.truth_only)
            report(clip, flags.out)


if __name__ == "__main__":
    main()
