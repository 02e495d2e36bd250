"""The networks to the parameter: each table as the seed deck prints it, layer by layer and in all."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ravdess.errors import BadParameter
from ravdess.families import family
from ravdess.families.keras_file import load_keras
from ravdess.families.space import grid_around
from ravdess.networks import LAYERS, base, cnn, deep_cnn, separable_cnn, temporal, transfer_cnn


def counts(model: Any) -> list[int]:
    """Parameters of each layer that has some, in order, norms left out."""
    return [
        layer.count_params()
        for layer in model.layers
        if layer.count_params() and not isinstance(layer, keras.layers.BatchNormalization)
    ]


def sides(model: Any, *kinds: str) -> list[tuple[int, int]]:
    return [tuple(layer.output.shape[1:3]) for layer in model.layers if layer.name.split("_")[0] in kinds]


def work(model: Any) -> int:
    """Multiplications and additions of one picture: every kernel at each place of what it makes."""
    total = 0
    for layer in model.layers:
        kernels = [weight.size for weight in layer.get_weights() if weight.ndim > 1]
        total += sum(kernels) * math.prod(layer.output.shape[1:-1])
    return total


def guessed(network: Any, shape: tuple[int, int, int]) -> Any:
    return pytest.approx(family(network.NAME).work(shape), rel=0.3)


def test_model_1() -> None:
    model = cnn.build(keras, (720, 1280, 3), 9, {}, 0)
    assert counts(model) == [224, 584, 3_559_456, 297]
    assert model.count_params() == 3_560_561
    assert work(model) == guessed(cnn, (720, 1280, 3))
    assert sides(model, "conv", "pool") == [(359, 639), (179, 319), (88, 158)]
    assert model.get_layer("flatten").output.shape == (None, 111_232)
    assert cnn.build(keras, (720, 1280, 3), 8, {}, 0).count_params() == 3_560_561 - 33


def test_model_2() -> None:
    plain = base.plain(keras, (48, 48, 1), 7, {}, 0)
    assert counts(plain) == [320, 18_496, 73_856, 147_584, 903, 791]
    assert plain.count_params() == 241_950
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in plain.layers)
    model = transfer_cnn.build(keras, (48, 48, 1), 9, {}, 0)
    assert counts(model) == [320, 18_496, 73_856, 147_584, 1_161, 1_305]
    assert sum(layer.count_params() for layer in transfer_cnn.trunk(model)) == 240_256
    assert model.count_params() == 242_722
    assert model.output_shape == (None, 9)


def test_model_3() -> None:
    model = deep_cnn.build(keras, (256, 256, 1), 8, {}, 0)
    convolutions = [160, 2_320, 4_640, 9_248, 18_496, 36_928, 73_856, 65_664, 65_664]
    assert counts(model) == [*convolutions, 59_969_568, 32 * 32 + 32, 264]
    assert model.count_params() == 60_248_824
    assert sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights) == 480
    found = [one for one, _ in sides(model, "conv", "pad", "pool")]
    assert found == [254, 252, 254, 252, 250, 248, 246, 123, 125, 123, 122, 121]
    assert model.get_layer("flatten").output.shape == (None, 1_874_048)
    assert work(model) == guessed(deep_cnn, (256, 256, 1))


def test_the_strong_base_stays_small() -> None:
    assert base.strong(keras, (48, 48, 1), 7, {}, 0).count_params() <= 3_000_000


@pytest.mark.parametrize("shape", [(48, 48, 1), (96, 96, 1), (256, 256, 3)])
def test_no_separable_network_of_the_search_reaches_a_million(shape: tuple[int, int, int]) -> None:
    model = separable_cnn.build(keras, shape, 8, {"width": 48, "depth": 3}, 0)
    assert model.count_params() < 1_000_000
    assert model.get_layer("mean").input.shape[1:3] in {(6, 6), (8, 8)}
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"SeparableConv2D", "BatchNormalization", "GlobalAveragePooling2D", "Dropout"} <= kinds


SMALL = {
    cnn: (19, 24, 1),
    deep_cnn: (18, 18, 3),
    separable_cnn: (48, 48, 1),
    temporal: (16, 20, 1),
    transfer_cnn: (48, 48, 1),
}


def rebuilt(network: Any, seed: int, params: dict[str, Any] | None = None) -> Any:
    return network.build(keras, SMALL[network], 5, params or {}, seed)


def pictures(network: Any, n: int = 3) -> np.ndarray[Any, np.dtype[np.uint8]]:
    frames = (8,) if network is temporal else ()
    return np.random.default_rng(1).integers(0, 256, (n, *frames, *SMALL[network]), dtype=np.uint8)


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.NAME)
def test_bytes_go_in_and_logits_come_out_the_same_for_a_seed(network: Any) -> None:
    x = pictures(network)
    said = np.asarray(rebuilt(network, 7)(x))
    assert said.shape == (3, 5)
    assert said.dtype == np.float32
    assert not np.allclose(said.sum(axis=1), 1)  # logits, no probabilities
    keras.utils.set_random_seed(99)  # a global seed must not matter
    np.testing.assert_array_equal(said, np.asarray(rebuilt(network, 7)(x)))
    assert not np.array_equal(said, np.asarray(rebuilt(network, 8)(x)))


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.NAME)
def test_a_saved_network_is_made_of_known_layers_and_says_the_same(network: Any, tmp_path: Path) -> None:
    for at, params in enumerate([{}, {"reader": "attention"}] if network is temporal else [{}]):
        model = rebuilt(network, 0, params)
        model.save(tmp_path / f"{at}.keras")
        again = load_keras(keras, tmp_path / f"{at}.keras", LAYERS, network.NAME)
        np.testing.assert_allclose(
            np.asarray(again(pictures(network))), np.asarray(model(pictures(network))), atol=1e-5
        )


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.NAME)
def test_the_defaults_and_their_neighbours_lie_in_the_space(network: Any) -> None:
    assert all(network.DEFAULTS[name] in domain for name, domain in network.SPACE.items())
    assert {*network.SPACE} <= {*network.DEFAULTS}
    assert grid_around(network.SPACE, {name: network.DEFAULTS[name] for name in network.SPACE})


@pytest.mark.parametrize("network", SMALL, ids=lambda network: network.NAME)
def test_a_picture_too_small_is_refused_in_words(network: Any) -> None:
    with pytest.raises(BadParameter, match="pictures"):
        network.build(keras, (12, 48, 1), 8, {}, 0)


@pytest.mark.parametrize("network", [separable_cnn, transfer_cnn], ids=lambda network: network.NAME)
def test_what_a_network_costs_is_guessed_well(network: Any) -> None:
    assert work(rebuilt(network, 0)) == guessed(network, SMALL[network])


@pytest.mark.parametrize("reader", ["gru", "attention"])
def test_the_order_of_frames_matters_to_a_temporal_network(reader: str) -> None:
    model, x = rebuilt(temporal, 0, {"reader": reader}), pictures(temporal)
    assert not np.allclose(np.asarray(model(x)), np.asarray(model(x[:, ::-1])), atol=1e-5)


def test_freezing_keeps_the_trunk_and_borrowing_takes_it_from_a_base() -> None:
    lender = base.plain(keras, (48, 48, 1), 7, {}, 3)
    model = rebuilt(transfer_cnn, 4)
    transfer_cnn.borrow(model, lender)
    for layer in transfer_cnn.trunk(model):
        for own, lent in zip(layer.get_weights(), lender.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(own, lent)
    transfer_cnn.freeze(model, True)
    assert {weight.path.split("/")[0] for weight in model.trainable_weights} == {"head_conv_1", "head_conv_2"}
    transfer_cnn.freeze(model, False)
    assert len(model.trainable_weights) == 12
