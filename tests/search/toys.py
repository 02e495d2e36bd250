"""Small made tables and a family that is fast, exact and tells on itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ravdess.clips import EMOTIONS, all_takes
from ravdess.families import Family
from ravdess.families.space import Choice, Params, Real, Space

if TYPE_CHECKING:
    from ravdess.families import Floats, Labels


def table(
    actors: Iterable[int] = range(1, 13),
    *,
    columns: int = 6,
    noise: float = 1.5,
    seed: int = 0,
    corpus: str = "ravdess",
) -> pd.DataFrame:
    """A feature table of 16 spoken takes an actor: each emotion has a centre, each actor an offset, each take noise."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(EMOTIONS), columns))
    offsets = rng.normal(size=(100, columns)) / 2
    rows = []
    for clip in all_takes():
        number = int(clip.actor)
        if clip.channel != "speech" or number not in actors or clip.statement != "kids" or clip.intensity != "normal":
            continue
        x = centres[EMOTIONS.index(clip.emotion)] + offsets[number] + noise * rng.normal(size=columns)
        rows.append(
            {
                "clip": clip.name,
                "take": clip.take,
                "corpus": corpus,
                "actor": clip.actor,
                "gender": clip.gender,
                "channel": clip.channel,
                "emotion": clip.emotion,
                "intensity": clip.intensity,
                "statement": clip.statement,
                "repetition": clip.repetition,
                "modality": clip.modality,
                "source": f"{clip.name}.wav",
                "source_digest": "0" * 64,
                **{f"f{at}": np.float32(value) for at, value in enumerate(x)},
            }
        )
    return pd.DataFrame(rows)


class Centroids:
    """Nearest weighted centroid; stage s knows the first s columns only."""

    classes_: Labels
    fitted: list[tuple[str, NDArray[np.float32]]] = []  # noqa: RUF012  # shared on purpose: it counts

    def __init__(self, params: Params, stages: Sequence[int]) -> None:
        self._params, self._stages = params, stages

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Centroids:
        if self._params["metric"] == "broken":
            raise ValueError("this candidate cannot be fitted")
        if self._params["metric"] == "deadly":
            os._exit(1)
        self.classes_ = np.unique(y)
        self._centres = np.array([X[y == word].mean(axis=0) for word in self.classes_])
        Centroids.fitted.append((repr(sorted(self._params.items())), X.copy()))
        return self

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        *_, last = self.staged_predict_proba(X)
        return last

    def staged_predict_proba(self, X: Floats) -> Iterator[NDArray[np.float64]]:
        power, sharp = (2.0 if self._params["metric"] == "square" else 1.0), float(self._params["sharp"] or 0)
        gaps = np.abs(X[:, None, :] - self._centres[None]) ** power
        for stage in self._stages:
            # `sharp` fades later columns, so that it matters which one is chosen.
            fade = sharp ** np.arange(stage)
            score = np.exp(-(gaps[:, :, :stage] * fade).sum(axis=2))
            yield (score + 1e-12) / (score + 1e-12).sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


STAGES = (2, 4, 6)


def centroids(*, broken: bool = False, deadly: bool = False) -> Family:
    """The family; some of its candidates cannot be fitted when `broken`, or kill their process when `deadly`."""

    def build(params: Params, seed: int = 0, threads: int = 1) -> Centroids:
        return Centroids(params, STAGES)

    def load(folder: Path) -> Centroids:
        raise NotImplementedError

    metrics = ("square", *["broken"] * broken, *["deadly"] * deadly, "city")
    space: Space = {"metric": Choice(metrics), "sharp": Real(0.3, 1.2, step=0.15)}
    return Family("centroids", space, {"metric": "city", "sharp": 0.5}, build, load, "columns", STAGES)
