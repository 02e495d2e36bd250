"""Takes of a frame set in a chosen order, read where they are used; what a network is fed from (SPEC 6.3)."""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

from storage.errors import Damaged
from storage.files import Files
from storage.shard import Shard, checked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from storage.mapped import Mapped

    Pictures = NDArray[np.uint8]

RESIDENT: Final = 512_000_000
"""Mapped bytes after which pages are given back to the system; its cache keeps them. Smaller selections keep theirs."""
HELD: Final = 256_000_000
"""What is far and no larger is kept in memory take by take, once fetched; of larger sets single frames are fetched."""


class Takes:
    """A sequence of takes, uint8 (n, h, w, c) each, of which nothing is read before it is asked for.

    Made by `Frames.only`. It may be pickled and sent to other machines, and used by several threads.

    >>> takes = Store("store").frames("face_48").only(["01-06-01-02-01-12", "01-05-01-01-01-07"])  # doctest: +SKIP
    >>> takes[0].shape, takes.counts  # doctest: +SKIP
    ((25, 48, 48, 1), array([25, 24]))
    """

    def __init__(
        self,
        files: Files,
        folder: str,
        shards: Sequence[str],
        shape: tuple[int, int, int],
        slices: NDArray[np.int64],
    ) -> None:
        """Take `slices` [shape=(n, 4)]: of each take its place in `shards`, first, count and CRC-32."""
        import numpy as np

        self._files, self._folder, self._shards = files, folder, tuple(shards)
        self._shape, self._slices = shape, slices
        self._ends = np.cumsum(slices[:, 2])
        self._lock = threading.Lock()
        self._near: Mapped | None = None
        self._far: dict[int, Shard] = {}
        self._held: dict[int, Pictures] = {}
        self._touched = 0

    def __reduce__(self) -> tuple[Any, ...]:  # maps do not travel to other processes
        return type(self), (self._files, self._folder, self._shards, self._shape, self._slices)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} takes of {self._folder!r}, {self._shape})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one frame."""
        return self._shape

    @property
    def counts(self) -> NDArray[np.int64]:
        """Frames of each take [shape=(len(self),)]."""
        return self._slices[:, 2]

    def __len__(self) -> int:
        return len(self._slices)

    def __iter__(self) -> Iterator[Pictures]:
        return (self[at] for at in range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Pictures: ...

    @overload
    def __getitem__(self, at: slice | NDArray[Any] | Sequence[int]) -> Takes: ...

    def __getitem__(self, at: Any) -> Any:
        """One take by its position; or, by a slice, positions or a mask, the sequence of those takes, unread.

        Returns
        -------
        np.ndarray [shape=(n, h, w, c), dtype=uint8], or Takes

        Raises
        ------
        Damaged
            The shard is missing or no such array, or the take's bytes are not those that were written.
        """
        import numpy as np

        if isinstance(at, int | np.integer):
            return self._take(int(at))
        places = at if isinstance(at, slice) else np.asarray(at, dtype=None if len(at) else np.intp)
        return type(self)(self._files, self._folder, self._shards, self._shape, self._slices[places])

    def gather(self, places: NDArray[np.int64], out: Pictures | None = None) -> Pictures:
        """Frames from anywhere. From S3 they are fetched in the order in which they lie: each shard once and forwards.

        Whole takes are checked against their CRC when they are read; single frames cannot be.

        Parameters
        ----------
        places : np.ndarray [shape=(b,)]
            Numbers of frames, counted through the takes of this sequence: 0 ... counts.sum() - 1.
        out : np.ndarray [shape=(b, h, w, c), dtype=uint8], optional
            Where they are to be written; a new array otherwise.

        Returns
        -------
        np.ndarray [shape=(b, h, w, c), dtype=uint8]
            The frame ``places[k]`` at k.

        Raises
        ------
        IndexError
            There is no such frame.
        Damaged
            A shard is missing or no such array.
        """
        import numpy as np

        total = int(self._ends[-1]) if len(self) else 0
        if len(places) and not total > places.max() >= places.min() >= 0:
            raise IndexError(f"there are frames 0 to {total - 1}, not {places.min()} to {places.max()}")
        takes = np.searchsorted(self._ends, places, side="right")
        rows = self._slices[takes, 1] + places - (self._ends - self.counts)[takes]
        shards = self._slices[takes, 0]
        frames = np.empty((len(places), *self._shape), np.uint8) if out is None else out
        if self._files.local:
            self._map(shards).gather(shards, rows, frames)
            self._read(frames.nbytes)
        elif total * math.prod(self._shape) <= HELD:
            for at in np.argsort(takes):
                take = int(takes[at])
                frames[at] = self._hold(take)[rows[at] - self._slices[take, 1]]
        else:
            order = np.lexsort((rows, shards))
            starts = np.flatnonzero(np.diff(shards[order], prepend=-1))  # where another shard begins
            for first, stop in zip(starts, [*starts[1:], len(order)], strict=bool(len(order))):
                self._fetch(int(shards[order[first]]), rows[order[first:stop]], frames, order[first:stop])
        return frames

    def _take(self, at: int) -> Pictures:
        import numpy as np

        number, first, count, crc32 = self._slices[at].tolist()
        if self._files.local:
            pictures = self._map(np.array([number])).rows(number, first, count).copy()  # the file may change
        else:
            pictures = np.empty((count, *self._shape), np.uint8)
            self._fetch(number, np.arange(first, first + count), pictures, np.arange(count))
        if zlib.crc32(pictures.data.cast("B")) != crc32:
            raise Damaged(f"{self._folder}: bytes in shard {self._shards[number]!r} have changed; compute it again")
        self._read(pictures.nbytes)
        return pictures

    def _hold(self, at: int) -> Pictures:
        """A take that was fetched, now or before."""
        if at not in self._held:
            self._held[at] = self._take(at)
        return self._held[at]

    def _map(self, numbers: NDArray[np.int64]) -> Mapped:
        """The shards of this disk, those of these numbers mapped. Raises Damaged."""
        import numpy as np

        from storage.mapped import Mapped

        with self._lock:
            if self._near is None:
                counts = np.zeros(len(self._shards), np.int64)
                np.maximum.at(counts, self._slices[:, 0], self._slices[:, 1:3].sum(axis=1))
                folder = Path(self._files.address(self._folder))
                self._near = Mapped([folder / name for name in self._shards], counts, self._shape)
            for number in np.unique(numbers[~self._near.there[numbers]]).tolist():
                with self._readable(number):
                    self._near.map(number)
            return self._near

    def _fetch(self, number: int, rows: NDArray[np.int64], out: Pictures, places: NDArray[np.intp]) -> None:
        """Fetch frames of one shard. Raises Damaged."""
        with self._readable(number):
            with self._lock:
                if number not in self._far:
                    self._far[number] = Shard(self._files, self._folder, self._shards[number])
                shard = self._far[number]
            if shard.shape[1:] != self._shape:
                raise ValueError(f"its frames are {shard.shape[1:]}, expected {self._shape}")
            shard.take(rows, out, places)

    @contextmanager
    def _readable(self, number: int) -> Iterator[None]:
        """Turn what is wrong with a shard into Damaged."""
        name = self._shards[number]
        try:
            checked(name)
            yield
        except (OSError, ValueError) as error:
            raise Damaged(f"{self._folder}: shard {name!r} is unreadable: {error}; compute it again") from error

    def _read(self, size: int) -> None:
        """Count what was read through maps, and give the pages back before they add up."""
        if int(self.counts.sum()) * math.prod(self._shape) <= RESIDENT:  # all of it is no more
            return
        with self._lock:
            self._touched += size
            if self._touched > RESIDENT:
                self._touched = 0
                if self._near is not None:
                    self._near.let_go()
