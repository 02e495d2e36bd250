"""Duplicates: one name in two places, and one content under two names. Nothing is guessed.

Copies of one name count once when their bytes, or the samples of their lossless sound, are equal. Where they differ
the damaged ones are refused; when two whole ones differ nobody can say which is right, so all of them are refused.
One content under two names is kept twice: the publisher's own data hold such a pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ravdess.corpora.columns import AT_ONCE, Column, Rows, integers, mask, places, strings, truths
from ravdess.corpora.entry import SOUND, Entry
from ravdess.corpora.files import read_bytes
from ravdess.corpora.identity import Same
from ravdess.errors import BadClip

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_COLUMNS: Final = ("clip", "corpus", "source", "size", "quick_digest")
_DOUBLES: Final[dict[str, Column]] = {"clip": strings, "source": strings, "same_as": strings, "kept": truths}


class _Found(NamedTuple):
    """A row of the clips: one file whose name is a clip's."""

    row: int
    clip: str
    corpus: str
    entry: Entry


class Settled(NamedTuple):
    """What is left of a table of clips.

    Attributes
    ----------
    keep : np.ndarray [shape=(rows,), dtype=bool]
    refused : list of (clip, source, reason)
    doubles : pyarrow.Table
        clip, source, same_as, kept: the files whose content stands elsewhere too, sorted by clip and source.
    """

    keep: NDArray[np.bool_]
    refused: list[tuple[str, str, str]]
    doubles: pa.Table


def settle(clips: pa.Table) -> Settled:
    """Judge the rows that share a name or a content; only these are looked at as more than columns.

    Parameters
    ----------
    clips : pyarrow.Table
        Sorted by clip and source; columns clip, corpus, source, size, quick_digest.
    """
    import numpy as np
    import pyarrow.compute as pc

    keep = np.ones(clips.num_rows, bool)
    refused: list[tuple[str, str, str]] = []
    doubles = Rows(_DOUBLES)
    for group in _of_one_name(clips):
        ordered = sorted(group, key=lambda one: (one.entry.ending != ".wav", one.entry.uri))
        keep[[one.row for one in ordered]] = False
        same = Same(ordered[0].entry)
        if any(not same(one.entry) for one in ordered[1:]):
            ordered, damaged = _readable(ordered)
            refused += damaged
        if not ordered:
            continue
        first, *others = ordered
        same = Same(first.entry)
        different = [one for one in others if not same(one.entry)]
        if different:
            where = f"{first.entry.uri} and {different[0].entry.uri}"
            reason = f"{len(ordered)} files have this name and differ ({where}); keep the right one"
            refused += [(one.clip, one.entry.uri, reason) for one in ordered]
            continue
        keep[first.row] = True
        for one in others:
            doubles.add(one.clip, one.entry.uri, first.entry.uri, False)
    for first, one in _of_one_content(clips, keep):
        doubles.add(one.clip, one.entry.uri, first.entry.uri, True)
    table = doubles.table()
    order = pc.sort_indices(table, sort_keys=[("clip", "ascending"), ("source", "ascending")])
    return Settled(keep, refused, table.take(order))


def _of_one_name(clips: pa.Table) -> Iterator[list[_Found]]:
    """Files of one corpus that share a name, two or more."""
    for _, same in itertools.groupby(_found(clips, _alike(clips["clip"])), lambda one: one.clip):
        for _, group in itertools.groupby(sorted(same, key=lambda one: one.corpus), lambda one: one.corpus):
            listed = list(group)
            if len(listed) > 1:
                yield listed


def _of_one_content(clips: pa.Table, keep: NDArray[np.bool_]) -> Iterator[tuple[_Found, _Found]]:
    """Of the kept files, those that hold the same as another, which comes first: the least name of that content."""
    import numpy as np
    import pyarrow.compute as pc

    keys = [("quick_digest", "ascending"), ("clip", "ascending")]
    order = integers(pc.sort_indices(clips.select(["quick_digest", "clip"]), sort_keys=keys), np.uint64).astype(
        np.int64
    )
    order = order[keep[order]]
    digests = clips["quick_digest"].take(places(order))
    told = integers(pc.binary_length(digests.combine_chunks()), np.int32) > 0
    twins = order[_alike(digests) & told]
    for _, group in itertools.groupby(_found(clips, twins), lambda one: one.entry.digest):
        first = next(group)
        same = Same(first.entry)
        for one in group:  # noqa: B031  # the rest of it
            if same(one.entry):
                yield first, one


def _alike(values: pa.ChunkedArray) -> Any:
    """Which of the sorted values equal a neighbour: a mask."""
    import numpy as np
    import pyarrow.compute as pc

    alike = np.zeros(len(values), bool)
    if len(values) > 1:
        whole = values.combine_chunks()
        equal = mask(pc.equal(whole.slice(0, len(whole) - 1), whole.slice(1)))
        alike[:-1] |= equal
        alike[1:] |= equal
    return alike


def _found(clips: pa.Table, which: NDArray[Any]) -> Iterator[_Found]:
    """Some rows, by mask or by place, a few thousand at a time."""
    import numpy as np

    rows = np.flatnonzero(which) if which.dtype == bool else which.astype(np.int64)
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        columns = clips.select(_COLUMNS).take(places(some)).to_pydict().values()
        for row, clip, corpus, *entry in zip(some.tolist(), *columns, strict=True):
            yield _Found(row, clip, corpus, Entry(*entry))


def _readable(group: Sequence[_Found]) -> tuple[list[_Found], list[tuple[str, str, str]]]:
    """Split files of one name into those whose sound can be read and the damaged ones (clip, source, reason)."""
    from ravdess.sound.read import read

    whole: list[_Found] = []
    damaged = []
    for one in group:
        try:
            if one.entry.ending in SOUND:
                read(read_bytes(one.entry.uri), name=one.clip)
            whole.append(one)
        except BadClip as error:
            damaged.append((one.clip, one.entry.uri, str(error)))
    return whole, damaged


def notes(doubles: pa.Table) -> list[str]:
    """One line for the copies that are left out, one for each content under two names (at most ten)."""
    import pyarrow.compute as pc

    def some(kept: bool, most: int) -> Iterable[tuple[str, str]]:
        rows = doubles.filter(doubles["kept"] if kept else pc.invert(doubles["kept"])).slice(0, most)
        return zip(rows["source"].to_pylist(), rows["same_as"].to_pylist(), strict=True)

    twins = int(pc.sum(doubles["kept"]).as_py() or 0)
    copies = doubles.num_rows - twins
    lines = []
    for source, same_as in some(kept=False, most=1):
        lines.append(f"{copies} files stand twice with the same content and count once: {source} is {same_as}")
    lines += [f"{one} has the same content as {other}; both are kept" for one, other in some(kept=True, most=10)]
    if twins > 10:
        lines.append(f"{twins - 10} more files share their content with one of another name; all are kept")
    return lines
