"""The counts beside the publisher's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravdess.corpora import catalogue
from tests.corpora.conftest import Put

NAME = "03-01-06-01-02-01-12"


def test_the_publishers_counts(whole_corpus: Path) -> None:
    found = catalogue(whole_corpus)
    rows = {(row["modality"], row["channel"]): (row["files"], row["expected"]) for row in found.counts().to_pylist()}
    assert rows == {
        (modality, channel): (count, count)
        for modality in ("audio-only", "video-only", "audio-video")
        for channel, count in (("speech", 1440), ("song", 1012))
    }
    video = sum(files for (modality, channel), (files, _) in rows.items() if modality != "audio-only")
    assert video == 2880 + 2024
    assert found.verify() == (
        "ravdess                  here  publisher\n"
        "speech  audio-only       1440       1440  complete\n"
        "speech  video-only       1440       1440  complete\n"
        "speech  audio-video      1440       1440  complete\n"
        "song    audio-only       1012       1012  complete\n"
        "song    video-only       1012       1012  complete\n"
        "song    audio-video      1012       1012  complete\n"
        "all     files            7356       7356  complete\n"
        "        takes            2452       2452  complete\n"
    )


def test_missing_actors_and_missing_clips_are_told_apart(whole_corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    for actor in range(1, 25):
        if actor not in (6, 13):
            (folder / f"Actor_{actor:02d}").symlink_to(
                whole_corpus / "Audio_Speech_Actors_01-24" / f"Actor_{actor:02d}"
            )
    lines = catalogue(folder).verify().splitlines()
    assert lines[1] == "speech  audio-only       1320       1440  missing actors 06, 13"
    assert lines[2] == "speech  video-only          0       1440  none"
    assert lines[7:9] == ["all     files            1320       7356", "        takes            1320       2452"]


def test_a_few_missing_clips_are_named(whole_corpus: Path, tmp_path: Path) -> None:
    for path in (whole_corpus / "Audio_Speech_Actors_01-24" / "Actor_01").iterdir():
        if "03-01-05" not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    line = catalogue(tmp_path).verify().splitlines()[1]
    assert line.endswith(
        "missing actors 02-24; 8 files: 03-01-05-01-01-01-01, 03-01-05-01-01-02-01, 03-01-05-01-02-01-01, "
        "03-01-05-01-02-02-01, 03-01-05-02-01-01-01 and 3 more"
    )


def test_an_empty_source_lacks_everything(tmp_path: Path) -> None:
    found = catalogue(tmp_path)
    assert {row["files"] for row in found.counts().to_pylist()} == {0}
    assert "all     files               0       7356" in found.verify()


def test_rejects_notes_and_other_files_stand_below(put: Put, tmp_path: Path) -> None:
    put(f"Actor_12/{NAME}.wav")
    put("README.txt")
    for number in range(30):
        put(f"wrong-{number:02d}.wav")
    lines = catalogue(tmp_path).verify().splitlines()
    assert "30 files rejected:" in lines
    assert f"  {tmp_path}/wrong-19.wav: 'wrong-19' is no clip name" in "\n".join(lines)
    assert "wrong-20.wav" not in "\n".join(lines)
    assert "  and 10 more" in lines
    assert lines[-1] == "1 file of other kinds passed over"


def test_a_corpus_of_no_fixed_size_is_only_counted() -> None:
    text = catalogue("sample:actors=2,takes=3,channels=speech+song").verify()
    assert text.splitlines()[:5] == [
        "sample                   here",
        "speech  audio-only          6",
        "song    audio-only          6",
        "all     files              12",
        "        takes              12",
    ]
    assert "note: the corpus 'sample' is made by a program, not recorded" in text


@pytest.mark.data
def test_the_real_clips(real_data: Path) -> None:
    text = catalogue(real_data / "ravdess" / "speech").verify()
    assert "speech  audio-only       1200       1440  missing actors 06, 13, 17, 22" in text
