"""The model card: made from the run, so its numbers are the run's, and its commands are ones that the jobs take."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pandas as pd
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS
from storage import Store
from tests.test_bundle import made

JOBS = Path(__file__).parents[1] / "jobs"


@pytest.fixture(scope="module")
def text(made_store: Path) -> str:
    return Store(made_store).model("made-svm-mfcc_stats").read("card.md").decode()


def test_its_numbers_are_those_of_the_runs_tables(text: str, made_store: Path) -> None:
    run = made_store / "runs" / "small"
    result = pd.read_parquet(run / "results.parquet").set_index("family").loc["svm"]
    assert f"| UAR (mean recall) | {result['uar']:.3f} | {result['uar_low']:.3f} to {result['uar_high']:.3f} |" in text
    actors = pd.read_parquet(run / "actors.parquet")
    for _, row in actors[actors["family"] == "svm"].iterrows():
        assert f"| {row['actor']} | {row['uar']:.3f} |" in text
    said = pd.read_parquet(run / "predictions.parquet")
    said = said[said["family"] == "svm"]
    for word in EMOTIONS:
        mine = said[said["emotion"] == word]
        assert f"| {word} | {(mine['predicted'] == word).mean():.3f} |" in text
    assert "| loao-03 | 03 |" in text


def test_it_says_what_the_model_is_for_and_whose_terms_it_inherits(text: str) -> None:
    for heading in (
        "Training data",
        "Intended use",
        "It must not be used",
        "Limits",
        "Licence",
        "How to make it again",
    ):
        assert f"## {heading}\n" in text
    assert "drawn by a program" in text
    assert "96 takes in all" in text
    real = made(scores={}).to_files()["card.md"].decode()
    assert "CC BY-NC-SA 4.0; a model made from it inherits these terms" in real
    assert "None yet" in real


def test_its_commands_are_taken_by_the_jobs(text: str) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [words[1] for words in commands] == ["jobs/featurize.py", "jobs/tune.py"]
    for _, name, *words in commands:
        args = runpy.run_path(str(JOBS / Path(name).name))["arguments"]().parse_args(words)
        assert args.features == "mfcc_stats"
    assert (args.protocol, args.samples, args.grid, args.family) == ("loao", 1, 0, ["svm"])


def test_a_changed_card_is_refused(tmp_path: Path) -> None:
    from ravdess.errors import BadBundle

    made().save(tmp_path)
    (tmp_path / "card.md").write_text("UAR 1.000")
    with pytest.raises(BadBundle, match=r"card.md of .* has changed"):
        Bundle.load(tmp_path)
