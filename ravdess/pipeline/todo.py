"""What to do: the catalogue minus the tables. And what is committed to them when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from ravdess.clips import CLIP_COLUMNS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.corpora import Catalogue
    from ravdess.features import FeatureSet
    from ravdess.frames import FrameSet
    from storage import Store, Table, Writer

    Mask = NDArray[np.bool_]

REJECT_COLUMNS: Final = ("clip", "source", "quick_digest", "stage", "reason", "fingerprint")
"""Strings; then `when` (UTC). `fingerprint` is the feature set's, or empty when the file itself is refused."""
COMMIT_SECONDS: Final = 3.0
"""Time between two commits: what a kill may lose, or as long as Ray takes to start."""
RECORD: Final = 10_000
"""Clips that are recorded in one commit; the memory of it does not grow with the corpus."""
REJECTS_MADE: Final = "rejects/1"
"""The fingerprint of that table."""
_FILE: Final = ("source", "quick_digest")


One = TypeVar("One", bound="FeatureSet | FrameSet")


class Todo(Generic[One]):
    """The clips that the feature tables lack, and the tables, open for writing.

    The catalogue itself is recorded on the way: each usable file in the table ``clips``, each other in ``rejects``.
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
        catalogue: Catalogue,
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
        self.notes: list[str] = []
        self._catalogue = catalogue
        suffix, self._key = ("_every_file", ("corpus", "clip")) if every_file else ("", ("corpus", "take"))
        self.tables = {one.name: store.table(f"{self.folder}/{one.name}{suffix}") for one in sets}
        self._rejects = store.table("rejects")
        self._open = ExitStack()
        self._writers = {
            one.name: self._writer(self.tables[one.name], self.schema(one), self._key, one.fingerprint) for one in sets
        }
        self._reject_writer = self._writer(self._rejects, reject_schema(), (*_FILE, "fingerprint"), REJECTS_MADE)
        self._chosen = choose(catalogue.clips, modality=modality, every_file=every_file)
        self._record(store)
        self.computed = {one.name: 0 for one in sets}
        wanted = np.zeros(self._chosen.num_rows, np.int64)
        known = self._known_rejects()
        for place, one in enumerate(sets):
            lacking = self._lacking(one, self._chosen)
            if not retry_rejects:
                lacking &= ~self._refused(one, known, self._chosen)
            wanted |= lacking.astype(np.int64) << place
        self._wanted = wanted
        self.clips = self._chosen.append_column("wanted", pa.array(wanted))
        if not wanted.all():
            self.clips = self.clips.filter(pa.array(wanted != 0))
        self.done = self._chosen.num_rows - self.clips.num_rows
        _give_back()

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
            made = batch[f"{self.made}:{one.name}"].is_valid()
            if any(made.to_pylist()):
                rows = self.rows(clips.filter(made), batch.filter(made), one)
                self.computed[one.name] += self._writers[one.name].append(rows)
            refused = batch[f"stage:{one.name}"].is_valid()
            rejects.append(_reject_rows(clips.filter(refused), batch.filter(refused), one, self.shared))
        self._append_rejects(pa.concat_tables(rejects))

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
        committed = time.monotonic()
        try:
            for batch in batches:
                waiting.append(batch)
                if time.monotonic() - committed >= COMMIT_SECONDS:
                    self.commit(waiting)
                    waiting = []
                    committed = time.monotonic()
                if progress is not None:
                    progress(batch.num_rows, count_rejects(batch, self.sets))
        finally:
            self.commit(waiting)

    def rejected(self, one: One) -> int:
        """Files of this catalogue that give no row of a set: refused by name, when read, or when computed."""
        known = self._known_rejects()
        suspects = self._suspects(known)
        refused = self._lacking(one, suspects) & self._refused(one, known, suspects)
        return int(self._catalogue.rejects.num_rows + refused.sum())

    def rejects(self) -> list[dict[str, str]]:
        """Every file of this catalogue that stands rejected, with stage and reason."""
        known = self._known_rejects()
        suspects = self._suspects(known)
        lacking = {
            one.fingerprint: set(_join(suspects.filter(self._lacking(one, suspects)), _FILE).to_pylist())
            for one in self.sets
        }
        anywhere = set().union(*lacking.values())
        rows = [
            {name: row[name] for name in ("clip", "source", "stage", "reason")}
            for row, file in zip(known.to_pylist(), _join(known, _FILE).to_pylist(), strict=True)
            if file in lacking.get(row["fingerprint"], anywhere if row["fingerprint"] in self.shared else ())
        ]
        named = self._catalogue.rejects.select(["clip", "source", "stage", "reason"]).to_pylist()
        return [*named, *sorted(rows, key=lambda row: (row["clip"], row["source"]))]

    def _writer(self, table: Table, schema: pa.Schema, key: Sequence[str], fingerprint: str) -> Writer:
        return self._open.enter_context(table.open(schema, key=key, fingerprint=fingerprint))

    def _record(self, store: Store) -> None:
        """Write the catalogue into the store, and note the files that changed since they were first seen."""
        import pyarrow as pa
        import pyarrow.compute as pc

        clips = self._catalogue.clips
        writer = self._writer(store.table("clips"), clips.schema, ("source",), "clips/1")
        before = store.table("clips").read(columns=_FILE)
        for start in range(0, clips.num_rows, RECORD):
            writer.append(clips.slice(start, RECORD))
        seen = self._chosen.filter(pc.is_in(self._chosen["source"], value_set=before["source"].combine_chunks()))
        changed = seen.filter(pc.invert(pc.is_in(_join(seen, _FILE), value_set=_join(before, _FILE))))
        if changed.num_rows:
            self.notes.append(
                f"{changed.num_rows} files changed since they were first read, {changed['source'][0]} the first; "
                "rows that stand are kept as they are (use another store to compute them anew)"
            )
        named = self._catalogue.rejects
        empty = pa.array([""] * named.num_rows, pa.string())
        self._append_rejects(named.append_column("quick_digest", empty).append_column("fingerprint", empty))

    def _append_rejects(self, rows: pa.Table) -> None:
        import pyarrow as pa

        if rows.num_rows:
            when = pa.array([datetime.now(UTC)] * rows.num_rows, pa.timestamp("us", "UTC"))
            self._reject_writer.append(rows.select(REJECT_COLUMNS).append_column("when", when))

    def _known_rejects(self) -> pa.Table:
        """Reject rows, of any run, about the chosen files as they are now."""
        import pyarrow.compute as pc

        known = self._rejects.read()
        return known.filter(pc.is_in(_join(known, _FILE), value_set=_join(self._suspects(known), _FILE)))

    def _suspects(self, known: pa.Table) -> pa.Table:
        """The chosen clips whose address a reject names: few, so that nothing the size of the corpus is made."""
        import pyarrow.compute as pc

        return self._chosen.filter(pc.is_in(self._chosen["source"], value_set=known["source"].combine_chunks()))

    def _lacking(self, one: One, clips: pa.Table) -> Mask:
        """Which of the clips have no row in the set's table."""
        import numpy as np
        import pyarrow as pa

        places = pa.array(np.arange(clips.num_rows))
        missing = self.tables[one.name].missing(clips.select(self._key).append_column("place", places))
        mask = np.zeros(clips.num_rows, bool)
        mask[missing["place"].to_numpy()] = True
        return mask

    def _refused(self, one: One, known: pa.Table, clips: pa.Table) -> Mask:
        """Which of the clips a known reject speaks against, for this set or for every one."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        about = known.filter(pc.is_in(known["fingerprint"], value_set=pa.array([*self.shared, one.fingerprint])))
        if not about.num_rows:
            return np.zeros(clips.num_rows, bool)
        return _among(_join(clips, _FILE), _join(about, _FILE))


def _give_back() -> None:
    """Return what planning no longer uses to the system: it looked at every file, the work looks at a few."""
    import ctypes
    import gc

    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # glibc alone keeps it back, and has a way to say so
        ctypes.CDLL("libc.so.6").malloc_trim(0)


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


def reject_schema() -> pa.Schema:
    """Of the table of rejects."""
    import pyarrow as pa

    return pa.schema([*((name, pa.string()) for name in REJECT_COLUMNS), ("when", pa.timestamp("us", "UTC"))])


def _join(rows: pa.Table, columns: Sequence[str]) -> pa.Array:
    """The given string columns as one, to compare rows by."""
    import pyarrow as pa
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(*(rows[name] for name in columns), "\0")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _among(values: pa.Array, others: pa.Array) -> Mask:
    """Which of `values` stand among `others`."""
    import numpy as np
    import pyarrow.compute as pc

    return np.asarray(pc.is_in(values, value_set=others), dtype=bool)


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
            **{name: clips[name] for name in ("clip", *_FILE)},
            "stage": stage,
            "reason": batch[f"reason:{one.name}"],
            "fingerprint": pc.if_else(of_set, one.fingerprint, next(iter(shared), one.fingerprint)),
        }
    )
