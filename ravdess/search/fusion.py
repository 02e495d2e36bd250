"""Members -> one answer: fusion of finished runs, fitted on out-of-fold predictions of inner folds alone.

When fold i judges, a member is what its own run chose for question i. For every choosing fold j, the member is fitted
without i and j, which is one of the very fits that chose it, and answers fold j. On these answers the combiners are
fitted: no member that speaks there has seen the actors spoken of, and nothing has seen fold i. How to combine is
chosen for question i by doing the same without each choosing fold in turn. Then the members that the runs kept for
judge i, fitted without it, are packed with the combiners, loaded again, and judged once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.bundle import Bundle
from ravdess.calibration import Calibration
from ravdess.clips import EMOTIONS
from ravdess.combiner import METHODS, Combiner
from ravdess.errors import BadTable, RunMismatch, UnknownName
from ravdess.fused import FUSION, FusedBundle, availabilities, fits, sets_of
from ravdess.joined import Table, parts_of, table_of
from ravdess.search.asked import deal, run_name
from ravdess.search.augmented import again
from ravdess.search.explore import Effort, Explored
from ravdess.search.ledger import BUNDLE, REQUEST, SUMMARY, Ledger, read_bundle, request_hash, write_bundle
from ravdess.search.models import FINAL
from ravdess.search.plan import Candidate, Choice
from ravdess.search.results import Result, predictions_frame, score_family, write_results
from ravdess.search.rows import choose_rows
from ravdess.search.trial import Job

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ravdess.search.rows import Rows
    from ravdess.search.trial import Data
    from ravdess.splits import Folds, Groups, Question
    from storage import Store

    Floats = NDArray[np.float64]

_ALIKE: Final = ("protocol", "folds", "choosers", "normalise")
"""What members must have been asked alike."""
_NAMED: Final = 5


@dataclass(frozen=True, eq=False)
class Member:
    """One family of a finished run, with its rows dealt again as they were."""

    run: str
    family: str
    features: str
    request: Mapping[str, Any]
    choices: Mapping[str, tuple[Mapping[str, Any], int | None]]
    """Judge -> hyperparameters and stage, as that run chose them."""
    rows: Rows
    folds: Folds
    data: Data
    final: str
    """The model that it kept, as the store names it; empty where it kept none."""
    final_uar: float
    """What its choosers said of it, over all questions."""

    @property
    def name(self) -> str:
        return f"{self.run}/{self.family}"


def stored(store: Store, features: str, *, unless_absent: bool = False) -> Table | None:
    """A set's table, several joined, or a set's square roots, from the store.

    Raises BadTable when a set is not there; with `unless_absent`, None is returned instead.
    """

    def read(name: str) -> Table | None:
        table = store.table(f"features/{name}")
        return Table(store.features(name), table.fingerprint() or "") if table.exists() else None

    try:
        return table_of(features, read)
    except BadTable:
        if unless_absent and len(parts_of(features)) == 1 and read(features.removesuffix("_root")) is None:
            return None
        raise


def fuse(
    store: Store,
    members: Sequence[str],
    *,
    seed: int = 0,
    run: str | None = None,
    cpus: int | None = None,
    say: Callable[[str], Any] = print,
    runner: Callable[..., Any] | None = None,
) -> Result:
    """Fuse the models of finished runs, nested as they were.

    Parameters
    ----------
    store : Store
    members : sequence of "<run>" or "<run>/<family>"
        A run alone stands for all its families. All of one protocol, actors and enrolment.
    seed : int
        Of the intervals.
    run : str, optional
    cpus : int, optional
    say : callable
        Called with a line as work proceeds.
    runner : callable, optional
        As of `ravdess.search.search`.

    Raises
    ------
    UnknownName
        No such finished run, or no such family in it.
    RunMismatch
        The members answer different questions, or their tables have changed since.
    """
    from importlib.metadata import version

    from ravdess.bundle_files import versions

    found = [one for name in members for one in members_of(store, name)]
    found = list({one.name: one for one in found}.values())
    if len(found) < 2:
        raise UnknownName("fusion of one member", [one.name for one in found], ["two or more"])
    first = found[0]
    for other in found[1:]:
        if differ := [key for key in _ALIKE if other.request[key] != first.request[key]]:
            raise RunMismatch(f"{other.name} and {first.name} cannot be fused: they differ in {differ}")
    common, notes = _common([one.rows for one in found])
    at = [np.searchsorted(one.rows.clips["take"].to_numpy(dtype=np.str_), common) for one in found]
    features = "+".join(sets_of([one.features for one in found]))
    request = {
        "families": {FUSION: {"methods": dict(METHODS)}},
        "members": {one.name: request_hash(one.request) for one in found},
        "features": features,
        "rows": {"corpus": first.rows.corpus, "channel": first.rows.channel, "takes": len(common)},
        **{key: first.request[key] for key in _ALIKE},
        "ravdess": version("ravdess"),
        "seed": seed,
    }
    name = run_name(request, run)
    ledger = Ledger(store, name, request)
    if ledger.summary is not None:
        return Result.read(store, name, ledger.summary, found=True)
    folds, clips = first.folds, first.rows.clips.iloc[at[0]].reset_index(drop=True)
    rows = _rows_of(first.rows, clips)
    codes = np.array([EMOTIONS.index(word) for word in rows.y.tolist()], dtype=np.intp)
    people = first.data.kept[at[0]]
    asked = []
    for number, (one, where) in enumerate(zip(found, at, strict=True)):
        say(f"member {one.name}: out-of-fold predictions")
        asked.append(_out_of_fold(ledger, number, one, where, cpus=cpus, runner=runner))
    kinds = availabilities([one.features for one in found])
    facts = {
        "run": name,
        "features": features,
        "fingerprint": "+".join(dict.fromkeys(str(one.request["fingerprint"]) for one in found)),
        "foreign": any(str(one.request["fingerprint"]).startswith("foreign") for one in found),
        "table_version": None,
        "protocol": first.request["protocol"],
        "enrolled": first.request["normalise"] == "actor",
        "leaky": first.data.leaky,
        "corpus": rows.corpus,
        "made": rows.made,
        "channel": rows.channel,
        "seed": seed,
        "samples": 0,
        "takes": len(common),
        "folds": {fold: list(members) for fold, members in folds.judges.items()},
        "search": "fusion",
        "members": [one.name for one in found],
        "rows_digest": rows.digest,
        "versions": {**versions(), "ray": version("ray"), "pandas": version("pandas")},
    }
    chosen: dict[str, Choice] = {}
    answers = []
    by_question = {}
    for question in folds.questions:
        said = {pair.choosers: [each[question.name, pair.choosers] for each in asked] for pair in question.pairs}
        truth = {choosers: codes[np.isin(people, choosers)] for choosers in said}
        chosen[question.name] = _choose(question, said, truth)
        method = str(chosen[question.name].candidate.params["method"])
        combiners = _combiners(said, truth, found, kinds, method)
        home = ledger.model(FUSION, question.name)
        if not home.exists(BUNDLE):
            models = [_model(store, f"runs/{one.run}/folds/{one.family}/{question.name}") for one in found]
            write_bundle(home, FusedBundle(tuple(models), combiners, method, facts=_told(facts, question)).to_files())
        bundle = FusedBundle.from_files(read_bundle(home))
        by_question[question.name] = bundle.combiners
        judged = np.flatnonzero(np.isin(people, question.judges))
        answers.append((question.name, judged, _ask(bundle, found, at, judged)))
    predictions = predictions_frame(rows, FUSION, answers)
    scored = score_family(predictions, seed=seed)
    final = _final(
        store,
        found,
        at=at,
        codes=codes,
        kinds=kinds,
        chosen=chosen,
        folds=folds,
        judged={question: where for question, where, _ in answers},
        combiners=by_question,
    )
    kept = _keep(store, ledger, found, final=final, scores=dict(scored), facts=facts) if final else ""
    explored = Explored(choices={FUSION: chosen}, effort=Effort())
    return write_results(
        ledger,
        found=explored,
        predictions={FUSION: predictions},
        scored={FUSION: scored},
        kept={FUSION: kept} if kept else {},
        facts=facts,
        families={},
        folds=folds,
        notes=[*notes, *folds.notes],
        workers=1,
    )


def members_of(store: Store, name: str) -> list[Member]:
    """The families of a finished run, or the one that is named."""
    run, _, family = name.partition("/")
    folder = store.folder(f"runs/{run}")
    if run not in store.runs() or not folder.exists(SUMMARY):
        raise UnknownName(
            "finished run", run, [one for one in store.runs() if store.folder(f"runs/{one}").exists(SUMMARY)]
        )
    request, summary = (json.loads(folder.read(file)) for file in (REQUEST, SUMMARY))
    choices = folder.read_table("choices.parquet").to_pandas()
    families = sorted(set(choices["family"]))
    if family and family not in families:
        raise UnknownName(f"family of {run}", family, families)
    if FUSION in families:
        raise UnknownName("member", name, ["a run that is no fusion itself"])
    features, source = str(request["features"]), request["rows"]
    rows = choose_rows(features=features, channel=source["channel"], corpus=source["corpus"], **_table(store, features))
    if rows.digest != source["content"]:
        raise RunMismatch(f"the table of {features} has changed since {run}; search it again")
    judges = [group.rpartition("/")[2] for some in request["folds"].values() for group in some]
    test = judges if request["protocol"] == "holdout" else None
    dealt, data = deal(
        rows, protocol=request["protocol"], test_actors=test, normalise=request["normalise"], seed=request["seed"]
    )
    data = replace(again(data, request, store, rows, run), shelf=store)
    found = []
    for one in [family] if family else families:
        mine = choices[choices["family"] == one]
        stages = [
            int(stage) if staged else None for stage, staged in zip(mine["stage"], mine["stage"].notna(), strict=True)
        ]
        made = zip(mine["judge"], mine["params"], stages, strict=True)
        chosen = {judge: (json.loads(params), stage) for judge, params, stage in made}
        final = dict(json.loads(folder.read(f"kept-{one}.json")))["model"] if summary["models"] else ""
        uar = float(mine["choosers_uar"].mean())
        found.append(Member(run, one, features, request, chosen, rows, dealt, data, final, uar))
    return found


def _table(store: Store, features: str) -> dict[str, Any]:
    """What a member's rows are chosen from: a table, or the index of a frame set and its takes."""
    index = store.table(f"frames/{features}")
    if not store.table(f"features/{features}").exists() and index.exists():
        return {"table": index.read_sorted().to_pandas(), "takes": store.frames(features).only}
    table = stored(store, features)
    assert table is not None
    return {"table": table.frame}


