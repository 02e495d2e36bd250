"""Which rows a search uses, and which tables it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ravdess.errors import BadTable, UnknownName
from ravdess.search.rows import choose_rows
from tests.search import toys


def test_rows_stand_by_take_whatever_the_tables_order() -> None:
    table = toys.table(range(1, 4))
    shuffled = table.sample(frac=1, random_state=0)
    one, two = choose_rows(table, features="toy"), choose_rows(shuffled, features="toy")
    assert list(two.clips["take"]) == sorted(table["take"])
    np.testing.assert_array_equal(one.X, two.X)
    assert one.digest == two.digest
    assert np.asarray(one.X).dtype == np.float32


def test_the_digest_notices_a_number_a_label_a_row_and_no_file_name() -> None:
    table = toys.table(range(1, 4))
    digest = choose_rows(table, features="toy").digest
    assert choose_rows(table.assign(source="elsewhere"), features="toy").digest == digest
    number = table.copy()
    values = number["f2"].to_numpy(dtype=np.float32, copy=True)
    values[3] = np.nextafter(values[3], np.float32(9))
    number["f2"] = values
    label = table.copy()
    label.loc[3, "emotion"] = "sad" if label.loc[3, "emotion"] != "sad" else "calm"
    for other in (number, label, table.iloc[1:]):
        assert choose_rows(other, features="toy").digest != digest


def test_speech_is_the_default_and_both_can_be_asked() -> None:
    table = toys.table(range(1, 3))
    song = table.assign(channel="song", take=table["take"].str.replace("01", "02", n=1))
    both = pd.concat([table, song])
    assert set(choose_rows(both, features="toy").clips["channel"]) == {"speech"}
    assert len(choose_rows(both, features="toy", channel="both").y) == len(both)
    assert set(choose_rows(both, features="toy", channel="song").clips["channel"]) == {"song"}
    with pytest.raises(UnknownName, match="unknown channel 'shout'"):
        choose_rows(both, features="toy", channel="shout")


def test_one_corpus_is_used_and_several_must_be_told_apart() -> None:
    both = pd.concat([toys.table(range(1, 3)), toys.table(range(1, 4), corpus="sample")])
    with pytest.raises(BadTable, match=r"\['ravdess', 'sample'\]; name one with --corpus"):
        choose_rows(both, features="toy")
    made = choose_rows(both, features="toy", corpus="sample")
    assert made.made
    assert len(made.y) == 3 * 16
    assert not choose_rows(both, features="toy", corpus="ravdess").made
    with pytest.raises(BadTable, match="has no corpus 'crema'"):
        choose_rows(both, features="toy", corpus="crema")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.assign(f1=np.float32("nan")), "not finite, such as f1 of take"),
        (lambda t: t.assign(f1=np.float32("inf")), "not finite"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "1 takes stand in the table of toy more than once"),
        (lambda t: t.assign(emotion="bored"), r"unknown emotions \['bored'\]"),
        (lambda t: t.drop(columns="actor"), r"lacks the columns \['actor'\]"),
        (lambda t: t[[name for name in t.columns if not name.startswith("f")]], "no feature columns"),
        (lambda t: t.iloc[:0], "has 0 rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(spoil: Callable[[pd.DataFrame], pd.DataFrame], said: str) -> None:
    with pytest.raises(BadTable, match=said):
        choose_rows(spoil(toys.table(range(1, 3))), features="toy")


def test_a_registered_sets_columns_must_be_there() -> None:
    with pytest.raises(BadTable, match="lacks 120 of the set's columns"):
        choose_rows(toys.table(range(1, 3)), features="mfcc_stats")
