"""The part that runs on Ray Data: chunks of clips in, small Arrow tables of numbers and reasons out.

A clip that cannot be read becomes a reason in its row. One that kills its worker, or hangs, takes the rest of its
chunk along: the chunk is tried again in smaller pieces until that clip stands alone, and then it is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ravdess.pipeline.on_ray import died, nobody_came, run
from ravdess.pipeline.outcomes import Outcome, outcomes, outcomes_table

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from ravdess.features import FeatureSet

CHUNK: Final = 512
"""Clips that a task takes at most. Large: scheduling a task costs as much as a dozen clips."""
ROUND: Final = 2**15
"""Clips that Ray is told of at a time, or `CHUNK` a CPU where that is more: it keeps account of each."""
SECONDS: Final = 2.0
"""What a task has made is handed on after so long, not at its end."""
RETRY: Final = (16, 1)
"""Chunk sizes for clips whose worker died."""


def stream(
    work: pa.Table,
    sets: Sequence[FeatureSet],
    *,
    cpus: int,
    time_limit: float,
    left: NDArray[np.int64] | None = None,
) -> Iterator[pa.Table]:
    """Extract every clip and yield the outcomes as they come, each clip once.

    Parameters
    ----------
    work : pyarrow.Table
        Columns row (which the outcomes repeat; rising), clip, source, and `wanted` (bit k set: the k-th of `sets` is
        asked for).
    sets : sequence of FeatureSet
    cpus : int > 0
        CPUs in reach; the chunks are cut so that each gets several.
    time_limit : float > 0
        Seconds a clip may take.
    left : np.ndarray [shape=(n,), dtype=int64], optional
        Places in `work` of the clips that are to be done, rising; all by default.

    Yields
    ------
    pyarrow.Table
        As `outcomes_table` says.

    Raises
    ------
    WorkersFailed
        Many clips, and not one of them came back.
    """
    import numpy as np

    places = np.arange(work.num_rows) if left is None else left
    size = max(ROUND, CHUNK * cpus)
    any_arrived = False
    for start in range(0, len(places), size):
        for batch in _round(work, sets, places[start : start + size], cpus, time_limit, any_arrived=any_arrived):
            any_arrived = True
            yield batch


def _round(
    work: pa.Table,
    sets: Sequence[FeatureSet],
    left: NDArray[np.int64],
    cpus: int,
    time_limit: float,
    *,
    any_arrived: bool,
) -> Iterator[pa.Table]:
    """The clips at some places: in large chunks, then those whose worker died in small ones, then each alone."""
    import numpy as np
    import pyarrow as pa

    rounds = max(4, -(-len(left) // (CHUNK * cpus)))  # equal chunks, so that all CPUs end at about the same time
    first = max(1, -(-len(left) // (rounds * cpus)))
    for size in (first, *(size for size in RETRY if size < first or size == 1)):
        chunks = (work.take(pa.array(left[start : start + size])) for start in range(0, len(left), size))
        rows = work["row"].take(pa.array(left)).to_numpy()
        arrived = np.zeros(len(left), bool)
        for batch in run(chunks, _work_through, sets=sets, time_limit=time_limit):
            arrived[np.searchsorted(rows, batch["row"].to_numpy())] = True
            any_arrived = True
            yield batch
        if not any_arrived and len(left) > RETRY[0]:  # that is no clip's fault, and no reason to reject any
            raise nobody_came(len(left), "clips")
        left = left[~arrived]
        if not len(left):
            return
    why = (died(time_limit),) * len(sets)
    yield outcomes_table(sets, [Outcome(row, "", why) for row in work["row"].take(pa.array(left)).to_pylist()])


def _work_through(chunk: pa.Table, *, sets: Sequence[FeatureSet], time_limit: float) -> Iterator[pa.Table]:
    """In a worker: extract a chunk clip by clip."""
    for done in outcomes(chunk.to_pylist(), sets, time_limit, seconds=SECONDS):
        yield outcomes_table(sets, done)
