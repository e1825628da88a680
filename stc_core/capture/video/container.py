"""Which files are given to the decoder: real video containers, told by their first bytes.

A name says nothing. FFmpeg opens playlists, lists of files and manifests under any name, and these make it read other
files; so what is not one of the containers below is refused before FFmpeg sees it. Reads the first bytes only.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import UserError
from ..quicktime import is_quicktime
from .image_sequence import list_stills

_HEAD_BYTES = 8192
_TS_PACKET_BYTES = (188, 192, 204)  # MPEG-TS plain, with time codes (M2TS), with error correction
_TS_SYNCS = 5  # sync bytes in a row that tell a transport stream; chosen
_ANY_TEXT = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D} | frozenset(range(0x80, 0x100))

_MAGIC = (  # offset, bytes
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"OggS"),
    (0, b"FLV\x01"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # ASF, WMV
    (0, b"\xb7\xd8\x00\x20\x37\x49\xda\x11"),  # WTV
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01"),  # MXF
    (0, b".RMF"),
    (0, b"DKIF"),  # IVF
    (0, b"YUV4MPEG2 "),
    (0, b"nut/multimedia container\x00"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (0, b"\x00\x00\x01"),  # MPEG program and elementary streams, H.264 and HEVC in Annex B
    (0, b"\x00\x00\x00\x01"),
    (0, b"\x12\x00\x0a"),  # AV1 in OBUs
    (0, b"\x1f\x07\x00"),  # DV
    (0, b"BIKi"),
)
_LISTS = (b"#EXTM3U", b"ffconcat")
_PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF"}


def check_container(path: Path) -> None:
    """Raises UserError where a file is missing, empty, cannot be read, or is no video container by its first bytes.

    An image sequence is let in.
    """
    try:
        if list_stills(path):
            return
        if path.is_dir():
            raise UserError(f"{path} is a folder.", "Choose a video file in it.")
        if not path.exists():
            raise UserError(f"There is no file {path}.", "Check the path.")
        if not path.is_file():
            raise UserError(f"{path} is no ordinary file.", "Choose a video file.")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).", "Check your right to read it.") from error
    if not head:
        raise UserError(f"{path} is empty.", "Copy or record the video again.")
    if is_container(head):
        return
    remedy = "Convert it to MP4 (H.264)."
    if find_picture_kind(head):
        names = f"{path.stem.rstrip('0123456789')}%04d{path.suffix}"
        remedy = f"For an image sequence name its folder, or the pictures as {names}."
    elif head.startswith(_LISTS):
        remedy = "Join its parts into one MP4."
    raise UserError(f"{path} cannot be read as a video: {_describe(head)}.", remedy)


def is_container(head: bytes) -> bool:
    """Whether a file with these first bytes is of a container that is given to the decoder."""
    if any(head[offset:].startswith(magic) for offset, magic in _MAGIC) or is_quicktime(head):
        return True
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"ON2 ") and head[8:12] in (b"AVI ", b"AVIX", b"ON2f"):
        return True
    return _is_transport_stream(head)


def find_picture_kind(head: bytes) -> str | None:
    """Which kind of picture a file with these first bytes is; None where it is none."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for magic, kind in _PICTURES.items() if head.startswith(magic)), None)


def _is_transport_stream(head: bytes) -> bool:
    """Whether sync bytes stand at the distance of packets; a recording may begin within one."""
    for size in _TS_PACKET_BYTES:
        for first in range(min(size, len(head))):
            syncs = head[first : first + _TS_SYNCS * size : size]
            if len(head) >= first + size and syncs == b"\x47" * len(syncs) and len(syncs) >= min(_TS_SYNCS, 2):
                return len(syncs) == _TS_SYNCS or first + len(syncs) * size >= len(head)
    return False


def _describe(head: bytes) -> str:
    """What the file is instead, as far as its first bytes tell."""
    if head.startswith(_LISTS):
        return "it is a list of other files, which are not read"
    if kind := find_picture_kind(head):
        return f"it is a {kind} picture, 1 frame"
    if set(head) <= _ANY_TEXT:
        return "it is text"
    return "it is damaged, or of an unknown format"
