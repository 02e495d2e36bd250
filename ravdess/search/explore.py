"""Random, then grid, then choice: the search itself, on any runner, going on from what a ledger holds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ravdess.errors import SearchFailed
from ravdess.search.adaptive import Hunts
from ravdess.search.ledger import Ledger, Record, learn
from ravdess.search.plan import (
    Candidate,
    Choice,
    Scores,
    Trial,
    choose,
    fits_of,
    grid_candidates,
    grid_round,
    portions,
    random_candidates,
    random_round,
)
from ravdess.search.run import Rounds, Runner, slow_first
from ravdess.search.samplers import hunts as make_hunts
from ravdess.search.standing import Standing

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.search.standing import Step
    from ravdess.splits import Folds, Question


@dataclass
class Effort:
    """What a search cost.

    Attributes
    ----------
    trials, fits : int
        Those made now; what an earlier, interrupted run had made is not counted.
    fit_seconds : float
        Their time, summed over workers.
    wall_seconds : float
        From before Ray started to the end of the last round.
    """

    trials: int = 0
    fits: int = 0
    fit_seconds: float = 0.0
    wall_seconds: float = 0.0
    by_family: dict[str, list[float]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.trials += 1
        seconds = [fit["seconds"] for fit in record["fits"]]
        self.fits += len(seconds)
        self.fit_seconds += sum(seconds)
        total = self.by_family.setdefault(record["family"], [0.0, 0.0])
        total[0] += sum(seconds)
        total[1] += len(seconds)

    def beyond_a_trial(self, workers: int) -> float:
        """Wall time beyond what the fits alone would take on so many workers, in seconds a trial."""
        return (self.wall_seconds - self.fit_seconds / max(1, workers)) / self.trials if self.trials else 0.0

    def seconds_a_fit(self) -> dict[str, float]:
        return {family: seconds / fits for family, (seconds, fits) in self.by_family.items() if fits}


@dataclass
class Explored:
    """What was chosen for each family and judge, from what, and at what cost.

    Attributes
    ----------
    choices : dict of str to dict of str to Choice
        Family -> judge -> choice. A family none of whose candidates could be fitted is in `failed` instead.
    failed : dict of str to str
        Family -> why.
    fits_a_candidate : int
        Fits that one candidate costs for the whole nested search: drawn at random, and for all questions at once; or
        in an adaptive search, for each question anew.
    """

    choices: dict[str, dict[str, Choice]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    fits_a_candidate: int = 0
    effort: Effort = field(default_factory=Effort)
    order: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Family, question and candidate -> which one it was, from 1, in the order of that question's draws."""


