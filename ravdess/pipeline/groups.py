"""What a worker does for frame sets: a group of takes in, their frames into shards, their index rows out.

A group is a fixed piece of an actor's takes, cut by the catalogue, and its rows are committed together. So the
content of a shard hangs on nothing that a kill, a retry or a number of CPUs could change: whoever computes the group
again writes the same files under the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ravdess.errors import Reject
from ravdess.extract import Shown, extract_frames
from ravdess.frames import LARGEST_TAKE
from ravdess.pipeline.outcomes import asked_for, limited

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.frames import FrameSet
    from storage import NewShard, Shards, Slice

TAKES: Final = {"picture": 16, "sound": 128}
"""Takes of a group: what a kill may lose of each worker's work."""
SHARD_BYTES: Final = 96_000_000
"""A shard ends before the take that would make it larger."""


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

    made = [_Made(one, None if shards is None else shards[one.name]) for one in sets]
    done: list[tuple[int, str]] = []
    try:
        for item in chunk.to_pylist():
            asked = [made[place] for place in asked_for(item["wanted"], sets)]
            shown = _shown(item, asked, time_limit)
            for one, value in zip(asked, shown.values, strict=True):
                one.end(len(done), value)
            done.append((item["row"], shown.digest))
        for one in made:
            one.keep()
    except (OSError, StorageError) as error:  # the store's failure, no clip's
        yield outcomes_table(sets, [Outcome(-1, str(error), (None,) * len(sets))], [one.size for one in made])
        return
    finally:
        for one in made:
            one.close()
    outcomes = [
        Outcome(row, digest, tuple(one.values.get(at) for one in made)) for at, (row, digest) in enumerate(done)
    ]
    yield outcomes_table(sets, outcomes, [one.size for one in made])


def _shown(item: Mapping[str, Any], asked: Sequence[_Made], time_limit: float) -> Shown:
    def begin(place: int, count: int) -> None:
        asked[place].begin(item["actor"], count)

    def emit(place: int, frames: NDArray[np.uint8]) -> None:
        asked[place].add(frames)

    with limited(time_limit):
        return extract_frames(item["source"], [one.frame_set for one in asked], emit, begin=begin, name=item["clip"])


class _Made:
    """The frames of a set on their way into shards, take by take.

    A take that may be too large for the shard under way comes into the next one, until its size is known.
    """

    def __init__(self, frame_set: FrameSet, shards: Shards | None) -> None:
        self.frame_set = frame_set
        self.values: dict[int, tuple[Slice, tuple[float, ...]] | Reject] = {}
        self.size = 0
        self._shards = shards
        self._shard: NewShard | None = None
        self._next: NewShard | None = None
        self._takes: list[tuple[int, tuple[float, ...]]] = []
        self._taken = 0

    def begin(self, actor: str, count: int) -> None:
        """A take of at most so many frames comes."""
        if self._shards is None:
            return
        name = re.sub("[^A-Za-z0-9]+", "-", actor).strip("-") or "actor"
        if self._shard is None:
            self._shard = self._shards.begin(name)
        elif self._takes and self._shard.size + count * self.frame_set.frame_bytes > SHARD_BYTES:
            self._next = self._shards.begin(name)

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Take up the take's next frames."""
        self._taken += frames.nbytes
        shard = self._next or self._shard
        if shard is not None and self._taken <= LARGEST_TAKE:
            shard.append(frames)

    def end(self, at: int, value: tuple[float, ...] | Reject) -> None:
        """The take has come, with these facts, or is rejected."""
        size, self._taken = self._taken, 0
        if size > LARGEST_TAKE:
            reason = f"{size} bytes in {self.frame_set.name}, more than the {LARGEST_TAKE} of a shard; is it a clip?"
            value = Reject("extract", reason)
        if isinstance(value, Reject):
            self.values[at] = value
            self._drop()
            return
        self.size += size
        if self._shard is None:
            return
        if self._next is not None:
            if self._shard.size + size <= SHARD_BYTES:
                self._next.move_take(self._shard)
                self._drop()
            else:
                following, self._next = self._next, None
                self.keep()
                self._shard = following
        self._shard.end_take()
        self._takes.append((at, value))

    def _drop(self) -> None:
        """Forget the take that is not to be kept where it came to."""
        if self._next is not None:
            self._next.close()
            self._next = None
        elif self._shard is not None:
            self._shard.drop_take()

    def keep(self) -> None:
        """Make a shard of the takes that have ended."""
        if self._shard is not None and self._takes:
            for (at, facts), slot in zip(self._takes, self._shard.keep(), strict=True):
                self.values[at] = (slot, facts)
            self._takes.clear()

    def close(self) -> None:
        """Let go of what is not kept."""
        for shard in (self._shard, self._next):
            if shard is not None:
                shard.close()


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
