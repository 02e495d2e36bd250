"""Which fits there are, whom they may serve, and how one candidate is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravdess.errors import SearchFailed
from ravdess.search.plan import (
    Candidate,
    Scores,
    choose,
    fits_of,
    grid_candidates,
    grid_round,
    portions,
    random_candidates,
    random_round,
)
from ravdess.splits import Folds, folds
from tests.search import toys

FAMILY = toys.centroids()


def dealt(actors: int = 5, protocol: str = "loao") -> Folds:
    return folds(protocol, [f"ravdess/{number:02d}" for number in range(1, actors + 1)])


def filled(candidates: Sequence[Candidate], some: Folds, worth: dict[str, float]) -> Scores:
    """Scores in which a candidate is worth the same everywhere."""
    scores = Scores()
    for candidate in candidates:
        for excluded, scored in fits_of([*some.questions, some.final]).items():
            scores.add(candidate, excluded, {choosers: [worth[candidate.id]] for choosers in scored})
    return scores


@given(actors=st.integers(3, 24))
def test_a_random_candidate_costs_half_the_fits_of_all_ordered_pairs(actors: int) -> None:
    some = dealt(actors)
    (trial,) = random_round(random_candidates(FAMILY, samples=1, seed=0), [*some.questions, some.final], Scores())
    assert len(trial.fits) == actors * (actors - 1) // 2
    assert sum(len(scored) for scored in trial.fits.values()) == actors * (actors - 1)


@pytest.mark.parametrize(("protocol", "count"), [("emobox", 15), ("luna", 10), ("loao", 276), ("holdout", 4)])
def test_fits_a_candidate_on_all_actors(protocol: str, count: int) -> None:
    some = dealt(24, protocol)
    assert len(fits_of([*some.questions, some.final])) == count


@pytest.mark.parametrize("protocol", ["emobox", "luna", "loao", "holdout"])
def test_no_fit_that_answers_a_question_has_seen_or_scored_its_judge(protocol: str) -> None:
    for question in dealt(24, protocol).questions:
        for excluded, scored in fits_of([question]).items():
            assert set(question.judges) <= set(excluded)
            for choosers in scored:
                assert set(choosers) <= set(excluded) - set(question.judges)


def test_draws_begin_with_the_defaults_and_depend_on_seed_and_family_alone() -> None:
    first = random_candidates(FAMILY, samples=6, seed=3)
    assert first[0].params == FAMILY.defaults
    assert len({candidate.id for candidate in first}) == 6
    assert first == random_candidates(FAMILY, samples=6, seed=3)
    assert first[:4] == random_candidates(FAMILY, samples=4, seed=3)
    assert first[1:] != random_candidates(FAMILY, samples=6, seed=4)[1:]


def test_a_grid_differs_by_one_step_in_one_dimension() -> None:
    centre = random_candidates(FAMILY, samples=2, seed=0)[1]
    around = grid_candidates(FAMILY, centre, most=None, seed=0)
    assert around
    for candidate in around:
        assert sum(candidate.params[name] != centre.params[name] for name in FAMILY.space) == 1
    fewer = grid_candidates(FAMILY, centre, most=2, seed=0)
    assert len(fewer) == 2
    assert all(candidate in around for candidate in fewer)


def test_a_judges_grid_makes_only_fits_without_that_judge_and_scores_its_choosers_alone() -> None:
    some = dealt()
    judge = some.questions[1]
    mine = random_candidates(FAMILY, samples=3, seed=1)[1:]
    trials = grid_round({judge.name: mine}, [*some.questions, some.final], Scores())
    assert len(trials) == 2
    for trial in trials:
        assert trial.fits == fits_of([judge])
        assert len(trial.fits) == len(some.judges) - 1
        assert all(judge.judges not in scored for scored in trial.fits.values())


def test_a_fit_that_two_judges_grids_need_is_made_once_and_scores_both_choosers() -> None:
    some = dealt()
    one, two = some.questions[:2]
    (candidate,) = random_candidates(FAMILY, samples=1, seed=0)
    (trial,) = grid_round({one.name: [candidate], two.name: [candidate]}, [*some.questions, some.final], Scores())
    both = tuple(sorted(one.judges + two.judges))
    assert sorted(trial.fits[both]) == sorted([one.judges, two.judges])
    assert len(trial.fits) == 2 * (len(some.judges) - 1) - 1


def test_what_is_known_is_not_fitted_again() -> None:
    some = dealt()
    candidates = random_candidates(FAMILY, samples=2, seed=0)
    scores = filled(candidates[:1], some, {candidates[0].id: 0.5})
    assert [trial.candidate for trial in random_round(candidates, some.questions, scores)] == candidates[1:]


def test_the_best_mean_wins_and_ties_go_to_the_earlier_candidate_and_stage() -> None:
    some = dealt()
    question = some.questions[0]
    a, b, c = random_candidates(FAMILY, samples=3, seed=0)
    scores = Scores()
    for candidate, curve in ((a, [0.2, 0.5, 0.4]), (b, [0.5, 0.5, 0.1]), (c, [0.1, 0.1, 0.6])):
        for pair in question.pairs:
            scores.add(candidate, pair.excluded, {pair.choosers: curve})
    best = choose(question, {"random": [a, b, c]}, scores, toys.STAGES)
    assert (best.candidate, best.stage, best.uar, best.seen) == (c, 6, 0.6, 3)
    tied = choose(question, {"random": [a, b]}, scores, toys.STAGES)
    assert (tied.candidate, tied.stage) == (a, 4)
    assert choose(question, {"random": [b], "grid": [a, b]}, scores, toys.STAGES).candidate == b


def test_a_mean_is_over_the_questions_own_choosers() -> None:
    some = dealt(3)
    question = some.questions[0]
    (candidate,) = random_candidates(FAMILY, samples=1, seed=0)
    scores = Scores()
    for at, excluded in enumerate(fits_of([*some.questions, some.final])):
        for fold in excluded:
            scores.add(candidate, excluded, {(fold,): [at + 0.1 * int(fold[-1])]})
    # Judge 01: fold 02 by the fit without 01 and 02 (the first), fold 03 by the fit without 01 and 03 (the second).
    assert scores.mean_curve(candidate, question) == pytest.approx([(0.2 + 1.3) / 2])


def test_a_candidate_that_failed_for_one_judge_may_still_serve_another() -> None:
    some = dealt(4)
    first, second = random_candidates(FAMILY, samples=2, seed=0)
    scores = filled([second], some, {second.id: 0.3})
    for excluded, scored in fits_of(some.questions).items():
        if set(excluded) != {"ravdess/01", "ravdess/02"}:
            scores.add(first, excluded, {choosers: [0.9] for choosers in scored})
    chosen = [choose(q, {"random": [first, second]}, scores, ()).candidate for q in some.questions]
    assert chosen == [second, second, first, first]
    scores.fail(first, ("ravdess/01", "ravdess/02"), "odd")
    with pytest.raises(SearchFailed, match=f"when {some.questions[0].name} judges: odd"):
        choose(some.questions[0], {"random": [first]}, scores, ())


@given(actors=st.integers(3, 24), most=st.integers(1, 40))
def test_portions_hold_every_fit_once_and_never_more_than_asked(actors: int, most: int) -> None:
    some = dealt(actors)
    trials = random_round(random_candidates(FAMILY, samples=2, seed=0), [*some.questions, some.final], Scores())
    parts = portions(trials, most)
    assert max(len(part.fits) for part in parts) <= most
    for trial in trials:
        mine = [part.fits for part in parts if part.candidate == trial.candidate]
        assert {excluded: scored for fits in mine for excluded, scored in fits.items()} == trial.fits
        assert sum(len(fits) for fits in mine) == len(trial.fits)
