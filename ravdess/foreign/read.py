"""A csv or Parquet file as pieces of numbers, in flat memory, whatever its encoding and separator."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from ravdess.errors import BadImport
from ravdess.foreign.pieces import Piece, arrow_piece, text_piece

CELLS_AT_ONCE: Final = 200_000
"""How many cells a piece holds at most; a piece has at least one row."""
LONGEST_LINE: Final = 1 << 26
"""Characters. A longer line is taken for a file that is no table."""
SEPARATORS: Final = (",", ";", "\t", "|")

_BLOCK: Final = 1 << 20
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_REFUSED: Final = (
    (b"PK\x03\x04", "a zip or spreadsheet file; export the table as csv"),
    (b"\x93NUMPY", "a NumPy array, which names no clips; save a table with a column of clip names"),
    (b"\x89HDF", "an HDF5 file; export the table as csv or Parquet"),
)


@dataclass(frozen=True)
class ForeignFile:
    """A file that was looked through once: what it is, and the digest of its bytes. Made by `identify`."""

    path: Path
    sha256: str
    size: int
    parquet: bool
    zipped: bool = False
    encoding: str = ""
    separator: str = ""
    columns: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    def pieces(self) -> Iterator[Piece]:
        """The rows from the first to the last. Raises BadImport where the file cannot be read on."""
        with _reading(self.path):
            yield from self._parquet_pieces() if self.parquet else self._csv_pieces()

    def _csv_pieces(self) -> Iterator[Piece]:
        with closing(_open_text(self.path, self.zipped, self.encoding)) as file:
            records = _records(file, self.separator)
            next(records)
            yield from _gather(records, len(self.columns))

    def _parquet_pieces(self) -> Iterator[Piece]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            first = 1
            for batch in file.iter_batches(batch_size=max(1, CELLS_AT_ONCE // max(1, len(self.columns)))):
                yield arrow_piece(batch, first)
                first += batch.num_rows


def identify(path: str | Path) -> ForeignFile:
    """Look through a file: its digest, kind, encoding, separator and columns.

    Text is UTF-8, UTF-16 or UTF-32 by its mark, else UTF-8, else Latin-1, which is said. It may be packed by gzip.

    Raises
    ------
    BadImport
        Absent, empty, of no kind that is known, without a header, or with a column name twice.
    """
    where = Path(path).expanduser().absolute()
    if str(path).startswith("s3:"):
        raise BadImport(f"{path} lies on S3; copy it to this machine first, a foreign table is read from a disk")
    if not where.is_file():
        raise BadImport(f"{where} is {'a folder' if where.is_dir() else 'not there'}; expected a csv or Parquet file")
    with _reading(where):
        digest, size = hashlib.sha256(), where.stat().st_size
        with where.open("rb") as file:
            head = file.read(8)
            file.seek(0)
            while block := file.read(_BLOCK):
                digest.update(block)
        if not head:
            raise BadImport(f"{where} is empty: 0 bytes; expected a csv or Parquet file")
        for mark, what in _REFUSED:
            if head.startswith(mark):
                raise BadImport(f"{where} is {what}")
        if head.startswith(b"PAR1"):
            import pyarrow.parquet as pq

            with pq.ParquetFile(where) as table:
                columns = tuple(table.schema_arrow.names)
            found = ForeignFile(where, digest.hexdigest(), size, True, columns=columns)
        else:
            found = _identify_text(where, digest.hexdigest(), size, zipped=head.startswith(b"\x1f\x8b"))
    names = [name for name in found.columns if name]
    if twice := sorted({name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()):
        raise BadImport(f"{where} has columns of the same name: {', '.join(twice[:5])}; give each its own")
    return found


def _identify_text(where: Path, sha256: str, size: int, *, zipped: bool) -> ForeignFile:
    encoding = _encoding(where, zipped)
    notes: tuple[str, ...] = ()
    if encoding == "latin-1":
        notes = (f"{where.name} is not UTF-8; it was read as Latin-1, which matters for column names only",)
    with closing(_open_text(where, zipped, encoding)) as file:
        first = next((line for line in _lines(file) if line.strip()), None)
    if first is None:
        raise BadImport(f"{where} holds no text; expected a header and rows")
    bare = re.sub(r'"[^"]*"', "", first)
    separator = max(SEPARATORS, key=bare.count)  # of equals the first
    with closing(_open_text(where, zipped, encoding)) as file:
        columns = tuple(name.strip() for name in next(_records(file, separator)))
    return ForeignFile(where, sha256, size, False, zipped, encoding, separator, columns, notes)


def _encoding(where: Path, zipped: bool) -> str:
    """By the mark at the beginning; else UTF-8 if all of the file is, else Latin-1, which anything is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _open_bytes(where, zipped) as file:
        block = file.read(_BLOCK)
        for mark, name in _BOMS:
            if block.startswith(mark):
                return name
        if b"\0" in block:
            raise BadImport(f"{where} is neither text nor Parquet; expected a csv or Parquet file")
        try:
            while block:
                decoder.decode(block)
                block = file.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def _open_bytes(where: Path, zipped: bool) -> IO[bytes]:
    return gzip.open(where) if zipped else where.open("rb")  # type: ignore[return-value]  # it reads like one


def _open_text(where: Path, zipped: bool, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_bytes(where, zipped), encoding=encoding, newline="")


@contextmanager
def _reading(where: Path) -> Iterator[None]:
    """Turn what reading raises into BadImport."""
    import pyarrow as pa

    try:
        yield
    except (OSError, EOFError, UnicodeError, zlib.error, csv.Error, pa.ArrowException) as error:
        raise BadImport(f"{where} cannot be read: {error}; is it complete, and of the kind that it seems?") from error


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise csv.Error(f"a line of more than {LONGEST_LINE:,} characters")
        yield line


def _records(file: io.TextIOWrapper, separator: str) -> Iterator[list[str]]:
    """The header, then each row; lines with nothing but separators are passed over."""
    csv.field_size_limit(LONGEST_LINE)
    for record in csv.reader(_lines(file), delimiter=separator, skipinitialspace=True, strict=True):
        if any(cell and not cell.isspace() for cell in record):
            yield record


def _gather(records: Iterable[list[str]], width: int) -> Iterator[Piece]:
    at_once, first = max(1, CELLS_AT_ONCE // width), 1
    rows: list[list[str]] = []
    for record in records:
        rows.append(record)
        if len(rows) == at_once:
            yield text_piece(rows, width, first)
            first, rows = first + len(rows), []
    if rows:
        yield text_piece(rows, width, first)
