"""Where a hunt's candidates come from, and what stops them: a list with a grid, Optuna's TPE, ASHA."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ravdess.cluster import settle_environment
from ravdess.errors import MissingExtra, SearchFailed
from ravdess.search.adaptive import Hunt, Proposer
from ravdess.search.plan import Candidate, choose, fits_of, grid_candidates, random_candidates
from ravdess.search.source import SCORE

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.search.ledger import Record
    from ravdess.splits import Question


class RandomThenGrid:
    """The defaults and random draws; then the grid around the best that was not stopped."""

    def __init__(self, family: Family, *, samples: int, grid: int | None, seed: int) -> None:
        self._random = random_candidates(family, samples=samples, seed=seed)
        self._most, self._seed = grid, seed
        self._at = 0
        self._grid: list[Candidate] | None = None

    def propose(self, hunt: Hunt) -> Candidate | None:
        hunt.rounds["random"] = self._random
        if self._at == len(self._random) and self._grid is None:
            self._grid = hunt.rounds["grid"] = self._around(hunt)
        queue = [*self._random, *(self._grid or [])]
        self._at += 1
        return queue[self._at - 1] if self._at <= len(queue) else None

    def _around(self, hunt: Hunt) -> list[Candidate]:
        try:
            best = choose(hunt.question, hunt.rounds, hunt.scores, hunt.family.stages)
        except SearchFailed:
            return []  # the search says so when it chooses
        tried = {candidate.id for candidate in self._random}
        around = grid_candidates(hunt.family, best.candidate, most=self._most, seed=self._seed)
        return [candidate for candidate in around if candidate.id not in tried]

    def tell(self, score: float | None) -> None:
        """A list learns nothing; the hunt's scores place the grid."""


class Optuna:
    """The defaults, then what Optuna's TPE sampler proposes (Bergstra et al. 2011), by Ray's `OptunaSearch`."""

    def __init__(self, family: Family, *, samples: int, seed: int) -> None:
        optuna = need_optuna()
        settle_environment()
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._family, self._samples, self._asked = family.name, samples, 0
        self._sampler = OptunaSearch(
            space={name: _distribution(domain) for name, domain in family.space.items()},
            metric=SCORE,
            mode="max",
            points_to_evaluate=[{name: family.defaults[name] for name in family.space}],
            seed=seed,
        )

    def propose(self, hunt: Hunt) -> Candidate | None:
        if self._asked == self._samples:
            return None
        self._asked += 1
        candidate = Candidate(self._family, dict(self._sampler.suggest(str(self._asked)) or {}))
        hunt.rounds.setdefault("optuna", []).append(candidate)
        return candidate

    def tell(self, score: float | None) -> None:
        result = None if score is None else {SCORE: score}
        self._sampler.on_trial_complete(str(self._asked), result, error=score is None)


def need_optuna() -> Any:
    """The optional package. Raises MissingExtra, which says how to install it."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "optuna") from error
    return optuna


def _distribution(domain: Any) -> Any:
    """A search space's dimension as Optuna says it."""
    from optuna import distributions as optuna

    from ravdess.families.space import Choice, Integer

    if isinstance(domain, Choice):
        return optuna.CategoricalDistribution(domain.values)
    kind = optuna.IntDistribution if isinstance(domain, Integer) else optuna.FloatDistribution
    return kind(domain.low, domain.high, log=domain.log)


def asha(question: Question) -> Any:
    """A stopper for one hunt: after 1, 2, 4 … fits, the worse half by running mean is stopped (Li et al. 2020)."""
    settle_environment()
    from ray.tune.schedulers import ASHAScheduler

    fits = len(fits_of([question]))
    return ASHAScheduler(
        metric=SCORE, mode="max", max_t=fits, grace_period=1, reduction_factor=2, stop_last_trials=False
    )


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
