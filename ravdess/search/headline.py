"""The headline: one row each for sound, face and both, whose run and family were themselves chosen by inner folds.

The best of several rows is a choice, too, and chosen by what the judges said it would flatter itself. So for each
judge the run and family are taken whose choosers scored highest when that judge was left out, and of them the
predictions that they made of that judge. No model is fitted, and no judge's score is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ravdess.modality import modality_of
from ravdess.search.ledger import REQUEST, SUMMARY
from ravdess.search.models import FINAL
from ravdess.search.results import score_family

if TYPE_CHECKING:
    import pandas as pd

    from ravdess.scores import Scores
    from storage import Store


@dataclass(frozen=True, eq=False)
class Headline:
    """One row.

    Attributes
    ----------
    modality : "sound", "face" or "both"
    protocol : str
    enrolled : bool
    scores : Scores
    predictions : pd.DataFrame
        As of a run, with the columns run and family naming whose each row is.
    choices : pd.DataFrame
        One row a judge: judge, run, family, features, choosers_uar, and from how many it was chosen.
    """

    modality: str
    protocol: str
    enrolled: bool
    scores: Scores
    predictions: pd.DataFrame
    choices: pd.DataFrame


def headline(
    store: Store, *, protocol: str = "emobox", seed: int = 0, channel: str = "speech", corpus: str | None = None
) -> list[Headline]:
    """The rows that a store's finished runs give, sound before face before both, plain before enrolled.

    Runs are compared within the same judging folds and takes only; where a store holds several kinds, those with the
    most actors, and of these with the most takes, are used.

    Parameters
    ----------
    store : Store
    protocol : str
    seed : int
        Of the intervals.
    channel : str
    corpus : str, optional
        Default: the corpus of most actors that is not made by a program.
    """
    runs = [_run(store, name) for name in store.runs() if store.folder(f"runs/{name}").exists(SUMMARY)]
    wanted = [
        run
        for run in runs
        if run["protocol"] == protocol
        and not run["leaky"]
        and run["channel"] == channel
        and (run["corpus"] == corpus if corpus else not run["made"])
    ]
    kinds = {(run["modality"], run["enrolled"]) for run in wanted}
    found = []
    for modality in ("sound", "face", "both"):
        for enrolled in (False, True):
            if (modality, enrolled) in kinds:
                some = [run for run in wanted if (run["modality"], run["enrolled"]) == (modality, enrolled)]
                found.append(_row(store, some, modality, enrolled=enrolled, seed=seed))
    return found


def _run(store: Store, name: str) -> dict[str, Any]:
    folder = store.folder(f"runs/{name}")
    summary, request = (json.loads(folder.read(file)) for file in (SUMMARY, REQUEST))
    return {**summary, "run": name, "modality": modality_of(summary["features"]), "judges": request["folds"]}


def _row(store: Store, runs: list[dict[str, Any]], modality: str, *, enrolled: bool, seed: int) -> Headline:
    """Choose for each judge among runs of one kind, and put the judges' predictions together."""
    import pandas as pd

    def size(run: Mapping[str, Any]) -> tuple[int, int]:
        return sum(map(len, run["judges"].values())), int(run["takes"])

    most = max(runs, key=size)
    runs = [run for run in runs if run["judges"] == most["judges"] and run["takes"] == most["takes"]]
    tables = {run["run"]: _tables(store, run["run"]) for run in runs}
    choices, parts = [], []
    for judge in most["judges"]:
        candidates = [
            (float(row["choosers_uar"]), run["run"], str(row["family"]), run["features"])
            for run in runs
            for _, row in tables[run["run"]][0].iterrows()
            if row["judge"] == judge
        ]
        # A tie goes to the first by name, so that the answer depends on the scores alone.
        uar, run, family, features = max(sorted(candidates, key=lambda one: one[1:]), key=lambda one: one[0])
        said = tables[run][1]
        mine = said[(said["fold"] == judge) & (said["family"] == family)].assign(run=run)
        parts.append(mine)
        choices.append(
            {
                "judge": judge,
                "run": run,
                "family": family,
                "features": features,
                "choosers_uar": uar,
                "chosen_from": len(candidates),
            }
        )
    predictions = pd.concat(parts, ignore_index=True).sort_values("take", kind="stable", ignore_index=True)
    scores = score_family(predictions, seed=seed)
    return Headline(modality, most["protocol"], enrolled, scores, predictions, pd.DataFrame(choices))


def _tables(store: Store, run: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = store.folder(f"runs/{run}")
    choices = folder.read_table("choices.parquet").to_pandas()
    return choices[choices["judge"] != FINAL], folder.read_table("predictions.parquet").to_pandas()
