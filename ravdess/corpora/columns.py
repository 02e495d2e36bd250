"""Arrow columns from Python values, without `pyarrow.array`, which would import pandas: half a job's start."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def strings(values: Iterable[str]) -> pa.Array:
    """A string column, none of it null."""
    import pyarrow as pa

    offsets, text = array("i", [0]), bytearray()
    for value in values:
        text += value.encode()
        offsets.append(len(text))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(bytes(text))]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


def numbers(values: Iterable[int | None], code: str = "q") -> pa.Array:
    """An integer column: `code` "q" gives int64, "b" int8. None becomes null."""
    import numpy as np
    import pyarrow as pa

    listed = list(values)
    data = pa.py_buffer(array(code, [value or 0 for value in listed]))
    valid = np.packbits(np.array([value is not None for value in listed], bool), bitorder="little")
    kind = {"q": pa.int64(), "b": pa.int8()}[code]
    return pa.Array.from_buffers(kind, len(listed), [pa.py_buffer(valid), data])


def truths(values: Iterable[bool]) -> pa.Array:
    """A column of true and false, none of it null."""
    import numpy as np
    import pyarrow as pa

    listed = list(values)
    bits = np.packbits(np.array(listed, bool), bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(listed), [None, pa.py_buffer(bits)])


def table(rows: Sequence[Sequence[Any]], columns: Mapping[str, type]) -> pa.Table:
    """Rows as a table whose columns are str, int or bool, in the order of `columns`."""
    import pyarrow as pa

    make: dict[type, Callable[[Iterable[Any]], pa.Array]] = {str: strings, int: numbers, bool: truths}
    return pa.table({name: make[kind](row[at] for row in rows) for at, (name, kind) in enumerate(columns.items())})
