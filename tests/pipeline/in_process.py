"""What the jobs make with Ray, made in this process."""

from __future__ import annotations

from ravdess.corpora import Catalogue
from ravdess.frames import frame_set
from ravdess.pipeline.groups import work_through
from ravdess.pipeline.shards import FramesTodo
from storage import Store


def make_frames(found: Catalogue, store: Store, name: str) -> None:
    """Add to the store what its frame set of that name lacks of a catalogue."""
    one = frame_set(name)
    with FramesTodo(found, store, [one], modality=one.modality) as todo:
        shards = {name: store.shards(todo.tables[name].name)}
        for group in todo.groups(one.modality):
            todo.commit(list(work_through(group, sets=[one], shards=shards, time_limit=60)))
