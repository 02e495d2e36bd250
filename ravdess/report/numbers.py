"""The numbers behind the figures that no table of a run holds. Each interval says what is drawn again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ravdess.clips import EMOTIONS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS: Final = 2000
ENDS: Final = (0.025, 0.975)
BINS: Final = 10
ENOUGH: Final = 8
"""Random candidates below which nothing is said of hyperparameters."""


class Interval(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def recalls(predictions: pd.DataFrame, *, seed: int = 0) -> dict[str, Interval]:
    """Emotion -> recall, for those that occur, with intervals by resampling actors (percentile bootstrap)."""
    hit = (predictions["emotion"] == predictions["predicted"]).to_numpy()
    hits, counts = (_by_actor(predictions, "emotion", EMOTIONS, some) for some in (hit, np.ones_like(hit)))
    return {
        word: interval
        for word, interval in zip(EMOTIONS, _ratios(hits, counts, seed), strict=True)
        if interval is not None
    }


def actors(predictions: pd.DataFrame, *, seed: int = 0) -> dict[str, Interval]:
    """Actor -> UAR, with intervals by resampling the actor's own takes of each emotion."""
    rng = np.random.default_rng(seed)
    found = {}
    for actor, mine in sorted(predictions.groupby("actor")):
        shares = mine.assign(hit=mine["emotion"] == mine["predicted"]).groupby("emotion")["hit"].agg(["mean", "size"])
        share, size = shares["mean"].to_numpy(), shares["size"].to_numpy()
        drawn = (rng.binomial(size, share, size=(DRAWS, len(size))) / size).mean(axis=1)
        low, high = np.quantile(drawn, ENDS).tolist()
        found[str(actor)] = Interval(float(share.mean()), low, high)
    return found


class Reliability(NamedTuple):
    """How far a model's confidence can be taken at its word.

    Attributes
    ----------
    bins : list of (confidence, Interval, takes)
        Takes by the probability of the emotion that was called, in ten equal steps of it: its mean, the share that
        were right, and how many. Steps without takes are left out.
    error : float
        Expected calibration error: the mean distance of share and confidence, weighted by takes.
    """

    bins: list[tuple[float, Interval, int]]
    error: float


def reliability(predictions: pd.DataFrame, *, seed: int = 0) -> Reliability:
    """Confidence beside the share that was right; intervals by resampling actors."""
    p = predictions[[f"p_{word}" for word in EMOTIONS]].to_numpy()
    sure = p.max(axis=1)
    at = np.minimum((sure * BINS).astype(int), BINS - 1)
    hit = (predictions["emotion"] == predictions["predicted"]).to_numpy()
    binned = predictions.assign(step=at)
    steps = list(range(BINS))
    hits, counts = (_by_actor(binned, "step", steps, some) for some in (hit, np.ones_like(hit)))
    bins, gap = [], 0.0
    for step, interval in zip(steps, _ratios(hits, counts, seed), strict=True):
        if interval is not None:
            mean, takes = float(sure[at == step].mean()), int((at == step).sum())
            bins.append((mean, interval, takes))
            gap += takes * abs(mean - interval.value)
    return Reliability(bins, gap / len(hit))


def _by_actor(rows: pd.DataFrame, column: str, words: Any, weight: NDArray[Any]) -> Floats:
    """Sums of `weight` by actor and word [shape=(actors, words)]."""
    owners, owner = np.unique(rows["actor"].to_numpy(dtype=np.str_), return_inverse=True)
    place = {word: at for at, word in enumerate(words)}
    sums = np.zeros((len(owners), len(place)))
    np.add.at(sums, (owner, rows[column].map(place).to_numpy()), weight)
    return sums


def _ratios(hits: Floats, counts: Floats, seed: int) -> list[Interval | None]:
    """hits/counts over all actors, column by column; None where there are no counts."""
    n = len(hits)
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    drawn_hits, drawn_counts = times @ hits, times @ counts
    found: list[Interval | None] = []
    for column, (hit, count) in enumerate(zip(hits.sum(axis=0), counts.sum(axis=0), strict=True)):
        if not count:
            found.append(None)
            continue
        there = drawn_counts[:, column] > 0
        low, high = np.quantile(drawn_hits[there, column] / drawn_counts[there, column], ENDS).tolist()
        found.append(Interval(float(hit / count), low, high) if n > 1 else Interval(float(hit / count), 0.0, 1.0))
    return found


