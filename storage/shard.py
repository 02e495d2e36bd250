"""One `.npy` file of frames (SPEC 6.1): mapped from a disk, or read by byte ranges."""

from __future__ import annotations

import io
import math
import mmap
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from storage.files import Files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pictures = NDArray[np.uint8]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+=-]*-[0-9a-f]{16}\.npy")
_LONGEST_HEADER: Final = 4096
_SMALL: Final = 16_384
"""Bytes of a frame up to which two copies of many cost less than one call for each."""


class Shard:
    """An open shard. Raises ValueError for what is no such array, and OSError.

    Attributes
    ----------
    shape : tuple of int
        Frames, height, width and channels (n, h, w, c).
    """

    def __init__(self, files: Files, folder: str, name: str) -> None:
        import numpy as np

        if not _NAME.fullmatch(name):
            raise ValueError("that is no shard's name")
        self._files = files
        self._path = f"{folder}/{name}"
        head = io.BytesIO(files.get_range(self._path, 0, _LONGEST_HEADER))
        magic = np.lib.format.read_magic(head)
        if magic != (1, 0):
            raise ValueError(f"it is of .npy version {magic}, expected (1, 0)")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(head)
        if kind != np.uint8 or len(shape) != 4 or fortran:
            raise ValueError(f"it holds {kind} {shape}, expected uint8 (n, h, w, c)")
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]), int(shape[3]))
        self._start = head.tell()
        self._map: mmap.mmap | None = None
        self._mapped: Pictures | None = None
        if files.local:
            with Path(files.address(self._path)).open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            size = int(np.prod(self.shape))
            if len(self._map) < self._start + size:
                raise ValueError(f"it has {len(self._map)} bytes, expected {self._start + size}")
            self._mapped = np.frombuffer(self._map, np.uint8, size, self._start).reshape(self.shape)

    def rows(self, first: int, count: int) -> Pictures:
        """`count` frames from `first`, read-only: mapped, or fetched."""
        import numpy as np

        if first < 0 or count < 1 or first + count > self.shape[0]:
            raise ValueError(f"it holds {self.shape[0]} pictures, not {first} to {first + count}")
        if self._mapped is not None:
            return self._mapped[first : first + count]
        each = int(np.prod(self.shape[1:]))
        data = self._files.get_range(self._path, self._start + first * each, count * each)
        return np.frombuffer(data, dtype=np.uint8).reshape(count, *self.shape[1:])

    def take(self, rows: NDArray[np.int64], out: Pictures, places: NDArray[np.intp]) -> None:
        """Copy single frames, of ascending numbers, to those `places` of `out`; one request for each run of them."""
        import numpy as np

        if rows[0] < 0 or rows[-1] >= self.shape[0]:
            raise ValueError(f"it holds {self.shape[0]} pictures, not {rows[0]} to {rows[-1] + 1}")
        if self._mapped is None:
            breaks = np.flatnonzero(np.diff(rows) > 1) + 1
            for first, stop in zip([0, *breaks], [*breaks, len(rows)], strict=True):
                start = int(rows[first])
                got = self.rows(start, int(rows[stop - 1]) - start + 1)
                out[places[first:stop]] = got[rows[first:stop] - start]
        elif math.prod(self.shape[1:]) <= _SMALL:
            out[places] = self._mapped.take(rows, axis=0)
        else:
            for place, row in zip(places.tolist(), rows.tolist(), strict=True):
                out[place] = self._mapped[row]

    def let_go(self) -> None:
        """Give mapped pages back to the system; they are mapped again when they are read."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
