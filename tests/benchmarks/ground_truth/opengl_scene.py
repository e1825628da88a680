"""Draws a skinned body in a simple room with OpenGL, off screen: fast on one core, with Mesa's llvmpipe too.

Needs moderngl and EGL (Debian: `apt-get install libegl1 libgl1 libgl1-mesa-dri`). Knows OpenGL; neither files nor how
bodies move.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("LP_NUM_THREADS", "1")  # llvmpipe: one core a process
import moderngl
import numpy as np
from numpy.typing import NDArray

from stc_core.geometry.rotation import Array
from stc_core.motion.motion import Camera

from .skinned_body import SkinnedBody

_NEAR_M, _FAR_M = 0.05, 60.0
_MAX_BONES = 72  # the rigs have 64 at most
_LAMPS = 2

_SHADING = f"""
#version 330
uniform vec3 eye;
uniform vec3 light_direction[{_LAMPS}];
uniform vec3 light_colour[{_LAMPS}];
uniform vec3 sky;
uniform vec3 ground;
uniform float gain;
float hash(vec3 p) {{
    p = fract(p * vec3(0.1031, 0.1030, 0.0973));
    p += dot(p, p.yxz + 33.33);
    return fract((p.x + p.y) * p.z);
}}
vec3 shade(vec3 colour, vec3 normal) {{
    vec3 light = mix(ground, sky, normal.z * 0.5 + 0.5);
    for (int k = 0; k < {_LAMPS}; k++)
        light += light_colour[k] * max(0.0, (dot(normal, light_direction[k]) + 0.15) / 1.15);
    return colour * light;
}}
vec4 expose(vec3 colour) {{
    vec3 picture = sqrt(clamp(colour * gain, 0.0, 1.0));
    return vec4(picture, 1.0);
}}
"""
_BODY_VERTEX = f"""
#version 330
uniform mat4 view;
uniform vec4 bone[{3 * _MAX_BONES}];
in vec3 at;
in vec3 normal;
in vec4 colour;
in vec4 influence;
in vec4 weight;
out vec3 rest;
out vec3 n;
out vec3 position;
out vec4 tint;
void main() {{
    vec4 rows[3] = vec4[3](vec4(0.0), vec4(0.0), vec4(0.0));
    for (int k = 0; k < 4; k++) {{
        int first = 3 * int(influence[k] + 0.5);
        for (int row = 0; row < 3; row++) rows[row] += weight[k] * bone[first + row];
    }}
    vec4 p = vec4(at, 1.0);
    position = vec3(dot(rows[0], p), dot(rows[1], p), dot(rows[2], p));
    n = vec3(dot(rows[0].xyz, normal), dot(rows[1].xyz, normal), dot(rows[2].xyz, normal));
    rest = at;
    tint = colour;
    gl_Position = view * vec4(position, 1.0);
}}
"""
_BODY_FRAGMENT = (
    _SHADING
    + """
uniform vec3 second[2];   // of trousers and shirt
uniform vec4 pattern[2];  // kind: 0 plain, 1 stripes across, 2 stripes along, 3 checks; repeats a metre
in vec3 rest;
in vec3 n;
in vec3 position;
in vec4 tint;
out vec4 picture;
void main() {
    vec3 normal = normalize(n);
    vec3 colour = tint.rgb;
    int part = int(tint.a + 0.5);
    if (part == 1 || part == 2) {
        vec4 kind = pattern[part - 1];
        float s = 0.0;
        if (kind.x == 1.0) s = step(kind.z, fract(rest.z * kind.y));
        if (kind.x == 2.0) s = step(kind.z, fract(rest.x * kind.y));
        if (kind.x == 3.0) s = 0.5 * (step(kind.z, fract(rest.x * kind.y)) + step(kind.z, fract(rest.z * kind.y)));
        colour = mix(colour, second[part - 1], s);
    }
    vec3 to_eye = normalize(eye - position);
    if (dot(normal, to_eye) < -0.2) normal = -normal;
    picture = expose(shade(colour, normal));
}
"""
)
_ROOM_VERTEX = """
#version 330
uniform mat4 view;
in vec3 at;
in vec3 normal;
in vec3 colour;
in vec4 style;
in vec2 uv;
out vec3 n;
out vec3 position;
out vec3 tint;
out vec4 tiles;
out vec2 surface;
void main() {
    n = normal; position = at; tint = colour; tiles = style; surface = uv;
    gl_Position = view * vec4(at, 1.0);
}
"""
_ROOM_FRAGMENT = (
    _SHADING
    + """
