"""Duplicates: one name in two places, and one content under two names. Nothing is guessed.

Copies of one name count once when their bytes, or the samples of their lossless sound, are equal. Where they differ
the damaged ones are refused; when two whole ones differ nobody can say which is right, so all of them are refused.
One content under two names is kept twice: the publisher's own data hold such a pair.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ravdess.corpora import columns
from ravdess.corpora.files import SOUND, Entry, read_bytes
from ravdess.errors import BadClip, RavdessError

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.corpora.catalogue import Found

_BLOCK: Final = 4096
_TRUSTED: Final = frozenset({"crc", "etag"})
"""Kinds of digest that, equal beside equal sizes, prove equal content."""
_COMPLETE: Final = frozenset({"crc", "blocks"})
"""Kinds that equal content always shares; an entity tag also depends on how an object was uploaded."""
_LOSSLESS: Final = frozenset({".wav", ".flac", ".aif", ".aiff"})


class Double(NamedTuple):
    """A file whose content stands elsewhere too."""

    clip: str
    source: str
    same_as: str
    kept: bool


def settle(found: Sequence[Found]) -> tuple[list[Found], list[tuple[str, str, str]], list[Double]]:
    """Split into the files to keep, the ones to refuse (clip, source, reason), and what stands twice."""
    found, rejects = _digested(found)
    kept: list[Found] = []
    doubles: list[Double] = []
    for group in _groups(found, lambda one: (one.corpus, one.clip.name)):
        if len(group) == 1:
            kept += group
            continue
        ordered = sorted(group, key=lambda one: (one.entry.ending != ".wav", one.entry.uri))
        if any(not _same(ordered[0].entry, one.entry) for one in ordered[1:]):
            ordered, damaged = _readable(ordered)
            rejects += damaged
        if not ordered:
            continue
        first, *others = ordered
        different = [one for one in others if not _same(first.entry, one.entry)]
        if different:
            where = f"{first.entry.uri} and {different[0].entry.uri}"
            reason = f"{len(ordered)} files have this name and differ ({where}); keep the right one"
            rejects += [(one.clip.name, one.entry.uri, reason) for one in ordered]
            continue
        kept.append(first)
        doubles += [Double(one.clip.name, one.entry.uri, first.entry.uri, kept=False) for one in others]
    for group in _groups(kept, lambda one: one.entry.digest):
        if len(group) > 1 and group[0].entry.digest:
            first, *others = sorted(group, key=lambda one: one.clip.name)
            same = [one for one in others if _same(first.entry, one.entry)]
            doubles += [Double(one.clip.name, one.entry.uri, first.entry.uri, kept=True) for one in same]
    return kept, rejects, doubles


def _readable(group: Sequence[Found]) -> tuple[list[Found], list[tuple[str, str, str]]]:
    """Split files of one name into those whose sound can be read and the damaged ones (clip, source, reason)."""
    from ravdess.sound.read import read

    whole: list[Found] = []
    damaged = []
    for one in group:
        try:
            if one.entry.ending in SOUND:
                read(read_bytes(one.entry.uri), name=one.clip.name)
            whole.append(one)
        except BadClip as error:
            damaged.append((one.clip.name, one.entry.uri, str(error)))
    return whole, damaged


def notes(doubles: Iterable[Double]) -> list[str]:
    """One line for the copies that are left out, one for each content under two names (at most ten)."""
    copies = [one for one in doubles if not one.kept]
    twins = [one for one in doubles if one.kept]
    lines = []
    if copies:
        example = f"{copies[0].source} is {copies[0].same_as}"
        lines.append(f"{len(copies)} files stand twice with the same content and count once: {example}")
    lines += [f"{one.source} has the same content as {one.same_as}; both are kept" for one in twins[:10]]
    if len(twins) > 10:
        lines.append(f"{len(twins) - 10} more files share their content with one of another name; all are kept")
    return lines


def table(doubles: Iterable[Double]) -> pa.Table:
    """The doubles as a table: clip, source, same_as, kept."""
    return columns.table(sorted(doubles), {"clip": str, "source": str, "same_as": str, "kept": bool})


def _groups(found: Iterable[Found], key: Callable[[Found], Any]) -> Iterator[list[Found]]:
    for _, group in itertools.groupby(sorted(found, key=key), key):
        yield list(group)


def _digested(found: Sequence[Found]) -> tuple[list[Found], list[tuple[str, str, str]]]:
    """Fill in the digests that the listing did not give. Files are opened side by side: far disks are slow."""
    complete, rejects = list(found), []
    bare = [place for place, one in enumerate(found) if not one.entry.digest and one.entry.size]
    chunks = [bare[start : start + 64] for start in range(0, len(bare), 64)]
    with ThreadPoolExecutor(max_workers=16) as pool:
        for digests, chunk in zip(
            pool.map(lambda places: _digests([found[at] for at in places]), chunks), chunks, strict=True
        ):
            for place, digest in zip(chunk, digests, strict=True):
                one = found[place]
                if isinstance(digest, OSError):
                    reason = f"cannot be read: {digest.strerror or digest}"
                    rejects.append((one.clip.name, one.entry.uri, reason))
                else:
                    complete[place] = one._replace(entry=one.entry._replace(digest=digest))
    refused = {source for _, source, _ in rejects}
    return [one for one in complete if one.entry.uri not in refused] if refused else complete, rejects


def _digests(chunk: Sequence[Found]) -> list[str | OSError]:
    digests: list[str | OSError] = []
    for one in chunk:
        try:
            digests.append(_digest(one.entry))
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
    with Path(entry.uri).open("rb", buffering=0) as file:
        blocks = hashlib.blake2b(digest_size=12)
        for start in sorted({0, size // 2, max(0, size - _BLOCK)}):
            file.seek(start)
            blocks.update(file.read(_BLOCK))
    return f"blocks:{size}:{blocks.hexdigest()}"


def _same(one: Entry, other: Entry) -> bool:
    """Whether two files hold the same: by digests that prove it, else by their bytes, else by their samples."""
    try:
        if one.size == other.size:
            kind, another = one.digest.partition(":")[0], other.digest.partition(":")[0]
            if kind == another and kind in _TRUSTED and one.digest == other.digest:
                return True
            if kind == another and kind in _COMPLETE and one.digest != other.digest:
                return False
            if _whole(one) == _whole(other):
                return True
        if {one.ending, other.ending} <= _LOSSLESS and one.ending != other.ending:
            return _samples(one) == _samples(other)
    except (RavdessError, OSError):
        return False
    return False


def _whole(entry: Entry) -> bytes:
    return hashlib.sha256(read_bytes(entry.uri)).digest()


def _samples(entry: Entry) -> bytes:
    """A digest of the sound itself: rate, channels, samples."""
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(read_bytes(entry.uri)), dtype="int32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise RavdessError(str(error)) from None
    return hashlib.sha256(f"{rate} {samples.shape}".encode() + samples.tobytes()).digest()
