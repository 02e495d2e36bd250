"""The frame sets that are made from pictures: whole ones and faces, every fifth of a take.

Another stride or size is another set: make one by `whole` or `crop`, and register it under a name of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from ravdess.frames import FRAME_SETS, FrameSet
from ravdess.picture import faces

STRIDE: Final = 5
"""Every fifth picture: six a second."""
ASPECT: Final = 16 / 9

_WHOLE_COLUMNS: Final = ("frame_rate",)
_FACE_COLUMNS: Final = (*_WHOLE_COLUMNS, "face_found", "face_x", "face_y", "face_size")
_UNITS: Final = {
    "frame_rate": "pictures a second of the clip, before any is left out",
    "face_found": "share of the pictures looked at that showed a face; 0 ... 1",
    "face_x": "middle of the square, share of the picture's width",
    "face_y": "middle of the square, share of the picture's height",
    "face_size": "side of the square, share of the picture's height",
}
_RESIZED: Final = "planes halved by 2x2 means while possible, then by area"
_DECK: Final = "Frames of RAVDESS at the size of the seed deck's networks"


def whole(
    name: str, width: int, height: int, *, grey: bool, stride: int = STRIDE, start: int = 0, stop: int | None = None
) -> FrameSet:
    """A set of whole pictures: the centred 16:9 part (all of a publisher's picture), scaled to width x height.

    Where that is no 16:9, as 256x256, width and height are scaled apart.
    """
    return FrameSet(
        name,
        (height, width, 1 if grey else 3),
        "picture",
        _WHOLE_COLUMNS,
        {
            "part": "whole",
            "aspect": ASPECT,
            "colour": "luma stretched to 0 ... 255" if grey else "RGB by the clip's own matrix",
            "resized": _RESIZED,
            **_every(stride, start, stop),
        },
        units={**_told(_WHOLE_COLUMNS), "frames": "grey, 0 black ... 255 white" if grey else "red, green, blue"},
        source=_DECK,
    )


def crop(
    name: str,
    side: int,
    how: Mapping[str, object] = faces.HAAR,
    *,
    stride: int = STRIDE,
    start: int = 0,
    stop: int | None = None,
) -> FrameSet:
    """A set of faces: one square a take (`ravdess.picture.faces`), grey, scaled to side x side."""
    return FrameSet(
        name,
        (side, side, 1),
        "picture",
        _FACE_COLUMNS,
        {
            "part": "face",
            "face": dict(how),
            "colour": "luma stretched to 0 ... 255",
            "resized": _RESIZED,
            **_every(stride, start, stop),
        },
        units={**_told(_FACE_COLUMNS), "frames": "grey, 0 black ... 255 white"},
        source="Viola & Jones (2001), doi 10.1109/CVPR.2001.990517, as in OpenCV"
        if how["detector"] == "haar"
        else "Wu et al. (2023), doi 10.1007/s11633-023-1423-y",
    )


def _every(stride: int, start: int, stop: int | None) -> dict[str, object]:
    return {"stride": stride, "start": start, "stop": stop}


def _told(columns: tuple[str, ...]) -> dict[str, str]:
    return {column: _UNITS[column] for column in columns}


for _one in (
    whole("frames_720p", 1280, 720, grey=False),
    whole("frames_640x360", 640, 360, grey=False),
    whole("frames_256", 256, 256, grey=True),
    crop("face_48", 48),
    crop("face_96", 96),
):
    FRAME_SETS.register(_one)
if _model := os.environ.get(faces.YUNET):
    for _side in (48, 96):
        FRAME_SETS.register(crop(f"face_{_side}_yunet", _side, faces.yunet(_model)))
