"""A FER2013 of a few drawn pictures, in each of the three forms that it comes in."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Row = tuple[str, int, str, NDArray[np.uint8]]
"""Name, emotion's number, usage, picture."""
WORDS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def rows(training: int = 70, tests: int = 14, private: int = 0, seed: int = 0) -> list[Row]:
    """Pictures whose emotion is where they are bright, one corner or edge each, in noise."""
    rng = np.random.default_rng(seed)
    made = []
    for usage, n in (("Training", training), ("PublicTest", tests), ("PrivateTest", private)):
        for at in range(n):
            emotion = at % 7
            picture = rng.integers(0, 120, (48, 48))
            top, left = divmod(emotion, 3)
            picture[top * 16 : top * 16 + 16, left * 16 : left * 16 + 16] += 120
            made.append((f"{usage}_{at}.png", emotion, usage, picture.astype(np.uint8)))
    return made


def png(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def parquet(path: Path, some: list[Row], **broken: bytes) -> Path:
    """`broken` replaces the bytes of a picture, by the name before its dot."""
    table = pa.table(
        {
            "image": [broken.get(name.partition(".")[0], png(picture)) for name, _, _, picture in some],
            "emotion": [WORDS[emotion] for _, emotion, _, _ in some],
            "usage": [usage for _, _, usage, _ in some],
            "source_name": [name for name, _, _, _ in some],
        }
    )
    pq.write_table(table, path)
    return path


def csv(path: Path, some: list[Row], *more: str) -> Path:
    lines = [f"{emotion},{' '.join(map(str, picture.ravel()))},{usage}" for _, emotion, usage, picture in some]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines, *more]) + "\n")
    return path


def folders(path: Path, some: list[Row]) -> Path:
    for name, emotion, usage, picture in some:
        folder = path / ("train" if usage == "Training" else "test") / WORDS[emotion]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(picture))
    return path
