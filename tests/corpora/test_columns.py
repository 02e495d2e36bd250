"""Columns hold what was put into them, whatever it was."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.corpora import columns
from ravdess.corpora.columns import Rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
KINDS: dict[str, columns.Column] = {
    "text": columns.strings,
    "word": columns.words,
    "number": columns.numbers,
    "small": columns.small,
    "truth": columns.truths,
}


@given(
    st.lists(
        st.tuples(TEXT, TEXT, st.none() | st.integers(-(2**63), 2**63 - 1), st.integers(-128, 127), st.booleans()),
        max_size=12,
    )
)
@settings(max_examples=60)
def test_rows_come_back_as_they_were_added(rows: list[tuple[object, ...]]) -> None:
    table = columns.table(rows, KINDS)
    table.validate(full=True)
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


def test_many_rows_stand_in_pieces_and_share_a_vocabulary() -> None:
    made = Rows({"number": columns.numbers, "word": columns.words})
    for number in range(10_000):
        made.add(number, "odd" if number % 2 else "even")
    assert len(made) == 10_000
    table = made.table()
    assert table["number"].to_pylist() == list(range(10_000))
    assert table["word"].num_chunks == 3
    assert table["word"].combine_chunks().dictionary.to_pylist() == ["even", "odd"]
    assert table["word"][9_999].as_py() == "odd"
    assert len(made) == 0


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40))
def test_a_slice_is_read_from_where_it_begins(values: list[bool], start: int) -> None:
    assert columns.mask(columns.truths(values).slice(start)).tolist() == values[start:]
    numbers = list(range(len(values)))
    assert columns.integers(columns.numbers(numbers).slice(start), np.int64).tolist() == numbers[start:]
    assert columns.places(np.array(numbers, np.int64)).equals(pa.array(numbers, pa.int64()))
