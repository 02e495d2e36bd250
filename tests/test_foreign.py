"""Foreign tables: which clip a row names, which columns are numbers, which rows stand."""

from __future__ import annotations

import codecs
import gzip
import re
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ravdess.clips import Clip, all_takes
from ravdess.errors import BadImport, BadName
from ravdess.foreign import fingerprint, is_foreign, needs
from ravdess.foreign.compare import compare, listed_by_publisher, told
from ravdess.foreign.judge import Verdict, judge, rows
from ravdess.foreign.keys import clip_of
from ravdess.foreign.read import identify
from ravdess.foreign.survey import Survey, survey

TAKES = all_takes()
SPOKEN = [clip for clip in TAKES if clip.channel == "speech"]
CLIPS = st.builds(
    lambda clip, modality: Clip.parse(f"{modality}-{clip.take}"),
    st.sampled_from(TAKES),
    st.sampled_from(["01", "02", "03"]),
)
FOLDERS = st.sampled_from(["", "Actor_07/", "/data/my clips/", "C:\\clips\\Actor_07\\", "a.b/c.d/", "../"])
ENDINGS = st.sampled_from(["", ".wav", ".mp4", ".MP4", ".flac", ".csv", ".wav.npy", ".openface.csv"])


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def csv_of(header: Sequence[str], lines: Sequence[Sequence[object]], separator: str = ",") -> str:
    return "\n".join(separator.join(map(str, line)) for line in [header, *lines]) + "\n"


def examine(path: Path, fixed: Sequence[str] | None = None) -> tuple[Survey, Verdict, dict[str, list[float]]]:
    """Columns, rows, and the numbers that would be kept by take."""
    file = identify(path)
    plan = survey(file, Clip.parse, fixed=fixed)
    verdict = judge(file, plan, Clip.parse)
    kept = {
        stands.clip.take: [float(value) for value in line]
        for standing, values in rows(file, plan, verdict, verdict.takes.keys(), Clip.parse)
        for stands, line in zip(standing, values, strict=True)
    }
    return plan, verdict, kept


# Keys -----------------------------------------------------------------------------------------------------------------


@given(CLIPS, FOLDERS, ENDINGS, st.sampled_from(["", " ", "\t"]))
def test_a_clips_name_is_found_whatever_stands_around_it(clip: Clip, folder: str, ending: str, space: str) -> None:
    assert clip_of(f"{space}{folder}{clip.name}{ending}{space}", Clip.parse) == clip
    of_take = clip_of(f"{folder}{clip.take}{ending}", Clip.parse)
    assert (of_take.take, of_take.modality) == (clip.take, "audio-video")


@given(st.text())
def test_a_cell_is_a_clip_or_refused_with_a_reason(text: str) -> None:
    try:
        clip = clip_of(text, Clip.parse)
    except BadName as error:
        reason = str(error)
        assert reason  # either outcome is right, and each has its own truth
    else:
        assert clip.take in text


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "the cell is empty"),
        ("  ", "the cell is empty"),
        ("Actor_01/", "names a folder"),
        ("hello.wav", "'hello' is no clip name"),
        ("03-01-09-01-01-01-01.wav", "emotion 09 is out of range"),
        ("01-09-01-01-01-01", "emotion 09 is out of range"),
        ("03-01-01-02-01-01-01", "neutral was never performed with strong intensity"),
        ("02-01-01-01-01-18", "actor 18 has no song"),
        ("x" * 5000, "is no clip name"),
    ],
)
def test_what_is_no_clip_is_refused_by_the_corpus_rule(cell: str, reason: str) -> None:
    with pytest.raises(BadName, match=reason) as caught:
        clip_of(cell, Clip.parse)
    assert len(str(caught.value)) < 400


# Files ----------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spelt=st.tuples(
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"]),
        st.sampled_from([",", ";", "\t", "|"]),
        st.sampled_from(["\n", "\r\n", "\r"]),
    ),
    word=st.text(st.characters(codec="latin-1", categories=["L", "N"]), max_size=8),
    zipped=st.booleans(),
    numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9),
)
def test_numbers_come_through_every_encoding_separator_and_newline(
    tmp_path: Path, *, spelt: tuple[str, str, str], word: str, zipped: bool, numbers: list[float]
) -> None:
    encoding, separator, newline = spelt
    lines = [[clip.name, value, -value] for clip, value in zip(SPOKEN, numbers, strict=False)]
    text = csv_of(["name", f"fé{word}", "b c"], lines, separator).replace("\n", newline)
    data = text.encode(encoding)
    path = tmp_path / "table.txt"
    path.write_bytes(gzip.compress(data) if zipped else data)
    plan, verdict, kept = examine(path)
    assert plan.names == (f"fé{word}", "b c")
    assert verdict.refusals == 0
    assert kept == {clip.take: [value, -value] for clip, value in zip(SPOKEN, numbers, strict=False)}


