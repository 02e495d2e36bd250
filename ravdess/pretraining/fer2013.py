"""FER2013: 48 × 48 grey faces with seven emotions, from Parquet, the challenge's csv, or folders.

The set is that of Goodfellow et al. 2013, "Challenges in representation learning" (arXiv 1307.0414): Training,
PublicTest to choose, PrivateTest to judge. It holds pictures twice, under one label or several, in one usage or two,
and some that show nothing; `clean` takes them out of what trains, never out of what judges, and counts them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

SIDE: Final = 48
LABELS: Final = ("angry", "disgust", "fearful", "happy", "sad", "surprised", "neutral")
"""In the order of the set's numbers, 0 … 6, and in this project's words."""
USAGES: Final = ("Training", "PublicTest", "PrivateTest")
LICENCE: Final = (
    "Trained on FER2013 (Goodfellow et al. 2013, arXiv 1307.0414), pictures gathered from the web for the ICML 2013 "
    "challenge, whose rights stay with their owners: for research, not for a product."
)
_WORDS: Final = {
    **{str(number): number for number in range(7)},
    **{word: number for number, word in enumerate(LABELS)},
    "anger": 0,
    "fear": 2,
    "happiness": 3,
    "sadness": 4,
    "surprise": 5,
}
_LARGEST: Final = 1 << 16
"""Bytes of one picture's file: a 48 × 48 picture is a few thousand, and no bomb fits."""
_FOLDERS: Final = {
    "training": "Training",
    "train": "Training",
    "publictest": "PublicTest",
    "validation": "PublicTest",
    "test": "PublicTest",
    "privatetest": "PrivateTest",
}
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True, eq=False)
class Faces:
    """Pictures with their emotion and usage.

    Attributes
    ----------
    images : np.ndarray [shape=(n, 48, 48), dtype=uint8]
    labels : np.ndarray [shape=(n,), dtype=int64]
        Places in LABELS.
    usages : np.ndarray [shape=(n,)]
        Words of USAGES.
    damaged : tuple of (name, reason)
        What could not be read, and was left out.
    """

    images: Images
    labels: NDArray[np.int64]
    usages: NDArray[np.str_]
    damaged: tuple[tuple[str, str], ...] = ()

    def of(self, usage: str) -> tuple[Images, NDArray[np.int64]]:
        """Pictures and labels of one usage."""
        chosen = self.usages == usage
        return self.images[chosen], self.labels[chosen]


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What trains, and what was taken out of it.

    Attributes
    ----------
    images, labels
        As in Faces, the training ones that stay.
    counts : dict of str to int
        ``two_usages`` (training pictures that stand in a test as well), ``constant``, ``conflicting`` (copies under
        several labels), ``repeated`` (copies under one label, beyond the first), ``trained_on`` (what stays).
    """

    images: Images
    labels: NDArray[np.int64]
    counts: dict[str, int]


def read(source: Path) -> Faces:
    """Every picture of `source`: a .parquet file, a .csv file, or a folder of ``<usage>/<emotion>/<picture>``.

    Raises BadSource when there is no such thing, it has other columns, or no picture in it can be read.
    """
    if source.is_dir():
        rows = _folders(source)
    elif not source.is_file():
        raise BadSource(f"no FER2013 at {source}: expected a .parquet or .csv file, or a folder train/<emotion>/*.png")
    elif source.suffix == ".parquet":
        rows = _parquet(source)
    elif source.suffix == ".csv":
        rows = _csv(source)
    else:
        raise BadSource(f"{source} is neither .parquet nor .csv nor a folder")
    found = _Gathered()
    for name, emotion, usage, picture in rows:
        found.take(name, emotion, usage, picture)
    return found.faces(source)


def clean(faces: Faces) -> Cleaned:
    """The training pictures, without those that would leak, contradict each other, or show nothing.

    Pictures are compared by their decoded pixels. One that stands in another usage too is no training picture, whatever
    its label there. Of copies under one label the first stays; copies under several labels all go.
    """
    keys = np.array([image.tobytes() for image in faces.images], dtype=object)
    training = faces.usages == "Training"
    held_out = set(keys[~training])
    named: dict[bytes, set[int]] = {}
    for key, label in zip(keys[training], faces.labels[training].tolist(), strict=True):
        named.setdefault(key, set()).add(label)
    counts = dict.fromkeys(("constant", "two_usages", "conflicting", "repeated"), 0)
    kept, seen = [], set()
    for at in np.flatnonzero(training).tolist():
        key, image = keys[at], faces.images[at]
        if image.min() == image.max():
            counts["constant"] += 1
        elif key in held_out:
            counts["two_usages"] += 1
        elif len(named[key]) > 1:
            counts["conflicting"] += 1
        elif key in seen:
            counts["repeated"] += 1
        else:
            seen.add(key)
            kept.append(at)
    return Cleaned(faces.images[kept], faces.labels[kept], {**counts, "trained_on": len(kept)})


@dataclass
class _Gathered:
    images: list[Images] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    usages: list[str] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)

    def take(self, name: str, emotion: str, usage: str, picture: Images | str) -> None:
        if isinstance(picture, str):
            self.damaged.append((name, picture))
        elif emotion.strip().lower() not in _WORDS:
            self.damaged.append((name, f"emotion {emotion!r} is none of {', '.join(LABELS)} or 0 … 6"))
        elif usage not in USAGES:
            self.damaged.append((name, f"usage {usage!r} is none of {', '.join(USAGES)}"))
        else:
            self.images.append(picture)
            self.labels.append(_WORDS[emotion.strip().lower()])
            self.usages.append(usage)

    def faces(self, source: Path) -> Faces:
        for usage in USAGES[:2]:
            if usage not in self.usages:
                some = f"; the first that was refused: {': '.join(self.damaged[0])}" if self.damaged else ""
                raise BadSource(f"{source} has no picture of {usage}{some}")
        labels, usages = np.array(self.labels, dtype=np.int64), np.array(self.usages, dtype=np.str_)
        return Faces(np.stack(self.images), labels, usages, tuple(self.damaged))


def _parquet(source: Path) -> Iterator[tuple[str, str, str, Images | str]]:
    """Rows of (name, emotion, usage, picture or why there is none)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadSource(f"{source} cannot be read as Parquet: {error}") from error
    names = set(file.schema_arrow.names)
    if missing := sorted({"image", "emotion", "usage"} - names):
        raise BadSource(f"{source} lacks columns {missing}; expected image (bytes of a JPEG or PNG), emotion, usage")
    columns = ["image", "emotion", "usage", *(["source_name"] if "source_name" in names else [])]
    at = 0
    for batch in file.iter_batches(batch_size=4096, columns=columns):
        for row in batch.to_pylist():
            at += 1
            image = row["image"]
            image = image.get("bytes") if isinstance(image, dict) else image
            name = str(row.get("source_name") or f"row {at}")
            yield name, str(row["emotion"]), str(row["usage"]), _decoded(image)


