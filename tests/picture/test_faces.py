"""Faces: found where they are, steady, and a plain fallback where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess.clips import Clip
from ravdess.corpora import face as drawn_face
from ravdess.corpora.film import film
from ravdess.corpora.painter import Painter
from ravdess.errors import BadSource
from ravdess.frames import Pictures, frame_set
from ravdess.picture import faces, pictures
from ravdess.picture.faces import HAAR, Face, face
from ravdess.picture.sets import crop

Image = NDArray[np.uint8]
STILL = dict.fromkeys(
    ("inner", "outer", "knit", "open", "cheek", "nose", "corner", "stretch", "lip", "jaw", "press", "nod"), 0.0
) | {"blink": 0.0, "turn": 0.0, "x": 0.0, "y": 0.0}


def portrait(across: float = 0.0, down: float = 0.0) -> Image:
    """A drawn face, moved by a share of the picture's height."""
    looks = drawn_face.look(Clip.parse("01-01-01-01-01-01-05"), 0)
    painter = Painter(looks, 640, 360)
    image = painter.paint({**STILL, "x": across / 0.31, "y": down / 0.31})
    return np.ascontiguousarray(image @ np.array((0.299, 0.587, 0.114))).astype(np.uint8)


def test_a_face_is_found_where_it_was_drawn() -> None:
    middle = face([portrait()])
    assert middle.found == 1
    assert middle.x == pytest.approx(0.5, abs=0.02)
    assert 0.5 < middle.size < 0.8
    moved = face([portrait(across=0.15)])
    assert moved.x - middle.x == pytest.approx(0.15 * 360 / 640, abs=0.015)
    assert moved.size == pytest.approx(middle.size, abs=0.05)


def test_one_wild_picture_does_not_move_the_square() -> None:
    steady = face([portrait()] * 5)
    assert face([portrait()] * 4 + [portrait(across=0.3)]) == pytest.approx(steady, abs=0.01)


def test_no_face_gives_the_place_where_faces_are() -> None:
    nothing = face([np.full((360, 640), 200, np.uint8)] * 3)
    assert nothing == pytest.approx((*HAAR["elsewhere"], 0.0, 0.0))
    tall = face([np.full((640, 360), 200, np.uint8)])
    assert tall.size * 640 <= 360
    assert tall.crop(np.zeros((640, 360), np.uint8), 48).shape == (48, 48)


def test_the_square_stays_inside() -> None:
    for across, down in ((0.55, -0.1), (-0.55, 0.1)):
        one = face([portrait(across, down)])
        half = one.size / 2
        assert half - 1e-9 <= one.y <= 1 - half + 1e-9
        assert half * 360 / 640 - 1e-9 <= one.x <= 1 - half * 360 / 640 + 1e-9


def test_a_crop_is_that_part_of_the_picture() -> None:
    luma = np.arange(100 * 200, dtype=np.uint32).reshape(100, 200).astype(np.uint8)
    assert np.array_equal(Face(0.5, 0.5, 0.4, 1.0).crop(luma, 40), luma[30:70, 80:120])


def test_made_clips_have_their_faces_and_a_clip_without_one_says_so() -> None:
    for emotion, actor in (("03", "02"), ("05", "05")):
        made = pictures(film(Clip.parse(f"01-01-{emotion}-01-01-01-{actor}")), [frame_set("face_48")])[0]
        assert isinstance(made, Pictures)
        facts = dict(zip(frame_set("face_48").columns, made.facts, strict=True))
        assert facts["face_found"] >= 0.6
        assert facts["face_x"] == pytest.approx(0.5, abs=0.03)
        assert facts["frame_rate"] == pytest.approx(30000 / 1001)
    from tests.picture.clips import film as bars

    without = pictures(bars(12), [frame_set("face_48")])[0]
    assert isinstance(without, Pictures)
    assert without.facts[1:] == pytest.approx((0.0, *HAAR["elsewhere"]))


def yunet_model(path: Path, strong: float) -> Path:
    """A network with a YuNet's inputs and outputs that sees one face, always at the same place."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    outputs: list[Any] = []
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            cells = (640 // stride) * (384 // stride)
            values = np.zeros((1, cells, width), np.float32)
            if stride == 32:
                at = 5 * 20 + 10  # row 5, column 10: the middle of the face is near (10, 5) * 32
                if kind in ("cls", "obj"):
                    values[0, at] = strong
                elif kind == "bbox":
                    values[0, at] = (0.0, 0.0, np.log(5), np.log(6))
            name = f"{kind}_{stride}"
            constants.append(numpy_helper.from_array(values, f"{name}_value"))
            nodes += [
                helper.make_node("ReduceMean", ["input"], [f"{name}_mean"], axes=[1, 2, 3], keepdims=1),
                helper.make_node("Mul", [f"{name}_mean", "zero"], [f"{name}_zero"]),
                helper.make_node("Reshape", [f"{name}_zero", "shape"], [f"{name}_one"]),
                helper.make_node("Add", [f"{name}_value", f"{name}_one"], [name]),
            ]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, cells, width]))
    constants += [
        numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32), "zero"),
        numpy_helper.from_array(np.array((1, 1, 1), np.int64), "shape"),
    ]
    shown = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 384, 640])]
    graph = helper.make_graph(nodes, "yunet", shown, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)
    onnx.save(model, path)
    return path


def test_a_yunet_file_finds_faces_and_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = yunet_model(tmp_path / "yunet.onnx", strong=1.0)
    how = faces.yunet(file)
    with pytest.raises(BadSource, match=faces.YUNET):
        face([portrait()], how)  # nobody says where the file lies on this machine
    monkeypatch.setenv(faces.YUNET, str(file))
    found = face([portrait()], how)
    assert found.found == 1
    assert found.x == pytest.approx(10 * 32 / 640, abs=0.03)
    assert found.size == pytest.approx(how["margin"] * 6 * 32 / 360, abs=0.06)
    other = yunet_model(tmp_path / "other.onnx", strong=0.99)
    sets = [crop("face_48", 48), crop("face_48", 48, how), crop("face_48", 48, faces.yunet(other))]
    assert len({one.fingerprint for one in sets}) == 3
    monkeypatch.setenv(faces.YUNET, str(other))
    faces._own.__dict__.clear()
    with pytest.raises(BadSource, match="another model"):
        face([portrait()], how)
    with pytest.raises(BadSource, match=re.escape("gone.onnx")):
        faces.yunet(tmp_path / "gone.onnx")


@pytest.mark.data
def test_the_publishers_faces(real_data: Path) -> None:
    from ravdess.picture.decode import decoded
    from ravdess.picture.film import film as opened

    for path in sorted((real_data / "ravdess" / "video").rglob("*.mp4")):
        with opened(path) as one:
            lumas = [picture.y.copy() for _, picture in decoded(one, range(0, one.count, 20))]
        square = face(lumas)
        assert square.found == 1, path.name
        assert square.x == pytest.approx(0.5, abs=0.04)
        assert square.y == pytest.approx(0.5, abs=0.06)
        assert 0.55 < square.size < 0.7
