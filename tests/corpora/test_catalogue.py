"""The catalogue: every file is a row, a reject with its reason, or counted as no media."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.clips import CLIP_COLUMNS
from ravdess.corpora import Catalogue, catalogue, choose, read_bytes
from ravdess.errors import BadClip, BadSource, RavdessError, UnknownName
from tests.corpora.conftest import Put

NAME = "03-01-06-01-02-01-12"


def reasons(found: Catalogue) -> dict[str, str]:
    """Reject reasons by file name."""
    rows = found.rejects.to_pylist()
    assert {row["stage"] for row in rows} <= {"catalogue"}
    return {row["source"].rpartition("/")[2]: row["reason"] for row in rows}


def names(found: Catalogue) -> list[str]:
    return list(found.clips["clip"].to_pylist())


def test_a_row_says_all_that_the_name_tells(put: Put) -> None:
    path = put(f"Actor_12/{NAME}.wav", b"sound")
    (row,) = catalogue(path.parents[1]).clips.to_pylist()
    digest = row.pop("quick_digest")
    assert row == {
        "clip": NAME,
        "take": "01-06-01-02-01-12",
        "corpus": "ravdess",
        "actor": "12",
        "gender": "female",
        "channel": "speech",
        "emotion": "fearful",
        "intensity": "normal",
        "statement": "dogs",
        "repetition": 1,
        "modality": "audio-only",
        "source": str(path),
        "size": 5,
    }
    assert digest
    assert read_bytes(row["source"]) == b"sound"


def test_the_columns_are_the_promised_ones_also_when_there_is_nothing(tmp_path: Path, put: Put) -> None:
    empty = catalogue(tmp_path)
    put(f"{NAME}.wav")
    full = catalogue(tmp_path)
    assert full.clips.schema == empty.clips.schema
    assert full.clips.column_names == [*CLIP_COLUMNS[:-1], "size", "quick_digest"]
    kinds: dict[str, set[str]] = {}
    for one in full.clips.schema:
        kinds.setdefault(str(one.type), set()).add(one.name)
    assert kinds.pop("dictionary<values=string, indices=int32, ordered=0>") == {
        *("corpus", "actor", "gender", "channel", "emotion", "intensity", "statement", "modality")
    }
    assert kinds.pop("string") == {"clip", "take", "source", "quick_digest"}
    assert (full.clips.schema.field("repetition").type, full.clips.schema.field("size").type) == (pa.int8(), pa.int64())
    assert empty.rejects.column_names == ["clip", "source", "stage", "reason"]
    assert empty.rejects.schema == full.rejects.schema


@pytest.mark.parametrize("ending", [".wav", ".WAV", ".flac", ".Flac", ".ogg", ".m4a", ".mp3"])
def test_any_sound_container(put: Put, ending: str, tmp_path: Path) -> None:
    put(NAME + ending)
    assert names(catalogue(tmp_path)) == [NAME]


def test_nested_in_any_way(put: Put, tmp_path: Path) -> None:
    put("Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav")
    put("audio/flat/03-01-01-01-01-01-02.wav")
    put("03-01-01-01-01-01-03.wav")
    put("Video/Actor_04/deeper/still/01-01-01-01-01-01-04.mp4")
    found = catalogue(tmp_path)
    assert names(found) == [
        "01-01-01-01-01-01-04",
        "03-01-01-01-01-01-01",
        "03-01-01-01-01-01-02",
        "03-01-01-01-01-01-03",
    ]
    assert not found.rejects.num_rows
    assert not found.notes


def test_damaged_files_are_named_and_the_rest_goes_on(put: Put, tmp_path: Path) -> None:
    put(f"{NAME}.wav")
    put("03-01-01-01-01-01-01.wav", b"")
    put("holiday.wav")
    put("03-01-01-02-01-01-01.wav")
    (tmp_path / "03-01-02-01-01-01-01.wav").mkdir()
    (tmp_path / "03-01-03-01-01-01-01.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "03-01-04-01-01-01-01.wav").symlink_to(tmp_path / "03-01-04-01-01-01-01.wav")
    os.mkfifo(tmp_path / "03-01-05-01-01-01-01.wav")
    put("01-01-02-01-01-01-02.wav")
    put("03-01-02-01-01-01-03.mp4")
    found = catalogue(tmp_path)
    assert names(found) == [NAME]
    why = reasons(found)
    assert len(why) == 9
    assert why["03-01-01-01-01-01-01.wav"] == "empty: 0 bytes"
    assert "'holiday' is no clip name: expected seven two-digit parts" in why["holiday.wav"]
    assert "neutral was never performed with strong" in why["03-01-01-02-01-01-01.wav"]
    assert why["03-01-02-01-01-01-01.wav"] == "a folder, not a file"
    assert why["03-01-03-01-01-01-01.wav"] == "a broken symbolic link"
    assert why["03-01-04-01-01-01-01.wav"] == "a broken symbolic link"
    assert why["03-01-05-01-01-01-01.wav"] == "not a regular file"
    with pytest.raises(BadClip, match="not a regular file"):  # opening it would wait for ever
        read_bytes(str(tmp_path / "03-01-05-01-01-01-01.wav"))
    assert "named audio-video, but .wav holds no picture" in why["01-01-02-01-01-01-02.wav"]
    assert "named audio-only, but .mp4 holds video" in why["03-01-02-01-01-01-03.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_named(put: Put, tmp_path: Path) -> None:
    put(f"{NAME}.wav").chmod(0)
    put("locked/03-01-01-01-01-01-01.wav").parent.chmod(0)
    try:
        found = catalogue(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert reasons(found) == {
        f"{NAME}.wav": "cannot be read: Permission denied",
        "locked": "the folder cannot be read: Permission denied",
    }


def test_a_monstrous_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / f"{NAME}.wav").open("wb") as file:
        file.truncate(600 * 2**20)  # a hole: it takes no room
    found = catalogue(tmp_path)
    assert "more than 512 MiB" in reasons(found)[f"{NAME}.wav"]
    with pytest.raises(BadClip, match="512 MiB"):
        read_bytes(str(tmp_path / f"{NAME}.wav"))


def test_other_files_are_counted_not_named(put: Put, tmp_path: Path) -> None:
    for name in ("README.md", ".DS_Store", "checksums.txt", "labels.csv", f"{NAME}.txt", f"._{NAME}.wav", "LICENSE"):
        put(name)
    put("backup.tar.gz")
    found = catalogue(tmp_path)
    assert (found.ignored, found.clips.num_rows, found.rejects.num_rows) == (8, 0, 0)
    assert ["backup.tar.gz" in note for note in found.notes] == [True]


def test_several_sources_and_the_same_file_by_two_of_them(put: Put, tmp_path: Path) -> None:
    first = put(f"a/{NAME}.wav")
    put("b/03-01-01-01-01-01-01.wav")
    found = catalogue([tmp_path / "a", str(tmp_path / "b"), str(first)])
    assert names(found) == ["03-01-01-01-01-01-01", NAME]
    assert not found.notes


@pytest.mark.parametrize("source", ["", "nowhere/at/all", "~nobody-of-this-name/x", "a\0b", "s3://", "ravdess:"])
def test_a_source_that_is_not_there_is_said(source: str) -> None:
    with pytest.raises(BadSource, match=r"source|bucket|recorded"):
        catalogue(source)


def test_a_file_of_no_use_is_no_source(put: Put) -> None:
    with pytest.raises(BadSource, match=r"no sound, video or zip file: expected an ending such as .wav or .zip"):
        catalogue(put("notes.txt"))


def test_no_source_at_all() -> None:
    with pytest.raises(BadSource, match="no source given"):
        catalogue([])


def test_an_unknown_corpus_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"unknown corpus 'emodb', expected one of \['ravdess', 'sample'\]"):
        catalogue(tmp_path, corpus="emodb")


def test_symlink_loops_are_harmless_and_linked_folders_are_entered_once(put: Put, tmp_path: Path) -> None:
    put(f"data/Actor_12/{NAME}.wav")
    (tmp_path / "data" / "Actor_12" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "self").symlink_to(tmp_path / "data" / "self")
    far = put("far/Actor_01/03-01-01-01-01-01-01.wav").parents[1]
    (tmp_path / "data" / "a_link").symlink_to(far)
    (tmp_path / "data" / "b_link").symlink_to(far)
    found = catalogue(tmp_path / "data")
    assert names(found) == ["03-01-01-01-01-01-01", NAME]
    assert not found.rejects.num_rows
    assert not found.notes


def test_a_file_in_another_actors_folder_is_kept_and_noted(put: Put, tmp_path: Path) -> None:
    put(f"Actor_12/{NAME}.wav")
    put("Actor_03/03-01-01-01-01-01-02.wav")
    found = catalogue(tmp_path)
    assert found.clips.num_rows == 2
    (note,) = found.notes
    assert "1 files lie in another actor's folder" in note
    assert "Actor_03/03-01-01-01-01-01-02.wav" in note


def test_a_path_that_is_no_text_is_named(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102  # pathlib takes no bytes
    with open(folder + f"/{NAME}.wav".encode(), "wb") as file:  # noqa: PTH123
        file.write(b"x")
    (row,) = catalogue(tmp_path).rejects.to_pylist()
    assert row["reason"] == "its path is not UTF-8; rename it"
    assert row["source"].endswith(f"/caf\\xe9/{NAME}.wav")


def test_a_folder_may_say_which_corpus_it_is(put: Put, tmp_path: Path) -> None:
    put(f"real/{NAME}.wav")
    put("made/ravdess-corpus.json", json.dumps({"corpus": "sample"}).encode())
    put("made/Actor_31/03-01-01-01-01-09-31.wav")
    put("odd/ravdess-corpus.json", b'{"corpus": "emodb"}')
    put("odd/03-01-01-01-01-01-01.wav")
    found = catalogue(tmp_path, corpus="ravdess")
    assert dict(zip(names(found), found.clips["corpus"].to_pylist(), strict=True)) == {
        NAME: "ravdess",
        "03-01-01-01-01-09-31": "sample",
        "03-01-01-01-01-01-01": "ravdess",
    }
    text = "\n".join(found.notes)
    assert "says that its clips are the corpus 'sample'" in text
    assert "the corpus 'sample' is made by a program, not recorded" in text
    assert "names no corpus that is known here" in text


def test_rows_do_not_depend_on_the_order_of_the_sources(put: Put, tmp_path: Path) -> None:
    for actor in range(1, 6):
        put(f"{actor}/03-01-01-01-01-01-{actor:02d}.wav")
    folders = [str(tmp_path / str(actor)) for actor in range(1, 6)]
    assert catalogue(folders).clips.equals(catalogue(folders[::-1]).clips)


def test_the_digest_follows_the_content_not_the_name(put: Put, tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    path = put(f"{NAME}.wav", content)

    def digest() -> str:
        return str(catalogue(tmp_path).clips["quick_digest"][0].as_py())

    before = digest()
    os.utime(path, (1, 1))
    assert digest() == before
    for at in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:at] + b"\xff\x00"[at % 2 :][:1] + content[at + 1 :])
        assert digest() != before
    path.write_bytes(content + b"x")
    assert digest() != before


# choose


def table(*clips: tuple[str, str]) -> pa.Table:
    """(take, modality) pairs as a table of clips."""
    take, modality = zip(*clips, strict=True) if clips else ((), ())
    text = pa.string()
    return pa.table(
        {
            "corpus": pa.array(["ravdess"] * len(clips), text),
            "take": pa.array(take, text),
            "modality": pa.array(modality, text),
        }
    )


@pytest.mark.parametrize(
    ("modality", "present", "chosen"),
    [
        ("sound", ["audio-video", "video-only", "audio-only"], "audio-only"),
        ("sound", ["audio-video", "video-only"], "audio-video"),
        ("sound", ["video-only"], None),
        ("picture", ["audio-only", "video-only", "audio-video"], "audio-video"),
        ("picture", ["audio-only", "video-only"], "video-only"),
        ("picture", ["audio-only"], None),
    ],
)
def test_one_file_a_take(modality: str, present: list[str], chosen: str | None) -> None:
    for order in (present, present[::-1]):
        rows = choose(table(*[("t", one) for one in order]), modality=modality)["modality"].to_pylist()
        assert rows == ([chosen] if chosen else [])


def test_every_file_that_has_the_modality() -> None:
    clips = table(*[("t", one) for one in ("audio-video", "video-only", "audio-only")])
    assert choose(clips, modality="sound", every_file=True)["modality"].to_pylist() == ["audio-video", "audio-only"]
    assert choose(clips, modality="picture", every_file=True)["modality"].to_pylist() == ["audio-video", "video-only"]


def test_choose_refuses_another_modality() -> None:
    with pytest.raises(RavdessError, match=r"unknown modality 'smell', expected one of \['picture', 'sound'\]"):
        choose(table(), modality="smell")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["audio-video", "video-only", "audio-only"]))))
@settings(max_examples=60, deadline=None)
def test_choose_keeps_each_take_once_and_the_order(pairs: list[tuple[str, str]]) -> None:
    clips = table(*pairs)
    for modality, silent in (("sound", "video-only"), ("picture", "audio-only")):
        chosen = choose(clips, modality=modality)
        assert sorted(chosen["take"].to_pylist()) == sorted({take for take, kind in pairs if kind != silent})
        assert silent not in chosen["modality"].to_pylist()
        rows = [(row["take"], row["modality"]) for row in chosen.to_pylist()]
        places = [pairs.index(row) for row in rows]
        assert places == sorted(places)


def test_two_corpora_with_takes_of_one_name_are_kept_apart() -> None:
    clips = table(("t", "audio-only"), ("t", "audio-only"))
    clips = clips.set_column(0, "corpus", pa.array(["ravdess", "sample"]))
    assert choose(clips, modality="sound").num_rows == 2


# size


def test_the_whole_corpus(whole_corpus: Path) -> None:
    found = catalogue(whole_corpus)
    assert (found.clips.num_rows, found.rejects.num_rows, found.notes, found.ignored) == (7356, 0, [], 0)
    assert choose(found.clips, modality="sound").num_rows == 2452
    assert pc.count_distinct(found.clips["take"]).as_py() == 2452
    assert Counter(found.clips["modality"].to_pylist()) == {
        "audio-only": 2452,
        "audio-video": 2452,
        "video-only": 2452,
    }


def test_a_hundred_thousand_entries_would_stay_in_tens_of_megabytes() -> None:
    catalogue("sample:actors=1,takes=1")
    tracemalloc.start()
    found = catalogue("sample:actors=10,takes=1000")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.clips.num_rows == 10_000
    assert found.clips.nbytes < 300 * 10_000
    assert peak < 900 * 10_000


def test_a_file_that_cannot_be_opened_is_named(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = put(f"{NAME}.wav")
    put("03-01-01-01-01-01-01.wav")

    def guarded(true_open: Any) -> Any:
        def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
            if str(path) == str(locked):
                raise PermissionError(13, "Permission denied")
            return true_open(path, *arguments, **options)

        return refuse

    monkeypatch.setattr(os, "open", guarded(os.open))
    monkeypatch.setattr(io, "open", guarded(io.open))
    found = catalogue(tmp_path)
    assert names(found) == ["03-01-01-01-01-01-01"]
    assert reasons(found) == {f"{NAME}.wav": "cannot be read: Permission denied"}
    with pytest.raises(BadClip, match="cannot be read: Permission denied"):
        read_bytes(str(locked))


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from ravdess.corpora import catalogue, choose; found = catalogue('sample:actors=2,takes=2');"
        "choose(found.clips, modality='sound'); found.verify();"
        "print({'pandas', 'ray', 'av', 'cv2', 'librosa', 'scipy', 'sklearn', 'soundfile'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.data
def test_the_real_clips(real_data: Path) -> None:
    found = catalogue(real_data / "ravdess" / "speech")
    assert (found.clips.num_rows, found.rejects.num_rows) == (1200, 0)
    # Two takes of the publisher's hold the same samples: two rows and a note.
    (note,) = found.notes
    assert "03-01-03-01-02-02-07.flac has the same content as" in note
    twins = found.clips.filter(pc.is_in(found.clips["clip"], pa.array([f"03-01-03-01-02-0{n}-07" for n in (1, 2)])))
    assert twins.num_rows == 2
    whole = catalogue(real_data / "ravdess")
    assert whole.rejects.num_rows == 0
    assert choose(whole.clips, modality="sound").num_rows == 1244
    assert choose(whole.clips, modality="picture").num_rows == 5


@pytest.mark.data
def test_the_publishers_wav_and_its_flac_are_one_sound(real_data: Path) -> None:
    folder = real_data / "ravdess"
    one = "03-01-05-02-01-01-12"
    found = catalogue([folder / "originals" / f"{one}.wav", folder / "speech" / "Actor_12" / f"{one}.flac"])
    assert names(found) == [one]
    assert found.clips["source"][0].as_py().endswith(".wav")
    assert not found.rejects.num_rows
    assert [row["kept"] for row in found.duplicates.to_pylist()] == [False]
