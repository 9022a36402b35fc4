"""One table of pictures, for `predict` and for docs/classify_onnx.py, which must read each alike."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageFile, ImageOps

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving import pictures
from models.serving.classifier import Classifier
from models.serving.prediction import predict, read_face
from models.serving.prediction_formats import FORMATS
from models.serving.runtimes import open_classifier

SCRIPT = Path(__file__).parents[3] / "docs" / "classify_onnx.py"
GREY = np.add.outer(np.arange(60), 3 * np.arange(50)).clip(0, 255).astype(np.uint8)
"""60 rows of 50, from 0 to 206, brighter to the right than downwards."""
Bytes = bytes | Image.Image


def tiff(values: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF", **options)
    return file.getvalue()


def png(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return png(Image.fromarray(GREY), exif=exif)


def half_clear(mode: str) -> Image.Image:
    alpha = Image.new("L", (50, 60), 255)
    alpha.paste(0, (0, 0, 50, 30))
    return Image.merge("LA", (Image.fromarray(GREY), alpha)).convert(mode)


def colours_in_16_bits(values: np.ndarray) -> bytes:
    """A PNG of 16-bit RGB, which Pillow does not write."""
    import cv2

    return cv2.imencode(".png", np.repeat(values[..., None], 3, axis=-1).astype(np.uint16))[1].tobytes()


DEEP = GREY.astype(np.uint16)
PLAIN = GREY
WHITE_ABOVE = np.where(np.arange(60)[:, None] < 30, 255, GREY).astype(np.uint8)

READ: dict[str, tuple[str, Callable[[], Bytes], np.ndarray]] = {
    "grey": (".png", lambda: Image.fromarray(GREY), PLAIN),
    "colour": (".bmp", lambda: Image.fromarray(GREY).convert("RGB"), PLAIN),
    "palette": (".png", lambda: Image.fromarray(GREY).convert("P"), PLAIN),
    "palette with a table of alphas": (
        ".png", lambda: png(Image.fromarray(GREY).convert("P"), transparency=bytes([0] + [255] * 255)),
        np.where(GREY == 0, 255, GREY),
    ),
    "grey with one clear value": (
        ".png", lambda: png(Image.fromarray(GREY), transparency=3), np.where(GREY == 3, 255, GREY),
    ),
    "grey and alpha": (".png", lambda: half_clear("LA"), WHITE_ABOVE),
    "colour and alpha": (".png", lambda: half_clear("RGBA"), WHITE_ABOVE),
    "several frames": (
        ".gif", lambda: Image.fromarray(GREY).convert("P"), PLAIN,
    ),
    "CMYK": (".tiff", lambda: Image.fromarray(GREY).convert("RGB").convert("CMYK"), PLAIN),
    "one bit": (".png", lambda: Image.fromarray(GREY > 90), np.where(GREY > 90, 255, 0)),
    "16 bits": (".png", lambda: Image.fromarray(DEEP * 257), PLAIN),
    "16 bits, dark": (".png", lambda: Image.fromarray(DEEP // 8 * 257), GREY // 8),
    "16 bits, one clear value": (
        ".png", lambda: png(Image.fromarray(DEEP * 257), transparency=3 * 257), np.where(GREY == 3, 255, GREY),
    ),
    "14 bits in 16": (".tiff", lambda: tiff(DEEP * 64), GREY * (64 * 255 / 16383)),
    "12 bits in 16": (".png", lambda: Image.fromarray(DEEP * 16), GREY * (16 * 255 / 4095)),
    "10 bits in 16": (".tiff", lambda: tiff(DEEP * 4), GREY * (4 * 255 / 1023)),
    "8 bits in 16": (".png", lambda: Image.fromarray(DEEP), PLAIN),
    "8 bits in 32": (".tiff", lambda: tiff(GREY.astype(np.int32)), PLAIN),
    "16 bits in 32": (".tiff", lambda: tiff(GREY.astype(np.int32) * 257), PLAIN),
    "floats 0 to 1": (".tiff", lambda: tiff((GREY / 255).astype(np.float32)), PLAIN),
    "floats 0 to 255": (".tiff", lambda: tiff(GREY.astype(np.float32)), PLAIN),
    "floats of 16 bits": (".tiff", lambda: tiff(GREY.astype(np.float32) * 257), PLAIN),
    "colour in 16 bits": (".png", lambda: colours_in_16_bits(DEEP * 257), PLAIN),
    "damaged EXIF": (".png", lambda: png(Image.fromarray(GREY), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), PLAIN),
    "EXIF of 60 KB": (".png", lambda: png(Image.fromarray(GREY), exif=b"Exif\0\0" + b"\xff" * 60_000), PLAIN),
    "an ICC profile of noise": (".png", lambda: png(Image.fromarray(GREY), icc_profile=b"\x01" * 999), PLAIN),
    # As the standard has it (EXIF 2.3, 4.6.4): what row 0 and column 0 of the stored picture are.
    "turned 1": (".png", lambda: turned(1), GREY),
    "turned 2": (".png", lambda: turned(2), GREY[:, ::-1]),
    "turned 3": (".png", lambda: turned(3), GREY[::-1, ::-1]),
    "turned 4": (".png", lambda: turned(4), GREY[::-1]),
    "turned 5": (".png", lambda: turned(5), GREY.T),
    "turned 6": (".png", lambda: turned(6), np.rot90(GREY, -1)),
    "turned 7": (".png", lambda: turned(7), np.rot90(GREY, 2).T),
    "turned 8": (".png", lambda: turned(8), np.rot90(GREY)),
}  # fmt: skip
"""Name -> suffix, the picture, and the brightness it has."""

SIGNED_BYTES = tiff(GREY, tiffinfo={339: 2})
REFUSED: dict[str, tuple[str, Callable[[], Bytes], str]] = {
    "floats -1 to 1": (".tiff", lambda: tiff((GREY / 127.5 - 1).astype(np.float32)), "-1 to"),
    "floats 0 to 2": (".tiff", lambda: tiff((GREY / 100).astype(np.float32)), "0 to 2.06"),
    "floats next to nothing": (".tiff", lambda: tiff((GREY / 255 / 1000).astype(np.float32)), "0 to 1"),
    "floats not a number": (".tiff", lambda: tiff(np.full((50, 60), np.nan, np.float32)), "not finite"),
    "whole numbers below 0": (".tiff", lambda: tiff(GREY.astype(np.int32) - 128), "from -128"),
    "whole numbers of 31 bits": (".tiff", lambda: tiff(GREY.astype(np.int32) << 23), "above 65,535"),
    "signed bytes": (".tiff", lambda: SIGNED_BYTES, "signed"),
    "12-bit colours in 16": (".png", lambda: colours_in_16_bits(DEEP * 16), "14 bits or fewer"),
    "cut off": (".png", lambda: png(Image.effect_noise((50, 60), 99))[:900], "picture that can be read"),
    "no width": (".ppm", lambda: b"P5 0 9 255\n", "image face.ppm"),
    "more pixels than memory": (
        ".ppm", lambda: b"P5 90000 90000 255\n" + bytes(100), "decompression bomb",
    ),
    "a damaged chunk": (".png", lambda: png(Image.fromarray(GREY))[:40] + b"\xff" * 99, "image face.png"),
    "a directory of nonsense": (".tiff", lambda: tiff(GREY)[:8] + b"\xff" * 400, "image face.tiff"),
    "PostScript of another name": (".png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no format"),
    "nothing": (".png", lambda: b"", "no format"),
}  # fmt: skip
"""Name -> suffix, the picture, and what is said of it."""


def written(folder: Path, suffix: str, picture: Bytes) -> Path:
    path = folder / f"face{suffix}"
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        more = {"save_all": True, "append_images": [Image.new("P", picture.size)]} if suffix == ".gif" else {}
        picture.save(path, **more)
    return path


@pytest.fixture(scope="module")
def client() -> Any:
    """docs/classify_onnx.py as a module."""
    spec = importlib.util.spec_from_file_location("classify_onnx", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", READ)
def test_every_kind_of_picture_is_the_face_it_shows(name: str, client: Any, tmp_path: Path) -> None:
    suffix, make, expected = READ[name]
    path = written(tmp_path, suffix, make())
    face = read_face(path).pixels
    resized = Image.fromarray(np.rint(expected).astype(np.uint8)).resize((48, 48), Image.Resampling.BILINEAR)
    # A palette of 256 colours and CMYK round the greys.
    np.testing.assert_allclose(face[..., 0], np.asarray(resized), atol=4 if "palette" in name else 1)
    np.testing.assert_array_equal(client.face_of(str(path))[0], face)


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_has_no_face_to_show_says_why(
    name: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix, make, said = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    path = written(Path(), suffix, make())
    with pytest.raises(InputError, match=said) as raised:
        read_face(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(Exception):  # noqa: B017
        client.face_of(str(path))


@pytest.mark.parametrize(
    "error", [ValueError, SyntaxError, KeyError, RecursionError, MemoryError, AssertionError]
)
def test_whatever_a_decoder_raises_is_that_pictures(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, ".png", Image.fromarray(GREY))

    def raises(*_: object, **__: object) -> None:
        raise error("odd\nthing")

    monkeypatch.setattr(ImageFile.ImageFile, "load", raises)
    with pytest.raises(InputError, match="odd.*thing"):
        read_face(path)


def test_what_was_read_of_a_deep_picture_is_said(tmp_path: Path) -> None:
    assert (
        read_face(written(tmp_path, ".png", Image.fromarray(DEEP * 16))).converted == "I;16 50x60 of 12 bits"
    )
    assert read_face(written(tmp_path, ".tif", tiff(GREY / np.float32(255)))).converted == "F 50x60 of 0 to 1"


def test_upright_is_what_pillow_makes_upright(tmp_path: Path) -> None:
    for orientation in range(9):
        path = tmp_path / f"{orientation}.png"
        path.write_bytes(turned(orientation))
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(np.asarray(pictures.open_picture(path)[0]), expected)


def test_formats_are_those_that_pillow_decodes() -> None:
    Image.init()
    stubs = {
        name
        for name, (opener, _) in Image.OPEN.items()
        if isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)
    }
    assert not stubs & set(pictures.formats()), "a new format of which Pillow reads the header alone"
    assert {".png", ".jpg", ".webp", ".mpo", ".tga"} <= pictures.suffixes()
    assert not {".eps", ".ps", ".pdf", ".h5", ".mpg", ".wmf", ".grib", ".bufr"} & pictures.suffixes()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Classifier]:
    """A small model.onnx as `export` writes it, of random weights."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=(2304, 8)).astype(np.float32) / 4000, "w"),
        numpy_helper.from_array(np.array([-1, 2304]), "flat"),
    ]
    nodes = [
        helper.make_node("Cast", ["face"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    given = helper.make_tensor_value_info("face", TensorProto.UINT8, ["b", 48, 48, 1])
    taken = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["b", 8])
    graph = helper.make_graph(nodes, "g", [given], [taken], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(proto, {"class_names": json.dumps(list(EMOTIONS))})
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(proto, path)
    return path, open_classifier(path)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_client_prints_what_predict_prints(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    paths = []
    for number, (suffix, make, _) in enumerate(READ.values()):
        (tmp_path / str(number)).mkdir()
        paths.append(written(tmp_path / str(number), suffix, make()))
    result = run(model[0], *paths)
    assert result.returncode == 0, result.stderr
    expected = list(FORMATS["text"](predict(model[1], map(read_face, paths))))
    assert result.stdout.splitlines() == [line.partition("  (converted")[0] for line in expected]
    assert len({line.split(": ")[1] for line in expected}) > 5, "the probabilities tell nothing"


def test_the_client_says_what_is_wrong(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    good = written(tmp_path, ".png", Image.fromarray(GREY))
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    for arguments, code, said in (
        ((), 2, "python classify_onnx.py model.onnx FACE.png"),
        ((model[0],), 2, "python classify_onnx.py model.onnx FACE.png"),
        ((tmp_path / "none.onnx", good), 2, "none.onnx"),
        ((tmp_path / "bad.onnx", good), 2, "bad.onnx: expected"),
        ((good, model[0]), 2, "face.png: expected a model.onnx"),
        ((model[0], tmp_path / "none.png"), 2, "none.png: not classified"),
        ((model[0], tmp_path / "none.png", good), 1, "none.png: not classified"),
    ):
        result = run(*arguments)
        assert result.returncode == code and said in result.stderr, (arguments, result)
        assert "Traceback" not in result.stderr
        assert (str(good) in result.stdout) == (code == 1)


@pytest.mark.parametrize(("colour", "grey"), [("red", 76), ("lime", 150), ("blue", 29), ("yellow", 226)])
def test_colours_weigh_as_itu_r_601_has_it(colour: str, grey: int, client: Any, tmp_path: Path) -> None:
    """ITU-R 601's luma, 0.299 red + 0.587 green + 0.114 blue."""
    path = written(tmp_path, ".png", Image.new("RGB", (48, 48), colour))
    assert set(np.unique(read_face(path).pixels)) == set(np.unique(client.face_of(str(path)))) == {grey}


def test_a_larger_picture_is_averaged_not_sampled(client: Any, tmp_path: Path) -> None:
    """Lines finer than a pixel of the face become grey: a resize without a filter would keep some of them black or white."""
    lines = np.tile(np.array([[0], [255]], np.uint8), (240, 480))
    path = written(tmp_path, ".png", Image.fromarray(lines))
    face = read_face(path).pixels
    assert face.min() >= 120 and face.max() <= 135
    np.testing.assert_array_equal(client.face_of(str(path))[0], face)
