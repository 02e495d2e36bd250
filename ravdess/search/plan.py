"""What is fitted, what each fit is for, and how a judge's candidate is chosen. Pure: no Ray, no store, no model.

A **fit** is named by its candidate and the folds it excludes; it trains on all other rows and scores the folds that
were left out. A **question** is "which candidate, when fold i judges?": it is answered by fits that never saw fold i,
scored on choosing folds other than i. In cross-validation the fit without folds i and j answers two questions,
*j chooses when i judges* and *i chooses when j judges*, so one candidate costs K(K-1)/2 fits for the whole nested
search.

That sharing is honest only for candidates that were drawn before any score was seen. A grid is placed by looking at
scores; the grid around fold i's best has seen every chooser but i, so it serves question i and no other. See Cawley
& Talbot (2010), JMLR 11:2079, on what a chooser that has been looked at is worth.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ravdess.errors import SearchFailed
from ravdess.splits import Groups, Question

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.families.space import Params

Curve: TypeAlias = list[float]
"""UAR as of each stage of a family; one number where it has no stages."""

Fits: TypeAlias = dict[Groups, list[Groups]]
"""Fits by what they exclude, each with the choosing folds that it scores (all of them among the excluded)."""

MOST_FITS: Final = 30
"""Fits handed to a worker at a time: what a kill may lose of one candidate, and a core wait for at the end."""


def fits_of(questions: Iterable[Question]) -> Fits:
    """The fits that answer `questions`, each once."""
    fits: Fits = {}
    for question in questions:
        for pair in question.pairs:
            scored = fits.setdefault(pair.excluded, [])
            if pair.choosers not in scored:
                scored.append(pair.choosers)
    return fits


@dataclass(frozen=True)
class Candidate:
    """One family with one choice of its hyperparameters, the stage apart."""

    family: str
    params: Params = field(hash=False)

    @property
    def id(self) -> str:
        """12 hex digits that name the hyperparameters."""
        return hashlib.sha256(json.dumps(self.params, sort_keys=True).encode()).hexdigest()[:12]


@dataclass
class Trial:
    """The fits of one candidate in one round: what a worker is handed at a time."""

    candidate: Candidate
    round: str
    fits: Fits
    question: str = ""
    """In an adaptive search, the only question that these fits may serve."""


def random_candidates(family: Family, *, samples: int, seed: int) -> list[Candidate]:
    """The family's defaults, then draws from its space; the same for every question, and drawn before any score.

    A family's draws depend on the seed and its name alone, so asking for one family more changes none of them. A small
    space may hold fewer than `samples` candidates; then there are fewer.
    """
    import numpy as np

    from ravdess.families.space import draw

    rng = np.random.default_rng([seed, zlib.crc32(family.name.encode())])
    # What the defaults fix beside the space is the family's own affair; the stage is chosen from one fit's curve.
    first = Candidate(family.name, {name: family.defaults[name] for name in family.space})
    found = {first.id: first}
    for _ in range(50 * samples):
        if len(found) >= samples:
            break
        candidate = Candidate(family.name, draw(family.space, rng))
        found.setdefault(candidate.id, candidate)
    return list(found.values())


def grid_candidates(family: Family, centre: Candidate, *, most: int | None, seed: int) -> list[Candidate]:
    """Candidates one step away from `centre` in one dimension; a seeded draw of `most` of them where there are more."""
    import numpy as np

    from ravdess.families.space import grid_around

    around = [Candidate(family.name, params) for params in grid_around(family.space, centre.params)]
    if most is None or len(around) <= most:
        return around
    rng = np.random.default_rng([seed, zlib.crc32(family.name.encode()), zlib.crc32(centre.id.encode())])
    return [around[at] for at in sorted(rng.permutation(len(around))[:most])]


class Scores:
    """Every fit's UAR curves: family, candidate and excluded groups -> choosing fold -> curve; and why fits failed."""

    def __init__(self) -> None:
        self._curves: dict[tuple[str, str, Groups], dict[Groups, Curve]] = {}
        self.failures: dict[tuple[str, str, Groups], str] = {}

    def add(self, candidate: Candidate, excluded: Groups, curves: Mapping[Groups, Curve]) -> None:
        self._curves.setdefault((candidate.family, candidate.id, excluded), {}).update(curves)

    def fail(self, candidate: Candidate, excluded: Groups, reason: str) -> None:
        self.failures[candidate.family, candidate.id, excluded] = reason

    def missing(self, candidate: Candidate, fits: Mapping[Groups, Sequence[Groups]]) -> Fits:
        """Those of `fits` that are not known yet, with the folds still to be scored."""
        left = {
            excluded: [choosers for choosers in scored if self.curve(candidate, excluded, choosers) is None]
            for excluded, scored in fits.items()
        }
        return {excluded: scored for excluded, scored in left.items() if scored}

    def curve(self, candidate: Candidate, excluded: Groups, choosers: Groups) -> Curve | None:
        return self._curves.get((candidate.family, candidate.id, excluded), {}).get(choosers)

    def mean_curve(self, candidate: Candidate, question: Question) -> Curve | None:
        """Mean over the question's choosers as of each stage, or None when one of its fits is absent or failed."""
        curves = []
        for pair in question.pairs:
            curve = self.curve(candidate, pair.excluded, pair.choosers)
            if curve is None:
                return None
            curves.append(curve)
        return [sum(at) / len(at) for at in zip(*curves, strict=True)]

    def chooser_means(self, candidate: Candidate, question: Question, at: int) -> list[float]:
        """Mean UAR of each choosing fold as of stage number `at`; the question's scores must be complete."""
        by_chooser: dict[Groups, list[float]] = {}
        for pair in question.pairs:
            curve = self.curve(candidate, pair.excluded, pair.choosers)
            by_chooser.setdefault(pair.choosers, []).extend([] if curve is None else [curve[at]])
        return [sum(some) / len(some) for some in by_chooser.values()]


