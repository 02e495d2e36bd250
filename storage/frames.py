"""Frames: uint8 pictures in `.npy` shards, and where each take lies in them (SPEC 6)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict

from storage.errors import BadRows, Damaged, Mismatch, NotFound
from storage.files import Bytes, Files
from storage.names import checked_part
from storage.shard import Shard
from storage.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from storage.takes import Takes

    Pictures = NDArray[np.uint8]

MAX_SHARD_BYTES: Final = 256_000_000


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

    def write(self, name: str, parts: Sequence[Pictures]) -> list[Slice]:
        """Keep the pictures of some takes in one shard.

        The same pictures give the same file, so a repeated task changes nothing; others under the same `name`
        never replace it.

        Parameters
        ----------
        name : str
            What the file's name begins with, such as the actor, "01".
        parts : sequence of np.ndarray [shape=(n, h, w, c), dtype=uint8], n >= 1
            One array a take, all of one (h, w, c); at most 256 MB together.

        Returns
        -------
        list of Slice
            One a take, in order, for the index table.

        Raises
        ------
        BadRows
            Arrays of another type, of unlike shapes, empty, or too large.
        """
        import hashlib

        import numpy as np

        checked_part(name, "shard")
        shapes = {part.shape[1:] for part in parts}
        kinds = sorted({str(part.dtype) for part in parts})
        if kinds != ["uint8"] or len(shapes) != 1 or any(part.ndim != 4 or 0 in part.shape for part in parts):
            raise BadRows(
                f"shard {name!r}: expected uint8 arrays of one shape (n, h, w, c), n >= 1; "
                f"got {kinds} of {[part.shape for part in parts][:5]}"
            )
        size = sum(part.nbytes for part in parts)
        if size > MAX_SHARD_BYTES:
            raise BadRows(f"shard {name!r}: {size} bytes are more than {MAX_SHARD_BYTES}; write fewer takes a shard")
        total = sum(len(part) for part in parts)
        chunks: list[Bytes] = [_header((total, *shapes.pop()))]
        chunks += [_bytes(np.ascontiguousarray(part)) for part in parts]
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
        shard = f"{name}-{digest.hexdigest()[:16]}.npy"
        if not self._swept:
            self._files.sweep(self._folder)
            self._swept = True
        if not self._files.exists(f"{self._folder}/{shard}"):
            self._files.put(f"{self._folder}/{shard}", *chunks)
        slices, first = [], 0
        for part, chunk in zip(parts, chunks[1:], strict=True):
            slices.append(Slice(shard=shard, first=first, count=len(part), crc32=zlib.crc32(chunk)))
            first += len(part)
        return slices


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
            The first take's shard is missing or no such array.
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
