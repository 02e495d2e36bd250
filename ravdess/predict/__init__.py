"""Ask a model: files or sound in, answers out, with what speaks against each. Needs no Ray and no store.

`predictor` judges, `windows` cuts long recordings, `remarks` says what is no voice, `decoder` reads files in the
limited process of `worker`.
"""

from ravdess.predict.decoder import Decoder, Sound
from ravdess.predict.predictor import NOT_SURE, Answer, Predictor
from ravdess.predict.worker import Limits, Worker

__all__ = ["NOT_SURE", "Answer", "Decoder", "Limits", "Predictor", "Sound", "Worker"]
