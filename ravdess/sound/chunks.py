"""What a sound file's headers promise against what it holds.

libsndfile reads a truncated .wav, .aiff or .ogg without a word and returns what is left, so the promises are
checked here, on the headers alone. Plain .wav samples are then unpacked here too, for a tenth of its price.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadClip

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORDERS: Final = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">", b"FORM": ">"}
_STREAMED: Final = 0x7FFFF000
"""A writer that cannot seek back (a pipe) leaves 0, 0xFFFFFFFF, or SoX's 0x7FFFF000 and above as the size."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORMATS: Final = {
    (_PCM, 1): ("u1", 128, 1 / 128),
    (_PCM, 2): ("i2", 0, 1 / 32_768),
    (_PCM, 3): ("i4", 0, 1 / 2_147_483_648),  # once widened to four bytes
    (_PCM, 4): ("i4", 0, 1 / 2_147_483_648),
    (_FLOAT, 4): ("f4", 0, 1.0),
    (_FLOAT, 8): ("f8", 0, 1.0),
}
"""(format tag, bytes a sample) -> numpy type, silence, scale to -1 ... 1."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the samples of a .wav file lie and how they are written.

    Attributes
    ----------
    rate : int
        Frames a second, as the header says it.
    channels : int
    tag : int
        Format tag: 1 integers, 3 floats; what an extensible header wraps is unwrapped.
    width : int
        Bytes a sample.
    order : "<" or ">"
    first, size : int
        The samples are ``data[first : first + size]``; whole frames only.
    """

    rate: int
    channels: int
    tag: int
    width: int
    order: str
    first: int
    size: int

    @property
    def frames(self) -> int:
        """Samples a channel."""
        return self.size // (self.width * self.channels)

    @property
    def plain(self) -> bool:
        """Whether `samples` can unpack it; compressed codecs need libsndfile."""
        return (self.tag, self.width) in _FORMATS


def wav_layout(data: bytes) -> Layout:
    """Find the samples of a RIFF, RIFX or RF64 file whatever chunks stand around them (FLLR, LIST, bext, _PMX, ...).

    Raises
    ------
    BadClip
        The data chunk promises more bytes than the file holds, or a chunk that samples need is absent.
    """
    order = _ORDERS[data[:4]]
    form: bytes | None = None
    wide: int | None = None
    for name, first, size in _chunks(data, order):
        if name == b"fmt ":
            form = data[first : first + min(size, 40)]
        elif name == b"ds64" and size >= 16:
            wide = int(struct.unpack_from("<Q", data, first + 8)[0])
        elif name == b"data":
            if form is None or len(form) < 16:
                raise BadClip("broken .wav file: no complete 'fmt ' chunk before its sound")
            held = len(data) - first
            promised = size
            if data[:4] == b"RF64" and size == 0xFFFFFFFF and wide is not None:
                promised = wide
            elif _streamed(data, order, size):
                promised = held
            _whole("data", promised, held)
            return _layout(form, order, first, promised)
    raise BadClip("truncated or broken .wav file: it ends before its sound begins (no 'data' chunk)")


def samples(data: bytes, layout: Layout) -> NDArray[np.float32]:
    """Unpack a plain .wav to float32 in -1 ... 1 [shape=(frames, channels)], to the last bit as libsndfile does."""
    kind, silence, scale = _FORMATS[layout.tag, layout.width]
    count = layout.frames * layout.channels
    if layout.width == 3:
        raw = np.frombuffer(data, np.uint8, count * 3, layout.first).reshape(-1, 3)
        widened = np.zeros((count, 4), np.uint8)
        widened[:, slice(1, 4) if layout.order == "<" else slice(0, 3)] = raw
        packed = widened.view(layout.order + kind)[:, 0]
    else:
        packed = np.frombuffer(data, layout.order + kind, count, layout.first)
    y = packed.astype(np.float32)
    if silence:
        y -= np.float32(silence)
    if scale != 1.0:
        y *= np.float32(scale)
    return y.reshape(-1, layout.channels)


def check_aiff(data: bytes) -> None:
    """Raise BadClip when the sound chunk of an AIFF or AIFC file promises more than the file holds."""
    for name, first, size in _chunks(data, ">"):
        if name == b"SSND":
            _whole("SSND", size, len(data) - first)
            return
    raise BadClip("truncated or broken .aiff file: it ends before its sound begins (no 'SSND' chunk)")


def check_avi(data: bytes) -> None:
    """Raise BadClip when an AVI file is shorter than its RIFF header promises."""
    (whole,) = struct.unpack_from("<I", data, 4)
    if 8 + whole > len(data) and whole < _STREAMED:
        raise BadClip(f"truncated: its header promises {8 + whole} bytes, the file holds {len(data)}")


def check_ogg(data: bytes) -> None:
    """Raise BadClip when the last page of an Ogg file is cut, or is not marked as the last."""
    last = data.rfind(b"OggS")
    page = data[last : last + 27 + 255]
    segments = page[26] if len(page) > 26 else 0
    end = last + 27 + segments + sum(page[27 : 27 + segments])
    if len(page) < 27 + segments or end > len(data) or not page[5] & 4:
        raise BadClip("truncated: the Ogg stream breaks off before its last page")


def _chunks(data: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and promised size of each chunk; chunks begin at even places."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, at)
        yield name, at + 8, size
        at += 8 + size + size % 2


def _streamed(data: bytes, order: str, size: int) -> bool:
    """Whether the size was never filled in. A true 0 stands in a file whose whole size is right."""
    (whole,) = struct.unpack_from(f"{order}I", data, 4)
    return size >= _STREAMED or (size == 0 and 8 + whole != len(data))


def _whole(name: str, promised: int, held: int) -> None:
    if promised > held:
        raise BadClip(f"truncated: its {name!r} chunk promises {promised} bytes of sound, the file holds {held}")


def _layout(form: bytes, order: str, first: int, size: int) -> Layout:
    tag, channels, rate, _, block, _ = struct.unpack_from(f"{order}HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack_from(f"{order}H", form, 24)
    if channels == 0 or block < channels:
        raise BadClip(f"broken .wav file: its header says {channels} channels in {block} bytes a frame")
    return Layout(rate, channels, tag, block // channels, order, first, size)
