"""A small store with one of everything. `python -m tests.storage.example FOLDER` writes it.

`data/format1` was written so by the first release. A later format gets a folder of its own; old ones are kept.
"""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa

from storage import Store

FEATURES = pa.schema(
    [
        ("take", pa.string()),
        ("clip", pa.string()),
        ("repetition", pa.int8()),
        ("energy", pa.float32()),
        ("pitch", pa.float32()),
    ]
)
CLIPS = pa.schema([("clip", pa.string()), ("source", pa.string()), ("size", pa.int64())])
REJECTS = pa.schema(
    [(name, pa.string()) for name in ("clip", "source", "stage", "reason", "fingerprint")]
    + [("when", pa.timestamp("us", tz="UTC"))]
)
FRAMES = pa.schema(
    [("take", pa.string()), ("shard", pa.string()), ("first", pa.int64()), ("count", pa.int64()), ("crc32", pa.int64())]
)
PICTURES = [np.arange(count * 4 * 4 * 3, dtype=np.uint8).reshape(count, 4, 4, 3) for count in (1, 2)]


def write(store: Store) -> None:
    """Fill an empty store."""
    with store.table("features/two_numbers").open(FEATURES, key=["take"], fingerprint="0123456789abcdef") as writer:
        for repetition in (2, 1):
            row = {"take": f"t{repetition}", "clip": f"03-t{repetition}", "repetition": repetition}
            writer.append(
                pa.Table.from_pylist([{**row, "energy": 0.1 * repetition, "pitch": 100.0 * repetition}], FEATURES)
            )
    with store.table("clips").open(CLIPS, key=["clip", "source"], fingerprint="clips") as writer:
        writer.append(pa.table({"clip": ["03-t1", "03-t2"], "source": ["a.wav", "b.wav"], "size": [1, 2]}))
    with store.table("rejects").open(REJECTS, key=["source", "fingerprint"], fingerprint="rejects") as writer:
        reject: dict[str, object] = {
            "clip": None,
            "source": "c.wav",
            "stage": "read",
            "reason": "empty",
            "fingerprint": "",
            "when": 0,
        }
        writer.append(pa.Table.from_pylist([reject], REJECTS))
    slices = store.shards("frames/tiny").write("01", PICTURES)
    with store.table("frames/tiny").open(FRAMES, key=["take"], fingerprint="tiny") as writer:
        rows = [{"take": f"t{number}", **slot} for number, slot in enumerate(slices, start=1)]
        writer.append(pa.Table.from_pylist(rows, FRAMES))
    store.folder("runs/first").write("note.json", b"{}")
    store.new_model("svm").write("bundle.json", b'{"family": "svm"}')


if __name__ == "__main__":
    write(Store(sys.argv[1]))
