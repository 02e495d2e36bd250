"""How takes become what a network sees: single frames, frame sequences, windows of sound; varied while training.

A **view** is one example, float32 in the units of the frames' bytes. Training draws views at random; a prediction looks
at a fixed set of them, and a take's probability is their mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.families.common import number, whole
from ravdess.families.space import Integer, Real

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families.space import Params, Space
    from ravdess.takes import Pictures, Shape

    Floats = NDArray[np.float32]
    Random = np.random.Generator

LOOKS: Final = 8
"""Most frames of a take that a prediction looks at."""


@dataclass(frozen=True)
class Views:
    """One way to look at takes.

    Attributes
    ----------
    shape : callable
        ``shape(frame, params)``: the shape of a view, of frames (h, w, c).
    draw : callable
        ``draw(take, params, rng)``: a view for training, varied.
    all : callable
        ``all(take, params)``: the views that a prediction looks at [shape=(m, *shape)].
    """

    shape: Callable[[Shape, Params], tuple[int, ...]]
    draw: Callable[[Pictures, Params, Random], Floats]
    all: Callable[[Pictures, Params], Pictures]


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """`most` places evenly over `count`, the middle of each part."""
    return ((np.arange(most) + 0.5) * count / most).astype(np.intp)


# Pictures -------------------------------------------------------------------------------------------------------------


def vary(pictures: Pictures, rng: Random) -> Floats:
    """Frames [shape=(n, h, w, c)] alike mirrored, moved by up to 8 %, and made brighter or darker by up to a fifth."""
    height, width = pictures.shape[1:3]
    down, right = (int(rng.integers(-side * 2 // 25, side * 2 // 25 + 1)) for side in (height, width))
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    if rng.random() < 0.5:
        columns = columns[::-1]
    moved = pictures[:, rows[:, None], columns].astype(np.float32)
    moved = moved * np.float32(rng.uniform(0.8, 1.2)) + np.float32(rng.uniform(-20, 20))
    varied: Floats = np.clip(moved, 0, 255)
    return varied


FRAMES: Final = Views(
    shape=lambda frame, params: frame,
    draw=lambda take, params, rng: vary(take[[rng.integers(len(take))]], rng)[0],
    all=lambda take, params: take[_spread(len(take), min(LOOKS, len(take)))],
)
"""Single frames: one drawn at random, up to `LOOKS` asked."""


def _sequence(take: Pictures, params: Params, rng: Random) -> Floats:
    count = whole(params, "frames")
    places = (np.arange(count) + rng.random()) * len(take) / count
    return vary(take[places.astype(np.intp)], rng)


SEQUENCES: Final = Views(
    shape=lambda frame, params: (whole(params, "frames"), *frame),
    draw=_sequence,
    all=lambda take, params: take[_spread(len(take), whole(params, "frames"))][None],
)
"""`frames` frames of a take, evenly spread; training begins at a random moment of the first part."""


# Sound ----------------------------------------------------------------------------------------------------------------


def window(take: Pictures, length: int, at: float) -> Pictures:
    """`length` frames of a take of sound [shape=(n, bands, 1, 1)] as (length, bands, 1).

    Of a longer take those that begin at the share `at` (0 … 1) of what is too much. A shorter one lies at that share of
    the room, amid its own quietest moment of each band.
    """
    bands = take[:, :, :, 0]
    if len(bands) >= length:
        first = round(at * (len(bands) - length))
        return bands[first : first + length]
    full = np.repeat(bands.min(axis=0, keepdims=True), length, axis=0)
    first = round(at * (length - len(bands)))
    full[first : first + len(bands)] = bands
    return full


def masked(view: Floats, params: Params, rng: Random) -> Floats:
    """SpecAugment (Park et al. 2019, arXiv 1904.08779): two stripes of bands and two of time become the mean."""
    for axis, most in ((1, whole(params, "band_mask")), (0, whole(params, "time_mask"))):
        for _ in range(2):
            wide = int(rng.integers(0, most + 1))
            first = int(rng.integers(0, view.shape[axis] - wide + 1))
            stripe = [slice(None)] * 3
            stripe[axis] = slice(first, first + wide)
            view[tuple(stripe)] = view.mean(axis=0, keepdims=True)[(slice(None), *stripe[1:])]
    return view


def _heard(take: Pictures, params: Params, rng: Random) -> Floats:
    thinned = take[int(rng.integers(min(whole(params, "step"), len(take)))) :: whole(params, "step")]
    view = window(thinned, whole(params, "length"), rng.random()).astype(np.float32)
    view += np.float32(rng.normal() * number(params, "gain"))
    return masked(view, params, rng)


def _windows(take: Pictures, params: Params) -> Pictures:
    length, thinned = whole(params, "length"), take[:: whole(params, "step")]
    places = (0.0, 0.5, 1.0) if len(thinned) > length else (0.5,)
    return np.stack([window(thinned, length, at) for at in places])


HEARD_SPACE: Final[Space] = {
    "gain": Real(0.0, 20.0, step=5.0),
    "band_mask": Integer(0, 24, step=6.0),
    "time_mask": Integer(0, 48, step=10.0),
    "mixup": Real(0.0, 0.5, step=0.15),
}
HEARD: Final[Params] = {"gain": 6.0, "band_mask": 8, "time_mask": 10, "mixup": 0.0, "step": 2}
"""How sound is varied: `gain` in bytes, the masks' widest stripes in bands and frames, of which every
`step`-th is used."""
WINDOWS: Final = Views(shape=lambda frame, params: (whole(params, "length"), frame[0], 1), draw=_heard, all=_windows)
"""Windows of `length` frames of sound, moved in time, louder or softer by `gain` bytes (a deviation), and masked."""


def refuse_pictures(shape: Shape) -> str:
    """Why frames are no sound: they are not (bands, 1, 1) with at least 16 bands."""
    return "" if shape[1:] == (1, 1) and shape[0] >= 16 else "takes sound, frames of (bands, 1, 1) such as logmel"


def refuse_sound(side: int, *, exactly: Shape | None = None) -> Callable[[Shape], str]:
    """Why frames are no pictures for a network: sound, smaller than `side` pixels, or not `exactly` so."""

    def unfit(shape: Shape) -> str:
        if exactly is not None and tuple(shape) != exactly:
            return f"takes frames of {exactly}"
        if min(shape[:2]) < side or shape[2] not in (1, 3):
            return f"takes pictures of at least {side} by {side} pixels, grey or RGB"
        return ""

    return unfit
