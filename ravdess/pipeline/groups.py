"""What a worker does for frame sets: a group of takes in, their frames into shards, their index rows out.

A group is a fixed piece of an actor's takes, cut by the catalogue, and its rows are committed together. So the
content of a shard hangs on nothing that a kill, a retry or a number of CPUs could change: whoever computes the group
again writes the same files under the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ravdess.extract import Reject, extract_frames
from ravdess.frames import LARGEST_TAKE, Pictures
from ravdess.pipeline.outcomes import asked_for, limited

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.frames import FrameSet
    from storage import Shards, Slice

TAKES: Final = {"picture": 16, "sound": 128}
"""Takes of a group: what a kill may lose of each worker's work."""
SHARD_BYTES: Final = 96_000_000
"""A shard ends before the take that would make it larger, so that is what a worker holds of each set."""


class Outcome(NamedTuple):
    """What became of one take: per set where its frames lie and its facts, the Reject, or None where not asked."""

    row: int
    digest: str
    values: tuple[tuple[Slice, tuple[float, ...]] | Reject | None, ...]


def cut(clips: pa.Table, modality: str) -> list[pa.Table]:
    """The groups of a list of takes.

    Parameters
    ----------
    clips : pyarrow.Table
        Columns row, corpus, actor, take, clip, source and `wanted` of all takes, whether anything is to do or not
        (`wanted` 0): what stands already must not move the cuts.
    modality : {"picture", "sound"}

    Returns
    -------
    list of pyarrow.Table
        Columns row, clip, source, actor, wanted, in the order of the takes; without those that are done.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = clips.select(["row", "corpus", "actor", "take", "clip", "source", "wanted"])
    for name in ("corpus", "actor"):  # a vocabulary cannot be sorted by
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(pa.string()))
    rows = rows.sort_by([(name, "ascending") for name in ("corpus", "actor", "take", "clip")])
    groups: list[list[int]] = []
    owner = None
    for place, who in enumerate(zip(rows["corpus"].to_pylist(), rows["actor"].to_pylist(), strict=True)):
        if who != owner or len(groups[-1]) == TAKES[modality]:
            groups.append([])
            owner = who
        groups[-1].append(place)
    columns = ["row", "clip", "source", "actor", "wanted"]
    cuts = [rows.select(columns).take(pa.array(group)) for group in groups]
    todo = [group.filter(pc.not_equal(group["wanted"], 0)).combine_chunks() for group in cuts]
    return [group for group in todo if group.num_rows]


def work_through(
    chunk: pa.Table, *, sets: Sequence[FrameSet], shards: Mapping[str, Shards] | None, time_limit: float
) -> Iterator[pa.Table]:
    """In a worker: make a group's frames and keep them. A clip that outlasts the limit ends the process.

    Without `shards` nothing is kept: it is only found out which takes can be made, and how large they are.
    """
    from storage.errors import StorageError

    keeper = _Keeper(sets, shards)
    done: list[tuple[int, str]] = []
    try:
        for item in chunk.to_pylist():
            asked = asked_for(item["wanted"], sets)
            with limited(time_limit):
                shown = extract_frames(item["source"], [sets[place] for place in asked], name=item["clip"])
            for place, value in zip(asked, shown.values, strict=True):
                keeper.add(place, len(done), item["actor"], value)
            done.append((item["row"], shown.digest))
            del shown
        keeper.finish()
    except (OSError, StorageError) as error:  # the store's failure, no clip's
        yield outcomes_table(sets, [Outcome(-1, str(error), (None,) * len(sets))], keeper.sizes)
        return
    outcomes = [
        Outcome(row, digest, tuple(values.get(at) for values in keeper.values)) for at, (row, digest) in enumerate(done)
    ]
    yield outcomes_table(sets, outcomes, keeper.sizes)


class _Keeper:
    """The frames of a group on their way into shards, set by set."""

    def __init__(self, sets: Sequence[FrameSet], shards: Mapping[str, Shards] | None) -> None:
        self._sets, self._shards = sets, shards
        self._waiting: list[list[tuple[int, Pictures]]] = [[] for _ in sets]
        self._name = ""
        self.values: list[dict[int, tuple[Slice, tuple[float, ...]] | Reject]] = [{} for _ in sets]
        self.sizes = [0] * len(sets)

    def add(self, place: int, at: int, actor: str, value: Pictures | Reject) -> None:
        """Take up what a take gave in the set at `place`."""
        if isinstance(value, Reject):
            self.values[place][at] = value
            return
        size = value.frames.nbytes
        if size > LARGEST_TAKE:
            reason = f"{size} bytes in {self._sets[place].name}, more than the {LARGEST_TAKE} of a shard; is it a clip?"
            self.values[place][at] = Reject("extract", reason)
            return
        self.sizes[place] += size
        if self._shards is None:
            return
        if sum(one.frames.nbytes for _, one in self._waiting[place]) + size > SHARD_BYTES:
            self._flush(place)
        self._waiting[place].append((at, value))
        self._name = re.sub("[^A-Za-z0-9]+", "-", actor).strip("-") or "actor"

    def finish(self) -> None:
        """Write what waits."""
        for place in range(len(self._sets)):
            self._flush(place)

    def _flush(self, place: int) -> None:
        waiting = self._waiting[place]
        if waiting and self._shards is not None:
            slices = self._shards[self._sets[place].name].write(self._name, [one.frames for _, one in waiting])
            for (at, one), slot in zip(waiting, slices, strict=True):
                self.values[place][at] = (slot, one.facts)
        waiting.clear()


def outcomes_table(sets: Sequence[FrameSet], outcomes: Sequence[Outcome], sizes: Sequence[int] = ()) -> pa.Table:
    """The outcomes as a table.

    Returns
    -------
    pyarrow.Table
        `row` (int64; -1: the store failed, and `digest` says how), `digest`, and per set ``slice:<set>`` (where the
        frames lie), ``facts:<set>`` (list of float32), both null where none were kept, ``stage:<set>`` and
        ``reason:<set>`` (null when not rejected), ``size:<set>`` (bytes of all these takes).
    """
    import pyarrow as pa

    columns: dict[str, pa.Array] = {
        "row": pa.array([one.row for one in outcomes], pa.int64()),
        "digest": pa.array([one.digest for one in outcomes], pa.string()),
    }
    for place, one in enumerate(sets):
        values = [outcome.values[place] for outcome in outcomes]
        rejects = [value if isinstance(value, Reject) else None for value in values]
        kept = [None if value is None or isinstance(value, Reject) else value for value in values]
        columns[f"slice:{one.name}"] = pa.array([value and dict(value[0]) for value in kept], slice_type())
        columns[f"facts:{one.name}"] = pa.array([value and list(value[1]) for value in kept], pa.list_(pa.float32()))
        for field in Reject._fields:
            columns[f"{field}:{one.name}"] = pa.array(
                [value and getattr(value, field) for value in rejects], pa.string()
            )
        size = sizes[place] if sizes else 0
        columns[f"size:{one.name}"] = pa.array([size] * len(outcomes), pa.int64())
    return pa.table(columns)


def slice_type() -> Any:
    """Where a take's frames lie, as a column: the fields of `storage.Slice`."""
    import pyarrow as pa

    return pa.struct([("shard", pa.string()), ("first", pa.int64()), ("count", pa.int64()), ("crc32", pa.int64())])
