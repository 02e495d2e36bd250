"""The scoreboard's rows, gathered: ours, the published ones, and the headlines.

The best of several rows is itself a choice that saw the judges. So for sound, face and both there is a **headline**
row, whose family and features were chosen for each judge by other actors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ravdess.clips import ACTORS
from ravdess.modality import MODALITIES, modality_of
from ravdess.report.figures import share3
from ravdess.report.numbers import Interval
from ravdess.report.of_run import MEASURES, said
from ravdess.report.published import PUBLISHED

if TYPE_CHECKING:
    import pandas as pd

    from ravdess.report.published import Published
    from ravdess.report.read import Run

TITLES: Final = {"sound": "Sound", "face": "Face", "both": "Sound and face", "other": "Other features"}
DRAWN: Final = 6
"""Rows of ours whose emotions, actors and folds are drawn."""


class Headline(Protocol):
    """A result whose family and features were chosen, too, for each judge by other actors."""

    @property
    def modality(self) -> str: ...
    @property
    def enrolled(self) -> bool: ...
    @property
    def scores(self) -> Mapping[str, Any]: ...
    @property
    def predictions(self) -> pd.DataFrame: ...
    @property
    def choices(self) -> pd.DataFrame: ...


class Row(NamedTuple):
    """One line of the board.

    Attributes
    ----------
    modality : str
    system, protocol, actors : str
    plain, enrolled : dict of str to str
        Metric -> the number with its interval, as it is printed.
    order : float
        By which rows stand: plain UAR, else plain accuracy; what is enrolled only stands below.
    seed, versions, source, differs : str
    kind : "headline", "ours" or "published"
    url : str
    """

    modality: str
    system: str
    protocol: str
    actors: str
    plain: Mapping[str, str]
    enrolled: Mapping[str, str]
    order: float
    seed: str
    versions: str
    source: str
    differs: str
    kind: str
    url: str = ""


class Choice(NamedTuple):
    """What a headline took for one judge.

    Attributes
    ----------
    headline : str
        Modality, protocol, and plain or enrolled.
    judge, actors : str
        The fold that judges, and whom it holds.
    run, system : str
        The run that was chosen, its features and family.
    choosers : str
        UAR by which it was chosen: of actors who are not the judge's.
    among : int
        How many there were to choose from.
    """

    headline: str
    judge: str
    actors: str
    run: str
    system: str
    choosers: str
    among: int


class Board(NamedTuple):
    """The scoreboard.

    Attributes
    ----------
    rows : list of Row
        Headlines first, then ours and the published ones together, the best first; by modality.
    leaky : list of Row
    versions : list of str
        What the letters in the rows stand for.
    drawn : list of (name, predictions)
        Of the headlines, and of the best plain results of ours.
    choices : list of Choice
        A headline's one below another, in the order of its judges.
    """

    rows: list[Row]
    leaky: list[Row]
    versions: list[str]
    drawn: list[tuple[str, pd.DataFrame]]
    choices: list[Choice]


def board(runs: Sequence[Run], headlines: Sequence[tuple[str, Headline]] = ()) -> Board:
    """Gather the scoreboard.

    Parameters
    ----------
    runs : sequence of Run
    headlines : sequence of (protocol, Headline)
    """
    letters: dict[str, str] = {}
    ours = _ours([run for run in runs if run.kind in ("plain", "enrolled")], letters)
    leaky = _ours([run for run in runs if run.kind == "leaky"], letters)
    first = _headline_rows(headlines)
    theirs = [_theirs(one) for one in PUBLISHED]
    rows = []
    for modality in MODALITIES:
        rows += [row for row in first if row.modality == modality]
        rows += sorted((row for row in [*ours, *theirs] if row.modality == modality), key=lambda row: -row.order)
    best = sorted(
        (
            (-float(row["uar"]), run.name, str(row["family"]), run)
            for run in runs
            if run.kind == "plain"
            for _, row in run.results.iterrows()
        ),
        key=lambda one: one[:3],
    )
    drawn = {
        f"{TITLES[one.modality]}, headline, {told}": one.predictions for told, one in headlines if not one.enrolled
    }
    for _, _, family, run in best:
        drawn.setdefault(f"{run.summary['features']}, {family}, {run.summary['protocol']}", run.said(family))
    versions = [f"{letter}: {told}" for told, letter in letters.items()]
    return Board(rows, leaky, versions, list(drawn.items())[:DRAWN], _choices(headlines))


def _choices(headlines: Sequence[tuple[str, Headline]]) -> list[Choice]:
    """Which run and family each judge's choosers took."""
    return [
        Choice(
            f"{TITLES[one.modality]}, {protocol}, {'enrolled' if one.enrolled else 'plain'}",
            str(row["judge"]),
            ", ".join(sorted(set(one.predictions.loc[one.predictions["fold"] == row["judge"], "actor"]))),
            str(row["run"]),
            f"{row['features']}, {row['family']}",
            share3(row["choosers_uar"]),
            int(row["chosen_from"]),
        )
        for protocol, one in headlines
        for _, row in one.choices.iterrows()
    ]


