"""The clip that a row of a foreign table names, whatever stands around the name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ravdess.errors import BadName

if TYPE_CHECKING:
    from ravdess.corpora import ClipName

KEY_NAMES: Final = (
    "clip", "name", "take", "file", "filename", "file_name", "path", "filepath", "file_path", "clip_name", "stem",
    "video", "audio", "wav", "source", "id", "key", "utterance", "",
)  # fmt: skip
"""What the column of names is called, best first, in any case; "" is an unnamed one, as pandas writes its index."""

TAKE_AS: Final = "01"
"""A take without its modality stands for the audio-video file: all that could be measured of it is in there."""

_SHOWN: Final = 120
_TAKE = re.compile(r"[0-9]{2}(?:-[0-9]{2}){5}")


def clip_of(text: str, parse: Callable[[str], ClipName]) -> ClipName:
    """The clip that a cell names: a file's name or a take's, with or without folder and ending.

    Parameters
    ----------
    text : str
        As in "Actor_12/03-01-06-01-02-01-12.wav", "03-01-06-01-02-01-12" or "01-06-01-02-01-12".
    parse : callable
        The naming rule, `Corpus.parse`.

    Raises
    ------
    BadName
        With the reason why it is no clip.
    """
    name = re.split(r"[/\\]", text.strip())[-1]
    if not name:
        raise BadName("no clip name: the cell is empty" if not text.strip() else f"{text!r} names a folder, no clip")
    reason = BadName(f"{name[:_SHOWN]!r} is no clip name")
    for stem in dict.fromkeys((name, name.rpartition(".")[0], name.partition(".")[0])):
        if _TAKE.fullmatch(stem):
            stem = f"{TAKE_AS}-{stem}"  # noqa: PLW2901  # the same name, made whole
        if stem:
            try:
                return parse(stem)
            except BadName as error:
                reason = BadName(str(error).replace(repr(stem), repr(stem[:_SHOWN])))
    raise reason
