"""What a report is made of, read from a store: finished runs as they stand, and what the clips were.

This room knows no store; it is handed one, and asks it for the few things of `Shelf`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from ravdess.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd


KINDS: Final = {
    "plain": "plain: nothing is known of the judged actors",
    "enrolled": "enrolled: each actor is normalised by their own unlabelled clips",
    "made": "made sample corpus: voices drawn by a program, not people",
    "leaky": "LEAKY: the same actors train and judge, so these numbers are inflated",
}
"""Numbers of one kind may be compared; those of two never stand in one table."""


class Files(Protocol):
    """A run's folder."""

    def path(self, name: str = "") -> str: ...
    def exists(self, name: str) -> bool: ...
    def read(self, name: str) -> bytes: ...
    def read_table(self, name: str) -> Any: ...


class Shelf(Protocol):
    """What a report asks of a store; `storage.Store` has it."""

    @property
    def url(self) -> str: ...
    def runs(self) -> Sequence[str]: ...
    def folder(self, name: str) -> Any: ...
    def tables(self) -> Sequence[str]: ...
    def table(self, name: str) -> Any: ...
    def rejects(self) -> pd.DataFrame: ...
    def features(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame: ...
    def frames(self, name: str) -> Any: ...


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes
    ----------
    name : str
    request, summary : dict
        What was asked, and what the run says of itself.
    results, predictions, actors, choices, trials : pd.DataFrame
        The run's tables as they stand; trials in the order in which candidates were drawn.
    """

    name: str
    request: Mapping[str, Any]
    summary: Mapping[str, Any]
    results: pd.DataFrame
    predictions: pd.DataFrame
    actors: pd.DataFrame
    choices: pd.DataFrame
    trials: pd.DataFrame

    @property
    def families(self) -> list[str]:
        """The families, best UAR first."""
        return [str(name) for name in self.results["family"]]

    @property
    def leaky(self) -> bool:
        return bool(self.summary.get("leaky", False))

    @property
    def augmented(self) -> bool:
        """Whether its models learnt from the same takes made otherwise, too."""
        return bool(self.request.get("augment"))

    @property
    def kind(self) -> str:
        """Among which of `KINDS` its numbers may stand."""
        if self.leaky:
            return "leaky"
        if self.summary.get("made", False):
            return "made"
        return "enrolled" if self.summary.get("enrolled", False) else "plain"

    @property
    def label(self) -> str:
        """What must be said with every number of the run; empty when there is nothing."""
        return str(self.summary.get("label", ""))

    def said(self, family: str) -> pd.DataFrame:
        """The out-of-fold predictions of one family."""
        return self.predictions[self.predictions["family"] == family].reset_index(drop=True)


def read_run(store: Shelf, name: str) -> Run:
    """One finished run. Raises UnknownName, which lists the finished ones, for any other."""
    finished = finished_runs(store)
    if name not in finished:
        raise UnknownName("finished run", name, finished)
    folder = store.folder(f"runs/{name}")
    told = [json.loads(folder.read(f"{part}.json")) for part in ("request", "summary")]
    tables = ("results", "predictions", "actors", "choices", "trials")
    return Run(name, *told, *(folder.read_table(f"{part}.parquet").to_pandas() for part in tables))


def finished_runs(store: Shelf) -> list[str]:
    """The names of the runs that have their results, sorted."""
    return [name for name in store.runs() if store.folder(f"runs/{name}").exists("summary.json")]


def unfinished_runs(store: Shelf) -> list[str]:
    """The names of the runs that were begun and have no results, sorted."""
    return [name for name in store.runs() if not store.folder(f"runs/{name}").exists("summary.json")]
