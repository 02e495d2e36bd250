"""One take: all frame sets that are asked for, from one decoding."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadClip, Reject
from ravdess.frames import LARGEST_TAKE, FrameSet, Pictures
from ravdess.picture import faces
from ravdess.picture.decode import decoded, picked
from ravdess.picture.film import Film, film
from ravdess.picture.planes import stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.picture.planes import Planes

    Image = NDArray[np.uint8]
    Facts = tuple[float, ...]
    Emit = Callable[[int, Image], object]

SEEN: Final = 32
"""Picked pictures from which the face's square is told: 5.3 s, all of nearly every take of the corpus. A longer clip
keeps the square of its beginning, so that memory does not grow with it."""


def pictures(
    source: bytes | str | os.PathLike[str],
    sets: Sequence[FrameSet],
    *,
    face: Callable[[int, faces.Face], object] | None = None,
    name: str = "",
) -> list[Pictures | Reject]:
    """Make frame sets from one video file, decoding it once.

    Parameters
    ----------
    source : bytes, path or address
        A whole file, where one lies, or an address that `ravdess.corpora.read_bytes` understands.
    sets : sequence of FrameSet
        Made from pictures, as in `ravdess.picture.sets`.
    face : callable, optional
        ``face(place, square)``: where the face of ``sets[place]`` is, for a set of faces.
    name : str
        The clip's name, for errors; a path needs none.

    Returns
    -------
    list, one a set
        Its pictures, or the Reject that says why that set cannot hold the clip.

    Raises
    ------
    BadClip
        The file cannot be used at all: no video, cut short, damaged, too large.
    BadSource
        A set's face detector is not there.
    """
    made: list[Image | None] = [None] * len(sets)
    filled = [0] * len(sets)

    def begin(place: int, count: int) -> None:
        made[place] = np.empty((count, *sets[place].shape), np.uint8)

    def emit(place: int, frame: Image) -> None:
        whole = made[place]
        if whole is None or filled[place] == len(whole):
            raise BadClip("broken: it holds more pictures than its packets said")
        whole[filled[place]] = frame
        filled[place] += 1

    outcome = stream(source, sets, emit, begin=begin, face=face, name=name)
    result: list[Pictures | Reject] = []
    for place, facts in enumerate(outcome):
        frames = made[place]
        result.append(Reject(*facts) if frames is None else Pictures(frames[: filled[place]], facts))  # type: ignore[arg-type]
    return result


def stream(
    source: bytes | str | os.PathLike[str],
    sets: Sequence[FrameSet],
    emit: Emit,
    *,
    begin: Callable[[int, int], object] | None = None,
    face: Callable[[int, faces.Face], object] | None = None,
    name: str = "",
    spooled: bool = False,
) -> list[Facts | Reject]:
    """As `pictures`, handing on each frame as it is made, so that no clip is too long for the memory.

    Parameters
    ----------
    source, sets, face, name
        As in `pictures`.
    emit : callable
        ``emit(place, frame)``: `frame` is the next one of ``sets[place]`` [shape=(h, w, c), dtype=uint8].
    begin : callable, optional
        ``begin(place, count)`` before the first frame of a set: how many it gets at most.
    spooled : bool
        Pictures wait for the face's square in a file without a name, not in memory: 1 MB each of 1280x720. A frame
        then stands only until `emit` returns.

    Returns
    -------
    list, one a set
        The numbers of its columns, or a Reject; a rejected set got no frame.
    """
    try:
        with _one_thread(), film(source) as one:
            return _streamed(one, sets, emit, begin, face, spooled=spooled)
    except BadClip as error:
        if name:
            error.add_note(f"in {name}")
        raise


def _streamed(
    one: Film,
    sets: Sequence[FrameSet],
    emit: Emit,
    begin: Callable[[int, int], object] | None,
    face: Callable[[int, faces.Face], object] | None,
    *,
    spooled: bool,
) -> list[Facts | Reject]:
    result: list[Facts | Reject] = [()] * len(sets)
    picks: dict[int, range] = {}
    makers: dict[str, _Whole | _Face] = {}
    of_set: dict[int, _Whole | _Face] = {}
    for place, frame_set in enumerate(sets):
        told = frame_set.parameters
        pick = picked(one.count, told["stride"], told["start"], told["stop"])  # type: ignore[arg-type]
        if problem := _problem(one, frame_set, pick):
            result[place] = Reject("extract", problem)
            continue
        if begin is not None:
            begin(place, len(pick))
        picks[place] = pick
        # Sets that look for the same face in the same pictures look once.
        key = f"{told['face']}{pick}" if told["part"] == "face" else f"{place}"
        if key not in makers:
            face_set = told["part"] == "face"
            makers[key] = _Face(told["face"], pick, _Spool() if spooled else []) if face_set else _Whole(told, pick)
        maker = makers[key]
        maker.sets.append((place, frame_set))
        of_set[place] = maker
    if not makers:
        return result
    wanted = set().union(*picks.values()) if len(set(picks.values())) > 1 else next(iter(picks.values()))
    came = 0
    for number, planes in decoded(one, wanted):
        came += 1
        for maker in makers.values():
            if number in maker.pick:
                maker.add(planes, emit)
    if not came:
        raise BadClip("damaged: none of the wanted pictures can be decoded")
    for maker in makers.values():
        maker.end(emit)
    for place, maker in of_set.items():
        result[place] = (one.frame_rate, *maker.facts)
        if face is not None and isinstance(maker, _Face) and maker.square is not None:
            face(place, maker.square)
    return result


def _problem(one: Film, frame_set: FrameSet, pick: range) -> str:
    """Why a set cannot hold this film, or nothing."""
    if not pick:
        return f"it has {one.count} pictures, and none of them is among {pick}"
    size = len(pick) * frame_set.frame_bytes
    if size > LARGEST_TAKE:
        return (
            f"{len(pick)} pictures of {frame_set.frame_bytes} bytes are {size / 1e6:.0f} MB, and a take has at most "
            f"{LARGEST_TAKE / 1e6:.0f} MB; cut the clip first, or ask for a smaller set"
        )
    return ""


@dataclass
class _Whole:
    """Makes one set of whole pictures."""

    told: Any
    pick: range
    sets: list[tuple[int, FrameSet]] = field(default_factory=list)
    facts: tuple[float, ...] = ()

    def add(self, planes: Planes, emit: Emit) -> None:
        for place, frame_set in self.sets:
            height, width, channels = frame_set.shape
            part = planes.part(self.told["aspect"])
            emit(place, part.grey(width, height)[:, :, None] if channels == 1 else part.rgb(width, height))

    def end(self, emit: Emit) -> None:
        pass


@dataclass
class _Face:
    """Makes the sets of one face: waits for SEEN pictures, tells the square, and cuts it out of them and the rest."""

    how: Any
    pick: range
    waiting: list[Image] | _Spool
    sets: list[tuple[int, FrameSet]] = field(default_factory=list)
    full: bool = False
    square: faces.Face | None = None

    @property
    def facts(self) -> tuple[float, ...]:
        assert self.square is not None
        return (self.square.found, self.square.x, self.square.y, self.square.size)

    def add(self, planes: Planes, emit: Emit) -> None:
        self.full = planes.full
        if self.square is not None:
            self._cut(planes.y, emit)
            return
        # In memory a copy: the decoder would otherwise keep three planes for each.
        self.waiting.append(planes.y if isinstance(self.waiting, _Spool) else planes.y.copy())
        if len(self.waiting) == min(SEEN, len(self.pick)):
            self.end(emit)

    def end(self, emit: Emit) -> None:
        if self.square is None and self.waiting:
            self.square = faces.face(self.waiting, self.how)
            for luma in self.waiting:
                self._cut(luma, emit)
            self.waiting.clear()

    def _cut(self, luma: Image, emit: Emit) -> None:
        assert self.square is not None
        for place, frame_set in self.sets:
            crop = self.square.crop(luma, frame_set.shape[0])
            emit(place, stretch(crop, full=self.full)[:, :, None])


class _Spool(Sequence[Any]):
    """Pictures of one size in a file without a name; each is read when it is asked for, in the place of the last."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `clear`
        self._count = 0
        self._picture = np.empty((0, 0), np.uint8)

    def append(self, picture: Image) -> None:
        self._file.write(np.ascontiguousarray(picture).data)
        if not self._count:
            self._picture = np.empty_like(picture)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if at >= self._count:
            raise IndexError(at)
        picture = self._picture
        self._file.seek(at * picture.nbytes)
        self._file.readinto(picture.data)
        return picture

    def clear(self) -> None:
        self._file.close()
        self._count = 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV on one thread: a worker has one processor, and pictures this small gain nothing from more."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
