"""The publisher's record at Zenodo: which files it has, and which of them are wanted.

The record (doi 10.5281/zenodo.1188976) holds one zip file of sound for all actors and each channel, and one zip file
of video an actor and channel. The list, with sizes and md5 sums, is read from the record itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ravdess.corpora.fetch import RETRIES, Remote, Watcher, read_json
from ravdess.errors import DownloadFailed, UnknownName

RECORD: Final = "https://zenodo.org/api/records/1188976"
PARTS: Final = {
    "speech": {("audio", "speech")},
    "song": {("audio", "song")},
    "video": {("video", "speech"), ("video", "song")},
    "video-speech": {("video", "speech")},
    "video-song": {("video", "song")},
}
"""Part -> which files it means. "all" is every file of the record."""

_FILE: Final = re.compile(r"(audio|video)_(speech|song)_actors?_(\d\d)(?:-(\d\d))?\.zip", re.IGNORECASE)
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ ()+-]{0,150}")


def files(
    url: str = RECORD, *, retries: int = RETRIES, watcher: Watcher | None = None
) -> tuple[list[Remote], list[str]]:
    """What the record holds, in name order, and why any of it is refused.

    A name from the server is used as a file name only when it is plain: no folder, no leading dot, no surprise.

    Raises
    ------
    DownloadFailed
        The record cannot be read, or is no record.
    """
    record = read_json(url, retries=retries, watcher=watcher)
    listed = record.get("files") if isinstance(record, dict) else None
    if not isinstance(listed, list) or not listed:
        raise DownloadFailed(f"{url}: the record lists no files; is this the address of a record?")
    found: dict[str, Remote] = {}
    refused = []
    for entry in listed:
        try:
            remote = _remote(entry)
            if remote.name.lower() in found:
                raise ValueError("the record lists this name twice")
            found[remote.name.lower()] = remote
        except (KeyError, TypeError, ValueError) as error:
            name = entry.get("key") if isinstance(entry, dict) else entry
            reason = str(error) if isinstance(error, ValueError) else f"the record's entry is incomplete ({error})"
            refused.append(f"{name!r}: {reason}")
    return sorted(found.values(), key=lambda remote: remote.name), refused


def wanted(found: Iterable[Remote], parts: Sequence[str], actors: Sequence[int] = ()) -> list[Remote]:
    """The files of some parts; of some actors, where the files are by actor.

    Parameters
    ----------
    found : iterable of Remote
    parts : sequence of str
        Of PARTS, or "all".
    actors : sequence of int
        None means every actor. A file for all actors is fetched whole.

    Raises
    ------
    UnknownName
        No such part.
    """
    kinds: set[tuple[str, str]] = set()
    for part in parts:
        if part != "all" and part not in PARTS:
            raise UnknownName("part", part, [*PARTS, "all"])
        kinds |= PARTS.get(part, set())
    chosen = []
    for remote in found:
        name = _FILE.fullmatch(remote.name)
        if not name:
            if "all" in parts:
                chosen.append(remote)
            continue
        kind, first, last = (name[1].lower(), name[2].lower()), int(name[3]), int(name[4] or name[3])
        if ("all" in parts or kind in kinds) and (not actors or any(first <= actor <= last for actor in actors)):
            chosen.append(remote)
    return chosen


def _remote(entry: Any) -> Remote:
    """One entry of the record's list. Raises ValueError, KeyError, TypeError."""
    name, size, checksum, url = entry["key"], entry["size"], entry["checksum"], entry["links"]["self"]
    if not isinstance(name, str) or not _SAFE.fullmatch(name) or name.endswith((".", " ", ".part", ".part.json")):
        raise ValueError("not a plain file name")
    if not isinstance(size, int) or size <= 0:
        raise ValueError(f"its size is {size!r}")
    kind, _, digest = str(checksum).partition(":")
    if kind != "md5" or not re.fullmatch(r"[0-9a-f]{32}", digest):
        raise ValueError(f"its checksum is {checksum!r}, expected md5:<32 hex digits>")
    if not isinstance(url, str) or not re.match(r"https?://", url):
        raise ValueError(f"its address is {url!r}, expected http")
    return Remote(name, url, size, digest)