def _common(rows: Sequence[Rows]) -> tuple[NDArray[np.str_], list[str]]:
    """The takes that all members have, and a note on those that some lack."""
    each = [set(one.clips["take"]) for one in rows]
    common = set.intersection(*each)
    if not common:
        raise BadTable("the members have no take in common")
    missing = sorted(set.union(*each) - common)
    notes = []
    if missing:
        some = ", ".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
        notes.append(f"{len(missing)} takes are not in the tables of all members and are left out: {some}")
    return np.array(sorted(common), dtype=np.str_), notes


def _rows_of(rows: Rows, clips: pd.DataFrame) -> Rows:
    return rows if len(clips) == len(rows.clips) else replace(rows, clips=clips)


def _out_of_fold(
    ledger: Ledger, number: int, member: Member, where: NDArray[np.intp], *, cpus: int | None, runner: Any
) -> dict[tuple[str, Groups], Floats]:
    """Question and choosing fold -> the member's answers for that fold's common takes, by a fit that saw neither."""
    from ravdess.families import family
    from ravdess.search.run import OnRay

    kept = member.data.kept
    wanted: dict[str, tuple[Job, list[tuple[str, Groups]]]] = {}
    for question in member.folds.questions:
        params, stage = member.choices[question.name]
        for pair in question.pairs:
            key = json.dumps([params, stage, pair.excluded], sort_keys=True)
            job = Job("out of fold", member.family, dict(params), stage, pair.excluded)
            wanted.setdefault(key, (job, []))[1].append((question.name, pair.choosers))
    common = np.zeros(len(kept), dtype=bool)
    common[where] = True
    # All rows of a fold are asked about, so that enrolment is by all of them; the common ones are used.
    folds = {choosers: np.flatnonzero(np.isin(kept, choosers)) for _, some in wanted.values() for _, choosers in some}
    file = f"out-of-fold-{number}.npy"
    order = [(question, choosers) for _, some in wanted.values() for question, choosers in some]
    if ledger.folder.exists(file):
        flat = _from_bytes(ledger.folder.read(file))
    else:
        zoo = {member.family: family(member.family)}
        hands = (
            runner(member.data, zoo) if runner else OnRay(member.data, zoo, seed=int(member.request["seed"]), cpus=cpus)
        )
        jobs = [(job, np.concatenate([folds[choosers] for _, choosers in some])) for job, some in wanted.values()]
        flat = np.concatenate(list(hands.out_of_fold(jobs)))
        ledger.folder.write(file, _to_bytes(flat))
    bounds = np.cumsum([0, *(len(folds[choosers]) for _, choosers in order)])
    return {
        key: flat[start:end][common[folds[key[1]]]] for key, start, end in zip(order, bounds, bounds[1:], strict=False)
    }


