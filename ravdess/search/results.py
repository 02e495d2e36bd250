"""What a search found, as tables: the results, what each judge said, what was chosen and what was tried."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.clips import EMOTIONS
from ravdess.scores import score

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ravdess.calibration import Calibration
    from ravdess.families import Family
    from ravdess.scores import Scores
    from ravdess.search.explore import Explored
    from ravdess.search.ledger import Ledger, Record
    from ravdess.search.plan import Choice
    from ravdess.search.rows import Rows
    from ravdess.splits import Folds
    from storage import Store


@dataclass(frozen=True)
class Result:
    """A finished search.

    Attributes
    ----------
    run : str
    path : str
        The run's folder in the store.
    results : pd.DataFrame
        One row a family, best UAR first.
    choices : pd.DataFrame
        One row a family and judge: what was chosen for that judge, and what the judge said.
    summary : dict
        Everything else: what was asked, what it cost, what was left out, where the models are.
    found : bool
        Whether the run had been finished before.
    """

    run: str
    path: str
    results: pd.DataFrame
    choices: pd.DataFrame
    summary: dict[str, Any]
    found: bool = False

    @classmethod
    def read(cls, store: Store, run: str, summary: dict[str, Any], *, found: bool) -> Result:
        """The result of a finished run, from the store."""
        folder = store.folder(f"runs/{run}")
        results, choices = (folder.read_table(f"{name}.parquet").to_pandas() for name in ("results", "choices"))
        return cls(run, folder.path(), results, choices, summary, found)


def predictions_frame(
    rows: Rows, family: str, answers: Sequence[tuple[str, NDArray[np.intp], NDArray[np.float64]]]
) -> pd.DataFrame:
    """What each fold's model said of the rows that it never saw.

    Parameters
    ----------
    rows : Rows
    family : str
    answers : sequence of (fold, positions [shape=(m,)], probabilities [shape=(m, 8)])

    Returns
    -------
    pd.DataFrame
        The clip columns, then family, fold, predicted and one ``p_<emotion>`` a word; sorted by take.
    """
    import pandas as pd

    at = np.concatenate([where for _, where, _ in answers])
    p = np.concatenate([said for _, _, said in answers])
    frame = rows.clips.iloc[at].reset_index(drop=True)
    frame["family"] = family
    frame["fold"] = np.concatenate([np.full(len(where), fold) for fold, where, _ in answers])
    frame["predicted"] = np.array(EMOTIONS)[np.argmax(p, axis=1)]
    said = pd.DataFrame({f"p_{word}": p[:, k] for k, word in enumerate(EMOTIONS)})
    return pd.concat([frame, said], axis=1).iloc[np.argsort(at)].reset_index(drop=True)


def calibrate(predictions: pd.DataFrame) -> Calibration:
    """The calibration of one family's kept model, by its folds' models' predictions."""
    from ravdess.calibration import Calibration

    p = predictions[[f"p_{word}" for word in EMOTIONS]].to_numpy(dtype=np.float64)
    truth = np.array([EMOTIONS.index(word) for word in predictions["emotion"]])
    return Calibration.fit(p, truth, predictions["fold"].to_numpy(dtype=np.str_))


def score_family(predictions: pd.DataFrame, *, seed: int) -> Scores:
    """Scores of one family's out-of-fold predictions, pooled over all judged takes; intervals resample actors."""
    columns = {name: predictions[name].to_numpy(dtype=np.str_) for name in ("emotion", "predicted", "actor", "fold")}
    return score(columns["emotion"], columns["predicted"], columns["actor"], fold=columns["fold"], seed=seed)


def results_frame(
    predictions: Mapping[str, pd.DataFrame],
    *,
    scored: Mapping[str, Scores],
    found: Explored,
    kept: Mapping[str, str],
    facts: Mapping[str, Any],
    folds: Folds,
) -> pd.DataFrame:
    """One row a family, best UAR first: how well, on whom, and everything that fixes the number."""
    import pandas as pd

    rows = []
    for family, frame in predictions.items():
        scores, final = scored[family], found.choices[family].get(folds.final.name)
        rows.append(
            {
                "run": facts["run"],
                "family": family,
                "features": facts["features"],
                "protocol": facts["protocol"],
                "enrolled": facts["enrolled"],
                "actors": sorted(frame["actor"].unique()),
                "uar": scores["uar"],
                "uar_low": scores["uar_low"],
                "uar_high": scores["uar_high"],
                "accuracy": scores["accuracy"],
                "accuracy_low": scores["accuracy_low"],
                "accuracy_high": scores["accuracy_high"],
                "macro_f1": scores["macro_f1"],
                "macro_f1_low": scores["macro_f1_low"],
                "macro_f1_high": scores["macro_f1_high"],
                "fold_uar_std": scores["uar_spread"],
                "chance": 1 / frame["emotion"].nunique(),
                "n_takes": len(frame),
                "folds": [f"{name}: {' '.join(members)}" for name, members in folds.judges.items()],
                "corpus": facts["corpus"],
                "channel": facts["channel"],
                "label": label(facts),
                "leaky": facts["leaky"],
                "made": facts["made"],
                "seed": facts["seed"],
                "search": facts["search"],
                "samples": facts["samples"],
                "fits_a_candidate": found.fits_a_candidate,
                "params": json.dumps(final.candidate.params, sort_keys=True) if final else "",
                "stage": final.stage if final else None,
                "model": kept.get(family, ""),
                "fingerprint": facts["fingerprint"],
                "rows_digest": facts["rows_digest"],
                "table_version": facts["table_version"],
                "versions": json.dumps(facts["versions"], sort_keys=True),
            }
        )
    frame = pd.DataFrame(rows).astype({"stage": "Int64", "table_version": "Int64"})
    return frame.sort_values("uar", ascending=False, kind="stable", ignore_index=True)


