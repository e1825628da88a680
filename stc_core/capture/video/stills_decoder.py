"""An image sequence decoded as if it were a video: one picture after the other, at an even rate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import UserError
from .container import find_picture_kind
from .decoder import DecodedFrame, Decoder, Packet, Stream

_FORMATS = {"PNG": "png_pipe", "JPEG": "jpeg_pipe", "BMP": "bmp_pipe", "TIFF": "tiff_pipe", "WebP": "webp_pipe"}


class StillsDecoder:
    """The pictures of a sequence, as a Decoder gives those of a file."""

    codec, pixel_shape = "pictures", 1.0

    def __init__(self, stills: Sequence[tuple[int, Path]], fps: float):
        """stills: numbers and files; a number that is missing is a frame that is missing. fps: hertz."""
        first = stills[0][0]
        self._stills = [((number - first) / fps, path) for number, path in stills]
        self._fps, self._begin_s = fps, 0.0
        with contextlib.closing(_open_still(stills[0][1])) as still:
            self.size = still.size

    def read_stream(self) -> Stream:
        """The times of the pictures; none is opened."""
        packets = tuple(Packet(time_s=time_s, is_key=True) for time_s, _ in self._stills)
        return Stream(packets=packets, declared_fps=self._fps, declared_s=0.0)

    def decode(self) -> Iterator[tuple[float | None, DecodedFrame]]:
        """Every picture that can be decoded, with its time, seconds."""
        for time_s, path in self._stills:
            if time_s >= self._begin_s:
                with contextlib.suppress(UserError), contextlib.closing(_open_still(path)) as still:
                    for _, frame in still.decode():
                        yield time_s, frame
                        break

    def seek(self, time_s: float) -> bool:
        """Begin with the picture at this time."""
        self._begin_s = time_s
        return True

    def close(self) -> None:
        """Nothing is open between two pictures."""


def _open_still(path: Path) -> Decoder:
    """Raises UserError where it is no picture."""
    with path.open("rb") as file:
        kind = find_picture_kind(file.read(16))
    if kind is None:
        raise UserError(f"{path} is no picture that can be read.", f"Save it as one of {', '.join(_FORMATS)}.")
    return Decoder(path, _FORMATS[kind])
