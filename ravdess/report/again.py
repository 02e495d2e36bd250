"""The command that makes a run again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from ravdess.report.read import Run

SAID: Final = (
    "ravdess", "families", "features", "fingerprint", "rows", "protocol", "folds", "choosers",
    "seed", "samples", "grid", "search", "asha", "normalise", "augment", "members",
)  # fmt: skip
"""What of a request the command says; whatever else was asked is told beside it."""


def command(run: Run, store: str) -> str:
    """The shell command that asks for the run again, on a store that holds the same table.

    On the store that holds the run it finds it finished and only prints it.
    """
    asked = run.request
    words = ["python", "jobs/tune.py", "--store", store, "--family", ",".join(asked["families"])]
    if "members" in asked:
        words += ["--members", ",".join(asked["members"]), "--seed", str(asked["seed"])]
        return shlex.join([*words, *([] if run.name.endswith(_hash(asked)) else ["--run", run.name])])
    words += ["--features", str(asked["features"]), "--protocol", str(asked["protocol"])]
    if asked["protocol"] == "holdout":
        judges = sorted(group for fold in asked["folds"].values() for group in fold)
        words += ["--test-actors", ",".join(group.rpartition("/")[2] for group in judges)]
    words += ["--samples", str(asked["samples"])]
    if asked["search"] == "random":
        words += ["--grid", "all" if asked["grid"] is None else str(asked["grid"])]
    else:
        words += ["--search", str(asked["search"])]
    words += ["--asha"] if asked.get("asha") else []
    words += ["--normalise", str(asked["normalise"])] if asked.get("normalise") else []
    words += ["--augment"] if asked.get("augment") else []
    rows = asked["rows"]
    words += ["--channel", str(rows["channel"])] if rows["channel"] != "speech" else []
    words += ["--corpus", str(rows["corpus"])] if rows["corpus"] != "ravdess" else []
    words += ["--seed", str(asked["seed"])]
    if not run.name.endswith(_hash(asked)):
        words += ["--run", run.name]
    return shlex.join(words)


def also_asked(run: Run) -> dict[str, Any]:
    """What the request holds that `command` does not say."""
    return {name: value for name, value in run.request.items() if name not in SAID}


def _hash(request: Mapping[str, Any]) -> str:
    from hashlib import sha256
    from json import dumps

    return sha256(dumps(request, sort_keys=True).encode()).hexdigest()[:8]