in vec3 n;
in vec3 position;
in vec3 tint;
in vec4 tiles;  // tile width and height in metres, contrast, gradient
in vec2 surface;
out vec4 picture;
void main() {
    if (dot(n, eye - position) < 0.0) discard;
    vec3 colour = tint;
    vec2 tile = surface / tiles.xy;
    float lighter = hash(vec3(floor(tile), tint.r * 91.0)) + hash(vec3(floor(tile), 7.0 + tint.g * 53.0)) - 1.0;
    float fine = hash(vec3(floor(surface * 23.0), 3.0)) - 0.5;
    colour *= max(0.05, 1.0 + tiles.z * (1.6 * lighter + 0.5 * fine) + tiles.w * (position.z - 1.5));
    picture = expose(shade(colour, n));
}
"""
)
_SHADOW_VERTEX = """
#version 330
uniform mat4 view;
in vec2 corner;
in vec4 shadow;  // x, y, radius in metres, darkness
out vec2 away;
out float darkness;
void main() {
    away = corner * 2.0; darkness = shadow.w;
    gl_Position = view * vec4(shadow.xy + away * shadow.z, 0.003, 1.0);
}
"""
_SHADOW_FRAGMENT = """
#version 330
in vec2 away;
in float darkness;
out vec4 picture;
void main() { picture = vec4(0.0, 0.0, 0.0, darkness * exp(-dot(away, away))); }
"""
_CORNERS = np.array([[-1, -1], [1, -1], [-1, 1], [-1, 1], [1, -1], [1, 1]], "f4")


@dataclass(frozen=True, kw_only=True)
class Quad:
    """A rectangle: a corner, two edges (3,) metres, its colour and tiles; seen from the side of cross(u, v) only."""

    corner: Array
    u: Array
    v: Array
    colour: tuple[float, float, float]
    tiles: tuple[float, float, float, float] = (0.5, 0.5, 0.1, 0.0)
    """width and height in metres, contrast, how much lighter a metre further up"""


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """Lamps and ambient light, linear; the fields are the shaders' uniforms."""

    light_direction: Array
    """(2, 3): towards the lamps"""
    light_colour: Array
    """(2, 3)"""
    sky: Array
    """(3,): ambient light from above"""
    ground: Array
    """(3,): and from below"""
    gain: float
    """the exposure"""


@dataclass(frozen=True, kw_only=True)
class Fabric:
    """What trousers and shirt are like; the fields are the shaders' uniforms."""

    second: Array
    """(2, 3): the patterns' colours"""
    pattern: Array
    """(2, 4): kind, repeats a metre, threshold, nothing; see the shader"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that does not move in a clip, and who does."""

    body: SkinnedBody
    quads: list[Quad]
    camera: Camera
    lighting: Lighting
    fabric: Fabric


