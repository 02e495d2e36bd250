"""The download job, against a server that breaks, lies and changes its mind."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import download
from ravdess import terminal
from ravdess.corpora import catalogue, fetch, zenodo
from ravdess.errors import DownloadFailed, UnknownName
from tests.corpora.test_zips import packed
from tests.jobs.fake_zenodo import Zenodo, running

SPEECH = "Audio_Speech_Actors_01-24.zip"
SONG = "Audio_Song_Actors_01-24.zip"
JOB = Path(download.__file__)


def made(name: str, size: int = 300_000) -> bytes:
    return hashlib.shake_128(name.encode()).digest(size)


@pytest.fixture
def server() -> Iterator[Zenodo]:
    names = [
        SPEECH,
        SONG,
        *(f"Video_{kind}_Actor_{actor:02d}.zip" for kind in ("Speech", "Song") for actor in (1, 2, 3)),
    ]
    with running({name: made(name) for name in names}) as zenodo:
        yield zenodo


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits; the pauses that would have been are listed."""
    slept: list[float] = []
    monkeypatch.setattr(fetch, "_sleep", slept.append)
    return slept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(server: Zenodo, folder: Path, *arguments: str) -> int:
    given = ["--record-url", f"{server.url}/record", "--to", str(folder), *arguments]
    return terminal.run(download.main, download.arguments().parse_args(given))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def complete(server: Zenodo, folder: Path, *wanted: str) -> None:
    """Exactly these files are there, with the right bytes, and nothing else."""
    assert names(folder) == sorted(wanted)
    for name in wanted:
        assert (folder / name).read_bytes() == made(name)


# choosing


def test_speech_is_the_default_and_a_second_run_fetches_nothing(
    server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)
    assert "fetched" in capsys.readouterr().out
    assert run(server, folder) == terminal.DONE
    assert "stands already" in capsys.readouterr().out
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["speech", "song"], [SPEECH, SONG]),
        (["video-speech"], [f"Video_Speech_Actor_0{n}.zip" for n in (1, 2, 3)]),
        (["video-song", "--actors", "2"], ["Video_Song_Actor_02.zip"]),
        (["video", "--actors", "1,3"], [f"Video_{kind}_Actor_0{n}.zip" for kind in ("Song", "Speech") for n in (1, 3)]),
        (["speech", "--actors", "2-3"], [SPEECH]),
        (["video-speech", "--actors", "2-24"], ["Video_Speech_Actor_02.zip", "Video_Speech_Actor_03.zip"]),
    ],
)
def test_parts_by_name(server: Zenodo, folder: Path, arguments: list[str], wanted: list[str]) -> None:
    assert run(server, folder, *arguments) == terminal.DONE
    complete(server, folder, *wanted)


def test_all_is_the_whole_record(server: Zenodo, folder: Path) -> None:
    server.contents["README.txt"] = made("README.txt", 100)
    assert run(server, folder, "all", "--dry-run") == terminal.DONE
    assert not folder.exists()
    assert run(server, folder, "all") == terminal.DONE
    assert names(folder) == sorted(server.contents)


def test_a_dry_run_lists_and_fetches_nothing(server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, folder, "speech", "--dry-run", "--json") == terminal.DONE
    summary = json.loads(capsys.readouterr().out)
    assert summary["files"] == [{"name": SPEECH, "bytes": 300_000, "state": "to fetch"}]
    assert not folder.exists()
    assert not server.asked


def test_the_summary_as_json(server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, folder, "speech", "--json") == terminal.DONE
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(folder),
        "files": [{"name": SPEECH, "bytes": 300_000, "state": "fetched"}],
        "refused": [],
    }


