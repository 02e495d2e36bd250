"""Takes as arrays: a lazy, picklable sequence of uint8 pictures, from which a network is fed.

The store's own sequence (`storage.takes`) reads a take when it is asked for; `HeldTakes` holds arrays in memory, for
predictions and small sets. Both are known here only by what they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard, cast, overload

import numpy as np

from ravdess.errors import BadTable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ravdess.scaling import Standardiser

    Pictures = NDArray[np.uint8]
    Shape = tuple[int, int, int]

LEVELS: Final = 32
"""Levels of a byte to one standard deviation of an enrolled take: -4 to +3.97 deviations fit."""
MIDDLE: Final = 128
"""The byte of an actor's own mean."""


class Takes(Protocol):
    """A sequence of takes: uint8 arrays (n, h, w, c) of one (h, w, c), n >= 1 of each take's own."""

    @property
    def shape(self) -> Shape:
        """Height, width and channels of one frame."""
        ...

    @property
    def counts(self) -> NDArray[np.int64]:
        """Frames of each take [shape=(len(self),)], known without reading any."""
        ...

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, at: int) -> Pictures: ...

    @overload
    def __getitem__(self, at: NDArray[Any]) -> Takes: ...

    def __getitem__(self, at: Any) -> Any:
        """One take's pictures by its position; or, by positions or a mask, the sequence of those takes, unread."""
        ...


class HeldTakes:
    """Takes in memory.

    Parameters
    ----------
    arrays : sequence of np.ndarray [shape=(n, h, w, c), dtype=uint8], n >= 1

    Raises
    ------
    BadTable
        None at all, of another type, empty, or of several (h, w, c).
    """

    def __init__(self, arrays: Sequence[Pictures]) -> None:
        self._arrays = tuple(arrays)
        kinds = {(str(one.dtype), one.shape[1:]) for one in self._arrays}
        if (
            len(kinds) != 1
            or {kind for kind, _ in kinds} != {"uint8"}
            or any(x.ndim != 4 or not x.size for x in arrays)
        ):
            raise BadTable(
                f"takes must be uint8 arrays (n, h, w, c), n >= 1, of one (h, w, c); got {sorted(kinds)[:5]}"
            )

    @property
    def shape(self) -> Shape:
        height, width, channels = self._arrays[0].shape[1:]
        return height, width, channels

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.array([len(one) for one in self._arrays], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._arrays)

    @overload
    def __getitem__(self, at: int) -> Pictures: ...

    @overload
    def __getitem__(self, at: NDArray[Any]) -> HeldTakes: ...

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, int | np.integer):
            return self._arrays[at]
        return HeldTakes([self._arrays[place] for place in np.arange(len(self))[at]])


class EnrolledTakes:
    """Takes normalised by actor as they are read; made by `enrol`."""

    def __init__(self, takes: Takes, owner: NDArray[np.intp], people: Sequence[Standardiser]) -> None:
        self._takes, self._owner, self._people = takes, owner, tuple(people)

    @property
    def shape(self) -> Shape:
        return self._takes.shape

    @property
    def counts(self) -> NDArray[np.int64]:
        return self._takes.counts

    def __len__(self) -> int:
        return len(self._takes)

    @overload
    def __getitem__(self, at: int) -> Pictures: ...

    @overload
    def __getitem__(self, at: NDArray[Any]) -> EnrolledTakes: ...

    def __getitem__(self, at: Any) -> Any:
        if not isinstance(at, int | np.integer):
            return EnrolledTakes(self._takes[at], self._owner[at], self._people)
        take = self._takes[int(at)]
        deviations = self._people[self._owner[at]].transform(take[:, :, 0, 0])
        return np.clip(np.rint(deviations * LEVELS + MIDDLE), 0, 255).astype(np.uint8).reshape(take.shape)


def enrol(takes: Takes, groups: ArrayLike) -> EnrolledTakes:
    """Each actor's takes with every value of a frame at the mean and deviation of that actor's own frames.

    This is **enrolment**, as `ravdess.enrolment` is for tables: it needs several takes of whoever is judged,
    though no label of them and nothing of anyone else. Every number made with it must say so.

    Parameters
    ----------
    takes : Takes
        Frames that are a column of numbers, (h, 1, 1), such as the bands of `logmel`.
    groups : array of str [shape=(len(takes),)]
        Who performed each take, as `splits.groups` says it.

    Returns
    -------
    EnrolledTakes
        uint8 again: `MIDDLE` is the actor's mean, `LEVELS` to a standard deviation.

    Raises
    ------
    BadTable
        The frames are pictures, whose places mean another thing in every take; or the actors are not one a take.
    """
    owners = np.asarray(groups, dtype=np.str_)
    if owners.shape != (len(takes),):
        raise BadTable(f"{len(takes)} takes need as many actors, not {owners.shape}")
    names, owner = np.unique(owners, return_inverse=True)
    return EnrolledTakes(takes, owner, [measure(takes[owner == who]) for who in range(len(names))])


def enrol_one(takes: Takes, person: Standardiser) -> EnrolledTakes:
    """Takes of one person, who was measured by others."""
    return EnrolledTakes(takes, np.zeros(len(takes), dtype=np.intp), [person])


def measure(takes: Takes) -> Standardiser:
    """Mean and deviation of each value of a frame [shape=(h,)] over all frames of one person's takes.

    Raises BadTable for pictures, as `enrol` does.
    """
    from ravdess.scaling import Standardiser

    if takes.shape[1:] != (1, 1):
        raise BadTable(
            f"frames of {takes.shape} are pictures: enrolment is defined for sound, whose frames are (bands, 1, 1); "
            "leave --normalise out"
        )
    sums = np.zeros((2, takes.shape[0]))
    for at in range(len(takes)):
        values = takes[at][:, :, 0, 0].astype(np.float64)
        sums += [values.sum(axis=0), (values**2).sum(axis=0)]
    mean, square = sums / takes.counts.sum()
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return Standardiser(mean, np.where(deviation > 0.5, deviation, 1.0))  # half a level is no spread but rounding


def is_takes(X: object) -> TypeGuard[Takes]:
    """Whether `X` is a sequence of takes, and no table or array of numbers."""
    return hasattr(X, "counts") and hasattr(X, "shape") and not isinstance(X, np.ndarray)


def as_takes(X: Takes | Sequence[Pictures]) -> Takes:
    """`X` itself, or a list of arrays as `HeldTakes`."""
    return X if is_takes(X) else HeldTakes(cast("Sequence[Pictures]", X))


def probe(shape: Shape) -> HeldTakes:
    """Two fixed takes of such frames, whose answers go with a model."""
    size = math.prod(shape)
    count = max(2, 4096 // size)
    waves = [127.5 + 127 * np.sin(np.arange(count * size) * pace) for pace in (1.0, 0.037)]
    return HeldTakes([wave.astype(np.uint8).reshape(count, *shape) for wave in waves])