def _ours(runs: Sequence[Run], letters: dict[str, str]) -> list[Row]:
    """One row a family, features, protocol, people and seed; its plain and its enrolled result side by side."""
    pairs: dict[tuple[Any, ...], tuple[list[tuple[Run, Any]], list[tuple[Run, Any]]]] = {}
    for run in runs:
        for _, row in run.results.iterrows():
            people = tuple(row["actors"])
            what = (row["features"], run.augmented, row["family"], row["protocol"])
            key = (*what, row["corpus"], row["channel"], people, row["seed"])
            pairs.setdefault(key, ([], []))[bool(row["enrolled"])].append((run, row))
    return [
        _our_row(plain, enrolled, letters)
        for plains, enrolleds in pairs.values()
        for plain, enrolled in zip_longest(plains, enrolleds)
    ]


def _our_row(plain: tuple[Run, Any] | None, enrolled: tuple[Run, Any] | None, letters: dict[str, str]) -> Row:
    run, row = next(one for one in (plain, enrolled) if one)
    told = ", ".join(f"{name} {number}" for name, number in sorted(json.loads(row["versions"]).items()))
    letter = letters.setdefault(told, "abcdefghijklmnopqrstuvwxyz"[len(letters) % 26])
    absent = sorted(set(ACTORS) - set(row["actors"])) if row["corpus"] == "ravdess" else []
    differs = (
        [f"without actors {', '.join(absent)}"] if absent and row["protocol"] in ("emobox", "luna", "loao") else []
    )
    differs += ["LEAKY: the same actors train and judge"] if row["leaky"] else []
    differs += (
        [f"{row['channel']} of {row['corpus']}"] if (row["corpus"], row["channel"]) != ("ravdess", "speech") else []
    )
    names = dict.fromkeys(one[0].name for one in (plain, enrolled) if one)
    return Row(
        modality_of(row["features"]),
        f"{row['features']}{', augmented' if run.augmented else ''}, {row['family']}",
        f"{row['protocol']}: {len(row['folds'])} fold{'s' * (len(row['folds']) > 1)}",
        str(len(row["actors"])),
        _metrics(plain[1] if plain else None),
        _metrics(enrolled[1] if enrolled else None),
        float(row["uar"]) - (plain is None),
        str(row["seed"]),
        letter,
        ", ".join(names),
        "; ".join(differs),
        "ours",
    )


def _metrics(row: Any) -> dict[str, str]:
    if row is None:
        return {}
    return {name: said(Interval(row[name], row[f"{name}_low"], row[f"{name}_high"])) for _, name in MEASURES}


def _theirs(one: Published) -> Row:
    spread = f" {one.spread}" if one.spread else ""
    numbers = {name: getattr(one, name) for _, name in MEASURES}
    first = next(name for name, value in numbers.items() if value is not None)
    shown = {
        name: _exactly(value) + (spread if name == first else "")
        for name, value in numbers.items()
        if value is not None
    }
    order = next(value for value in numbers.values() if value is not None)
    return Row(
        one.modality, one.system, one.protocol, one.actors, shown, {}, order, "", "", one.source, one.differs,
        "published", one.url,
    )  # fmt: skip


def _exactly(value: float) -> str:
    """All digits that the source has, three at least."""
    return f"{value:.4f}".removesuffix("0").removeprefix("0")


def _headline_rows(headlines: Sequence[tuple[str, Headline]]) -> list[Row]:
    """One row a modality and protocol, its plain and its enrolled result side by side."""
    pairs: dict[tuple[str, str], dict[bool, Headline]] = {}
    for protocol, one in headlines:
        pairs.setdefault((protocol, one.modality), {})[one.enrolled] = one
    rows = []
    for (protocol, modality), both in pairs.items():
        either = both.get(False) or both[True]
        people = sorted(set(either.predictions["actor"]))
        absent = sorted(set(ACTORS) - set(people))
        rows.append(
            Row(
                modality,
                "headline, chosen by inner folds",
                f"{protocol}: {either.predictions['fold'].nunique()} folds",
                str(len(people)),
                _metrics(both[False].scores if False in both else None),
                _metrics(both[True].scores if True in both else None),
                float(either.scores["uar"]),
                "",
                "",
                "all runs of these actors",
                f"without actors {', '.join(absent)}" if absent else "",
                "headline",
            )
        )
    return rows
