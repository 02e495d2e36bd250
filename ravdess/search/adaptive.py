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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from ravdess.search.ledger import Record, learn
from ravdess.search.plan import Candidate, Scores, Trial, fits_of, running_scores
from ravdess.search.source import SCORE

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.splits import Question


class Proposer(Protocol):
    """Where a hunt's candidates come from."""

    def propose(self, hunt: Hunt) -> Candidate | None:
        """The next candidate, or None when there are no more."""

    def tell(self, score: float | None) -> None:
        """The score of the candidate proposed last; None when it failed."""


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


class Hunts:
    """All hunts as one source of trials, asked in turn."""

    def __init__(self, hunts: Sequence[Hunt], keep: Callable[[Record], None]) -> None:
        self._hunts, self._keep = list(hunts), keep

    @property
    def over(self) -> bool:
        return all(hunt.over for hunt in self._hunts)

    def next(self) -> Trial | None:
        return next((trial for hunt in self._hunts if (trial := hunt.next()) is not None), None)

    def advance(self) -> None:
        for hunt in self._hunts:
            hunt.advance()

    def tell(self, record: Record) -> None:
        self._keep(record)
        self._of(record["family"], record["question"]).tell(record)

    def stopper(self, family: str, question: str) -> Any:
        return self._of(family, question).stopper

    def _of(self, family: str, question: str) -> Hunt:
        return next(h for h in self._hunts if (h.family.name, h.question.name) == (family, question))
