"""What one visitor, and all of them together, may ask of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on size, length, rate and number.

    Attributes
    ----------
    clients : int
        Live connections at once; one more is told to come later.
    session : float
        Seconds that a live connection may last.
    idle : float
        Seconds without a message after which a live connection is closed.
    haste : float
        Seconds of sound that may arrive ahead of the clock: a microphone cannot be faster than time.
    utterance : float
        Seconds after which an utterance is cut, so that nobody's memory grows.
    live : float
        Seconds from one live judgement to the next, while someone speaks.
    pictures : float
        Camera pictures a second that are looked at; others are dropped.
    picture_bytes : int
        Of one JPEG.
    album, album_bytes : int
        Camera pictures that are kept of each visitor, in memory, for the judgement of what they show: the last ones.
    looked_at : int
        Of them that one judgement looks at, at most.
    message_bytes : int
        Of one WebSocket message.
    upload_bytes, upload_seconds : int, float
        Of a dropped file, and how long its arrival may take.
    file_seconds : float
        Of sound in a dropped file.
    uploads : int
        Dropped files that are held at once, waiting ones included.
    uploads_a_minute : int
        Of one address.
    enrolment : int
        Utterances of one's own voice that are kept, in memory, for the session alone.
    """

    clients: int = 32
    session: float = 3600.0
    idle: float = 120.0
    haste: float = 3.0
    utterance: float = 15.0
    live: float = 0.5
    pictures: float = 6.0
    picture_bytes: int = 200_000
    album: int = 48
    album_bytes: int = 3_000_000
    looked_at: int = 24
    message_bytes: int = 262_144
    upload_bytes: int = 64 * 1024**2
    upload_seconds: float = 60.0
    file_seconds: float = 300.0
    uploads: int = 4
    uploads_a_minute: int = 30
    enrolment: int = 24
