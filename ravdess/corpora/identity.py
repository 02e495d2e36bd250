"""What a file holds: told cheaply, by sampled blocks, checksum or entity tag; or proved, by its bytes or samples."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from ravdess.corpora.entry import Entry
from ravdess.corpora.files import read_bytes
from ravdess.errors import RavdessError

_BLOCK: Final = 4096
_THREADS: Final = 16
_TRUSTED: Final = frozenset({"crc", "etag"})
"""Kinds of digest that, equal beside equal sizes, prove equal content."""
_COMPLETE: Final = frozenset({"crc", "blocks"})
"""Kinds that equal content always shares; an entity tag also depends on how an object was uploaded."""
_LOSSLESS: Final = frozenset({".wav", ".flac", ".aif", ".aiff"})

Digests = list[str | OSError]


@contextmanager
def quick_digests() -> Iterator[Callable[[Sequence[Entry]], Digests]]:
    """A function from entries to their quick digests, or to why one cannot be opened. Those that have one keep it.

    Files are opened side by side: far disks are slow.
    """
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:

        def digests(entries: Sequence[Entry]) -> Digests:
            chunks = [entries[start : start + 64] for start in range(0, len(entries), 64)]
            return [digest for some in pool.map(_digests, chunks) for digest in some]

        yield digests


def _digests(entries: Sequence[Entry]) -> Digests:
    digests: Digests = []
    for entry in entries:
        try:
            digests.append(entry.digest or (_digest(entry) if entry.size else ""))
        except OSError as error:
            digests.append(error)
    return digests


def _digest(entry: Entry) -> str:
    size = entry.size or 0
    if entry.uri.startswith("s3://"):
        from ravdess.corpora import s3

        return s3.digest(entry.uri, size)
    if not entry.uri.startswith("/"):  # a made clip: its address is all that it is made from
        return entry.uri
    blocks = hashlib.blake2b(digest_size=12)
    file = os.open(entry.uri, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start in sorted({0, size // 2, max(0, size - _BLOCK)}):
            blocks.update(os.pread(file, _BLOCK, start))
    finally:
        os.close(file)
    return f"blocks:{size}:{blocks.hexdigest()}"


class Same:
    """Whether other files hold the same as one: by digests that prove it, else by their bytes, else by samples."""

    def __init__(self, one: Entry) -> None:
        self._one = one
        self._whole: bytes | None = None

    def __call__(self, other: Entry) -> bool:
        one = self._one
        try:
            if one.size == other.size:
                kind, another = one.digest.partition(":")[0], other.digest.partition(":")[0]
                if kind == another and kind in _TRUSTED and one.digest == other.digest:
                    return True
                if kind == another and kind in _COMPLETE and one.digest != other.digest:
                    return False
                self._whole = self._whole or _bytes(one)
                if self._whole == _bytes(other):
                    return True
            if {one.ending, other.ending} <= _LOSSLESS and one.ending != other.ending:
                return _samples(one) == _samples(other)
        except (RavdessError, OSError):
            return False
        return False


def _bytes(entry: Entry) -> bytes:
    return hashlib.sha256(read_bytes(entry.uri)).digest()


def _samples(entry: Entry) -> bytes:
    """A digest of the sound itself: rate, channels, samples."""
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(read_bytes(entry.uri)), dtype="int32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise RavdessError(str(error)) from None
    return hashlib.sha256(f"{rate} {samples.shape}".encode() + samples.tobytes()).digest()
