"""What runs inside the worker that looks at films: `ravdess.picture` over bytes, all that it opens opened before."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadClip, Reject
from ravdess.frames import FRAME_SETS, FrameSet, frame_set
from ravdess.predict.windows import spans

if TYPE_CHECKING:
    from ravdess.picture.faces import Face

FINDER: Final = "face_48"
"""The set by which a face is looked for where a model takes whole pictures."""
CROWD: Final = 0.5
"""Share of the pictures looked at that show several faces, from which on there are several."""


def prepare() -> None:
    """Make every set of a tiny film, so that libraries and face detectors are loaded; before the worker is locked."""
    np.median(np.zeros((1, 3)), axis=0)  # of the faces that are found; NumPy imports more for it
    import av

    from ravdess.picture import pictures

    av.logging.set_level(av.logging.PANIC)
    film = io.BytesIO()
    with av.open(film, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode())
    pictures(film.getvalue(), [FRAME_SETS[name] for name in FRAME_SETS if FRAME_SETS[name].modality == "picture"])


def watch(
    data: bytes, *, name: str, sets: list[str], seconds: float, longest: float, most: int
) -> tuple[dict[str, Any], bytes]:
    """Inside the worker: the frame sets of a film, whole or by windows, from one decoding.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        For error messages.
    sets : list of str
        Made from pictures.
    seconds : float
        How long the file's sound is; windows are laid over the longer of both.
    longest : float
        Most seconds of film.
    most : int
        Most bytes of pictures.

    Returns
    -------
    facts : dict
        ``seconds``, and ``scenes``: start, end, whether a face was found and whether there are several, and for each
        set the shape of its take. A scene after the film's end has no takes.
    raw : bytes
        The takes, in the order of scenes and sets.
    """
    from ravdess.picture import pictures
    from ravdess.picture.film import film

    wanted = [frame_set(one) for one in sets]
    with film(data) as one:
        count, rate = one.count, one.frame_rate or 1.0
    if count / rate > longest:
        raise BadClip(f"{count / rate:.0f} s of pictures, expected at most {longest:.0f} s; cut the file first")
    stretches = spans(max(seconds, count / rate))
    finder = [] if any(_finds(one) for one in wanted) else [FRAME_SETS[FINDER]]
    every = [*wanted, *finder]
    asked = [
        (at, one)
        for at, (start, end) in enumerate(stretches)
        for one in (every if len(stretches) == 1 else _cut(every, start, end, rate, count))
    ]
    size = sum(len(range(*_range(one, count))) * one.frame_bytes for _, one in asked)
    if size > most:
        raise BadClip(
            f"its pictures for {', '.join(sets)} are {size / 1e6:.0f} MB, expected at most {most / 1e6:.0f} MB; "
            "cut the file first"
        )
    scenes: list[dict[str, Any]] = [{"start": a, "end": b, "face": False, "several": False} for a, b in stretches]

    def face(place: int, square: Face) -> None:
        at, made = asked[place]
        scenes[at]["face"] = square.found >= float(made.parameters["face"]["enough"])  # type: ignore[index]
        scenes[at]["several"] = square.several >= CROWD

    raw = []
    for (at, made), take in zip(asked, pictures(data, [one for _, one in asked], face=face, name=name), strict=True):
        if isinstance(take, Reject):
            raise BadClip(take.reason)
        if made.name in sets:
            scenes[at].setdefault("takes", {})[made.name] = list(take.frames.shape)
            raw.append(take.frames.tobytes())
    return {"seconds": count / rate, "scenes": scenes}, b"".join(raw)


def _finds(one: FrameSet) -> bool:
    return "face" in one.parameters


def _cut(sets: list[FrameSet], start: float, end: float, rate: float, count: int) -> list[FrameSet]:
    """The sets, of that stretch of the film alone; none after the film's end."""
    some = []
    for one in sets:
        told = dict(one.parameters)
        stride, first, last = int(told["stride"]), int(told["start"]), told["stop"]  # type: ignore[call-overload]
        # On the set's own grid, so that the windows of a film share the pictures that are decoded.
        told["start"] = first + max(0, -(-(round(start * rate) - first) // stride)) * stride
        told["stop"] = min(round(end * rate), count, *([int(last)] if last is not None else []))  # type: ignore[call-overload]
        cut = replace(one, parameters=told)
        if range(*_range(cut, count)):
            some.append(cut)
    return some


def _range(one: FrameSet, count: int) -> tuple[int, int, int]:
    told: Any = one.parameters
    return told["start"], count if told["stop"] is None else min(told["stop"], count), told["stride"]