@pytest.mark.parametrize(
    "arguments", [["speach"], ["video", "--actors", "25"], ["video", "--actors", "3-1"], ["--actors="]]
)
def test_wrong_usage(server: Zenodo, folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(server, folder, *arguments)
    assert stopped.value.code == terminal.USAGE
    assert "expected" in capsys.readouterr().err


def test_an_unknown_part_lists_what_there_is() -> None:
    with pytest.raises(UnknownName, match=r"unknown part 'x', expected one of \['all', 'song', 'speech'"):
        zenodo.wanted([], ["x"])


def test_what_the_record_lacks_is_said(server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, folder, "video", "--actors", "20") == terminal.FAILED
    assert "the record holds no such file" in capsys.readouterr().err


# broken lines


@pytest.mark.parametrize(
    "faults",
    [
        ["break 1000"],
        ["break 100000", "break 100000"],
        ["break 0", "break 0", "break 0"],
        ["close", "close"],
        ["500", "503"],
        ["break 50000", "429", "break 50000"],
        ["break 100000", "no ranges"],
        ["break 100000", "no ranges", "break 100"],
        ["break 100000", "wrong range"],
        ["break 100000", "416"],
        ["short length"],
        ["short length", "short length", "short length"],
        ["too much"],
        ["break 100000", "too much"],
        ["wrong byte"],
        ["break 100000", "wrong byte"],
        ["wrong byte", "wrong byte"],
        ["weak tag", "break 10"],
    ],
    ids=", ".join,
)
def test_whatever_happens_on_the_way_the_file_is_right(server: Zenodo, folder: Path, faults: list[str]) -> None:
    server.faults = list(faults)
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)


@given(
    st.lists(
        st.sampled_from(
            ["break 0", "break 7", "break 100000", "500", "416", "no ranges", "wrong range", "short length", "too much"]
        ),
        max_size=6,
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_troubles(server: Zenodo, tmp_path: Path, faults: list[str]) -> None:
    folder = tmp_path / "again"
    shutil.rmtree(folder, ignore_errors=True)
    server.faults = list(faults)
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)
    server.faults = []


def test_a_broken_line_is_resumed_where_it_broke(server: Zenodo, folder: Path) -> None:
    server.faults = ["break 100000"]
    assert run(server, folder) == terminal.DONE
    assert "range" not in server.asked[0]
    assert server.asked[1]["range"] == "bytes=100000-"
    assert server.asked[1]["if-range"] == server.tag(SPEECH)


def test_a_weak_tag_proves_nothing_and_is_not_sent(
    server: Zenodo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Zenodo, "tag", lambda *_: 'W/"weak"')
    server.faults = ["break 100000"]
    assert run(server, folder) == terminal.DONE
    assert "if-range" not in server.asked[1]


def test_a_later_run_goes_on_too(server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.faults = ["break 100000", "500"]
    assert run(server, folder, "--retries", "0") == terminal.FAILED
    assert names(folder) == [f"{SPEECH}.part", f"{SPEECH}.part.json"]
    assert "broke off at 100000 of 300000 bytes" in capsys.readouterr().out
    server.faults = []
    assert run(server, folder, "--dry-run") == terminal.DONE
    assert "to fetch, 100.0 kB of it is here" in capsys.readouterr().out
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)
    assert server.asked[-1]["range"] == "bytes=100000-"


def test_a_file_that_changed_in_between_begins_anew(server: Zenodo, folder: Path) -> None:
    server.faults = ["break 100000"]
    assert run(server, folder, "--retries", "0") == terminal.FAILED
    server.contents[SPEECH] = made("another version", 310_000)
    assert run(server, folder) == terminal.DONE
    assert (folder / SPEECH).read_bytes() == made("another version", 310_000)
    assert "range" not in server.asked[-1]


def test_a_file_that_changed_after_the_record_was_read_is_sent_whole(server: Zenodo, folder: Path) -> None:
    # If-Range: the server sees that the part is of another version and sends everything.
    (remote,) = zenodo.wanted(zenodo.files(f"{server.url}/record")[0], ["speech"])
    server.faults = ["break 100000"]
    with pytest.raises(DownloadFailed, match="broke off"):
        fetch.fetch(remote, folder, retries=0)
    server.contents[SPEECH] = made("another version")
    said: list[str] = []
    with pytest.raises(DownloadFailed, match="its md5 is"):
        fetch.fetch(remote, folder, watcher=fetch.Watcher(said=said.append))
    assert "sends it from the start" in said[0]
    assert not (folder / SPEECH).exists()


def test_a_part_that_something_else_wrote_is_not_trusted(server: Zenodo, folder: Path) -> None:
    folder.mkdir()
    (folder / f"{SPEECH}.part").write_bytes(b"x" * 1000)
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)
    assert "range" not in server.asked[0]


