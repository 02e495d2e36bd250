"""The store: every table, frame set, run and model under one address (SPEC 1)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from storage.errors import BadName, NotFound
from storage.files import files_at
from storage.folder import Folder
from storage.frames import Frames, Shards
from storage.log import PLAIN_TABLES, existing
from storage.names import checked, checked_part
from storage.table import Table

if TYPE_CHECKING:
    import pandas as pd

BUNDLE: Final = "bundle.json"
"""The last file that a model gets: where it is, the model is complete (SPEC 5.2)."""

REJECTS: Final = ("clip", "source", "stage", "reason", "fingerprint", "when")
"""The columns of a `rejects` table (SPEC 1)."""


class Store:
    """Tables, frames, runs and models under a local folder or ``s3://bucket/prefix``.

    Making one reads and writes nothing. It may be pickled and sent to other machines; a local path then means
    the same path there.

    Parameters
    ----------
    url : str or path, default "store"
        For S3, endpoint and credentials come from the usual AWS_* environment variables (`storage.s3`).

    Raises
    ------
    BadUrl
        Neither a local path nor an S3 URL.

    Examples
    --------
    >>> store = Store("store")
    >>> store.feature_sets()  # doctest: +SKIP
    ['mfcc_stats']
    >>> store.features("mfcc_stats", columns=["take", "emotion"])  # doctest: +SKIP
    """

    def __init__(self, url: str | os.PathLike[str] = "store") -> None:
        self._files = files_at(url)

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    @property
    def url(self) -> str:
        """The full path or URL."""
        return self._files.url

    # Tables ---------------------------------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        """The table "clips", "rejects", "imports", "features/<set>" or "frames/<set>", which may not exist yet."""
        parts = checked(name, "table").split("/")
        if not (name in PLAIN_TABLES or (len(parts) == 2 and parts[0] in ("features", "frames"))):
            raise BadName(f"bad table name {name!r}: expected clips, rejects, imports, features/<set> or frames/<set>")
        return Table(self._files, name)

    def tables(self) -> list[str]:
        """The names of the tables there are, sorted."""
        return sorted(existing(self._files))

    def feature_sets(self) -> list[str]:
        """The feature sets there are, sorted."""
        return [name.removeprefix("features/") for name in self.tables() if name.startswith("features/")]

    def features(self, name: str, columns: Sequence[str] | None = None, version: int | None = None) -> pd.DataFrame:
        """One row a take, in the order of the table's key: clip columns, then float32 features.

        Parameters
        ----------
        name : str
            A feature set, as in "mfcc_stats".
        columns : sequence of str, optional
            Only these, in this order.
        version : int >= 0, optional
            The table as it was after that commit.

        Raises
        ------
        NotFound
            No such set, column or version; the message lists what there is.
        """
        return self._frame(self.table(f"features/{checked_part(name, 'feature set')}"), columns, version)

    def clips(self) -> pd.DataFrame:
        """One row a file, in the order of the table's key. Raises NotFound."""
        return self._frame(self.table("clips"))

    def rejects(self) -> pd.DataFrame:
        """One row a failed file; no rows where nothing failed. Raises NotFound where there is no store."""
        table = self.table("rejects")
        if not table.exists() and self.tables():
            import pandas as pd

            return pd.DataFrame({name: pd.Series(dtype="str") for name in REJECTS})
        return self._frame(table)

    def imports(self) -> pd.DataFrame:
        """One row a file that was imported as features (SPEC 4.5). Raises NotFound where none was."""
        return self._frame(self.table("imports"))

    def _frame(self, table: Table, columns: Sequence[str] | None = None, version: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = table.read_sorted(columns, version).to_pandas(split_blocks=True, self_destruct=True)
        return frame.copy()  # pandas may not write to Arrow's memory

    # Frames ---------------------------------------------------------------------------------------------------------

    def shards(self, name: str) -> Shards:
        """Where the arrays of the table "frames/<set>" are written."""
        if not name.startswith("frames/"):
            raise BadName(f"bad frame set {name!r}: expected frames/<set>")
        return Shards(self._files, self.table(name).name)

    def frames(self, name: str, corpus: str | None = None) -> Frames:
        """The pictures of a frame set by take: ``store.frames("face_96")[take] -> uint8 (n, h, w, c)``.

        Parameters
        ----------
        name : str
            A frame set, as in "face_96".
        corpus : str, optional
            Where the index holds several, whose takes may share names: this one.

        Raises
        ------
        NotFound
            No such set.
        Mismatch
            A take's name stands for several.
        """
        return Frames(self._files, self.table(f"frames/{checked_part(name, 'frame set')}"), corpus)

    def frame_sets(self) -> list[str]:
        """The frame sets there are, sorted."""
        return [name.removeprefix("frames/") for name in self.tables() if name.startswith("frames/")]

    # Runs and models ------------------------------------------------------------------------------------------------

    def folder(self, name: str) -> Folder:
        """A folder of files, "runs/<run>" or deeper, which may not exist yet."""
        if checked(name, "folder").split("/")[0] not in ("runs", "models") or "/" not in name:
            raise BadName(f"bad folder name {name!r}: expected runs/<run> or models/<name>/<n>")
        return Folder(self._files, name)

    def runs(self) -> list[str]:
        """The runs there are, sorted."""
        return [name for name in self._files.folders("runs") if name[0] not in "._"]

    def models(self) -> list[str]:
        """The names of the models of which a complete one is there, sorted."""
        return [name for name in self._files.folders("models") if name[0] not in "._" and self._complete(name)]

    def model_numbers(self, name: str) -> list[int]:
        """The numbers of the complete models of that name, ascending; none for an unknown name."""
        return self._complete(checked_part(name, "model"))

    def new_model(self, name: str) -> Folder:
        """An empty folder models/<name>/<n> that no other process gets; n counts up from 1 (SPEC 5.2)."""
        import pyarrow as pa

        checked_part(name, "model")
        schema = pa.schema([("name", pa.string()), ("n", pa.int64())])
        numbers = Table(self._files, "models/_numbers")
        with numbers.open(schema, key=["name", "n"], fingerprint="") as writer:
            given = [row["n"] for row in numbers.read().to_pylist() if row["name"] == name]
            n = max([0, *given, *self._numbers(name)]) + 1
            while not writer.append(pa.table({"name": [name], "n": [n]}, schema)):
                n += 1
        return Folder(self._files, f"models/{name}/{n}")

    def model(self, name: str, n: int | None = None) -> Folder:
        """The folder of a complete model, the newest or number `n`. Raises NotFound, which lists what there is."""
        complete = self._complete(checked_part(name, "model"))
        if not complete:
            raise NotFound(f"no complete model {name!r} in store {self.url!r}; models there: {self.models()}")
        if n is not None and n not in complete:
            raise NotFound(f"no complete model {name!r} number {n} in store {self.url!r}; numbers there: {complete}")
        return Folder(self._files, f"models/{name}/{complete[-1] if n is None else n}")

    def _numbers(self, name: str) -> list[int]:
        return sorted(int(number) for number in self._files.folders(f"models/{name}") if number.isdecimal())

    def _complete(self, name: str) -> list[int]:
        return [n for n in self._numbers(name) if self._files.exists(f"models/{name}/{n}/{BUNDLE}")]
