"""A search over takes of frames: rows from the index, lazy takes, bundles that take frames, and no leak."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from ravdess.bundle import Bundle
from ravdess.errors import BadBundle, BadTable
from ravdess.families import FAMILIES, Family
from ravdess.families.common import read_about, write_about
from ravdess.families.space import Choice, Params
from ravdess.search import Result, search
from ravdess.search.resources import seconds_a_fit
from ravdess.search.rows import choose_rows
from ravdess.search.run import InProcess
from ravdess.takes import HeldTakes
from storage import Store
from tests.search import toys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.takes import Pictures, Takes

SHAPE = (6, 1, 1)


class Brightness:
    """Nearest mean frame; stage s knows the first s rows of a picture only."""

    classes_: NDArray[np.str_]
    stages = (2, 6)

    def __init__(self, params: Params, seed: int = 0, threads: int = 1, **more: object) -> None:
        self._params = params

    def fit(self, X: Takes, y: NDArray[np.str_], sample_weight: NDArray[np.float64] | None = None) -> Brightness:
        self.classes_ = np.unique(y)
        looks = self._looks(X)
        self._centres = np.array([looks[y == word].mean(axis=0) for word in self.classes_])
        return self

    @staticmethod
    def _looks(X: Takes) -> NDArray[np.float64]:
        return np.array([X[at].mean(axis=(0, 2, 3)) for at in range(len(X))])

    def predict_proba(self, X: Takes) -> NDArray[np.float64]:
        *_, last = self.staged_predict_proba(X)
        return last

    def staged_predict_proba(self, X: Takes) -> Iterator[NDArray[np.float64]]:
        gaps = np.abs(self._looks(X)[:, None] - self._centres[None]) / 30 * (self._params["kind"] != "blind")
        for stage in self.stages:
            score = np.exp(-gaps[:, :, :stage].sum(axis=2)) + 1e-12
            yield score / score.sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        write_about(folder, "brightness", self.classes_, self._params, centres=self._centres.tolist())


def load(folder: Path) -> Brightness:
    about = read_about(folder, "brightness")
    model = Brightness(about["params"])
    model.classes_, model._centres = np.array(about["classes"]), np.array(about["centres"])
    return model


@pytest.fixture(autouse=True)
def brightness(monkeypatch: pytest.MonkeyPatch) -> Family:
    made = Family(
        "brightness", {"kind": Choice(("plain",))}, {"kind": "plain"}, Brightness, load, "rows", (2, 6), input="frames",
        unfit=lambda shape: "" if shape[2] == 1 else "takes grey pictures only",
    )  # fmt: skip
    _ = list(FAMILIES)
    monkeypatch.setitem(FAMILIES._items, "brightness", made)
    return made


def frames_of(table: pd.DataFrame, shape: tuple[int, int, int] = SHAPE) -> dict[str, Pictures]:
    """Each take's numbers as brightness, a few noisy frames of it."""
    rng = np.random.default_rng(3)
    columns = [f"f{at}" for at in range(6)]
    made = {}
    for take, numbers in zip(table["take"], table[columns].to_numpy(), strict=True):
        count = int(rng.integers(2, 6))
        level = 128 + 14 * numbers[:, None, None] + rng.normal(size=(count, *shape))
        made[take] = np.clip(np.rint(level), 0, 255).astype(np.uint8)
    return made


def index_of(table: pd.DataFrame, frames: dict[str, Pictures]) -> pd.DataFrame:
    index = table[[name for name in table.columns if not (name[0] == "f" and name[1:].isdigit())]].copy()
    taken = [frames[take] for take in table["take"]]
    index["shard"], index["first"] = "x", 0
    index["count"] = [len(one) for one in taken]
    index["crc32"] = [zlib.crc32(one.tobytes()) for one in taken]
    return index


def run(home: Path, table: pd.DataFrame, frames: dict[str, Pictures], **options: Any) -> Result:
    asked: dict[str, Any] = {"families": ["brightness"], "features": "toy", "samples": 1, "grid": 0, **options}
    asked.setdefault("runner", lambda data, families: InProcess(data, families, seed=0))
    takes: Callable[[list[str]], Takes] = lambda names: HeldTakes([frames[name] for name in names])  # noqa: E731
    return search(index_of(table, frames), Store(home), takes=takes, **asked)


