"""A run's part of a report: how well, on whom, where it errs, how it was found, and how to make it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ravdess.clips import EMOTIONS
from ravdess.report import figures, numbers
from ravdess.report.again import also_asked, command
from ravdess.report.figures import Series, share3
from ravdess.report.html import Raw, facts, figure, heat, joined, paragraph, table, tag, text
from ravdess.report.html import figures as side_by_side
from ravdess.report.numbers import Interval
from ravdess.scores import confusion

if TYPE_CHECKING:
    import pandas as pd

    from ravdess.report.html import Content
    from ravdess.report.read import Run

MEASURES = (("UAR", "uar"), ("accuracy", "accuracy"), ("macro-F1", "macro_f1"))


def interval(row: Any, name: str) -> str:
    """A number of a results table with its interval, ".465 [.427, .505]"."""
    return said(Interval(row[name], row[f"{name}_low"], row[f"{name}_high"]))


def said(one: Interval) -> str:
    """An interval in words."""
    return f"{share3(one.value)} [{share3(one.low)}, {share3(one.high)}]"


def run_section(run: Run, store: str, *, folded: bool = False) -> Raw:
    """Everything that there is to show of a run; `folded`, all but the results is to be unfolded."""
    chance = float(run.results["chance"].iloc[0])
    parts: list[Content] = [paragraph(run.label, class_="label")] if run.label else []
    first = [*parts, _asked(run), results_table(run)]
    parts = []
    marks = {family: at for at, family in enumerate(run.families)}
    shown = [Interval(row["uar"], row["uar_low"], row["uar_high"]) for _, row in run.results.iterrows()]
    overview = figures.intervals(
        run.families, [Series("UAR", shown)], chance=chance, marks=[marks[name] for name in run.families]
    )
    title = f"UAR of each family of run {run.name}"
    parts.append(
        side_by_side(
            figure(overview.html(title), "UAR with its 95 % interval over actors."),
            _emotions(run),
            *(_people(run, family, chance, marks[family]) for family in run.families),
        )
    )
    parts += [tag("h3", "Confusion"), side_by_side(*(_confusion(run, family) for family in run.families))]
    parts += [
        tag("h3", "Confidence"),
        side_by_side(*(_reliability(run, family, marks[family]) for family in run.families)),
    ]
    parts += [
        tag("h3", "How it was found"),
        _chosen(run),
        *(_search(run, family, marks[family]) for family in run.families),
    ]
    parts += [tag("h3", "How to make it again"), _again(run, store)]
    whole = joined(parts)
    return joined([*first, tag("details", tag("summary", "everything about this run"), whole) if folded else whole])


def _asked(run: Run) -> Raw:
    first, summary = run.results.iloc[0], run.summary
    rows = run.request["rows"]
    people = f"{len(first['actors'])} actors, {first['n_takes']:,} takes ({rows['channel']} of {rows['corpus']})"
    absent = [note for note in summary.get("notes", []) if note.startswith(f"{first['protocol']}:")]
    return facts(
        [
            ("features", f"{first['features']} (fingerprint {first['fingerprint']})"),
            ("protocol", f"{first['protocol']}: {len(first['folds'])} judging fold{'s' * (len(first['folds']) > 1)}"),
            ("judged", people),
            ("enrolled", "yes: each actor is normalised by their own unlabelled clips" if first["enrolled"] else "no"),
            ("seed", first["seed"]),
            *([("left out", "; ".join(absent))] if absent else []),
        ]
    )


def results_table(run: Run) -> Raw:
    """The run's results as they stand in results.parquet."""
    rows = [
        [row["family"], *(interval(row, name) for _, name in MEASURES), share3(row["fold_uar_std"]), row["n_takes"]]
        for _, row in run.results.iterrows()
    ]
    header = ["family", *(f"{word} [95 %]" for word, _ in MEASURES), "std of folds", "takes"]
    chance = share3(float(run.results["chance"].iloc[0]))
    caption = f"Judged by actors who neither trained nor chose; intervals by resampling actors; chance {chance}."
    if run.leaky:
        caption = "LEAKY: the same actors train and judge, so these numbers are inflated."
    return table(caption, header, rows, numbers=(4, 5))


