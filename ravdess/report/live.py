"""A search while it runs, as a page that reads itself again every few seconds: opened from disk, no server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from ravdess.report import figures
from ravdess.report.figures import share3
from ravdess.report.html import Raw, facts, figure, joined, page, paragraph, table, tag
from ravdess.report.of_run import candidate
from ravdess.terminal import duration

EVERY: Final = 2.0
"""Seconds, at least, from one writing of the page to the next."""
REFRESH: Final = 5
"""Seconds after which the page reads itself again."""
PHASES: Final = {
    "random": "candidates drawn at random",
    "grid": "the grid around the best",
    "hunt": "each judge's own adaptive search",
    "models": "fitting the chosen models, one a judge",
}
INNER: Final = (
    "Inner scores: means over the choosing folds, ± their standard error. They choose, so the best is optimistic and "
    "none is a result. The judges are looked at once, at the end."
)


class Best(Protocol):
    """`ravdess.search.Best`, as far as it is shown."""

    @property
    def uar(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def choosers(self) -> int: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def tried(self) -> int: ...


class Step(Protocol):
    """`ravdess.search.Step`, as far as it is shown."""

    @property
    def phase(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def fits(self) -> int: ...
    @property
    def best(self) -> Mapping[str, Any]: ...
    @property
    def run(self) -> str: ...
    @property
    def folds(self) -> int: ...
    @property
    def families(self) -> Mapping[str, tuple[int, int]]: ...
    @property
    def seconds_left(self) -> float | None: ...


class Point(NamedTuple):
    """The best of a family after so many fits."""

    fits: int
    uar: float
    error: float


class Live:
    """Writes the page as steps come in, at most every `EVERY` seconds, and once more at the end.

    Parameters
    ----------
    write : callable
        ``write(run, page)`` keeps the page of a run, whole or not at all.
    clock : callable
        Seconds from anywhere.
    """

    def __init__(self, write: Callable[[str, str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._began, self._written = clock(), float("-inf")
        self._history: dict[str, list[Point]] = {}
        self._last: Step | None = None

    def __call__(self, step: Step) -> None:
        for family, best in step.best.items():
            mine = self._history.setdefault(family, [])
            if not mine or best.uar > mine[-1].uar:
                mine.append(Point(step.fits, best.uar, best.error))
        self._last = step
        if self._clock() - self._written >= EVERY:
            self._keep(self.page(step))

    def end(self, words: str) -> None:
        """The search is over, well or badly; `words` say how, and the page reads itself no more."""
        if self._last is not None:
            self._keep(self.page(self._last, over=words))

    def _keep(self, text: str) -> None:
        self._written = self._clock()
        assert self._last is not None
        self._write(self._last.run, text)

    def page(self, step: Step, *, over: str = "") -> str:
        """The page of a search that has come as far as `step`."""
        left = "" if step.seconds_left is None or over else f", about {duration(step.seconds_left)} left of this phase"
        unit = "models" if step.phase == "models" else "trials"
        far = f"{PHASES.get(step.phase, step.phase)}: {step.done:,} of {step.total:,} {unit}{left}"
        bar = tag("progress", f"{step.done} of {step.total}", max=max(1, step.total), value=step.done, aria_label=far)
        told = facts(
            [
                ("now", over or far),
                ("since", duration(self._clock() - self._began)),
                ("fits", f"{step.fits:,}"),
                ("judging folds", step.folds),
            ]
        )
        parts = [told, bar, paragraph(INNER, class_="muted"), families_table(step)]
        if any(self._history.values()):
            names = sorted(self._history)
            picture = figures.climbs({name: self._history[name] for name in names}, step.fits)
            parts.append(
                figure(picture.html("best inner UAR so far of each family"), "Best inner UAR so far, ± standard error.")
            )
        title = f"Search {step.run}"
        return page(title, Raw(""), [("search", "How far it is", joined(parts))], refresh=0 if over else REFRESH)


def families_table(step: Step) -> Raw:
    """Each family: its trials in this phase, and its best candidate so far."""
    rows = []
    for family in sorted({*step.families, *step.best}):
        done, total = step.families.get(family, (0, 0))
        trials = f"{done} of {total}" if total else ""
        best = step.best.get(family)
        rows.append(
            [family, trials, *((best_words(best), best.tried, candidate(best.params)) if best else ("", 0, ""))]
        )
    header = ["family", "trials of this phase", "best inner UAR", "candidates", "the best candidate"]
    return table("Each family so far.", header, rows, numbers=(3,))


def best_words(best: Best) -> str:
    """A family's best so far in words: ".462 ± .013"."""
    return f"{share3(best.uar)} ± {share3(best.error)}"
