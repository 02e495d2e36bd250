"""What is said of one stretch of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NOT_SURE: Final = "not sure"


@dataclass(frozen=True)
class Answer:
    """What is said of one stretch of sound or film.

    Attributes
    ----------
    emotion : str
        The likeliest one, or "not sure" when the confidence is below the model's threshold or a remark speaks
        against guessing.
    probabilities : mapping of str to float
        Emotion -> probability as the model gives it: the numbers of a run's ``predictions.parquet``. Empty where the
        model was not asked.
    calibrated : mapping of str to float
        The same, made honest by out-of-fold predictions; the same numbers for a model that was not calibrated.
    remarks : tuple of str
        What was noticed besides: silence, music, no face, far from the training data, …
    distance : float or None
        From the training data, in units of what is usual: above 1 is far.
    clip : str
        The file's name.
    start, end : float
        Seconds within the file.
    by : tuple of "sound", "picture"
        What was judged. Empty where the model was not asked.
    """

    emotion: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    calibrated: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    distance: float | None = None
    clip: str = ""
    start: float = 0.0
    end: float = 0.0
    by: tuple[str, ...] = ()

    @property
    def likeliest(self) -> str:
        """The emotion of the highest probability, sure or not; "" where the model was not asked."""
        return max(self.probabilities, key=self.probabilities.__getitem__, default="")

    @property
    def confidence(self) -> float:
        """The calibrated probability of `likeliest`, 0 where the model was not asked."""
        return max(self.calibrated.values(), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, `emotion` and `probabilities` first."""
        return {
            "clip": self.clip,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "emotion": self.emotion,
            "likeliest": self.likeliest,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            "calibrated": dict(self.calibrated),
            "distance": self.distance,
            "by": list(self.by),
            "remarks": list(self.remarks),
        }
