"""Where trials and models are computed: by Ray, or one after another in this process.

A runner is handed trials and hands back records as they finish. What a trial does is in `trial`; what is kept is the
ledger's. Tune's own experiment folder is temporary and never read.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from ravdess.cluster import start_ray
from ravdess.errors import LeakError, SearchFailed
from ravdess.search.adaptive import run_here
from ravdess.search.ledger import Record, lost_record, record_of
from ravdess.search.trial import fit_model, predict_files, run_fits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ravdess.families import Family
    from ravdess.search.adaptive import Hunt
    from ravdess.search.plan import Trial
    from ravdess.search.trial import Data, Files, Fitted, Job, Recipe

    Done = Callable[[Record], None]
    Asked = Iterable[tuple[Files, NDArray[np.intp]]]
    Answers = Iterator[NDArray[np.float64]]

RECORD: Final = "record"
"""The metric under which a Tune trial reports its record, as JSON."""


class Runner(Protocol):
    """What computes trials and models."""

    @property
    def workers(self) -> int:
        """How many trials run at a time; 0 while nothing has been computed."""
        ...

    def run(self, trials: Sequence[Trial], done: Done) -> None:
        """Make the trials, calling `done` with the record of each as it finishes."""
        ...

    def hunt(self, hunts: Sequence[Hunt], done: Done) -> None:
        """Bring every hunt to its end, calling `done` with the record of each trial."""
        ...

    def fit_models(self, jobs: Sequence[Job], recipe: Recipe, done: Callable[[Job, Fitted], None]) -> None:
        """Fit and pack models, calling `done` with each as it is ready."""
        ...

    def predict(self, asked: Asked) -> Answers:
        """Unpack each model and give its probabilities for those rows, in the order asked."""
        ...


class InProcess:
    """One after another in this process: for debugging, and for tests that count."""

    workers = 1

    def __init__(self, data: Data, families: Mapping[str, Family], *, seed: int, threads: int = 1) -> None:
        self._data, self._families, self._how = data, families, {"seed": seed, "threads": threads}

    def run(self, trials: Sequence[Trial], done: Done) -> None:
        for trial in trials:
            fits = run_fits(trial, self._families[trial.candidate.family], self._data, **self._how)
            done(record_of(trial, list(fits)))

    def hunt(self, hunts: Sequence[Hunt], done: Done) -> None:
        for hunt in hunts:
            for record in run_here(hunt, self._data, **self._how):
                done(record)

    def fit_models(self, jobs: Sequence[Job], recipe: Recipe, done: Callable[[Job, Fitted], None]) -> None:
        for job in jobs:
            done(job, fit_model(job, self._families[job.family], self._data, recipe, **self._how))

    def predict(self, asked: Asked) -> Answers:
        for files, rows in asked:
            yield predict_files(files, self._data, rows)


class OnRay:
    """Trials by Ray Tune, models by Ray tasks; on this machine, or on the cluster that is there.

    Ray starts when there is something to compute, so a search that has nothing left never starts it.
    """

    def __init__(
        self, data: Data, families: Mapping[str, Family], *, seed: int, threads: int = 1, cpus: int | None = None
    ) -> None:
        self._data, self._families, self._how = data, families, {"seed": seed, "threads": threads}
        self._threads, self._cpus = threads, cpus
        self._shared: Any = None
        self.workers = 0

    def _start(self) -> None:
        """Start or join Ray. Raises SearchFailed when a single fit would wait for CPUs for ever."""
        cpus = start_ray(self._cpus)
        if self._threads > cpus:
            raise SearchFailed(f"a fit of {self._threads} threads needs as many CPUs, Ray has {cpus}")
        self.workers = cpus // self._threads

    def run(self, trials: Sequence[Trial], done: Done) -> None:
        if not trials:
            return
        self._start()
        from ray import tune

        how = self._how

        def compute(
            config: dict[str, int], trials: Sequence[Trial], families: Mapping[str, Family], data: Data
        ) -> None:
            trial = trials[config["trial"]]
            fits = run_fits(trial, families[trial.candidate.family], data, **how)
            try:
                record = record_of(trial, list(fits))
            except LeakError as error:
                record = record_of(trial, [], leak=str(error))
            tune.report({RECORD: json.dumps(record)})

        tune_all(
            tune.with_parameters(compute, trials=list(trials), families=dict(self._families), data=self._data),
            space={"trial": tune.grid_search(list(range(len(trials))))},
            threads=self._threads,
            done=done,
            lost=lambda config: trials[config["trial"]],
        )

    def hunt(self, hunts: Sequence[Hunt], done: Done) -> None:
        from ravdess.search.hunt_on_tune import hunt_on_tune

        for hunt in hunts:
            hunt.advance()
        if all(hunt.over for hunt in hunts):
            return
        self._start()
        hunt_on_tune(hunts, self._data, done, **self._how)

    def fit_models(self, jobs: Sequence[Job], recipe: Recipe, done: Callable[[Job, Fitted], None]) -> None:
        if not jobs:
            return
        task, data = self._task(fit_model)
        waiting = {task.remote(job, self._families[job.family], data, recipe, **self._how): job for job in jobs}
        import ray

        while waiting:
            for ready in ray.wait(list(waiting))[0]:
                job = waiting.pop(ready)
                try:
                    fitted = ray.get(ready)
                except ray.exceptions.RayError as error:
                    why = str(error).strip().splitlines()[-1]
                    raise SearchFailed(f"the {job.family} model {job.name} could not be fitted: {why}") from error
                done(job, fitted)

    def predict(self, asked: Asked) -> Answers:
        asked = iter(asked)
        first = next(asked, None)
        if first is None:
            return
        task, data = self._task(predict_files)
        import ray

        ahead = deque[Any]()
        for files, rows in itertools.chain([first], asked):
            ahead.append(task.remote(files, data, rows))
            if len(ahead) > 2 * self.workers:  # a few models at a time are in memory, not all
                yield ray.get(ahead.popleft())
        yield from (ray.get(answer) for answer in ahead)

    def _task(self, function: Callable[..., Any]) -> tuple[Any, Any]:
        """`function` as a Ray task of this runner's size, and the data where tasks find it."""
        self._start()
        import ray

        if self._shared is None:
            self._shared = ray.put(self._data)
        return ray.remote(function).options(num_cpus=self._threads, max_retries=2), self._shared


