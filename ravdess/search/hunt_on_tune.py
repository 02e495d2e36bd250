"""Many hunts in one Tuner: a searcher that asks each hunt in turn, and a scheduler that lets each stop its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ravdess.search.adaptive import Hunt, compute, config_of, trial_of
from ravdess.search.ledger import lost_record
from ravdess.search.run import RECORD, tune_all

if TYPE_CHECKING:
    from ravdess.search.plan import Trial
    from ravdess.search.run import Done
    from ravdess.search.trial import Data


def hunt_on_tune(hunts: Sequence[Hunt], data: Data, done: Done, *, threads: int, seed: int) -> None:
    """Run all hunts to their ends in one Tuner, handing on each trial's record as it ends."""
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler
    from ray.tune.search import Searcher

    by_key = {hunt.key: hunt for hunt in hunts}
    hunted = {hunt.key: (hunt.family, hunt.question) for hunt in hunts}

    class InTurn(Searcher):
        """Asks the first hunt that is neither busy nor over."""

        def __init__(self) -> None:
            super().__init__(metric="score", mode="max")
            self._asked: dict[str, tuple[Hunt, Trial]] = {}

        def suggest(self, trial_id: str) -> Any:
            for hunt in hunts:
                if (trial := hunt.next()) is not None:
                    self._asked[trial_id] = hunt, trial
                    return config_of(hunt, trial)
            return Searcher.FINISHED if all(hunt.over for hunt in hunts) else None

        def on_trial_complete(
            self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
        ) -> None:
            hunt, trial = self._asked.pop(trial_id)
            ended = result is not None and RECORD in result and not error
            hunt.tell(json.loads(result[RECORD]) if ended and result else lost_record(trial, "its worker ended"))

    class EachItsOwn(FIFOScheduler):
        """Hands a trial's results to its hunt's stopper alone."""

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            if (stopper := by_key[trial.config["hunt"]].stopper) is not None:
                stopper.on_trial_add(tune_controller, trial)

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            if (stopper := by_key[trial.config["hunt"]].stopper) is None:
                return str(TrialScheduler.CONTINUE)
            return str(stopper.on_trial_result(tune_controller, trial, result))

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if (stopper := by_key[trial.config["hunt"]].stopper) is not None:
                stopper.on_trial_complete(tune_controller, trial, result)

    def run(config: dict[str, Any], hunted: Any, data: Data) -> None:
        compute(config, hunted=hunted, data=data, report=tune.report, seed=seed, threads=threads)

    tune_all(
        tune.with_parameters(run, hunted=hunted, data=data),
        space={},
        threads=threads,
        done=done,
        lost=lambda config: trial_of(config, hunted),
        search_alg=InTurn(),
        scheduler=EachItsOwn(),  # type: ignore[no-untyped-call]  # ray's own
        num_samples=1_000_000,
    )
