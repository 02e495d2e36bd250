"""Whole files in a store: put at once or not at all, read, list, delete. Local disk and S3 alike (SPEC 2)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import unquote, urlsplit

from storage import steps
from storage.errors import BadName, BadUrl, Unreachable

Bytes = bytes | memoryview
_TEMPORARY: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}\.tmp")


class Draft:
    """A file on its way, made by `Files.draft`. Nobody reads it until it is kept; what is not kept goes, at a kill too.

    Attributes
    ----------
    file : file object
        Open for writing and reading.
    """

    file: BinaryIO

    def keep(self, path: str) -> None:
        """Make it the file `path`, in the folder that it was made for, as `Files.put` does."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):  # what a full disk refused is written again at closing
            self.file.close()


class Files(Protocol):
    """The files under one root. Paths are relative, "/"-separated and checked by the caller (`storage.names`)."""

    @property
    def url(self) -> str:
        """The root as people write it."""

    @property
    def local(self) -> bool:
        """Whether the files have local paths, so that they can be mapped and locked."""

    @property
    def options(self) -> dict[str, str]:
        """What deltalake needs to reach the root (`storage_options`)."""

    def address(self, path: str) -> str:
        """The full local path or URL of `path`."""

    def arrow(self, path: str) -> tuple[Any, str]:
        """The pyarrow file system and the path of `path` in it."""

    def put(self, path: str, *chunks: Bytes) -> None:
        """Make the file of these bytes: other processes see all of it or nothing, also after a crash."""

    def draft(self, path: str) -> Draft:
        """An empty file that will lie in the folder of `path`, under that name or one told when it is kept."""

    def get(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""

    def get_range(self, path: str, start: int, length: int) -> bytes:
        """At most `length` of the file's bytes from `start`. Raises FileNotFoundError."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def names(self, path: str) -> list[str]:
        """The files in the folder `path`, sorted; none where there is no such folder."""

    def folders(self, path: str) -> list[str]:
        """The folders in the folder `path`, sorted; none where there is no such folder."""

    def delete(self, path: str) -> None:
        """Delete the file, if it is there."""

    def sync(self, *paths: str) -> None:
        """Make files that another library made outlive a power cut, those that are there."""

    def sweep(self, path: str) -> None:
        """Delete temporary files that killed processes left in the folder `path`."""


def files_at(url: str | os.PathLike[str]) -> Files:
    """The files under a local path, ``file://`` or ``s3://`` URL. Raises BadUrl."""
    text = os.fspath(url)
    scheme, colon, _ = text.partition("://")
    if not colon:
        return LocalFiles(text)
    parts = urlsplit(text)
    if scheme == "file" and parts.netloc in ("", "localhost"):
        return LocalFiles(unquote(parts.path))
    if scheme in ("s3", "s3a"):
        from storage.s3 import S3Files

        return S3Files(parts.netloc, parts.path.strip("/"))
    raise BadUrl(f"cannot keep a store at {text!r}: expected a local path or s3://bucket/prefix")


class LocalFiles:
    """Files on a disk of this machine, or on a shared file system mounted on each."""

    local: Final = True

    def __init__(self, root: str) -> None:
        if not root or "\0" in root:
            raise BadUrl(f"cannot keep a store at {root!r}: expected a path or s3://bucket/prefix")
        self._root = Path(root).expanduser().absolute()
        if unquote(str(self._root)) != str(self._root):  # deltalake would decode it and write elsewhere
            raise BadUrl(f"cannot keep a store at {root!r}: a path with a '%' escape confuses Delta Lake; rename it")

    @property
    def url(self) -> str:
        return str(self._root)

    @property
    def options(self) -> dict[str, str]:
        return {}

    def address(self, path: str) -> str:
        return str(self._at(path))

    def arrow(self, path: str) -> tuple[Any, str]:
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), self.address(path)

    def _at(self, path: str) -> Path:
        full = self._root / path
        # A link inside the store may point anywhere; only what stays inside is followed.
        if not Path(os.path.realpath(full)).is_relative_to(os.path.realpath(self._root)):
            raise BadName(f"{path!r} leads outside the store {self.url!r} by a link; nothing is followed there")
        return full

    def put(self, path: str, *chunks: Bytes) -> None:
        draft = self.draft(path)
        try:
            with reaching(self, path, writing=True):
                for chunk in chunks:
                    draft.file.write(chunk)
            draft.keep(path)
        except Exception:
            draft.close()
            raise

    def draft(self, path: str) -> Draft:
        with reaching(self, path, writing=True):
            return LocalDraft(self, self._at(path))

    def get(self, path: str) -> bytes:
        with reaching(self, path):
            return self._at(path).read_bytes()

    def get_range(self, path: str, start: int, length: int) -> bytes:
        with reaching(self, path), self._at(path).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def exists(self, path: str) -> bool:
        with reaching(self, path):
            return self._at(path).is_file()

    def names(self, path: str) -> list[str]:
        return sorted(entry.name for entry in self._entries(path) if entry.is_file())

    def folders(self, path: str) -> list[str]:
        return sorted(entry.name for entry in self._entries(path) if entry.is_dir())

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with reaching(self, path), os.scandir(self._at(path)) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def delete(self, path: str) -> None:
        self._at(path).unlink(missing_ok=True)

    def sync(self, *paths: str) -> None:
        for path in paths:
            with suppress(FileNotFoundError), self._at(path).open("rb") as file:
                os.fsync(file.fileno())
        for folder in {self._at(path).parent for path in paths}:
            _sync_folder(folder)

    def sweep(self, path: str) -> None:
        folder = self._at(path)
        for entry in self._entries(path):
            if _TEMPORARY.fullmatch(entry.name):
                # Who writes a temporary file holds its lock, and the system lets go of it at the writer's death.
                with suppress(FileNotFoundError), (folder / entry.name).open("r+b") as file:
                    if _lock(file.fileno()):
                        (folder / entry.name).unlink()


