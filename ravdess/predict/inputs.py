"""What people name on the command line: files, folders of files, and "-" for what comes through a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ravdess.errors import BadClip, BadSource

STDIN: Final = "-"
# fmt: off
MEDIA: Final = frozenset((
    ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi", ".caf",
    ".flac", ".flv", ".m4a", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg",
    ".mts", ".oga", ".ogg", ".ogv", ".opus", ".rf64", ".snd", ".ts", ".tta", ".w64", ".wav", ".webm",
    ".wma", ".wmv", ".wv",
))
# fmt: on
"""Endings that a folder is searched for. A file that is named itself is tried whatever it is called."""
# fmt: off
FILMS: Final = frozenset((
    ".3gp", ".asf", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
    ".wmv",
))
# fmt: on
"""Those of them that promise pictures."""


class Input(NamedTuple):
    """A file to judge: what answers call it, and where it lies ("-": standard input)."""

    name: str
    source: str

    @property
    def film(self) -> bool:
        """Whether its name promises pictures."""
        return Path(self.source).suffix.lower() in FILMS

    def read(self, most: int) -> bytes | str:
        """What a decoder takes: the path, or all of standard input. Raises BadClip when that is over `most` bytes."""
        if self.source != STDIN:
            return self.source
        data = sys.stdin.buffer.read(most + 1)
        if len(data) > most:
            raise BadClip(f"more than {most} bytes came through the pipe; cut the sound first")
        return data


def inputs(named: Iterable[str | os.PathLike[str]]) -> list[Input]:
    """The files that are meant, each once, in the order given; those of a folder by name.

    Links inside a folder are not followed. Raises BadSource for a folder without sound or video files, and for none.
    """
    found: dict[str, Input] = {}
    for one in named:
        name = os.fspath(one)
        if name == STDIN:
            found[STDIN] = Input("stdin", STDIN)
        elif Path(name).is_dir():
            inside = sorted(_media(Path(name)))
            if not inside:
                raise BadSource(f"{name} holds no sound or video file, expected one that ends in .wav, .mp3, .mp4, …")
            found |= {str(path): Input(path.stem, str(path)) for path in inside}
        else:
            found[name] = Input(Path(name).stem, name)
    if not found:
        raise BadSource("nothing to judge: name files or folders, or - for standard input")
    return list(found.values())


def _media(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = Path(where) / name
            if path.suffix.lower() in MEDIA and not name.startswith(".") and not path.is_symlink():
                yield path