def label(facts: Mapping[str, Any]) -> str:
    """What must be said with every number of a run, in a few words; empty when there is nothing."""
    said = []
    if facts["leaky"]:
        said.append("LEAKY: the same actors train and judge")
    if facts["made"]:
        said.append("made sample corpus, not people")
    if facts["enrolled"]:
        said.append("enrolled: each actor normalised by their own unlabelled clips")
    return "; ".join(said)


def actors_frame(predictions: pd.DataFrame, family: str, actors: Mapping[str, float]) -> pd.DataFrame:
    """UAR of each judged actor."""
    mine = predictions.groupby(["corpus", "actor", "gender"], as_index=False).size()
    mine = mine.rename(columns={"size": "takes"})
    mine.insert(0, "family", family)
    mine["uar"] = [actors[actor] for actor in mine["actor"]]
    return mine


def choices_frame(
    chosen: Mapping[str, Mapping[str, Choice]],
    folds: Mapping[str, Mapping[str, float]],
    models: Mapping[tuple[str, str], str],
) -> pd.DataFrame:
    """What was chosen for each judge and for the model that is kept, with what the judge then said."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "family": family,
                "judge": judge,
                "candidate": choice.candidate.id,
                "params": json.dumps(choice.candidate.params, sort_keys=True),
                "stage": choice.stage,
                "round": choice.round,
                "chosen_from": choice.seen,
                "choosers_uar": choice.uar,
                "judged_uar": folds.get(family, {}).get(judge, float("nan")),
                "model": models.get((family, judge), ""),
            }
            for family, some in chosen.items()
            for judge, choice in some.items()
        ]
    ).astype({"stage": "Int64"})


def trials_frame(
    records: Sequence[Record], stages: Mapping[str, Sequence[int]], order: Mapping[tuple[str, str, str], int]
) -> pd.DataFrame:
    """Every score that chose: one row a trial, fit, choosing fold and stage. None of them is a result.

    `drawn` is the candidate's place in the search for the trial's question, from 1; where a trial serves all
    questions, in that for the model that is kept, and nothing where that search did not have it.
    """
    import pandas as pd

    rows = []
    for record in records:
        about = {
            "family": record["family"],
            "candidate": record["candidate"],
            "params": json.dumps(record["params"], sort_keys=True),
            "round": record["round"],
            "question": record["question"],
            "drawn": order.get((record["family"], record["question"] or "final", record["candidate"])),
        }
        for fit in record["fits"]:
            fitted = {**about, "excluded": "+".join(fit["excluded"]), "seconds": fit["seconds"]}
            if "error" in fit:
                rows.append({**fitted, "choosers": "", "stage": None, "uar": None, "error": fit["error"]})
            for choosers, curve in fit["curves"]:
                named = {**fitted, "choosers": "+".join(choosers)}
                steps: list[int | None] = [*stages[record["family"]]] or [None]
                rows += [{**named, "stage": at, "uar": uar, "error": ""} for at, uar in zip(steps, curve, strict=True)]
    about_it = ("family", "candidate", "params", "round", "question", "drawn")
    said = ("excluded", "choosers", "stage", "uar", "seconds", "error")
    kinds = {"drawn": "Int64", "stage": "Int64", "uar": "float64"}
    return pd.DataFrame(rows, columns=[*about_it, *said]).astype(kinds)


def write_results(
    ledger: Ledger,
    *,
    found: Explored,
    predictions: Mapping[str, pd.DataFrame],
    scored: Mapping[str, Scores],
    kept: Mapping[str, str],
    facts: Mapping[str, Any],
    families: Mapping[str, Family],
    folds: Folds,
    notes: Sequence[str],
    workers: int,
) -> Result:
    """Write the run's tables and then its summary, which makes it finished."""
    import pandas as pd
    import pyarrow as pa

    models = {
        (family, judge): ledger.model(family, judge).path()
        for family, some in found.choices.items()
        for judge in some
        if judge != folds.final.name
    } | {(family, folds.final.name): path for family, path in kept.items()}
    by_fold = {family: scores["folds"] for family, scores in scored.items()}
    said = pd.concat(predictions.values(), ignore_index=True)
    people = [actors_frame(frame, family, scored[family]["actors"]) for family, frame in predictions.items()]
    stages = {name: list(family.stages) for name, family in families.items()}
    tables = {
        "results": results_frame(predictions, scored=scored, found=found, kept=kept, facts=facts, folds=folds),
        "predictions": said,
        "actors": pd.concat(people, ignore_index=True),
        "choices": choices_frame(found.choices, by_fold, models),
        "trials": trials_frame(ledger.records, stages, found.order),
    }
    for name, frame in tables.items():
        ledger.folder.write_table(f"{name}.parquet", pa.Table.from_pandas(frame, preserve_index=False))
    failed = [fit["error"] for record in ledger.records for fit in record["fits"] if "error" in fit]
    effort = found.effort
    summary = {
        **facts,
        "label": label(facts),
        "path": ledger.folder.path(),
        "models": dict(kept),
        "failed_families": found.failed,
        "failed_fits": len(failed),
        "failed_because": sorted(set(failed))[:5],
        "notes": list(notes),
        "effort": {
            "folds": len(folds.judges),
            "fits_a_candidate": found.fits_a_candidate,
            "trials": effort.trials,
            "fits": effort.fits,
            "fit_seconds": effort.fit_seconds,
            "wall_seconds": effort.wall_seconds,
            "workers": workers,
            "beyond_the_fits_a_trial": effort.beyond_a_trial(workers),
        },
    }
    ledger.finish(summary)
    return Result(ledger.run, ledger.folder.path(), tables["results"], tables["choices"], summary)
