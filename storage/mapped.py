"""Shards of a disk, mapped one behind another: frames from anywhere in them are rows of one array.

So a batch is one call, which copies without Python's lock. A map of its own for each shard would take a call a frame.

What is small beside memory is soon in the system's cache, the sooner as the system reads far around whatever is
touched. Of what is not, every frame comes from the disk again, and what lies around it in vain: such frames are asked
for by themselves, all of a batch before the first is copied, so that the disk works on many at once.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from storage.shard import HEADER, read_header

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures = NDArray[np.uint8]

LARGE: Final = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
"""Bytes, half of the machine's memory, beyond which shards are read frame by frame."""
_AT_THIS_ADDRESS: Final = 0x10
"""MAP_FIXED, on Linux and macOS."""


class Mapped:
    """Room for shards in one range of addresses, into which each is mapped when it is first needed.

    Parameters
    ----------
    paths : sequence of Path
        The shards, by number.
    counts : np.ndarray [shape=(len(paths),), dtype=int64]
        How many frames of each are needed, counted from its first.
    shape : tuple of int
        Height, width and channels of a frame.

    Attributes
    ----------
    there : np.ndarray [shape=(len(paths),), dtype=bool]
        Which of them are mapped.
    """

    def __init__(self, paths: Sequence[Path], counts: NDArray[np.int64], shape: tuple[int, int, int]) -> None:
        self._paths, self._counts, self._shape = paths, counts, shape
        self._size = math.prod(shape)
        # Files lie at whole pages, and their first frames a whole number of frames apart.
        slots = -(-(HEADER + counts * self._size) // (unit := math.lcm(mmap.PAGESIZE, self._size))) * unit
        self._offsets = np.cumsum(slots) - slots
        self._first = self._offsets // self._size  # the row at which a shard begins
        self._large = int(counts.sum()) * self._size > LARGE
        self.there = np.zeros(len(paths), bool)
        rows = int(slots.sum()) // self._size
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # addresses alone: nothing is read there before a file is
        self._room = mmap.mmap(-1, HEADER + rows * self._size, flags=flags, prot=mmap.PROT_READ)
        self._rows = np.frombuffer(self._room, np.uint8, rows * self._size, HEADER).reshape(rows, self._size)

    def map(self, number: int) -> None:
        """Map a shard. Raises OSError, and ValueError for what is no such array."""
        need = HEADER + int(self._counts[number]) * self._size
        with self._paths[number].open("rb") as file:
            shape = read_header(file.read(HEADER))
            if shape[1:] != self._shape or shape[0] < self._counts[number]:
                raise ValueError(f"it holds {shape}, expected at least {self._counts[number]} of {self._shape}")
            if (size := file.seek(0, 2)) < need:
                raise ValueError(f"it has {size} bytes, expected {need}")
            _map_at(self._rows.ctypes.data - HEADER + int(self._offsets[number]), need, file.fileno())
        if self._large:
            self._room.madvise(mmap.MADV_RANDOM, int(self._offsets[number]), need)
        self.there[number] = True

    def rows(self, number: int, first: int, count: int) -> Pictures:
        """`count` frames from `first` of a shard that is mapped, read-only."""
        start = int(self._first[number]) + first
        self._ask([start], count)
        return self._rows[start : start + count].reshape(count, *self._shape)

    def gather(self, numbers: NDArray[np.int64], rows: NDArray[np.int64], out: Pictures) -> None:
        """Copy single frames: the one of number ``rows[k]`` of the mapped shard ``numbers[k]`` to ``out[k]``."""
        flat, wanted = out.reshape(len(out), self._size), self._first[numbers] + rows
        self._ask(wanted.tolist(), 1)
        # Rows are known to be there; "clip" is what lets NumPy copy straight to `out`.
        np.take(self._rows, wanted, axis=0, out=flat, mode="clip")

    def _ask(self, starts: Sequence[int], count: int) -> None:
        """Have the disk bring `count` rows from each of these on, unless the system sees to it."""
        if not self._large:
            return
        for start in starts:
            first = HEADER + start * self._size
            page = first - first % mmap.PAGESIZE
            self._room.madvise(mmap.MADV_WILLNEED, page, first + count * self._size - page)

    def let_go(self) -> None:
        """Give the pages back to the system; they are read again when they are needed."""
        self._room.madvise(mmap.MADV_DONTNEED)


def _map_at(address: int, size: int, file: int) -> None:
    """Map a file read-only over addresses that are this process's own. Raises OSError."""
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    if call(address, size, mmap.PROT_READ, mmap.MAP_SHARED | _AT_THIS_ADDRESS, file, 0) != address:
        raise OSError(ctypes.get_errno(), "the file cannot be mapped")
