"""Where an utterance begins and ends: energy against the noise of the room, with hysteresis.

Speech begins when the level rises well above the room's noise and stays there, and ends when it has fallen near to it
for a while; the two thresholds differ, so that a level between them changes nothing. After Rabiner & Sambur 1975,
doi 10.1002/j.1538-7305.1975.tb02840.x, with a noise level that is followed as in Martin 2001, doi 10.1109/89.928915
(the least level of the last seconds).
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

HOPS: Final = 22_050 / 256
"""Levels a second."""
ABOVE: Final = 12.0
"""dB above the noise at which speech begins ..."""
BELOW: Final = 6.0
"""... and under which it ends."""
QUIETEST: Final = -55.0
"""dB of full scale under which nothing is speech, however quiet the room."""
ONSET: Final = round(0.06 * HOPS)
"""Hops that must be loud before speech has begun: a click is shorter."""
PAUSE: Final = round(0.10 * HOPS) + 1
"""Quiet hops after which the utterance so far is worth judging."""
END: Final = round(0.60 * HOPS)
"""Quiet hops after which the utterance is over; pauses between words are shorter."""
LEAST: Final = round(0.25 * HOPS)
"""Hops of the shortest utterance; less is a cough."""
MEMORY: Final = 8
"""Blocks of half a second whose least level is the noise."""
_BLOCK: Final = round(0.5 * HOPS)
_FLOOR: Final = -90.0


class Turn(Enum):
    """What a hop changed."""

    BEGAN = "began"
    PAUSED = "paused"
    RESUMED = "resumed"
    ENDED = "ended"
    DROPPED = "dropped"


class Endpointer:
    """Follows one microphone, level by level.

    Attributes
    ----------
    speaking : bool
        Whether an utterance goes on, ...
    paused : bool
        ... and whether it may be over: it has been quiet for a moment.
    start, stop : int
        Hops of the utterance: its first loud one, and the one after its last loud one so far.
    noise : float
        dB of full scale.

    Parameters
    ----------
    longest : int
        Hops after which an utterance is cut.
    """

    def __init__(self, longest: int) -> None:
        self.speaking = self.paused = False
        self.start = self.stop = 0
        self._longest = longest
        self._now = 0
        self._loud = 0
        self._least: deque[float] = deque(maxlen=MEMORY)
        self._block: list[float] = []

    @property
    def noise(self) -> float:
        """The least level of the last seconds, in dB of full scale; before any, that of a silent room."""
        return min(self._least, default=QUIETEST - ABOVE)

    def hop(self, level: float) -> Turn | None:
        """Take the next level in dB of full scale, and say what it changed."""
        self._now += 1
        level = max(level, _FLOOR)
        self._follow(level)
        return self._within(level) if self.speaking else self._before(level)

    def finish(self) -> Turn | None:
        """No level comes any more: ends an utterance that is going on."""
        return self._over() if self.speaking else None

    def _before(self, level: float) -> Turn | None:
        self._loud = self._loud + 1 if level > max(self.noise + ABOVE, QUIETEST) else 0
        if self._loud < ONSET:
            return None
        self.speaking, self.paused = True, False
        self.start, self.stop, self._loud = self._now - ONSET, self._now, 0
        return Turn.BEGAN

    def _within(self, level: float) -> Turn | None:
        if self._now - self.start >= self._longest:
            self.stop = self._now
            return self._over()
        if level > max(self.noise + BELOW, QUIETEST - ABOVE + BELOW):
            self.stop = self._now
            if self.paused:
                self.paused = False
                return Turn.RESUMED
            return None
        quiet = self._now - self.stop
        if quiet == PAUSE and self.stop - self.start >= LEAST:
            self.paused = True
            return Turn.PAUSED
        return self._over() if quiet >= END else None

    def _over(self) -> Turn:
        self.speaking = self.paused = False
        self._loud = 0
        return Turn.ENDED if self.stop - self.start >= LEAST else Turn.DROPPED

    def _follow(self, level: float) -> None:
        self._block.append(level)
        # Twice a second the quietest of the last hops joins the memory. While someone speaks it may only fall: a
        # long vowel is no noise.
        if len(self._block) >= (3 if not self._least else _BLOCK):
            least = sum(sorted(self._block)[:3]) / 3
            self._block.clear()
            if not self.speaking or least < self.noise:
                self._least.append(least)
