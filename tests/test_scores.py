"""Scores against closed forms, scikit-learn's own, and a bootstrap written out."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ravdess.clips import EMOTIONS
from ravdess.scores import accuracy, confusion, macro_f1, score, uar

Words = NDArray[np.str_]

labelled = st.lists(st.tuples(st.sampled_from(EMOTIONS[:4]), st.sampled_from(EMOTIONS[:5])), min_size=1, max_size=60)


def made(seed: int, n: int = 400, actors: int = 10, skill: float = 0.5) -> tuple[Words, Words, Words]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(EMOTIONS, n)
    predicted = np.where(rng.random(n) < skill, truth, rng.choice(EMOTIONS, n))
    return truth, predicted, rng.integers(actors, size=n).astype(np.str_)


@given(labelled)
def test_scores_are_the_usual_ones(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    truth, predicted = map(list, zip(*pairs, strict=True))
    present = sorted(set(truth))
    assert uar(truth, predicted) == pytest.approx(recall_score(truth, predicted, labels=present, average="macro"))
    assert accuracy(truth, predicted) == pytest.approx(accuracy_score(truth, predicted))
    assert macro_f1(truth, predicted) == pytest.approx(
        f1_score(truth, predicted, labels=present, average="macro", zero_division=0)
    )


@given(labelled, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(pairs: list[tuple[str, str]], random: Random) -> None:
    rows = [(*pair, str(i % 3)) for i, pair in enumerate(pairs)]
    mixed = random.sample(rows, len(rows))
    first, second = (score(*(list(column) for column in zip(*some, strict=True)), draws=50) for some in (rows, mixed))
    assert first == second


def test_always_calling_one_emotion_is_worth_one_in_k() -> None:
    truth = ["sad"] * 90 + ["angry"] * 5 + ["calm"] * 5
    assert uar(truth, ["sad"] * 100) == pytest.approx(1 / 3)
    assert accuracy(truth, ["sad"] * 100) == pytest.approx(0.9)
    assert macro_f1(truth, ["sad"] * 100) == pytest.approx(2 * 90 / (90 + 100) / 3)


def test_an_emotion_that_the_truth_lacks_counts_as_an_error_only() -> None:
    truth, predicted = ["sad", "sad", "angry", "angry"], ["sad", "calm", "angry", "calm"]
    assert uar(truth, predicted) == pytest.approx(0.5)
    assert macro_f1(truth, predicted) == pytest.approx(2 * 1 / (2 + 1))
    assert score(truth, predicted, ["1", "1", "2", "2"])["recalls"] == {"angry": 0.5, "sad": 0.5}


def test_confusion_counts_truth_by_rows_in_the_given_order() -> None:
    counts = confusion(["sad", "sad", "calm"], ["calm", "sad", "calm"], ["sad", "happy", "calm"])
    assert counts.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"unknown labels \['bored'\], expected some of"):
        confusion(["bored"], ["sad"], EMOTIONS)


def test_pooled_folds_and_actors_agree_with_scoring_them_apart() -> None:
    truth, predicted, actor = made(0)
    fold = np.array([str(int(a) % 3) for a in actor])
    found = score(truth, predicted, actor, fold=fold)
    assert found["uar"] == uar(truth, predicted)
    assert found["accuracy"] == accuracy(truth, predicted)
    assert found["macro_f1"] == macro_f1(truth, predicted)
    assert found["actors"] == {a: uar(truth[actor == a], predicted[actor == a]) for a in sorted(set(actor.tolist()))}
    assert found["folds"] == {f: uar(truth[fold == f], predicted[fold == f]) for f in sorted(set(fold.tolist()))}
    assert found["uar_spread"] == pytest.approx(np.std(list(found["folds"].values()), ddof=1))
    assert found["rows"] == len(truth)


def test_the_interval_is_that_of_a_bootstrap_written_out() -> None:
    truth, predicted, actor = made(1, n=200, actors=6)
    names = sorted(set(actor.tolist()))
    times = np.random.default_rng(5).multinomial(len(names), np.full(len(names), 1 / len(names)), size=300)
    drawn = []
    for often in times:
        rows = np.concatenate([np.tile(np.flatnonzero(actor == a), k) for a, k in zip(names, often, strict=True)])
        drawn.append((uar(truth[rows], predicted[rows]), macro_f1(truth[rows], predicted[rows])))
    found = score(truth, predicted, actor, seed=5, draws=300)
    for name, values in zip(("uar", "macro_f1"), zip(*drawn, strict=True), strict=True):
        low, high = np.quantile(values, [0.025, 0.975])
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx((low, high))  # type: ignore[literal-required]


def test_an_interval_is_repeatable_and_its_seed_matters() -> None:
    rows = made(2)
    assert score(*rows, seed=1) == score(*rows, seed=1)
    assert score(*rows, seed=1)["uar_low"] != score(*rows, seed=2)["uar_low"]


def test_actors_who_are_all_alike_leave_no_doubt_and_a_single_one_leaves_all() -> None:
    truth = np.tile(["sad", "calm"], 20)
    predicted = np.tile(["sad", "sad"], 20)
    found = score(truth, predicted, np.repeat([str(a) for a in range(10)], 4))
    assert (found["uar_low"], found["uar"], found["uar_high"]) == pytest.approx((0.5, 0.5, 0.5))
    alone = score(truth, predicted, ["1"] * 40)
    assert (alone["uar_low"], alone["uar_high"], alone["uar_spread"]) == (0.0, 1.0, 0.0)


def test_actors_are_drawn_and_not_rows() -> None:
    """Half the actors always recognised, half never: 16 actors of 50 rows tell as much as 16 rows."""
    actor = np.repeat([f"{a:02d}" for a in range(16)], 50)
    truth = np.tile(["sad", "calm"], 400)
    predicted = np.where(actor < "08", truth, "angry")
    found = score(truth, predicted, actor)
    by_row = 2 * 1.96 * np.sqrt(0.25 / 800)
    by_actor = 2 * 1.96 * np.sqrt(0.25 / 16)
    assert found["uar_high"] - found["uar_low"] == pytest.approx(by_actor, rel=0.1)
    assert found["uar_high"] - found["uar_low"] > 5 * by_row


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        skill = rng.beta(6, 4, size=24)  # over all actors: 0.6
        actor = np.repeat(np.arange(24), 48)
        truth = np.tile(EMOTIONS, 24 * 6)
        wrong = np.roll(EMOTIONS, 1)[np.tile(np.arange(8), 24 * 6)]
        predicted = np.where(rng.random(len(actor)) < skill[actor], truth, wrong)
        found = score(truth, predicted, actor.astype(np.str_), seed=seed, draws=400)
        covered += found["uar_low"] <= 0.6 <= found["uar_high"]
    assert 0.88 <= covered / 200 <= 0.98


@pytest.mark.parametrize(
    ("rows", "message"),
    [(([], [], []), "no predictions"), ((["sad"], ["sad"] * 2, ["1"]), "one length"), ((["sad"], ["sad"], []), "one")],
)
def test_rows_that_do_not_fit_are_refused(rows: tuple[list[str], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(*rows)


def test_every_order_of_labels_gives_the_same_confusion() -> None:
    truth, predicted, _ = made(3, n=50)
    labels = sorted({*truth.tolist(), *predicted.tolist()})
    whole = confusion(truth, predicted, labels)
    for order in itertools.islice(itertools.permutations(range(len(labels))), 0, 40000, 4001):
        assert np.array_equal(confusion(truth, predicted, [labels[i] for i in order]), whole[np.ix_(order, order)])
