"""Saving scikit-learn models without pickle: skops, and nothing but the one expected type comes back."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

from ravdess.errors import BadBundle

MODEL: Final = "model.skops"


def dump(model: object, folder: Path) -> None:
    """Write `model` as ``model.skops`` into `folder`."""
    from skops import io

    io.dump(model, folder / MODEL, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


def load(folder: Path, kind: type, trusted: tuple[str, ...] = ()) -> Any:
    """Read ``model.skops`` from `folder`.

    Parameters
    ----------
    kind : type
        The only type that may come back; a subclass is refused as well.
    trusted : tuple of str
        Types beyond skops's own safe ones. The caller checks what they hold.

    Raises
    ------
    BadBundle
        The file is absent, damaged, holds a type that is not trusted, or is no `kind`.
    """
    from skops import io

    path = folder / MODEL
    try:
        model = io.load(path, trusted=list(trusted))
    except Exception as error:  # whatever a damaged or hostile file provokes; nothing of it has been executed
        raise BadBundle(f"{path} cannot be read as a trusted {kind.__name__}: {error}") from error
    if type(model) is not kind:
        raise BadBundle(f"{path} holds a {type(model).__name__}, expected {kind.__name__}")
    return model
