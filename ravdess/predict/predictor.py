"""From a file to an answer: what the model says, how sure it may be, and what speaks against asking it at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.errors import BadClip, BadTable
from ravdess.predict import remarks
from ravdess.predict.answer import NOT_SURE, Answer
from ravdess.predict.asking import Asked, Given, asked_of
from ravdess.predict.decoder import Decoder, Sound
from ravdess.predict.stretches import Stretch, by_both, by_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.bundle import Bundle
    from ravdess.fused import FusedBundle

    Wave = tuple[NDArray[np.float32], int]


class Predictor:
    """A bundle that hears, sees, or does both. It may be used by several threads.

    Parameters
    ----------
    bundle : Bundle or FusedBundle
        Of registered feature sets and frame sets. A fusion may have members besides, of features that no file gives.
    decoder : Decoder, optional
        What reads files; one is started when a file is first read.

    Raises
    ------
    BadBundle
        The bundle's features cannot be made from files here.

    Examples
    --------
    >>> predictor = Predictor(Bundle.load(folder))  # doctest: +SKIP
    >>> predictor.file("speech.mp3")[0].emotion  # doctest: +SKIP
    'happy'
    """

    def __init__(self, bundle: Bundle | FusedBundle, decoder: Decoder | None = None) -> None:
        self.bundle = bundle
        self._asked: Asked = asked_of(bundle)
        self._decoder = decoder or Decoder()

    @property
    def hears(self) -> bool:
        """Whether sound alone is enough for an answer."""
        return self._asked.senses.hears

    @property
    def sees(self) -> bool:
        """Whether it has a use for pictures."""
        return self._asked.senses.sees

    @property
    def sights(self) -> tuple[str, ...]:
        """The frame sets that it takes of pictures."""
        return self._asked.senses.sights

    @property
    def note(self) -> str:
        """What of the model no file gives, as a sentence; "" when files give it all."""
        return self._asked.note

    def file(
        self, source: bytes | os.PathLike[str] | str, *, name: str = "", enrol: Given | None = None
    ) -> list[Answer]:
        """Decode a file within limits and judge it.

        Parameters
        ----------
        source : bytes or path
            A whole file, or where it lies.
        name : str
            What the answers call it; a path needs none.
        enrol : optional
            As of `hear`.

        Returns
        -------
        list of Answer
            One of a file of up to 8 s; of a longer one, one for each window of 3 s, each second, in which something is
            heard or, by a model that sees, a face was found. Never empty: where there is nothing, one says so.

        Raises
        ------
        BadClip
            It cannot be read; the message says why.
        """
        name = name or ("" if isinstance(source, bytes) else Path(source).stem)
        _, stretches = self.gather(source, name=name)
        return [self.judge(one, clip=name, enrol=enrol) for one in stretches]

    def gather(
        self,
        source: bytes | os.PathLike[str] | str,
        *,
        name: str = "",
        decoder: Decoder | None = None,
        listen: bool = False,
    ) -> tuple[Sound | None, list[Stretch]]:
        """Decode a file, and cut it into what is judged one by one.

        Parameters
        ----------
        source, name
            As of `file`.
        decoder : Decoder, optional
            Another than its own.
        listen : bool
            Whether sound is wanted even of a model that sees only.

        Returns
        -------
        sound : Sound or None
            None where there is none, or it is not wanted.
        stretches : list of Stretch
            What `judge` takes; never empty.

        Raises
        ------
        BadClip
            Nothing that the model takes can be read.
        """
        decoder = decoder or self._decoder
        data = decoder.whole(source)
        sound, deaf = None, ""
        if self.hears or listen:
            try:
                sound = decoder.read(data, name=name)
            except BadClip as error:
                if not self.sees:
                    raise
                deaf = str(error)
        if not self.sees:
            assert sound is not None
            return sound, by_sound(sound)
        try:
            scenes = decoder.watch(
                data, self.sights, seconds=len(sound.y) / sound.sr if sound and self.hears else 0.0, name=name
            )
        except BadClip as error:
            if deaf and self.hears:
                raise BadClip(f"its sound: {deaf}; its pictures: {error}") from error
            if not self.hears or sound is None:
                raise
            return sound, [one.without_pictures(str(error)) for one in by_sound(sound)]
        return sound, by_both(scenes, sound if self.hears else None, deaf if self.hears else "")

    def decode(self, source: bytes | os.PathLike[str] | str, *, name: str = "") -> Sound:
        """The sound of a file, by the decoder's process. Raises BadClip."""
        return self._decoder.read(source, name=name)

    def timeline(self, y: NDArray[np.float32], sr: int, *, clip: str = "", enrol: Given | None = None) -> list[Answer]:
        """Judge sound of any length: up to 8 s whole, more by a window of 3 s each second where something is heard.

        Parameters are those of `hear`. Never empty: all silence gives one answer that says so.
        """
        return [self.judge(one, clip=clip, enrol=enrol) for one in by_sound(Sound(y, sr))]

    def hear(
        self,
        y: NDArray[np.float32],
        sr: int,
        *,
        clip: str = "",
        start: float = 0.0,
        enrol: Given | Sequence[Wave] | None = None,
    ) -> Answer:
        """Judge one utterance by its sound.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)]
            Mono samples, -1 ... 1.
        sr : int > 0
            Rate in Hz.
        clip : str
            What the answer calls it.
        start : float
            Where it begins in the file, in seconds.
        enrol : what `enrolment` returned, or sequence of (y, sr), optional
            Who speaks, for an enrolled model: as it was learnt, or the clips that it takes.

        Raises
        ------
        BadClip
            Not finite, far beyond full scale, of an impossible rate, or too long.
        BadTable
            The model is enrolled and `enrol` is not given, or the other way round; or it does not hear.
        """
        return self.judge(Stretch(start, start + len(y) / sr, Sound(y, sr)), clip=clip, enrol=enrol)

    def judge(self, stretch: Stretch, *, clip: str = "", enrol: Given | Sequence[Wave] | None = None) -> Answer:
        """Judge one stretch of a file, or of what a microphone and a camera give, by what of it is there.

        A fusion passes over sound that is silent and pictures without a face where the other is there, and says so.
        A model that only sees is asked in any case, but what shows no face leaves it "not sure".

        Parameters
        ----------
        stretch : Stretch
        clip, enrol
            As of `hear`.

        Raises
        ------
        BadClip, BadTable
            As `hear`.
        """
        if self.bundle.enrolled and enrol is None:
            raise BadTable(
                "this model is enrolled: it measures a voice against other clips of the same person; give some (enrol)"
            )
        if enrol is not None and not self.bundle.enrolled:
            raise BadTable("this model is not enrolled: it takes every voice as it is, so give no clips to enrol")
        who = self.enrolment(enrol) if isinstance(enrol, Sequence) else enrol
        about: dict[str, Any] = {"clip": clip, "start": stretch.start, "end": stretch.end}
        sound = stretch.sound if self.hears else None
        scene = stretch.scene if self.sees and stretch.scene is not None and stretch.scene.takes else None
        if sound is None and scene is None:
            raise BadTable("this model takes pictures only, and there are none: look into the camera, or give a film")
        noted, against = list(stretch.noted), []
        if sound is not None:
            if not np.isfinite(sound.y).all():
                raise BadClip("not finite: it holds NaN or infinite samples")
            if nothing := remarks.silence(*sound):
                noted.append(nothing)
                sound = None
        if scene is not None and not scene.face:
            if sound is not None:
                noted.append(remarks.NO_FACE)
                scene = None
            else:
                against.append(remarks.NO_FACE)
        if sound is None and scene is None:
            return Answer(NOT_SURE, remarks=tuple(noted), **about)
        if scene is not None and scene.several:
            against.append(remarks.SEVERAL)
        p, honest, threshold, distance = self._asked.ask(sound, {} if scene is None else scene.takes, who)
        against += [one for one in (remarks.music(*sound) if sound else "", remarks.far(distance)) if one]
        sure = not against and honest.max() >= threshold
        return Answer(
            emotion=self.bundle.labels[int(p.argmax())] if sure else NOT_SURE,
            probabilities=dict(zip(self.bundle.labels, p.tolist(), strict=True)),
            calibrated=dict(zip(self.bundle.labels, honest.tolist(), strict=True)),
            remarks=(*against, *noted),
            distance=distance,
            by=tuple(word for word, there in (("sound", sound), ("picture", scene)) if there is not None),
            **about,
        )

    def enrolment(self, voices: Sequence[Wave]) -> Given:
        """Learn how one person sounds from that person's own clips, without labels, for an enrolled model.

        Parameters
        ----------
        voices : sequence of (y, sr)
            Better ten or more, of different emotions: what is not varied here is not told apart later. The fewer there
            are, the more this person is taken to be like the usual speaker.

        Raises
        ------
        BadClip
            One of them is silent or broken.
        BadTable
            The model is not enrolled.
        """
        for y, sr in voices:
            self.check(y, sr)
        return self._asked.enrol([Sound(y, sr) for y, sr in voices])

    def check(self, y: NDArray[np.float32], sr: int) -> None:
        """Raise BadClip when there is no voice in `y` to learn from."""
        if nothing := remarks.silence(y, sr):
            raise BadClip(nothing)

    @property
    def most_bytes(self) -> int:
        """Of a file."""
        return self._decoder.limits.given

    def close(self) -> None:
        """End the decoder's processes."""
        self._decoder.close()

    def __enter__(self) -> Predictor:
        self._decoder.start(sees=self.sees)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
