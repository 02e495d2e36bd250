"""The 7-part names of RAVDESS and what they mean.

A **clip** is one file, named by its stem, ``03-01-06-01-02-01-12``: modality, channel, emotion, intensity,
statement, repetition, actor. A **take** is one performance: the name without its modality,
``01-06-01-02-01-12``. The audio-video, video-only and audio-only files of a take are the same performance
encoded again, so the take, never the file, is what a split must keep whole.

Source of the names and rules: Livingstone & Russo (2018), doi 10.1371/journal.pone.0196391, and the record
doi 10.5281/zenodo.1188976.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from ravdess.errors import BadName

MODALITIES: Final = ("audio-video", "video-only", "audio-only")
CHANNELS: Final = ("speech", "song")
EMOTIONS: Final = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
INTENSITIES: Final = ("normal", "strong")
STATEMENTS: Final = ("kids", "dogs")
"""01 "Kids are talking by the door", 02 "Dogs are sitting by the door"."""
REPETITIONS: Final = (1, 2)
ACTORS: Final = tuple(f"{number:02d}" for number in range(1, 25))
GENDERS: Final = ("male", "female")
"""Odd-numbered actors are male, even-numbered ones female."""

CLIP_COLUMNS: Final = (
    "clip",
    "take",
    "corpus",
    "actor",
    "gender",
    "channel",
    "emotion",
    "intensity",
    "statement",
    "repetition",
    "modality",
    "source",
    "source_digest",
)
"""The columns that every table row of a clip begins with, in order. All are strings but `repetition` (int8)."""

_NAME = re.compile(r"[0-9]{2}(?:-[0-9]{2}){6}")


@dataclass(frozen=True, slots=True, order=True)
class Clip:
    """One file of the corpus, by its name alone.

    Attributes
    ----------
    modality : one of MODALITIES
    channel : one of CHANNELS
    emotion : one of EMOTIONS
    intensity : one of INTENSITIES
    statement : one of STATEMENTS
    repetition : 1 or 2 (made data may have more)
    actor : one of ACTORS, as in the name: "01" ... "24" (made data may have more)
    """

    modality: str
    channel: str
    emotion: str
    intensity: str
    statement: str
    repetition: int
    actor: str

    @classmethod
    def parse(cls, stem: str, *, actors: int = len(ACTORS), repetitions: int = len(REPETITIONS)) -> Clip:
        """Read a name without its ending, "03-01-06-01-02-01-12".

        Parameters
        ----------
        stem : str
        actors, repetitions : int in 1 ... 99
            How many there may be. The publisher's 24 and 2 are the default; only made data goes beyond.

        Raises
        ------
        BadName
            The name has not seven two-digit parts, a part is out of its range, or the publisher's rules
            forbid it: neutral has no strong intensity, song has no disgust and no surprised, actor 18 sang no song.
        """
        if not _NAME.fullmatch(stem):
            raise BadName(f"{stem!r} is no clip name: expected seven two-digit parts, as in 03-01-06-01-02-01-12")
        codes = tuple(int(part) for part in stem.split("-"))
        for field, code, limit in zip(_FIELDS, codes, (*_SIZES, repetitions, actors), strict=True):
            if not 1 <= code <= limit:
                raise BadName(f"{stem!r}: {field} {code:02d} is out of range 01 to {limit:02d}")
        clip = cls(
            modality=MODALITIES[codes[0] - 1],
            channel=CHANNELS[codes[1] - 1],
            emotion=EMOTIONS[codes[2] - 1],
            intensity=INTENSITIES[codes[3] - 1],
            statement=STATEMENTS[codes[4] - 1],
            repetition=codes[5],
            actor=_NUMBERS[codes[6]],
        )
        if clip.emotion == "neutral" and clip.intensity == "strong":
            raise BadName(f"{stem!r}: neutral was never performed with strong intensity")
        if clip.channel == "song" and clip.emotion in ("disgust", "surprised"):
            raise BadName(f"{stem!r}: {clip.emotion} was never sung")
        if clip.channel == "song" and clip.actor == "18":
            raise BadName(f"{stem!r}: actor 18 has no song")
        return clip

    @property
    def name(self) -> str:
        """The file's stem, "03-01-06-01-02-01-12"."""
        return f"{_CODES[self.modality]}-{self.take}"

    @property
    def take(self) -> str:
        """The performance: the name without its modality, "01-06-01-02-01-12"."""
        words = f"{_CODES[self.channel]}-{_CODES[self.emotion]}-{_CODES[self.intensity]}-{_CODES[self.statement]}"
        return f"{words}-{self.repetition:02d}-{self.actor}"

    @property
    def gender(self) -> str:
        """One of GENDERS, by the number's parity."""
        return GENDERS[(int(self.actor) + 1) % 2]


_VOCABULARIES: Final[tuple[tuple[str, ...], ...]] = (MODALITIES, CHANNELS, EMOTIONS, INTENSITIES, STATEMENTS)
_CODES: Final = {word: f"{code:02d}" for allowed in _VOCABULARIES for code, word in enumerate(allowed, 1)}
_SIZES: Final = tuple(len(allowed) for allowed in _VOCABULARIES)
_NUMBERS: Final = tuple(f"{number:02d}" for number in range(100))
_FIELDS: Final = ("modality", "channel", "emotion", "intensity", "statement", "repetition", "actor")


def all_takes() -> list[Clip]:
    """The publisher's 2452 takes (1440 spoken, 1012 sung), each as its audio-only clip, in name order."""
    takes = []
    for codes in itertools.product(*(range(1, size + 1) for size in (*_SIZES[1:], len(REPETITIONS), len(ACTORS)))):
        try:
            takes.append(Clip.parse("-".join(f"{code:02d}" for code in (3, *codes))))
        except BadName:
            continue
    return takes
