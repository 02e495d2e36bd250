"""RAVDESS itself: the publisher's names, rules and counts."""

from __future__ import annotations

from dataclasses import replace

from ravdess.clips import MODALITIES, Clip, all_takes
from ravdess.corpora import CORPORA, Corpus


def every_clip() -> dict[str, Clip]:
    """The publisher's 7356 files by name: 2452 takes, each in three modalities."""
    takes = all_takes()
    clips = (replace(take, modality=modality) for modality in MODALITIES for take in takes)
    return {clip.name: clip for clip in clips}


CORPORA.register(
    Corpus(
        name="ravdess",
        description="Ryerson Audio-Visual Database of Emotional Speech and Song: 24 actors, eight emotions, 7356 files",
        licence="CC BY-NC-SA 4.0",
        source="Livingstone & Russo (2018), doi 10.1371/journal.pone.0196391, files: doi 10.5281/zenodo.1188976",
        parse=Clip.parse,
        examples=("03-01-06-01-02-01-12", "01-02-01-01-01-02-01", "02-01-08-02-02-02-24"),
        complete=every_clip,
    )
)