def _to_bytes(array: Floats) -> bytes:
    import io

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _from_bytes(data: bytes) -> Floats:
    import io

    array: Floats = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def _choose(
    question: Question, said: Mapping[Groups, list[Floats]], truth: Mapping[Groups, NDArray[np.intp]]
) -> Choice:
    """How to combine when this question's judge judges: by combiners fitted without each choosing fold in turn."""
    from ravdess.scores import uar

    words = np.array(EMOTIONS)
    best: tuple[float, str] | None = None
    for method in METHODS:
        scores = []
        for left_out in said:
            others = [choosers for choosers in said if choosers != left_out]
            fitted = _fit(said, truth, others, range(len(said[left_out])), method)
            called = fitted.apply(said[left_out]).argmax(axis=1)
            scores.append(uar(words[truth[left_out]], words[called]))
        mean = float(np.mean(scores))
        if best is None or mean > best[0]:
            best = (mean, method)
    assert best is not None
    return Choice(question.name, Candidate(FUSION, {"method": best[1]}), None, best[0], len(METHODS), FUSION)


def _fit(
    said: Mapping[Groups, list[Floats]],
    truth: Mapping[Groups, NDArray[np.intp]],
    folds: Sequence[Groups],
    members: Sequence[int],
    method: str,
) -> Combiner:
    given = [np.concatenate([said[choosers][one] for choosers in folds]) for one in members]
    return Combiner.fit(given, np.concatenate([truth[choosers] for choosers in folds]), method)