def test_a_search_over_frames_gives_results_and_bundles_that_take_frames(tmp_path: Path) -> None:
    table = toys.table(noise=0.5)
    frames = frames_of(table)
    result = run(tmp_path, table, frames)
    row = result.results.iloc[0]
    assert row["uar"] > 0.6
    assert row["stage"] == 6
    bundle = Bundle.load(Path(result.summary["models"]["brightness"]))
    assert bundle.shape == SHAPE
    assert bundle.columns == ()
    assert bundle.standardiser is None
    some = [frames[take] for take in table["take"][:5]]
    assert (bundle.predict(some) == table["emotion"][:5]).mean() >= 0.6
    with pytest.raises(BadTable, match=r"frames are \(5, 1, 1\), the model takes \(6, 1, 1\) of 'toy'"):
        bundle.predict_proba([one[:, :5] for one in some])
    with pytest.raises(BadTable, match="give takes, not a table"):
        bundle.predict_proba(np.zeros((3, 6)))
    assert bundle.predict_proba([]).shape == (0, 8)


def test_enrolment_of_sound_frames_is_declared_and_repeated_by_the_bundle(tmp_path: Path) -> None:
    """Actors whose voices differ in level: plain fails on them, enrolled does not, and the kept model enrols, too."""
    table = toys.table(noise=0.3)
    shift = table["actor"].astype(int).to_numpy() % 5 * 1.5
    columns = [f"f{at}" for at in range(6)]
    table[columns] = table[columns].add(shift, axis=0).astype(np.float32)
    frames = frames_of(table)
    plain, enrolled = run(tmp_path, table, frames), run(tmp_path, table, frames, normalise="actor")
    assert enrolled.results.iloc[0]["uar"] > plain.results.iloc[0]["uar"] + 0.05
    assert enrolled.results.iloc[0]["enrolled"]
    bundle = Bundle.load(Path(enrolled.summary["models"]["brightness"]))
    own = table[table["actor"] == "03"]
    taken = [frames[take] for take in own["take"]]
    said = bundle.predict(taken, ["ravdess/03"] * len(taken))
    assert (said == own["emotion"]).mean() > 0.7
    with pytest.raises(BadTable, match="this model is enrolled"):
        bundle.predict_proba(taken)


def test_pictures_have_no_enrolment(tmp_path: Path) -> None:
    table = toys.table()
    with pytest.raises(BadTable, match=r"frames of \(6, 2, 1\) are pictures: enrolment is defined for sound"):
        run(tmp_path, table, frames_of(table, (6, 2, 1)), normalise="actor")


def test_families_and_features_that_do_not_fit_are_told_apart(tmp_path: Path) -> None:
    table = toys.table()
    with pytest.raises(BadTable, match=r"svm takes a feature table, and toy is a set of frames \(6, 1, 1\); families"):
        run(tmp_path, table, frames_of(table), families=["svm"])
    with pytest.raises(BadTable, match=r"brightness takes frames, and toy is a feature table; .*'svm'"):
        search(table, Store(tmp_path), families=["brightness"], features="toy")
    with pytest.raises(BadTable, match="brightness takes grey pictures only, and toy is a set of frames"):
        run(tmp_path, table, frames_of(table, (6, 2, 3)))


def test_all_families_are_those_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(FAMILIES):
        if name != "brightness" and FAMILIES[name].input == "frames":
            monkeypatch.delitem(FAMILIES._items, name)
    table = toys.table()
    assert list(run(tmp_path, table, frames_of(table), families=["all"]).results["family"]) == ["brightness"]


def test_how_long_a_fit_takes_is_guessed_before_the_first() -> None:
    cnn, deep = FAMILIES["cnn"], FAMILIES["deep_cnn"]
    small = seconds_a_fit(cnn, (48, 48, 1), 48)
    assert 3 < small < 15, "640 small steps, and the start, which no arithmetic tells"
    assert seconds_a_fit(cnn, (48, 48, 1), 4800) > 10 * small
    assert seconds_a_fit(deep, (256, 256, 1), 1440) > 24 * 3600
    assert seconds_a_fit(FAMILIES["svm"], None, 1440) == seconds_a_fit(FAMILIES["brightness"], SHAPE, 1440) == 0


