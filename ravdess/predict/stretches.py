"""Which stretches of a file are judged: a short one whole, a long one by windows in which there is something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ravdess.predict.decoder import Sound
from ravdess.predict.remarks import NOTHING
from ravdess.predict.windows import Piece, heard, pieces

if TYPE_CHECKING:
    from ravdess.predict.decoder import Scene


@dataclass(frozen=True)
class Stretch:
    """What is judged at once.

    Attributes
    ----------
    start, end : float
        Seconds within the file.
    sound : Sound or None
    scene : Scene or None
        Pictures.
    noted : tuple of str
        What the file lacks, as remarks.
    """

    start: float
    end: float
    sound: Sound | None = None
    scene: Scene | None = None
    noted: tuple[str, ...] = ()

    def without_pictures(self, why: str) -> Stretch:
        """The same, with a remark that its pictures cannot be read."""
        return replace(self, noted=(*self.noted, f"judged by sound alone, no picture: {why}"))


def by_sound(sound: Sound) -> list[Stretch]:
    """The stretches of a sound in which something is heard; of digital silence one, of all of it."""
    y, sr = sound
    found = pieces(y, sr) or [Piece(0, len(y))]
    return [Stretch(first / sr, stop / sr, Sound(y[first:stop], sr)) for first, stop in found]


def by_both(scenes: Sequence[Scene], sound: Sound | None, deaf: str) -> list[Stretch]:
    """The scenes of a film with their sound, without those where nothing is heard and no face was found.

    Parameters
    ----------
    scenes : sequence of Scene
    sound : Sound or None
    deaf : str
        Why there is none, where it was wanted.
    """
    noted = (f"judged by pictures alone, no sound: {deaf}",) if deaf else ()
    if sound is None:
        every = [Stretch(one.start, one.end, None, one, noted) for one in scenes if one.takes]
        return every if len(every) == 1 else [one for one in every if one.scene and one.scene.face] or every[:1]
    y, sr = sound
    cuts = [Piece(min(round(one.start * sr), len(y)), min(round(one.end * sr), len(y))) for one in scenes]
    loud = [True] if len(scenes) == 1 else heard(y, sr, cuts)
    every = [
        Stretch(one.start, one.end, Sound(y[first:stop], sr) if is_loud else None, one if one.takes else None, noted)
        for one, (first, stop), is_loud in zip(scenes, cuts, loud, strict=True)
    ]
    some = [one for one in every if one.sound is not None or (one.scene is not None and one.scene.face)]
    return some or [Stretch(0.0, scenes[-1].end, sound, None, (NOTHING,))]
