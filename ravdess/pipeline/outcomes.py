"""What became of some clips: worked out in any process, one clip after another, and told as a small Arrow table."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ravdess.errors import Reject
from ravdess.extract import extract

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.features import FeatureSet, Floats

SECONDS: Final = 1.0
"""After so long outcomes are handed on."""


class Outcome(NamedTuple):
    """What became of one row of the work: per set its numbers, the Reject in their place, or None where not asked."""

    row: int
    digest: str
    values: tuple[Floats | Reject | None, ...]


def outcomes(
    items: Iterable[dict[str, Any]], sets: Sequence[FeatureSet], time_limit: float, *, seconds: float = SECONDS
) -> Iterator[list[Outcome]]:
    """Extract clip by clip. A clip that outlasts the limit ends this process, whatever it does.

    Parameters
    ----------
    items : iterable of dict
        row, clip, source, and `wanted` (bit k set: the k-th of `sets` is asked for).
    sets : sequence of FeatureSet
    time_limit : float > 0
        Seconds a clip may take.
    seconds : float > 0
        What is done is handed on after so long.
    """
    done: list[Outcome] = []
    handed = time.monotonic()
    for item in items:
        with limited(time_limit):
            done.append(_wanted(item, sets))
        if time.monotonic() - handed > seconds:
            yield done
            done = []
            handed = time.monotonic()
    if done:
        yield done


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """What takes longer ends this process, whatever it does."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def asked_for(wanted: int, sets: Sequence[Any]) -> list[int]:
    """The places of the sets that `wanted` names: bit k set, the k-th."""
    return [place for place in range(len(sets)) if wanted >> place & 1]


def _wanted(item: dict[str, Any], sets: Sequence[FeatureSet]) -> Outcome:
    """Extract the sets that `wanted` asks for; the other sets' places hold None."""
    asked = asked_for(item["wanted"], sets)
    got = extract(item["source"], [sets[place] for place in asked], name=item["clip"])
    values = dict(zip(asked, got.values, strict=True))
    return Outcome(item["row"], got.digest, tuple(values.get(place) for place in range(len(sets))))


def outcomes_table(sets: Sequence[FeatureSet], outcomes: Sequence[Outcome]) -> pa.Table:
    """The outcomes as a table.

    Returns
    -------
    pyarrow.Table
        `row` (int64), `digest`, and per set ``values:<set>`` (fixed-size float32 list, null when rejected or not
        wanted), ``stage:<set>`` and ``reason:<set>`` (null when not rejected).
    """
    import numpy as np
    import pyarrow as pa

    columns: dict[str, pa.Array] = {
        "row": pa.array([one.row for one in outcomes], pa.int64()),
        "digest": pa.array([one.digest for one in outcomes], pa.string()),
    }
    for place, feature_set in enumerate(sets):
        values = [one.values[place] for one in outcomes]
        numbers = np.zeros((len(values), len(feature_set.columns)), np.float32)
        for row, value in enumerate(values):
            if isinstance(value, np.ndarray):
                numbers[row] = value
        columns[f"values:{feature_set.name}"] = pa.FixedSizeListArray.from_arrays(
            pa.array(numbers.ravel()),
            numbers.shape[1],
            mask=pa.array([not isinstance(value, np.ndarray) for value in values]),
        )
        for field in Reject._fields:
            columns[f"{field}:{feature_set.name}"] = pa.array(
                [getattr(value, field) if isinstance(value, Reject) else None for value in values], pa.string()
            )
    return pa.table(columns)
