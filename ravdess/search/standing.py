"""How far a search is, and the best of each family so far: for whoever shows it while it runs.

Nothing here is a result. The best so far is an inner score: it chose, so it is optimistic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import stdev
from typing import TYPE_CHECKING, Any

from ravdess.search.plan import Candidate

if TYPE_CHECKING:
    from ravdess.search.ledger import Record
    from ravdess.search.plan import Scores
    from ravdess.splits import Folds


@dataclass(frozen=True)
class Best:
    """A family's best candidate so far. An inner score: chosen by, never to be reported.

    Attributes
    ----------
    uar : float
        Mean over all choosing folds, of the best stage.
    error : float
        Standard error of that mean over the `choosers` folds; 0 with a single one.
    choosers : int
    params : dict
    tried : int
        Candidates that it is the best of.
    """

    uar: float
    error: float
    choosers: int
    params: Mapping[str, Any]
    tried: int


@dataclass(frozen=True)
class Step:
    """How far a search is.

    Attributes
    ----------
    phase : "random", "grid", "hunt" or "models"
    done, total : int
        Trials or models of this phase.
    fits : int
        Fits made since the search began or went on.
    best : dict of str to Best
        By family; none for a family of which no candidate has all its scores.
    run : str
    folds : int
        How many judge.
    families : dict of str to (int, int)
        Trials done and planned of each family in this phase.
    seconds_left : float or None
        Of this phase, by what fits took so far, before that by a rough guess; None while nothing is known.
    """

    phase: str
    done: int
    total: int
    fits: int
    best: Mapping[str, Best]
    run: str = ""
    folds: int = 0
    families: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    seconds_left: float | None = None


class Standing:
    """Counts a search's trials, and keeps the best of each family, as records come in."""

    def __init__(self, folds: Folds, run: str, guess: Mapping[str, float] | None = None, workers: int = 1) -> None:
        """`guess` has seconds a fit, by family, until fits are measured; `workers` are those that will come."""
        self._guess, self._workers = guess or {}, workers
        self._final, self._judges, self._run = folds.final, len(folds.judges), run
        self._best: dict[str, Best] = {}
        self._tried: dict[str, set[str]] = {}
        self._seconds: Counter[str] = Counter()
        self._fits: Counter[str] = Counter()
        self.begin("", {}, {})

    def begin(self, phase: str, trials: Mapping[str, int], fits: Mapping[str, int]) -> None:
        """A phase of so many trials and so many fits of each family begins."""
        self._phase, self._planned, self._to_fit = phase, dict(trials), dict(fits)
        self._ended: Counter[str] = Counter()
        self._made: Counter[str] = Counter()

    def end(self, record: Record) -> None:
        """A trial of this phase has ended."""
        family = record["family"]
        self._ended[family] += 1
        self._made[family] += len(record["fits"])
        self._fits[family] += len(record["fits"])
        self._seconds[family] += sum(fit["seconds"] for fit in record["fits"])

    def learn(self, record: Record, scores: Scores) -> None:
        """Compare a candidate that answers the final question, of which `scores` knows the record already."""
        family, candidate = record["family"], Candidate(record["family"], record["params"])
        curve = scores.mean_curve(candidate, self._final)
        if curve is None:
            return
        tried = self._tried.setdefault(family, set())
        tried.add(candidate.id)
        at = max(range(len(curve)), key=curve.__getitem__)
        best = self._best.get(family)
        if best is None or curve[at] > best.uar:
            means = scores.chooser_means(candidate, self._final, at)
            error = stdev(means) / len(means) ** 0.5 if len(means) > 1 else 0.0
            best = Best(curve[at], error, len(means), candidate.params, 0)
        self._best[family] = replace(best, tried=len(tried))

    def step(self, workers: int) -> Step:
        """How far the phase is, on so many workers."""
        families = {
            name: (self._ended[name], max(count, self._ended[name])) for name, count in sorted(self._planned.items())
        }
        done, total = (sum(counts) for counts in zip(*families.values(), strict=True)) if families else (0, 0)
        return replace(self.models(done, total), phase=self._phase, families=families, seconds_left=self._left(workers))

    def models(self, done: int, total: int, workers: int = 0) -> Step:
        """How many models are fitted, once candidates are chosen; before the first, how long that should take."""
        left = None
        if not done and self._fits.total():
            left = total * self._seconds.total() / self._fits.total() / max(1, workers or self._workers)
        best = dict(self._best)
        return Step("models", done, total, self._fits.total(), best, self._run, self._judges, seconds_left=left)

    def _left(self, workers: int) -> float | None:
        """What the fits of this phase that are still to be made should take."""
        if not (self._fits.total() or any(self._guess.values())):
            return None
        mean = self._seconds.total() / max(1, self._fits.total())
        left = 0.0
        for name, count in self._to_fit.items():
            each = self._seconds[name] / self._fits[name] if self._fits[name] else self._guess.get(name) or mean
            left += max(0, count - self._made[name]) * each
        return left / max(1, workers or self._workers)
