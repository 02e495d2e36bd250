"""Faces in camera pictures. Runs in a worker process: a JPEG is decoded by C code that reads whatever was sent.

One picture gives the boxes that are drawn. Several make a take of frames, as a film of them would: one steady square
over the face, by the frame set's own detector.
"""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import BadClip
from ravdess.frames import FRAME_SETS, frame_set
from ravdess.predict.watching import CROWD

if TYPE_CHECKING:
    from ravdess.picture.planes import Planes

LARGEST: Final = 1280 * 960
"""Pixels of a picture."""
SMALLEST: Final = 0.18
"""A face is at least this share of the picture's shorter side: people at a camera are near."""
NEIGHBOURS: Final = 6
"""Overlapping finds that make a face (Viola & Jones 2001, doi 10.1109/CVPR.2001.990517)."""


def prepare() -> None:
    """Load OpenCV and its cascade, before the process may open nothing more."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    np.median(np.zeros((1, 3)), axis=0)  # of the faces that are found; NumPy imports more for it
    jpeg = cv2.imencode(".jpg", _grey())[1].tobytes()
    look(jpeg)
    _take([jpeg], [name for name in FRAME_SETS if FRAME_SETS[name].modality == "picture"])


def look(data: bytes, sizes: list[int] | None = None, sets: list[str] | None = None) -> tuple[dict[str, Any], bytes]:
    """Inside the worker: the boxes of the faces in a JPEG, the largest first; or, of several JPEGs, a take.

    Parameters
    ----------
    data : bytes
        A JPEG, or several one after the other.
    sizes : list of int, optional
        Bytes of each of several.
    sets : list of str, optional
        The frame sets that are made of several.

    Returns
    -------
    facts : dict
        ``boxes``: x, y, width and height as shares of the picture. Of several: whether there is a ``face``, whether
        ``several``, and the ``shapes`` of the takes by set.
    raw : bytes
        The takes.
    """
    if sizes is not None:
        ends = list(itertools.accumulate(sizes))
        return _take([data[end - size : end] for size, end in zip(sizes, ends, strict=True)], sets or [])
    grey = _decoded(data, colour=False)
    return {"boxes": _boxes(grey)}, b""


def _boxes(grey: Any) -> list[list[float]]:
    import cv2

    height, width = grey.shape
    least = max(24, round(SMALLEST * min(width, height)))
    found = _cascade().detectMultiScale(cv2.equalizeHist(grey), 1.12, NEIGHBOURS, minSize=(least, least))
    boxes = sorted(([int(value) for value in box] for box in found), key=lambda box: -box[2] * box[3])
    shares = [
        [round(x / width, 4), round(y / height, 4), round(w / width, 4), round(h / height, 4)] for x, y, w, h in boxes
    ]
    return shares[:8]


def _take(jpegs: list[bytes], sets: list[str]) -> tuple[dict[str, Any], bytes]:
    """The pictures as frame sets."""
    import numpy as np

    from ravdess.picture import faces
    from ravdess.picture.planes import stretch

    wanted = [frame_set(name) for name in sets]
    colour = any(one.shape[2] == 3 for one in wanted)
    pictures = [_planes(_decoded(jpeg, colour=colour)) for jpeg in jpegs]
    if len({one.y.shape for one in pictures}) != 1:
        raise BadClip("camera pictures of several sizes")
    how = next((dict(one.parameters["face"]) for one in wanted if "face" in one.parameters), faces.HAAR)  # type: ignore[call-overload]
    square = faces.face([one.y for one in pictures], how)
    shapes, raw = {}, []
    for one in wanted:
        height, width, channels = one.shape
        if "face" in one.parameters:
            frames = [stretch(square.crop(picture.y, height), full=True)[:, :, None] for picture in pictures]
        else:
            parts = [picture.part(float(one.parameters["aspect"])) for picture in pictures]  # type: ignore[arg-type]
            frames = [
                part.grey(width, height)[:, :, None] if channels == 1 else part.rgb(width, height) for part in parts
            ]
        shapes[one.name] = [len(frames), *one.shape]
        raw.append(np.stack(frames).tobytes())
    facts = {"face": square.found >= how["enough"], "several": square.several >= CROWD, "shapes": shapes}
    return facts, b"".join(raw)


def _planes(picture: Any) -> Planes:
    """A picture as a film has it: luma and colour differences of ITU-R BT.601, of full range (JFIF 1.02)."""
    import cv2

    from ravdess.picture.planes import Planes

    if picture.ndim == 2:
        return Planes(picture, None, None, full=True, space=5)
    y, v, u = cv2.split(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
    return Planes(y, u, v, full=True, space=5)


def _decoded(data: bytes, *, colour: bool) -> Any:
    """The pixels of a JPEG, grey or blue, green and red. Raises BadClip for anything else."""
    import cv2
    import numpy as np

    if data[:3] != b"\xff\xd8\xff":
        raise BadClip("a camera picture is a JPEG")
    width, height = _size(data)
    if not 0 < width * height <= LARGEST:
        raise BadClip(f"a picture of {width} x {height}, expected at most {LARGEST} pixels")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise BadClip("a broken JPEG")
    return picture


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
