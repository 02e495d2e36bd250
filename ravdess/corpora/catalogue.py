"""The catalogue: sources in, one table row a usable clip out, and every other file named with its reason."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ravdess.clips import MODALITIES
from ravdess.corpora.columns import Column, Rows, integers, numbers, places, small, strings, truths, words
from ravdess.corpora.entry import SOUND, VIDEO, Entry, fitting
from ravdess.corpora.identity import quick_digests
from ravdess.corpora.listing import MARKER, Listing
from ravdess.errors import BadClip, BadName, BadSource, RavdessError
from ravdess.memory import on_disk

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.corpora import ClipName, Corpus

PREFERRED: Final = {"sound": ("audio-only", "audio-video"), "picture": ("audio-video", "video-only")}
_CLIPS: Final[dict[str, Column]] = {
    "clip": strings,
    "take": strings,
    **dict.fromkeys(("corpus", "actor", "gender", "channel", "emotion", "intensity", "statement"), words),
    "repetition": small,
    "modality": words,
    "source": strings,
    "size": numbers,
    "quick_digest": strings,
}
_MISPLACED: Final = "misplaced"
_SHOWN: Final = 3
_REJECTS: Final[dict[str, Column]] = dict.fromkeys(("clip", "source", "stage", "reason"), strings)

__all__ = ["MARKER", "PREFERRED", "Catalogue", "catalogue", "choose"]


@dataclass(frozen=True)
class Catalogue:
    """What the sources hold.

    Attributes
    ----------
    clips : pyarrow.Table
        One row a usable file, sorted by clip and source: CLIP_COLUMNS without `source_digest`, then `size`
        (int64, bytes; null for a made clip whose size is known only once it is made) and `quick_digest`
        (a cheap identity of the content: zip CRC and size, S3 entity tag and size, or size and a hash of
        sampled blocks). What a vocabulary tells is dictionary-encoded; all of it lies in a temporary file
        that is mapped, so that a clip takes memory only while it is looked at (`ravdess.memory`).
    rejects : pyarrow.Table
        One row a file that cannot be used: clip, source, stage ("catalogue"), reason.
    duplicates : pyarrow.Table
        One row a file whose content stands elsewhere too: clip, source, same_as, kept. A copy of the same name
        is left out (kept is false); under two names both are kept.
    notes : list of str
        What a person should know though nothing is wrong.
    ignored : int
        Files that are no media at all.
    """

    clips: pa.Table
    rejects: pa.Table
    duplicates: pa.Table
    notes: list[str] = field(default_factory=list)
    ignored: int = 0

    def counts(self) -> pa.Table:
        """Files by corpus, modality and channel beside the publisher's: corpus, modality, channel, files, expected."""
        from ravdess.corpora.verify import counts

        return counts(self)

    def verify(self) -> str:
        """The counts as a plain text table, then what is missing, rejected and worth knowing."""
        from ravdess.corpora.verify import verify

        return verify(self)


def catalogue(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, corpus: str | None = None
) -> Catalogue:
    """List one source or several, judge every name, and find duplicates.

    Parameters
    ----------
    source : str, path, or a sequence of these
        A folder (nested in any way), a media file, a zip file, an ``s3://`` prefix, or a made corpus:
        ``"sample:"``, ``"sample:actors=4,takes=8,seed=1"``. Zip files inside a folder or prefix are read in place.
    corpus : str, optional
        Whose naming rule applies; "ravdess" unless a folder says by its `MARKER` what it is. A marker wins, so
        that made clips never pass as recorded ones.

    Raises
    ------
    BadSource
        A source is absent, unreadable or of no known kind. A file that cannot be used raises nothing: it becomes
        a row of `rejects`.
    UnknownName
        No corpus of that name.
    """
    from ravdess.corpora import CORPORA
    from ravdess.corpora import duplicates as double

    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    if not sources:
        raise BadSource("no source given: expected a folder, a zip file, an s3:// prefix or a made corpus ('sample:')")
    default = CORPORA[corpus or "ravdess"]
    listed = Listing(sources)
    clips, refused = _judged(listed, default)
    clips = clips.sort_by([("clip", "ascending"), ("source", "ascending")])
    keep, doubtful, doubles = double.settle(clips)
    if not keep.all():
        clips = clips.filter(truths(keep))
    for clip, address, reason in doubtful:
        refused.add(clip, address, "catalogue", reason)
    rejects = refused.table().sort_by([(name, "ascending") for name in ("clip", "source", "reason")])
    here = (CORPORA[name] for name in sorted(set(clips["corpus"].unique().to_pylist())))
    notes = [
        *listed.notes,
        *(f"the corpus {one.name!r} is {one.description}" for one in here if one.made),
        *double.notes(doubles),
        *_misplaced(clips),
    ]
    return Catalogue(_plain(clips.drop_columns([_MISPLACED])), rejects, doubles, notes, listed.ignored)


