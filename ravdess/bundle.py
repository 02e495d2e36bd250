"""A bundle: a fitted model with all that a prediction needs, as a folder of plain files.

``bundle.json`` names the family, its parameters, the label order, the feature set with its fingerprint and columns,
the standardiser, whether actors must be enrolled, the scores with their protocol, the versions and the licence. It
lists every other file with its SHA-256, carries its own, and is written last: without it there is no bundle.
Loading reads the listed files once, checks them, hands exactly those bytes to the family, and unpickles nothing. A
checksum finds damage; it can't say who made a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.bundle_files import checked, plain, read, sealed, terms, versions, write
from ravdess.calibration import Calibration
from ravdess.clips import EMOTIONS
from ravdess.enrolment import Enrolment
from ravdess.errors import BadBundle, BadTable, RavdessError, UnknownName
from ravdess.foreign import is_foreign, needs
from ravdess.scaling import Standardiser
from ravdess.takes import as_takes, enrol, enrol_one, measure, probe

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from ravdess.families import Estimator
    from ravdess.takes import Shape, Takes

_DRIFT: Final = 1e-3
"""How far a probability may move from the machine that saved to the one that loads."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A fitted model with all that a prediction needs.

    Attributes
    ----------
    estimator : Estimator
        Fitted on standardised rows, or on takes of frames.
    family : str
    params : dict
        What the estimator was built with.
    features, fingerprint : str
        The feature set or frame set that it takes, and that set's fingerprint.
    columns : tuple of str
        The features' names in order; none of a frame set.
    standardiser : Standardiser or None
        Fitted on the training rows; None of a frame set, whose networks normalise what they see themselves.
    labels : tuple of str
        The order of the probabilities. The estimator may know fewer; the others get 0.
    enrolled : bool
        Features are normalised by actor before all else, so a prediction must say whose each row is, or be given one
        person's enrolment.
    speakers : Enrolment or None
        What speakers are usually like, by which an enrolled model of a feature set normalises.
    corpora : tuple of str
        What it was trained on; decides the licence.
    calibration : Calibration, optional
        Fitted on out-of-fold predictions. `predict_proba` stays the model's own; `calibrated` applies it.
    usual : float, optional
        The distance (`ravdess.novelty`) beyond which a row is unlike all that it was trained on.
    scores : mapping
        What it was found to be worth, with the protocol; JSON values.
    facts : mapping
        Anything else to be told: table version, seed, actors, …; JSON values.
    shape : tuple of int or None
        (h, w, c) of a frame, where takes of frames are what it takes.
    versions : mapping
        Library -> version at fitting.
    """

    estimator: Estimator = field(repr=False)
    family: str
    params: Mapping[str, Any]
    features: str
    fingerprint: str
    columns: tuple[str, ...] = field(repr=False)
    standardiser: Standardiser | None = field(repr=False)
    labels: tuple[str, ...] = EMOTIONS
    enrolled: bool = False
    speakers: Enrolment | None = field(default=None, repr=False)
    corpora: tuple[str, ...] = ("ravdess",)
    calibration: Calibration | None = None
    usual: float | None = None
    scores: Mapping[str, Any] = field(default_factory=dict, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    shape: Shape | None = None
    versions: Mapping[str, str] = field(default_factory=versions, repr=False)

    def __post_init__(self) -> None:
        scaled = 0 if self.standardiser is None else self.standardiser.mean.size
        if len(self.columns) != scaled or len(set(self.columns)) != len(self.columns):
            raise BadBundle(
                f"{len(self.columns)} columns ({len(set(self.columns))} distinct) do not fit a standardiser of {scaled}"
            )
        if (self.shape is None) == (self.standardiser is None):
            raise BadBundle("a bundle takes either rows, with a standardiser, or frames of a shape, without")
        if self.enrolled and self.speakers is None and self.shape is None:
            raise BadBundle("an enrolled model of features lacks what speakers are usually like; train it again")
        if strangers := set(self.estimator.classes_.tolist()) - set(self.labels):
            raise BadBundle(f"the model knows labels {sorted(strangers)}, which are not among {list(self.labels)}")

    @property
    def licence(self) -> str:
        """Under which terms the model may be used, and what people must know of its training clips."""
        return " ".join(terms(name) for name in self.corpora)

    @property
    def foreign(self) -> bool:
        """Whether its features were imported: no clip gives them here, only a table of the same columns."""
        return is_foreign(self.fingerprint)

    @property
    def needs(self) -> str:
        """What a prediction must be given beyond clips, as a sentence for people; empty when clips are enough."""
        return needs(self.features, self.columns) if self.foreign else ""

    def predict_proba(
        self,
        X: pd.DataFrame | ArrayLike | Takes,
        groups: ArrayLike | None = None,
        *,
        enrolment: Standardiser | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities of raw features.

        Parameters
        ----------
        X : data frame, or array [shape=(n, d)]; or takes of frames
            Raw numbers of the feature set, in its own units. A data frame's columns are taken by name, in any order and
            among others; an array must hold exactly `columns`. For a frame set n takes: a list of uint8 arrays, each
            (frames, h, w, c), or a `ravdess.takes.Takes`; a probability is the mean over a take's frames.
        groups : array of str [shape=(n,)], optional
            Whose each row is. Used by an enrolled model only, where it is needed unless `X` has columns corpus and
            actor. All rows of an actor must come in one call.
        enrolment : Standardiser, optional
            Of an enrolled model, in place of `groups`: what `enrol` made of other clips of the one person whose all
            rows are.

        Returns
        -------
        np.ndarray [shape=(n, len(labels))], rows summing to 1

        Raises
        ------
        BadTable
            Columns are missing or too many, a number is not finite, frames are of another shape, or an enrolled model
            is not told the actors.
        """
        return self.answer(self.standardise(X, groups, enrolment=enrolment))

    def standardise(
        self,
        X: pd.DataFrame | ArrayLike | Takes,
        groups: ArrayLike | None = None,
        *,
        enrolment: Standardiser | None = None,
    ) -> Any:
        """What the estimator sees: rows [shape=(n, d)], or takes of frames; arguments as in `predict_proba`."""
        rows: Any = self._takes(X) if self.shape else self._rows(X)
        if self.enrolled and len(rows):
            if enrolment is not None:
                rows = enrol_one(rows, enrolment) if self.shape else enrolment.transform(rows)
            else:
                owners = self._owners(X) if groups is None else groups
                rows = enrol(rows, owners) if self.speakers is None else self.speakers.transform(rows, owners)
        return rows if self.standardiser is None else self.standardiser.transform(rows)

    def answer(self, standardised: Any) -> NDArray[np.float64]:
        """Probabilities [shape=(n, len(labels))] of what `standardise` made."""
        result = np.zeros((len(standardised), len(self.labels)))
        if len(standardised):
            known = self.estimator.predict_proba(standardised)
            result[:, [self.labels.index(label) for label in self.estimator.classes_.tolist()]] = known
        return result

    def enrol(self, X: pd.DataFrame | ArrayLike | Takes) -> Standardiser:
        """How one person is, from raw features of that person's clips as in `predict_proba`; no labels.

        The fewer there are, none even, the more that person is taken to be like the usual speaker; of frames, two are
        the least. Raises BadTable when there are too few, or the model is not enrolled.
        """
        rows: Any = self._takes(X) if self.shape else self._rows(X)
        if not self.enrolled:
            raise BadTable("this model is not enrolled: it takes every voice as it is, so there is nothing to enrol")
        if self.speakers is not None:
            return self.speakers.of(rows)
        if len(rows) < 2:
            raise BadTable(f"{len(rows)} clip is too few to enrol a person by; give several, of different emotions")
        return measure(rows)

    def calibrated(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `predict_proba` gave, as calibrated probabilities; the same where nothing was calibrated."""
        return p if self.calibration is None else self.calibration.apply(p)

    def predict(self, X: pd.DataFrame | ArrayLike | Takes, groups: ArrayLike | None = None) -> NDArray[np.str_]:
        """The most probable label of each row [shape=(n,)]; arguments as in `predict_proba`."""
        words: NDArray[np.str_] = np.array(self.labels)[self.predict_proba(X, groups).argmax(axis=1)]
        return words

    def to_files(self) -> dict[str, bytes]:
        """Every file of the bundle by name, `bundle.json` last: write them in this order. ``card.md`` is for people."""
        import tempfile

        from ravdess.card import NAME as CARD
        from ravdess.card import card

        with tempfile.TemporaryDirectory() as name:
            self.estimator.save(Path(name))
            files = {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}
        told = plain(
            {
                "family": self.family,
                "params": dict(self.params),
                "features": self.features,
                "fingerprint": self.fingerprint,
                "columns": list(self.columns),
                "needs": self.needs,
                "labels": list(self.labels),
                "enrolled": self.enrolled,
                "corpora": list(self.corpora),
                "calibration": None if self.calibration is None else self.calibration.to_json(),
                "usual": self.usual,
                "licence": self.licence,
                "scores": dict(self.scores),
                "facts": dict(self.facts),
                "versions": dict(self.versions),
                "standardiser": self.standardiser.to_json() if self.standardiser else None,
                "speakers": self.speakers.to_json() if self.speakers else None,
                "shape": list(self.shape) if self.shape else None,
                "probe": self._said_of_probe(),
            }
        )
        return sealed(told, {**files, CARD: card(self).encode()})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, where: str = "the bundle") -> Bundle:
        """The inverse of `to_files`; files that `bundle.json` does not list are not looked at.

        Raises
        ------
        BadBundle
            Something is missing or changed, of a newer format or an unknown family, was made from other features than
            the set of that name gives now, or the loaded model does not say what it said when it was saved.
        """
        import tempfile

        from ravdess.families import family

        told, listed = checked(files, where)
        with tempfile.TemporaryDirectory() as name:
            for file, data in listed.items():
                (Path(name) / file).write_bytes(data)
            try:
                estimator = family(told["family"]).load(Path(name))
            except UnknownName as error:
                raise BadBundle(f"{where} holds an {error}") from error
        try:
            bundle = cls(
                estimator=estimator,
                family=told["family"],
                params=told["params"],
                features=told["features"],
                fingerprint=told["fingerprint"],
                columns=tuple(told["columns"]),
                standardiser=Standardiser.from_json(told["standardiser"]) if told["standardiser"] else None,
                labels=tuple(told["labels"]),
                enrolled=told["enrolled"],
                speakers=Enrolment.from_json(told["speakers"]) if told.get("speakers") else None,
                corpora=tuple(told["corpora"]),
                calibration=Calibration.from_json(told["calibration"]) if told.get("calibration") else None,
                usual=told.get("usual"),
                scores=told["scores"],
                facts=told["facts"],
                shape=_shape(told.get("shape")),
                versions=told["versions"],
            )
            moved = np.abs(np.array(bundle._said_of_probe()) - np.array(told["probe"])).max()
        except RavdessError:
            raise
        except Exception as error:  # whatever a model that fits nothing provokes
            raise BadBundle(f"{where} does not hang together: {error}") from error
        if not moved <= _DRIFT:
            made = ", ".join(f"{name} {version}" for name, version in bundle.versions.items())
            raise BadBundle(f"the model of {where} says something else here (by {moved:.2g}) than with {made}")
        return bundle

    def save(self, folder: Path) -> None:
        """Write the bundle into `folder`, replacing one that stands there; ``bundle.json`` goes first, comes last."""
        write(folder, self.to_files())

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle and check it. Raises BadBundle as `from_files` does."""
        return cls.from_files(read(folder), where=str(folder))

    def _said_of_probe(self) -> list[list[float]]:
        """The estimator's answers to a fixed question."""
        asked: Any = probe(self.shape) if self.shape else _probe(len(self.columns))
        said: list[list[float]] = self.estimator.predict_proba(asked).tolist()
        return said

    def _takes(self, X: Any) -> Sequence[Any] | Takes:
        if getattr(X, "ndim", None) == 2 or hasattr(X, "columns"):
            raise BadTable(f"{self.features!r} is a set of frames {self.shape}: give takes, not a table of numbers")
        if not len(X):
            return []
        takes = as_takes(X)
        if takes.shape != self.shape:
            raise BadTable(f"frames are {takes.shape}, the model takes {self.shape} of {self.features!r}")
        return takes

    def _rows(self, X: Any) -> NDArray[np.float64]:
        if (present := getattr(X, "columns", None)) is not None:
            if missing := [name for name in self.columns if name not in present]:
                some = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
                advice = f"; {self.needs}" if self.foreign else ""
                raise BadTable(
                    f"{len(missing)} of {len(self.columns)} columns of {self.features!r} are missing: {some}{advice}"
                )
            return np.asarray(X[list(self.columns)], dtype=np.float64)
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise BadTable(
                f"expected rows of the {len(self.columns)} columns of {self.features!r}, "
                f"not an array of shape {rows.shape}{f'; {self.needs}' if self.foreign else ''}"
            )
        return rows

    def _owners(self, X: object) -> NDArray[np.str_]:
        from ravdess.splits import groups

        if not {"corpus", "actor"} <= set(getattr(X, "columns", ())):
            raise BadTable(
                "this model is enrolled: it needs several clips of each actor and must be told whose each row is; "
                "pass groups, or a data frame with columns corpus and actor, or one speaker's enrolment"
            )
        return groups(X)  # type: ignore[arg-type]  # a frame, as just seen


def _shape(told: Sequence[int] | None) -> Shape | None:
    if told is None:
        return None
    height, width, channels = map(int, told)
    if min(height, width, channels) < 1:
        raise BadBundle(f"frames of shape {told} hold nothing")
    return height, width, channels


def _probe(columns: int) -> NDArray[np.float32]:
    """Four fixed rows such as standardised features could be [shape=(4, columns)], whose answers go with the model."""
    rows: NDArray[np.float32] = (2 * np.sin(1.0 + np.arange(4 * columns))).reshape(4, columns).astype(np.float32)
    return rows
