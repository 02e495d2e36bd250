"""Fetch a large file so that a broken line costs little: resumed by ranges, verified by md5, renamed at the end.

While it is incomplete the file is ``<name>.part``, with a note ``<name>.part.json`` of what it is a part of; the name
itself appears only once the content is verified. Ranges are RFC 9110, section 14; a server may ignore them, and
``If-Range`` makes it send the whole file when that has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from ravdess.errors import DownloadFailed

RETRIES: Final = 6
"""Failures in a row, none bringing `_GAIN` bytes, after which a file is given up."""
RESTARTS: Final = 2
"""Times that a file is fetched anew because its content was wrong."""

_CHUNK: Final = 1 << 18
_GAIN: Final = 1 << 20
_TIMEOUT: Final = 60.0  # seconds without a byte
_PATIENCE: Final = 120.0  # seconds that a server's Retry-After may ask for
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that pass

T = TypeVar("T")


@dataclass(frozen=True)
class Remote:
    """A file to fetch: its name here, its address, its size in bytes and its md5 in hex."""

    name: str
    url: str
    size: int
    md5: str


@dataclass(frozen=True)
class Watcher:
    """Who is told: `moved` of bytes gained (negative when a file begins anew), `said` of troubles."""

    moved: Callable[[int], None] = lambda _: None
    said: Callable[[str], None] = lambda _: None


class _Trouble(Exception):
    """A failure that may pass; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def stands(remote: Remote, folder: Path) -> bool:
    """Whether the file is there already. Its name appears only when it is verified, so its size is enough."""
    target = folder / remote.name
    return target.is_file() and target.stat().st_size == remote.size


def verified(remote: Remote, folder: Path) -> bool:
    """Whether the file is there and its md5 is right, by reading it."""
    if not stands(remote, folder):
        return False
    with (folder / remote.name).open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest() == remote.md5


def held(remote: Remote, folder: Path) -> int:
    """Bytes of the file that an earlier run left in its part."""
    part = folder / f"{remote.name}.part"
    size = part.stat().st_size if part.is_file() and _note(part) == _identity(remote) else 0
    return size if size <= remote.size else 0


def fetch(remote: Remote, folder: Path, *, retries: int = RETRIES, watcher: Watcher | None = None) -> Path:
    """Fetch a file into `folder`, going on from what is there.

    Returns
    -------
    Path : the file, complete and verified

    Raises
    ------
    DownloadFailed
        The server refuses it, fails too often in a row, keeps sending wrong content, or the disk does.
    """
    watcher = watcher or Watcher()
    target = folder / remote.name
    with _disk(remote.name):
        folder.mkdir(parents=True, exist_ok=True)
    with _opened(target.with_name(f"{remote.name}.part"), remote, watcher) as part:
        for wrong in range(RESTARTS + 1):
            _complete(part, retries)
            found = part.md5.hexdigest()
            if found == remote.md5:
                break
            part.clear()
            if wrong == RESTARTS:
                raise DownloadFailed(f"{remote.name}: its md5 is {found}, expected {remote.md5}, {wrong + 1} times")
            watcher.said(f"{remote.name}: its content is wrong (md5 {found}); fetching it anew")
        part.finish(target)
    return target


def read_json(url: str, *, retries: int = RETRIES, watcher: Watcher | None = None, most: int = 1 << 24) -> Any:
    """The JSON document at an address of at most `most` bytes. Raises DownloadFailed."""

    def attempt() -> Any:
        with _answer(url, {"Accept": "application/json"}) as response:
            content = response.read(most + 1)
        if len(content) > most:
            raise DownloadFailed(f"{url}: more than {most} bytes; this is no record")
        try:
            return json.loads(content)
        except ValueError:
            raise DownloadFailed(f"{url}: not the JSON of a record") from None

    return _patiently(attempt, url, retries, watcher or Watcher(), lambda: 0)


class _Part:
    """The incomplete file: its bytes and their md5 so far."""

    def __init__(self, file: IO[bytes], remote: Remote, watcher: Watcher) -> None:
        self.remote, self.watcher, self.file = remote, watcher, file
        self.path = Path(file.name)
        self.note = _note_path(self.path)
        self.size, self.md5, self.tag = 0, _md5(), ""
        if _note(self.path) == _identity(remote) and self.path.stat().st_size <= remote.size:
            self.tag = str(json.loads(self.note.read_text()).get("tag", ""))
            while chunk := file.read(_CHUNK):
                self.md5.update(chunk)
                self.size += len(chunk)
        else:
            self.clear()

    def append(self, chunk: bytes) -> None:
        with _disk(self.remote.name):
            self.file.write(chunk)
        self.md5.update(chunk)
        self.size += len(chunk)
        self.watcher.moved(len(chunk))

    def clear(self) -> None:
        """Begin anew."""
        with _disk(self.remote.name):
            self.file.seek(0)
            self.file.truncate()
        self.watcher.moved(-self.size)
        self.size, self.md5 = 0, _md5()
        self.remember("")

    def remember(self, tag: str) -> None:
        """Note what the bytes belong to, for a later run."""
        self.tag = tag
        with _disk(self.remote.name):
            self.note.write_text(json.dumps({**_identity(self.remote), "tag": tag}))

    def finish(self, target: Path) -> None:
        """Give the verified content its name."""
        with _disk(self.remote.name):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.path.replace(target)
            self.note.unlink(missing_ok=True)


