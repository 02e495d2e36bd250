"""The family that begins with a trained face base: it says how to make one, borrows it, and thaws it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ravdess.errors import NoModel
from ravdess.families import family
from ravdess.families.contract import _takes
from storage import Store

if TYPE_CHECKING:
    from ravdess.families import Family


@pytest.fixture
def transfer() -> Family:
    return family("transfer_cnn")


def test_without_a_base_it_says_how_to_make_one(transfer: Family, tmp_path: Path) -> None:
    assert transfer.needs is not None
    with pytest.raises(NoModel, match=r"python jobs/pretrain\.py"):
        transfer.needs(Store(tmp_path))
    X, y = _takes((48, 48, 1))
    with pytest.raises(NoModel, match="begins with a trained face base"):
        transfer.build({}).fit(X, y)
    assert transfer.refusal((96, 96, 1)) == "takes frames of (48, 48, 1)"


def test_the_borrowed_trunk_stays_while_frozen_and_moves_after(
    transfer: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ravdess.families.backend import tensorflow
    from ravdess.networks import base as bases
    from ravdess.pretraining import base as kept

    _, keras = tensorflow(1)
    lender = bases.build(keras, bases.SHAPE, 7, {}, 11, network="plain")
    monkeypatch.setattr(kept, "find_base", lambda store, network: network)
    monkeypatch.setattr(kept, "load_base", lambda folder: type("Base", (), {"model": lender}))
    X, y = _takes((48, 48, 1))
    told: dict[str, Any] = {"epochs": 2, "batch_size": 24, "views": 1}

    def trunk(network: Any) -> list[Any]:
        return [w for layer in network._model.layers if layer.name.startswith(bases.TRUNK) for w in layer.get_weights()]

    own = [w for layer in lender.layers if layer.name.startswith(bases.TRUNK) for w in layer.get_weights()]
    frozen = transfer.build({**told, "frozen": 2}, lent="a store").fit(X, y)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(trunk(frozen), own, strict=True))
    thawed = transfer.build({**told, "frozen": 1}, lent="a store").fit(X, y)
    assert not all(np.allclose(a, b, atol=1e-6) for a, b in zip(trunk(thawed), own, strict=True))
