"""Drawing: scales, marks and a picture that says what it shows. Colours are the page's, light or dark.

Pictures are about 440 units wide, so that their text is legible on a phone and several stand side by side on a desk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ravdess.report.html import Raw, style, tag, text

WIDTH: Final = 440
MARKS: Final = 8
"""Colours and shapes that are told apart."""


class Scale(NamedTuple):
    """From numbers to places on the picture."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where `value` lies; beyond the ends it is drawn at the end."""
        low, high, at = (math.log10(one) if self.log else one for one in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + (self.stop - self.start) * min(1.0, max(0.0, share))

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers between the ends."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            skip = max(1, math.ceil((last - first + 1) / most))
            return [10.0**power for power in range(first, last + 1, skip)] or [self.low, self.high]
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        base = 10.0 ** math.floor(math.log10(span / most))
        step = next(base * times for times in (1, 2, 5, 10) if span / (base * times) <= most)
        begin = math.ceil(self.low / step - 1e-9)
        return [round(at * step, 12) for at in range(begin, math.floor(self.high / step + 1e-9) + 1)]


class Picture:
    """Marks on a plane; the first added lies lowest."""

    def __init__(self, height: float, width: float = WIDTH) -> None:
        self.width, self.height = float(width), float(height)
        self._parts: list[Raw] = []

    def add(self, name: str, *inside: object, **attributes: object) -> None:
        placed = {key: _place(value) if isinstance(value, float) else value for key, value in attributes.items()}
        self._parts.append(tag(name, *inside, **placed))

    def line(self, x1: float, y1: float, x2: float, y2: float, class_: str) -> None:
        self.add("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)

    def say(self, x: float, y: float, words: object, *, anchor: str = "start", class_: str | None = None) -> None:
        side = None if anchor == "start" else anchor
        self.add("text", words, x=float(x), y=float(y), text_anchor=side, class_=class_)

    def path(self, points: Sequence[tuple[float, float]], class_: str) -> None:
        told = " ".join(f"{'L' if at else 'M'}{_place(x)} {_place(y)}" for at, (x, y) in enumerate(points))
        self.add("path", d=told, class_=class_)

    def mark(self, number: int, x: float, y: float, size: float = 5.0, class_: str = "dot") -> None:
        """Mark number 0, 1, …: each of its own shape and colour."""
        shape, series = number % 4, f"s{number % MARKS + 1} {class_}"
        if shape == 0:
            self.add("circle", cx=float(x), cy=float(y), r=float(size), class_=series)
            return
        corners = {
            1: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            2: [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            3: [(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
        }[shape]
        told = " ".join(f"{_place(x + size * a)},{_place(y + size * b)}" for a, b in corners)
        self.add("polygon", points=told, class_=series)

    def x_axis(self, scale: Scale, y: float, top: float, words: str, form: Callable[[float], str]) -> None:
        for tick in scale.ticks():
            at = scale(tick)
            self.line(at, top, at, y, "grid")
            self.say(at, y + 14, form(tick), anchor="middle", class_="m")
        self.line(scale.start, y, scale.stop, y, "axis")
        self.say((scale.start + scale.stop) / 2, y + 30, words, anchor="middle", class_="m")

    def y_axis(self, scale: Scale, x: float, right: float, words: str, form: Callable[[float], str]) -> None:
        for tick in scale.ticks(5):
            at = scale(tick)
            self.line(x, at, right, at, "grid")
            self.say(x - 6, at + 4, form(tick), anchor="end", class_="m")
        self.line(x, scale.start, x, scale.stop, "axis")
        self.say(2, min(scale.start, scale.stop) - 8, words, class_="m")

    def legend(self, names: Sequence[str], y: float = 12.0, x: float = 4.0) -> float:
        """Marks with their names, in lines from `y` on; returns where the next thing may begin."""
        at = x
        for number, name in enumerate(names):
            wide = 24 + 7.0 * len(name)
            if at > x and at + wide > self.width:
                at, y = x, y + 17
            self.mark(number, at + 6, y - 4)
            self.say(at + 16, y, name)
            at += wide
        return y + 10

    def html(self, title: str) -> Raw:
        """The picture for a page; `title` is what a screen reader says."""
        return Raw(
            f'<svg viewBox="0 0 {_place(self.width)} {_place(self.height)}" role="img" aria-label="{text(title)}">'
            + "".join(self._parts)
            + "</svg>"
        )

    def alone(self, title: str) -> str:
        """The picture as a file of its own, on a card of its own, light or dark as its viewer prefers."""
        size = f'width="{_place(self.width)}" height="{_place(self.height)}"'
        box = f'viewBox="0 0 {_place(self.width)} {_place(self.height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" aria-label="{text(title)}">\n'
            f"<title>{text(title)}</title>\n<style>\n{style('figures')}</style>\n"
            f'<rect {size} rx="6" style="fill: var(--bg)"/>\n' + "\n".join(self._parts) + "\n</svg>\n"
        )


def _place(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def share(value: float) -> str:
    """A fraction as ".46"."""
    said = f"{value:.2f}"
    return said[1:] if said.startswith("0.") else said


def plain(value: float) -> str:
    """A number in a few digits."""
    return f"{value:g}"
