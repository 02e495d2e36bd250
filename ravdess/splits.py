"""Who trains, who chooses and who judges; refuses a leak.

A **group** is one person, written "corpus/actor" ("ravdess/07"). A **protocol** deals the groups that are present
into folds. Choosing and judging never share a group: when fold i judges, a candidate is chosen by fits that
saw neither i nor the fold j that chooses, and the fit on "all but i and j" serves both ways round. So a
nested search over K folds costs K(K-1)/2 fits a candidate, each named by the groups it left out.

Sources of the fixed folds: `emobox`, the RAVDESS test folds of EmoBox (Ma et al. 2024, arXiv 2406.07162); `luna`,
Luna-Jiménez et al. (2022), doi 10.3390/app12010327.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from ravdess.errors import BadTable, LeakError, UnknownName

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Table: TypeAlias = pd.DataFrame | Mapping[str, Any]
    """Columns by name: a data frame, or a mapping of names to arrays."""

Groups: TypeAlias = tuple[str, ...]
"""Groups in sorted order, each "corpus/actor"."""

PROTOCOLS: Final = ("emobox", "luna", "loao", "holdout")

_FIXED: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "emobox": {
        "emobox-1": (1, 11, 20, 21),
        "emobox-2": (4, 10, 12, 14),
        "emobox-3": (8, 9, 19, 23),
        "emobox-4": (3, 5, 7, 24),
        "emobox-5": (2, 15, 16, 18),
        "emobox-6": (6, 13, 17, 22),
    },
    "luna": {
        "luna-0": (2, 5, 14, 15, 16),
        "luna-1": (3, 6, 7, 13, 18),
        "luna-2": (10, 11, 12, 19, 20),
        "luna-3": (8, 17, 21, 23, 24),
        "luna-4": (1, 4, 9, 22),
    },
}
_TEST_ACTORS: Final = 4
_CHOOSERS: Final = 4
"""How many folds of the training actors choose under `holdout`."""


def groups(rows: Table) -> NDArray[np.str_]:
    """The group of each row, "corpus/actor" [shape=(n,)]; two corpora's actors "01" are two people."""
    return np.array([f"{c}/{a}" for c, a in zip(rows["corpus"], rows["actor"], strict=True)], dtype=np.str_)


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to be judged, which share no person and no performance.

    Parameters
    ----------
    rows : data frame or mapping with columns corpus, actor, take
    train, test : array of bool [shape=(n,)] or of int
        Masks or positions; kept as positions.

    Raises
    ------
    LeakError
        A (corpus, actor) or a (corpus, take) stands on both sides. The message names them.
    BadTable
        One of the sides is empty.
    """

    rows: Table = field(repr=False)
    train: NDArray[Any]
    test: NDArray[Any]

    def __post_init__(self) -> None:
        for side in ("train", "test"):
            where = np.asarray(getattr(self, side))
            where = np.flatnonzero(where) if where.dtype == bool else where.astype(np.intp)
            if not where.size:
                raise BadTable(f"the {side} side of a split has no rows: check that its actors are in the table")
            object.__setattr__(self, side, where)
        corpus = np.asarray(self.rows["corpus"], dtype=np.str_)
        for kind in ("actor", "take"):
            values = np.asarray(self.rows[kind], dtype=np.str_)
            sides = [set(zip(corpus[at].tolist(), values[at].tolist(), strict=True)) for at in (self.train, self.test)]
            if shared := sorted(sides[0] & sides[1]):
                names = ", ".join("/".join(pair) for pair in shared[:8]) + (" …" if len(shared) > 8 else "")
                raise LeakError(
                    f"{len(shared)} {kind}{'s' * (len(shared) > 1)} would stand on both sides of a split: {names}; "
                    f"keep all rows of one {kind} on one side"
                )


@dataclass(frozen=True)
class Pair:
    """One fit and who chooses by it: trained without `excluded`, looked at on `choosers` (a part of `excluded`)."""

    excluded: Groups
    choosers: Groups


@dataclass(frozen=True)
class Question:
    """Which candidate is best, as far as the judges may know? Asked once for each judging fold.

    Attributes
    ----------
    name : str
        The judging fold's name, or "final".
    judges : tuple of str
        Groups that no fit of `pairs` has seen; empty for the final question, which nobody judges.
    pairs : tuple of Pair
        The fits that choose, in order.
    """

    name: str
    judges: Groups
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Folds:
    """A protocol dealt to the groups that are present.

    Attributes
    ----------
    protocol : one of PROTOCOLS
    judges : dict of str to tuple of str
        Fold name -> the groups it judges, those present only.
    questions : tuple of Question
        One for each judging fold, in order.
    final : Question
        By which the model is chosen that is kept: every pair of all questions. It costs no further fit.
    notes : tuple of str
        What was left out or changed, in plain sentences. Print them.
    """

    protocol: str
    judges: Mapping[str, Groups]
    questions: tuple[Question, ...]
    final: Question
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> tuple[Groups, ...]:
        """The excluded groups of each distinct fit that a candidate costs, in the order first asked for."""
        return tuple(dict.fromkeys(pair.excluded for question in self.questions for pair in question.pairs))

    @property
    def actors(self) -> Groups:
        """Every group that judges."""
        return tuple(sorted(group for fold in self.judges.values() for group in fold))


def split(rows: Table, excluded: Iterable[str], test: Iterable[str] | None = None) -> Split:
    """Rows of `test` (all of `excluded` by default) against the rows of every group not in `excluded`."""
    excluded = set(excluded)
    names = groups(rows)
    return Split(rows, ~np.isin(names, list(excluded)), np.isin(names, list(excluded if test is None else test)))


def fit_name(excluded: Iterable[str]) -> str:
    """The name of a fit, "without ravdess/01+ravdess/11"; the same set in any order has the same name."""
    return "without " + ("+".join(sorted(set(excluded))) or "nobody")


def folds(
    protocol: str,
    actors: Iterable[str],
    *,
    test_actors: Iterable[str] | None = None,
    genders: Iterable[str] | None = None,
) -> Folds:
    """Deal the groups that are present into a protocol's folds.

    Parameters
    ----------
    protocol : one of PROTOCOLS
        "emobox" (6 fixed folds), "luna" (5 fixed folds), "loao" (each actor alone), or "holdout" (`test_actors`
        judge, four folds of the others choose, balanced by gender).
    actors : iterable of str
        Groups as `groups` writes them; repeats are welcome, so a table's whole column will do.
    test_actors : iterable of str, optional
        For "holdout": actors ("21") or groups ("ravdess/21"). Default: the last four present, fewer where less
        than eight are present.
    genders : iterable of str, optional
        Parallel to `actors`. Default: odd-numbered actors are one gender, even-numbered the other.

    Returns
    -------
    Folds
        Actors that the protocol names but the table lacks are left out, and `notes` says so.

    Raises
    ------
    UnknownName
        No such protocol, or a test actor that is not present.
    BadTable
        Too few actors to train, choose and judge apart, an actor that no fixed fold names, or `test_actors` given to a
        protocol that fixes its own.
    """
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROTOCOLS)
    names = [str(name) for name in actors]
    gender = dict(zip(names, (_parity(name) for name in names) if genders is None else genders, strict=True))
    present = tuple(sorted(gender))
    if protocol == "holdout":
        return _holdout(present, gender, test_actors)
    if test_actors is not None:
        raise BadTable(f"{protocol} fixes its own judges; test actors can be named for holdout only")
    judges, notes = (_each(present), ()) if protocol == "loao" else _fixed(protocol, present)
    if len(judges) < 3:
        have = f"{len(judges)} fold{'s' * (len(judges) != 1)} of {protocol} with actors present ({_listed(present)})"
        raise BadTable(
            f"{have}; training, choosing and judging apart needs 3. Add actors, or use 'loao' or 'holdout', "
            "which need 3 actors"
        )
    return cross_validation(protocol, judges, notes)


def cross_validation(protocol: str, judges: Mapping[str, Groups], notes: Iterable[str]) -> Folds:
    """Folds that judge in turn: when one judges, each other one chooses, by fits that saw neither."""
    questions = tuple(
        Question(
            name,
            judge,
            tuple(Pair(tuple(sorted(judge + other)), other) for key, other in judges.items() if key != name),
        )
        for name, judge in judges.items()
    )
    final = Question("final", (), tuple(pair for question in questions for pair in question.pairs))
    return Folds(protocol, judges, questions, final, tuple(notes))


def _each(present: Groups) -> dict[str, Groups]:
    """A fold for every group, named by the actor alone where that is unambiguous."""
    unambiguous = len({_actor(name) for name in present}) == len(present)
    return {f"loao-{_actor(name) if unambiguous else name}": (name,) for name in present}


def _fixed(protocol: str, present: Sequence[str]) -> tuple[dict[str, Groups], tuple[str, ...]]:
    """The fixed folds reduced to who is present, and what to say about it."""
    planned = {fold: {f"{number:02d}" for number in numbers} for fold, numbers in _FIXED[protocol].items()}
    known = set().union(*planned.values())
    if strangers := [name for name in present if _actor(name) not in known]:
        raise BadTable(
            f"{protocol} has folds for RAVDESS's actors 01 to 24 only and names none for {_listed(strangers)}; "
            "use 'loao' or 'holdout'"
        )
    judges = {fold: tuple(name for name in present if _actor(name) in numbers) for fold, numbers in planned.items()}
    notes = []
    if absent := sorted(known - {_actor(name) for name in present}):
        notes.append(f"{protocol}: absent and left out: actor{'s' * (len(absent) > 1)} {', '.join(absent)}")
    notes += [f"{protocol}: fold {fold} has no actor present and is dropped" for fold in judges if not judges[fold]]
    return {fold: members for fold, members in judges.items() if members}, tuple(notes)


def _holdout(present: Groups, gender: Mapping[str, str], test_actors: Iterable[str] | None) -> Folds:
    """Some actors judge; the others train and, dealt into folds in turn by gender, choose."""
    notes = []
    if test_actors is None:
        count = _TEST_ACTORS if len(present) >= 2 * _TEST_ACTORS else max(1, len(present) // 3)
        test = present[len(present) - count :]
        if count < _TEST_ACTORS:
            notes.append(f"holdout: only {len(present)} actors are present, so {count} judge instead of {_TEST_ACTORS}")
    else:
        wanted = list(test_actors)
        for name in wanted:
            if not any(name in (group, _actor(group)) for group in present):
                raise UnknownName("test actor", name, map(_actor, present))
        test = tuple(group for group in present if group in wanted or _actor(group) in wanted)
    rest = sorted((name for name in present if name not in test), key=lambda name: (gender[name], name))
    if not test or len(rest) < 2:
        raise BadTable(
            f"holdout with {len(test)} test actors leaves {len(rest)} of {len(present)}; it needs at least 1 to judge "
            "and 2 more to train and to choose"
        )
    # Sorted by gender and dealt in turn, the folds' shares of each gender differ by one at most.
    count = min(_CHOOSERS, len(rest))
    inner = [tuple(sorted(rest[start::count])) for start in range(count)]
    pairs = tuple(Pair(tuple(sorted(test + choosers)), choosers) for choosers in inner)
    return Folds(
        "holdout",
        {"holdout": test},
        (Question("holdout", test, pairs),),
        Question("final", (), pairs),
        tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class LeakySplit:
    """A random split, kept to show what a leak is worth. Whatever is made with it must carry `label`."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    label: str = "leaky_random"


def leaky_random(emotions: ArrayLike, *, count: int = 5, seed: int = 0) -> list[LeakySplit]:
    """Deal rows at random into `count` leaky folds, each emotion evenly. The same actors train and judge.

    Every number made with these says "leaky": they measure how well a model knows its actors, not emotions.
    """
    labels = np.asarray(emotions, dtype=np.str_)
    if not 2 <= count <= len(labels):
        raise BadTable(f"leaky_random needs 2 to {len(labels)} folds for {len(labels)} rows, not {count}")
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    fold = np.empty(len(labels), dtype=int)
    fold[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % count
    return [LeakySplit(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(count)]


def _actor(group: str) -> str:
    return group.rpartition("/")[2]


def _parity(group: str) -> str:
    actor = _actor(group)
    return ("even", "odd")[int(actor) % 2] if actor.isdecimal() else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "nobody"
