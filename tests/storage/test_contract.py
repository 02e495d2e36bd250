"""What every store does, on disk and in S3."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from storage import Store, Table, Writer
from storage.errors import BadName, BadRows, Closed, Mismatch, NotFound
from storage.schemas import _TYPES
from tests.storage.workers import rows, schema


def opened(table: Table, fingerprint: str = "1") -> Writer:
    return table.open(schema(), key=["take"], fingerprint=fingerprint)


class TestTable:
    @pytest.fixture
    def table(self, store: Store) -> Table:
        return store.table("features/one")

    def test_absent(self, store: Store, table: Table) -> None:
        assert not table.exists()
        assert table.fingerprint() is None
        assert store.feature_sets() == store.tables() == store.models() == store.runs() == []
        for ask in (table.version, table.schema, table.count, table.read, table.keys, table.key):
            with pytest.raises(NotFound, match=r"no table 'features/one' of store .*it holds no tables yet"):
                ask()
        assert not table.exists()  # asking makes nothing
        assert table.missing(rows(["a"])).num_rows == 1

    def test_each_key_once_and_the_first_row_wins(self, table: Table) -> None:
        with opened(table) as writer:
            twice = pa.table({"take": ["a", "b", "a"], "x": pa.array([1, 2, 3], pa.float32())})
            assert writer.append(twice) == 2
            assert writer.append(pa.table({"take": ["b", "c"], "x": pa.array([4, 5], pa.float32())})) == 1
            assert writer.append(rows(["c"])) == writer.append(rows([])) == 0
        with opened(table) as writer:  # another process's later writer knows the keys from the files
            assert writer.append(rows(["a", "d"])) == 1
        assert table.read().to_pydict() == {"take": ["a", "b", "c", "d"], "x": [1, 2, 5, 1]}
        assert table.count() == 4
        assert table.keys().to_pydict() == {"take": ["a", "b", "c", "d"]}

    def test_versions_stay_readable(self, table: Table) -> None:
        with opened(table) as writer:
            assert table.version() == 0
            assert table.read().num_rows == 0
            for number, take in enumerate("abc", start=1):
                writer.append(rows([take]))
                assert table.version() == number
        assert [table.read(version=version).num_rows for version in range(4)] == [0, 1, 2, 3]
        for version in (-1, 4):
            with pytest.raises(NotFound, match="there are 0 to 3"):
                table.read(version=version)

    def test_columns(self, table: Table) -> None:
        with opened(table) as writer:
            writer.append(rows(["ab"]).select(["x", "take"]))  # in any order
        assert table.read(["x"]).to_pydict() == {"x": [2]}
        assert table.schema() == schema()
        assert table.key() == ["take"]
        with pytest.raises(NotFound, match=r"no columns \['y'\].*'take', 'x'"):
            table.read(["y"])

    def test_missing_is_what_is_left_to_do(self, table: Table) -> None:
        with opened(table) as writer:
            writer.append(rows(["a", "c"]))
        asked = pa.table({"take": ["a", "b", "c", "d"], "more": [1, 2, 3, 4]})
        assert table.missing(asked).to_pydict() == {"take": ["b", "d"], "more": [2, 4]}
        with pytest.raises(NotFound, match=r"lack the key columns \['take'\]"):
            table.missing(asked.select(["more"]))

    def test_a_writer_knows_what_others_added_meanwhile(self, table: Table) -> None:
        with opened(table) as one, opened(table) as other:
            one.append(rows(["a"]))
            other.append(rows(["b"]))
            asked = pa.table({"take": ["a", "b", "c"], "more": [1, 2, 3]})
            assert one.missing(asked).to_pydict() == {"take": ["c"], "more": [3]}

    def test_a_table_never_changes_its_meaning(self, table: Table) -> None:
        opened(table, "1").close()
        assert table.fingerprint() == "1"
        with pytest.raises(Mismatch, match="another fingerprint:\n\texpected 1\n\tyours is 2\n"):
            opened(table, "2")
        with pytest.raises(Mismatch, match=r"another schema:\n\texpected \['x float'\]\n\tyours is \['x double'\]"):
            table.open(pa.schema([("take", pa.string()), ("x", pa.float64())]), key=["take"], fingerprint="1")

    def test_nor_its_key(self, table: Table) -> None:
        kinds = pa.schema([("a", pa.string()), ("b", pa.int64()), ("x", pa.float32())])
        table.open(kinds, key=["a", "b"], fingerprint="").close()
        for key in (["a"], ["b", "a"]):
            with pytest.raises(Mismatch, match=r"another key:\n\texpected \['a', 'b'\]"):
                table.open(kinds, key=key, fingerprint="")
        for bad in (["x"], [], ["a", "a"], ["c"]):
            with pytest.raises(Mismatch, match="must name different columns of types"):
                table.open(kinds, key=bad, fingerprint="")

    def test_rows_that_do_not_fit_add_nothing(self, table: Table) -> None:
        with opened(table) as writer:
            for bad, reason in (
                (pa.table({"take": ["a"]}), r"missing \['x'\]"),
                (rows(["a"]).append_column("y", pa.array([1])), r"unexpected \['y'\]"),
                (pa.table({"take": ["a"], "x": [1.0]}), "'x': 'double, expected float'"),
                (pa.table([pa.nulls(1, field.type) for field in schema()], schema=schema()), "null in key columns"),
                ({"take": ["a"]}, "got dict"),
            ):
                with pytest.raises(BadRows, match=reason):
                    writer.append(bad)
        assert table.count() == 0
        assert table.version() == 0

    def test_other_spellings_of_text_are_taken(self, table: Table) -> None:
        with opened(table) as writer:
            for number, kind in enumerate((pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))):
                takes = pa.array([f"a{number}"]).cast(kind)
                assert writer.append(pa.table({"take": takes, "x": pa.array([0], pa.float32())})) == 1
            assert writer.append(rows(["b"]).to_batches()[0]) == 1
        assert table.read(["take"])["take"].to_pylist() == ["a0", "a1", "a2", "b"]

    def test_closed(self, table: Table) -> None:
        writer = opened(table)
        writer.close()
        writer.close()
        with pytest.raises(Closed, match="open another"):
            writer.append(rows(["a"]))

    def test_plain_readers_see_the_rows_and_nothing_else(self, store: Store, table: Table) -> None:
        with opened(table) as writer:
            for take in "ab":
                writer.append(rows([take]))
        fs, path = store._files.arrow(table.name)
        assert ds.dataset(path, filesystem=fs).to_table().to_pydict() == table.read().to_pydict()

    def test_every_type_comes_back_by_the_log_and_without(self, store: Store, table: Table) -> None:
        kinds = pa.schema([("take", pa.string()), *((f"c{name}", kind) for name, kind in _TYPES.items())])
        value = {
            "string": "ü", "binary": b"\0", "bool": True, "int8": -128, "int16": 1, "int32": 2**31 - 1, "int64": -9,
            "float": 0.1, "double": 0.1, "date32[day]": 9, "timestamp[us, tz=UTC]": 10**15 + 1,
        }  # fmt: skip
        full = {"take": "a", **{f"c{name}": value[name] for name in _TYPES}}
        rows = pa.Table.from_pylist([full, {"take": "b"}], kinds)
        with table.open(kinds, key=["take"], fingerprint="") as writer:
            assert writer.append(rows) == 2
        fs, path = store._files.arrow(table.name)
        for read in (table.read(), ds.dataset(path, filesystem=fs).to_table()):
            assert read.schema == kinds
            assert read.equals(rows)

    @pytest.mark.parametrize(
        "kind", [pa.uint8(), pa.float16(), pa.timestamp("ns"), pa.timestamp("us"), pa.list_(pa.int8()), pa.null()]
    )
    def test_other_types_are_refused(self, table: Table, kind: pa.DataType) -> None:
        with pytest.raises(Mismatch, match=r"cannot keep \{.x.: .*cast them first"):
            table.open(pa.schema([("take", pa.string()), ("x", kind)]), key=["take"], fingerprint="")
        assert not table.exists()

    def test_keys_of_several_columns_do_not_run_together(self, table: Table) -> None:
        kinds = pa.schema([("a", pa.string()), ("b", pa.string()), ("n", pa.int8())])
        with table.open(kinds, key=["a", "b", "n"], fingerprint="") as writer:
            pairs = [("x", "yz", 1), ("xy", "z", 1), ("xyz", "", 1), ("", "xyz", 1), ("x", "yz", 11), ('x","y', "z", 1)]
            assert (
                writer.append(pa.Table.from_pylist([dict(zip("abn", pair, strict=True)) for pair in pairs], kinds)) == 6
            )


class TestFrameOfFeatures:
    def test_pandas_in_the_order_of_the_key(self, store: Store) -> None:
        kinds = pa.schema(
            [("take", pa.string()), ("n", pa.int8()), ("when", pa.timestamp("us", tz="UTC")), ("f", pa.float32())]
        )
        for name in ("one", "two"):
            with store.table(f"features/{name}").open(kinds, key=["take"], fingerprint="") as writer:
                for take in ("c", "a", "b"):
                    writer.append(pa.Table.from_pylist([{"take": take, "n": 1, "when": 0, "f": 0.1}], kinds))
        frame = store.features("one")
        assert list(frame["take"]) == ["a", "b", "c"]
        assert list(frame.index) == [0, 1, 2]
        assert frame["f"].dtype == np.float32
        assert frame["take"].dtype == pd.Series(["a"]).dtype
        assert list(store.features("one", columns=["f"]).columns) == ["f"]
        assert list(store.features("one", columns=["f", "take"], version=2)["take"]) == ["a", "c"]
        frame.loc[0, "take"], frame.loc[0, "n"], frame.loc[0, "f"] = "z", 2, 0.5  # it is the caller's own
        assert frame.iloc[0].tolist()[:2] == ["z", 2]
        assert store.feature_sets() == ["one", "two"]
        with pytest.raises(NotFound, match=r"no table 'features/three'.*'features/one', 'features/two'"):
            store.features("three")

    def test_clips_and_rejects(self, store: Store) -> None:
        with pytest.raises(NotFound, match="no table 'clips'"):
            store.clips()
        with pytest.raises(NotFound, match="no table 'rejects'"):
            store.rejects()
        opened(store.table("clips")).close()
        assert store.clips().empty
        assert list(store.rejects().columns) == ["clip", "source", "stage", "reason", "fingerprint", "when"]


class TestFolder:
    def test_files(self, store: Store) -> None:
        folder = store.folder("runs/first")
        assert folder.list() == []
        with pytest.raises(NotFound, match=r"no file 'a.json' in .*runs/first'; files there: \[\]"):
            folder.read("a.json")
        folder.write("a.json", b"1")
        folder.write("deep/er/b.bin", bytes(range(256)))
        folder.write("a.json", b"22")
        folder.write("empty", b"")
        folder.write_table("t.parquet", rows(["a"]))
        assert folder.list() == ["a.json", "deep/er/b.bin", "empty", "t.parquet"]
        assert (folder.read("a.json"), folder.read("deep/er/b.bin"), folder.read("empty")) == (
            b"22",
            bytes(range(256)),
            b"",
        )
        assert folder.read_table("t.parquet") == rows(["a"])
        assert folder.exists("a.json")
        assert not folder.exists("deep")
        assert folder.path("a.json") == f"{store.url}/runs/first/a.json"
        assert store.runs() == ["first"]

    def test_names_that_leave(self, store: Store) -> None:
        for name in ("runs", "runs/../x", "features/x", "/runs/x", "", "runs/x/", "runs//x", "clips"):
            with pytest.raises(BadName):
                store.folder(name)
        for name in ("../x", "/etc/passwd", "", "a//b", "a\0b", ".hidden", "_x", "a/.b", "a\\b", "a\nb", "é" * 3):
            with pytest.raises(BadName):
                store.folder("runs/a").read(name)
        for name in ("runs/a", "features", "features/a/b", "features/../clips", "Clips", "features/_a", "frames/"):
            with pytest.raises(BadName):
                store.table(name)


class TestModels:
    def test_a_model_is_there_when_its_last_file_is(self, store: Store) -> None:
        with pytest.raises(NotFound, match=r"no complete model 'svm'.*models there: \[\]"):
            store.model("svm")
        first, second = store.new_model("svm"), store.new_model("svm")
        assert (first.name, second.name) == ("models/svm/1", "models/svm/2")
        assert store.new_model("mlp").name == "models/mlp/1"
        second.write("weights.json", b"")
        assert store.models() == []
        first.write("bundle.json", b"{}")
        assert store.models() == ["svm"]
        assert store.model("svm").name == "models/svm/1"
        with pytest.raises(NotFound, match=r"number 2 .*numbers there: \[1\]"):
            store.model("svm", 2)
        second.write("bundle.json", b"{}")
        assert store.model("svm").name == "models/svm/2"
        assert store.model("svm", 1).name == "models/svm/1"
        store.folder("models/svm/7").write("bundle.json", b"{}")  # copied from another store
        assert store.new_model("svm").name == "models/svm/8"


def test_a_store_travels(store: Store) -> None:
    opened(store.table("clips")).close()
    assert len(repr(store)) > 10
    there: Store = pickle.loads(pickle.dumps(store))
    assert there.url == store.url
    assert there.table("clips").exists()
