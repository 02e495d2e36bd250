"""A folder of whole files: what a run found, or a model's parts (SPEC 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from storage.errors import NotFound
from storage.files import Files
from storage.names import checked

if TYPE_CHECKING:
    import pyarrow as pa


class Folder:
    """Files under one name of a store, made by `Store.folder`, `Store.new_model` and `Store.model`.

    A file appears whole or not at all and replaces what stood there. The folder is made by its first file.
    """

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._swept = False
        self.name = name

    def __repr__(self) -> str:
        return f"Folder({self.path()!r})"

    def _inside(self, name: str) -> str:
        return f"{self.name}/{checked(name, 'file')}"

    def path(self, name: str = "") -> str:
        """The full path or URL of a file in the folder, or of the folder."""
        return self._files.address(self._inside(name) if name else self.name)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._files.exists(self._inside(name))

    def list(self) -> list[str]:
        """The names of all files, those in folders below as "folder/file", sorted."""

        def below(path: str) -> Iterator[str]:
            yield from (f"{path}/{name}" for name in self._files.names(path) if _shown(name))
            for folder in self._files.folders(path):
                if _shown(folder):
                    yield from below(f"{path}/{folder}")

        return sorted(name.removeprefix(f"{self.name}/") for name in below(self.name))

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises NotFound, which lists the files there are."""
        try:
            return self._files.get(self._inside(name))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound(f"no file {name!r} in {self.path()!r}; files there: {self.list()}") from None

    def write(self, name: str, data: bytes) -> None:
        """Make or replace the file, atomically; it is on disk when this returns."""
        path = self._inside(name)
        if not self._swept:
            self._files.sweep(path.rpartition("/")[0])
            self._swept = True
        self._files.put(path, data)

    def remove(self, name: str) -> None:
        """Delete the file, if it is there."""
        self._files.delete(self._inside(name))

    def read_table(self, name: str) -> pa.Table:
        """The rows of a Parquet file. Raises NotFound."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pq.read_table(pa.BufferReader(self.read(name)))

    def write_table(self, name: str, rows: pa.Table) -> None:
        """Make or replace a Parquet file, as `write` does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        self.write(name, sink.getvalue().to_pybytes())


def _shown(name: str) -> bool:
    return not name.startswith((".", "_"))
