"""Ask a model: files, sound or pictures in, answers out, with what speaks against each. Needs no Ray and no store.

`predictor` judges, `senses` tells what a model takes and `asking` makes it, `stretches` and `windows` cut long
recordings, `remarks` says what is no voice and no face, `decoder` reads files in the limited processes of `worker`.
"""

from ravdess.predict.answer import NOT_SURE, Answer
from ravdess.predict.decoder import Decoder, Scene, Sound
from ravdess.predict.predictor import Predictor
from ravdess.predict.stretches import Stretch
from ravdess.predict.worker import Limits, Worker

__all__ = ["NOT_SURE", "Answer", "Decoder", "Limits", "Predictor", "Scene", "Sound", "Stretch", "Worker"]
