"""Takes -> frame shards and index rows, on Ray Data. Workers write the shards, the driver commits the rows.

A group whose worker died is looked into take by take; what dies alone is rejected, and the group is made again
without it, so that its shards are those of a run in which nobody died.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import NoRoom
from ravdess.frames import INDEX_COLUMNS, FrameSet, frame_set
from ravdess.pipeline.groups import Outcome, cut, outcomes_table, slice_type, work_through
from ravdess.pipeline.on_ray import died, nobody_came, run
from ravdess.pipeline.recorded import recorded
from ravdess.pipeline.todo import Todo, clip_columns, distinct, row_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.corpora import Catalogue
    from ravdess.pipeline.recorded import Recorded
    from storage import Shards, Store

LONG: Final = 64
"""Takes from which on the room that they need is measured first, …"""
MEASURED: Final = 3
"""… from so many of them."""
_FEW: Final = 16
"""So many takes may all kill their workers before the workers are suspected."""


@dataclass(frozen=True)
class MadeFrames:
    """What became of one frame set: as `ravdess.pipeline.Made`; `path` is the index, and `frames` and `bytes` all."""

    rows: int
    computed: int
    rejects: int
    path: str
    frames: int
    bytes: int


@dataclass(frozen=True)
class FrameSummary:
    """What a call did: per frame set, every file of the source that stands rejected, and what is worth knowing.

    `rejects` has the columns clip, source, stage and reason.
    """

    frames: dict[str, MadeFrames]
    rejects: pa.Table
    notes: list[str]
    ray_started: bool


class FramesTodo(Todo[FrameSet]):
    """The takes that the indexes of frame sets lack, and the indexes, open for writing."""

    folder = "frames"
    made = "slice"
    shared = ()  # a file whose sound cannot be read may have pictures, and the other way round

    def schema(self, one: FrameSet) -> pa.Schema:
        return row_schema(one.columns, [(field.name, field.type) for field in slice_type()])

    def rows(self, clips: pa.Table, batch: pa.Table, one: FrameSet) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        slices = batch[f"slice:{one.name}"].combine_chunks()
        facts = batch[f"facts:{one.name}"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        numbers = np.ascontiguousarray(facts.reshape(len(slices), len(one.columns)).T)
        columns = clip_columns(clips, batch)
        columns |= {name: slices.field(name) for name in INDEX_COLUMNS}
        columns |= {name: pa.array(column) for name, column in zip(one.columns, numbers, strict=True)}
        return pa.table(columns, schema=self.schema(one))

    def groups(self, modality: str) -> list[pa.Table]:
        """What is to do, in groups whose cuts hang on the catalogue alone."""
        import numpy as np
        import pyarrow as pa

        wanted = self._wanted
        row = np.where(wanted != 0, np.cumsum(wanted != 0) - 1, -1)
        every = self._chosen.append_column("row", pa.array(row)).append_column("wanted", pa.array(wanted))
        return cut(every, modality)


def featurize_frames(
    catalogue: Catalogue | Recorded,
    store: Store,
    names: Sequence[str],
    *,
    every_file: bool = False,
    retry_rejects: bool = False,
    time_limit: float = 60.0,
    cpus: int | None = None,
    begin: Callable[[int, int], Any] | None = None,
    room: Callable[[Mapping[str, int], int | None], Any] | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> FrameSummary:
    """Add to the store what its frame sets lack of a catalogue.

    Parameters
    ----------
    catalogue, store, every_file, retry_rejects, time_limit, cpus, begin, progress
        As `ravdess.pipeline.featurize` has them.
    names : sequence of str
        Frame sets. Those made from pictures share one decoding of each take, those made from sound one reading.
    room : callable, optional
        ``room(need, free)`` before a long run: bytes a set, measured on a few takes, and bytes free (None: not known).

    Returns
    -------
    FrameSummary

    Raises
    ------
    UnknownName
        A frame set that no register holds.
    NoRoom
        The store's disk has less space than a few of the takes show to be needed.
    StorageError
        Another definition of a set stands under its name, or the store cannot be written.
    """
    import pyarrow as pa

    sets = [frame_set(name) for name in dict.fromkeys(names)]
    with recorded(catalogue, store) as books:
        parts = [
            _of_modality(
                books,
                store,
                [one for one in sets if one.modality == modality],
                modality=modality,
                every_file=every_file,
                retry_rejects=retry_rejects,
                time_limit=time_limit,
                cpus=cpus,
                begin=begin,
                room=room,
                progress=progress,
            )
            for modality in dict.fromkeys(one.modality for one in sets)
        ]
    frames = {name: made for part in parts for name, made in part.frames.items()}
    return FrameSummary(
        frames={one.name: frames[one.name] for one in sets},
        rejects=distinct(pa.concat_tables([part.rejects for part in parts])),
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
        ray_started=any(part.ray_started for part in parts),
    )


def _of_modality(
    books: Recorded,
    store: Store,
    sets: Sequence[FrameSet],
    *,
    modality: str,
    every_file: bool,
    retry_rejects: bool,
    time_limit: float,
    cpus: int | None,
    begin: Callable[[int, int], Any] | None,
    room: Callable[[Mapping[str, int], int | None], Any] | None,
    progress: Callable[[int, int], Any] | None,
) -> FrameSummary:
    with FramesTodo(books, store, sets, modality=modality, every_file=every_file, retry_rejects=retry_rejects) as todo:
        if len(todo):
            from ravdess.cluster import start_ray

            if begin is not None:
                begin(len(todo), todo.done)
            start_ray(cpus)
            groups = todo.groups(modality)
            if len(todo) >= LONG:
                _check_room(store, groups, sets, time_limit, room)
            shards = {one.name: store.shards(todo.tables[one.name].name) for one in sets}
            todo.commit_all(stream(groups, sets, shards, time_limit=time_limit), progress)
            for one in shards.values():
                one.sweep()
        notes = [*books.catalogue.notes, *todo.notes]
        if not len(todo) + todo.done:
            kinds = {"picture": "audio-video nor video-only", "sound": "audio-only nor audio-video"}
            names = ", ".join(one.name for one in sets)
            notes.append(f"the source has neither {kinds[modality]} files that can be used: nothing for {names}")
        return FrameSummary(
            frames={one.name: _made(todo, one) for one in sets},
            rejects=todo.rejects(),
            notes=notes,
            ray_started=bool(len(todo)),
        )


def _made(todo: FramesTodo, one: FrameSet) -> MadeFrames:
    import pyarrow.compute as pc

    table = todo.tables[one.name]
    frames = int(pc.sum(table.read(["count"])["count"]).as_py() or 0)
    return MadeFrames(
        rows=table.count(),
        computed=todo.computed[one.name],
        rejects=todo.rejected(one),
        path=table.path,
        frames=frames,
        bytes=frames * one.frame_bytes,
    )


def stream(
    groups: Sequence[pa.Table], sets: Sequence[FrameSet], shards: Mapping[str, Shards], *, time_limit: float
) -> Iterator[pa.Table]:
    """Make every group and yield its outcomes as it is done, each take once.

    Yields
    ------
    pyarrow.Table
        As `groups.outcomes_table` says: a group, or takes that are rejected because their worker died.

    Raises
    ------
    WorkersFailed
        Many takes, and not one of them came back.
    Unreachable
        A worker could not write to the store.
    """
    import pyarrow as pa

    making: dict[str, Any] = {"sets": sets, "shards": shards, "time_limit": time_limit}
    left, any_came = list(groups), False
    for last in (False, True):
        came: set[int] = set()
        for batch in _checked(run(left, work_through, **making)):
            came.update(batch["row"].to_pylist())
            yield batch
        any_came |= bool(came)
        left = [group for group in left if group["row"][0].as_py() not in came]
        if not left:
            return
        alone = [group.slice(at, 1).combine_chunks() for group in left for at in range(group.num_rows)]
        well: set[int] = set()
        # At last each take has a shard of its own: whatever kills its group, it is none of its takes.
        for batch in _checked(run(alone, work_through, **{**making, "shards": shards if last else None})):
            well.update(batch["row"].to_pylist())
            if last:
                yield batch
        if not (well or any_came) and len(alone) > _FEW:
            raise nobody_came(len(alone), "takes")
        dead = [row for group in left for row in group["row"].to_pylist() if row not in well]
        if dead:
            why = (died(time_limit),) * len(sets)
            yield outcomes_table(sets, [Outcome(row, "", why) for row in dead])
        survivors = [group.filter(pa.array([row in well for row in group["row"].to_pylist()])) for group in left]
        left = [group.combine_chunks() for group in survivors if group.num_rows]
        if not left:
            return


def _checked(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The batches. Raises Unreachable when a worker says that the store failed."""
    from storage.errors import Unreachable

    for batch in batches:
        if batch.num_rows and batch["row"][0].as_py() < 0:
            raise Unreachable(batch["digest"][0].as_py())
        yield batch


