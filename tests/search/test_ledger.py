"""What a run remembers, and what it refuses to go on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravdess.errors import BadName, RunMismatch
from ravdess.search.asked import run_name
from ravdess.search.ledger import Ledger, differences, learn, lost_record, record_of, unfinished_like
from ravdess.search.plan import Candidate, Scores, Trial
from storage import Store

REQUEST: dict[str, Any] = {
    "families": {"svm": {"defaults": {"C": 1.0}}},
    "features": "mfcc_stats",
    "protocol": "emobox",
    "rows": {"content": "aa", "corpus": "ravdess", "channel": "speech"},
    "normalise": None,
    "seed": 0,
}
CANDIDATE = Candidate("svm", {"C": 1.0})
ONE, TWO = ("r/01", "r/02"), ("r/01", "r/03")


def fit(excluded: tuple[str, ...], *curves: tuple[str, float], **more: Any) -> dict[str, Any]:
    return {"excluded": list(excluded), "curves": [[[who], [uar]] for who, uar in curves], "seconds": 1.0, **more}


def trial(*excluded: tuple[str, ...]) -> Trial:
    return Trial(CANDIDATE, "random", {pair: [(pair[1],)] for pair in excluded})


def test_every_difference_is_said_with_old_and_new() -> None:
    other = {
        **REQUEST,
        "seed": 1,
        "rows": {**REQUEST["rows"], "content": "bb"},
        "families": {"svm": {"defaults": {"C": 2.0}}, "mlp": {}},
    }
    assert differences(REQUEST, other) == [
        "families.mlp: absent → {}",
        "families.svm.defaults.C: 1.0 → 2.0",
        'rows.content: "aa" → "bb"',
        "seed: 0 → 1",
    ]
    assert differences(REQUEST, dict(REQUEST)) == []


def test_a_run_goes_on_for_the_same_request_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not Ledger(store, "mine", REQUEST).resumed
    assert Ledger(store, "mine", REQUEST).resumed
    with pytest.raises(RunMismatch, match=r"run 'mine' was begun with another request \(seed: 0 → 7\)"):
        Ledger(store, "mine", {**REQUEST, "seed": 7})


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = record_of(trial(ONE), [fit(ONE, ("r/02", 0.1 + 0.2))])
    Ledger(store, "mine", REQUEST).write(record)
    assert Ledger(store, "mine", REQUEST).records == [record]


def test_a_later_record_of_a_trial_adds_to_the_earlier(tmp_path: Path) -> None:
    store = Store(tmp_path)
    Ledger(store, "mine", REQUEST).write(
        record_of(trial(ONE, TWO), [fit(ONE, ("r/02", 0.4)), fit(TWO, error="ValueError: odd")])
    )
    ledger = Ledger(store, "mine", REQUEST)
    ledger.write(record_of(trial(TWO), [fit(TWO, ("r/03", 0.6))]))
    ledger.write(record_of(trial(ONE), [fit(ONE, ("r/01", 0.5))]))
    ledger.write(lost_record(trial(ONE, TWO), "its worker died"))
    scores = Scores()
    for record in Ledger(store, "mine", REQUEST).records:
        learn(scores, record)
    assert scores.curve(CANDIDATE, ONE, ("r/02",)) == [0.4]
    assert scores.curve(CANDIDATE, ONE, ("r/01",)) == [0.5]
    assert scores.curve(CANDIDATE, TWO, ("r/03",)) == [0.6]
    assert not scores.failures


def test_a_failed_fit_is_no_score_and_is_tried_again(tmp_path: Path) -> None:
    scores = Scores()
    learn(scores, lost_record(trial(ONE), "its worker died"))
    assert scores.missing(CANDIDATE, trial(ONE).fits) == trial(ONE).fits
    assert scores.failures == {("svm", CANDIDATE.id, ONE): "its worker died"}


def test_a_run_is_named_readably_and_by_its_request() -> None:
    name = run_name(REQUEST, None)
    assert name.startswith("emobox-mfcc_stats-svm-")
    assert run_name({**REQUEST, "seed": 1}, None) != name
    made = {**REQUEST, "rows": {**REQUEST["rows"], "corpus": "sample", "channel": "both"}, "normalise": "actor"}
    assert run_name(made, None).startswith("emobox-mfcc_stats-svm-actor-normalised-sample-both-")
    assert run_name(REQUEST, "my-run.1") == "my-run.1"
    with pytest.raises(BadName, match="cannot name a run"):
        run_name(REQUEST, "../elsewhere")


def test_a_leaky_run_says_so_in_its_name() -> None:
    leaky = {**REQUEST, "protocol": "leaky_random"}
    assert run_name(leaky, None).startswith("leaky_random-")
    assert run_name(leaky, "my-leaky-run") == "my-leaky-run"
    with pytest.raises(BadName, match="says so in its name"):
        run_name(leaky, "best-ever")


def test_an_unfinished_run_that_is_another_request_is_mentioned(tmp_path: Path) -> None:
    store = Store(tmp_path)
    Ledger(store, "old", REQUEST)
    Ledger(store, "done", {**REQUEST, "seed": 2}).finish({})
    Ledger(store, "else", {**REQUEST, "protocol": "luna"})
    changed = {**REQUEST, "rows": {**REQUEST["rows"], "content": "bb"}}
    (note,) = unfinished_like(store, "new", changed)
    assert note == 'unfinished run old is another request (rows.content: "aa" → "bb"), so this is a new run'
    assert unfinished_like(store, "old", REQUEST) == []
