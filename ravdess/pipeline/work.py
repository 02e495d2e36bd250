"""Who extracts the clips: plain processes from the first moment, and Ray where it is worth its start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ravdess.cluster import cluster_there, start_ray
from ravdess.pipeline.hands import Hands
from ravdess.pipeline.outcomes import Outcome, outcomes_table
from ravdess.pipeline.stream import stream

if TYPE_CHECKING:
    import pyarrow as pa

    from ravdess.features import FeatureSet

RAY_SECONDS: Final = 60.0
"""Work that is worth a Ray on one machine, in seconds: its start then costs less than a tenth more on two CPUs."""
_LOOK: Final = 0.5


class Extraction:
    """The outcomes of all clips, each once, as they come.

    On one machine plain processes begin at once. When what is left would take them longer than `RAY_SECONDS`, Ray
    starts; they go on until it is there. Where a cluster is there already, or a process cannot load the sets, all
    of it is Ray's; so is what a process that died or hung had in hand.

    Attributes
    ----------
    on_ray : bool
        Whether Ray was needed.
    """

    def __init__(self, clips: pa.Table, sets: Sequence[FeatureSet], *, cpus: int | None, time_limit: float) -> None:
        import numpy as np
        import pyarrow as pa

        rows = pa.array(np.arange(clips.num_rows))
        self._work = clips.select(["clip", "source", "wanted"]).append_column("row", rows)
        self._sets, self._cpus, self._time_limit = sets, cpus, time_limit
        self.on_ray = False

    def __iter__(self) -> Iterator[pa.Table]:
        import numpy as np

        arrived = np.zeros(self._work.num_rows, bool)
        if cluster_there():
            self.on_ray, size = True, start_ray(self._cpus)
        else:
            count = self._cpus or len(os.sched_getaffinity(0))
            with Hands(self._work, self._sets, count=count, time_limit=self._time_limit) as hands:
                for batch in self._ahead(hands):
                    arrived[batch["row"].to_numpy()] = True
                    yield batch
                if arrived.all():
                    return
                self.on_ray, size = True, start_ray(self._cpus)
                for batch in self._tables(hands.rest()):
                    arrived[batch["row"].to_numpy()] = True
                    yield batch
        left = np.flatnonzero(~arrived)
        if len(left):
            yield from stream(self._work, self._sets, cpus=size, time_limit=self._time_limit, left=left)

    def _ahead(self, hands: Hands) -> Iterator[pa.Table]:
        """What comes until the processes are through, or what is left is worth a Ray."""
        while not hands.idle:
            for batch in self._tables(hands.results(wait=_LOOK)):
                yield batch
                if hands.seconds_left > RAY_SECONDS:
                    return
            if hands.seconds_left > RAY_SECONDS:
                return

    def _tables(self, some: Iterator[list[Outcome]]) -> Iterator[pa.Table]:
        for outcomes in some:
            yield outcomes_table(self._sets, outcomes)