def _check_room(
    store: Store,
    groups: Sequence[pa.Table],
    sets: Sequence[FrameSet],
    time_limit: float,
    room: Callable[[Mapping[str, int], int | None], Any] | None,
) -> None:
    """Make a few takes without keeping them, say what all will need, and refuse what does not fit."""
    import pyarrow as pa

    every = pa.concat_tables(groups)
    some = [every.slice(at * every.num_rows // MEASURED, 1).combine_chunks() for at in range(MEASURED)]
    sizes: dict[str, list[int]] = {one.name: [] for one in sets}
    for batch in run(some, work_through, sets=sets, shards=None, time_limit=time_limit):
        for name, found in sizes.items():
            found += [size for size in batch[f"size:{name}"].to_pylist() if size]
    wanted = {one.name: sum(bits >> at & 1 for bits in every["wanted"].to_pylist()) for at, one in enumerate(sets)}
    need = {name: round(sum(found) / len(found) * wanted[name]) for name, found in sizes.items() if found}
    free = _free(store)
    if need and room is not None:
        room(need, free)
    if free is not None and sum(need.values()) > free:
        raise NoRoom(
            f"these frames need about {sum(need.values()) / 1e9:.1f} GB and {store.url} has {free / 1e9:.1f} GB free; "
            "ask for smaller sets, or give another --store"
        )


def _free(store: Store) -> int | None:
    """Free bytes where the store lies; None where nobody can say."""
    if "://" in store.url:
        return None
    place = Path(store.url)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
