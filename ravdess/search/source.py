"""What runs trials takes them from: a source that deals them one after another and is told how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from ravdess.search.ledger import Record
    from ravdess.search.plan import Trial

SCORE: Final = "score"
"""The metric that samplers and stoppers go by: the running mean UAR over choosers."""


class Source(Protocol):
    """Where trials come from, one after another, and where their records go."""

    @property
    def over(self) -> bool:
        """Whether there are no more trials, and none is running."""
        ...

    def advance(self) -> None:
        """Find out whether there is anything to do, from what is known; `over` is right after that."""
        ...

    def next(self) -> Trial | None:
        """The next trial; None at the end, and while the answer waits for trials that are running."""
        ...

    def tell(self, record: Record) -> None:
        """A trial's record, once it has ended."""
        ...

    def stopper(self, family: str, question: str) -> Any:
        """The ASHA scheduler for such trials, or None."""
        ...
