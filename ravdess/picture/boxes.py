"""What an MP4 file claims, before FFmpeg believes it: how many samples its tables promise.

A table may say in a few bytes that a billion samples of one size follow, and FFmpeg makes an index of them before a
single one is read. No file can hold more samples than it has bytes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO, Final

from ravdess.errors import BadClip

MOST_SAMPLES: Final = 10_000_000
"""Of all tracks together; ten minutes of pictures and sound are some 50,000."""

_HOLDERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
_COUNT_AT: Final = {b"stsz": 8, b"stz2": 8, b"trun": 4}  # bytes into the box's content, after version and flags
_DEEPEST: Final = 8
_MOST_BOXES: Final = 100_000


def check(file: BinaryIO) -> None:
    """Raise BadClip when an MP4 file's tables promise more than the file can hold. The position is not kept."""
    size = file.seek(0, io.SEEK_END)
    promised = 0
    for number, (kind, start, end) in enumerate(_boxes(file, 0, size, 0)):
        if number > _MOST_BOXES:
            raise BadClip(f"an MP4 file of more than {_MOST_BOXES} boxes; a clip has some fifty")
        if kind == b"cmov":
            raise BadClip("its header is compressed, as no MP4 file is any more; save it anew")
        if kind in _COUNT_AT and start + 12 <= end:
            file.seek(start + _COUNT_AT[kind])
            promised += int.from_bytes(file.read(4), "big")
    if promised > min(size, MOST_SAMPLES):
        raise BadClip(f"broken: its header promises {promised} samples in {size} bytes")


def _boxes(file: BinaryIO, at: int, end: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of every box that matters here."""
    while at + 8 <= end:
        file.seek(at, os.SEEK_SET)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind, skip = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, skip = int.from_bytes(head[8:16], "big"), 16
        stop = end if size == 0 else min(at + size, end)
        if stop < at + skip:  # a box smaller than its own head
            return
        yield kind, at + skip, stop
        if kind in _HOLDERS and depth < _DEEPEST:
            yield from _boxes(file, at + skip, stop, depth + 1)
        at = stop