def _complete(part: _Part, retries: int) -> None:
    """Append until the part has the stated size."""
    if part.size < part.remote.size:
        _patiently(lambda: _attempt(part), part.remote.name, retries, part.watcher, lambda: part.size)


def _attempt(part: _Part) -> None:
    """One answer of the server, appended. Raises _Trouble when it falls short."""
    remote = part.remote
    headers = {"Range": f"bytes={part.size}-"} if part.size else {}
    if part.size and part.tag:
        headers["If-Range"] = part.tag
    with _answer(remote.url, headers) as response:
        if response.status == http.client.PARTIAL_CONTENT:
            said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
            if not said or int(said[1]) != part.size or said[2] not in ("*", str(remote.size)):
                part.clear()
                raise _Trouble("the server sent another part than asked for")
        elif part.size:
            part.watcher.said(f"{remote.name}: the server sends it from the start (it takes no ranges, or it changed)")
            part.clear()
        tag = response.headers.get("ETag", "")
        part.remember("" if tag.startswith("W/") else tag)  # only a strong tag promises equal bytes
        while chunk := response.read(_CHUNK):
            if part.size + len(chunk) > remote.size:
                part.clear()
                raise _Trouble(f"the server sent more than the {remote.size} bytes that the record states")
            part.append(chunk)
    if part.size < remote.size:
        raise _Trouble(f"the connection broke off at {part.size} of {remote.size} bytes")


def _patiently(attempt: Callable[[], T], what: str, retries: int, watcher: Watcher, gained: Callable[[], int]) -> T:
    """Call `attempt` until it succeeds, with growing pauses; real gains begin the count of failures anew."""
    failures, before = 0, gained()
    while True:
        try:
            return attempt()
        except _Trouble as trouble:
            failures = 1 if gained() - before >= _GAIN else failures + 1
            before = gained()
            if failures > retries:
                raise DownloadFailed(f"{what}: {trouble}; given up after {failures} failures in a row") from None
            pause = max(trouble.wait, min(30.0, 2.0 ** (failures - 1)) * random.uniform(0.75, 1.25))  # noqa: S311
            watcher.said(f"{what}: {trouble}; trying again in {pause:.0f} s")
            _sleep(pause)


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
    """The server's answer. Raises _Trouble for what may pass, DownloadFailed for what will not."""
    if not url.startswith(("https://", "http://")):
        raise DownloadFailed(f"{url!r} is no http address")
    asked = urllib.request.Request(url, headers={"User-Agent": "ravdess", "Accept-Encoding": "identity", **headers})  # noqa: S310  # checked above
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT) as response:  # noqa: S310  # checked above
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE or error.code in _PASSING:
            asked_for = error.headers.get("Retry-After", "")
            wait = min(float(asked_for), _PATIENCE) if asked_for.isdecimal() else 0.0
            raise _Trouble(f"the server answered {error.code} {error.reason}", wait) from None
        raise DownloadFailed(f"{url}: the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _Trouble(f"no connection: {error.reason}") from None
    except (http.client.HTTPException, OSError) as error:  # the disk's own errors are DownloadFailed by now
        raise _Trouble(f"the connection broke: {type(error).__name__} {error}".rstrip()) from None


@contextmanager
def _disk(name: str) -> Iterator[None]:
    """An error of the disk, told apart from one of the line: trying again would not help."""
    try:
        yield
    except OSError as error:
        raise DownloadFailed(f"{name}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _opened(path: Path, remote: Remote, watcher: Watcher) -> Iterator[_Part]:
    """The part, locked: a second download of the same file would spoil it. The lock ends with the process."""
    with _disk(remote.name):
        file = path.open("a+b")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DownloadFailed(f"{remote.name}: another download is writing {path}") from None
        file.seek(0)
        yield _Part(file, remote, watcher)


def _identity(remote: Remote) -> dict[str, object]:
    return {"size": remote.size, "md5": remote.md5}


def _note(part: Path) -> dict[str, object] | None:
    """What a part's note says that it belongs to."""
    try:
        note = json.loads(_note_path(part).read_text())
        return {"size": note["size"], "md5": note["md5"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)  # the publisher gives no other


_sleep = time.sleep