def _csv(source: Path) -> Iterator[tuple[str, str, str, Images | str]]:
    """Rows of the challenge's file: emotion, pixels (2304 numbers), Usage."""
    with source.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := sorted({"emotion", "pixels", "usage"} - set(header)):
            raise BadSource(f"{source} lacks columns {missing}; expected emotion, pixels, Usage")
        places = [header.index(name) for name in ("emotion", "usage", "pixels")]
        for at, row in enumerate(reader, 1):
            if row:
                emotion, usage, pixels = (row[place].strip() if place < len(row) else "" for place in places)
                yield f"row {at}", emotion, usage, _numbers(pixels)


def _folders(source: Path) -> Iterator[tuple[str, str, str, Images | str]]:
    """Pictures of ``<usage>/<emotion>/``; a name such as PrivateTest_123.png says the usage better than its folder."""
    for path in sorted(source.glob("*/*/*")):
        usage, emotion, name = path.relative_to(source).parts
        if path.suffix.lower() not in _PICTURES or name.startswith("."):
            continue
        said = re.match("Training|PublicTest|PrivateTest", name)
        usage = said.group() if said else _FOLDERS.get(usage.lower(), usage)
        inside = path.resolve().is_relative_to(source.resolve())
        big = inside and path.stat().st_size > _LARGEST
        data = path.read_bytes() if inside and not big else None
        yield str(path.relative_to(source)), emotion, usage, _decoded(data) if inside else "a link that leads out"


def _decoded(data: Any) -> Images | str:
    """The picture [shape=(48, 48)] in the bytes of a JPEG or PNG, or why there is none."""
    import cv2

    if not isinstance(data, bytes) or not data or len(data) > _LARGEST:
        return f"no bytes of a picture, or more than {_LARGEST:,} of them"
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        return f"cannot be decoded: {error}"
    if image is None:
        return "cannot be decoded"
    if image.shape != (SIDE, SIDE):
        return f"{image.shape[1]} × {image.shape[0]} pixels, expected {SIDE} × {SIDE}"
    return np.ascontiguousarray(image, dtype=np.uint8)


def _numbers(text: str) -> Images | str:
    """The picture in 2304 numbers of 0 … 255, or why there is none."""
    parts = text.split()
    if len(parts) != SIDE * SIDE:
        return f"{len(parts)} pixels, expected {SIDE * SIDE}"
    try:
        values = np.array(parts, dtype=np.int64)
    except (ValueError, OverflowError):
        return "a pixel that is no whole number"
    if values.min() < 0 or values.max() > 255:
        return "a pixel outside 0 … 255"
    return values.astype(np.uint8).reshape(SIDE, SIDE)
