"""Samplers and stoppers that learn from scores: each question is hunted alone.

An adaptive sampler (Optuna's TPE) or stopper (ASHA) lets every score it sees shape what it does next. Fed with the
scores of all choosers it would have looked at every judge. So each (family, question) is one **hunt** with a sampler
and a stopper of its own, that sees the scores of that question's choosers and no others; K(K-1) fits a candidate
instead of K(K-1)/2.

A hunt has one trial in flight at a time. Its answers then depend on the seed alone, not on how many workers there are
or which was faster; the hunts of all families and questions fill the cores. A hunt that goes on from a ledger is told
the old records one by one, as it was when they were new, and so arrives where it stood.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ravdess.errors import LeakError
from ravdess.search.ledger import Record, learn, record_of
from ravdess.search.plan import Candidate, Curve, Scores, Trial, fits_of
from ravdess.search.samplers import SCORE, Optuna, Proposer, RandomThenGrid, asha
from ravdess.search.trial import Data, run_fits

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.splits import Question


@dataclass
class Hunt:
    """The search for one family's best candidate when one fold judges."""

    family: Family
    question: Question
    proposer: Proposer
    stopper: Any = None
    """An ASHA scheduler of its own, or None."""
    before: dict[str, Record] = field(default_factory=dict)
    """Records of an earlier, interrupted run that have not been told yet, by candidate."""
    told: dict[str, Record] = field(default_factory=dict)
    rounds: dict[str, list[Candidate]] = field(default_factory=dict)
    scores: Scores = field(default_factory=Scores)
    waiting: Trial | None = None
    busy: bool = False
    over: bool = False

    @property
    def key(self) -> str:
        return f"{self.family.name} {self.question.name}"

    def advance(self) -> None:
        """Go on to the next trial that must be run, or to the end.

        A candidate whose record is known, from an earlier run or because a sampler proposes it again, is told at once.
        """
        while self.waiting is None and not self.busy and not self.over:
            candidate = self.proposer.propose(self)
            if candidate is None:
                self.over = True
            elif (record := self.told.get(candidate.id)) is not None:
                self.tell(record)
            elif (record := self.before.pop(candidate.id, None)) is not None:
                if self.stopper is not None:
                    replay(self.stopper, candidate.id, record)
                self.tell(record)
            else:
                name = next(name for name, some in self.rounds.items() if candidate in some)
                self.waiting = Trial(candidate, name, fits_of([self.question]), self.question.name)

    def next(self) -> Trial | None:
        """The next trial to run; None while one is running, and when the hunt is over."""
        self.advance()
        trial, self.waiting = self.waiting, None
        self.busy = self.busy or trial is not None
        return trial

    def tell(self, record: Record) -> None:
        """Learn from a finished or stopped trial."""
        self.busy = False
        self.told[record["candidate"]] = record
        learn(self.scores, record)
        running = running_scores(record["fits"])
        failed = any("error" in fit for fit in record["fits"])
        self.proposer.tell(None if failed or not running else running[-1])


def replay(stopper: Any, name: str, record: Record) -> None:
    """Tell a stopper of a trial that ended in an earlier run."""
    trial = SimpleNamespace(trial_id=name, config={})
    stopper.on_trial_add(None, trial)
    result: dict[str, Any] = {}
    for at, score in enumerate(running_scores(record["fits"]), 1):
        result = {"training_iteration": at, SCORE: score}
        stopper.on_trial_result(None, trial, result)
    stopper.on_trial_complete(None, trial, result)


def running_scores(fits: Sequence[Mapping[str, Any]]) -> list[float]:
    """After each fit, the best stage's mean UAR over the choosers so far.

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


def hunts(
    families: Mapping[str, Family],
    questions: Sequence[Question],
    records: Sequence[Record],
    *,
    sampler: str,
    stop: bool,
    samples: int,
    grid: int | None,
    seed: int,
) -> list[Hunt]:
    """One hunt a family and question, families in the given order, each knowing its old records."""
    import numpy as np

    made = []
    for family in families.values():
        for question in questions:
            proposer: Proposer
            if sampler == "optuna":
                own = [seed, zlib.crc32(family.name.encode()), zlib.crc32(question.name.encode())]
                drawn = int(np.random.SeedSequence(own).generate_state(1)[0])
                proposer = Optuna(family, samples=samples, seed=drawn)
            else:
                proposer = RandomThenGrid(family, samples=samples, grid=grid, seed=seed)
            mine = {
                record["candidate"]: record
                for record in records
                if (record["family"], record["question"]) == (family.name, question.name)
                and not any("error" in fit for fit in record["fits"])  # what failed is tried again
            }
            made.append(Hunt(family, question, proposer, asha(question) if stop else None, mine))
    return made


def compute(
    config: Mapping[str, Any],
    *,
    hunted: Mapping[str, tuple[Family, Question]],
    data: Data,
    report: Callable[[dict[str, Any]], None],
    seed: int,
    threads: int,
) -> None:
    """One trial of a hunt: report after each fit, so that the stopper may end it; a failed fit ends it, too."""
    trial = trial_of(config, hunted)
    fits: list[dict[str, Any]] = []
    try:
        for fit in run_fits(trial, hunted[config["hunt"]][0], data, seed=seed, threads=threads):
            fits.append(fit)
            running = running_scores(fits)
            report({SCORE: running[-1] if running else 0.0, "record": json.dumps(record_of(trial, fits))})
            if "error" in fit:
                return
    except LeakError as error:
        report({SCORE: 0.0, "record": json.dumps(record_of(trial, [], leak=str(error)))})


def config_of(hunt: Hunt, trial: Trial) -> dict[str, str]:
    """A trial as Tune carries it. The parameters are JSON, so that no library touches them."""
    return {"hunt": hunt.key, "round": trial.round, "params": json.dumps(trial.candidate.params)}


def trial_of(config: Mapping[str, Any], hunted: Mapping[str, tuple[Family, Question]]) -> Trial:
    """The inverse of `config_of`."""
    family, question = hunted[config["hunt"]]
    candidate = Candidate(family.name, json.loads(config["params"]))
    return Trial(candidate, config["round"], fits_of([question]), question.name)


def run_here(hunt: Hunt, data: Data, *, seed: int, threads: int) -> Iterator[Record]:
    """Bring a hunt to its end in this process; yield each trial's record."""
    while (trial := hunt.next()) is not None:
        alike = SimpleNamespace(trial_id=trial.candidate.id, config={})
        if hunt.stopper is not None:
            hunt.stopper.on_trial_add(None, alike)
        fits: list[dict[str, Any]] = []
        result: dict[str, Any] = {}
        for fit in run_fits(trial, hunt.family, data, seed=seed, threads=threads):
            fits.append(fit)
            if "error" in fit:
                break
            result = {"training_iteration": len(fits), SCORE: running_scores(fits)[-1]}
            if hunt.stopper is not None and hunt.stopper.on_trial_result(None, alike, result) == "STOP":
                break
        if hunt.stopper is not None:
            hunt.stopper.on_trial_complete(None, alike, result)
        record = record_of(trial, fits)
        hunt.tell(record)
        yield record
