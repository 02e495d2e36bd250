"""The sample corpus: RAVDESS-named clips that a program makes. No person spoke or was filmed.

It shows and tests everything without the real data: voice-like sound and a drawn face whose pitch, energy, rate,
timbre, brows, eyes and mouth depend on emotion and actor. Scores on it say that the machinery works, and nothing
about people; whatever is reported from it says that it is made.

It needs no files. The source ``sample:`` is a catalogue of clips that are made when they are read, on whichever
machine reads them; `write` makes files of them:

    >>> from ravdess.corpora import catalogue
    >>> from ravdess.corpora.sample import write
    >>> catalogue("sample:actors=4,takes=8,seed=1").clips.num_rows
    32
    >>> write("clips", actors=4, takes=8, seed=1)  # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ravdess.clips import CHANNELS, EMOTIONS, INTENSITIES, MODALITIES, STATEMENTS, Clip
from ravdess.corpora import CORPORA, Corpus
from ravdess.corpora.entry import Entry
from ravdess.errors import BadClip, BadName, BadSource

if TYPE_CHECKING:
    from ravdess.corpora import Catalogue

MOST: Final = 99
"""Two digits hold no more actors or repetitions. Beyond 24 and 2 the names leave the publisher's rules."""

COMMENT: Final = "made by a program, not recorded (ravdess sample corpus)"
"""Stands in every made file, so that one that strays from its folder still says so."""

parse: Final = partial(Clip.parse, actors=MOST, repetitions=MOST)


