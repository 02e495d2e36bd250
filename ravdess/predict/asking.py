"""How a model is asked: its rows and takes made of sound and pictures, its answer calibrated by what was there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from ravdess.errors import BadBundle, BadTable
from ravdess.features import FEATURE_SETS
from ravdess.frames import FRAME_SETS
from ravdess.fused import FusedBundle, fits
from ravdess.joined import ROOT, parts_of
from ravdess.novelty import distances
from ravdess.predict.senses import Senses
from ravdess.scaling import Standardiser

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.bundle import Bundle
    from ravdess.calibration import Calibration
    from ravdess.predict.decoder import Sound

    Floats = NDArray[np.float64]
    Takes = Mapping[str, NDArray[np.uint8]]

Given: TypeAlias = Standardiser | Mapping[str, Any]
"""How one person is: of a single model its enrolment, of a fusion that person's own clips by feature set."""


class Said(NamedTuple):
    """What a model says of one clip.

    Attributes
    ----------
    p, honest : np.ndarray [shape=(k,)]
        Its own probabilities, and the calibrated ones.
    threshold : float
        The confidence from which on it is sure.
    distance : float or None
        From the training data, in units of what is usual.
    """

    p: Floats
    honest: Floats
    threshold: float
    distance: float | None


class Asked(Protocol):
    """A bundle, asked about one clip."""

    senses: Senses
    note: str

    def ask(self, sound: Sound | None, takes: Takes, who: Given | None) -> Said:
        """What it says of sound, takes of pictures, or both."""
        ...

    def enrol(self, voices: Sequence[Sound]) -> Given:
        """How a person is, from that person's own clips."""
        ...


def asked_of(bundle: Bundle | FusedBundle) -> Asked:
    """A bundle, ready to be asked. Raises BadBundle when no file gives what it takes."""
    return _Fused(bundle) if isinstance(bundle, FusedBundle) else _Single(bundle)


class _Single:
    note = ""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.senses = Senses.of(bundle.features, family=bundle.family, fingerprint=bundle.fingerprint)
        if bundle.foreign:
            raise BadBundle(f"the model's features were imported, no clip gives them here: {bundle.needs}")
        if not (self.senses.hears or self.senses.sees):
            raise BadBundle(
                f"the model needs {bundle.features!r}, which this version of ravdess does not make from a file; it "
                f"makes {[*FEATURE_SETS, *FRAME_SETS]}"
            )

    def ask(self, sound: Sound | None, takes: Takes, who: Given | None) -> Said:
        X = self._rows([sound]) if self.senses.hears and sound else [takes[self.senses.sights[0]]]
        assert not isinstance(who, Mapping)
        row = self._bundle.standardise(X, enrolment=who)
        distance = None if self._bundle.usual is None else float(distances(row)[0]) / self._bundle.usual
        return _said(self._bundle.answer(row), self._bundle.calibration, distance)

    def enrol(self, voices: Sequence[Sound]) -> Given:
        return self._bundle.enrol(self._rows(voices))

    def _rows(self, voices: Sequence[Sound]) -> Any:
        parts = [measured(name, voices) for name in self.senses.sounds]
        return parts[0] if len(parts) == 1 else np.hstack(parts)


class _Fused:
    def __init__(self, bundle: FusedBundle) -> None:
        self._bundle = bundle
        self.senses = Senses.of(bundle.features, family=bundle.family, fingerprint=bundle.fingerprint)
        made = "+".join((*self.senses.sounds, *self.senses.sights))
        able = [member for member in bundle.members if fits(member.features, made)]
        if not able:
            raise BadBundle(f"no file gives what the members of this fusion take: {bundle.needs or bundle.features}")
        used = {part for member in able for part in parts_of(member.features)}
        self.senses = Senses(
            tuple(one for one in self.senses.sounds if one in used),
            tuple(one for one in self.senses.sights if one in used),
            self.senses.absent,
            fused=True,
        )
        self.note = ""
        if absent := [member.features for member in bundle.members if member not in able]:
            self.note = (
                f"{len(absent)} of its {len(bundle.members)} members are passed over: no file gives "
                f"{', '.join(self.senses.absent)}; so it is worth less than its scores say"
            )

    def ask(self, sound: Sound | None, takes: Takes, who: Given | None) -> Said:
        X: dict[str, Any] = {name: [take] for name, take in takes.items() if name in self.senses.sights}
        if sound is not None:
            X |= {name: measured(name, [sound]) for name in self.senses.sounds}
        kind = "+".join(part for part in self._bundle.parts if part in X)
        if kind not in self._bundle.combiners:
            raise BadTable(f"no member of this fusion is content with {kind or 'nothing'}")
        assert not isinstance(who, Standardiser)
        p = self._bundle.predict_proba(X, enrol=who)
        return _said(p, self._bundle.calibrations.get(kind), self._distance(X, who))

    def _distance(self, X: Mapping[str, Any], who: Mapping[str, Any] | None) -> float | None:
        """The farthest, of the members that know how far is usual."""
        found = []
        for member in self._bundle.members:
            names = parts_of(member.features)
            if member.usual is not None and all(name in X for name in names):
                enrolment = member.enrol(np.hstack([who[name] for name in names])) if member.enrolled and who else None
                row = member.standardise(np.hstack([X[name] for name in names]), enrolment=enrolment)
                found.append(float(distances(row)[0]) / member.usual)
        return max(found, default=None)

    def enrol(self, voices: Sequence[Sound]) -> Given:
        if not self._bundle.enrolled:
            raise BadTable("this model is not enrolled: it takes every voice as it is, so there is nothing to enrol")
        return {name: measured(name, voices) for name in self.senses.sounds}


def measured(name: str, voices: Sequence[Sound]) -> Any:
    """A set of sounds: an array of rows [shape=(n, d), dtype=float32], or n takes of frames."""
    if name in FRAME_SETS:
        return [FRAME_SETS[name].extract(y, sr).frames for y, sr in voices]
    base = name if name in FEATURE_SETS else name.removesuffix(ROOT)
    one = FEATURE_SETS[base]
    rows = np.array([one.extract(y, sr) for y, sr in voices], dtype=np.float32).reshape(len(voices), len(one.columns))
    return rows if base == name else np.sqrt(rows)


def _said(p: Floats, calibration: Calibration | None, distance: float | None) -> Said:
    honest = p if calibration is None else calibration.apply(p)
    return Said(p[0], honest[0], 0.0 if calibration is None else calibration.threshold, distance)
