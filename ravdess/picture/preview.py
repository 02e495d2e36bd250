"""The contact sheet: a few takes, a few pictures of each with the face's square drawn in, and the crop beside it.

For looking at before a night of decoding: is it the face, does it fill the square, does the head leave it?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadClip
from ravdess.picture.decode import decoded, picked
from ravdess.picture.faces import HAAR, Face, face
from ravdess.picture.film import film
from ravdess.picture.sets import STRIDE
from ravdess.picture.take import SEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

SHOWN: Final = 4
"""Pictures a take."""

_HEIGHT: Final = 180
_WIDE: Final = _HEIGHT * 16 // 9
_LINE: Final = 20
_GREEN, _RED, _INK, _PAPER = (40, 180, 60), (220, 40, 40), (30, 30, 30), 255


def sheet(takes: Sequence[tuple[str, bytes | str]], how: dict[str, Any] | None = None) -> bytes:
    """Draw a contact sheet.

    Parameters
    ----------
    takes : sequence of (name, source)
        At least one; sources as in `ravdess.picture.pictures`.
    how : dict, optional
        Parameters of the face detector, `faces.HAAR` by default.

    Returns
    -------
    bytes
        A PNG. A row a take: its name, where and how surely the face was found (green; red where it was not and the
        square is the fallback), SHOWN pictures and their crops. A clip that cannot be used says why.
    """
    import cv2

    rows = [_row(name, source, how or HAAR) for name, source in takes]
    encoded: Image = cv2.imencode(".png", np.concatenate(rows)[:, :, ::-1])[1]
    return encoded.tobytes()


def _row(name: str, source: bytes | str, how: dict[str, Any]) -> Image:
    row = np.full((_LINE + _HEIGHT, SHOWN * (_WIDE + _HEIGHT), 3), _PAPER, np.uint8)
    try:
        small, crops, square, count, rate = _looked(source, how)
    except BadClip as error:
        _write(row, f"{name}: {error}", _RED)
        return row[:_LINE]
    sure = square.found >= how["enough"]
    words = "face in" if sure else "NO FACE, fallback;"
    _write(
        row,
        f"{name}: {count} pictures at {rate:.2f} a second; {words} {square.found:.0%} of those looked at, "
        f"middle {square.x:.3f} {square.y:.3f}, size {square.size:.3f}",
        _INK if sure else _RED,
    )
    for at, (picture, crop) in enumerate(zip(small, crops, strict=True)):
        left = at * (_WIDE + _HEIGHT)
        _draw(picture, square, _GREEN if sure else _RED)
        row[_LINE:, left : left + picture.shape[1]] = picture
        row[_LINE:, left + _WIDE : left + _WIDE + _HEIGHT] = crop[:, :, None]
    return row


def _looked(source: bytes | str, how: dict[str, Any]) -> tuple[list[Image], list[Image], Face, int, float]:
    """Small pictures, crops and the square, from the pictures that the sets would pick."""
    with film(source) as one:
        pick = picked(one.count, STRIDE)
        shown = {pick[round(at)] for at in np.linspace(0, len(pick) - 1, SHOWN)}
        seen: list[Image] = []
        small: list[Image] = []
        lumas: list[Image] = []
        for number, planes in decoded(one, pick):
            if len(seen) < SEEN:
                seen.append(planes.y.copy())
            if number in shown:
                height, width = planes.y.shape
                fit = min(_WIDE / width, _HEIGHT / height)
                part = planes.rgb(max(1, round(width * fit)), max(1, round(height * fit)))
                small.append(np.pad(part, ((0, _HEIGHT - part.shape[0]), (0, 0), (0, 0)), constant_values=_PAPER))
                lumas.append(planes.grey(width, height))
        square = face(seen, how)
        return small, [square.crop(luma, _HEIGHT) for luma in lumas], square, one.count, one.frame_rate


def _draw(picture: Image, square: Face, colour: tuple[int, int, int]) -> None:
    """The square in place; a portrait picture is as wide as its content, and its height is the row's."""
    import cv2

    width, height = picture.shape[1], picture.shape[0]
    half = square.size * height / 2
    low, high = ((round(square.x * width + side), round(square.y * height + side)) for side in (-half, half))
    cv2.rectangle(picture, low, high, colour, 2)


def _write(row: Image, text: str, colour: tuple[int, int, int]) -> None:
    import cv2

    cv2.putText(row, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
