"""Student and teacher: a run's model says how each training take looks, and another learns from that, too.

The teacher's soft labels of a take come from fits that saw neither that take's fold nor any fold that the student's fit
leaves out: for the student without folds i and j, fold k is labelled by the teacher fitted without i, j and k, with
the hyperparameters that the teacher's own run chose for question i. So what a judge's labels are changes nothing that
its student learns from, and the labels are as unsure as the teacher is of people whom it never saw. They are calibrated
by one temperature, fitted on the same takes (Hinton et al. 2015, arXiv 1503.02531; Guo et al. 2017, arXiv 1706.04599).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.clips import EMOTIONS
from ravdess.combiner import Combiner
from ravdess.errors import LeakError, UnknownName
from ravdess.search.ledger import REQUEST, SUMMARY, request_hash
from ravdess.search.soft_labels import DEFAULTS, SPACE, Teaching
from ravdess.search.trial import Job

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Family
    from ravdess.families.space import Params
    from ravdess.search.rows import Rows
    from ravdess.splits import Folds, Groups
    from storage import Store


def taught(
    zoo: Mapping[str, Family], asked: Mapping[str, Any], *, store: Store, teacher: str | None
) -> tuple[dict[str, Family], dict[str, Any]]:
    """Families with the teacher's weight and temperature in their spaces, and the request that names the teacher.

    Both as they are without a teacher. Raises UnknownName when there is no such finished run.
    """
    if teacher is None:
        return dict(zoo), dict(asked)
    run = teacher.partition("/")[0]
    folder = store.folder(f"runs/{run}")
    if not folder.exists(SUMMARY):
        finished = [one for one in store.runs() if store.folder(f"runs/{one}").exists(SUMMARY)]
        raise UnknownName("finished run", run, finished)
    told = {"name": teacher, "request": request_hash(json.loads(folder.read(REQUEST)))}
    return {name: _with_teacher(one) for name, one in zoo.items()}, {**asked, "teacher": told}


def _with_teacher(family: Family) -> Family:
    return replace(
        family, space={**family.space, **SPACE}, defaults={**family.defaults, **DEFAULTS}, build=_Builder(family.build)
    )


@dataclass(frozen=True)
class _Builder:
    """Builds without the parameters that are the teacher's. A class, so that workers can be sent it."""

    build: Callable[..., Any]

    def __call__(self, params: Params, seed: int = 0, threads: int = 1) -> Any:
        return self.build({name: params[name] for name in params if name not in SPACE}, seed=seed, threads=threads)


def teach(
    store: Store,
    name: str | None,
    rows: Rows,
    dealt: Folds,
    *,
    notes: list[str],
    cpus: int | None = None,
    runner: Callable[..., Any] | None = None,
) -> Teaching | None:
    """Make the soft labels that a search under `dealt` needs.

    Parameters
    ----------
    store : Store
    name : "<run>" or "<run>/<family>"
        The teacher; of a run alone, its best family by choosers. None: nobody teaches.
    rows : Rows
        The student's.
    dealt : Folds
    notes : list of str
        What is to be said is added to them.

    Raises
    ------
    UnknownName
        No such finished run.
    LeakError
        The teacher's run judged other folds, so it cannot be fitted without each of this search's judges and choosers.
    """
    from ravdess.families import family
    from ravdess.search.fusion import members_of
    from ravdess.search.models import FINAL
    from ravdess.search.run import OnRay

    if name is None:
        return None
    found = members_of(store, name)
    member = max(found, key=lambda one: one.final_uar)
    if {**member.folds.judges} != {**dealt.judges} or member.folds.questions != dealt.questions:
        raise LeakError(
            f"{member.name} judged other folds or actors than this search ({member.folds.protocol}, "
            f"{len(member.folds.actors)} actors): its models may have seen who judges here; search it under this one"
        )
    index = {take: at for at, take in enumerate(member.rows.clips["take"])}
    at = np.array([index.get(take, -1) for take in rows.clips["take"]])
    kept = member.data.kept
    wanted: dict[str, tuple[Job, Groups]] = {}
    plan: dict[tuple[Groups, Groups], list[str]] = {}
    for question in (*dealt.questions, dealt.final):
        params, stage = member.choices[FINAL if question is dealt.final else question.name]
        folds = sorted({pair.choosers for pair in question.pairs})
        fits = (
            [question.judges] if question is dealt.final else [question.judges, *(p.excluded for p in question.pairs)]
        )
        for excluded in fits:
            for other in folds:
                if set(other) & set(excluded):
                    continue
                job = Job("teacher", member.family, dict(params), stage, tuple(sorted({*excluded, *other})))
                key = json.dumps([params, stage, job.excluded, other], sort_keys=True)
                wanted[key] = (job, other)
                plan.setdefault((question.judges, excluded), []).append(key)
    zoo = {member.family: family(member.family)}
    seed = int(member.request["seed"])
    hands = runner(member.data, zoo) if runner else OnRay(member.data, zoo, seed=seed, cpus=cpus)
    asked = [(job, np.flatnonzero(np.isin(kept, other))) for job, other in wanted.values()]
    answers = dict(zip(wanted, zip((where for _, where in asked), hands.out_of_fold(asked), strict=True), strict=True))
    labels = {key: _labels([answers[one] for one in some], member.data.y, at) for key, some in plan.items()}
    if lacking := int((at < 0).sum()):
        notes.append(f"{lacking} takes are unknown to the teacher {member.name}")
    return Teaching(labels, member.name)


def _labels(
    answers: Sequence[tuple[NDArray[np.intp], NDArray[np.float64]]], y: NDArray[np.str_], at: NDArray[np.intp]
) -> NDArray[np.float32]:
    """One fit's soft labels, calibrated on the takes that they are of, in the student's order."""
    where, said = np.concatenate([a for a, _ in answers]), np.concatenate([p for _, p in answers])
    codes = np.array([EMOTIONS.index(word) for word in y[where].tolist()], dtype=np.intp)
    whole = np.full((len(y) + 1, len(EMOTIONS)), np.nan, dtype=np.float32)  # the last row is for takes it lacks
    whole[where] = Combiner.fit([said], codes).apply([said])
    return whole[at]
