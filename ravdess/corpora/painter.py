"""Draws the face that `ravdess.corpora.face` describes.

The face is drawn in its own coordinates: the head is 2 units high and centred at (0, 0), x to the right, y down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.corpora.face import Colour, Look

    Floats = NDArray[np.float64]
    Image = NDArray[np.uint8]

_PAPER: Final = (242, 242, 240)  # the publisher filmed before white, in black shirts
_SHIRT: Final = (28, 28, 32)


class Painter:
    """Draws one actor at one size; what does not move is painted once."""

    def __init__(self, looks: Look, width: int, height: int) -> None:
        self.look = looks
        self.width, self.height = width, height
        self.scale = 0.31 * height  # pixels a unit
        self._image: Image = np.empty((height, width, 3), np.uint8)
        self._place(0.0, 0.0, 0.0)
        self._still = self._portrait()

    def paint(self, moved: dict[str, float]) -> Image:
        """One picture [shape=(height, width, 3), RGB] of the face in these actions; overwritten by the next call."""
        import cv2

        self._place(moved["x"], moved["y"], moved["turn"])
        cv2.warpAffine(self._still, self._matrix, (self.width, self.height), self._image, cv2.INTER_LINEAR,
                       cv2.BORDER_REPLICATE)  # fmt: skip
        self._shoulders()
        for side in (-1, 1):
            self._eye(side, moved)
            self._brow(side, moved)
            self._cheek(side, moved)
        self._nose(moved)
        self._mouth(moved)
        if self.look.glasses:
            self._glasses()
        return self._image

    def _place(self, x: float, y: float, turn: float) -> None:
        """Head position: the middle of the picture, moved by (x, y) units and turned about the neck."""
        cos, sin = np.cos(turn), np.sin(turn)
        neck = np.array((self.width / 2, 0.78 * self.height))
        turned = np.array(((cos, -sin), (sin, cos)))
        shift = neck - turned @ neck + self.scale * np.array((x, y))
        self._matrix = np.column_stack((turned, shift))
        self._origin = np.array((self.width / 2, 0.45 * self.height))

    def _pixels(self, points: Floats) -> NDArray[np.int32]:
        """Face units to sixteenths of a pixel."""
        flat = self._origin + self.scale * points
        return np.asarray(np.rint((flat @ self._matrix[:, :2].T + self._matrix[:, 2]) * 16), np.int32)

    def _fill(self, x: Floats, y: Floats, colour: Colour) -> None:
        import cv2

        cv2.fillPoly(self._image, [self._pixels(np.column_stack((x, y)))], colour, cv2.LINE_AA, 4)

    def _line(self, x: Floats, y: Floats, colour: Colour, width: float) -> None:
        import cv2

        points = [self._pixels(np.column_stack((x, y)))]
        cv2.polylines(self._image, points, False, colour, max(1, round(width * self.scale)), cv2.LINE_AA, 4)

    def _oval(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self._fill(x + width * _COS, y + height * _SIN, colour)

    def _portrait(self) -> Image:
        """Everything that moves only as the whole head does."""
        import cv2

        face = self.look
        self._image[:] = _PAPER
        outline = face.width * _COS * (1 - face.jaw * np.maximum(_SIN, 0) ** 1.5)
        dark, shade = _mix(face.skin, (0, 0, 0), 0.22), _mix(face.skin, (60, 20, 10), 0.16)
        if face.long_hair:
            self._fill(
                1.22 * face.width * _COS, np.where(_SIN > 0, 1.35, 1.12) * _SIN - 0.06, _mix(face.hair, (0, 0, 0), 0.2)
            )
        self._fill(np.array((-0.34, 0.34, 0.40, -0.40)), np.array((0.5, 0.5, 1.7, 1.7)), dark)
        for side in (-1, 1):
            self._oval(side * face.width * 0.99, 0.0, 0.09, 0.19, shade)
        self._fill(outline * 1.012, 1.01 * _SIN, _mix(face.skin, (40, 20, 10), 0.3))
        self._fill(outline, _SIN, face.skin)
        for side in (-1, 1):  # cheeks, then blurred
            self._oval(side * 0.62 * face.width, 0.28, 0.15, 0.11, _mix(face.skin, (226, 110, 100), 0.22))
            self._oval(side * face.eyes, -0.14, 0.20, 0.13, _mix(face.skin, (80, 40, 30), 0.10))
        if face.beard:
            low = _SIN > -0.05
            x = np.concatenate((outline[low], 0.80 * outline[low][::-1]))
            y = np.concatenate((_SIN[low], 0.30 + 0.28 * _SIN[low][::-1]))
            self._fill(x, y, _mix(face.skin, face.hair, 0.55))
        blurred = cv2.GaussianBlur(self._image, (0, 0), max(0.6, 0.025 * self.scale))
        inside = np.zeros(self._image.shape[:2], np.uint8)
        cv2.fillPoly(inside, [self._pixels(np.column_stack((0.93 * outline, 0.95 * _SIN)))], 255)
        self._image[inside > 0] = blurred[inside > 0]
        top = np.sin(np.linspace(0, np.pi, 25))
        along = np.linspace(-1, 1, 25)
        hairline = -0.62 - 0.16 * top + (0.16 * along if face.long_hair else 0.05 * np.cos(9 * along))
        cap = 1.10 if face.long_hair else 1.05
        x = face.width * np.concatenate((-cap * np.cos(np.linspace(0, np.pi, 25)), 0.97 * along[::-1]))
        y = np.concatenate((-0.14 - 1.02 * cap * top, (hairline + 0.5 * along**6)[::-1]))
        self._fill(x, y, face.hair)
        if face.long_hair:
            for side in (-1, 1):
                x = side * face.width * np.array((1.08, 1.22, 1.26, 1.10, 0.98, 0.93))
                self._fill(x, np.array((-0.5, 0.0, 0.9, 1.25, 0.8, -0.1)), face.hair)
        return self._image.copy()

    def _shoulders(self) -> None:
        """The shirt stands still while the head moves."""
        import cv2

        x = np.array((-1.75, -1.62, -0.95, -0.42, -0.2, 0.2, 0.42, 0.95, 1.62, 1.75))
        y = np.array((2.2, 1.62, 1.36, 1.20, 1.38, 1.38, 1.20, 1.36, 1.62, 2.2))
        flat = np.rint((self._origin + self.scale * np.column_stack((x, y))) * 16).astype(np.int32)
        cv2.fillPoly(self._image, [flat], _SHIRT, cv2.LINE_AA, 4)

    def _eye(self, side: int, moved: dict[str, float]) -> None:
        face = self.look
        x = np.linspace(-1, 1, 21)
        bow = 1 - x * x
        wide = np.clip((0.62 + 0.42 * moved["open"] - 0.12 * moved["nose"]) * (1 - moved["blink"]), 0.03, 1.2)
        low = np.clip(0.36 - 0.26 * moved["cheek"] - 0.1 * moved["press"], 0.06, 0.5) * (1 - 0.5 * moved["blink"])
        upper = -0.08 - wide * face.eye * bow**0.7 - 0.012 * x * side
        lower = -0.08 + low * face.eye * bow - 0.012 * x * side
        across = side * face.eyes + face.eye * x
        self._fill(np.concatenate((across, across[::-1])), np.concatenate((upper, lower[::-1])), (246, 244, 242))
        middle = -0.08 - 0.12 * face.eye
        for radius, colour in ((0.52, _mix(face.iris, (0, 0, 0), 0.35)), (0.45, face.iris), (0.22, (16, 14, 14))):
            round_x = side * face.eyes + radius * face.eye * _COS
            round_y = middle + radius * face.eye * _SIN
            self._fill(
                round_x, np.clip(round_y, np.interp(round_x, across, upper), np.interp(round_x, across, lower)), colour
            )
        if wide > 0.3:
            self._oval(side * face.eyes + 0.03, middle - 0.03, 0.018, 0.018, (255, 255, 255))
        self._line(across, upper, _mix(face.hair, (0, 0, 0), 0.5), 0.028 if face.long_hair else 0.02)
        self._line(across, lower, _mix(face.skin, (60, 30, 20), 0.45), 0.01)
        self._line(across[3:-3], upper[3:-3] - 0.045, _mix(face.skin, (60, 30, 20), 0.4), 0.01)

    def _brow(self, side: int, moved: dict[str, float]) -> None:
        face = self.look
        part = np.linspace(0, 1, 15)  # from the nose outwards
        inner = max(-0.03 + 0.13 * moved["inner"] - 0.06 * moved["knit"], -0.19)
        outer = 0.11 * moved["outer"] - 0.03 * moved["knit"]
        middle = 0.55 * inner + 0.6 * outer + 0.05
        rise = inner * (1 - part) ** 2 + 2 * middle * part * (1 - part) + (outer - 0.03) * part**2
        x = side * (0.12 - 0.035 * moved["knit"] + 0.43 * part * (face.eyes / 0.32))
        y = -0.36 - rise
        thick = face.brow * (1.1 - 0.75 * part**1.5)
        colour = _mix(face.hair, (0, 0, 0), 0.25)
        self._fill(np.concatenate((x, x[::-1])), np.concatenate((y - thick, (y + thick)[::-1])), colour)
        if moved["knit"] > 0.15:  # the frown between
            frown = np.array((0.0, 0.5, 1.0))
            strength = min(0.5, 0.45 * moved["knit"])
            self._line(
                side * (0.045 - 0.01 * frown),
                -0.33 - inner + 0.15 * frown,
                _mix(face.skin, (50, 20, 10), strength),
                0.014,
            )

    def _cheek(self, side: int, moved: dict[str, float]) -> None:
        """The fold from nose to mouth corner."""
        depth = max(moved["corner"], 0) * 0.6 + 0.5 * max(moved["lip"], 0) + 0.3 * max(moved["nose"], 0)
        if depth < 0.1:
            return
        part = np.linspace(0, 1, 9)
        x = side * (0.15 + (0.19 + 0.04 * moved["stretch"]) * part + 0.05 * np.sin(np.pi * part))
        y = self.look.nose - 0.06 + (0.28 - 0.10 * moved["corner"]) * part
        self._line(x, y, _mix(self.look.skin, (70, 25, 15), min(0.45, 0.4 * depth)), 0.016)

    def _nose(self, moved: dict[str, float]) -> None:
        face = self.look
        tip = face.nose - 0.04 * max(moved["nose"], 0)
        shade = _mix(face.skin, (70, 30, 20), 0.35)
        part = np.linspace(0, 1, 12)
        self._line(0.045 + 0.05 * part**2, -0.12 + (tip + 0.05) * part, _mix(face.skin, (70, 30, 20), 0.2), 0.014)
        wing = 0.115 + 0.02 * max(moved["nose"], 0)
        self._line(wing * np.cos(np.pi * part), tip + 0.035 * np.sin(np.pi * part), shade, 0.016)
        for side in (-1, 1):
            self._oval(0.055 * side, tip + 0.012, 0.028, 0.014, _mix(face.skin, (40, 10, 5), 0.6))
        for row in range(3):  # wrinkles on the bridge
            if moved["nose"] > 0.25 + 0.15 * row:
                y = -0.12 + 0.05 * row
                self._line(np.array((-0.07, 0.0, 0.07)), np.array((y + 0.02, y, y + 0.02)), shade, 0.012)

    def _mouth(self, moved: dict[str, float]) -> None:
        face = self.look
        x = np.linspace(-1, 1, 31)
        bow = 1 - x * x
        half = face.mouth * (1 + 0.28 * moved["stretch"] + 0.12 * max(moved["corner"], 0) - 0.12 * moved["jaw"])
        gap = max(0.0, 0.30 * moved["jaw"] - 0.05 * max(moved["press"], 0))
        middle = face.nose + 0.25 - 0.03 * moved["corner"]
        corners = middle - 0.13 * moved["corner"] * np.abs(x) ** 1.7
        raised = 0.06 * max(moved["lip"], 0) + 0.02 * max(moved["corner"], 0)
        top = corners - (0.25 * gap + raised) * bow**0.8
        floor = corners + (0.75 * gap + 0.25 * raised) * bow**0.8
        thin = face.lips * (1 - 0.55 * np.clip(moved["press"], 0, 1))
        dip = 0.30 * np.exp(-((x / 0.16) ** 2))  # the bow of the upper lip
        above = top - thin * (bow**0.6) * (1 - dip)
        below = floor + 1.25 * thin * bow**0.7
        lip = _mix(face.skin, (178, 62, 66), 0.55)
        across = half * x
        self._fill(
            np.concatenate((across, across[::-1])), np.concatenate((above, top[::-1])), _mix(lip, (90, 20, 30), 0.15)
        )
        self._fill(np.concatenate((across, across[::-1])), np.concatenate((floor, below[::-1])), lip)
        if (floor - top).max() > 0.02:
            self._fill(np.concatenate((across, across[::-1])), np.concatenate((top, floor[::-1])), (70, 22, 26))
            teeth = np.minimum(top + 0.06 * bow**0.5, floor)
            self._fill(np.concatenate((across, across[::-1])), np.concatenate((top, teeth[::-1])), (240, 236, 228))
            tongue = np.maximum(floor - 0.10 * np.maximum(bow - 0.4, 0), teeth)
            self._fill(np.concatenate((across, across[::-1])), np.concatenate((tongue, floor[::-1])), (176, 82, 84))
        else:
            self._line(across, (top + floor) / 2, (104, 38, 40), 0.016)
        y = below.max() + 0.06
        self._line(0.10 * x, y + 0.015 * bow, _mix(face.skin, (70, 30, 20), 0.25), 0.014)

    def _glasses(self) -> None:
        face = self.look
        for side in (-1, 1):
            self._line(side * face.eyes + 0.235 * _COS, -0.07 + 0.19 * _SIN, (40, 38, 40), 0.022)
            self._line(side * np.array((face.eyes + 0.235, face.width)), np.array((-0.09, -0.12)), (40, 38, 40), 0.022)
        self._line(np.array((-face.eyes + 0.235, face.eyes - 0.235)), np.array((-0.09, -0.09)), (40, 38, 40), 0.022)


_ANGLES: Final = np.linspace(0, 2 * np.pi, 61)
_COS: Final = np.cos(_ANGLES)
_SIN: Final = np.sin(_ANGLES)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue
