"""A store of made films: the voices' features, the faces' frames, and runs of an ear, an eye and both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ravdess.corpora import catalogue, read_bytes
from ravdess.extract import extract
from ravdess.families import FAMILIES, Family
from ravdess.families.common import read_about, write_about
from ravdess.families.space import Choice, Params
from ravdess.features import feature_set
from ravdess.pipeline.outcomes import Outcome, outcomes_table
from ravdess.pipeline.todo import Todo
from ravdess.search import search
from ravdess.search.fusion import fuse
from ravdess.search.run import InProcess
from storage import Store
from tests.pipeline.in_process import make_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.takes import Takes

SOURCE = "sample:actors=3,takes=4,modalities=audio-video,height=96"
ACTOR = "03"
"""Whom the model of fold loao-03 never saw."""


class Thumbnails:
    """Nearest mean face, in 64 cells: a network that costs nothing."""

    classes_: NDArray[np.str_]

    def __init__(self, params: Params, seed: int = 0, threads: int = 1, **more: object) -> None:
        self._params = params

    def fit(self, X: Takes, y: NDArray[np.str_], sample_weight: object = None) -> Thumbnails:
        looks = self._looks(X)
        self.classes_ = np.unique(y)
        self._centres = np.array([looks[y == word].mean(axis=0) for word in self.classes_])
        return self

    @staticmethod
    def _looks(X: Takes) -> NDArray[np.float64]:
        means = [X[at].mean(axis=(0, 3)) for at in range(len(X))]
        return np.array([one.reshape(8, len(one) // 8, 8, -1).mean(axis=(1, 3)).ravel() for one in means])

    def predict_proba(self, X: Takes) -> NDArray[np.float64]:
        gaps = np.square((self._looks(X)[:, None] - self._centres[None]) / 20).mean(axis=2)
        score = np.exp(-gaps)
        shares: NDArray[np.float64] = score / score.sum(axis=1, keepdims=True)
        return shares

    def save(self, folder: Path) -> None:
        write_about(folder, "thumbnails", self.classes_, self._params, centres=self._centres.tolist())


def load(folder: Path) -> Thumbnails:
    about = read_about(folder, "thumbnails")
    model = Thumbnails(about["params"])
    model.classes_, model._centres = np.array(about["classes"]), np.array(about["centres"])
    return model


@contextmanager
def thumbnails() -> Iterator[None]:
    """The family is registered while this lasts: bundles load families that are."""
    made = Family(
        "thumbnails", {"kind": Choice(("plain",))}, {"kind": "plain"}, Thumbnails, load, input="frames",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        list(FAMILIES)
        patch.setitem(FAMILIES._items, "thumbnails", made)
        yield


def in_process(data: Any, families: Any) -> InProcess:
    return InProcess(data, families, seed=0)


def filled(home: Path, folder: Path) -> Store:
    """`mfcc_stats` and `face_48` of the films in a folder, and the runs "ear" and "eye", fused as "both"."""
    store, found = Store(home), catalogue([str(folder)])
    sounds = [feature_set("mfcc_stats")]
    with Todo(found, store, sounds) as todo:
        sources = todo.clips["source"].to_pylist()
        todo.commit([outcomes_table(sounds, [Outcome(at, *extract(one, sounds)) for at, one in enumerate(sources)])])
    make_frames(found, store, "face_48")
    asked: dict[str, Any] = {"protocol": "loao", "samples": 1, "grid": 0, "runner": in_process}
    search(store.features("mfcc_stats"), store, families=["svm"], run="ear", **asked)
    index = store.table("frames/face_48")
    search(
        index.read_sorted().to_pandas(), store, families=["thumbnails"], run="eye", features="face_48",
        fingerprint=index.fingerprint() or "", takes=store.frames("face_48").only, **asked,
    )  # fmt: skip
    fuse(store, ["ear", "eye"], run="both", say=lambda line: None, runner=in_process)
    return store


def films(home: Path) -> list[Path]:
    """The films as files."""
    clips = catalogue(SOURCE).clips
    made = [home / f"{clip}.mp4" for clip in clips["clip"].to_pylist()]
    for path, source in zip(made, clips["source"].to_pylist(), strict=True):
        path.write_bytes(read_bytes(source))
    return made
