"""Pictures without what cameras write into them: places, times, owners, thumbnails.

The picture itself is not touched: whole segments are left out, and of what a camera says only how
the picture is to be turned is kept. What lies behind the picture's end (other pictures, films) goes
as well.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from e2ecore.attachments.errors import UnknownPictureError

_JPEG: Final = b"\xff\xd8"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_BEGINNINGS: Final = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(re.escape(_PNG)),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "image/tiff": re.compile(rb"II\*\0|MM\0\*"),
    "image/avif": re.compile(rb".{4}ftypavi[fs]", re.DOTALL),
    "image/heif": re.compile(rb".{4}ftyp(?:he[iv][cmsx]|mif1|msf1)", re.DOTALL),
    "image/x-canon-cr3": re.compile(rb".{4}ftypcrx ", re.DOTALL),
    "image/jxl": re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n"),
}
"""Kinds that can say where they were taken. What cameras call raw mostly begins like TIFF."""
_SOI, _SOS, _EOI, _APP0, _COMMENT = 0xD8, 0xDA, 0xD9, 0xE0, 0xFE
_ICC, _ADOBE, _EXIF = 0xE2, 0xEE, 0xE1
_MARK: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP",
     b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT"}
)  # fmt: skip
_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_EXIF_AND_XMP: Final = 0x0C
_WEBP_EXIF: Final = 0x08
_EXIF_HEAD: Final = b"Exif\0\0"
_JFIF_BYTES: Final = 18
"""Of a JFIF segment without a thumbnail."""
_ORIENTATION: Final = 0x0112
_TURNS: Final = range(2, 9)


def picture_type(start: bytes) -> str | None:
    """Return the media type of what begins like a picture; None: it begins like something else.

    Also of pictures that ``stripped`` refuses.
    """
    return next((kind for kind, begins in _BEGINNINGS.items() if begins.match(start)), None)


def is_picture(start: bytes) -> bool:
    """Is this the beginning of a picture of a kind that ``stripped`` knows?"""
    is_webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return is_webp or start.startswith((_JPEG, _PNG, b"GIF8"))


def stripped(data: bytes) -> bytes:
    """Return a JPEG, PNG, GIF or WebP picture without what says where, when and by whom.

    Raises:
        UnknownPictureError: It is none of these, or broken.
    """
    try:
        if data.startswith(_JPEG):
            return _jpeg(data)
        if data.startswith(_PNG):
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data.startswith(b"GIF8"):
            return _gif(data)
    except (struct.error, IndexError):
        raise UnknownPictureError from None
    raise UnknownPictureError


def _jpeg(data: bytes) -> bytes:
    kept, turn = [], 1
    for marker, segment in _jpeg_segments(data):
        if marker == _EXIF:
            if segment[4:10] == _EXIF_HEAD:
                turn = _turn_of(segment[10:])
        elif marker == _APP0:
            kept.append(_jfif(segment))
        elif _is_kept(marker, segment):
            kept.append(segment)
    return b"".join((_JPEG, _exif_segment(turn), *kept))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield every segment up to the mark of the end, with its marker; a scan with what it shows."""
    at, marker = len(_JPEG), 0
    while marker != _EOI:
        while data[at : at + 2] == b"\xff\xff":  # what may fill before a marker
            at += 1
        marker = _marker(data, at)
        end = at + 2
        if marker != _EOI:
            end += int.from_bytes(data[at + 2 : at + 4])
            if end > len(data) or end < at + 4:
                raise UnknownPictureError
        if marker == _SOS:
            found = _MARK.search(data, end)
            if found is None:
                raise UnknownPictureError
            end = found.start()
        yield marker, data[at:end]
        at = end


def _marker(data: bytes, at: int) -> int:
    """Return the marker where a segment begins; none that stands alone but that of the end."""
    if data[at] != 0xFF or data[at + 1] <= 0x01 or 0xD0 <= data[at + 1] <= _SOI:  # noqa: PLR2004
        raise UnknownPictureError
    return data[at + 1]


