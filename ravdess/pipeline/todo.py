"""What to do: the catalogue minus the tables. And what is committed to them when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from ravdess.clips import CLIP_COLUMNS
from ravdess.memory import give_back, on_disk
from ravdess.pipeline.recorded import FILE, places, recorded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.corpora import Catalogue
    from ravdess.features import FeatureSet
    from ravdess.frames import FrameSet
    from ravdess.pipeline.recorded import Recorded
    from storage import Store

    Mask = NDArray[np.bool_]

COMMIT_SECONDS: Final = 3.0
"""Time between two commits: what a kill may lose, or as long as Ray takes to start."""
COMMIT_BYTES: Final = 2**20
"""A commit is made earlier when so much waits: it is copied several times on its way."""
TOLD: Final = ("clip", "source", "stage", "reason")
"""What a summary tells of a reject."""


One = TypeVar("One", bound="FeatureSet | FrameSet")


class Todo(Generic[One]):
    """The clips that the feature tables lack, and the tables, open for writing.

    A file that was rejected before is left alone until its content or the feature set changes.

    Attributes
    ----------
    sets : sequence of FeatureSet
    tables : dict
        Feature set -> its table in the store.
    clips : pyarrow.Table
        What is to do: columns as `Catalogue.clips`, and `wanted` (int64; bit k: the k-th of `sets` lacks it).
    done : int
        Clips of the catalogue with nothing left to do.
    computed : dict
        Feature set -> rows added by `commit`.
    notes : list of str
    """

    folder = "features"
    """Where the sets' tables lie in the store."""
    made = "values"
    """The column ``<made>:<set>`` of a batch that is null where a set has no row."""
    shared: tuple[str, ...] = ("",)
    """Fingerprints of rejects that speak against every set: what cannot be read, no set can be made of."""

    def __init__(
        self,
        catalogue: Catalogue | Recorded,
        store: Store,
        sets: Sequence[One],
        *,
        modality: str = "sound",
        every_file: bool = False,
        retry_rejects: bool = False,
    ) -> None:
        import numpy as np
        import pyarrow as pa

        from ravdess.corpora import choose

        self.sets = sets
        suffix, self._key = ("_every_file", ("corpus", "clip")) if every_file else ("", ("corpus", "take"))
        self.tables = {one.name: store.table(f"{self.folder}/{one.name}{suffix}") for one in sets}
        self._open = ExitStack()
        self._writers = {
            one.name: self._open.enter_context(
                self.tables[one.name].open(self.schema(one), key=self._key, fingerprint=one.fingerprint)
            )
            for one in sets
        }
        self._books = self._open.enter_context(recorded(catalogue, store))
        clips = self._books.catalogue.clips
        chosen = choose(clips, modality=modality, every_file=every_file)
        self._chosen = chosen if chosen is clips else on_disk(chosen)
        self.notes = self._changes()
        self.computed = {one.name: 0 for one in sets}
        wanted = np.zeros(self._chosen.num_rows, np.int64)
        for place, one in enumerate(sets):
            lacking = self._lacking(one, self._chosen)
            if not retry_rejects:
                lacking &= ~self._refused(one, self._chosen)
            wanted |= lacking.astype(np.int64) << place
        self._wanted = wanted
        self.clips = self._chosen.append_column("wanted", pa.array(wanted))
        if not wanted.all():
            self.clips = on_disk(self.clips.filter(pa.array(wanted != 0)))
        self.done = self._chosen.num_rows - self.clips.num_rows
        give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        """Clips to do."""
        return int(self.clips.num_rows)

    def commit(self, batches: Sequence[pa.Table]) -> None:
        """Add outcomes to the tables; a row that stands already is passed over."""
        import pyarrow as pa

        if not batches:
            return
        batch = pa.concat_tables(batches).combine_chunks()
        clips = self.clips.take(batch["row"])
        rejects = []
        for one in self.sets:
            made = batch[f"{self.made}:{one.name}"]
            if made.null_count < len(made):
                rows = self.rows(*_where(made.is_valid(), clips, batch), one)
                self.computed[one.name] += self._writers[one.name].append(rows)
            refused = batch[f"stage:{one.name}"].is_valid()
            rejects.append(_reject_rows(*_where(refused, clips, batch), one, self.shared))
        self._books.refuse(pa.concat_tables(rejects))

    def schema(self, one: One) -> pa.Schema:
        """Of a set's table."""
        return row_schema(one.columns)

    def rows(self, clips: pa.Table, batch: pa.Table, one: One) -> pa.Table:
        """Rows of a set's table: the clips' columns, the digest of what was read, and what was made of it."""
        return _rows(clips, batch, one)

    def commit_all(self, batches: Iterable[pa.Table], progress: Callable[[int, int], Any] | None = None) -> None:
        """Commit outcomes as they come, also those that had come when something went wrong.

        `progress` is called with each batch's clips and how many of them are rejected.
        """
        waiting: list[pa.Table] = []
        size, committed = 0, time.monotonic()
        try:
            for batch in batches:
                waiting.append(batch)
                size += batch.nbytes
                if size >= COMMIT_BYTES or time.monotonic() - committed >= COMMIT_SECONDS:
                    self.commit(waiting)
                    waiting = []
                    give_back()
                    size, committed = 0, time.monotonic()
                if progress is not None:
                    progress(batch.num_rows, count_rejects(batch, self.sets))
        finally:
            self.commit(waiting)

    def rejected(self, one: One) -> int:
        """Files of this catalogue that give no row of a set: refused by name, when read, or when computed."""
        suspects = self._suspects()
        refused = self._lacking(one, suspects) & self._refused(one, suspects)
        return int(self._books.catalogue.rejects.num_rows + refused.sum())

    def rejects(self) -> pa.Table:
        """Every file of this catalogue that stands rejected: clip, source, stage, reason."""
        import numpy as np
        import pyarrow as pa

        known, suspects = self._books.refused(), self._suspects()
        at, stands = places(known, suspects), np.zeros(known.num_rows, bool)
        for one in self.sets:
            stands |= self._speaks(known, one) & (at >= 0) & np.append(self._lacking(one, suspects), False)[at]
        rows = known.select(TOLD).filter(pa.array(stands)).sort_by([("clip", "ascending"), ("source", "ascending")])
        return distinct(pa.concat_tables([self._books.catalogue.rejects.select(TOLD), rows]))

    def _changes(self) -> list[str]:
        """A note when files changed since they were first seen."""
        import pyarrow.compute as pc

        changed = self._books.changed["source"]
        changed = changed.filter(pc.is_in(changed, value_set=self._chosen["source"].combine_chunks()))
        if not len(changed):
            return []
        return [
            f"{len(changed)} files changed since they were first read, {changed[0]} the first; "
            "rows that stand are kept as they are (use another store to compute them anew)"
        ]

    def _suspects(self) -> pa.Table:
        """The chosen clips whose address a reject names: few, so that nothing the size of the corpus is made."""
        import pyarrow.compute as pc

        known, clips = self._books.refused(), self._chosen.select([*self._key, *FILE])
        if not known.num_rows:
            return clips.slice(0, 0)
        return clips.filter(pc.is_in(clips["source"], value_set=known["source"].combine_chunks()))

    def _lacking(self, one: One, clips: pa.Table) -> Mask:
        """Which of the clips have no row in the set's table."""
        import numpy as np
        import pyarrow as pa

        places = pa.array(np.arange(clips.num_rows))
        missing = self._writers[one.name].missing(clips.select(self._key).append_column("place", places))
        mask = np.zeros(clips.num_rows, bool)
        mask[missing["place"].to_numpy()] = True
        return mask

    def _refused(self, one: One, clips: pa.Table) -> Mask:
        """Which of the clips a known reject speaks against, for this set or for every one."""
        import numpy as np

        known = self._books.refused()
        at = places(known, clips)
        mask = np.zeros(clips.num_rows, bool)
        mask[at[self._speaks(known, one) & (at >= 0)]] = True
        return mask

    def _speaks(self, rejects: pa.Table, one: One) -> Mask:
        """Which rejects are about the set, or about every one."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        about = pa.array([*self.shared, one.fingerprint])
        return np.asarray(pc.is_in(rejects["fingerprint"], value_set=about), dtype=bool)


def distinct(rows: pa.Table) -> pa.Table:
    """The rows, each at its first place only."""
    return rows.group_by(rows.column_names, use_threads=False).aggregate([])


def count_rejects(batch: pa.Table, sets: Sequence[One]) -> int:
    """Clips in a table of outcomes that at least one set refused."""
    import pyarrow.compute as pc

    refused = [batch[f"stage:{one.name}"].is_valid() for one in sets]
    return int(pc.sum(pc.cast(_any(refused), "int64")).as_py() or 0)


def _any(masks: Sequence[Any]) -> Any:
    import pyarrow.compute as pc

    together = masks[0]
    for mask in masks[1:]:
        together = pc.or_(together, mask)
    return together


def row_schema(columns: Sequence[str], between: Sequence[tuple[str, Any]] = ()) -> pa.Schema:
    """Of a feature table: the clip columns, then those float32 columns; `between` them others of their own type."""
    import pyarrow as pa

    clip = [(name, pa.int8() if name == "repetition" else pa.string()) for name in CLIP_COLUMNS]
    return pa.schema([*clip, *between, *((name, pa.float32()) for name in columns)])


def _where(mask: pa.ChunkedArray, clips: pa.Table, batch: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows of both where the mask is true; both as they are where all of it is."""
    import pyarrow.compute as pc

    return (clips, batch) if pc.all(mask).as_py() else (clips.filter(mask), batch.filter(mask))


