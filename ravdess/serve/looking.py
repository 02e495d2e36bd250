"""Faces in one camera picture. Runs in a worker process: a JPEG is decoded by C code that reads whatever was sent."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from ravdess.errors import BadClip

LARGEST: Final = 1280 * 960
"""Pixels of a picture."""
SMALLEST: Final = 0.18
"""A face is at least this share of the picture's shorter side: people at a camera are near."""
NEIGHBOURS: Final = 6
"""Overlapping finds that make a face (Viola & Jones 2001, doi 10.1109/CVPR.2001.990517)."""


def prepare() -> None:
    """Load OpenCV and its cascade, before the process may open nothing more."""
    import cv2

    cv2.setNumThreads(1)
    picture = _cascade()
    picture.detectMultiScale(cv2.imdecode(cv2.imencode(".jpg", _grey())[1], cv2.IMREAD_GRAYSCALE))


def look(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Inside the worker: the boxes of the faces in a JPEG, the largest first.

    Returns
    -------
    facts : dict
        ``boxes``: x, y, width and height as shares of the picture.
    raw : bytes
        Nothing.
    """
    import cv2
    import numpy as np

    if data[:3] != b"\xff\xd8\xff":
        raise BadClip("a camera picture is a JPEG")
    width, height = _size(data)
    if not 0 < width * height <= LARGEST:
        raise BadClip(f"a picture of {width} x {height}, expected at most {LARGEST} pixels")
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise BadClip("a broken JPEG")
    height, width = grey.shape
    least = max(24, round(SMALLEST * min(width, height)))
    found = _cascade().detectMultiScale(cv2.equalizeHist(grey), 1.12, NEIGHBOURS, minSize=(least, least))
    boxes = sorted(([int(value) for value in box] for box in found), key=lambda box: -box[2] * box[3])
    shares = [
        [round(x / width, 4), round(y / height, 4), round(w / width, 4), round(h / height, 4)] for x, y, w, h in boxes
    ]
    return {"boxes": shares[:8]}, b""


def _size(data: bytes) -> tuple[int, int]:
    """Width and height that a JPEG's header tells (ISO/IEC 10918-1, B.2.2), before any memory is given to it."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    raise BadClip("a broken JPEG: its size is not told")


def _grey() -> Any:
    import numpy as np

    return np.zeros((64, 64), np.uint8)


@cache
def _cascade() -> Any:
    import cv2

    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
