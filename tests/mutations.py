"""Files as strangers send them: whole ones with bits flipped, cut, shuffled, stretched, or under another's head."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path


def real_files(data: Path) -> list[bytes]:
    """A few real ones of each kind: FLAC, WAV and MP4."""
    folder = data / "ravdess"
    paths = [*sorted(folder.glob("speech/*/*.flac"))[:3], *sorted(folder.glob("originals/*.wav"))[:2]]
    return [path.read_bytes() for path in (*paths, *sorted(folder.glob("video/*/*.mp4"))[:2])]


def mutated(files: Sequence[bytes], count: int, *, seed: int = 0) -> Iterator[bytes]:
    """`count` damaged copies of `files`, the same for the same seed."""
    rng = random.Random(seed)
    for number in range(count):
        data = bytearray(files[number % len(files)])
        for _ in range(rng.choice((1, 1, 2, 3))):
            if data:
                rng.choice(_WAYS)(data, rng, files)
        yield bytes(data)


def _flip_bits(data: bytearray, rng: random.Random, _: object) -> None:
    for _ in range(rng.choice((1, 8, 200))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_in_head(data: bytearray, rng: random.Random, _: object) -> None:
    for _ in range(rng.choice((1, 3, 10))):
        data[rng.randrange(min(len(data), 400))] = rng.randrange(256)


def _cut(data: bytearray, rng: random.Random, _: object) -> None:
    del data[rng.choice((rng.randrange(len(data)), rng.randrange(min(len(data), 200)))) :]


def _drop_head(data: bytearray, rng: random.Random, _: object) -> None:
    del data[: rng.randrange(1, min(len(data), 5000) + 1)]


def _absurd_number(data: bytearray, rng: random.Random, _: object) -> None:
    at = rng.randrange(max(1, min(len(data), 300) - 8))
    number = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0))
    data[at : at + 4] = struct.pack(rng.choice(("<I", ">I")), number)


def _foreign_head(data: bytearray, rng: random.Random, files: Sequence[bytes]) -> None:
    head = rng.choice(
        (*(one[:64] for one in files), b"PK\x03\x04", b"#EXTM3U\nfile:///etc/passwd\n", b"OggS\0", b"fLaC\0\0")
    )
    data[: len(head)] = head


def _repeat(data: bytearray, rng: random.Random, _: object) -> None:
    start = rng.randrange(len(data))
    data[start:start] = data[start : start + rng.randrange(1, 4096)] * rng.choice((1, 2, 50))


def _blank(data: bytearray, rng: random.Random, _: object) -> None:
    start = rng.randrange(len(data))
    size = min(rng.choice((16, 1000, 50_000)), len(data) - start)
    data[start : start + size] = bytes([rng.choice((0, 0xFF))]) * size


_WAYS = (_flip_bits, _flip_in_head, _cut, _drop_head, _absurd_number, _foreign_head, _repeat, _blank)
