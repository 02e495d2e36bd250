"""Which of sound and face a feature set was made from."""

from __future__ import annotations

from typing import Final

MODALITIES: Final = ("sound", "face", "both", "other")
"""In the order in which they are shown; "other" is a foreign table of which nothing is known."""
_FACES: Final = ("openface", "face", "au_", "landmark", "video")
"""Foreign tables are told by their names."""


def modality_of(features: str) -> str:
    """One of `MODALITIES`, for a feature set, a frame set, or several joined by "+".

    >>> modality_of("voice_stats"), modality_of("face_96"), modality_of("openface+voice_stats")
    ('sound', 'face', 'both')
    """
    from ravdess.features import FEATURE_SETS
    from ravdess.frames import FRAME_SETS

    found = set()
    for name in features.split("+"):
        if name in FEATURE_SETS:
            found.add("sound")
        elif name in FRAME_SETS:
            found.add("sound" if FRAME_SETS[name].modality == "sound" else "face")
        else:
            found.add("face" if name.lower().startswith(_FACES) else "other")
    if "other" in found:
        return "other"
    return "both" if len(found) > 1 else found.pop()
