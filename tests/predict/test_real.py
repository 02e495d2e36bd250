"""On real clips: what predict says of an actor whom the model never saw is what the run said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ravdess.clips import EMOTIONS
from ravdess.corpora import catalogue
from ravdess.extract import extract
from ravdess.features import feature_set
from ravdess.pipeline.outcomes import Outcome, outcomes_table
from ravdess.pipeline.todo import Todo
from ravdess.search import search
from ravdess.search.run import InProcess
from storage import Store

JOB = str(Path(__file__).parents[2] / "jobs" / "predict.py")


@pytest.mark.data
def test_sixty_clips_of_an_unseen_actor_get_the_runs_out_of_fold_predictions(real_data: Path, tmp_path: Path) -> None:
    speech = real_data / "ravdess" / "speech"
    store, sets = Store(tmp_path / "store"), [feature_set("mfcc_stats")]
    people = [str(path) for path in sorted(speech.iterdir())[:3]]
    with Todo(catalogue(people), store, sets) as todo:
        sources = todo.clips["source"].to_pylist()
        todo.commit([outcomes_table(sets, [Outcome(row, *extract(one, sets)) for row, one in enumerate(sources)])])
    asked: dict[str, Any] = {"families": ["svm"], "protocol": "loao", "samples": 1, "grid": 0, "run": "real"}
    table = store.features("mfcc_stats")
    result = search(table, store, **asked, runner=lambda data, families: InProcess(data, families, seed=0))
    actor = Path(people[-1]).name[-2:]
    run = pd.read_parquet(f"{result.path}/predictions.parquet")
    run = run[run["actor"] == actor].set_index("clip")
    assert len(run) == 60
    ran = subprocess.run(
        [sys.executable, JOB, people[-1], "--store", store.url, "--model", f"real/svm/loao-{actor}", "--json"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    said = {one["clip"]: one["probabilities"] for one in json.loads(ran.stdout)["predictions"]}
    assert set(said) == set(run.index)
    for clip, p in said.items():
        assert max(abs(p[word] - run.loc[clip, f"p_{word}"]) for word in EMOTIONS) <= 1e-5
