"""Varied pictures: flipped, turned, shifted, brighter or darker, a patch hidden. A few tens of microseconds each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How far a picture may be changed; each is drawn evenly between its negative and itself.

    Attributes
    ----------
    turn : float
        Degrees.
    shift : float
        Share of the side.
    zoom : float
        Share by which it is larger or smaller.
    contrast, brightness : float
        Shares: of the contrast around the middle grey, and of the full scale.
    hidden : float
        Side of a grey square as a share of the picture's, at a random place, in every other picture.
    """

    turn: float = 14.0
    shift: float = 0.08
    zoom: float = 0.08
    contrast: float = 0.25
    brightness: float = 0.1
    hidden: float = 0.0

    def __call__(
        self, images: Images, rng: np.random.Generator, *, side: int | None = None, magnified: float = 1.0
    ) -> Images:
        """Varied copies of `images` [shape=(n, h, w)]; what comes in from outside repeats the edge.

        With `side`, they are views of so many pixels of the pictures' middle, `magnified` by that factor.
        """
        import cv2

        n, h, w = images.shape
        rows, columns = (h, w) if side is None else (side, side)
        middle, centre = np.array([(w - 1) / 2, (h - 1) / 2]), np.array([(columns - 1) / 2, (rows - 1) / 2])
        angle = np.deg2rad(rng.uniform(-self.turn, self.turn, n))
        scale = (1 + rng.uniform(-self.zoom, self.zoom, n)) / magnified
        moved = rng.uniform(-self.shift, self.shift, (n, 2)) * (w, h)
        mirror = rng.choice([-1.0, 1.0], n)
        gain = 1.0 + np.asarray(rng.uniform(-self.contrast, self.contrast, n))
        lift = 127.5 * (1 - gain) + 255 * rng.uniform(-self.brightness, self.brightness, n)
        corner, hides = rng.random((n, 2)), rng.random(n) < 0.5
        patch = round(self.hidden * min(rows, columns))
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        # From a place in the result to the place in the picture: mirror, turn and zoom around the middle, shift.
        turned = np.stack([np.stack([cos * mirror, -sin], 1), np.stack([sin * mirror, cos], 1)], 1)
        offset = middle + moved - turned @ centre
        maps = np.concatenate([turned, offset[:, :, None]], axis=2)
        result: Images = np.empty((n, rows, columns), dtype=np.uint8)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        for at in range(n):
            cv2.warpAffine(images[at], maps[at], (columns, rows), result[at], flags, cv2.BORDER_REPLICATE)
        lit = result * gain[:, None, None].astype(np.float32) + lift[:, None, None].astype(np.float32)
        result[:] = np.clip(lit, 0, 255)
        if patch:
            for at in np.flatnonzero(hides).tolist():
                top, left = (corner[at] * (rows - patch + 1, columns - patch + 1)).astype(int).tolist()
                result[at, top : top + patch, left : left + patch] = 127
        return result
