"""Sounds whose truth is known, and files made of them byte by byte."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SR = 22_050


def sine(hertz: float, seconds: float = 1.0, *, sr: int = SR, amplitude: float = 0.5) -> Floats:
    t = np.arange(round(seconds * sr)) / sr
    return (amplitude * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def noise(seconds: float = 1.0, *, sr: int = SR, amplitude: float = 0.1, seed: int = 0) -> Floats:
    return (amplitude * np.random.default_rng(seed).standard_normal(round(seconds * sr))).astype(np.float32)


def harmonics(
    hertz: float | NDArray[np.float64],
    weights: Sequence[float] | NDArray[np.float64],
    seconds: float = 1.0,
    *,
    sr: int = SR,
) -> Floats:
    """A sum of sines at 1, 2, 3, ... times `hertz`, which may change from sample to sample."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, round(seconds * sr))) / sr
    y = sum(weight * np.sin(number * phase) for number, weight in enumerate(weights, start=1))
    return np.asarray(0.4 * y / np.abs(y).max(), np.float32)


def voice(seconds: float = 3.5, *, sr: int = 48_000, seed: int = 0) -> Floats:
    """Something like a clip: silence, a gliding voice with syllables and some breath, silence."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, round(seconds * sr))
    pitch = rng.uniform(90, 320) * 2 ** (0.5 * np.sin(2 * np.pi * (rng.uniform(0.5, 2) * t + rng.uniform())))
    loud = np.clip(np.sin(np.pi * t) * 1.4 - 0.4, 0, 1) * (0.6 + 0.4 * np.sin(2 * np.pi * 5 * t * seconds))
    tone = harmonics(pitch, 1 / np.arange(1, 25) ** rng.uniform(0.7, 1.6), seconds, sr=sr)
    y = loud * (tone + 0.02 * rng.standard_normal(len(t))) + 1e-4 * rng.standard_normal(len(t))
    return y.astype(np.float32)


def chunk(name: bytes, body: bytes, *, size: int | None = None, order: str = "<") -> bytes:
    """A RIFF chunk, padded to an even length; `size` is what it claims to hold."""
    return name + struct.pack(f"{order}I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def form(
    *, tag: int = 1, channels: int = 1, rate: int = SR, width: int = 2, order: str = "<", extra: bytes = b""
) -> bytes:
    """A 'fmt ' chunk."""
    block = channels * width
    head = struct.pack(f"{order}HHIIHH", tag, channels, rate, rate * block % 2**32, block, width * 8)
    return chunk(b"fmt ", head + extra, order=order)


def riff(*chunks: bytes, magic: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack(">I" if magic == b"RIFX" else "<I", len(body) if size is None else size) + body


def integers(y: Floats) -> NDArray[np.int16]:
    return np.round(y * 32_767).astype("<i2")


def wav(y: Floats, rate: int = SR) -> bytes:
    """The plainest .wav: 16 bit, mono, header of 44 bytes."""
    return riff(form(rate=rate), chunk(b"data", integers(y).tobytes()))


def encoded(y: Floats, rate: int = SR, **how: Any) -> bytes:
    """What libsndfile makes of `y` [shape=(n,) or (n, channels)]: ``format=``, ``subtype=``, ``endian=``."""
    import soundfile

    to = io.BytesIO()
    soundfile.write(to, y, rate, **how)
    return to.getvalue()


def video(
    y: Floats | None, rate: int = 48_000, *, container: str = "mp4", codec: str = "aac", seconds: int = 2
) -> bytes:
    """A tiny video with `y` [shape=(n,)] as its stereo sound, or none."""
    import av

    to = io.BytesIO()
    with av.open(to, "w", format=container) as file:
        picture: Any = file.add_stream("flv" if container == "flv" else "mpeg4", rate=10)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        sound: Any = None if y is None else file.add_stream(codec, rate=rate, layout="stereo")
        rng = np.random.default_rng(0)
        for _ in range(10 * seconds):
            image = av.VideoFrame.from_ndarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8), format="rgb24")
            file.mux(picture.encode(image))
        file.mux(picture.encode())
        if y is not None:
            frame = av.AudioFrame.from_ndarray(np.stack([y, y]), format="fltp", layout="stereo")
            frame.sample_rate = rate
            converted = av.AudioResampler(format=sound.format, layout="stereo", rate=rate).resample(frame)
            for part in converted:
                file.mux(sound.encode(part))
            file.mux(sound.encode())
    return to.getvalue()