def _rows(clips: pa.Table, batch: pa.Table, one: One) -> pa.Table:
    """Rows of a feature table: the clip's columns, the digest of what was read, and the numbers."""
    import numpy as np
    import pyarrow as pa

    values = batch[f"values:{one.name}"].combine_chunks()
    numbers = np.ascontiguousarray(values.flatten().to_numpy().reshape(len(values), -1).T)
    columns = clip_columns(clips, batch)
    columns |= {name: pa.array(column) for name, column in zip(one.columns, numbers, strict=True)}
    return pa.table(columns, schema=row_schema(one.columns))


def clip_columns(clips: pa.Table, batch: pa.Table) -> dict[str, Any]:
    """CLIP_COLUMNS, with the digest of what was read."""
    columns = {name: clips[name] for name in CLIP_COLUMNS if name != "source_digest"}
    columns["source_digest"] = batch["digest"]
    return columns


def _reject_rows(clips: pa.Table, batch: pa.Table, one: One, shared: Sequence[str]) -> pa.Table:
    """Rows of the table of rejects, but for `when`. What reading refuses, every feature set would refuse."""
    import pyarrow as pa
    import pyarrow.compute as pc

    stage = batch[f"stage:{one.name}"]
    of_set = pc.equal(stage, "extract")
    return pa.table(
        {
            **{name: clips[name] for name in ("clip", *FILE)},
            "stage": stage,
            "reason": batch[f"reason:{one.name}"],
            "fingerprint": pc.if_else(of_set, one.fingerprint, next(iter(shared), one.fingerprint)),
        }
    )