def _emotions(run: Run) -> Raw:
    seed = int(run.results["seed"].iloc[0])
    found = {family: numbers.recalls(run.said(family), seed=seed) for family in run.families}
    words = [word for word in EMOTIONS if any(word in some for some in found.values())]
    series = [Series(family, [some.get(word) for word in words]) for family, some in found.items()]
    picture = figures.intervals(words, series, axis="recall")
    rows = [[word, *(said(some[word]) if word in some else "" for some in found.values())] for word in words]
    more = table("Recall of each emotion with its 95 % interval over actors.", ["emotion", *found], rows)
    return figure(
        picture.html(f"recall of each emotion, run {run.name}"), "Recall of each emotion, 95 % over actors.", more
    )


def _people(run: Run, family: str, chance: float, mark: int) -> Raw:
    mine = run.said(family)
    people = numbers.actors(mine, seed=int(run.results["seed"].iloc[0]))
    judged = run.choices[(run.choices["family"] == family) & run.choices["judged_uar"].notna()]
    folds = {str(row["judge"]): float(row["judged_uar"]) for _, row in judged.iterrows()}
    of_fold = {str(fold): sorted(set(some["actor"])) for fold, some in mine.groupby("fold")}
    if run.leaky:
        of_fold = {}  # a heap of takes judges there, not actors
    order = sorted(people, key=lambda actor: -people[actor].value)
    uars = {fold: [people[actor].value for actor in some] for fold, some in of_fold.items()}
    spread = figures.spread(folds, uars, chance=chance, mark=mark)
    names = [f"actor {one}" for one in order]
    shown = [Series(family, [people[one] for one in order])]
    each = figures.intervals(names, shown, chance=chance, marks=[mark] * len(order))
    rows = [[fold, share3(uar), ", ".join(of_fold.get(fold, []))] for fold, uar in folds.items()]
    takes = mine.groupby("actor").size()
    listed = [[actor, said(people[actor]), takes[actor]] for actor in sorted(people)]
    return joined(
        [
            figure(
                spread.html(f"UAR of each fold and of its actors, {family}, run {run.name}"),
                named(family, ": each fold (large) and its actors (small)."),
                table("UAR of each judging fold.", ["fold", "UAR", "actors"], rows, numbers=(1,)),
            ),
            figure(
                each.html(f"UAR of each actor, {family}, run {run.name}"),
                named(family, ": each actor, best first; 95 % by resampling the actor's own takes."),
                table("UAR of each actor.", ["actor", "UAR [95 %]", "takes"], listed, numbers=(2,)),
            ),
        ]
    )


def _confusion(run: Run, family: str) -> Raw:
    cells, words = confusion_cells(run.said(family))
    caption = named(family, ": of each emotion (row), per cent called each (column).")
    return tag("div", heat(caption, "is ↓ called →", words, cells))


def confusion_cells(predictions: pd.DataFrame) -> tuple[list[list[tuple[float, str, str]]], list[str]]:
    """Shares, per cents and counts of each emotion called each, for `heat`; and the emotions that occur."""
    counts = confusion(predictions["emotion"], predictions["predicted"], EMOTIONS)
    kept = [at for at in range(len(EMOTIONS)) if counts[at].any() or counts[:, at].any()]
    cells = []
    for at in kept:
        total = int(counts[at].sum())
        shares = counts[at] / max(1, total)
        told = [f"{EMOTIONS[at]} called {EMOTIONS[to]}: {counts[at, to]} of {total}" for to in kept]
        cells.append([(float(shares[to]), f"{100 * shares[to]:.0f}", why) for to, why in zip(kept, told, strict=True)])
    return cells, [EMOTIONS[at] for at in kept]


def _reliability(run: Run, family: str, mark: int) -> Raw:
    found = numbers.reliability(run.said(family), seed=int(run.results["seed"].iloc[0]))
    rows = [[share3(confidence), said(right), takes] for confidence, right, takes in found.bins]
    caption = (
        ": probability of the emotion that was called beside how often it was right, on takes never seen; "
        f"95 % over actors. Expected calibration error {share3(found.error)}."
    )
    more = table(
        "Confidence and the share that was right.", ["confidence", "right [95 %]", "takes"], rows, numbers=(2,)
    )
    title = f"reliability of {family}, run {run.name}"
    return figure(figures.reliability(found, mark).html(title), named(family, caption), more)


