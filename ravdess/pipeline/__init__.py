"""Clips -> rows, on Ray Data. Workers compute, the driver commits.

What to do is the catalogue minus the table, found before anything starts (`todo`). Plain processes begin with it
(`hands`); Ray takes over where its start pays or a cluster is there (`work`, `stream`). The driver commits what comes
(`outcomes`) every few seconds, so a kill loses little, and the same call goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ravdess.features import feature_set
from ravdess.pipeline.recorded import recorded
from ravdess.pipeline.todo import Todo

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.corpora import Catalogue
    from ravdess.pipeline.recorded import Recorded
    from storage import Store


@dataclass(frozen=True)
class Made:
    """What became of one feature set.

    Attributes
    ----------
    rows : int
        Rows that the table holds now, of every source.
    computed : int
        Rows that this call added.
    rejects : int
        Files of this source that give no row, here or in the catalogue.
    path : str
        Where the table lies; `pandas.read_parquet` reads it.
    """

    rows: int
    computed: int
    rejects: int
    path: str


@dataclass(frozen=True)
class Summary:
    """What a call did: per feature set, every file of the source that stands rejected, and what is worth knowing.

    `rejects` has the columns clip, source, stage and reason. `tried` counts the clips that there was something to do
    for; `ray_started` tells whether Ray was needed for them.
    """

    features: dict[str, Made]
    rejects: pa.Table
    notes: list[str]
    tried: int
    ray_started: bool


def featurize(
    catalogue: Catalogue | Recorded,
    store: Store,
    features: Sequence[str] = ("mfcc_stats",),
    *,
    every_file: bool = False,
    retry_rejects: bool = False,
    time_limit: float = 60.0,
    cpus: int | None = None,
    begin: Callable[[int, int], Any] | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Summary:
    """Add to the store what its feature tables lack of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue or Recorded
        `recorded` in this store already, where more is made of it than these tables.
    store : Store
    features : sequence of str
        Names of feature sets; one reading of each file serves them all.
    every_file : bool
        One row a file instead of one a take, in tables of their own, ``features/<set>_every_file``.
    retry_rejects : bool
        Try files again that were rejected before and have not changed since.
    time_limit : float > 0
        Seconds that one clip may take before its worker is given up.
    cpus : int > 0, optional
        Size of the Ray that is started here (default: all CPUs); an existing cluster keeps its own.
    begin : callable, optional
        ``begin(to_do, done_before)``, in clips, before Ray starts; not called when there is nothing to do.
    progress : callable, optional
        ``progress(clips, rejects)`` after every batch, with what is new in it.

    Returns
    -------
    Summary

    Raises
    ------
    UnknownName
        A feature set that no register holds.
    StorageError
        Another definition of a set stands under its name, or the store cannot be written.
    """
    sets = [feature_set(name) for name in dict.fromkeys(features)]
    with (
        recorded(catalogue, store) as books,
        Todo(books, store, sets, every_file=every_file, retry_rejects=retry_rejects) as todo,
    ):
        ray_started = False
        if len(todo):
            if begin is not None:
                begin(len(todo), todo.done)
            from ravdess.pipeline.work import Extraction

            extraction = Extraction(todo.clips, sets, cpus=cpus, time_limit=time_limit)
            todo.commit_all(extraction, progress)
            ray_started = extraction.on_ray
        return Summary(
            features={
                one.name: Made(
                    rows=todo.tables[one.name].count(),
                    computed=todo.computed[one.name],
                    rejects=todo.rejected(one),
                    path=todo.tables[one.name].path,
                )
                for one in sets
            },
            rejects=todo.rejects(),
            notes=[*books.catalogue.notes, *todo.notes],
            tried=len(todo),
            ray_started=ray_started,
        )
