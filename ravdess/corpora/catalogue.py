"""The catalogue: sources in, one table row a usable clip out, and every other file named with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from ravdess.clips import CLIP_COLUMNS, MODALITIES
from ravdess.corpora.columns import numbers, strings, table
from ravdess.corpora.files import MEDIA, SOUND, VIDEO, Entry, entries, fitting, read_bytes
from ravdess.errors import BadClip, BadName, BadSource, RavdessError

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.corpora import ClipName, Corpus

MARKER: Final = "ravdess-corpus.json"
"""A folder that holds this file says which corpus it is, ``{"corpus": "sample"}``, for itself and all below it."""

PREFERRED: Final = {"sound": ("audio-only", "audio-video"), "picture": ("audio-video", "video-only")}
_TOLD: Final = ("actor", "gender", "channel", "emotion", "intensity", "statement", "modality")
_ARCHIVES: Final = frozenset({".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


@dataclass(frozen=True)
class Catalogue:
    """What the sources hold.

    Attributes
    ----------
    clips : pyarrow.Table
        One row a usable file, sorted by clip and source: CLIP_COLUMNS without `source_digest`, then `size`
        (int64, bytes; null for a made clip whose size is known only once it is made) and `quick_digest`
        (a cheap identity of the content: zip CRC and size, S3 entity tag and size, or size and a hash of
        sampled blocks).
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


class Found(NamedTuple):
    """A file whose name is a clip's."""

    corpus: str
    clip: ClipName
    entry: Entry


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
    listed = list({entry.uri: entry for one in sources for entry in entries(one)}.values())
    markers, notes = _markers(listed)
    found: list[Found] = []
    rejects: list[tuple[str, str, str]] = []
    ignored, packed = 0, []
    for entry in listed:
        if entry.name.startswith("._") or (entry.ending not in MEDIA and not entry.problem):
            ignored += 1
            if entry.ending in _ARCHIVES:
                packed.append(entry.uri)
            continue
        if entry.problem and entry.ending not in MEDIA and not _worth_naming(entry):
            ignored += 1
            continue
        judge = _corpus_of(entry.uri, markers, default)
        try:
            found.append(Found(judge.name, _judge(entry, judge), entry))
        except (BadName, BadClip) as error:
            rejects.append((entry.stem, entry.uri, str(error)))
    del listed
    kept, refused, doubles = double.settle(found)
    rejects += refused
    made = [CORPORA[name] for name in sorted({one.corpus for one in kept}) if CORPORA[name].made]
    notes += [f"the corpus {one.name!r} is {one.description}" for one in made]
    notes += double.notes(doubles)
    notes += _misplaced(kept)
    if packed:
        notes.append(f"{len(packed)} archives were not looked into ({packed[0]}); only zip files are read in place")
    return Catalogue(_clips(kept), _rejects(rejects), double.table(doubles), notes, ignored)


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
    order = PREFERRED[modality]
    chosen: dict[tuple[str, str, int], int] = {}
    kinds = clips["modality"].to_pylist()
    for row, (corpus, take, kind) in enumerate(
        zip(clips["corpus"].to_pylist(), clips["take"].to_pylist(), kinds, strict=True)
    ):
        if kind not in order:
            continue
        if every_file:
            chosen[corpus, take, row] = row
            continue
        before = chosen.setdefault((corpus, take, 0), row)
        if order.index(kind) < order.index(kinds[before]):
            chosen[corpus, take, 0] = row
    return clips if len(chosen) == clips.num_rows else clips.take(numbers(sorted(chosen.values())))


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


def _worth_naming(entry: Entry) -> bool:
    """Whether an unusable file of no media kind could have held clips: a zip file, a folder."""
    return entry.ending == ".zip" or "folder" in entry.problem


def _markers(listed: Iterable[Entry]) -> tuple[dict[str, Corpus], list[str]]:
    """Which folders say what corpus they are: address of the folder -> corpus."""
    from ravdess.corpora import CORPORA

    markers, notes = {}, []
    for entry in listed:
        if entry.name != MARKER or entry.problem or not entry.size or entry.size > 65_536:
            continue
        try:
            said = json.loads(read_bytes(entry.uri))
            markers[entry.uri.removesuffix(MARKER)] = CORPORA[said["corpus"]]
        except (RavdessError, ValueError, TypeError, KeyError) as error:
            notes.append(f"{entry.uri} names no corpus that is known here and is passed over: {error}")
            continue
        corpus = markers[entry.uri.removesuffix(MARKER)]
        notes.append(f"{entry.uri} says that its clips are the corpus {corpus.name!r}")
    return markers, notes


def _corpus_of(uri: str, markers: dict[str, Corpus], default: Corpus) -> Corpus:
    from ravdess.corpora import CORPORA

    if not uri.startswith(("/", "s3:", "zip:")):  # a made clip: its address begins with its corpus
        return CORPORA[uri.partition(":")[0]]
    inside = [folder for folder in markers if uri.startswith(folder)]
    return markers[max(inside, key=len)] if inside else default


def _misplaced(kept: Iterable[Found]) -> list[str]:
    """A note when files lie in the folder of another actor than their name says."""
    wrong = []
    for _, clip, entry in kept:
        folder = entry.folder
        if folder.lower().startswith("actor_") and folder[6:].isdigit() and int(folder[6:]) != int(clip.actor):
            wrong.append(entry.uri)
    if not wrong:
        return []
    return [f"{len(wrong)} files lie in another actor's folder; their names are believed: {_some(wrong)}"]


def _some(uris: Sequence[str], most: int = 3) -> str:
    more = f" and {len(uris) - most} more" if len(uris) > most else ""
    return ", ".join(uris[:most]) + more


def _clips(kept: list[Found]) -> pa.Table:
    import pyarrow as pa

    kept = sorted(kept, key=lambda one: (one.clip.name, one.entry.uri))
    columns = {
        "clip": strings(one.clip.name for one in kept),
        "take": strings(one.clip.take for one in kept),
        "corpus": strings(one.corpus for one in kept),
        **{name: strings(getattr(one.clip, name) for one in kept) for name in _TOLD},
        "repetition": numbers((one.clip.repetition for one in kept), "b"),
        "source": strings(one.entry.uri for one in kept),
        "size": numbers(one.entry.size for one in kept),
        "quick_digest": strings(one.entry.digest for one in kept),
    }
    order = (*CLIP_COLUMNS[: CLIP_COLUMNS.index("source_digest")], "size", "quick_digest")
    return pa.table({name: columns[name] for name in order})


def _rejects(rows: list[tuple[str, str, str]]) -> pa.Table:
    staged = [(clip, source, "catalogue", reason) for clip, source, reason in sorted(rows)]
    return table(staged, dict.fromkeys(("clip", "source", "stage", "reason"), str))
