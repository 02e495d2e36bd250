"""Which takes a foreign table lacks, and which it has that are not listed, counted and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ravdess.clips import CHANNELS

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.corpora import ClipName, Corpus

_SHOWN: Final = 5


def listed_by_publisher(corpus: Corpus) -> dict[str, tuple[str, str]] | None:
    """Take -> (channel, actor) of all that the corpus should hold; None where nobody can say."""
    if corpus.complete is None:
        return None
    return {clip.take: (clip.channel, clip.actor) for clip in corpus.complete().values()}


def listed_by_catalogue(clips: pa.Table, corpus: str) -> dict[str, tuple[str, str]]:
    """Take -> (channel, actor) of all clips of a corpus in a catalogue."""
    columns = (clips[name].to_pylist() for name in ("corpus", "take", "channel", "actor"))
    return {take: (channel, actor) for of, take, channel, actor in zip(*columns, strict=True) if of == corpus}


def compare(
    here: Iterable[ClipName], listed: Mapping[str, tuple[str, str]]
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """What is lacking, what is unlisted, and the channels that were compared.

    Only the channels that the table has anything of are asked for: features of speech lack no song.

    Returns
    -------
    list of str, list of str, tuple of str
        Listed takes that are not here, takes here that are not listed, channels.
    """
    channel_of = {clip.take: clip.channel for clip in here}
    channels = tuple(channel for channel in CHANNELS if channel in set(channel_of.values()))
    lacking = sorted(take for take, (channel, _) in listed.items() if channel in channels and take not in channel_of)
    return lacking, sorted(channel_of.keys() - listed.keys()), channels


def some(words: Iterable[str]) -> str:
    """The first few of them, and how many more there are."""
    listed = list(words)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def told(takes: Iterable[str], listed: Mapping[str, tuple[str, str]]) -> str:
    """Takes in a few words: whole actors first, then single ones."""
    missing = list(takes)
    channels = {listed[take][0] for take in missing if take in listed}
    whole = Counter(actor for channel, actor in listed.values() if channel in channels)
    gone = Counter(listed[take][1] for take in missing if take in listed)
    actors = sorted(actor for actor, count in gone.items() if count == whole[actor])
    single = [take for take in missing if take not in listed or listed[take][1] not in actors]
    parts = [f"all of {'actor' if len(actors) == 1 else 'actors'} {', '.join(actors)}"] if actors else []
    if single:
        parts.append(some(single))
    return "; ".join(parts)
