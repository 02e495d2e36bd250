"""Zip files read in place: members are listed and read, never unpacked, so no member's path leads anywhere.

A member's address is ``zip:<archive>!/<member>``, the archive being a local path or an ``s3://`` address in which
``%`` and ``!`` are percent-encoded.
"""

from __future__ import annotations

import functools
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote

from ravdess.corpora.entry import MEDIA, Entry, fitting
from ravdess.errors import BadClip

MAX_MEMBERS: Final = 250_000
"""A longer list of members is refused before it is loaded."""

_READABLE: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The publisher's method. Python unpacks the others without a bound on what comes out."""


def entries(archive: str) -> Iterator[Entry]:
    """The members of the zip file at the address `archive`; one entry with a problem when it cannot be listed."""
    try:
        members = _opened(archive, os.getpid(), _state(archive)).infolist()
    except (zipfile.BadZipFile, struct.error, OSError, ValueError, NotImplementedError) as error:
        yield Entry(archive, problem=f"a broken zip file ({error}); download or copy it again")
        return
    prefix = f"zip:{archive.replace('%', '%25').replace('!', '%21')}!/"
    count = Counter(member.filename for member in members)
    twice = {name for name, times in count.items() if times > 1}
    for member in {member.filename: member for member in members}.values():  # one of two of one name
        entry = Entry(
            prefix + member.filename.rstrip("/"), member.file_size, f"crc:{member.file_size}:{member.CRC:08x}"
        )
        if member.filename.endswith("/"):  # is_dir() trips over an empty name
            if entry.ending in MEDIA:
                yield entry._replace(problem="a folder, not a file")
            continue
        yield entry._replace(problem=_problem(member, twice))


def _problem(member: zipfile.ZipInfo, twice: Container[str]) -> str:
    if member.filename.lower().endswith(".zip"):
        return "a zip file inside a zip file is not looked into; unpack it"
    if member.flag_bits & 0x1:
        return "encrypted in its zip file; unpack it with its password"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a symbolic link in a zip file; links are not followed"
    if member.compress_type not in _READABLE:
        return f"packed with the zip method {member.compress_type}, which is not read here; unpack it"
    if member.filename in twice:
        return "its zip file holds two members of this name; unpack it and keep one"
    return ""


def read(uri: str) -> bytes:
    """A member's content, checked against its CRC-32. Raises BadClip."""
    archive, _, name = uri.removeprefix("zip:").partition("!/")
    archive = unquote(archive)
    try:
        opened = _opened(archive, os.getpid(), _state(archive))
        member = opened.getinfo(name)
        fitting(member.file_size)
        with opened.open(member) as file:
            content = file.read(member.file_size)  # with a bound; without one it would unpack more than is stated
        if len(content) < member.file_size:
            raise BadClip(f"damaged in its zip file: {len(content)} of {member.file_size} bytes")
        return content
    except KeyError:
        raise BadClip(f"its zip file {archive} holds it no more") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError) as error:
        raise BadClip(f"damaged in its zip file: {error}") from None


def _state(archive: str) -> tuple[int, int]:
    """What tells a changed file from the one that is open."""
    if archive.startswith("s3://"):
        return (0, 0)
    status = Path(archive).stat()
    return (status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _opened(archive: str, process: int, state: tuple[int, int]) -> zipfile.ZipFile:
    """The open zip file; once a process, for listing 1440 members costs more than reading one."""
    if archive.startswith("s3://"):
        from ravdess.corpora import s3

        file = s3.open_file(archive)
    else:
        file = Path(archive).open("rb")  # noqa: SIM115  # closed with the ZipFile, when the cache lets it go
    try:
        count = _check_length(file)
        opened = zipfile.ZipFile(file)
        if count not in (0xFFFF, len(opened.infolist()) & 0xFFFF):
            raise zipfile.BadZipFile(f"it lists {len(opened.infolist())} of {count} members")
        return opened
    except BaseException:
        file.close()
        raise


def _check_length(file: IO[bytes]) -> int:
    """Refuse a list of members that would fill the memory. Returns the members that the end record counts."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65_557))  # the record's 22 bytes and the longest comment
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it has no end record, as when its download broke off")
    count, length = struct.unpack_from("<HI", tail, at + 10)
    locator = tail.rfind(b"PK\x06\x07", 0, at)
    if length == 0xFFFFFFFF and locator >= 0:  # zip64: the length stands in a record of its own
        file.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = file.read(56)
        length = struct.unpack_from("<Q", record, 40)[0] if len(record) == 56 else length
    file.seek(0)
    if length // 46 > MAX_MEMBERS:  # 46 bytes is the shortest line of the list
        raise zipfile.BadZipFile(f"its list of members is too long: {length} bytes")
    return int(count)