class Tried(NamedTuple):
    """A candidate with all its inner scores.

    Attributes
    ----------
    drawn : int
        Which one it was, from 1.
    round : str
    params : dict
    uar, error : float
        Mean over the choosing folds, of the best stage; and its standard error over those folds.
    """

    drawn: int
    round: str
    params: dict[str, Any]
    uar: float
    error: float


def tried(trials: pd.DataFrame, family: str) -> list[Tried]:
    """The candidates of the search for the model that is kept, in the order in which they were drawn.

    Their scores chose: they are inner scores, and the best of them is optimistic. Candidates that lack a score, since
    a fit failed or they were drawn for one judge alone, are left out.
    """
    import pandas as pd

    mine = trials[(trials["family"] == family) & trials["question"].isin(["", "final"]) & trials["uar"].notna()]
    if not len(mine):
        return []
    mine = mine.assign(at=mine["stage"].astype("Float64").fillna(0).astype(float))
    pairs = mine.groupby("candidate").apply(lambda some: len(set(zip(some["excluded"], some["choosers"], strict=True))))
    found = []
    for place, (candidate, some) in enumerate(mine.groupby("candidate", sort=False)):
        if pairs[candidate] < pairs.max():
            continue
        stage = some.groupby("at")["uar"].mean().idxmax()
        folds = some[some["at"] == stage].groupby("choosers")["uar"].mean()
        error = float(folds.std(ddof=1) / len(folds) ** 0.5) if len(folds) > 1 else 0.0
        first = some.iloc[0]
        # Runs of an earlier version do not say when a candidate was drawn: then by name, the random round first.
        drawn = int(first["drawn"]) if "drawn" in some and pd.notna(first["drawn"]) else place + 1
        params = json.loads(first["params"])
        found.append(Tried(drawn, str(first["round"]), params, float(some[some["at"] == stage]["uar"].mean()), error))
    found.sort(key=lambda one: (one.round == "grid", one.drawn))
    return [one._replace(drawn=at) for at, one in enumerate(found, 1)]


class Mattered(NamedTuple):
    """How much one hyperparameter alone says of the inner scores.

    Attributes
    ----------
    name : str
    share : float
        0 … 1: the share of the candidates' variance between groups of its values, adjusted for the number of groups
        (epsilon squared: Kelley 1935, PNAS 21:554). Chance alone gives about 0.
    groups : list of (str, float, int)
        Values or ranges, the mean inner UAR of their candidates, and how many these are.
    values : list of (value, float)
        Each candidate's value and inner UAR.
    """

    name: str
    share: float
    groups: list[tuple[str, float, int]]
    values: list[tuple[Any, float]]


def mattered(candidates: list[Tried]) -> list[Mattered]:
    """The hyperparameters, the most telling first, over the candidates drawn at random (a grid looks where it is good).

    Numbers are grouped in thirds by rank; other values by themselves.
    """
    drawn = [one for one in candidates if one.round != "grid"]
    if len(drawn) < ENOUGH:
        return []
    found = []
    for name in sorted({name for one in drawn for name in one.params}):
        values = [(one.params[name], one.uar) for one in drawn if name in one.params]
        groups = _groups([value for value, _ in values])
        if len(groups) < 2:
            continue
        uar = np.array([score for _, score in values])
        members = [(label, uar[at]) for label, at in groups.items()]
        between = sum(len(some) * (some.mean() - uar.mean()) ** 2 for _, some in members)
        total, n, k = float(((uar - uar.mean()) ** 2).sum()), len(uar), len(members)
        within = (total - between) / (n - k) if n > k else 0.0
        share = max(0.0, float((between - (k - 1) * within) / total)) if total > 0 and n > k else 0.0
        told = [(label, float(some.mean()), len(some)) for label, some in members]
        found.append(Mattered(name, share, told, values))
    return sorted(found, key=lambda one: -one.share)


def _groups(values: list[Any]) -> dict[str, NDArray[np.intp]]:
    """Label -> positions: the values themselves where they are few or no numbers, else thirds by rank."""
    distinct = list(dict.fromkeys(values))
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numeric or len(distinct) <= 4:
        order = sorted(distinct) if numeric else sorted(distinct, key=str)
        return {_short(value): np.array([at for at, one in enumerate(values) if one == value]) for value in order}
    ordered = np.argsort(np.asarray(values, dtype=float), kind="stable")
    groups = {}
    for part in np.array_split(ordered, 3):
        low, high = values[part[0]], values[part[-1]]
        groups[f"{_short(low)} … {_short(high)}"] = part
    return groups


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
