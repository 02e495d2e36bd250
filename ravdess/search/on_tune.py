"""A source's trials on Ray Tune: one Tuner, whose searcher asks the source and whose scheduler asks its stoppers.

One Tuner for all families and rounds, since each new one starts its workers anew and they import everything again; with
`reuse_actors` a worker goes on from trial to trial. Tune's own experiment folder is temporary and never read.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import LeakError
from ravdess.search.ledger import lost_record, record_of
from ravdess.search.plan import Candidate, Trial, running_scores
from ravdess.search.resources import gpu_share
from ravdess.search.source import SCORE
from ravdess.search.trial import reports

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.search.source import Source
    from ravdess.search.trial import Data

RECORD: Final = "record"
"""The metric under which a trial reports its record, as JSON."""


def config_of(trial: Trial) -> dict[str, str]:
    """A trial as Tune carries it: JSON, which no library touches, and what finds its stopper."""
    told = {
        "params": trial.candidate.params,
        "round": trial.round,
        "fits": [[list(excluded), [list(choosers) for choosers in scored]] for excluded, scored in trial.fits.items()],
    }
    return {"family": trial.candidate.family, "question": trial.question, "trial": json.dumps(told)}


def trial_of(config: Mapping[str, str]) -> Trial:
    """The inverse of `config_of`."""
    told = json.loads(config["trial"])
    fits = {tuple(excluded): [tuple(choosers) for choosers in scored] for excluded, scored in told["fits"]}
    return Trial(Candidate(config["family"], told["params"]), told["round"], fits, config["question"])


def run_on_tune(
    source: Source, families: Mapping[str, Family], data: Data, *, workers: int, seed: int, threads: int
) -> None:
    """Run the source's trials in one Tuner until it is over.

    A trial whose worker died is told as a record whose fits all failed.

    Raises
    ------
    LeakError
        A trial found that its split would have shared an actor or a take.
    """
    # Our ledger keeps what counts: no CSV, JSON or TensorBoard file a trial, no snapshots of Tune's own state. A few
    # trials wait ready, so that no worker waits for the searcher. An interrupt ends the search at once.
    os.environ.update(
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_GLOBAL_CHECKPOINT_S="86400",
        TUNE_MAX_PENDING_TRIALS_PG=str(workers + 2),
        TUNE_DISABLE_SIGINT_HANDLER="1",
        RAY_AIR_NEW_OUTPUT="0",
    )
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler
    from ray.tune.search import Searcher

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures stand in the records, and are said at the end
    reasons: dict[str, str] = {}
    leaks: list[str] = []

    class Here:
        """Tune pickles its parts, though it never needs them elsewhere; these stay here, with the ledger they write."""

        def __getstate__(self) -> dict[str, Any]:
            return {}

    class Asks(Here, Searcher):
        """Asks the source for trials and tells it how they ended."""

        def __init__(self, source: Source, reasons: dict[str, str], leaks: list[str]) -> None:
            super().__init__(metric=SCORE, mode="max")
            self._source, self._reasons, self._leaks = source, reasons, leaks
            self._asked: dict[str, Trial] = {}

        def suggest(self, trial_id: str) -> Any:
            trial = None if self._leaks else self._source.next()
            if trial is not None:
                self._asked[trial_id] = trial
                return config_of(trial)
            return Searcher.FINISHED if self._source.over or self._leaks else None

        def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
            """A source learns from whole records."""

        def on_trial_complete(
            self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
        ) -> None:
            trial = self._asked.pop(trial_id)
            if error or result is None:
                self._source.tell(lost_record(trial, self._reasons.get(trial_id, "the worker ended")))
                return
            record = json.loads(result[RECORD])
            if "leak" in record:
                self._leaks.append(record["leak"])
            else:
                self._source.tell(record)

    class Stops(Here, FIFOScheduler):
        """Lets a trial's own stopper judge it, if it has one."""

        def __init__(self, source: Source, reasons: dict[str, str]) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # ray's own
            self._source, self._reasons = source, reasons

        def _stopper(self, trial: Any) -> Any:
            return self._source.stopper(trial.config["family"], trial.config["question"])

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            if (stopper := self._stopper(trial)) is not None:
                stopper.on_trial_add(tune_controller, trial)

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            if (stopper := self._stopper(trial)) is None:
                return str(TrialScheduler.CONTINUE)
            return str(stopper.on_trial_result(tune_controller, trial, result))

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if (stopper := self._stopper(trial)) is not None:
                stopper.on_trial_complete(tune_controller, trial, result)

        def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
            said = str(trial.get_pickled_error() or "").strip() or "?"
            self._reasons[trial.trial_id] = f"the worker ended: {said.splitlines()[-1].strip()}"

    def work(config: dict[str, str], families: Mapping[str, Family], data: Data) -> None:
        trial = trial_of(config)
        try:
            for record in reports(trial, families[config["family"]], data, seed=seed, threads=threads):
                score = [0.0, *running_scores(record["fits"])][-1]
                tune.report({SCORE: score, RECORD: json.dumps(record)})
        except LeakError as error:
            tune.report({SCORE: 0.0, RECORD: json.dumps(record_of(trial, [], leak=str(error)))})

    trainable = tune.with_parameters(work, families=dict(families), data=data)
    with tempfile.TemporaryDirectory(prefix="ravdess-tune-") as folder:
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": threads, "gpu": gpu_share(families.values())}),
            tune_config=tune.TuneConfig(
                reuse_actors=True,
                search_alg=Asks(source, reasons, leaks),
                scheduler=Stops(source, reasons),
                num_samples=1_000_000,  # the source says when it is over
            ),
            run_config=tune.RunConfig(storage_path=folder, name="search", verbose=0),
        ).fit()
    if leaks:
        raise LeakError(leaks[0])
