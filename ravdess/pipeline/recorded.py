"""A catalogue in the store's books: its files in the table ``clips``, what was ever refused in ``rejects``.

Written and read once, however many feature and frame sets are then made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.corpora import Catalogue
    from storage import Store

REJECT_COLUMNS: Final = ("clip", "source", "quick_digest", "stage", "reason", "fingerprint")
"""Strings; then `when` (UTC). `fingerprint` is the feature set's, or empty when the file itself is refused."""
REJECTS_MADE: Final = "rejects/1"
"""The fingerprint of that table."""
FILE: Final = ("source", "quick_digest")
"""The columns that tell one file from another, and from itself after a change."""
RECORD: Final = 10_000
"""Clips that are recorded in one commit; the memory of it does not grow with the corpus."""


class Recorded:
    """A catalogue that stands in the store, and its rejects, open for more; a context manager, which closes them.

    Attributes
    ----------
    catalogue : Catalogue
    store : Store
    changed : pyarrow.Table
        The clips whose files changed since they were first seen.
    """

    def __init__(self, catalogue: Catalogue, store: Store) -> None:
        import pyarrow as pa

        self.catalogue, self.store = catalogue, store
        self._open = ExitStack()
        self._rejects = store.table("rejects")
        self._writer = self._open.enter_context(
            self._rejects.open(reject_schema(), key=(*FILE, "fingerprint"), fingerprint=REJECTS_MADE)
        )
        self._refused: pa.Table | None = None
        self.changed = self._record()
        named = catalogue.rejects
        empty = pa.array([""] * named.num_rows, pa.string())
        self.refuse(named.append_column("quick_digest", empty).append_column("fingerprint", empty))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def refuse(self, rows: pa.Table) -> None:
        """Add rows of REJECT_COLUMNS to the rejects; those that stand there are passed over."""
        import pyarrow as pa

        if rows.num_rows:
            when = pa.array([datetime.now(UTC)] * rows.num_rows, pa.timestamp("us", "UTC"))
            self._writer.append(rows.select(REJECT_COLUMNS).append_column("when", when))
            self._refused = None

    def refused(self) -> pa.Table:
        """Reject rows, of any run, about clips of this catalogue as they are now."""
        import pyarrow as pa

        if self._refused is None:
            known = self._rejects.read(REJECT_COLUMNS)
            self._refused = known.filter(pa.array(places(known, self.catalogue.clips) >= 0))
        return self._refused

    def _record(self) -> pa.Table:
        """Write the clips into the store. Returns those that changed since they were first seen."""
        import pyarrow.compute as pc

        clips, table = self.catalogue.clips, self.store.table("clips")
        with table.open(clips.schema, key=("source",), fingerprint="clips/1") as writer:
            before = table.read(columns=FILE)
            for start in range(0, clips.num_rows, RECORD):
                writer.append(clips.slice(start, RECORD))
        files = clips.select(FILE)
        seen = files.filter(pc.is_in(files["source"], value_set=before["source"].combine_chunks()))
        return seen.filter(pc.invert(pc.is_in(join(seen, FILE), value_set=join(before, FILE))))


@contextmanager
def recorded(catalogue: Catalogue | Recorded, store: Store) -> Iterator[Recorded]:
    """The catalogue in the store's books; one that stands there already stays open."""
    if isinstance(catalogue, Recorded):
        yield catalogue
    else:
        with Recorded(catalogue, store) as books:
            yield books


def reject_schema() -> pa.Schema:
    """Of the table of rejects."""
    import pyarrow as pa

    return pa.schema([*((name, pa.string()) for name in REJECT_COLUMNS), ("when", pa.timestamp("us", "UTC"))])


def places(rejects: pa.Table, clips: pa.Table) -> NDArray[np.int32]:
    """Where the file of each reject stands in the clips; -1 where it does not, or has changed. Shape (rejects,)."""
    import numpy as np
    import pyarrow.compute as pc

    if not rejects.num_rows:
        return np.zeros(0, np.int32)
    at = pc.index_in(rejects["source"], value_set=clips["source"].combine_chunks())
    same = pc.equal(rejects["quick_digest"], clips["quick_digest"].take(at))
    return np.asarray(pc.if_else(pc.fill_null(same, False), at, -1), np.int32)


def join(rows: pa.Table, columns: Sequence[str]) -> pa.Array:
    """The given string columns as one, to compare rows by."""
    import pyarrow as pa
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(*(rows[name] for name in columns), "\0")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
