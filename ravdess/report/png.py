"""Small pictures as data addresses, so that a page needs no other file."""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ravdess.report.html import Raw, tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

_DARK_TO_LIGHT = ((13, 8, 40), (38, 52, 120), (24, 110, 142), (58, 168, 132), (170, 210, 78), (250, 236, 140))


def image(pixels: Bytes, words: str, *, shades: bool = False) -> Raw:
    """A picture for a page.

    Parameters
    ----------
    pixels : np.ndarray [shape=(h, w) or (h, w, 1) or (h, w, 3), dtype=uint8]
    words : str
        What a screen reader says.
    shades : bool
        Levels of one channel as colours from dark blue to light yellow, ever lighter, so that they are told apart
        without colour too.
    """
    address = base64.b64encode(png(pixels, shades=shades)).decode()
    height, width = pixels.shape[:2]
    return tag("img", src=f"data:image/png;base64,{address}", alt=words, width=width, height=height)


def png(pixels: Bytes, *, shades: bool = False) -> bytes:
    """The picture as a PNG file (ISO/IEC 15948): 8 bits, no filter."""
    flat = pixels.reshape(*pixels.shape[:2], -1)
    kind = 3 if shades else {1: 0, 3: 2}[flat.shape[2]]
    lines = np.zeros((flat.shape[0], 1 + flat.shape[1] * flat.shape[2]), np.uint8)
    lines[:, 1:] = flat.reshape(flat.shape[0], -1)
    head = struct.pack(">IIBBBBB", flat.shape[1], flat.shape[0], 8, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), *([(b"PLTE", _palette())] if shades else [])]
    chunks += [(b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@cache
def _palette() -> bytes:
    ends = np.array(_DARK_TO_LIGHT, dtype=float)
    at = np.linspace(0, len(ends) - 1, 256)
    colours = np.stack([np.interp(at, range(len(ends)), ends[:, channel]) for channel in range(3)], axis=1)
    return colours.round().astype(np.uint8).tobytes()
