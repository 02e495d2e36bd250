"""Search spaces: what a hyperparameter may be, how it is drawn at random, and what stands beside a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Value: TypeAlias = float | int | str | None
Params: TypeAlias = dict[str, Value]


@dataclass(frozen=True)
class Real:
    """A real number in low ... high, uniform or log-uniform; neighbours are a `step` (factor or distance) away."""

    low: float
    high: float
    step: float
    log: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        if self.log:
            return math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return float(rng.uniform(self.low, self.high))

    def beside(self, value: Value) -> list[Value]:
        assert isinstance(value, (int, float))
        around = (value / self.step, value * self.step) if self.log else (value - self.step, value + self.step)
        return [min(max(near, self.low), self.high) for near in around]

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True)
class Integer:
    """A whole number in low ... high, uniform or log-uniform; grid neighbours as in Real, rounded."""

    low: int
    high: int
    step: float
    log: bool = False

    def _real(self) -> Real:
        return Real(self.low, self.high, self.step, self.log)

    def draw(self, rng: np.random.Generator) -> int:
        return round(self._real().draw(rng))

    def beside(self, value: Value) -> list[Value]:
        return [round(near) for near in self._real().beside(value) if isinstance(near, (int, float))]

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few values; in order where they have one, so that the neighbours are those next to it."""

    values: tuple[Value, ...]

    def draw(self, rng: np.random.Generator) -> Value:
        return self.values[int(rng.integers(len(self.values)))]

    def beside(self, value: Value) -> list[Value]:
        at = self.values.index(value)
        return [self.values[i] for i in (at - 1, at + 1) if 0 <= i < len(self.values)]

    def __contains__(self, value: object) -> bool:
        return value in self.values


Space: TypeAlias = Mapping[str, Real | Integer | Choice]


def draw(space: Space, rng: np.random.Generator) -> Params:
    """One candidate drawn at random from every dimension of `space`."""
    return {name: domain.draw(rng) for name, domain in space.items()}


def grid_around(space: Space, centre: Params) -> list[Params]:
    """The candidates that differ from `centre` in one dimension by one step; `centre` itself is not among them."""
    around: list[Params] = []
    for name, domain in space.items():
        for value in domain.beside(centre[name]):
            candidate = {**centre, name: value}
            if candidate != centre and candidate not in around:
                around.append(candidate)
    return around
