"""Zip files are read in place, and nothing in them leads anywhere."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.corpora import catalogue, read_bytes, zips
from ravdess.corpora.catalogue import Catalogue
from ravdess.errors import BadClip
from tests.corpora.conftest import Put

NAME = "03-01-06-01-02-01-12"
OTHER = "03-01-01-01-01-01-01"


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def flagged(content: bytes, *, flags: int = 0, method: int | None = None, size: int | None = None) -> bytes:
    """The zip file with the headers of its only member changed."""
    raw = bytearray(content)
    for signature, at_flags, at_method, at_size in ((b"PK\x03\x04", 6, 8, 22), (b"PK\x01\x02", 8, 10, 24)):
        at = raw.find(signature)
        raw[at + at_flags] |= flags
        if method is not None:
            struct.pack_into("<H", raw, at + at_method, method)
        if size is not None:
            struct.pack_into("<I", raw, at + at_size, size)
    return bytes(raw)


def reject(found: Catalogue) -> str:
    (row,) = found.rejects.to_pylist()
    assert found.clips.num_rows == 0
    return str(row["reason"])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_publishers_zip_itself(put: Put, method: int) -> None:
    path = put("Audio_Speech_Actors_01-24.zip", packed({f"Actor_12/{NAME}.wav": b"a" * 500, "notes.txt": b"x"}, method))
    found = catalogue(path)
    (row,) = found.clips.to_pylist()
    assert (row["clip"], row["size"], row["source"]) == (NAME, 500, f"zip:{path}!/Actor_12/{NAME}.wav")
    assert read_bytes(row["source"]) == b"a" * 500
    assert found.ignored == 1


def test_zips_inside_a_folder_beside_loose_files(put: Put, tmp_path: Path) -> None:
    put("zips/Video_Speech_Actor_01.ZIP", packed({"Actor_01/01-01-01-01-01-01-01.mp4": b"v"}))
    put("zips/Video_Speech_Actor_02.zip", packed({"01-01-01-01-01-01-02.mp4": b"w"}))
    put(f"Actor_12/{NAME}.wav", b"s")
    found = catalogue(tmp_path)
    assert [read_bytes(source) for source in found.clips["source"].to_pylist()] == [b"v", b"w", b"s"]
    assert not found.rejects.num_rows
    assert not found.notes


def test_an_archives_own_name_may_look_like_an_address(put: Put) -> None:
    path = put("100%!/odd!/all!.zip", packed({f"a!/b/{NAME}.wav": b"s"}))
    (source,) = catalogue(path).clips["source"].to_pylist()
    assert read_bytes(source) == b"s"


@pytest.mark.parametrize("folder", ["../../../", "/etc/", "C:\\Windows\\", "a/../../", "\\\\host\\share\\"])
def test_a_members_path_leads_nowhere(put: Put, tmp_path: Path, folder: str) -> None:
    put("deep/inside/x.zip", packed({f"{folder}{NAME}.wav": b"s"}))
    before = sorted(tmp_path.rglob("*"))
    found = catalogue(tmp_path)
    (source,) = found.clips["source"].to_pylist()
    assert read_bytes(source) == b"s"
    assert sorted(tmp_path.rglob("*")) == before
    put(f"{NAME}.wav", b"outside")
    with pytest.raises(BadClip, match="holds it no more"):
        read_bytes(f"zip:{tmp_path}/deep/inside/x.zip!/../../{NAME}.wav")


def test_a_link_in_a_zip_is_not_followed(put: Put) -> None:
    link = zipfile.ZipInfo(f"{NAME}.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "symbolic link" in reject(catalogue(put("x.zip", file.getvalue())))


def test_encrypted_members_are_named(put: Put) -> None:
    path = put("x.zip", flagged(packed({f"{NAME}.wav": b"secret"}), flags=1))
    assert "encrypted in its zip file" in reject(catalogue(path))


@pytest.mark.parametrize("method", [9, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_named(put: Put, method: int) -> None:
    path = put("x.zip", flagged(packed({f"{NAME}.wav": b"x" * 100}), method=method))
    assert f"packed with the zip method {method}" in reject(catalogue(path))


def test_a_bomb_is_refused_by_its_size_and_a_liar_is_not_believed(put: Put) -> None:
    path = put("bomb.zip", flagged(packed({f"{NAME}.wav": b"\0" * 10_000_000}), size=2**31))
    assert "more than 512 MiB" in reject(catalogue(path))
    with pytest.raises(BadClip, match="more than 512 MiB"):
        read_bytes(f"zip:{path}!/{NAME}.wav")
    small = put("liar.zip", flagged(packed({f"{NAME}.wav": b"\0" * 50_000_000}), size=100))
    (source,) = catalogue(small).clips["source"].to_pylist()
    tracemalloc.start()
    with pytest.raises(BadClip, match="damaged in its zip file"):
        read_bytes(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_list_of_too_many_members_is_not_loaded(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed({f"{number}.txt": b"" for number in range(300)})
    assert catalogue(put("x.zip", content)).ignored == 300
    monkeypatch.setattr(zips, "MAX_MEMBERS", 300)
    assert "list of members is too long" in reject(catalogue(put("y.zip", content)))


@pytest.mark.parametrize("cut", [0, 1, 10, 22, 60, 200])
def test_broken_zips_are_named_and_the_rest_goes_on(put: Put, tmp_path: Path, cut: int) -> None:
    content = packed({f"Actor_12/{NAME}.wav": bytes(range(256))})
    put("broken.zip", content[: len(content) - cut] if cut else b"")
    put(f"{OTHER}.wav")
    found = catalogue(tmp_path)
    assert found.clips["clip"].to_pylist() == [OTHER]
    (row,) = found.rejects.to_pylist()
    assert row["source"].endswith("broken.zip")
    assert "zip" in row["reason"]


def test_a_list_that_lost_members_is_not_believed(put: Put) -> None:
    content = bytearray(packed({f"{NAME}.wav": b"x", f"{OTHER}.wav": b"y"}))
    end = content.rfind(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 12, 0)
    assert "it lists 0 of 2 members" in reject(catalogue(put("x.zip", bytes(content))))


def test_zip64_is_read(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # zip64 is written beyond it
    content = packed({f"{NAME}.wav": b"x", f"{OTHER}.wav": b"y"})
    assert b"PK\x06\x07" in content
    assert catalogue(put("x.zip", content)).clips.num_rows == 2


def test_damage_inside_a_zip_shows_when_read(put: Put) -> None:
    content = bytearray(packed({f"{NAME}.wav": b"sound" * 1000}, zipfile.ZIP_STORED))
    content[2000] ^= 0xFF
    (source,) = catalogue(put("x.zip", bytes(content))).clips["source"].to_pylist()
    with pytest.raises(BadClip, match="damaged in its zip file: Bad CRC-32"):
        read_bytes(source)


def test_two_members_of_one_name_are_not_both_believed(put: Put) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{NAME}.wav", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(f"{NAME}.wav", b"second")
    assert "two members of this name" in reject(catalogue(put("x.zip", file.getvalue())))


def test_empty_members_folders_named_wav_and_zips_in_zips(put: Put) -> None:
    members = {f"{NAME}.wav": b"", f"{OTHER}.wav/": b"", "inner.zip": packed({f"{OTHER}.wav": b"x"})}
    found = catalogue(put("x.zip", packed(members)))
    assert {row["clip"]: row["reason"] for row in found.rejects.to_pylist()} == {
        NAME: "empty: 0 bytes",
        OTHER: "a folder, not a file",
        "inner": "a zip file inside a zip file is not looked into; unpack it",
    }


def test_a_member_without_a_name_is_passed_over(put: Put) -> None:
    content = packed({"x": b"", f"{NAME}.wav": b"s"}).replace(b"x", b"\0")
    found = catalogue(put("x.zip", content))
    assert (found.clips.num_rows, found.ignored) == (1, 1)


def test_macos_shadow_files_are_passed_over(put: Put) -> None:
    found = catalogue(put("x.zip", packed({f"{NAME}.wav": b"x", f"__MACOSX/._{NAME}.wav": b"y"})))
    assert (found.clips.num_rows, found.rejects.num_rows, found.ignored) == (1, 0, 1)


def test_a_zip_replaced_while_open_is_read_anew(put: Put) -> None:
    path = put("x.zip", packed({f"{NAME}.wav": b"old"}))
    (source,) = catalogue(path).clips["source"].to_pylist()
    assert read_bytes(source) == b"old"
    path.unlink()
    put("x.zip", packed({"other/padding.txt": b"", f"{NAME}.wav": b"new"}))
    assert read_bytes(source) == b"new"
    path.unlink()
    with pytest.raises(BadClip, match="no such file"):
        read_bytes(source)


@given(
    members=st.dictionaries(
        st.text(min_size=1, max_size=20).filter(lambda name: name[0] != "\0"), st.binary(max_size=200), max_size=5
    ),
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_zip_holds_the_catalogue_goes_on(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes], damage: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    content = bytearray(packed({f"{NAME}.wav": b"sound" * 50, **members}))
    for at, value in damage:
        content[at % len(content)] = value
    (folder / "x.zip").write_bytes(content)
    (folder / f"{OTHER}.wav").write_bytes(b"good")
    found = catalogue(folder)
    assert OTHER in found.clips["clip"].to_pylist() or OTHER in found.rejects["clip"].to_pylist()
    for source in found.clips["source"].to_pylist():
        try:
            read_bytes(source)
        except BadClip:
            continue
