"""Sound of files that nobody vouches for: `ravdess.sound.read`, in a process with limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ravdess.errors import BadClip
from ravdess.predict.worker import Limits, Worker

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST: Final = 3600.0
"""Seconds of sound."""


class Sound(NamedTuple):
    """Decoded sound: mono float32 `y` [shape=(n,)] in -1 ... 1, `sr` in Hz."""

    y: NDArray[np.float32]
    sr: int


class Decoder:
    """Decodes sound files, and the sound of video files, in a worker process. It may be shared between threads.

    Parameters
    ----------
    limits : Limits, optional
        Of time, memory and bytes, a file.
    longest : float > 0
        Most seconds of sound.

    Examples
    --------
    >>> with Decoder() as decoder:  # doctest: +SKIP
    ...     y, sr = decoder.read("speech.webm")
    """

    def __init__(self, limits: Limits | None = None, *, longest: float = LONGEST) -> None:
        self._worker = Worker("ravdess.predict.decoder:decode", limits)
        self._longest = longest

    @property
    def limits(self) -> Limits:
        """What one file may cost."""
        return self._worker.limits

    def start(self) -> Decoder:
        """Let the process start while others work."""
        self._worker.start()
        return self

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
        data = source if isinstance(source, bytes) else _whole_file(Path(source), self._worker.limits.given)
        facts, raw = self._worker.call(data, name=name[:200], longest=self._longest)
        y = np.frombuffer(raw, dtype=np.float32)
        return Sound(y, int(facts["sr"]))

    def close(self) -> None:
        """End the process."""
        self._worker.close()

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
