"""One take: every set from one decoding, equal to what each gives alone; and what cannot be held is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess.corpora import catalogue, choose
from ravdess.errors import BadClip, Reject
from ravdess.frames import FRAME_SETS, FrameSet, Pictures, frame_set
from ravdess.picture import faces, frames, pictures, stream
from ravdess.picture import take as take_module
from ravdess.picture.decode import decoded
from ravdess.picture.film import Film
from ravdess.picture.preview import sheet
from ravdess.picture.sets import crop, whole
from tests.picture.clips import drawn, film

PICTURED = [frame_set(name) for name in FRAME_SETS if frame_set(name).modality == "picture"]


def made(content: bytes | str, *sets: FrameSet) -> list[Pictures]:
    got = pictures(content, sets)
    assert all(isinstance(one, Pictures) for one in got), got
    return [one for one in got if isinstance(one, Pictures)]


@pytest.fixture(scope="module")
def clip() -> bytes:
    return film(31)


def test_one_decoding_gives_what_each_set_gives_alone(clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [made(clip, one)[0] for one in PICTURED]
    runs: list[Any] = []

    def counted(one: Film, wanted: Any) -> Any:
        runs.append(wanted)
        return decoded(one, wanted)

    monkeypatch.setattr(take_module, "decoded", counted)
    together = made(clip, *PICTURED)
    assert len(runs) == 1
    for one, by_itself, beside in zip(PICTURED, alone, together, strict=True):
        assert beside.frames.shape == (7, *one.shape)
        assert np.array_equal(by_itself.frames, beside.frames)
        assert by_itself.facts == beside.facts


def test_every_fifth_picture_and_no_other(clip: bytes) -> None:
    got = made(clip, whole("small", 160, 90, grey=False))[0].frames
    assert np.array_equal(got, frames(clip, stride=1)[::5])
    for number, frame in enumerate(got):
        apart = [np.abs(frame.astype(int) - drawn(other)).mean() for other in range(31)]
        assert int(np.argmin(apart)) == 5 * number


def test_sets_of_unlike_strides_share_a_decoding(clip: bytes) -> None:
    some = whole("some", 160, 90, grey=False, stride=3, start=1, stop=20)
    every = whole("every", 160, 90, grey=True, stride=1)
    face = crop("face", 24, stride=2)
    got = made(clip, some, every, face)
    assert [len(one.frames) for one in got] == [7, 31, 16]
    assert np.array_equal(got[0].frames, frames(clip, stride=3, start=1, stop=20))
    assert len({one.fingerprint for one in (some, every, face, dataclasses.replace(some, name="every"))}) == 4


def test_another_shape_is_cut_and_not_squeezed() -> None:
    wide, square = film(1), film(1, width=160, height=160)
    one = whole("small", 64, 36, grey=False)
    cut = frames(square, stride=1)[:, 35:125]
    got = made(square, one)[0].frames
    assert np.abs(got.astype(int) - made_from(cut)).mean() < 3
    assert made(wide, one)[0].frames.shape == got.shape


def made_from(images: Any) -> Any:
    import cv2

    return np.stack([cv2.resize(image, (64, 36), interpolation=cv2.INTER_AREA) for image in images]).astype(int)


def test_a_take_that_is_too_large_is_refused_before_it_is_decoded(clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_module, "LARGEST_TAKE", 7 * 48 * 48)
    small, large = pictures(clip, [frame_set("face_48"), frame_set("face_96")])
    assert isinstance(small, Pictures)
    assert isinstance(large, Reject)
    assert large.stage == "extract"
    assert "7 pictures of 9216 bytes" in large.reason
    monkeypatch.setattr(take_module, "decoded", None)
    assert isinstance(pictures(clip, [frame_set("face_96")])[0], Reject)


def test_a_set_that_picks_nothing_is_refused() -> None:
    got = pictures(film(3), [whole("late", 16, 16, grey=True, start=3), whole("first", 16, 16, grey=True)])
    assert isinstance(got[0], Reject)
    assert isinstance(got[1], Pictures)


def test_a_long_clip_keeps_the_square_of_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_module, "SEEN", 3)
    waiting = []
    real = faces.face

    def face(seen: Any, how: Any) -> Any:
        waiting.append(len(seen))
        return real(seen, how)

    monkeypatch.setattr(faces, "face", face)
    assert len(made(film(31), frame_set("face_48"))[0].frames) == 7
    assert waiting == [3]


@pytest.mark.parametrize("seen", [1, 3, 32])
def test_pictures_may_wait_in_a_file(clip: bytes, monkeypatch: pytest.MonkeyPatch, seen: int) -> None:
    monkeypatch.setattr(take_module, "SEEN", seen)
    sets = [frame_set("face_48"), frame_set("face_96")]
    came: list[list[Any]] = [[], []]
    facts = stream(clip, sets, lambda place, frame: came[place].append(frame.copy()), spooled=True)
    for one, frames_of_one, facts_of_one in zip(made(clip, *sets), came, facts, strict=True):
        assert np.array_equal(one.frames, np.stack(frames_of_one))
        assert one.facts == facts_of_one


def test_a_full_disk_is_no_fault_of_the_clip(clip: bytes) -> None:
    def emit(place: int, frame: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space") as told:
        stream(clip, [frame_set("face_48")], emit)
    assert not isinstance(told.value, BadClip)


def test_opencv_has_its_threads_back(clip: bytes) -> None:
    import cv2

    before = cv2.getNumThreads()
    made(clip, frame_set("face_48"))
    assert cv2.getNumThreads() == before


def test_pictures_are_read_from_01_else_02_once_a_take() -> None:
    both = catalogue("sample:actors=1,takes=2,modalities=audio-only+audio-video+video-only").clips
    assert choose(both, modality="picture")["modality"].to_pylist() == ["audio-video"] * 2
    silent = catalogue("sample:actors=1,takes=2,modalities=audio-only+video-only,height=90").clips
    chosen = choose(silent, modality="picture")
    assert chosen["modality"].to_pylist() == ["video-only"] * 2  # its sound track is silent, and nobody asks it
    assert "video-only" not in choose(silent, modality="sound")["modality"].to_pylist()
    assert made(chosen["source"][0].as_py(), frame_set("face_48"))[0].frames.shape[1:] == (48, 48, 1)


def test_the_contact_sheet_shows_takes_and_names_what_it_cannot(clip: bytes) -> None:
    import cv2

    drawn_sheet = cv2.imdecode(np.frombuffer(sheet([("one", clip), ("bad", b"text")]), np.uint8), cv2.IMREAD_COLOR)
    assert drawn_sheet is not None
    assert drawn_sheet.shape == (200 + 20, 4 * (320 + 180), 3)  # of the second only the reason, a line
    assert len(np.unique(drawn_sheet[20:200])) > 50


@pytest.mark.data
def test_the_publishers_two_files_of_a_take_look_alike(real_data: Path) -> None:
    folder = real_data / "ravdess" / "video" / "Actor_01"
    both = [folder / f"0{modality}-01-01-01-01-01-01.mp4" for modality in (1, 2)]
    found = catalogue([str(path) for path in both]).clips
    assert len(set(found["take"].to_pylist())) == 1
    assert choose(found, modality="picture")["clip"].to_pylist() == ["01-01-01-01-01-01-01"]
    assert choose(found, modality="sound")["clip"].to_pylist() == ["01-01-01-01-01-01-01"]
    one, other = (made(str(path), frame_set("face_48"))[0] for path in both)
    assert one.frames.shape == other.frames.shape == (20, 48, 48, 1)
    assert one.facts[0] == pytest.approx(30000 / 1001)