def _combiners(
    said: Mapping[Groups, list[Floats]],
    truth: Mapping[Groups, NDArray[np.intp]],
    found: Sequence[Member],
    kinds: Sequence[str],
    method: str,
) -> dict[str, Combiner]:
    """One for each thing that may be there, of the members that it suffices for."""
    able = {kind: [at for at, one in enumerate(found) if fits(one.features, kind)] for kind in kinds}
    return {kind: _fit(said, truth, list(said), members, method) for kind, members in able.items()}


def _model(store: Store, folder: str) -> Bundle:
    return Bundle.from_files(read_bundle(store.folder(folder)), where=folder)


def _told(facts: Mapping[str, Any], question: Question) -> dict[str, Any]:
    return {**facts, "left_out": list(question.judges)}


def _ask(
    bundle: FusedBundle, found: Sequence[Member], at: Sequence[NDArray[np.intp]], which: NDArray[np.intp]
) -> Floats:
    """The bundle's own way from raw features: every set's rows for those of the common takes."""
    X: dict[str, Any] = {}
    for one, where in zip(found, at, strict=True):
        raw: Any = one.data.raw
        if one.rows.frames is not None:
            X.setdefault(one.features, raw[where[which]])
            continue
        names = parts_of(one.features)
        starts = [0, len(one.rows.columns)]
        if len(names) > 1:
            sizes = [sum(column.startswith(f"{name}.") for column in one.rows.columns) for name in names]
            starts = np.cumsum([0, *sizes]).tolist()
        for name, start, end in zip(names, starts, starts[1:], strict=False):
            X.setdefault(name, raw[where[which]][:, start:end])
    return bundle.predict_proba(X, found[0].data.people[at[0][which]])


