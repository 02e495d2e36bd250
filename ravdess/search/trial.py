"""What a worker does: fit one candidate without some people, and score the folds that choose. Knows no Ray, no store.

Everything that is fitted (standardiser, class weights, model) sees training rows alone. Takes of frames get no
standardiser: a network normalises what it sees itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.errors import LeakError
from ravdess.search.ledger import Record, record_of
from ravdess.search.plan import Curve, Trial
from ravdess.splits import Groups, Split, groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.bundle import Bundle
    from ravdess.calibration import Calibration
    from ravdess.enrolment import Enrolment
    from ravdess.families import Estimator, Family
    from ravdess.families.space import Params
    from ravdess.scaling import Standardiser
    from ravdess.search.rows import Input
    from ravdess.search.soft_labels import Teaching


@dataclass(frozen=True, eq=False)
class Data:
    """The rows as workers get them: shared and read-only.

    Attributes
    ----------
    raw : np.ndarray [shape=(n, d), dtype=float32], or Takes of length n
        The features as they stand in the table: what a bundle is asked about.
    X : the same
        Takes of frames under the declared enrolment, normalised by actor as they are read; else the same.
    y : np.ndarray [shape=(n,)]
        Emotion of each row.
    kept : np.ndarray [shape=(n,)]
        Who is kept together: "corpus/actor", or under the leaky protocol an arbitrary heap of rows.
    corpus, actor, take : np.ndarray [shape=(n,)]
    leaky : bool
        Whether one actor may train and judge. Only the leaky protocol sets it.
    enrolled : bool
        Whether each actor's rows are normalised by that actor's own, unlabelled rows.
    teaching : Teaching, optional
        A teacher's soft labels for every fit. Only with it may a row's emotion be unknown, "".
    others : tuple of np.ndarray [shape=(n, d), dtype=float32]
        Of the same takes made otherwise, to train on as well. Under enrolment they are of speakers of their own.
    """

    raw: Input
    X: Input
    y: NDArray[np.str_]
    kept: NDArray[np.str_]
    corpus: NDArray[np.str_]
    actor: NDArray[np.str_]
    take: NDArray[np.str_]
    leaky: bool = False
    scratch: Any = None
    """Where half-made trainings are kept, a `families.checkpoint.Scratch`; or nowhere."""
    shelf: Any = None
    """Where a family finds a model that it begins with: the store."""
    enrolled: bool = False
    teaching: Teaching | None = None
    others: tuple[Input, ...] = ()

    @property
    def people(self) -> NDArray[np.str_]:
        """Whose each row is [shape=(n,)]: "corpus/actor"."""
        return groups({"corpus": self.corpus, "actor": self.actor})

    def split(self, excluded: Iterable[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of the rows to train on and of the excluded ones. Raises LeakError unless declared leaky."""
        left_out = np.isin(self.kept, list(excluded))
        train, test = np.flatnonzero(~left_out), np.flatnonzero(left_out)
        if not self.leaky and test.size:
            Split({"corpus": self.corpus, "actor": self.actor, "take": self.take}, train, test)
        return train, test