def test_the_digest_notices_a_byte_a_label_and_a_frame() -> None:
    table = toys.table(range(1, 4))
    frames = frames_of(table)

    def digest(table: pd.DataFrame, frames: dict[str, Pictures]) -> str:
        takes = lambda names: HeldTakes([frames[name] for name in names])  # noqa: E731
        return choose_rows(index_of(table, frames), features="toy", takes=takes).digest

    first = digest(table, frames)
    assert digest(table.sample(frac=1, random_state=0), frames) == first
    take = str(table["take"][0])
    other = frames[take].copy()
    other[0, 0] ^= 1
    for changed in ({take: other}, {take: frames[take][:-1]}):
        assert digest(table, {**frames, **changed}) != first
    label = table.copy()
    label.loc[0, "emotion"] = "sad" if label.loc[0, "emotion"] != "sad" else "calm"
    assert digest(label, frames) != first
    with pytest.raises(BadTable, match=r"lacks the columns \['crc32'\]"):
        choose_rows(index_of(table, frames).drop(columns="crc32"), features="toy", takes=lambda _: HeldTakes([other]))


@pytest.mark.parametrize("enrolled", [False, True])
def test_a_judged_actors_frames_and_labels_move_nothing_before_they_are_judged(
    tmp_path: Path, *, enrolled: bool
) -> None:
    """With the judged actors' frames and labels replaced, the judge's own model is the same to the last bit."""
    table = toys.table(noise=0.5)
    frames = frames_of(table)
    judged = table["actor"].isin(["01", "11"])  # the fold emobox-1
    garbage, words = dict(frames), table.copy()
    rng = np.random.default_rng(0)
    for take in table["take"][judged]:
        garbage[take] = rng.integers(0, 256, size=(3, *SHAPE), dtype=np.uint8)
    words.loc[judged, "emotion"] = "disgust"
    normalise = "actor" if enrolled else None
    one = run(tmp_path / "one", table, frames, normalise=normalise)
    two = run(tmp_path / "two", words, garbage, normalise=normalise)

    def model(result: Result, judge: str) -> list[list[float]]:
        said = Bundle.load(Path(result.path, "folds", "brightness", judge)).estimator
        centres: list[list[float]] = said._centres.tolist()  # type: ignore[attr-defined]
        return centres

    assert model(one, "emobox-1") == model(two, "emobox-1")
    assert model(one, "emobox-2") != model(two, "emobox-2")  # the others did notice
    assert two.results.iloc[0]["uar"] < one.results.iloc[0]["uar"]


def test_bundles_of_neither_kind_are_refused(tmp_path: Path) -> None:
    table = toys.table(noise=0.5)
    bundle = Bundle.load(Path(run(tmp_path, table, frames_of(table)).summary["models"]["brightness"]))
    with pytest.raises(BadBundle, match="either rows, with a standardiser, or frames"):
        Bundle(
            estimator=bundle.estimator, family="brightness", params={}, features="toy", fingerprint="0" * 16,
            columns=(), standardiser=None,
        )  # fmt: skip


def test_candidates_that_are_behind_are_stopped_on_frames_too(tmp_path: Path, brightness: Family) -> None:
    table = toys.table(noise=0.5)
    many = replace(brightness, space={"kind": Choice(("plain", "same", "again", "once more"))})
    result = run(tmp_path, table, frames_of(table), families=[many], samples=4, asha=True)
    trials = pd.read_parquet(f"{result.path}/trials.parquet")
    assert trials.groupby(["question", "candidate"])["excluded"].count().nunique() > 1, (
        "some saw fewer fits than others"
    )
    assert result.results.iloc[0]["uar"] > 0.6


@pytest.mark.ray
def test_ray_workers_read_the_frames_themselves(tmp_path: Path, ray_started: int, brightness: Family) -> None:
    table = toys.table(range(1, 12))
    frames = frames_of(table)
    assert len(pickle.dumps(HeldTakes([*frames.values()]))) > 0
    alone = run(tmp_path / "alone", table, frames, families=[brightness])
    result = run(tmp_path / "ray", table, frames, families=[brightness], runner=None)
    where = ["run", "model"]
    pd.testing.assert_frame_equal(result.results.drop(columns=where), alone.results.drop(columns=where))
