"""Video file -> the pictures that are wanted, one after the other, in memory that does not grow with the clip.

`ravdess.picture.film` has read the packets once without decoding them and numbered their pictures. Here they are read
again, and those that `ravdess.picture.h264` finds needed are decoded, on one thread. What comes is equal, to the byte,
to decoding everything and picking afterwards.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadClip
from ravdess.picture import h264
from ravdess.picture.film import Film, film
from ravdess.picture.planes import Planes, planes, upright

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

MISSING: Final = 1
"""Pictures that may be missing from what was decoded."""


def frames(
    source: bytes | str | os.PathLike[str],
    *,
    stride: int = 5,
    start: int = 0,
    stop: int | None = None,
    size: tuple[int, int] | None = None,
    grey: bool = False,
) -> NDArray[np.uint8]:
    """Every `stride`-th picture of a video file.

    Parameters
    ----------
    source : bytes, path or address
        As in `film`.
    stride, start, stop : int
        Which pictures, as in ``range(start, stop, stride)``.
    size : (width, height), optional
        In pixels; the file's own otherwise. Another shape than the file's stretches the picture.
    grey : bool
        One channel instead of RGB.

    Returns
    -------
    np.ndarray [shape=(n, h, w, 3 or 1), dtype=uint8]

    Raises
    ------
    BadClip
        As `film` and `decoded`.
    """
    taken = []
    with film(source) as one:
        for _, picture in decoded(one, picked(one.count, stride, start, stop)):
            height, width = picture.y.shape
            width, height = size or (width, height)
            taken.append(picture.grey(width, height)[:, :, None] if grey else picture.rgb(width, height))
    if not taken:
        raise BadClip(f"none of its {one.count} pictures is among {start}, {start + stride}, … before {stop}")
    return np.stack(taken)


def picked(count: int, stride: int, start: int = 0, stop: int | None = None) -> range:
    """Numbers of the wanted pictures among `count`, as in ``range(start, stop, stride)``."""
    return range(start, count if stop is None else min(stop, count), stride)


def decoded(one: Film, wanted: Collection[int]) -> Iterator[tuple[int, Planes]]:
    """Decode the wanted pictures of a film.

    Parameters
    ----------
    one : Film
        While it is open.
    wanted : collection of int
        Numbers in the order of showing, 0 ... count - 1; its `in` should be quick (a range, a set).

    Yields
    ------
    number : int
        Ascending.
    planes : Planes
        Valid as long as it is held.

    Raises
    ------
    BadClip
        Damaged, or more than MISSING pictures cannot be decoded.
    """
    import av

    try:
        yield from _chosen(one, wanted)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, BadClip):
            raise
        raise BadClip(f"damaged pictures: {getattr(error, 'strerror', None) or error}") from error


def _chosen(one: Film, wanted: Collection[int]) -> Iterator[tuple[int, Planes]]:
    codec = one.stream.codec_context
    keep = h264.needed(one.roles, one.numbers, wanted) if one.by_time else b"\1" * len(one.roles)
    given = came = 0
    last = -1
    turns: int | None = None
    for at, packet in enumerate(_packets(one)):
        if packet is not None:
            if not keep[at]:
                continue
            given += not one.by_time or one.numbers[at] >= 0
        for frame in codec.decode(packet):
            number = one.by_time.get(frame.pts or 0, -1) if one.by_time else came
            came += 1
            if frame.is_corrupt:
                raise BadClip(f"damaged: picture {number} cannot be decoded whole")
            if number not in wanted:
                continue
            if (frame.width, frame.height) != one.size:
                raise BadClip(f"its pictures change from {one.size} to {(frame.width, frame.height)} pixels")
            if number <= last:
                raise BadClip(f"picture {number} comes after picture {last}; save the clip anew")
            last = number
            turns = upright(frame) if turns is None else turns
            yield number, planes(frame, one.pixel, turns)
    gc.collect(1)  # the frame that was asked which way is up, which PyAV ties into a cycle
    if given - came > MISSING:
        raise BadClip(f"damaged: {given - came} of {given} pictures cannot be decoded")


def _packets(one: Film) -> Iterator[Packet[VideoStream] | None]:
    """The packets again, as they were read first, then None, upon which the decoder gives what it still holds."""
    if one.stream.codec_context.is_open:
        one.stream.codec_context.flush_buffers()
    one.container.seek(one.first or 0, stream=one.stream)
    at = 0
    for packet in one.container.demux(one.stream):
        if not packet.size:
            continue
        if at == len(one.roles):
            raise BadClip("broken: it holds other packets when it is read again")
        yield packet
        at += 1
    if at < len(one.roles):
        raise BadClip("broken: it holds fewer packets when it is read again")
    yield None
