"""Where the face is: one square a take, steady over time.

A face is looked for in a few pictures of the take; the square is the median of what was found, with a margin. It does
not follow the head, so what moves in the crop is the face and not the box. A take in which no face is found gets the
square where the corpus has its faces, and its column `face_found` says how many of the pictures showed one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ravdess.errors import BadSource
from ravdess.picture.planes import shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Floats = NDArray[np.float64]
    Find = Callable[[Image], Floats]

LOOKED_AT: Final = 5
"""Pictures in which a face is looked for, spread evenly over those given."""
ENOUGH: Final = 1 / 3
"""Share of them that must show one."""
YUNET: Final = "RAVDESS_YUNET"
"""The environment variable that names the ONNX file of a YuNet detector."""

HAAR: Final[dict[str, Any]] = {
    "detector": "haar",
    "cascade": "haarcascade_frontalface_default",
    "height": 120,
    "scale_factor": 1.15,
    "neighbours": 4,
    "smallest": 0.25,
    "margin": 1.1,
    "shift": 0.02,
    "looked_at": LOOKED_AT,
    "enough": ENOUGH,
    "elsewhere": [0.5, 0.47, 0.6],
}
"""How the faces of a set are found, in shares of the picture's height: `smallest` face. The square is `margin` times
the median face, its middle `shift` of a face lower, for the chin; `elsewhere` (x as a share of the width, y, size) is
the square where none was found."""


class Face(NamedTuple):
    """A square in a picture, and how sure it is.

    Attributes
    ----------
    x, y : float
        Its middle, as shares of the picture's width and height.
    size : float in 0 ... 1
        Its side, as a share of the picture's height.
    found : float in 0 ... 1
        Share of the pictures looked at that showed a face. The square is `elsewhere` where that is less than `enough`.
    several : float in 0 ... 1
        Share of them that showed another face at least half as large.
    """

    x: float
    y: float
    size: float
    found: float
    several: float = 0.0

    def crop(self, luma: Image, side: int) -> Image:
        """The square out of a picture [shape=(h, w)], in another size [shape=(side, side)]."""
        height, width = luma.shape
        size = max(1, round(self.size * height))
        left, top = round(self.x * width - size / 2), round(self.y * height - size / 2)
        return shrink(luma[top : top + size, left : left + size], side, side)


def face(pictures: Sequence[Image], how: Mapping[str, Any] | None = None) -> Face:
    """The square of a take.

    Parameters
    ----------
    pictures : sequence of np.ndarray [shape=(h, w), dtype=uint8], at least one
        Luma or grey, all of one size.
    how : dict, optional
        Parameters as in `HAAR`, the default, or from `yunet`.

    Raises
    ------
    BadSource
        The detector that `how` asks for is not there, or is another.
    """
    how = how or HAAR
    height, width = pictures[0].shape
    find = _haar(how) if how["detector"] == "haar" else _yunet(how)
    low = min(int(how["height"]), height)
    wide = round(width * low / height)
    looked = {round(at) for at in np.linspace(0, len(pictures) - 1, int(how["looked_at"]))}
    faces = []
    several = 0
    for at in sorted(looked):
        boxes = find(shrink(pictures[at], wide, low))
        if len(boxes):
            faces.append(boxes[boxes[:, 2].argmax()])  # the largest: the actor stands in front
            several += int((boxes[:, 2] >= boxes[:, 2].max() / 2).sum()) > 1
    found = len(faces) / len(looked)
    if found < how["enough"]:
        x, y, size = how["elsewhere"]
    else:
        middle_x, middle_y, side = np.median(faces, axis=0) / low
        x, y = middle_x * low / wide, middle_y + how["shift"] * side
        size = side * how["margin"]
    size = min(size, 1.0, width / height)
    half = size / 2
    x = min(max(x, half * height / width), 1 - half * height / width)
    return Face(float(x), float(min(max(y, half), 1 - half)), float(size), found, several / len(looked))


def yunet(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Parameters that find faces by a YuNet detector (Wu et al. 2023, doi 10.1007/s11633-023-1423-y).

    The file's checksum is one of them, so sets made by another model have another fingerprint. Where it lies is not:
    a worker looks it up in the environment variable `YUNET`.

    Raises
    ------
    BadSource
        There is no such file.
    """
    return {
        "detector": "yunet",
        "model_sha256": hashlib.sha256(_model(file)).hexdigest(),
        "height": 360,
        "score": 0.7,
        "margin": 1.15,
        "shift": 0.0,
        "looked_at": LOOKED_AT,
        "enough": ENOUGH,
        "elsewhere": HAAR["elsewhere"],
    }


_own = threading.local()  # detectors keep state while they look, and loading one takes longer than using it


def _haar(how: Mapping[str, Any]) -> Find:
    import cv2

    cascade, factor, neighbours = str(how["cascade"]), float(how["scale_factor"]), int(how["neighbours"])

    def load() -> Any:
        return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"{cascade}.xml"))

    detector = _kept(cascade, load)

    def find(luma: Image) -> Floats:
        smallest = round(float(how["smallest"]) * len(luma))
        boxes = detector.detectMultiScale(luma, factor, neighbours, minSize=(smallest, smallest))
        return np.array([(x + w / 2, y + h / 2, (w + h) / 2) for x, y, w, h in boxes]).reshape(-1, 3)

    return find


def _yunet(how: Mapping[str, Any]) -> Find:
    import cv2

    def load() -> Any:
        file = os.environ.get(YUNET, "")
        content = _model(file)
        if hashlib.sha256(content).hexdigest() != how["model_sha256"]:
            raise BadSource(f"{YUNET}={file!r} is another model than the one that this frame set was defined with")
        return cv2.FaceDetectorYN.create("onnx", np.frombuffer(content, np.uint8), np.empty(0, np.uint8), (320, 320))

    detector = _kept(str(how["model_sha256"]), load)
    detector.setScoreThreshold(float(how["score"]))

    def find(luma: Image) -> Floats:
        detector.setInputSize(luma.shape[::-1])
        _, boxes = detector.detect(cv2.merge((luma, luma, luma)))
        if boxes is None:
            return np.empty((0, 3))
        return np.array([(x + w / 2, y + h / 2, max(w, h)) for x, y, w, h in boxes[:, :4]]).reshape(-1, 3)

    return find


def _kept(name: str, load: Callable[[], Any]) -> Any:
    """A detector of this thread's own, loaded once."""
    kept = _own.__dict__.setdefault("detectors", {})
    if name not in kept:
        kept[name] = load()
    return kept[name]


def _model(file: str | os.PathLike[str]) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadSource(
            f"no YuNet detector at {os.fspath(file)!r} ({error.strerror}); set {YUNET} to the path of its ONNX file "
            "on every machine"
        ) from None
