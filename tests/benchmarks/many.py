"""The featurize job on a made corpus of any size: RAVDESS has 2452 takes, here each may come in many copies.

Run as the job itself, with `--corpus many`: a copy's name is a clip's name, "x", and its number.
"""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

from ravdess.clips import Clip, all_takes
from ravdess.corpora import CORPORA, Corpus
from ravdess.corpora.sample import make

JOB = Path(__file__).parents[2] / "jobs" / "featurize.py"


@dataclass(frozen=True)
class Copy:
    """A clip with a number; whatever else it is asked, the clip answers."""

    clip: Clip
    number: str

    @classmethod
    def parse(cls, stem: str) -> Copy:
        name, _, number = stem.partition("x")
        return cls(Clip.parse(name), number)

    @property
    def name(self) -> str:
        return f"{self.clip.name}x{self.number}"

    @property
    def take(self) -> str:
        return f"{self.clip.take}x{self.number}"

    def __getattr__(self, name: str) -> object:
        return getattr(self.clip, name)


def copies(clips: int) -> list[Copy]:
    """That many clips, each named once."""
    takes = [take for take in all_takes() if take.channel == "speech"]
    return [Copy(takes[at % len(takes)], str(at // len(takes))) for at in range(clips)]


def write(folder: Path, clips: int) -> None:
    """Write that many made clips as .wav, a folder an actor."""
    for copy in copies(clips):
        path = folder / f"Actor_{copy.clip.actor}" / f"{copy.name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(copy.clip, seed=int(copy.number)))


def register() -> None:
    """Make `--corpus many` known to this process."""
    CORPORA.register(
        Corpus(
            "many",
            "Copies of made clips, for measuring.",
            "MIT",
            "made",
            Copy.parse,  # type: ignore[arg-type]  # it answers for its clip by __getattr__
            ("03-01-01-01-01-01-01x0",),
            made=True,
        )
    )


if __name__ == "__main__":
    register()
    runpy.run_path(str(JOB), run_name="__main__")
