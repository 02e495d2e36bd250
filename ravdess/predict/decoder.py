"""Sound and pictures of files that nobody vouches for, read in processes with limits.

`ravdess.sound.read` in one of them, `ravdess.predict.watching` in another, which starts when a picture is first wanted.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ravdess.errors import BadClip
from ravdess.predict.worker import Limits, Worker

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST: Final = 3600.0
"""Seconds of sound or film."""


class Sound(NamedTuple):
    """Decoded sound: mono float32 `y` [shape=(n,)] in -1 ... 1, `sr` in Hz."""

    y: NDArray[np.float32]
    sr: int


class Scene(NamedTuple):
    """A stretch of a film, `start` to `end` in seconds.

    Attributes
    ----------
    face, several : bool
        Whether a face was found in enough of the pictures that were looked at, and several in half of them. Where none
        was found, a take of faces shows the place where the corpus has its faces.
    takes : dict of str to np.ndarray [shape=(n, h, w, c), dtype=uint8]
        Frame set -> its frames. Empty after the film's end.
    """

    start: float
    end: float
    face: bool
    several: bool
    takes: dict[str, NDArray[np.uint8]]


class Decoder:
    """Decodes sound and video files in worker processes. It may be shared between threads.

    Parameters
    ----------
    limits : Limits, optional
        Of time, memory and bytes, a file. Pictures may take five times as long as sound.
    longest : float > 0
        Most seconds of sound, or of film.

    Examples
    --------
    >>> with Decoder() as decoder:  # doctest: +SKIP
    ...     y, sr = decoder.read("speech.webm")
    """

    def __init__(self, limits: Limits | None = None, *, longest: float = LONGEST) -> None:
        self._worker = Worker("ravdess.predict.decoder:decode", limits)
        mine = self._worker.limits
        self._watcher = Worker("ravdess.predict.watching:watch", replace(mine, seconds=5 * mine.seconds))
        self._longest = longest

    @property
    def limits(self) -> Limits:
        """What one file may cost."""
        return self._worker.limits

    def start(self, *, sees: bool = False) -> Decoder:
        """Let the process start while others work; that for pictures too, where `sees`."""
        self._worker.start()
        if sees:
            self._watcher.start()
        return self

    def whole(self, source: bytes | os.PathLike[str] | str) -> bytes:
        """All bytes of a file. Raises BadClip when it is none, or too large."""
        return source if isinstance(source, bytes) else _whole_file(Path(source), self.limits.given)

    def read(self, source: bytes | os.PathLike[str] | str, *, name: str = "") -> Sound:
        """The sound of a file, its channels averaged, exactly as `ravdess.sound.read.read` gives it.

        Parameters
        ----------
        source : bytes or path
            A whole file, or where it lies.
        name : str
            The file's name, for error messages only.

        Raises
        ------
        BadClip
            It cannot be read, is damaged, is over the limits, or broke the process.
        """
        facts, raw = self._worker.call(self.whole(source), name=name[:200], longest=self._longest)
        y = np.frombuffer(raw, dtype=np.float32)
        return Sound(y, int(facts["sr"]))

    def watch(
        self, source: bytes | os.PathLike[str] | str, sets: Sequence[str], *, seconds: float = 0.0, name: str = ""
    ) -> list[Scene]:
        """The pictures of a film, exactly as `ravdess.picture.pictures` gives them of one of up to 8 s.

        Parameters
        ----------
        source : bytes or path
        sets : sequence of str
            Frame sets that are made from pictures.
        seconds : float
            How long the file's sound is.
        name : str
            The file's name, for error messages only.

        Returns
        -------
        list of Scene
            One of a file of up to 8 s; else one for every window of 3 s, each second, over the longer of both.

        Raises
        ------
        BadClip
            As `read`.
        """
        most = self.limits.answer - (1 << 16)
        facts, raw = self._watcher.call(
            self.whole(source), name=name[:200], sets=list(sets), seconds=seconds, longest=self._longest, most=most
        )
        scenes, at = [], 0
        for told in facts["scenes"]:
            takes = {}
            for one, shape in told.get("takes", {}).items():
                size = math.prod(shape)
                takes[one] = np.frombuffer(raw, np.uint8, size, at).reshape(shape)
                at += size
            scenes.append(Scene(told["start"], told["end"], told["face"], told["several"], takes))
        return scenes

    def close(self) -> None:
        """End the processes."""
        self._worker.close()
        self._watcher.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def prepare() -> None:
    """Read a tiny sound by each library, so that all they need is imported; inside the worker, before it is locked."""
    import io

    import av
    import soundfile

    from ravdess.sound.read import read

    av.logging.set_level(av.logging.PANIC)
    tiny = np.zeros((1, 4096), np.int16)
    video, flac = io.BytesIO(), io.BytesIO()
    with av.open(video, "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tiny, format="s16", layout="mono")
        frame.sample_rate = 8000
        file.mux([*stream.encode(frame), *stream.encode(None)])
    soundfile.write(flac, tiny[0], 8000, format="FLAC")
    for made in (video, flac):
        read(made.getvalue())


def decode(data: bytes, *, name: str, longest: float) -> tuple[dict[str, Any], bytes]:
    """Inside the worker: the file's samples as raw float32, and their rate."""
    from ravdess.sound.read import read

    y, sr = read(data, name=name, longest=longest)
    return {"sr": sr}, np.ascontiguousarray(y, dtype=np.float32).tobytes()


def _whole_file(path: Path, most: int) -> bytes:
    """The bytes of a regular file."""
    try:
        if path.is_dir():
            raise BadClip("a directory, expected a sound or video file")
        if path.exists() and not path.is_file():
            raise BadClip("a device or pipe, expected a sound or video file")
        if (size := path.stat().st_size) > most:
            raise BadClip(f"{size} bytes, expected at most {most}; cut the file first")
        return path.read_bytes()
    except OSError as error:
        raise BadClip(f"cannot be read: {error.strerror}") from error
