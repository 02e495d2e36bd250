"""The job as people run it: answers as a table, as JSON and as Parquet; damaged files named; quick to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from ravdess.clips import EMOTIONS
from ravdess.sound.read import read

JOB = str(Path(__file__).parents[2] / "jobs" / "predict.py")


def job(*arguments: str | Path, status: int = 0, stdin: bytes | None = None, cwd: str | Path = "/") -> Any:
    ran = subprocess.run(
        [sys.executable, JOB, *map(str, arguments)], capture_output=True, input=stdin, timeout=120, cwd=cwd, check=False
    )
    assert ran.returncode == status, ran.stderr.decode()
    return ran


def ask(*arguments: str | Path, status: int = 0, stdin: bytes | None = None) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(job(*arguments, "--json", status=status, stdin=stdin).stdout)
    return summary


def test_clips_of_an_unseen_actor_get_the_runs_out_of_fold_predictions(
    made_store: Path, made_clips: list[Path], tmp_path: Path
) -> None:
    mine = [path for path in made_clips if path.stem.endswith("-03")]
    out = tmp_path / "predictions.parquet"
    said = ask(*mine, "--store", made_store, "--model", "small/svm/loao-03", "--out", out)
    run = pd.read_parquet(made_store / "runs" / "small" / "predictions.parquet")
    run = run[run["family"] == "svm"].set_index("clip")
    assert len(said["predictions"]) == 16
    for one in said["predictions"]:
        for word in EMOTIONS:
            assert abs(one["probabilities"][word] - run.loc[one["clip"], f"p_{word}"]) <= 1e-5
        assert one["likeliest"] == run.loc[one["clip"], "predicted"]
    table = pd.read_parquet(out)
    assert table["clip"].tolist() == [path.stem for path in mine]
    assert np.abs(table["p_sad"] - run.loc[table["clip"], "p_sad"].to_numpy()).max() <= 1e-5
    assert table["emotion"].tolist() == [one["emotion"] for one in said["predictions"]]


def test_a_folder_is_judged_and_damaged_files_are_named(
    made_store: Path, made_clips: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "in" / "deeper"
    folder.mkdir(parents=True)
    y, sr = read(made_clips[0])
    soundfile.write(folder / "voice.flac", y, sr)
    soundfile.write(folder / "silence.wav", np.zeros(2 * sr), sr)
    (folder / "cut.wav").write_bytes(made_clips[0].read_bytes()[:9000])
    (folder / "notes.txt").write_text("no sound")
    ran = job(tmp_path / "in", "--store", made_store, status=3)
    text = ran.stdout.decode()
    assert "cut.wav: truncated" in text
    assert "silence: there is no voice to judge" in text
    assert "2 answers to 2 files" in text
    assert "1 files could not be read" in text
    assert "made clips" in text
    assert "notes" not in text
    said = ask(tmp_path / "in", "--store", made_store, status=3)
    assert [one["clip"] for one in said["rejects"]] == ["cut"]
    answers = {one["clip"]: one for one in said["predictions"]}
    assert answers["silence"]["emotion"] == "not sure"
    assert answers["silence"]["probabilities"] == {}
    assert sum(answers["voice"]["probabilities"].values()) == pytest.approx(1)
    assert said["model"]["name"] in {"made-svm-mfcc_stats/1", "made-lightgbm-mfcc_stats/1"}


def test_a_pipe_is_heard(made_store: Path, made_clips: list[Path]) -> None:
    said = ask("-", "--store", made_store, "--model", "made-svm-mfcc_stats", stdin=made_clips[5].read_bytes())
    (one,) = said["predictions"]
    assert one["clip"] == "stdin"
    assert one["likeliest"] in EMOTIONS


def test_all_damaged_is_still_told(made_store: Path) -> None:
    said = ask("-", "--store", made_store, "--model", "made-svm-mfcc_stats", status=3, stdin=b"MThd no sound")
    assert said["predictions"] == []
    assert "no sound or video file" in said["rejects"][0]["reason"]


def test_models_are_listed(made_store: Path) -> None:
    text = job("--models", "--store", made_store).stdout.decode()
    assert "made-lightgbm-mfcc_stats/1" in text
    assert "made clips" in text
    listed = ask("--models", "--store", made_store)["models"]
    assert {one["family"] for one in listed} == {"svm", "lightgbm"}


def test_a_model_is_exported_for_other_programs(made_store: Path, tmp_path: Path) -> None:
    import onnxruntime

    said = ask("--export-onnx", tmp_path / "emotion.onnx", "--model", "made-svm-mfcc_stats", "--store", made_store)
    session = onnxruntime.InferenceSession(said["onnx"], providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["n", 120]
    assert len(json.loads(Path(said["about"]).read_text())["columns"]) == 120


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "nothing to judge"),
        (["absent-folder/x.wav", "--out", "x.csv"], 2, "does not end in .parquet"),
        (["x.wav", "--store", "EMPTY"], 1, "no model in .*make one with: python jobs/featurize.py"),
        (["x.wav", "--store", "EMPTY", "--model", "svm"], 1, "no model 'svm'"),
        (["x.wav", "--model", "made-svm-mfcc_stats", "--enrol", "y.wav"], 1, "y.wav cannot be used to enrol"),
        (["EMPTY"], 1, "holds no sound or video file"),
    ],
)
def test_wrong_usage_says_what_to_do(
    arguments: list[str], status: int, said: str, made_store: Path, tmp_path: Path
) -> None:
    import re

    arguments = [str(tmp_path) if word == "EMPTY" else word for word in arguments]
    ran = job(*arguments, *(() if "--store" in arguments else ("--store", made_store)), status=status)
    assert re.search(said, ran.stderr.decode()), ran.stderr.decode()


def test_the_first_answer_needs_no_ray_no_tensorflow_and_no_scikit_learn(
    made_store: Path, made_clips: list[Path]
) -> None:
    ask_and_tell = (
        f"import runpy, sys; job = runpy.run_path({JOB!r}); "
        f"job['main'](job['arguments']().parse_args({[str(made_clips[0]), '--store', str(made_store), '--json']!r} + "
        "['--model', 'made-svm-mfcc_stats'])); print(sorted(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", ask_and_tell], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["predictions"]
    loaded = set(ran.stderr.splitlines()[-1].strip("[]").replace("'", "").split(", "))
    assert "ravdess.predict" in loaded
    assert not loaded & {"ray", "tensorflow", "keras", "sklearn", "skops", "pandas", "matplotlib", "librosa", "scipy"}
