"""Reports: one HTML file of a run, or of everything in a store, that needs no other file and asks no other host.

``read`` takes a store's tables, ``numbers`` what no table holds, ``figures`` and ``svg`` draw, ``html`` writes;
``of_run``, ``corpus``, ``scoreboard`` and ``live`` are what is shown. The same store gives the same bytes. What the
tables of a run say is said as it stands; what is drawn beside it is made from the run's predictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ravdess.report.corpus import overview
from ravdess.report.html import Raw, joined, paragraph, table
from ravdess.report.of_run import MEASURES, interval, run_section
from ravdess.report.read import KINDS, finished_runs, read_run, unfinished_runs

if TYPE_CHECKING:
    from ravdess.report.read import Run, Shelf

__all__ = ["finished_runs", "read_run", "run_page", "store_page"]

TERMS = (
    "RAVDESS is under CC BY-NC-SA 4.0 (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391); so are clips shown "
    "here and models trained on it. "
)


def run_page(store: Shelf, name: str, *, examples: bool = True) -> str:
    """The report of one run as HTML. Raises UnknownName where there is no such finished run."""
    from ravdess.report.html import page

    run = read_run(store, name)
    sections = [
        ("run", "Results", run_section(run, store.url)),
        ("corpus", "Clips", overview(store, examples=examples)),
    ]
    return page(f"Run {name}", paragraph(_in_one_line(run)), sections, foot=_foot(store))


def store_page(store: Shelf, *, examples: bool = True) -> str:
    """The report of a whole store as HTML: every finished run, and the clips."""
    from ravdess.report.html import page

    runs = [read_run(store, name) for name in finished_runs(store)]
    waiting = unfinished_runs(store)
    lead = [paragraph(f"{len(runs)} finished run{'s' * (len(runs) != 1)} in {store.url}")]
    if waiting:
        lead.append(paragraph(f"Unfinished, and not shown: {', '.join(waiting)}", class_="muted"))
    sections = [
        ("results", "All results", _all(runs)),
        ("corpus", "Clips", overview(store, examples=examples)),
        *((f"run-{at}", run.name, run_section(run, store.url, folded=True)) for at, run in enumerate(runs, 1)),
    ]
    return page("Speaker-independent emotion recognition: all runs", joined(lead), sections, foot=_foot(store))


def _all(runs: list[Run]) -> Raw:
    """Every result of the store, apart by what may be compared."""
    header = ["run", "features", "family", "protocol", *(f"{word} [95 %]" for word, _ in MEASURES)]
    parts = []
    for kind, caption in KINDS.items():
        rows = [
            (row["uar"], [run.name, *(row[name] for name in ("features", "family", "protocol")), *_measured(row)])
            for run in runs
            if run.kind == kind
            for _, row in run.results.iterrows()
        ]
        rows.sort(key=lambda one: -one[0])
        if rows:
            parts.append(table(f"{caption}; best UAR first", header, [cells for _, cells in rows]))
    return (
        joined(parts)
        if parts
        else paragraph("No run is finished yet. Begin one with: python jobs/tune.py --family svm")
    )


def _in_one_line(run: Run) -> str:
    first = run.results.iloc[0]
    return (
        f"{first['protocol']} on {first['features']}: {first['n_takes']:,} takes of {len(first['actors'])} actors; "
        f"best {first['family']}, UAR {interval(first, 'uar')}."
    )


def _foot(store: Shelf) -> Raw:
    from importlib.metadata import version

    return paragraph(TERMS, f"Made by ravdess {version('ravdess')} from {store.url}.")


def _measured(row: Any) -> list[str]:
    return [interval(row, name) for _, name in MEASURES]
