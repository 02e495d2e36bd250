"""Models by the names that people type, and which of them is asked when none is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS
from ravdess.errors import BadBundle, NoModel
from ravdess.search.shelf import default_model, kept_models, load_model
from storage import Store
from tests.test_bundle import rewrite


@pytest.fixture(scope="module")
def store(made_store: Path) -> Store:
    return Store(made_store)


@pytest.fixture
def shelf(store: Store, tmp_path: Path) -> Callable[..., None]:
    """Put a copy of a model on a shelf of one's own, with another description."""
    own = Store(tmp_path)

    def put(name: str, **change: Any) -> None:
        folder = own.new_model(name)
        shutil.copytree(Path(store.model("made-svm-mfcc_stats").path()), folder.path(), dirs_exist_ok=True)

        def tell(told: dict[str, Any]) -> None:
            for key, value in change.items():
                told[key] = {**told[key], **value} if isinstance(value, dict) else value

        rewrite(Path(folder.path()), tell)

    return put


def test_all_models_are_listed_with_what_they_are_worth(store: Store) -> None:
    kept = kept_models(store)
    assert {one.title for one in kept} == {"made-svm-mfcc_stats/1", "made-lightgbm-mfcc_stats/1"}
    results = pd.read_parquet(f"{store.url}/runs/small/results.parquet").set_index("family")
    for one in kept:
        assert one.uar == pytest.approx(results.loc[one.family, "uar"])
        assert one.made
        assert not one.enrolled
        assert one.protocol == "loao"
        assert one.answered is not None
    assert (kept[0].uar or 0) >= (kept[1].uar or 0)
    assert default_model(store) == kept[0]


@pytest.mark.parametrize(
    "name",
    ["made-svm-mfcc_stats", "made-svm-mfcc_stats/1", "models/made-svm-mfcc_stats/1", "small/svm/loao-03",
     "runs/small/folds/svm/loao-03"],
)  # fmt: skip
def test_a_name_finds_its_model(store: Store, name: str) -> None:
    bundle = load_model(store, name)
    assert bundle.family == "svm"
    assert bundle.facts["left_out"] == (["sample/03"] if "03" in name else [])


def test_a_bundles_folder_is_a_name(store: Store) -> None:
    assert load_model(store, store.model("made-lightgbm-mfcc_stats").path()).family == "lightgbm"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("svm", r"no model 'svm' in .*expected one of \['made-lightgbm-mfcc_stats', 'made-svm-mfcc_stats'\]"),
        ("made-svm-mfcc_stats/7", r"no model made-svm-mfcc_stats number 7, there are \[1\]"),
        ("small/svm/99", r"run small keeps no model svm/99, it has \['lightgbm/loao-01', .*'svm/loao-06'\]"),
        ("../../etc/passwd", "no model '../../etc/passwd'"),
        ("", "no model ''"),
    ],
)
def test_a_name_of_nothing_says_what_there_is(store: Store, name: str, said: str) -> None:
    with pytest.raises(NoModel, match=said):
        load_model(store, name)


def test_an_empty_store_gives_the_command_that_makes_a_model(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match=r"python jobs/tune.py --family svm --features voice_stats --store"):
        default_model(Store(tmp_path))
    with pytest.raises(NoModel, match="--normalise actor"):
        default_model(Store(tmp_path), enrolled=True)


def test_the_best_model_of_people_that_needs_only_clips_is_asked(shelf: Any, tmp_path: Path) -> None:
    shelf("made", facts={"made": True}, scores={"uar": 0.9})
    with_made = default_model(Store(tmp_path))
    assert with_made.name == "made", "better than nothing"
    shelf("weak", facts={"made": False}, scores={"uar": 0.4})
    shelf("weak", facts={"made": False}, scores={"uar": 0.4})
    shelf("good", facts={"made": False}, scores={"uar": 0.6})
    shelf("enrolled", facts={"made": False}, scores={"uar": 0.7}, enrolled=True)
    shelf("foreign", facts={"made": False}, scores={"uar": 0.8}, fingerprint="foreign:0123456789abcdef")
    assert [one.title for one in kept_models(Store(tmp_path))] == [
        "good/1", "weak/2", "weak/1", "enrolled/1", "foreign/1", "made/1",
    ]  # fmt: skip
    Store(tmp_path).new_model("base").write("bundle.json", b'{"kind": "a network to start from"}')
    assert default_model(Store(tmp_path)).title == "good/1"
    assert default_model(Store(tmp_path), enrolled=True).title == "enrolled/1"


def test_the_judges_models_give_the_runs_predictions(store: Store) -> None:
    said = pd.read_parquet(f"{store.url}/runs/small/predictions.parquet")
    table = store.features("mfcc_stats")
    for (family, fold), mine in said.groupby(["family", "fold"]):
        rows = table[table["take"].isin(mine["take"])].sort_values("take")
        bundle = load_model(store, f"small/{family}/{fold}")
        assert isinstance(bundle, Bundle)
        p = bundle.predict_proba(rows)
        assert np.array_equal(p, mine.sort_values("take")[[f"p_{word}" for word in EMOTIONS]].to_numpy())


def test_a_description_that_cannot_be_read_is_named(store: Store, shelf: Any, tmp_path: Path) -> None:
    shelf("one")
    path = Path(Store(tmp_path).model("one").path("bundle.json"))
    path.write_text(path.read_text()[:100])
    with pytest.raises(BadBundle, match=r"models/one/1/bundle.json cannot be read"):
        kept_models(Store(tmp_path))
