"""Families -> results, on Ray Tune: choosing and judging never share an actor.

Random candidates, the grid around the best, the final fit; all of it once for each judging fold, nested, at K(K-1)/2
fits a random candidate. `plan` says which fits there are and how one is chosen, `trial` what a worker does, `run` and
`on_tune` how Ray runs it, `adaptive` and `samplers` how one that learns is kept honest, `ledger` what is kept of
it, `explore` the rounds, `models` the last step, `results` the tables. This package and `ravdess.pipeline` alone know
Ray and the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import BadTable, NoModel, SearchFailed, UnknownName
from ravdess.search.asked import LEAKY, deal, make_request, run_name
from ravdess.search.augmented import augmentations, augmented
from ravdess.search.explore import Explorer
from ravdess.search.ledger import Ledger, unfinished_like
from ravdess.search.models import judge, keep_models
from ravdess.search.resources import seconds_a_fit
from ravdess.search.results import Result, score_family, write_results
from ravdess.search.rows import choose_rows
from ravdess.search.samplers import need_optuna
from ravdess.search.standing import Best, Step
from ravdess.search.teacher import taught, teach
from ravdess.search.trial import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from ravdess.families import Family
    from ravdess.search.run import Runner
    from ravdess.takes import Takes
    from storage import Store

__all__ = ["EFFORT", "LEAKY", "SEARCHES", "Best", "Result", "Step", "search"]

SEARCHES: Final = ("random", "optuna")
SAMPLES: Final = 8
GRID: Final = 4
EFFORT: Final[Mapping[str, Mapping[str, int]]] = {
    "table": {"samples": SAMPLES, "grid": GRID},
    "frames": {"samples": 2, "grid": 0},
}
"""What the job asks for unless told otherwise: a network's fit takes minutes where a table's takes a second."""


def search(
    table: pd.DataFrame,
    store: Store,
    *,
    families: Sequence[str | Family],
    features: str = "mfcc_stats",
    protocol: str = "emobox",
    seed: int = 0,
    samples: int = SAMPLES,
    grid: int | None = GRID,
    search: str = "random",
    asha: bool = False,
    normalise: str | None = None,
    test_actors: Iterable[str] | None = None,
    channel: str = "speech",
    corpus: str | None = None,
    run: str | None = None,
    fingerprint: str = "",
    table_version: int | None = None,
    takes: Callable[[list[str]], Takes] | None = None,
    notes: Sequence[str] = (),
    teacher: str | None = None,
    augment: bool = False,
    threads: int = 1,
    cpus: int | None = None,
    progress: Callable[[Step], Any] | None = None,
    runner: Callable[..., Runner] | None = None,
) -> Result:
    """Search families of models on a feature table or frame set, nested and actor-grouped, and keep the best of each.

    Asked again the same, it goes on where it was interrupted, and a finished run is only read.

    Parameters
    ----------
    table : pd.DataFrame
        A feature table of the store: clip columns, then features; one row a take. Or the index of a frame set.
    store : Store
        Where the run and the models are kept.
    families : sequence of str or Family
        "all" stands for every family that can use such features.
    features : str
        The name of the feature set or frame set.
    protocol : "emobox", "luna", "loao", "holdout" or "leaky_random"
        Who trains and who judges.
    seed : int
        Of the draws, the models and the intervals.
    samples : int > 0
        Candidates drawn a family, the defaults among them. With an adaptive search, as many for each judge.
    grid : int or None
        Most neighbours of the best that are tried for each judge; None: all of them.
    search : "random" or "optuna"
        Where candidates come from. "optuna" needs the extra of that name, and has no grid.
    asha : bool
        Whether to stop candidates that are behind after 1, 2, 4 … fits.
    normalise : "actor", optional
        The declared enrolment: each actor's clips are normalised by that actor's own, unlabelled clips.
    test_actors : iterable of str, optional
        Who judges under "holdout"; default: the last four present.
    channel : "speech", "song" or "both"
    corpus : str, optional
        Which, when the table holds several.
    run : str, optional
        The run's name; default: a readable one that ends in the request's hash.
    fingerprint, table_version
        Of the table, to be told by bundles and results. Default: the registered feature set's, and unknown.
    notes : sequence of str
        What is to be said of the table, such as takes that a join leaves out.
    teacher : "<run>" or "<run>/<family>", optional
        A finished run of the same folds, whose soft labels are learnt from beside the hard ones; takes whose emotion
        is unknown ("") are learnt from by them alone.
    augment : bool
        Whether to train on the same takes made otherwise, too, such as played faster: on every table of the store that
        `FeatureSet.augments` this one.
    takes : callable, optional
        Of a frame set: ``takes(names) -> ravdess.takes.Takes``, those takes in that order. Workers read the frames
        themselves; none pass through Ray.
    threads : int > 0
        Of each fit. A trial takes so many CPUs.
    cpus : int, optional
        Size of a Ray that is started here; default: all.
    progress : callable, optional
        Called with a `Step` as trials finish.
    runner : callable, optional
        What computes; default `run.OnRay`. `run.InProcess` needs no Ray.

    Returns
    -------
    Result

    Raises
    ------
    BadTable
        The table's rows cannot be used, or are too few for the protocol; or a family cannot use such features.
    RunMismatch
        `run` was begun with another request.
    SearchFailed
        No family had a candidate that could be fitted.
    NoModel
        A family begins with a model that the store lacks; the message says how to make it.
    MissingExtra
        `search="optuna"` without Optuna.
    """
    from importlib.metadata import version

    from ravdess.bundle_files import versions
    from ravdess.families import check_input, families_for, family
    from ravdess.foreign import is_foreign, needs
    from ravdess.frames import fingerprint_of
    from ravdess.search.run import OnRay

    if search not in SEARCHES:
        raise UnknownName("search", search, SEARCHES)
    if search == "optuna":
        need_optuna()
    zoo = _zoo(families)  # an unknown name is said before anything is read
    rows = choose_rows(table, features=features, channel=channel, corpus=corpus, takes=takes, unlabelled=bool(teacher))
    zoo = zoo or _zoo([name for name in families_for(rows.frames) if _begins(family(name), store)])
    check_input([*zoo.values()], features, rows.frames)
    for one in zoo.values():
        if one.needs is not None:
            one.needs(store)
    dealt, data = deal(rows, protocol=protocol, test_actors=test_actors, normalise=normalise, seed=seed)
    if now := fingerprint_of(features):
        if fingerprint not in ("", now):
            raise BadTable(
                f"the table of {features} was made with fingerprint {fingerprint}, which here is {now}: its numbers "
                "are others than a prediction would compute; featurize again into another store"
            )
        fingerprint = now
    asked = {"seed": seed, "samples": samples, "grid": grid, "search": search, "asha": asha, "normalise": normalise}
    if normalise:
        asked["enrolment"] = "credibility"  # what `ravdess.enrolment` estimates speakers by
    zoo, asked = taught(zoo, asked, store=store, teacher=teacher)
    data, asked = augmented(data, asked, augmentations(store, rows, features) if augment else {})
    request = make_request(zoo, rows, dealt, features=features, fingerprint=fingerprint, **asked)
    name = run_name(request, run)
    notes = [*notes, *dealt.notes, *unfinished_like(store, name, request)]
    if is_foreign(fingerprint):
        notes.append(needs(features, rows.columns))
    ledger = Ledger(store, name, request)
    if ledger.summary is not None:
        return Result.read(store, ledger.run, ledger.summary, found=True)
    data = replace(data, teaching=teach(store, teacher, rows, dealt, notes=notes, cpus=cpus, runner=runner))
    data = replace(data, scratch=ledger.scratch, shelf=store)
    tell = progress or (lambda step: None)
    hands = runner(data, zoo) if runner else OnRay(data, zoo, seed=seed, threads=threads, cpus=cpus)
    explorer = Explorer(
        zoo,
        dealt,
        hands,
        ledger,
        samples=samples,
        grid=grid,
        seed=seed,
        progress=tell,
        guess={
            name: seconds_a_fit(family, rows.frames, len(rows.y) * (1 + len(data.others)))
            for name, family in zoo.items()
        },
        workers=max(1, (cpus or len(os.sched_getaffinity(0))) // threads),
    )
    adaptive = asha or search != "random"
    found = explorer.hunt(sampler=search, stop=asha) if adaptive else explorer.random_then_grid()
    if not found.choices:
        raise SearchFailed("; ".join(found.failed.values()))
    facts = {
        "run": name,
        "features": features,
        "fingerprint": fingerprint,
        "foreign": is_foreign(fingerprint),
        "table_version": table_version,
        "protocol": protocol,
        "enrolled": normalise == "actor",
        "leaky": data.leaky,
        "corpus": rows.corpus,
        "made": rows.made,
        "channel": channel,
        "seed": seed,
        "samples": samples,
        "grid": grid,
        "takes": len(rows.y),
        "folds": {fold: list(people) for fold, people in dealt.judges.items()},
        "search": search + ("+asha" if asha else ""),
        "rows_digest": rows.digest,
        **({"teacher": teacher} if teacher else {}),
        **({"augment": list(request["augment"])} if augment else {}),
        "versions": {**versions(), "ray": version("ray"), "pandas": version("pandas")},
    }
    recipe = Recipe(features, fingerprint, rows.columns, facts)
    predictions = judge(
        found.choices,
        folds=dealt,
        data=data,
        rows=rows,
        runner=hands,
        ledger=ledger,
        recipe=recipe,
        progress=lambda done, total: tell(explorer.standing.models(done, total, hands.workers)),
    )
    scored = {family: score_family(frame, seed=seed) for family, frame in predictions.items()}
    kept: dict[str, str] = {}
    if not data.leaky:  # a model whose numbers are inflated is not kept for use
        kept = keep_models(
            found.choices,
            scores=scored,
            predictions=predictions,
            folds=dealt,
            store=store,
            runner=hands,
            ledger=ledger,
            recipe=recipe,
            prefix=("made-" if rows.made else "")
            + ("taught-" if teacher else "")
            + ("augmented-" if augment else "")
            + ("enrolled-" if normalise else ""),
        )
    return write_results(
        ledger,
        found=found,
        predictions=predictions,
        scored=scored,
        kept=kept,
        facts=facts,
        families=zoo,
        folds=dealt,
        notes=notes,
        workers=hands.workers,
    )


def _begins(family: Family, store: Store) -> bool:
    """Whether the store has the model that a family begins with, if it does."""
    try:
        if family.needs is not None:
            family.needs(store)
    except NoModel:
        return False
    return True


def _zoo(families: Sequence[str | Family]) -> Mapping[str, Family]:
    """The families by name, each once; none for "all". Raises UnknownName, which lists what there is."""
    from ravdess.families import FAMILIES, family

    if not families:
        raise UnknownName("family", "", FAMILIES)
    if "all" in families:
        return {}
    found = [family(one) if isinstance(one, str) else one for one in families]
    return {one.name: one for one in found}
