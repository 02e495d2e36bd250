"""Pages say what the tables say, escape what they are given, need no other file, and come out the same twice."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess import report
from ravdess.clips import EMOTIONS
from ravdess.errors import UnknownName
from ravdess.report import figures, numbers
from ravdess.report.again import command
from ravdess.report.figures import share3
from ravdess.report.html import Raw, table, tag
from ravdess.report.of_run import run_section
from ravdess.report.png import png
from ravdess.report.read import finished_runs, read_run
from ravdess.scores import score
from storage import Store

JOB = Path(__file__).parents[2] / "jobs" / "report.py"


class Tables(HTMLParser):
    """Every table's rows as text, by caption."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.tags: list[str] = []
        self._caption, self._rows, self._in = "", list[list[str]](), ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag in ("td", "th", "caption"):
            self._in = tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "caption"):
            self._in = ""
        elif tag == "table":
            self.found[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if self._in == "caption":
            self._caption += data
        elif self._in:
            self._rows[-1][-1] += data


def test_the_results_table_is_the_parquet_file(shelf: Store) -> None:
    rows = next(
        rows for caption, rows in Tables(report.run_page(shelf, "plain-toy")).found.items() if "Judged" in caption
    )
    stands = pd.read_parquet(f"{shelf.url}/runs/plain-toy/results.parquet")
    assert len(rows) == 1 + len(stands) == 3
    for shown, (_, row) in zip(rows[1:], stands.iterrows(), strict=True):
        assert shown[0] == row["family"]
        for at, name in enumerate(("uar", "accuracy", "macro_f1"), 1):
            said = [float(number) for number in re.findall(r"[01]?\.\d+", shown[at])]
            assert said == pytest.approx([row[name], row[f"{name}_low"], row[f"{name}_high"]], abs=5.01e-4)
        assert float(shown[4]) == pytest.approx(row["fold_uar_std"], abs=5.01e-4)


def test_the_figures_numbers_are_those_of_the_predictions(shelf: Store) -> None:
    run = read_run(shelf, "plain-toy")
    said = run.said("centroids")
    scores = score(said["emotion"], said["predicted"], said["actor"])
    recalls = numbers.recalls(said)
    assert {word: one.value for word, one in recalls.items()} == pytest.approx(scores["recalls"])
    assert all(one.low <= one.value <= one.high for one in recalls.values())
    people = numbers.actors(said)
    stands = run.actors[run.actors["family"] == "centroids"].set_index("actor")["uar"]
    assert {actor: one.value for actor, one in people.items()} == pytest.approx(stands.to_dict())
    confused = next(
        rows
        for name, rows in Tables(report.run_page(shelf, "plain-toy")).found.items()
        if name.startswith("centroids: of")
    )
    shares = (
        pd.crosstab(said["emotion"], said["predicted"], normalize="index").reindex(EMOTIONS, columns=EMOTIONS).fillna(0)
    )
    assert [[float(cell) for cell in row[1:]] for row in confused[1:]] == [
        [float(f"{100 * cell:.0f}") for cell in row] for row in shares.to_numpy()
    ]


def test_reliability_is_right_on_a_made_case() -> None:
    # Ten actors; every take is called with .75; actors 0 to 4 are always right, the others half the time.
    rows = [(f"{actor:02d}", take % 2 == 0 or actor < 5) for actor in range(10) for take in range(4)]
    p = {f"p_{word}": [0.75 if word == "calm" else 0.25 / 7] * len(rows) for word in EMOTIONS}
    truth = ["calm" if hit else "sad" for _, hit in rows]
    made = pd.DataFrame({"actor": [actor for actor, _ in rows], "emotion": truth, "predicted": "calm", **p})
    ((confidence, right, takes),) = numbers.reliability(made).bins
    assert (confidence, right.value, takes) == pytest.approx((0.75, 0.75, 40))
    assert 0.55 < right.low < 0.7
    assert 0.8 < right.high < 0.95
    assert numbers.reliability(made).error == pytest.approx(0.0)


def test_the_search_is_told_in_the_order_of_its_draws(shelf: Store) -> None:
    run = read_run(shelf, "many-toy")
    tried = numbers.tried(run.trials, "centroids")
    rounds = [one.round for one in tried]
    assert rounds == sorted(rounds, reverse=True)  # random, then grid
    assert rounds.count("random") == 12
    assert [one.drawn for one in tried] == list(range(1, len(tried) + 1))
    assert tried[0].params == {"metric": "city", "sharp": 0.5}  # the family's defaults come first
    final = run.choices[run.choices["judge"] == "final"].iloc[0]
    assert max(one.uar for one in tried) == pytest.approx(final["choosers_uar"])


def test_the_hyperparameter_that_decides_is_found_and_one_that_does_nothing_is_not() -> None:
    rng = np.random.default_rng(0)
    decides, idle = rng.uniform(0, 1, 60), rng.choice(["a", "b", "c"], 60)
    made = [
        numbers.Tried(at + 1, "random", {"decides": float(x), "idle": str(word)}, 0.4 + 0.1 * x, 0.01)
        for at, (x, word) in enumerate(zip(decides, idle, strict=True))
    ]
    first, second = numbers.mattered(made)
    assert (first.name, second.name) == ("decides", "idle")
    assert first.share > 0.8
    assert second.share < 0.1
    assert numbers.mattered(made[: numbers.ENOUGH - 1]) == []


def test_kinds_that_may_not_be_compared_stand_in_tables_apart(whole: str) -> None:
    found = {caption: rows for caption, rows in Tables(whole).found.items() if "best UAR first" in caption}
    runs = {caption.partition(":")[0]: {row[0] for row in rows[1:]} for caption, rows in found.items()}
    assert runs == {"plain": {"plain-toy", "many-toy"}, "enrolled": {"enrolled-toy"}, "LEAKY": {"leaky-toy"}}


def test_the_same_store_gives_the_same_bytes(shelf: Store, whole: str) -> None:
    code = (
        f"from ravdess import report; from storage import Store; print(report.store_page(Store({shelf.url!r})), end='')"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout == whole


def test_hostile_names_stay_text(shelf: Store) -> None:
    run = read_run(shelf, "many-toy")
    evil = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
    tables = {
        name: getattr(run, name).assign(family=evil)
        for name in ("results", "predictions", "actors", "choices", "trials")
    }
    request = {**run.request, "families": {evil: {}}, "features": evil}
    bad = dataclasses.replace(run, name=evil, request=request, **tables)
    seen = Tables(str(run_section(bad, evil)))
    assert not {"script", "img"} & set(seen.tags)
    assert evil in {cell for rows in seen.found.values() for row in rows for cell in row}
    assert str(tag("p", evil, title=evil)).count("<") == 2
    assert "<script" not in table(evil, [evil], [[evil]])
    assert tag("p", Raw("<b>ours</b>")) == "<p><b>ours</b></p>"


def test_a_page_needs_nothing_but_itself(whole: str) -> None:
    page = whole
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:image/png)\w""", page)
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_every_picture_is_named_and_every_table_has_caption_and_heads(whole: str) -> None:
    page = whole
    assert all(re.search(r'role="img" aria-label="[^"]+"', svg) for svg in re.findall(r"<svg[^>]*>", page))
    assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img[^>]*>", page))
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert tables
    assert all("<caption>" in one and 'scope="col"' in one and 'scope="row"' in one for one in tables)


@pytest.mark.parametrize("name", ["enrolled-toy", "leaky-toy"])
def test_the_command_asks_for_the_same_run_again(shelf: Store, name: str) -> None:
    import shlex

    words = shlex.split(command(read_run(shelf, name), shelf.url))
    assert words[:2] == ["python", "jobs/tune.py"]
    ran = subprocess.run(
        [sys.executable, str(JOB.with_name("tune.py")), *words[2:], "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["run"] == name
    assert told["effort"] == read_run(shelf, name).summary["effort"]  # found finished: nothing was computed


def test_what_is_no_finished_run_is_said(tmp_path: Path) -> None:
    begun = Store(tmp_path)
    begun.folder("runs/begun").write("request.json", b"{}")
    assert finished_runs(begun) == []
    with pytest.raises(UnknownName, match="unknown finished run 'begun', expected one of"):
        report.run_page(begun, "begun")
    empty = report.store_page(begun)
    assert "Unfinished, and not shown: begun" in empty
    assert "No run is finished yet" in empty
    assert "There are no clips" in empty


def test_the_job_loads_neither_ray_nor_tensorflow(shelf: Store, out: Path, whole: str) -> None:
    code = (
        "import runpy, sys; sys.argv = ['report.py', '--store', sys.argv[1], '--out', sys.argv[2], '--json']\n"
        f"job = runpy.run_path({str(JOB)!r}); status = job['main'](job['arguments']().parse_args())\n"
        "print(sorted({'ray', 'tensorflow', 'keras', 'matplotlib', 'librosa'} & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, shelf.url, str(out / "report.html")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.strip().endswith("[]")
    assert Path(json.loads(ran.stdout)["path"]).read_text() == whole


def test_a_png_is_read_back_as_it_was() -> None:
    import cv2

    def read(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), dtype=np.uint8)

    grey = np.arange(35, dtype=np.uint8).reshape(5, 7)
    colour = np.arange(105, dtype=np.uint8).reshape(5, 7, 3)
    assert np.array_equal(read(png(grey)), grey)
    assert np.array_equal(read(png(colour))[..., ::-1], colour)
    light = cv2.cvtColor(read(png(grey * 7, shades=True)), cv2.COLOR_BGR2LAB)[..., 0].ravel().astype(int)
    assert (np.diff(light) >= 0).all()  # ever lighter: told apart without colour
    assert light[-1] > light[0]


@pytest.mark.parametrize(("value", "said"), [(0.4651, ".465"), (1.0, "1.000"), (0.0, ".000"), (0.0625, ".062")])
def test_fractions_are_written_as_such(value: float, said: str) -> None:
    assert share3(value) == said


def test_whatever_is_drawn_lies_inside_its_picture(whole: str) -> None:
    drawn = figures.intervals(
        ["a", "b" * 40], [figures.Series("UAR", [numbers.Interval(1.0, 0.9, 1.0), None])], chance=0.125
    )
    for page in (str(drawn.html("t")), whole):
        for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
            width, height = map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
            for axis, most in (("x", width), ("y", height)):
                places = [float(one) for one in re.findall(rf' c?{axis}[12]?="([^"]+)"', svg)]
                assert all(-0.01 <= place <= most + 0.01 for place in places)


def test_the_command_of_a_fused_run_names_its_members(shelf: Store) -> None:
    run = read_run(shelf, "many-toy")
    asked = {"families": {"fusion": {}}, "members": {"a/svm": "0", "b/svm": "1"}, "seed": 4, "features": "x+y"}
    told = command(dataclasses.replace(run, request=asked, trials=run.trials.iloc[:0]), "s")
    assert told == "python jobs/tune.py --store s --family fusion --members a/svm,b/svm --seed 4 --run many-toy"
    assert numbers.tried(run.trials.iloc[:0], "fusion") == []
