"""What a search is asked: the protocol dealt to the rows, the request that names the run, the run's name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadName, UnknownName
from ravdess.search.ledger import family_identity, plain, request_hash
from ravdess.search.rows import Rows
from ravdess.search.trial import Data
from ravdess.splits import PROTOCOLS, Folds, cross_validation, folds, groups, leaky_random
from ravdess.takes import enrol

if TYPE_CHECKING:
    from ravdess.families import Family
    from ravdess.splits import Groups

LEAKY: Final = "leaky_random"
"""The protocol that shows what a leak is worth: takes are dealt at random, so the same actors train and judge."""
_LEAKY_FOLDS: Final = 5
_RUN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,150}")


def deal(
    rows: Rows, *, protocol: str, test_actors: Iterable[str] | None, normalise: str | None, seed: int
) -> tuple[Folds, Data]:
    """Deal the rows' actors into the protocol's folds, and make what workers are handed.

    With normalise="actor" the enrolment is declared: each actor's rows are normalised by that actor's own rows,
    without labels, whoever trains and whoever judges. Takes of frames are, as they are read.

    Raises
    ------
    UnknownName
        No such protocol, normalisation or test actor.
    BadTable
        Too few actors for the protocol; or pictures, for which no enrolment is defined.
    """
    if protocol not in (*PROTOCOLS, LEAKY):
        raise UnknownName("protocol", protocol, (*PROTOCOLS, LEAKY))
    if normalise not in (None, "actor"):
        raise UnknownName("normalisation", normalise, ("actor",))
    people = groups(rows.clips)
    if protocol == LEAKY:
        kept, dealt = _deal_leaky(rows, seed)
    else:
        kept = people
        dealt = folds(protocol, people, test_actors=test_actors, genders=rows.clips["gender"])
    corpus, actor, take = (rows.clips[name].to_numpy(dtype=np.str_) for name in ("corpus", "actor", "take"))
    enrolled = normalise == "actor"
    X = enrol(rows.X, people) if enrolled and not isinstance(rows.X, np.ndarray) else rows.X
    return dealt, Data(rows.X, X, rows.y, kept, corpus, actor, take, leaky=protocol == LEAKY, enrolled=enrolled)


def _deal_leaky(rows: Rows, seed: int) -> tuple[Any, Folds]:
    """Heaps of takes in the place of people, each a fold."""
    heaps = np.empty(len(rows.y), dtype=object)
    for number, part in enumerate(leaky_random(rows.y, count=_LEAKY_FOLDS, seed=seed), 1):
        heaps[part.test] = f"leaky-{number}"
    judges: dict[str, Groups] = {f"leaky-{number}": (f"leaky-{number}",) for number in range(1, _LEAKY_FOLDS + 1)}
    note = "leaky_random: the same actors train and judge; these numbers only show what a leak is worth"
    return heaps.astype(np.str_), cross_validation(LEAKY, judges, (note,))


def make_request(
    families: Mapping[str, Family], rows: Rows, dealt: Folds, *, features: str, fingerprint: str, **asked: Any
) -> dict[str, Any]:
    """Everything that fixes a search's numbers, as JSON values. What only says how it is run is no part of it."""
    from importlib.metadata import version

    return dict(
        plain(
            {
                "ravdess": version("ravdess"),
                "families": {name: family_identity(family) for name, family in families.items()},
                "features": features,
                "fingerprint": fingerprint,
                "rows": {"content": rows.digest, "corpus": rows.corpus, "channel": rows.channel, "takes": len(rows.y)},
                "protocol": dealt.protocol,
                "folds": dealt.judges,
                "choosers": {q.name: [pair.choosers for pair in q.pairs] for q in dealt.questions},
                **asked,
            }
        )
    )


def run_name(request: Mapping[str, Any], asked: str | None) -> str:
    """The name people asked for, or a readable one that ends in the request's hash.

    Raises BadName when the asked one cannot be a folder's name, or hides that the run is leaky.
    """
    if asked is None:
        names = sorted(request["families"])
        zoo = "+".join(names) if len(names) <= 2 else f"{len(names)}-families"
        about = [request["protocol"], request["features"], zoo]
        about += ["taught"] if request.get("teacher") else []
        about += ["augmented"] if request.get("augment") else []
        about += ["actor-normalised"] if request["normalise"] == "actor" else []
        about += [request["rows"]["corpus"]] if request["rows"]["corpus"] != "ravdess" else []
        about += [request["rows"]["channel"]] if request["rows"]["channel"] != "speech" else []
        return "-".join([re.sub(r"[^A-Za-z0-9._+=-]", "_", part) for part in about] + [request_hash(request)])
    if not _RUN_NAME.fullmatch(asked):
        raise BadName(
            f"{asked!r} cannot name a run: use 1 to 150 letters, digits and . _ + = -, beginning with a letter or digit"
        )
    if request["protocol"] == LEAKY and "leaky" not in asked:
        raise BadName(f"a run of {LEAKY} says so in its name: call it {asked + '-leaky'!r}")
    return asked
