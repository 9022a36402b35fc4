"""Name the expression of a face with an exported model.onnx: needs onnxruntime, numpy and Pillow, and nothing of this project.

python classify_onnx.py model.onnx FACE.png ...
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
class_names = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
for path in sys.argv[2:]:
    face = Image.open(path).convert("L").resize((48, 48), Image.Resampling.BILINEAR)
    (probabilities,) = session.run(["probabilities"], {"face": np.asarray(face)[None, :, :, None]})
    ranked = sorted(zip(class_names, probabilities[0], strict=True), key=lambda item: -item[1])
    print(f"{path}: {ranked[0][0]}  " + "  ".join(f"{name} {p:.3f}" for name, p in ranked))
