"""Small films to try decoding on, made here: a bar that moves tells each picture's number."""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def drawn(number: int, width: int = 160, height: int = 90) -> Image:
    """A picture like no other of its film, of colours that survive compression."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    image = np.stack((x * 255 // width, y * 255 // height, np.full_like(x, 40)), axis=2)
    left = number * 7 % (width - 16)
    image[height // 3 : height // 2, left : left + 16] = (250, 250 - number * 3 % 200, 20)
    image[-12:, :, :] = number * 5 % 250
    return image.astype(np.uint8)


def film(
    count: int = 24,
    *,
    width: int = 160,
    height: int = 90,
    codec: str = "libx264",
    container: str = "mp4",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = Fraction(30000, 1001),
    options: dict[str, str] | None = None,
    rotate: int = 0,
    sound: bool = False,
    times: list[int] | None = None,
    pixel: Fraction | None = None,
    container_options: dict[str, str] | None = None,
) -> bytes:
    """A file of `count` drawn pictures; by default H.264 with B pictures that are no reference."""
    folder = tempfile.TemporaryDirectory()
    file = Path(folder.name) / "film"
    chosen = {"preset": "veryfast", "crf": "20", "threads": "1"}
    chosen["x264-params"] = "bframes=3:b-adapt=0:b-pyramid=none:keyint=12:min-keyint=12:scenecut=0"
    with av.open(str(file), "w", format=container, options=container_options or {}) as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.options = chosen | (options or {}) if codec == "libx264" else options or {}
        if pixel is not None:
            stream.codec_context.sample_aspect_ratio = pixel
        if rotate:
            stream.set_display_rotation(rotate)
        track: Any = out.add_stream("aac", rate=48000, layout="stereo") if sound else None
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(drawn(number, width, height), format="rgb24")
            frame.pts = times[number] if times else number
            frame.time_base = 1 / Fraction(rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if track is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            silence.sample_rate = 48000
            for at in range(count * 1600 // 1024):
                silence.pts = at * 1024
                out.mux(track.encode(silence))
            out.mux(track.encode())
    with folder:
        return file.read_bytes()


def plain(content: bytes, container: str = "mp4") -> list[Any]:
    """What a plain loop decodes: every frame, in order of showing."""
    demuxer = {"mp4": "mov"}.get(container, container)
    with av.open(io.BytesIO(content), "r", format=demuxer) as opened:
        opened.streams.video[0].codec_context.thread_count = 1
        return list(opened.decode(video=0))
