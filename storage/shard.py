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
HEADER: Final = 128
"""Bytes before the first frame."""


def checked(name: str) -> str:
    """`name`, if it is a shard's. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("that is no shard's name")
    return name


def read_header(head: bytes) -> tuple[int, int, int, int]:
    """Frames, height, width and channels that a shard's first bytes announce. Raises ValueError for no such array."""
    import numpy as np

    file = io.BytesIO(head)
    magic = np.lib.format.read_magic(file)
    if magic != (1, 0):
        raise ValueError(f"it is of .npy version {magic}, expected (1, 0)")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
    if kind != np.uint8 or len(shape) != 4 or fortran:
        raise ValueError(f"it holds {kind} {shape}, expected uint8 (n, h, w, c)")
    if file.tell() != HEADER:
        raise ValueError(f"its header has {file.tell()} bytes, expected {HEADER}")
    return int(shape[0]), int(shape[1]), int(shape[2]), int(shape[3])


class Shard:
    """An open shard. Raises ValueError for what is no such array, and OSError.

    Attributes
    ----------
    shape : tuple of int
        Frames, height, width and channels (n, h, w, c).
    """

    def __init__(self, files: Files, folder: str, name: str) -> None:
        import numpy as np

        self._files = files
        self._path = f"{folder}/{checked(name)}"
        self.shape = read_header(files.get_range(self._path, 0, HEADER))
        self._mapped: Pictures | None = None
        if files.local:
            with Path(files.address(self._path)).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            size = math.prod(self.shape)
            if len(mapped) < HEADER + size:
                raise ValueError(f"it has {len(mapped)} bytes, expected {HEADER + size}")
            self._mapped = np.frombuffer(mapped, np.uint8, size, HEADER).reshape(self.shape)

    def rows(self, first: int, count: int) -> Pictures:
        """`count` frames from `first`, read-only: mapped, or fetched."""
        import numpy as np

        if first < 0 or count < 1 or first + count > self.shape[0]:
            raise ValueError(f"it holds {self.shape[0]} pictures, not {first} to {first + count}")
        if self._mapped is not None:
            return self._mapped[first : first + count]
        each = math.prod(self.shape[1:])
        data = self._files.get_range(self._path, HEADER + first * each, count * each)
        return np.frombuffer(data, dtype=np.uint8).reshape(count, *self.shape[1:])

    def take(self, rows: NDArray[np.int64], out: Pictures, places: NDArray[np.intp]) -> None:
        """Fetch single frames, of ascending numbers, to those `places` of `out`; one request for each run of them."""
        import numpy as np

        breaks = np.flatnonzero(np.diff(rows) > 1) + 1
        for first, stop in zip([0, *breaks], [*breaks, len(rows)], strict=True):
            start = int(rows[first])
            got = self.rows(start, int(rows[stop - 1]) - start + 1)
            out[places[first:stop]] = got[rows[first:stop] - start]
