"""The scoreboard: every result of a store beside the published, speaker-independent ones, metric beside metric.

What knows the judged actor's clips (enrolled) has columns of its own; leaky runs stand in a table apart and say so;
runs on made clips are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ravdess.clips import EMOTIONS
from ravdess.report import figures, numbers
from ravdess.report.board import TITLES, Board, Row
from ravdess.report.figures import Series
from ravdess.report.html import Raw, figure, heat, joined, page, paragraph, table, tag
from ravdess.report.html import figures as side_by_side
from ravdess.report.numbers import Interval
from ravdess.report.of_run import MEASURES, confusion_cells, said

if TYPE_CHECKING:
    import pandas as pd

    from ravdess.report.svg import Picture

HEADER: Final = (
    "system", "protocol", "actors", "UAR", "UAR, enrolled", "accuracy", "accuracy, enrolled", "macro-F1",
    "macro-F1, enrolled", "seed; versions", "run or source", "what differs",
)  # fmt: skip
CAPTION: Final = (
    "RAVDESS, eight emotions, nobody in both training and test. Ours with 95 % intervals over actors; published ones "
    "as their sources say them. Enrolled: the judged actor is normalised by their own unlabelled clips; such numbers "
    "are to be compared with each other only. Headlines first, then by plain UAR, or accuracy where it is absent."
)
CHOSEN: Final = ("judge", "its actors", "run", "features, family", "UAR of the choosers", "chosen from")
CHOSEN_CAPTION: Final = (
    "What the headlines chose: for each judge, the run and family whose choosers, all of them other actors, scored "
    "highest without it."
)
LEAKY_CAPTION: Final = (
    "LEAKY: the same actors train and judge. These numbers are inflated and only show what a leak is worth."
)


def _cells(row: Row) -> list[str]:
    measured = [some.get(name, "") for _, name in MEASURES for some in (row.plain, row.enrolled)]
    return [
        row.system,
        row.protocol,
        row.actors,
        *measured,
        "; ".join(one for one in (row.seed, row.versions) if one),
        row.source,
        row.differs,
    ]


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.modality, []).append(row)
    return grouped


def markdown(found: Board) -> str:
    """The scoreboard as Markdown; no text of a run can break its tables."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def plain(words: str) -> str:
        flat = " ".join(words.split())
        return "".join("\\" + letter if letter in "\\|`*_[]<>#" else letter for letter in flat)

    def written(row: Row) -> str:
        cells = [plain(cell) for cell in _cells(row)]
        if row.url:
            cells[-2] = f"[{cells[-2]}]({row.url})"
        if row.kind == "headline":
            cells[0] = f"**{cells[0]}**"
        return line(cells)

    head = [line(HEADER), line(["---"] * len(HEADER))]
    parts = ["# Scoreboard", "", CAPTION, ""]
    for modality, rows in _grouped(found.rows).items():
        parts += [f"## {TITLES[modality]}", "", *head, *(written(row) for row in rows), ""]
    if found.choices:
        chosen = [line(["headline", *CHOSEN]), line(["---"] * (1 + len(CHOSEN)))]
        chosen += [line([plain(str(cell)) for cell in one]) for one in found.choices]
        parts += ["## Choices", "", CHOSEN_CAPTION, "", *chosen, ""]
    if found.leaky:
        parts += ["## Leaky", "", LEAKY_CAPTION, "", *head, *(written(row) for row in found.leaky), ""]
    if found.versions:
        parts += ["Versions:", "", *(f"- {plain(one)}" for one in found.versions), ""]
    return "\n".join(parts)


def scoreboard_page(found: Board, url: str, *, seed: int = 0) -> str:
    """The scoreboard as HTML, with drawings of the headlines and of the best plain results."""

    def shown(rows: Sequence[Row]) -> list[list[object]]:
        return [
            [
                *(tag("b", cell) if row.kind == "headline" and not at else cell for at, cell in enumerate(cells[:-2])),
                tag("a", row.source, href=row.url) if row.url else row.source,
                cells[-1],
            ]
            for row in rows
            for cells in [_cells(row)]
        ]

    lines: list[list[object]] = []
    classes: list[str] = []
    for modality, rows in _grouped(found.rows).items():
        lines += [[TITLES[modality]], *shown(rows)]
        classes += ["", *(row.kind for row in rows)]
    parts = [table(CAPTION, HEADER, lines, numbers=(2,), classes=classes), *_chosen(found)]
    if found.versions:
        parts.append(tag("ul", *(tag("li", one) for one in found.versions), class_="muted"))
    sections = [("board", "All results", joined(parts)), ("overview", "At a glance", _overview(found))]
    if found.drawn:
        sections.append(("drawn", "Where they err, and on whom", _drawn(found, seed)))
    if found.leaky:
        whole = table(LEAKY_CAPTION, HEADER, shown(found.leaky), numbers=(2,))
        sections.append(("leaky", "Leaky", joined([paragraph(LEAKY_CAPTION, class_="label"), whole])))
    lead = paragraph(
        "Speaker-independent emotion recognition on RAVDESS: every run of the store, and what others published."
    )
    return page("Scoreboard", lead, sections, foot=paragraph(f"Made from {url}."))


