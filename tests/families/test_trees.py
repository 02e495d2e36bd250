"""Forest and boosters: files that would crash their readers are refused, threads are honoured, stages are rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess.errors import BadBundle
from ravdess.families import family


def rows() -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    rng = np.random.default_rng(2)
    y = np.array(["angry", "calm", "sad"] * 30)
    return (rng.normal(size=(90, 6)) + np.arange(90)[:, None] % 3).astype(np.float32), y


def grown(X: NDArray[np.float32], y: NDArray[np.str_]) -> Any:
    """scikit-learn's own forest, as the family grows it with its defaults and seed 0."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(200, max_features=0.1, max_samples=1.0, random_state=0, n_jobs=1)
    return forest.fit(X, np.unique(y, return_inverse=True)[1], sample_weight=np.ones(len(y)))


def test_a_forest_says_what_scikit_learns_says_to_the_last_bit_before_and_after_saving(tmp_path: Path) -> None:
    X, y = rows()
    other = np.random.default_rng(5).normal(size=(500, 6)).astype(np.float32) * 2
    model = family("random_forest").build({}).fit(X, y)
    model.save(tmp_path)
    expected = grown(X, y).predict_proba(other)
    expected /= expected.sum(axis=1, keepdims=True)
    for one in (model, family("random_forest").load(tmp_path)):
        assert np.array_equal(one.predict_proba(other), expected)


def test_a_forest_saved_as_it_was_before_is_read(tmp_path: Path) -> None:
    from ravdess.families import skops_file

    X, y = rows()
    model = family("random_forest").build({}).fit(X, y)
    model.save(tmp_path)
    (tmp_path / "model.npz").unlink()
    skops_file.dump(grown(X, y), tmp_path)
    assert np.array_equal(family("random_forest").load(tmp_path).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 10**6), ("right_child", -7), ("left_child", 0), ("feature", 6), ("feature", -3)],
)
def test_a_forest_saved_before_whose_tree_points_outside_itself_is_refused(
    tmp_path: Path, field: str, value: int
) -> None:
    from sklearn.tree._tree import Tree

    from ravdess.families import skops_file

    X, y = rows()
    family("random_forest").build({}).fit(X, y).save(tmp_path)
    (tmp_path / "model.npz").unlink()
    forest = grown(X, y)
    first = forest.estimators_[0]
    state = first.tree_.__getstate__()
    state["nodes"][field][0] = value
    changed = Tree(6, np.array([3], dtype=np.intp), 1)
    changed.__setstate__(state)
    first.tree_ = changed
    skops_file.dump(forest, tmp_path)
    with pytest.raises(BadBundle, match="point outside themselves"):
        family("random_forest").load(tmp_path)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("left", 0, 10**6),
        ("left", 0, 0),
        ("right", 0, 1),  # the left child, shared
        ("right", 0, -7),
        ("feature", 0, 6),
        ("feature", 0, -3),
        ("threshold", 0, np.nan),
        ("sizes", 0, 1),
        ("columns", (), 2),
    ],
)
def test_a_forest_whose_trees_point_outside_themselves_is_refused(
    tmp_path: Path, name: str, place: Any, value: float
) -> None:
    X, y = rows()
    family("random_forest").build({}).fit(X, y).save(tmp_path)
    with np.load(tmp_path / "model.npz") as file:
        arrays = dict(file)
    arrays[name][place] = value
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(BadBundle, match="point outside themselves"):
        family("random_forest").load(tmp_path)


