"""A search that is watched: the page and the lines say how far it is, and mark inner scores as such."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest

from ravdess import terminal
from ravdess.report.live import EVERY, Live
from ravdess.search import Best, Step, search
from ravdess.search.run import InProcess
from storage import Store
from tests.search import toys


def step(done: int = 3, uar: float = 0.462, fits: int = 30, **other: object) -> Step:
    about = {"run": "r", "folds": 5, "families": {"svm": (done, 8)}, "seconds_left": 130.0, **other}
    return Step("random", done, 8, fits, {"svm": Best(uar, 0.0125, 5, {"C": 1.0}, 6)}, **about)  # type: ignore[arg-type]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_page_says_how_far_and_how_good_and_that_it_is_no_result() -> None:
    written: list[tuple[str, str]] = []
    clock = Clock()
    live = Live(lambda run, page: written.append((run, page)), clock)
    live(step())
    ((run, page),) = written
    assert run == "r"
    for said in ("3 of 8 trials", "about 2 min 10 s left", "3 of 8", ".462 ± .013", "C=1"):
        assert said in page
    assert "none is a result" in page
    assert 'http-equiv="refresh"' in page
    assert "default-src 'none'" in page


def test_it_is_written_seldom_and_once_more_at_the_end() -> None:
    written: list[str] = []
    clock = Clock()
    live = Live(lambda _, page: written.append(page), clock)
    for at in range(20):
        clock.now += EVERY / 8
        live(step(done=1 + at // 3, uar=0.4 + at / 100, fits=at))
    assert len(written) == 3
    live.end("finished.")
    assert "finished." in written[-1]
    assert 'http-equiv="refresh"' not in written[-1]
    assert " left of this phase" not in written[-1]
    assert written[-1].count('class="s1 line"') == 1


def test_a_search_tells_its_standing(tmp_path: Path) -> None:
    steps: list[Step] = []
    found = search(
        toys.table(), Store(tmp_path), families=["svm"], features="toy", fingerprint="toy-1", samples=3, grid=2,
        protocol="holdout", test_actors=["11", "12"], run="watched", progress=steps.append,
        runner=lambda data, families: InProcess(data, families, seed=0),
    )  # fmt: skip
    assert {one.run for one in steps} == {"watched"}
    assert [one.phase for one in steps] == sorted((one.phase for one in steps), key=("random", "grid", "models").index)
    trials = [one for one in steps if one.phase != "models"]
    assert all(one.families["svm"] == (one.done, one.total) for one in trials)
    assert trials[0].seconds_left is None
    assert trials[-1].seconds_left == 0.0
    best = [one.best["svm"] for one in trials if one.best]
    assert [one.uar for one in best] == sorted(one.uar for one in best)
    final = found.choices[found.choices["judge"] == "final"].iloc[0]
    assert best[-1].uar == pytest.approx(final["choosers_uar"])
    assert best[-1].tried == final["chosen_from"]
    scores = found_scores(tmp_path, final["candidate"])
    assert best[-1].error == pytest.approx(scores.std(ddof=1) / len(scores) ** 0.5)


def found_scores(store: Path, candidate: str) -> pd.Series[float]:
    """The candidate's UAR on each choosing fold."""
    trials = pd.read_parquet(store / "runs" / "watched" / "trials.parquet")
    return trials[trials["candidate"] == candidate].groupby("choosers")["uar"].mean()


@pytest.mark.parametrize("tty", [True, False])
def test_progress_says_time_left_and_every_line(tty: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return tty

    stream = Stream()
    with terminal.Progress("random", total=8, unit="trials", every=0, stream=stream, left=7300) as progress:
        progress.update(3, note="30 fits", left=130.0, details=["svm 3/8 best inner UAR 0.462 ± 0.013", "xgboost 0/8"])
    said = stream.getvalue()
    for words in (
        "about 2 h 01 min left",
        "about 2 min 10 s left",
        "30 fits",
        "svm 3/8 best inner UAR 0.462 ± 0.013",
        "xgboost 0/8",
    ):
        assert words in said
    assert not re.search(r"<\s*\d\d:\d\d", said)  # one estimate of the time left, not two
