"""The files of a bundle: listed with their SHA-256 in ``bundle.json``, read once, and checked before they are used.

A checksum finds damage; it can't say who made a file. What is checked here is that nothing changed since the bundle
was saved, that no listed name leads out of its folder, and that the features still mean the numbers they meant.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ravdess.errors import BadBundle

INDEX: Final = "bundle.json"
FORMAT: Final = 1
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TOLD: Final = ("family", "features", "fingerprint", "standardiser", "probe")
_LIBRARIES: Final = ("ravdess", "numpy", "scikit-learn", "skops", "lightgbm", "keras")
_EITHER: Final = ("xgboost", "xgboost-cpu", "tensorflow", "tensorflow-cpu")
"""Libraries that come in two builds, of which one is installed."""


def versions() -> dict[str, str]:
    """Of Python and of each library here that a model could have been made with."""
    import importlib.metadata
    import platform

    found = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *_EITHER):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a bundle tells, as it will be read again. Raises BadBundle for anything but finite JSON values."""
    try:
        return dict(json.loads(json.dumps(dict(told), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise BadBundle(f"params, scores and facts of a bundle must be finite JSON values: {error}") from error


def sealed(told: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` and, last, a ``bundle.json`` of `told` that lists them and carries its own checksum."""
    listed = {name: {"sha256": digest(data), "bytes": len(data)} for name, data in files.items()}
    whole = {"format": FORMAT, **plain(told), "files": listed}
    whole["sha256"] = digest(_canonical(whole))
    return {**files, INDEX: (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()}


def index(files: Mapping[str, bytes], where: str) -> dict[str, Any]:
    """What ``bundle.json`` tells, its own checksum checked. Raises BadBundle."""
    if INDEX not in files:
        raise BadBundle(f"{where} lacks {INDEX}, so it is no bundle or an unfinished one")
    try:
        told = json.loads(files[INDEX])
        made = told["format"]
        sealed_as = told.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadBundle(f"{INDEX} of {where} cannot be read: {error}; copy or save it again") from error
    if made != FORMAT:
        raise BadBundle(f"{where} has format {made}, this version of ravdess reads {FORMAT}")
    if sealed_as != digest(_canonical(told)):
        raise BadBundle(f"{INDEX} of {where} has changed since it was saved; copy or save it again")
    wrong = {"files", *_TOLD} - told.keys()
    if wrong or not all(isinstance(listed, dict) and "sha256" in listed for listed in told["files"].values()):
        raise BadBundle(f"{INDEX} of {where} is incomplete ({sorted(wrong)}); copy or save it again")
    return dict(told)


def checked(files: Mapping[str, bytes], where: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What ``bundle.json`` tells, and the files that it lists; all checksums and the features' fingerprint checked.

    Raises
    ------
    BadBundle
        Something is missing or changed, a listed name is no plain file name, or the feature set gives other numbers.
    """
    told = index(files, where)
    for name, listed in told["files"].items():
        if not _FILE.fullmatch(name) or name == INDEX:
            raise BadBundle(f"{where} lists {name!r}, which is no plain file name; it is not loaded")
        if name not in files:
            raise BadBundle(f"{where} lacks {name}; copy or save it again")
        if digest(files[name]) != listed["sha256"]:
            raise BadBundle(f"{name} of {where} has changed since it was saved; copy or save it again")
    _check_features(told, where)
    return told, {name: files[name] for name in told["files"]}


def read(folder: Path) -> dict[str, bytes]:
    """The files of a bundle that stand in `folder`, unchecked but for ``bundle.json``; others are not looked at."""
    if not (folder / INDEX).is_file():
        raise BadBundle(f"{folder} holds no {INDEX}, so it is no bundle or an unfinished one")
    first = (folder / INDEX).read_bytes()
    names = index({INDEX: first}, str(folder))["files"]
    found = [name for name in names if _FILE.fullmatch(name) and (folder / name).is_file()]
    return {**{name: (folder / name).read_bytes() for name in found}, INDEX: first}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle's files into `folder`, replacing one that stands there; ``bundle.json`` goes first, comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    for name, data in files.items():
        part = folder / f".{name}.part"
        part.write_bytes(data)
        part.replace(folder / name)


def _check_features(told: Mapping[str, Any], where: str) -> None:
    """Refuse a model whose feature set means other numbers now. A set that is not registered can't be checked."""
    from ravdess.frames import fingerprint_of

    name = told["features"]
    if (now := fingerprint_of(name)) not in ("", told["fingerprint"]):
        raise BadBundle(
            f"{where} was made from {name!r} with fingerprint {told['fingerprint']}, which here is {now}: "
            "the numbers differ, train it again"
        )


def terms(corpus_name: str) -> str:
    """What a corpus asks of models made from it."""
    from ravdess.corpora import CORPORA

    if corpus_name not in CORPORA:
        return f"Trained on {corpus_name!r}: ask for its terms."
    corpus = CORPORA[corpus_name]
    if corpus.made:
        return f"Trained on the {corpus.name} corpus, {corpus.description}; it knows nothing of real people."
    return (
        f"Trained on {corpus.name} ({corpus.source}), {corpus.licence}; a model made from it inherits these terms: "
        "name the source, no commercial use, share alike."
        if "NC" in corpus.licence
        else f"Trained on {corpus.name} ({corpus.source}), {corpus.licence}."
    )


def _canonical(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def digest(data: bytes) -> str:
    """SHA-256, as ``bundle.json`` lists it."""
    return hashlib.sha256(data).hexdigest()