@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: a.astype(object), lambda a: a[:, :2]])
def test_a_forest_whose_leaves_say_something_else_is_refused(tmp_path: Path, change: Any) -> None:
    X, y = rows()
    family("random_forest").build({}).fit(X, y).save(tmp_path)
    with np.load(tmp_path / "model.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "model.npz", **{**arrays, "values": change(arrays["values"])})
    with pytest.raises(BadBundle, match=r"point outside themselves|cannot be read as a forest|2 classes, not 3"):
        family("random_forest").load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_lightgbm_file_cut_short_is_refused_and_does_not_abort_the_process(tmp_path: Path, share: float) -> None:
    X, y = rows()
    family("lightgbm").build({"n_estimators": 25}).fit(X, y).save(tmp_path)
    text = (tmp_path / "model.txt").read_text()
    trees = text.index("end of trees")
    (tmp_path / "model.txt").write_text(text[: int(share * trees)])
    with pytest.raises(BadBundle, match="cannot be read as a LightGBM model"):
        family("lightgbm").load(tmp_path)


@pytest.mark.parametrize(
    ("line", "value"),
    [("left_child", 5000), ("right_child", -5000), ("left_child", 0), ("split_feature", 6), ("split_feature", -1)],
)
def test_a_lightgbm_tree_that_points_outside_itself_is_refused(tmp_path: Path, line: str, value: int) -> None:
    X, y = rows()
    family("lightgbm").build({"n_estimators": 1}).fit(X, y).save(tmp_path)
    head, _, body = (tmp_path / "model.txt").read_text().partition("\n\n")
    tree = body[: body.index("\n\n\nTree=1") + 3]
    name, _, values = next(row for row in tree.splitlines() if row.startswith(f"{line}=")).partition("=")
    other = tree.replace(f"{name}={values}", f"{name}={' '.join([str(value), *values.split()[1:]])}")
    sizes = next(row for row in head.splitlines() if row.startswith("tree_sizes="))
    head = head.replace(sizes, f"tree_sizes={' '.join([str(len(other)), *sizes.split()[1:]])}")
    (tmp_path / "model.txt").write_text(f"{head}\n\n{other}{body[len(tree) :]}")
    with pytest.raises(BadBundle, match="points outside itself"):
        family("lightgbm").load(tmp_path)


def test_a_lightgbm_model_that_finds_nothing_to_split_is_saved_and_loaded(tmp_path: Path) -> None:
    X, y = rows()
    model = family("lightgbm").build({"min_child_samples": 50, "n_estimators": 25}).fit(X, y)
    model.save(tmp_path)
    assert model.predict_proba(X) == pytest.approx(np.full((90, 3), 1 / 3))
    assert family("lightgbm").load(tmp_path).predict_proba(X) == pytest.approx(model.predict_proba(X), abs=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_children", 5000),
        ("right_children", -7),
        ("left_children", 0),
        ("split_indices", 6),
        ("right_children", 1),
    ],
)
def test_an_xgboost_tree_that_points_outside_itself_is_refused(tmp_path: Path, field: str, value: int) -> None:
    import xgboost

    X, y = rows()
    model: Any = family("xgboost").build({"n_estimators": 2}).fit(X, y)
    model.save(tmp_path)
    told = json.loads(model._booster.save_raw("json"))
    told["learner"]["gradient_booster"]["model"]["trees"][0][field][0] = value
    xgboost.Booster(model_file=bytearray(json.dumps(told), "utf-8")).save_model(tmp_path / "model.ubj")
    with pytest.raises(BadBundle, match="points outside itself"):
        family("xgboost").load(tmp_path)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_a_model_of_other_rounds_or_classes_than_described_is_refused(tmp_path: Path, name: str) -> None:
    X, y = rows()
    family(name).build({"n_estimators": 25}).fit(X, y).save(tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    for change in ({"params": {**about["params"], "n_estimators": 3}}, {"classes": ["angry", "calm"]}):
        (tmp_path / "model.json").write_text(json.dumps({**about, **change}))
        with pytest.raises(BadBundle, match="25 rounds for 3 classes, expected"):
            family(name).load(tmp_path)


def test_threads_reach_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.ensemble

    class Spy(sklearn.ensemble.RandomForestClassifier):  # type: ignore[misc]
        def __init__(self, **params: Any) -> None:
            asked.append(params["n_jobs"])
            super().__init__(**params)

    asked: list[int] = []
    monkeypatch.setattr(sklearn.ensemble, "RandomForestClassifier", Spy)
    X, y = rows()
    for threads in (1, 2):
        family("random_forest").build({}, threads=threads).fit(X, y)
        assert asked == [threads]
        asked.clear()
        boosted: Any = family("xgboost").build({"n_estimators": 25}, threads=threads).fit(X, y)
        assert int(json.loads(boosted._booster.save_config())["learner"]["generic_param"]["nthread"]) == threads
        light: Any = family("lightgbm").build({"n_estimators": 25}, threads=threads).fit(X, y)
        assert light._booster.params["num_threads"] == threads
