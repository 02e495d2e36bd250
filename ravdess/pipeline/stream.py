"""The part that runs on Ray Data: chunks of clips in, small Arrow tables of numbers and reasons out.

A clip that cannot be read becomes a reason in its row. One that kills its worker, or hangs, takes the rest of its
chunk along: the chunk is tried again in smaller pieces until that clip stands alone, and then it is rejected.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ravdess.errors import WorkersFailed
from ravdess.extract import Reject, extract

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.features import FeatureSet, Floats

CHUNK: Final = 512
"""Clips that a task takes at most. Large: scheduling a task costs as much as a dozen clips."""
YIELD: Final = 32
"""Clips after which a task hands its rows on."""
RETRY: Final = (16, 1)
"""Chunk sizes for clips whose worker died."""


class Outcome(NamedTuple):
    """What became of one row of the work: per set its numbers, the Reject in their place, or None where not asked."""

    row: int
    digest: str
    values: tuple[Floats | Reject | None, ...]


def stream(clips: pa.Table, sets: Sequence[FeatureSet], *, cpus: int, time_limit: float) -> Iterator[pa.Table]:
    """Extract every clip and yield the outcomes as they come, each clip once. Raises WorkersFailed if none comes.

    Parameters
    ----------
    clips : pyarrow.Table
        Columns clip, source, and `wanted` (bit k set: the k-th of `sets` is asked for).
    sets : sequence of FeatureSet
    cpus : int > 0
        CPUs in reach; the chunks are cut so that each gets several.
    time_limit : float > 0
        Seconds a clip may take.

    Yields
    ------
    pyarrow.Table
        `row` (int64, index into `clips`), `digest`, and per set ``values:<set>`` (fixed-size float32 list, null when
        rejected or not wanted), ``stage:<set>`` and ``reason:<set>`` (null when not rejected).
    """
    import numpy as np
    import pyarrow as pa

    left = np.arange(clips.num_rows)
    any_arrived = False
    work = clips.select(["clip", "source", "wanted"]).append_column("row", pa.array(left))
    rounds = max(4, -(-len(left) // (CHUNK * cpus)))  # equal chunks, so that all CPUs end at about the same time
    first = max(1, -(-len(left) // (rounds * cpus)))
    for size in (first, *(size for size in RETRY if size < first or size == 1)):
        arrived = np.zeros(clips.num_rows, bool)
        for batch in _run(work.take(pa.array(left)), sets, size, time_limit):
            arrived[batch["row"].to_numpy()] = any_arrived = True
            yield batch
        if not any_arrived and len(left) > RETRY[0]:  # that is no clip's fault, and no reason to reject any
            raise WorkersFailed(
                f"no worker finished a single one of {len(left)} clips; is the package installed on every node? "
                "Ray's logs say more: /tmp/ray/session_latest/logs on each machine"
            )
        left = left[~arrived[left]]
        if not len(left):
            return
    died = Reject("worker", f"its worker died, or it took longer than {time_limit:g} s; tried alone")
    yield outcomes_table(sets, [Outcome(int(row), "", (died,) * len(sets)) for row in left])


def _run(work: pa.Table, sets: Sequence[FeatureSet], size: int, time_limit: float) -> Iterator[pa.Table]:
    """One pass of Ray Data over `work` in chunks of `size`; a chunk whose worker died is missing from what comes."""
    import ray.data
    from ray.util.annotations import RayDeprecationWarning

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # a dead worker costs its chunk, not the run; `stream` sees what is missing
    context.target_max_block_size = 2**14  # so that rows are handed on as they are made, not at the task's end
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it reports each chunk that `stream` will try again
    chunks = [work.slice(start, size).combine_chunks() for start in range(0, work.num_rows, size)]
    with warnings.catch_warnings():
        # Ray announces that remote arguments will be named ones, but has no such name for `max_retries` yet.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        dataset = ray.data.from_blocks(chunks).map_batches(
            _work_through,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"sets": sets, "time_limit": time_limit},
            max_retries=0,
        )
    yield from dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)


def _work_through(chunk: pa.Table, *, sets: Sequence[FeatureSet], time_limit: float) -> Iterator[pa.Table]:
    """In a worker: extract a chunk clip by clip. A clip that outlasts the limit ends the process, whatever it does."""
    done: list[Outcome] = []
    log = sys.__stderr__ or sys.stderr
    for item in chunk.to_pylist():
        faulthandler.dump_traceback_later(time_limit, exit=True, file=log)
        try:
            done.append(_wanted(item, sets))
        finally:
            faulthandler.cancel_dump_traceback_later()
        if len(done) == YIELD:
            yield outcomes_table(sets, done)
            done = []
    if done:
        yield outcomes_table(sets, done)


def _wanted(item: dict[str, Any], sets: Sequence[FeatureSet]) -> Outcome:
    """Extract the sets that `wanted` asks for; the other sets' places hold None."""
    asked = [place for place in range(len(sets)) if item["wanted"] >> place & 1]
    got = extract(item["source"], [sets[place] for place in asked], name=item["clip"])
    values = dict(zip(asked, got.values, strict=True))
    return Outcome(item["row"], got.digest, tuple(values.get(place) for place in range(len(sets))))


def outcomes_table(sets: Sequence[FeatureSet], outcomes: Sequence[Outcome]) -> pa.Table:
    """The outcomes as `stream` yields them."""
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