def slow_first(
    trials: Iterable[Trial], families: Mapping[str, Family], seconds: Mapping[str, float] | None = None
) -> list[Trial]:
    """Long trials first, so that no core waits at the end for one that began last.

    `seconds` are a family's measured seconds a fit. Until something is measured, families that grow in stages come
    first: boosting and epochs outlast forests and kernels.
    """
    known = seconds or {}

    def cost(trial: Trial) -> tuple[float, int, str]:
        family = families[trial.candidate.family]
        return -known.get(family.name, 0.0) * len(trial.fits), -max(family.stages, default=0), family.name

    return sorted(trials, key=cost)


def tune_all(
    trainable: Callable[..., None],
    *,
    space: Mapping[str, Any],
    threads: int,
    done: Done,
    lost: Callable[[dict[str, Any]], Trial],
    **config: Any,
) -> None:
    """Run one Tuner to its end, handing on each trial's last record the moment it finishes.

    A trial whose worker died is handed on as a record whose fits all failed; `lost` tells which trial a config was.

    Raises
    ------
    LeakError
        A trial found that its split would have shared an actor or a take.
    """
    # Our ledger keeps what counts: no CSV, JSON or TensorBoard file a trial, no snapshots of Tune's own state. An
    # interrupt ends the search at once instead of being taken for a wish to see the results so far.
    os.environ.update(
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_GLOBAL_CHECKPOINT_S="86400",
        TUNE_DISABLE_SIGINT_HANDLER="1",
        RAY_AIR_NEW_OUTPUT="0",
    )
    from ray import tune

    leaks: list[str] = []

    class Keep(tune.Callback):
        """Hands records to the ledger."""

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            record = json.loads(trial.last_result[RECORD])
            if "leak" in record:
                leaks.append(record["leak"])
            else:
                done(record)

        def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            error = trial.get_pickled_error()
            said = str(error).strip() or type(error).__name__
            done(lost_record(lost(trial.config), f"the worker ended: {said.splitlines()[-1].strip()}"))

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures stand in the records, and are said at the end
    with tempfile.TemporaryDirectory(prefix="ravdess-tune-") as folder:
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": threads}),
            param_space=dict(space),
            tune_config=tune.TuneConfig(reuse_actors=True, **config),
            run_config=tune.RunConfig(storage_path=folder, name="search", verbose=0, callbacks=[Keep()]),
        ).fit()
    if leaks:
        raise LeakError(leaks[0])
