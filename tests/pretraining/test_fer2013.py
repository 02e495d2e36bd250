"""FER2013 in its three forms, what is wrong with it, and how its pictures are varied."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess.errors import BadSource
from ravdess.pretraining.augment import Augmentation
from ravdess.pretraining.fer2013 import LABELS, Faces, clean, read

spec = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert spec is not None
assert spec.loader is not None
fakes: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fakes)


def in_order(faces: Faces) -> list[tuple[str, int, bytes]]:
    found = zip(faces.usages.tolist(), faces.labels.tolist(), faces.images, strict=True)
    return sorted((usage, label, image.tobytes()) for usage, label, image in found)


def test_the_three_forms_say_the_same(tmp_path: Path) -> None:
    some = fakes.rows(14, 7, 7)
    expected = sorted((usage, emotion, picture.tobytes()) for _, emotion, usage, picture in some)
    for source in (
        fakes.parquet(tmp_path / "f.parquet", some),
        fakes.csv(tmp_path / "f.csv", some),
        fakes.folders(tmp_path / "f", some),
    ):
        faces = read(source)
        assert in_order(faces) == expected, source
        assert faces.damaged == ()
    assert len(faces.of("PrivateTest")[0]) == 7
    assert LABELS[2] == "fearful"


def test_damaged_pictures_are_named_and_skipped(tmp_path: Path) -> None:
    some = fakes.rows(14, 7)
    wide = fakes.png(np.zeros((48, 50), dtype=np.uint8))
    broken = {"Training_0": b"", "Training_1": b"no picture", "Training_2": wide, "PublicTest_3": b"\x89PNG" * 90}
    faces = read(fakes.parquet(tmp_path / "f.parquet", some, **broken))
    assert [name for name, _ in faces.damaged] == [
        "Training_0.png",
        "Training_1.png",
        "Training_2.png",
        "PublicTest_3.png",
    ]
    assert "50 × 48 pixels" in dict(faces.damaged)["Training_2.png"]
    assert len(faces.images) == 17
    pixels = " ".join(["0"] * 2304)
    bad = [f"9,{pixels},Training", "1,1 2 3,Training", f"1,{pixels[:-1]}x,Training", f"1,{pixels[:-1]}256,Training"]
    bad += [f"1,{pixels},Elsewhere", ",,"]
    faces = read(fakes.csv(tmp_path / "f.csv", some, *bad))
    assert [name for name, _ in faces.damaged] == [f"row {at}" for at in range(22, 28)]
    reasons = " | ".join(reason for _, reason in faces.damaged)
    for said in ("emotion '9'", "3 pixels", "no whole number", "outside 0 … 255", "usage 'Elsewhere'", "0 pixels"):
        assert said in reasons


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    source = fakes.folders(tmp_path / "f", fakes.rows(7, 7))
    (tmp_path / "secret.png").write_bytes(fakes.png(np.full((48, 48), 9, dtype=np.uint8)))
    (source / "train" / "happy" / "link.png").symlink_to(tmp_path / "secret.png")
    faces = read(source)
    assert [reason for _, reason in faces.damaged] == ["a link that leads out"]
    assert len(faces.images) == 14


def test_what_is_no_fer2013_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("emotion,Usage\n1,Training\n")
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    (tmp_path / "empty").mkdir()
    for name, said in {
        "a.csv": r"lacks columns \['pixels'\]",
        "a.parquet": "cannot be read as Parquet",
        "empty": "no picture of Training",
        "absent.csv": "no FER2013 at",
    }.items():
        with pytest.raises(BadSource, match=said):
            read(tmp_path / name)
    with pytest.raises(BadSource, match="no picture of PublicTest"):
        read(fakes.csv(tmp_path / "b.csv", fakes.rows(7, 0)))


def test_copies_leaks_and_empty_pictures_do_not_train() -> None:
    rng = np.random.default_rng(0)
    one, two, three, four, five = rng.integers(0, 256, (5, 48, 48), dtype=np.uint8)
    grey = np.full((48, 48), 7, dtype=np.uint8)
    told = [
        (one, 0, "Training"),
        (one, 0, "Training"),  # the same again
        (two, 1, "Training"),
        (two, 2, "Training"),  # two labels: both go
        (three, 3, "Training"),  # also in a test, there under another label
        (four, 4, "Training"),
        (five, 4, "Training"),  # also in the other test
        (grey, 5, "Training"),
        (three, 4, "PublicTest"),
        (grey, 6, "PublicTest"),
        (five, 4, "PrivateTest"),
    ]
    images, labels, usages = (list(column) for column in zip(*told, strict=True))
    faces = Faces(np.stack(images), np.array(labels), np.array(usages))
    cleaned = clean(faces)
    assert cleaned.counts == {"constant": 1, "two_usages": 2, "conflicting": 2, "repeated": 1, "trained_on": 2}
    np.testing.assert_array_equal(cleaned.images, [one, four])
    assert cleaned.labels.tolist() == [0, 4]
    assert len(faces.of("PublicTest")[0]) == 2  # a judge is never trimmed


STILL = Augmentation(turn=0, shift=0, zoom=0, contrast=0, brightness=0)


def pictures(n: int = 40) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.stack([picture for _, _, _, picture in fakes.rows(n, 0)])


def test_without_variation_a_picture_is_itself_or_its_mirror() -> None:
    images = pictures()
    kinds = set()
    for image, varied in zip(images, STILL(images, np.random.default_rng(0)), strict=True):
        same, mirrored = np.array_equal(varied, image), np.array_equal(varied, image[:, ::-1])
        assert same or mirrored
        kinds.add(same)
    assert kinds == {True, False}


def test_a_view_of_fewer_pixels_shows_the_middle_at_its_scale() -> None:
    images = pictures(8)
    views = STILL(images, np.random.default_rng(0), side=34)
    for image, view in zip(images, views, strict=True):
        middle = image[7:41, 7:41]
        assert np.array_equal(view, middle) or np.array_equal(view, middle[:, ::-1])
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 4, (1, 48, 1))
    view = STILL(ramp, np.random.default_rng(1), side=34, magnified=0.8)[0, 17].astype(int)
    assert abs(abs(view[30] - view[4]) - 26 * 4 / 0.8) <= 2


def test_variation_stays_in_its_bounds_and_follows_its_seed() -> None:
    images = pictures()
    before = images.copy()
    varied = Augmentation()(images, np.random.default_rng(5))
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(varied, Augmentation()(images, np.random.default_rng(5)))
    assert not np.array_equal(varied, Augmentation()(images, np.random.default_rng(6)))
    shifted = Augmentation(turn=0, shift=0.25, zoom=0, contrast=0, brightness=0)
    dot = np.zeros((200, 48, 48), dtype=np.uint8)
    dot[:, 24, 24] = 255
    weight = shifted(dot, np.random.default_rng(0)).astype(float)
    row = (weight.sum(axis=2) * np.arange(48)).sum(axis=1) / weight.sum(axis=(1, 2))
    assert 11 < np.abs(row - 24).max() <= 12.01  # a quarter of 48, and no more
    hidden = Augmentation(turn=0, shift=0, zoom=0, contrast=0, brightness=0, hidden=0.25)
    covered = (hidden(np.zeros((300, 48, 48), dtype=np.uint8), np.random.default_rng(0)) == 127).sum(axis=(1, 2))
    assert set(covered.tolist()) == {0, 144}
    assert 0.4 < (covered > 0).mean() < 0.6
