"""The figures: numbers in, a drawing out. What they show is said by whoever places them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from ravdess.report.svg import MARKS, WIDTH, Picture, Scale, plain, share

if TYPE_CHECKING:
    from ravdess.report.numbers import Interval, Mattered, Reliability, Tried


LONGEST: Final = 18
"""Letters of a label that stands left of its marks."""


class Series(NamedTuple):
    """One row of marks, in its own colour and shape: a place for each label, None where there is nothing."""

    name: str
    values: Sequence[Interval | None]


def intervals(
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    axis: str = "UAR",
    chance: float | None = None,
    above: bool = False,
    marks: Sequence[int] | None = None,
    hollow: Sequence[bool] = (),
) -> Picture:
    """Numbers with their intervals, one below another.

    Parameters
    ----------
    labels : sequence of str
    series : sequence of Series
        A single one has its numbers written beside it.
    chance : float, optional
        Where guessing lies.
    above : bool
        Labels stand over their marks, where they are long, rather than left of them.
    marks : sequence of int, optional
        With a single series: the mark of each label. Default: the series'.
    hollow : sequence of bool
        Labels whose marks are not filled.
    """
    single, gap = len(series) == 1, 12
    top = 8.0
    if not single:
        top = Picture(0).legend([one.name for one in series])
    row = gap * len(series) + (26 if above else 10)
    gutter = 14 + 6.7 * min(LONGEST, max((len(one) for one in labels), default=0))
    start, stop = (14.0 if above else gutter), float(WIDTH - (108 if single else 18))
    bottom = top + row * len(labels) + 4
    scale, picture = Scale(0, 1, start, stop), Picture(bottom + 36)
    picture.x_axis(scale, bottom, top, axis, share)
    if not single:
        picture.legend([one.name for one in series])
    if chance is not None:
        picture.line(scale(chance), top, scale(chance), bottom, "ref")
        picture.say(scale(chance) + 3, bottom - 3, "chance", class_="m")
    for at, label in enumerate(labels):
        y = top + row * at + (22 if above else 4)
        if above:
            picture.say(start, y - 8, _cut(label, 62))
        else:
            picture.say(start - 8, y + gap * len(series) / 2 + 4, _cut(label, LONGEST), anchor="end")
        for number, one in enumerate(series):
            value, mark = one.values[at], marks[at] if marks else number
            if value is None:
                continue
            middle = y + gap * number + gap / 2
            picture.line(scale(value.low), middle, scale(value.high), middle, f"s{mark % MARKS + 1} whisker")
            picture.mark(mark, scale(value.value), middle, class_="open" if at < len(hollow) and hollow[at] else "dot")
            if single:
                said = f"{share3(value.value)} [{share3(value.low)}, {share3(value.high)}]"
                picture.say(stop + 6, middle + 4, said, class_="m")
    return picture


def spread(
    folds: Mapping[str, float], actors: Mapping[str, Sequence[float]], *, chance: float, mark: int = 0
) -> Picture:
    """Each fold's UAR as a large mark, and those of its actors as small ones."""
    top, row, start, stop = 8.0, 24, 92.0, float(WIDTH - 44)
    bottom = top + row * len(folds) + 4
    scale, picture = Scale(0, 1, start, stop), Picture(bottom + 36)
    picture.x_axis(scale, bottom, top, "UAR", share)
    picture.line(scale(chance), top, scale(chance), bottom, "ref")
    for at, (fold, uar) in enumerate(folds.items()):
        y = top + row * at + row / 2
        picture.say(start - 8, y + 4, _cut(fold, 14), anchor="end")
        for one in actors.get(fold, ()):
            picture.mark(mark, scale(one), y, 3.5, "small")
        picture.mark(mark, scale(uar), y, 6)
        picture.say(stop + 8, y + 4, share3(uar), class_="m")
    return picture