@dataclass(frozen=True)
class Choice:
    """What was chosen for one judge.

    Attributes
    ----------
    judge : str
        Name of the judging fold, or "final" for the model that is kept.
    candidate : Candidate
    stage : int or None
        Value of the family's stage parameter; None when it has no stages.
    uar : float
        Mean over the choosers. Optimistic by the choosing itself: never report it as a result.
    seen : int
        How many candidates it was chosen from.
    round : str
        "random", "grid" or "optuna": where the candidate came from.
    """

    judge: str
    candidate: Candidate
    stage: int | None
    uar: float
    seen: int
    round: str


def choose(
    question: Question, rounds: Mapping[str, Sequence[Candidate]], scores: Scores, stages: Sequence[int]
) -> Choice:
    """The candidate and stage with the highest mean UAR over the question's choosers.

    Ties go to the earlier candidate (the defaults come first) and then to the earlier stage, so the answer depends on
    nothing but the scores.

    Raises
    ------
    SearchFailed
        No candidate has all its scores.
    """
    best: Choice | None = None
    seen: set[str] = set()
    for name, candidates in rounds.items():
        for candidate in candidates:
            curve = scores.mean_curve(candidate, question)
            if curve is None or candidate.id in seen:
                continue
            seen.add(candidate.id)
            at = max(range(len(curve)), key=curve.__getitem__)
            if best is None or curve[at] > best.uar:
                best = Choice(question.name, candidate, stages[at] if stages else None, curve[at], 0, name)
    if best is None:
        family = next((candidate.family for some in rounds.values() for candidate in some), "?")
        why = next((reason for key, reason in scores.failures.items() if key[0] == family), "none was tried")
        raise SearchFailed(f"no candidate of {family} could be fitted when {question.name} judges: {why}")
    return Choice(best.judge, best.candidate, best.stage, best.uar, len(seen), best.round)


def running_scores(fits: Sequence[Mapping[str, Any]]) -> list[float]:
    """After each fit of a record, the best stage's mean UAR over the choosers so far.

    A mean over the same choosers in the same order is what candidates can be compared by at any moment; the score on a
    single fold says more about the fold.
    """
    curves: list[Curve] = []
    running = []
    for fit in fits:
        curves += [curve for _, curve in fit["curves"]]
        if curves:
            running.append(max(sum(at) / len(at) for at in zip(*curves, strict=True)))
    return running


def random_round(candidates: Sequence[Candidate], questions: Sequence[Question], scores: Scores) -> list[Trial]:
    """The trials that answer every question for candidates drawn before any score was seen."""
    fits = fits_of(questions)
    trials = [Trial(candidate, "random", scores.missing(candidate, fits)) for candidate in candidates]
    return [trial for trial in trials if trial.fits]


def grid_round(grids: Mapping[str, Sequence[Candidate]], questions: Sequence[Question], scores: Scores) -> list[Trial]:
    """The trials of all questions' own grids: for question i only fits without fold i, scored for i's choosers alone.

    Where two grids hold one candidate, a fit that both need is made once, and scores both choosers.
    """
    asking = {question.name: question for question in questions}
    wanted: dict[tuple[str, str], tuple[Candidate, list[Question]]] = {}
    for judge, candidates in grids.items():
        for candidate in candidates:
            wanted.setdefault((candidate.family, candidate.id), (candidate, []))[1].append(asking[judge])
    trials = [
        Trial(candidate, "grid", scores.missing(candidate, fits_of(asked))) for candidate, asked in wanted.values()
    ]
    return [trial for trial in trials if trial.fits]


def portions(trials: Iterable[Trial], most: int = MOST_FITS) -> list[Trial]:
    """Trials of more than `most` fits in several; a candidate under `loao` costs hundreds."""
    parts = []
    for trial in trials:
        fits = list(trial.fits.items())
        parts += [replace(trial, fits=dict(fits[at : at + most])) for at in range(0, len(fits), most)]
    return parts
