"""The size of coded frames, from the headers in their packets: a stream may change it, and OpenCV does not tell.

Knows H.264 (ITU-T H.264, 7.3.2.1), HEVC (ITU-T H.265, 7.3.2.2), MPEG-2 (ISO/IEC 13818-2, 6.2.2.1), VP8 (RFC 6386, 9.1)
and VP9 (its bitstream specification, 6.2) as far as their sizes; None where a packet says nothing.
"""

from __future__ import annotations

Size = tuple[int, int]

_H264_WITH_CHROMA = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)  # profiles that state their chroma


def read_frame_size(codec: str, packet: bytes) -> Size | None:
    """Width and height of the frames from this packet on, pixels, as coded and cropped; None where it is not said.

    codec: FFmpeg's four characters, in lower case.
    """
    try:
        if codec in ("h264", "avc1", "x264", "avc3"):
            return next((_read_h264(unit[1:]) for unit in _split_units(packet) if unit[0] & 31 == 7), None)
        if codec in ("hevc", "hev1", "hvc1", "h265"):
            return next((_read_hevc(unit[2:]) for unit in _split_units(packet) if unit[0] >> 1 & 63 == 33), None)
        if codec in ("mpg2", "mpg1", "mp2v", "[2]", "mpeg"):
            return _read_mpeg2(packet)
        if codec == "vp80":
            is_key = not packet[0] & 1 and packet[3:6] == b"\x9d\x01\x2a"
            return (packet[6] | (packet[7] & 63) << 8, packet[8] | (packet[9] & 63) << 8) if is_key else None
        return _read_vp9(packet) if codec == "vp90" else None
    except IndexError:  # a packet that ends within its header
        return None


def _read_mpeg2(packet: bytes) -> Size | None:
    at = packet.find(b"\x00\x00\x01\xb3")
    if at < 0:
        return None
    return packet[at + 4] << 4 | packet[at + 5] >> 4, (packet[at + 5] & 15) << 8 | packet[at + 6]


class _Bits:
    """Bits of a header, most significant first. Raises IndexError at its end."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | (self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return value

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _split_units(packet: bytes) -> list[bytes]:
    """The NAL units of an Annex B packet, without emulation prevention."""
    units = [unit.rstrip(b"\x00") for unit in packet.split(b"\x00\x00\x01")[1:]]
    return [unit.replace(b"\x00\x00\x03", b"\x00\x00") for unit in units if len(unit) > 4]


def _read_h264(unit: bytes) -> Size:
    bits = _Bits(unit)
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()  # seq_parameter_set_id
    chroma = 1
    if profile in _H264_WITH_CHROMA:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb(), bits.golomb(), bits.take(1)  # bit depths, lossless
        if bits.take(1):
            for index in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()  # log2_max_frame_num
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1), bits.signed_golomb(), bits.signed_golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed_golomb()
    bits.golomb(), bits.take(1)  # max_num_ref_frames, gaps
    width, height = (bits.golomb() + 1) * 16, (bits.golomb() + 1) * 16
    is_frame = bits.take(1)
    height *= 2 - is_frame
    if not is_frame:
        bits.take(1)
    bits.take(1)  # direct_8x8_inference
    if bits.take(1):
        unit_x, unit_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (2 - is_frame)
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width, height = width - unit_x * (left + right), height - unit_y * (top + bottom)
    return width, height


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb() + 256) % 256
        last = following or last


def _read_hevc(unit: bytes) -> Size:
    bits = _Bits(unit)
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)  # nesting, general profile, general level
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.take(88 * has_profile + 8 * has_level)
    bits.golomb()  # sps_seq_parameter_set_id
    chroma = bits.golomb()
    if chroma == 3:
        bits.take(1)
    width, height = bits.golomb(), bits.golomb()
    if bits.take(1):
        unit_x, unit_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1)
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width, height = width - unit_x * (left + right), height - unit_y * (top + bottom)
    return width, height


def _read_vp9(packet: bytes) -> Size | None:
    bits = _Bits(packet)
    bits.take(2)
    profile = bits.take(1) | bits.take(1) << 1
    if profile == 3:
        bits.take(1)
    if bits.take(1) or bits.take(1):  # a frame shown again, or no key frame
        return None
    bits.take(2)
    if bits.take(24) != 0x498342:
        return None
    if profile >= 2:
        bits.take(1)
    if bits.take(3) != 7:  # not sRGB
        bits.take(1)
        if profile in (1, 3):
            bits.take(3)
    elif profile in (1, 3):
        bits.take(1)
    width = bits.take(16) + 1
    return width, bits.take(16) + 1
