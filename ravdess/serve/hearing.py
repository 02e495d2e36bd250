"""One microphone: samples as they come, utterances out, and what is drawn of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ravdess.errors import BadClip
from ravdess.serve.endpoint import Endpointer, Turn
from ravdess.sound import spoken, timbre, transform
from ravdess.sound.frames import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

RATES: Final = range(8_000, 192_001)
"""Hz, of microphones."""
LEAD: Final = 1.0
"""Seconds kept before an utterance: the clips that models learn from begin with about as much silence."""
WINDOW: Final = 4.0
"""Seconds of the present utterance that are judged live, at most; a clip is about as long."""
LEAST: Final = 0.5
"""Seconds of an utterance before it is judged live."""
TAIL: Final = 0.6
"""Seconds of silence after an utterance. At a pause most of them are still to come, and those before it stand in."""
DRAWN: Final = 2 * spoken.HOP
"""Samples a drawn column (23 ms)."""
BATCH: Final = 3
"""Columns that are drawn together; one by one they would cost three times as much."""
RANGE: Final = (-95.0, -25.0)
"""dB of full scale that are drawn as 0 and 255."""


class Utterance(NamedTuple):
    """A stretch of speech with the silence before it: its samples at 22,050 Hz, and seconds since the beginning."""

    number: int
    y: Floats
    start: float
    stop: float


@dataclass
class Heard:
    """What a piece of sound brought.

    Attributes
    ----------
    columns : bytes
        New columns to draw, `COLUMN` bytes each: highest and lowest sample as int8 + 128, then the log-mel bands.
    turns : list of (Turn, Utterance or None)
        An utterance comes with `PAUSED` and `ENDED`.
    """

    columns: bytes
    turns: list[tuple[Turn, Utterance | None]]


COLUMN: Final = 2 + timbre.MELS


class Hearing:
    """Follows one microphone. Memory is fixed: the longest utterance and what comes before it.

    Parameters
    ----------
    rate : int
        Of the microphone, in Hz. Samples are resampled as they come, by soxr, to 22,050 Hz.
    longest : float > 0
        Seconds after which an utterance is cut.

    Raises
    ------
    BadClip
        `rate` is none that a microphone has.
    """

    def __init__(self, rate: int, *, longest: float = 15.0) -> None:
        import soxr

        if rate not in RATES:
            raise BadClip(f"sample rate {rate} Hz, expected {RATES.start} to {RATES.stop - 1} Hz")
        self.rate = rate
        self._resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        self._ends = Endpointer(round(longest * SAMPLE_RATE / spoken.HOP))
        self._keep = round((longest + LEAD + 2) * SAMPLE_RATE)
        self._kept = np.zeros(self._keep + 4 * SAMPLE_RATE, np.float32)
        self._count = 0  # samples at 22,050 Hz so far
        self._origin = -self._keep  # which of them is the first of _kept: silence comes before the beginning
        self._hops = 0
        self._drawn = 0
        self._number = 0

    @property
    def seconds(self) -> float:
        """How much was heard."""
        return self._count / SAMPLE_RATE

    @property
    def speaking(self) -> bool:
        """Whether someone speaks now: an utterance goes on and does not pause."""
        return self._ends.speaking and not self._ends.paused

    def feed(self, pcm: bytes) -> Heard:
        """Take the next samples.

        Parameters
        ----------
        pcm : bytes
            16-bit little-endian mono samples at `rate`.

        Returns
        -------
        Heard

        Raises
        ------
        BadClip
            Half a sample, or more than a second at once.
        """
        if len(pcm) % 2:
            raise BadClip("half a sample: a piece of sound is a whole number of 16-bit samples")
        if len(pcm) > 2 * self.rate:
            raise BadClip(f"{len(pcm) / 2 / self.rate:.1f} s of sound at once, expected at most 1 s")
        y = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
        if self._resampler is not None:
            y = self._resampler.resample_chunk(y)
        if self._count + len(y) - self._origin > len(self._kept):  # once in four seconds: what is old goes
            old = self._count - self._keep - self._origin
            self._kept[: self._keep] = self._kept[old : old + self._keep]
            self._origin += old
        self._between(self._count, self._count + len(y))[:] = y
        self._count += len(y)
        return Heard(self._columns(), self._turns())

    def now(self) -> Utterance | None:
        """The present utterance as it stands, at most its last `WINDOW` seconds; None when it is too short yet."""
        if not self.speaking or (self._hops - self._ends.start) * spoken.HOP < LEAST * SAMPLE_RATE:
            return None
        start = max(
            self._ends.start * spoken.HOP - round(LEAD * SAMPLE_RATE), self._count - round(WINDOW * SAMPLE_RATE)
        )
        return self._utterance(start, self._count)

    def finish(self) -> Utterance | None:
        """The microphone is off: the utterance that this ends, if there is one."""
        return self._whole() if self._ends.finish() is Turn.ENDED else None

    def _turns(self) -> list[tuple[Turn, Utterance | None]]:
        turns: list[tuple[Turn, Utterance | None]] = []
        for level in self._levels():
            self._hops += 1
            turn = self._ends.hop(level)
            if turn is Turn.BEGAN:
                self._number += 1
            if turn is not None:
                turns.append((turn, self._whole() if turn in (Turn.PAUSED, Turn.ENDED) else None))
        return turns

    def _whole(self) -> Utterance:
        """The utterance with its lead and tail."""
        whole = self._utterance(self._ends.start * spoken.HOP - round(LEAD * SAMPLE_RATE), self._hops * spoken.HOP)
        lacking = round(TAIL * SAMPLE_RATE) - (self._hops - self._ends.stop) * spoken.HOP
        if lacking <= 0:
            return whole
        # Backwards, so that the level does not jump; a model that knows clips with silence at both ends needs some.
        lead = whole.y[: max(0, len(whole.y) - (self._hops - self._ends.start) * spoken.HOP)]
        return whole._replace(y=np.concatenate([whole.y, lead[:lacking][::-1]]))

    def _utterance(self, start: int, stop: int) -> Utterance:
        start = max(start, 0, self._count - self._keep)
        y = self._between(start, stop).copy()
        return Utterance(self._number, y, self._ends.start * spoken.HOP / SAMPLE_RATE, stop / SAMPLE_RATE)

    def _between(self, start: int, stop: int) -> Floats:
        return self._kept[start - self._origin : stop - self._origin]

    def _levels(self) -> list[float]:
        """Mean power of each new hop, in dB of full scale."""
        stop = self._count // spoken.HOP
        hops = self._between(self._hops * spoken.HOP, stop * spoken.HOP).reshape(-1, spoken.HOP)
        power = np.einsum("ij,ij->i", hops, hops) / spoken.HOP
        levels: list[float] = (10 * np.log10(power + 1e-12)).tolist()
        return levels

    def _columns(self) -> bytes:
        """The columns that are complete by now. A column's spectrum reaches one column back."""
        stop = self._count // DRAWN
        if stop < self._drawn + BATCH:
            return b""
        made = drawn(self._between(self._drawn * DRAWN - DRAWN, stop * DRAWN))
        self._drawn = stop
        return made


def drawn(y: Floats) -> bytes:
    """Columns of `y` [shape=((n + 1) * DRAWN,)], the first hop being what came before: n times `COLUMN` bytes."""
    from numpy.lib.stride_tricks import sliding_window_view

    frames = sliding_window_view(y, spoken.FRAME)[::DRAWN] * _window()
    mel = transform.decibels(timbre.mel_filters().of(transform.power(frames).T) + np.float32(1e-12))
    low, high = RANGE
    columns = np.empty((len(frames), COLUMN), np.uint8)
    columns[:, 2:] = np.clip((mel.T - low) * (255 / (high - low)), 0, 255)
    hops = y[DRAWN : DRAWN * (1 + len(frames))].reshape(-1, DRAWN)
    columns[:, 0] = np.clip(hops.max(axis=1) * 127 + 128, 0, 255)
    columns[:, 1] = np.clip(hops.min(axis=1) * 127 + 128, 0, 255)
    return columns.tobytes()


@cache
def _window() -> Floats:
    """A Hann window under which a sine of full scale gives 0 dB in its bin."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spoken.FRAME) / spoken.FRAME)
    scaled: Floats = (2 * hann / hann.sum()).astype(np.float32)
    return scaled