def test_openface_spaces_quotes_and_blank_lines_are_no_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'"name", AU01_r, "AU, 2"\n\n"{SPOKEN[0].name}", 0.5, 1e-3\n,,\n')
    plan, verdict, kept = examine(path)
    assert plan.names == ("AU01_r", "AU, 2")
    assert kept == {SPOKEN[0].take: [0.5, float(np.float32(1e-3))]}
    assert verdict.rows == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: 0 bytes"),
        (b"\n \n", "holds no text"),
        (codecs.BOM_UTF8, "holds no text"),
        (b"name,a\n", "a header and no rows"),
        (b"name,a,a,b,b\n03-01-01-01-01-01-01,1,2,3,4\n", "same name: a, b"),
        (b"03-01-01-01-01-01-01,1\n03-01-01-01-01-01-02,2\n", "has no header"),
        (b"who,a\nanna,1\nbob,2\n", "no column of clip names"),
        (b"name,mood\n03-01-01-01-01-01-01,good\n", "no column of numbers"),
        (b"name\n03-01-01-01-01-01-01\n", "no column of numbers"),
        (b"PK\x03\x04 and so on", "spreadsheet"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "neither text nor Parquet"),
        (b"PAR1 and then nothing of the kind", "cannot be read"),
        (gzip.compress(b"name,a\n03-01-01-01-01-01-01,1\n" * 99, mtime=0)[:40], "cannot be read"),
        (b'name,a\n"03-01-01-01-01-01-01,1\n', "cannot be read"),
        (codecs.BOM_UTF16_LE + b"a", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_plain_words(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(BadImport, match=said):
        examine(path)


def test_absent_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadImport, match="not there"):
        identify(tmp_path / "absent.csv")
    with pytest.raises(BadImport, match="a folder"):
        identify(tmp_path)
    with pytest.raises(BadImport, match="copy it to this machine"):
        identify("s3://bucket/table.csv")


def test_parquet_of_any_number_type_gives_the_same_as_csv(tmp_path: Path) -> None:
    table = pa.table(
        {
            "clip": pa.array([clip.name for clip in SPOKEN[:3]]).dictionary_encode(),
            "half": pa.array(np.array([0.5, 1, 2], np.float16)),
            "whole": pa.array([1, 2, 3], pa.uint8()),
            "truth": pa.array([True, False, True]),
            "text": pa.array(["1.5", "2.5", "-3"]),
            "list": pa.array([[1.0], [2.0], [3.0]]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    plan, _, kept = examine(tmp_path / "a.parquet")
    assert plan.names == ("half", "whole", "truth", "text")
    assert plan.left_out == {"list": "holds words, no numbers"}
    assert list(kept.values()) == [[0.5, 1, 1, 1.5], [1, 2, 0, 2.5], [2, 3, 1, -3]]


def test_a_pandas_index_of_names_is_the_key(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f",a\n{SPOKEN[0].name},1\n")
    assert examine(path)[2] == {SPOKEN[0].take: [1]}


def test_the_column_whose_cells_are_names_is_the_key(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"name,footage,a\nanna,{SPOKEN[0].name}.mp4,1\nbob,{SPOKEN[1].name}.mp4,2\n")
    plan, _, kept = examine(path)
    assert kept == {SPOKEN[0].take: [1], SPOKEN[1].take: [2]}
    assert plan.left_out == {"name": "holds words, no numbers"}


# Columns --------------------------------------------------------------------------------------------------------------


def test_columns_that_are_no_measurements_are_left_out_and_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    header = ["", "clip", "Emotion", "actor", "label", "row", "mood", "none", "zero", "noise"]
    codes = {word: code for code, word in enumerate(sorted({clip.emotion for clip in SPOKEN}))}
    lines = [
        [at, c.name, codes[c.emotion], int(c.actor), 10 * codes[c.emotion], at + 7, c.emotion, "NA", 0, rng.normal()]
        for at, c in enumerate(SPOKEN[:200] + SPOKEN[-200:])
    ]
    plan, verdict, _ = examine(write(tmp_path / "a.csv", csv_of(header, lines)))
    assert plan.names == ("zero", "noise")
    assert plan.constant == ("zero",)
    assert verdict.refusals == 0
    assert plan.left_out == {
        "column 1": "has no name, as a data frame's index",
        "Emotion": "is what the clip's name tells",
        "actor": "is what the clip's name tells",
        "label": "is the same for all clips of an emotion: it is the answer, not a measurement",
        "row": "counts the rows",
        "mood": "holds words, no numbers",
        "none": "is empty",
    }


def test_a_label_with_one_exception_is_kept_as_a_measurement(tmp_path: Path) -> None:
    lines = [[clip.name, len(clip.emotion) + (at == 3)] for at, clip in enumerate(SPOKEN)]
    assert examine(write(tmp_path / "a.csv", csv_of(["clip", "x"], lines)))[0].names == ("x",)


def test_names_that_differ_by_case_only_get_a_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", csv_of(["name", "x", "X", "x_2"], [[SPOKEN[0].name, 1, 2, 3]]))
    plan, _, kept = examine(path)
    assert plan.names == ("x", "X_2", "x_2_2")
    assert plan.renamed == {"X": "X_2", "x_2": "x_2_2"}
    assert kept == {SPOKEN[0].take: [1, 2, 3]}


def test_a_standing_table_fixes_the_columns_and_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", csv_of(["name", "b", "a"], [[SPOKEN[0].name, 1, 2]]))
    assert examine(path, fixed=["a", "b"])[2] == {SPOKEN[0].take: [2, 1]}
    with pytest.raises(BadImport, match=r"lacks 'c' and has 'b' besides.*another name"):
        examine(path, fixed=["a", "c"])


def test_ten_thousand_columns(tmp_path: Path) -> None:
    header = ["take", *(f"e{at}" for at in range(10_000))]
    lines = [[clip.take, *(at + row for at in range(10_000))] for row, clip in enumerate(SPOKEN[:5])]
    plan, verdict, kept = examine(write(tmp_path / "wide.csv", csv_of(header, lines)))
    assert len(plan.names) == 10_000
    assert len(verdict.takes) == 5
    assert kept[SPOKEN[4].take][9_999] == 10_003


# Rows -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "column 'b' is missing or NaN"),
        ("NaN", "column 'b' is missing or NaN"),
        ("NA", "column 'b' is missing or NaN"),
        ("inf", "column 'b' is infinite"),
        ("-Infinity", "column 'b' is infinite"),
        ("1e39", "column 'b' holds 1e\\+39, too large for float32"),
        ("happy", "column 'b' holds 'happy', which is no number"),
        ("1_000", "column 'b' holds '1_000', which is no number"),
        ('"0,5"', "column 'b' holds '0,5', which is no number; write decimal points"),
        ("1,2", "the row has 4 cells, the header names 3 columns"),
    ],
)
def test_a_cell_that_cannot_be_used_costs_its_row_and_names_its_column(tmp_path: Path, cell: str, reason: str) -> None:
    lines = [[SPOKEN[0].name, 1, 2], [SPOKEN[1].name, 3, cell], [SPOKEN[2].name, 5, 6]]
    _, verdict, kept = examine(write(tmp_path / "a.csv", csv_of(["name", "a", "b"], lines)))
    assert kept == {SPOKEN[0].take: [1, 2], SPOKEN[2].take: [5, 6]}
    [refused] = verdict.refused
    assert (refused.row, refused.key) == (2, SPOKEN[1].name)
    assert re.search(reason, refused.reason)


def test_equal_rows_count_once_and_different_ones_not_at_all(tmp_path: Path) -> None:
    one, two, three, four = (clip.take for clip in SPOKEN[:4])
    lines = [
        [f"03-{one}", 1, 0.0],
        [f"03-{two}", 1, 2],
        [f"01-{one}", 1, -0.0],
        [f"03-{two}.wav", 1, 2.5],
        [f"03-{three}", 7, 8],
        [f"03-{two}", 1, 2],
        [f"03-{four}", 1, ""],
        [f"03-{four}", 1, 3],
    ]
    _, verdict, kept = examine(write(tmp_path / "a.csv", csv_of(["name", "a", "b"], lines)))
    assert kept == {one: [1, 0], three: [7, 8], four: [1, 3]}
    assert verdict.repeated == 1
    assert [refused.row for refused in verdict.refused] == [2, 4, 6, 7]
    assert verdict.refusals == 4
    assert "stands in 3 rows (2, 4, 6) with different numbers" in verdict.refused[0].reason


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from([clip.take for clip in SPOKEN[:6]] + ["nobody", "03-99-01-01-01-01-01"]),
            st.sampled_from(["1", "2.5", "nan", "", "x"]),
        ),
        min_size=1,
        max_size=40,
    ),
)
def test_every_row_stands_repeats_or_is_refused(tmp_path: Path, lines: list[tuple[str, str]]) -> None:
    lines = [(SPOKEN[9].take, "4"), (SPOKEN[9].take, "4"), *lines, *((SPOKEN[9].take, "4") for _ in lines)]
    _, verdict, kept = examine(write(tmp_path / "a.csv", csv_of(["take", "a"], lines)))
    assert verdict.rows == len(lines)
    assert len(verdict.takes) + verdict.repeated + verdict.refusals == verdict.rows
    good = [(take, float(cell)) for take, cell in lines if take in _known() and cell in ("1", "2.5", "4")]
    assert kept == {take: [value] for take, value in good if {v for t, v in good if t == take} == {value}}


