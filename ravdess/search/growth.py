"""How the gain of enrolment grows with the clips that a person gives.

The very models by which an enrolled run judged its folds are asked again, with so many enrolled clips of each judged
actor instead of all of them. Clips are drawn at random, or as unbalanced over emotions as their number allows: all of
one emotion, then of another. Labels decide here which clips are drawn, and nothing else: what is learnt of a person
never sees one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.bundle import Bundle
from ravdess.clips import EMOTIONS
from ravdess.errors import BadTable, UnknownName
from ravdess.search.ledger import read_bundle

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ravdess.enrolment import Enrolment
    from storage import Store

COUNTS: Final = (0, 1, 2, 4, 8, 16, 32, 60)
DRAWS: Final = ("random", "unbalanced")
TABLE: Final = "enrolment.parquet"
_HARDLY: Final = 1e-9


def growth(
    store: Store, run: str, *, family: str, counts: Sequence[int] = COUNTS, draws: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Ask an enrolled run's models with few enrolled clips, and keep the table beside the run as ``enrolment.parquet``.

    Parameters
    ----------
    store : Store
    run : str
        A finished, enrolled run on a feature table.
    family : str
    counts : sequence of int >= 0
        Enrolled clips a person; more than a person has means all.
    draws : int > 0
        Times that clips are drawn, where there is a choice.
    seed : int

    Returns
    -------
    pd.DataFrame
        One row a count, way of drawing and estimate: clips, drawn ("random", "unbalanced"), shrunken (whether few clips
        are drawn towards the usual speaker), uar with its 95 % interval over actors, spread (standard deviation over
        draws) and draws. All takes of the judged actors are asked about, the enrolled ones too.

    Raises
    ------
    BadTable
        The run is not enrolled, or not on a feature table.
    """
    import pandas as pd
    import pyarrow as pa

    from ravdess.scores import score
    from ravdess.search.fusion import members_of

    member = members_of(store, f"{run}/{family}")[0]
    if member.request["normalise"] != "actor" or not isinstance(member.data.raw, np.ndarray):
        raise BadTable(f"{run} is no enrolled run on a feature table; search with --normalise actor")
    folder = store.folder(f"runs/{run}")
    raw, y, people = np.asarray(member.data.raw), member.data.y, member.data.people
    bundles = {
        q.name: (Bundle.from_files(read_bundle(store.folder(f"runs/{run}/folds/{family}/{q.name}"))), q.judges)
        for q in member.folds.questions
    }
    judged = np.flatnonzero(np.isin(people, [who for _, judges in bundles.values() for who in judges]))
    rows = []
    for count in counts:
        whole = count == 0 or count >= max(np.unique(people, return_counts=True)[1])
        for drawn in DRAWS:
            for shrunken in (True, False):
                called = []
                for number in range(1 if whole else draws):
                    rng = np.random.default_rng([seed, count, DRAWS.index(drawn), number])
                    said = np.full(len(y), "", dtype="<U16")
                    for bundle, judges in bundles.values():
                        estimate = bundle if shrunken else replace(bundle, speakers=_unshrunken(bundle.speakers))
                        for who in judges:
                            mine = np.flatnonzero(people == who)
                            person = estimate.enrol(raw[mine][draw(y[mine], count, drawn, rng)])
                            p = bundle.predict_proba(raw[mine], enrolment=person)
                            said[mine] = np.array(EMOTIONS)[p.argmax(axis=1)]
                    called.append(said[judged])
                ends = ("uar", "uar_low", "uar_high")
                scores: list[dict[str, Any]] = [
                    dict(score(y[judged], said, people[judged], seed=seed)) for said in called
                ]
                rows.append(
                    {
                        "family": family,
                        "clips": count,
                        "drawn": drawn,
                        "shrunken": shrunken,
                        **{name: float(np.mean([one[name] for one in scores])) for name in ends},
                        "spread": float(np.std([one["uar"] for one in scores], ddof=1)) if len(scores) > 1 else 0.0,
                        "draws": len(scores),
                    }
                )
    frame = pd.DataFrame(rows)
    folder.write_table(TABLE, pa.Table.from_pandas(frame, preserve_index=False))
    return frame


def _unshrunken(speakers: Enrolment | None) -> Enrolment | None:
    """The clips' own mean and deviation; the usual ones where there are no two clips to tell a deviation by."""
    if speakers is None:
        return None
    hardly = np.full(speakers.mean.size, _HARDLY)
    return replace(speakers, mean_worth=hardly, variance_worth=hardly)


def draw(emotions: NDArray[np.str_], count: int, drawn: str, rng: np.random.Generator) -> NDArray[np.intp]:
    """Positions of `count` clips of one person (all, where there are fewer), drawn in one of the ways of `DRAWS`."""
    if drawn not in DRAWS:
        raise UnknownName("way of drawing", drawn, DRAWS)
    order = rng.permutation(len(emotions))
    if drawn == "unbalanced":
        turn = rng.permutation(len(EMOTIONS))
        order = order[np.argsort([turn[EMOTIONS.index(word)] for word in emotions[order].tolist()], kind="stable")]
    return order[:count]