def _chosen(found: Board) -> list[Raw]:
    """The choices of the headlines, folded."""
    lines: list[list[object]] = []
    for headline, some in groupby(found.choices, key=lambda one: one.headline):
        lines += [[headline], *(list(one[1:]) for one in some)]
    chosen = table(CHOSEN_CAPTION, CHOSEN, lines, numbers=(4, 5))
    return [tag("details", tag("summary", "what the headlines chose"), chosen)] if lines else []


def glance(found: Board, metric: str = "uar") -> Picture:
    """One metric of every row that has it, plain and enrolled, with intervals; published numbers are hollow."""
    rows = [row for row in found.rows if metric in row.plain or metric in row.enrolled]
    labels = [f"{row.modality}: {row.system}" + _by(row) for row in rows]
    series = [
        Series(name, [_interval(getattr(row, kind).get(metric)) for row in rows])
        for name, kind in (("plain", "plain"), ("enrolled", "enrolled"))
    ]
    words = next(word for word, name in MEASURES if name == metric)
    hollow = [row.kind == "published" for row in rows]
    return figures.intervals(labels, series, axis=words, chance=1 / len(EMOTIONS), above=True, hollow=hollow)


def _by(row: Row) -> str:
    if row.kind == "published":
        return f" ({row.source.partition(',')[0]})"
    return f" ({row.protocol.partition(':')[0]})"


def _interval(text: str | None) -> Interval | None:
    """What was printed, as numbers; a published one may have a ± or nothing."""
    if not text:
        return None
    value, *more = [
        float(part) for part in text.replace("[", " ").replace("]", " ").replace(",", " ").replace("±", " ").split()
    ]
    if len(more) == 2:
        return Interval(value, *more)
    return Interval(value, value - more[0], value + more[0]) if more else Interval(value, value, value)


def _overview(found: Board) -> Raw:
    shown = []
    for word, name in MEASURES[:2]:
        if any(name in row.plain or name in row.enrolled for row in found.rows):
            caption = f"{word}; ours with 95 % over actors, published ones hollow, as their sources say them."
            shown.append(figure(glance(found, name).html(f"{word} of every row"), caption))
    return side_by_side(*shown)


def _drawn(found: Board, seed: int) -> Raw:
    words = list(EMOTIONS)
    recalls = {name: numbers.recalls(rows, seed=seed) for name, rows in found.drawn}
    people = {name: numbers.actors(rows, seed=seed) for name, rows in found.drawn}
    actors = sorted({actor for some in people.values() for actor in some})
    shown = [
        _several(recalls, words, "recall", "Recall of each emotion, 95 % over actors."),
        _several(people, actors, "UAR", "UAR of each actor, 95 % over the actor's own takes."),
    ]
    for at, (name, rows) in enumerate(found.drawn):
        uars = {actor: one.value for actor, one in people[name].items()}
        judged = {str(fold): sorted(set(some["actor"])) for fold, some in rows.groupby("fold")}
        folds = {fold: _uar(some) for fold, some in rows.groupby("fold")}
        spread = figures.spread(
            {str(fold): uar for fold, uar in folds.items()},
            {fold: [uars[actor] for actor in some] for fold, some in judged.items()},
            chance=1 / len(words),
            mark=at,
        )
        shown.append(
            figure(
                spread.html(f"UAR of each fold and its actors, {name}"), f"{name}: each fold (large) and its actors."
            )
        )
        cells, kept = confusion_cells(rows)
        shown.append(
            tag(
                "div",
                heat(f"{name}: of each emotion (row), per cent called each (column).", "is ↓ called →", kept, cells),
            )
        )
    return side_by_side(*shown)


def _uar(rows: pd.DataFrame) -> float:
    from ravdess.scores import uar

    return uar(rows["emotion"], rows["predicted"])


def _several(some: Mapping[str, Mapping[str, Interval]], labels: Sequence[str], axis: str, caption: str) -> Raw:
    series = [Series(name, [found.get(label) for label in labels]) for name, found in some.items()]
    picture = figures.intervals(labels, series, axis=axis)
    rows = [[label, *(said(found[label]) if label in found else "" for found in some.values())] for label in labels]
    return figure(picture.html(caption), caption, table(caption, ["", *some], rows))
