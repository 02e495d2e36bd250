"""The networks on sound: what of a voice reaches which of their parts."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ravdess.errors import BadParameter
from ravdess.networks import audio_cnn, audio_rnn

BANDS = (16, 1, 1)


def test_what_is_added_to_a_whole_band_reaches_only_the_level() -> None:
    inputs, heard, level = audio_cnn.entrance(keras, BANDS, 20)
    parts = keras.Model(inputs, [heard, *level])
    rng = np.random.default_rng(0)
    x = rng.uniform(40, 200, (2, 20, 16, 1)).astype(np.float32)
    voice = rng.uniform(-20, 20, (1, 1, 16, 1)).astype(np.float32)
    one, two = ([np.asarray(part) for part in parts(some)] for some in (x, x + voice))
    assert one[0].shape == (2, 20, 16)
    for at, name in enumerate(["heard", "mean", "spread", "greatest", "mean rise"]):
        assert np.allclose(one[at], two[at], atol=1e-4) == (name not in ("mean", "greatest")), name
    y = (x / 64 - 2) / np.sqrt(1 + 1e-3)  # the norm as it begins
    y = y[..., 0]
    np.testing.assert_allclose(one[2], np.abs(y - y.mean(axis=1, keepdims=True)).mean(axis=1) / 2, atol=1e-4)
    np.testing.assert_allclose(one[4], np.maximum(y[:, 2:] - y[:, :-2], 0).mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("network", [audio_cnn, audio_rnn])
def test_networks_on_sound_are_small_and_refuse_pictures(network: object) -> None:
    build = network.build  # type: ignore[attr-defined]
    assert build(keras, (64, 1, 1), 8, {}, 0).count_params() < 120_000
    with pytest.raises(BadParameter, match="use logmel"):
        build(keras, (48, 48, 1), 8, {}, 0)
