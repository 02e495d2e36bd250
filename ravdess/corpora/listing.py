"""What the sources hold, before anyone judged a name: every file once, and what folders say of themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ravdess.corpora.columns import Rows, numbers, strings
from ravdess.corpora.entry import MEDIA, Entry
from ravdess.corpora.files import entries, read_bytes
from ravdess.errors import RavdessError

if TYPE_CHECKING:
    import os

    from ravdess.corpora import Corpus

MARKER: Final = "ravdess-corpus.json"
"""A folder that holds this file says which corpus it is, ``{"corpus": "sample"}``, for itself and all below it."""

_ARCHIVES: Final = frozenset({".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


class Listing:
    """Every file that could be a clip, or could have held clips; and notes about the others.

    A file that two sources share is listed once. Markers may come after the files that they speak of, so all is listed
    before anything is judged; a hundred thousand files take ten megabytes.

    Attributes
    ----------
    ignored : int
        Files that are no media at all.
    notes : list of str
        What folders say of themselves, and archives that were not looked into.
    """

    def __init__(self, sources: Sequence[str | os.PathLike[str]]) -> None:
        self.ignored = 0
        self.notes: list[str] = []
        self._rows = Rows({"uri": strings, "size": numbers, "digest": strings, "problem": strings})
        self._markers: dict[str, Corpus] = {}
        packed, first = 0, ""
        for entry in _once(sources):
            if entry.name == MARKER:
                self._mark(entry)
            if _is_media(entry):
                self._rows.add(*entry)
                continue
            self.ignored += 1
            if entry.ending in _ARCHIVES:
                packed, first = packed + 1, first or entry.uri
        if packed:
            self.notes.append(f"{packed} archives were not looked into ({first}); only zip files are read in place")

    def __iter__(self) -> Iterator[list[Entry]]:
        """The files, some thousands at a time, handed over: a second time there are none."""
        pieces = self._rows.pieces()[::-1]
        while pieces:
            columns: Any = pieces.pop().to_pydict().values()
            yield [Entry(*row) for row in zip(*columns, strict=True)]

    def corpus_of(self, uri: str, default: Corpus) -> Corpus:
        """Whose naming rule a file follows: what its address says, the nearest marker above it, or `default`."""
        from ravdess.corpora import CORPORA

        if not uri.startswith(("/", "s3:", "zip:")):  # a made clip: its address begins with its corpus
            return CORPORA[uri.partition(":")[0]]
        inside = [folder for folder in self._markers if uri.startswith(folder)]
        return self._markers[max(inside, key=len)] if inside else default

    def _mark(self, entry: Entry) -> None:
        """Note what corpus a folder says it is."""
        from ravdess.corpora import CORPORA

        if entry.problem or not entry.size or entry.size > 65_536:
            return
        try:
            corpus = CORPORA[json.loads(read_bytes(entry.uri))["corpus"]]
        except (RavdessError, ValueError, TypeError, KeyError) as error:
            self.notes.append(f"{entry.uri} names no corpus that is known here and is passed over: {error}")
            return
        self._markers[entry.uri.removesuffix(MARKER)] = corpus
        self.notes.append(f"{entry.uri} says that its clips are the corpus {corpus.name!r}")


def _once(sources: Sequence[str | os.PathLike[str]]) -> Iterator[Entry]:
    """The entries of all sources; one that another source listed before is passed over."""
    if len(sources) == 1:  # which lists each once
        yield from entries(sources[0])
        return
    seen: set[bytes] = set()
    for source in sources:
        for entry in entries(source):
            digest = hashlib.blake2b(entry.uri.encode(), digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                yield entry


def _is_media(entry: Entry) -> bool:
    """Whether a file is a clip by its ending, or an unusable file that could have held clips: a zip file, a folder."""
    if entry.name.startswith("._"):
        return False
    return entry.ending in MEDIA or bool(entry.problem and (entry.ending == ".zip" or "folder" in entry.problem))
