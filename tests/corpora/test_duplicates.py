"""Duplicates are named, never guessed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.corpora import catalogue
from tests.corpora.conftest import Put
from tests.corpora.test_zips import packed

NAME = "03-01-06-01-02-01-12"
TWIN = "03-01-06-01-02-02-12"


def encoded(samples: np.ndarray[tuple[int], np.dtype[np.int16]], form: str, rate: int = 48_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype="PCM_16")
    return file.getvalue()


def noise(seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.random.default_rng(seed).integers(-9000, 9000, 20_000).astype(np.int16)


def test_one_name_with_the_same_bytes_twice_counts_once(put: Put, tmp_path: Path) -> None:
    kept = put(f"a/{NAME}.wav", b"same" * 9000)
    copy = put(f"b/{NAME}.wav", b"same" * 9000)
    found = catalogue(tmp_path)
    assert found.clips["source"].to_pylist() == [str(kept)]
    assert not found.rejects.num_rows
    assert found.notes == [f"1 files stand twice with the same content and count once: {copy} is {kept}"]
    expected = [{"clip": NAME, "source": str(copy), "same_as": str(kept), "kept": False}]
    assert found.duplicates.to_pylist() == expected


def sound(number: int) -> bytes:
    """Noise but for one sample, which is the number: the cheap digest sees no difference."""
    samples = noise()
    samples[5_000] = number
    return encoded(samples, "WAV")


def test_one_name_with_different_bytes_is_refused_both_times(put: Put, tmp_path: Path) -> None:
    first = put(f"a/{NAME}.wav", sound(1))
    second = put(f"b/{NAME}.wav", sound(2))
    third = put(f"c/{NAME}.wav", sound(1))
    put(f"{TWIN}.wav")
    found = catalogue(tmp_path)
    assert found.clips["clip"].to_pylist() == [TWIN]
    rows = found.rejects.to_pylist()
    assert [row["source"] for row in rows] == [str(first), str(second), str(third)]
    assert {row["reason"] for row in rows} == {
        f"3 files have this name and differ ({first} and {second}); keep the right one"
    }


def test_a_damaged_copy_does_not_cost_the_whole_one(put: Put, tmp_path: Path) -> None:
    whole = put(f"b/{NAME}.wav", sound(1))
    cut = put(f"a/{NAME}.wav", sound(1)[:-10_000])
    stub = put(f"c/{NAME}.flac", encoded(noise(), "FLAC")[:40])
    found = catalogue(tmp_path)
    assert found.clips["source"].to_pylist() == [str(whole)]
    assert found.rejects["source"].to_pylist() == [str(cut), str(stub)]
    assert "truncated" in found.rejects["reason"][0].as_py()


def test_the_same_bytes_under_two_names_are_kept_and_named(put: Put, tmp_path: Path) -> None:
    first = put(f"{NAME}.wav", b"same" * 9000)
    second = put(f"{TWIN}.wav", b"same" * 9000)
    found = catalogue(tmp_path)
    assert found.clips["clip"].to_pylist() == [NAME, TWIN]
    assert not found.rejects.num_rows
    assert found.notes == [f"{second} has the same content as {first}; both are kept"]


def test_a_difference_anywhere_makes_no_twins(put: Put, tmp_path: Path) -> None:
    content = bytearray(b"x" * 50_000)
    put(f"{NAME}.wav", bytes(content))
    content[17_000] = 0  # between the sampled blocks
    put(f"{TWIN}.wav", bytes(content))
    assert not catalogue(tmp_path).notes


def test_many_copies_give_one_line_and_a_table(put: Put, tmp_path: Path) -> None:
    # A well-known redistribution holds everything twice, once in a nested folder.
    for actor in range(1, 25):
        for top in ("", "audio_speech_actors_01-24/"):
            put(f"{top}Actor_{actor:02d}/03-01-01-01-01-01-{actor:02d}.wav", b"%d" % actor)
    found = catalogue(tmp_path)
    assert (found.clips.num_rows, found.rejects.num_rows, len(found.notes)) == (24, 0, 1)
    assert found.notes[0].startswith("24 files stand twice")
    assert found.duplicates.num_rows == 24


def test_many_twins_are_summarised(put: Put, tmp_path: Path) -> None:
    for actor in range(1, 25):
        put(f"03-01-01-01-01-01-{actor:02d}.wav", b"one silence for all")
    found = catalogue(tmp_path)
    assert found.clips.num_rows == 24
    assert len(found.notes) == 11
    assert found.notes[-1].startswith("13 more files share their content")


def test_a_zip_and_its_unpacked_folder_count_once(put: Put, tmp_path: Path) -> None:
    put("Audio.zip", packed({f"Actor_12/{NAME}.wav": b"sound" * 9000}))
    loose = put(f"Audio/Actor_12/{NAME}.wav", b"sound" * 9000)
    found = catalogue(tmp_path)
    assert found.clips["source"].to_pylist() == [str(loose)]
    assert found.duplicates.num_rows == 1
    loose.write_bytes(b"Sound" + b"sound" * 8999)
    assert catalogue(tmp_path).rejects.num_rows == 2


def test_one_name_in_two_zips(put: Put, tmp_path: Path) -> None:
    put("a.zip", packed({f"{NAME}.wav": b"one"}))
    put("b.zip", packed({f"{NAME}.wav": b"one", f"{TWIN}.wav": b"two"}))
    found = catalogue(tmp_path)
    assert (found.clips.num_rows, found.rejects.num_rows, found.duplicates.num_rows) == (2, 0, 1)
    put("c.zip", packed({f"{TWIN}.wav": b"too"}))
    assert catalogue(tmp_path).rejects.num_rows == 2


def test_one_sound_in_two_lossless_containers_counts_once(put: Put, tmp_path: Path) -> None:
    put(f"flac/{NAME}.flac", encoded(noise(), "FLAC"))
    wav = put(f"wav/{NAME}.wav", encoded(noise(), "WAV"))
    found = catalogue(tmp_path)
    assert found.clips["source"].to_pylist() == [str(wav)]
    assert not found.rejects.num_rows


@pytest.mark.parametrize("change", ["sample", "rate"])
def test_two_containers_of_different_sounds_are_refused(put: Put, tmp_path: Path, change: str) -> None:
    samples = noise()
    flac = encoded(samples, "FLAC")
    if change == "sample":
        samples[10_000] += 1
    put(f"{NAME}.flac", flac)
    put(f"{NAME}.wav", encoded(samples, "WAV", 44_100 if change == "rate" else 48_000))
    found = catalogue(tmp_path)
    assert (found.clips.num_rows, found.rejects.num_rows) == (0, 2)


@given(st.lists(st.tuples(st.sampled_from([NAME, TWIN]), st.integers(0, 2)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_mixture(tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, int]]) -> None:
    root = tmp_path_factory.mktemp("mixed")
    contents: dict[str, set[int]] = {}
    for number, (name, content) in enumerate(files):
        folder = root / str(number)
        folder.mkdir()
        (folder / f"{name}.wav").write_bytes(bytes([content]) * 20_000)
        contents.setdefault(name, set()).add(content)
    found = catalogue(root)
    sure = {name for name, values in contents.items() if len(values) == 1}
    assert found.clips["clip"].to_pylist() == sorted(sure)
    assert found.rejects.num_rows == sum(name not in sure for name, _ in files)
    copies = [row for row in found.duplicates.to_pylist() if not row["kept"]]
    assert len(copies) == sum(name in sure for name, _ in files) - len(sure)
    twins = len(sure) == 2 and contents[NAME] == contents[TWIN]
    assert sum(row["kept"] for row in found.duplicates.to_pylist()) == twins
