"""Arrow columns from Python values and back, without pyarrow's own ways, which import pandas: half a job's start."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Column = Callable[[Iterable[Any]], Any]
"""What makes a column of values."""

AT_ONCE: Final = 4096
"""Rows that stand as Python values at a time: columns take a tenth of their memory."""


def strings(values: Iterable[str]) -> pa.Array:
    """A string column, none of it null."""
    import numpy as np
    import pyarrow as pa

    listed = list(values)
    joined = "".join(listed)
    text = joined.encode()
    lengths = map(len, listed if len(text) == len(joined) else map(str.encode, listed))
    offsets = np.zeros(len(listed) + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, len(listed)), out=offsets[1:])
    return pa.Array.from_buffers(pa.string(), len(listed), [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def words(values: Iterable[str]) -> pa.Array:
    """A string column of few different values, each kept once (dictionary)."""
    import pyarrow as pa

    codes: dict[str, int] = {}
    data = array("i", [codes.setdefault(value, len(codes)) for value in values])
    indices = pa.Array.from_buffers(pa.int32(), len(data), [None, pa.py_buffer(data)])
    return pa.DictionaryArray.from_arrays(indices, strings(codes))


def numbers(values: Iterable[int | None], code: str = "q") -> pa.Array:
    """An integer column: `code` "q" gives int64, "b" int8. None becomes null."""
    import numpy as np
    import pyarrow as pa

    listed = list(values)
    data = pa.py_buffer(array(code, [value or 0 for value in listed]))
    valid = np.packbits(np.array([value is not None for value in listed], bool), bitorder="little")
    kind = {"q": pa.int64(), "b": pa.int8()}[code]
    return pa.Array.from_buffers(kind, len(listed), [pa.py_buffer(valid), data])


def small(values: Iterable[int]) -> pa.Array:
    """A column of int8."""
    return numbers(values, "b")


def places(values: NDArray[np.int64]) -> pa.Array:
    """Rows to take, as a column."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def truths(values: Iterable[bool]) -> pa.Array:
    """A column of true and false, none of it null."""
    import numpy as np
    import pyarrow as pa

    mask = np.asarray(values if isinstance(values, np.ndarray) else list(values), bool)
    bits = np.packbits(mask, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, pa.py_buffer(bits)])


def mask(values: pa.Array) -> NDArray[np.bool_]:
    """A column of true and false, none of it null, for numpy."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(values.buffers()[1], np.uint8), bitorder="little")
    return bits[values.offset : values.offset + len(values)].astype(bool)


def integers(values: pa.Array, kind: Any) -> NDArray[Any]:
    """A column of integers, none of it null, for numpy; `kind` is its type there."""
    import numpy as np

    return np.frombuffer(values.buffers()[1], kind)[values.offset : values.offset + len(values)]


class Rows:
    """A table that grows row by row, and stands in columns but for the last few rows.

    Parameters
    ----------
    columns : mapping of str to callable
        Name -> `strings`, `words`, `numbers`, `small` or `truths`.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._waiting: list[tuple[Any, ...]] = []
        self._pieces: list[pa.Table] = []

    def __len__(self) -> int:
        return len(self._waiting) + sum(map(len, self._pieces))

    def add(self, *row: Any) -> None:
        """Put a row's values at the end, in the order of the columns."""
        self._waiting.append(row)
        if len(self._waiting) == AT_ONCE:
            self._pieces.append(self._piece())

    def pieces(self) -> list[pa.Table]:
        """The rows in tables of at most `AT_ONCE`, handed over: this is empty then."""
        pieces = [*self._pieces, self._piece()]
        self._pieces = []
        return pieces

    def table(self) -> pa.Table:
        """All rows, handed over."""
        import pyarrow as pa

        return pa.concat_tables(self.pieces()).unify_dictionaries()

    def _piece(self) -> pa.Table:
        import pyarrow as pa

        columns = list(zip(*self._waiting, strict=True)) or [()] * len(self._columns)
        self._waiting = []
        pairs = zip(self._columns.items(), columns, strict=True)
        return pa.table({name: make(values) for (name, make), values in pairs})


def table(rows: Iterable[tuple[Any, ...]], columns: Mapping[str, Column]) -> pa.Table:
    """Rows as a table, in the order of `columns`."""
    made = Rows(columns)
    for row in rows:
        made.add(*row)
    return made.table()