def choose(clips: pa.Table, *, modality: str, every_file: bool = False) -> pa.Table:
    """One file a take, for the sound or for the picture.

    Sound is read from the audio-only file where present, else from the audio-video one; pictures from the
    audio-video file, else from the video-only one.

    Parameters
    ----------
    clips : pyarrow.Table
        As `Catalogue.clips`.
    modality : {"sound", "picture"}
    every_file : bool
        Keep every file that has the modality, also where a take has two.

    Raises
    ------
    RavdessError
        Another `modality`.
    """
    if modality not in PREFERRED:
        raise RavdessError(f"unknown modality {modality!r}, expected one of {sorted(PREFERRED)}")
    import numpy as np

    order = PREFERRED[modality]
    codes, kinds = _codes(clips["modality"])
    rank = np.array([order.index(kind) if kind in order else len(order) for kind in kinds], np.int8)[codes]
    rows = np.flatnonzero(rank < len(order))
    if not every_file:
        takes, corpora = (_codes(clips[name])[0][rows] for name in ("take", "corpus"))
        best = np.lexsort((rows, rank[rows], takes, corpora))
        takes, corpora = takes[best], corpora[best]
        first = np.ones(len(best), bool)
        first[1:] = (takes[1:] != takes[:-1]) | (corpora[1:] != corpora[:-1])
        rows = np.sort(rows[best[first]])
    return clips if len(rows) == clips.num_rows else clips.take(places(rows))


def _codes(values: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """A number for each row, and what it stands for."""
    import numpy as np
    import pyarrow as pa

    told = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    told = told.combine_chunks()
    return integers(told.indices, np.int32), told.dictionary.to_pylist()


def _judged(listed: Listing, default: Corpus) -> tuple[pa.Table, Rows]:
    """The files whose names are clips' and that can be opened, as columns, and the others (clip, source, reason)."""
    clips, refused = Rows({**_CLIPS, _MISPLACED: truths}), Rows(_REJECTS)
    with quick_digests() as digests:
        for entries in listed:
            found: list[tuple[str, ClipName, Entry]] = []
            for entry in entries:
                corpus = listed.corpus_of(entry.uri, default)
                try:
                    found.append((corpus.name, _judge(entry, corpus), entry))
                except (BadName, BadClip) as error:
                    refused.add(entry.stem, entry.uri, "catalogue", str(error))
            told = digests([entry for _, _, entry in found])
            for (name, clip, entry), digest in zip(found, told, strict=True):
                if isinstance(digest, OSError):
                    reason = f"cannot be read: {digest.strerror or digest}"
                    refused.add(clip.name, entry.uri, "catalogue", reason)
                else:
                    clips.add(*_row(name, clip, entry, digest))
    return clips.table(), refused


def _plain(clips: pa.Table) -> pa.Table:
    """The table in one piece, on disk, its vocabularies in the order of the rows whatever that of the sources was."""
    import pyarrow as pa

    for place, (name, make) in enumerate(_CLIPS.items()):
        if make is words:
            clips = clips.set_column(place, name, clips[name].cast(pa.string()).dictionary_encode())
    return on_disk(clips.combine_chunks())


def _row(corpus: str, clip: ClipName, entry: Entry, digest: str) -> tuple[object, ...]:
    folder = entry.folder.lower()
    misplaced = folder.startswith("actor_") and folder[6:].isdigit() and int(folder[6:]) != int(clip.actor)
    return (
        clip.name,
        clip.take,
        corpus,
        clip.actor,
        clip.gender,
        clip.channel,
        clip.emotion,
        clip.intensity,
        clip.statement,
        clip.repetition,
        clip.modality,
        entry.uri,
        entry.size,
        digest,
        misplaced,
    )


def _judge(entry: Entry, corpus: Corpus) -> ClipName:
    """The clip that an entry's name tells. Raises BadName or BadClip with the reason against it."""
    if entry.problem:
        raise BadClip(entry.problem)
    if entry.size == 0:
        raise BadClip("empty: 0 bytes")
    fitting(entry.size or 0)
    clip = corpus.parse(entry.stem)
    sound = clip.modality == MODALITIES[2]
    if sound and entry.ending in VIDEO:
        raise BadName(f"{clip.name!r} is named audio-only, but {entry.ending} holds video; check its first two digits")
    if not sound and entry.ending in SOUND:
        raise BadName(
            f"{clip.name!r} is named {clip.modality}, but {entry.ending} holds no picture; "
            f"the sound alone is named 03-{clip.take}"
        )
    return clip


def _misplaced(clips: pa.Table) -> list[str]:
    """A note when files lie in the folder of another actor than their name says."""
    wrong = clips["source"].filter(clips[_MISPLACED])
    if not len(wrong):
        return []
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    some = ", ".join(wrong.slice(0, _SHOWN).to_pylist()) + more
    return [f"{len(wrong)} files lie in another actor's folder; their names are believed: {some}"]
