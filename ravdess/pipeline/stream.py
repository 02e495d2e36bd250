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
    import pyarrow as pa

    from ravdess.features import FeatureSet

CHUNK: Final = 512
"""Clips that a task takes at most. Large: scheduling a task costs as much as a dozen clips."""
SMALL: Final = 2**14
"""Bytes of outcomes that a task hands on: rows as they are made, not at the task's end."""
RETRY: Final = (16, 1)
"""Chunk sizes for clips whose worker died."""


def stream(work: pa.Table, sets: Sequence[FeatureSet], *, cpus: int, time_limit: float) -> Iterator[pa.Table]:
    """Extract every clip and yield the outcomes as they come, each clip once.

    Parameters
    ----------
    work : pyarrow.Table
        Columns row (which the outcomes repeat), clip, source, and `wanted` (bit k set: the k-th of `sets` is asked
        for).
    sets : sequence of FeatureSet
    cpus : int > 0
        CPUs in reach; the chunks are cut so that each gets several.
    time_limit : float > 0
        Seconds a clip may take.

    Yields
    ------
    pyarrow.Table
        As `outcomes_table` says.

    Raises
    ------
    WorkersFailed
        Many clips, and not one of them came back.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    left = work
    any_arrived = False
    rounds = max(4, -(-len(left) // (CHUNK * cpus)))  # equal chunks, so that all CPUs end at about the same time
    first = max(1, -(-len(left) // (rounds * cpus)))
    for size in (first, *(size for size in RETRY if size < first or size == 1)):
        arrived = []
        chunks = [left.slice(start, size).combine_chunks() for start in range(0, left.num_rows, size)]
        for batch in run(chunks, _work_through, block_bytes=SMALL, sets=sets, time_limit=time_limit):
            arrived += batch["row"].to_pylist()
            any_arrived = True
            yield batch
        if not any_arrived and len(left) > RETRY[0]:  # that is no clip's fault, and no reason to reject any
            raise nobody_came(len(left), "clips")
        left = left.filter(pc.invert(pc.is_in(left["row"], value_set=pa.array(arrived, pa.int64()))))
        if not len(left):
            return
    why = (died(time_limit),) * len(sets)
    yield outcomes_table(sets, [Outcome(row, "", why) for row in left["row"].to_pylist()])


def _work_through(chunk: pa.Table, *, sets: Sequence[FeatureSet], time_limit: float) -> Iterator[pa.Table]:
    """In a worker: extract a chunk clip by clip."""
    for done in outcomes(chunk.to_pylist(), sets, time_limit):
        yield outcomes_table(sets, done)