class Renderer:
    """An OpenGL context with its programs; draws one scene after another.

    The room is drawn once a scene; in each picture the body is drawn into a copy of it.
    """

    def __init__(self) -> None:
        settings: Any = {"backend": "egl"}  # moderngl's types take no text
        context = moderngl.create_context(standalone=True, **settings)
        self._context = context
        self._body_program = context.program(vertex_shader=_BODY_VERTEX, fragment_shader=_BODY_FRAGMENT)
        self._room_program = context.program(vertex_shader=_ROOM_VERTEX, fragment_shader=_ROOM_FRAGMENT)
        self._shadow_program = context.program(vertex_shader=_SHADOW_VERTEX, fragment_shader=_SHADOW_FRAGMENT)
        context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self._resources: list[Any] = []

    def load_scene(self, scene: Scene, size: tuple[int, int]) -> None:
        """Take a scene in place of the last; its pictures will be `size` (width, height), whatever the camera's are."""
        for resource in self._resources:
            resource.release()
        self._resources, self._size = [], size
        self._set_uniforms(scene)
        body = scene.body
        layout = (self._store(_body_columns(body)), "3f 3f 4f 4f 4f", "at", "normal", "colour", "influence", "weight")
        triangles = self._keep(self._context.buffer(body.triangles.astype("i4").tobytes()))
        self._body = self._keep(self._context.vertex_array(self._body_program, [layout], index_buffer=triangles))
        self._background, self._canvas = self._make_canvas(), self._make_canvas()
        self._draw_room(scene.quads)

    def _set_uniforms(self, scene: Scene) -> None:
        view = np.ascontiguousarray(view_matrix(scene.camera).T)
        for program in (self._body_program, self._room_program, self._shadow_program):
            _set(program, "view", view)
            _set(program, "eye", -scene.camera.R.T @ scene.camera.t)
            for name, value in (vars(scene.lighting) | vars(scene.fabric)).items():
                _set(program, name, np.asarray(value))

    def _draw_room(self, quads: list[Quad]) -> None:
        layout = (self._store(_room_columns(quads)), "3f 3f 3f 4f 2f", "at", "normal", "colour", "style", "uv")
        room = self._keep(self._context.vertex_array(self._room_program, [layout]))
        self._background.use()
        self._background.clear(0.4, 0.4, 0.4)
        self._context.enable_only(moderngl.DEPTH_TEST)
        room.render()

    def _make_canvas(self) -> moderngl.Framebuffer:
        colour = self._keep(self._context.renderbuffer(self._size, 4))
        depth = self._keep(self._context.depth_renderbuffer(self._size))
        canvas: moderngl.Framebuffer = self._keep(self._context.framebuffer([colour], depth))
        return canvas

    def _store(self, rows: Array) -> moderngl.Buffer:
        buffer: moderngl.Buffer = self._keep(self._context.buffer(rows.astype("f4").tobytes()))
        return buffer

    def _keep(self, resource: Any) -> Any:
        """The resource, to be released before the next scene."""
        self._resources.append(resource)
        return resource

    def draw(self, bones: Array, shadows: Array) -> NDArray[np.uint8]:
        """The picture (height, width, 4), RGBA, of the body posed by matrices (B, 3, 4), metres.

        shadows (N, 4) on the floor: x, y, radius, metres, and darkness of 1.
        """
        table = np.zeros((_MAX_BONES, 3, 4), "f4")
        table[: len(bones)] = bones
        _set(self._body_program, "bone", table)
        self._context.copy_framebuffer(self._canvas, self._background)
        self._canvas.use()
        self._draw_shadows(shadows)
        self._context.enable_only(moderngl.DEPTH_TEST)
        self._body.render()
        width, height = self._size
        return np.frombuffer(self._canvas.read(components=4, alignment=1), np.uint8).reshape(height, width, 4)

    def _draw_shadows(self, shadows: Array) -> None:
        corners = np.tile(_CORNERS, (len(shadows), 1))
        buffer = self._context.buffer(np.hstack([corners, np.repeat(shadows, 6, 0)]).astype("f4").tobytes())
        array = self._context.vertex_array(self._shadow_program, [(buffer, "2f 4f", "corner", "shadow")])
        self._context.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        self._canvas.depth_mask = False
        array.render()
        self._canvas.depth_mask = True
        array.release()
        buffer.release()


def _set(program: moderngl.Program, name: str, value: Array) -> None:
    """Set a uniform where the program has it."""
    if name in program:
        program[name].write(np.asarray(value, "f4").tobytes())  # type: ignore[union-attr]


def view_matrix(camera: Camera) -> Array:
    """World (x, y, z, 1) to clip space (4, 4), upside down: OpenGL reads the lowest row first, pictures the highest."""
    width, height = camera.image_size
    pixels = camera.K @ np.hstack([camera.R, camera.t[:, None]])  # rows: u * depth, v * depth, depth
    depth = pixels[2]
    last = np.array([0.0, 0.0, 0.0, 1.0])
    near, far = _NEAR_M, _FAR_M
    z = (far + near) / (far - near) * depth - 2.0 * far * near / (far - near) * last
    return np.stack([2.0 * pixels[0] / width - depth, 2.0 * pixels[1] / height - depth, z, depth])


def _body_columns(body: SkinnedBody) -> Array:
    """The vertices' attributes (V, 18), as the shader takes them."""
    parts = body.parts[:, None].astype(float)
    return np.hstack([body.points, body.normals, body.colours, parts, body.influences, body.weights])


def _room_columns(quads: list[Quad]) -> Array:
    """The attributes (6 N, 15) of the vertices of N rectangles, two triangles each."""
    rows = []
    for quad in quads:
        normal = np.cross(quad.u, quad.v)
        normal /= np.linalg.norm(normal)
        lengths = np.array([np.linalg.norm(quad.u), np.linalg.norm(quad.v)])
        for a, b in ((0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)):
            at = quad.corner + a * quad.u + b * quad.v
            rows.append(np.concatenate([at, normal, quad.colour, quad.tiles, lengths * [a, b]]))
    return np.array(rows)