def _known() -> set[str]:
    return {clip.take for clip in SPOKEN}


def test_frames_of_a_clip_are_refused_with_advice(tmp_path: Path) -> None:
    lines = [[SPOKEN[at % 2].name, at * at] for at in range(50)]
    _, verdict, kept = examine(
        write(tmp_path / "a.csv", csv_of(["name", "a"], [*lines, [SPOKEN[2].name, 1], [SPOKEN[2].name, 1]]))
    )
    assert list(kept) == [SPOKEN[2].take]
    assert verdict.refusals == 50
    assert len(verdict.refused) == 6
    assert "average them first" in verdict.refused[0].reason


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", csv_of(["name", "a"], [[SPOKEN[0].name, 1]]))
    file = identify(path)
    plan = survey(file, Clip.parse)
    verdict = judge(file, plan, Clip.parse)
    write(path, csv_of(["name", "a"], [[SPOKEN[0].name, 2]]))
    with pytest.raises(BadImport, match="changed while it was read, at row 1"):
        list(rows(file, plan, verdict, verdict.takes.keys(), Clip.parse))


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ravdess.foreign.read.CELLS_AT_ONCE", 10_000)

    def peak(repeats: int) -> int:
        path = tmp_path / f"{repeats}.csv"
        with path.open("w") as file:
            file.write("name," + ",".join(f"c{at}" for at in range(100)) + "\n")
            block = "".join(f"{clip.name},{','.join([str(at * at)] * 100)}\n" for at, clip in enumerate(SPOKEN[:500]))
            for _ in range(repeats):
                file.write(block)
        found = identify(path)
        tracemalloc.start()
        verdict = judge(found, survey(found, Clip.parse), Clip.parse)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert verdict.repeated == 500 * (repeats - 1)
        return most

    peak(1)  # imports
    assert peak(20) < 1.2 * peak(2)


# Words ----------------------------------------------------------------------------------------------------------------


def test_the_fingerprint_tells_foreign_sets_apart() -> None:
    marks = {
        fingerprint("openface", ["a", "b"]),
        fingerprint("openface", ["b", "a"]),
        fingerprint("openface", ["a", "b"], "2.2"),
        fingerprint("other", ["a", "b"]),
    }
    assert len(marks) == 4
    assert all(map(is_foreign, marks))
    assert fingerprint("openface", ("a", "b")) in marks
    assert not is_foreign("0123456789abcdef")
    assert "35 columns (c0, c1, … c34)" in needs("x", [f"c{at}" for at in range(35)])


def test_what_a_file_lacks_is_told_by_actor_then_by_take() -> None:
    from ravdess.corpora import CORPORA

    listed = listed_by_publisher(CORPORA["ravdess"])
    assert listed is not None
    here = [clip for clip in SPOKEN if clip.actor not in ("06", "13")][1:]
    lacking, unlisted, channels = compare(here, listed)
    assert (len(lacking), unlisted, channels) == (121, [], ("speech",))
    assert told(lacking, listed) == f"all of actors 06, 13; {SPOKEN[0].take}"
