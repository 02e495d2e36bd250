"""Frames: uint8 pictures in `.npy` shards, and where each take lies in them (SPEC 6)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict

from storage.errors import BadRows, Damaged, Mismatch, NotFound
from storage.files import Files, reaching
from storage.names import checked_part
from storage.shard import Shard
from storage.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from storage.takes import Takes

    Pictures = NDArray[np.uint8]

MAX_SHARD_BYTES: Final = 256_000_000
_BLOCK: Final = 2**20
"""Bytes that are read at a time of a shard on its way."""


class Slice(TypedDict):
    """Where one take's pictures lie: the index columns of SPEC 6.2, ready for `pyarrow.Table.from_pylist`."""

    shard: str
    first: int
    count: int
    crc32: int


class Shards:
    """The array files of one frame set, made by `Store.shards`; a process on any machine may write some."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._folder = f"{name}/_shards"
        self._swept = False

    def begin(self, name: str) -> NewShard:
        """An empty shard, to be filled take by take and kept.

        Parameters
        ----------
        name : str
            What the file's name begins with, such as the actor, "01".
        """
        path = f"{self._folder}/{checked_part(name, 'shard')}"
        if not self._swept:
            self.sweep()
            self._swept = True
        return NewShard(self._files, path)

    def sweep(self) -> None:
        """Delete what killed writers left under way; the first `begin` does so, too."""
        self._files.sweep(self._folder)

    def write(self, name: str, parts: Sequence[Pictures]) -> list[Slice]:
        """Keep the pictures of some takes in one shard.

        Parameters
        ----------
        name : str
            As in `begin`.
        parts : sequence of np.ndarray [shape=(n, h, w, c), dtype=uint8], n >= 1
            One array a take; as `NewShard.append` wants them.

        Returns
        -------
        list of Slice
            One a take, in order, for the index table.

        Raises
        ------
        BadRows
            As `NewShard` says.
        """
        with self.begin(name) as shard:
            for part in parts:
                shard.append(part)
                shard.end_take()
            return shard.keep()


class NewShard:
    """A shard on its way, made by `Shards.begin`: takes come frame by frame and lie in a file that nobody reads yet.

    The same pictures give the same file, so a repeated task changes nothing; others under the same name never
    replace it. Closing it, as the end of ``with`` does, leaves nothing but what was kept.

    Attributes
    ----------
    size : int
        Bytes of its frames.
    """

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self._path = path
        self._draft = files.draft(path)
        self._shape: tuple[int, ...] = ()
        self._takes: list[tuple[int, int]] = []  # count and checksum
        self._whole = 0  # bytes of the frames of the takes that have ended
        self._crc = 0
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, frames: Pictures) -> None:
        """Add the next frames of a take.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, h, w, c), dtype=uint8], n >= 1
            All of one (h, w, c); at most 256 MB in a shard.

        Raises
        ------
        BadRows
            An array of another type, of another shape than those before, empty, or too large.
        Unreachable
            The disk is full, or refuses.
        """
        import numpy as np

        shape = self._shape or frames.shape[1:]
        if frames.dtype != np.uint8 or frames.ndim != 4 or 0 in frames.shape or frames.shape[1:] != shape:
            raise self._unlike(f"{frames.dtype} {frames.shape}" + f" after {shape}" * bool(self._shape))
        if self.size + frames.nbytes > MAX_SHARD_BYTES:
            size = self.size + frames.nbytes
            raise BadRows(f"shard {self._path!r}: {size} bytes are more than {MAX_SHARD_BYTES}; begin another before")
        data = _bytes(np.ascontiguousarray(frames))
        with reaching(self._files, self._path, writing=True):
            if not self._shape:
                self._shape = shape
                self._draft.file.write(self._header())
            self._draft.file.write(data)
        self._crc = zlib.crc32(data, self._crc)
        self.size += len(data)

    def end_take(self) -> None:
        """What was appended since the last take ended is a take. Raises BadRows when that is nothing."""
        if self.size == self._whole:
            raise self._unlike("a take without frames")
        self._takes.append(((self.size - self._whole) // math.prod(self._shape), self._crc))
        self._whole, self._crc = self.size, 0

    def drop_take(self) -> None:
        """Forget what was appended since the last take ended."""
        if self.size > self._whole:
            with reaching(self._files, self._path, writing=True):
                self._draft.file.seek(len(self._header()) + self._whole)
                self._draft.file.truncate()
        self.size, self._crc = self._whole, 0

    def move_take(self, other: NewShard) -> None:
        """Append to `other` what was appended since the last take ended, and forget it here."""
        import numpy as np

        self._draft.file.seek(len(self._header()) + self._whole)
        frame = math.prod(self._shape)
        while data := self._draft.file.read(max(1, _BLOCK // frame) * frame):
            other.append(np.frombuffer(data, np.uint8).reshape(-1, *self._shape))
        self.drop_take()

    def keep(self) -> list[Slice]:
        """Make it a shard of the set, for an index to name.

        Returns
        -------
        list of Slice
            One a take, in order, for the index table.

        Raises
        ------
        BadRows
            No take has ended.
        """
        import hashlib

        self.drop_take()
        if not self._takes:
            raise self._unlike("no take")
        with reaching(self._files, self._path, writing=True):
            file = self._draft.file
            file.seek(0)
            file.write(self._header())
            file.seek(0)
            path = f"{self._path}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}.npy"  # type: ignore[arg-type]
        if self._files.exists(path):
            self.close()
        else:
            self._draft.keep(path)
        slices, first = [], 0
        for count, crc in self._takes:
            slices.append(Slice(shard=path.rpartition("/")[2], first=first, count=count, crc32=crc))
            first += count
        return slices

    def close(self) -> None:
        """Let go of it."""
        self._draft.close()

    def _header(self) -> bytes:
        """As long for any number of frames: NumPy leaves room for it to grow."""
        return _header((sum(count for count, _ in self._takes), *self._shape))

    def _unlike(self, got: str) -> BadRows:
        return BadRows(f"shard {self._path!r}: expected uint8 arrays of one shape (n, h, w, c), n >= 1; got {got}")


class Frames(Mapping[str, Any]):
    """The pictures of every take of a frame set, read when asked for; made by `Store.frames`."""

    def __init__(self, files: Files, table: Table, corpus: str | None = None) -> None:
        self._files = files
        self._table = table
        self._corpus = corpus
        name = "clip" if "clip" in table.key() else "take"
        rows = table.read([name, *Slice.__annotations__, *(["corpus"] if corpus is not None else [])])
        if corpus is not None:
            import pyarrow.compute as pc

            rows = rows.filter(pc.equal(rows["corpus"], corpus))
        self._at = {take: at for at, take in enumerate(rows[name].to_pylist())}
        if len(self._at) < rows.num_rows:
            raise Mismatch(f"{table.where} holds takes of one name twice; ask for the frames of one corpus")
        self._rows = rows.select(list(Slice.__annotations__))
        self._open: dict[str, Shard] = {}

    def __reduce__(self) -> tuple[Any, ...]:  # maps do not travel to other processes
        return type(self), (self._files, self._table, self._corpus)

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __contains__(self, take: object) -> bool:
        return take in self._at

    def __getitem__(self, take: str) -> Pictures:
        """The pictures of `take`, read-only; on a disk they are mapped, from S3 just these rows are fetched.

        Returns
        -------
        np.ndarray [shape=(n, h, w, c), dtype=uint8]

        Raises
        ------
        NotFound
            No such take.
        Damaged
            The shard is missing or no such array, or its bytes are not those that were written.
        """
        slot = self._rows.slice(self._place(take), 1).to_pylist()[0]
        shard = str(slot["shard"])
        where = f"take {take!r} of {self._table.where}"
        try:
            if shard not in self._open:
                self._open[shard] = Shard(self._files, f"{self._table.name}/_shards", shard)
            pictures = self._open[shard].rows(slot["first"], slot["count"])
        except (OSError, ValueError) as error:
            raise Damaged(f"{where}: shard {shard!r} is unreadable: {error}; compute it again") from error
        if zlib.crc32(_bytes(pictures)) != slot["crc32"]:
            raise Damaged(f"{where}: the bytes in shard {shard!r} have changed; compute it again")
        return pictures

    def only(self, takes: Sequence[str]) -> Takes:
        """These takes, in this order, as a sequence that is read where it is used, also on other machines.

        Raises
        ------
        NotFound
            No such take, or none asked for.
        Damaged
            The first take's shard is missing or no such array, or the index names frames that no shard can have.
        """
        import numpy as np

        from storage.takes import Takes

        if not len(takes):
            raise NotFound(f"no take asked for of {self._table.where}, which holds {len(self)} takes")
        rows = self._rows.take([self._place(take) for take in takes])
        names = sorted(set(rows["shard"].to_pylist()))
        at = {name: place for place, name in enumerate(names)}
        columns = [[at[name] for name in rows["shard"].to_pylist()]]
        columns += [rows[name].to_numpy() for name in ("first", "count", "crc32")]
        slices = np.column_stack(columns).astype(np.int64)
        folder = f"{self._table.name}/_shards"
        first = names[int(slices[0, 0])]
        try:
            shape = Shard(self._files, folder, first).shape
        except (OSError, ValueError) as error:
            raise Damaged(f"{self._table.where}: shard {first!r} is unreadable: {error}; compute it again") from error
        start, count = slices[:, 1], slices[:, 2]
        most = MAX_SHARD_BYTES // math.prod(shape[1:])
        if wrong := np.flatnonzero((start < 0) | (count < 1) | (count > most) | (start > most - count)).tolist():
            raise Damaged(
                f"{self._table.where}: take {takes[wrong[0]]!r} would be frames {start[wrong[0]]} to "
                f"{start[wrong[0]] + count[wrong[0]]} of a shard, which has {most} at most; compute it again"
            )
        return Takes(self._files, folder, names, shape[1:], slices)

    def _place(self, take: str) -> int:
        if take not in self._at:
            raise NotFound(f"no take {take!r} in {self._table.where}, which holds {len(self)} takes")
        return self._at[take]


def _bytes(pictures: Pictures) -> memoryview:
    """The bytes of a contiguous array, uncopied."""
    return pictures.data.cast("B")


def _header(shape: tuple[int, ...]) -> bytes:
    import io

    import numpy as np

    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return out.getvalue()
