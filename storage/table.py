"""A table: rows that only ever grow, in a Delta Lake table that plain Parquet readers read too (SPEC 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from storage.errors import Damaged, NotFound, StorageError, Unreachable
from storage.files import Files
from storage.log import FIRST_ENTRY, Add, Meta, adds, arrow_schema, existing, pa_mask

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from storage.keys import KeyIndex
    from storage.writer import Writer

_FILES_AT_ONCE: Final = 32


class Table:
    """One table of a store, made by `Store.table`; nothing is read before it is asked for.

    Each reading method sees the newest version, or all of an older one where it takes `version`.
    All but `exists` and `fingerprint` raise NotFound while there is no table, and UnknownFormat for a table
    that a newer release made.
    """

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self.name = name

    def __repr__(self) -> str:
        return f"Table({self.path!r})"

    @property
    def path(self) -> str:
        """The folder or URL, for ``pandas.read_parquet`` and other readers."""
        return self._files.address(self.name)

    @property
    def where(self) -> str:
        """The table and its store, as the errors name them."""
        return f"table {self.name!r} of store {self._files.url!r}"

    def exists(self) -> bool:
        """Whether the table was made; it may have no rows yet."""
        return self._files.exists(f"{self.name}/{FIRST_ENTRY}")

    def version(self) -> int:
        """The number of the newest commit; the table was made by commit 0."""
        return int(self.load().version())

    def fingerprint(self) -> str | None:
        """What was said to `open` when the table was made; None while there is no table."""
        return self.meta(self.load()).fingerprint if self.exists() else None

    def key(self) -> list[str]:
        """The names of the key columns."""
        return list(self.meta(self.load()).key)

    def schema(self) -> pa.Schema:
        """The columns, in order."""
        return arrow_schema(self.load())

    def count(self) -> int:
        """The number of rows, from the log alone."""
        return sum(add.rows for add in adds(self.load()))

    def read(self, columns: Sequence[str] | None = None, version: int | None = None) -> pa.Table:
        """The rows in the order in which they were committed.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these, in this order.
        version : int >= 0, optional
            The table as it was after that commit.

        Raises
        ------
        NotFound
            No such table, version or column; the message lists what there is.
        Damaged
            A data file that the log names is missing.
        """
        return self._rows(self.load(version), columns)

    def read_sorted(self, columns: Sequence[str] | None = None, version: int | None = None) -> pa.Table:
        """The same rows in the order of their keys, whatever order and pieces they were computed in."""
        delta = self.load(version)
        key = self.meta(delta).key
        wanted = None if columns is None else [*columns, *(name for name in key if name not in columns)]
        rows = self._rows(delta, wanted).sort_by([(name, "ascending") for name in key])
        return rows if columns is None else rows.select(list(columns))

    def keys(self) -> pa.Table:
        """The key columns of every row."""
        delta = self.load()
        return self._rows(delta, self.meta(delta).key)

    def _rows(self, delta: DeltaTable, columns: Sequence[str] | None) -> pa.Table:
        import pyarrow as pa

        schema = arrow_schema(delta)
        unknown = sorted(set(columns or ()) - set(schema.names))
        if unknown:
            raise NotFound(f"no columns {unknown} in {self.where}; its columns are {schema.names}")
        wanted = schema.names if columns is None else list(columns)
        pieces = list(self.pieces(adds(delta), schema, wanted))
        return pa.concat_tables(pieces) if pieces else schema.empty_table().select(wanted)

    def missing(self, rows: pa.Table) -> pa.Table:
        """The rows whose key the table does not hold: what is left to do. All, while there is no table."""
        if not self.exists():
            return rows
        from storage.keys import KeyIndex, digests

        delta = self.load()
        key = self.meta(delta).key
        absent = sorted(set(key) - set(rows.column_names))
        if absent:
            raise NotFound(f"the rows lack the key columns {absent} of {self.where}")
        index = KeyIndex()
        self.take_keys(index, adds(delta), arrow_schema(delta), key)
        return rows.filter(pa_mask(~index.holds(digests(rows, key))))

    def open(self, schema: pa.Schema, *, key: Sequence[str], fingerprint: str) -> Writer:
        """Open the table for adding rows, and make it if it is absent. Sweeps what killed writers left (SPEC 3.4).

        Parameters
        ----------
        schema : pyarrow.Schema
            Of the types that SPEC 4.2 lists.
        key : sequence of str
            The columns that name a row; no two rows share all of them.
        fingerprint : str
            Whatever fixes the meaning of the numbers. A table keeps the one it was made with.

        Raises
        ------
        Mismatch
            The table stands with another schema, key or fingerprint.
        """
        from storage.opening import made
        from storage.writer import Writer

        return Writer(self, made(self, schema, tuple(key), fingerprint))

    # What `Writer` shares -------------------------------------------------------------------------------------------

    @property
    def files(self) -> Files:
        """The store's files."""
        return self._files

    def load(self, version: int | None = None) -> DeltaTable:
        """The table's log, newest or at `version`, refused where SPEC 4.3 says so."""
        from deltalake import DeltaTable

        if not self.exists():
            there = existing(self._files)
            raise NotFound(f"no {self.where}; " + (f"tables there: {there}" if there else "it holds no tables yet"))
        with self.talking():
            delta = DeltaTable(self.path, storage_options=self._files.options)
            self.meta(delta)
            if version is not None:
                if not 0 <= version <= delta.version():
                    raise NotFound(f"no version {version} of {self.where}; there are 0 to {delta.version()}")
                delta.load_as_version(version)
            return delta

    def meta(self, delta: DeltaTable) -> Meta:
        return Meta.decode(delta.metadata().description, self.where)

    def unreachable(self, error: Exception | None) -> Unreachable:
        """What to raise when the log could not be read or written."""
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        if self._files.local:
            advice = "is the disk full, read-only or another user's, or was the store deleted meanwhile?"
        else:
            advice = "is the bucket there, and do AWS_ENDPOINT_URL and the AWS_* credentials fit?"
        return Unreachable(f"cannot read or write the log of {self.where}: {detail}; {advice}")

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Turn deltalake's errors into the store's."""
        from deltalake.exceptions import DeltaError

        try:
            yield
        except StorageError:
            raise
        except (DeltaError, OSError) as error:
            raise self.unreachable(error) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn a missing or broken data file into Damaged."""
        import pyarrow as pa

        try:
            yield
        except (OSError, pa.ArrowInvalid) as error:
            raise Damaged(
                f"{self.where}: cannot read a data file that its log names: {error}; restore the file, "
                "or move the table's folder away and compute it again"
            ) from error

    def pieces(self, files: Sequence[Add], schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of those data files, in order, a few files at a time: their footers are let go in between."""
        import pyarrow.dataset as ds

        fs, base = self._files.arrow(self.name)
        kind = ds.ParquetFileFormat()
        for first in range(0, len(files), _FILES_AT_ONCE):
            some = [(f"{base}/{self.inside(add.path)}", add.size) for add in files[first : first + _FILES_AT_ONCE]]
            fragments = [kind.make_fragment(path, fs, file_size=size) for path, size in some]
            with self.reading():
                piece = ds.FileSystemDataset(fragments, schema, kind, fs).to_table(columns=list(columns))
            yield piece

    def inside(self, path: str) -> str:
        """`path` if it names a file of the table's own folder, as SPEC 4.1 asks. Raises Damaged."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.parquet", path):
            raise Damaged(f"the log of {self.where} names {path!r}, which is no data file of its folder; refused")
        return path

    def take_keys(self, index: KeyIndex, files: Sequence[Add], schema: pa.Schema, key: Sequence[str]) -> None:
        """Add the keys in those data files to `index`."""
        from storage.keys import digests

        for piece in self.pieces(files, schema, key):
            index.add(digests(piece, key))