class LocalDraft(Draft):
    """A temporary file in the folder of `target`, locked while it is open."""

    def __init__(self, files: LocalFiles, target: Path) -> None:
        self._files = files
        self._make(target)

    def _make(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = target.with_name(f".{target.name}.{os.urandom(16).hex()}.tmp")
        self.file = self._temporary.open("x+b")
        _lock(self.file.fileno())

    def keep(self, path: str) -> None:
        with reaching(self._files, path, writing=True):
            target = Path(self._files.address(path))
            for _ in range(5):
                self.file.flush()
                os.fsync(self.file.fileno())
                steps.reached("temporary written")
                try:
                    self._temporary.replace(target)
                except FileNotFoundError:  # swept between its creation and its lock: make it again
                    with self.file as swept:
                        self._make(target)
                        swept.seek(0)
                        shutil.copyfileobj(swept, self.file)
                    continue
                self.file.close()
                _sync_folder(target.parent)
                return
            raise OSError("its temporary file vanishes each time; does something clean that folder?")

    def close(self) -> None:
        if not self.file.closed:
            self._temporary.unlink(missing_ok=True)
            super().close()


@contextmanager
def reaching(files: Files, path: str, *, writing: bool = False) -> Iterator[None]:
    """Say which file of which store the system refused, and what to look at; reading passes that it is not there."""
    try:
        yield
    except OSError as error:
        absent = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError) and not writing
        if absent or isinstance(error, Unreachable):
            raise
        what = "access and free space" if files.local else "the AWS_* variables"
        raise Unreachable(f"cannot reach {path!r} in store {files.url!r}: {error}; check {what}") from error


def _lock(descriptor: int) -> bool:
    """Lock the open file until it is closed; False where another holds it or the file system has no locks."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems sync no folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
