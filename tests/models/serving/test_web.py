"""`export --format web`, in a real browser with onnxruntime-web: what the page says is what `predict` says."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import run_search
from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from models.networks.build import build_model
from models.recipe import Recipe
from models.serving.demo_page.looking import unsure
from models.serving.export import EXPORTERS
from models.serving.export.exporter import Conversion
from models.serving.export.web import RUNTIME_FILES, VARIABLE, find_runtime
from models.serving.prediction import predict, read_face
from models.serving.runtimes import open_classifier

SEEN_WITH = "onnxruntime-web@~1.30"
PRECISIONS = EXPORTERS["web"].precisions


@pytest.fixture(scope="module")
def npm_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("npm")
    if npm is None:
        pytest.skip("no npm on this machine, to install onnxruntime-web with: apt-get install npm")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", SEEN_WITH]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"npm install {SEEN_WITH}: {' '.join(result.stderr.split())[:200]}")
    return folder / "node_modules" / "onnxruntime-web" / "dist"


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> keras.Model:
    """One that is sure of some pictures, so that a wrong face is seen in its probabilities."""
    keras.utils.set_random_seed(0)
    model = build_model(Recipe(backbone="small_vgg", image_size=32))
    model.compile("adam", "categorical_crossentropy")
    model.fit(tiny.train.pixels(), tiny.train.targets("majority"), batch_size=20, epochs=4, verbose=0)
    dense = model.layers[-1]
    dense.set_weights([4 * weights for weights in dense.get_weights()])
    return model


@pytest.fixture(scope="module")
def folder(
    model: keras.Model, tiny: Dataset, npm_package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder a precision, each with the export in web/."""
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(npm_package))
        for precision in PRECISIONS:
            (folder / precision).mkdir()
            metadata = {"name": f"<b>{precision}</b>"}
            EXPORTERS["web"].write(
                model, folder / precision, Conversion(precision, tiny.train.pixels(), metadata)
            )
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *camera]
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    precision = getattr(request, "param", "float32")
    context = browser.new_context(viewport={"width": 390, "height": 800}, permissions=["camera"])
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on(
        "request",
        lambda sent: (
            None if sent.url.startswith((f"{address}/", "blob:", "data:")) else wrong.append(sent.url)
        ),
    )
    page.goto(f"{address}/{precision}/web/")
    page.wait_for_selector("body[data-model=ready]")
    yield page
    context.close()
    assert not wrong


