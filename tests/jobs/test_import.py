"""Tables that others made, imported by the job as people run it, and searched like any other."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ravdess.bundle import Bundle
from ravdess.clips import CLIP_COLUMNS, all_takes
from ravdess.errors import BadImport, BadTable
from ravdess.pipeline.imports import Imported, import_tables
from ravdess.search import search
from ravdess.search.run import InProcess
from storage import Store
from tests.search import toys

JOB = str(Path(__file__).parents[2] / "jobs" / "featurize.py")
SPOKEN = [clip for clip in all_takes() if clip.channel == "speech"]


def job(*arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """Run the job with --json and return its summary."""
    command = [sys.executable, JOB, *map(str, arguments), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd="/", check=False)
    assert ran.returncode == status, ran.stderr
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


def measured(path: Path, clips: Sequence[Any] = SPOKEN, *, shift: float = 0.0, columns: Sequence[str] = "ab") -> Path:
    """A csv of clips: each column is a number that the clip's place and the column's fix."""
    place = {name: at for at, name in enumerate("abc")}
    lines = [
        ",".join(
            [f"{clip.name}.wav", *(str((SPOKEN.index(clip) * 7 + place[one] * 3) % 101 + shift) for one in columns)]
        )
        for clip in clips
    ]
    path.write_text("\n".join([",".join(["file", *columns]), *lines]) + "\n")
    return path


def bring(store: Path, path: Path, name: str = "toy", **options: Any) -> Imported:
    [imported] = import_tables(Store(store), [(name, str(path))], **options)
    return imported


def test_a_file_becomes_a_feature_set_without_ray_and_only_once(tmp_path: Path) -> None:
    store, path = tmp_path / "store", measured(tmp_path / "toy.csv")
    with path.open("a") as file:
        file.write("nobody.wav,1,2\n")
    summary = job("--store", store, "--import", f"toy={path}", status=3)
    assert summary["ray_started"] is False
    made = {"rows": 1440, "computed": 1440, "rejects": 1, "path": str(store / "features" / "toy")}
    assert summary["features"] == {"toy": made}
    [reject] = summary["rejects"]
    assert (reject["clip"], reject["stage"], reject["source"]) == ("nobody.wav", "import", f"{path}#row=1441")
    assert "no clip name" in reject["reason"]
    [told] = summary["imports"]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (told["sha256"], told["size"], told["rows"]) == (sha256, path.stat().st_size, 1441)
    assert (told["columns"], told["lacking"]["count"]) == (["a", "b"], 0)

    frame = pd.read_parquet(store / "features" / "toy").set_index("take")
    assert list(frame.reset_index().columns[: len(CLIP_COLUMNS)].sort_values()) == sorted(CLIP_COLUMNS)
    clip = SPOKEN[77]
    row = frame.loc[clip.take]
    assert (row["a"], row["b"]) == (77 * 7 % 101, (77 * 7 + 3) % 101)
    assert (row["clip"], row["emotion"], row["actor"], row["gender"]) == (
        clip.name, clip.emotion, clip.actor, clip.gender,
    )  # fmt: skip
    assert (row["source"], row["source_digest"]) == (f"{path}#row=78", sha256)
    assert frame["a"].dtype == np.float32

    again = job("--store", store, "--import", f"toy={path}", status=3)
    assert again["features"]["toy"] == {**made, "computed": 0}
    assert again["rejects"] == summary["rejects"]
    assert Store(store).table("features/toy").version() == 1
    assert len(Store(store).rejects()) == 1
    assert len(Store(store).imports()) == 1


def test_the_job_loads_no_ray_for_an_import(tmp_path: Path) -> None:
    script = (
        "import runpy, sys; job = runpy.run_path(sys.argv[1]); status = job['main'](job['arguments']()"
        ".parse_args(sys.argv[2:])); assert 'ray' not in sys.modules; sys.exit(status)"
    )
    asked = ["--store", str(tmp_path / "store"), "--import", f"toy={measured(tmp_path / 'toy.csv', SPOKEN[:3])}"]
    ran = subprocess.run([sys.executable, "-c", script, JOB, *asked], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "1437 takes of the publisher's ravdess (speech) are not in it: all of actors 04, 05" in ran.stdout
    assert "nothing to do" not in ran.stdout
    assert f"tune.py --store {tmp_path / 'store'} --features toy" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--import", "toy"], 2, "expected NAME=FILE"),
        (["--import", "=x.csv"], 2, "expected NAME=FILE"),
        (["--import", "toy=/no/such.csv"], 1, "/no/such.csv is not there"),
        (["--import", "mfcc_stats=/no/such.csv"], 1, "computed here; import under another name"),
        (["--import", "mfcc_stats_every_file=/no/such.csv"], 1, "computed here; import under another name"),
        (["--import", "../toy=/no/such.csv"], 1, "bad table name"),
        (["--import", "toy=/no/such.csv", "--corpus", "crema"], 1, "unknown corpus 'crema'"),
        (["--import", "toy=/no/such.csv", "--verify"], 2, "ask for one of them"),
    ],
)
def test_wrong_usage_is_said_in_one_line(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    ran = subprocess.run(
        [sys.executable, JOB, "--store", str(tmp_path / "store"), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, said in ran.stderr, "Traceback" in ran.stderr) == (status, True, False), ran.stderr
    assert not (tmp_path / "store").exists()


def test_takes_are_compared_with_the_source_that_is_given(tmp_path: Path) -> None:
    lines = [f"03-01-{emotion:02d}-01-01-01-{actor:02d},{actor}.5" for actor in (1, 2, 30) for emotion in (1, 2, 3)]
    path = tmp_path / "toy.csv"
    path.write_text("\n".join(["clip,a", *lines]) + "\n")
    summary = job("--store", tmp_path / "s", "--import", f"toy={path}", "--source", "sample:actors=3,takes=4")
    assert summary["ray_started"] is False
    assert list(summary["features"]) == ["toy"]
    [told] = summary["imports"]
    assert told["corpus"] == "sample"
    assert told["lacking"]["count"] == 3 * 4 - 6
    assert told["unlisted"] == {"count": 3, "takes": [f"01-{at:02d}-01-01-01-30" for at in (1, 2, 3)]}
    notes = "; ".join(summary["notes"])
    assert (
        "6 takes of the source (speech) are not in it: all of actor 03; 01-04-01-01-01-01, 01-04-01-01-01-02" in notes
    )
    assert "3 of its takes are not in the source: 01-01-01-01-01-30" in notes


@pytest.mark.ray
def test_features_that_are_asked_for_too_are_computed_beside(tmp_path: Path) -> None:
    path, store = measured(tmp_path / "toy.csv"), tmp_path / "store"
    source = ["--source", "sample:actors=1,takes=2", "--corpus", "ravdess", "--features", "spectral_stats"]
    summary = job("--store", store, "--import", f"toy={path}", *source)
    assert summary["features"]["toy"]["rows"] == 1440
    assert summary["features"]["spectral_stats"]["rows"] == 2
    assert Store(store).feature_sets() == ["spectral_stats", "toy"]


def test_tables_only_grow_and_differences_are_said(tmp_path: Path) -> None:
    store = tmp_path / "store"
    bring(store, measured(tmp_path / "a.csv", SPOKEN[:100]))
    more = bring(store, measured(tmp_path / "b.csv", SPOKEN[50:200]))
    assert (more.rows, more.computed, more.differing) == (200, 100, [])
    other = bring(store, measured(tmp_path / "c.csv", SPOKEN[:250], shift=0.5))
    assert (other.rows, other.computed) == (250, 50)
    assert other.differing == sorted(clip.take for clip in SPOKEN[:200])
    assert any("stand with other numbers" in note and "another name" in note for note in other.notes)
    frame = Store(store).features("toy").set_index("take")
    assert frame.loc[SPOKEN[199].take, "a"] == 199 * 7 % 101
    assert frame.loc[SPOKEN[200].take, "a"] == 200 * 7 % 101 + 0.5
    told = Store(store).imports()
    assert sorted(told["file"]) == [str(tmp_path / name) for name in ("a.csv", "b.csv", "c.csv")]
    assert told["columns"].map(json.loads).tolist() == [["a", "b"]] * 3


def test_other_columns_or_another_version_ask_for_another_name(tmp_path: Path) -> None:
    store, path = tmp_path / "store", measured(tmp_path / "a.csv", SPOKEN[:60])
    bring(store, path, version="2.2.0")
    with pytest.raises(BadImport, match="another --import-version"):
        bring(store, path)
    with pytest.raises(BadImport, match="has 'c' besides"):
        bring(store, measured(tmp_path / "b.csv", SPOKEN[:60], columns="abc"), version="2.2.0")
    turned = bring(store, measured(tmp_path / "c.csv", SPOKEN[60:70], columns="ba"), version="2.2.0")
    assert (turned.plan.names, turned.computed) == (("a", "b"), 10)
    frame = Store(store).features("toy").set_index("take")
    assert frame.loc[SPOKEN[65].take, "b"] == (65 * 7 + 3) % 101


def test_a_column_that_was_left_out_once_stays_left_out(tmp_path: Path) -> None:
    codes = {word: at for at, word in enumerate(sorted({clip.emotion for clip in SPOKEN}))}

    def labelled(path: Path, clips: Sequence[Any]) -> Path:
        lines = [f"{clip.name},{SPOKEN.index(clip) ** 2 % 17},{codes[clip.emotion]}" for clip in clips]
        path.write_text("\n".join(["name,a,target", *lines]) + "\n")
        return path

    bring(tmp_path / "store", labelled(tmp_path / "a.csv", SPOKEN[:1000]))
    few = bring(tmp_path / "store", labelled(tmp_path / "b.csv", SPOKEN[1000:1003]))
    assert (few.plan.names, few.computed) == (("a",), 3)


def test_a_computed_table_is_never_added_to(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    rows = pa.Table.from_pandas(toys.table(), preserve_index=False)
    with store.table("features/toy").open(rows.schema, key=["corpus", "take"], fingerprint="toy-1") as writer:
        writer.append(rows)
    with pytest.raises(BadImport, match="was computed, not imported"):
        bring(tmp_path / "store", measured(tmp_path / "a.csv"))


def test_nothing_is_kept_of_a_file_without_one_good_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,a\nanna,1\nbob,2\n")
    with pytest.raises(BadImport, match=r"no row that can be used, of 2.*Row 1: 'anna' is no clip name"):
        bring(tmp_path / "store", path)
    assert not (tmp_path / "store").exists()


def test_wide_tables_are_committed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ravdess.pipeline.imports.COMMIT_CELLS", 40)
    monkeypatch.setattr("ravdess.foreign.read.CELLS_AT_ONCE", 30)
    made = bring(tmp_path / "store", measured(tmp_path / "a.csv", SPOKEN[:100]))
    assert made.computed == 100
    assert Store(tmp_path / "store").table("features/toy").version() == 5
    assert bring(tmp_path / "store", measured(tmp_path / "a.csv", SPOKEN[:100])).differing == []


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Any]:
    """An imported table of toy features, and a search on it."""
    home = tmp_path_factory.mktemp("store")
    frame = toys.table()
    frame[["clip", *(f"f{at}" for at in range(6))]].to_csv(home / "toy.csv", index=False)
    bring(home, home / "toy.csv")
    store = Store(home)
    result = search(
        store.features("toy"), store, families=["svm"], features="toy", samples=2, grid=0,
        fingerprint=store.table("features/toy").fingerprint() or "",
        runner=lambda data, families: InProcess(data, families, seed=0),
    )  # fmt: skip
    return store, result


def test_a_search_takes_a_table_that_no_register_knows(searched: tuple[Store, Any]) -> None:
    store, result = searched
    row = result.results.iloc[0]
    assert row["fingerprint"] == store.table("features/toy").fingerprint()
    assert row["n_takes"] == 192
    assert row["uar"] > 2 / 8
    assert result.summary["foreign"] is True
    assert any("are foreign" in note for note in result.summary["notes"])


def test_its_model_says_which_columns_it_needs(searched: tuple[Store, Any]) -> None:
    store, _ = searched
    folder = Path(store.model(store.models()[0]).path())
    bundle = Bundle.load(folder)
    assert bundle.foreign
    assert "the same 6 columns (f0, f1, … f5)" in bundle.needs
    assert json.loads((folder / "bundle.json").read_text())["needs"] == bundle.needs
    frame = store.features("toy")
    assert bundle.predict(frame).shape == (192,)
    with pytest.raises(BadTable, match=r"1 of 6 columns of 'toy' are missing: f3; the features 'toy' are foreign"):
        bundle.predict(frame.drop(columns="f3"))


@pytest.mark.data
def test_the_real_action_units_come_through_whole(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "openface_au.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    summary = job("--store", tmp_path, "--import", f"openface={path}")
    assert summary["features"]["openface"]["rows"] == 1200
    [told] = summary["imports"]
    assert (len(told["columns"]), told["left_out"], told["lacking"]["count"]) == (35, {}, 240)
    assert any(note.endswith("all of actors 06, 13, 17, 22") for note in summary["notes"])
    ours = pd.read_parquet(tmp_path / "features" / "openface").set_index("clip").sort_index()
    theirs = pd.read_csv(path).set_index("name").sort_index()
    assert list(ours.columns[len(CLIP_COLUMNS) - 1 :]) == list(theirs.columns)
    np.testing.assert_array_equal(ours[theirs.columns].to_numpy(), theirs.to_numpy().astype(np.float32))
    assert (ours.groupby("actor").size() == 60).all()
