"""From choices to models: one for each judge, loaded again to be judged once; then the one that is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.search.ledger import BUNDLE, Ledger, read_bundle, write_bundle
from ravdess.search.results import calibrate, predictions_frame
from ravdess.search.trial import Files, Fitted, Job, Recipe

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ravdess.search.plan import Choice
    from ravdess.search.rows import Rows
    from ravdess.search.run import Runner
    from ravdess.search.trial import Data
    from ravdess.splits import Folds
    from storage import Folder, Store

    Chosen = Mapping[str, Mapping[str, Choice]]

FINAL: Final = "final"
"""The name of the question that no fold judges: which model is kept."""
CLOSE: Final = 1e-6
"""How far a probability may move by saving and loading a model."""


def judge(
    chosen: Chosen,
    *,
    folds: Folds,
    data: Data,
    rows: Rows,
    runner: Runner,
    ledger: Ledger,
    recipe: Recipe,
    progress: Callable[[int, int], Any],
) -> dict[str, pd.DataFrame]:
    """Fit each judge's choice without that judge, keep it, load it from the store, and let the judge see it.

    This is the one time that a judge's rows are looked at. Models that an interrupted run kept are not fitted again.

    Returns
    -------
    dict of str to pd.DataFrame
        Family -> out-of-fold predictions, one row a judged take.
    """
    jobs = [
        Job(q.name, family, some[q.name].candidate.params, some[q.name].stage, q.judges)
        for family, some in chosen.items()
        for q in folds.questions
    ]
    ready = sum(ledger.model(job.family, job.name).exists(BUNDLE) for job in jobs)
    progress(ready, len(jobs))

    def keep(job: Job, fitted: Fitted) -> None:
        nonlocal ready
        write_bundle(ledger.model(job.family, job.name), fitted.files)
        ready += 1
        progress(ready, len(jobs))

    todo = [job for job in jobs if not ledger.model(job.family, job.name).exists(BUNDLE)]
    runner.fit_models(todo, recipe, keep)

    judged = {q.name: _labelled(data, data.split(q.judges)[1]) for q in folds.questions}

    def asked() -> Iterator[tuple[Files, NDArray[np.intp]]]:
        for job in jobs:
            yield read_bundle(ledger.model(job.family, job.name)), judged[job.name]

    answers: dict[str, list[tuple[str, NDArray[np.intp], NDArray[np.float64]]]] = {}
    for job, said in zip(jobs, runner.predict(asked()), strict=True):
        answers.setdefault(job.family, []).append((job.name, judged[job.name], said))
    return {family: predictions_frame(rows, family, some) for family, some in answers.items()}


def _labelled(data: Data, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those whose emotion is known: a teacher may have taught of others, but nobody can judge by them."""
    known: NDArray[np.intp] = rows[data.y[rows] != ""]
    return known


def keep_models(
    chosen: Chosen,
    *,
    scores: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, pd.DataFrame],
    folds: Folds,
    store: Store,
    runner: Runner,
    ledger: Ledger,
    recipe: Recipe,
    prefix: str,
) -> dict[str, str]:
    """Fit each family's final choice on everyone who may train, and keep it under ``models/`` with its scores.

    The kept model is read from the store again and must say what it said before.

    Returns
    -------
    dict of str to str
        Family -> the model's path.

    Raises
    ------
    BadBundle
        A model says something else after saving and loading.
    """
    # Under holdout the test actors never train: the numbers that come with the model are theirs.
    left_out = tuple(folds.actors) if folds.protocol == "holdout" else ()
    homes = {family: _home(store, ledger, family, f"{prefix}{family}-{recipe.features}") for family in chosen}
    jobs = []
    for family, some in chosen.items():
        if not _note(ledger, family).get("checked"):
            final = some[FINAL]
            about = dict(scores[family]), calibrate(predictions[family])
            jobs.append(Job(FINAL, family, final.candidate.params, final.stage, left_out, *about))
    said: dict[str, Fitted] = {}

    def keep(job: Job, fitted: Fitted) -> None:
        said[job.family] = fitted
        write_bundle(homes[job.family], fitted.files)

    runner.fit_models(jobs, recipe, keep)
    again = runner.predict((read_bundle(homes[job.family]), said[job.family].rows) for job in jobs)
    for job, answer in zip(jobs, again, strict=True):
        moved = float(np.abs(answer - said[job.family].said).max())
        if not moved <= CLOSE:
            raise BadBundle(
                f"the {job.family} model in {homes[job.family].path()!r} says something else after loading: "
                f"a probability moved by {moved:.2g}"
            )
        ledger.folder.write(_noted(job.family), json.dumps({"model": homes[job.family].name, "checked": True}).encode())
    return {family: home.path() for family, home in homes.items()}


def _noted(family: str) -> str:
    return f"kept-{family}.json"


def _note(ledger: Ledger, family: str) -> dict[str, Any]:
    """What the run knows of its model of `family`: its folder, and whether it said the same after loading."""
    name = _noted(family)
    return dict(json.loads(ledger.folder.read(name))) if ledger.folder.exists(name) else {}


def _home(store: Store, ledger: Ledger, family: str, name: str) -> Folder:
    """The folder that this run was given for its model of `family`: a new number once, the same on every rerun."""
    if note := _note(ledger, family):
        return store.folder(str(note["model"]))
    home = store.new_model(name)
    ledger.folder.write(_noted(family), json.dumps({"model": home.name, "checked": False}).encode())
    return home
