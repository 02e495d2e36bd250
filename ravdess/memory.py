"""Memory that goes back to the system once it is free: a long run holds what it needs, not what it once needed."""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    import pyarrow as pa

_WRITTEN: Final = 2**15
"""Bytes that are written at a time: the system may keep, and map, together what was written at once."""
_MAPPED: Final[WeakSet[mmap.mmap]] = WeakSet()


def on_disk(rows: pa.Table) -> pa.Table:
    """The same table in a temporary file, mapped: in memory is what was looked at since memory was last given back.

    Where there is no room for such a file, the table as it is.
    """
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    whole = memoryview(sink.getvalue())
    try:
        with TemporaryFile(buffering=_WRITTEN) as file:
            for start in range(0, len(whole), _WRITTEN):
                file.write(whole[start : start + _WRITTEN])
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:
        return rows
    _MAPPED.add(mapped)
    return pa.ipc.open_file(pa.py_buffer(mapped)).read_all()


def give_back() -> None:
    """Return to the system what is free of the memory that this process took; a few milliseconds."""
    for mapped in _MAPPED:
        mapped.madvise(mmap.MADV_DONTNEED)
    with suppress(OSError, AttributeError):  # glibc alone keeps it, and has a way to say so
        ctypes.CDLL("libc.so.6").malloc_trim(0)
