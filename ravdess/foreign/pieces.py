"""Rows of a foreign table as numbers: what is no number is NaN, and it is known whether a word stood there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})


class Cells(Protocol):
    """The cells of a piece: text in a csv file, any value in a Parquet file."""

    def cell(self, row: int, column: int) -> Any: ...
    def column(self, column: int) -> list[Any]: ...


class Piece(NamedTuple):
    """Some rows of the file, one after another.

    Attributes
    ----------
    first : int
        Number of the first row; the row below the header is 1.
    numbers : np.ndarray [shape=(n, d), dtype=float64]
        Every column; NaN where a cell is missing or no number.
    text : np.ndarray [shape=(n, d), dtype=bool]
        Cells that hold something which is no number.
    cells : Cells
        The cells as they stand in the file.
    broken : dict
        Position in the piece -> what is wrong with the whole row.
    """

    first: int
    numbers: NDArray[np.float64]
    text: NDArray[np.bool_]
    cells: Cells
    broken: dict[int, str]


def text_piece(rows: list[list[str]], width: int, first: int) -> Piece:
    """A piece of csv records; a record of another width is made fit, and named as broken."""
    numbers = np.full((len(rows), width), np.nan)
    text = np.zeros((len(rows), width), np.bool_)
    broken = {}
    for at, row in enumerate(rows):
        if len(row) != width:
            broken[at] = f"the row has {len(row)} cells, the header names {width} columns"
            row.extend([""] * (width - len(row)))
            del row[width:]
        _parse(row, numbers[at], text[at])
    return Piece(first, numbers, text, _TextCells(rows), broken)


def _parse(row: Sequence[Any], numbers: NDArray[np.float64], text: NDArray[np.bool_]) -> None:
    """Fill `numbers` and `text` from one line of cells."""
    values, words = [], []
    for at, cell in enumerate(row):
        try:
            value = float(cell)
            if isinstance(cell, str) and "_" in cell:  # Python reads 1_000 as a number, no one else does
                raise ValueError
        except (TypeError, ValueError):
            value = np.nan
            if cell is not None and str(cell).strip().lower() not in _MISSING:
                words.append(at)
        values.append(value)
    numbers[:] = values
    text[words] = True


def arrow_piece(batch: Any, first: int) -> Piece:
    """A piece of a Parquet file, a `pyarrow.RecordBatch`."""
    import pyarrow as pa

    numbers = np.full((batch.num_rows, batch.num_columns), np.nan)
    text = np.zeros(numbers.shape, np.bool_)
    for at, column in enumerate(batch.columns):
        kind = column.type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            numbers[:, at] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        else:
            _parse(column.to_pylist(), numbers[:, at], text[:, at])
    return Piece(first, numbers, text, _ArrowCells(batch), {})


class _TextCells:
    def __init__(self, rows: list[list[str]]) -> None:
        self._rows = rows

    def cell(self, row: int, column: int) -> Any:
        return self._rows[row][column]

    def column(self, column: int) -> list[Any]:
        return [row[column] for row in self._rows]


class _ArrowCells:
    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def cell(self, row: int, column: int) -> Any:
        return self._batch.column(column)[row].as_py()

    def column(self, column: int) -> list[Any]:
        return list(self._batch.column(column).to_pylist())