class Explorer:
    """One search's rounds.

    Parameters
    ----------
    families : mapping of str to Family
    folds : Folds
    runner : Runner
    ledger : Ledger
    samples, grid, seed : int
        Candidates drawn at random a family, the defaults among them; most grid neighbours a question.
    progress : callable
    guess, workers
        As `Standing` takes them.
    """

    def __init__(
        self,
        families: Mapping[str, Family],
        folds: Folds,
        runner: Runner,
        ledger: Ledger,
        *,
        samples: int,
        grid: int | None,
        seed: int,
        progress: Callable[[Step], Any],
        guess: Mapping[str, float] | None = None,
        workers: int = 1,
    ) -> None:
        self._families, self._runner, self._ledger, self._progress = families, runner, ledger, progress
        self._samples, self._grid, self._seed = samples, grid, seed
        self._final = folds.final
        self._questions: Sequence[Question] = (*folds.questions, folds.final)
        self._scores = Scores()
        self.standing = Standing(folds, ledger.run, guess, workers)
        self.found = Explored(fits_a_candidate=len(fits_of(self._questions)))

    def random_then_grid(self) -> Explored:
        """Random candidates that serve every question; then each question's own grid around its own best."""
        began = time.perf_counter()
        for record in self._ledger.records:
            self._learn(record)
        random = {
            name: random_candidates(family, samples=self._samples, seed=self._seed)
            for name, family in self._families.items()
        }
        grids: dict[str, dict[str, list[Candidate]]] = {}

        def draw() -> list[Trial]:
            rounds = (random_round(some, self._questions, self._scores) for some in random.values())
            return self._begin("random", [trial for trials in rounds for trial in trials])

        def place_grids() -> list[Trial]:
            trials: list[Trial] = []
            for name, family in self._families.items():
                try:
                    grids[name] = {q.name: self._around(family, q, random[name]) for q in self._questions}
                except SearchFailed as error:
                    self.found.failed[name] = str(error)
                    continue
                trials += grid_round(grids[name], self._questions, self._scores)
            return self._begin("grid", trials)

        self._runner.run(Rounds([draw, place_grids], self._keep))
        for name, own in grids.items():
            rounds = {q.name: {"random": random[name], "grid": own[q.name]} for q in self._questions}
            self._choose(name, rounds, {q.name: self._scores for q in self._questions})
        self.found.effort.wall_seconds = time.perf_counter() - began
        return self.found

    def hunt(self, *, sampler: str, stop: bool) -> Explored:
        """Each question by its own adaptive sampler and stopper."""
        began = time.perf_counter()
        self.found.fits_a_candidate = sum(len(fits_of([question])) for question in self._questions)
        order = sorted(self._families.values(), key=lambda family: -max(family.stages, default=0))
        hunts = make_hunts(
            {family.name: family for family in order},
            self._questions,
            self._ledger.records,
            sampler=sampler,
            stop=stop,
            samples=self._samples,
            grid=self._grid,
            seed=self._seed,
        )
        left = Counter({name: self._samples * len(self._questions) for name in self._families})
        left.subtract(record["family"] for record in self._ledger.records)
        a_trial = self.found.fits_a_candidate / len(self._questions)
        self.standing.begin("hunt", left, {name: round(count * a_trial) for name, count in left.items()})
        self._progress(self._step())
        self._runner.run(Hunts(hunts, self._keep))
        for name in self._families:
            mine = {hunt.question.name: hunt for hunt in hunts if hunt.family.name == name}
            self._choose(
                name,
                {judge: hunt.rounds for judge, hunt in mine.items()},
                {judge: hunt.scores for judge, hunt in mine.items()},
            )
        self.found.effort.wall_seconds = time.perf_counter() - began
        return self.found

    def _around(self, family: Family, question: Question, random: Sequence[Candidate]) -> list[Candidate]:
        """The question's own grid: no candidate of it is there because of what the question's judge scored."""
        best = choose(question, {"random": random}, self._scores, family.stages)
        tried = {candidate.id for candidate in random}
        around = grid_candidates(family, best.candidate, most=self._grid, seed=self._seed)
        return [candidate for candidate in around if candidate.id not in tried]

    def _choose(
        self, family: str, rounds: Mapping[str, Mapping[str, Sequence[Candidate]]], scores: Mapping[str, Scores]
    ) -> None:
        stages = self._families[family].stages
        for judge, some in rounds.items():
            drawn = dict.fromkeys(candidate.id for candidates in some.values() for candidate in candidates)
            self.found.order |= {(family, judge, candidate): at for at, candidate in enumerate(drawn, 1)}
        try:
            self.found.choices[family] = {
                q.name: choose(q, rounds[q.name], scores[q.name], stages) for q in self._questions
            }
        except SearchFailed as error:
            self.found.failed[family] = str(error)

    def _begin(self, phase: str, trials: Sequence[Trial]) -> list[Trial]:
        """A round's trials in the order to run them."""
        order = slow_first(self._portions(trials), self._families, self.found.effort.seconds_a_fit())
        fits: Counter[str] = Counter()
        for trial in order:
            fits[trial.candidate.family] += len(trial.fits)
        self.standing.begin(phase, Counter(trial.candidate.family for trial in order), fits)
        self._progress(self._step())
        return order

    def _portions(self, trials: Sequence[Trial]) -> list[Trial]:
        """What a kill may lose: of networks, which take minutes, one fit at a time is told."""
        long = [trial for trial in trials if self._families[trial.candidate.family].input == "frames"]
        return [*portions([trial for trial in trials if trial not in long]), *portions(long, 1)]

    def _keep(self, record: Record) -> None:
        """Write a finished trial before anything else happens to it."""
        self._ledger.write(record)
        self._learn(record)
        self.found.effort.add(record)
        self.standing.end(record)
        self._progress(self._step())

    def _step(self) -> Step:
        return self.standing.step(self._runner.workers)

    def _learn(self, record: Record) -> None:
        if record["question"] and record["question"] != self._final.name:
            return
        learn(self._scores, record)
        self.standing.learn(record, self._scores)
