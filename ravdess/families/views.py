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
    all: Callable[[Pictures, Params], Pictures | Floats]


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


def merged(take: Pictures, step: int) -> Floats:
    """Means of `step` frames of sound at a time [shape=(n // step, bands)]; of fewer frames, the mean of all."""
    bands = take[:, :, 0, 0]
    step = min(step, len(bands))
    parts = bands[: len(bands) // step * step].astype(np.float32).reshape(-1, step, bands.shape[1])
    means: Floats = parts.sum(axis=1) / np.float32(step)
    return means


def between(rows: Floats, places: NDArray[np.float64]) -> Floats:
    """Rows at fractional `places`, between their neighbours; beyond the ends, the end."""
    last = len(rows) - 1
    inside = np.minimum(np.maximum(places, 0), last)
    low = inside.astype(np.intp)
    mixed = rows.take(low, axis=0)
    mixed += (inside - low).astype(np.float32)[:, None] * (rows.take(np.minimum(low + 1, last), axis=0) - mixed)
    return mixed


def window(bands: Floats, length: int, at: float) -> Floats:
    """`length` frames of sound [shape=(n, bands)].

    Of a longer take those that begin at the share `at` (0 … 1) of what is too much. A shorter one lies at that share of
    the room, amid its own quietest moment of each band.
    """
    if len(bands) >= length:
        first = round(at * (len(bands) - length))
        return bands[first : first + length]
    full = np.repeat(bands.min(axis=0, keepdims=True), length, axis=0)
    first = round(at * (length - len(bands)))
    full[first : first + len(bands)] = bands
    return full


def masked(view: Floats, params: Params, rng: Random) -> Floats:
    """SpecAugment (Park et al. 2019, arXiv 1904.08779): a stripe of bands and one of time become the mean."""
    mean = view.mean(axis=0)
    for axis, most in ((1, whole(params, "band_mask")), (0, whole(params, "time_mask"))):
        wide = int(rng.integers(0, min(most, view.shape[axis]) + 1))
        first = int(rng.integers(0, view.shape[axis] - wide + 1))
        stripe = slice(first, first + wide)
        if axis:
            view[:, stripe] = mean[stripe]
        else:
            view[stripe] = mean
    return view


def _heard(take: Pictures, params: Params, rng: Random) -> Floats:
    bands = merged(take, whole(params, "step"))
    if (stretch := number(params, "stretch")) > 1:
        speed = stretch ** rng.uniform(-1, 1)
        bands = between(bands, np.arange(max(1, int(len(bands) / speed))) * speed)
    view = window(bands, whole(params, "length"), rng.random())
    if shift := number(params, "shift"):
        # Larger and smaller heads: the bands are moved and drawn out or together (Jaitly & Hinton 2013).
        places = np.arange(view.shape[1]) * (1 + rng.uniform(-1, 1) * shift / view.shape[1])
        view = between(view.T, places + rng.uniform(-1, 1) * shift).T
    view = view + np.float32(rng.normal() * number(params, "gain"))
    return masked(view, params, rng)[:, :, None]


def _windows(take: Pictures, params: Params) -> Floats:
    length, bands = whole(params, "length"), merged(take, whole(params, "step"))
    places = (0.0, 0.5, 1.0) if len(bands) > length else (0.5,)
    return np.stack([window(bands, length, at) for at in places])[..., None]


HEARD_SPACE: Final[Space] = {
    "gain": Real(0.0, 12.0, step=4.0),
    "shift": Real(0.0, 3.0, step=1.0),
    "stretch": Real(1.0, 1.25, step=0.1),
    "band_mask": Integer(0, 16, step=4.0),
    "time_mask": Integer(0, 16, step=4.0),
    "mixup": Real(0.0, 0.8, step=0.2),
}
HEARD: Final[Params] = {
    "gain": 4.0, "shift": 1.0, "stretch": 1.1, "band_mask": 6, "time_mask": 6, "mixup": 0.4, "step": 3
}  # fmt: skip
"""How sound is varied: `gain` in bytes (a deviation), up to `shift` bands higher or lower, up to `stretch` times slower
or faster, the masks' widest stripes in bands and frames, each of which is the mean of `step`."""
WINDOWS: Final = Views(shape=lambda frame, params: (whole(params, "length"), frame[0], 1), draw=_heard, all=_windows)
"""Windows of `length` frames of sound, moved in time and varied as `HEARD` says."""


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
