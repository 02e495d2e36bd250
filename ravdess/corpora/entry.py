"""One file of a source, as a listing tells of it, and which files are looked at."""

from __future__ import annotations

from typing import Final, NamedTuple

from ravdess.errors import BadClip, BadSource

SOUND: Final = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".au"})
VIDEO: Final = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"})
MEDIA: Final = SOUND | VIDEO
MAX_BYTES: Final = 512 * 2**20
"""No clip is larger: a longer file or zip member is refused before it fills a worker's memory."""


class Entry(NamedTuple):
    """One file of a source, before anyone judged its name.

    `digest` is a cheap identity of the content where the listing gives one, else empty. `problem` says why
    the file cannot be used, else empty. `size` is in bytes; None where it is not known before reading.
    """

    uri: str
    size: int | None = None
    digest: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """The file's own name; a zip member's backslashes are separators too."""
        return _tail(self.uri)[1]

    @property
    def folder(self) -> str:
        """The name of the folder that the file lies in."""
        return _tail(_tail(self.uri)[0])[1]

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0] or self.name

    @property
    def ending(self) -> str:
        """Lower case with its dot, ".wav"; empty for a name without a dot."""
        before, dot, after = self.name.rpartition(".")
        return dot + after.lower() if before else ""


def _tail(uri: str) -> tuple[str, str]:
    """Split off the last part of an address."""
    folder, _, name = (uri.replace("\\", "/") if uri.startswith("zip:") else uri).rpartition("/")
    return folder, name


def single(entry: Entry, source: str) -> Entry:
    """The entry of a source that is one file. Raises BadSource when its kind is of no use."""
    if entry.ending not in MEDIA and entry.ending != ".zip":
        raise BadSource(
            f"the source {source!r} is no sound, video or zip file: expected an ending such as .wav or .zip"
        )
    return entry


def fitting(size: int) -> int:
    """`size` in bytes, unless it is more than a clip may have. Raises BadClip."""
    if size > MAX_BYTES:
        raise BadClip(f"{size} bytes, more than {MAX_BYTES // 2**20} MiB; no clip is so large")
    return size
