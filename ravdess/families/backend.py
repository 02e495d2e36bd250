"""TensorFlow and Keras, brought up in the same way by whoever trains or asks a network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def tensorflow(threads: int, *, onednn: bool = True) -> tuple[Any, Any]:
    """TensorFlow and Keras, quiet, and on `threads` threads where this process has not used them before.

    With `onednn`, convolutions are a third faster, though sums depend on the machine; the first caller decides.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", str(int(onednn)))
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several fits share one GPU
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _speechless():
        import keras
        import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"networks need Keras on TensorFlow, not on {keras.backend.backend()}: unset KERAS_BACKEND")
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:  # TensorFlow has begun: its pools keep the size of the first use
            pass
    return tf, keras


@contextmanager
def _speechless() -> Iterator[None]:
    """For a while, nothing reaches stderr: oneDNN greets there from C++, before any setting can stop it."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
