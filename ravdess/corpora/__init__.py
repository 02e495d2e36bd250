"""Where clips come from: one file a corpus.

A new corpus is one new file here that registers one `Corpus`; `ravdess.testing` checks every one of them.

    >>> from ravdess.corpora import catalogue, choose, read_bytes
    >>> found = catalogue("sample:actors=2")          # or a folder, a zip file, an s3:// prefix, or a list of these
    >>> clips = choose(found.clips, modality="sound")  # one file a take
    >>> read_bytes(clips["source"][0].as_py())[:4]
    b'RIFF'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from ravdess.registry import Registry

if TYPE_CHECKING:
    from ravdess.corpora.entry import Entry


class ClipName(Protocol):
    """What a clip's name tells: `ravdess.clips.Clip`, or another corpus' own class with the same words."""

    @property
    def name(self) -> str: ...
    @property
    def take(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def gender(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def emotion(self) -> str: ...
    @property
    def intensity(self) -> str: ...
    @property
    def statement(self) -> str: ...
    @property
    def repetition(self) -> int: ...
    @property
    def modality(self) -> str: ...


@dataclass(frozen=True)
class Corpus:
    """A collection of clips: its naming rule, its size, and what people must know about it.

    Attributes
    ----------
    name : str
        Lower case; the `corpus` column of every table.
    description : str
        One sentence for people. A made corpus says here that it is made.
    licence : str
    source : str
        Publication or address.
    parse : callable
        ``parse(stem) -> ClipName``; raises BadName, saying which rule the stem breaks.
    examples : tuple of str
        A few stems that `parse` accepts.
    made : bool
        Made by a program, not recorded from people; whatever is reported from it must say so.
    complete : callable or None
        ``complete() -> names`` of every clip when nothing is missing; None where nobody can say.
    entries : callable or None
        ``entries(options) -> Iterator[Entry]`` for the source ``"<name>:<options>"`` of a corpus without files.
    read : callable or None
        ``read(uri) -> bytes`` for what `entries` listed.
    """

    name: str
    description: str
    licence: str
    source: str
    parse: Callable[[str], ClipName]
    examples: tuple[str, ...] = field(repr=False)
    made: bool = False
    complete: Callable[[], Mapping[str, ClipName]] | None = field(default=None, repr=False)
    entries: Callable[[str], Iterator[Entry]] | None = field(default=None, repr=False)
    read: Callable[[str], bytes] | None = field(default=None, repr=False)


CORPORA: Final[Registry[Corpus]] = Registry("corpus", ("ravdess.corpora",))


def corpus(name: str) -> Corpus:
    """The corpus of that name, e.g. "ravdess". Raises UnknownName, which lists what there is."""
    return CORPORA[name]


from ravdess.corpora.catalogue import Catalogue, catalogue, choose  # noqa: E402  # these need the names above
from ravdess.corpora.files import read_bytes  # noqa: E402

__all__ = ["CORPORA", "Catalogue", "ClipName", "Corpus", "catalogue", "choose", "corpus", "read_bytes"]
