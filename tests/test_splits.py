"""Who trains, chooses and judges: truths that hold for any set of actors, and the folds as published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ravdess.clips import ACTORS, all_takes
from ravdess.errors import BadTable, LeakError, UnknownName
from ravdess.splits import PROTOCOLS, Folds, Split, fit_name, folds, groups, leaky_random, split

EMOBOX = [{1, 11, 20, 21}, {4, 10, 12, 14}, {8, 9, 19, 23}, {3, 5, 7, 24}, {2, 15, 16, 18}, {6, 13, 17, 22}]
LUNA = [{2, 5, 14, 15, 16}, {3, 6, 7, 13, 18}, {10, 11, 12, 19, 20}, {8, 17, 21, 23, 24}, {1, 4, 9, 22}]
PRESENT = [actor for actor in ACTORS if actor not in {"06", "13", "17", "22"}]

everyone = st.sets(st.sampled_from(ACTORS), min_size=3)


def people(actors: Any, corpus: str = "ravdess") -> list[str]:
    return [f"{corpus}/{actor}" for actor in actors]


def table(actors: Any = ACTORS, corpus: str = "ravdess") -> dict[str, Any]:
    takes = [clip for clip in all_takes() if clip.channel == "speech" and clip.actor in set(actors)]
    return {
        "corpus": [corpus] * len(takes),
        "actor": [clip.actor for clip in takes],
        "take": [clip.take for clip in takes],
        "emotion": [clip.emotion for clip in takes],
        "gender": [clip.gender for clip in takes],
    }


def dealt(protocol: str, actors: Any) -> Folds:
    try:
        return folds(protocol, people(actors))
    except BadTable:
        assume(False)
        raise


@pytest.mark.parametrize(("protocol", "published"), [("emobox", EMOBOX), ("luna", LUNA)])
def test_the_fixed_folds_are_the_published_ones(protocol: str, published: list[set[int]]) -> None:
    found = [{int(name[-2:]) for name in fold} for fold in folds(protocol, people(ACTORS)).judges.values()]
    assert found == published


@pytest.mark.parametrize(("protocol", "fits"), [("emobox", 15), ("luna", 10), ("loao", 276), ("holdout", 4)])
def test_fits_a_candidate_for_the_whole_corpus(protocol: str, fits: int) -> None:
    assert len(folds(protocol, people(ACTORS)).fits) == fits


@given(protocol=st.sampled_from(PROTOCOLS), actors=everyone)
def test_training_choosing_and_judging_share_nobody(protocol: str, actors: set[str]) -> None:
    found = dealt(protocol, actors)
    everybody = set(people(actors))
    for question in (*found.questions, found.final):
        assert question.pairs
        for pair in question.pairs:
            excluded, choosers, judges = set(pair.excluded), set(pair.choosers), set(question.judges)
            assert choosers, "a fit that nobody chooses by is wasted"
            assert choosers | judges <= excluded
            assert not choosers & judges
            assert excluded < everybody, "nobody is left to train"


@given(protocol=st.sampled_from(PROTOCOLS[:3]), actors=everyone)
def test_cross_validation_judges_each_actor_once_with_k_k_minus_1_halves_fits(protocol: str, actors: set[str]) -> None:
    found = dealt(protocol, actors)
    judged = [name for question in found.questions for name in question.judges]
    assert sorted(judged) == sorted(people(actors)) == sorted(found.actors)
    k = len(found.questions)
    assert len(found.fits) == len(set(found.fits)) == k * (k - 1) // 2
    asked = [pair.excluded for question in found.questions for pair in question.pairs]
    assert all(asked.count(excluded) == 2 for excluded in found.fits), "each fit serves two judges"
    assert {pair.excluded for pair in found.final.pairs} <= set(found.fits), "the final question costs no further fit"
    assert sorted(name for pair in found.final.pairs for name in pair.choosers) == sorted(people(actors) * (k - 1))


@given(protocol=st.sampled_from(PROTOCOLS), actors=everyone)
def test_the_order_and_repetition_of_actors_change_nothing(protocol: str, actors: set[str]) -> None:
    found = dealt(protocol, sorted(actors))
    assert found == folds(protocol, people(sorted(actors, reverse=True) * 3))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_question_gives_splits_that_keep_actors_whole(protocol: str) -> None:
    rows = table(PRESENT)
    owner = groups(rows)
    found = folds(protocol, owner, genders=rows["gender"])
    for question in found.questions:
        for pair in question.pairs:
            some = split(rows, pair.excluded, pair.choosers)
            assert set(owner[some.train]) == set(owner) - set(pair.excluded)
            assert set(owner[some.test]) == set(pair.choosers)
        judged = split(rows, question.judges)
        assert len(judged.train) + len(judged.test) == len(owner)


def test_absent_actors_are_said_and_left_out() -> None:
    emobox, luna = folds("emobox", people(PRESENT)), folds("luna", people(PRESENT))
    assert len(emobox.judges) == len(luna.judges) == 5
    assert any("06, 13, 17, 22" in note for note in emobox.notes)
    assert any("emobox-6" in note and "dropped" in note for note in emobox.notes)
    assert any("06, 13, 17, 22" in note for note in luna.notes)
    assert not any("dropped" in note for note in luna.notes)
    assert not folds("emobox", people(ACTORS)).notes


@pytest.mark.parametrize(
    ("protocol", "actors", "message"),
    [
        ("emobox", ["01", "11", "04"], "2 folds of emobox.*needs 3"),
        ("luna", [], "0 folds"),
        ("loao", ["01", "02"], "2 folds of loao"),
        ("holdout", ["01", "02"], "needs at least 1 to judge and 2 more"),
        ("emobox", [*ACTORS, "25"], "names none for ravdess/25.*'loao' or 'holdout'"),
    ],
)
def test_too_few_or_strange_actors_are_refused(protocol: str, actors: list[str], message: str) -> None:
    with pytest.raises(BadTable, match=message):
        folds(protocol, people(actors))


def test_unknown_names_are_answered_with_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"unknown protocol 'random', expected one of \['emobox', 'holdout'"):
        folds("random", people(ACTORS))
    with pytest.raises(UnknownName, match=r"unknown test actor '06', expected one of \['01', '02'"):
        folds("holdout", people(PRESENT), test_actors=["01", "06"])
    with pytest.raises(BadTable, match="emobox fixes its own judges"):
        folds("emobox", people(PRESENT), test_actors=["01"])


def test_holdout_judges_the_last_four_present_or_those_named() -> None:
    assert folds("holdout", people(PRESENT)).judges == {"holdout": tuple(people(["20", "21", "23", "24"]))}
    named = folds("holdout", people(PRESENT), test_actors=["ravdess/03", "01"])
    assert named.judges == {"holdout": tuple(people(["01", "03"]))}
    few = folds("holdout", people(["01", "02", "03", "04", "05", "06"]))
    assert few.judges == {"holdout": tuple(people(["05", "06"]))}
    assert any("2 judge instead of 4" in note for note in few.notes)


@given(actors=st.sets(st.sampled_from(ACTORS), min_size=8))
def test_holdout_chooses_by_folds_of_both_genders(actors: set[str]) -> None:
    (question,) = folds("holdout", people(actors)).questions
    inner = [pair.choosers for pair in question.pairs]
    assert sorted(name for fold in inner for name in fold) == sorted(set(people(actors)) - set(question.judges))
    for parity in (0, 1):
        shares = [sum(int(name[-2:]) % 2 == parity for name in fold) for fold in inner]
        assert max(shares) - min(shares) <= 1


def test_genders_that_are_given_are_used() -> None:
    actors = people([f"{number:02d}" for number in range(1, 13)], corpus="other")
    told = ["f" if number <= 6 else "m" for number in range(1, 13)]
    (question,) = folds("holdout", actors, test_actors=["09", "10", "11", "12"], genders=told).questions
    women = [sum(name in actors[:6] for name in pair.choosers) for pair in question.pairs]
    assert max(women) - min(women) <= 1


def test_two_corpora_have_two_people_of_one_name() -> None:
    one, two = table(["01"], "ravdess"), table(["01"], "other")
    both = {name: [*one[name], *two[name]] for name in one}
    assert sorted(set(groups(both))) == ["other/01", "ravdess/01"]
    assert len(split(both, ["other/01"]).test) == len(two["actor"])
    assert list(folds("loao", [*groups(both), "other/02"]).judges) == [
        "loao-other/01",
        "loao-other/02",
        "loao-ravdess/01",
    ]


def test_a_shared_actor_is_a_leak_and_is_named() -> None:
    rows = table(["01", "02"])
    actor = np.array(rows["actor"])
    test = actor == "02"
    train = ~test
    train[np.flatnonzero(test)[0]] = True
    with pytest.raises(LeakError, match="1 actor would stand on both sides of a split: ravdess/02"):
        Split(rows, train, test)
    with pytest.raises(LeakError, match="2 actors would stand on both sides of a split: ravdess/01, ravdess/02"):
        Split(rows, np.arange(len(actor)), np.arange(len(actor)))


def test_a_shared_take_is_a_leak_though_its_actors_differ() -> None:
    rows = {"corpus": ["ravdess"] * 3, "actor": ["01", "02", "03"], "take": ["one", "two", "one"]}
    with pytest.raises(LeakError, match="1 take would stand on both sides of a split: ravdess/one"):
        Split(rows, [True, True, False], [False, False, True])  # type: ignore[arg-type]  # lists will do
    assert Split(rows, np.array([0]), np.array([1])).train.tolist() == [0]


@given(st.integers(0, 2**32 - 1))
def test_whatever_split_is_accepted_shares_nobody(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = table(["01", "02", "03"])
    actor = np.array(rows["actor"])
    train, test = (rng.random(len(actor)) < 0.02 for _ in range(2))
    leaks = bool(set(actor[train]) & set(actor[test]))
    assume(train.any() and test.any())
    if leaks:
        with pytest.raises(LeakError):
            Split(rows, train, test)
    else:
        assert np.array_equal(Split(rows, train, test).test, np.flatnonzero(test))


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(BadTable, match="the test side of a split has no rows"):
        split(table(["01", "02"]), ["ravdess/09"])
    with pytest.raises(BadTable, match="the train side"):
        split(table(["01", "02"]), people(["01", "02"]))


def test_a_fit_is_named_by_who_was_left_out() -> None:
    assert fit_name(["b/2", "a/1", "b/2"]) == fit_name(("a/1", "b/2")) == "without a/1+b/2"
    names = [fit_name(excluded) for excluded in folds("loao", people(ACTORS)).fits]
    assert len(set(names)) == 276


def test_the_random_split_leaks_and_says_so() -> None:
    rows = table(PRESENT)
    actor, emotion = np.array(rows["actor"]), np.array(rows["emotion"])
    found = leaky_random(emotion, seed=1)
    assert sorted(np.concatenate([some.test for some in found])) == list(range(len(actor)))
    for some in found:
        assert "leaky" in some.label
        assert set(actor[some.train]) == set(actor[some.test]) == set(PRESENT)
        counts = np.unique(emotion[some.test], return_counts=True)[1]
        assert counts.max() - counts.min() <= 16 + 1, "emotions are dealt evenly; neutral has half as many"
        with pytest.raises(LeakError):
            Split(rows, some.train, some.test)
    assert not any("leaky" in protocol for protocol in PROTOCOLS)
    with pytest.raises(BadTable, match="needs 2 to 3 folds"):
        leaky_random(["sad"] * 3, count=4)
