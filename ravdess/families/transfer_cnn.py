"""Family `transfer_cnn`: Model II, a face base trained on FER2013 under a new head, on single frames.

The head learns alone for the first epochs, then all of it. The base is one that `jobs/pretrain.py` left in the store.
"""

from __future__ import annotations

from typing import Any

from ravdess.families import FAMILIES
from ravdess.families.space import Integer, Params
from ravdess.families.training import SEEN, SPACE, Course
from ravdess.families.views import FRAMES, refuse_sound
from ravdess.networks import base as bases
from ravdess.networks import transfer_cnn as network


def find(store: Any) -> None:
    """Raise NoModel, which says how to make it, when the store has no trained base."""
    from ravdess.pretraining.base import find_base

    find_base(store, str(network.DEFAULTS["base"]))


def borrow(model: Any, store: Any, params: Params) -> None:
    """Give a new network the trunk of the store's base. Raises NoModel when there is none, or no store."""
    from ravdess.errors import NoModel
    from ravdess.pretraining.base import find_base, load_base

    if store is None:
        raise NoModel("transfer_cnn begins with a trained face base: build it with lent=<the store that has one>")
    network.borrow(model, load_base(find_base(store, str(params["base"]))).model)


COURSE = Course(
    name=network.NAME,
    network=network.build,
    views=FRAMES,
    space={**network.SPACE, **SPACE, "frozen": Integer(0, 10, step=3.0)},
    defaults={
        "epochs": 15,
        **network.DEFAULTS,
        **SEEN,
        "learning_rate": 5e-4,
        "frozen": 3,
        "views": 1,
        "least_steps": 16,
    },
    stages=(5, 10, 15),
    freeze=network.freeze,
    borrow=borrow,
    work=33e3,
)

FAMILIES.register(COURSE.family(refuse_sound(48, exactly=bases.SHAPE), needs=find))