def _jfif(segment: bytes) -> bytes:
    """Return what says how wide and high a pixel is, without a thumbnail; or nothing."""
    if segment[4:9] != b"JFIF\0" or len(segment) < _JFIF_BYTES:
        return b""
    return b"\xff\xe0\0\x10" + segment[4:16] + b"\0\0"


def _is_kept(marker: int, segment: bytes) -> bool:
    if marker == _ICC:
        return segment[4:16] == b"ICC_PROFILE\0"
    if marker == _ADOBE:
        return segment[4:9] == b"Adobe"
    return not _APP0 <= marker <= _APP0 + 15 and marker != _COMMENT


def _turn_of(tiff: bytes) -> int:
    """Return how a picture is to be turned, 1 to 8, as its camera says; 1 if it does not."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:  # noqa: PLR2004 - the head of a TIFF file
        return 1
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, _kind, _number, value = struct.unpack_from(f"{order}HHIH", tiff, at)
        if tag == _ORIENTATION:
            return int(value) if value in _TURNS else 1
    return 1


def _exif(turn: int) -> bytes:
    """Return a TIFF file that says how to turn a picture, and nothing else; or nothing at all."""
    if turn not in _TURNS:
        return b""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, turn, 0, 0)


def _exif_segment(turn: int) -> bytes:
    tiff = _exif(turn)
    return b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + _EXIF_HEAD + tiff if tiff else b""


def _png(data: bytes) -> bytes:
    kept, turn, at = [], 1, len(_PNG)
    while True:
        (size,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + size
        if end > len(data):
            raise UnknownPictureError
        if kind == b"eXIf":
            turn = _turn_of(data[at + 8 : end - 4])
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join((_PNG, *kept[:1], _exif_chunk(turn), *kept[1:]))
        at = end


def _exif_chunk(turn: int) -> bytes:
    tiff = _exif(turn)
    body = b"eXIf" + tiff
    return (
        struct.pack(">I", len(tiff)) + body + struct.pack(">I", zlib.crc32(body)) if tiff else b""
    )


def _webp(data: bytes) -> bytes:
    kept, turn = [], 1
    for kind, chunk in _riff(data):
        if kind == b"EXIF":
            turn = _turn_of(chunk[8:].removeprefix(_EXIF_HEAD))
        elif kind in _WEBP_KEPT:
            kept.append(chunk)
    tiff = _exif(turn)
    if kept and kept[0][:4] == b"VP8X":
        flags = kept[0][8] & ~_WEBP_EXIF_AND_XMP | (_WEBP_EXIF if tiff else 0)
        kept[0] = kept[0][:8] + bytes((flags,)) + kept[0][9:]
        if tiff:
            kept.append(b"EXIF" + struct.pack("<I", len(tiff)) + tiff)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    (total,) = struct.unpack_from("<I", data, 4)
    at, stop = 12, min(len(data), total + 8)
    while at + 8 <= stop:
        (size,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + size + size % 2
        if end > len(data):
            raise UnknownPictureError
        yield data[at : at + 4], data[at:end]
        at = end


def _gif(data: bytes) -> bytes:
    """Leave out comments and what programs have added; animations keep how often they repeat."""
    at = 13 + _gif_table(data[10])
    kept = [data[:at]]
    while True:
        head = data[at]
        if head == 0x3B:  # noqa: PLR2004 - the trailer
            kept.append(b";")
            return b"".join(kept)
        begin = at
        if head == 0x21:  # noqa: PLR2004 - an extension
            at = _gif_blocks(data, at + 2)
            label, name = data[begin + 1], data[begin + 3 : begin + 14]
            if label == 0xF9 or (label == 0xFF and name == b"NETSCAPE2.0"):  # noqa: PLR2004
                kept.append(data[begin:at])
        elif head == 0x2C:  # noqa: PLR2004 - an image
            at = _gif_blocks(data, at + 11 + _gif_table(data[at + 9]))
            kept.append(data[begin:at])
        else:
            raise UnknownPictureError


def _gif_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1
