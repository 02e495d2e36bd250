"""The memory of a run: what was asked, and every finished trial, so that a killed search goes on where it was.

A **request** is everything that fixes a search's numbers. Its hash names the run, so the same command finds its own
unfinished run again; under a name that people chose, another request is refused and the difference is said.
Every file is written whole or not at all, one small file a trial.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ravdess.errors import RunMismatch
from ravdess.search.plan import Candidate, Scores, Trial

if TYPE_CHECKING:
    from ravdess.families import Family
    from storage import Folder, Store

Record = dict[str, Any]
"""A finished trial as JSON values."""

REQUEST: Final = "request.json"
SUMMARY: Final = "summary.json"
"""Written last: a run that has it is finished."""
BUNDLE: Final = "bundle.json"
"""A model whose folder has it is complete."""


def family_identity(family: Family) -> dict[str, Any]:
    """What of a family fixes a search: its space, its defaults and its stages."""
    space = {name: {"kind": type(domain).__name__, **asdict(domain)} for name, domain in family.space.items()}
    return {"space": space, "defaults": dict(family.defaults), "stages": [family.stage_parameter, *family.stages]}


def plain(value: Any) -> Any:
    """`value` as it comes back from JSON, so that what was asked and what was read compare."""
    return json.loads(json.dumps(value, sort_keys=True))


def request_hash(request: Mapping[str, Any]) -> str:
    """8 hex digits of the request."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:8]


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two requests differ, as "field: old → new", one line a field."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in sorted({*old, *new}):
            at = f"{path}.{key}" if path else str(key)
            if key not in old:
                lines.append(f"{at}: absent → {_short(new[key])}")
            elif key not in new:
                lines.append(f"{at}: {_short(old[key])} → absent")
            else:
                lines += differences(old[key], new[key], at)
        return lines
    return [] if old == new else [f"{path}: {_short(old)} → {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


class Ledger:
    """One run's folder in the store."""

    def __init__(self, store: Store, run: str, request: Mapping[str, Any]) -> None:
        """Open the run for this request, or begin it.

        Raises
        ------
        RunMismatch
            The run was begun for another request; the message says every difference.
        """
        self.run = run
        self._store = store
        self.folder: Folder = store.folder(f"runs/{run}")
        self._trials: Folder = store.folder(f"runs/{run}/trials")
        self.scratch: Folder = store.folder(f"runs/{run}/scratch")
        self.resumed = self.folder.exists(REQUEST)
        self._records: dict[str, Record] = {}
        if not self.resumed:
            self.folder.write(REQUEST, _json(request))
        elif changed := differences(json.loads(self.folder.read(REQUEST)), plain(request)):
            listed = "; ".join(changed)
            raise RunMismatch(
                f"run {run!r} was begun with another request ({listed}); ask the same again, or choose another --run"
            )
        else:
            self._records = {name: json.loads(self._trials.read(name)) for name in self._trials.list()}

    @property
    def summary(self) -> dict[str, Any] | None:
        """What the run found, or None while it is unfinished."""
        return json.loads(self.folder.read(SUMMARY)) if self.folder.exists(SUMMARY) else None

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, which makes the run finished; half-made trainings are of no use any more."""
        self.folder.write(SUMMARY, _json(summary))
        for name in self.scratch.list():
            self.scratch.remove(name)

    def write(self, record: Record) -> None:
        """Keep a finished trial. Fits that an earlier record of the same trial holds beside these are kept."""
        parts = [record["round"], record["family"], record["question"], record["candidate"]]
        name = f"{'-'.join(part for part in parts if part).replace('/', '_')}.json"
        fits = {tuple(fit["excluded"]): fit for fit in self._records.get(name, {"fits": []})["fits"]}
        for fit in record["fits"]:
            old = fits.get(tuple(fit["excluded"]), {"curves": []})
            if "error" not in fit or not old["curves"]:
                more = [curve for curve in old["curves"] if curve[0] not in [mine[0] for mine in fit["curves"]]]
                fits[tuple(fit["excluded"])] = {**fit, "curves": [*more, *fit["curves"]]}
        self._records[name] = {**record, "fits": list(fits.values())}
        self._trials.write(name, _json(self._records[name]))

    @property
    def records(self) -> list[Record]:
        """Every trial that finished, now or in an earlier run, in the order of their names."""
        return [self._records[name] for name in sorted(self._records)]

    def model(self, family: str, fold: str) -> Folder:
        """Where the model is kept that was fitted without `fold`."""
        return self._store.folder(f"runs/{self.run}/folds/{family}/{fold.replace('/', '_')}")


def unfinished_like(store: Store, run: str, request: Mapping[str, Any]) -> list[str]:
    """Why an unfinished run of the same families, features and protocol is not gone on with: one sentence a run."""
    notes = []
    for other in store.runs():
        folder = store.folder(f"runs/{other}")
        if other == run or folder.exists(SUMMARY) or not folder.exists(REQUEST):
            continue
        old, new = json.loads(folder.read(REQUEST)), plain(request)
        if all(old.get(key) == new[key] for key in ("features", "protocol")) and {*old["families"]} == {
            *new["families"]
        }:
            changed = differences(old, new)
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            notes.append(
                f"unfinished run {other} is another request ({'; '.join(changed[:3])}{more}), so this is a new run"
            )
    return notes


def write_bundle(folder: Folder, files: Mapping[str, bytes]) -> None:
    """Write a bundle's files, the one that makes it complete last."""
    for name in sorted(files, key=lambda name: (name == BUNDLE, name)):
        folder.write(name, files[name])


def read_bundle(folder: Folder) -> dict[str, bytes]:
    """A bundle's files as they stand in the store."""
    return {name: folder.read(name) for name in folder.list()}


def record_of(trial: Trial, fits: list[dict[str, Any]], **more: Any) -> Record:
    """What the ledger keeps of a finished trial."""
    return {
        "family": trial.candidate.family,
        "candidate": trial.candidate.id,
        "params": trial.candidate.params,
        "round": trial.round,
        "question": trial.question,
        "fits": fits,
        **more,
    }


def lost_record(trial: Trial, reason: str) -> Record:
    """The record of a trial whose worker died: every fit failed for that reason. It is tried again on resume."""
    return record_of(
        trial, [{"excluded": list(left_out), "curves": [], "error": reason, "seconds": 0.0} for left_out in trial.fits]
    )


def learn(scores: Scores, record: Record) -> None:
    """Add a record's curves, and the reasons of the fits that failed, to `scores`."""
    candidate = Candidate(record["family"], record["params"])
    for fit in record["fits"]:
        excluded = tuple(fit["excluded"])
        if "error" in fit:
            scores.fail(candidate, excluded, fit["error"])
        else:
            scores.add(candidate, excluded, {tuple(choosers): curve for choosers, curve in fit["curves"]})


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True).encode()
