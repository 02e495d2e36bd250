"""Clips under s3://, on a real server process."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest
from pyarrow.fs import S3FileSystem

from ravdess.corpora import catalogue, read_bytes
from ravdess.errors import BadClip, BadSource
from tests.corpora.test_zips import packed

pytestmark = pytest.mark.s3
NAME = "03-01-06-01-02-01-12"
OTHER = "03-01-01-01-01-01-01"
Bucket = Callable[[dict[str, bytes]], str]
_numbers = itertools.count()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """``bucket({"key": b"…"})`` puts objects under a new bucket and returns its address."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    host = s3_server.removeprefix("http://")
    store = S3FileSystem(endpoint_override=host, scheme="http", region="us-east-1", allow_bucket_creation=True)

    def put(objects: dict[str, bytes]) -> str:
        name = f"clips-{next(_numbers)}"
        store.create_dir(name)
        for key, content in objects.items():
            with store.open_output_stream(f"{name}/{key}") as file:
                file.write(content)
        return f"s3://{name}"

    return put


def test_a_prefix_is_catalogued_and_read(bucket: Bucket) -> None:
    address = bucket(
        {
            f"ravdess/Actor_12/{NAME}.wav": b"sound",
            "ravdess/Actor_01/holiday.wav": b"x",
            f"ravdess/Actor_01/{OTHER}.wav": b"",
            "ravdess/README.md": b"x",
            "elsewhere/03-01-01-01-01-01-02.wav": b"x",
        }
    )
    found = catalogue(f"{address}/ravdess/")
    (row,) = found.clips.to_pylist()
    assert (row["clip"], row["size"], row["source"]) == (NAME, 5, f"{address}/ravdess/Actor_12/{NAME}.wav")
    assert row["quick_digest"].startswith("etag:5:")
    assert read_bytes(row["source"]) == b"sound"
    assert {one["clip"]: one["reason"] for one in found.rejects.to_pylist()}[OTHER] == "empty: 0 bytes"
    assert (found.rejects.num_rows, found.ignored) == (2, 1)


def test_a_whole_bucket_and_one_object(bucket: Bucket) -> None:
    address = bucket({f"{NAME}.flac": b"sound"})
    assert catalogue(address).clips.num_rows == 1
    assert catalogue(f"{address}/{NAME}.flac").clips["source"].to_pylist() == [f"{address}/{NAME}.flac"]


def test_zips_on_s3_are_read_in_place(bucket: Bucket) -> None:
    address = bucket({"zips/Audio.zip": packed({f"Actor_12/{NAME}.wav": b"sound" * 9000, "x.txt": b""})})
    for source in (f"{address}/zips", f"{address}/zips/Audio.zip"):
        (row,) = catalogue(source).clips.to_pylist()
        assert row["source"] == f"zip:{address}/zips/Audio.zip!/Actor_12/{NAME}.wav"
        assert read_bytes(row["source"]) == b"sound" * 9000


def test_duplicates_are_found_by_their_tags(bucket: Bucket) -> None:
    address = bucket({f"a/{NAME}.wav": b"one", f"b/{NAME}.wav": b"one", f"a/{OTHER}.wav": b"1", f"b/{OTHER}.wav": b"2"})
    found = catalogue(address)
    assert found.clips["clip"].to_pylist() == [NAME]
    assert found.rejects["clip"].to_pylist() == [OTHER, OTHER]
    assert found.duplicates.num_rows == 1


def test_names_that_need_escaping(bucket: Bucket) -> None:
    address = bucket({f"a b%20+ü/{NAME}.wav": b"sound"})
    (source,) = catalogue(address).clips["source"].to_pylist()
    assert read_bytes(source) == b"sound"


def test_a_folder_marker_may_say_the_corpus(bucket: Bucket) -> None:
    address = bucket(
        {"made/ravdess-corpus.json": b'{"corpus": "sample"}', f"made/{NAME}.wav": b"x", f"{OTHER}.wav": b"y"}
    )
    found = catalogue(address)
    assert found.clips["corpus"].to_pylist() == ["ravdess", "sample"]


def test_what_is_not_there_is_said(bucket: Bucket) -> None:
    address = bucket({})
    with pytest.raises(BadSource, match=f"nothing at {address}/nowhere: check the bucket"):
        catalogue(f"{address}/nowhere")
    with pytest.raises(BadSource, match="no-such-bucket"):
        catalogue("s3://no-such-bucket/x")
    with pytest.raises(BadClip, match="no such file"):
        read_bytes(f"{address}/{NAME}.wav")
    with pytest.raises(BadClip, match=r"cannot be read|no such file"):
        read_bytes(f"zip:{address}/x.zip!/{NAME}.wav")
