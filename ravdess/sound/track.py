"""The sound of a video file, or of a container that libsndfile does not know, by FFmpeg (PyAV)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadClip

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BEGINNINGS: Final = {
    b"FLV": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x00\x00\x01\xba": "mpeg",
    b"#!AMR": "amr",
    b"wvpk": "wv",
    b"MAC ": "ape",
    b"TTA1": "tta",
}
"""First bytes of a file -> demuxer."""

_UNTOLD: Final = ("aac", "amr", "mpegts", "mpeg")
"""Containers that say no length; what FFmpeg gives as one is a guess from the bit rate."""

SLACK: Final = 0.25
"""Seconds by which a track may end before its container says: encoders round to packets, sound and picture differ."""


def container(data: bytes) -> str | None:
    """The FFmpeg demuxer for `data`, told by its first bytes, or None when it is no such container known here.

    FFmpeg is never left to guess: some of the things that it would recognise in a text file are playlists, which
    make it open other files and addresses.
    """
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    if data[0:1] == b"G" and data[188:189] == data[376:377] == b"G":  # a packet each 188 bytes
        return "mpegts"
    if data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xF6 == 0xF0:  # as of MP3, but of layer 0
        return "aac"
    return next((name for begin, name in _BEGINNINGS.items() if data.startswith(begin)), None)


def sound_only_ogg(data: bytes) -> bool:
    """Whether an Ogg file's first stream is of a codec that libsndfile reads."""
    first = 27 + data[26] if len(data) > 26 else 0
    return data.startswith((b"\x01vorbis", b"OpusHead", b"\x7fFLAC"), first)


def decode(data: bytes, demuxer: str, *, longest: float, rates: range) -> tuple[NDArray[np.float32], int]:
    """The first sound track, its channels averaged.

    Parameters
    ----------
    data : bytes
        The whole file.
    demuxer : str
        FFmpeg's name of its container.
    longest : float > 0
        Seconds after which decoding stops with an error, so that no file can fill the memory.
    rates : range
        Sample rates that are accepted, in Hz.

    Returns
    -------
    y : np.ndarray [shape=(n,), dtype=float32]
    sr : int
        The track's own rate in Hz.

    Raises
    ------
    BadClip
        No sound track, a broken or truncated file, too long, or a rate that is not accepted.
    """
    import av

    try:
        alone = {"format_whitelist": demuxer, "protocol_whitelist": "none"}  # nothing inside may name another file
        with av.open(io.BytesIO(data), mode="r", format=demuxer, options=alone) as file:
            if not file.streams.audio:
                raise BadClip("the video holds no sound track; sound is read from files with one (01-…, 03-…)")
            stream = file.streams.audio[0]
            codec = stream.codec_context
            if codec is None:
                raise BadClip("the video's sound track is in a codec that FFmpeg cannot read")
            codec.thread_count = 1
            sr = codec.sample_rate
            if sr not in rates:
                raise BadClip(f"sample rate {sr} Hz, expected {rates.start} to {rates.stop - 1} Hz")
            told = stream.duration and stream.time_base and demuxer not in _UNTOLD
            own = float(stream.duration * stream.time_base) if told else None  # type: ignore[operator]
            planar = av.AudioResampler(format="fltp")
            blocks: list[NDArray[np.float32]] = []
            count, reached = 0, 0.0
            for packet in file.demux():
                if packet.pts is not None and packet.time_base is not None:
                    reached = max(reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index != stream.index:
                    continue
                for frame in packet.decode():
                    for part in planar.resample(frame):  # type: ignore[arg-type]  # frames of a sound stream are sound
                        blocks.append(part.to_ndarray().mean(axis=0, dtype=np.float32))
                        count += len(blocks[-1])
                if count > longest * sr:
                    raise BadClip(f"longer than {longest:.0f} s; a clip is a few seconds, cut the file first")
            promised = 0.0 if demuxer in _UNTOLD else own or (file.duration or 0) / 1e6
            held = count / sr if own is not None else max(reached, count / sr)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        if isinstance(error, BadClip):
            raise
        raise BadClip(f"broken or truncated video file: {getattr(error, 'strerror', None) or error}") from error
    if held < promised - SLACK:
        raise BadClip(f"truncated: it promises {promised:.2f} s, but breaks off after {held:.2f} s")
    y = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    # The decoder fills its last packet with silence; the container knows where the sound ends.
    return (y if own is None else y[: round(own * sr)]), sr
