"""The scoreboard: metric beside metric, enrolled apart from plain, leaky apart from all, published with its source."""

from __future__ import annotations

import dataclasses
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from ravdess.modality import modality_of
from ravdess.report.board import Board, board
from ravdess.report.figures import share3
from ravdess.report.published import PUBLISHED
from ravdess.report.read import finished_runs, read_run
from ravdess.report.scoreboard import glance, markdown, scoreboard_page
from ravdess.scores import score
from storage import Store

JOBS = Path(__file__).parents[2] / "jobs"


@pytest.fixture(scope="module")
def found(shelf: Store) -> Board:
    return board([read_run(shelf, name) for name in finished_runs(shelf)])


def test_every_result_stands_once_in_the_column_of_its_kind(shelf: Store, found: Board) -> None:
    ours = [row for row in found.rows if row.kind == "ours"]
    assert sorted(row.source for row in ours) == ["enrolled-toy", "many-toy", "plain-toy", "plain-toy"]
    for row in ours:
        stands = pd.read_parquet(f"{shelf.url}/runs/{row.source}/results.parquet").set_index("family")
        truth = stands.loc[row.system.partition(", ")[2]]
        mine, other = (row.enrolled, row.plain) if row.source == "enrolled-toy" else (row.plain, row.enrolled)
        assert not other
        for name in ("uar", "accuracy", "macro_f1"):
            said = [float(part) for part in re.findall(r"\d?\.\d+", mine[name])]
            assert said == pytest.approx([truth[name], truth[f"{name}_low"], truth[f"{name}_high"]], abs=5.01e-4)


def test_a_plain_and_an_enrolled_run_of_one_kind_share_a_row(shelf: Store) -> None:
    plain = read_run(shelf, "plain-toy")
    enrolled = dataclasses.replace(
        plain,
        name="other",
        results=plain.results.assign(enrolled=True, run="other", uar=0.9),
        summary={**plain.summary, "enrolled": True},
    )
    first = next(row for row in board([plain, enrolled]).rows if row.kind == "ours")
    assert first.source == "plain-toy, other"
    assert first.enrolled["uar"].startswith(".900")
    assert not first.plain["uar"].startswith(".900")


def test_leaky_runs_stand_apart_and_say_so(found: Board) -> None:
    assert [row.source for row in found.leaky] == ["leaky-toy"]
    assert "LEAKY" in found.leaky[0].differs
    before, _, after = markdown(found).partition("## Leaky")
    assert "leaky-toy" not in before.replace("\\", "")
    assert "leaky-toy" in after.replace("\\", "")
    assert "leaky" not in str(glance(found).html("x"))


def test_the_headline_comes_first_with_its_own_scores(shelf: Store) -> None:
    run = read_run(shelf, "plain-toy")
    rows = run.said("centroids")
    scores = score(rows["emotion"], rows["predicted"], rows["actor"], fold=rows["fold"])
    judges = sorted(set(rows["fold"]))
    choices = pd.DataFrame(
        {
            "judge": judges,
            "run": [f"run-{judge}" for judge in judges],
            "family": "svm",
            "features": "voice_stats",
            "choosers_uar": [0.5 + at / 100 for at in range(len(judges))],
            "chosen_from": 7,
        }
    )
    plain, enrolled = (
        SimpleNamespace(modality="sound", enrolled=kind, scores=scores, predictions=rows, choices=choices)
        for kind in (False, True)
    )
    found = board([run], [("emobox", plain), ("emobox", enrolled)])
    first = found.rows[0]
    assert (first.kind, first.modality) == ("headline", "sound")
    assert first.plain == first.enrolled
    assert first.plain["uar"].startswith(share3(scores["uar"]))
    page = scoreboard_page(found, "store")
    assert page.index("headline, chosen by inner folds") < page.index("Whisper")
    assert found.drawn[0][0] == "Sound, headline, emobox"
    assert len(found.choices) == 2 * len(judges)
    for judge, one in zip(judges, found.choices, strict=False):
        assert one[:2] == ("Sound, emobox, plain", str(judge))
        assert one.actors.split(", ") == sorted(set(rows.loc[rows["fold"] == judge, "actor"]))
        assert page.count(f"<td>run-{judge}</td>") == 2
        assert f"| {one.choosers} | 7 |" in markdown(found)
    folded = page.partition("<details><summary>what the headlines chose</summary>")[2].partition("</details>")[0]
    assert f"run-{judges[-1]}" in folded