def test_a_spoiled_part_is_noticed_by_the_checksum(server: Zenodo, folder: Path) -> None:
    server.faults = ["break 100000"]
    assert run(server, folder, "--retries", "0") == terminal.FAILED
    with (folder / f"{SPEECH}.part").open("r+b") as part:
        part.write(b"spoiled")
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)


def test_wrong_content_for_ever_is_given_up_and_leaves_no_file(
    server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = ["wrong byte"] * 10
    assert run(server, folder, "speech", "song") == terminal.FAILED
    out = capsys.readouterr().out
    assert "its md5 is" in out
    assert "3 times" in out
    assert not {SPEECH, SONG} & set(names(folder))
    assert len(server.asked) == 6


def test_one_file_that_fails_does_not_keep_the_others(server: Zenodo, folder: Path) -> None:
    server.faults = ["404"]
    assert run(server, folder, "song", "speech", "--json") == terminal.FAILED
    assert SPEECH in names(folder)
    assert SONG not in names(folder)


def test_pauses_grow_and_obey_the_server(server: Zenodo, folder: Path, pauses: list[float]) -> None:
    server.faults = ["close", "close", "close", "429", "503"]
    assert run(server, folder) == terminal.DONE
    assert [0.7 * 2**n < pause < 1.3 * 2**n for n, pause in enumerate(pauses[:3])] == [True] * 3
    assert pauses[3] >= 7
    assert pauses[4] >= 7


def test_a_server_that_never_answers_is_given_up(server: Zenodo, folder: Path, pauses: list[float]) -> None:
    server.faults = ["close"] * 50
    assert run(server, folder) == terminal.FAILED
    assert len(pauses) == fetch.RETRIES
    assert max(pauses) < 40


def test_slow_progress_is_progress(server: Zenodo, folder: Path) -> None:
    server.contents[SPEECH] = made(SPEECH, 20 << 20)
    server.faults = [f"break {2 << 20}"] * 9
    assert run(server, folder, "--retries", "1") == terminal.DONE


# the record


@pytest.mark.parametrize("faults", [["500", "503"], []])
def test_the_record_is_asked_for_again(server: Zenodo, folder: Path, faults: list[str]) -> None:
    server.record_faults = faults
    assert run(server, folder) == terminal.DONE


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "404"),
        ("<html>not found</html>", "not the JSON of a record"),
        ("[1, 2]", "lists no files"),
        ('{"files": {}}', "lists no files"),
        ('{"files": []}', "lists no files"),
    ],
)
def test_what_is_no_record_is_said(
    server: Zenodo, folder: Path, fault: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.record_faults = [fault] * 20
    assert run(server, folder) == terminal.FAILED
    assert reason in capsys.readouterr().err


def test_no_server_at_all(server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--record-url", "http://127.0.0.1:9/record", "--to", str(folder), "--retries", "2"]
    assert terminal.run(download.main, download.arguments().parse_args(arguments)) == terminal.FAILED
    error = capsys.readouterr().err
    assert "no connection" in error
    assert "given up after 3 failures" in error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd", "x"])
def test_only_http_is_spoken(folder: Path, url: str) -> None:
    with pytest.raises(DownloadFailed, match="no http address"):
        zenodo.files(url)


ENTRY: dict[str, Any] = {
    "key": "Audio_Speech_Actors_01-24.zip.txt",
    "size": 5,
    "checksum": "md5:b58adf46ebf11a5cd39e90a29ab65bf5",
    "links": {"self": "http://127.0.0.1/x"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"key": "../../escape.zip"},
        {"key": "/etc/cron.d/x"},
        {"key": "a/b.zip"},
        {"key": "a\\b.zip"},
        {"key": ".bashrc"},
        {"key": ".."},
        {"key": ""},
        {"key": "x\n.zip"},
        {"key": "x\0.zip"},
        {"key": f"{SPEECH}.part"},
        {"key": SPEECH.lower()},
        {"key": "x" * 300},
        {"key": 7},
        {"size": -1},
        {"size": "5"},
        {"checksum": "sha1:00"},
        {"checksum": "md5:../../../../../../etc/passwd00000"},
        {"links": {"self": "file:///etc/passwd"}},
        {"links": {}},
    ],
    ids=str,
)
def test_no_entry_of_the_record_is_trusted(
    server: Zenodo, folder: Path, tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.entries = [{**ENTRY, **change}]
    assert run(server, folder, "speech", "--json") == terminal.REJECTS
    (reason,) = json.loads(capsys.readouterr().out)["refused"]
    assert reason
    complete(server, folder, SPEECH)
    assert names(tmp_path) == ["data"]


# the disk


def test_a_file_of_another_size_is_replaced(server: Zenodo, folder: Path) -> None:
    folder.mkdir()
    (folder / SPEECH).write_bytes(made(SPEECH)[:1000])  # a browser's broken download
    assert run(server, folder) == terminal.DONE
    complete(server, folder, SPEECH)


def test_check_reads_what_stands_and_fetches_what_is_wrong(server: Zenodo, folder: Path) -> None:
    assert run(server, folder) == terminal.DONE
    assert run(server, folder, "--check") == terminal.DONE
    assert len(server.asked) == 1
    (folder / SPEECH).write_bytes(b"x" * 300_000)
    assert run(server, folder) == terminal.DONE
    assert len(server.asked) == 1
    assert run(server, folder, "--check") == terminal.DONE
    complete(server, folder, SPEECH)


def test_too_little_room_is_said_before_the_first_byte(
    server: Zenodo, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=299_999))
    assert run(server, folder) == terminal.FAILED
    assert "300.0 kB to fetch, but" in capsys.readouterr().err
    assert not folder.exists()
    assert not server.asked


def test_a_disk_that_fills_up_is_not_tried_again(server: Zenodo, folder: Path, pauses: list[float]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    folder.mkdir()
    (folder / f"{SPEECH}.part").symlink_to("/dev/full")
    assert run(server, folder) == terminal.FAILED
    assert not pauses


def test_two_downloads_of_one_file_do_not_mix(server: Zenodo, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    folder.mkdir()
    with (folder / f"{SPEECH}.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run(server, folder) == terminal.FAILED
    assert "another download is writing" in capsys.readouterr().out
    assert run(server, folder) == terminal.DONE


def test_killed_and_run_again(server: Zenodo, folder: Path) -> None:
    server.contents[SPEECH] = made(SPEECH, 30 << 20)
    command = [sys.executable, str(JOB), "--record-url", f"{server.url}/record", "--to", str(folder), "--json"]
    part = folder / f"{SPEECH}.part"
    server.faults = [f"break {5 << 20}", f"break {5 << 20}"]  # each is followed by a pause of a second
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= 4 << 20) and time.monotonic() < deadline:
        time.sleep(0.01)
    job.kill()
    job.wait()
    server.faults = []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == terminal.DONE, done.stderr
    assert (folder / SPEECH).read_bytes() == made(SPEECH, 30 << 20)
    assert int(server.asked[-1]["range"].removeprefix("bytes=").rstrip("-")) >= 4 << 20


def test_what_was_fetched_is_catalogued_as_it_is(server: Zenodo, folder: Path) -> None:
    server.contents[SPEECH] = packed({"Actor_12/03-01-06-01-02-01-12.wav": b"sound"})
    assert run(server, folder) == terminal.DONE
    assert catalogue(folder).clips.num_rows == 1


# the job itself


def test_the_made_corpus_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--sample", "actors=2,takes=2", "--to", str(tmp_path / "made"), "--json"]
    assert terminal.run(download.main, download.arguments().parse_args(arguments)) == terminal.DONE
    summary = json.loads(capsys.readouterr().out)
    assert (summary["clips"], summary["made"]) == (4, 4)
    assert "made by a program, not recorded" in summary["description"]
    assert catalogue(tmp_path / "made").clips["corpus"].to_pylist() == ["sample"] * 4


def test_wrong_sample_options_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = download.arguments().parse_args(["--sample", "actors=0", "--to", str(tmp_path)])
    assert terminal.run(download.main, arguments) == terminal.FAILED
    assert "1 to 99 actors" in capsys.readouterr().err
