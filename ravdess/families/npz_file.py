"""Reading a model's plain arrays: nothing is unpickled, and whatever is wrong with the file is a BadBundle."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from ravdess.errors import BadBundle

MODEL: Final = "model.npz"


@contextmanager
def reading(folder: Path, what: str) -> Iterator[Any]:
    """The arrays of ``model.npz`` in `folder`, by name, while what they make is put together.

    Raises
    ------
    BadBundle
        The file is absent, damaged or lacks an array, or the arrays in it are none that `what` is made of.
    """
    path = folder / MODEL
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except BadBundle as error:
        raise BadBundle(f"{path} holds {error}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise BadBundle(f"{path} cannot be read as {what}: {error}") from error
