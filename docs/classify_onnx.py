"""Name the expression of faces with an exported model.onnx. Needs onnxruntime, numpy and Pillow, and nothing of this project.

    python classify_onnx.py model.onnx FACE.png ...

Pictures are read as `run_search.py predict` reads them. Among several, one that cannot be read is told on standard error, and the
exit code is then 1; it is 2 for a model that cannot be used, or if the only picture cannot.
"""

import json
import re
import sys

import numpy as np
import onnxruntime
from PIL import ExifTags, Image

NOT_READ_BY_PILLOW = ("EPS", "WMF", "MPEG", "BUFR", "GRIB", "HDF5")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def face_of(path):
    """Return the picture in the file `path` as the model takes it: uint8 [1, 48, 48, 1]."""
    Image.init()
    with Image.open(path, formats=[name for name in Image.OPEN if name not in NOT_READ_BY_PILLOW]) as image:
        in_16_bits = re.search(r";16[BLN]\b", str(image.tile))
        image.load()
        colours = image.mode.removesuffix("A")
        if image.mode[0] not in "FI" and 2 in np.atleast_1d(getattr(image, "tag_v2", {}).get(339, 1)):
            raise ValueError("signed values")
        if in_16_bits and colours in ("L", "RGB") and np.asarray(image.convert(colours)).max() < 64:
            raise ValueError("16-bit colours that fill 14 bits or fewer")
        try:
            turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
        except Exception:
            turn = None  # a damaged EXIF block does not say
        image = image.transpose(turn) if turn is not None else image.copy()
    if image.mode == "F" or image.mode.startswith("I"):
        image = in_8_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    face = image.convert("L")
    if face.size != (48, 48):
        face = face.resize((48, 48), Image.Resampling.BILINEAR)
    return np.asarray(face)[None, :, :, None]


def in_8_bits(image):
    """Return a picture of floating-point or deep whole numbers with brightness from 0 to 255."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        raise ValueError("values that are not finite, below 0 or above 65,535")
    top = values.max()
    if image.mode == "F" and (1 < top < 16 or 0 < top < 1 / 16):
        raise ValueError(f"floating-point values up to {top:.4g}: neither 0 to 1 nor 0 to 255")
    if image.mode == "F" and top <= 1:
        most = 1
    elif image.mode != "F" and not (values % 257).any():
        most = 65535  # 8 bits that were made into 16
    else:
        most = next(2**bits - 1 for bits in (8, 10, 12, 14, 16) if np.floor(top) < 2**bits)
    brightness = np.rint(np.clip(values, 0, most) * (255 / most)).astype(np.uint8)
    if isinstance(clear := image.info.get("transparency"), int):
        brightness[values == clear] = 255
    return Image.fromarray(brightness)


def main(arguments):
    """Classify the pictures that `arguments` names after the model, and return the exit code."""
    if len(arguments) < 2 or arguments[0] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    model, *paths = arguments
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        class_names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {model}: expected a model.onnx that `export` wrote, found {reason}", file=sys.stderr)
        return 2
    code = 0
    for path in paths:
        shown = ascii(path)[1:-1] if not path.isprintable() else path
        try:
            (probabilities,) = session.run(["probabilities"], {"face": face_of(path)})
        except Exception as error:
            print(f"error: {shown}: not classified: {' '.join(str(error).split())}", file=sys.stderr)
            code = 1 if len(paths) > 1 else 2
            continue
        ranked = sorted(zip(class_names, probabilities[0], strict=True), key=lambda item: -item[1])
        print(f"{shown}: {ranked[0][0]}  " + "  ".join(f"{name} {p:.3f}" for name, p in ranked))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
