"""TensorFlow and Keras, brought up in the same way by whoever trains or asks a network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
def precision(keras: Any, name: str) -> Iterator[None]:
    """For a while, layers are made that compute in float32, or in bfloat16 with weights of float32."""
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if name == "bfloat16" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(usual)


def quick_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 faster than in float32: an instruction or a GPU is made for it."""
    import tensorflow as tf

    if gpus := tf.config.list_physical_devices("GPU"):
        return bool(tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


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
