"""Where trials and models are computed: by Ray, or one after another in this process.

A runner asks a source for trials and tells it their records as they end. What a trial does is in `trial`, how Tune runs
it in `on_tune`; what is kept is the ledger's.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from ravdess.cluster import start_ray
from ravdess.errors import SearchFailed
from ravdess.search.plan import running_scores
from ravdess.search.resources import gpu_share
from ravdess.search.source import SCORE
from ravdess.search.trial import fit_model, out_of_fold, predict_files, reports

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ravdess.families import Family
    from ravdess.search.ledger import Record
    from ravdess.search.plan import Trial
    from ravdess.search.source import Source
    from ravdess.search.trial import Data, Files, Fitted, Job, Recipe

    Asked = Iterable[tuple[Files, NDArray[np.intp]]]
    Answers = Iterator[NDArray[np.float64]]


class Rounds:
    """Trials in rounds: one is planned when all trials of the one before have ended."""

    def __init__(self, plans: Iterable[Callable[[], Sequence[Trial]]], keep: Callable[[Record], None]) -> None:
        self._plans, self._keep = deque(plans), keep
        self._queue: deque[Trial] = deque()
        self._running = 0

    @property
    def over(self) -> bool:
        return not (self._queue or self._running or self._plans)

    def advance(self) -> None:
        while self._plans and not self._queue and not self._running:
            self._queue.extend(self._plans.popleft()())

    def next(self) -> Trial | None:
        self.advance()
        if not self._queue:
            return None
        self._running += 1
        return self._queue.popleft()

    def tell(self, record: Record) -> None:
        self._running -= 1
        self._keep(record)

    def stopper(self, family: str, question: str) -> None:
        """Every candidate is seen through: it serves all questions."""


class Runner(Protocol):
    """What computes trials and models."""

    @property
    def workers(self) -> int:
        """How many trials run at a time; 0 while nothing has been computed."""
        ...

    def run(self, source: Source) -> None:
        """Run the source's trials until it is over, telling it of each that ends."""
        ...

    def fit_models(self, jobs: Sequence[Job], recipe: Recipe, done: Callable[[Job, Fitted], None]) -> None:
        """Fit and pack models, calling `done` with each as it is ready."""
        ...

    def predict(self, asked: Asked) -> Answers:
        """Unpack each model and give its probabilities for those rows, in the order asked."""
        ...

    def out_of_fold(self, asked: Iterable[tuple[Job, NDArray[np.intp]]]) -> Answers:
        """Fit each model and give its probabilities for rows that it was fitted without, in the order asked."""
        ...


class InProcess:
    """One after another in this process: for debugging, and for tests that count."""

    workers = 1

    def __init__(self, data: Data, families: Mapping[str, Family], *, seed: int, threads: int = 1) -> None:
        self._data, self._families, self._how = data, families, {"seed": seed, "threads": threads}

    def run(self, source: Source) -> None:
        while (trial := source.next()) is not None:
            stopper = source.stopper(trial.candidate.family, trial.question)
            alike = SimpleNamespace(trial_id=trial.candidate.id, config={})  # all that a stopper looks at
            result: dict[str, Any] = {}
            if stopper is not None:
                stopper.on_trial_add(None, alike)
            for record in reports(trial, self._families[trial.candidate.family], self._data, **self._how):
                scores = running_scores(record["fits"])
                result = {"training_iteration": len(record["fits"]), SCORE: scores[-1]} if scores else {}
                if stopper is not None and stopper.on_trial_result(None, alike, result) == "STOP":
                    break
            if stopper is not None:
                stopper.on_trial_complete(None, alike, result)
            source.tell(record)

    def fit_models(self, jobs: Sequence[Job], recipe: Recipe, done: Callable[[Job, Fitted], None]) -> None:
        for job in jobs:
            done(job, fit_model(job, self._families[job.family], self._data, recipe, **self._how))

    def predict(self, asked: Asked) -> Answers:
        for files, rows in asked:
            yield predict_files(files, self._data, rows)

    def out_of_fold(self, asked: Iterable[tuple[Job, NDArray[np.intp]]]) -> Answers:
        for job, rows in asked:
            yield out_of_fold(job, self._families[job.family], self._data, rows, **self._how)


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

    def run(self, source: Source) -> None:
        source.advance()
        if source.over:
            return
        self._start()
        from ravdess.search.on_tune import run_on_tune

        run_on_tune(source, self._families, self._data, workers=self.workers, **self._how)

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
        families = tuple(self._families.values())
        import ray

        ahead = deque[Any]()
        for files, rows in itertools.chain([first], asked):
            ahead.append(task.remote(files, data, rows, families))
            if len(ahead) > 2 * self.workers:  # a few models at a time are in memory, not all
                yield ray.get(ahead.popleft())
        yield from (ray.get(answer) for answer in ahead)

    def out_of_fold(self, asked: Iterable[tuple[Job, NDArray[np.intp]]]) -> Answers:
        task, data = self._task(out_of_fold)
        import ray

        waiting = [task.remote(job, self._families[job.family], data, rows, **self._how) for job, rows in asked]
        yield from (ray.get(answer) for answer in waiting)

    def _task(self, function: Callable[..., Any]) -> tuple[Any, Any]:
        """`function` as a Ray task of this runner's size, and the data where tasks find it."""
        self._start()
        import ray

        if self._shared is None:
            self._shared = ray.put(self._data)
        return ray.remote(function).options(
            num_cpus=self._threads, num_gpus=gpu_share(self._families.values()), max_retries=2
        ), self._shared


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