def test_published_numbers_have_a_source_a_metric_and_a_place() -> None:
    for one in PUBLISHED:
        assert one.url.startswith("https://")
        assert one.source
        assert one.modality in ("sound", "face", "both")
        shown = [value for value in (one.uar, one.accuracy, one.macro_f1) if value is not None]
        assert shown
        assert all(0.125 < value < 1 for value in shown)
    assert len({(one.modality, one.system, one.source) for one in PUBLISHED}) == len(PUBLISHED)


def test_a_published_number_is_written_with_the_digits_of_its_source(found: Board) -> None:
    rows = {row.system: row.plain for row in found.rows if row.kind == "published"}
    assert rows["wav2vec 2.0 base, frozen; small head"] == {"uar": ".5433", "accuracy": ".554", "macro_f1": ".5399"}
    assert rows["mean OpenFace action units, MLP"] == {"accuracy": ".6022 ± .0253"}


def test_no_name_breaks_a_table(shelf: Store) -> None:
    run = read_run(shelf, "plain-toy")
    evil = "a|b\n\n| --- |`<img src=x>`[x](javascript:y)"
    bad = dataclasses.replace(
        run,
        name=evil,
        results=run.results.assign(family=evil, features=evil),
        predictions=run.predictions.assign(family=evil),
    )
    found = board([bad])
    lines = [line for line in markdown(found).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {13}
    assert not re.search(r"(?<!\\)<img|(?<!\\)\]\(javascript", markdown(found))
    assert "<img" not in scoreboard_page(found, evil)


def test_it_is_the_same_twice(found: Board) -> None:
    assert scoreboard_page(found, "store") == scoreboard_page(found, "store")
    drawn = glance(found).alone("board")
    assert drawn == glance(found).alone("board")
    assert "var(--" in drawn
    assert "prefers-color-scheme: dark" in drawn


@pytest.mark.parametrize(
    ("features", "modality"),
    [
        ("voice_stats", "sound"),
        ("logmel", "sound"),
        ("openface", "face"),
        ("openface+voice_stats", "both"),
        ("mfcc_stats+voice_stats", "sound"),
        ("wav2vec", "other"),
        ("wav2vec+openface", "other"),
    ],
)
def test_modalities(features: str, modality: str) -> None:
    assert modality_of(features) == modality


def test_the_sequence_holds_commands_that_the_jobs_take() -> None:
    job = str(JOBS / "scoreboard.py")
    told = subprocess.run(
        [sys.executable, job, "--source", "a b", "--face", "f.csv", "--networks", "--list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    asked = [shlex.split(line) for line in told]
    jobs = {name: runpy.run_path(str(JOBS.parent / name))["arguments"]() for name in {words[1] for words in asked}}
    parsed = [vars(jobs[words[1]].parse_args(words[2:])) for words in asked]
    assert parsed[0]["source"] == ["a b"]
    assert parsed[-1]["scoreboard"]
    searched = [(one["features"], one["normalise"]) for one in parsed if "normalise" in one]
    assert {kind for _, kind in searched} == {None, "actor"}
    assert ("logmel", None) in searched
    finished: set[str] = set()
    for one in parsed:
        assert {name.split("/")[0] for name in ",".join(one.get("members") or ()).split(",") if name} <= finished
        finished.add(one.get("run") or "")
    without = subprocess.run(
        [sys.executable, job, "--source", "a", "--list"], capture_output=True, text=True, check=True
    ).stdout
    assert "openface" not in without
