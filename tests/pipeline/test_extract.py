"""One clip in, numbers or a reason out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ravdess.corpora import catalogue, read_bytes
from ravdess.errors import Reject
from ravdess.extract import extract
from ravdess.features import feature_set
from ravdess.sound.read import read

if TYPE_CHECKING:
    from ravdess.features import Floats

SETS = [feature_set("mfcc_stats"), feature_set("spectral_stats")]


@pytest.fixture(scope="module")
def source() -> str:
    return str(catalogue("sample:actors=1,takes=1").clips["source"][0].as_py())


def test_one_reading_gives_what_each_set_gives_alone(source: str) -> None:
    got = extract(source, SETS)
    y, sr = read(read_bytes(source))
    for one, values in zip(SETS, got.values, strict=True):
        assert isinstance(values, np.ndarray)
        np.testing.assert_array_equal(values, one.extract(y, sr))
    assert got.digest == hashlib.sha256(read_bytes(source)).hexdigest()


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"hello, I am text\n" * 100, "no sound"), (b"RIFF\x00\x00", "")]
)
def test_a_damaged_file_is_rejected_by_every_set_when_it_is_read(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "03-01-01-01-01-01-01.wav"
    path.write_bytes(content)
    got = extract(str(path), SETS)
    assert got.digest == hashlib.sha256(content).hexdigest()
    for value in got.values:
        assert isinstance(value, Reject)
        assert value.stage == "read"
        assert reason in value.reason


def test_a_file_that_is_gone_has_no_digest(tmp_path: Path) -> None:
    got = extract(str(tmp_path / "gone.wav"), SETS)
    assert got.digest == ""
    assert all(isinstance(value, Reject) for value in got.values)


def test_what_one_set_cannot_compute_leaves_the_others(source: str) -> None:
    def compute(y: Floats) -> Floats:
        raise ZeroDivisionError("division by zero")

    got = extract(source, [replace(SETS[0], compute=compute), SETS[1]])
    assert got.values[0] == Reject("extract", "ZeroDivisionError: division by zero")
    assert isinstance(got.values[1], np.ndarray)
