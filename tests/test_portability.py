"""What has to work where there is no POSIX: every module, `predict`, and the start of a search."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import run_search
from ferplus_data.labels import EMOTIONS

ROOT = Path(run_search.__file__).parent

PROGRAM = """
import os, pkgutil, signal, sys
# The libraries have builds of their own for other systems.
import albumentations, filelock, grpc, jinja2, keras, keras_tuner, onnx, onnxruntime, optuna.storages, pandas, plotly, sqlalchemy
import ai_edge_litert.interpreter, PIL.Image, rich.console, sklearn.metrics, subprocess, tensorflow
PIL.Image.init()
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix"):
    sys.modules[name] = None
for module, names in (
    (os, "sched_getaffinity sched_setaffinity killpg getpgid setsid setpgid getuid geteuid getgid fork forkpty set_blocking "
         "statvfs uname nice mkfifo chown lchown getloadavg sysconf register_at_fork wait3 wait4 O_NONBLOCK O_DIRECTORY"),
    (signal, "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGCHLD SIGQUIT SIGPIPE alarm setitimer pthread_kill sigwait pause"),
):
    for name in names.split():
        delattr(module, name)
import search, models, reports, spaces, ferplus_data
for package in (search, models, reports, spaces, ferplus_data):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        __import__(found.name)
import json, run_search
print("codes", [run_search.main(arguments) for arguments in json.loads(sys.argv[1])])
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model.onnx that gives every face the same probabilities, without TensorFlow."""
    given = helper.make_tensor_value_info("face", TensorProto.UINT8, ["b", 48, 48, 1])
    taken = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["b", 8])
    nodes = [
        helper.make_node("Cast", ["face"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Concat", ["means"] * 8, ["logits"], axis=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(nodes, "g", [given], [taken])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(proto, {"class_names": json.dumps(list(EMOTIONS))})
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(proto, path)
    return path


def test_without_posix(model: Path, tmp_path: Path) -> None:
    Image.new("L", (48, 48), 90).save(tmp_path / "face.png")
    runs = ["--runs-dir", str(tmp_path / "runs")]
    commands = [
        ["predict", str(tmp_path / "face.png"), "--checkpoint", str(model)],
        ["search", "--data", str(tmp_path / "nowhere"), *runs],
        ["report", *runs],
    ]
    program = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    result = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert "codes [0, 2, 2]" in result.stdout, result.stderr
    assert "neutral 0.125" in result.stdout
    assert "nowhere" in result.stderr and "expected a study, found none" in result.stderr
