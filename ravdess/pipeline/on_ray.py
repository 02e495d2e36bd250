"""Blocks of work through Ray Data, each in a task of its own; what a dead worker had is missing from what comes."""

from __future__ import annotations

import logging
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import Reject, WorkersFailed

if TYPE_CHECKING:
    import pyarrow as pa


_PACKED: Final = "packed"


def run(blocks: Iterable[pa.Table], work: Callable[..., Iterator[pa.Table]], **given: Any) -> Iterator[pa.Table]:
    """``work(block, **given)`` for every block, in some order.

    Parameters
    ----------
    blocks : iterable of pyarrow.Table
    work : callable
        Yields tables. Each is handed on at once: Ray keeps account of every one, so they had better be few.

    Yields
    ------
    pyarrow.Table
    """
    import pyarrow as pa
    import ray.data
    from ray.util.annotations import RayDeprecationWarning

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # a dead worker costs its block, not the run; the caller sees what is missing
    context.target_max_block_size = 1  # a table is packed into one row, and a row is never waited for or cut
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it reports each block that will be tried again
    with warnings.catch_warnings():
        # Ray announces that remote arguments will be named ones, but has no such name for `max_retries` yet.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        dataset = ray.data.from_blocks(list(blocks)).map_batches(
            _packed, batch_size=None, batch_format="pyarrow", fn_kwargs={"work": work, **given}, max_retries=0
        )
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
        for packed in batch[_PACKED]:
            yield pa.ipc.open_stream(packed.as_buffer()).read_all()


def _packed(block: pa.Table, *, work: Callable[..., Iterator[pa.Table]], **given: Any) -> Iterator[pa.Table]:
    """In a worker: what `work` yields, each table packed into one row."""
    import pyarrow as pa

    for made in work(block, **given):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, made.schema) as stream:
            stream.write_table(made)
        packed = pa.py_buffer(sink.getvalue())
        offsets = pa.py_buffer(array("i", [0, packed.size]))
        yield pa.table({_PACKED: pa.Array.from_buffers(pa.binary(), 1, [None, offsets, packed])})


def nobody_came(count: int, what: str) -> WorkersFailed:
    """What to raise when none of so many clips or takes came back: that is no fault of theirs."""
    return WorkersFailed(
        f"no worker finished a single one of {count} {what}; is the package installed on every node? "
        "Ray's logs say more: /tmp/ray/session_latest/logs on each machine"
    )


def died(time_limit: float) -> Reject:
    """Why a clip gives nothing whose worker did not come back, though it had no other clip."""
    return Reject("worker", f"its worker died, or it took longer than {time_limit:g} s; tried alone")
