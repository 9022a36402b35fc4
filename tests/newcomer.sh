#!/usr/bin/env bash
# A newcomer's hour: clone, install, demo, data of one's own, notebook, several workers, report, export, a photograph.
#   tests/newcomer.sh [FOLDER]           everything, in a new folder; minutes of downloads and of training
#   VENV=PATH QUICK=1 tests/newcomer.sh  with packages that are installed already, and the smallest trainings
# Each step says what it does and how long it took; the first that fails ends it.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
place=${1:-$(mktemp -d)}
mkdir -p "$place"
place=$(cd "$place" && pwd)
small=(--timeout 10m); [ -z "${QUICK:-}" ] || small=(--subset 0.1 --epochs 1 --trials 2)
began=$SECONDS
step() { echo "== $1  (after $((SECONDS - began)) s)"; }

step "clone"
git clone --quiet "$source" "$place/clone"
cd "$place/clone"

step "install"
if [ -n "${VENV:-}" ]; then ln -s "$(cd "$OLDPWD" && cd "$VENV" && pwd)" .venv
else
    python3 -m venv .venv
    .venv/bin/pip install --quiet -r requirements.txt -r requirements-detect.txt nbclient ipykernel
fi
python=.venv/bin/python
export FERPLUS_CACHE=$place/cache

step "the first command: a search on drawn faces"
$python run_search.py check "${small[@]}"
$python run_search.py search "${small[@]}"
test -s runs/demo/report.html
test -s runs/demo/best/model.keras

step "data of one's own: FER+ as a pair of CSV files (here the drawn faces' pair)"
mkdir "$place/faces"
cp "$FERPLUS_CACHE"/demo-*/*.csv "$place/faces"
$python run_search.py prepare --data "$place/faces"
$python run_search.py search --data "$place/faces" --space small --set image_size=32 --study mine "${small[@]}" --workers 2
$python run_search.py status --study mine --top 3

step "report, evaluation, export"
$python run_search.py report --study mine --format csv
$python run_search.py evaluate --study mine
$python run_search.py export --study mine --format onnx
test -s runs/mine/export/model.onnx

step "a photograph, in which the face is found, and a picture that is a face"
$python - <<'PHOTOGRAPH'
from PIL import Image

from ferplus_data.dataset import load_dataset

# The detector takes drawn faces for faces too, so that no photograph of a person is needed.
face = Image.fromarray(load_dataset("demo").val.pixels()[0, ..., 0])
photograph = Image.new("L", (640, 480), 60)
photograph.paste(face.resize((240, 240)), (200, 120))
photograph.save("photograph.png")
face.save("face.png")
PHOTOGRAPH
$python run_search.py predict photograph.png --study mine --detect | tee found.txt
grep -q "face at 2[0-9]*,1[0-9]* to 4[0-9]*,3[0-9]*" found.txt
$python run_search.py predict face.png --study mine
$python docs/classify_onnx.py runs/mine/export/model.onnx face.png

step "the notebook"
PYTHONPATH=$PWD $python - <<'NOTEBOOK'
import os

import nbformat
from nbclient import NotebookClient

tour = nbformat.read("docs/tour.ipynb", as_version=4)
if os.environ.get("QUICK"):
    tour.cells[1].source += "\ntrials, subset, epochs = 2, 0.1, 1"
NotebookClient(tour, timeout=3600).execute()
NOTEBOOK

step "done: $place/clone/runs"
