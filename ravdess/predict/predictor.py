"""From sound to an answer: what the model says, how sure it may be, and what speaks against asking it at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle, BadClip, BadTable
from ravdess.features import FEATURE_SETS
from ravdess.frames import FRAME_SETS, FrameSet
from ravdess.novelty import distances
from ravdess.predict import remarks
from ravdess.predict.decoder import Decoder, Sound
from ravdess.predict.windows import pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.bundle import Bundle
    from ravdess.features import FeatureSet
    from ravdess.scaling import Standardiser

    Wave = tuple[NDArray[np.float32], int]

NOT_SURE: Final = "not sure"


@dataclass(frozen=True)
class Answer:
    """What is said of one stretch of sound.

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
        What was noticed besides: silence, music, far from the training data, …
    distance : float or None
        From the training data, in units of what is usual: above 1 is far.
    clip : str
        The file's name.
    start, end : float
        Seconds within the file.
    """

    emotion: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    calibrated: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    distance: float | None = None
    clip: str = ""
    start: float = 0.0
    end: float = 0.0

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
            "remarks": list(self.remarks),
        }


class Predictor:
    """A bundle that hears. It may be used by several threads.

    Parameters
    ----------
    bundle : Bundle
        Of a registered feature set or frame set that is made from sound.
    decoder : Decoder, optional
        What reads files; one is started when a file is first read.

    Raises
    ------
    BadBundle
        The bundle's features cannot be made from sound here.

    Examples
    --------
    >>> predictor = Predictor(Bundle.load(folder))  # doctest: +SKIP
    >>> predictor.file("speech.mp3")[0].emotion  # doctest: +SKIP
    'happy'
    """

    def __init__(self, bundle: Bundle, decoder: Decoder | None = None) -> None:
        self.bundle = bundle
        self._set = _sound_set(bundle)
        self._decoder = decoder or Decoder()

    def file(
        self, source: bytes | os.PathLike[str] | str, *, name: str = "", enrol: Standardiser | None = None
    ) -> list[Answer]:
        """Decode a file within limits and judge it.

        Parameters
        ----------
        source : bytes or path
            A whole file, or where it lies.
        name : str
            What the answers call it; a path needs none.
        enrol : Standardiser, optional
            As of `hear`.

        Returns
        -------
        list of Answer
            As of `timeline`.

        Raises
        ------
        BadClip
            It cannot be read; the message says why.
        """
        name = name or ("" if isinstance(source, bytes) else Path(source).stem)
        y, sr = self.decode(source, name=name)
        return self.timeline(y, sr, clip=name, enrol=enrol)

    def decode(self, source: bytes | os.PathLike[str] | str, *, name: str = "") -> Sound:
        """The sound of a file, by the decoder's process. Raises BadClip."""
        return self._decoder.read(source, name=name)

    def timeline(
        self, y: NDArray[np.float32], sr: int, *, clip: str = "", enrol: Standardiser | None = None
    ) -> list[Answer]:
        """Judge sound of any length: up to 8 s whole, more by a window of 3 s each second where something is heard.

        Parameters are those of `hear`. Never empty: all silence gives one answer that says so.
        """
        found = pieces(y, sr)
        if not found:
            return [Answer(NOT_SURE, remarks=(remarks.NOTHING,), clip=clip, end=len(y) / sr)]
        return [self.hear(y[a:b], sr, clip=clip, start=a / sr, enrol=enrol) for a, b in found]

    def hear(
        self,
        y: NDArray[np.float32],
        sr: int,
        *,
        clip: str = "",
        start: float = 0.0,
        enrol: Standardiser | Sequence[Wave] | None = None,
    ) -> Answer:
        """Judge one utterance.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)]
            Mono samples, -1 ... 1.
        sr : int > 0
            Rate in Hz.
        clip : str
            What the answer calls it.
        start : float
            Where it begins in the file, in seconds.
        enrol : Standardiser, or sequence of (y, sr), optional
            Who speaks, for an enrolled model: what `enrolment` returned, or the clips that it takes.

        Raises
        ------
        BadClip
            Not finite, far beyond full scale, of an impossible rate, or too long.
        BadTable
            The model is enrolled and `enrol` is not given, or the other way round.
        """
        if self.bundle.enrolled and enrol is None:
            raise BadTable(
                "this model is enrolled: it measures a voice against other clips of the same person; give some (enrol)"
            )
        if enrol is not None and not self.bundle.enrolled:
            raise BadTable("this model is not enrolled: it takes every voice as it is, so give no clips to enrol")
        who = self.enrolment(enrol) if isinstance(enrol, Sequence) else enrol
        about: dict[str, Any] = {"clip": clip, "start": start, "end": start + len(y) / sr}
        if not np.isfinite(y).all():
            raise BadClip("not finite: it holds NaN or infinite samples")
        if nothing := remarks.silence(y, sr):
            return Answer(NOT_SURE, remarks=(nothing,), **about)
        row = self.bundle.standardise(self._measured([(y, sr)]), enrolment=who)
        p = self.bundle.answer(row)
        honest = self.bundle.calibrated(p)
        distance = None if self.bundle.usual is None else float(distances(row)[0]) / self.bundle.usual
        said = [one for one in (remarks.music(y, sr), remarks.far(distance)) if one]
        sure = not said and (self.bundle.calibration is None or honest.max() >= self.bundle.calibration.threshold)
        return Answer(
            emotion=self.bundle.labels[int(p[0].argmax())] if sure else NOT_SURE,
            probabilities=dict(zip(self.bundle.labels, p[0].tolist(), strict=True)),
            calibrated=dict(zip(self.bundle.labels, honest[0].tolist(), strict=True)),
            remarks=tuple(said),
            distance=distance,
            **about,
        )

    def enrolment(self, voices: Sequence[Wave]) -> Standardiser:
        """Learn how one person sounds from that person's own clips, without labels, for an enrolled model.

        Parameters
        ----------
        voices : sequence of (y, sr)
            Better ten or more, of different emotions: what is not varied here is not told apart later. The fewer there
            are, the more this person is taken to be like the usual speaker.

        Raises
        ------
        BadClip
            One of them is silent or broken.
        BadTable
            The model is not enrolled.
        """
        for y, sr in voices:
            self.check(y, sr)
        return self.bundle.enrol(self._measured(voices))

    def _measured(self, voices: Sequence[Wave]) -> Any:
        """What the bundle takes: a row of features each, or a take of frames each."""
        if isinstance(self._set, FrameSet):
            return [self._set.extract(y, sr).frames for y, sr in voices]
        rows = [self._set.extract(y, sr) for y, sr in voices]
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(self.bundle.columns))

    def check(self, y: NDArray[np.float32], sr: int) -> None:
        """Raise BadClip when there is no voice in `y` to learn from."""
        if nothing := remarks.silence(y, sr):
            raise BadClip(nothing)

    @property
    def most_bytes(self) -> int:
        """Of a file."""
        return self._decoder.limits.given

    def close(self) -> None:
        """End the decoder's process."""
        self._decoder.close()

    def __enter__(self) -> Predictor:
        self._decoder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hears(features: str, *, foreign: bool) -> bool:
    """Whether a set of that name is made from sound here."""
    made = features in FEATURE_SETS or (features in FRAME_SETS and FRAME_SETS[features].modality == "sound")
    return made and not foreign


def _sound_set(bundle: Bundle) -> FeatureSet | FrameSet:
    name = bundle.features
    if bundle.foreign:
        raise BadBundle(f"the model's features were imported, no clip gives them here: {bundle.needs}")
    if not hears(name, foreign=False):
        sounds = [*FEATURE_SETS, *(one for one in FRAME_SETS if FRAME_SETS[one].modality == "sound")]
        raise BadBundle(
            f"the model needs {name!r}, which this version of ravdess does not make from sound; it makes {sounds}"
        )
    return FEATURE_SETS[name] if name in FEATURE_SETS else FRAME_SETS[name]