def _chosen(run: Run) -> Raw:
    judges = set(run.choices.loc[run.choices["judged_uar"].notna(), "judge"])
    rows = [
        [
            row["family"],
            row["judge"],
            share3(row["choosers_uar"]),
            share3(row["judged_uar"]) if row["judge"] in judges else "",
            f"{row['round']}, best of {row['chosen_from']}",
            candidate(row["params"], row["stage"]),
        ]
        for _, row in run.choices.iterrows()
    ]
    caption = (
        "Chosen for each judge by other actors, and for the model that is kept; the inner score chose, so it flatters."
    )
    header = ["family", "judge", "inner UAR", "judged UAR", "from", "candidate"]
    return tag(
        "details", tag("summary", "what was chosen for each judge"), table(caption, header, rows, numbers=(2, 3))
    )


def _search(run: Run, family: str, mark: int) -> Raw:
    candidates = numbers.tried(run.trials, family)
    if not candidates:
        fitted = (run.trials["family"] == family).any()
        why = (
            "no candidate has all its inner scores"
            if fitted
            else "nothing was fitted; answers of finished runs were weighed"
        )
        return paragraph(f"{family}: {why}.", class_="muted")
    best = max(candidates, key=lambda one: one.uar)
    caption = (
        f": {len(candidates)} candidates as they were drawn; the line is the best so far. Inner scores: they chose, so "
        f"the best, {share3(best.uar)} ± {share3(best.error)} standard error over choosing folds, is optimistic."
    )
    rows = [[one.drawn, one.round, share3(one.uar), share3(one.error), candidate(one.params)] for one in candidates]
    more = table("Every candidate.", ["no.", "round", "inner UAR", "std. error", "candidate"], rows, numbers=(2, 3))
    shown = [
        figure(
            figures.history(candidates, mark).html(f"search history of {family}, run {run.name}"),
            named(family, caption),
            more,
        )
    ]
    drawn = sum(one.round != "grid" for one in candidates)
    if found := numbers.mattered(candidates):
        ranked = [[one.name, share3(one.share), _ranges(one)] for one in found]
        more = table(
            "Share of the candidates' variance that each hyperparameter alone explains (epsilon squared).",
            ["hyperparameter", "share", "mean inner UAR (candidates)"],
            ranked,
            numbers=(1,),
        )
        hint = f" With {drawn} candidates this is a hint, no finding." if drawn < 20 else ""
        order = ", ".join(f"{one.name} {share3(one.share)}" for one in found)
        shown.append(
            figure(
                figures.parameters(found, mark).html(f"hyperparameters of {family}, run {run.name}"),
                named(
                    family,
                    f": inner UAR of the {drawn} random candidates by hyperparameter, the most telling first. "
                    f"Variance explained by each alone: {order}.{hint}",
                ),
                more,
            )
        )
    else:
        few = f"{family}: {drawn} random candidates are too few to say which hyperparameters mattered"
        shown.append(
            paragraph(f"{few}; {numbers.ENOUGH} or more (--samples) would be enough for a hint.", class_="muted")
        )
    return side_by_side(*shown)


def _ranges(one: numbers.Mattered) -> str:
    return "; ".join(f"{label}: {share3(mean)} ({count})" for label, mean, count in one.groups)


def _again(run: Run, store: str) -> Raw:
    extra = also_asked(run)
    versions = ", ".join(f"{name} {number}" for name, number in sorted(run.summary["versions"].items()))
    effort = run.summary["effort"]
    cost = f"{effort['trials']} trials, {effort['fits']} fits, {effort['wall_seconds']:.0f} s"
    return joined(
        [
            tag("pre", tag("code", command(run, store)), tabindex=0),
            *([paragraph("It was also asked: ", tag("code", json.dumps(extra, sort_keys=True)))] if extra else []),
            facts([("digest of the rows", run.summary["rows_digest"]), ("versions", versions), ("it took", cost)]),
        ]
    )


def candidate(params: str | Mapping[str, Any], stage: Any = None) -> str:
    """Hyperparameters in a few words."""
    told = json.loads(params) if isinstance(params, str) else params
    words = [f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}" for name, value in told.items()]
    return " ".join([*words, *([f"stage={stage}"] if isinstance(stage, int) else [])])


def named(family: str, words: str) -> Raw:
    """A caption that begins with whom it is about."""
    return Raw(tag("b", family) + text(words))