def balanced_weights(y: NDArray[np.str_], shares: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Weight of each row such that every emotion present weighs the same and the mean weight is 1: n / (k * n_e).

    Where rows are shares of one, they are counted as such.
    """
    names, codes = np.unique(y, return_inverse=True)
    counts = np.bincount(codes, weights=shares, minlength=len(names))
    weights: NDArray[np.float64] = (counts.sum() / (len(counts) * counts))[codes]
    return weights


@dataclass(frozen=True, eq=False)
class Preparation:
    """What rows go through before a model sees them, fitted on training rows: enrolment where declared, and scaling.

    Takes of frames are enrolled as they are read, and not scaled.
    """

    speakers: Enrolment | None
    standardiser: Standardiser | None

    @classmethod
    def fit(cls, data: Data, train: NDArray[np.intp]) -> Preparation:
        from ravdess.enrolment import Enrolment
        from ravdess.scaling import Standardiser

        if not isinstance(data.raw, np.ndarray):
            return cls(None, None)
        speakers = Enrolment.fit(data.raw[train], data.people[train]) if data.enrolled else None
        return cls(speakers, Standardiser.fit(_unscaled(speakers, data, train)))

    def rows(self, data: Data, at: NDArray[np.intp]) -> Any:
        """What the model takes: rows [shape=(len(at), d)], or takes."""
        X = self.unscaled(data, at)
        return X if self.standardiser is None else self.standardiser.transform(X)

    def unscaled(self, data: Data, at: NDArray[np.intp]) -> Any:
        """The same before standardising: under enrolment, each row normalised by all rows of its actor."""
        return _unscaled(self.speakers, data, at)


def _unscaled(speakers: Enrolment | None, data: Data, at: NDArray[np.intp]) -> Any:
    if speakers is None:
        return data.X[at]
    shown = _shown(data, at)
    rows: Any = data.raw[shown]
    return speakers.transform(rows, data.people[shown])[np.searchsorted(shown, at)]


def _shown(data: Data, at: NDArray[np.intp]) -> NDArray[np.intp]:
    """All rows of everyone who has one of those rows."""
    people = data.people
    return np.flatnonzero(np.isin(people, people[at]))


def fit_candidate(
    family: Family,
    params: Params,
    *,
    stage: int | None,
    data: Data,
    train: NDArray[np.intp],
    seed: int,
    threads: int,
    soft: NDArray[np.float32] | None = None,
) -> tuple[Preparation, Estimator]:
    """Prepare the training rows and fit on them, up to `stage` where the family has stages.

    With a teacher's `soft` labels [shape=(n, 8)] of all rows, on weighted copies of the training rows.
    """
    ready = Preparation.fit(data, train)
    X, y = _to_fit(ready, data, train)
    full = dict(params) if family.stage_parameter is None else {**params, family.stage_parameter: stage}
    more = {} if family.input == "table" else {"scratch": data.scratch, "lent": data.shelf}
    estimator = family.build(full, seed=seed, threads=threads, **more)
    if soft is None:
        estimator.fit(X, y, sample_weight=balanced_weights(y))
        return ready, estimator
    from ravdess.families.common import number
    from ravdess.search.soft_labels import TEMPERATURE, WEIGHT, copies

    each = np.resize(train, len(y))
    where, labels, shares = copies(y, soft[each], number(params, WEIGHT), number(params, TEMPERATURE))
    estimator.fit(X[where], labels, sample_weight=shares * balanced_weights(labels, shares))
    return ready, estimator


def _to_fit(ready: Preparation, data: Data, train: NDArray[np.intp]) -> tuple[Any, NDArray[np.str_]]:
    """The training rows, those of the same takes made otherwise below them, and the emotion of each."""
    X, y = ready.rows(data, train), data.y[train]
    if not data.others:
        return X, y
    made = [ready.rows(replace(data, raw=other, X=other), train) for other in data.others]
    return np.concatenate([X, *made]), np.tile(y, 1 + len(made))


def curves_of(
    family: Family, ready: Preparation, estimator: Estimator, data: Data, scored: Iterable[Groups]
) -> list[tuple[Groups, Curve]]:
    """The UAR curve on each choosing fold. Raises ValueError when a probability is not finite."""
    from ravdess.scores import uar

    where = {choosers: np.flatnonzero(np.isin(data.kept, choosers) & (data.y != "")) for choosers in scored}
    X = ready.rows(data, np.concatenate(list(where.values())))
    predicted = []
    for probabilities in _stages(family, estimator, X):
        if not np.isfinite(probabilities).all():
            raise ValueError("the model's probabilities are not finite")
        predicted.append(estimator.classes_[np.argmax(probabilities, axis=1)])
    bounds = np.cumsum([0, *(len(at) for at in where.values())])
    return [
        (choosers, [uar(data.y[at], labels[start:end]) for labels in predicted])
        for (choosers, at), start, end in zip(where.items(), bounds, bounds[1:], strict=False)
    ]


def _stages(family: Family, estimator: Any, X: Any) -> Iterator[NDArray[np.float64]]:
    if family.stages:
        yield from estimator.staged_predict_proba(X)
    else:
        yield estimator.predict_proba(X)


def run_fits(trial: Trial, family: Family, data: Data, *, seed: int, threads: int) -> Iterator[dict[str, Any]]:
    """Make the trial's fits in order; yield for each what the ledger keeps, as JSON values.

    A candidate that its library refuses is no reason to end a search: the fit's "error" says why. A leak is. What
    trainings left in the scratch folder is removed once all are told.
    """
    left = []
    last = family.stages[-1] if family.stages else None
    for excluded, scored in trial.fits.items():
        began = time.perf_counter()
        train, _ = data.split(excluded)
        fit: dict[str, Any] = {"excluded": list(excluded), "curves": []}
        try:
            # A teacher's labels depend on who judges, so one fit cannot serve two questions then.
            for some in [[choosers] for choosers in scored] if data.teaching else [scored]:
                soft = None
                if data.teaching:
                    judges = tuple(who for who in excluded if who not in some[0])
                    soft = data.teaching.of(judges, excluded)
                ready, estimator = fit_candidate(
                    family,
                    trial.candidate.params,
                    stage=last,
                    data=data,
                    train=train,
                    seed=seed,
                    threads=threads,
                    soft=soft,
                )
                left.append(getattr(estimator, "kept", None))
                curves = curves_of(family, ready, estimator, data, some)
                fit["curves"] += [[list(choosers), curve] for choosers, curve in curves]
        except LeakError:
            raise
        except Exception as error:  # whatever a library may raise belongs to this candidate alone
            fit["error"] = f"{type(error).__name__}: {error}"
        yield {**fit, "seconds": time.perf_counter() - began}
    for kept in left:
        if kept is not None:
            kept.remove()


def reports(trial: Trial, family: Family, data: Data, *, seed: int, threads: int) -> Iterator[Record]:
    """Work through a trial. Yields its record at the end; in an adaptive search after each fit, which may be the last.

    There a failed fit ends the trial: its candidate is lost to the one question that asks.
    """
    fits: list[dict[str, Any]] = []
    for fit in run_fits(trial, family, data, seed=seed, threads=threads):
        fits.append(fit)
        if trial.question:
            yield record_of(trial, list(fits))
            if "error" in fit:
                return
    if not trial.question:
        yield record_of(trial, fits)


@dataclass(frozen=True)
class Job:
    """One model to fit and keep: the chosen candidate of a family, on all rows but the excluded groups'."""

    name: str
    family: str
    params: Params
    stage: int | None
    excluded: Groups
    scores: Mapping[str, Any] = field(default_factory=dict)
    """What the model that is kept was found to be worth; a judge's model is not judged yet."""
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Recipe:
    """What a bundle says beside its model: whose features it takes, and how they were treated."""

    features: str
    fingerprint: str
    columns: tuple[str, ...]
    facts: Mapping[str, Any]


Files = dict[str, bytes]
"""A bundle's files by name, as they travel between workers, driver and store."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model as files, and what it said of its own training rows before it was saved."""

    files: Files
    rows: NDArray[np.intp]
    said: NDArray[np.float64]


def fit_model(job: Job, family: Family, data: Data, recipe: Recipe, *, seed: int, threads: int) -> Fitted:
    """Fit the chosen candidate on all rows but the excluded groups', and pack it as a bundle's files."""
    from ravdess.bundle import Bundle
    from ravdess.novelty import usual

    train, _ = data.split(job.excluded)
    soft = data.teaching.of(job.excluded, job.excluded) if data.teaching else None
    ready, estimator = fit_candidate(
        family, job.params, stage=job.stage, data=data, train=train, seed=seed, threads=threads, soft=soft
    )
    stage = {} if family.stage_parameter is None else {family.stage_parameter: job.stage}
    people, table = sorted(set(data.people[train].tolist())), isinstance(data.raw, np.ndarray)
    bundle = Bundle(
        estimator=estimator,
        family=family.name,
        params={**family.defaults, **job.params, **stage},
        features=recipe.features,
        fingerprint=recipe.fingerprint,
        columns=recipe.columns,
        standardiser=ready.standardiser,
        enrolled=data.enrolled,
        speakers=ready.speakers,
        corpora=tuple(sorted(set(data.corpus[train].tolist()))),
        calibration=job.calibration,
        usual=usual(ready.unscaled(data, train), data.kept[train]) if job.calibration and table else None,  # if for use
        scores=job.scores,
        shape=None if table else data.raw.shape,
        facts={**recipe.facts, "trained_on": people, "left_out": list(job.excluded)},
    )
    return Fitted(bundle.to_files(), train, _ask(bundle, data, train))


def out_of_fold(
    job: Job, family: Family, data: Data, rows: NDArray[np.intp], *, seed: int, threads: int
) -> NDArray[np.float64]:
    """Fit without the excluded groups and ask about rows of theirs: probabilities [shape=(len(rows), 8)]."""
    from ravdess.clips import EMOTIONS

    train, excluded = data.split(job.excluded)
    if strangers := np.setdiff1d(rows, excluded).size:
        raise LeakError(f"{strangers} rows that are asked about out of fold were not left out of the fit")
    ready, estimator = fit_candidate(
        family, job.params, stage=job.stage, data=data, train=train, seed=seed, threads=threads
    )
    result = np.zeros((len(rows), len(EMOTIONS)))
    known = estimator.predict_proba(ready.rows(data, rows))
    result[:, [EMOTIONS.index(word) for word in estimator.classes_.tolist()]] = known
    return result


def predict_files(
    files: Files, data: Data, rows: NDArray[np.intp], families: Iterable[Family] = ()
) -> NDArray[np.float64]:
    """Unpack a bundle and ask it about some rows: probabilities [shape=(len(rows), 8)] in the order of EMOTIONS.

    A worker on Ray knows the families of this package alone; those of a user's own script come along in `families`.
    """
    from ravdess.bundle import Bundle
    from ravdess.families import FAMILIES

    for family in families:
        if family.name not in FAMILIES:
            FAMILIES.register(family)
    return _ask(Bundle.from_files(files), data, rows)


def _ask(bundle: Bundle, data: Data, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """The bundle's own way from raw features; an enrolled one is shown all clips of whoever is asked about."""
    if not bundle.enrolled:
        return bundle.predict_proba(data.raw[rows])
    shown = _shown(data, rows)
    said = bundle.predict_proba(data.raw[shown], data.people[shown])
    return said[np.searchsorted(shown, rows)]