def png(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    """Sizes, colours and turns that a picture may have."""
    rng = np.random.default_rng(3)

    def drawn(*shape: int) -> Image.Image:
        """Blotches of several sizes, and noise on them."""
        made = np.zeros(shape, np.float32)
        for size in (2, 5, 11):
            coarse = rng.integers(0, 256, (size, size, *shape[2:])).astype(np.uint8)
            made += np.asarray(Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
        return Image.fromarray(np.clip(made / 3 + rng.normal(0, 20, shape), 0, 255).astype(np.uint8))

    turned = Image.Exif()
    turned[274] = 6
    clear = drawn(90, 120, 3).convert("RGBA")
    clear.putalpha(Image.fromarray(np.repeat(np.linspace(0, 255, 120)[None].astype(np.uint8), 90, axis=0)))
    jpeg = io.BytesIO()
    drawn(160, 120, 3).save(jpeg, "JPEG", quality=95, subsampling=0)
    return {
        "a face.png": png(drawn(48, 48)),
        "grey.png": png(drawn(203, 151)),
        "small.png": png(drawn(20, 31, 3)),
        "large.png": png(drawn(700, 1001, 3)),
        "turned.png": png(drawn(120, 80, 3), exif=turned),
        "clear.png": png(clear),
        "palette.png": png(drawn(64, 64, 3).quantize(32)),
        "photo.jpg": jpeg.getvalue(),
    }


PICTURES = pictures()
BYTES = "Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))"
DROP = f"""([text, name]) => {{
    delete document.body.dataset.state;
    const moved = new DataTransfer();
    moved.items.add(new File([{BYTES}], name, {{type: "image/" + name.split(".")[1]}}));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", {{dataTransfer: moved}}));
}}"""


def drop(page: Page, name: str, content: bytes) -> None:
    page.evaluate(DROP, [base64.b64encode(content).decode(), name])
    page.wait_for_selector("body[data-state=shown], body[data-state=failed]")


def shown(page: Page) -> dict[str, float]:
    """The bars: emotion -> its probability."""
    assert page.locator(".face").count() == 1 and page.locator(".bar").count() == 8
    found: dict[str, float] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.bar')].map("
        "row => [row.querySelector('span').textContent, row.querySelector('progress').value]))"
    )
    return found


def predicted(exported: Path, content: bytes, folder: Path) -> dict[str, float]:
    path = folder / "picture"
    path.write_bytes(content)
    [said] = predict(open_classifier(exported / "web" / "model.onnx"), [read_face(path)])
    return said.probabilities


def test_the_pictures_tell_a_wrong_face(folder: Path, tmp_path: Path) -> None:
    said = [predicted(folder / "float32", content, tmp_path) for content in PICTURES.values()]
    rows = np.array([list(one.values()) for one in said])
    assert rows.max() > 0.5 and np.abs(rows - rows[0]).max() > 0.2


@pytest.mark.parametrize("name", PICTURES)
def test_a_dropped_picture_gets_the_face_and_the_probabilities_of_predict(
    name: str, page: Page, folder: Path, tmp_path: Path
) -> None:
    content, path = PICTURES[name], tmp_path / name
    drop(page, name, content)
    found, expected = shown(page), predicted(folder / "float32", content, tmp_path)
    assert found == pytest.approx(expected, abs=0.005)
    assert page.locator("h2").inner_text() == unsure(expected)
    path.write_bytes(content)
    face = page.evaluate(
        f"async (text) => [...faceOf(await readGrey(new Blob([{BYTES}])))]",
        base64.b64encode(content).decode(),
    )
    difference = np.abs(np.reshape(face, (48, 48)) - read_face(path).pixels[..., 0].astype(int))
    # Decoders of JPEG, and what lays transparency on white, round each in their own way.
    assert difference.max() <= (1 if name in ("clear.png", "photo.jpg") else 0)


@pytest.mark.parametrize("page", PRECISIONS, indirect=True)
def test_every_precision_runs(page: Page, folder: Path, tmp_path: Path) -> None:
    precision = page.locator("#model").inner_text()[3:-4]
    drop(page, "grey.png", PICTURES["grey.png"])
    expected = predicted(folder / precision, PICTURES["grey.png"], tmp_path)
    assert shown(page) == pytest.approx(expected, abs=0.005)


def test_a_square_drawn_around_the_face_is_the_picture(page: Page, folder: Path, tmp_path: Path) -> None:
    drop(page, "large.png", PICTURES["large.png"])
    whole = shown(page)
    page.locator("#picture").scroll_into_view_if_needed()
    box = page.locator("#picture").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.evaluate("delete document.body.dataset.state")
    page.mouse.up()
    page.wait_for_selector("body[data-state=shown]")
    square = page.evaluate("squareIn(1001, 700)")
    assert square["side"] == pytest.approx(300, abs=10) and square["left"] == pytest.approx(200, abs=10)
    part = Image.open(io.BytesIO(PICTURES["large.png"]))
    left, top, side = square["left"], square["top"], square["side"]
    expected = predicted(folder / "float32", png(part.crop((left, top, left + side, top + side))), tmp_path)
    assert shown(page) == pytest.approx(expected, abs=0.005) and shown(page) != pytest.approx(
        whole, abs=0.005
    )
    drop(page, "grey.png", PICTURES["grey.png"])  # another picture has no square
    assert page.locator("#square").count() == 0


def test_a_square_is_marked_and_moved_by_the_keyboard(page: Page) -> None:
    assert page.locator("#mark").is_disabled()
    drop(page, "grey.png", PICTURES["grey.png"])
    page.click("#mark")
    before = page.evaluate("squareIn(151, 203)")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "+", "+", "+"):
        page.keyboard.press(key)
    after = page.evaluate("squareIn(151, 203)")
    assert after["side"] > before["side"] and after["left"] < before["left"] and after["top"] > 0
    for key in ["+"] * 60 + ["ArrowDown"] * 60:
        page.keyboard.press(key)
    assert page.evaluate("squareIn(151, 203)") == {"left": 0, "top": 52, "side": 151}
    page.keyboard.press("Escape")
    assert page.locator("#square").count() == 0 and page.evaluate("document.activeElement.id") == "mark"


def test_the_page_says_what_it_does_not_do_and_fits_a_phone(page: Page) -> None:
    assert page.locator("#model").inner_text() == "<b>float32</b>"
    assert "No face is looked for" in page.locator("#drop").inner_text()
    drop(page, "photo.jpg", PICTURES["photo.jpg"])
    page.click("#mark")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert Axe().run(page).violations_count == 0
    drop(page, "x.png", b"no picture")
    assert "expected a picture" in page.locator("#said").inner_text() and page.locator(".face").count() == 0


def test_the_camera_is_looked_at(page: Page) -> None:
    page.click("#camera")
    page.wait_for_selector("body[data-state=shown]")
    assert page.locator("#video").is_visible() and len(shown(page)) == 8
    page.click("#camera")
    assert not page.locator("#video").is_visible()


def test_from_a_file_the_page_says_how_it_is_served(browser: Browser, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "float32" / "web" / "index.html").as_uri())
    page.wait_for_function("document.body.innerText.includes('python -m http.server')")
    page.close()


def test_without_the_runtime_one_line_says_how_it_is_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert run_search.main(["export", "--format", "web", "--checkpoint", "/no/such.keras"]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and f"run `npm install onnxruntime-web` in {tmp_path}" in error
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / RUNTIME_FILES[0]).touch()
    with pytest.raises(InputError, match=f"{VARIABLE}={tmp_path}, found {RUNTIME_FILES[0]};"):
        find_runtime()


def test_the_runtime_of_npm_is_found_from_a_folder_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "node_modules" / "onnxruntime-web" / "dist"
    place.mkdir(parents=True)
    for name in RUNTIME_FILES:
        (place / name).touch()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_runtime() == place


def test_the_folder_holds_all_that_the_page_loads(folder: Path) -> None:
    web = folder / "float32" / "web"
    names = {path.relative_to(web).as_posix() for path in web.rglob("*") if path.is_file()}
    assert names == {
        "index.html", "page.css", "page.js", "face.js", "crop.js", "model.js", "model.json", "model.onnx",
        *(f"runtime/{name}" for name in RUNTIME_FILES),
    }  # fmt: skip
    about = json.loads((web / "model.json").read_text())
    assert len(about["class_names"]) == 8 and about["sure"] == 0.8
