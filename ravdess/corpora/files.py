"""Files wherever they lie: listing a source, and reading one file by its address.

An address is one string that means the same on every machine that can reach it:

    /data/Actor_01/03-01-06-01-02-01-01.wav           a local file (absolute)
    s3://bucket/prefix/03-01-06-01-02-01-01.wav       an object
    zip:/data/Audio_Speech.zip!/Actor_01/03-….wav     a member of a zip file, which may itself lie on s3://
    sample:seed=0/03-01-06-01-02-01-01.wav            a clip that a made corpus makes when it is read
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ravdess.corpora.entry import MEDIA, Entry, fitting, single
from ravdess.errors import BadClip, BadSource


def entries(source: str | os.PathLike[str]) -> Iterator[Entry]:
    """Every file of one source: a folder, a file, a zip file, an ``s3://`` prefix, or ``"<made corpus>:<options>"``.

    Zip files met on the way are looked into. Raises BadSource for a source that is not there.
    """
    text = os.fspath(source)
    if not text.strip():
        raise BadSource(
            "the source is empty: expected a folder, a zip file, an s3:// prefix or a made corpus ('sample:')"
        )
    if text.startswith("s3://"):
        from ravdess.corpora import s3

        yield from _open_archives(s3.entries(text))
    elif (made := _made(text)) is not None:
        yield from made
    else:
        yield from _open_archives(_local(text.removeprefix("file://")))


def _made(text: str) -> Iterator[Entry] | None:
    """The entries of "<corpus>:<options>", or None when the text is no such source."""
    from ravdess.corpora import CORPORA

    name, colon, options = text.partition(":")
    if not colon or name not in CORPORA:
        return None
    make = CORPORA[name].entries
    if make is None:
        raise BadSource(f"{text!r}: the corpus {name!r} is recorded, not made; name the folder that holds its files")
    return make(options)


def _open_archives(found: Iterator[Entry]) -> Iterator[Entry]:
    from ravdess.corpora import zips

    for entry in found:
        if entry.ending == ".zip" and not entry.problem:
            yield from zips.entries(entry.uri)
        else:
            yield entry


def _local(text: str) -> Iterator[Entry]:
    """The files at or under a local path, in name order. Links are followed; a folder is entered once."""
    try:
        root = Path(text).expanduser().absolute()
        if ".." in root.parts:  # otherwise links stay as they are: every machine may mount the data elsewhere
            root = root.resolve()
        mode = root.stat().st_mode
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: "~nobody" has no home
        raise BadSource(
            f"cannot read the source {text!r} on {socket.gethostname()}: {getattr(error, 'strerror', None) or error}; "
            "expected a folder, a zip file, an s3:// prefix or a made corpus ('sample:')"
        ) from None
    if not stat.S_ISDIR(mode):
        yield single(Entry(_text(str(root)), root.stat().st_size), text)
        return
    folders, entered = [str(root)], set()
    while folders:
        folder = folders.pop()
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(folder))  # noqa: PTH208  # names alone: a folder may hold a hundred thousand
        except OSError as error:
            yield Entry(_text(folder), problem=f"the folder cannot be read: {error.strerror}")
            continue
        below = []
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            entry = _local_file(path)
            if entry is not None:
                yield entry
                continue
            below.append(path)
            if PurePosixPath(name).suffix.lower() in MEDIA:
                yield Entry(_text(path), problem="a folder, not a file")
        folders.extend(reversed(below))


def _local_file(path: str) -> Entry | None:
    """The entry of a file; None for a folder."""
    uri = _text(path)
    try:
        status = os.stat(path)  # noqa: PTH116  # once for each file of the corpus
    except OSError as error:  # a link to itself, too
        problem = "a broken symbolic link" if Path(path).is_symlink() else f"cannot be read: {error.strerror}"
        return Entry(uri, problem=problem)
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        return Entry(uri, problem="not a regular file")
    if uri != path:
        return Entry(uri, problem="its path is not UTF-8; rename it")
    return Entry(uri, status.st_size)


def _text(path: str) -> str:
    """`path` as text that a table can hold: bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_bytes(uri: str) -> bytes:
    """The content of one file, by the address that a catalogue gave it.

    Raises
    ------
    BadClip
        It cannot be read (gone, forbidden, a damaged or encrypted zip member), or exceeds `MAX_BYTES`.
    """
    try:
        if uri.startswith("s3://"):
            from ravdess.corpora import s3

            return s3.read(uri)
        if uri.startswith("zip:"):
            from ravdess.corpora import zips

            return zips.read(uri)
        if not uri.startswith("/"):
            return _read_made(uri)
        status = Path(uri).stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadClip("not a regular file")
        fitting(status.st_size)
        return Path(uri).read_bytes()
    except FileNotFoundError:
        raise BadClip(f"no such file on {socket.gethostname()}; every machine must see the source") from None
    except OSError as error:
        raise BadClip(f"cannot be read: {error.strerror or error}") from None


def _read_made(uri: str) -> bytes:
    from ravdess.corpora import CORPORA

    name = uri.partition(":")[0]
    read = CORPORA[name].read if name in CORPORA else None
    if read is None:
        raise BadClip(f"unknown kind of address {uri!r}: expected an absolute path, s3://, zip: or a made corpus")
    return read(uri)
