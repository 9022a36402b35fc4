"""A folder of files that any server of files serves: the page of `demo`, with the model run by the visitor's browser."""

from __future__ import annotations

import json
import os
import shutil
from importlib import resources
from pathlib import Path

import keras

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.classifier import Classifier
from models.serving.demo_page.looking import CLOSE, SURE
from models.serving.demo_page.page import STATIC, page, static
from models.serving.export.exporter import Conversion, Exporter
from models.serving.export.onnx import ONNX
from models.serving.export.serving import INPUT, OUTPUT
from models.serving.runtimes import onnx as runtime

VARIABLE = "FERPLUS_ONNXRUNTIME_WEB"
PACKAGE = "onnxruntime-web"
RUNTIME_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_OWN = ("face.js", "crop.js", "model.js")
_SCRIPTS = (f"runtime/{RUNTIME_FILES[0]}", "page.js", *_OWN)
# Nothing is fetched from, or sent to, another place than the page's own; WebAssembly may be compiled.
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)

_USAGE = f"""
import onnxruntime  # in a browser: python -m http.server --directory web
session = onnxruntime.InferenceSession("web/model.onnx")
(probabilities,) = session.run(["{OUTPUT}"], {{"{INPUT}": faces}})
"""


def find_runtime() -> Path:
    """Return the folder with onnxruntime-web's files: what FERPLUS_ONNXRUNTIME_WEB names, or where npm put them, here or above.

    Raises:
        InputError: There is none.
    """
    named = os.environ.get(VARIABLE)
    here = Path.cwd()
    places = (
        [Path(named)] if named else [p / "node_modules" / PACKAGE / "dist" for p in (here, *here.parents)]
    )
    for place in places:
        if all((place / name).is_file() for name in RUNTIME_FILES):
            return place
    found = [name for name in RUNTIME_FILES if (places[0] / name).is_file()]
    expected = f"{VARIABLE}={named}" if named else f"{places[0]} or one in a folder above"
    raise InputError(
        f"--format web: expected {', '.join(RUNTIME_FILES)} of the npm package {PACKAGE} in {expected}, found "
        f"{', '.join(found) or 'none'}; run `npm install {PACKAGE}` in {here}, or name the folder dist of a copy in {VARIABLE}"
    )


def _write(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    source = find_runtime()
    web = folder / "web"
    (web / "runtime").mkdir(parents=True)
    ONNX.write(model, web, conversion)
    for name in RUNTIME_FILES:
        shutil.copyfile(source / name, web / "runtime" / name)
    for name in STATIC:
        (web / name).write_bytes(static(name))
    for name in _OWN:
        (web / name).write_bytes(resources.files("models.serving.export.web").joinpath(name).read_bytes())
    (web / "index.html").write_text(page(_SCRIPTS, marks=True, policy=_POLICY), encoding="utf-8")
    about = {
        "name": conversion.metadata.get("name", "model.onnx"),
        "class_names": list(EMOTIONS),
        "input": INPUT,
        "output": OUTPUT,
        "sure": SURE,
        "close": CLOSE,
    }
    (web / "model.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _open(path: Path) -> Classifier:
    return runtime.open_classifier(path / "model.onnx")


WEB = Exporter(
    name="web",
    files=("web",),
    write=_write,
    open=_open,
    runtime="onnxruntime, not the browser's",
    usage=_USAGE,
    metadata="metadata_props of web/model.onnx; web/model.json",
    precisions=("float32", "float16", "int8"),
    check=find_runtime,
    measured=False,
)
