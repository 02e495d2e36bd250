"""Read a clip's sound: mono float32 at its own rate, or a BadClip that says why not.

The content decides how a file is read, never its name: .wav is unpacked here, what libsndfile knows (FLAC, Ogg,
AIFF, MP3, ...) is read by it, and the sound of video files and of rarer containers by FFmpeg.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadClip
from ravdess.sound import chunks, track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LONGEST: Final = 600.0
"""Seconds. A clip is about 4 s; a header that claims hours is refused before memory is."""
SHORTEST: Final = 8 * 512 / 22_050
"""Seconds: nine frames, the least from which librosa makes deltas."""
RATES: Final = range(1_000, 192_001)
"""Sample rates in Hz."""
LARGEST: Final = 512 * 1024**2
"""Bytes of a file."""
SILENCE: Final = 1e-4
"""A clip whose samples all lie within this of each other (-80 dB of full scale, three steps of 16 bits) is silent."""
LOUDEST: Final = 10.0
"""Floats may go beyond full scale a little; beyond this they are another unit, or garbage."""

_BLOCK: Final = 1 << 18  # frames a read: a header's promise is never allocated whole


def read(source: bytes | os.PathLike[str] | str, *, name: str = "", longest: float = LONGEST) -> tuple[Floats, int]:
    """The sound of a file, its channels averaged.

    Parameters
    ----------
    source : bytes or path
        A whole file, or where it lies.
    name : str
        The file's name, for error messages only; a path needs none.
    longest : float > 0
        Seconds, beyond which a file is refused.

    Returns
    -------
    y : np.ndarray [shape=(n,), dtype=float32]
        Integer samples are scaled to -1 ... 1; the mean of the channels, as `librosa.load` makes it.
    sr : int
        The file's own rate in Hz.

    Raises
    ------
    BadClip
        Not there, a directory, empty, no sound file, truncated or broken, without a sound track, longer than
        `longest`, or of a rate outside `RATES`. Silence and NaN are left to `check`.
    """
    if not isinstance(source, bytes):
        name = name or Path(source).name
        source = _whole_file(Path(source))
    if not source:
        raise BadClip("empty file (0 bytes)")
    if len(source) > LARGEST:
        raise BadClip(f"{len(source)} bytes, expected at most {LARGEST}; a clip is a few seconds")

    if source[:4] in (b"RIFF", b"RF64", b"RIFX") and source[8:12] == b"WAVE":
        layout = chunks.wav_layout(source)
        _sane(layout.frames, layout.rate, longest)
        if layout.plain:
            return _mono(chunks.samples(source, layout)), layout.rate
    elif source[:4] == b"FORM":
        chunks.check_aiff(source)
    elif source[:4] == b"OggS":
        chunks.check_ogg(source)
        if not track.sound_only_ogg(source):
            return track.decode(source, "ogg", longest=longest, rates=RATES)
    elif demuxer := track.container(source):
        if demuxer == "avi":
            chunks.check_avi(source)
        return track.decode(source, demuxer, longest=longest, rates=RATES)
    return _libsndfile(source, name, longest)


def resample(y: Floats, sr: int, target: int) -> Floats:
    """`y` at another rate, sample for sample as `librosa.load` resamples (soxr_hq; ``ceil(n * target / sr)`` samples).

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples.
    sr, target : int > 0
        Rates in Hz. Equal rates hand `y` back as it is.

    Returns
    -------
    np.ndarray [shape=(ceil(n * target / sr),), dtype=float32]

    Raises
    ------
    BadClip
        `y` is not one-dimensional, or `sr` lies outside `RATES`.
    """
    y = np.asarray(y, dtype=np.float32)
    if y.ndim != 1:
        raise BadClip(f"samples of shape {y.shape}, expected mono (n,)")
    if sr not in RATES:
        raise BadClip(f"sample rate {sr} Hz, expected {RATES.start} to {RATES.stop - 1} Hz")
    if sr == target or not len(y):
        return y

    import soxr

    size = int(np.ceil(len(y) * (target / sr)))
    resampled: Floats = soxr.resample(np.ascontiguousarray(y), sr, target, quality="soxr_hq")
    if len(resampled) < size:
        resampled = np.pad(resampled, (0, size - len(resampled)))
    return resampled[:size]


def check(y: Floats, sr: int) -> Floats:
    """Hand back `y` when features can be made from it.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples, -1 ... 1.
    sr : int > 0
        Rate in Hz.

    Raises
    ------
    BadClip
        Shorter than `SHORTEST`, longer than `LONGEST`, silent, not finite, or far beyond full scale.
    """
    if len(y) < SHORTEST * sr:
        raise BadClip(f"too short: {len(y) / sr:.3f} s, expected at least {SHORTEST:.3f} s (nine frames)")
    if len(y) > LONGEST * sr:
        raise BadClip(f"too long: {len(y) / sr:.0f} s, expected at most {LONGEST:.0f} s; cut the file first")
    low, high = float(y.min()), float(y.max())  # both are NaN when any sample is
    if not np.isfinite(low) or not np.isfinite(high):
        raise BadClip("not finite: it holds NaN or infinite samples")
    if high - low < SILENCE:
        raise BadClip(f"silent: its samples span {high - low:.1e}, expected at least {SILENCE:.0e} of full scale 1")
    if max(-low, high) > LOUDEST:
        raise BadClip(f"samples reach {max(-low, high):.3g} where full scale is 1; scale them to -1 ... 1")
    return y


def _whole_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise BadClip("a directory, expected a sound file")
        if path.exists() and not path.is_file():
            raise BadClip("a device or pipe, expected a sound file")
        if path.stat().st_size > LARGEST:
            raise BadClip(f"{path.stat().st_size} bytes, expected at most {LARGEST}; a clip is a few seconds")
        return path.read_bytes()
    except OSError as error:
        raise BadClip(f"cannot be read: {error.strerror}") from error


def _libsndfile(data: bytes, name: str, longest: float) -> tuple[Floats, int]:
    """Read by libsndfile, in blocks, and count what comes against what the header promised."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            sr, promised = file.samplerate, file.frames
            if promised >= 1 << 60 and data[:4] == b"fLaC":  # a FLAC stream that never knew its length
                return track.decode(data, "flac", longest=longest, rates=RATES)
            _sane(promised, sr, longest)
            blocks = []
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
                blocks.append(_mono(block))
    except soundfile.LibsndfileError as error:
        if "not recognised" in str(error.error_string):
            named = f" though it is named {name!r}" if name else ""
            raise BadClip(f"no sound or video file{named}: it begins with {data[:12]!r}") from error
        raise BadClip(f"broken or truncated sound file: {error.error_string}") from error
    y = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if len(y) < promised:
        raise BadClip(f"truncated: its header promises {promised} samples, the file holds {len(y)}")
    return y, sr


def _mono(samples: Floats) -> Floats:
    """Average channels, (n, channels) -> (n,)."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def _sane(frames: int, sr: int, longest: float) -> None:
    if sr not in RATES:
        raise BadClip(f"sample rate {sr} Hz, expected {RATES.start} to {RATES.stop - 1} Hz")
    if frames > longest * sr:
        raise BadClip(f"too long: its header says {frames / sr:.0f} s, expected at most {longest:.0f} s")
