"""Which senses a model has: which of its sets are made from sound, which from pictures, and which no file gives."""

from __future__ import annotations

from dataclasses import dataclass

from ravdess.features import FEATURE_SETS
from ravdess.foreign import FOREIGN
from ravdess.frames import FRAME_SETS
from ravdess.fused import FUSION
from ravdess.joined import ROOT, parts_of


@dataclass(frozen=True)
class Senses:
    """The feature sets that a model takes, by what they are made from.

    Attributes
    ----------
    sounds, sights : tuple of str
    absent : tuple of str
        Imported, or of a name that this version does not know: no file gives them.
    fused : bool
        Whether some of them are enough.
    """

    sounds: tuple[str, ...]
    sights: tuple[str, ...]
    absent: tuple[str, ...]
    fused: bool

    @classmethod
    def of(cls, features: str, *, family: str, fingerprint: str) -> Senses:
        """Of a model, by what its bundle tells."""
        fused = family == FUSION
        if not fused and fingerprint.startswith(FOREIGN):
            return cls((), (), parts_of(features), fused)
        kinds = {name: _kind(name) for name in parts_of(features)}
        sounds, sights, absent = (
            tuple(name for name, kind in kinds.items() if kind == wanted) for wanted in ("sound", "picture", "")
        )
        return cls(sounds, sights, absent, fused)

    @property
    def hears(self) -> bool:
        """Whether sound alone is enough for an answer."""
        return bool(self.sounds) and (self.fused or not (self.sights or self.absent))

    @property
    def sees(self) -> bool:
        """Whether it has a use for pictures."""
        return bool(self.sights) and (self.fused or not (self.sounds or self.absent))

    @property
    def whole(self) -> bool:
        """Whether files give it all that it takes, so that its scores are those of its answers."""
        return (self.hears or self.sees) and not self.absent


def _kind(name: str) -> str:
    if name in FEATURE_SETS or (name.endswith(ROOT) and name.removesuffix(ROOT) in FEATURE_SETS):
        return "sound"
    return FRAME_SETS[name].modality if name in FRAME_SETS else ""