def history(candidates: Sequence[Tried], mark: int = 0) -> Picture:
    """Inner UAR of the candidates as they were drawn, and the best so far with its standard error."""
    picture = Picture(240)
    low = min(one.uar - one.error for one in candidates)
    high = max(one.uar + one.error for one in candidates)
    pad = max(0.01, (high - low) * 0.08)
    x = Scale(0.5, len(candidates) + 0.5, 44, WIDTH - 10)
    y = Scale(max(0.0, low - pad), min(1.0, high + pad), 200, 26)
    picture.y_axis(y, 44, WIDTH - 10, "inner UAR (choosing folds)", share3)
    picture.x_axis(Scale(1, max(2, len(candidates)), x(1), x(max(2, len(candidates)))), 200, 200, "candidate", _whole)
    grid = next((at for at, one in enumerate(candidates, 1) if one.round == "grid"), None)
    if grid is not None:
        picture.line(x(grid - 0.5), 26, x(grid - 0.5), 200, "ref")
        late = grid > 0.7 * len(candidates)
        picture.say(
            x(grid - 0.5) + (-4 if late else 4),
            196,
            "grid" if not late else "grid →",
            anchor="end" if late else "start",
            class_="m",
        )
    best, points = candidates[0], [(x(0.5), y(candidates[0].uar))]
    for at, one in enumerate(candidates, 1):
        picture.line(x(at), y(one.uar - one.error), x(at), y(one.uar + one.error), "faint")
        if one.uar > best.uar:
            points += [(x(at), y(best.uar)), (x(at), y(one.uar))]
            best = one
    points.append((x(len(candidates) + 0.5), y(best.uar)))
    picture.path(points, f"s{mark % MARKS + 1} line")
    for at, one in enumerate(candidates, 1):
        picture.mark(mark, x(at), y(one.uar), 3.5, "small")
    at = candidates.index(best) + 1
    picture.line(x(at), y(best.uar - best.error), x(at), y(best.uar + best.error), f"s{mark % MARKS + 1} whisker")
    picture.mark(mark, x(at), y(best.uar))
    return picture


def climbs(history: Mapping[str, Sequence[tuple[int, float, float]]], fits: int) -> Picture:
    """Best inner UAR so far against the fits made, one line a family: points of (fits, UAR, standard error)."""
    points = [point for some in history.values() for point in some]
    low, high = min(uar - error for _, uar, error in points), max(uar + error for _, uar, error in points)
    first = Picture(0).legend(list(history)) + 18
    picture = Picture(first + 210)
    pad = max(0.01, (high - low) * 0.08)
    last = max(1, fits, *(at for at, _, _ in points))
    x, y = Scale(0, last, 44, WIDTH - 18), Scale(max(0.0, low - pad), min(1.0, high + pad), first + 172, first)
    picture.legend(list(history))
    picture.y_axis(y, 44, WIDTH - 18, "inner UAR", share3)
    picture.x_axis(x, first + 172, first + 172, "fits", _whole)
    for number, some in enumerate(history.values()):
        steps: list[tuple[float, float]] = []
        for at, uar, error in some:
            steps += [(x(at), steps[-1][1] if steps else y(uar)), (x(at), y(uar))]
            picture.line(x(at), y(uar - error), x(at), y(uar + error), f"s{number % MARKS + 1} faint")
        picture.path([*steps, (x(last), steps[-1][1])], f"s{number % MARKS + 1} line")
        picture.mark(number, x(some[-1][0]), y(some[-1][1]))
    return picture


