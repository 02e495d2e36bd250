"""One decoded picture as it lies in memory, upright and with square pixels, and its way to RGB or grey of any size.

Video is stored as luma and, mostly at half the resolution, two colour differences. Each plane is resized where it is,
and only the small picture becomes RGB: for half of 1280x720 that costs a third of what libswscale takes, and the
arithmetic is OpenCV's integer one, the same on every machine.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ravdess.errors import BadClip

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Floats = NDArray[np.float64]

_LAYOUTS: Final = {  # how far the colour differences are halved: across, down
    "yuv420p": (1, 1),
    "yuvj420p": (1, 1),
    "yuv422p": (1, 0),
    "yuvj422p": (1, 0),
    "yuv444p": (0, 0),
    "yuvj444p": (0, 0),
}
_WEIGHTS: Final = {  # Kr and Kb by FFmpeg's number of the colour space (ITU-T H.273, table 4)
    1: (0.2126, 0.0722),  # BT.709
    2: (0.299, 0.114),  # unspecified: BT.601, as FFmpeg and OpenCV take it
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),  # BT.2020
}
_HIGH_RANGE: Final = {16: "PQ", 18: "HLG"}
_FULL_RANGE: Final = 2
_QUARTER_TURNS: Final = {  # the display matrix' (a, b, c, d), by sign -> quarter turns against the clock
    (1, 0, 0, 1): 0,
    (0, -1, 1, 0): 1,
    (-1, 0, 0, -1): 2,
    (0, 1, -1, 0): 3,
}


class Planes(NamedTuple):
    """A picture, upright, its pixels square.

    Attributes
    ----------
    y : np.ndarray [shape=(h, w), dtype=uint8]
        Luma.
    u, v : np.ndarray [dtype=uint8] or None
        Colour differences, at full or half resolution each way; None in a grey picture.
    full : bool
        Luma spans 0 ... 255, not 16 ... 235.
    space : int
        FFmpeg's number of the colour space.
    """

    y: Image
    u: Image | None
    v: Image | None
    full: bool
    space: int

    def part(self, aspect: float) -> Planes:
        """The largest centred part of that width-to-height ratio; all of it when it has that ratio already."""
        height, width = self.y.shape
        wide, high = min(width, round(height * aspect)), min(height, round(width / aspect))
        if width - wide < 2 and height - high < 2:
            return self
        left, top = (width - wide) // 4 * 2, (height - high) // 4 * 2

        def cut(plane: Image) -> Image:
            across, down = -(-width // plane.shape[1]), -(-height // plane.shape[0])
            return plane[top // down : -(-(top + high) // down), left // across : -(-(left + wide) // across)]

        u, v = (None if plane is None else cut(plane) for plane in (self.u, self.v))
        return self._replace(y=cut(self.y), u=u, v=v)

    def grey(self, width: int, height: int) -> Image:
        """Luma of that size, stretched to 0 ... 255 [shape=(height, width)]."""
        return stretch(shrink(self.y, width, height), full=self.full)

    def rgb(self, width: int, height: int) -> Image:
        """The picture in that size [shape=(height, width, 3)]."""
        import cv2

        if self.u is None or self.v is None:
            grey = self.grey(width, height)
            return np.repeat(grey[:, :, None], 3, axis=2)
        small = [shrink(plane, width, height) for plane in (self.y, self.u, self.v)]
        rgb: Image = np.asarray(cv2.transform(cv2.merge(small), _matrix(self.space, self.full)), np.uint8)
        return rgb


def planes(frame: VideoFrame, sar: float = 1.0, turns: int | None = None) -> Planes:
    """The planes of a decoded frame, valid as long as they are held.

    Parameters
    ----------
    frame : av.VideoFrame
        Of any pixel format: what is not 8-bit YUV or grey is converted first.
    sar : float > 0
        Width of a pixel over its height.
    turns : int, optional
        Quarter turns against the clock that set it upright, as `upright` tells them of a film's first picture. PyAV
        ties a frame that is asked for it into a cycle, which is freed late: ask once a film.

    Raises
    ------
    BadClip
        A colour space, range or orientation that would come out wrong.
    """
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    turns = upright(frame) if turns is None else turns
    kind = frame.format.name
    if frame.color_trc in _HIGH_RANGE:
        raise BadClip(f"high dynamic range ({_HIGH_RANGE[frame.color_trc]}); convert the clip to standard range first")
    if kind != "gray" and kind not in _LAYOUTS:
        rgb = frame.format.is_rgb
        frame = frame.reformat(
            format="yuv444p",
            interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
            dst_colorspace=Colorspace.ITU601 if rgb else None,
            dst_color_range=ColorRange.MPEG if rgb else None,
            threads=1,
        )
        space, full = (5, False) if rgb else (frame.colorspace, frame.color_range == _FULL_RANGE)
        kind = "yuv444p"
    else:
        space = frame.colorspace
        full = frame.color_range == _FULL_RANGE or kind.startswith("yuvj") or kind == "gray"  # as FFmpeg takes it
    if kind != "gray" and space not in _WEIGHTS:
        raise BadClip(f"colour space {space} of ITU-T H.273 is not known here; convert the clip to BT.709")
    count = 1 if kind == "gray" else 3
    stored = [_stored(plane) for plane in frame.planes[:count]]
    if sar != 1:
        stored = _squared(stored, sar, _LAYOUTS.get(kind, (0, 0))[0])
    if turns:
        stored = [np.ascontiguousarray(np.rot90(plane, turns)) for plane in stored]
    y, u, v = stored if count == 3 else (stored[0], None, None)
    return Planes(y, u, v, full, int(space))


def shrink(plane: Image, width: int, height: int) -> Image:
    """A plane in another size: halved by means of 2x2 while that is possible, then by area; enlarged bilinearly."""
    import cv2

    while plane.shape[1] >= 2 * width and plane.shape[0] >= 2 * height:
        down, across = plane.shape[0] // 2, plane.shape[1] // 2
        even = plane[: 2 * down, : 2 * across]
        plane = np.asarray(cv2.resize(even, (across, down), interpolation=cv2.INTER_AREA), np.uint8)
    if plane.shape == (height, width):
        return plane
    smaller = plane.shape[1] >= width and plane.shape[0] >= height
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized: Image = np.asarray(cv2.resize(plane, (width, height), interpolation=way), np.uint8)
    return resized


def stretch(luma: Image, *, full: bool) -> Image:
    """Luma 16 ... 235 stretched to grey 0 ... 255; left alone when it is `full` already."""
    import cv2

    if full:
        return luma
    grey: Image = np.asarray(cv2.LUT(luma, _table()), np.uint8)
    return grey


@cache
def _table() -> Image:
    table: Image = np.rint((np.arange(256) - 16) * (255 / 219)).clip(0, 255).astype(np.uint8)
    return table


@cache
def _matrix(space: int, full: bool) -> Floats:
    """(Y, U, V, 1) -> (R, G, B), 3x4 (ITU-T H.273, 8.3)."""
    red, blue = _WEIGHTS[space]
    green = 1 - red - blue
    bright, colour, black = (1.0, 1.0, 0.0) if full else (255 / 219, 255 / 224, 16.0)
    to_red, to_blue = 2 * (1 - red) * colour, 2 * (1 - blue) * colour
    rows = np.array(
        (
            (bright, 0.0, to_red),
            (bright, -to_blue * blue / green, -to_red * red / green),
            (bright, to_blue, 0.0),
        )
    )
    return np.column_stack((rows, rows @ np.array((-black, -128.0, -128.0))))


def _stored(plane: Any) -> Image:
    """A plane as it lies in FFmpeg's memory, without its padding."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _squared(stored: list[Image], sar: float, halved: int) -> list[Image]:
    """The planes with square pixels: stretched or shrunk in width."""
    import cv2

    across = max(1, round(stored[0].shape[1] * sar / (1 << halved)))
    widths = [across << halved, across, across]
    way = cv2.INTER_AREA if sar < 1 else cv2.INTER_LINEAR
    squared = []
    for plane, width in zip(stored, widths, strict=False):
        resized: Image = np.asarray(cv2.resize(plane, (width, plane.shape[0]), interpolation=way), np.uint8)
        squared.append(resized)
    return squared


def upright(frame: VideoFrame) -> int:
    """Quarter turns against the clock that set the picture upright."""
    side_data: Any = frame.side_data  # typed as a mapping of names, but it is a sequence
    matrix = next((data for data in side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return 0
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    signs = tuple((value > 0) - (value < 0) for value in (a, b, c, d))
    if signs not in _QUARTER_TURNS:
        raise BadClip("its picture is to be shown mirrored or askew; save the clip upright first")
    return _QUARTER_TURNS[signs]
