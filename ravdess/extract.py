"""One clip in, numbers or a reason out. What a worker does; knows neither Ray nor the store."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ravdess.errors import BadClip, Reject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ravdess.features import FeatureSet, Floats
    from ravdess.frames import FrameSet, Pictures

IN_MEMORY: Final = 4 * 1024**2
"""Bytes of a local film above which it is decoded where it lies."""


class Extracted(NamedTuple):
    """What one clip gave.

    Attributes
    ----------
    digest : str
        SHA-256 of the file's bytes, hexadecimal; empty when they could not be read.
    values : tuple, one a feature set
        float32 (columns,), or the Reject that stands for it.
    """

    digest: str
    values: tuple[Floats | Reject, ...]


def extract(source: str, sets: Sequence[FeatureSet], *, name: str = "") -> Extracted:
    """Read one file once and compute every feature set from it.

    Parameters
    ----------
    source : str
        An address that `ravdess.corpora.read_bytes` understands.
    sets : sequence of FeatureSet
        A shared sample rate is resampled to once.
    name : str
        The clip's name, for errors.

    Returns
    -------
    Extracted
        Never raises for what a file holds: a clip that cannot be used becomes Rejects.
    """
    from ravdess.corpora import read_bytes
    from ravdess.sound.read import read, resample

    digest = ""
    try:
        content = read_bytes(source)
        digest = hashlib.sha256(content).hexdigest()
        y, sr = read(content, name=name or source)
    except (BadClip, MemoryError) as error:
        return Extracted(digest, (_unread(error),) * len(sets))
    waves = {rate: resample(y, sr, rate) for rate in {one.sample_rate for one in sets}}
    return Extracted(digest, tuple(_compute(one, waves[one.sample_rate]) for one in sets))


class Shown(NamedTuple):
    """What one clip gave in frame sets, beside the frames: as `Extracted`, with each set's columns for its numbers."""

    digest: str
    values: tuple[tuple[float, ...] | Reject, ...]


def extract_frames(
    source: str,
    sets: Sequence[FrameSet],
    emit: Callable[[int, NDArray[np.uint8]], object],
    *,
    begin: Callable[[int, int], object] | None = None,
    name: str = "",
) -> Shown:
    """Read one file once and make every frame set of it; the sets are all made from sound, or all from pictures.

    Parameters
    ----------
    source : str
        An address that `ravdess.corpora.read_bytes` understands.
    sets : sequence of FrameSet
        One decoding serves them all.
    emit : callable
        ``emit(place, frames)``: the next ones of ``sets[place]`` [shape=(n, h, w, c), dtype=uint8]; to be thrown away
        when the set is rejected in the end.
    begin : callable, optional
        ``begin(place, count)`` before the first frame of a set: how many it gets at most.
    name : str
        The clip's name, for errors.

    Returns
    -------
    Shown
        Never raises for what a file holds: a clip that cannot be used becomes Rejects.
    """
    if all(one.modality == "sound" for one in sets):
        return _heard(extract(source, cast("Any", sets), name=name), emit, begin)
    from ravdess.picture import stream

    digest = ""
    try:
        content, digest = _content(source)
        facts = stream(
            content, sets, lambda place, frame: emit(place, frame[None]), begin=begin, name=name, spooled=True
        )
        return Shown(digest, tuple(facts))
    except (BadClip, MemoryError) as error:
        return Shown(digest, (_unread(error),) * len(sets))
    except (ValueError, ArithmeticError) as error:
        return Shown(digest, (_unforeseen(error),) * len(sets))


def _heard(
    heard: Extracted, emit: Callable[[int, NDArray[np.uint8]], object], begin: Callable[[int, int], object] | None
) -> Shown:
    """Hand on what was made from sound, whole: it is small."""
    values: list[tuple[float, ...] | Reject] = []
    for place, value in enumerate(cast("Sequence[Pictures | Reject]", heard.values)):
        if isinstance(value, Reject):
            values.append(value)
            continue
        if begin is not None:
            begin(place, len(value.frames))
        emit(place, value.frames)
        values.append(value.facts)
    return Shown(heard.digest, tuple(values))


def _content(source: str) -> tuple[bytes | str, str]:
    """What to decode, and its SHA-256: a large local file by its path, everything else by its bytes."""
    from ravdess.corpora.entry import fitting
    from ravdess.corpora.files import read_bytes

    if source.startswith("/"):
        try:
            status = Path(source).stat()
            if stat.S_ISREG(status.st_mode) and status.st_size > IN_MEMORY:
                fitting(status.st_size)
                with Path(source).open("rb") as file:
                    return source, hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:  # reading says it better
            pass
    content = read_bytes(source)
    return content, hashlib.sha256(content).hexdigest()


def _compute(one: FeatureSet, y: Floats) -> Floats | Reject:
    try:
        return one.extract(y, one.sample_rate)
    except BadClip as error:
        return Reject("extract", str(error))
    except (ValueError, ArithmeticError, MemoryError) as error:
        return _unforeseen(error)


def _unread(error: BadClip | MemoryError) -> Reject:
    return Reject("read", str(error) if isinstance(error, BadClip) else "too large for this machine's memory")


def _unforeseen(error: Exception) -> Reject:
    """A clip nobody thought of costs one clip."""
    return Reject("extract", f"{type(error).__name__}: {error}")