def parameters(found: Sequence[Mattered], mark: int = 0) -> Picture:
    """Each hyperparameter's values beside the inner UAR of the candidates that had them."""
    wide, tall = WIDTH / 2, 150.0
    picture = Picture(tall * ((len(found) + 1) // 2))
    scores = [uar for one in found for _, uar in one.values]
    low, high = min(scores), max(scores)
    pad = max(0.005, (high - low) * 0.1)
    for at, one in enumerate(found):
        left, top = wide * (at % 2), tall * (at // 2)
        start, stop, bottom = left + 38, left + wide - 14, top + tall - 34
        y = Scale(low - pad, high + pad, bottom, top + 26)
        picture.say(left + 4, top + 12, _cut(one.name, 30))
        for tick in y.ticks(3):
            picture.line(start, y(tick), stop, y(tick), "grid")
            picture.say(start - 5, y(tick) + 4, share3(tick), anchor="end", class_="m")
        picture.line(start, bottom, stop, bottom, "axis")
        for place, uar in _places(one, start, stop, picture, bottom):
            picture.mark(mark, place, y(uar), 3.5, "small")
    return picture


def _places(one: Mattered, start: float, stop: float, picture: Picture, bottom: float) -> list[tuple[float, float]]:
    """Where each value lies across, with its score; draws the ticks."""
    values = [value for value, _ in one.values]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numeric and len(set(values)) > 2 and any(isinstance(value, float) for value in values):
        low, high = float(min(values)), float(max(values))
        log = low > 0 and high / low > 20
        scale = Scale(low, high, start + 6, stop - 6, log)
        for tick in scale.ticks(3):
            picture.say(scale(tick), bottom + 14, plain(tick), anchor="middle", class_="m")
        return [(scale(float(value)), uar) for value, uar in one.values]
    words = sorted(set(values)) if numeric else sorted(set(values), key=str)
    step = (stop - start) / len(words)
    middle = {word: start + step * (at + 0.5) for at, word in enumerate(words)}
    for word, x in middle.items():
        said = plain(word) if isinstance(word, float) else str(word)
        picture.say(x, bottom + 14, _cut(said, max(3, int(step / 6.2))), anchor="middle", class_="m")
    return [(middle[value], uar) for value, uar in one.values]


def reliability(found: Reliability, mark: int = 0) -> Picture:
    """Confidence beside the share that was right; the dashed line is where they agree, bars say how many takes."""
    picture = Picture(300)
    x, y = Scale(0, 1, 44, WIDTH - 18), Scale(0, 1, 220, 26)
    picture.y_axis(y, 44, WIDTH - 18, "share that was right", share)
    most = max(takes for _, _, takes in found.bins)
    for confidence, _, takes in found.bins:
        step = min(9, int(confidence * 10)) / 10
        tall = 34 * takes / most
        picture.add("rect", x=x(step) + 1, y=258 - tall, width=x(0.1) - x(0) - 2, height=tall, class_="bar")
        picture.say(x(step + 0.05), 255 - tall if tall < 20 else 254, takes, anchor="middle", class_="m")
    picture.x_axis(x, 258, 258, "probability of the emotion that was called; bars: takes", share)
    picture.path([(x(0), y(0)), (x(1), y(1))], "ref")
    for confidence, right, _ in found.bins:
        picture.line(x(confidence), y(right.low), x(confidence), y(right.high), f"s{mark % MARKS + 1} whisker")
        picture.mark(mark, x(confidence), y(right.value))
    return picture


def wave(peaks: Sequence[tuple[float, float]], seconds: float) -> Picture:
    """A waveform's least and largest sample in each step of time."""
    picture = Picture(64, 240)
    x, y = Scale(0, len(peaks) - 1, 0, 240), Scale(-1, 1, 62, 2)
    outline = [(x(at), y(high)) for at, (_, high) in enumerate(peaks)]
    outline += [(x(at), y(low)) for at, (low, _) in reversed(list(enumerate(peaks)))]
    picture.path(outline, "wave")
    picture.say(238, 60, f"{seconds:.1f} s", anchor="end", class_="m")
    return picture


def share3(value: float) -> str:
    """A fraction in three digits, ".465"."""
    said = f"{value:.3f}"
    return said[1:] if said.startswith("0.") else said


def _whole(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 1e-9 else ""


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
