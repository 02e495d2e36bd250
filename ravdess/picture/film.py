"""A video file, opened and judged before anything is decoded: its pictures numbered in the order of showing.

The content decides how a file is read, never its name. FFmpeg gets one open file and the name of its container, so no
playlist, no address and no second file can come into play, and only decoders of `CODECS` ever run.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from ravdess.errors import BadClip
from ravdess.picture import boxes, h264
from ravdess.sound.track import container as container_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

CODECS: Final = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mjpeg", "mpeg1video", "mpeg2video")
"""Decoders that may run."""
MOST_PIXELS: Final = 3840 * 2160
"""Of one picture. The decoder is told, so that a stream that grows beyond its header is stopped, too."""
MOST_PICTURES: Final = 50_000
"""Of a clip: nearly half an hour."""
SLACK: Final = 0.25
"""Seconds by which a track may end before its container says."""


@dataclass(frozen=True)
class Film:
    """What is known of a video file before anything is decoded. `ravdess.picture.decode` gives its pictures.

    Attributes
    ----------
    count : int > 0
        Pictures that are shown. The publisher's clips hide their last one, so this may be one fewer than the header
        says.
    frame_rate : float > 0
        Pictures a second, by the times at which they are shown.
    size : (int, int)
        Width and height as stored, before any turn.
    pixel : float
        Width of a pixel over its height.
    roles : list of int
        What each packet is to the others, in the order of decoding (`ravdess.picture.h264`).
    numbers : list of int
        Which picture each packet holds, in the order of showing; -1 for one that is never shown.
    by_time : dict of int -> int
        When each picture is shown, in units of the track. Empty when the track does not tell: then pictures are
        numbered as they come, and all are decoded.
    first : int or None
        When the first packet is decoded, in the same units.
    """

    count: int
    frame_rate: float
    size: tuple[int, int]
    pixel: float
    roles: list[int] = field(repr=False)
    numbers: list[int] = field(repr=False)
    by_time: dict[int, int] = field(repr=False)
    first: int | None = field(repr=False)
    container: InputContainer = field(repr=False)
    stream: VideoStream = field(repr=False)


@contextmanager
def film(source: bytes | str | os.PathLike[str]) -> Iterator[Film]:
    """Open a video file for decoding.

    Parameters
    ----------
    source : bytes, path or address
        A whole file, where one lies, or an address that `ravdess.corpora.read_bytes` understands.

    Raises
    ------
    BadClip
        Not there, empty, no video container, without a picture track, of another codec than `CODECS`, larger than
        `MOST_PIXELS`, longer than `MOST_PICTURES`, cut short or broken.
    """
    import av

    with ExitStack() as held:
        try:
            file = held.enter_context(_opened(source))
            demuxer = _demuxer(file)
            opened = held.enter_context(_looked_over(file, demuxer))
            if not all(getattr(one.codec_context, "width", True) for one in opened.streams.video):
                opened = held.enter_context(_looked_over(file, demuxer, CODECS))  # the header does not tell the size
            one = _film(opened)
        except MemoryError as error:
            raise BadClip("too large for this machine's memory") from error
        except (av.error.FFmpegError, ValueError, OverflowError) as error:
            if isinstance(error, BadClip):
                raise
            raise BadClip(f"broken or truncated video file: {getattr(error, 'strerror', None) or error}") from error
        yield one


def _looked_over(file: BinaryIO, demuxer: str, decoders: Sequence[str] = ("-",)) -> InputContainer:
    """The container, opened; `decoders` may run while FFmpeg finds out what is in it: none unless that is needed."""
    import av

    file.seek(0)
    options = {
        "codec_whitelist": ",".join(decoders),
        "enable_drefs": "0",  # no second file, whatever the header refers to
        "max_streams": "16",
    }
    limits = {"max_pixels": str(MOST_PIXELS), "threads": "1"}
    return av.open(file, mode="r", format=demuxer, options=limits, container_options=options)


def _opened(source: bytes | str | os.PathLike[str]) -> BinaryIO:
    """The file, open for reading; a local one is not read into memory."""
    from ravdess.corpora.entry import fitting
    from ravdess.corpora.files import read_bytes

    if isinstance(source, str) and source.startswith(("s3://", "zip:", "sample:")):
        source = read_bytes(source)
    if isinstance(source, bytes):
        fitting(len(source))
        return io.BytesIO(source)
    try:
        status = Path(source).stat()  # before opening: that would wait for ever on a pipe
        if not stat.S_ISREG(status.st_mode):
            raise BadClip("not a regular file")
        fitting(status.st_size)
        return Path(source).open("rb")
    except OSError as error:
        raise BadClip(f"cannot be read: {error.strerror or error}") from None


def _demuxer(file: BinaryIO) -> str:
    head = file.read(16)
    if not head:
        raise BadClip("empty file (0 bytes)")
    demuxer = container_of(head)
    if demuxer is None:
        raise BadClip(f"no video file: it begins with {head[:12]!r}; expected MP4, MOV, Matroska, WebM, AVI or FLV")
    if demuxer == "mov":
        boxes.check(file)
    return demuxer


def _film(opened: InputContainer) -> Film:
    """Choose the picture track, judge its header, and read all its packets once."""
    from av.stream import Discard, Disposition

    streams = [one for one in opened.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise BadClip("the file holds no picture track; pictures are read from 01-… and 02-…")
    stream = streams[0]
    codec = stream.codec_context
    name = getattr(codec, "name", "unknown")  # FFmpeg may know of no decoder
    if name not in CODECS:
        raise BadClip(f"its pictures are in the codec {name!r}, expected one of {', '.join(CODECS)}")
    width, height = codec.width, codec.height
    if min(width, height) < 16 or width * height > MOST_PIXELS:
        raise BadClip(f"pictures of {width}x{height} pixels, expected at least 16x16 and at most 3840x2160 in all")
    for other in opened.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    codec.thread_count = 1
    # "strict" makes the decoder wait as long as the level allows before it shows a picture, so none comes out of order.
    codec.options = {"max_pixels": str(MOST_PIXELS), "strict": "1"}

    length = h264.length_size(codec.extradata) if name == "h264" else 0
    roles: list[int] = []
    times: list[int | None] = []  # None for a picture that is decoded but never shown
    timeless, start, end = False, None, 0
    for packet in opened.demux(stream):
        if not packet.size:
            continue
        if packet.is_corrupt:
            raise BadClip(f"cut short or damaged at picture {len(roles)}")
        if len(roles) == MOST_PICTURES:
            raise BadClip(f"more than {MOST_PICTURES} pictures; a clip is a few seconds, cut the file first")
        if not roles:
            start = packet.pts if packet.dts is None else packet.dts
        timeless = timeless or packet.pts is None
        end = max(end, (packet.pts or 0) + (packet.duration or 0))
        roles.append(h264.role(memoryview(packet), length) if length else h264.REFERENCE)
        times.append(None if packet.is_discard else packet.pts)
    return _numbered(opened, stream, roles, times, (None if timeless else start, end))


def _numbered(
    opened: InputContainer,
    stream: VideoStream,
    roles: list[int],
    times: list[int | None],
    span: tuple[int | None, int],
) -> Film:
    """Number the pictures by when they are shown, and refuse a file that breaks off before its header says."""
    start, end = span
    shown = sorted(time for time in times if time is not None)
    base = float(stream.time_base or 0)
    if start is not None and shown and len(set(shown)) == len(shown):
        by_time = {time: number for number, time in enumerate(shown)}
        numbers = [-1 if time is None else by_time[time] for time in times]
        count, seconds = len(shown), (shown[-1] - shown[0]) * base
        rate = (count - 1) / seconds if seconds > 0 else float(stream.average_rate or 0)
        promised = [opened.duration / 1e6] if opened.duration else []
        promised += [stream.duration * base] if stream.duration else []
        held = (end - min(shown[0], 0)) * base
        if promised and held < min(promised) - SLACK:
            raise BadClip(f"cut short: it promises {min(promised):.2f} s, but breaks off after {held:.2f} s")
    else:  # told apart by their order of decoding alone, so nothing is left out
        by_time, numbers, count, rate = {}, [], len(roles), float(stream.average_rate or 0)
        roles = [h264.REFERENCE | h264.KEPT] * count
    if not count or not np.isfinite(rate):
        raise BadClip("it holds no picture, or none that is shown")
    codec = stream.codec_context
    sar = float(stream.sample_aspect_ratio or 1) or 1.0
    if not 0.25 <= sar <= 4:
        raise BadClip(f"its pixels are {sar:.3g} times as wide as high; save the clip with square ones")
    size = (codec.width, codec.height)
    return Film(count, rate, size, sar, roles, numbers, by_time, start, opened, stream)
