"""A bundle of bundles: several models, and how their answers become one, whatever of sound and picture is there.

Each member is a whole bundle with its own checksums, its files named "<n>.<file>"; the outer ``bundle.json`` lists
them all once more. Which combiner answers depends on which feature sets a row comes with: each was fitted on the same
out-of-fold predictions, of those members alone that need nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.bundle import Bundle
from ravdess.bundle_files import INDEX, checked, plain, read, sealed, versions, write
from ravdess.calibration import Calibration
from ravdess.clips import EMOTIONS
from ravdess.combiner import Combiner
from ravdess.errors import BadBundle, BadTable
from ravdess.joined import ROOT, parts_of
from ravdess.takes import is_takes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FUSION: Final = "fusion"


@dataclass(frozen=True, eq=False)
class FusedBundle:
    """Members and combiners.

    Attributes
    ----------
    members : tuple of Bundle
    combiners : mapping of str to Combiner
        By the feature sets that are there, sorted and joined by "+"; of the members that these suffice for, in order.
    method : one of combiner.METHODS
    scores, facts, versions : mapping
        As of a `Bundle`.
    calibrations : mapping of str to Calibration
        By the feature sets that are there, as the combiners; of models fitted before there were any, none.
    """

    members: tuple[Bundle, ...]
    combiners: Mapping[str, Combiner]
    method: str
    scores: Mapping[str, Any] = field(default_factory=dict, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    versions: Mapping[str, str] = field(default_factory=versions, repr=False)
    family: str = FUSION
    labels: tuple[str, ...] = EMOTIONS
    calibrations: Mapping[str, Calibration] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.members or any(member.labels != self.labels for member in self.members):
            raise BadBundle(f"a fusion needs members that all answer in the order {list(self.labels)}")
        if self.combiners.keys() != set(availabilities([member.features for member in self.members])):
            raise BadBundle(f"the combiners {sorted(self.combiners)} are not those of the members' feature sets")
        if strange := self.calibrations.keys() - self.combiners.keys():
            raise BadBundle(f"calibrations of {sorted(strange)}, which no combiner answers by")

    @property
    def parts(self) -> tuple[str, ...]:
        """The feature sets that members take, sorted."""
        return sets_of([member.features for member in self.members])

    @property
    def features(self) -> str:
        return "+".join(self.parts)

    @property
    def fingerprint(self) -> str:
        return "+".join(dict.fromkeys(member.fingerprint for member in self.members))

    @property
    def enrolled(self) -> bool:
        """Whether any member needs clips of the speaker beside the one asked about."""
        return any(member.enrolled for member in self.members)

    @property
    def foreign(self) -> bool:
        return any(member.foreign for member in self.members)

    @property
    def needs(self) -> str:
        return "; ".join(dict.fromkeys(member.needs for member in self.members if member.needs))

    @property
    def licence(self) -> str:
        return " ".join(dict.fromkeys(member.licence for member in self.members))

    @property
    def corpora(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for member in self.members for name in member.corpora))

    @property
    def calibration(self) -> Calibration | None:
        """Of answers by all that the members take."""
        return self.calibrations.get(self.features)

    def predict_proba(
        self,
        X: Mapping[str, Any],
        groups: ArrayLike | None = None,
        *,
        enrol: Mapping[str, Any] | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities from what is there: sound alone, picture alone, or both.

        Parameters
        ----------
        X : mapping of str to array [shape=(n, d)], n takes, or None
            Feature set -> raw rows; frame set -> takes, as of `Bundle.predict_proba`. A set that is absent or None is
            missing for all rows; one whose row holds NaN, or whose take is None, is missing for that row.
        groups : array of str [shape=(n,)], optional
            Whose each row is, for enrolled members.
        enrol : mapping of str to array [shape=(m, d)], or m takes, optional
            In place of `groups`: clips of the one person of all rows.

        Returns
        -------
        np.ndarray [shape=(n, len(labels))], rows summing to 1

        Raises
        ------
        BadTable
            A row comes with no feature set that any member suffices with, or sets differ in rows.
        """
        framed = {member.features for member in self.members if member.shape}
        given: dict[str, Any] = {
            name: rows if name in framed else np.asarray(rows, dtype=np.float64)
            for name, rows in X.items()
            if rows is not None
        }
        for name in self.parts:
            base = name.removesuffix(ROOT)
            if name not in given and name.endswith(ROOT) and base in given:
                given[name] = np.sqrt(given[base])
        given = {name: rows for name, rows in given.items() if name in self.parts}
        if not given or len({len(rows) for rows in given.values()}) != 1:
            raise BadTable(f"give rows of some of {list(self.parts)}, as many of each; not {_shapes(X)}")
        n = len(next(iter(given.values())))
        here = {name: _there(rows) for name, rows in given.items()}
        owners = None if groups is None else np.asarray(groups, dtype=np.str_)
        result = np.zeros((n, len(self.labels)))
        kinds = np.array(["+".join(name for name in self.parts if name in here and here[name][at]) for at in range(n)])
        for kind in np.unique(kinds):
            if kind not in self.combiners:
                lone = f"with {kind} alone" if kind else "with nothing"
                raise BadTable(f"{int((kinds == kind).sum())} rows come {lone}; this fusion takes {list(self.parts)}")
            at = np.flatnonzero(kinds == kind)
            said = [
                self._ask(member, given, here, owners, enrol)[at]
                for member in self.members
                if fits(member.features, kind)
            ]
            result[at] = self.combiners[kind].apply(said)
        return result

    def _ask(
        self,
        member: Bundle,
        given: Mapping[str, Any],
        here: Mapping[str, NDArray[np.bool_]],
        owners: NDArray[np.str_] | None,
        enrol: Mapping[str, Any] | None,
    ) -> NDArray[np.float64]:
        """A member's answers for the rows that come with its sets; NaN for others."""
        names = parts_of(member.features)
        where = np.all([here[name] for name in names], axis=0)
        rows = _input(member, given, where)
        result = np.full((len(where), len(self.labels)), np.nan)
        if member.enrolled and enrol is not None:
            clips = {name: enrol.get(name) for name in names}
            if any(some is None for some in clips.values()):
                raise BadTable(f"enrolled clips of {list(names)} are needed")
            who = member.enrol(_input(member, clips, np.ones(len(clips[names[0]]), dtype=bool)))  # type: ignore[arg-type]
            result[where] = member.predict_proba(rows, enrolment=who)
        else:
            result[where] = member.predict_proba(rows, None if owners is None else owners[where])
        return result

    def to_files(self) -> dict[str, bytes]:
        """Every file of the bundle by name, `bundle.json` last."""
        files = {f"{at}.{name}": data for at, one in enumerate(self.members) for name, data in one.to_files().items()}
        told = plain(
            {
                "family": self.family,
                "params": {"method": self.method},
                "features": self.features,
                "fingerprint": self.fingerprint,
                "members": len(self.members),
                "combiners": {name: one.to_json() for name, one in self.combiners.items()},
                "calibration": None if self.calibration is None else self.calibration.to_json(),
                "calibrations": {name: one.to_json() for name, one in self.calibrations.items()},
                "standardiser": None,
                "probe": None,
                "labels": list(self.labels),
                "enrolled": self.enrolled,
                "needs": self.needs,
                "licence": self.licence,
                "scores": dict(self.scores),
                "facts": dict(self.facts),
                "versions": dict(self.versions),
            }
        )
        return sealed(told, files)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, where: str = "the bundle") -> FusedBundle:
        """The inverse of `to_files`. Raises BadBundle as `Bundle.from_files` does, for itself and each member."""
        told, listed = checked(files, where)
        if told["family"] != FUSION:
            raise BadBundle(f"{where} holds a {told['family']}, expected a fusion")
        try:
            count = int(told["members"])
            inner: list[dict[str, bytes]] = [
                {name.partition(".")[2]: data for name, data in listed.items() if name.partition(".")[0] == str(at)}
                for at in range(count)
            ]
            members = tuple(Bundle.from_files(some, where=f"member {at} of {where}") for at, some in enumerate(inner))
            sets = [member.features for member in members]
            combiners = {
                name: Combiner.from_json(saved, sum(fits(one, name) for one in sets), len(EMOTIONS))
                for name, saved in told["combiners"].items()
            }
            return cls(
                members,
                combiners,
                told["params"]["method"],
                told["scores"],
                told["facts"],
                told["versions"],
                calibrations={
                    name: Calibration.from_json(saved) for name, saved in told.get("calibrations", {}).items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, BadBundle):
                raise
            raise BadBundle(f"{where} does not hang together: {error}") from error

    def save(self, folder: Path) -> None:
        write(folder, self.to_files())

    @classmethod
    def load(cls, folder: Path) -> FusedBundle:
        return cls.from_files(read(folder), where=str(folder))


def sets_of(features: Sequence[str]) -> tuple[str, ...]:
    """The single feature sets of members that take `features`, sorted."""
    return tuple(sorted({part for one in features for part in parts_of(one)}))


def fits(features: str, available: str) -> bool:
    """Whether a member that takes `features` can answer when `available` is there."""
    return set(parts_of(features)) <= set(available.split("+"))


def availabilities(features: Sequence[str]) -> list[str]:
    """What may be there, of all sets that members take, such that at least one member can answer; all of it last."""
    parts = sets_of(features)
    some = ["+".join(chosen) for size in range(1, len(parts) + 1) for chosen in itertools.combinations(parts, size)]
    return [kind for kind in some if any(fits(one, kind) for one in features)]


def _there(rows: Any) -> NDArray[np.bool_]:
    """Which rows, or takes, are there [shape=(n,)]."""
    if isinstance(rows, np.ndarray):
        found: NDArray[np.bool_] = ~np.isnan(rows.sum(axis=1))
        return found
    return np.ones(len(rows), dtype=bool) if is_takes(rows) else np.array([take is not None for take in rows])


def _input(member: Bundle, given: Mapping[str, Any], where: NDArray[np.bool_]) -> Any:
    """What a member takes, of those rows: its sets side by side, or takes."""
    if member.shape is None:
        parts = [np.asarray(given[name], dtype=np.float64)[where] for name in parts_of(member.features)]
        return np.hstack(parts)
    takes = given[member.features]
    return takes[where] if is_takes(takes) else [takes[at] for at in np.flatnonzero(where)]


def _shapes(X: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if rows is None else len(rows) for name, rows in X.items()}


__all__ = ["FUSION", "INDEX", "FusedBundle", "availabilities", "fits", "sets_of"]
