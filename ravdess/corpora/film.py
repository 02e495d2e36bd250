"""A made clip as .mp4, packed as the publisher packs: H.264 at 30000/1001 pictures a second, and AAC stereo at 48 kHz.

The publisher's video-only files do carry a sound track, a silent one; so do these.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.corpora import face, voice
from ravdess.corpora.painter import Painter

if TYPE_CHECKING:
    from av import AudioFrame
    from numpy.typing import NDArray

    from ravdess.clips import Clip

PICTURE_RATE: Final = Fraction(30000, 1001)
"""Pictures a second."""

_PIECE: Final = 1024  # samples an AAC packet


def film(clip: Clip, *, seed: int = 0, height: int = 180, comment: str = "") -> bytes:
    """The .mp4 file of a take: the face that `ravdess.corpora.face` draws, with the voice unless it is video-only.

    Parameters
    ----------
    clip : Clip
        audio-video or video-only.
    seed : int
    height : int, even
        Pixels; the width is 16/9 of it, to the nearest multiple of 16.
    comment : str
        Stands in the file's metadata.

    Returns
    -------
    bytes
        The same for the same input and versions of FFmpeg, x264 and OpenCV.
    """
    import av

    sound = voice.speak(clip, seed)
    frames = int(len(sound) * PICTURE_RATE / voice.SAMPLE_RATE)
    moved = face.actions(clip, seed, voice.loudness(sound, float(PICTURE_RATE), frames))
    width = 16 * round(height / 9)
    painter = Painter(face.look(clip, seed), width, height)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        container.metadata["comment"] = comment
        picture = container.add_stream("libx264", rate=PICTURE_RATE)
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        # One thread, and no shortcut that a processor has: the bytes depend on neither chance nor machine.
        picture.options = {
            "preset": "veryfast",
            "profile": "high",
            "crf": "20",
            "threads": "1",
            "x264-params": "cpu-independent=1",
        }
        track = container.add_stream("aac", rate=voice.SAMPLE_RATE, layout="stereo")
        track.bit_rate = 189_000
        for stream in (picture, track):
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for number in range(frames):
            image = painter.paint({name: float(values[number]) for name, values in moved.items()})
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, 1 / PICTURE_RATE
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        container.mux([packet for frame in _pieces(sound, clip) for packet in track.encode(frame)])
        container.mux(track.encode())
    return file.getvalue()


def _pieces(sound: NDArray[np.int16], clip: Clip) -> Iterator[AudioFrame]:
    """The sound track, packet by packet: the voice on both channels, or silence."""
    import av

    silent = clip.modality == "video-only"
    for start in range(0, len(sound), _PIECE):
        piece = np.zeros(_PIECE, np.float32)
        if not silent:
            part = sound[start : start + _PIECE]
            piece[: len(part)] = part / 32768
        frame = av.AudioFrame.from_ndarray(np.stack((piece, piece)), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = voice.SAMPLE_RATE, start, Fraction(1, voice.SAMPLE_RATE)
        yield frame