@dataclass(frozen=True)
class Options:
    """Which clips to make. As text: ``actors=4,takes=8,modalities=audio-only+video-only,seed=1``.

    Attributes
    ----------
    actors : int in 1 ... 99
        The publisher's 24 by default.
    takes : int > 0
        Takes of each actor and channel. They come emotion by emotion, so the first 8 spoken ones (6 sung) show
        every emotion once; beyond 60 (44) the repetitions go past the publisher's two.
    channels : tuple of {"speech", "song"}
    modalities : tuple of {"audio-only", "audio-video", "video-only"}
    seed : int
        Another seed is another cast of actors and other performances.
    height : int, even, in 48 ... 1080
        Of the picture, in pixels; 720 is the publisher's. The width is 16/9 of it.
    """

    actors: int = 24
    takes: int = 16
    channels: tuple[str, ...] = ("speech",)
    modalities: tuple[str, ...] = ("audio-only",)
    seed: int = 0
    height: int = 180

    def __post_init__(self) -> None:
        if not 1 <= self.actors <= MOST:
            raise BadSource(f"the sample corpus has 1 to {MOST} actors, not {self.actors}")
        if not 1 <= self.takes <= 16 * MOST:
            raise BadSource(f"an actor of the sample corpus has 1 to {16 * MOST} takes a channel, not {self.takes}")
        if self.height % 2 or not 48 <= self.height <= 1080:
            raise BadSource(f"the picture's height is an even number of pixels, 48 to 1080, not {self.height}")
        for name, given, allowed in (
            ("channels", self.channels, CHANNELS),
            ("modalities", self.modalities, MODALITIES),
        ):
            if not given or not set(given) <= set(allowed) or len(set(given)) < len(given):
                raise BadSource(f"unknown {name} {list(given)}, expected some of {list(allowed)}")

    @classmethod
    def parse(cls, text: str) -> Options:
        """Read ``key=value,key=value``; lists join their values with ``+``. Raises BadSource."""
        values: dict[str, object] = {}
        kinds = {one.name: type(one.default) for one in fields(cls)}
        for part in filter(None, (part.strip() for part in text.split(","))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or key not in kinds:
                raise BadSource(f"unknown option {part!r} of the sample corpus, expected {'=…, '.join(kinds)}=…")
            try:
                values[key] = tuple(value.split("+")) if kinds[key] is tuple else int(value)
            except ValueError:
                raise BadSource(f"option {part!r} of the sample corpus: {value!r} is no whole number") from None
        return cls(**values)  # type: ignore[arg-type]  # the kinds are the fields' own

    def clips(self) -> Iterator[Clip]:
        """The clips, actor by actor; take by take within, each in all `modalities`."""
        for number in range(1, self.actors + 1):
            for channel in self.channels:
                for take in _takes(f"{number:02d}", channel, self.takes):
                    for modality in self.modalities:
                        yield replace(take, modality=modality)


def _takes(actor: str, channel: str, count: int) -> Iterator[Clip]:
    """The first `count` takes of an actor: all emotions, then all again, strong, of the other statement, repeated."""
    made = 0
    for repetition in range(1, MOST + 1):
        for statement in STATEMENTS:
            for intensity in INTENSITIES:
                for emotion in EMOTIONS:
                    clip = Clip(MODALITIES[2], channel, emotion, intensity, statement, repetition, actor)
                    try:
                        parse(clip.name)
                    except BadName:  # neutral is never strong, disgust never sung
                        continue
                    if made == count:
                        return
                    made += 1
                    yield clip


def sample(
    *,
    actors: int = 24,
    takes: int = 16,
    channels: Sequence[str] = ("speech",),
    modalities: Sequence[str] = ("audio-only",),
    seed: int = 0,
    height: int = 180,
) -> Catalogue:
    """A catalogue of made clips, each made when it is read. The parameters are those of `Options`."""
    from ravdess.corpora import catalogue

    return catalogue(source(Options(actors, takes, tuple(channels), tuple(modalities), seed, height)))


def source(options: Options) -> str:
    """The options as a source for `catalogue`, "sample:actors=24,…"."""
    values = {one.name: getattr(options, one.name) for one in fields(options)}
    return "sample:" + ",".join(
        f"{name}={'+'.join(value) if isinstance(value, tuple) else value}" for name, value in values.items()
    )


def write(
    folder: str | os.PathLike[str],
    *,
    actors: int = 24,
    takes: int = 16,
    channels: Sequence[str] = ("speech",),
    modalities: Sequence[str] = ("audio-only",),
    seed: int = 0,
    height: int = 180,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write made clips as files, ``<folder>/Actor_XX/<name>.wav`` and ``.mp4``, and say beside them that they are made.

    A file that stands already with the right size (sound) or at all (video) is left alone, so a broken run goes on.

    Parameters
    ----------
    folder : str or path
    actors, takes, channels, modalities, seed, height
        As in `Options`.
    progress : callable, optional
        ``progress(done, total)`` after each clip.

    Returns
    -------
    int : files made now
    """
    from ravdess.corpora.catalogue import MARKER

    options = Options(actors, takes, tuple(channels), tuple(modalities), seed, height)
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    trusted = _same_performances(root / MARKER, options)
    about = {"corpus": CORPUS.name, "made": True, "description": CORPUS.description, "licence": CORPUS.licence}
    marker = {**about, "options": source(options)}
    (root / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    clips, made = list(options.clips()), 0
    for done, clip in enumerate(clips, 1):
        path = root / f"Actor_{clip.actor}" / (clip.name + _ending(clip))
        if not (trusted and path.is_file() and path.stat().st_size == (_size(clip, options) or path.stat().st_size)):
            path.parent.mkdir(exist_ok=True)
            unfinished = path.with_suffix(path.suffix + ".part")
            unfinished.write_bytes(make(clip, seed=seed, height=height))
            unfinished.replace(path)
            made += 1
        if progress:
            progress(done, len(clips))
    return made


def _same_performances(marker: Path, options: Options) -> bool:
    """Whether an earlier `write` into the folder made the same clips, if perhaps others of them."""
    try:
        before = Options.parse(json.loads(marker.read_text(encoding="utf-8"))["options"].removeprefix("sample:"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return (before.seed, before.height) == (options.seed, options.height)


def make(clip: Clip, *, seed: int = 0, height: int = 180) -> bytes:
    """One clip's file: a 16-bit mono .wav at 48 kHz, or an .mp4 as `ravdess.corpora.film` makes it."""
    from ravdess.corpora.film import film
    from ravdess.corpora.voice import SAMPLE_RATE, speak

    if clip.modality == MODALITIES[2]:
        return wav(speak(clip, seed).astype("<i2").tobytes(), SAMPLE_RATE, COMMENT)
    return film(clip, seed=seed, height=height, comment=COMMENT)


def wav(samples: bytes, rate: int, comment: str = "") -> bytes:
    """A .wav file of 16-bit little-endian mono `samples`, with a comment that players show."""
    text = comment.encode("ascii") + b"\0" * (2 - len(comment) % 2)
    chunks = (
        (b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)),
        (b"data", samples),
        (b"LIST", b"INFOICMT" + struct.pack("<I", len(text)) + text),
    )
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(content)) + content for name, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _ending(clip: Clip) -> str:
    return ".wav" if clip.modality == MODALITIES[2] else ".mp4"


def _size(clip: Clip, options: Options) -> int | None:
    from ravdess.corpora.voice import length

    return len(wav(b"", 1, COMMENT)) + 2 * length(clip, options.seed) if clip.modality == MODALITIES[2] else None


def _entries(text: str) -> Iterator[Entry]:
    options = Options.parse(text)
    for clip in options.clips():
        shown = "" if clip.modality == MODALITIES[2] else f",height={options.height}"
        uri = f"sample:seed={options.seed}{shown}/{clip.name}{_ending(clip)}"
        yield Entry(uri, _size(clip, options), digest=uri)


def _read(uri: str) -> bytes:
    options, _, name = uri.removeprefix("sample:").partition("/")
    try:
        chosen, clip = Options.parse(options), parse(name.rpartition(".")[0])
    except (BadSource, BadName) as error:
        raise BadClip(str(error)) from None
    return make(clip, seed=chosen.seed, height=chosen.height)


CORPUS: Final = CORPORA.register(
    Corpus(
        name="sample",
        description="made by a program, not recorded: synthetic voices and drawn faces with RAVDESS names",
        licence="CC0 1.0",
        source="ravdess.corpora.sample",
        parse=parse,
        examples=("03-01-06-01-02-01-12", "01-02-01-01-01-02-01", "02-01-08-02-02-03-30"),
        made=True,
        entries=_entries,
        read=_read,
    )
)