def _final(
    store: Store,
    found: Sequence[Member],
    *,
    at: Sequence[NDArray[np.intp]],
    codes: NDArray[np.intp],
    kinds: Sequence[str],
    chosen: dict[str, Choice],
    folds: Folds,
    judged: Mapping[str, NDArray[np.intp]],
    combiners: Mapping[str, Mapping[str, Combiner]],
) -> tuple[str, dict[str, Combiner], dict[str, Calibration]] | None:
    """Method, combiners and calibrations of the model that is kept, fitted on what the members said of judged takes.

    The method is the one that was chosen for most judges. Calibrations are fitted on what each judge's own combiners
    make of it, for all that may be there. None where a member kept no model (leaky runs).
    """
    if not all(one.final for one in found):
        return None
    methods = [str(choice.candidate.params["method"]) for choice in chosen.values()]
    method = max(METHODS, key=methods.count)
    mean = float(np.mean([choice.uar for choice in chosen.values()]))
    chosen[FINAL] = Choice(FINAL, Candidate(FUSION, {"method": method}), None, mean, len(METHODS), FUSION)
    said, every = [], np.concatenate(list(judged.values()))
    for one, where in zip(found, at, strict=True):
        frame = store.folder(f"runs/{one.run}").read_table("predictions.parquet").to_pandas()
        mine = frame[frame["family"] == one.family].set_index("take")
        takes = one.rows.clips["take"].to_numpy(dtype=np.str_)[where[every]]
        said.append(mine.loc[takes, [f"p_{word}" for word in EMOTIONS]].to_numpy(dtype=np.float64))
    everyone: Groups = tuple(folds.actors)
    fitted = _combiners({everyone: said}, {everyone: codes[every]}, found, kinds, method)
    question = np.repeat(list(judged), [len(where) for where in judged.values()])
    calibrations = {}
    for kind in kinds:
        able = [some for one, some in zip(found, said, strict=True) if fits(one.features, kind)]
        p = np.zeros((len(every), len(EMOTIONS)))
        for name in judged:
            p[question == name] = combiners[name][kind].apply([some[question == name] for some in able])
        calibrations[kind] = Calibration.fit(p, codes[every], question)
    return method, fitted, calibrations


def _keep(
    store: Store,
    ledger: Ledger,
    found: Sequence[Member],
    *,
    final: tuple[str, dict[str, Combiner], dict[str, Calibration]],
    scores: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> str:
    """Pack the models that the members kept; where the model lies."""
    noted = f"kept-{FUSION}.json"
    if ledger.folder.exists(noted):
        home = store.folder(json.loads(ledger.folder.read(noted))["model"])
    else:
        prefix = ("made-" if facts["made"] else "") + ("enrolled-" if facts["enrolled"] else "")
        home = store.new_model(f"{prefix}{FUSION}-{facts['features']}")
        ledger.folder.write(noted, json.dumps({"model": home.name, "checked": True}).encode())
    models = tuple(_model(store, one.final) for one in found)
    method, combiners, calibrations = final
    bundle = FusedBundle(models, combiners, method, scores, dict(facts), calibrations=calibrations)
    write_bundle(home, bundle.to_files())
    return home.path()
